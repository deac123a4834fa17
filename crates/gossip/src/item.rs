//! What is gossiped, as far as the machines need to know it.

use crate::{Author, MessageId};
use bytes::Bytes;

/// A message that was checked: somebody's [`Rules`](crate::Rules) read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its name.
    pub id: MessageId,
    /// Who signed it.
    pub author: Author,
    /// Its place among the author's messages.
    pub sequence: Sequence,
    /// The message as it travels, with its signatures.
    pub body: Bytes,
}

/// The number of a message among its author's.
///
/// Authors of our kind begin at the milliseconds since the Unix epoch times 1024 and count up by one, so a restarted author
/// is never behind itself, and a number tells roughly when it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sequence {
    /// The author signed it.
    Proven(u64),
    /// A relay said so: secure-gossip does not sign it. Never a reason to drop a message.
    Claimed(u64),
}

impl Sequence {
    /// The number, whoever vouches for it.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Proven(number) | Self::Claimed(number) => number,
        }
    }

    /// The number, if the author signed it.
    #[must_use]
    pub const fn proven(self) -> Option<u64> {
        match self {
            Self::Proven(number) => Some(number),
            Self::Claimed(_) => None,
        }
    }
}
