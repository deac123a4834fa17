//! Mixing: peers are exchanged on random walks, and links with peers far away.

use crate::{
    Contact, PeerId, Time,
    membership::{Config, Frame, Membership, link::sound, views::pick},
};
use rand::{Rng, RngExt};
use std::time::Duration;

/// When a node mixes.
#[derive(Debug)]
pub(crate) struct Mixing<P> {
    pub(crate) shuffles: Rhythm,
    /// Swaps follow a rhythm of their own: they unsettle the tree, so a lost neighbour does not quicken them.
    pub(crate) swaps: Rhythm,
    /// The shuffle that is not answered yet.
    open: Option<u32>,
    /// Walks that neighbours may still begin or carry on through this node.
    walks: Vec<(P, u32)>,
    walks_since: Time,
}

/// A beat that slows down: the pause doubles each time.
#[derive(Debug)]
pub(crate) struct Rhythm {
    pub(crate) next: Option<Time>,
    pause: Duration,
}

impl Rhythm {
    const fn new(pause: Duration) -> Self {
        Self { next: None, pause }
    }

    /// The next beat is no later than after this pause, and the rhythm doubles from there.
    fn quicken(&mut self, now: Time, pause: Duration) {
        self.pause = self.pause.min(pause);
        let at = now + self.pause;
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    fn beat(&mut self, now: Time, longest: Duration, random: &mut impl Rng) {
        // Nodes that began together drift apart.
        self.next = Some(now + self.pause.mul_f64(random.random_range(0.75..1.25)));
        self.pause = (self.pause * 2).min(longest);
    }
}

/// How many walks each neighbour may send through this node in [`WALKS_SPAN`]. Each costs one frame and the network as many as
/// it has hops, so whoever sends more floods.
const WALKS_MAX: u32 = 64;

/// The time over which walks are counted.
const WALKS_SPAN: Duration = Duration::from_secs(1);

impl<P: PeerId> Mixing<P> {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            shuffles: Rhythm::new(config.shuffle_first),
            swaps: Rhythm::new(config.shuffle_first),
            open: None,
            walks: Vec::new(),
            walks_since: Time::default(),
        }
    }

    /// The network around has just begun: mix quickly, then ever more slowly.
    pub(crate) fn start(&mut self, now: Time, config: &Config) {
        self.shuffles.quicken(now, config.shuffle_first);
        self.swaps.quicken(now, config.shuffle_first);
    }

    /// A neighbour was lost: peers are wanted.
    pub(crate) fn hurry(&mut self, now: Time, config: &Config) {
        /// How many times slower than after a join.
        const SLOWER: u32 = 8;
        self.shuffles.quicken(now, config.shuffle_first * SLOWER);
    }
}

impl<P: PeerId> Membership<P> {
    /// Mixes, if it is time to.
    pub(crate) fn mix(&mut self, now: Time) {
        let due = |rhythm: &Rhythm| rhythm.next.is_some_and(|next| next <= now);
        let longest = self.config.shuffle_interval;
        if due(&self.mixing.shuffles) {
            self.mixing.shuffles.beat(now, longest, &mut self.random);
            self.shuffle();
            self.refill(now);
        }
        if due(&self.mixing.swaps) {
            self.mixing.swaps.beat(now, longest, &mut self.random);
            self.swap(now);
        }
    }

    fn shuffle(&mut self) {
        let Some(first) = pick(self.views.active.iter().map(|link| !link.suspect), &mut self.random)
            .and_then(|place| self.views.active.get(place))
        else {
            return;
        };
        let to = first.contact.peer;
        let nonce = self.random.random();
        let mut peers = Vec::with_capacity(self.config.shuffle_active + self.config.shuffle_passive);
        self.views
            .sample_active(self.config.shuffle_active, &to, &mut self.random, &mut peers);
        self.views
            .sample_passive(self.config.shuffle_passive, &to, &mut self.random, &mut peers);
        self.mixing.open = Some(nonce);
        let frame = Frame::Shuffle {
            origin: self.me.clone(),
            nonce,
            ttl: self.config.shuffle_walk,
            peers,
        };
        self.send(to, frame);
    }

    pub(crate) fn on_shuffle(
        &mut self,
        from: P,
        origin: Contact<P>,
        nonce: u32,
        ttl: u8,
        peers: Vec<Contact<P>>,
        now: Time,
    ) {
        // What is not used here is not carried on either: addresses without end would be, by each node on the walk.
        let is_sound = sound(&origin) && peers.len() <= Config::PEERS_MAX && peers.iter().all(sound);
        if origin.peer == self.me.peer || !is_sound || !self.walk_allowed(&from, now) {
            return;
        }
        let ttl = ttl.min(self.config.shuffle_walk);
        if ttl > 0 {
            let other = |peer: &P| *peer != from && *peer != origin.peer;
            let next = pick(
                self.views.active.iter().map(|link| other(&link.contact.peer)),
                &mut self.random,
            );
            if let Some(next) = next.and_then(|place| self.views.active.get(place)) {
                let frame = Frame::Shuffle {
                    origin,
                    nonce,
                    ttl: ttl - 1,
                    peers,
                };
                self.send(next.contact.peer, frame);
                return;
            }
        }
        let answer = self.some_peers(0, peers.len(), &origin.peer);
        self.note_address(origin.clone());
        self.send(origin.peer, Frame::ShuffleReply { nonce, peers: answer });
        self.views.heard_of(origin, from, &mut self.random);
        for peer in peers {
            self.views.heard_of(peer, from, &mut self.random);
        }
        if self.views.missing() > 0 && self.fill_at.is_none() {
            self.refill(now);
        }
    }

    pub(crate) fn on_shuffle_reply(&mut self, from: P, nonce: u32, peers: Vec<Contact<P>>, now: Time) {
        if self.mixing.open == Some(nonce) {
            self.mixing.open = None;
            for peer in peers.into_iter().take(Config::PEERS_MAX) {
                self.views.heard_of(peer, from, &mut self.random);
            }
            if self.views.missing() > 0 && self.fill_at.is_none() {
                self.refill(now);
            }
        }
        self.release(from);
    }

    /// Only neighbours may send walks through this node, and not too many.
    pub(crate) fn walk_allowed(&mut self, from: &P, now: Time) -> bool {
        if !self.views.is_linked(from) {
            return false;
        }
        let mixing = &mut self.mixing;
        if now.since(mixing.walks_since) >= WALKS_SPAN {
            mixing.walks_since = now;
            mixing.walks.clear();
        }
        match mixing.walks.iter_mut().find(|(peer, _)| peer == from) {
            Some((_, count)) => {
                *count += 1;
                *count <= WALKS_MAX
            }
            None => {
                mixing.walks.push((*from, 1));
                true
            }
        }
    }
}
