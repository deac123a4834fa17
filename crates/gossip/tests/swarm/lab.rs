//! A small network of swarms on a virtual clock: every run with the same seed is the same run.

use bytes::Bytes;
use handfast_gossip::{
    Author, Item, MessageId, Refused, Rules, Sequence, Time,
    swarm::{Config, Delivery, Fault, Frame, Output, Swarm},
};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap},
    time::Duration,
};

pub(crate) const START: Time = Time::from_micros(1_800_000_000_000_000);

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// An author by number.
pub(crate) fn author(number: u32) -> Author {
    let mut key = [0; 32];
    key[..4].copy_from_slice(&number.to_be_bytes());
    key[31] = 1;
    Author::from_bytes(key)
}

/// A sound message. Its body says everything; its name is the hash of what nobody but the author could change.
pub(crate) fn message(author_number: u32, sequence: Sequence, len: usize) -> Item {
    let mut body = Vec::with_capacity(len.max(13));
    let (kind, number) = match sequence {
        Sequence::Proven(number) => (b'p', number),
        Sequence::Claimed(number) => (b'c', number),
    };
    body.extend_from_slice(&author_number.to_be_bytes());
    body.push(kind);
    body.extend_from_slice(&number.to_be_bytes());
    body.resize(len.max(13), b'.');
    read(&body.into()).expect("sound")
}

/// A copy of a sound message whose proof a relay has taken away, under a number of the relay's choice.
pub(crate) fn stripped(item: &Item, number: u64) -> Item {
    let author = &item.body[..4];
    let body = [author, b"s", &number.to_be_bytes(), &item.body[..]].concat();
    read(&body.into()).expect("sound")
}

fn read(body: &Bytes) -> Result<Item, Refused> {
    let (head, _) = body.split_first_chunk::<13>().ok_or(Refused::Forged)?;
    let number = u64::from_be_bytes(head[5..].try_into().expect("8 bytes"));
    let sequence = match head[4] {
        b'p' => Sequence::Proven(number),
        b'c' | b's' => Sequence::Claimed(number),
        b'u' => return Err(Refused::Unwelcome),
        _ => return Err(Refused::Forged),
    };
    // A proof that a relay has taken away makes no other message, whatever number it puts there then.
    let named = if head[4] == b's' { &body[13..26] } else { &head[..] };
    let digest = ring::digest::digest(&ring::digest::SHA256, named);
    Ok(Item {
        id: MessageId::from_bytes(digest.as_ref().try_into().expect("32 bytes")),
        author: author(u32::from_be_bytes(head[..4].try_into().expect("4 bytes"))),
        sequence,
        body: body.clone(),
    })
}

/// Rules that cost nothing and count what they are asked.
#[derive(Default)]
pub(crate) struct Lenient {
    pub(crate) read: usize,
    pub(crate) accepted: usize,
}

impl<P> Rules<P> for Lenient {
    fn read(&mut self, bodies: &[Bytes], _: Time) -> Vec<Result<Item, Refused>> {
        self.read += bodies.len();
        bodies.iter().map(read).collect()
    }

    fn accepts(&mut self, _: &Item, _: Time) -> Result<(), Refused> {
        self.accepted += 1;
        Ok(())
    }
}

enum Event {
    Frame { from: u32, to: u32, frame: Frame },
    Timer(u32),
}

/// What travelled, by kind of frame.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) frames: BTreeMap<&'static str, (usize, usize)>,
}

impl Counts {
    fn add(&mut self, frame: &Frame) {
        let kind = match frame {
            Frame::Gossip { .. } => "Gossip",
            Frame::IHave(_) => "IHave",
            Frame::Graft(_) => "Graft",
            Frame::Prune => "Prune",
            Frame::Summary(_) => "Summary",
            Frame::Vector(_) => "Vector",
            Frame::Sketch(_) => "Sketch",
            Frame::Reconcile(_) => "Reconcile",
            Frame::Want(_) => "Want",
            Frame::Items(_) => "Items",
            _ => "other",
        };
        let (frames, bytes) = self.frames.entry(kind).or_default();
        *frames += 1;
        *bytes += frame.wire_len();
    }

