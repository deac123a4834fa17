//! The worlds of our own nodes: the engine, the numbers of messages, and what is told to the recorder.

use super::{
    actor::{Actor, NodeId, Wire},
    body,
    dialling::Dialling,
    linked::Linked,
    network::{Network, Vanish},
    record::Recorder,
    report::CatchUp,
    scenario::{HostileKind, Scenario},
    settings::{Random, mix},
    world::{Sent, World},
};
use crate::{
    Item, MessageId, Sequence, Time, overlay,
    swarm::{self, Delivery},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

/// A kind of node that the engine runs and a scenario is played with.
pub(super) trait Member: Actor {
    fn publish(&mut self, item: Item, now: Time);
    fn neighbours(&self) -> Vec<NodeId>;
    /// What the node heard, if that is what the event is about.
    fn heard(event: &Self::Event) -> Option<&Delivery<NodeId>>;
    /// Whether messages travel in this [`Wire::kind`] of frame.
    fn carries(kind: &str) -> bool;
}

/// The engine with what a scenario needs around it.
pub(super) struct Net<A: Actor> {
    pub(super) network: Network<A>,
    /// The last number that each node gave to a message.
    numbers: HashMap<NodeId, u64>,
    payload: usize,
    proven: bool,
    pub(super) hostile: HashMap<NodeId, HostileKind>,
}

impl<A: Member> Net<A> {
    pub(super) fn new(scenario: &Scenario, seed: u64, hostile: HashMap<NodeId, HostileKind>) -> Self {
        Self {
            network: Network::new(scenario.network.settings(seed)),
            numbers: HashMap::new(),
            payload: scenario.traffic.payload as usize,
            proven: scenario.traffic.proven,
            hostile,
        }
    }

    pub(super) fn advance(&mut self, until: Time, mut heard: impl FnMut(Time, NodeId, &Delivery<NodeId>)) {
        self.network.run_until(until, |at, node, event| {
            if let Some(delivery) = A::heard(&event) {
                heard(at, node, delivery);
            }
        });
    }

    pub(super) fn publish(&mut self, node: NodeId) -> Option<MessageId> {
        let number = Sequence::following(self.numbers.get(&node).copied(), self.network.now());
        self.numbers.insert(node, number);
        let sequence = match self.proven {
            true => Sequence::Proven(number),
            false => Sequence::Claimed(number),
        };
        let item = body::write(node, number, sequence, self.payload);
        let id = item.id;
        self.network
            .act(node, |actor, now| actor.publish(item, now))
            .map(|()| id)
    }

    pub(super) fn kill(&mut self, node: NodeId, silent: bool) {
        self.numbers.remove(&node);
        let how = if silent { Vanish::Silent } else { Vanish::Reset };
        self.network.kill(node, how);
    }

    pub(super) fn neighbours(&self, node: NodeId) -> Vec<NodeId> {
        self.network.actor(node).map_or_else(Vec::new, Member::neighbours)
    }

    pub(super) fn sent(&self) -> Sent {
        let counts = self.network.counts();
        let kinds = A::Frame::KINDS.iter().zip(counts.frames.iter().zip(&counts.bytes));
        let mut sent = Sent::default();
        for (kind, (frames, bytes)) in kinds {
            if A::carries(kind) {
                sent.payloads += frames;
                sent.payload_bytes += bytes;
            } else {
                sent.controls += frames;
                sent.control_bytes += bytes;
            }
        }
        sent
    }

    pub(super) fn events(&self) -> u64 {
        self.network.counts().events
    }
}

impl Member for Linked {
    fn publish(&mut self, item: Item, now: Time) {
        Self::publish(self, item, now);
    }

    fn neighbours(&self) -> Vec<NodeId> {
        self.peers().to_vec()
    }

    fn heard(event: &Delivery<NodeId>) -> Option<&Delivery<NodeId>> {
        Some(event)
    }

    fn carries(kind: &str) -> bool {
        kind == "payload"
    }
}

impl Member for Dialling {
    fn publish(&mut self, item: Item, now: Time) {
        Self::publish(self, item, now);
    }

    fn neighbours(&self) -> Vec<NodeId> {
        Self::neighbours(self)
    }

    fn heard(event: &Delivery<NodeId>) -> Option<&Delivery<NodeId>> {
        Some(event)
    }

    fn carries(kind: &str) -> bool {
        kind == "gossip" || kind == "items"
    }
}

/// Nodes that dial whom they like.
pub(super) struct Dialled {
    net: Net<Dialling>,
    config: overlay::Config,
    nodes: u32,
    /// The nodes that eclipse, who know each other.
    accomplices: Arc<[NodeId]>,
}

impl Dialled {
    pub(super) fn new(scenario: &Scenario, seed: u64, hostile: HashMap<NodeId, HostileKind>) -> Self {
        let mut accomplices: Vec<NodeId> = hostile
            .iter()
            .filter(|(_, kind)| **kind == HostileKind::Eclipse)
            .map(|(node, _)| *node)
            .collect();
        accomplices.sort_unstable();
        let mut world = Self {
            net: Net::new(scenario, seed, hostile),
            config: overlay::Config {
                membership: scenario.membership.clone(),
                swarm: scenario.swarm.clone(),
            },
            nodes: scenario.nodes,
            accomplices: accomplices.into(),
        };
        for node in 0..scenario.nodes {
            let actor = world.make(node);
            world.net.network.insert(actor);
        }
        world
    }

    fn make(&self, node: NodeId) -> Dialling {
        let network = &self.net.network;
        let mut actor = Dialling::new(node, self.config.clone(), network.seed(node), network.now());
        if let Some(kind) = self.net.hostile.get(&node) {
            actor.turn(node, *kind, self.nodes, Arc::clone(&self.accomplices), network.now());
        }
        actor
    }
}

impl World for Dialled {
    fn now(&self) -> Time {
        self.net.network.now()
    }

    fn advance(&mut self, until: Time, recorder: &mut Recorder) {
        self.net.advance(until, |at, node, delivery| {
            recorder.delivered(node, delivery.item.id, at, delivery.hops, delivery.caught_up);
        });
    }

    fn publish(&mut self, node: NodeId) -> Option<MessageId> {
        self.net.publish(node)
    }

    fn kill(&mut self, node: NodeId, silent: bool) {
        self.net.kill(node, silent);
    }

    fn revive(&mut self, node: NodeId, contact: NodeId) {
        let actor = self.make(node);
        self.net.network.revive(node, actor);
        self.join(node, &[contact]);
    }

    fn join(&mut self, node: NodeId, contacts: &[NodeId]) {
        self.net.network.act(node, |actor, now| actor.join(contacts, now));
    }

    fn neighbours(&self, node: NodeId) -> Vec<NodeId> {
        self.net.neighbours(node)
    }

    fn is_outside(&self, node: NodeId) -> bool {
        self.net.network.actor(node).is_some_and(Dialling::is_outside)
    }

    fn sent(&self) -> Sent {
        self.net.sent()
    }

    fn events(&self) -> u64 {
        self.net.events()
    }
}

/// Nodes with given links.
pub(super) struct Links {
    net: Net<Linked>,
    graph: Vec<Vec<NodeId>>,
    config: swarm::Config,
    joined: HashSet<NodeId>,
    late: Option<Late>,
}

/// The last node, if it lacks some of a history.
#[derive(Debug)]
struct Late {
    node: NodeId,
    missing: HashSet<MessageId>,
    all: u64,
    linked: Option<Time>,
    /// When the last message came, and what had been sent until then.
    last: Option<(Time, Sent)>,
    /// A round trip over its link.
    round_trip: Duration,
}

impl Links {
    pub(super) fn new(scenario: &Scenario, seed: u64, hostile: HashMap<NodeId, HostileKind>) -> Self {
        let mut random = Random::new(mix(seed));
        let graph = scenario.links.graph.neighbours(scenario.nodes, &mut random);
        let mut world = Self {
            net: Net::new(scenario, seed, hostile),
            config: swarm::Config {
                // A history that is told of is one that is kept.
                history_messages: scenario.history.messages.max(1 << 17) as usize * 2,
                ..scenario.swarm.clone()
            },
            graph,
            joined: HashSet::new(),
            late: None,
        };
        for node in 0..scenario.nodes {
            let actor = world.make(node);
            world.net.network.insert(actor);
        }
        world.remember(scenario);
        world
    }

    fn make(&self, node: NodeId) -> Linked {
        let network = &self.net.network;
        let peers = self.graph.get(node as usize).cloned().unwrap_or_default();
        let hostile = self.net.hostile.get(&node).copied();
        Linked::new(self.config.clone(), network.seed(node), peers, hostile, network.now())
    }

    /// Gives all nodes the history that they begin with.
    fn remember(&mut self, scenario: &Scenario) {
        let history = &scenario.history;
        let Some(last) = scenario.nodes.checked_sub(1).filter(|_| history.messages > 0) else {
            return;
        };
        let network = &mut self.net.network;
        let began = network.now().as_millis() * 1024;
        let mut missing = HashSet::new();
        for place in 0..history.messages {
            // Authors that are no nodes here.
            let author = u32::MAX - place % history.authors;
            let number = began + u64::from(place / history.authors);
            let sequence = match history.proven {
                true => Sequence::Proven(number),
                false => Sequence::Claimed(number),
            };
            let item = body::write(author, number, sequence, scenario.traffic.payload as usize);
            // Every so-manieth, as far as they are wanted.
            let upto = |place: u32| u64::from(place) * u64::from(history.missing) / u64::from(history.messages);
            let lacks = match history.recent {
                true => place >= history.messages - history.missing,
                false => upto(place + 1) > upto(place),
            };
            if lacks {
                missing.insert(item.id);
            }
            for node in (0..last).chain((!lacks).then_some(last)) {
                network.act(node, |actor, now| actor.publish(item.clone(), now));
            }
        }
        // What has just arrived is left to the tree for a while.
        network.run_for(self.config.settle * 2, |_, _, _| {});
        network.take_counts();
        let peer = self.graph.last().and_then(|peers| peers.first()).copied();
        self.late = Some(Late {
            node: last,
            all: missing.len() as u64,
            missing,
            linked: None,
            last: None,
            round_trip: peer.map_or(Duration::ZERO, |peer| self.net.network.latency(last, peer) * 2),
        });
    }

    fn link(&mut self, node: NodeId) {
        self.joined.insert(node);
        let there: Vec<NodeId> = self
            .graph
            .get(node as usize)
            .into_iter()
            .flatten()
            .copied()
            .filter(|peer| self.joined.contains(peer))
            .collect();
        if let Some(late) = &mut self.late
            && late.linked.is_none()
            && late.node == node
        {
            late.linked = Some(self.net.network.now());
        }
        for peer in &there {
            self.net.network.act(*peer, |actor, now| actor.up(node, now));
        }
        self.net
            .network
            .act(node, |actor, now| actor.link(|peer| there.contains(&peer), now));
    }
}

impl World for Links {
    fn now(&self) -> Time {
        self.net.network.now()
    }

    fn advance(&mut self, until: Time, recorder: &mut Recorder) {
        let late = &mut self.late;
        let mut caught_up = None;
        self.net.advance(until, |at, node, delivery| {
            recorder.delivered(node, delivery.item.id, at, delivery.hops, delivery.caught_up);
            if let Some(late) = late
                && late.node == node
                && late.missing.remove(&delivery.item.id)
            {
                caught_up = Some(at);
            }
        });
        if let (Some(late), Some(at)) = (late, caught_up) {
            late.last = Some((at, self.net.sent()));
        }
    }

    fn publish(&mut self, node: NodeId) -> Option<MessageId> {
        self.net.publish(node)
    }

    fn kill(&mut self, node: NodeId, silent: bool) {
        self.joined.remove(&node);
        self.net.kill(node, silent);
    }

    fn revive(&mut self, node: NodeId, _contact: NodeId) {
        let actor = self.make(node);
        self.net.network.revive(node, actor);
        self.link(node);
    }

    fn join(&mut self, node: NodeId, _contacts: &[NodeId]) {
        self.link(node);
    }

    fn neighbours(&self, node: NodeId) -> Vec<NodeId> {
        self.net.neighbours(node)
    }

    fn sent(&self) -> Sent {
        self.net.sent()
    }

    fn events(&self) -> u64 {
        self.net.events()
    }

    fn catch_up(&self) -> Option<CatchUp> {
        let late = self.late.as_ref()?;
        let (at, sent) = late.last.unwrap_or_default();
        let took = late.linked.map_or(Duration::ZERO, |linked| at.since(linked));
        Some(CatchUp {
            missing: late.all,
            got: late.all - late.missing.len() as u64,
            round_trips: took.as_secs_f64() / late.round_trip.as_secs_f64().max(1e-6),
            overhead: sent.control_bytes,
            payload_bytes: sent.payload_bytes,
        })
    }
}
