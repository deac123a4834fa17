//! Nodes that mean harm. Each is an honest node whose words are changed on their way out, and who says more than it should.

use super::{body, scenario::HostileKind, settings::Random};
use crate::{MessageId, Time, swarm::Frame};
use bytes::Bytes;
use std::{collections::VecDeque, time::Duration};

/// How often a hostile node acts by itself.
pub(super) const TICK: Duration = Duration::from_millis(100);
/// How many old messages a replaying node keeps, and of how many nodes any of them knows.
const MEMORY: usize = 64;
/// How many frames it sends each time.
const BURST: u32 = 8;
/// The number that silences an author of secure-gossip for good: the greatest integer that JavaScript tells from the next.
const SILENCING: u64 = (1 << 53) - 1;

/// What a hostile node adds to an honest one.
#[derive(Debug)]
pub(super) struct Mischief {
    pub(super) kind: HostileKind,
    /// When it acts next.
    pub(super) due: Time,
    old: VecDeque<Frame>,
    /// Nodes it heard of.
    pub(super) known: VecDeque<u32>,
    pub(super) random: Random,
}

impl Mischief {
    pub(super) const fn new(kind: HostileKind, seed: u64, now: Time) -> Self {
        Self {
            kind,
            due: now,
            old: VecDeque::new(),
            known: VecDeque::new(),
            random: Random::new(seed),
        }
    }

    /// Takes note of whoever speaks to it.
    pub(super) fn knows(&mut self, peer: u32) {
        if !self.known.contains(&peer) {
            self.known.push_back(peer);
            if self.known.len() > MEMORY {
                self.known.pop_front();
            }
        }
    }

    /// Takes note of what it may use later.
    pub(super) fn hears(&mut self, frame: &Frame) {
        if let (HostileKind::Replay, Frame::Gossip { .. }) = (self.kind, frame) {
            self.old.push_back(frame.clone());
            if self.old.len() > MEMORY {
                self.old.pop_front();
            }
        }
    }

    /// What becomes of a frame that an honest node would send.
    pub(super) fn send(&self, frame: Frame) -> Option<Frame> {
        match (self.kind, frame) {
            (HostileKind::Silence | HostileKind::Eclipse, Frame::Gossip { .. } | Frame::IHave(_) | Frame::Items(_)) => {
                None
            }
            (HostileKind::Rewrite, Frame::Gossip { id, hops, body }) => Some(Frame::Gossip {
                id,
                hops,
                body: body::renumber(&body, SILENCING),
            }),
            (HostileKind::Rewrite, Frame::Items(bodies)) => Some(Frame::Items(
                bodies.iter().map(|body| body::renumber(body, SILENCING)).collect(),
            )),
            (_, frame) => Some(frame),
        }
    }

    /// What it sends of its own accord, when it is time.
    pub(super) fn act(&mut self, now: Time) -> Vec<(u32, Frame)> {
        self.due = now + TICK;
        let frames: Vec<Frame> = match self.kind {
            HostileKind::Silence | HostileKind::Rewrite | HostileKind::Eclipse => Vec::new(),
            HostileKind::Replay => (0..BURST).filter_map(|_| self.one_of_old()).collect(),
            HostileKind::Flood => (0..BURST).map(|number| self.junk(number)).collect(),
        };
        let with_someone = |frame| Some((self.someone()?, frame));
        frames.into_iter().filter_map(with_someone).collect()
    }

    /// A node that it knows.
    pub(super) fn someone(&mut self) -> Option<u32> {
        let place = self.random.below(u32::try_from(self.known.len()).unwrap_or(0));
        self.known.get(place as usize).copied()
    }

    fn one_of_old(&mut self) -> Option<Frame> {
        let place = self.random.below(u32::try_from(self.old.len()).unwrap_or(0));
        self.old.get(place as usize).cloned()
    }

    fn junk(&mut self, number: u32) -> Frame {
        let id = self.nonsense();
        match number % 4 {
            0 => Frame::Gossip {
                id,
                hops: 1,
                body: Bytes::from(vec![0xff; 1000]),
            },
            1 | 2 => Frame::IHave((0..200).map(|_| (self.nonsense(), 1)).collect()),
            _ => Frame::Graft((0..50).map(|_| self.nonsense()).collect()),
        }
    }

    fn nonsense(&mut self) -> MessageId {
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.random.next().to_be_bytes());
        }
        MessageId::from_bytes(bytes)
    }
}
