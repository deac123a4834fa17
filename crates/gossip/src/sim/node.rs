//! The nodes of a simulated overlay: honest ones, and those that are something else.

use crate::{
    Contact, Item, MessageId, Overlay, Time, TopicId,
    membership::Frame as MemberFrame,
    overlay::{Body, Config, Frame, InEvent, OutEvent},
    sim::{Actor, Depth, Graph, Input, Network, NodeId, Output, Settings, SimRules, Vanish, Wire},
    swarm::Frame as SwarmFrame,
};
use std::fmt;

/// A simulated network of overlay nodes.
pub type Crowd = Network<Node>;

/// The topic in which all of them are.
pub const TOPIC: TopicId = TopicId::from_bytes([7; 32]);

/// A node of a simulated overlay.
pub enum Node {
    /// One that does what this crate does.
    Honest(Box<Overlay<NodeId, SimRules>>),
    /// One that does something else with the same frames.
    Other(Box<dyn Actor<Frame = Frame<NodeId>, Event = Event>>),
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Honest(overlay) => overlay.fmt(f),
            Self::Other(_) => f.write_str("Other"),
        }
    }
}

/// What a node of a simulated overlay tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It got a message.
    Delivered {
        /// Which.
        id: MessageId,
        /// Over how many links.
        hops: u16,
        /// Whether by catch-up.
        caught_up: bool,
    },
    /// It has a neighbour more.
    Up(NodeId),
    /// It has a neighbour less.
    Down(NodeId),
}

/// The kinds of frames of a swarm, in the order of [`Wire::kind`].
const SWARM_KINDS: [&str; 11] = [
    "gossip",
    "ihave",
    "graft",
    "prune",
    "summary",
    "vector",
    "sketch",
    "reconcile",
    "want",
    "items",
    "unknown to the swarm",
];

/// The kinds of frames of both layers: the membership's come first.
const ALL_KINDS: [&str; MemberFrame::<NodeId>::KINDS.len() + SWARM_KINDS.len()] = {
    let mut all = [""; MemberFrame::<NodeId>::KINDS.len() + SWARM_KINDS.len()];
    let (members, rest) = all.split_at_mut(MemberFrame::<NodeId>::KINDS.len());
    members.copy_from_slice(MemberFrame::<NodeId>::KINDS);
    rest.copy_from_slice(&SWARM_KINDS);
    all
};

impl Wire for Frame<NodeId> {
    const KINDS: &'static [&'static str] = &ALL_KINDS;

    fn kind(&self) -> usize {
        match &self.body {
            Body::Member(frame) => frame.kind(),
            Body::Swarm(frame) => {
                MemberFrame::<NodeId>::KINDS.len()
                    + match frame {
                        SwarmFrame::Gossip { .. } => 0,
                        SwarmFrame::IHave(_) => 1,
                        SwarmFrame::Graft(_) => 2,
                        SwarmFrame::Prune => 3,
                        SwarmFrame::Summary(_) => 4,
                        SwarmFrame::Vector(_) => 5,
                        SwarmFrame::Sketch(_) => 6,
                        SwarmFrame::Reconcile(_) => 7,
                        SwarmFrame::Want(_) => 8,
                        SwarmFrame::Items(_) => 9,
                        SwarmFrame::Unknown(_) => 10,
                    }
            }
        }
    }

    fn wire_len(&self) -> usize {
        /// The array's prefix, the topic with its own, and the layer.
        const HEAD: usize = 1 + 34 + 1;
        HEAD + match &self.body {
            Body::Member(frame) => frame.wire_len(),
            Body::Swarm(frame) => frame.wire_len(),
        }
    }

    fn is_payload(&self) -> bool {
        Self::is_payload(self)
    }
}

impl Actor for Node {
    type Frame = Frame<NodeId>;
    type Event = Event;

