//! The laws of a swarm.

use crate::{
    Author, Item, MessageId, Refused, Rules, Sequence, Time,
    swarm::{
        Config, FRAME_MAX, Frame, MISSING_PER_PEER, Order, Output, Reconcile, Sketch, Summary, Swarm, Vector, Want,
    },
};
use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;
use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    time::Duration,
};

const START: Time = Time::from_micros(1_800_000_000_000_000);
/// What a poll may hand out after one event: far more than any event here causes, far less than without end.
const OUTPUTS_MAX: usize = 100_000;

/// A frame comes back as it went, and its length is known without writing it. Whatever is read is within the limits.
pub fn swarm_frame(data: &[u8]) {
    if let Ok(frame) = Frame::decode(data) {
        let bytes = frame.encode();
        assert_eq!(frame.wire_len(), bytes.len());
        assert_eq!(Frame::decode(&bytes).as_ref(), Ok(&frame));
    }
    let mut input = Unstructured::new(data);
    if let Ok(frame) = frame(&mut input, &pool()) {
        let bytes = frame.encode();
        assert_eq!(frame.wire_len(), bytes.len());
        if bytes.len() <= FRAME_MAX
            && let Ok(read) = Frame::decode(&bytes)
        {
            assert_eq!(read, frame);
        }
    }
}

/// Messages whose names frames speak of.
fn pool() -> Vec<Item> {
    (0..48u8)
        .map(|i| item(i % 3, i % 5 == 4, u64::from(i / 3), usize::from(i)))
        .collect()
}

fn item(author: u8, claimed: bool, number: u64, len: usize) -> Item {
    let number = if claimed {
        number
    } else {
        (START.as_millis() << 10) + number
    };
    let mut body = vec![author, u8::from(claimed)];
    body.extend_from_slice(&number.to_be_bytes());
    body.resize(10 + len, 0);
    read(&body.into()).unwrap()
}

fn read(body: &Bytes) -> std::result::Result<Item, Refused> {
    let head: &[u8; 10] = body.first_chunk().ok_or(Refused::Forged)?;
    let number = u64::from_be_bytes(*head.last_chunk().unwrap());
    let sequence = match head[1] {
        0 => Sequence::Proven(number),
        1 => Sequence::Claimed(number),
        2 => return Err(Refused::TooMany),
        3 => return Err(Refused::Unwelcome),
        _ => return Err(Refused::Forged),
    };
    let digest = ring::digest::digest(&ring::digest::SHA256, body);
    Ok(Item {
        id: MessageId::from_bytes(digest.as_ref().try_into().unwrap()),
        author: Author::from_bytes([head[0]; 32]),
        sequence,
        body: body.clone(),
    })
}

struct Readable;

impl Rules<u8> for Readable {
    fn read(&mut self, bodies: &[Bytes], _: Time) -> Vec<std::result::Result<Item, Refused>> {
        bodies.iter().map(read).collect()
    }
}

fn frame(input: &mut Unstructured<'_>, pool: &[Item]) -> Result<Frame> {
    let some = |input: &mut Unstructured<'_>| Ok(pool[input.int_in_range(0..=pool.len() - 1)?].clone());
    let name = |input: &mut Unstructured<'_>| -> Result<MessageId> {
        Ok(if input.ratio(7, 8)? {
            some(input)?.id
        } else {
            MessageId::from_bytes(input.arbitrary()?)
        })
    };
    let body = |input: &mut Unstructured<'_>| -> Result<Bytes> {
        Ok(if input.ratio(7, 8)? {
            some(input)?.body
        } else {
            Vec::<u8>::arbitrary(input)?.into()
        })
    };
    let count = input.int_in_range(0..=6)?;
    Ok(match input.int_in_range(0..=10u8)? {
        0 | 1 => {
            let item = some(input)?;
            let wrong = input.ratio(1, 16)?;
            Frame::Gossip {
                id: if wrong { name(input)? } else { item.id },
                hops: input.arbitrary()?,
                body: item.body,
            }
        }
        2 => Frame::IHave(
            (0..count)
                .map(|_| Ok((name(input)?, input.arbitrary()?)))
                .collect::<Result<_>>()?,
        ),
        3 => Frame::Graft((0..count).map(|_| name(input)).collect::<Result<_>>()?),
        4 => Frame::Prune,
        5 => Frame::Summary(Summary {
            count: input.arbitrary()?,
            fingerprint: input.arbitrary()?,
            authors: input.arbitrary()?,
            fresh: input.arbitrary()?,
            agreed: input.arbitrary()?,
        }),
        6 => Frame::Vector(Vector {
            salt: input.arbitrary()?,
            floor: input.arbitrary()?,
            answer: input.arbitrary()?,
            entries: Vec::<u8>::arbitrary(input)?.into(),
        }),
        7 => Frame::Sketch(Sketch {
            salt: input.arbitrary()?,
            floor: 0,
            cells: vec![input.arbitrary()?; 13 * 4 * count].into(),
        }),
        8 => Frame::Reconcile(Reconcile {
            floor: 0,
            answer: input.arbitrary()?,
            message: Vec::<u8>::arbitrary(input)?.into(),
        }),
        9 => Frame::Want(Want {
            salt: input.arbitrary()?,
            names: vec![input.arbitrary()?; 8 * count].into(),
        }),
        _ => Frame::Items((0..count).map(|_| body(input)).collect::<Result<_>>()?),
    })
}

