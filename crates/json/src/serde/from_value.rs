//! A value as any type that deserializes.

use super::DEPTH;
use crate::value::Items;
use crate::{Error, Number, Text, Value};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Unexpected, VariantAccess,
    Visitor,
};

/// Reads a value as a type of the caller's: objects as structs and maps, `null` as `None` and `()`, whole numbers as
/// integers.
///
/// A text with lone surrogates is no [`String`]; take it as [`Text`].
///
/// # Errors
/// If the value does not have the form of the type, or is read deeper than 128 levels.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, Error> {
    T::deserialize(FromValue { value, depth: DEPTH })
}

#[derive(Clone, Copy)]
struct FromValue<'a> {
    value: &'a Value,
    depth: usize,
}

impl<'a> FromValue<'a> {
    fn below(self) -> Result<usize, Error> {
        self.depth.checked_sub(1).ok_or(Error::Nested { limit: DEPTH })
    }

    fn items(self, value: &'a Value) -> Result<FromItems<'a>, Error> {
        Ok(FromItems {
            items: Items::of(value),
            value: None,
            depth: self.below()?,
        })
    }

    fn unexpected(self, expected: &dyn de::Expected) -> Error {
        let found = match self.value {
            Value::Null => Unexpected::Unit,
            Value::Bool(truth) => Unexpected::Bool(*truth),
            Value::Number(number) => Unexpected::Float(number.as_f64()),
            Value::String(text) => text
                .as_str()
                .map_or(Unexpected::Other("a text with lone surrogates"), Unexpected::Str),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        };
        de::Error::invalid_type(found, expected)
    }
}

fn visit_number<'de, V: Visitor<'de>>(number: Number, visitor: V) -> Result<V::Value, Error> {
    match (number.as_u64(), number.as_i64()) {
        (Some(whole), _) => visitor.visit_u64(whole),
        (_, Some(whole)) => visitor.visit_i64(whole),
        _ => visitor.visit_f64(number.as_f64()),
    }
}

fn visit_text<'de, V: Visitor<'de>>(text: &Text, visitor: V) -> Result<V::Value, Error> {
    match text.as_str() {
        Some(text) => visitor.visit_str(text),
        None => visitor.visit_bytes(text.as_wtf8()),
    }
}

impl<'de> Deserializer<'de> for FromValue<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(*truth),
            Value::Number(number) => visit_number(*number, visitor),
            Value::String(text) => visit_text(text, visitor),
            Value::Array(array) => {
                let mut items = self.items(self.value)?;
                let read = visitor.visit_seq(&mut items)?;
                if items.next_item().is_some() {
                    return Err(de::Error::invalid_length(array.len(), &"fewer values"));
                }
                Ok(read)
            }
            Value::Object(_) => visitor.visit_map(&mut self.items(self.value)?),
        }
    }

    /// What is not finite is `null` in JSON, so it is as good as none.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_none(),
            // An option may hold itself, in a box.
            value => visitor.visit_some(FromValue {
                value,
                depth: self.below()?,
            }),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(FromValue {
            value: self.value,
            depth: self.below()?,
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let (variant, value) = match self.value {
            Value::String(variant) => (variant, None),
            Value::Object(object) if object.len() == 1 => match object.iter().next() {
                Some((variant, value)) => (variant, Some(value)),
                None => return Err(self.unexpected(&"the name of a variant")),
            },
            _ => return Err(self.unexpected(&"the name of a variant, or an object with that one member")),
        };
        visitor.visit_enum(FromVariant {
            variant,
            value,
            depth: self.below()?,
        })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

struct FromItems<'a> {
    items: Option<Items<'a>>,
    /// The value of the member whose name has been read.
    value: Option<&'a Value>,
    depth: usize,
}

impl<'a> FromItems<'a> {
    fn next_item(&mut self) -> Option<(Option<&'a Text>, &'a Value)> {
        self.items.as_mut()?.next()
    }
}

impl<'de> SeqAccess<'de> for &mut FromItems<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some((_, value)) = self.next_item() else {
            return Ok(None);
        };
        let depth = self.depth;
        seed.deserialize(FromValue { value, depth }).map(Some)
    }
}

impl<'de> MapAccess<'de> for &mut FromItems<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((key, value)) = self.next_item() else {
            return Ok(None);
        };
        self.value = Some(value);
        key.map(|key| seed.deserialize(FromKey(key))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let depth = self.depth;
        match self.value.take() {
            Some(value) => seed.deserialize(FromValue { value, depth }),
            None => Err(de::Error::custom("the value of a member is asked for before its name")),
        }
    }
}

/// A name, as the keys of maps are: a text, or a number or truth value that was printed as one.
struct FromKey<'a>(&'a Text);

impl FromKey<'_> {
    fn printed<T: std::str::FromStr>(&self) -> Option<T> {
        self.0.as_str()?.parse().ok()
    }
}

macro_rules! printed_keys {
    ($($method:ident => $visit:ident,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.printed() {
                Some(key) => visitor.$visit(key),
                None => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for FromKey<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visit_text(self.0, visitor)
    }

    printed_keys! {
        deserialize_bool => visit_bool,
        deserialize_i8 => visit_i8,
        deserialize_i16 => visit_i16,
        deserialize_i32 => visit_i32,
        deserialize_i64 => visit_i64,
        deserialize_i128 => visit_i128,
        deserialize_u8 => visit_u8,
        deserialize_u16 => visit_u16,
        deserialize_u32 => visit_u32,
        deserialize_u64 => visit_u64,
        deserialize_u128 => visit_u128,
        deserialize_f32 => visit_f32,
        deserialize_f64 => visit_f64,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(FromVariant {
            variant: self.0,
            value: None,
            depth: 0,
        })
    }

    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct FromVariant<'a> {
    variant: &'a Text,
    value: Option<&'a Value>,
    depth: usize,
}

impl<'a> FromVariant<'a> {
    fn value(&self) -> Result<FromValue<'a>, Error> {
        let depth = self.depth;
        let value = self.value.map(|value| FromValue { value, depth });
        value.ok_or_else(|| de::Error::custom("this variant has a value, so it is an object with one member"))
    }
}

impl<'de, 'a> EnumAccess<'de> for FromVariant<'a> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        Ok((seed.deserialize(FromKey(self.variant))?, self))
    }
}

impl<'de> VariantAccess<'de> for FromVariant<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.value {
            None | Some(Value::Null) => Ok(()),
            Some(_) => Err(de::Error::custom("this variant has no value")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.value()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        let value = self.value()?;
        match value.value {
            Value::Array(_) => value.deserialize_any(visitor),
            _ => Err(value.unexpected(&"an array: the values of the variant")),
        }
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        let value = self.value()?;
        match value.value {
            Value::Object(_) => value.deserialize_any(visitor),
            _ => Err(value.unexpected(&"an object: the members of the variant")),
        }
    }
}
