//! Batch verification: who is believed, and that nobody is believed for the company they keep.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use curve25519_dalek::{Scalar, constants::ED25519_BASEPOINT_POINT, constants::EIGHT_TORSION};
use handfast_keys::{
    KeyPair, PublicKey, Signature,
    batch::{self, Claim},
};
use proptest::prelude::*;
use sodiumoxide::crypto::{hash::sha512, sign::ed25519 as oracle};

struct Case {
    what: &'static str,
    key: PublicKey,
    message: Vec<u8>,
    signature: Signature,
    sound: bool,
    libsodium: bool,
}

/// The secret scalar of a seed, so that signatures can be made which no library makes.
fn secret_scalar(seed: &[u8; 32]) -> Scalar {
    let hash = sha512::hash(seed);
    let mut clamped: [u8; 32] = hash.0[..32].try_into().unwrap();
    clamped[0] &= 248;
    clamped[31] = clamped[31] & 63 | 64;
    Scalar::from_bytes_mod_order(clamped)
}

fn challenge(r: &[u8; 32], key: &PublicKey, message: &[u8]) -> Scalar {
    let mut state = sha512::State::new();
    for part in [&r[..], key.as_bytes(), message] {
        state.update(part);
    }
    Scalar::from_bytes_mod_order_wide(&state.finalize().0)
}

/// A signature whose R is `encoding`, an encoding of nonce·B plus a point of small order.
fn crafted(seed: &[u8; 32], message: &[u8], nonce: Scalar, encoding: [u8; 32]) -> (PublicKey, Signature) {
    let key = *KeyPair::from_seed(seed).unwrap().public();
    let s = nonce + challenge(&encoding, &key, message) * secret_scalar(seed);
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&encoding);
    bytes[32..].copy_from_slice(s.as_bytes());
    (key, Signature::from_bytes(bytes))
}

/// S plus the order of the base point: the same equation, another text.
fn with_high_s(signature: &Signature) -> Signature {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut bytes = *signature.as_bytes();
    let mut carry = 0;
    for (byte, add) in bytes[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    Signature::from_bytes(bytes)
}

/// The classes of the published test vectors of Ed25519's edge cases ("Taming the many EdDSAs"), as far as a checked key
/// leaves any of them: crooked keys do not get as far as a signature.
fn edge_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let nonce = Scalar::from(987_654_321u64);
    for seed in [[3; 32], [4; 32]] {
        let pair = KeyPair::from_seed(&seed).unwrap();
        let message = b"edge".to_vec();
        let mut add = |what, key: PublicKey, signature, sound, libsodium| {
            cases.push(Case {
                what,
                key,
                message: message.clone(),
                signature,
                sound,
                libsodium,
            });
        };
        let honest = pair.sign(&message).unwrap();
        add("honest", *pair.public(), honest, true, true);
        add("S not canonical", *pair.public(), with_high_s(&honest), false, false);
        for (i, small) in EIGHT_TORSION.iter().enumerate() {
            let mixed = (nonce * ED25519_BASEPOINT_POINT + small).compress().to_bytes();
            let (key, signature) = crafted(&seed, &message, nonce, mixed);
            if i == 0 {
                add("own nonce", key, signature, true, true);
            } else {
                add("R with a component of small order", key, signature, true, false);
            }
            let (key, signature) = crafted(&seed, &message, Scalar::ZERO, small.compress().to_bytes());
            add("R of small order", key, signature, false, false);
        }
        for (first, fill, last) in [
            (1u8, 0u8, 0x80u8),
            (0xec, 0xff, 0xff),
            (0xee, 0xff, 0x7f),
            (0xed, 0xff, 0x7f),
        ] {
            let mut encoding = [fill; 32];
            encoding[0] = first;
            encoding[31] = last;
            let (key, signature) = crafted(&seed, &message, Scalar::ZERO, encoding);
            add("R not canonical", key, signature, false, false);
        }
        let mut zero = [0; 64];
        add("all zero", *pair.public(), Signature::from_bytes(zero), false, false);
        zero[0] = 2;
        add(
            "R is no point",
            *pair.public(),
            Signature::from_bytes(zero),
            false,
            false,
        );
        let other = pair.sign(b"another").unwrap();
        add("of another message", *pair.public(), other, false, false);
    }
    cases
}

fn claim(case: &Case) -> Claim<'_> {
    Claim {
        key: &case.key,
        message: &case.message,
        signature: &case.signature,
    }
}

fn by_libsodium(case: &Case) -> bool {
    oracle::Signature::from_bytes(case.signature.as_bytes()).is_ok_and(|signature| {
        oracle::verify_detached(&signature, &case.message, &oracle::PublicKey(*case.key.as_bytes()))
    })
}

