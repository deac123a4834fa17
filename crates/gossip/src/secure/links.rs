//! The machine beneath [`Gossip`](crate::tokio::Gossip): links of either kind, and what travels between them.

use super::{
    Config, SignedRules,
    line::Cut,
    link::{Incoming, Link, Speaks},
    message::{Message, Opened},
    negotiation::{self, Word},
    numbers::Numbers,
    outbox::Chunk,
    rounds::Rounds,
};
use crate::{
    Author, Error, Item, MessageId, Refused, Sequence, Time,
    swarm::{self, Delivery, Frame, History, Lines, Order, Swarm},
};
use bytes::BytesMut;
use handfast_json::Value;
use handfast_keys::KeyPair;
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// Messages that wait for their check at most, and their bytes: then they are checked, even before the next poll.
const UNCHECKED_MAX: usize = 512;
const UNCHECKED_BYTES_MAX: usize = 1 << 20;
/// The most messages that one peer of the original's kind is given when it comes, whatever the number of authors.
const REPLAY_MAX: usize = 4096;

/// The name of a link: given by [`Links::open`], and never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub(super) u64);

/// What must happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Hand this to the application: each message once, and none of its own.
    Deliver(Delivery<LinkId>),
    /// Something waits to be written on this link: [`Links::transmit`] until it moves nothing.
    Transmit(LinkId),
    /// Close this link: the peer broke its rules, or reads nothing. The machine has forgotten it already.
    Close {
        /// The link.
        link: LinkId,
        /// Why.
        fault: Fault,
    },
}

/// Why a link is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It broke the rules among peers of our kind.
    #[error(transparent)]
    Swarm(#[from] swarm::Fault),
    /// It announced a frame beyond the limits.
    #[error("it sent a frame beyond the limits of the protocol")]
    Oversized,
    /// It sent too many lines that are no sound messages, see [`Config::unsound`].
    #[error("it sent too many lines that are no sound messages")]
    Unsound,
    /// It does not read what is sent to it, see [`Config::patience`] and [`Config::outbox`].
    #[error("it does not read what is sent to it")]
    Unread,
}

/// Links to peers of the original's kind and of our own, and the messages between them. Bytes go in and come out; there is no
/// I/O and no clock.
///
/// # Driving it
/// For each stream, [`open`](Links::open) a link, [`input`](Links::input) what arrives and [`close`](Links::close) it in the
/// end. After each call that takes the time, [`poll`](Links::poll) until it returns `None`; where it says
/// [`Output::Transmit`], move bytes out with [`transmit`](Links::transmit) as the stream takes them. Call
/// [`handle_timeout`](Links::handle_timeout) when [`poll_timeout`](Links::poll_timeout) says. Feed all that one read gave in
/// one [`input`](Links::input): its messages are checked in one batch, at the latest by the next poll.
#[derive(Debug)]
pub struct Links {
    config: Config,
    keys: KeyPair,
    me: Author,
    rules: SignedRules<LinkId>,
    swarm: Swarm<LinkId>,
    links: BTreeMap<LinkId, Link>,
    opened: u64,
    unchecked: Vec<(LinkId, Opened)>,
    unchecked_bytes: usize,
    rounds: Rounds,
    /// Messages that came over links of our kind before those that their authors made earlier: the tree overtakes catch-up
    /// where a link is new, and the original drops what comes late. They wait for [`swarm::Config::order_timeout`] at most.
    early: Lines<LinkId>,
    /// When the next round is due, if anything waits for it.
    round_at: Option<Time>,
    start: Time,
    numbers: Numbers,
    /// The number of our last message.
    last: Option<u64>,
    out: VecDeque<Output>,
}

impl Links {
    /// A node without links. What is left to chance follows from `seed`, which nobody else may know.
    ///
    /// # Errors
    /// [`Error::Caller`] if `config` cannot be, see [`Config::check`].
    pub fn new(keys: KeyPair, config: Config, seed: [u8; 32], now: Time) -> Result<Self, Error> {
        config.check()?;
        Ok(Self {
            me: Author::from_bytes(*keys.public().as_bytes()),
            rules: SignedRules::new(config.author).threads(config.threads),
            swarm: Swarm::new(config.swarm.clone(), seed, now),
            links: BTreeMap::new(),
            opened: 0,
            unchecked: Vec::new(),
            unchecked_bytes: 0,
            rounds: Rounds::default(),
            early: Lines::default(),
            round_at: None,
            start: now,
            numbers: Numbers::new(),
            last: None,
            out: VecDeque::new(),
            config,
            keys,
        })
    }

