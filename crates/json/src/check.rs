//! Laws that hold for every input; fuzz targets and property tests call them.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use crate::{Error, Limits, Object, Tape, Text, Value, parse, to_value};

/// What is read prints as a text that is read as the same value and prints the same; what is refused is refused at a place
/// that the text has.
pub fn text(data: &[u8]) {
    let value = match parse(data) {
        Ok(value) => value,
        Err(error) => return place_is_in(&error, data),
    };
    let (compact, pretty) = (value.to_compact(), value.to_pretty());
    let again = parse(&compact).expect("our own compact text is JSON");
    assert_eq!(again.to_compact(), compact);
    assert_eq!(again.to_pretty(), pretty);
    let from_pretty = parse(&pretty).expect("our own pretty text is JSON");
    assert_eq!(from_pretty, again);
    let copy = value.clone();
    assert_eq!(copy, value);
    assert_eq!(copy.to_compact(), compact);
    let mut bytes = Vec::new();
    value.write_compact(&mut bytes);
    value.write_pretty(&mut bytes);
    assert_eq!(bytes, [compact.as_bytes(), pretty.as_bytes()].concat());
    texts_convert(&value);
    match to_value(&value) {
        Ok(converted) => assert_eq!(converted.to_compact(), compact),
        Err(error) => assert!(matches!(error, Error::Nested { .. }), "{error}"),
    }
}

fn place_is_in(error: &Error, data: &[u8]) {
    match error {
        Error::Syntax { at, .. } | Error::TooDeep { at, .. } | Error::NotUtf8 { at } => {
            assert!(at.offset <= data.len() && at.line >= 1 && at.column >= 1);
            assert!(at.line + at.column <= at.offset + 2);
        }
        other => panic!("{other}"),
    }
    assert!(!error.to_string().is_empty());
}

fn texts_convert(value: &Value) {
    match value {
        Value::String(text) => {
            assert_eq!(Text::from_wtf8(text.as_wtf8()).as_ref(), Some(text));
            assert_eq!(&Text::from_utf16(text.utf16()), text);
            assert_eq!(text.utf16().count(), text.utf16_len());
            let is_kept = text.utf16().eq(text.to_string_lossy().encode_utf16());
            assert_eq!(text.as_str().is_some(), is_kept);
        }
        Value::Array(values) => values.iter().for_each(texts_convert),
        Value::Object(members) => members.values().for_each(texts_convert),
        _ => {}
    }
}

/// A document is the value that is parsed from its text, whatever its tape has read before: printed, looked into, with a
/// member left out, cut short by limits. The first byte cuts the rest in two: a text that is read before, and the text.
pub fn document(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let (before, data) = rest.split_at(usize::from(*first).min(rest.len()));
    let mut tape = Tape::new();
    let _ = tape.read(before);
    let value = match (tape.read(data), parse(data)) {
        (Ok(document), Ok(value)) => {
            assert_eq!(document.to_compact(), value.to_compact());
            assert_eq!(document.to_pretty(), value.to_pretty());
            assert_eq!(document.to_value(), value);
            let size = value
                .as_object()
                .map(Object::len)
                .or(value.as_array().map(|array| array.len()));
            assert_eq!(document.len(), size.unwrap_or_default());
            value
        }
        (Err(one), Err(other)) => return assert_eq!(one, other),
        (one, other) => panic!("{one:?} and {other:?}"),
    };
    let document = tape.read(data).unwrap();
    for (place, item) in document.items().enumerate() {
        assert_eq!(item.to_value(), value.as_array().unwrap()[place]);
    }
    if let Some(object) = value.as_object() {
        assert!(document.members().map(|(key, _)| key).eq(object.keys().cloned()));
        for name in object.keys().filter_map(Text::as_str).take(8) {
            assert_eq!(document.get(name).unwrap().to_value(), *object.get(name).unwrap());
            let mut rest = object.clone();
            assert!(rest.remove(name).is_some());
            let without = document.without(name);
            assert_eq!(without.len(), rest.len());
            assert!(without.get(name).is_none());
            let rest = Value::from(rest);
            assert_eq!(without.to_pretty(), rest.to_pretty());
            assert_eq!(without.to_value(), rest);
        }
    }
    for depth in 0..4 {
        let limits = Limits {
            bytes: data.len(),
            depth,
        };
        match limits.parse(data) {
            Ok(limited) => assert_eq!(limited, value),
            Err(error) => assert!(matches!(error, Error::TooDeep { limit, .. } if limit == depth)),
        }
    }
}

/// An object does what a plain list of members does, in V8's order. Each three bytes are an operation; the first thousand count,
/// since the list is slow.
pub fn object(data: &[u8]) {
    let (mut object, mut model) = (Object::new(), Model::default());
    for (step, operation) in data.chunks_exact(3).take(1000).enumerate() {
        let number = u16::from_be_bytes([operation[1] % 4, operation[2]]);
        let name = if operation[1] & 4 == 0 {
            number.to_string()
        } else {
            format!("n{number}")
        };
        match operation[0] % 4 {
            0 => assert_eq!(object.remove(&name), model.remove(&name)),
            1 => assert_eq!(object.get(&name), model.place(&name).map(|place| &model.0[place].1)),
            _ => assert_eq!(object.insert(name.as_str(), step), model.insert(&name, step.into())),
        }
        assert_eq!(object.len(), model.0.len());
    }
    let members = object.iter().map(|(key, value)| (key.as_str().unwrap(), value));
    assert!(members.eq(model.0.iter().map(|(key, value)| (key.as_str(), value))));
    let copy = object.clone();
    assert_eq!(copy, object);
    assert!(model.0.iter().all(|(key, value)| copy.get(key) == Some(value)));
    assert!(
        object
            .into_iter()
            .map(|(_, value)| value)
            .eq(model.0.into_iter().map(|(_, value)| value))
    );
}

/// Members in V8's order.
#[derive(Default)]
struct Model(Vec<(String, Value)>);

impl Model {
    fn place(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(key, _)| key == name)
    }

    fn remove(&mut self, name: &str) -> Option<Value> {
        self.place(name).map(|place| self.0.remove(place).1)
    }

    fn insert(&mut self, name: &str, value: Value) -> Option<Value> {
        if let Some(place) = self.place(name) {
            return Some(std::mem::replace(&mut self.0[place].1, value));
        }
        // Names here are numbers or begin with a letter; only numbers parse.
        let index = |name: &str| name.parse::<u32>().unwrap_or(u32::MAX);
        let place = self.0.partition_point(|(key, _)| index(key) <= index(name));
        self.0.insert(place, (name.to_owned(), value));
        None
    }
}
