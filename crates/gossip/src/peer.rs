//! The other end, as the machines name it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{fmt, hash::Hash};

/// What names a peer: a public key on the network, a number of a link or of a simulated node.
pub trait PeerId: Copy + Ord + Hash + fmt::Debug + Send + Sync + 'static {}

impl<T: Copy + Ord + Hash + fmt::Debug + Send + Sync + 'static> PeerId for T {}

/// A peer and what is needed to reach it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact<P> {
    /// Who it is.
    pub peer: P,
    /// Where it is, in the words of the transport: at most [`Contact::ADDRESS_MAX`] bytes, and empty where the name is enough.
    pub address: Bytes,
}

impl<P> Contact<P> {
    /// The longest address that travels, in bytes. Peers tell each other of peers, so a longer one would let a single
    /// message fill the views of strangers with data.
    pub const ADDRESS_MAX: usize = 512;

    /// A peer whose name is enough to reach it.
    pub const fn new(peer: P) -> Self {
        Self {
            peer,
            address: Bytes::new(),
        }
    }
}
