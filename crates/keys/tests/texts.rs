//! References, network identifiers and keys as texts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use handfast_keys::{BlobId, CloakedId, FeedId, KeyPair, MessageId, NetworkIdentifier, PublicKey};
use proptest::prelude::*;

const DATA: &str = "g3hPVPDEO1Aj/uPl0+J2NlhFB2bbFLIHlty+YuqFZ3w=";
const SAFE: &str = "g3hPVPDEO1Aj_uPl0-J2NlhFB2bbFLIHlty-YuqFZ3w=";

#[test]
fn sigil_and_uri_forms_stand_for_the_same_reference() {
    // The URIs on the left are what ssb-uri2 2.4.1 prints; those in the list it reads as well.
    let feed: FeedId = format!("@{DATA}.ed25519").parse().unwrap();
    assert_eq!(feed.to_uri(), format!("ssb:feed/classic/{SAFE}"));
    let message: MessageId = format!("%{DATA}.sha256").parse().unwrap();
    assert_eq!(message.to_uri(), format!("ssb:message/classic/{SAFE}"));
    let blob: BlobId = format!("&{DATA}.sha256").parse().unwrap();
    assert_eq!(blob.to_uri(), format!("ssb:blob/classic/{SAFE}"));
    let cloaked: CloakedId = format!("%{DATA}.cloaked").parse().unwrap();
    assert_eq!(cloaked.to_uri(), format!("ssb:message/cloaked/{SAFE}"));
    for form in [
        "message/sha256/",
        "message/classic/",
        "message:sha256:",
        "//message/sha256/",
        "message:classic:",
    ] {
        assert_eq!(
            format!("ssb:{form}{SAFE}").parse::<MessageId>().unwrap(),
            message,
            "{form}"
        );
    }
    for form in ["feed/ed25519/", "feed/classic/", "feed:ed25519:", "//feed/classic/"] {
        assert_eq!(format!("ssb:{form}{SAFE}").parse::<FeedId>().unwrap(), feed, "{form}");
    }
}

#[test]
fn anything_but_the_canonical_text_is_refused() {
    let good = format!("%{DATA}.sha256");
    for bad in [
        String::new(),
        "%.sha256".into(),
        good.to_uppercase(),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{good}?unbox=abc"),
        good.replace('=', ""),
        good.replace("3w=", "3x="), // spare bits that are not zero
        good.replace("3w=", "3=="),
        good.replace('/', "_"),
        format!("@{DATA}.sha256"),
        format!("%{DATA}.ed25519"),
        format!("%AAAA{DATA}.sha256"),
        format!("ssb:message/sha256/{DATA}"), // the data has to be URL-safe
        format!("ssb:message/classic/{SAFE}/"),
        format!("ssb:message/bendybutt-v1/{SAFE}"),
        format!("ssb:blob/classic/{SAFE}"),
        format!("ssb:message/classic:{SAFE}"),
        format!("ssb:/message/classic/{SAFE}"),
    ] {
        assert!(bad.parse::<MessageId>().is_err(), "{bad:?}");
    }
}

#[test]
fn a_refusal_says_what_was_wanted_and_what_is_wrong() {
    let error = "%abc.sha256".parse::<FeedId>().unwrap_err().to_string();
    assert_eq!(
        error,
        "this is no feed reference (@….ed25519): it begins with another character"
    );
    let error = "AAAA".parse::<NetworkIdentifier>().unwrap_err().to_string();
    assert!(error.contains("32 bytes in base64"), "{error}");
    let low = format!("@{}=.ed25519", "A".repeat(43))
        .parse::<PublicKey>()
        .unwrap_err()
        .to_string();
    assert_eq!(low, "unusable public key: the point has small order");
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let pair = KeyPair::from_seed(&[0x5a; 32]).unwrap();
    let shown = format!(
        "{:?} {:?} {:?} {:?}",
        pair,
        pair.secret(),
        pair.agreement(),
        NetworkIdentifier::from_bytes([0x5a; 32])
    );
    assert!(shown.contains(&pair.public().to_string()));
    assert!(
        !shown.contains("5a5a") && !shown.contains("90, 90") && !shown.contains("Wlpa"),
        "{shown}"
    );
}

proptest! {
    #[test]
    fn every_reference_survives_its_texts_and_json(bytes: [u8; 32]) {
        let id = MessageId::from_bytes(bytes);
        prop_assert_eq!(id.to_string().parse::<MessageId>().unwrap(), id);
        prop_assert_eq!(id.to_uri().parse::<MessageId>().unwrap(), id);
        let json = serde_json::to_string(&id).unwrap();
        prop_assert_eq!(serde_json::from_str::<MessageId>(&json).unwrap(), id);
        let network = NetworkIdentifier::from_bytes(bytes);
        prop_assert_eq!(network.to_string().parse::<NetworkIdentifier>().unwrap(), network);
    }

    #[test]
    fn a_key_survives_each_of_its_texts(seed: [u8; 32]) {
        let key = *KeyPair::from_seed(&seed).unwrap().public();
        let feed = FeedId::from(key);
        for text in [key.to_string(), key.to_base64(), format!("{}.ed25519", key.to_base64()), feed.to_uri()] {
            prop_assert_eq!(text.parse::<PublicKey>().unwrap(), key);
        }
        prop_assert_eq!(feed.public_key().unwrap(), key);
    }

    #[test]
    fn parsing_never_panics_and_prints_what_it_read(text in "\\PC{0,80}") {
        if let Ok(id) = text.parse::<MessageId>() {
            prop_assert!(text == id.to_string() || text.starts_with("ssb:"));
        }
        let _ = text.parse::<PublicKey>();
    }
}
