//! Joining, and letting others join.

use crate::{
    Contact, PeerId, Time,
    membership::{
        Config, Frame, Membership, Want,
        views::{pick, sample},
    },
};
use rand::{Rng, RngExt, seq::IndexedRandom};
use std::time::Duration;

/// What a node remembers as a newcomer and as a contact of newcomers.
#[derive(Debug)]
pub(crate) struct Joining<P> {
    /// Contacts that the application gave.
    pub(crate) given: Vec<Contact<P>>,
    /// Those who were asked and have not answered, [`GIVEN_MAX`] at most.
    asked: Vec<P>,
    /// Whether one of them has answered since the last join. Until then neighbours may all have come through this node, and be
    /// cut off from the network with it.
    welcomed: bool,
    pub(crate) retry: Option<Time>,
    /// When a contact is greeted next: see [`Membership::greet`].
    pub(crate) greeting: Option<Time>,
    pause: Duration,
    first_pause: Duration,
    longest_pause: Duration,
    /// Who has asked this node and waits for an answer.
    pub(crate) newcomers: Vec<Contact<P>>,
    /// When they are answered.
    pub(crate) hold: Option<Time>,
    /// A sample of those who have joined through this node.
    pub(crate) reservoir: Vec<Contact<P>>,
}

/// The contacts that are kept. An application may give any number; a discovery that is flooded with contacts must not grow
/// without end.
const GIVEN_MAX: usize = 64;

/// How many contacts are asked at once.
const ASK_AT_ONCE: usize = 3;

/// The newcomers that wait for an answer. When as many have come, they are answered at once, so a flood of joins costs an
/// answer each and no memory.
const NEWCOMERS_MAX: usize = 1024;

/// The former newcomers that are kept to be named to later ones. A flood of joins replaces them, at random, and then names
/// its own peers to newcomers: the share of the contact's own views in each answer remains.
const RESERVOIR_MAX: usize = 1024;

/// How many peers of the contact's own views an answer names.
const OWN_PEERS: usize = 2;

/// How many newcomers of a batch are sent on random walks. A walk costs the network as many frames as it has hops, so a flood
/// of joins must not become a flood of walks.
const WALKS_MAX: usize = 8;

/// With fewer peers than this in a welcome, the contact itself is asked for a link; with fewer in reserve, a node that misses
/// links asks its contacts again.
const FEW_PEERS: usize = 3;

impl<P: PeerId> Joining<P> {
    pub(crate) const fn new(config: &Config) -> Self {
        Self {
            given: Vec::new(),
            asked: Vec::new(),
            welcomed: false,
            retry: None,
            greeting: None,
            pause: config.join_retry,
            first_pause: config.join_retry,
            longest_pause: config.join_retry_max,
            newcomers: Vec::new(),
            hold: None,
            reservoir: Vec::new(),
        }
    }

    pub(crate) fn forget(&mut self, peer: &P) {
        self.given.retain(|contact| contact.peer != *peer);
        self.newcomers.retain(|contact| contact.peer != *peer);
        self.reservoir.retain(|contact| contact.peer != *peer);
    }

    /// The next attempt comes after a pause, and the pause after that is twice as long.
    pub(crate) fn retry_after(&mut self, now: Time, random: &mut impl Rng) {
        if self.given.is_empty() {
            self.retry = None;
            return;
        }
        // A crowd that has lost its only contact must not come back at the same instant.
        self.retry = Some(now + self.pause.mul_f64(random.random_range(0.75..1.25)));
        self.pause = (self.pause * 2).min(self.longest_pause);
    }
}

impl<P: PeerId> Membership<P> {
    pub(crate) fn give(&mut self, contacts: Vec<Contact<P>>) {
        for contact in contacts {
            if contact.peer == self.me.peer || contact.address.len() > Contact::<P>::ADDRESS_MAX {
                continue;
            }
            let given = &mut self.joining.given;
            given.retain(|known| known.peer != contact.peer);
            if given.len() >= GIVEN_MAX {
                given.swap_remove(self.random.random_range(0..given.len()));
            }
            given.push(contact);
        }
    }

    pub(crate) fn ask_contacts(&mut self, now: Time) {
        let contacts: Vec<P> = self
            .joining
            .given
            .sample(&mut self.random, ASK_AT_ONCE)
            .map(|contact| contact.peer)
            .collect();
        for peer in contacts {
            self.ask_to_join(peer);
        }
        self.joining.retry_after(now, &mut self.random);
    }