    pub(crate) fn of(&self, kind: &str) -> (usize, usize) {
        self.frames.get(kind).copied().unwrap_or_default()
    }

    /// Pushed payloads and messages in Items frames are both payload sends; the lab counts Items frames as one each.
    pub(crate) fn gossip(&self) -> usize {
        self.of("Gossip").0
    }

    pub(crate) fn overhead_bytes(&self) -> usize {
        self.frames
            .iter()
            .filter(|(kind, _)| !matches!(**kind, "Gossip" | "Items"))
            .map(|(_, (_, bytes))| bytes)
            .sum()
    }
}

pub(crate) struct Lab {
    pub(crate) now: Time,
    pub(crate) nodes: Vec<Swarm<u32>>,
    pub(crate) rules: Vec<Lenient>,
    pub(crate) alive: Vec<bool>,
    pub(crate) links: BTreeSet<(u32, u32)>,
    pub(crate) loss: f64,
    /// The most that a frame is held back, so that later ones overtake it.
    pub(crate) jitter: Duration,
    /// Frames between these two halves vanish: nodes below, nodes from it.
    pub(crate) cut: Option<u32>,
    pub(crate) counts: Counts,
    pub(crate) faults: Vec<(u32, u32, Fault)>,
    /// For each node, what it was handed, in order.
    pub(crate) heard: Vec<Vec<(Time, Delivery<u32>)>>,
    /// For each node, the messages whose numbers were proven after their delivery.
    pub(crate) proved: Vec<Vec<Item>>,
    wakes: Vec<Option<Time>>,
    queue: BinaryHeap<Reverse<(Time, u64)>>,
    events: HashMap<u64, Event>,
    next_event: u64,
    latency: HashMap<(u32, u32), Duration>,
    pub(crate) rng: ChaCha8Rng,
}

impl Lab {
    pub(crate) fn new(nodes: usize, config: &Config, seed: u64) -> Self {
        config.check().expect("a config that makes sense");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Self {
            now: START,
            nodes: (0..nodes)
                .map(|_| Swarm::new(config.clone(), rng.random(), START))
                .collect(),
            rules: (0..nodes).map(|_| Lenient::default()).collect(),
            alive: vec![true; nodes],
            links: BTreeSet::new(),
            loss: 0.0,
            jitter: Duration::ZERO,
            cut: None,
            counts: Counts::default(),
            faults: Vec::new(),
            heard: vec![Vec::new(); nodes],
            proved: vec![Vec::new(); nodes],
            wakes: vec![None; nodes],
            queue: BinaryHeap::new(),
            events: HashMap::new(),
            next_event: 0,
            latency: HashMap::new(),
            rng,
        }
    }