    fn handle(&mut self, input: Input<Self::Frame>, now: Time) {
        match self {
            Self::Honest(overlay) => {
                let event = match input {
                    Input::Frame { from, frame } => InEvent::Frame { from, frame },
                    Input::Disconnected { peer } => InEvent::Disconnected { peer },
                };
                overlay.handle(event, now);
            }
            Self::Other(other) => other.handle(input, now),
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        match self {
            Self::Honest(overlay) => overlay.handle_timeout(now),
            Self::Other(other) => other.handle_timeout(now),
        }
    }

    fn poll(&mut self, now: Time) -> Option<Output<Self::Frame, Self::Event>> {
        match self {
            Self::Honest(overlay) => Some(match overlay.poll(now)? {
                OutEvent::Send { to, frame } => Output::Send { to, frame },
                OutEvent::Disconnect { peer } => Output::Disconnect { peer },
                OutEvent::Deliver { delivery, .. } => Output::Event(Event::Delivered {
                    id: delivery.item.id,
                    hops: delivery.hops,
                    caught_up: delivery.caught_up,
                }),
                OutEvent::NeighbourUp { peer, .. } => Output::Event(Event::Up(peer)),
                OutEvent::NeighbourDown { peer, .. } => Output::Event(Event::Down(peer)),
            }),
            Self::Other(other) => other.poll(now),
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        match self {
            Self::Honest(overlay) => overlay.poll_timeout(),
            Self::Other(other) => other.poll_timeout(),
        }
    }
}

impl Node {
    /// An honest node, in no topic yet.
    #[must_use]
    pub fn honest(id: NodeId, config: Config, seed: [u8; 32], now: Time) -> Self {
        Self::Honest(Box::new(Overlay::new(Contact::new(id), config, seed, now)))
    }

    /// The machine of an honest node.
    #[must_use]
    pub fn overlay(&self) -> Option<&Overlay<NodeId, SimRules>> {
        match self {
            Self::Honest(overlay) => Some(overlay),
            Self::Other(_) => None,
        }
    }

    /// The machine of an honest node.
    pub fn overlay_mut(&mut self) -> Option<&mut Overlay<NodeId, SimRules>> {
        match self {
            Self::Honest(overlay) => Some(overlay),
            Self::Other(_) => None,
        }
    }
}

impl Crowd {
    /// A network of honest nodes that all join through node 0 at the same instant.
    #[must_use]
    pub fn gathered(nodes: u32, config: &Config, settings: Settings) -> Self {
        let mut crowd = Self::new(settings);
        for id in 0..nodes {
            let contacts = if id == 0 { Vec::new() } else { vec![0] };
            crowd.enter(config, contacts);
        }
        crowd
    }

    /// One more honest node, which joins through these contacts.
    pub fn enter(&mut self, config: &Config, contacts: Vec<NodeId>) -> NodeId {
        let id = self.len();
        let node = self.joining(id, config, contacts);
        self.insert(node)
    }

    /// An honest node where one has vanished; it remembers nothing and joins through these contacts.
    pub fn re_enter(&mut self, id: NodeId, config: &Config, contacts: Vec<NodeId>) {
        let node = self.joining(id, config, contacts);
        self.revive(id, node);
    }

    fn joining(&self, id: NodeId, config: &Config, contacts: Vec<NodeId>) -> Node {
        let mut overlay = Overlay::new(Contact::new(id), config.clone(), self.seed(id), self.now());
        let contacts = contacts.into_iter().map(Contact::new).collect();
        overlay.join(TOPIC, SimRules, contacts, self.now());
        Node::Honest(Box::new(overlay))
    }

    /// An honest node publishes a message.
    pub fn publish(&mut self, id: NodeId, item: Item) {
        self.tell(id, InEvent::Publish { topic: TOPIC, item });
    }

    /// An honest node leaves the topic, saying good-bye, and then ends.
    pub fn leave(&mut self, id: NodeId) {
        self.tell(id, InEvent::Leave { topic: TOPIC });
        self.kill(id, Vanish::Reset);
    }

    /// Something happens to an honest node.
    pub fn tell(&mut self, id: NodeId, event: InEvent<NodeId>) {
        self.act(id, |node, now| {
            if let Some(overlay) = node.overlay_mut() {
                overlay.handle(event, now);
            }
        });
    }

    /// Who is linked to whom.
    #[must_use]
    pub fn graph(&self) -> Graph {
        let views: Vec<Vec<NodeId>> = (0..self.len())
            .map(|id| {
                let overlay = self.actor(id).and_then(Node::overlay);
                overlay.map_or_else(Vec::new, |overlay| overlay.neighbours(&TOPIC).copied().collect())
            })
            .collect();
        Graph::new(&views)
    }

    /// What a flood over the links from this node would find: the best that any tree can do.
    #[must_use]
    pub fn depth(&self, from: NodeId) -> Depth {
        self.graph().flood(from, self.settings().latency, self.settings().seed)
    }
}
