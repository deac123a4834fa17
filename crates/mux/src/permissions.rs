//! Who may call what.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, MethodName, RemoteError};

/// Which methods a peer may call: an allow list, a deny list, or both.
///
/// A listed path covers the method of that name and everything beneath it: allowing `blobs` allows `blobs.get`, and
/// allowing `blobs.get` does not allow `blobs`. Permissions are checked before it is looked up whether the method exists,
/// so a stranger cannot find out what there is.
///
/// Their JSON is that of JavaScript's permissions, `{"allow":["blobs.get"],"deny":null}`. A list that is missing or `null`
/// is no list: without an allow list everything is allowed, so `{}` is the same as [`Permissions::all`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    allow: Option<Vec<MethodName>>,
    deny: Vec<MethodName>,
}

/// What permissions say of a method, and the rule that says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// The method may be called.
    Allowed {
        /// The path of the allow list that covers the method; `None` if there is no allow list.
        by: Option<&'a MethodName>,
    },
    /// There is an allow list and nothing in it covers the method.
    NotListed,
    /// The deny list covers the method.
    Denied {
        /// The path of the deny list.
        by: &'a MethodName,
    },
}

impl Verdict<'_> {
    /// Whether the method may be called.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed { by: Some(path) } => write!(f, "allowed by rule allow:{path}"),
            Self::Allowed { by: None } => f.write_str("allowed, as there is no allow list"),
            Self::NotListed => f.write_str("not covered by any allow rule"),
            Self::Denied { by } => write!(f, "denied by rule deny:{by}"),
        }
    }
}

impl Permissions {
    /// Everything is allowed.
    pub fn all() -> Self {
        Self::default()
    }

    /// Nothing is allowed.
    pub fn none() -> Self {
        Self {
            allow: Some(Vec::new()),
            deny: Vec::new(),
        }
    }

    /// Only these paths, dotted, are allowed, besides those allowed before.
    ///
    /// # Errors
    /// [`Error::MethodName`] for a path that is no method name.
    pub fn allow<'a>(mut self, paths: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let allow = self.allow.get_or_insert_default();
        for path in paths {
            allow.push(path.parse()?);
        }
        Ok(self)
    }

    /// These paths, dotted, are forbidden, even where the allow list covers them.
    ///
    /// # Errors
    /// [`Error::MethodName`] for a path that is no method name.
    pub fn deny<'a>(mut self, paths: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        for path in paths {
            self.deny.push(path.parse()?);
        }
        Ok(self)
    }

    /// The paths that are allowed, in the order in which they were added; `None` if there is no allow list, so that everything
    /// is allowed.
    pub fn allowed(&self) -> Option<&[MethodName]> {
        self.allow.as_deref()
    }

    /// The paths that are denied, in the order in which they were added.
    pub fn denied(&self) -> &[MethodName] {
        &self.deny
    }

    /// These permissions and `other` together, as secret-stack merges those of plugins: each list followed by what is new in
    /// the other's. A list that only one of the two has stays as it is, so an allow list merged with none narrows "everything"
    /// to the list.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        if let Some(more) = other.allow {
            add_new(self.allow.get_or_insert_default(), more);
        }
        add_new(&mut self.deny, other.deny);
        self
    }

    /// Whether `method` may be called, and by which rule. The allow list is asked first, as in JavaScript.
    pub fn verdict(&self, method: &MethodName) -> Verdict<'_> {
        let by = match &self.allow {
            None => None,
            Some(allow) => match covering(allow, method) {
                Some(path) => Some(path),
                None => return Verdict::NotListed,
            },
        };
        match covering(&self.deny, method) {
            Some(by) => Verdict::Denied { by },
            None => Verdict::Allowed { by },
        }
    }

    /// Whether `method` may be called.
    ///
    /// # Errors
    /// The error to answer with, in the words that other packages of the network match on.
    pub fn check(&self, method: &MethodName) -> Result<(), RemoteError> {
        self.verdict(method).to_answer(method)
    }
}

impl Verdict<'_> {
    /// The error to answer a call of `method` with, if it is refused. It does not name the rule: that is for this end.
    pub(crate) fn to_answer(self, method: &MethodName) -> Result<(), RemoteError> {
        let list = match self {
            Self::Allowed { .. } => return Ok(()),
            Self::NotListed => "is not in list of allowed methods",
            Self::Denied { .. } => "is on list of disallowed methods",
        };
        let method = method.comma_separated();
        Err(RemoteError::new(format!("method:{method} {list}")))
    }
}

fn covering<'a>(list: &'a [MethodName], method: &MethodName) -> Option<&'a MethodName> {
    let covers = |path: &&MethodName| {
        path.parts().len() <= method.parts().len() && path.parts().zip(method.parts()).all(|(a, b)| a == b)
    };
    list.iter().find(covers)
}

