//! Names shortened to eight bytes, differently each time.

use crate::MessageId;

/// Shortens names. What two names have in common after shortening depends on a salt that nobody knows before it is used, so
/// nobody can make messages beforehand whose shortened names collide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shortener([u64; 4]);

/// One step of a generator that turns a counter into unrelated numbers (SplitMix64).
pub(super) const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

impl Shortener {
    pub(super) const fn new(salt: u64) -> Self {
        let a = mix(salt);
        let b = mix(a);
        let c = mix(b);
        Self([a, b, c, mix(c)])
    }

    /// The NH hash of UMAC (RFC 4418, 5.2) over the four words of the name, folded to 64 bits.
    pub(super) fn bytes(&self, name: &[u8; 32]) -> u64 {
        let (words, _) = name.as_chunks::<8>();
        let mut keyed = words
            .iter()
            .zip(self.0)
            .map(|(word, key)| u128::from(u64::from_le_bytes(*word).wrapping_add(key)));
        let mut pair = || Some(keyed.next()?.wrapping_mul(keyed.next()?));
        let sum = pair().unwrap_or_default().wrapping_add(pair().unwrap_or_default());
        (sum >> 64) as u64 ^ sum as u64
    }

    pub(super) fn name(&self, name: &MessageId) -> u64 {
        self.bytes(name.as_bytes())
    }
}
