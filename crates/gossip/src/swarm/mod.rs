//! One topic's broadcast, catch-up and history, over neighbours that somebody else finds.
//!
//! ```text
//!                         Gossip                    Gossip
//!              publish ──────────► eager neighbour ──────────► …      the tree: each message once over each of its links
//!                 │
//!                 │  IHave, batched
//!                 └ ─ ─ ─ ─ ─ ─ ─► lazy neighbour                     the rest of the links: names only
//!                                       │ the payload does not come
//!                 ◄─────────────────────┘ Graft: push to me, beginning with this
//!
//!        Summary ◄────────────────────► Summary                       what both have, compared in 30 bytes:
//!                                       equal: nothing                after changes, and now and then
//!                                       else: Vector, Sketch or Reconcile, then Want and Items
//! ```
//!
//! # Driving it
//! A [`Swarm`] does no I/O and looks at no clock. Events go in with the time at which they happen:
//! [`neighbour_up`](Swarm::neighbour_up), [`neighbour_down`](Swarm::neighbour_down), [`handle`](Swarm::handle) for each frame,
//! [`publish`](Swarm::publish), [`congested`](Swarm::congested), and [`handle_timeout`](Swarm::handle_timeout) no earlier than
//! [`poll_timeout`](Swarm::poll_timeout) says. After each of them, [`poll`](Swarm::poll) until it returns `None`: it checks the
//! messages that arrived, in one batch, and hands out what must happen. Time never goes back.

mod catchup;
mod config;
mod frame;
mod history;
mod missing;
mod order;
mod seen;
mod tree;

pub use catchup::{ALL_COMPARISONS_MAX, COMPARISONS_MAX, KNOWN_ITEMS_MAX};
pub use config::{Config, Order};
pub use frame::{
    ANNOUNCE_MAX, BODY_MAX, FRAME_MAX, Fault, Frame, GRAFT_MAX, ITEMS_MAX, Reconcile, Sketch, Summary, Vector,
    WANT_MAX, Want,
};
pub use history::History;
pub use missing::MISSING_PER_PEER;
pub(crate) use order::Lines;

use crate::{Item, MessageId, PeerId, Refused, Rules, Time};
use bytes::Bytes;
use catchup::{Catchup, Context};
use missing::Missing;
use rand::{SeedableRng, rngs::ChaCha8Rng};
use seen::Seen;
use std::collections::{HashSet, VecDeque};
use tree::Tree;

/// Bytes of messages that wait for their check. Whoever drives the machine polls it after each frame, so this is reached
/// only by one that does not; what is beyond it is dropped and comes by catch-up.
const INBOX_BYTES_MAX: usize = 16 << 20;
/// What a waiting message costs beyond its bytes, so that empty ones are counted for what they are.
const ARRIVED_COST: usize = 128;

/// One topic's broadcast, catch-up and history. The module's page says how to drive it.
#[derive(Debug)]
pub struct Swarm<P> {
    config: Config,
    rng: ChaCha8Rng,
    tree: Tree<P>,
    missing: Missing<P>,
    history: History,
    seen: Seen,
    catchup: Catchup<P>,
    lines: Lines<P>,
    inbox: VecDeque<Arrived<P>>,
    inbox_bytes: usize,
    out: VecDeque<Output<P>>,
}

/// A message that waits for its check.
#[derive(Debug)]
struct Arrived<P> {
    from: P,
    /// The name that it came under, if it came down the tree.
    id: Option<MessageId>,
    hops: u16,
    body: Bytes,
}

/// What must happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<P> {
    /// Send this to a neighbour. Frames may be lost and reordered; what they carry comes all the same, later.
    Send {
        /// The neighbour.
        to: P,
        /// What to send.
        frame: Frame,
    },
    /// Hand this to the application.
    Deliver(Delivery<P>),
    /// A message that was delivered under a number that anybody may have made up is kept under this one now, which its author
    /// has signed: a relay had taken the proof away, and another copy had it. Nothing needs to be done.
    Proved(Item),
    /// Drop this peer: it did what no honest one does. It is no neighbour any more.
    Fault {
        /// The peer.
        peer: P,
        /// What it did.
        fault: Fault,
    },
}