    /// A connected random graph: a ring for connection, chords up to the degree.
    pub(crate) fn graph(nodes: usize, degree: usize, config: &Config, seed: u64) -> Self {
        let mut lab = Self::new(nodes, config, seed);
        let count = nodes as u32;
        let mut order: Vec<u32> = (0..count).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, lab.rng.random_range(0..=i));
        }
        for pair in order.windows(2) {
            lab.connect(pair[0], pair[1]);
        }
        let wanted = (nodes * degree / 2).min(nodes * (nodes - 1) / 2);
        let mut degrees = vec![0usize; nodes];
        for (a, b) in &lab.links {
            degrees[*a as usize] += 1;
            degrees[*b as usize] += 1;
        }
        for _ in 0..wanted * 20 {
            if lab.links.len() >= wanted {
                break;
            }
            let (a, b) = (lab.rng.random_range(0..count), lab.rng.random_range(0..count));
            if a != b && degrees[a as usize] < degree + 1 && degrees[b as usize] < degree + 1 && lab.connect(a, b) {
                degrees[a as usize] += 1;
                degrees[b as usize] += 1;
            }
        }
        lab
    }

    pub(crate) fn linked(&self, a: u32, b: u32) -> bool {
        self.links.contains(&(a.min(b), a.max(b)))
    }

    pub(crate) fn connect(&mut self, a: u32, b: u32) -> bool {
        if !self.links.insert((a.min(b), a.max(b))) {
            return false;
        }
        let latency = Duration::from_micros(self.rng.random_range(10_000..50_000));
        self.latency.entry((a.min(b), a.max(b))).or_insert(latency);
        self.act(a, |swarm, now| swarm.neighbour_up(b, now));
        self.act(b, |swarm, now| swarm.neighbour_up(a, now));
        true
    }

    pub(crate) fn set_latency(&mut self, a: u32, b: u32, latency: Duration) {
        self.latency.insert((a.min(b), a.max(b)), latency);
    }

    pub(crate) fn disconnect(&mut self, a: u32, b: u32) {
        if self.links.remove(&(a.min(b), a.max(b))) {
            self.act(a, |swarm, now| swarm.neighbour_down(&b, now));
            self.act(b, |swarm, now| swarm.neighbour_down(&a, now));
        }
    }

    /// The node falls silent; its neighbours see it go.
    pub(crate) fn kill(&mut self, node: u32) {
        self.alive[node as usize] = false;
        let gone: Vec<_> = self
            .links
            .iter()
            .copied()
            .filter(|(a, b)| *a == node || *b == node)
            .collect();
        for (a, b) in gone {
            self.disconnect(a, b);
        }
    }

    /// Does something with a node and whatever follows from it.
    pub(crate) fn act<R>(&mut self, node: u32, action: impl FnOnce(&mut Swarm<u32>, Time) -> R) -> R {
        let result = action(&mut self.nodes[node as usize], self.now);
        self.drain(node);
        result
    }

    pub(crate) fn publish(&mut self, node: u32, item: &Item) -> bool {
        self.act(node, |swarm, now| swarm.publish(item.clone(), None, now))
    }

    /// A fresh message of an author that lives on this node.
    pub(crate) fn say(&mut self, node: u32) -> Item {
        let last = self.nodes[node as usize]
            .history()
            .newest(&author(node), 1)
            .next()
            .map(|item| item.sequence.number());
        let item = message(node, Sequence::Proven(Sequence::following(last, self.now)), 500);
        assert!(self.publish(node, &item));
        item
    }

    /// A frame as if `from` had sent it.
    pub(crate) fn inject(&mut self, from: u32, to: u32, frame: Frame) {
        self.act(to, |swarm, now| swarm.handle(from, frame, now));
    }

    fn drain(&mut self, node: u32) {
        let at = node as usize;
        if !self.alive[at] {
            return;
        }
        let mut polls = 0;
        while let Some(output) = self.nodes[at].poll(&mut self.rules[at], self.now) {
            polls += 1;
            assert!(polls < 1_000_000, "poll does not end");
            match output {
                Output::Send { to, frame } => self.send(node, to, frame),
                Output::Deliver(delivery) => self.heard[at].push((self.now, delivery)),
                Output::Proved(item) => self.proved[at].push(item),
                Output::Fault { peer, fault } => {
                    self.faults.push((node, peer, fault));
                    self.disconnect(node, peer);
                }
            }
        }
        let wake = self.nodes[at].poll_timeout();
        if let Some(wake) = wake
            && self.wakes[at].is_none_or(|set| wake < set)
        {
            self.wakes[at] = Some(wake);
            self.push(wake.max(self.now), Event::Timer(node));
        }
    }

    fn send(&mut self, from: u32, to: u32, frame: Frame) {
        self.counts.add(&frame);
        let cut = self.cut.is_some_and(|cut| (from < cut) != (to < cut));
        if cut || !self.linked(from, to) || self.rng.random_bool(self.loss) {
            return;
        }
        let latency = self.latency[&(from.min(to), from.max(to))];
        let jitter = match self.jitter.as_micros() as u64 {
            0 => 0,
            most => self.rng.random_range(0..most),
        };
        let at = self.now + latency + Duration::from_micros(jitter);
        self.push(at, Event::Frame { from, to, frame });
    }

    fn push(&mut self, at: Time, event: Event) {
        self.queue.push(Reverse((at, self.next_event)));
        self.events.insert(self.next_event, event);
        self.next_event += 1;
    }

    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(&Reverse((at, number))) = self.queue.peek() {
            if at > end {
                break;
            }
            self.queue.pop();
            self.now = at;
            match self.events.remove(&number).expect("an event") {
                Event::Frame { from, to, frame } => {
                    if self.alive[to as usize] && self.linked(from, to) {
                        self.act(to, |swarm, now| swarm.handle(from, frame, now));
                    }
                }
                Event::Timer(node) => {
                    if self.wakes[node as usize] == Some(at) || self.wakes[node as usize].is_some_and(|set| set <= at) {
                        self.wakes[node as usize] = None;
                        if self.alive[node as usize] {
                            self.act(node, |swarm, now| swarm.handle_timeout(now));
                        }
                    }
                }
            }
        }
        self.now = end;
    }

    /// Links what does not hang together any more, as an overlay would.
    pub(crate) fn bridge(&mut self) {
        let living: Vec<u32> = (0..self.nodes.len() as u32)
            .filter(|node| self.alive[*node as usize])
            .collect();
        while !self.is_connected() {
            let (a, b) = (
                living[self.rng.random_range(0..living.len())],
                living[self.rng.random_range(0..living.len())],
            );
            if a != b {
                self.connect(a, b);
            }
        }
    }

    /// Whether the living nodes hang together.
    pub(crate) fn is_connected(&self) -> bool {
        self.hangs_together_without(u32::MAX)
    }

    /// Whether they would without this one.
    pub(crate) fn hangs_together_without(&self, node: u32) -> bool {
        let mut links: HashMap<u32, Vec<u32>> = HashMap::new();
        for (a, b) in self.links.iter().filter(|(a, b)| *a != node && *b != node) {
            links.entry(*a).or_default().push(*b);
            links.entry(*b).or_default().push(*a);
        }
        let living = (0..self.nodes.len() as u32).filter(|at| *at != node && self.alive[*at as usize]);
        let living: Vec<u32> = living.collect();
        let mut reached = BTreeSet::new();
        let mut next: Vec<u32> = living.first().copied().into_iter().collect();
        while let Some(node) = next.pop() {
            if reached.insert(node) {
                next.extend(links.get(&node).into_iter().flatten());
            }
        }
        reached.len() == living.len()
    }

    /// Whether each living node has each of these messages: from its application's view, exactly once.
    pub(crate) fn missing(&self, items: &[Item], sender_of: impl Fn(&Item) -> u32) -> Vec<(u32, MessageId)> {
        let mut missing = Vec::new();
        for (node, heard) in self.heard.iter().enumerate().filter(|(node, _)| self.alive[*node]) {
            let mut times: HashMap<MessageId, usize> = HashMap::new();
            for (_, delivery) in heard {
                *times.entry(delivery.item.id).or_default() += 1;
            }
            for (id, times) in &times {
                assert_eq!(*times, 1, "node {node} was handed {id:?} {times} times");
            }
            for item in items {
                let own = sender_of(item) == node as u32;
                assert!(!own || !times.contains_key(&item.id), "an own message was delivered");
                if !own && !times.contains_key(&item.id) {
                    missing.push((node as u32, item.id));
                }
            }
        }
        missing
    }
}

/// The number of the author of a lab message.
pub(crate) fn author_number(item: &Item) -> u32 {
    u32::from_be_bytes(item.author.as_bytes()[..4].try_into().expect("4 bytes"))
}
