//! Who an address is for.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// From where an address can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// From this machine only.
    Device,
    /// From the local network. The name that configurations use most.
    Local,
    /// From the local network: another name for the same addresses. As in the original, what listens for one of the two
    /// names is not listed under the other.
    Private,
    /// From the internet.
    Public,
}

impl Scope {
    /// All of them, the narrowest first.
    pub const ALL: [Self; 4] = [Self::Device, Self::Local, Self::Private, Self::Public];

    /// As configurations write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Local => "local",
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no such scope; the scopes are device, local, private and public")]
#[non_exhaustive]
pub struct NoSuchScope;

impl FromStr for Scope {
    type Err = NoSuchScope;

    fn from_str(text: &str) -> Result<Self, NoSuchScope> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or(NoSuchScope)
    }
}

/// A set of scopes. Read from one name or a list of them, as configurations have both.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// No scope.
    pub const NONE: Self = Self(0);

    /// Every scope.
    #[must_use]
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    const fn bit(scope: Scope) -> u8 {
        1 << scope as u8
    }

    /// Whether `scope` is one of them.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & Self::bit(scope) != 0
    }

    /// The set with one more.
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | Self::bit(scope))
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in the set, the narrowest first.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }

    /// Whether nothing beyond this machine is meant.
    #[must_use]
    pub fn is_device_only(self) -> bool {
        self == Self::from(Scope::Device)
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self(Self::bit(scope))
    }
}

impl<const N: usize> From<[Scope; N]> for Scopes {
    fn from(scopes: [Scope; N]) -> Self {
        scopes.into_iter().collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, scope) in self.iter().enumerate() {
            write!(f, "{}{scope}", if number > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(OneOrMany::<Scope>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// What configurations write as one value or as a list.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> IntoIterator for OneOrMany<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
        .into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_and_a_list_are_read() {
        assert_eq!(
            serde_json::from_str::<Scopes>(r#""device""#).unwrap(),
            Scope::Device.into()
        );
        let some: Scopes = serde_json::from_str(r#"["public","device","public"]"#).unwrap();
        assert_eq!(some, [Scope::Device, Scope::Public].into());
        assert_eq!(serde_json::to_string(&some).unwrap(), r#"["device","public"]"#);
        assert!(serde_json::from_str::<Scopes>(r#""world""#).is_err());
    }

    #[test]
    fn sets_hold_what_was_put_in() {
        for scope in Scope::ALL {
            assert_eq!(scope.to_string().parse(), Ok(scope));
            assert!(Scopes::all().contains(scope));
            assert!(!Scopes::NONE.contains(scope));
        }
        assert!(Scopes::from(Scope::Device).is_device_only());
        assert!(!Scopes::from([Scope::Device, Scope::Local]).is_device_only());
        assert!("Device".parse::<Scope>().is_err());
    }
}
