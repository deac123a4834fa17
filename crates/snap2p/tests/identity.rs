//! Addresses, principals, attestations and signatures as the reference makes them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use handfast_keys::{KeyPair, PublicKey};
use handfast_snap2p::{
    Address, AttestationFault, Error, Network, NodeKeyAttestation, Principal, UnixTime, WalletKey, recover,
    recover_message, sign_message, verify_message,
};
use ring::digest::{SHA256, digest};
use serde_json::Value;
use std::time::Duration;
use testkit::{unhex, unhex_array};

fn vectors(section: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("vectors/snap2p.json")).unwrap();
    all[section].clone()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} in {value}"))
}

fn number(value: &Value, key: &str) -> u64 {
    text(value, key).parse().unwrap()
}

/// A private key as Stacks writes it: 32 bytes, and 01 for a compressed public key.
fn stacks_key(text: &str) -> WalletKey {
    WalletKey::from_bytes(&unhex_array(text.strip_suffix("01").unwrap())).unwrap()
}

#[test]
fn node_keys_become_the_x25519_keys_of_the_reference() {
    for vector in vectors("key_conversion").as_array().unwrap() {
        let pair = KeyPair::from_seed(&unhex_array(text(vector, "seed"))).unwrap();
        let public = PublicKey::from_bytes(&unhex_array(text(vector, "ed25519_public"))).unwrap();
        assert_eq!(pair.public(), &public);
        let wanted: [u8; 32] = unhex_array(text(vector, "x25519_public"));
        assert_eq!(pair.agreement().public().as_bytes(), &wanted);
        assert_eq!(public.to_x25519().as_bytes(), &wanted);
    }
}

#[test]
fn node_keys_that_are_no_points_are_refused() {
    for vector in vectors("key_conversion_bad").as_array().unwrap() {
        let key = PublicKey::from_bytes(&unhex_array(text(vector, "ed25519_public")));
        match vector["x"].as_str() {
            None => assert!(key.is_err(), "{vector}"),
            Some(x) => assert_eq!(key.unwrap().to_x25519().as_bytes(), &unhex_array(x)),
        }
    }
}

#[test]
fn addresses_are_those_of_the_reference() {
    let mut short = 0;
    for vector in vectors("addresses").as_array().unwrap() {
        let mainnet: Address = text(vector, "mainnet").parse().unwrap();
        assert_eq!(mainnet.to_string(), text(vector, "mainnet"));
        assert_eq!(mainnet.network(), Some(Network::Mainnet));
        let principal = Principal(mainnet);
        assert_eq!(principal.to_string(), format!("stacks:{mainnet}"));
        assert_eq!(
            principal.is_taken_by_the_reference(),
            vector["length"].is_null(),
            "{vector}"
        );
        if !text(vector, "stacks_private_key").ends_with("01") {
            // The address of an uncompressed key: it can be read, and no key of ours has one.
            continue;
        }
        let key = stacks_key(text(vector, "stacks_private_key"));
        assert_eq!(key.public(), unhex_array(text(vector, "public_key")));
        assert_eq!(key.address(Network::Mainnet), mainnet);
        if let Some(testnet) = vector["testnet"].as_str() {
            assert_eq!(mainnet.hash(), &unhex_array(text(vector, "hash160")));
            let address: Address = testnet.parse().unwrap();
            assert_eq!(key.address(Network::Testnet), address);
            assert_eq!(address.network(), Some(Network::Testnet));
        } else {
            short += 1;
        }
    }
    assert_eq!(short, 2);
}