#[test]
fn edge_cases_alone_are_decided_as_documented_and_as_libsodium_where_it_says_so() {
    for case in edge_cases() {
        assert_eq!(batch::verify(&[claim(&case)]), [case.sound], "{}", case.what);
        assert_eq!(by_libsodium(&case), case.libsodium, "libsodium: {}", case.what);
        assert_eq!(
            case.key.verify(&case.message, &case.signature),
            case.libsodium,
            "single: {}",
            case.what
        );
    }
}

#[test]
fn whatever_company_an_edge_case_keeps_its_answer_is_the_same() {
    let cases = edge_cases();
    let honest: Vec<_> = edge_cases().into_iter().filter(|case| case.what == "honest").collect();
    for case in &cases {
        for size in [3, 4, 5, 8, 33] {
            for place in [0, size / 2, size] {
                let mut claims: Vec<_> = (0..size).map(|i| claim(&honest[i % honest.len()])).collect();
                claims.insert(place, claim(case));
                let answers = batch::verify(&claims);
                for (i, answer) in answers.into_iter().enumerate() {
                    assert_eq!(answer, i != place || case.sound, "{} at {place} of {size}", case.what);
                }
            }
        }
    }
    let all: Vec<_> = cases.iter().map(claim).collect();
    let expected: Vec<_> = cases.iter().map(|case| case.sound).collect();
    assert_eq!(batch::verify(&all), expected);
}

#[test]
fn two_forgeries_whose_errors_are_opposite_do_not_cancel_out() {
    let pair = KeyPair::from_seed(&[5; 32]).unwrap();
    let shifted = |message: &[u8], by: Scalar| {
        let mut bytes = *pair.sign(message).unwrap().as_bytes();
        let s = Scalar::from_canonical_bytes(bytes[32..].try_into().unwrap()).unwrap() + by;
        bytes[32..].copy_from_slice(s.as_bytes());
        Signature::from_bytes(bytes)
    };
    let signatures = [
        pair.sign(b"0").unwrap(),
        shifted(b"1", Scalar::ONE),
        shifted(b"2", -Scalar::ONE),
        pair.sign(b"3").unwrap(),
        pair.sign(b"4").unwrap(),
    ];
    let messages = [b"0", b"1", b"2", b"3", b"4"];
    let claims: Vec<_> = signatures
        .iter()
        .zip(&messages)
        .map(|(signature, message)| Claim {
            key: pair.public(),
            message: &message[..],
            signature,
        })
        .collect();
    assert_eq!(batch::verify(&claims), [true, false, false, true, true]);
}

#[test]
fn threads_give_the_same_answers() {
    let cases = edge_cases();
    // Enough that the work is divided.
    let cases: Vec<_> = cases.iter().cycle().take(1200).collect();
    let claims: Vec<_> = cases.iter().map(|case| claim(case)).collect();
    let expected: Vec<_> = cases.iter().map(|case| case.sound).collect();
    for threads in [0, 1, 2, 5, 1000] {
        assert_eq!(batch::verify_parallel(&claims, threads), expected);
    }
}

#[test]
fn nothing_claimed_nothing_answered() {
    assert!(batch::verify_parallel(&[], 4).is_empty());
    assert!(batch::verify(&[]).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_batch_says_what_single_checks_and_libsodium_say_of_honest_and_damaged_signatures(
        entries in prop::collection::vec((0u8..5, any::<[u8; 8]>(), prop::option::weighted(0.2, (0usize..64, 0u8..8))), 0..80)
    ) {
        let cases: Vec<_> = entries.iter().map(|(author, message, damage)| {
            let pair = KeyPair::from_seed(&[*author + 1; 32]).unwrap();
            let mut bytes = *pair.sign(message).unwrap().as_bytes();
            if let Some((at, bit)) = damage {
                bytes[*at] ^= 1 << bit;
            }
            Case {
                what: "", key: *pair.public(), message: message.to_vec(), signature: Signature::from_bytes(bytes),
                sound: damage.is_none(), libsodium: damage.is_none(),
            }
        }).collect();
        let claims: Vec<_> = cases.iter().map(claim).collect();
        let answers = batch::verify(&claims);
        for (case, answer) in cases.iter().zip(&answers) {
            prop_assert_eq!(*answer, case.sound);
            prop_assert_eq!(*answer, case.key.verify(&case.message, &case.signature));
            prop_assert_eq!(*answer, by_libsodium(case));
        }
        prop_assert_eq!(&answers, &batch::verify(&claims));
        prop_assert_eq!(&answers, &batch::verify_parallel(&claims, 3));
    }
}
