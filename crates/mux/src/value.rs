//! serde values to bodies and back.
//!
//! | Rust value | wire |
//! |---|---|
//! | a string | UTF-8 frame; the empty one as JSON `""` |
//! | bytes (`Bytes`, anything that serializes as bytes) | buffer frame; empty ones as `{"type":"Buffer","data":[]}` |
//! | `()` | JSON `false`, which is how JavaScript sends `undefined` |
//! | `None` | JSON `null` |
//! | anything else | compact JSON, numbers as JavaScript prints them |

use bytes::Bytes;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::ser::{Impossible, Serializer};
use serde::{Serialize, forward_to_deserialize_any};

use crate::json::{self, JsFormatter};
use crate::{Body, BodyKind, Error};

impl Body {
    /// The body for a value; the table of the module `value` says which frame each kind of value becomes.
    ///
    /// Bytes inside a larger value become Node's JSON form of a Buffer.
    ///
    /// # Errors
    /// [`Error::Encode`] for a value that has no JSON form, such as a map whose keys are not strings.
    pub fn from_value<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        match value.serialize(TopLevel) {
            Ok(body) => Ok(body),
            Err(NotScalar) => Ok(Self::trusted(BodyKind::Json, to_json(value)?)),
        }
    }

    /// The value of a body.
    ///
    /// A buffer frame becomes bytes, a sequence of numbers, or for types that take anything (`serde_json::Value`) Node's
    /// JSON form. A `()` takes any body. Escaped lone surrogates of JavaScript strings become U+FFFD.
    ///
    /// # Errors
    /// [`Error::Decode`] if the body does not have the shape of `T`, or nests deeper than 128 levels.
    pub fn to_value<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let value = match self.kind() {
            BodyKind::Buffer => T::deserialize(BufferBody(self.as_bytes())),
            BodyKind::String => T::deserialize(StringBody(self.as_str().unwrap_or_default())),
            BodyKind::Json => from_json(self.as_bytes()),
        };
        // serde quotes the value that does not fit.
        value.map_err(|error| Error::Decode(json::quote(&error.to_string()).into()))
    }
}

/// Compact JSON as JavaScript prints it.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, Error> {
    let mut text = Vec::with_capacity(64);
    let mut printer = serde_json::Serializer::with_formatter(&mut text, JsFormatter);
    value
        .serialize(&mut printer)
        .map_err(|error| Error::Encode(error.to_string().into()))?;
    if text.is_empty() {
        return Err(Error::Encode("the value prints as nothing".into()));
    }
    Ok(Bytes::from(text))
}

/// A value from JSON text that has been checked to be one value.
pub(crate) fn from_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, serde_json::Error> {
    T::deserialize(JsonText(&json::without_lone_surrogates(text)))
}

/// Makes the body of a string, bytes or nothing, and refuses everything else at once: that is then printed as JSON.
struct TopLevel;

/// The value is not one that [`TopLevel`] treats.
#[derive(Debug)]
struct NotScalar;

impl std::fmt::Display for NotScalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a string, bytes or nothing")
    }
}

impl std::error::Error for NotScalar {}

impl serde::ser::Error for NotScalar {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self
    }
}

macro_rules! not_scalar {
    ($($method:ident($($arg:ty),*) -> $ok:ty;)*) => {
        $(fn $method(self, $(_: $arg),*) -> Result<$ok, NotScalar> {
            Err(NotScalar)
        })*
    };
}

impl Serializer for TopLevel {
    type Ok = Body;
    type Error = NotScalar;
    type SerializeSeq = Impossible<Body, NotScalar>;
    type SerializeTuple = Impossible<Body, NotScalar>;
    type SerializeTupleStruct = Impossible<Body, NotScalar>;
    type SerializeTupleVariant = Impossible<Body, NotScalar>;
    type SerializeMap = Impossible<Body, NotScalar>;
    type SerializeStruct = Impossible<Body, NotScalar>;
    type SerializeStructVariant = Impossible<Body, NotScalar>;

    fn serialize_str(self, text: &str) -> Result<Body, NotScalar> {
        Ok(Body::string(text))
    }

