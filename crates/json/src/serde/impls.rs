//! Our types in other formats.

use super::{DEPTH, WTF8};
use crate::value::Items;
use crate::{Array, Number, Object, Text, Value};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeMap as _, SerializeSeq as _, Serializer};
use serde::{Deserialize, Serialize};
use std::fmt;

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Whole numbers go as integers, as long as they are exact: most formats print those shorter.
        match (self.as_u64(), self.as_i64()) {
            (Some(whole), _) if whole <= 1 << 53 => serializer.serialize_u64(whole),
            (_, Some(whole)) if (-(1 << 53)..0).contains(&whole) => serializer.serialize_i64(whole),
            _ if self.is_finite() => serializer.serialize_f64(self.as_f64()),
            _ => serializer.serialize_unit(),
        }
    }
}

/// A text without lone surrogates is a string; one with them is bytes (WTF-8), so that nothing is lost.
impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_str() {
            Some(text) => serializer.serialize_str(text),
            None => serializer.serialize_newtype_struct(WTF8, &Bytes(self.as_wtf8())),
        }
    }
}

struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// A value, and how many levels may still be below it: formats recurse, and a value's maker may have nested it at will.
struct Level<'a> {
    value: &'a Value,
    depth: usize,
}

impl Serialize for Level<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(truth) => serializer.serialize_bool(*truth),
            Value::Number(number) => number.serialize(serializer),
            Value::String(text) => text.serialize(serializer),
            Value::Array(array) => items(Items::Array(array.iter()), array.len(), self.depth, serializer),
            Value::Object(object) => items(Items::Object(object.iter()), object.len(), self.depth, serializer),
        }
    }
}

fn items<S: Serializer>(mut items: Items<'_>, count: usize, depth: usize, serializer: S) -> Result<S::Ok, S::Error> {
    let too_deep = || S::Error::custom(crate::Error::Nested { limit: DEPTH });
    let below = depth.checked_sub(1).ok_or_else(too_deep);
    if matches!(items, Items::Array(_)) {
        // The format comes first: it may have a limit, and an error, of its own.
        let mut sequence = serializer.serialize_seq(Some(count))?;
        let depth = below?;
        while let Some((_, value)) = items.next() {
            sequence.serialize_element(&Level { value, depth })?;
        }
        return sequence.end();
    }
    let mut map = serializer.serialize_map(Some(count))?;
    let depth = below?;
    // Of an object every entry has a key; an optional one would not be a key to every format.
    while let Some((Some(key), value)) = items.next() {
        map.serialize_entry(key, &Level { value, depth })?;
    }
    map.end()
}

/// Up to 128 levels; more are an error, since formats recurse.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Level {
            value: self,
            depth: DEPTH,
        }
        .serialize(serializer)
    }
}

/// As [`Value`] is serialized.
impl Serialize for Array {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        items(Items::Array(self.iter()), self.len(), DEPTH, serializer)
    }
}

/// As [`Value`] is serialized.
impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        items(Items::Object(self.iter()), self.len(), DEPTH, serializer)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::from)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl Visitor<'_> for TextVisitor {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(text.into())
            }

            fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Text, E> {
                Ok(text.into())
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Text, E> {
                wtf8(bytes)
            }
        }
        deserializer.deserialize_string(TextVisitor)
    }
}

fn wtf8<E: serde::de::Error>(bytes: &[u8]) -> Result<Text, E> {
    Text::from_wtf8(bytes).ok_or_else(|| E::custom("these bytes are no text (neither UTF-8 nor WTF-8)"))
}

/// Up to 128 levels, since formats recurse.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ValueSeed { depth: DEPTH }.deserialize(deserializer)
    }
}

impl<'de> Deserialize<'de> for Array {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Array(array) => Ok(array),
            _ => Err(D::Error::custom("expected an array")),
        }
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Object(object) => Ok(object),
            _ => Err(D::Error::custom("expected an object")),
        }
    }
}

#[derive(Clone, Copy)]
struct ValueSeed {
    depth: usize,
}

impl ValueSeed {
    fn below<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1);
        let depth = depth.ok_or_else(|| E::custom(crate::Error::Nested { limit: DEPTH }))?;
        Ok(Self { depth })
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.below()?.deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.below()?.deserialize(deserializer)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u128<E>(self, number: u128) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Value, E> {
        wtf8(bytes).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let seed = self.below()?;
        let mut array = Array::new();
        while let Some(value) = items.next_element_seed(seed)? {
            array.push(value);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let seed = self.below()?;
        let mut object = Object::new();
        while let Some(key) = members.next_key::<Text>()? {
            object.insert(key, members.next_value_seed(seed)?);
        }
        Ok(Value::Object(object))
    }
}
