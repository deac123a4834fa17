//! Nodes that dial whom they like: an overlay each, honest or not.

use super::{
    actor::{Actor, Input, NodeId, Output},
    body::Plain,
    hostile::Mischief,
    node::TOPIC,
    scenario::HostileKind,
};
use crate::{
    Contact, Item, Overlay, Time,
    membership::{self, Want},
    overlay::{Body, Config, Frame, InEvent, OutEvent},
    swarm::Delivery,
};
use bytes::Bytes;
use std::{collections::VecDeque, sync::Arc};

/// How many of its like an eclipsing node names in a frame.
const NAMED: usize = 8;

/// A node of an overlay.
pub(super) struct Dialling {
    overlay: Overlay<NodeId, Plain>,
    /// Boxed, since hardly any node has it.
    mischief: Option<Box<Plot>>,
}

/// What a hostile node of an overlay has in mind.
struct Plot {
    mischief: Mischief,
    me: NodeId,
    nodes: u32,
    /// Those that do the same.
    accomplices: Arc<[NodeId]>,
    out: VecDeque<(NodeId, Frame<NodeId>)>,
}

impl Dialling {
    pub(super) fn new(me: NodeId, config: Config, seed: [u8; 32], now: Time) -> Self {
        Self {
            overlay: Overlay::new(Contact::new(me), config, seed, now),
            mischief: None,
        }
    }

    /// Makes the node a hostile one among `nodes`.
    pub(super) fn turn(&mut self, me: NodeId, kind: HostileKind, nodes: u32, accomplices: Arc<[NodeId]>, now: Time) {
        self.mischief = Some(Box::new(Plot {
            mischief: Mischief::new(kind, u64::from(me), now),
            me,
            nodes,
            accomplices,
            out: VecDeque::new(),
        }));
    }

    pub(super) fn join(&mut self, contacts: &[NodeId], now: Time) {
        let contacts = contacts.iter().copied().map(Contact::new).collect();
        self.overlay.join(TOPIC, Plain, contacts, now);
    }

    pub(super) fn publish(&mut self, item: Item, now: Time) {
        self.overlay.handle(InEvent::Publish { topic: TOPIC, item }, now);
    }

    /// Whether nobody has let it in so far: it has no neighbours, and has heard of nobody.
    pub(super) fn is_outside(&self) -> bool {
        let membership = self.overlay.membership(&TOPIC);
        membership.is_some_and(|known| known.active().chain(known.passive()).next().is_none())
    }

    pub(super) fn neighbours(&self) -> Vec<NodeId> {
        self.overlay.neighbours(&TOPIC).copied().collect()
    }
}

impl Actor for Dialling {
    type Frame = Frame<NodeId>;
    type Event = Delivery<NodeId>;

    fn handle(&mut self, input: Input<Frame<NodeId>>, now: Time) {
        let event = match input {
            Input::Frame { from, frame } => {
                if let Some(plot) = &mut self.mischief {
                    plot.mischief.knows(from);
                    if let Body::Swarm(frame) = &frame.body {
                        plot.mischief.hears(frame);
                    }
                }
                InEvent::Frame { from, frame }
            }
            Input::Disconnected { peer } => InEvent::Disconnected { peer },
        };
        self.overlay.handle(event, now);
    }

    fn handle_timeout(&mut self, now: Time) {
        if let Some(plot) = self.mischief.as_mut().filter(|plot| plot.mischief.due <= now) {
            plot.act(now);
        }
        if self.overlay.poll_timeout().is_some_and(|due| due <= now) {
            self.overlay.handle_timeout(now);
        }
    }

    fn poll(&mut self, now: Time) -> Option<Output<Frame<NodeId>, Delivery<NodeId>>> {
        if let Some((to, frame)) = self.mischief.as_mut().and_then(|plot| plot.out.pop_front()) {
            return Some(Output::Send { to, frame });
        }
        loop {
            return Some(match self.overlay.poll(now)? {
                OutEvent::Send { to, frame } => match &self.mischief {
                    None => Output::Send { to, frame },
                    Some(plot) => match plot.send(frame) {
                        Some(frame) => Output::Send { to, frame },
                        None => continue,
                    },
                },
                OutEvent::Disconnect { peer } => Output::Disconnect { peer },
                OutEvent::Deliver { delivery, .. } => Output::Event(delivery),
                OutEvent::NeighbourUp { .. } | OutEvent::NeighbourDown { .. } => continue,
            });
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        let mischief = self.mischief.as_ref().map(|plot| plot.mischief.due);
        self.overlay.poll_timeout().into_iter().chain(mischief).min()
    }
}

impl Plot {
    /// What becomes of a frame that an honest node would send.
    fn send(&self, frame: Frame<NodeId>) -> Option<Frame<NodeId>> {
        let Frame { topic, body } = frame;
        let body = match body {
            Body::Swarm(frame) => Body::Swarm(self.mischief.send(frame)?),
            Body::Member(frame) if self.mischief.kind == HostileKind::Eclipse => Body::Member(self.praise(frame)),
            body @ Body::Member(_) => body,
        };
        Some(Frame { topic, body })
    }

    /// Whoever asks an eclipsing node for peers is told of its like alone.
    fn praise(&self, frame: membership::Frame<NodeId>) -> membership::Frame<NodeId> {
        use membership::Frame::{Refuse, Shuffle, ShuffleReply, Welcome};
        match frame {
            Welcome { .. } => Welcome { peers: self.friends() },
            Refuse { .. } => Refuse { peers: self.friends() },
            ShuffleReply { nonce, .. } => ShuffleReply {
                nonce,
                peers: self.friends(),
            },
            Shuffle { origin, nonce, ttl, .. } => Shuffle {
                origin,
                nonce,
                ttl,
                peers: self.friends(),
            },
            frame => frame,
        }
    }

    fn friends(&self) -> Vec<Contact<NodeId>> {
        let others = self.accomplices.iter().filter(|node| **node != self.me);
        others.take(NAMED).copied().map(Contact::new).collect()
    }

    fn act(&mut self, now: Time) {
        let swarm = self.mischief.act(now).into_iter();
        let swarm = swarm.map(|(to, frame)| (to, Body::Swarm(frame)));
        let mut bodies: Vec<(NodeId, Body<NodeId>)> = swarm.collect();
        if self.mischief.kind == HostileKind::Eclipse {
            // It has found out who there is.
            let victim = self.mischief.random.below(self.nodes);
            let nonce = self.mischief.random.below(u32::MAX);
            let ask = membership::Frame::Neighbour {
                address: Bytes::new(),
                pass: Bytes::new(),
                want: Want::High,
            };
            let tell = membership::Frame::Shuffle {
                origin: Contact::new(self.me),
                nonce,
                ttl: 0,
                peers: self.friends(),
            };
            bodies.extend([ask, tell].map(|frame| (victim, Body::Member(frame))));
        }
        let frames = bodies.into_iter().filter(|(to, _)| *to != self.me);
        self.out
            .extend(frames.map(|(to, body)| (to, Frame { topic: TOPIC, body })));
    }
}
