//! How much one author or one link may send, and tables that forget.

use crate::{Time, names::NameMap};
use serde::{Deserialize, Serialize};
use std::hash::Hash;

/// So much a second, and so much at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many a second in the long run.
    pub per_second: u32,
    /// How many at once after a silence. At least 1 lets anything through at all.
    pub burst: u32,
}

/// How much of a [`Rate`] is left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// Millionths, so that no refill is rounded away.
    tokens: u64,
    filled: Time,
}

impl Bucket {
    const ONE: u64 = 1_000_000;

    pub(crate) fn full(rate: Rate, now: Time) -> Self {
        Self {
            tokens: u64::from(rate.burst) * Self::ONE,
            filled: now,
        }
    }

    /// Takes one; whether there was one.
    pub(crate) fn take(&mut self, rate: Rate, now: Time) -> bool {
        let micros = u64::try_from(now.since(self.filled).as_micros()).unwrap_or(u64::MAX);
        self.tokens = self
            .tokens
            .saturating_add(micros.saturating_mul(u64::from(rate.per_second)))
            .min(u64::from(rate.burst) * Self::ONE);
        self.filled = self.filled.max(now);
        let taken = self.tokens >= Self::ONE;
        if taken {
            self.tokens -= Self::ONE;
        }
        taken
    }
}

/// A table by names of what was of use lately: at most `2 × half` entries, of which the ones not asked for in the longest time are
/// forgotten, half a table at a time.
///
/// Names are free, so whatever is kept for each of them needs such a bound.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    half: usize,
    young: NameMap<K, V>,
    old: NameMap<K, V>,
}

impl<K: Eq + Hash + Copy, V> Recent<K, V> {
    pub(crate) fn new(half: usize) -> Self {
        Self {
            half,
            young: NameMap::default(),
            old: NameMap::default(),
        }
    }

    /// What is kept under `key`, which counts as use.
    pub(crate) fn get(&mut self, key: &K) -> Option<&mut V> {
        if let Some(value) = self.old.remove(key) {
            self.insert(*key, value);
        }
        self.young.get_mut(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    /// What is kept under `key`, made if there is nothing.
    pub(crate) fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        if let Some(value) = self.old.remove(&key) {
            self.insert(key, value);
        } else if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.entry(key).or_insert_with(make)
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let rate = Rate {
            per_second: 2,
            burst: 3,
        };
        let start = Time::from_micros(5_000_000);
        let mut bucket = Bucket::full(rate, start);
        assert_eq!((0..5).filter(|_| bucket.take(rate, start)).count(), 3);
        assert!(!bucket.take(rate, start + Duration::from_millis(499)));
        assert!(bucket.take(rate, start + Duration::from_millis(500)));
        assert_eq!(
            (0..9)
                .filter(|_| bucket.take(rate, start + Duration::from_secs(60)))
                .count(),
            3
        );
    }

    #[test]
    fn a_table_forgets_what_is_not_used_and_keeps_what_is() {
        let mut table = Recent::new(4);
        table.insert([0_u8; 32], "kept");
        for key in 1..100 {
            assert_eq!(table.get(&[0; 32]), Some(&mut "kept"));
            table.get_or_insert_with([key; 32], || "fleeting");
            assert!(table.len() <= 8);
        }
        assert_eq!(table.get(&[1; 32]), None);
    }
}
