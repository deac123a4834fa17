//! The rules of simulated nodes.

use super::body;
use crate::{Item, Refused, Rules, Sequence, Time};
use bytes::Bytes;

/// What simulated nodes take for a message: a body that tells its author and number, and a checksum in place of a signature.
/// One that was changed on the way is forged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimRules;

impl SimRules {
    /// A message of `len` bytes, or of as many as it needs.
    #[must_use]
    pub fn item(author: u32, sequence: Sequence, len: usize) -> Item {
        body::write(author, sequence.number(), sequence, len)
    }
}

impl<P> Rules<P> for SimRules {
    fn read(&mut self, bodies: &[Bytes], _now: Time) -> Vec<Result<Item, Refused>> {
        bodies.iter().map(body::read).collect()
    }
}