    /// Asks to be welcomed as a newcomer is; the network is quick to mix after that.
    pub(crate) fn begin(&mut self, now: Time) {
        self.joining.welcomed = false;
        self.ask_contacts(now);
        self.greet_later(now);
    }

    /// Asks one of the given contacts for peers although there are neighbours.
    ///
    /// A contact that was restarted knows nobody, and whoever joins through it afterwards finds nobody but others like
    /// itself: a network beside the network. Those who knew the contact before are its only way back.
    pub(crate) fn greet(&mut self, now: Time) {
        self.greet_later(now);
        if self.views.active.is_empty() {
            // It is asking already.
            return;
        }
        let contact = pick(
            self.joining
                .given
                .iter()
                .map(|contact| !self.views.is_linked(&contact.peer)),
            &mut self.random,
        );
        if let Some(contact) = contact.and_then(|place| self.joining.given.get(place)) {
            self.ask_to_join(contact.peer);
        }
    }

    fn greet_later(&mut self, now: Time) {
        // Nodes that joined together must not greet together.
        let pause = self.config.greet_interval.mul_f64(self.random.random_range(0.75..1.25));
        self.joining.greeting = (!self.joining.given.is_empty()).then_some(now + pause);
    }

    fn ask_to_join(&mut self, peer: P) {
        if !self.joining.asked.contains(&peer) {
            if self.joining.asked.len() >= GIVEN_MAX {
                self.joining.asked.swap_remove(0);
            }
            self.joining.asked.push(peer);
        }
        let frame = Frame::Join {
            address: self.me.address.clone(),
            pass: self.pass.clone(),
        };
        self.send(peer, frame);
    }

    pub(crate) fn retry_join(&mut self, now: Time) {
        // Whoever came when its contact knew hardly anybody, or whose walks were lost, would be cut off by the next failure.
        let few = self.views.passive.len() + self.views.memory.len() < FEW_PEERS;
        if !self.joining.welcomed || self.views.active.is_empty() || (self.views.missing() > 0 && few) {
            self.ask_contacts(now);
        } else {
            self.joining.retry = None;
            self.joining.pause = self.joining.first_pause;
        }
    }

    pub(crate) fn on_join(&mut self, newcomer: Contact<P>, now: Time) {
        let waiting = &mut self.joining.newcomers;
        if let Some(known) = waiting.iter_mut().find(|known| known.peer == newcomer.peer) {
            *known = newcomer;
            return;
        }
        waiting.push(newcomer);
        if waiting.len() >= NEWCOMERS_MAX {
            self.welcome(now);
        } else if self.joining.hold.is_none() {
            self.joining.hold = Some(now + self.config.welcome_hold);
        }
    }

    /// Answers all who wait with a sample of each other, of former newcomers and of this node's own views.
    pub(crate) fn welcome(&mut self, now: Time) {
        self.joining.hold = None;
        let newcomers = std::mem::take(&mut self.joining.newcomers);
        let others = self.config.welcome_peers.saturating_sub(OWN_PEERS);
        for newcomer in &newcomers {
            let not = &newcomer.peer;
            let mut peers = Vec::with_capacity(self.config.welcome_peers);
            self.views.sample_active(1, not, &mut self.random, &mut peers);
            self.views
                .sample_passive(OWN_PEERS - peers.len(), not, &mut self.random, &mut peers);
            let crowd = newcomers.len() + self.joining.reservoir.len();
            // Few are sampled out of many: drawing is quicker than walking through all of them.
            for _ in 0..others.min(crowd) {
                let place = self.random.random_range(0..crowd);
                let drawn = newcomers
                    .get(place)
                    .or_else(|| self.joining.reservoir.get(place - newcomers.len()));
                if let Some(drawn) = drawn
                    && drawn.peer != *not
                    && peers.iter().all(|peer| peer.peer != drawn.peer)
                {
                    peers.push(drawn.clone());
                }
            }
            self.send(newcomer.peer, Frame::Welcome { peers });
        }
        for newcomer in newcomers.iter().take(WALKS_MAX) {
            self.walk_newcomer(newcomer, &newcomer.peer, self.config.active_walk, now);
        }
        for newcomer in newcomers {
            self.views.met(newcomer.clone(), now, &mut self.random);
            let reservoir = &mut self.joining.reservoir;
            reservoir.retain(|known| known.peer != newcomer.peer);
            if reservoir.len() >= RESERVOIR_MAX {
                reservoir.swap_remove(self.random.random_range(0..reservoir.len()));
            }
            reservoir.push(newcomer);
        }
        if self.views.active.is_empty() {
            self.refill(now);
        }
    }

