//! Memory of names beyond the history: what was evicted or refused is not taken again.

use super::config::Config;
use crate::{Author, Item, MessageId, Sequence, Time, names::NameMap};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// For how many authors it is remembered up to which number their messages were forgotten. Keys are free, so somebody may
/// fill this; what is lost then is protection from the replay of messages that two tables have forgotten.
const HORIZONS_MAX: usize = 1 << 16;
/// The most refused messages that are remembered, 32 bytes each. Beyond that, refused messages are checked again when they come again.
const REFUSED_MAX: usize = 1 << 14;
/// For how long a refused message is not looked at again. The author may be let in meanwhile, or have room again.
const REFUSED_FOR: Duration = Duration::from_secs(60);

/// Names that are not in the history, yet known.
///
/// Names are remembered in the order of their eviction, and when there is no room for a name with a proven number, for the
/// author the number is remembered up to which nothing more is taken. What aged out with a proven number is too old by that
/// number; its name is remembered all the same, since a relay may take the proof away and send it once more.
#[derive(Debug, Default)]
pub(super) struct Seen {
    evicted: NameMap<MessageId, Option<(Author, u64)>>,
    order: VecDeque<MessageId>,
    horizons: BTreeMap<Author, u64>,
    /// By the hash of all that came, not by name: the name is the sender's word, and does not cover what a relay may
    /// change. A refused message must not hide a sound one of the same name.
    refused: NameMap<[u8; 32], Time>,
    refused_order: VecDeque<[u8; 32]>,
}

impl Seen {
    /// Whether this message was here and is not wanted again.
    pub(super) fn contains(&self, id: &MessageId) -> bool {
        self.evicted.contains_key(id)
    }

    /// Whether just this was refused lately.
    pub(super) fn is_refused(&self, body: &[u8], now: Time) -> bool {
        !self.refused.is_empty() && self.refused.get(&hash(body)).is_some_and(|until| *until > now)
    }

    /// Whether a message that is not known by name is a replay all the same, or too old to tell.
    pub(super) fn is_stale(&self, item: &Item, age: Duration, now: Time) -> bool {
        let Sequence::Proven(number) = item.sequence else {
            return false;
        };
        is_too_old(item, age, now)
            || self
                .horizons
                .get(&item.author)
                .is_some_and(|horizon| number <= *horizon)
    }

    pub(super) fn evicted(&mut self, item: &Item, config: &Config) {
        let proven = item.sequence.proven();
        let line = proven.map(|number| (item.author, number));
        if self.evicted.insert(item.id, line).is_none() {
            self.order.push_back(item.id);
        }
        while self.order.len() > config.memory {
            let Some(id) = self.order.pop_front() else { break };
            if let Some((author, number)) = self.evicted.remove(&id).flatten() {
                if self.horizons.len() >= HORIZONS_MAX && !self.horizons.contains_key(&author) {
                    self.horizons.pop_first();
                }
                let horizon = self.horizons.entry(author).or_default();
                *horizon = number.max(*horizon);
            }
        }
    }

    pub(super) fn refused(&mut self, body: &[u8], now: Time) {
        let hash = hash(body);
        if self.refused.insert(hash, now + REFUSED_FOR).is_none() {
            self.refused_order.push_back(hash);
        }
        while self.refused_order.len() > REFUSED_MAX {
            let Some(hash) = self.refused_order.pop_front() else {
                break;
            };
            self.refused.remove(&hash);
        }
    }
}

fn hash(body: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, body).as_ref());
    bytes
}

/// Whether the proven number of a message says that it is older than what is kept.
fn is_too_old(item: &Item, age: Duration, now: Time) -> bool {
    now.since(super::history::born(item, now)) > age
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn evicted(author: u32, number: u64) -> Item {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&author.to_be_bytes());
        let mut id = key;
        id[4..12].copy_from_slice(&number.to_be_bytes());
        Item {
            id: MessageId::from_bytes(id),
            author: Author::from_bytes(key),
            sequence: Sequence::Proven(number),
            body: Bytes::new(),
        }
    }

    #[test]
    fn memory_ends_at_its_bounds_and_horizons_stand_for_what_is_forgotten() {
        let config = Config {
            memory: 100,
            ..Config::default()
        };
        let mut seen = Seen::default();
        let now = Time::from_micros(1 << 50);
        let recent = now.as_millis() << 10;
        for author in 0..HORIZONS_MAX as u32 + 1000 {
            seen.evicted(&evicted(author, recent), &config);
        }
        assert_eq!(seen.evicted.len(), 100);
        assert_eq!(seen.horizons.len(), HORIZONS_MAX);
        let last_forgotten = evicted(HORIZONS_MAX as u32 + 899, recent);
        assert!(!seen.contains(&last_forgotten.id));
        assert!(seen.is_stale(&last_forgotten, config.history_age, now));
    }

    #[test]
    fn so_many_refused_messages_are_remembered_and_for_so_long() {
        let mut seen = Seen::default();
        let now = Time::from_micros(1);
        for body in 0..REFUSED_MAX as u32 + 1 {
            seen.refused(&body.to_be_bytes(), now);
        }
        assert_eq!(seen.refused.len(), REFUSED_MAX);
        assert!(!seen.is_refused(&[0; 4], now));
        assert!(seen.is_refused(&1u32.to_be_bytes(), now));
        assert!(!seen.is_refused(&1u32.to_be_bytes(), now + REFUSED_FOR));
    }
}
