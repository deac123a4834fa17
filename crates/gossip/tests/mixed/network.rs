//! Nodes of both kinds on a virtual clock.

use super::original::Original;
use bytes::BytesMut;
use handfast_gossip::{
    Time,
    secure::{Config, Fault, LinkId, Links, Output, content},
};
use handfast_json::Value;
use handfast_keys::KeyPair;
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use std::{collections::VecDeque, time::Duration};

pub(crate) enum Kind {
    Ours(Box<Links>),
    Original(Original),
}

pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// What was delivered: content and author.
    pub(crate) delivered: Vec<(Value, String)>,
    pub(crate) faults: Vec<Fault>,
}

/// One end of a stream.
struct End {
    node: usize,
    link: Option<LinkId>,
    stream: usize,
    /// Bytes on their way to this end.
    coming: VecDeque<(Time, Vec<u8>)>,
    /// All bytes that ever went to this end.
    log: Vec<u8>,
    reads: bool,
}

pub(crate) struct Network {
    pub(crate) nodes: Vec<Node>,
    edges: Vec<[End; 2]>,
    pub(crate) now: Time,
    rng: ChaCha8Rng,
    next_round: Time,
    /// Whether originals make rounds by themselves.
    pub(crate) rounds: bool,
    /// The longest latency, in microseconds.
    pub(crate) latency: u64,
}

pub(crate) fn keys(number: u8) -> KeyPair {
    KeyPair::from_seed(&[number; 32]).unwrap()
}

impl Network {
    pub(crate) fn new(seed: u64) -> Self {
        let now = Time::from_micros(1_800_000_000_000_000);
        Self {
            nodes: Vec::new(),
            edges: Vec::new(),
            now,
            rng: ChaCha8Rng::seed_from_u64(seed),
            next_round: now + Duration::from_millis(100),
            rounds: true,
            latency: 0,
        }
    }

    pub(crate) fn ours(&mut self, config: Config) -> usize {
        self.ours_with(keys(self.nodes.len() as u8 + 1), config)
    }

    pub(crate) fn ours_with(&mut self, keys: KeyPair, config: Config) -> usize {
        let seed = [self.nodes.len() as u8; 32];
        let links = Links::new(keys, config, seed, self.now).unwrap();
        self.add(Kind::Ours(Box::new(links)))
    }

    pub(crate) fn original(&mut self) -> usize {
        let keys = keys(self.nodes.len() as u8 + 1);
        self.add(Kind::Original(Original::new(keys)))
    }

    fn add(&mut self, kind: Kind) -> usize {
        self.nodes.push(Node {
            kind,
            delivered: Vec::new(),
            faults: Vec::new(),
        });
        self.nodes.len() - 1
    }

    fn open(&mut self, node: usize) -> End {
        let (link, stream) = match &mut self.nodes[node].kind {
            Kind::Ours(links) => (Some(links.open(self.now).unwrap()), 0),
            Kind::Original(original) => (None, original.open()),
        };
        End {
            node,
            link,
            stream,
            coming: VecDeque::new(),
            log: Vec::new(),
            reads: true,
        }
    }

    /// Joins two nodes by a stream and returns its number.
    pub(crate) fn join(&mut self, a: usize, b: usize) -> usize {
        let ends = [self.open(a), self.open(b)];
        self.edges.push(ends);
        self.settle();
        self.edges.len() - 1
    }

    /// Ends a stream for both.
    pub(crate) fn part(&mut self, edge: usize) {
        for end in &mut self.edges[edge] {
            if let (Kind::Ours(links), Some(link)) = (&mut self.nodes[end.node].kind, end.link.take()) {
                links.close(link, self.now);
            }
            end.coming.clear();
            end.reads = false;
        }
        self.settle();
    }

    /// The bytes that went to `to` over this stream.
    pub(crate) fn log(&self, edge: usize, to: usize) -> &[u8] {
        &self.edges[edge].iter().find(|end| end.node == to).unwrap().log
    }

    /// How often a line with this text went over any stream.
    pub(crate) fn sends(&self, text: &str) -> usize {
        let ends = self.edges.iter().flatten();
        ends.map(|end| {
            end.log
                .windows(text.len())
                .filter(|window| *window == text.as_bytes())
                .count()
        })
        .sum()
    }

    /// Makes `node` stop reading from a stream.
    pub(crate) fn deafen(&mut self, edge: usize, node: usize) {
        self.edges[edge]
            .iter_mut()
            .filter(|end| end.node == node)
            .for_each(|end| end.reads = false);
    }

    /// Makes `node` read again.
    pub(crate) fn hearken(&mut self, edge: usize, node: usize) {
        self.edges[edge]
            .iter_mut()
            .filter(|end| end.node == node)
            .for_each(|end| end.reads = true);
        self.settle();
    }

    /// The first stream that a node of ours holds.
    pub(crate) fn first_link(&self, node: usize) -> LinkId {
        self.edges
            .iter()
            .flatten()
            .find(|end| end.node == node)
            .unwrap()
            .link
            .unwrap()
    }

    /// Bytes out of nowhere, as if the other end of the stream had sent them.
    pub(crate) fn inject(&mut self, edge: usize, to: usize, bytes: &[u8]) {
        let end = self.edges[edge].iter_mut().find(|end| end.node == to).unwrap();
        end.coming.push_back((self.now, bytes.to_vec()));
        self.settle();
    }

