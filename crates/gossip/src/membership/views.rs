//! Whom a node knows: neighbours, peers in reserve, and a memory beyond.

use crate::{
    Contact, PeerId, Time,
    membership::{Config, roundtrip::RoundTrips},
};
use rand::{Rng, RngExt};
use std::time::Duration;

/// A link to a neighbour.
#[derive(Clone, Debug)]
pub(crate) struct Link<P> {
    pub(crate) contact: Contact<P>,
    pub(crate) since: Time,
    pub(crate) heard: Time,
    /// When to look after it next.
    pub(crate) check: Time,
    /// To be asked at the next check though it is not idle.
    pub(crate) ask: bool,
    /// Pings since it was heard.
    pub(crate) pings: u32,
    pub(crate) trips: RoundTrips,
    /// Silent for so long that a replacement is sought.
    pub(crate) suspect: bool,
    /// Messages come or go over it: it is given up last.
    pub(crate) carries: bool,
}

/// A peer that is no neighbour.
#[derive(Clone, Debug)]
pub(crate) struct Known<P> {
    pub(crate) contact: Contact<P>,
    /// Who told of it; none if it was met.
    pub(crate) source: Option<P>,
    /// How often in a row it did not answer.
    pub(crate) failures: u8,
    /// Not to be asked before.
    pub(crate) rest_until: Time,
}

/// Invariant: no view holds this node itself or a peer twice, no peer is in two views, and none is larger than configured.
#[derive(Clone, Debug)]
pub(crate) struct Views<P> {
    me: P,
    active_max: usize,
    passive_max: usize,
    memory_max: usize,
    pub(crate) active: Vec<Link<P>>,
    pub(crate) passive: Vec<Known<P>>,
    pub(crate) memory: Vec<Known<P>>,
}

/// The share of the passive view that may come from one peer: a third. Somebody who floods a node with peers of his own
/// fills that much and then replaces his own.
const SOURCE_SHARE: usize = 3;

/// After this many attempts in a row without an answer a peer is forgotten. With a fifth of all frames lost, one in three
/// attempts at a living peer fails; six in a row do in one case of a thousand.
const FAILURES_MAX: u8 = 6;

/// How long a peer that did not answer is left alone; doubles with each failure, up to eight times as long.
const FAILURE_REST: Duration = Duration::from_secs(2);

impl<P: PeerId> Views<P> {
    pub(crate) const fn new(me: P, config: &Config) -> Self {
        Self {
            me,
            active_max: config.active,
            passive_max: config.passive,
            memory_max: config.memory,
            active: Vec::new(),
            passive: Vec::new(),
            memory: Vec::new(),
        }
    }

    pub(crate) fn link(&self, peer: &P) -> Option<&Link<P>> {
        self.active.iter().find(|link| link.contact.peer == *peer)
    }

    pub(crate) fn link_mut(&mut self, peer: &P) -> Option<&mut Link<P>> {
        self.active.iter_mut().find(|link| link.contact.peer == *peer)
    }

    pub(crate) fn is_linked(&self, peer: &P) -> bool {
        self.link(peer).is_some()
    }

    /// How many neighbours are missing; suspects count as missing.
    pub(crate) fn missing(&self) -> usize {
        let sound = self.active.iter().filter(|link| !link.suspect).count();
        self.active_max.saturating_sub(sound)
    }

    pub(crate) const fn has_room(&self) -> bool {
        self.active.len() < self.active_max
    }

    pub(crate) fn add_link(&mut self, contact: Contact<P>, now: Time) {
        self.take(&contact.peer);
        self.active.push(Link {
            contact,
            since: now,
            heard: now,
            // How long it takes to answer is measured at once: nothing else tells how long its silence means nothing.
            check: now,
            ask: true,
            pings: 0,
            trips: RoundTrips::default(),
            suspect: false,
            carries: false,
        });
    }

    pub(crate) fn remove_link(&mut self, peer: &P) -> Option<Link<P>> {
        let place = self.active.iter().position(|link| link.contact.peer == *peer)?;
        Some(self.active.remove(place))
    }

    pub(crate) fn known(&self, peer: &P) -> Option<&Known<P>> {
        self.passive
            .iter()
            .chain(&self.memory)
            .find(|known| known.contact.peer == *peer)
    }

    fn known_mut(&mut self, peer: &P) -> Option<&mut Known<P>> {
        self.passive
            .iter_mut()
            .chain(&mut self.memory)
            .find(|known| known.contact.peer == *peer)
    }

    fn take(&mut self, peer: &P) -> Option<Known<P>> {
        for view in [&mut self.passive, &mut self.memory] {
            if let Some(place) = view.iter().position(|known| known.contact.peer == *peer) {
                return Some(view.swap_remove(place));
            }
        }
        None
    }

    /// Forgets a peer that is no neighbour.
    pub(crate) fn forget(&mut self, peer: &P) {
        self.take(peer);
    }

    /// A peer was met: it answers at this address.
    pub(crate) fn met(&mut self, contact: Contact<P>, rest_until: Time, random: &mut impl Rng) {
        if contact.peer == self.me || self.is_linked(&contact.peer) {
            return;
        }
        self.take(&contact.peer);
        self.reserve(
            Known {
                contact,
                source: None,
                failures: 0,
                rest_until,
            },
            random,
        );
    }

