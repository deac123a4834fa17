//! Nodes that have the links that they are given: a swarm each.

use super::{
    actor::{Actor, Input, NodeId, Output, Wire},
    body::Plain,
    hostile::Mischief,
    scenario::HostileKind,
};
use crate::{
    Item, Time,
    swarm::{self, Delivery, Frame, Swarm},
};
use std::collections::VecDeque;

/// A node with given links, honest or not.
#[derive(Debug)]
pub(super) struct Linked {
    pub(super) swarm: Swarm<NodeId>,
    peers: Vec<NodeId>,
    mischief: Option<Mischief>,
    out: VecDeque<(NodeId, Frame)>,
}

impl Linked {
    pub(super) fn new(
        config: swarm::Config,
        seed: [u8; 32],
        peers: Vec<NodeId>,
        hostile: Option<HostileKind>,
        now: Time,
    ) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = seed;
        let own = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        Self {
            swarm: Swarm::new(config, seed, now),
            mischief: hostile.map(|kind| {
                let mut mischief = Mischief::new(kind, own, now);
                peers.iter().for_each(|peer| mischief.knows(*peer));
                mischief
            }),
            peers,
            out: VecDeque::new(),
        }
    }

    /// Those links come up whose other end is there. Before that the node may be given a history that is told to nobody.
    pub(super) fn link(&mut self, there: impl Fn(NodeId) -> bool, now: Time) {
        for peer in self.peers.iter().filter(|peer| there(**peer)) {
            self.swarm.neighbour_up(*peer, now);
        }
    }

    /// A link comes up from the other end.
    pub(super) fn up(&mut self, peer: NodeId, now: Time) {
        // The end of a link that came back may not have noticed that it was gone.
        self.swarm.neighbour_down(&peer, now);
        self.swarm.neighbour_up(peer, now);
    }

    pub(super) fn publish(&mut self, item: Item, now: Time) {
        self.swarm.publish(item, None, now);
    }

    pub(super) fn peers(&self) -> &[NodeId] {
        &self.peers
    }
}

impl Actor for Linked {
    type Frame = Frame;
    type Event = Delivery<NodeId>;

    fn handle(&mut self, input: Input<Frame>, now: Time) {
        match input {
            Input::Frame { from, frame } => {
                if let Some(mischief) = &mut self.mischief {
                    mischief.hears(&frame);
                }
                self.swarm.handle(from, frame, now);
            }
            Input::Disconnected { peer } => self.swarm.neighbour_down(&peer, now),
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        if let Some(mischief) = self.mischief.as_mut().filter(|mischief| mischief.due <= now) {
            self.out.extend(mischief.act(now));
        }
        if self.swarm.poll_timeout().is_some_and(|due| due <= now) {
            self.swarm.handle_timeout(now);
        }
    }

    fn poll(&mut self, now: Time) -> Option<Output<Frame, Delivery<NodeId>>> {
        if let Some((to, frame)) = self.out.pop_front() {
            return Some(Output::Send { to, frame });
        }
        loop {
            return Some(match self.swarm.poll(&mut Plain, now)? {
                swarm::Output::Send { to, frame } => match &self.mischief {
                    None => Output::Send { to, frame },
                    Some(mischief) => match mischief.send(frame) {
                        Some(frame) => Output::Send { to, frame },
                        None => continue,
                    },
                },
                swarm::Output::Deliver(delivery) => Output::Event(delivery),
                swarm::Output::Proved(_) => continue,
                swarm::Output::Fault { peer, .. } => Output::Disconnect { peer },
            });
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        let mischief = self.mischief.as_ref().map(|mischief| mischief.due);
        self.swarm.poll_timeout().into_iter().chain(mischief).min()
    }
}

impl Wire for Frame {
    const KINDS: &'static [&'static str] = &["payload", "control"];

    fn kind(&self) -> usize {
        usize::from(!Self::is_payload(self))
    }

    fn wire_len(&self) -> usize {
        Self::wire_len(self)
    }

    fn is_payload(&self) -> bool {
        Self::is_payload(self)
    }
}
