//! A node of the overlay: for each topic, who its neighbours are and what they tell each other.
//!
//! ```text
//!                    ┌────────────────── Overlay ──────────────────┐
//!     join, publish ─┤  topic ┬ Membership ──Up/Down──> Swarm      │
//!     Frame(from) ───┤        │   who is a neighbour    messages   ├──> Send, Disconnect
//!     Disconnected ──┤  topic ┴ Membership ───────────> Swarm      ├──> Deliver, NeighbourUp, NeighbourDown
//!     time ──────────┤         one connection for all topics       │
//!                    └─────────────────────────────────────────────┘
//! ```

use crate::{
    Contact, Error, Item, PeerId, Rules, Time, TopicId,
    membership::{self, Membership},
    swarm::{self, Delivery, Swarm},
};
use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

pub use crate::frame::{Body, Frame};

/// The numbers of a node, for all its topics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How neighbours are found and kept.
    pub membership: membership::Config,
    /// How messages are spread and kept.
    pub swarm: swarm::Config,
}

impl Config {
    /// Checks that the numbers go together.
    ///
    /// # Errors
    /// [`Error::Caller`] says which do not.
    pub fn check(&self) -> Result<(), Error> {
        self.membership.check()?;
        self.swarm.check()
    }
}

/// What happens to a node.
#[derive(Clone, Debug)]
pub enum InEvent<P> {
    /// The application leaves a topic.
    Leave {
        /// Which.
        topic: TopicId,
    },
    /// The application publishes a message.
    Publish {
        /// In which topic; one that was not joined is ignored.
        topic: TopicId,
        /// The message, signed and checked.
        item: Item,
    },
    /// Peers of a topic were found some other way.
    Discovered {
        /// Which topic.
        topic: TopicId,
        /// The peers.
        contacts: Vec<Contact<P>>,
    },
    /// A frame arrived.
    Frame {
        /// Who sent it, as the connection proves.
        from: P,
        /// What it is.
        frame: Frame<P>,
    },
    /// The connection to a peer broke, or could not be made.
    Disconnected {
        /// Which peer.
        peer: P,
    },
    /// The connection to a peer takes no more for now, or takes more again.
    Congested {
        /// Which peer.
        peer: P,
        /// Whether it is congested.
        congested: bool,
    },
}

/// What a node wants done, or tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutEvent<P> {
    /// Send a frame. If there is no connection, make one ([`Overlay::address`] says where to); if that fails, say
    /// [`InEvent::Disconnected`].
    Send {
        /// To whom.
        to: P,
        /// What.
        frame: Frame<P>,
    },
    /// No topic needs the connection to this peer.
    Disconnect {
        /// Which peer.
        peer: P,
    },
    /// A message for the application, once.
    Deliver {
        /// In which topic.
        topic: TopicId,
        /// The message, and how it came.
        delivery: Delivery<P>,
    },
    /// A peer is a neighbour now.
    NeighbourUp {
        /// In which topic.
        topic: TopicId,
        /// Which peer.
        peer: P,
    },
    /// A peer is a neighbour no more.
    NeighbourDown {
        /// In which topic.
        topic: TopicId,
        /// Which peer.
        peer: P,
    },
}

/// A node of the overlay.
///
/// Hand in what happens ([`Overlay::join`], [`Overlay::handle`], [`Overlay::handle_timeout`]) and drain [`Overlay::poll`] after
/// it. Several frames may be handed in before polling: their messages are then checked in one batch.
#[derive(Debug)]
pub struct Overlay<P, R> {
    me: Contact<P>,
    config: Config,
    random: ChaCha8Rng,
    topics: BTreeMap<TopicId, Topic<P, R>>,
    banned: BTreeMap<P, Time>,
    output: VecDeque<OutEvent<P>>,
}

#[derive(Debug)]
struct Topic<P, R> {
    membership: Membership<P>,
    swarm: Swarm<P>,
    rules: R,
    /// Something was handed in since the last poll.
    dirty: bool,
    left: bool,
}

/// How long a peer that did what no honest one does is not listened to.
const BAN: Duration = Duration::from_secs(600);

/// How many such peers are remembered. Names cost nothing, so a flood of them drives out the oldest, whose owners then can be
/// heard again as if they had made a new name.
const BANNED_MAX: usize = 1024;

