#![cfg_attr(feature = "secret-file", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "secret-file"),
    doc = "Keys with some features switched off; see the crate page."
)]

#[cfg(feature = "identity")]
mod base64;
#[cfg(feature = "identity")]
pub mod batch;
#[cfg(feature = "identity")]
mod curve;
#[cfg(feature = "identity")]
mod error;
#[cfg(feature = "identity")]
mod identity;
#[cfg(feature = "identity")]
mod network;
#[cfg(feature = "identity")]
mod point;
#[cfg(feature = "identity")]
mod reference;
#[cfg(feature = "identity")]
mod salted;
#[cfg(feature = "secret-file")]
pub mod secret_file;
mod stream_key;
#[cfg(feature = "identity")]
pub mod x25519;

#[cfg(feature = "_check")]
#[doc(hidden)]
pub mod check;

#[cfg(feature = "identity")]
pub use error::{Error, KeyFault};
#[cfg(feature = "identity")]
pub use identity::{KeyPair, PublicKey, SecretKey, Signature};
#[cfg(feature = "identity")]
pub use network::NetworkIdentifier;
#[cfg(feature = "identity")]
pub use reference::{BlobId, CloakedId, FeedId, MessageId};
pub use stream_key::StreamKey;

/// Fills `bytes` from the operating system's randomness.
///
/// # Errors
/// [`Error::NoRandomness`] if the operating system gives none.
#[cfg(feature = "identity")]
pub fn random(bytes: &mut [u8]) -> Result<(), Error> {
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), bytes).map_err(|_| Error::NoRandomness)
}

/// Serialises a type as its text.
#[cfg(feature = "identity")]
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
#[cfg(feature = "identity")]
use text_serde;
