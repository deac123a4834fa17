//! Names of methods.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::Error;

/// Most parts of a method's name that are accepted. Real names have one to three; the limit keeps a hostile request from
/// turning a body into millions of little strings.
pub(crate) const MAX_PARTS: usize = 32;

/// Longest name that is accepted from a peer, in bytes of its JSON text. Errors repeat the name, and their size must not be
/// the caller's choice.
pub(crate) const MAX_LENGTH: usize = 1024;

/// The name of a method: parts that walk the nested manifest, written joined by dots, as in `blobs.get`.
///
/// On the wire it is an array of parts, or a plain string, which is one part even if it holds dots.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MethodName {
    parts: Parts,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Parts {
    /// One part that travels as a plain string.
    Plain(Box<str>),
    List(Box<[Box<str>]>),
}

impl MethodName {
    /// The name that travels as a plain string: JavaScript's first question, `"name":"manifest"`, is such a one.
    pub fn plain(name: impl Into<String>) -> Self {
        Self {
            parts: Parts::Plain(name.into().into_boxed_str()),
        }
    }

    pub(crate) fn from_parts(parts: Vec<Box<str>>) -> Self {
        Self {
            parts: Parts::List(parts.into_boxed_slice()),
        }
    }

    /// The parts, outermost first.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        let parts = match &self.parts {
            Parts::Plain(part) => std::slice::from_ref(part),
            Parts::List(parts) => parts,
        };
        parts.iter().map(|part| &**part)
    }

    /// The parts joined by commas: how muxrpc's error texts name a method.
    pub(crate) fn comma_separated(&self) -> impl fmt::Display + '_ {
        Joined { name: self, with: "," }
    }
}

struct Joined<'a> {
    name: &'a MethodName,
    with: &'static str,
}

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.name.parts().enumerate() {
            if index > 0 {
                f.write_str(self.with)?;
            }
            f.write_str(part)?;
        }
        Ok(())
    }
}

impl fmt::Display for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Joined { name: self, with: "." }.fmt(f)
    }
}

impl fmt::Debug for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MethodName {
    type Err = Error;

    /// Splits at dots.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.split('.').any(str::is_empty) || text.split('.').count() > MAX_PARTS {
            return Err(Error::MethodName(Arc::from(text)));
        }
        Ok(Self::from_parts(text.split('.').map(Box::from).collect()))
    }
}

impl Serialize for MethodName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.parts {
            Parts::Plain(part) => serializer.serialize_str(part),
            Parts::List(parts) => parts.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_separate_parts_except_in_a_plain_name() {
        let name: MethodName = "nested.deep.hi".parse().unwrap();
        assert_eq!(name.parts().collect::<Vec<_>>(), ["nested", "deep", "hi"]);
        assert_eq!(name.to_string(), "nested.deep.hi");
        assert_eq!(name.comma_separated().to_string(), "nested,deep,hi");
        assert_eq!(MethodName::plain("a.b").parts().count(), 1);
        assert_eq!(
            serde_json::to_string(&MethodName::plain("manifest")).unwrap(),
            r#""manifest""#
        );
        assert_eq!(serde_json::to_string(&name).unwrap(), r#"["nested","deep","hi"]"#);
    }

    #[test]
    fn empty_parts_are_refused() {
        for text in ["", ".", "a..b", "a.", ".a"] {
            assert!(text.parse::<MethodName>().is_err(), "{text:?}");
        }
    }
}