    fn serialize_char(self, character: char) -> Result<Body, NotScalar> {
        Ok(Body::string(character))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Body, NotScalar> {
        Ok(Body::buffer(Bytes::copy_from_slice(bytes)))
    }

    fn serialize_unit(self) -> Result<Body, NotScalar> {
        Ok(Body::trusted(BodyKind::Json, Bytes::from_static(b"false")))
    }

    fn serialize_none(self) -> Result<Body, NotScalar> {
        Ok(Body::trusted(BodyKind::Json, Bytes::from_static(b"null")))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Body, NotScalar> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<Body, NotScalar> {
        value.serialize(self)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Body, NotScalar> {
        Ok(Body::string(variant))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Body, NotScalar> {
        Err(NotScalar)
    }

    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<Body, NotScalar> {
        Ok(Body::string(value.to_string()))
    }

    not_scalar! {
        serialize_bool(bool) -> Body;
        serialize_i8(i8) -> Body;
        serialize_i16(i16) -> Body;
        serialize_i32(i32) -> Body;
        serialize_i64(i64) -> Body;
        serialize_i128(i128) -> Body;
        serialize_u8(u8) -> Body;
        serialize_u16(u16) -> Body;
        serialize_u32(u32) -> Body;
        serialize_u64(u64) -> Body;
        serialize_u128(u128) -> Body;
        serialize_f32(f32) -> Body;
        serialize_f64(f64) -> Body;
        serialize_unit_struct(&'static str) -> Body;
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }
}

/// Reads a buffer frame.
struct BufferBody<'a>(&'a [u8]);

impl<'de> Deserializer<'de> for BufferBody<'_> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        // The form that the value would have inside a JSON body.
        let form: serde_json::Value = serde_json::from_str(&json::buffer_form(self.0))?;
        match form {
            serde_json::Value::Object(fields) => visitor.visit_map(MapDeserializer::new(fields.into_iter())),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_bytes(self.0)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_byte_buf(self.0.to_vec())
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_seq(SeqDeserializer::new(self.0.iter().copied()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Self::Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string
        unit_struct tuple_struct map struct enum identifier
    }
}

/// Reads a string frame.
struct StringBody<'a>(&'a str);

impl<'de> Deserializer<'de> for StringBody<'_> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// Reads JSON text: as serde_json does, except that bytes may stand in Node's JSON form of a Buffer, and that `()` takes
/// anything, because JavaScript sends `undefined` as `false`.
pub(crate) struct JsonText<'a>(pub(crate) &'a [u8]);

macro_rules! forward_to_json {
    ($($method:ident($($arg:ident: $kind:ty),*);)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($arg: $kind,)* visitor: V) -> Result<V::Value, Self::Error> {
            serde_json::Deserializer::from_slice(self.0).$method($($arg,)* visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for JsonText<'de> {
    type Error = serde_json::Error;

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match json::from_buffer_form(self.0) {
            Some(bytes) => visitor.visit_byte_buf(bytes),
            None => serde_json::Deserializer::from_slice(self.0).deserialize_byte_buf(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0.trim_ascii() {
            b"null" => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        // serde_json's own raw values announce themselves as newtypes of a name that only it knows.
        if name.starts_with("$serde_json") {
            return serde_json::Deserializer::from_slice(self.0).deserialize_newtype_struct(name, visitor);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    fn is_human_readable(&self) -> bool {
        true
    }

    forward_to_json! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_unit_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(length: usize);
        deserialize_tuple_struct(name: &'static str, length: usize);
        deserialize_map();
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn wire<T: Serialize + ?Sized>(value: &T) -> (BodyKind, String) {
        let body = Body::from_value(value).unwrap();
        (body.kind(), String::from_utf8_lossy(body.as_bytes()).into_owned())
    }

    fn json_body(text: &str) -> Body {
        Body::json(text.to_owned()).unwrap()
    }

    #[test]
    fn each_kind_of_value_has_its_frame() {
        assert_eq!(wire("hi"), (BodyKind::String, "hi".into()));
        assert_eq!(wire(""), (BodyKind::Json, "\"\"".into()));
        assert_eq!(wire(&Some("hi")), (BodyKind::String, "hi".into()));
        assert_eq!(wire(&json!("hi")), (BodyKind::String, "hi".into()));
        assert_eq!(wire(&Bytes::from_static(b"ab")), (BodyKind::Buffer, "ab".into()));
        assert_eq!(wire(&()), (BodyKind::Json, "false".into()));
        assert_eq!(wire(&None::<u8>), (BodyKind::Json, "null".into()));
        assert_eq!(
            wire(&json!({"a": [1, null]})),
            (BodyKind::Json, r#"{"a":[1,null]}"#.into())
        );
        assert_eq!(
            wire(&(1, Bytes::from_static(b"a"))),
            (BodyKind::Json, r#"[1,{"type":"Buffer","data":[97]}]"#.into())
        );
    }

    #[test]
    fn numbers_print_as_in_javascript() {
        for (number, text) in [
            (-0.0, "0"),
            (1e21, "1e+21"),
            (1.0, "1"),
            (0.1, "0.1"),
            (1e-7, "1e-7"),
            (123e18, "123000000000000000000"),
        ] {
            assert_eq!(wire(&number).1, text);
        }
        assert_eq!(wire(&f64::NAN).1, "null");
    }

    #[test]
    fn bodies_become_values() {
        assert_eq!(
            Body::string("a").to_value::<Option<String>>().unwrap(),
            Some("a".into())
        );
        assert_eq!(Body::string("a").to_value::<Value>().unwrap(), json!("a"));
        assert_eq!(Body::buffer("ab").to_value::<Bytes>().unwrap(), "ab");
        assert_eq!(Body::buffer("ab").to_value::<Vec<u8>>().unwrap(), b"ab");
        assert_eq!(Body::buffer("ab").to_value::<[u8; 2]>().unwrap(), *b"ab");
        assert_eq!(
            Body::buffer("a").to_value::<Value>().unwrap(),
            json!({"type": "Buffer", "data": [97]})
        );
        assert_eq!(Body::buffer("").to_value::<Bytes>().unwrap(), "");
        assert_eq!(Body::string("").to_value::<String>().unwrap(), "");
        assert_eq!(json_body("null").to_value::<Option<Bytes>>().unwrap(), None);
        assert_eq!(json_body(r#""a\ud800""#).to_value::<String>().unwrap(), "a\u{fffd}");
        json_body("false").to_value::<()>().unwrap();
        Body::string("x").to_value::<()>().unwrap();
        assert!(json_body("false").to_value::<String>().is_err());
        assert!(matches!(Body::string("x").to_value::<u64>(), Err(Error::Decode(_))));
    }

    #[test]
    fn a_raw_value_keeps_its_text() {
        let raw = json_body(r#"{"a": 1.0}"#)
            .to_value::<Box<serde_json::value::RawValue>>()
            .unwrap();
        assert_eq!(raw.get(), r#"{"a": 1.0}"#);
        assert_eq!(wire(&raw).1, r#"{"a": 1.0}"#);
    }

    #[test]
    fn a_body_that_nests_too_deep_is_an_error() {
        let deep = json_body(&["[".repeat(100_000), "]".repeat(100_000)].concat());
        assert!(matches!(deep.to_value::<Value>(), Err(Error::Decode(_))));
    }

    #[test]
    fn a_body_prints_as_its_value() {
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        let bodies = [
            Body::buffer(vec![1, 2]),
            Body::string("kia ora"),
            Body::buffer(vec![]),
            Body::string(""),
            json_body(r#"{"b":1e400,"a":"\ud800"}"#),
            json_body(r#""a string in JSON""#),
            json_body(&deep),
        ];
        for body in bodies {
            assert_eq!(Body::from_value(&body).unwrap(), body);
        }
        let args = crate::args_to_json(&(Body::buffer(vec![97]), Body::string("b"), json_body(r#"{"c":0}"#))).unwrap();
        assert_eq!(args, r#"[{"type":"Buffer","data":[97]},"b",{"c":0}]"#);
    }
}