    fn walk_newcomer(&mut self, newcomer: &Contact<P>, from: &P, ttl: u8, now: Time) -> bool {
        let _ = now;
        let next = pick(
            self.views
                .active
                .iter()
                .map(|link| link.contact.peer != *from && link.contact.peer != newcomer.peer),
            &mut self.random,
        );
        let Some(next) = next.and_then(|place| self.views.active.get(place)) else {
            return false;
        };
        let frame = Frame::ForwardJoin {
            peer: newcomer.clone(),
            ttl,
        };
        self.send(next.contact.peer, frame);
        true
    }

    pub(crate) fn on_forward_join(&mut self, from: P, peer: Contact<P>, ttl: u8, now: Time) {
        if peer.peer == self.me.peer || peer.address.len() > Contact::<P>::ADDRESS_MAX || !self.walk_allowed(&from, now)
        {
            return;
        }
        let ttl = ttl.min(self.config.active_walk);
        if ttl == self.config.passive_walk {
            self.views.heard_of(peer.clone(), from, &mut self.random);
        }
        if ttl > 0 && self.walk_newcomer(&peer, &from, ttl - 1, now) {
            return;
        }
        self.views.heard_of(peer.clone(), from, &mut self.random);
        let asked = self.requests.iter().any(|request| request.contact.peer == peer.peer);
        if self.views.missing() > 0 && !asked && !self.views.is_linked(&peer.peer) {
            self.ask(peer, Want::Low, now);
        }
    }

    pub(crate) fn on_welcome(&mut self, from: P, peers: Vec<Contact<P>>, now: Time) {
        let Some(place) = self.joining.asked.iter().position(|asked| *asked == from) else {
            // Nobody fills our views unasked.
            return;
        };
        self.joining.asked.swap_remove(place);
        self.joining.pause = self.joining.first_pause;
        if peers.len() < FEW_PEERS
            && let Some(contact) = self.joining.given.iter().find(|contact| contact.peer == from)
        {
            let contact = contact.clone();
            self.views.met(contact, now, &mut self.random);
        }
        for peer in peers.into_iter().take(Config::PEERS_MAX) {
            self.views.heard_of(peer, from, &mut self.random);
        }
        self.refill(now);
        self.release(from);
        if !std::mem::replace(&mut self.joining.welcomed, true) {
            self.mixing.start(now, &self.config);
        }
    }

    /// Peers for somebody who asks for some, at random out of both views.
    pub(crate) fn some_peers(&mut self, active: usize, passive: usize, not: &P) -> Vec<Contact<P>> {
        let mut peers = Vec::with_capacity(active + passive + 1);
        self.views.sample_active(active, not, &mut self.random, &mut peers);
        let links = self.views.active.len();
        // Whoever has few neighbours tells more of its reserve, and the other way round.
        sample(
            self.views.passive.iter().map(|known| &known.contact),
            passive + active.saturating_sub(links),
            not,
            &mut self.random,
            &mut peers,
        );
        peers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::Output;

    #[test]
    fn a_flood_of_joins_fills_no_memory_and_each_is_answered() {
        const FLOOD: usize = 5 * NEWCOMERS_MAX + 10;
        let mut now = Time::from_micros(1_000_000);
        let mut node = Membership::new(Contact::new(0u32), Config::default(), [7; 32], now);
        let mut welcomed = 0;
        for peer in 1..=FLOOD as u32 {
            node.on_join(Contact::new(peer), now);
            assert!(node.joining.newcomers.len() < NEWCOMERS_MAX && node.joining.reservoir.len() <= RESERVOIR_MAX);
            while let Some(output) = node.poll() {
                if let Output::Send {
                    frame: Frame::Welcome { peers },
                    ..
                } = output
                {
                    assert!(!peers.is_empty() && peers.len() <= node.config.welcome_peers);
                    welcomed += 1;
                }
            }
        }
        assert_eq!(node.joining.reservoir.len(), RESERVOIR_MAX);
        assert_eq!((welcomed, node.joining.newcomers.len()), (FLOOD - 10, 10));
        // The rest are answered when they have waited; an honest one among them, too.
        now += node.config.welcome_hold;
        node.handle_timeout(now);
        let last = std::iter::from_fn(|| node.poll()).filter(
            |output| matches!(output, Output::Send { to, frame: Frame::Welcome { .. } } if *to == FLOOD as u32),
        );
        assert_eq!(last.count(), 1);
        assert!(node.joining.newcomers.is_empty() && node.joining.reservoir.len() == RESERVOIR_MAX);
    }
}