    /// Somebody told of a peer. What is known already is not changed: only a peer itself says where it is.
    pub(crate) fn heard_of(&mut self, contact: Contact<P>, source: P, random: &mut impl Rng) {
        let peer = contact.peer;
        if peer == self.me
            || contact.address.len() > Contact::<P>::ADDRESS_MAX
            || self.is_linked(&peer)
            || self.passive.iter().any(|known| known.contact.peer == peer)
        {
            return;
        }
        let known = self.take(&peer).unwrap_or(Known {
            contact,
            source: Some(source),
            failures: 0,
            rest_until: Time::default(),
        });
        self.reserve(known, random);
    }

    /// Puts a peer into the passive view; whom it displaces goes into the memory.
    fn reserve(&mut self, known: Known<P>, random: &mut impl Rng) {
        let share = (self.passive_max / SOURCE_SHARE).max(1);
        let same = |other: &Known<P>| known.source.is_some() && other.source == known.source;
        let victim = if self.passive.iter().filter(|other| same(other)).count() >= share {
            pick(self.passive.iter().map(same), random)
        } else if self.passive.len() >= self.passive_max {
            pick(self.passive.iter().map(|_| true), random)
        } else {
            None
        };
        if let Some(place) = victim {
            let displaced = self.passive.swap_remove(place);
            self.remember(displaced, random);
        }
        if self.passive.len() < self.passive_max {
            self.passive.push(known);
        } else {
            self.remember(known, random);
        }
    }

    /// Half of the memory is for peers that were met, so that no flood of names drives them out.
    fn remember(&mut self, known: Known<P>, random: &mut impl Rng) {
        let met = known.source.is_none();
        let same = |other: &Known<P>| other.source.is_none() == met;
        if self.memory.iter().filter(|other| same(other)).count() >= self.memory_max / 2
            && let Some(place) = pick(self.memory.iter().map(same), random)
        {
            self.memory.swap_remove(place);
        }
        if self.memory.len() < self.memory_max {
            self.memory.push(known);
        }
    }

    /// A peer did not answer. It rests, and after some times it is forgotten.
    pub(crate) fn failed(&mut self, peer: &P, now: Time) {
        if let Some(known) = self.known_mut(peer) {
            known.failures += 1;
            known.rest_until = now + FAILURE_REST * (1 << known.failures.min(3));
            if known.failures >= FAILURES_MAX {
                self.take(peer);
            }
        }
    }

    /// A peer answered, but not with a link.
    pub(crate) fn rest(&mut self, peer: &P, until: Time) {
        if let Some(known) = self.known_mut(peer) {
            known.failures = 0;
            known.rest_until = until;
        }
    }

    /// Somebody to ask: at random out of the reserve, or out of the memory if nobody there is rested.
    pub(crate) fn candidate(&self, now: Time, not: impl Fn(&P) -> bool, random: &mut impl Rng) -> Option<Contact<P>> {
        [&self.passive, &self.memory].into_iter().find_map(|view| {
            let rested = |known: &Known<P>| known.rest_until <= now && !not(&known.contact.peer);
            let place = pick(view.iter().map(rested), random)?;
            view.get(place).map(|known| known.contact.clone())
        })
    }

    /// When somebody to ask is rested.
    pub(crate) fn next_rested(&self) -> Option<Time> {
        self.passive
            .iter()
            .chain(&self.memory)
            .map(|known| known.rest_until)
            .min()
    }

    pub(crate) fn sample_active(&self, count: usize, not: &P, random: &mut impl Rng, into: &mut Vec<Contact<P>>) {
        sample(self.active.iter().map(|link| &link.contact), count, not, random, into);
    }

    pub(crate) fn sample_passive(&self, count: usize, not: &P, random: &mut impl Rng, into: &mut Vec<Contact<P>>) {
        sample(
            self.passive.iter().map(|known| &known.contact),
            count,
            not,
            random,
            into,
        );
    }
}

/// One of the places that are marked, at random.
pub(crate) fn pick(marks: impl Iterator<Item = bool>, random: &mut impl Rng) -> Option<usize> {
    let mut chosen = None;
    let mut seen = 0_u32;
    for (place, marked) in marks.enumerate() {
        if marked {
            seen += 1;
            if random.random_range(0..seen) == 0 {
                chosen = Some(place);
            }
        }
    }
    chosen
}

/// Adds up to `count` of `contacts` at random, each with the same chance.
pub(crate) fn sample<'a, P: PeerId>(
    contacts: impl Iterator<Item = &'a Contact<P>>,
    count: usize,
    not: &P,
    random: &mut impl Rng,
    into: &mut Vec<Contact<P>>,
) {
    let first = into.len();
    for (seen, contact) in contacts.filter(|contact| contact.peer != *not).enumerate() {
        if into.len() < first + count {
            into.push(contact.clone());
        } else if let Some(place) = into.get_mut(first + random.random_range(0..=seen)) {
            *place = contact.clone();
        }
    }
}