    pub(crate) fn publish(&mut self, node: usize, content: &Value) {
        match &mut self.nodes[node].kind {
            Kind::Ours(links) => {
                links.publish(content, self.now).unwrap();
            }
            Kind::Original(original) => original.publish(content),
        }
        self.settle();
    }

    pub(crate) fn round(&mut self, node: usize) {
        match &mut self.nodes[node].kind {
            Kind::Ours(links) => links.round(self.now),
            Kind::Original(original) => original.round(),
        }
        self.settle();
    }

    pub(crate) fn links(&mut self, node: usize) -> &mut Links {
        match &mut self.nodes[node].kind {
            Kind::Ours(links) => links,
            Kind::Original(_) => panic!("node {node} is the original"),
        }
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(next) = self.next_event().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            if self.rounds && self.next_round <= self.now {
                self.next_round += Duration::from_millis(100);
                for node in &mut self.nodes {
                    if let Kind::Original(original) = &mut node.kind {
                        original.round();
                    }
                }
            }
            for node in &mut self.nodes {
                if let Kind::Ours(links) = &mut node.kind
                    && links.poll_timeout().is_some_and(|at| at <= self.now)
                {
                    links.handle_timeout(self.now);
                }
            }
            self.settle();
        }
        self.now = end;
    }

    fn next_event(&self) -> Option<Time> {
        let timeouts = self.nodes.iter().filter_map(|node| match &node.kind {
            Kind::Ours(links) => links.poll_timeout(),
            Kind::Original(_) => None,
        });
        let coming = self
            .edges
            .iter()
            .flatten()
            .filter_map(|end| end.coming.front().map(|(at, _)| *at));
        let round = self.rounds.then_some(self.next_round);
        timeouts.chain(coming).chain(round).map(|at| at.max(self.now)).min()
    }

    /// Moves what is due until nothing moves.
    fn settle(&mut self) {
        loop {
            for node in &mut self.nodes {
                Self::drain(node, self.now);
            }
            let mut moved = false;
            for edge in 0..self.edges.len() {
                for side in 0..2 {
                    moved |= self.write(edge, side);
                    moved |= self.deliver(edge, side);
                }
            }
            if !moved {
                break;
            }
        }
    }

    fn drain(node: &mut Node, now: Time) {
        match &mut node.kind {
            Kind::Ours(links) => {
                while let Some(output) = links.poll(now) {
                    match output {
                        Output::Deliver(delivery) => {
                            let author = handfast_keys::PublicKey::from_bytes(delivery.item.author.as_bytes()).unwrap();
                            let text = format!("{}.ed25519", author.to_base64());
                            node.delivered.push((content(&delivery.item.body).unwrap(), text));
                        }
                        Output::Close { fault, .. } => node.faults.push(fault),
                        Output::Transmit(_) => {}
                    }
                }
            }
            Kind::Original(original) => node.delivered.append(&mut original.delivered),
        }
    }

    /// What this end has to say goes on its way to the other.
    fn write(&mut self, edge: usize, side: usize) -> bool {
        let [one, two] = &mut self.edges[edge];
        let (from, to) = if side == 0 { (one, two) } else { (two, one) };
        if !to.reads {
            return false;
        }
        let bytes = match &mut self.nodes[from.node].kind {
            Kind::Ours(links) => {
                let Some(link) = from.link else { return false };
                let mut bytes = BytesMut::new();
                links.transmit(link, &mut bytes, self.now);
                bytes.to_vec()
            }
            Kind::Original(original) => std::mem::take(&mut original.out[from.stream]),
        };
        if bytes.is_empty() {
            return false;
        }
        to.log.extend_from_slice(&bytes);
        // Chunks of any size, in order, each some latency after the one before.
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (chunk, behind) = rest.split_at(self.rng.random_range(1..=rest.len()));
            let latency = Duration::from_micros(if self.latency == 0 {
                0
            } else {
                self.rng.random_range(0..self.latency)
            });
            let last = to.coming.back().map_or(self.now, |(at, _)| *at);
            to.coming.push_back(((self.now + latency).max(last), chunk.to_vec()));
            rest = behind;
        }
        true
    }

    fn deliver(&mut self, edge: usize, side: usize) -> bool {
        let end = &mut self.edges[edge][side];
        let mut moved = false;
        while end.reads && end.coming.front().is_some_and(|(at, _)| *at <= self.now) {
            let Some((_, bytes)) = end.coming.pop_front() else {
                break;
            };
            moved = true;
            match &mut self.nodes[end.node].kind {
                Kind::Ours(links) => {
                    if let Some(link) = end.link {
                        links.input(link, &bytes, self.now);
                    }
                }
                Kind::Original(original) => original.input(end.stream, &bytes),
            }
        }
        moved
    }

    /// The texts of `n` in what a node was given, sorted.
    pub(crate) fn heard(&self, node: usize) -> Vec<u64> {
        let mut heard = self.heard_in_order(node);
        heard.sort_unstable();
        heard
    }

    pub(crate) fn heard_in_order(&self, node: usize) -> Vec<u64> {
        let delivered = self.nodes[node].delivered.iter();
        delivered
            .filter_map(|(content, _)| content.get("n")?.as_u64())
            .collect()
    }
}
