//! The seam between the machines and the meaning of messages.

use crate::{Item, Time};
use bytes::Bytes;

/// Who may speak, and what counts as a message. The machines ask; whoever drives them answers.
///
/// For signed messages the answer costs curve arithmetic, so messages are asked about in batches. For simulated nodes it
/// costs nothing.
pub trait Rules<P> {
    /// Reads and checks messages as they arrived, each by itself: the answer has one entry for each body, in their order.
    fn read(&mut self, bodies: &[Bytes], now: Time) -> Vec<Result<Item, Refused>>;

    /// Whether a sound message that is new to this node is taken now.
    ///
    /// Asked once for each, after [`read`](Self::read): what counts messages counts here, so that whoever sends an author's
    /// old messages again uses up nothing of what that author may send.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    fn accepts(&mut self, item: &Item, now: Time) -> Result<(), Refused> {
        let _ = (item, now);
        Ok(())
    }

    /// What this node shows its neighbours to be let in; empty if nothing is asked. At most 1024 bytes.
    fn pass(&self) -> Bytes {
        Bytes::new()
    }

    /// Whether a peer that shows `pass` may be a neighbour.
    fn admits(&mut self, peer: &P, pass: &[u8], now: Time) -> bool {
        let _ = (peer, pass, now);
        true
    }
}

/// Why a message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is not a message, or not signed by whom it says: no honest peer passes such a thing on.
    Forged,
    /// It is sound, but its author may not speak here, or no longer: a peer may not know that yet.
    Unwelcome,
    /// It is sound, but its author sends more than is taken from one author.
    TooMany,
}
