//! The bridge to serde, met from both ends.

use handfast_json::{Value, from_value, parse, to_value};

#[test]
fn a_value_is_turned_into_itself_whatever_its_keys_and_texts() {
    for text in [
        r#"{"b":1,"10":2,"a":[{"":null},true,-0.5],"2":{"c":{}}}"#,
        r#"{"\ud800":"\udfff","plain":"\ud83d\ude00"}"#,
        "[[],{}]",
        r#""text""#,
    ] {
        let value = parse(text).expect("it is JSON");
        assert_eq!(to_value(&value).expect("a value is serializable"), value, "{text}");
        assert_eq!(from_value::<Value>(&value).expect("a value is deserializable"), value, "{text}");
    }
}
