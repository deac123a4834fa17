//! The names of things: 32 bytes each, told apart by their types.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The name with these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes, as they travel.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            /// The first four bytes in hexadecimal: enough to tell the lines of a log apart.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let [a, b, c, d, ..] = self.0;
                write!(f, concat!(stringify!($name), "({:02x}{:02x}{:02x}{:02x}…)"), a, b, c, d)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                serde_bytes::ByteArray::<32>::deserialize(deserializer).map(|bytes| Self(bytes.into_array()))
            }
        }
    };
}

id! {
    /// The name of a message: SHA-256 of its signature and its author's key, so whoever rewrites the unsigned rest of a message
    /// does not make another one of it.
    MessageId
}

id! {
    /// Who signed a message: an Ed25519 public key.
    Author
}

id! {
    /// The name of a topic. Nodes that gossip about one topic form one overlay.
    TopicId
}

id! {
    /// The name of a node in the overlay: the public key that its connections prove. Whether it is the key of anybody is known
    /// once there is a connection; checking each name that peers tell would cost more than telling it.
    NodeId
}

impl From<&handfast_keys::PublicKey> for NodeId {
    fn from(key: &handfast_keys::PublicKey) -> Self {
        Self::from_bytes(*key.as_bytes())
    }
}

impl From<&handfast_keys::PublicKey> for Author {
    fn from(key: &handfast_keys::PublicKey) -> Self {
        Self::from_bytes(*key.as_bytes())
    }
}

impl fmt::Display for Author {
    /// As secure-gossip writes it: `….ed25519`, without `@`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.ed25519", STANDARD.encode(self.0))
    }
}
