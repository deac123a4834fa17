//! What happened in a run, as far as figures are made of it.

use super::{
    report::{Quantiles, Round},
    world::Sent,
};
use crate::{MessageId, Time};
use std::{collections::HashMap, time::Duration};

/// Remembers who heard what, when.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    nodes: Vec<Present>,
    /// How many honest nodes there are now.
    honest: usize,
    messages: Vec<Message>,
    index: HashMap<MessageId, usize>,
    /// Deliveries of a message to a node that had heard it, which there should not be.
    repeated: u64,
}

/// A node, as the figures see it.
#[derive(Clone, Copy, Debug)]
struct Present {
    honest: bool,
    alive: bool,
    /// When it came, or came back with an empty memory.
    since: Time,
}

/// What there is to see of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// It has the newest message.
    Reached,
    /// It does not have the newest message yet.
    Waiting,
    /// It vanished.
    Gone,
    /// It means harm.
    Hostile,
}

#[derive(Debug)]
struct Message {
    at: Time,
    sender: u32,
    heard: Vec<Heard>,
    /// Which of the nodes that are there now have it, the sender included; one bit each.
    has: Vec<u64>,
    /// How many honest ones those are.
    count: usize,
    sent: Sent,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    node: u32,
    at: Time,
    hops: u16,
    caught_up: bool,
}

impl Recorder {
    /// For `nodes` nodes that are all there at `now`; `hostile` tells which of them do not count.
    pub(super) fn new(nodes: u32, hostile: impl Fn(u32) -> bool, now: Time) -> Self {
        let nodes: Vec<Present> = (0..nodes)
            .map(|node| Present {
                honest: !hostile(node),
                alive: true,
                since: now,
            })
            .collect();
        Self {
            honest: nodes.iter().filter(|node| node.honest).count(),
            nodes,
            ..Self::default()
        }
    }

    /// A node published a message.
    pub(super) fn published(&mut self, id: MessageId, sender: u32, at: Time) {
        self.index.insert(id, self.messages.len());
        let mut message = Message {
            at,
            sender,
            heard: Vec::new(),
            has: vec![0; self.nodes.len().div_ceil(64)],
            count: 0,
            sent: Sent::default(),
        };
        message.mark(sender);
        message.count += usize::from(self.counts(sender));
        self.messages.push(message);
    }

    /// A node heard a message for the first time, as it says.
    pub(super) fn delivered(&mut self, node: u32, id: MessageId, at: Time, hops: u16, caught_up: bool) {
        let counts = self.counts(node);
        let index = self.index.get(&id).copied();
        // What hostile nodes made up is in nobody's figures.
        let Some(message) = index.and_then(|index| self.messages.get_mut(index)) else {
            return;
        };
        if !counts {
            return;
        }
        if !message.mark(node) {
            self.repeated += 1;
            return;
        }
        message.count += 1;
        message.heard.push(Heard {
            node,
            at,
            hops,
            caught_up,
        });
    }

    /// A node vanished; what it heard is lost with it.
    pub(super) fn gone(&mut self, node: u32) {
        let counts = self.counts(node);
        if let Some(present) = self.nodes.get_mut(node as usize) {
            present.alive = false;
        }
        self.honest -= usize::from(counts);
        for message in &mut self.messages {
            message.count -= usize::from(message.clear(node) && counts);
        }
    }

    /// A node came back.
    pub(super) fn back(&mut self, node: u32, now: Time) {
        if let Some(present) = self.nodes.get_mut(node as usize) {
            (present.alive, present.since) = (true, now);
        }
        self.honest += usize::from(self.counts(node));
    }

    /// What was sent from the publication of the newest message until the next one.
    pub(super) fn sent(&mut self, sent: Sent) {
        if let Some(message) = self.messages.last_mut() {
            message.sent += sent;
        }
    }

    /// Whether this is an honest node that is there.
    pub(super) fn counts(&self, node: u32) -> bool {
        self.nodes
            .get(node as usize)
            .is_some_and(|node| node.honest && node.alive)
    }

    /// How many honest nodes there are now.
    pub(super) const fn honest(&self) -> usize {
        self.honest
    }

