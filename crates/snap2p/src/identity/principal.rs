//! Principals: `stacks:` and a c32check address.

use crate::{Error, shown::steers_a_terminal};
use ring::digest::{SHA256, digest};
use ripemd::{Digest, Ripemd160};
use std::{fmt, str::FromStr};

/// What c32 is written in.
const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// The fewest letters behind `S` and the version: each of the 20 bytes of a hash and the 4 of a checksum has one at least.
/// Invariant: `c32::decode_check` panics where fewer than 4 bytes come out, so it only gets texts of this length and more in
/// letters of the alphabet; those that it takes for others could stand for no byte at all.
const LETTERS_MIN: usize = 24;
/// The most letters there: 24 bytes in letters of 5 bits.
const LETTERS_MAX: usize = 39;

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

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mainnet => "mainnet",
            Self::Testnet => "testnet",
        })
    }
}

/// A Stacks address: the hash of a public key, with a version that tells the network.
///
/// As text it is c32check: `S`, the version, and the hash with a checksum of 4 bytes. Every leading zero byte makes the text
/// shorter, so most have 41 characters, a quarter 40, and one in 240 fewer. Letters that c32 elsewhere takes for others
/// (`O` for `0`, `I` and `L` for `1`, lower case) are refused: an address has one spelling.
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

    /// The address of a compressed public key.
    #[must_use]
    pub fn of(public: &[u8; 33], network: Network) -> Self {
        Self {
            version: network.version(),
            hash: Ripemd160::digest(digest(&SHA256, public)).into(),
        }
    }

    /// The version: 22 and 26 are single keys.
    #[must_use]
    pub const fn version(&self) -> u8 {
        self.version
    }

    /// The network, if this is the address of a single key: only those can attest node keys.
    #[must_use]
    pub const fn network(&self) -> Option<Network> {
        match self.version {
            22 => Some(Network::Mainnet),
            26 => Some(Network::Testnet),
            _ => None,
        }
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
        f.write_str(&c32::encode_check(self.hash, self.version).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Address {
    type Err = Error;

    /// # Errors
    /// [`Error::Principal`].
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::Principal {
            text: shortened(text),
            why: why.into(),
        };
        let rest = text
            .strip_prefix('S')
            .ok_or_else(|| wrong("addresses begin with S, such as SP1THW…"))?;
        if rest.contains('.') {
            return Err(wrong("it names a contract; leave away what follows the dot"));
        }
        if !rest.bytes().all(|letter| ALPHABET.contains(&letter)) {
            return Err(wrong("addresses are written in capital letters without O, I, L and U"));
        }
        if !(LETTERS_MIN + 1..=LETTERS_MAX + 1).contains(&rest.len()) {
            return Err(wrong("its length is not that of an address; most have 41 characters"));
        }
        let (hash, version) =
            c32::decode_check(rest).map_err(|_| wrong("its checksum is wrong, so a letter is mistyped"))?;
        let hash = hash
            .try_into()
            .map_err(|_| wrong("its length is not that of an address"))?;
        let address = Self::new(version, hash)?;
        match address.to_string() == text {
            true => Ok(address),
            false => Err(wrong("it is not written as short as it could be")),
        }
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

    /// The network, if this is a single key: only those can be peers.
    #[must_use]
    pub const fn network(&self) -> Option<Network> {
        self.0.network()
    }

    /// Whether the TypeScript reference takes this principal: it knows only addresses of 40 or 41 characters, and one wallet
    /// in 240 has a shorter one. Those are good everywhere else.
    #[must_use]
    pub fn is_taken_by_the_reference(&self) -> bool {
        matches!(self.0.to_string().len(), 40 | 41)
    }
}

impl From<Address> for Principal {
    fn from(address: Address) -> Self {
        Self(address)
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

    /// # Errors
    /// [`Error::Principal`].
    fn from_str(text: &str) -> Result<Self, Error> {
        let address = text.strip_prefix("stacks:").ok_or_else(|| Error::Principal {
            text: shortened(text),
            why: "principals begin with stacks:, such as stacks:SP1THW…".into(),
        })?;
        address.parse().map(Self)
    }
}

/// The beginning of a text from anywhere, without what moves a terminal's cursor.
fn shortened(text: &str) -> String {
    text.chars()
        .take(64)
        .map(|c| if steers_a_terminal(c) { '\u{fffd}' } else { c })
        .collect()
}