    /// A new stream stands.
    ///
    /// # Errors
    /// [`Error::Caller`] if there are [`Config::links`] already.
    pub fn open(&mut self, now: Time) -> Result<LinkId, Error> {
        if self.links.len() >= self.config.links {
            return Err(Error::Caller(
                "there are as many links as Config::links allows; close one, or allow more",
            ));
        }
        let id = LinkId(self.opened);
        self.opened += 1;
        let mut link = Link::new(&self.config, now);
        if self.config.negotiate {
            link.push(Chunk::Word(negotiation::hello(self.keys.public().as_bytes())), now);
        }
        self.replay(id, &mut link);
        if self.config.interval.is_some() && link.speaks == Speaks::Original {
            link.release(&self.config, now);
        }
        self.links.insert(id, link);
        self.announce(id);
        Ok(id)
    }

    /// Gives a peer that cannot ask what it may have missed: the last messages of each author, in order. Where all of that
    /// is too much, each author has the same share, and with more authors than messages, each link begins with others.
    fn replay(&mut self, id: LinkId, link: &mut Link) {
        let history = self.swarm.history();
        let mut authors: Vec<(Author, usize)> = history.authors().map(|(author, count)| (*author, count)).collect();
        let most = |share: usize| authors.iter().map(|(_, count)| share.min(*count)).sum::<usize>();
        let mut share = self.config.replay.min(REPLAY_MAX);
        while share > 1 && most(share) > REPLAY_MAX {
            share -= (share / 8).max(1);
        }
        if authors.len() > REPLAY_MAX {
            // Keys are free. Whoever has the least ones must not be all that is ever heard of.
            let turns = usize::try_from(id.0).unwrap_or_default();
            let begin = turns.wrapping_mul(REPLAY_MAX) % authors.len();
            authors.rotate_left(begin);
        }
        let newest = authors.iter().flat_map(|(author, _)| history.newest(author, share));
        for item in newest.take(REPLAY_MAX) {
            // What waits for those before it, or for the next round, is not given twice.
            if self.early.holds(item) {
                continue;
            }
            self.rounds.holds(&item.id, id);
            if self.numbers.believes(item) {
                link.defer(item.body.clone(), &self.config);
            }
        }
    }

    /// Bytes arrived. All of them are taken.
    pub fn input(&mut self, link: LinkId, mut bytes: &[u8], now: Time) {
        let Some(this) = self.links.get_mut(&link) else { return };
        let mut incoming = std::mem::replace(&mut this.incoming, Incoming::Taken);
        let result = self.read(link, &mut incoming, &mut bytes, now);
        if let Some(this) = self.links.get_mut(&link) {
            this.incoming = incoming;
        }
        if let Err(fault) = result {
            self.drop(link, fault, now);
        }
        self.announce(link);
    }

    fn read(&mut self, id: LinkId, incoming: &mut Incoming, bytes: &mut &[u8], now: Time) -> Result<(), Fault> {
        while let Incoming::Lines(lines) = incoming {
            let Some(cut) = lines.next(bytes) else { return Ok(()) };
            let sound = match cut {
                Cut::TooLong => false,
                Cut::Line([]) => true,
                Cut::Line(line) => match negotiation::word(line) {
                    Some(_) if !self.config.negotiate => true,
                    Some(Word::Hello) => {
                        self.meet(id, now);
                        continue;
                    }
                    Some(Word::Switch) => {
                        *incoming = Incoming::Frames(Vec::new());
                        continue;
                    }
                    Some(Word::Other) => true,
                    None => self.line(id, line, now),
                },
            };
            let Some(link) = self.links.get_mut(&id) else {
                return Ok(());
            };
            if matches!(link.speaks, Speaks::Unknown { .. }) {
                // A peer of our kind says so before anything else.
                link.speaks = Speaks::Original;
                if self.config.interval.is_some() {
                    link.release(&self.config, now);
                }
            }
            if !sound && !link.unsound.take(self.config.unsound, now) {
                return Err(Fault::Unsound);
            }
        }
        if let Incoming::Frames(pending) = incoming {
            let swarm = &mut self.swarm;
            Link::frames(pending, std::mem::take(bytes), |frame| swarm.handle(id, frame, now))?;
        }
        Ok(())
    }