    pub(super) const fn messages(&self) -> usize {
        self.messages.len()
    }

    pub(super) const fn repeated(&self) -> u64 {
        self.repeated
    }

    /// What there is to see of each node.
    pub(super) fn states(&self) -> impl Iterator<Item = NodeState> {
        let newest = self.messages.last();
        (0..).zip(&self.nodes).map(move |(number, node)| match node {
            Present { honest: false, .. } => NodeState::Hostile,
            Present { alive: false, .. } => NodeState::Gone,
            _ if newest.is_some_and(|message| message.has(number)) => NodeState::Reached,
            _ => NodeState::Waiting,
        })
    }

    /// How many honest nodes have the newest message.
    pub(super) fn reached(&self) -> usize {
        self.messages.last().map_or(0, |message| message.count)
    }

    /// Whether all honest nodes that are there have the newest message.
    pub(super) fn complete(&self) -> bool {
        self.reached() == self.honest
    }

    /// Whether all honest nodes that are there have all messages.
    pub(super) fn all_complete(&self) -> bool {
        self.messages.iter().all(|message| message.count == self.honest)
    }

    /// Who lacks what: the number of the message and the node.
    pub(super) fn missing(&self) -> impl Iterator<Item = (usize, u32)> {
        self.messages.iter().enumerate().flat_map(move |(number, message)| {
            let lacks = move |node: &u32| self.counts(*node) && !message.has(*node);
            (0..)
                .take(if message.count == self.honest {
                    0
                } else {
                    self.nodes.len()
                })
                .filter(lacks)
                .map(move |node| (number, node))
        })
    }

    /// When the newest message was published, and the delays with which nodes heard it so far, in order of hearing.
    pub(super) fn newest(&self) -> impl Iterator<Item = Duration> {
        self.messages
            .last()
            .into_iter()
            .flat_map(|message| message.heard.iter().map(|heard| heard.at.since(message.at)))
    }

    /// The figures of each message. `start` is the time that they count from.
    pub(super) fn rounds(&self, start: Time) -> Vec<Round> {
        self.messages.iter().map(|message| self.round(message, start)).collect()
    }

    fn round(&self, message: &Message, start: Time) -> Round {
        // Whoever came back later could not hear it in time, and is only counted as reached or not.
        let in_time = |node: &Present| node.honest && node.alive && node.since <= message.at;
        let there = |heard: &&Heard| {
            let node = self.nodes.get(heard.node as usize);
            node.is_some_and(|node| in_time(node) && message.has(heard.node) && heard.at >= node.since)
        };
        let mut heard: Vec<Heard> = message.heard.iter().filter(there).copied().collect();
        heard.sort_by_key(|heard| heard.at);
        let others = self.nodes.iter().filter(|node| in_time(node)).count();
        let others = others - usize::from(self.counts(message.sender));
        let delays = heard.iter().map(|heard| heard.at.since(message.at)).collect();
        let pushed = heard.iter().filter(|heard| !heard.caught_up);
        let mut hops: Vec<u64> = Vec::new();
        for heard in pushed.clone() {
            let hop = usize::from(heard.hops);
            if hops.len() <= hop {
                hops.resize(hop + 1, 0);
            }
            if let Some(count) = hops.get_mut(hop) {
                *count += 1;
            }
        }
        let expected = (self.honest - usize::from(self.counts(message.sender))) as u64;
        let delivered = (message.count - usize::from(self.counts(message.sender))) as u64;
        Round {
            at: message.at.since(start),
            sender: message.sender,
            expected,
            delivered,
            pushed: pushed.count() as u64,
            hops,
            delays: Quantiles::of(delays, others),
            payloads: message.sent.payloads,
            payload_bytes: message.sent.payload_bytes,
            controls: message.sent.controls,
            control_bytes: message.sent.control_bytes,
        }
    }
}

impl Message {
    /// Notes that a node has it; false if that was known.
    fn mark(&mut self, node: u32) -> bool {
        let Some(bits) = self.has.get_mut(node as usize / 64) else {
            return false;
        };
        let before = *bits;
        *bits |= 1 << (node % 64);
        *bits != before
    }