fn config(input: &mut Unstructured<'_>) -> Result<Config> {
    let tight: bool = input.arbitrary()?;
    let ordered: bool = input.arbitrary()?;
    Ok(Config {
        history_messages: if tight { 8 } else { 1000 },
        memory: if tight { 16 } else { 1000 },
        order: if ordered { Order::PerAuthor } else { Order::Arrival },
        ..Config::default()
    })
}

/// Whatever three neighbours send, in whatever order: each message is delivered once, none of our own is, frames go to
/// neighbours only, tables stay bounded, polling and waiting come to an end.
pub fn swarm_hostile(data: &[u8]) {
    let _ = hostile(&mut Unstructured::new(data));
}

fn hostile(input: &mut Unstructured<'_>) -> Result<()> {
    let config = config(input)?;
    let pool = pool();
    let mut now = START;
    let mut swarm = Swarm::new(config.clone(), [7; 32], now);
    let mut up = BTreeSet::new();
    let mut own = HashSet::new();
    let mut delivered = HashSet::new();
    while !input.is_empty() {
        let peer = input.int_in_range(0..=2u8)?;
        match input.int_in_range(0..=15u8)? {
            0 => {
                swarm.neighbour_up(peer, now);
                up.insert(peer);
            }
            1 => {
                swarm.neighbour_down(&peer, now);
                up.remove(&peer);
            }
            2 => swarm.congested(&peer, input.arbitrary()?, now),
            3 => {
                let item = pool[input.int_in_range(0..=pool.len() - 1)?].clone();
                let id = item.id;
                if swarm.publish(item, None, now) {
                    let forgotten = config.memory < 100;
                    assert!(
                        forgotten || !delivered.contains(&id),
                        "what was delivered was published again"
                    );
                    own.insert(id);
                }
            }
            4 | 5 => {
                now += Duration::from_millis(input.int_in_range(0..=5_000)?);
                swarm.handle_timeout(now);
                assert!(
                    swarm.poll_timeout().is_none_or(|next| next > now),
                    "it waits for what is past"
                );
            }
            _ => {
                let frame = frame(input, &pool)?;
                swarm.handle(peer, frame, now);
            }
        }
        let mut outputs = 0;
        while let Some(output) = swarm.poll(&mut Readable, now) {
            outputs += 1;
            assert!(outputs < OUTPUTS_MAX, "polling does not end");
            match output {
                Output::Send { to, frame } => {
                    assert!(up.contains(&to), "{frame:?} to one that is no neighbour");
                    assert!(frame.wire_len() <= FRAME_MAX);
                }
                Output::Deliver(delivery) => {
                    let id = delivery.item.id;
                    assert!(
                        config.memory < 100 || !own.contains(&id),
                        "an own message was delivered"
                    );
                    // A memory of 16 names forgets those that prove no number.
                    let forgotten = config.memory < 100 && delivery.item.sequence.proven().is_none();
                    assert!(delivered.insert(id) || forgotten, "{id:?} was delivered twice");
                }
                Output::Proved(item) => assert!(delivered.contains(&item.id) || own.contains(&item.id)),
                Output::Fault { peer, .. } => {
                    up.remove(&peer);
                }
            }
        }
        assert!(swarm.missing() <= up.len() * MISSING_PER_PEER);
        let history = swarm.history();
        assert!(history.len() <= config.history_messages);
        assert_eq!(history.iter().count(), history.len());
        assert_eq!(
            history.iter().map(|item| item.body.len()).sum::<usize>(),
            history.bytes()
        );
    }
    Ok(())
}

