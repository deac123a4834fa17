//! Any type that serializes, as a value.

use super::{DEPTH, WTF8};
use crate::{Array, Error, Number, Object, Text, Value};
use serde::ser::{self, Impossible, Serialize};

/// The value of anything that serializes: a struct is an object, an enum is as serde has it by default, bytes are
/// an array of numbers, integers beyond 2^53 are rounded to the nearest float, what is not finite prints as `null`.
///
/// This is also the way from `serde_json::Value`. Members stand in V8's order, whatever order the type has.
///
/// # Errors
/// If the type refuses, has a map whose keys are no texts, or is nested deeper than 128 levels.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, Error> {
    value.serialize(ToValue { depth: DEPTH })
}

#[derive(Clone, Copy)]
struct ToValue {
    depth: usize,
}

impl ToValue {
    fn below(self) -> Result<Self, Error> {
        let depth = self.depth.checked_sub(1).ok_or(Error::Nested { limit: DEPTH })?;
        Ok(Self { depth })
    }

    fn array(self, size: Option<usize>, variant: Option<&'static str>) -> Result<ToArray, Error> {
        // The size is a promise of the caller's type; more than this is not believed in advance.
        let array = Vec::with_capacity(size.unwrap_or_default().min(1024)).into();
        Ok(ToArray {
            array,
            below: self.below()?,
            variant,
        })
    }

    fn object(self, variant: Option<&'static str>) -> Result<ToObject, Error> {
        Ok(ToObject {
            object: Object::new(),
            key: None,
            below: self.below()?,
            variant,
        })
    }
}

/// `{"Variant": value}`
fn tagged(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(variant) => Value::Object([(variant, value)].into()),
        None => value,
    }
}

struct ToArray {
    array: Array,
    below: ToValue,
    variant: Option<&'static str>,
}

struct ToObject {
    object: Object,
    key: Option<Text>,
    below: ToValue,
    variant: Option<&'static str>,
}

macro_rules! numbers {
    ($($method:ident: $type:ty,)*) => {$(
        fn $method(self, number: $type) -> Result<Value, Error> {
            Ok(Value::Number(Number::from(number)))
        }
    )*};
}

impl ser::Serializer for ToValue {
    type Ok = Value;
    type Error = Error;
    type SerializeSeq = ToArray;
    type SerializeTuple = ToArray;
    type SerializeTupleStruct = ToArray;
    type SerializeTupleVariant = ToArray;
    type SerializeMap = ToObject;
    type SerializeStruct = ToObject;
    type SerializeStructVariant = ToObject;

