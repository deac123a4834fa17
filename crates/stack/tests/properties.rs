//! The laws of `check`, on random input.
#![cfg(feature = "_check")]

use handfast_stack::check;
use proptest::collection::vec;
use proptest::prelude::*;

/// JSON that is mostly a configuration.
fn configs() -> impl Strategy<Value = String> {
    let global = prop_oneof![
        Just(r#""host":"::1""#.to_owned()),
        any::<u16>().prop_map(|port| format!(r#""port":{port}"#)),
        any::<f64>().prop_map(|ms| format!(r#""timeout":{ms}"#)),
        any::<u32>().prop_map(|ms| format!(r#""timers":{{"inactivity":{ms},"ping":[]}}"#)),
        any::<u32>().prop_map(|most| format!(r#""limits":{{"maxConnections":{most}}}"#)),
        Just(r#""connections":{"incoming":{"net":[{"scope":"device"}]}}"#.to_owned()),
        Just(r#""caps":{"shs":"x"}"#.to_owned()),
    ];
    (vec(global, 0..4), "[a-z]{0,3}", any::<bool>()).prop_map(|(global, plugin, list)| {
        let section = if list { "[1]" } else { r#"{"a":{"b":null}}"# };
        format!(r#"{{"global":{{{}}},"{plugin}":{section}}}"#, global.join(","))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_name_can_be_camel_cased(data in prop_oneof![
        any::<String>().prop_map(String::into_bytes),
        "[a-cA-C0-2 _.:\u{212a}\u{130}é-]{0,12}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..40),
    ]) {
        check::names(&data);
    }

    #[test]
    fn any_json_is_a_configuration_or_an_error(text in configs()) {
        check::config(text.as_bytes());
    }

    #[test]
    fn layers_keep_their_laws(data in vec(any::<u8>(), 0..200)) {
        check::layers(&data);
    }

    #[test]
    fn permissions_keep_their_laws(data in vec(any::<u8>(), 0..200)) {
        check::permissions(&data);
    }
}
