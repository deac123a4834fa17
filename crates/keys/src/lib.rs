#![doc = include_str!("../README.md")]

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