    numbers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
        serialize_f32: f32, serialize_f64: f64,
    }

    fn serialize_bool(self, truth: bool) -> Result<Value, Error> {
        Ok(Value::Bool(truth))
    }

    fn serialize_char(self, character: char) -> Result<Value, Error> {
        Ok(Value::from(character))
    }

    fn serialize_str(self, text: &str) -> Result<Value, Error> {
        Ok(Value::from(text))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Value, Error> {
        Ok(Value::Array(bytes.iter().copied().collect()))
    }

    fn serialize_none(self) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Value, Error> {
        Ok(Value::from(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<Value, Error> {
        if name == WTF8 {
            return value.serialize(ToText).map(Value::String);
        }
        // A newtype may hold itself, in a box: it takes a level, though the value does not show it.
        value.serialize(self.below()?)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, Error> {
        Ok(tagged(Some(variant), value.serialize(self.below()?)?))
    }

    fn serialize_seq(self, size: Option<usize>) -> Result<ToArray, Error> {
        self.array(size, None)
    }

    fn serialize_tuple(self, size: usize) -> Result<ToArray, Error> {
        self.array(Some(size), None)
    }

    fn serialize_tuple_struct(self, _: &'static str, size: usize) -> Result<ToArray, Error> {
        self.array(Some(size), None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        size: usize,
    ) -> Result<ToArray, Error> {
        self.array(Some(size), Some(variant))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<ToObject, Error> {
        self.object(None)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<ToObject, Error> {
        self.object(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<ToObject, Error> {
        self.object(Some(variant))
    }
}

impl ser::SerializeSeq for ToArray {
    type Ok = Value;
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.array.push(value.serialize(self.below)?);
        Ok(())
    }

    fn end(self) -> Result<Value, Error> {
        Ok(tagged(self.variant, Value::Array(self.array)))
    }
}

macro_rules! as_sequence {
    ($($trait:ident::$method:ident)*) => {$(
        impl ser::$trait for ToArray {
            type Ok = Value;
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                ser::SerializeSeq::serialize_element(self, value)
            }

            fn end(self) -> Result<Value, Error> {
                ser::SerializeSeq::end(self)
            }
        }
    )*};
}
as_sequence!(SerializeTuple::serialize_element SerializeTupleStruct::serialize_field SerializeTupleVariant::serialize_field);

impl ser::SerializeMap for ToObject {
    type Ok = Value;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key = Some(key.serialize(ToText)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let value = value.serialize(self.below)?;
        self.object.insert(self.key.take().unwrap_or_default(), value);
        Ok(())
    }

    fn end(self) -> Result<Value, Error> {
        Ok(tagged(self.variant, Value::Object(self.object)))
    }
}

macro_rules! as_map {
    ($($trait:ident)*) => {$(
        impl ser::$trait for ToObject {
            type Ok = Value;
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
                self.object.insert(name, value.serialize(self.below)?);
                Ok(())
            }

            fn end(self) -> Result<Value, Error> {
                ser::SerializeMap::end(self)
            }
        }
    )*};
}
as_map!(SerializeStruct SerializeStructVariant);

/// Makes names of keys: texts, and what has one plain text form. And our own texts with lone surrogates of bytes.
struct ToText;

fn no_key<T>(found: &'static str) -> Result<T, Error> {
    Err(Error::Key { found })
}

macro_rules! printed_keys {
    ($($method:ident: $type:ty,)*) => {$(
        fn $method(self, key: $type) -> Result<Text, Error> {
            Ok(key.to_string().into())
        }
    )*};
}

macro_rules! no_keys {
    ($($method:ident($($type:ty),*) -> $ok:ty: $found:literal,)*) => {$(
        fn $method(self, $(_: $type),*) -> Result<$ok, Error> {
            no_key($found)
        }
    )*};
}

impl ser::Serializer for ToText {
    type Ok = Text;
    type Error = Error;
    type SerializeSeq = Impossible<Text, Error>;
    type SerializeTuple = Impossible<Text, Error>;
    type SerializeTupleStruct = Impossible<Text, Error>;
    type SerializeTupleVariant = Impossible<Text, Error>;
    type SerializeMap = Impossible<Text, Error>;
    type SerializeStruct = Impossible<Text, Error>;
    type SerializeStructVariant = Impossible<Text, Error>;

    printed_keys! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
        serialize_bool: bool, serialize_char: char, serialize_str: &str,
    }

    fn serialize_f32(self, key: f32) -> Result<Text, Error> {
        self.serialize_f64(key.into())
    }

    fn serialize_f64(self, key: f64) -> Result<Text, Error> {
        let key = Number::from(key);
        if key.is_finite() {
            Ok(key.to_string().into())
        } else {
            no_key("not finite")
        }
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Text, Error> {
        Text::from_wtf8(bytes).map_or_else(|| no_key("bytes"), Ok)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<Text, Error> {
        no_key("optional")
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Text, Error> {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, key: &T) -> Result<Text, Error> {
        key.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Text, Error> {
        no_key("enums with a value")
    }

    no_keys! {
        serialize_none() -> Text: "optional",
        serialize_unit() -> Text: "empty",
        serialize_unit_struct(&'static str) -> Text: "empty",
        serialize_seq(Option<usize>) -> Impossible<Text, Error>: "sequences",
        serialize_tuple(usize) -> Impossible<Text, Error>: "tuples",
        serialize_tuple_struct(&'static str, usize) -> Impossible<Text, Error>: "tuples",
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Impossible<Text, Error>: "enums with a value",
        serialize_map(Option<usize>) -> Impossible<Text, Error>: "maps",
        serialize_struct(&'static str, usize) -> Impossible<Text, Error>: "structs",
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Impossible<Text, Error>: "enums with a value",
    }
}
