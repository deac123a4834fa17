//! Who a peer is and which network it is on: Ed25519 identities, network identifiers, SSB references, and the SSB
//! secret file.
//!
//! ```text
//!   32-byte seed ──> SecretKey ──> KeyPair ──┬─ sign ─────────> Signature
//!        ▲                           │       └─ agreement ────> x25519::SecretKey ── agree ──> shared secret
//!   secret file (0600)               ▼                                    ▲
//!                                PublicKey ───── to_x25519 ────> x25519::PublicKey
//!                                    ▲
//!   a peer's 32 bytes ── check ──────┘   refused: no point, not canonical, small order, mixed order
//! ```
//!
//! ```
//! use handfast_keys::{KeyPair, NetworkIdentifier, PublicKey};
//!
//! let alice = KeyPair::generate()?;
//! let signature = alice.sign(b"kia ora")?;
//!
//! let heard: PublicKey = alice.public().to_string().parse()?;     // @….ed25519
//! assert!(heard.verify(b"kia ora", &signature));
//!
//! assert_eq!(NetworkIdentifier::MAIN.to_string(), "1KHLiKZvAvjbY1ziZEHMXawbCEIM6qwjCDm3VYRan/s=");
//! # Ok::<(), handfast_keys::Error>(())
//! ```
//!
//! # Which keys are refused
//! A [`PublicKey`] exists only for the canonical encoding of a point in the prime-order subgroup. That is the set
//! with which a handshake against libsodium, and so against the JavaScript peers, can succeed. Because the type
//! carries the proof, no later code has to ask.
//!
//! # Which library computes
//! Curve operations come from aws-lc-rs behind one small file, `curve.rs`; point checks from curve25519-dalek;
//! hashes and randomness from ring. `docs/benchmarks.md` has the measurement that decided.

mod base64;
mod curve;
mod error;
mod identity;
mod network;
mod point;
mod reference;
pub mod secret_file;
mod stream_key;
pub mod x25519;

#[cfg(feature = "_check")]
#[doc(hidden)]
pub mod check;

pub use error::{Error, KeyFault};
pub use identity::{KeyPair, PublicKey, SecretKey, Signature};
pub use network::NetworkIdentifier;
pub use reference::{BlobId, CloakedId, FeedId, MessageId};
pub use stream_key::StreamKey;

/// Fills `bytes` from the operating system's randomness.
///
/// # Errors
/// [`Error::NoRandomness`] if the operating system gives none.
pub fn random(bytes: &mut [u8]) -> Result<(), Error> {
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), bytes).map_err(|_| Error::NoRandomness)
}

/// Serialises a type as its text.
macro_rules! text_serde {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
use text_serde;
