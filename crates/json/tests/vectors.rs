//! Frozen vectors: what V8 made of texts, and what ssb-keys signed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use handfast_json::{Tape, Value, parse};

fn file(text: &str) -> Value {
    parse(text).expect("the vectors are JSON")
}

fn list<'a>(file: &'a Value, name: &str) -> &'a [Value] {
    let list = file.get(name).and_then(Value::as_array).expect("a list of vectors");
    assert!(!list.is_empty());
    list
}

fn field<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector.get(name).and_then(Value::as_str).expect("a text in the vector")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn texts_are_read_and_printed_as_v8_does() {
    let file = file(include_str!("vectors/v8.json"));
    let (mut tape, mut refused) = (Tape::new(), 0);
    for vector in list(&file, "vectors") {
        let text = field(vector, "text");
        let document = tape.read(text);
        if vector.get("compact").is_some_and(Value::is_null) {
            refused += 1;
            assert!(document.is_err() && parse(text).is_err(), "{text:?}");
            continue;
        }
        let (compact, pretty) = (field(vector, "compact"), field(vector, "pretty"));
        let document = document.unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(document.to_compact(), compact, "{text:?}");
        assert_eq!(document.to_pretty(), pretty, "{text:?}");
        let value = parse(text).unwrap();
        assert_eq!(value.to_compact(), compact, "{text:?}");
        assert_eq!(value.to_pretty(), pretty, "{text:?}");
    }
    assert!(refused > 60);
}

#[test]
fn messages_of_feeds_have_the_bytes_that_were_signed() {
    let file = file(include_str!("vectors/classic.json"));
    let mut tape = Tape::new();
    for vector in list(&file, "messages") {
        let (label, text) = (field(vector, "label"), field(vector, "text"));
        let document = tape.read(text).unwrap();
        assert_eq!(
            hex(document.to_pretty().as_bytes()),
            field(vector, "full_encoding_utf8"),
            "{label}"
        );
        let unsigned = document.without("signature");
        assert_eq!(
            hex(unsigned.to_pretty().as_bytes()),
            field(vector, "signing_bytes"),
            "{label}"
        );
        assert_eq!(document.to_compact(), text, "{label}");

        let mut value = parse(text).unwrap();
        let pretty = value.to_pretty();
        assert_eq!(hex(pretty.as_bytes()), field(vector, "full_encoding_utf8"), "{label}");
        assert_eq!(
            Some(pretty.encode_utf16().count() as u64),
            vector.get("full_encoding_utf16_units").and_then(Value::as_u64),
            "{label}"
        );
        let signature = value.as_object_mut().and_then(|message| message.remove("signature"));
        assert!(signature.is_some(), "{label}");
        assert_eq!(
            hex(value.to_pretty().as_bytes()),
            field(vector, "signing_bytes"),
            "{label}"
        );
    }
}

#[test]
fn messages_are_as_long_as_ssb_validate_says() {
    let file = file(include_str!("vectors/classic.json"));
    for vector in list(&file, "edge_cases") {
        let (label, text, verdict) = (
            field(vector, "label"),
            field(vector, "text"),
            field(vector, "ssb_validate"),
        );
        let units = parse(text).unwrap().to_pretty().encode_utf16().count();
        match verdict.split_once("Current size is ") {
            Some((_, size)) => assert_eq!(units.to_string(), size, "{label}"),
            None => assert!(units <= 8192, "{label}"),
        }
    }
}
