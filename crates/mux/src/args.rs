//! Argument lists.
//!
//! The arguments of a call are a JSON array. One rule maps it to Rust types, the same in both directions:
//! a **tuple** is the list, `()` is the empty list, and **any other type** is the first argument.

use bytes::Bytes;
use serde::Serialize;
use serde::de::value::SeqDeserializer;
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde_json::value::RawValue;

use crate::value::{self, JsonText};
use crate::{Error, RemoteError, json};

/// The arguments of a call as the text of a JSON array.
///
/// What prints as an array (a tuple, a `Vec`, `serde_json::Value::Array`) is the list of arguments, `()` is the empty list,
/// anything else is the only argument. To pass a list as the only argument, put it in a tuple: `(list,)`.
///
/// # Errors
/// [`Error::Encode`] for a value that has no JSON form.
pub fn args_to_json<T: Serialize + ?Sized>(args: &T) -> Result<Bytes, Error> {
    let text = value::to_json(args)?;
    // `()` prints as null, and so does `None`, which therefore is the empty list as well.
    if &*text == b"null" {
        return Ok(Bytes::from_static(b"[]"));
    }
    if text.first() == Some(&b'[') {
        return Ok(text);
    }
    let mut list = Vec::with_capacity(text.len() + 2);
    list.push(b'[');
    list.extend_from_slice(&text);
    list.push(b']');
    Ok(Bytes::from(list))
}

/// Reads arguments: a tuple takes them by position, `()` takes none, any other type takes the first.
///
/// Missing arguments read as `null`, so an `Option` may be left out; surplus arguments are ignored, as in JavaScript.
///
/// # Errors
/// The error to answer with: a `TypeError` that says what does not fit, in at most 1 KiB.
pub fn args_from_json<T: DeserializeOwned>(args: &[u8]) -> Result<T, RemoteError> {
    let text = json::without_lone_surrogates(args);
    // serde quotes the value that does not fit.
    T::deserialize(Arguments(&text)).map_err(|error| {
        RemoteError::named(
            "TypeError",
            format!("bad arguments: {}", json::quote(&error.to_string())),
        )
    })
}

struct Arguments<'de>(&'de [u8]);

impl<'de> Arguments<'de> {
    fn list(&self) -> Result<Vec<&'de RawValue>, serde_json::Error> {
        serde_json::from_slice(self.0)
    }

    fn first(&self) -> Result<Argument<'de>, serde_json::Error> {
        Ok(self
            .list()?
            .first()
            .map_or(Argument(b"null"), |first| Argument(first.get().as_bytes())))
    }
}

macro_rules! forward_to_first {
    ($($method:ident($($arg:ident: $kind:ty),*);)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($arg: $kind,)* visitor: V) -> Result<V::Value, Self::Error> {
            JsonText(self.first()?.0).$method($($arg,)* visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Arguments<'de> {
    type Error = serde_json::Error;

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Self::Error> {
        let given = self.list()?.into_iter().map(|raw| Argument(raw.get().as_bytes()));
        let padded = given.chain(std::iter::repeat_with(|| Argument(b"null"))).take(length);
        visitor.visit_seq(SeqDeserializer::new(padded))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    forward_to_first! {
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
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple_struct(name: &'static str, length: usize);
        deserialize_map();
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }
}

/// One argument of a list.
struct Argument<'de>(&'de [u8]);

impl<'de> IntoDeserializer<'de, serde_json::Error> for Argument<'de> {
    type Deserializer = JsonText<'de>;

    fn into_deserializer(self) -> JsonText<'de> {
        JsonText(self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read<T: DeserializeOwned>(text: &str) -> T {
        args_from_json(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_tuple_is_the_list_and_anything_else_is_the_only_argument() {
        let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(text(args_to_json(&("a", 1)).unwrap()), r#"["a",1]"#);
        assert_eq!(text(args_to_json(&()).unwrap()), "[]");
        assert_eq!(text(args_to_json("a").unwrap()), r#"["a"]"#);
        assert_eq!(text(args_to_json(&json!({"id": 1})).unwrap()), r#"[{"id":1}]"#);
        assert_eq!(text(args_to_json(&vec![1, 2]).unwrap()), "[1,2]");
        assert_eq!(text(args_to_json(&(vec![1, 2],)).unwrap()), "[[1,2]]");
        assert_eq!(
            text(args_to_json(&(Bytes::from_static(b"a"),)).unwrap()),
            r#"[{"type":"Buffer","data":[97]}]"#
        );
    }

    #[test]
    fn arguments_are_read_by_the_same_rule() {
        assert_eq!(read::<(i64, i64)>("[1,2,3]"), (1, 2));
        assert_eq!(read::<(i64, Option<i64>)>("[1]"), (1, None));
        read::<()>("[1]");
        assert_eq!(read::<String>(r#"["a",1]"#), "a");
        assert_eq!(read::<Option<String>>("[]"), None);
        assert_eq!(read::<Vec<u8>>("[[1,2]]"), [1, 2]);
        assert_eq!(read::<Value>("[]"), Value::Null);
        assert_eq!(read::<Value>(r#"[{"a":1}]"#), json!({"a": 1}));
        assert_eq!(read::<Bytes>(r#"[{"type":"Buffer","data":[97]}]"#), "a");
        assert_eq!(
            read::<(Bytes, String)>(r#"[{"type":"Buffer","data":[97]},"\ud800"]"#),
            ("a".into(), "\u{fffd}".into())
        );
    }

    #[test]
    fn arguments_that_do_not_fit_are_a_type_error() {
        let error = args_from_json::<(u64,)>(br#"["x"]"#).unwrap_err();
        assert_eq!(error.name(), "TypeError");
        assert!(error.message().starts_with("bad arguments: "), "{error}");
    }
}