/// Two swarms over a link that loses, reorders and breaks: when it stops doing so, they soon have the same, and go quiet.
pub fn swarm_pair(data: &[u8]) {
    let _ = pair(&mut Unstructured::new(data));
}

struct Pair {
    now: Time,
    ends: [Swarm<u8>; 2],
    delivered: [HashSet<MessageId>; 2],
    wire: VecDeque<(u8, Frame)>,
    linked: bool,
}

impl Pair {
    fn drain(&mut self) {
        for end in [0u8, 1] {
            let at = usize::from(end);
            while let Some(output) = self.ends[at].poll(&mut Readable, self.now) {
                match output {
                    Output::Send { to, frame } => {
                        assert_eq!(to, 1 - end);
                        self.wire.push_back((to, frame));
                    }
                    Output::Deliver(delivery) => {
                        assert!(self.delivered[at].insert(delivery.item.id), "delivered twice");
                    }
                    Output::Proved(_) => {}
                    Output::Fault { fault, .. } => panic!("an honest peer is blamed: {fault}"),
                }
            }
        }
    }

    fn link(&mut self, up: bool) {
        if self.linked == up {
            return;
        }
        self.linked = up;
        for (end, peer) in [(0, 1), (1, 0)] {
            match up {
                true => self.ends[end].neighbour_up(peer, self.now),
                false => self.ends[end].neighbour_down(&peer, self.now),
            }
        }
        if !up {
            self.wire.clear();
        }
        self.drain();
    }

    fn arrive(&mut self, at: usize) {
        if let Some((to, frame)) = self.wire.remove(at) {
            self.ends[usize::from(to)].handle(1 - to, frame, self.now);
            self.drain();
        }
    }

    fn pass(&mut self, span: Duration) {
        self.now += span;
        for end in &mut self.ends {
            end.handle_timeout(self.now);
        }
        self.drain();
    }
}

fn pair(input: &mut Unstructured<'_>) -> Result<()> {
    let config = Config::default();
    let mut pair = Pair {
        now: START,
        ends: [[1; 32], [2; 32]].map(|seed| Swarm::new(config.clone(), seed, START)),
        delivered: Default::default(),
        wire: VecDeque::new(),
        linked: false,
    };
    let pool = pool();
    while !input.is_empty() && pair.wire.len() < 1000 {
        match input.int_in_range(0..=9u8)? {
            0 => pair.link(true),
            1 => pair.link(input.ratio(3, 4)?),
            2 | 3 => {
                let item = pool[input.int_in_range(0..=pool.len() - 1)?].clone();
                let end: bool = input.arbitrary()?;
                let now = pair.now;
                pair.ends[usize::from(end)].publish(item, None, now);
                pair.drain();
            }
            4 => {
                pair.wire.pop_front();
            }
            5 | 6 => {
                let span = Duration::from_millis(input.int_in_range(0..=2_000)?);
                pair.pass(span);
            }
            _ => {
                let at = input.int_in_range(0..=3)?;
                pair.arrive(at);
            }
        }
    }
    pair.link(true);
    let end = pair.now + Duration::from_secs(300);
    loop {
        while !pair.wire.is_empty() {
            pair.arrive(0);
        }
        let next = pair.ends.iter().filter_map(Swarm::poll_timeout).min();
        match next.filter(|next| *next < end) {
            Some(next) => pair.pass(next.since(pair.now)),
            None => break,
        }
    }
    let names = |end: &Swarm<u8>| end.history().iter().map(|item| item.id).collect::<BTreeSet<_>>();
    let [a, b] = &pair.ends;
    assert_eq!(names(a), names(b), "they differ for good");
    let soon = pair.now + Duration::from_secs(3600);
    let quiet = pair
        .ends
        .iter()
        .all(|end| end.poll_timeout().is_none_or(|next| next > soon));
    assert!(quiet, "they agree and go on talking");
    Ok(())
}