/// What the reference takes as a principal and we refuse, since its checksum or alphabet is wrong, and the other way round.
#[test]
fn principals_are_those_of_the_reference_with_a_good_checksum() {
    for vector in vectors("principals").as_array().unwrap() {
        let input = text(vector, "input");
        let wanted = match input {
            // No key is known for this address, and it is one.
            "stacks:SP000000000000000000002Q6VF78" => true,
            "stacks:SP1THWXQ8368SDN2MJGE4BMDKMCHZ2GSVTS1X0BPA"
            | "stacks:SZAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
            | "stacks:SOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOO" => false,
            _ => vector["ok"].as_bool().unwrap(),
        };
        match input.parse::<Principal>() {
            Ok(principal) => {
                assert!(wanted, "{input}");
                assert_eq!(principal.to_string(), input);
            }
            Err(Error::Principal { text, why }) => {
                assert!(!wanted, "{input}: {why}");
                assert!(input.contains(&text));
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn an_address_has_one_spelling() {
    let good = "SP1THWXQ8368SDN2MJGE4BMDKMCHZ2GSVTS1X0BPM";
    good.parse::<Address>().unwrap();
    for bad in [
        good.to_lowercase(),
        good.replace('0', "O"),
        good.replace('1', "I"),
        good.replace('1', "L"),
        format!(" {good}"),
        format!("{good} "),
        good.replacen('S', "s", 1),
        format!("{good}.pox"),
        good.replace('H', "é"),
    ] {
        assert!(bad.parse::<Address>().is_err(), "{bad}");
    }
    // Too short for a checksum: what used to make a careless decoder count below nothing.
    for len in 0..60 {
        for letter in ['0', '1', 'Z', '\u{0}'] {
            let text = format!("S{}", letter.to_string().repeat(len));
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}

#[test]
fn what_is_wrong_with_an_address_is_said() {
    for (input, wanted) in [
        ("SP1THWXQ8368SDN2MJGE4BMDKMCHZ2GSVTS1X0BPA", "a letter is mistyped"),
        ("P1THWXQ8368SDN2MJGE4BMDKMCHZ2GSVTS1X0BPM", "begin with S"),
        ("SP1THWX", "most have 41"),
        ("SP1THWXQ8368SDN2MJGE4BMDKMCHZ2GSVTS1X0BPM.pox", "contract"),
        ("SP1THWXQ8368SDN2MJGE4BMDKMCHZ2GSVTS1XOBPM", "capital letters"),
    ] {
        let error = input.parse::<Address>().unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
    let error = "\u{1b}[2J".repeat(400).parse::<Address>().unwrap_err().to_string();
    assert!(error.len() < 600 && !error.contains('\u{1b}'), "{error}");
}

#[test]
fn attestations_are_judged_as_the_reference_judges_them() {
    for vector in vectors("attestations").as_array().unwrap() {
        let name = text(vector, "name");
        let now = UnixTime(vector["now"].as_u64().unwrap());
        let decoded = NodeKeyAttestation::decode(&unhex(text(vector, "wire")));
        let verdict = decoded.clone().and_then(|attestation| attestation.verify(now));
        assert_eq!(
            verdict.is_ok(),
            vector["verify_mainnet"]["valid"].as_bool().unwrap(),
            "{name}: {verdict:?}"
        );
        let wanted: fn(&AttestationFault) -> bool = match name {
            "expired past the skew" => |fault| matches!(fault, AttestationFault::Expired { seconds: 300 }),
            _ if name.starts_with("tampered") => |fault| matches!(fault, AttestationFault::Signature),
            _ => |fault| matches!(fault, AttestationFault::Malformed(_)),
        };
        if let Err(fault) = verdict {
            assert!(wanted(&fault), "{name}: {fault:?}");
        }
        let Ok(attestation) = decoded else { continue };
        if !name.starts_with("tampered") {
            assert_eq!(
                attestation.signed_bytes(),
                unhex(text(vector, "signed_bytes")),
                "{name}"
            );
        }
        assert_eq!(attestation.principal.to_string(), text(vector, "principal"));
        assert_eq!(attestation.node_key, unhex_array(text(vector, "node_public_key")));
        assert_eq!(attestation.issued_at.0, number(vector, "issued_at"));
        assert_eq!(attestation.expires_at.0, number(vector, "expires_at"));
        // What the reference writes, we write; what is spelt otherwise becomes that.
        if !name.starts_with("wire with") {
            assert_eq!(attestation.encode(), unhex(text(vector, "wire")), "{name}");
        }
    }
}

#[test]
fn attestations_are_issued_byte_for_byte_as_the_reference_does() {
    let mut seen = 0;
    for vector in vectors("attestations").as_array().unwrap() {
        if !text(vector, "name").starts_with("good") {
            continue;
        }
        let key = WalletKey::from_bytes(&unhex_array(text(vector, "wallet_private_key"))).unwrap();
        let (from, until) = (number(vector, "issued_at"), number(vector, "expires_at"));
        let attestation = NodeKeyAttestation::issue(
            &key,
            Principal(key.address(Network::Mainnet)),
            unhex_array(text(vector, "node_public_key")),
            unhex_array(text(vector, "nonce")),
            UnixTime(from),
            Duration::from_secs(until - from),
        );
        assert_eq!(attestation.encode(), unhex(text(vector, "wire")));
        seen += 1;
    }
    assert_eq!(seen, 3);
}

fn attestation(network: Network) -> (WalletKey, NodeKeyAttestation) {
    let key = WalletKey::from_bytes(&[7; 32]).unwrap();
    let principal = Principal(key.address(network));
    let made = NodeKeyAttestation::issue(
        &key,
        principal,
        [8; 32],
        [9; 32],
        UnixTime(10_000),
        Duration::from_secs(1000),
    );
    (key, made)
}

#[test]
fn an_attestation_is_good_from_five_minutes_before_until_five_minutes_after() {
    let (_, made) = attestation(Network::Testnet);
    made.verify(UnixTime(9_700)).unwrap();
    assert_eq!(
        made.verify(UnixTime(9_699)),
        Err(AttestationFault::Early { seconds: 301 })
    );
    made.verify(UnixTime(11_299)).unwrap();
    assert_eq!(
        made.verify(UnixTime(11_300)),
        Err(AttestationFault::Expired { seconds: 300 })
    );
}

#[test]
fn an_attestation_is_bound_to_each_of_its_fields() {
    let (key, made) = attestation(Network::Mainnet);
    let now = UnixTime(10_000);
    made.verify(now).unwrap();
    let spoilt: &[fn(&mut NodeKeyAttestation)] = &[
        |a| a.node_key[31] ^= 1,
        |a| a.issued_at.0 += 1,
        |a| a.expires_at.0 += 1,
        |a| a.nonce[0] ^= 1,
        |a| a.nonce.truncate(16),
        |a| a.signature[0] ^= 1,
        |a| a.signature[63] ^= 1,
        |a| a.signature[64] ^= 1,
        |a| a.signature[64] += 27,
        |a| a.principal = Principal(WalletKey::from_bytes(&[8; 32]).unwrap().address(Network::Mainnet)),
        // The same hash as an address of several keys: nobody signs for those here.
        |a| a.principal = Principal(Address::new(20, *a.principal.address().hash()).unwrap()),
    ];
    for (at, spoil) in spoilt.iter().enumerate() {
        let mut copy = made.clone();
        spoil(&mut copy);
        assert_eq!(copy.verify(now), Err(AttestationFault::Signature), "{at}");
    }
    let other = Principal(key.address(Network::Testnet));
    let mut copy = made.clone();
    copy.principal = other;
    assert_eq!(copy.verify(now), Err(AttestationFault::Signature));
    let mut copy = made.clone();
    copy.nonce.truncate(15);
    assert!(matches!(copy.verify(now), Err(AttestationFault::Malformed(_))));
    assert!(matches!(
        NodeKeyAttestation::decode(&copy.encode()),
        Err(AttestationFault::Malformed(_))
    ));
}

#[test]
fn every_piece_of_an_attestation_is_malformed() {
    let (_, made) = attestation(Network::Mainnet);
    let wire = made.encode();
    assert!(wire.len() <= 330);
    assert_eq!(NodeKeyAttestation::decode(&wire), Ok(made));
    for end in 0..wire.len() {
        assert!(matches!(
            NodeKeyAttestation::decode(&wire[..end]),
            Err(AttestationFault::Malformed(_))
        ));
    }
    let longer = [&wire[..], &[0]].concat();
    assert!(matches!(
        NodeKeyAttestation::decode(&longer),
        Err(AttestationFault::Malformed(_))
    ));
}

/// The map of an attestation with more fields behind it.
fn with_fields(fields: &[&[u8]]) -> Vec<u8> {
    let (_, made) = attestation(Network::Mainnet);
    let mut wire = made.encode();
    wire[0] += u8::try_from(fields.len()).unwrap();
    wire.extend(fields.concat());
    wire
}

#[test]
fn unknown_fields_are_skipped_and_known_ones_come_once_and_with_their_type() {
    let decode = |bytes: &[u8]| NodeKeyAttestation::decode(bytes);
    let known = decode(&with_fields(&[])).unwrap();
    // A nested array of indefinite length, and a float: nothing of it is of interest.
    for skipped in [&b"\x61x\x9f\x81\x01\xff"[..], b"\x61y\xf9\x3c\x00", b"\x61z\xf6"] {
        assert_eq!(decode(&with_fields(&[skipped])), Ok(known.clone()));
    }
    for refused in [&b"\x61v\x01"[..], b"\x01\x01", b"\x61x\xff", b"\x61x\x5c"] {
        assert!(
            matches!(decode(&with_fields(&[refused])), Err(AttestationFault::Malformed(_))),
            "{refused:?}"
        );
    }
    // Nesting costs as much as it takes to read it, and ends with the document.
    let deep = [&b"\x61x"[..], &[0x81; 3000]].concat();
    assert!(matches!(
        decode(&with_fields(&[&deep])),
        Err(AttestationFault::Malformed(_))
    ));
    let wire = with_fields(&[]);
    let open = [&[0xbf][..], &wire[1..], &[0xff]].concat();
    assert_eq!(decode(&open), Ok(known));
}

#[test]
fn a_signature_leads_back_to_its_key() {
    let example = vectors("wallet");
    let example = &example["sign_example"];
    let message = unhex(text(example, "message"));
    let hash: [u8; 32] = digest(&SHA256, &message).as_ref().try_into().unwrap();
    assert_eq!(hash, unhex_array(text(example, "sha256")));
    let first = vectors("wallet")["accounts"][0].clone();
    let key = stacks_key(text(&first, "stx_private_key"));
    let signature = key.sign(&hash);
    assert_eq!(signature, unhex_array(text(example, "signature_rsv")));
    assert_eq!(recover(&hash, &signature), Some(key.public()));
    assert_eq!(recover(&hash, &[0; 65]), None);
    assert_eq!(recover(&hash, &[0xff; 65]), None);
}

#[test]
fn texts_are_signed_for_people() {
    let key = WalletKey::from_bytes(&[7; 32]).unwrap();
    for length in [0, 1, 252, 253, 65_535, 65_536] {
        let text = "x".repeat(length);
        let signature = sign_message(&key, &text);
        assert_eq!(recover_message(&text, &signature), Some(key.public()));
        for network in [Network::Mainnet, Network::Testnet] {
            assert!(verify_message(&key.address(network), &text, &signature));
        }
        assert!(!verify_message(
            &key.address(Network::Mainnet),
            &format!("{text}x"),
            &signature
        ));
        // Without the prefix it would be what an attestation signs.
        let bare: [u8; 32] = digest(&SHA256, text.as_bytes()).as_ref().try_into().unwrap();
        assert_ne!(recover(&bare, &signature), Some(key.public()));
    }
}

#[test]
fn keys_are_random_and_not_shown() {
    let (one, two) = (WalletKey::generate().unwrap(), WalletKey::generate().unwrap());
    assert_ne!(one.public(), two.public());
    assert_eq!(format!("{one:?}"), "WalletKey(..)");
    assert_eq!(WalletKey::from_bytes(&one.to_bytes()).unwrap().public(), one.public());
    assert!(WalletKey::from_bytes(&[0; 32]).is_err());
    assert!(WalletKey::from_bytes(&[0xff; 32]).is_err());
}
