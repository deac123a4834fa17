//! The Noise XX handshake, and the ciphers that it ends with.
//!
//! ```text
//!   Initiator                                     Responder
//!     │ message1    ── e ──────────── 32 bytes ──>  │ handle
//!     ▼                                             ▼
//!   AwaitMessage2   <── e, ee, s, es ── 96 bytes   AwaitMessage3
//!     │ handle      ── s, se ──────── 64 bytes ──>  │ handle
//!     ▼                                             ▼
//!   Established { sealer, opener, .. }            Established { sealer, opener, .. }
//! ```
//!
//! Each state is consumed by the message that it awaits. Messages have exactly these lengths: the payloads are empty. What
//! the handshake proves is the X25519 key of the other node and nothing more; who that is, the session asks afterwards.

mod cipher;
mod initiator;
mod responder;
mod schedule;
#[cfg(feature = "standard-noise")]
mod standard;
#[cfg(test)]
mod tests;

pub use cipher::{Opener, Sealer};
pub use initiator::{AwaitMessage2, Initiator};
pub use responder::{AwaitMessage3, Responder};

use handfast_keys::x25519;

/// The first message: the initiator's ephemeral key.
pub const MESSAGE1_LEN: usize = 32;
/// The second message: the responder's ephemeral key, its sealed static key, and the tag of an empty payload.
pub const MESSAGE2_LEN: usize = 96;
/// The third message: the initiator's sealed static key, and the tag of an empty payload.
pub const MESSAGE3_LEN: usize = 64;

/// How keys are derived in the handshake.
///
/// The two do not understand each other and there is no fallback: a network chooses one. Both carry the same name on the
/// tin, `Noise_XX_25519_ChaChaPoly_SHA256`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Suite {
    /// The reference's: HKDF takes the chaining key as its input and the shared secret as its `info`, with an empty salt.
    #[default]
    Snap2p,
    /// Noise as it is specified and proved, by the `snow` crate. No frame is longer than 65,535 bytes with its tag.
    #[cfg(feature = "standard-noise")]
    Standard,
}

/// What a finished handshake leaves.
#[derive(Debug)]
pub struct Established {
    /// Seals what is sent.
    pub sealer: Sealer,
    /// Opens what is received.
    pub opener: Opener,
    /// The X25519 key that the other node has proved to hold.
    pub remote_static: x25519::PublicKey,
    /// A name of this very handshake, the same at both ends and of no use to others.
    pub handshake_hash: [u8; 32],
}
