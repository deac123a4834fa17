//! Values from and to other types, by serde.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use handfast_json::{Error, Number, Object, Text, Value, from_value, parse, to_value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    text: String,
    letter: char,
    whole: u64,
    negative: i32,
    float: f64,
    truth: bool,
    none: Option<u8>,
    some: Option<Vec<u8>>,
    pair: (u8, String),
    unit: (),
    newtype: Newtype,
    shapes: Vec<Shape>,
    map: BTreeMap<u32, String>,
    value: Value,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(i64);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f64),
    Line(u8, u8),
    Box { width: u8, height: u8 },
}

fn everything() -> Everything {
    Everything {
        text: "kia ora".into(),
        letter: 'é',
        whole: 1 << 53,
        negative: -5,
        float: 0.5,
        truth: true,
        none: None,
        some: Some(vec![1, 2]),
        pair: (3, "three".into()),
        unit: (),
        newtype: Newtype(-7),
        shapes: vec![
            Shape::Point,
            Shape::Circle(1.5),
            Shape::Line(1, 2),
            Shape::Box { width: 3, height: 4 },
        ],
        map: [(10, "ten".into()), (9, "nine".into())].into(),
        value: parse(r#"{"b":[null],"1":"\ud800"}"#).unwrap(),
    }
}

#[test]
fn types_become_values_and_come_back() {
    let value = to_value(&everything()).unwrap();
    assert_eq!(
        value.to_compact(),
        concat!(
            r#"{"text":"kia ora","letter":"é","whole":9007199254740992,"negative":-5,"float":0.5,"truth":true,"#,
            r#""none":null,"some":[1,2],"pair":[3,"three"],"unit":null,"newtype":-7,"#,
            r#""shapes":["Point",{"Circle":1.5},{"Line":[1,2]},{"Box":{"width":3,"height":4}}],"#,
            r#""map":{"9":"nine","10":"ten"},"value":{"1":"\ud800","b":[null]}}"#
        )
    );
    assert_eq!(from_value::<Everything>(&value).unwrap(), everything());
}

#[test]
fn values_of_serde_json_become_ours_and_come_back() {
    let theirs = serde_json::json!({"b": 1.5, "10": [null, true, "x"], "9": {"a": -1}});
    let ours = to_value(&theirs).unwrap();
    assert_eq!(ours.to_compact(), r#"{"9":{"a":-1},"10":[null,true,"x"],"b":1.5}"#);
    assert_eq!(from_value::<serde_json::Value>(&ours).unwrap(), theirs);
    assert_eq!(serde_json::to_value(&ours).unwrap(), theirs);
    assert_eq!(serde_json::from_value::<Value>(theirs).unwrap(), ours);
    assert_eq!(serde_json::to_string(&ours).unwrap(), ours.to_compact());
    assert_eq!(serde_json::from_str::<Value>(&ours.to_pretty()).unwrap(), ours);
}

#[test]
fn a_value_is_turned_into_itself_whatever_its_keys_and_texts() {
    for text in [
        r#"{"b":1,"10":2,"a":[{"":null},true,-0.5],"2":{"c":{}}}"#,
        r#"{"\ud800":"\udfff","plain":"\ud83d\ude00"}"#,
        "[[],{}]",
        r#""text""#,
    ] {
        let value = parse(text).unwrap();
        assert_eq!(to_value(&value).unwrap(), value, "{text}");
        assert_eq!(from_value::<Value>(&value).unwrap(), value, "{text}");
    }
}

#[test]
fn texts_with_lone_surrogates_are_texts_and_no_strings() {
    let value = parse(r#"["\ud800", {"\udfff": 1}]"#).unwrap();
    assert_eq!(to_value(&value).unwrap(), value);
    assert_eq!(from_value::<Value>(&value).unwrap(), value);
    let (text, _): (Text, Object) = from_value(&value).unwrap();
    assert_eq!(text.utf16().collect::<Vec<_>>(), [0xd800]);
    let error = from_value::<(String, Object)>(&value).unwrap_err();
    assert!(matches!(error, Error::Convert(_)), "{error:?}");
}

#[test]
fn what_json_does_not_have_is_refused() {
    let pairs = BTreeMap::from([((1, 2), 3)]);
    assert_eq!(to_value(&pairs), Err(Error::Key { found: "tuples" }));
    let value = parse(r#"{"whole": 1.5}"#).unwrap();
    assert!(
        from_value::<BTreeMap<String, u64>>(&value)
            .unwrap_err()
            .to_string()
            .contains("1.5")
    );
    assert!(from_value::<Vec<u8>>(&value).is_err());
    assert!(from_value::<(u8,)>(&parse("[1,2]").unwrap()).is_err());
    assert!(from_value::<Shape>(&parse(r#""Triangle""#).unwrap()).is_err());
    assert!(from_value::<Shape>(&parse(r#"{"Point":1}"#).unwrap()).is_err());
    assert!(from_value::<Shape>(&parse(r#"{"Line":3}"#).unwrap()).is_err());
}

#[test]
fn numbers_are_floats_whatever_they_come_from() {
    assert_eq!(to_value(&u64::MAX).unwrap().to_compact(), "18446744073709552000");
    assert_eq!(to_value(&i128::MIN).unwrap().to_compact(), "-1.7014118346046923e+38");
    assert_eq!(to_value(&f64::NAN).unwrap().to_compact(), "null");
    assert_eq!(to_value(&-0.0).unwrap().to_compact(), "0");
    assert_eq!(from_value::<f64>(&parse("1e400").unwrap()).unwrap(), f64::INFINITY);
    assert_eq!(from_value::<f64>(&parse("3").unwrap()).unwrap(), 3.0);
    assert_eq!(from_value::<Number>(&parse("3").unwrap()).unwrap(), 3.into());
    assert_eq!(from_value::<i64>(&parse("-3e2").unwrap()).unwrap(), -300);
}

/// A type that nests as deep as its maker likes.
#[derive(Serialize, Deserialize)]
struct Nest(Option<Box<Nest>>);

#[test]
fn conversion_stops_before_the_stack_does() {
    let mut nest = Nest(None);
    for _ in 0..1000 {
        nest = Nest(Some(Box::new(nest)));
    }
    assert_eq!(to_value(&nest), Err(Error::Nested { limit: 128 }));
    let deep = |levels: usize| parse("[".repeat(levels) + &"]".repeat(levels)).unwrap();
    assert_eq!(to_value(&deep(128)).unwrap(), deep(128));
    assert_eq!(to_value(&deep(129)), Err(Error::Nested { limit: 128 }));
    assert_eq!(from_value::<Value>(&deep(128)).unwrap(), deep(128));
    assert!(from_value::<Value>(&deep(129)).is_err());
    // A type that takes nothing from the value could recurse on it for ever.
    assert!(from_value::<Nest>(&Value::from(1)).is_err());
}
