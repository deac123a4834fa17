//! What a node knows of the members of a closed topic.

use super::{
    Topic,
    certificate::{Revocation, Short},
};
use crate::{Error, Time, limits::Recent};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How many members' certificates are remembered as checked. Only what the owner has signed gets here; beyond this, those are
/// forgotten that were not asked about in the longest time, and checked again when they are shown again. Neighbours are asked
/// about all the time, so none is put out because a topic has many authors.
pub const MAX_CERTIFICATES: usize = 4096;
/// How many revocations are kept. Only the owner makes them, and each is forgotten after
/// [`MAX_LIFETIME`](super::MAX_LIFETIME); beyond this, the oldest goes first.
pub const MAX_REVOCATIONS: usize = 16_384;
/// How often revocations are looked through for those that can be forgotten.
const PURGE: Duration = Duration::from_secs(3600);

/// Who is in a topic, as far as this node knows. Cheap to clone: the topic's rules and whoever drives them share it.
#[derive(Clone)]
pub struct Members {
    topic: Topic,
    state: Arc<Mutex<State>>,
}

struct State {
    /// The newest certificate of each key that the owner has really signed.
    certificates: Recent<[u8; 32], Short>,
    /// The revocations of each key, by their time. A certificate is taken back by the first after it was issued; a later one, for
    /// a later certificate or merely to be sure, does not give it back the time between.
    revocations: BTreeMap<([u8; 32], u64), Revocation>,
    purged: Time,
}

impl Members {
    /// Knows nobody but the owner yet.
    #[must_use]
    pub fn new(topic: Topic) -> Self {
        Self {
            topic,
            state: Arc::new(Mutex::new(State {
                certificates: Recent::new(MAX_CERTIFICATES / 2),
                revocations: BTreeMap::new(),
                purged: Time::default(),
            })),
        }
    }

    /// The topic.
    #[must_use]
    pub const fn topic(&self) -> &Topic {
        &self.topic
    }

    /// Takes a revocation from wherever it came. Tells whether it was news: then others may not know it either.
    ///
    /// # Errors
    /// [`Error::Certificate`] if the owner of this topic has not signed it.
    pub fn revoke(&self, revocation: Revocation, now: Time) -> Result<bool, Error> {
        // Looked up before it is checked: known ones come again and again, from each neighbour.
        let key = (*revocation.member(), revocation.at());
        if revocation.is_spent(now) || self.state().revocations.contains_key(&key) {
            return Ok(false);
        }
        revocation.verify(&self.topic)?;
        let mut state = self.state();
        if now.since(state.purged) >= PURGE || state.revocations.len() >= MAX_REVOCATIONS {
            state.purged = now;
            state.revocations.retain(|_, revocation| !revocation.is_spent(now));
        }
        state.revocations.insert(key, revocation);
        if state.revocations.len() > MAX_REVOCATIONS {
            let oldest = state.revocations.keys().min_by_key(|(_, at)| *at).copied();
            let oldest = oldest.unwrap_or(key);
            state.revocations.remove(&oldest);
            // What is not kept is no news: nodes that are full would tell it to each other for ever.
            return Ok(oldest != key);
        }
        Ok(true)
    }

    /// The revocations, for a node that may not know them.
    #[must_use]
    pub fn revocations(&self) -> Vec<Revocation> {
        self.state().revocations.values().copied().collect()
    }

    /// Until when this key may be a neighbour, as far as is known: `None` if it may not.
    ///
    /// In an open topic, and for the owner, that is for ever.
    #[must_use]
    pub fn stays_until(&self, key: &[u8; 32], now: Time) -> Option<Time> {
        const FOR_EVER: Time = Time::from_micros(u64::MAX);
        if self.is_above(key) {
            return Some(FOR_EVER);
        }
        let mut state = self.state();
        let certificate = *state.certificates.get(key)?;
        (certificate.expires >= now.as_millis() && !state.takes_back(key, &certificate, now.as_millis()))
            .then(|| Time::from_micros(certificate.expires.saturating_mul(1000)))
    }

    /// Whether this key needs no certificate.
    pub(super) fn is_above(&self, key: &[u8; 32]) -> bool {
        self.topic.owner().is_none_or(|owner| owner.as_bytes() == key)
    }

    /// Whether a certificate that somebody shows is this key's, and remembers it then.
    pub(super) fn is_certified(&self, key: &[u8; 32], shown: &Short) -> bool {
        let known = self.state().certificates.get(key).copied();
        if known.as_ref() == Some(shown) {
            return true;
        }
        // The lock is free while curves are computed.
        let owner = self.topic.owner();
        if !owner.is_some_and(|owner| shown.is_signed(owner, &self.topic.id(), key)) {
            return false;
        }
        if known.is_none_or(|known| known.issued <= shown.issued) {
            self.state().certificates.insert(*key, *shown);
        }
        true
    }

    /// Whether a certificate lets its key speak at this moment, in milliseconds since the Unix epoch.
    pub(super) fn may_speak(&self, key: &[u8; 32], certificate: &Short, at: u64) -> bool {
        certificate.expires >= at && !self.state().takes_back(key, certificate, at)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn takes_back(&self, key: &[u8; 32], certificate: &Short, at: u64) -> bool {
        let revocation = self
            .revocations
            .range((*key, certificate.issued)..=(*key, u64::MAX))
            .next();
        revocation.is_some_and(|(_, revocation)| at > revocation.at())
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Members")
            .field("topic", &self.topic)
            .field("certificates", &state.certificates.len())
            .field("revocations", &state.revocations.len())
            .finish()
    }
}
