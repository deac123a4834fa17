//! What V8 makes of texts, case by case.

use handfast_json::{Error, Limits, Number, Object, Tape, Text, Value, parse};

/// Text, and what `JSON.stringify(JSON.parse(text))` gives.
const COMPACT: &[(&str, &str)] = &[
    ("null", "null"),
    (" [ true , false ] ", "[true,false]"),
    ("{}", "{}"),
    ("{ }", "{}"),
    ("[ ]", "[]"),
    (r#"{"a":{},"b":[],"c":[{}]}"#, r#"{"a":{},"b":[],"c":[{}]}"#),
    // Array indexes first, ascending, at every depth.
    (
        r#"{"type":0,"b":1,"10":2,"2":{"z":0,"1":0}}"#,
        r#"{"2":{"1":0,"z":0},"10":2,"type":0,"b":1}"#,
    ),
    (
        r#"{"01":1,"-1":2,"4294967295":3,"4294967294":4,"0":5,"1.5":6,"":7," 1":8}"#,
        r#"{"0":5,"4294967294":4,"01":1,"-1":2,"4294967295":3,"1.5":6,"":7," 1":8}"#,
    ),
    (r#"{"a":0,"\u0031":1}"#, r#"{"1":1,"a":0}"#),
    // Of a name that comes again, the last value at the first place.
    (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
    (r#"{"a":1,"b":2,"\u0061":{"x":[]}}"#, r#"{"a":{"x":[]},"b":2}"#),
    (r#"{"1":1,"a":2,"1":3}"#, r#"{"1":3,"a":2}"#),
    (r#"{"__proto__":{"a":1},"b":2}"#, r#"{"__proto__":{"a":1},"b":2}"#),
    // Numbers.
    ("[0,-0,0.0,-0.0,-0e9]", "[0,0,0,0,0]"),
    ("[1.0,1.50,1E5,1e+5,1e-5]", "[1,1.5,100000,100000,0.00001]"),
    (
        "[1e20,1e21,123456789012345680000,1e-6,1e-7]",
        "[100000000000000000000,1e+21,123456789012345680000,0.000001,1e-7]",
    ),
    (
        "[0.000001,0.0000001,0.0000012,0.00000012]",
        "[0.000001,1e-7,0.0000012,1.2e-7]",
    ),
    (
        "[12345678901234567890,9007199254740993,9007199254740991]",
        "[12345678901234567000,9007199254740992,9007199254740991]",
    ),
    (
        "[1e400,-1e400,1e-400,1e99999999999999999999,0e99999999999999999999]",
        "[null,null,0,null,0]",
    ),
    (
        "[1514517067954.0012,0.1,0.30000000000000004,5e-324,1.7976931348623157e308]",
        "[1514517067954.0012,0.1,0.30000000000000004,5e-324,1.7976931348623157e+308]",
    ),
    (
        "[999999999999999,1000000000000000,-999999999999999]",
        "[999999999999999,1000000000000000,-999999999999999]",
    ),
    // Escapes.
    (
        r#""\u0041\/\u000a\u0000\u001F\u007f\b\f\n\r\t\\\"""#,
        "\"A/\\n\\u0000\\u001f\u{7f}\\b\\f\\n\\r\\t\\\\\\\"\"",
    ),
    ("\"\u{2028}\u{2029}\u{feff}é😀\"", "\"\u{2028}\u{2029}\u{feff}é😀\""),
    (r#""\uD83D\uDE00\u00e9""#, "\"😀é\""),
    // Lone surrogates.
    (r#""\uD800""#, r#""\ud800""#),
    (r#""\uDE00\uD83D""#, r#""\ude00\ud83d""#),
    (r#""\ud83d\ud83d\ude00x""#, "\"\\ud83d😀x\""),
    (r#"{"\ud800":1,"\ud801":2,"\uD800":3}"#, r#"{"\ud800":3,"\ud801":2}"#),
];

#[test]
fn texts_print_as_v8_prints_them() {
    let mut tape = Tape::new();
    for (text, expected) in COMPACT {
        let value = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(value.to_compact(), *expected, "{text}");
        let document = tape.read(text).unwrap();
        assert_eq!(document.to_compact(), *expected, "{text}");
        assert_eq!(document.to_pretty(), value.to_pretty(), "{text}");
        assert_eq!(document.to_value(), value, "{text}");
        assert_eq!(parse(value.to_pretty()).unwrap().to_compact(), *expected, "{text}");
    }
}

#[test]
fn pretty_texts_have_two_spaces_a_level_and_no_line_feed_at_the_end() {
    let value = parse(r#"{"a":[1,{"b":[]},{}],"c":{"d":null}}"#).unwrap();
    let expected =
        "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    },\n    {}\n  ],\n  \"c\": {\n    \"d\": null\n  }\n}";
    assert_eq!(value.to_pretty(), expected);
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    for (text, offset) in [
        ("", 0),
        (" ", 1),
        ("\u{feff}{}", 0),
        ("{} {}", 3),
        ("[1,]", 3),
        ("[,1]", 1),
        ("[1 2]", 3),
        ("{\"a\":1,}", 7),
        ("{\"a\" 1}", 5),
        ("{a:1}", 1),
        ("{'a':1}", 1),
        ("[1}", 2),
        ("{\"a\":1]", 6),
        ("[", 1),
        ("{", 1),
        ("nul", 3),
        ("nulL", 3),
        ("True", 0),
        ("NaN", 0),
        ("Infinity", 0),
        ("undefined", 0),
        ("01", 1),
        ("-01", 2),
        ("-", 1),
        ("+1", 0),
        (".5", 0),
        ("1.", 2),
        ("1.e5", 2),
        ("1e", 2),
        ("1e+", 3),
        ("0x10", 1),
        ("1_000", 1),
        ("\"", 1),
        ("\"\n\"", 1),
        ("\"\t\"", 1),
        ("\"\\x41\"", 2),
        ("\"\\u12g4\"", 5),
        ("\"\\u{41}\"", 3),
        ("\"\\", 2),
        ("'a'", 0),
        ("\u{a0}1", 0),
        ("\u{b}1", 0),
        ("\u{c}1", 0),
        ("1\u{2028}", 1),
        ("// 1\n1", 0),
        ("[1]\0", 3),
    ] {
        match parse(text) {
            Err(Error::Syntax { at, .. }) => assert_eq!(at.offset, offset, "{text:?}"),
            other => panic!("{text:?}: {other:?}"),
        }
    }
}

#[test]
fn errors_say_line_and_column() {
    let error = parse("{\n  \"é\": x\n}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "this is not JSON: expected a value at byte 10 (line 2, column 8)"
    );
    let error = parse([b'"', 0xff, b'"']).unwrap_err();
    assert_eq!(
        error.to_string(),
        "this is not JSON: the bytes are not UTF-8 at byte 1 (line 1, column 2)"
    );
    // A surrogate cannot stand in a text unescaped.
    assert!(matches!(parse(b"\"\xed\xa0\x80\""), Err(Error::NotUtf8 { .. })));
}

#[test]
fn limits_are_kept() {
    let limits = Limits { bytes: 10, depth: 3 };
    assert!(limits.parse("[[[]]]").is_ok());
    assert!(matches!(limits.parse("[[[[]]]]"), Err(Error::TooDeep { limit: 3, at }) if at.offset == 3));
    assert!(matches!(limits.parse("[[[{}]]]"), Err(Error::TooDeep { .. })));
    assert!(matches!(
        limits.parse("[1,2,3,4,5]"),
        Err(Error::TooLong { bytes: 11, limit: 10 })
    ));
    let deep = "[".repeat(512) + &"]".repeat(512);
    assert_eq!(parse(&deep).unwrap().to_compact(), deep);
    assert!(parse(format!("[{deep}]")).is_err());
}

#[test]
fn nesting_beyond_any_stack_can_be_read_printed_cloned_compared_and_dropped() {
    const DEPTH: usize = 300_000;
    let text = "[".repeat(DEPTH) + &"]".repeat(DEPTH);
    let limits = Limits {
        depth: usize::MAX,
        ..Limits::DEFAULT
    };
    let value = limits.parse(&text).unwrap();
    let copy = value.clone();
    assert!(value == copy);
    assert_eq!(value.to_compact(), text);
    let mut built = Value::from(1);
    for level in 0..DEPTH {
        built = if level % 2 == 0 {
            Object::from([("a", built)]).into()
        } else {
            [built].into()
        };
    }
    assert!(built.clone() == built);
    assert!(built != value);
    assert_eq!(format!("{built:?}").len(), DEPTH / 2 * (6 + 2) + 1);
    // Neither serializes: that would recurse.
    assert!(handfast_json::to_value(&built).is_err());
    assert!(serde_json::to_string(&built).is_err());
    assert!(handfast_json::from_value::<Value>(&built).is_err());
}

#[test]
fn objects_of_many_names_are_found_and_changed_in_order() {
    let mut object = Object::new();
    for number in 0..1000 {
        assert_eq!(object.insert(format!("name {number}"), number), None);
    }
    for number in (0..100).rev() {
        object.insert(format!("{number}"), number);
    }
    assert_eq!(object.len(), 1100);
    assert_eq!(object.insert("name 7", "seven"), Some(7.into()));
    assert_eq!(object.get("name 7"), Some(&"seven".into()));
    for number in 0..900 {
        assert!(object.remove(&format!("name {number}")).is_some());
        assert!(object.remove(&format!("name {number}")).is_none());
    }
    assert_eq!(object.remove("50"), Some(50.into()));
    assert_eq!(object.len(), 199);
    let keys: Vec<String> = object.keys().map(ToString::to_string).collect();
    let expected = (0..100).filter(|number| *number != 50).map(|number| number.to_string());
    assert!(
        keys.iter()
            .cloned()
            .eq(expected.chain((900..1000).map(|number| format!("name {number}"))))
    );
    for number in 900..1000 {
        assert_eq!(object.get(&format!("name {number}")), Some(&number.into()));
    }
    assert!(object.contains("99") && !object.contains("100"));
}

/// Were any of it quadratic, this would not end.
#[test]
fn objects_of_very_many_names_are_read_changed_and_printed() {
    const COUNT: usize = 50_000;
    let members: Vec<String> = (0..COUNT)
        .map(|number| format!("\"name {number}\":1,\"{}\":2", COUNT - number))
        .collect();
    let text = format!("{{{},{}}}", members.join(","), members.join(","));
    let value = parse(&text).unwrap();
    assert_eq!(value.as_object().map(Object::len), Some(2 * COUNT));
    assert_eq!(Tape::new().read(&text).unwrap().to_compact(), value.to_compact());
    let mut descending = Object::new();
    for number in (0..COUNT).rev() {
        descending.insert(number.to_string(), number);
        descending.insert(format!("name {number}"), number);
    }
    assert_eq!(descending.clone(), descending);
    for number in 0..COUNT {
        assert_eq!(descending.remove(&format!("name {number}")), Some(number.into()));
    }
    assert_eq!(descending.keys().next().and_then(Text::as_str), Some("0"));
    assert_eq!(descending.len(), COUNT);
}

#[test]
fn numbers_convert_where_they_are_whole_and_in_range() {
    let number = |text: &str| parse(text).unwrap().as_number().unwrap();
    assert_eq!(number("18446744073709551615").as_u64(), None);
    assert_eq!(number("9007199254740992").as_u64(), Some(1 << 53));
    assert_eq!(number("-1").as_u64(), None);
    assert_eq!(number("-1").as_i64(), Some(-1));
    assert_eq!(number("1.5").as_i64(), None);
    assert_eq!(number("1e400").as_u64(), None);
    assert_eq!(number("1e400").as_f64(), f64::INFINITY);
    assert_eq!(number("-0").as_f64().to_bits(), (-0.0_f64).to_bits());
    assert_eq!(Number::from(f64::NAN).to_string(), "null");
}

#[test]
fn texts_keep_what_is_no_unicode() {
    let units = [0x41, 0xd83d, 0xde00, 0xdc00, 0xd800];
    let text = Text::from_utf16(units);
    assert!(text.utf16().eq(units));
    assert_eq!(text.utf16_len(), 5);
    assert_eq!(text.to_string_lossy(), "A😀\u{fffd}\u{fffd}");
    assert_eq!(Text::from_wtf8(text.as_wtf8()), Some(text.clone()));
    // A high and a low one are a pair, and a pair has four bytes.
    assert_eq!(Text::from_wtf8(b"\xed\xa0\xbd\xed\xb8\x80"), None);
    assert_eq!(Text::from_wtf8(b"\xff"), None);
    assert_eq!(Text::from("A"), "A");
    assert!(text.into_string().is_err());
}

#[test]
fn what_is_left_out_of_an_object_stays_out_when_more_is() {
    let mut tape = handfast_json::Tape::new();
    let document = tape.read(r#"{"b":1,"a":2,"10":[3],"c":{"a":4}}"#).unwrap();
    let less = document.without("a").without("b");
    assert_eq!(less.to_compact(), r#"{"10":[3],"c":{"a":4}}"#);
    assert_eq!((less.len(), less.get("a").is_none()), (2, true));
    assert_eq!(less.to_value().to_compact(), less.to_compact());
    // To leave out what is out, or what never was there, changes nothing.
    assert_eq!(less.without("a").without("z").to_compact(), less.to_compact());
    let none = less.without("10").without("c");
    assert_eq!((none.to_compact().as_str(), none.is_empty()), ("{}", true));
    let five = tape.read(r#"{"a":1,"b":2,"c":3,"d":4,"e":5}"#).unwrap();
    let one = ["a", "b", "c", "d", "e"]
        .into_iter()
        .fold(five, |all, name| all.without(name));
    assert_eq!(one.to_compact(), r#"{"e":5}"#);
}
