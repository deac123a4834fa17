//! Laws of lines and links that hold for every input; fuzz targets and property tests call them.
#![allow(
    missing_docs,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

use super::{
    Config, Fault, LINE_MAX, LinkId, Links, Message, Output,
    line::{Cut, Lines},
    message::Reader,
};
use crate::{MessageId, Rate, Refused, Time, swarm};
use arbitrary::{Result, Unstructured};
use bytes::{Bytes, BytesMut};
use handfast_json::Value;
use handfast_keys::KeyPair;
use std::{
    collections::{BTreeMap, HashSet},
    sync::LazyLock,
    time::Duration,
};

/// Lines do not depend on how bytes are chunked and are what splitting at line feeds gives; whatever a line holds, it is
/// refused or it is a message whose canonical form is a message, the same one, and stays as it is.
pub fn line(data: &[u8]) {
    let (limit, data) = data
        .split_first()
        .map_or((0, data), |(limit, rest)| (usize::from(*limit), rest));
    let cut = |chunk: usize| {
        let mut lines = Lines::new(limit);
        let mut cuts = Vec::new();
        for mut bytes in data.chunks(chunk) {
            while let Some(cut) = lines.next(&mut bytes) {
                cuts.push(match cut {
                    Cut::Line(line) => Some(line.to_vec()),
                    Cut::TooLong => None,
                });
            }
            assert!(bytes.is_empty(), "every byte is taken");
            assert!(lines.kept() <= limit + 1, "no more is kept than a line may have");
        }
        cuts
    };
    let mut expected: Vec<_> = data.split(|&byte| byte == b'\n').collect();
    // What no line feed ends is no line.
    expected.pop();
    let expected: Vec<_> = expected
        .into_iter()
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .map(|line| (line.len() <= limit).then(|| line.to_vec()))
        .collect();
    if !data.is_empty() {
        assert_eq!(cut(data.len()), expected);
        assert_eq!(cut(1 + data.len() % 7), expected);
    }
    message(data);
}

/// A line is refused, or its canonical form is the same message and canonical.
fn message(line: &[u8]) {
    let mut reader = Reader::default();
    if let Ok(opened) = reader.open(line) {
        let id = opened.id;
        let canonical = opened.canonical().to_vec();
        assert!(canonical.len() <= LINE_MAX && !canonical.contains(&b'\n'));
        let again = reader.open(&canonical).expect("what is passed on can be read");
        assert_eq!(
            (again.id, again.canonical()),
            (id, &canonical[..]),
            "the canonical form is its own"
        );
    }
    if let Ok(message) = Message::parse(line) {
        let again = Message::parse(message.line()).expect("what is passed on is sound");
        assert_eq!(again, message);
    }
}

/// Real signatures cost too much to make for each input.
static MESSAGES: LazyLock<Vec<Message>> = LazyLock::new(|| {
    let mut messages = Vec::new();
    for author in 1..4u8 {
        let keys = KeyPair::from_seed(&[author; 32]).unwrap();
        for number in 0..6u64 {
            let content: Value = handfast_json::parse(format!("{{\"n\":{number},\"by\":{author}}}")).unwrap();
            messages.push(match number {
                0 => Message::sign(&keys, &content, u64::from(author) << 50),
                1 => Message::sign_without_proof(&keys, &content, 1 << 52),
                _ => Message::sign_without_proof(&keys, &content, number),
            });
        }
    }
    messages.into_iter().map(std::result::Result::unwrap).collect()
});

const START: Time = Time::from_micros(1_800_000_000_000_000);
const ME: u8 = 3;

/// Links under arbitrary bytes and events: bounded memory, no message delivered twice, none of its own, nothing for a link that
/// is closed, and what goes out on a link is lines and frames that can be read.
pub fn links(data: &[u8]) {
    // An input that ends early has said all it has to say.
    let _ = events(&mut Unstructured::new(data));
}

struct Driven {
    links: Links,
    now: Time,
    delivered: HashSet<MessageId>,
    /// The open links, with what came out of them.
    open: BTreeMap<LinkId, Written>,
}

#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    frames: bool,
}

fn events(u: &mut Unstructured<'_>) -> Result<()> {
    let config = Config {
        negotiate: u.ratio(3, 4)?,
        interval: u.ratio(3, 4)?.then_some(Duration::from_millis(100)),
        replay: u.int_in_range(0..=4)?,
        links: 4,
        unsound: Rate {
            per_second: 1,
            burst: 8,
        },
        swarm: swarm::Config {
            history_messages: u.int_in_range(1..=20)?,
            ..Config::default().swarm
        },
        ..Config::default()
    };
    let keys = KeyPair::from_seed(&[ME; 32]).unwrap();
    let mut driven = Driven {
        links: Links::new(keys, config, [1; 32], START).unwrap(),
        now: START,
        delivered: HashSet::new(),
        open: BTreeMap::new(),
    };
    while !u.is_empty() {
        driven.event(u)?;
        driven.drain();
    }
    Ok(())
}

