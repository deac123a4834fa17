//! The engine: nodes, the events between them, and what was sent.

use crate::{
    Time,
    sim::{
        Actor, Input, NodeId, Output, Settings, Wire,
        queue::Queue,
        settings::{Random, mix},
    },
};
use std::{mem, time::Duration};

/// A simulated network.
///
/// A frame to a peer without a connection makes one, as an adapter dials. It takes the latency of the pair, like every frame:
/// simulators of other protocols count so, and figures are to be compared.
#[derive(Debug)]
pub struct Network<A: Actor> {
    settings: Settings,
    random: Random,
    now: Time,
    queue: Queue<Event<A::Frame>>,
    slots: Vec<Slot<A>>,
    divided: bool,
    counts: Counts,
    unseen: Vec<(Time, NodeId, A::Event)>,
}

/// How a node goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vanish {
    /// Its machine loses power: connections stay open and nothing answers.
    Silent,
    /// Its process ends: its connections break, and new ones are refused.
    Reset,
}

/// What was sent since the counts were taken the last time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames sent, by their [`Wire::kind`].
    pub frames: Vec<u64>,
    /// Bytes sent, by the [`Wire::kind`] of their frame.
    pub bytes: Vec<u64>,
    /// Frames in which a whole message travelled.
    pub payloads: u64,
    /// Frames that got lost.
    pub lost: u64,
    /// Events handled: what a run costs.
    pub events: u64,
}

#[derive(Debug)]
struct Slot<A> {
    actor: Option<A>,
    /// Counts the lives of this node: connections to an earlier one are broken.
    life: u32,
    gone: Vanish,
    side: u16,
    /// Invariant: if the node wants to be woken at some time, an event for it is in the queue no later than that.
    wake: Option<Time>,
    /// Sorted by peer.
    connections: Vec<Connection>,
}

#[derive(Clone, Copy, Debug)]
struct Connection {
    peer: NodeId,
    life: u32,
}

#[derive(Debug)]
enum Event<F> {
    Frame { to: NodeId, from: NodeId, frame: F },
    Closed { at: NodeId, peer: NodeId },
    GaveUp { at: NodeId, peer: NodeId },
    Wake(NodeId),
}

impl<A: Actor> Network<A> {
    /// When simulated time begins: somewhere in 2023, since numbers of messages are made of the time.
    pub const START: Time = Time::from_micros(1_700_000_000_000_000);