    /// The other end showed that it is of our kind.
    fn meet(&mut self, id: LinkId, now: Time) {
        let link = self.links.get_mut(&id).filter(|link| link.speaks != Speaks::Ours);
        let Some(link) = link else { return };
        link.speaks = Speaks::Ours;
        link.deferred = Default::default();
        link.push(Chunk::Word(negotiation::SWITCH.into()), now);
        self.swarm.neighbour_up(id, now);
    }

    /// A line that should be a message; whether it may be one.
    fn line(&mut self, link: LinkId, line: &[u8], now: Time) -> bool {
        let Ok(opened) = self.rules.reader().open(line) else {
            return false;
        };
        if let Some(kept) = self.swarm.history().get(&opened.id) {
            self.rounds.holds(&opened.id, link);
            let may_prove = opened.claims_proof() && kept.sequence.proven().is_none();
            if !may_prove && !self.numbers.withholds(&opened.id) {
                return true;
            }
        }
        self.unchecked_bytes += opened.weight();
        self.unchecked.push((link, opened));
        if self.unchecked.len() >= UNCHECKED_MAX || self.unchecked_bytes >= UNCHECKED_BYTES_MAX {
            self.check(now);
        }
        true
    }

    /// Checks the signatures of the lines that wait for it.
    fn check(&mut self, now: Time) {
        self.unchecked_bytes = 0;
        let (links, batch): (Vec<_>, Vec<_>) = std::mem::take(&mut self.unchecked).into_iter().unzip();
        for (link, read) in links.into_iter().zip(self.rules.reader().check(batch)) {
            match read {
                // What is not new costs its author nothing, whoever sends it again.
                Ok(item) if !self.swarm.wants(&item, now) => {
                    self.rounds.holds(&item.id, link);
                    if self.numbers.withholds(&item.id) {
                        self.better_number(item.clone(), Some(link), now);
                    }
                    self.swarm.prove(item, now);
                }
                Ok(item) => match self.rules.count(item.author, now) {
                    Ok(()) => {
                        self.swarm.publish(item, Some(link), now);
                    }
                    Err(_) => tracing::debug!(?link, "a message was dropped: its author sends too many"),
                },
                Err(Refused::Forged | Refused::Unwelcome | Refused::TooMany) => {
                    let unsound = self.config.unsound;
                    let link_of = self.links.get_mut(&link);
                    if link_of.is_some_and(|link| !link.unsound.take(unsound, now)) {
                        self.drop(link, Fault::Unsound, now);
                    }
                }
            }
        }
    }

    /// Another copy of a message whose number was not believed.
    fn better_number(&mut self, item: Item, link: Option<LinkId>, now: Time) {
        let id = item.id;
        if self.numbers.believes(&item) {
            self.numbers.released(&id);
            self.wait_for_round(item, link, now);
        }
    }

    /// The stream is gone. Nothing more comes out for it.
    pub fn close(&mut self, link: LinkId, now: Time) {
        if self.links.remove(&link).is_some() {
            // Whether it is a neighbour or not is the swarm's to know.
            self.swarm.neighbour_down(&link, now);
        }
    }

    fn drop(&mut self, link: LinkId, fault: Fault, now: Time) {
        if self.links.contains_key(&link) {
            self.close(link, now);
            self.out.push_back(Output::Close { link, fault });
        }
    }

    /// Signs and publishes a message. It goes to peers of our kind at once, to those of the original's kind with the next
    /// round, and stays in the history for those who come later.
    ///
    /// # Errors
    /// As [`Message::sign`].
    pub fn publish(&mut self, content: &Value, now: Time) -> Result<MessageId, Error> {
        let number = Sequence::following(self.last, now);
        let message = Message::sign(&self.keys, content, number)?;
        self.last = Some(number);
        Ok(self.spread(message, now))
    }