impl Driven {
    fn event(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let links: Vec<LinkId> = self.open.keys().copied().collect();
        let link = if links.is_empty() {
            None
        } else {
            Some(*u.choose(&links)?)
        };
        match (u.int_in_range(0..=9u8)?, link) {
            (0, _) => match self.links.open(self.now) {
                Ok(link) => assert!(
                    self.open.insert(link, Written::default()).is_none(),
                    "no name is given twice"
                ),
                Err(_) => assert_eq!(self.open.len(), 4),
            },
            (1, Some(link)) => {
                self.links.close(link, self.now);
                self.open.remove(&link);
            }
            (2, Some(link)) => {
                let length = usize::from(u.arbitrary::<u8>()?).min(u.len());
                let bytes = u.bytes(length)?;
                self.links.input(link, bytes, self.now);
            }
            (3 | 4, Some(link)) => {
                let mut line = u.choose(&MESSAGES)?.line().to_vec();
                if u.ratio(1, 4)? {
                    let place = u.choose_index(line.len())?;
                    line[place] ^= u.arbitrary::<u8>()?;
                }
                line.push(b'\n');
                self.links.input(link, &line, self.now);
            }
            (5, Some(link)) => {
                let word: &[u8] = u.choose(&[
                    &b"{\"sg2\":{\"v\":1,\"caps\":[\"plum\",\"vv\",\"rbsr\"]}}\n"[..],
                    b"{\"sg2\":{\"switch\":true}}\n",
                    b"{\"sg2\":{\"v\":9}}\n",
                    b"{\"sg2\":\n",
                ])?;
                self.links.input(link, word, self.now);
            }
            (6, Some(link)) => {
                let message = u.choose(&MESSAGES)?;
                let body = message.line().clone();
                let frame = match u.int_in_range(0..=5u8)? {
                    0 => swarm::Frame::Gossip {
                        id: message.id(),
                        hops: u.arbitrary()?,
                        body,
                    },
                    1 => swarm::Frame::IHave(vec![(message.id(), 1)]),
                    2 => swarm::Frame::Graft(vec![message.id()]),
                    3 => swarm::Frame::Prune,
                    4 => swarm::Frame::Items(vec![body]),
                    _ => swarm::Frame::Items(vec![Bytes::copy_from_slice(u.arbitrary()?)]),
                };
                let frame = frame.encode();
                let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
                self.links.input(link, &length, self.now);
                self.links.input(link, &frame, self.now);
            }
            (7, _) => {
                self.now += Duration::from_millis(u.int_in_range(0..=3_000)?);
                self.links.handle_timeout(self.now);
                assert!(
                    self.links.poll_timeout().is_none_or(|at| at > self.now),
                    "what was due is done"
                );
            }
            (8, _) => {
                let content = handfast_json::parse(format!("{{\"own\":{}}}", u.arbitrary::<u8>()?)).unwrap();
                let id = self.links.publish(&content, self.now).unwrap();
                assert!(
                    self.delivered.insert(id),
                    "a name is new, whatever was published before"
                );
            }
            (9, _) => self.links.round(self.now),
            _ => {}
        }
        Ok(())
    }

    fn drain(&mut self) {
        let me = KeyPair::from_seed(&[ME; 32]).unwrap();
        while let Some(output) = self.links.poll(self.now) {
            match output {
                Output::Deliver(delivery) => {
                    assert_ne!(
                        delivery.item.author.as_bytes(),
                        me.public().as_bytes(),
                        "own messages are not delivered"
                    );
                    let sound = Message::parse(&delivery.item.body).map(Message::into_item);
                    assert_eq!(
                        sound,
                        Ok::<_, Refused>(delivery.item.clone()),
                        "what is delivered is sound"
                    );
                    assert!(self.delivered.insert(delivery.item.id), "nothing is delivered twice");
                }
                Output::Transmit(link) => assert!(self.open.contains_key(&link), "nothing waits for a closed link"),
                Output::Close { link, fault } => {
                    assert!(self.open.remove(&link).is_some(), "a link is closed once");
                    assert_ne!(fault, Fault::Unread, "whoever reads is not dropped for not reading");
                }
            }
        }
        assert_eq!(self.links.len(), self.open.len());
        for (link, written) in &mut self.open {
            let mut buffer = BytesMut::new();
            while self.links.transmit(*link, &mut buffer, self.now) {}
            assert_eq!(self.links.state(*link).unwrap().lost, 0);
            written.bytes.extend_from_slice(&buffer);
            written.read();
        }
    }
}

impl Written {
    /// Reads what was written as the other end would.
    fn read(&mut self) {
        loop {
            if self.frames {
                let Some((length, rest)) = self.bytes.split_first_chunk::<4>() else {
                    break;
                };
                let length = u32::from_be_bytes(*length) as usize;
                assert!(length <= rest.len(), "frames are written whole");
                swarm::Frame::decode(&rest[..length]).expect("our frames can be read");
                self.bytes.drain(..4 + length);
            } else {
                let Some(end) = self.bytes.iter().position(|&byte| byte == b'\n') else {
                    break;
                };
                let line: Vec<u8> = self.bytes.drain(..=end).collect();
                if line.starts_with(b"{\"sg2\"") {
                    self.frames = line.starts_with(b"{\"sg2\":{\"switch\"");
                } else {
                    let message = Message::parse(&line).expect("our lines are sound");
                    assert_eq!(&line[..end], message.line(), "and canonical");
                }
            }
        }
        assert!(self.bytes.is_empty(), "lines are written whole");
    }
}