    /// A network without nodes.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            random: Random::new(mix(settings.seed)),
            settings,
            now: Self::START,
            queue: Queue::new(Self::START),
            slots: Vec::new(),
            divided: false,
            counts: Counts::new::<A::Frame>(),
            unseen: Vec::new(),
        }
    }

    /// What time it is.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// How long the network has been running.
    #[must_use]
    pub const fn elapsed(&self) -> Duration {
        self.now.since(Self::START)
    }

    /// What the network is like.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes what the network is like, from now on.
    pub const fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// How many nodes there ever were; they are numbered from 0.
    #[must_use]
    pub fn len(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    /// Whether there never was a node.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The nodes that are there.
    pub fn alive(&self) -> impl Iterator<Item = NodeId> {
        (0..)
            .zip(&self.slots)
            .filter(|(_, slot)| slot.actor.is_some())
            .map(|(id, _)| id)
    }

    /// A node, if it is there.
    #[must_use]
    pub fn actor(&self, id: NodeId) -> Option<&A> {
        self.slots.get(id as usize)?.actor.as_ref()
    }

    /// How long a frame takes between two nodes.
    #[must_use]
    pub fn latency(&self, a: NodeId, b: NodeId) -> Duration {
        self.settings.latency.between(self.settings.seed, a, b)
    }

    /// The seed for the machine of a node: different for each node and each of its lives.
    #[must_use]
    pub fn seed(&self, id: NodeId) -> [u8; 32] {
        let life = self.slots.get(id as usize).map_or(0, |slot| slot.life + 1);
        let mut random = Random::new(self.settings.seed ^ mix((u64::from(id) << 32) | u64::from(life)));
        let mut seed = [0; 32];
        for chunk in seed.chunks_exact_mut(8) {
            chunk.copy_from_slice(&random.next().to_le_bytes());
        }
        seed
    }

    /// Adds a node, which gets the next number.
    pub fn insert(&mut self, actor: A) -> NodeId {
        let id = self.len();
        self.slots.push(Slot {
            actor: Some(actor),
            life: 0,
            gone: Vanish::Silent,
            side: 0,
            wake: None,
            connections: Vec::new(),
        });
        self.settle(id);
        id
    }

    /// Puts a node where one has vanished. Peers that still believe in their connections to the old one find them broken.
    pub fn revive(&mut self, id: NodeId, actor: A) {
        if let Some(slot) = self.slots.get_mut(id as usize) {
            slot.actor = Some(actor);
            slot.life += 1;
            slot.wake = None;
            slot.connections.clear();
            self.settle(id);
        }
    }

    /// Removes a node.
    pub fn kill(&mut self, id: NodeId, how: Vanish) -> Option<A> {
        let slot = self.slots.get_mut(id as usize)?;
        let actor = slot.actor.take()?;
        slot.gone = how;
        let connections = mem::take(&mut slot.connections);
        if how == Vanish::Reset {
            for connection in connections {
                self.forget(connection.peer, id);
                self.close(id, connection.peer);
            }
        }
        Some(actor)
    }

    /// Divides the network: frames between nodes of different sides get lost.
    pub fn divide(&mut self, side: impl Fn(NodeId) -> u16) {
        self.divided = true;
        for (id, slot) in (0..).zip(&mut self.slots) {
            slot.side = side(id);
        }
    }

    /// Ends a division.
    pub const fn reunite(&mut self) {
        self.divided = false;
    }

    /// Does something with a node: joins, publishes, leaves. `None` if it is not there.
    pub fn act<T>(&mut self, id: NodeId, action: impl FnOnce(&mut A, Time) -> T) -> Option<T> {
        let actor = self.slots.get_mut(id as usize)?.actor.as_mut()?;
        let result = action(actor, self.now);
        self.settle(id);
        Some(result)
    }

    /// Lets time pass. The observer is told of each event with its time and its node.
    pub fn run_until(&mut self, end: Time, mut observe: impl FnMut(Time, NodeId, A::Event)) {
        loop {
            for (at, id, event) in self.unseen.drain(..) {
                observe(at, id, event);
            }
            let Some((at, event)) = self.queue.pop(end) else {
                break;
            };
            self.now = at;
            self.counts.events += 1;
            self.step(event);
        }
        self.now = self.now.max(end);
    }

    /// Lets time pass: see [`Network::run_until`].
    pub fn run_for(&mut self, span: Duration, observe: impl FnMut(Time, NodeId, A::Event)) {
        self.run_until(self.now + span, observe);
    }

    /// What was sent since the network began or the counts were taken.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Takes the counts and begins new ones.
    pub fn take_counts(&mut self) -> Counts {
        mem::replace(&mut self.counts, Counts::new::<A::Frame>())
    }

    fn step(&mut self, event: Event<A::Frame>) {
        match event {
            Event::Frame { to, from, frame } => self.input(to, Input::Frame { from, frame }),
            Event::Closed { at, peer } => self.input(at, Input::Disconnected { peer }),
            Event::GaveUp { at, peer } => {
                let back = self.slots.get(peer as usize).is_some_and(|slot| slot.actor.is_some());
                if !back && self.forget(at, peer) {
                    self.input(at, Input::Disconnected { peer });
                }
            }
            Event::Wake(id) => {
                let now = self.now;
                let Some(slot) = self.slots.get_mut(id as usize) else {
                    return;
                };
                if slot.wake.is_some_and(|wake| wake <= now) {
                    slot.wake = None;
                }
                if let Some(actor) = &mut slot.actor {
                    if actor.poll_timeout().is_some_and(|due| due <= now) {
                        actor.handle_timeout(now);
                    }
                    self.settle(id);
                }
            }
        }
    }

    fn input(&mut self, id: NodeId, input: Input<A::Frame>) {
        let now = self.now;
        if let Some(actor) = self.slots.get_mut(id as usize).and_then(|slot| slot.actor.as_mut()) {
            actor.handle(input, now);
            self.settle(id);
        }
    }

    /// Does what a node wants done, and sees to its next wake.
    fn settle(&mut self, id: NodeId) {
        let now = self.now;
        while let Some(output) = self
            .slots
            .get_mut(id as usize)
            .and_then(|slot| slot.actor.as_mut()?.poll(now))
        {
            match output {
                Output::Send { to, frame } => self.send(id, to, frame),
                Output::Disconnect { peer } => {
                    if self.forget(id, peer) && self.forget(peer, id) {
                        self.close(id, peer);
                    }
                }
                Output::Event(event) => self.unseen.push((now, id, event)),
            }
        }
        if let Some(slot) = self.slots.get_mut(id as usize)
            && let Some(due) = slot.actor.as_ref().and_then(Actor::poll_timeout)
        {
            let due = due.max(now);
            if slot.wake.is_none_or(|wake| wake > due) {
                slot.wake = Some(due);
                self.queue.push(due, Event::Wake(id));
            }
        }
    }

    fn send(&mut self, from: NodeId, to: NodeId, frame: A::Frame) {
        self.counts.count(&frame);
        let latency = self.latency(from, to);
        if from == to || !self.connect(from, to, latency) {
            return;
        }
        let apart = self.divided && {
            let side = |id: NodeId| self.slots.get(id as usize).map(|slot| slot.side);
            side(from) != side(to)
        };
        if apart || (self.settings.loss > 0.0 && self.random.fraction() < self.settings.loss) {
            self.counts.lost += 1;
            return;
        }
        let jitter = if self.settings.jitter.is_zero() {
            Duration::ZERO
        } else {
            self.random.span(Duration::ZERO, self.settings.jitter)
        };
        self.queue
            .push(self.now + latency + jitter, Event::Frame { to, from, frame });
    }

    /// Whether a frame can be sent; dials if there is no connection, and breaks one whose other end has begun a new life.
    fn connect(&mut self, from: NodeId, to: NodeId, latency: Duration) -> bool {
        let Some((alive, life, gone)) = self
            .slots
            .get(to as usize)
            .map(|slot| (slot.actor.is_some(), slot.life, slot.gone))
        else {
            self.queue
                .push(self.now + latency * 2, Event::Closed { at: from, peer: to });
            return false;
        };
        let Some(own) = self.slots.get_mut(from as usize) else {
            return false;
        };
        let own_life = own.life;
        match own.connections.binary_search_by_key(&to, |connection| connection.peer) {
            Ok(place) if own.connections.get(place).is_some_and(|known| known.life == life) => return alive,
            Ok(place) => {
                own.connections.remove(place);
                self.queue
                    .push(self.now + latency * 2, Event::Closed { at: from, peer: to });
                return false;
            }
            Err(_) if !alive && gone == Vanish::Reset => {
                self.queue
                    .push(self.now + latency * 2, Event::Closed { at: from, peer: to });
                return false;
            }
            Err(place) => own.connections.insert(place, Connection { peer: to, life }),
        }
        if !alive {
            self.queue.push(
                self.now + self.settings.dial_timeout,
                Event::GaveUp { at: from, peer: to },
            );
            return false;
        }
        if let Some(other) = self.slots.get_mut(to as usize) {
            let connection = Connection {
                peer: from,
                life: own_life,
            };
            match other
                .connections
                .binary_search_by_key(&from, |connection| connection.peer)
            {
                Ok(place) => {
                    if let Some(known) = other.connections.get_mut(place) {
                        *known = connection;
                    }
                }
                Err(place) => other.connections.insert(place, connection),
            }
        }
        true
    }

    /// Drops one end of a connection; false if there was none.
    fn forget(&mut self, at: NodeId, peer: NodeId) -> bool {
        self.slots.get_mut(at as usize).is_some_and(|slot| {
            slot.connections
                .binary_search_by_key(&peer, |connection| connection.peer)
                .map(|place| slot.connections.remove(place))
                .is_ok()
        })
    }

    /// `other` learns that `at` closed their connection, after all that was sent before.
    fn close(&mut self, at: NodeId, other: NodeId) {
        let arrives = self.now + self.latency(at, other) + self.settings.jitter + Duration::from_micros(1);
        self.queue.push(arrives, Event::Closed { at: other, peer: at });
    }
}

impl Counts {
    fn new<F: Wire>() -> Self {
        Self {
            frames: vec![0; F::KINDS.len()],
            bytes: vec![0; F::KINDS.len()],
            ..Self::default()
        }
    }

    fn count<F: Wire>(&mut self, frame: &F) {
        let kind = frame.kind();
        if let Some(frames) = self.frames.get_mut(kind) {
            *frames += 1;
        }
        if let Some(bytes) = self.bytes.get_mut(kind) {
            *bytes += frame.wire_len() as u64;
        }
        self.payloads += u64::from(frame.is_payload());
    }

    /// All frames.
    #[must_use]
    pub fn all_frames(&self) -> u64 {
        self.frames.iter().sum()
    }

    /// All bytes.
    #[must_use]
    pub fn all_bytes(&self) -> u64 {
        self.bytes.iter().sum()
    }
}
