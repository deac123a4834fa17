//! Principals: `stacks:` and a c32check address.

use crate::Error;
use std::{fmt, str::FromStr};

/// Which of the Stacks networks an address belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Network {
    /// Addresses that begin with `SP`.
    #[default]
    Mainnet,
    /// Addresses that begin with `ST`.
    Testnet,
}

impl Network {
    /// The version in the addresses of single keys.
    #[must_use]
    pub const fn version(self) -> u8 {
        match self {
            Self::Mainnet => 22,
            Self::Testnet => 26,
        }
    }
}

/// A Stacks address: the hash of a public key, with a version that tells the network.
///
/// As text it is c32check: `S`, the version, and the hash with a checksum of 4 bytes. Every leading zero byte makes the text
/// shorter, so most have 41 characters, a quarter 40, and one in 240 fewer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    version: u8,
    hash: [u8; 20],
}

impl Address {
    /// The address of a hash.
    ///
    /// # Errors
    /// [`Error::Principal`] for a version that c32check cannot tell: 32 and above.
    pub fn new(version: u8, hash: [u8; 20]) -> Result<Self, Error> {
        if version >= 32 {
            return Err(Error::Principal {
                text: format!("version {version}"),
                why: "versions are below 32".into(),
            });
        }
        Ok(Self { version, hash })
    }

    /// The version: 22 and 26 are single keys.
    #[must_use]
    pub const fn version(&self) -> u8 {
        self.version
    }

    /// RIPEMD-160 of SHA-256 of the compressed public key.
    #[must_use]
    pub const fn hash(&self) -> &[u8; 20] {
        &self.hash
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("S")?;
        f.write_str(&c32::encode_check(self.hash, self.version).unwrap_or_default())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::Principal {
            text: text.chars().take(64).collect(),
            why: why.into(),
        };
        let rest = text.strip_prefix('S').ok_or_else(|| wrong("addresses begin with S"))?;
        let (hash, version) = c32::decode_check(rest).map_err(|_| wrong("a letter is mistyped"))?;
        let hash = hash
            .try_into()
            .map_err(|_| wrong("its length is not that of an address"))?;
        Self::new(version, hash)
    }
}

/// Who somebody is: the address of a wallet, as `stacks:SP…`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal(pub Address);

impl Principal {
    /// The address.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.0
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stacks:{}", self.0)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Principal {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let address = text.strip_prefix("stacks:").ok_or_else(|| Error::Principal {
            text: text.chars().take(64).collect(),
            why: "principals begin with stacks:, such as stacks:SP…".into(),
        })?;
        address.parse().map(Self)
    }
}
