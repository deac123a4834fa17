//! Which methods there are, and of which kind.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::MethodName;

/// The kind of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallType {
    /// One answer, computed at once. Called exactly like an async method.
    Sync,
    /// One answer.
    Async,
    /// The callee sends items.
    Source,
    /// The caller sends items.
    Sink,
    /// Both send items.
    Duplex,
}

impl CallType {
    /// The word on the wire and in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
            Self::Source => "source",
            Self::Sink => "sink",
            Self::Duplex => "duplex",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Sync, Self::Async, Self::Source, Self::Sink, Self::Duplex]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }

    /// Whether items travel: source, sink and duplex.
    pub fn is_stream(self) -> bool {
        matches!(self, Self::Source | Self::Sink | Self::Duplex)
    }
}

impl fmt::Display for CallType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The methods of a peer: a nested object whose leaves are kinds, in the order in which they were added.
///
/// Its JSON is what the method `manifest` answers: `{"whoami":"sync","blobs":{"get":"source"}}`. Entries of a received
/// manifest that are neither a known kind nor an object are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    entries: Vec<(Box<str>, Entry)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Method(CallType),
    Group(Manifest),
}

impl Manifest {
    /// A manifest without methods.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a method, or changes its kind. A method where a group was, or the other way round, replaces it.
    pub fn insert(&mut self, method: &MethodName, kind: CallType) {
        let mut parts = method.parts();
        if let Some(first) = parts.next() {
            self.insert_at(first, parts, kind);
        }
    }

    fn insert_at<'a>(&mut self, part: &str, mut rest: impl Iterator<Item = &'a str>, kind: CallType) {
        let index = match self.entries.iter().position(|(name, _)| **name == *part) {
            Some(index) => index,
            None => {
                self.entries.push((part.into(), Entry::Method(kind)));
                self.entries.len() - 1
            }
        };
        let Some((_, entry)) = self.entries.get_mut(index) else {
            return;
        };
        match rest.next() {
            None => *entry = Entry::Method(kind),
            Some(next) => {
                if let Entry::Method(_) = entry {
                    *entry = Entry::Group(Self::new());
                }
                if let Entry::Group(group) = entry {
                    // Boxed as a trait object: the recursion must not make a new iterator type at each level.
                    let rest: Box<dyn Iterator<Item = &'a str> + '_> = Box::new(rest);
                    group.insert_at(next, rest, kind);
                }
            }
        }
    }

    /// The kind of a method; `None` if there is no such method.
    pub fn get(&self, method: &MethodName) -> Option<CallType> {
        let mut here = self;
        let mut parts = method.parts();
        loop {
            let part = parts.next()?;
            match here.entries.iter().find(|(name, _)| **name == *part)? {
                (_, Entry::Method(kind)) => return parts.next().is_none().then_some(*kind),
                (_, Entry::Group(group)) => here = group,
            }
        }
    }

    /// All methods with their kinds, depth first, in order.
    pub fn methods(&self) -> Vec<(MethodName, CallType)> {
        fn walk(group: &Manifest, path: &mut Vec<Box<str>>, found: &mut Vec<(MethodName, CallType)>) {
            for (name, entry) in &group.entries {
                path.push(name.clone());
                match entry {
                    Entry::Method(kind) => found.push((MethodName::from_parts(path.clone()), *kind)),
                    Entry::Group(group) => walk(group, path, found),
                }
                path.pop();
            }
        }
        let mut found = Vec::new();
        walk(self, &mut Vec::new(), &mut found);
        found
    }

    /// Whether there are no methods.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Serialize for Manifest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.entries.len()))?;
        for (name, entry) in &self.entries {
            match entry {
                Entry::Method(kind) => map.serialize_entry(&**name, kind)?,
                Entry::Group(group) => map.serialize_entry(&**name, group)?,
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Manifest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Group;

        impl<'de> Visitor<'de> for Group {
            type Value = Manifest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a manifest: an object of kinds and nested objects")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Manifest, A::Error> {
                let mut manifest = Manifest::new();
                while let Some(name) = map.next_key::<String>()? {
                    if let Leaf(Some(entry)) = map.next_value::<Leaf>()? {
                        manifest.entries.push((name.into_boxed_str(), entry));
                    }
                }
                Ok(manifest)
            }
        }
        deserializer.deserialize_map(Group)
    }
}

/// An entry of a received manifest; `None` for what is neither a kind nor an object.
struct Leaf(Option<Entry>);

impl<'de> Deserialize<'de> for Leaf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not an untagged enum: that one copies all that is nested once for each level of nesting.
        struct LeafVisitor;

        impl<'de> Visitor<'de> for LeafVisitor {
            type Value = Leaf;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an entry of a manifest")
            }

            fn visit_str<E>(self, word: &str) -> Result<Leaf, E> {
                Ok(Leaf(CallType::parse(word).map(Entry::Method)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Leaf, A::Error> {
                let group = Manifest::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Leaf(Some(Entry::Group(group))))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Leaf, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Leaf(None))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Leaf, E> {
                Ok(Leaf(None))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Leaf, E> {
                Ok(Leaf(None))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Leaf, E> {
                Ok(Leaf(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Leaf, E> {
                Ok(Leaf(None))
            }

            fn visit_unit<E>(self) -> Result<Leaf, E> {
                Ok(Leaf(None))
            }
        }

        deserializer.deserialize_any(LeafVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_order_and_nesting_both_ways() {
        let text = r#"{"b":"sync","a":{"z":"source","y":{"x":"duplex"}},"c":"sink"}"#;
        let manifest: Manifest = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&manifest).unwrap(), text);
        assert_eq!(manifest.get(&"a.y.x".parse().unwrap()), Some(CallType::Duplex));
        assert_eq!(manifest.get(&"a.y".parse().unwrap()), None);
        assert_eq!(manifest.get(&"b.x".parse().unwrap()), None);

        let mut built = Manifest::new();
        for (name, kind) in manifest.methods() {
            built.insert(&name, kind);
        }
        assert_eq!(built, manifest);
    }

    #[test]
    fn unknown_entries_of_a_received_manifest_are_left_out() {
        let text = r#"{"a":"async","b":"future","c":5,"d":null,"e":[{"x":"sync"}],"f":true,"g":-1.5,"h":{}}"#;
        let manifest: Manifest = serde_json::from_str(text).unwrap();
        assert_eq!(manifest.methods().len(), 1);
    }

    #[test]
    fn a_deep_and_wide_manifest_costs_what_its_length_says() {
        // Copied once for each level, all this would be there a hundred times.
        let wide: String = (0..20_000).map(|i| format!(r#","{i}":"sync""#)).collect();
        let text = format!(r#"{}{{"x":"sync"{wide}}}{}"#, r#"{"a":"#.repeat(100), "}".repeat(100));
        let manifest: Manifest = serde_json::from_str(&text).unwrap();
        assert_eq!(manifest.methods().len(), 20_001);
        assert!(serde_json::from_str::<Manifest>(&r#"{"a":"#.repeat(1_000_000)).is_err());
    }
}