    /// Publishes a message that was signed elsewhere, such as one with a number of the caller's choice, which is taken for
    /// true. It is not delivered here.
    pub fn spread(&mut self, message: Message, now: Time) -> MessageId {
        let item = message.into_item();
        let id = item.id;
        if self.swarm.publish(item.clone(), None, now) {
            self.remember_own(&item);
            self.numbers.trust(&item);
            self.wait_for_round(item, None, now);
        }
        id
    }

    /// A message of our key, of whatever run of the program: numbers go on above it, even if the clock was set back.
    fn remember_own(&mut self, item: &Item) {
        if item.author == self.me {
            self.last = self.last.max(item.sequence.proven());
        }
    }

    /// Puts a new message on the list for peers of the original's kind, unless earlier ones of its author may come yet.
    fn pass_on(&mut self, delivery: Delivery<LinkId>, now: Time) {
        if !self.numbers.believes(&delivery.item) {
            return;
        }
        // A peer of the original's kind has said all that it will ever say of what came before, and deliveries that are in
        // order have waited already.
        let from = delivery.from.and_then(|from| self.links.get(&from));
        let in_order = from.is_some_and(|from| from.speaks != Speaks::Ours);
        let patience = if in_order || self.config.swarm.order == Order::PerAuthor {
            Duration::ZERO
        } else {
            self.config.swarm.order_timeout
        };
        let mut passed = Vec::new();
        self.early
            .push(delivery, patience, now, |delivery| passed.push(delivery));
        self.early.timeout(now, |delivery| passed.push(delivery));
        for Delivery { item, from, .. } in passed {
            self.wait_for_round(item, from, now);
        }
    }

