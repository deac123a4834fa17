//! A model of secure-gossip 0.3.1: what the successor is measured against.
//!
//! Once in 100 ms each node writes every line in its store to every peer, also to the one that it came from, and empties the
//! store. It takes a line if the number is above the highest that it has seen of the author; nothing is ever asked for again,
//! and whoever comes later hears nothing of before.

use super::{
    record::Recorder,
    scenario::Scenario,
    settings::{Random, Settings, mix},
    world::{START, Sent, World},
};
use crate::{MessageId, Time};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    time::Duration,
};

/// The time between two rounds of a node, as secure-gossip has it by default.
pub(super) const ROUND: Duration = Duration::from_millis(100);

/// All nodes, and the lines that are on their way.
#[derive(Debug)]
pub(super) struct Original {
    now: Time,
    nodes: Vec<Node>,
    queue: BinaryHeap<Reverse<Due>>,
    /// Counts what is put into the queue: what is due at the same instant happens in the order in which it was caused.
    order: u64,
    random: Random,
    settings: Settings,
    payload: u32,
    sent: Sent,
    events: u64,
}

#[derive(Debug)]
struct Node {
    alive: bool,
    peers: Vec<u32>,
    /// When its rounds are, within the 100 ms.
    phase: u64,
    /// The number of its next message.
    next: u64,
    /// The highest number seen of each author.
    seen: HashMap<u32, u64>,
    store: Vec<Line>,
    /// Whether the next round is in the queue.
    due: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    author: u32,
    number: u64,
    hops: u16,
    id: MessageId,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Time,
    order: u64,
    event: Event,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Round(u32),
    Arrives(u32, Line),
}

impl Original {
    pub(super) fn new(scenario: &Scenario, seed: u64) -> Self {
        let mut random = Random::new(mix(seed));
        let graph = scenario.links.graph.neighbours(scenario.nodes, &mut random);
        let nodes = graph.into_iter().map(|peers| Node::new(peers, &mut random)).collect();
        Self {
            now: START,
            nodes,
            queue: BinaryHeap::new(),
            order: 0,
            random,
            settings: scenario.network.settings(seed),
            payload: scenario.traffic.payload,
            sent: Sent::default(),
            events: 0,
        }
    }

    fn schedule(&mut self, at: Time, event: Event) {
        self.order += 1;
        let order = self.order;
        self.queue.push(Reverse(Due { at, order, event }));
    }

    /// A line is in a node's store: its next round is worth having.
    fn keep(&mut self, number: u32, line: Line) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(number as usize) else {
            return;
        };
        node.store.push(line);
        if !std::mem::replace(&mut node.due, true) {
            let round = ROUND.as_micros() as u64;
            let since = (now.as_micros() + round - node.phase) % round;
            self.schedule(now + Duration::from_micros(round - since), Event::Round(number));
        }
    }

    fn round(&mut self, number: u32) {
        let Some(node) = self.nodes.get_mut(number as usize) else {
            return;
        };
        node.due = false;
        let store = std::mem::take(&mut node.store);
        if !node.alive {
            return;
        }
        let peers = node.peers.clone();
        for peer in peers {
            let takes = self.settings.latency.between(self.settings.seed, number, peer);
            for line in &store {
                self.sent.payloads += 1;
                self.sent.payload_bytes += u64::from(self.payload);
                if self.settings.loss > 0.0 && self.random.fraction() < self.settings.loss {
                    continue;
                }
                let takes = takes + self.random.span(Duration::ZERO, self.settings.jitter);
                self.schedule(self.now + takes, Event::Arrives(peer, *line));
            }
        }
    }

    fn arrives(&mut self, number: u32, line: Line, recorder: &mut Recorder) {
        let Some(node) = self.nodes.get_mut(number as usize) else {
            return;
        };
        let older = node.seen.get(&line.author).is_some_and(|seen| line.number <= *seen);
        if !node.alive || line.author == number || older {
            return;
        }
        node.seen.insert(line.author, line.number);
        recorder.delivered(number, line.id, self.now, line.hops, false);
        let hops = line.hops.saturating_add(1);
        self.keep(number, Line { hops, ..line });
    }
}

impl Node {
    fn new(peers: Vec<u32>, random: &mut Random) -> Self {
        Self {
            alive: true,
            peers,
            phase: random.next() % ROUND.as_micros() as u64,
            next: 0,
            seen: HashMap::new(),
            store: Vec::new(),
            due: false,
        }
    }
}

impl World for Original {
    fn now(&self) -> Time {
        self.now
    }

    fn advance(&mut self, until: Time, recorder: &mut Recorder) {
        while self.queue.peek().is_some_and(|Reverse(due)| due.at <= until) {
            let Some(Reverse(due)) = self.queue.pop() else { break };
            self.now = due.at;
            self.events += 1;
            match due.event {
                Event::Round(node) => self.round(node),
                Event::Arrives(node, line) => self.arrives(node, line, recorder),
            }
        }
        self.now = self.now.max(until);
    }

    fn publish(&mut self, number: u32) -> Option<MessageId> {
        let node = self.nodes.get_mut(number as usize).filter(|node| node.alive)?;
        let mut id = [0; 32];
        // The author, and a count of messages of the whole run: a restarted node begins to number anew.
        self.order += 1;
        let name = (u128::from(number) << 64) | u128::from(self.order);
        id.iter_mut().zip(name.to_be_bytes()).for_each(|(to, from)| *to = from);
        let line = Line {
            author: number,
            number: node.next,
            hops: 1,
            id: MessageId::from_bytes(id),
        };
        node.next += 1;
        self.keep(number, line);
        Some(line.id)
    }

    fn kill(&mut self, number: u32, _silent: bool) {
        if let Some(node) = self.nodes.get_mut(number as usize) {
            node.alive = false;
        }
    }

    fn revive(&mut self, number: u32, _contact: u32) {
        if let Some(node) = self.nodes.get_mut(number as usize) {
            let peers = std::mem::take(&mut node.peers);
            let due = node.due;
            *node = Node::new(peers, &mut self.random);
            node.due = due;
        }
    }

    fn join(&mut self, _node: u32, _contacts: &[u32]) {}

    fn neighbours(&self, number: u32) -> Vec<u32> {
        let alive = |number: &u32| self.nodes.get(*number as usize).is_some_and(|node| node.alive);
        let node = self.nodes.get(number as usize).filter(|node| node.alive);
        let peers = node.into_iter().flat_map(|node| &node.peers);
        peers.copied().filter(alive).collect()
    }

    fn sent(&self) -> Sent {
        self.sent
    }

    fn events(&self) -> u64 {
        self.events
    }
}
