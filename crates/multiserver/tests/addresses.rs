//! Addresses as values: what is kept, what is shown, what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use handfast_keys::SecretKey;
use handfast_multiserver::{Address, Alternative, Endpoint, Layer, MAX_ADDRESS_LEN, MAX_ALTERNATIVES, MAX_TRANSFORMS};
use serde_json::json;
use std::collections::HashSet;

const KEY: &str = "U5GvOKP/YUza9k53DSXxT0mk3PIrnyAmessvNfZl5E0=";
const SEED: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn error(text: &str) -> String {
    text.parse::<Address>().unwrap_err().to_string()
}

#[test]
fn a_seed_is_shown_only_to_whoever_asks_for_it() {
    let text = format!("net:h.example:8008~shs:{KEY}:{SEED};ws://h.example~shs:{KEY}:{SEED}");
    let invite = address(&text);
    assert_eq!(*invite.to_string_with_seed(), text);
    assert_eq!(invite.seed(), Some(SecretKey::from_seed([7; 32])));
    assert_eq!(invite.without_seed().seed(), None);
    assert_eq!(invite.to_string(), invite.without_seed().to_string());
    let shown = [
        invite.to_string(),
        format!("{invite:?} {:?}", invite.alternatives()),
        format!(
            "{:?} {}",
            invite.alternatives()[0].transforms,
            invite.alternatives()[0].transforms[0]
        ),
        format!("{:?}", invite.alternatives()[0].transforms[0].parts()),
        serde_json::to_string(&invite).unwrap(),
    ];
    for shown in shown {
        assert!(!shown.contains(SEED), "{shown}");
    }
    assert!(
        format!("{invite:?}").contains("(seed)"),
        "that there is one is no secret"
    );
}

#[test]
fn a_seed_in_the_wrong_place_is_not_quoted() {
    let wrong = [
        SEED.to_owned(),
        format!("net:h.example:8008~{SEED}"),
        format!("net:h.example:8008~shs:{KEY}:{SEED}{SEED}xx").replace('=', ""),
        format!("example.org:8008:@{KEY}.ed25519~{}", &SEED[..40]),
        format!("net:h.example:8008~shs:{}", &SEED[..40]),
    ];
    for text in wrong {
        let error = error(&text);
        assert!(!error.contains(&SEED[..20]), "{error}");
    }
}

#[test]
fn a_seed_counts_when_addresses_are_compared() {
    let with = |seed: &str| address(&format!("net:h.example:8008~shs:{KEY}{seed}"));
    let other = format!(":{}", SEED.replace('H', "I"));
    assert_eq!(with(&format!(":{SEED}")), with(&format!(":{}", &SEED[..43])));
    assert_ne!(with(&format!(":{SEED}")), with(&other));
    assert_ne!(with(&format!(":{SEED}")), with(""));
    let set: HashSet<_> = [with(""), with(&other), with(&format!(":{SEED}")), with("")].into();
    assert_eq!(set.len(), 3);
}

#[test]
fn an_error_says_which_part_is_wrong_and_what_it_should_look_like() {
    for (text, wants) in [
        (
            format!("net:h:80x~shs:{KEY}"),
            ["the port \"80x\"", "net:example.org:8008"],
        ),
        (
            "net:h:8008~shs:abc".to_owned(),
            ["the key behind shs: has 2 bytes instead of 32", "44 characters"],
        ),
        (
            format!("net:h:8008~shs:{KEY}:abc"),
            ["the seed behind the key has 2 bytes", "~shs:KEY:SEED"],
        ),
        (
            format!("net~shs:{KEY}"),
            ["net lacks a host or a port", "net:example.org:8008"],
        ),
        ("unix:".to_owned(), ["the path behind unix: is missing", "unix:/run"]),
        ("ws:/h".to_owned(), ["// is missing", "ws://example.org:8989"]),
        ("ws://exämple.org".to_owned(), ["is no host", "xn--"]),
        (
            "tunnel:a:b".to_owned(),
            ["the room of the tunnel is wrong", "tunnel:@ROOM.ed25519"],
        ),
        ("x:1".to_owned(), ["\"x\" is no name", "net:example.org:8008~shs:KEY"]),
        (" ".to_owned(), ["the address is empty", "net:example.org:8008~shs:KEY"]),
        ("net:h\u{7}:1".to_owned(), ["control character", "visible characters"]),
        (format!("h.example:80x:@{KEY}.ed25519"), ["the port \"80x\"", "8008"]),
    ] {
        let error = error(&text);
        for want in wants {
            assert!(error.contains(want), "{text}: {error}");
        }
    }
}

#[test]
fn one_alternative_alone_is_read_strictly() {
    let good = format!("net:h.example:1~shs:{KEY}");
    let bad = format!("net:h.example:x~shs:{KEY}");
    assert_eq!(address(&format!("{bad};{good}")).alternatives().len(), 2);
    assert!(bad.parse::<Alternative>().is_err());
    assert!(format!("{good};{good}").parse::<Alternative>().is_err());
    assert_eq!(good.parse::<Alternative>().unwrap().to_string(), good);
    assert!("net:h.example:x".parse::<Endpoint>().is_err());
    assert_eq!("net:::1:8008".parse::<Endpoint>().unwrap().host(), Some("::1"));
}

