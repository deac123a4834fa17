//! What a handshake hands to a record layer.

use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Key and first nonce of one direction of an encrypted stream.
///
/// A handshake derives two of these, one for each direction; a record layer consumes them. The bytes are
/// erased when the value is dropped and never shown by `Debug`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct StreamKey {
    /// The 32-byte secretbox key.
    pub key: [u8; 32],
    /// The 24-byte nonce of the first box.
    pub nonce: [u8; 24],
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamKey(..)")
    }
}
