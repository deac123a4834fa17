//! The fuzz bodies, fed by proptest.
#![cfg(feature = "_check")]

use handfast_multiserver::check;
use proptest::prelude::*;

const KEY: &str = "U5GvOKP/YUza9k53DSXxT0mk3PIrnyAmessvNfZl5E0=";

/// Texts that are nearly addresses.
fn nearly() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("net".to_owned()),
        Just("ws".to_owned()),
        Just("wss".to_owned()),
        Just("onion".to_owned()),
        Just("unix".to_owned()),
        Just("tunnel".to_owned()),
        Just("shs".to_owned()),
        Just("noauth".to_owned()),
        Just(KEY.to_owned()),
        Just(format!("@{KEY}.ed25519")),
        Just("//".to_owned()),
        Just("[::1]".to_owned()),
        "[0-9]{1,5}",
        "[!~:;#@/? \"'%a-zA-Z0-9é.-]{0,6}",
    ];
    let separator =
        prop_oneof![4 => Just(":"), 2 => Just("~"), 1 => Just(";"), 1 => Just("!"), 1 => Just("#"), 1 => Just("")];
    proptest::collection::vec((word, separator), 0..12)
        .prop_map(|words| words.into_iter().map(|(word, separator)| word + separator).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_read_is_printed_and_read_again(text in nearly()) {
        check::address(text.as_bytes());
    }

    #[test]
    fn addresses_survive_any_change_of_one_character(
        place in 0usize..120,
        change in "[!~:;#@/? \"'%a-zA-Z0-9é.-]{0,3}",
    ) {
        let address = format!("net:fe80::1%eth0:8008~shs:{KEY}:{KEY};ws://[::1]:8989/a!~b~shs:{KEY}");
        let place = place.min(address.len());
        let text = format!("{}{change}{}", &address[..place], address.get(place + 1..).unwrap_or_default());
        check::address(text.as_bytes());
    }

    #[test]
    fn layers_survive_printing(data: Vec<u8>) {
        check::layer(&data);
    }

    #[test]
    fn layers_with_good_names_survive_printing(name in "[a-z][a-z0-9-]{1,5}", parts: Vec<String>) {
        let Ok(layer) = handfast_multiserver::Layer::new(&name, parts) else { return Ok(()) };
        prop_assert_eq!(layer.to_string().parse::<handfast_multiserver::Layer>().unwrap(), layer.without_seed());
    }
}

#[test]
fn what_fuzzing_found_once_is_not_found_again() {
    for text in [
        "shs:net:",
        "nza9;dsx1:8008~!shs:U5U#{{",
        "nza9;dsx1:8008~SHS:U5U#{{",
        "ws://h:/?a:8008:@b#c:d",
        "wed24;wS://10.0.0.11:8989/YU>>>342:@./Y",
        "ws:// ex:/D~shs2:U5   :0",
        "net:h:x~shs:abc!;net:h:1",
    ] {
        check::address(text.as_bytes());
    }
}