    fn clear(&mut self, node: u32) -> bool {
        let Some(bits) = self.has.get_mut(node as usize / 64) else {
            return false;
        };
        let before = *bits;
        *bits &= !(1 << (node % 64));
        *bits != before
    }

    fn has(&self, node: u32) -> bool {
        let bits = self.has.get(node as usize / 64).copied().unwrap_or_default();
        bits & (1 << (node % 64)) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(number: u8) -> MessageId {
        MessageId::from_bytes([number; 32])
    }

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1000)
    }

    #[test]
    fn figures_come_out_of_a_list_of_events() {
        // Five nodes, one of them hostile; node 0 publishes at 100 ms.
        let mut recorder = Recorder::new(5, |node| node == 4, at(0));
        recorder.published(id(1), 0, at(100));
        for (node, time, hops, caught_up) in [(1, 110, 1, false), (4, 112, 2, false), (2, 130, 2, false)] {
            recorder.delivered(node, id(1), at(time), hops, caught_up);
        }
        assert!(!recorder.complete());
        assert_eq!(recorder.missing().collect::<Vec<_>>(), [(0, 3)]);
        recorder.delivered(3, id(1), at(400), 7, true);
        assert!(recorder.complete() && recorder.all_complete());
        recorder.sent(Sent {
            payloads: 6,
            payload_bytes: 600,
            controls: 3,
            control_bytes: 30,
        });
        let [round] = recorder.rounds(at(50)).try_into().unwrap();
        assert_eq!((round.expected, round.delivered, round.pushed), (3, 3, 2));
        assert_eq!(round.at, Duration::from_millis(50));
        // One node in one hop, one in two; what was caught up has no place in the tree.
        assert_eq!((round.hops.as_slice(), round.last_hop()), ([0, 1, 1].as_slice(), 2));
        let delay = |share| round.delays.at(share).map(|delay| delay.as_millis());
        assert_eq!((delay(0.5), delay(0.99), delay(1.0)), (Some(30), Some(300), Some(300)));
        assert_eq!(round.redundancy(), 1.0);
        assert_eq!((round.payload_bytes, round.control_bytes), (600, 30));
    }

    #[test]
    fn who_vanishes_is_not_expected_and_who_comes_back_needs_everything_again() {
        let mut recorder = Recorder::new(3, |_| false, at(0));
        recorder.published(id(1), 0, at(10));
        recorder.delivered(1, id(1), at(20), 1, false);
        recorder.gone(2);
        assert!(recorder.complete());
        recorder.gone(1);
        recorder.back(1, at(100));
        assert!(!recorder.complete());
        assert_eq!(recorder.missing().collect::<Vec<_>>(), [(0, 1)]);
        recorder.delivered(1, id(1), at(150), 0, true);
        assert!(recorder.complete());
        assert_eq!(recorder.repeated(), 0);
        let [round] = recorder.rounds(at(0)).try_into().unwrap();
        assert_eq!((round.expected, round.delivered), (1, 1));
        // Nobody but the sender was there all the time, so nothing is said of delays.
        assert_eq!((round.delays.all(), round.delays.at(1.0)), (0, Some(Duration::ZERO)));
    }

    #[test]
    fn a_second_delivery_is_told() {
        let mut recorder = Recorder::new(2, |_| false, at(0));
        recorder.published(id(1), 0, at(0));
        recorder.delivered(1, id(1), at(1), 1, false);
        recorder.delivered(1, id(1), at(2), 1, false);
        recorder.delivered(1, id(9), at(2), 1, false);
        assert_eq!(recorder.repeated(), 1);
    }

    #[test]
    fn a_message_that_does_not_reach_all_has_no_time_to_all() {
        let mut recorder = Recorder::new(101, |_| false, at(0));
        recorder.published(id(1), 0, at(0));
        for node in 1..100 {
            recorder.delivered(node, id(1), at(u64::from(node)), 1, false);
        }
        let [round] = recorder.rounds(at(0)).try_into().unwrap();
        let delay = |share| round.delays.at(share).map(|delay| delay.as_millis());
        assert_eq!((delay(0.5), delay(0.99), delay(1.0)), (Some(50), Some(99), None));
    }
}