impl<P: PeerId, R: Rules<P>> Overlay<P, R> {
    /// A node in no topic. `me` says where others reach it; all that it leaves to chance follows from `seed`, which nobody else
    /// may know. [`Config::check`] tells whether `config` makes sense.
    #[must_use]
    pub fn new(me: Contact<P>, config: Config, seed: [u8; 32], now: Time) -> Self {
        let _ = now;
        Self {
            me,
            config,
            random: ChaCha8Rng::from_seed(seed),
            topics: BTreeMap::new(),
            banned: BTreeMap::new(),
            output: VecDeque::new(),
        }
    }

    /// Joins a topic through these contacts; with none, others have to come. In a topic that was joined before, the contacts
    /// are tried too, and the rules replaced.
    pub fn join(&mut self, topic: TopicId, rules: R, contacts: Vec<Contact<P>>, now: Time) {
        let pass = rules.pass();
        let entry = match self.topics.entry(topic) {
            std::collections::btree_map::Entry::Occupied(entry) => {
                let entry = entry.into_mut();
                entry.rules = rules;
                entry
            }
            std::collections::btree_map::Entry::Vacant(entry) => {
                let membership = Membership::new(
                    self.me.clone(),
                    self.config.membership.clone(),
                    self.random.random(),
                    now,
                );
                let swarm = Swarm::new(self.config.swarm.clone(), self.random.random(), now);
                entry.insert(Topic {
                    membership,
                    swarm,
                    rules,
                    dirty: false,
                    left: false,
                })
            }
        };
        entry.left = false;
        entry.dirty = true;
        entry.membership.set_pass(pass);
        entry.membership.join(contacts, now);
    }

    /// Something happened.
    pub fn handle(&mut self, event: InEvent<P>, now: Time) {
        match event {
            InEvent::Leave { topic } => {
                if let Some(topic) = self.touch(&topic) {
                    topic.membership.leave(now);
                    topic.left = true;
                }
            }
            InEvent::Publish { topic, item } => {
                if let Some(topic) = self.touch(&topic) {
                    topic.swarm.publish(item, None, now);
                }
            }
            InEvent::Discovered { topic, contacts } => {
                if let Some(topic) = self.touch(&topic) {
                    topic.membership.discovered(contacts, now);
                }
            }
            InEvent::Frame { from, frame } => self.frame(from, frame, now),
            InEvent::Disconnected { peer } => {
                for topic in self.topics.values_mut() {
                    topic.membership.disconnected(&peer, now);
                    topic.dirty = true;
                }
            }
            InEvent::Congested { peer, congested } => {
                for topic in self.topics.values_mut() {
                    topic.swarm.congested(&peer, congested, now);
                    topic.dirty = true;
                }
            }
        }
    }

    /// What the node wants done next.
    pub fn poll(&mut self, now: Time) -> Option<OutEvent<P>> {
        if let Some(event) = self.output.pop_front() {
            return Some(event);
        }
        if self.topics.values().any(|topic| topic.dirty) {
            self.settle(now);
        }
        self.output.pop_front()
    }

