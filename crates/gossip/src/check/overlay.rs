//! The laws of an overlay and of its membership.

use crate::{
    Contact, Item, Overlay, Refused, Rules, Sequence, Time, TopicId,
    membership::{self, Frame, Membership, Want},
    overlay::{Body, Config, Frame as Outer, InEvent, OutEvent},
    swarm,
};
use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;
use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

const START: Time = Time::from_micros(1_800_000_000_000_000);
const TOPIC: TopicId = TopicId::from_bytes([1; 32]);
/// The node itself; its peers have the numbers around it.
const ME: u8 = 3;
/// What one event may cause: far more than any does, far less than without end.
const OUTPUTS_MAX: usize = 10_000;

/// A frame comes back as it went, and its counted length is near the true one.
pub fn overlay_frame(data: &[u8]) {
    if let Ok(frame) = Outer::<u32>::decode(data) {
        let bytes = frame.encode();
        assert_eq!(Outer::decode(&bytes), Ok(frame));
    }
    let mut input = Unstructured::new(data);
    if let Ok(body) = frame::<u32>(&mut input) {
        let outer = Outer {
            topic: TOPIC,
            body: Body::Member(body),
        };
        let bytes = outer.encode();
        assert_eq!(Outer::decode(&bytes), Ok(outer));
    }
}

/// A membership under arbitrary events.
///
/// Laws: no view holds the node itself or a peer twice, none is too large, active and passive view share nobody; what was said
/// of links coming and going adds up to the active view; polling ends; time that was asked for is not asked for again.
pub fn membership_machine(data: &[u8]) {
    let _ = drive_membership(&mut Unstructured::new(data));
}

/// An overlay under arbitrary events, frames of both layers among them.
///
/// Laws: polling ends; nothing is sent to the node itself; neighbours are told of before they go.
pub fn overlay_machine(data: &[u8]) {
    let _ = drive_overlay(&mut Unstructured::new(data));
}

struct Free {
    admits: bool,
}

impl<P> Rules<P> for Free {
    fn read(&mut self, bodies: &[Bytes], _: Time) -> Vec<std::result::Result<Item, Refused>> {
        bodies.iter().map(|_| Err(Refused::Unwelcome)).collect()
    }

    fn admits(&mut self, _: &P, _: &[u8], _: Time) -> bool {
        self.admits
    }
}

fn drive_membership(input: &mut Unstructured<'_>) -> Result<()> {
    let config = membership::Config {
        active: input.int_in_range(1..=6)?,
        passive: input.int_in_range(0..=8)?,
        memory: input.int_in_range(0..=8)?,
        ..membership::Config::default()
    };
    config.check().unwrap();
    let mut now = START;
    let mut machine = Membership::new(Contact::new(ME), config.clone(), input.arbitrary()?, now);
    let mut up = BTreeSet::new();
    while !input.is_empty() {
        let peer = peer(input)?;
        match input.int_in_range(0..=9)? {
            0 => machine.join(contacts(input)?, now),
            1 => machine.discovered(contacts(input)?, now),
            2 => machine.disconnected(&peer, now),
            3 => machine.heard(&peer, now),
            4 => {
                let carries = u8::arbitrary(input)?;
                machine.carried_by(|peer| carries >> (peer % 8) & 1 == 1);
            }
            5 => now += Duration::from_millis(input.int_in_range(0..=5000)?),
            6 if input.ratio(1, 8)? => machine.leave(now),
            7 if input.ratio(1, 4)? => machine.expel(&peer, now),
            _ => {
                let admits = input.ratio(7, 8)?;
                machine.handle(peer, frame(input)?, &mut Free { admits }, now);
            }
        }
        if let Some(due) = machine.poll_timeout()
            && (due <= now || input.ratio(1, 4)?)
        {
            now = now.max(due);
            machine.handle_timeout(now);
            assert!(
                machine.poll_timeout().is_none_or(|next| next > now),
                "a deadline has no end"
            );
        }
        let mut polled = 0;
        while let Some(output) = machine.poll() {
            polled += 1;
            assert!(polled < OUTPUTS_MAX, "polling has no end");
            match output {
                membership::Output::Send { to, .. } => assert_ne!(to, ME),
                membership::Output::Up(peer) => assert!(up.insert(peer), "up twice"),
                membership::Output::Down(peer) => assert!(up.remove(&peer), "down without up"),
                membership::Output::Disconnect(peer) => assert_ne!(peer, ME),
            }
        }
        let active: Vec<u8> = machine.active().copied().collect();
        let passive: Vec<u8> = machine.passive().copied().collect();
        assert!(active.len() <= config.active && passive.len() <= config.passive);
        assert_eq!(active.iter().copied().collect::<BTreeSet<_>>(), up);
        let mut all: Vec<u8> = active.into_iter().chain(passive).collect();
        assert!(!all.contains(&ME));
        for peer in &all {
            let address = machine.address(peer).unwrap();
            assert!(address.len() <= Contact::<u8>::ADDRESS_MAX);
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count, "a peer is there twice");
    }
    Ok(())
}

