//! How much a node shows of itself.

use std::{fmt, str::FromStr};

/// How much a node shows of itself, and what it asks before it speaks: `vis` of HELLO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Visibility {
    /// Anybody may come, and others may be told where it is.
    Public,
    /// Only the allowlist comes in, and nobody is told where it is.
    #[default]
    Private,
    /// As private, and nothing is answered before an invite was shown.
    Stealth,
}

impl Visibility {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Public => 0,
            Self::Private => 1,
            Self::Stealth => 2,
        }
    }

    /// The visibility of a number from the wire.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Public),
            1 => Some(Self::Private),
            2 => Some(Self::Stealth),
            _ => None,
        }
    }
}

impl fmt::Display for Visibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Stealth => "stealth",
        })
    }
}

impl FromStr for Visibility {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "public" => Ok(Self::Public),
            "private" => Ok(Self::Private),
            "stealth" => Ok(Self::Stealth),
            _ => Err(crate::Error::Visibility(text.into())),
        }
    }
}
