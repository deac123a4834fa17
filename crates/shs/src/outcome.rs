//! What a finished handshake leaves behind.

use handfast_keys::{PublicKey, StreamKey};

/// The proven identity of the peer, and the keys of the two streams that follow.
///
/// Feed `encrypt` and `decrypt` to a record layer, such as the box stream of `handfast-boxstream`. They are erased
/// when dropped, and `Debug` does not show them.
#[derive(Debug)]
pub struct Outcome {
    /// Who the peer is: it holds the secret half of this key.
    pub peer: PublicKey,
    /// Key and first nonce for what we send.
    pub encrypt: StreamKey,
    /// Key and first nonce for what we receive.
    pub decrypt: StreamKey,
}
