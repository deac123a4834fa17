//! The identifier of a network.

use crate::{base64, error::Error, text_serde};
use std::{fmt, str::FromStr};

/// The 32 bytes that separate one network from another, known as *app key*, *caps.shs* or *network key*.
///
/// Two peers with different identifiers cannot complete a handshake, and learn nothing of each other. For a closed
/// network draw one with [`NetworkIdentifier::generate`] and give it to the members only: treat it as a shared
/// secret then.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NetworkIdentifier([u8; 32]);

impl NetworkIdentifier {
    /// The main SSB network.
    pub const MAIN: Self = Self([
        0xd4, 0xa1, 0xcb, 0x88, 0xa6, 0x6f, 0x02, 0xf8, 0xdb, 0x63, 0x5c, 0xe2, 0x64, 0x41, 0xcc, 0x5d, 0xac, 0x1b,
        0x08, 0x42, 0x0c, 0xea, 0xac, 0x23, 0x08, 0x39, 0xb7, 0x55, 0x84, 0x5a, 0x9f, 0xfb,
    ]);

    /// The identifier with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A new network, from the operating system's randomness.
    ///
    /// # Errors
    /// [`Error::NoRandomness`] if the operating system gives none.
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = [0; 32];
        crate::random(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Default for NetworkIdentifier {
    fn default() -> Self {
        Self::MAIN
    }
}

/// Prints the base64 text, as in a `caps.shs` configuration.
impl fmt::Display for NetworkIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64::encode(&self.0))
    }
}

/// Shows that it is one, not which: the identifier of a closed network is a shared secret.
impl fmt::Debug for NetworkIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::MAIN {
            "NetworkIdentifier::MAIN"
        } else {
            "NetworkIdentifier(..)"
        })
    }
}

impl FromStr for NetworkIdentifier {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        base64::decode(text).map(Self).ok_or(Error::Malformed {
            expected: "network identifier",
            why: "32 bytes in base64 are wanted, 44 characters that end in =",
        })
    }
}

text_serde!(NetworkIdentifier);
