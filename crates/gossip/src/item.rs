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
/// is never behind itself; one whose count falls hours behind the clock jumps to it, so a number tells roughly when it was
/// given. See [`following`](Self::following).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sequence {
    /// The author signed it.
    Proven(u64),
    /// A relay said so: secure-gossip does not sign it. Never a reason to drop a message.
    Claimed(u64),
}

impl Sequence {
    /// How far an author's numbers may lag behind the clock before they jump to it. A tenth of the age that histories keep by
    /// default, so a number tells well enough how old a message is.
    pub const LAG_MAX: std::time::Duration = std::time::Duration::from_secs(2 * 60 * 60);

    /// The number for an author's next message, after `last`: one more, so that the numbers of a session are dense and
    /// catch-up names them in a few bytes; the clock's, for the first and where counting has fallen behind by
    /// [`LAG_MAX`](Self::LAG_MAX).
    #[must_use]
    pub const fn following(last: Option<u64>, now: crate::Time) -> u64 {
        let clock = now.as_millis().saturating_mul(1024);
        let lag = (Self::LAG_MAX.as_millis() as u64).saturating_mul(1024);
        match last {
            Some(last) if last.saturating_add(lag) >= clock => last.saturating_add(1),
            _ => clock,
        }
    }

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