impl<P> Output<P> {
    const fn send(to: P, frame: Frame) -> Self {
        Self::Send { to, frame }
    }
}

/// A message for the application: each once, and none that was published here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery<P> {
    /// The message.
    pub item: Item,
    /// Who brought it.
    pub from: Option<P>,
    /// Over how many links it came down the tree; 0 if it came another way.
    pub hops: u16,
    /// Whether it came by catch-up.
    pub caught_up: bool,
}

impl<P: PeerId> Swarm<P> {
    /// A swarm without neighbours and messages. All that it leaves to chance follows from `seed`, which nobody else may
    /// know; [`Config::check`] tells whether `config` makes sense.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32], now: Time) -> Self {
        let _ = now;
        Self {
            config,
            rng: ChaCha8Rng::from_seed(seed),
            tree: Tree::default(),
            missing: Missing::default(),
            history: History::default(),
            seen: Seen::default(),
            catchup: Catchup::default(),
            lines: Lines::default(),
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            out: VecDeque::new(),
        }
    }

    /// A link to a peer that speaks this protocol stands.
    pub fn neighbour_up(&mut self, peer: P, now: Time) {
        if !self.tree.contains(&peer) {
            self.tree.up(peer, &mut self.out);
            let (catchup, mut cx) = self.catchup(now);
            catchup.up(peer, &mut cx);
        }
    }

    /// A neighbour is gone.
    pub fn neighbour_down(&mut self, peer: &P, now: Time) {
        let _ = now;
        self.missing.forget(peer);
        self.catchup.down(peer);
        self.tree.down(peer, &mut self.out);
    }

    /// Whether a neighbour's socket does not drain. Until it does, it gets announcements instead of payloads.
    pub fn congested(&mut self, peer: &P, congested: bool, now: Time) {
        self.tree.congested(peer, congested, now);
    }

    /// A frame of a peer. Messages are queued; the next [`poll`](Self::poll) checks them.
    ///
    /// A peer that is not a neighbour (yet: frames may overtake each other) may push messages and nothing else.
    pub fn handle(&mut self, from: P, frame: Frame, now: Time) {
        if let Err(fault) = frame.check() {
            return self.fault(from, fault, now);
        }
        match frame {
            Frame::Gossip { id, body, .. } if self.knows(&id) && !self.may_prove(&id, &body) => {
                self.duplicate(&id, from, now);
            }
            Frame::Gossip { id, hops, body } => self.arrived(from, Some(id), hops, body),
            _ if !self.tree.contains(&from) => {}
            Frame::IHave(names) => {
                self.tree.has(&from, &names);
                for (id, _) in names {
                    if !self.knows(&id) {
                        self.missing.announced(id, from, &self.config, now);
                    }
                }
            }
            Frame::Graft(names) => {
                self.tree.set_eager(&from);
                for id in names {
                    self.graft(from, id, now);
                }
            }
            Frame::Prune => self.tree.set_lazy(&from),
            Frame::Items(bodies) => {
                if self.catchup.may_bring(&from, bodies.len(), now) {
                    for body in bodies {
                        self.arrived(from, None, 0, body);
                    }
                }
            }
            Frame::Summary(_) | Frame::Vector(_) | Frame::Sketch(_) | Frame::Reconcile(_) | Frame::Want(_) => {
                let (catchup, mut cx) = self.catchup(now);
                if let Err(fault) = catchup.handle(from, frame, &mut cx) {
                    self.fault(from, fault, now);
                }
            }
            Frame::Unknown(_) => {}
        }
    }

    /// Publishes a checked message: our own (`from` is `None`), or one that came another way, over a link that `from` names
    /// and that is no neighbour. The latter is also delivered. Returns `false`, and does nothing, if it is known already.
    pub fn publish(&mut self, item: Item, from: Option<P>, now: Time) -> bool {
        if self.knows(&item.id) || from.is_some() && self.is_stale(&item, now) {
            return false;
        }
        let found = self.missing.found(&item.id).unwrap_or_default();
        self.tree
            .first((item.id, item.author), None, &found, &self.config, now, &mut self.out);
        let payload = (item.id, 0, &item.body);
        self.tree
            .spread(payload, from, &found.announcers, &self.config, now, &mut self.out);
        if from.is_some() {
            let delivery = Delivery {
                item: item.clone(),
                from,
                hops: 0,
                caught_up: false,
            };
            self.deliver(delivery, now);
        }
        self.keep(item, 0, now);
        self.evict(now);
        true
    }

    /// What must happen next. The first call after an event asks `rules` about all messages that arrived, in one batch.
    /// `None`: nothing until the next event or [`poll_timeout`](Self::poll_timeout).
    pub fn poll(&mut self, rules: &mut dyn Rules<P>, now: Time) -> Option<Output<P>> {
        while !self.inbox.is_empty() {
            self.read(rules, now);
        }
        let next = self.out.pop_front();
        if next.is_none() && self.out.capacity() > 16 {
            // Ten thousand idle swarms in one process keep nothing for later.
            self.out = VecDeque::new();
        }
        next
    }

    /// Does what is due by now.
    pub fn handle_timeout(&mut self, now: Time) {
        self.tree.announce(now, &mut self.out);
        for (peer, names) in self.missing.overdue(&self.config, now) {
            if self.tree.contains(&peer) {
                self.tree.set_eager(&peer);
                self.out.push_back(Output::send(peer, Frame::Graft(names)));
            }
        }
        let (tree, out) = (&self.tree, &mut self.out);
        let mut cx = Context {
            history: &self.history,
            config: &self.config,
            rng: &mut self.rng,
            out,
            now,
        };
        let faults = self.catchup.timeout(|peer| tree.is_congested(peer), &mut cx);
        for (peer, fault) in faults {
            self.fault(peer, fault, now);
        }
        self.lines
            .timeout(now, |delivery| self.out.push_back(Output::Deliver(delivery)));
        self.evict(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, if ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        [
            self.tree.next_due(),
            self.missing.next_due(),
            self.catchup.next_due(|peer| self.tree.is_congested(peer)),
            self.lines.next_due(),
            self.history.next_eviction(self.config.history_age),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The messages that are kept.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// The neighbours that payloads are pushed to: the links that carry the tree.
    pub fn eager(&self) -> impl Iterator<Item = P> {
        self.tree.eager()
    }

    /// Whether payloads are pushed to this neighbour.
    #[must_use]
    pub fn is_eager(&self, peer: &P) -> bool {
        self.tree.is_eager(peer)
    }

    /// Whether there is a tree: before the first message, payloads would go to everybody.
    #[must_use]
    pub const fn has_tree(&self) -> bool {
        self.tree.is_grown()
    }

    /// How many messages were announced and have not come.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.missing.len()
    }

    fn knows(&self, id: &MessageId) -> bool {
        self.history.kept(id).is_some() || self.seen.contains(id)
    }

    /// Whether this message of somebody else is new here, and not too old to tell.
    pub(crate) fn wants(&self, item: &Item, now: Time) -> bool {
        !self.knows(&item.id) && !self.is_stale(item, now)
    }

    /// Another sound copy of a message that is known. If the author has signed its number, and nothing proves the number of
    /// the copy that is kept, whoever is served from here on gets this one: who was the first to bring a message must not
    /// decide what is known of it.
    ///
    /// A copy whose number says that it is too old changes nothing: its name is remembered for as long as the other's.
    pub(crate) fn prove(&mut self, item: Item, now: Time) {
        if !self.is_stale(&item, now) && self.history.prove(&item, now) {
            self.out.push_back(Output::Proved(item));
            self.evict(now);
        }
    }

    /// Whether a copy of a known message may have a proof of its number that the one that is kept lacks.
    fn may_prove(&self, id: &MessageId, body: &Bytes) -> bool {
        let kept = self.history.get(id);
        kept.is_some_and(|kept| kept.sequence.proven().is_none() && kept.body != body)
    }

    /// The same, of one that is to be checked. A neighbour cannot make us check copies without end.
    fn is_worth_proving(&mut self, id: &MessageId, arrived: &Arrived<P>, now: Time) -> bool {
        self.may_prove(id, &arrived.body) && self.catchup.may_bring(&arrived.from, 1, now)
    }

    fn is_stale(&self, item: &Item, now: Time) -> bool {
        self.seen.is_stale(item, self.config.history_age, now)
    }

    fn fault(&mut self, peer: P, fault: Fault, now: Time) {
        self.neighbour_down(&peer, now);
        self.out.push_back(Output::Fault { peer, fault });
    }

    fn arrived(&mut self, from: P, id: Option<MessageId>, hops: u16, body: Bytes) {
        let cost = body.len() + ARRIVED_COST;
        if body.len() <= self.config.message_max && self.inbox_bytes + cost <= INBOX_BYTES_MAX {
            self.inbox_bytes += cost;
            self.inbox.push_back(Arrived { from, id, hops, body });
        }
    }

    /// Asks the rules about what has arrived. Of several under one name, the first is asked about; only if it is refused,
    /// the next one matters, which is another neighbour's: of one neighbour's, the first counts. So there are never more
    /// rounds than neighbours, whatever one of them sends.
    fn read(&mut self, rules: &mut dyn Rules<P>, now: Time) {
        self.inbox_bytes = 0;
        let (mut names, mut said) = (HashSet::new(), HashSet::new());
        let mut batch = Vec::new();
        for arrived in std::mem::take(&mut self.inbox) {
            if self.seen.is_refused(&arrived.body, now) {
                self.let_down(&arrived);
                continue;
            }
            match arrived.id {
                Some(id) if self.knows(&id) && !self.is_worth_proving(&id, &arrived, now) => {
                    self.duplicate(&id, arrived.from, now);
                }
                Some(id) if !said.insert((id, arrived.from)) => {}
                Some(id) if !names.insert(id) => self.inbox.push_back(arrived),
                _ => batch.push(arrived),
            }
        }
        if batch.is_empty() {
            return;
        }
        let bodies: Vec<Bytes> = batch.iter().map(|arrived| arrived.body.clone()).collect();
        for (arrived, answer) in batch.into_iter().zip(rules.read(&bodies, now)) {
            match (answer, arrived.id) {
                (Ok(item), Some(id)) if item.id != id => self.fault(arrived.from, Fault::WrongName, now),
                (Ok(item), _) if self.wants(&item, now) => match rules.accepts(&item, now) {
                    Ok(()) => self.accept(item, &arrived, now),
                    Err(_) => {
                        self.missing.found(&item.id);
                        self.seen.refused(&arrived.body, now);
                    }
                },
                (Ok(item), _) => self.accept(item, &arrived, now),
                (Err(Refused::Forged), _) => self.fault(arrived.from, Fault::Forged, now),
                // The name that it came under is its sender's word only.
                (Err(Refused::Unwelcome | Refused::TooMany), _) => {
                    self.let_down(&arrived);
                    self.seen.refused(&arrived.body, now);
                }
            }
        }
    }

    /// Whoever sent what is not taken is not asked for it again.
    fn let_down(&mut self, arrived: &Arrived<P>) {
        if let Some(id) = &arrived.id {
            self.missing.let_down(id, &arrived.from);
        }
    }

    fn accept(&mut self, item: Item, arrived: &Arrived<P>, now: Time) {
        if self.knows(&item.id) {
            if arrived.id.is_some() {
                self.duplicate(&item.id, arrived.from, now);
            }
            self.prove(item, now);
            return;
        }
        let found = self.missing.found(&item.id);
        if self.is_stale(&item, now) {
            return;
        }
        let caught_up = arrived.id.is_none();
        if !caught_up {
            let found = found.unwrap_or_default();
            let from = Some(arrived.from);
            let late = self
                .tree
                .first((item.id, item.author), from, &found, &self.config, now, &mut self.out);
            if let Some(late) = late {
                self.missing.observe(late, &self.config, now);
            }
            let payload = (item.id, arrived.hops, &item.body);
            self.tree
                .spread(payload, from, &found.announcers, &self.config, now, &mut self.out);
        }
        let delivery = Delivery {
            item: item.clone(),
            from: Some(arrived.from),
            hops: arrived.hops,
            caught_up,
        };
        self.deliver(delivery, now);
        if caught_up {
            self.history.insert(item, arrived.hops, now, now);
            let (catchup, mut cx) = self.catchup(now);
            catchup.learned(&arrived.from, &mut cx);
        } else {
            self.keep(item, arrived.hops, now);
        }
        self.evict(now);
    }

    /// A neighbour asks for a message: at once, if it has not asked for too much.
    fn graft(&mut self, from: P, id: MessageId, now: Time) {
        let Some(kept) = self.history.kept(&id) else { return };
        let hops = kept.hops.saturating_add(1);
        let body = kept.item.body.clone();
        let (catchup, cx) = self.catchup(now);
        if catchup.may_serve(&from, body.len(), &cx) {
            self.out.push_back(Output::send(from, Frame::Gossip { id, hops, body }));
        } else {
            catchup.serve(&from, [id], now);
        }
    }

    /// Catch-up, and what it may see and use of the rest.
    fn catchup(&mut self, now: Time) -> (&mut Catchup<P>, Context<'_, P>) {
        let cx = Context {
            history: &self.history,
            config: &self.config,
            rng: &mut self.rng,
            out: &mut self.out,
            now,
        };
        (&mut self.catchup, cx)
    }

    fn duplicate(&mut self, id: &MessageId, from: P, now: Time) {
        if let Some(late) = self.tree.duplicate(id, from, now, &mut self.out) {
            self.missing.hurried(late, &self.config);
        }
    }

    fn deliver(&mut self, delivery: Delivery<P>, now: Time) {
        match self.config.order {
            Order::Arrival => self.out.push_back(Output::Deliver(delivery)),
            Order::PerAuthor => self.lines.push(delivery, self.config.order_timeout, now, |delivery| {
                self.out.push_back(Output::Deliver(delivery));
            }),
        }
    }

    /// Keeps a message that the tree brought or that was published here.
    fn keep(&mut self, item: Item, hops: u16, now: Time) {
        self.history.insert(item, hops, now + self.config.settle, now);
        let (catchup, mut cx) = self.catchup(now);
        catchup.grown(&mut cx);
    }

    fn evict(&mut self, now: Time) {
        while let Some(evicted) = self.history.evict(&self.config, now) {
            self.seen.evicted(&evicted, &self.config);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Author, Sequence};

    /// Messages that are named by their first bytes.
    struct Named;

    impl Rules<u32> for Named {
        fn read(&mut self, bodies: &[Bytes], _: Time) -> Vec<Result<Item, Refused>> {
            let read = |body: &Bytes| {
                let name = body.first_chunk().ok_or(Refused::Unwelcome)?;
                Ok(Item {
                    id: MessageId::from_bytes(*name),
                    author: Author::from_bytes([1; 32]),
                    sequence: Sequence::Claimed(0),
                    body: body.clone(),
                })
            };
            bodies.iter().map(read).collect()
        }
    }

    #[test]
    fn what_is_handed_in_without_polling_fills_no_more_than_the_inbox() {
        let now = Time::from_micros(1);
        let name = |number: u32| {
            let mut name = [0; 32];
            name[..4].copy_from_slice(&number.to_be_bytes());
            name
        };
        let gossip = |number: u32, length: usize| {
            let mut body = name(number)[..length.min(32)].to_vec();
            body.resize(length, 0);
            Frame::Gossip {
                id: MessageId::from_bytes(name(number)),
                hops: 1,
                body: body.into(),
            }
        };
        for length in [256 << 10, 0] {
            let mut swarm = Swarm::new(Config::default(), [1; 32], now);
            swarm.neighbour_up(1u32, now);
            let most = INBOX_BYTES_MAX / (length + ARRIVED_COST);
            for number in 0..most as u32 + 100 {
                swarm.handle(1, gossip(number, length), now);
                assert!(swarm.inbox_bytes <= INBOX_BYTES_MAX);
            }
            assert_eq!(swarm.inbox.len(), most);
            let mut delivered = 0;
            while let Some(output) = swarm.poll(&mut Named, now) {
                delivered += usize::from(matches!(output, Output::Deliver(_)));
            }
            assert_eq!(delivered, if length == 0 { 0 } else { most });
            assert_eq!((swarm.inbox_bytes, swarm.inbox.len()), (0, 0));
            // What was dropped is not burnt.
            swarm.handle(1, gossip(most as u32, 300), now);
            let last = std::iter::from_fn(|| swarm.poll(&mut Named, now));
            assert_eq!(last.filter(|output| matches!(output, Output::Deliver(_))).count(), 1);
        }
    }
}