fn add_new(list: &mut Vec<MethodName>, more: Vec<MethodName>) {
    for path in more {
        if !list.contains(&path) {
            list.push(path);
        }
    }
}

impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fn dotted(list: &[MethodName]) -> Vec<String> {
            list.iter().map(ToString::to_string).collect()
        }
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("allow", &self.allow.as_deref().map(dotted))?;
        let deny = (!self.deny.is_empty()).then(|| dotted(&self.deny));
        map.serialize_entry("deny", &deny)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Derived code would take an array too, and read `[]` as "everything is allowed".
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Permissions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("permissions: an object with the lists `allow` and `deny`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Permissions, A::Error> {
                let mut permissions = Permissions::all();
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "allow" => permissions.allow = map.next_value::<Option<Vec<Path>>>()?.map(names),
                        "deny" => {
                            permissions.deny = map.next_value::<Option<Vec<Path>>>()?.map(names).unwrap_or_default()
                        }
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(permissions)
            }
        }

        fn names(paths: Vec<Path>) -> Vec<MethodName> {
            paths.into_iter().map(|Path(name)| name).collect()
        }

        deserializer.deserialize_map(Object)
    }
}

/// A dotted path.
struct Path(MethodName);

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(permissions: &Permissions, method: &str) -> Result<(), String> {
        permissions
            .check(&method.parse().unwrap())
            .map_err(|error| error.message().to_owned())
    }

    #[test]
    fn an_allowed_path_covers_what_is_beneath_it_and_not_what_is_above() {
        let some = Permissions::all().allow(["nested.deep", "whoami"]).unwrap();
        assert_eq!(verdict(&some, "nested.deep.hi"), Ok(()));
        assert_eq!(verdict(&some, "nested.deep"), Ok(()));
        assert_eq!(
            verdict(&some, "nested"),
            Err("method:nested is not in list of allowed methods".into())
        );
        assert_eq!(
            verdict(&some, "nested.deeper"),
            Err("method:nested,deeper is not in list of allowed methods".into())
        );
        assert!(verdict(&Permissions::none(), "manifest").is_err());
    }

    #[test]
    fn a_denied_path_wins_over_an_allowed_one() {
        let some = Permissions::all().allow(["a"]).unwrap().deny(["a.b"]).unwrap();
        assert_eq!(verdict(&some, "a.c"), Ok(()));
        assert_eq!(
            verdict(&some, "a.b.c"),
            Err("method:a,b,c is on list of disallowed methods".into())
        );
    }

    #[test]
    fn a_verdict_names_the_rule() {
        let some = Permissions::all().allow(["a", "b.c"]).unwrap().deny(["a.b"]).unwrap();
        let said = |method: &str| some.verdict(&method.parse().unwrap()).to_string();
        assert_eq!(said("b.c.d"), "allowed by rule allow:b.c");
        assert_eq!(said("b"), "not covered by any allow rule");
        assert_eq!(said("a.b.c"), "denied by rule deny:a.b");
        let all = Permissions::all();
        assert_eq!(all.verdict(&"x".parse().unwrap()), Verdict::Allowed { by: None });
    }

    #[test]
    fn merged_lists_keep_their_order_and_repeat_nothing() {
        let read = |text: &str| serde_json::from_str::<Permissions>(text).unwrap();
        let merged = |a: &str, b: &str| serde_json::to_string(&read(a).merge(read(b))).unwrap();
        assert_eq!(
            merged(
                r#"{"allow":["b","a"],"deny":["x"]}"#,
                r#"{"allow":["a","c"],"deny":["y","x"]}"#
            ),
            r#"{"allow":["b","a","c"],"deny":["x","y"]}"#
        );
        assert_eq!(
            merged(r#"{"allow":["a"]}"#, r#"{"allow":null}"#),
            r#"{"allow":["a"],"deny":null}"#
        );
        assert_eq!(
            merged(r#"{"allow":null}"#, r#"{"allow":["a"]}"#),
            r#"{"allow":["a"],"deny":null}"#
        );
        assert_eq!(
            merged(r#"{"allow":[],"deny":null}"#, r#"{"allow":["foo"]}"#),
            r#"{"allow":["foo"],"deny":null}"#
        );
    }

    #[test]
    fn the_json_is_javascripts_and_nothing_else_is_taken_for_it() {
        let read = |text: &str| serde_json::from_str::<Permissions>(text);
        assert_eq!(read("{}").unwrap(), Permissions::all());
        assert_eq!(read(r#"{"allow":[],"rules":{}}"#).unwrap(), Permissions::none());
        for text in [
            "[]",
            "null",
            "false",
            r#""all""#,
            r#"{"allow":"a"}"#,
            r#"{"allow":[["a"]]}"#,
            r#"{"deny":["a..b"]}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