    /// The moment of [`Overlay::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Time) {
        for topic in self.topics.values_mut() {
            let due = |at: Option<Time>| at.is_some_and(|at| at <= now);
            if due(topic.membership.poll_timeout()) {
                topic.mark_tree();
                topic.membership.set_pass(topic.rules.pass());
                topic.membership.handle_timeout(now);
                topic.dirty = true;
            }
            if due(topic.swarm.poll_timeout()) {
                topic.swarm.handle_timeout(now);
                topic.dirty = true;
            }
        }
    }

    /// When to call [`Overlay::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.topics
            .values()
            .flat_map(|topic| [topic.membership.poll_timeout(), topic.swarm.poll_timeout()])
            .flatten()
            .min()
    }

    /// Where to reach a peer, if any topic knows.
    #[must_use]
    pub fn address(&self, peer: &P) -> Option<&Bytes> {
        self.topics.values().find_map(|topic| topic.membership.address(peer))
    }

    /// The topics that were joined.
    pub fn topics(&self) -> impl Iterator<Item = &TopicId> {
        self.topics.iter().filter(|(_, topic)| !topic.left).map(|(id, _)| id)
    }

    /// Who the neighbours in a topic are.
    pub fn neighbours(&self, topic: &TopicId) -> impl Iterator<Item = &P> {
        self.topics
            .get(topic)
            .into_iter()
            .flat_map(|topic| topic.membership.active())
    }

    /// The membership of a topic.
    #[must_use]
    pub fn membership(&self, topic: &TopicId) -> Option<&Membership<P>> {
        self.topics.get(topic).map(|topic| &topic.membership)
    }

    /// The messages of a topic.
    #[must_use]
    pub fn swarm(&self, topic: &TopicId) -> Option<&Swarm<P>> {
        self.topics.get(topic).map(|topic| &topic.swarm)
    }

    /// What a topic's messages must be.
    pub fn rules_mut(&mut self, topic: &TopicId) -> Option<&mut R> {
        self.topics.get_mut(topic).map(|topic| &mut topic.rules)
    }

    /// Whether any topic needs the connection to a peer: it is a neighbour, or was asked to be one.
    #[must_use]
    pub fn needs(&self, peer: &P) -> bool {
        self.topics.values().any(|topic| topic.membership.needs(peer))
    }

    /// Drops a neighbour in one topic, whose rules do not let it in any more.
    pub fn expel(&mut self, topic: &TopicId, peer: &P, now: Time) {
        let Some(entry) = self.touch(topic) else { return };
        entry.membership.expel(peer, now);
        let disconnect = membership::Frame::Disconnect {
            alive: false,
            instead: None,
        };
        let (topic, to) = (*topic, *peer);
        let body = Body::Member(disconnect);
        self.output.push_back(OutEvent::Send {
            to,
            frame: Frame { topic, body },
        });
        if !self.topics.values().any(|topic| topic.membership.needs(peer)) {
            self.output.push_back(OutEvent::Disconnect { peer: to });
        }
    }

    /// Drops a peer for good reason: no topic listens to it for ten minutes.
    pub fn ban(&mut self, peer: P, now: Time) {
        if self.banned.len() >= BANNED_MAX {
            self.banned.retain(|_, until| *until > now);
        }
        if self.banned.len() >= BANNED_MAX
            && let Some(oldest) = self
                .banned
                .iter()
                .min_by_key(|(_, until)| **until)
                .map(|(peer, _)| *peer)
        {
            self.banned.remove(&oldest);
        }
        self.banned.insert(peer, now + BAN);
        for topic in self.topics.values_mut() {
            topic.membership.expel(&peer, now);
            topic.dirty = true;
        }
        self.output.push_back(OutEvent::Disconnect { peer });
    }

    fn touch(&mut self, topic: &TopicId) -> Option<&mut Topic<P, R>> {
        let topic = self.topics.get_mut(topic).filter(|topic| !topic.left)?;
        topic.dirty = true;
        Some(topic)
    }

    fn is_banned(&mut self, peer: &P, now: Time) -> bool {
        match self.banned.get(peer) {
            Some(until) if *until > now => true,
            Some(_) => {
                self.banned.remove(peer);
                false
            }
            None => false,
        }
    }

    fn frame(&mut self, from: P, frame: Frame<P>, now: Time) {
        if from == self.me.peer {
            return;
        }
        if self.is_banned(&from, now) {
            self.output.push_back(OutEvent::Disconnect { peer: from });
            return;
        }
        let Some(topic) = self.topics.get_mut(&frame.topic) else {
            self.not_here(from, frame);
            return;
        };
        topic.dirty = true;
        match frame.body {
            Body::Member(body) => {
                if matches!(
                    body,
                    membership::Frame::Neighbour { .. } | membership::Frame::Accept { .. }
                ) {
                    topic.mark_tree();
                }
                topic.membership.handle(from, body, &mut topic.rules, now);
            }
            Body::Swarm(body) => {
                topic.membership.heard(&from, now);
                if !topic.left {
                    topic.swarm.handle(from, body, now);
                }
            }
        }
    }

    /// Tells whoever believes this node to be in a topic that it is not; other frames are not answered.
    fn not_here(&mut self, from: P, frame: Frame<P>) {
        use membership::Frame::{Disconnect, Join, Neighbour, Ping};
        if matches!(frame.body, Body::Member(Join { .. } | Neighbour { .. } | Ping { .. })) {
            let body = Body::Member(Disconnect {
                alive: false,
                instead: None,
            });
            let topic = frame.topic;
            self.output.push_back(OutEvent::Send {
                to: from,
                frame: Frame { topic, body },
            });
        }
    }

    /// Lets the layers of all topics in which something happened work until they want nothing more.
    fn settle(&mut self, now: Time) {
        let mut faults = Vec::new();
        let mut unneeded = Vec::new();
        for (&id, topic) in self.topics.iter_mut().filter(|(_, topic)| topic.dirty) {
            topic.dirty = false;
            topic.settle(id, &mut self.output, &mut unneeded, &mut faults, now);
        }
        self.topics
            .retain(|_, topic| !topic.left || topic.membership.poll_timeout().is_some());
        for peer in unneeded {
            if !self.topics.values().any(|topic| topic.membership.needs(&peer)) {
                self.output.push_back(OutEvent::Disconnect { peer });
            }
        }
        for (peer, fault) in faults {
            tracing::debug!(?peer, %fault, "dropping a peer");
            self.ban(peer, now);
        }
    }
}