fn drive_overlay(input: &mut Unstructured<'_>) -> Result<()> {
    let mut now = START;
    let mut overlay = Overlay::new(Contact::new(ME), Config::default(), input.arbitrary()?, now);
    let mut up = HashSet::new();
    let mut number = 0_u64;
    while !input.is_empty() {
        let topic = if input.ratio(7, 8)? {
            TOPIC
        } else {
            TopicId::from_bytes([2; 32])
        };
        let peer = peer(input)?;
        match input.int_in_range(0..=9)? {
            0 => overlay.join(topic, Free { admits: true }, contacts(input)?, now),
            1 if input.ratio(1, 8)? => overlay.handle(InEvent::Leave { topic }, now),
            2 => {
                number += 1;
                let mut id = [0; 32];
                id[..8].copy_from_slice(&number.to_be_bytes());
                let item = Item {
                    id: crate::MessageId::from_bytes(id),
                    author: crate::Author::from_bytes([9; 32]),
                    sequence: Sequence::Claimed(number),
                    body: Bytes::from_static(b"body"),
                };
                overlay.handle(InEvent::Publish { topic, item }, now);
            }
            3 => {
                let contacts = contacts(input)?;
                overlay.handle(InEvent::Discovered { topic, contacts }, now);
            }
            4 => overlay.handle(InEvent::Disconnected { peer }, now),
            5 => {
                let congested = input.arbitrary()?;
                overlay.handle(InEvent::Congested { peer, congested }, now);
            }
            6 => now += Duration::from_millis(input.int_in_range(0..=5000)?),
            7 => {
                let len = input.int_in_range(0..=64)?;
                if let Ok(frame) = swarm::Frame::decode(input.bytes(len)?) {
                    let body = Body::Swarm(frame);
                    let frame = Outer { topic, body };
                    overlay.handle(InEvent::Frame { from: peer, frame }, now);
                }
            }
            _ => {
                let body = Body::Member(frame(input)?);
                let frame = Outer { topic, body };
                overlay.handle(InEvent::Frame { from: peer, frame }, now);
            }
        }
        if overlay.poll_timeout().is_some_and(|due| due <= now) {
            overlay.handle_timeout(now);
        }
        let mut polled = 0;
        while let Some(event) = overlay.poll(now) {
            polled += 1;
            assert!(polled < OUTPUTS_MAX, "polling has no end");
            match event {
                OutEvent::Send { to, .. } => assert_ne!(to, ME),
                OutEvent::NeighbourUp { topic, peer } => assert!(up.insert((topic, peer)), "up twice"),
                OutEvent::NeighbourDown { topic, peer } => assert!(up.remove(&(topic, peer)), "down without up"),
                OutEvent::Disconnect { .. } | OutEvent::Deliver { .. } => {}
            }
        }
    }
    Ok(())
}

fn peer<T: From<u8>>(input: &mut Unstructured<'_>) -> Result<T> {
    Ok(T::from(input.int_in_range(0..=15)?))
}

fn address(input: &mut Unstructured<'_>) -> Result<Bytes> {
    let longest = Contact::<u8>::ADDRESS_MAX;
    let len = match input.int_in_range(0..=9)? {
        0 => longest + 1,
        1 => longest,
        len => len,
    };
    Ok(vec![b'a'; len].into())
}

fn contact<T: From<u8>>(input: &mut Unstructured<'_>) -> Result<Contact<T>> {
    Ok(Contact {
        peer: peer(input)?,
        address: address(input)?,
    })
}

fn contacts<T: From<u8>>(input: &mut Unstructured<'_>) -> Result<Vec<Contact<T>>> {
    let len = input.int_in_range(0..=20)?;
    (0..len).map(|_| contact(input)).collect()
}

fn frame<T: From<u8>>(input: &mut Unstructured<'_>) -> Result<Frame<T>> {
    let optional = |input: &mut Unstructured<'_>| -> Result<Option<Contact<T>>> {
        input.ratio(1, 2)?.then(|| contact(input)).transpose()
    };
    Ok(match input.int_in_range(0..=11)? {
        0 => Frame::Join {
            address: address(input)?,
            pass: address(input)?,
        },
        1 => Frame::Welcome {
            peers: contacts(input)?,
        },
        2 => Frame::ForwardJoin {
            peer: contact(input)?,
            ttl: input.arbitrary()?,
        },
        3 => Frame::Neighbour {
            address: address(input)?,
            pass: address(input)?,
            want: match input.int_in_range(0..=2)? {
                0 => Want::Low,
                1 => Want::High,
                _ => Want::Swap(contact(input)?),
            },
        },
        4 => Frame::Accept {
            address: address(input)?,
            pass: address(input)?,
            gave_up: optional(input)?,
        },
        5 => Frame::Refuse {
            peers: contacts(input)?,
        },
        6 => Frame::Disconnect {
            alive: input.arbitrary()?,
            instead: optional(input)?,
        },
        7 => Frame::Shuffle {
            origin: contact(input)?,
            nonce: input.arbitrary()?,
            ttl: input.arbitrary()?,
            peers: contacts(input)?,
        },
        8 => Frame::ShuffleReply {
            nonce: input.arbitrary()?,
            peers: contacts(input)?,
        },
        9 => Frame::Ping {
            stamp: input.arbitrary()?,
        },
        10 => Frame::Pong {
            stamp: input.arbitrary()?,
        },
        _ => Frame::Unknown(input.int_in_range(12..=255)?),
    })
}
