//! The fuzz bodies of identities and wallets, fed by proptest, and addresses against a second encoder.
#![cfg(feature = "_check")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use handfast_snap2p::{Address, Network, WalletKey, check, recover};
use proptest::prelude::*;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..max)
}

/// c32check by long division, as the reference's number theory would do it.
fn c32check(version: u8, hash: &[u8; 20]) -> String {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let once = digest(&SHA256, &[&[version][..], hash].concat());
    let twice = digest(&SHA256, once.as_ref());
    let data = [&hash[..], &twice.as_ref()[..4]].concat();
    let mut number = data.clone();
    let mut digits = Vec::new();
    while number.iter().any(|byte| *byte != 0) {
        let mut rest = 0;
        for byte in &mut number {
            let value = rest << 8 | u32::from(*byte);
            *byte = u8::try_from(value / 32).unwrap();
            rest = value % 32;
        }
        digits.push(ALPHABET[rest as usize]);
    }
    digits.extend(data.iter().take_while(|byte| **byte == 0).map(|_| b'0'));
    digits.push(ALPHABET[usize::from(version)]);
    digits.push(b'S');
    digits.reverse();
    String::from_utf8(digits).unwrap()
}

/// The hash of nothing but zeros is the one where a checksum that begins with zeros would count as well.
#[test]
fn the_address_of_no_key_is_right_in_every_version() {
    for version in 0..32 {
        let address = Address::new(version, [0; 20]).unwrap();
        assert_eq!(address.to_string(), c32check(version, &[0; 20]));
        assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
    }
}

/// Wallet files, more or less.
fn wallet_files() -> impl Strategy<Value = String> {
    let base64 = prop_oneof!["[A-Za-z0-9+/]{22}==", "[A-Za-z0-9+/]{16}", "[A-Za-z0-9+/=]{0,30}"];
    let address = any::<[u8; 20]>().prop_map(|hash| Address::new(22, hash).unwrap().to_string());
    let date = prop_oneof![Just("2026-11-21T19:28:21.522Z".to_owned()), ".{0,30}"];
    (
        prop_oneof![9 => Just(1), 1 => 0..3],
        prop_oneof![9 => Just("mainnet"), 1 => Just("testnet"), 1 => Just("")],
        address,
        ".{0,70}",
        date,
        prop::collection::vec(base64, 4),
        any::<bool>(),
    )
        .prop_map(|(version, network, address, name, date, parts, extra)| {
            let mut file = json!({
                "version": version, "network": network, "address": address, "displayName": name, "createdAt": date,
                "crypto": {
                    "salt": parts[0], "iv": parts[1], "tag": parts[2], "ciphertext": parts[3], "kdf": "scrypt",
                },
            });
            if extra {
                file["more"] = Value::Null;
            }
            file.to_string()
        })
}

proptest! {
    #[test]
    fn addresses_are_those_of_a_second_encoder(version in 0u8..32, hash: [u8; 20], zeros in 0usize..21) {
        let mut hash = hash;
        hash[..zeros].fill(0);
        let text = c32check(version, &hash);
        let address: Address = text.parse().unwrap();
        prop_assert_eq!((address.version(), address.hash()), (version, &hash));
        prop_assert_eq!(address.to_string(), text);
    }

    #[test]
    fn every_signature_leads_back_to_its_key(secret: [u8; 32], digest: [u8; 32]) {
        if let Ok(key) = WalletKey::from_bytes(&secret) {
            let signature = key.sign(&digest);
            prop_assert!(signature[32] < 0x80, "a low S");
            prop_assert_eq!(recover(&digest, &signature), Some(key.public()));
            prop_assert_eq!(key.address(Network::Mainnet), Address::of(&key.public(), Network::Mainnet));
        }
    }

    #[test]
    fn any_bytes_may_be_a_signature(digest: [u8; 32], signature in prop::collection::vec(any::<u8>(), 65), v in 0u8..6) {
        let mut signature: [u8; 65] = signature.try_into().unwrap();
        signature[64] = v;
        prop_assert!(v < 4 || recover(&digest, &signature).is_none());
    }

    #[test]
    fn principals_survive(data in bytes(80)) {
        check::principal(&data);
    }

    #[test]
    fn texts_like_principals_survive(text in "(stacks:)?S?[0-9A-Z.]{0,42}") {
        check::principal(text.as_bytes());
    }

    #[test]
    fn no_changed_attestation_verifies(data in bytes(40)) {
        check::attestation(&data);
    }

    #[test]
    fn no_changed_card_verifies(data in bytes(40)) {
        check::alias_card(&data);
    }

    #[test]
    fn any_text_is_an_alias_in_normal_form_or_refused(text in "\\PC{0,30}") {
        check::alias_card(text.as_bytes());
    }

    #[test]
    fn wallet_files_survive(text in wallet_files()) {
        check::wallet_file(text.as_bytes());
    }

    #[test]
    fn no_text_is_taken_for_a_wallet_file(data in bytes(200)) {
        check::wallet_file(&data);
    }

    #[test]
    fn mnemonics_survive(words in prop::collection::vec("(abandon|about|[a-z]{1,9}|\\PC{1,4})", 0..26)) {
        check::mnemonic(words.join(" ").as_bytes());
    }
}