impl<P: PeerId, R: Rules<P>> Topic<P, R> {
    /// Tells the membership which links carry messages, before it chooses one to give up.
    fn mark_tree(&mut self) {
        if self.swarm.has_tree() {
            let swarm = &self.swarm;
            self.membership.carried_by(|peer| swarm.is_eager(peer));
        }
    }

    fn settle(
        &mut self,
        id: TopicId,
        output: &mut VecDeque<OutEvent<P>>,
        unneeded: &mut Vec<P>,
        faults: &mut Vec<(P, swarm::Fault)>,
        now: Time,
    ) {
        while let Some(event) = self.membership.poll() {
            match event {
                membership::Output::Send { to, frame } => {
                    let body = Body::Member(frame);
                    output.push_back(OutEvent::Send {
                        to,
                        frame: Frame { topic: id, body },
                    });
                }
                membership::Output::Up(peer) => {
                    self.swarm.neighbour_up(peer, now);
                    output.push_back(OutEvent::NeighbourUp { topic: id, peer });
                }
                membership::Output::Down(peer) => {
                    self.swarm.neighbour_down(&peer, now);
                    output.push_back(OutEvent::NeighbourDown { topic: id, peer });
                }
                membership::Output::Disconnect(peer) => unneeded.push(peer),
            }
        }
        while let Some(event) = self.swarm.poll(&mut self.rules, now) {
            match event {
                swarm::Output::Send { to, frame } => {
                    if matches!(&frame, swarm::Frame::Graft(names) if !names.is_empty()) {
                        // What was announced did not come down the tree: whoever should have pushed it may be gone.
                        self.membership.doubt(now);
                    }
                    let body = Body::Swarm(frame);
                    output.push_back(OutEvent::Send {
                        to,
                        frame: Frame { topic: id, body },
                    });
                }
                swarm::Output::Deliver(delivery) => output.push_back(OutEvent::Deliver { topic: id, delivery }),
                swarm::Output::Proved(_) => {}
                swarm::Output::Fault { peer, fault } => faults.push((peer, fault)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Item, Refused};

    struct Anything;

    impl Rules<u32> for Anything {
        fn read(&mut self, bodies: &[Bytes], _: Time) -> Vec<Result<Item, Refused>> {
            bodies.iter().map(|_| Err(Refused::Forged)).collect()
        }
    }

    #[test]
    fn so_many_banned_peers_are_remembered_the_last_ones_and_for_so_long() {
        let start = Time::from_micros(1_000_000);
        let topic = TopicId::from_bytes([1; 32]);
        let mut node = Overlay::new(Contact::new(0u32), Config::default(), [7; 32], start);
        node.join(topic, Anything, Vec::new(), start);
        let ask = || {
            let body = Body::Member(membership::Frame::Neighbour {
                address: Bytes::new(),
                pass: Bytes::new(),
                want: membership::Want::High,
            });
            Frame { topic, body }
        };
        let hear = |node: &mut Overlay<u32, Anything>, from, now| {
            node.handle(InEvent::Frame { from, frame: ask() }, now);
            while node.poll(now).is_some() {}
            node.neighbours(&topic).any(|peer| *peer == from)
        };
        assert!(hear(&mut node, 1, start));
        let flood = 10..10 + 2 * BANNED_MAX as u32;
        let mut now = start;
        for peer in flood.clone() {
            now += Duration::from_millis(1);
            // As one that sends what is forged.
            let forged = swarm::Frame::Gossip {
                id: crate::MessageId::from_bytes([0; 32]),
                hops: 1,
                body: Bytes::from_static(b"forged"),
            };
            let body = Body::Swarm(forged);
            let frame = Frame { topic, body };
            node.handle(InEvent::Frame { from: peer, frame }, now);
            while node.poll(now).is_some() {}
            assert!(node.banned.len() <= BANNED_MAX);
        }
        assert_eq!(node.banned.len(), BANNED_MAX);
        assert!(node.neighbours(&topic).any(|peer| *peer == 1), "an honest one stays");
        assert!(hear(&mut node, 2, now), "and another one comes");
        assert!(!hear(&mut node, flood.end - 1, now), "a banned one does not");
        assert!(hear(&mut node, flood.end - 1, now + BAN), "until it has waited");
    }
}