    fn wait_for_round(&mut self, item: Item, from: Option<LinkId>, now: Time) {
        self.rounds.add(item, from);
        match self.config.interval {
            Some(_) if self.rounds.is_full() => self.make_round(false, now),
            Some(interval) => {
                // Rounds keep their rhythm, whenever messages come.
                let micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX).max(1);
                let past = u64::try_from(now.since(self.start).as_micros()).unwrap_or(u64::MAX) % micros;
                let rest = Duration::from_micros(micros - past);
                self.round_at.get_or_insert(now + rest);
            }
            None if self.rounds.is_full() => self.rounds.halve(),
            None => {}
        }
    }

    /// Makes a round by hand: what waits goes out on all links of the original's kind, and on those of which nothing is known
    /// yet.
    pub fn round(&mut self, now: Time) {
        self.make_round(true, now);
    }

    fn make_round(&mut self, by_hand: bool, now: Time) {
        self.round_at = None;
        for waiting in self.rounds.take() {
            for (id, link) in &mut self.links {
                if !waiting.is_held_by(*id) {
                    link.defer(waiting.item.body.clone(), &self.config);
                }
            }
        }
        for link in self.links.values_mut() {
            match link.speaks {
                Speaks::Original => link.release(&self.config, now),
                Speaks::Unknown { .. } if by_hand => link.release(&self.config, now),
                Speaks::Unknown { .. } | Speaks::Ours => {}
            }
        }
        self.announce_all();
    }

    /// What must happen next; `None`: nothing until the next event or [`poll_timeout`](Self::poll_timeout).
    pub fn poll(&mut self, now: Time) -> Option<Output> {
        if !self.unchecked.is_empty() {
            self.check(now);
        }
        loop {
            if let Some(output) = self.out.pop_front() {
                return Some(output);
            }
            match self.swarm.poll(&mut self.rules, now)? {
                swarm::Output::Send { to, frame } => self.send(to, &frame, now),
                swarm::Output::Fault { peer, fault } => self.drop(peer, fault.into(), now),
                swarm::Output::Proved(item) => {
                    self.remember_own(&item);
                    if self.numbers.withholds(&item.id) {
                        self.better_number(item, None, now);
                    }
                }
                swarm::Output::Deliver(delivery) => {
                    self.remember_own(&delivery.item);
                    self.pass_on(delivery.clone(), now);
                    if delivery.item.author != self.me {
                        return Some(Output::Deliver(delivery));
                    }
                }
            }
        }
    }

    fn send(&mut self, to: LinkId, frame: &Frame, now: Time) {
        let Some(link) = self.links.get_mut(&to).filter(|link| link.speaks == Speaks::Ours) else {
            return;
        };
        link.push(Chunk::Frame(frame.encode()), now);
        let weight = link.outbox.weight();
        if weight > self.config.outbox {
            return self.drop(to, Fault::Unread, now);
        }
        if weight > self.config.congested && !link.congested {
            link.congested = true;
            self.swarm.congested(&to, true, now);
        }
        self.announce(to);
    }

    /// Says once that there is something to write.
    fn announce(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id)
            && !link.outbox.is_empty()
            && !std::mem::replace(&mut link.announced, true)
        {
            self.out.push_back(Output::Transmit(id));
        }
    }

    fn announce_all(&mut self) {
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        links.into_iter().for_each(|link| self.announce(link));
    }

    /// Moves bytes that wait for this link to the end of `buffer`, some 64 KiB or one frame; whether there were any. Nothing
    /// moved: the next [`Output::Transmit`] tells of more. Poll afterwards.
    pub fn transmit(&mut self, link: LinkId, buffer: &mut BytesMut, now: Time) -> bool {
        let Some(this) = self.links.get_mut(&link) else {
            return false;
        };
        let moved = this.transmit(buffer, &self.config, now);
        if this.congested && this.outbox.weight() <= self.config.congested / 2 {
            this.congested = false;
            self.swarm.congested(&link, false, now);
        }
        moved
    }

    /// Whether nothing more should be read for a moment, because a peer of the original's kind takes what it is sent more
    /// slowly than it comes, see [`Config::pace`]. Look again when something was transmitted, or some 50 ms later.
    #[must_use]
    pub fn pressed(&self, now: Time) -> bool {
        self.links.values().any(|link| link.presses(&self.config, now))
    }

    /// Does what is due by now.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.swarm.poll_timeout().is_some_and(|at| at <= now) {
            self.swarm.handle_timeout(now);
        }
        let mut passed = Vec::new();
        self.early.timeout(now, |delivery| passed.push(delivery));
        for Delivery { item, from, .. } in passed {
            self.wait_for_round(item, from, now);
        }
        if self.round_at.is_some_and(|at| at <= now) {
            self.make_round(false, now);
        }
        let mut unread = Vec::new();
        let by_itself = self.config.interval.is_some();
        for (id, link) in &mut self.links {
            if matches!(link.speaks, Speaks::Unknown { until } if until <= now) {
                link.speaks = Speaks::Original;
                if by_itself {
                    link.release(&self.config, now);
                }
            }
            if link.gives_up(&self.config).is_some_and(|at| at <= now) {
                unread.push(*id);
            }
        }
        for link in unread {
            self.drop(link, Fault::Unread, now);
        }
        self.announce_all();
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, if ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let links = self.links.values().flat_map(|link| {
            let until = match link.speaks {
                Speaks::Unknown { until } => Some(until),
                Speaks::Original | Speaks::Ours => None,
            };
            [until, link.gives_up(&self.config)]
        });
        links
            .chain([self.round_at, self.early.next_due(), self.swarm.poll_timeout()])
            .flatten()
            .min()
    }

    /// The messages that are kept.
    #[must_use]
    pub const fn history(&self) -> &History {
        self.swarm.history()
    }

    /// How many links there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether there are no links.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// How a link stands; `None` if it is closed.
    #[must_use]
    pub fn state(&self, link: LinkId) -> Option<State> {
        let link = self.links.get(&link)?;
        Some(State {
            ours: match link.speaks {
                Speaks::Unknown { .. } => None,
                Speaks::Original => Some(false),
                Speaks::Ours => Some(true),
            },
            waiting: link.outbox.weight() + link.deferred.weight(),
            lost: link.outbox.lost() + link.deferred.lost(),
        })
    }
}

/// How a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Whether the peer is of our kind; `None` if that is not known yet.
    pub ours: Option<bool>,
    /// Bytes that wait to be written, with what it costs to keep them.
    pub waiting: usize,
    /// Messages that were not sent because the peer does not read fast enough.
    pub lost: u64,
}
