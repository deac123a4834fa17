//! Tables by name: hashing what is a hash or a key already.

use std::{
    collections::{HashMap, hash_map, hash_map::RandomState},
    hash::{BuildHasher, Hasher},
};

/// A table by names of 32 bytes: those of messages and of authors.
pub(crate) type NameMap<K, V> = HashMap<K, V, NameState>;
/// An entry of such a table.
pub(crate) type NameEntry<'a, K, V> = hash_map::Entry<'a, K, V>;

/// How many words of 64 bits a name has.
const WORDS: usize = 4;

/// Hashes names under secret keys, each table under its own.
///
/// Each message is looked up in a dozen tables, and the standard hasher takes as long for that as the line takes to be read.
/// This one is Dietzfelbinger's: the upper half of Σ key·word modulo 2^128. Whatever two names somebody chooses who does not
/// know the keys, they fall on the same place with the probability of chance, so nobody can fill one place with many. To learn
/// more of the keys one would have to see hashes, which never leave the table.
#[derive(Clone)]
pub(crate) struct NameState([u128; WORDS]);

impl Default for NameState {
    fn default() -> Self {
        // The standard hasher's keys are the system's randomness; what it makes of numbers cannot be told from random ones.
        let random = RandomState::new();
        let word = |number: usize| u128::from(random.hash_one(number));
        Self(std::array::from_fn(|i| word(2 * i) << 64 | word(2 * i + 1)))
    }
}

impl std::fmt::Debug for NameState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NameState(..)")
    }
}

impl BuildHasher for NameState {
    type Hasher = NameHasher;

    fn build_hasher(&self) -> NameHasher {
        NameHasher { keys: self.0, sum: 0 }
    }
}

/// See [`NameState`].
#[derive(Debug)]
pub(crate) struct NameHasher {
    keys: [u128; WORDS],
    sum: u128,
}

impl Hasher for NameHasher {
    fn write(&mut self, name: &[u8]) {
        let (words, rest) = name.as_chunks::<8>();
        debug_assert!(words.len() == WORDS && rest.is_empty(), "names have 32 bytes");
        for (key, word) in self.keys.iter().zip(words) {
            self.sum = self
                .sum
                .wrapping_add(key.wrapping_mul(u64::from_le_bytes(*word).into()));
        }
    }

    /// The length, which is the same for all names.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        (self.sum >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MessageId;

    #[test]
    fn names_that_differ_in_one_bit_hash_apart_and_each_table_in_its_own_way() {
        let (one, other) = (NameState::default(), NameState::default());
        let mut hashes: Vec<u64> = (0..256)
            .map(|bit| MessageId::from_bytes(std::array::from_fn(|i| u8::from(i == bit / 8) << (bit % 8))))
            .flat_map(|name| [one.hash_one(name), other.hash_one(name)])
            .collect();
        assert_eq!(
            one.hash_one(MessageId::from_bytes([7; 32])),
            one.hash_one(MessageId::from_bytes([7; 32]))
        );
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 512);
    }
}