#[test]
fn what_is_not_known_is_kept_word_for_word() {
    let text = "bt:00!:11!:22:a b:~future:x!~y:!!;pigeon:coop";
    let read = address(text);
    let Endpoint::Other(layer) = &read.alternatives()[0].endpoint else {
        panic!("{read:?}")
    };
    assert_eq!(
        (layer.name(), layer.parts()),
        ("bt", ["00:11:22", "a b", ""].map(String::from).as_slice())
    );
    assert_eq!(read.alternatives()[0].transforms[0].parts(), ["x~y", "!"]);
    assert_eq!(read.to_string(), text);
}

#[test]
fn strangers_cannot_send_addresses_without_end() {
    let many = vec![format!("net:h:1~shs:{KEY}"); MAX_ALTERNATIVES + 1];
    assert!(address(&many[1..].join(";")).alternatives().len() == MAX_ALTERNATIVES);
    assert!(error(&many.join(";")).contains("alternatives"));
    assert!(error(&format!("unix:/{}", "a".repeat(MAX_ADDRESS_LEN))).contains("bytes"));
    assert!(error(&format!("net:h:1{}", "~noauth".repeat(MAX_TRANSFORMS + 1))).contains("transforms"));
    assert!(error(&format!("other{}", ":".repeat(1000))).contains("parts"));
}

#[test]
fn texts_and_old_objects_are_deserialised() {
    let read = |value: serde_json::Value| serde_json::from_value::<Address>(value);
    let want = format!("net:h.example:8008~shs:{KEY}");
    let key = format!("@{KEY}.ed25519");
    assert_eq!(read(json!(want)).unwrap().to_string(), want);
    for object in [
        json!({ "host": "h.example", "port": 8008, "key": key }),
        json!({ "host": "h.example", "port": "8008", "key": key, "announcers": 3, "source": "pub" }),
        json!({ "host": "h.example", "key": key }),
    ] {
        assert_eq!(read(object).unwrap().to_string(), want);
    }
    let onion = read(json!({ "host": "abc.onion", "port": 8008, "key": key })).unwrap();
    assert_eq!(onion.to_string(), format!("onion:abc.onion:8008~shs:{KEY}"));
    let invite = read(json!({ "host": "h.example", "port": 8008, "key": key, "seed": SEED })).unwrap();
    assert_eq!(*invite.to_string_with_seed(), format!("{want}:{SEED}"));
    assert!(read(json!({ "host": "h.example", "port": 8008 })).is_err());
    assert!(read(json!({ "host": "h.example", "port": 80_080, "key": key })).is_err());
    assert!(read(json!(8008)).is_err());
}

#[test]
fn invites_are_read_as_they_are_pasted() {
    let want = format!("net:h.example:8008~shs:{KEY}:{SEED}");
    for text in [
        format!("\"h.example:8008:@{KEY}.ed25519~{SEED}\"\n"),
        format!("  '{want}#https://h.example/~welcome;x'  "),
        format!("h.example:8008:@{KEY}.ed25519~{SEED}#https://h.example/~welcome;x"),
    ] {
        assert_eq!(*address(&text).to_string_with_seed(), want, "{text}");
    }
}

#[test]
fn no_form_of_an_address_is_longer_than_can_be_read() {
    for host in ["a".repeat(MAX_ADDRESS_LEN), "!".repeat(MAX_ADDRESS_LEN / 2)] {
        let object = json!({ "host": host, "port": 1, "key": KEY });
        assert!(serde_json::from_value::<Address>(object).is_err());
    }
    // Each of these characters is printed as three.
    let path = "\"".repeat(MAX_ADDRESS_LEN - 200);
    let text = format!("ws://a.example/{path}~shs:{KEY}");
    assert!(text.parse::<Address>().is_err());
    assert!(text.parse::<Alternative>().is_err());
    let text = format!("ws://a.example/{}~shs:{KEY}", &path[..1000]);
    let address: Address = text.parse().unwrap();
    assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
}

#[test]
fn addresses_are_put_together_from_values() {
    let key = KEY.parse().unwrap();
    let net = Alternative {
        endpoint: Endpoint::Net {
            host: "2001:db8::1".to_owned(),
            port: 8008,
        },
        transforms: Vec::new(),
    };
    let ws = Alternative {
        endpoint: Endpoint::Ws {
            secure: true,
            host: "::1".to_owned(),
            port: 8989,
            path: "/a;b".to_owned(),
        },
        transforms: Vec::new(),
    };
    let both = [net, ws].map(|one| one.with_transform(Layer::shs(&key)));
    let joined = Address::join(both).unwrap();
    assert_eq!(
        joined.to_string(),
        format!("net:2001:db8::1:8008~shs:{KEY};wss://[::1]:8989/a!;b~shs:{KEY}")
    );
    assert_eq!(address(&joined.to_string()), joined);
    assert_eq!(joined.key(), Some(key));
    assert_eq!(Address::join([]), None);
}
