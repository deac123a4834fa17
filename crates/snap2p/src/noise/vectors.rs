//! The inner states of recorded handshakes, which nobody outside can see. What can be seen is in `tests/vectors.rs`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::{Initiator, Responder, Suite, cipher, schedule::Schedule};
use bytes::BytesMut;
use handfast_keys::{KeyPair, x25519};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../tests/vectors/snap2p.json")).unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap().as_bytes();
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    text.chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

fn hex32(value: &Value) -> [u8; 32] {
    hex(value).try_into().unwrap()
}

fn party(of: &Value) -> (KeyPair, x25519::SecretKey) {
    (
        KeyPair::from_seed(&hex32(&of["node_seed"])).unwrap(),
        x25519::SecretKey::from_bytes(&hex32(&of["ephemeral_private"])).unwrap(),
    )
}

fn check(schedule: &Schedule, expected: &Value) {
    let (ck, k, n) = schedule.inner();
    assert_eq!(schedule.hash(), hex32(&expected["h"]));
    assert_eq!(ck, hex32(&expected["ck"]));
    if !expected["k"].is_null() {
        assert_eq!(k, hex32(&expected["k"]));
    }
    assert_eq!(n, expected["n"].as_u64().unwrap());
}

#[test]
fn the_first_hash_is_that_of_an_empty_prologue() {
    let initial = &vectors()["hkdf"]["initial"];
    let schedule = Schedule::new();
    assert_eq!(schedule.hash(), hex32(&initial["h_after_empty_prologue"]));
    assert_eq!(schedule.inner().0, hex32(&initial["ck"]));
}

#[test]
fn each_step_leaves_the_recorded_state() {
    for vector in vectors()["noise_xx"].as_array().unwrap() {
        let (keys, ephemeral) = party(&vector["initiator"]);
        let (message1, initiator) = Initiator::new(&keys, ephemeral, Suite::Snap2p).message1().unwrap();
        check(initiator.schedule().unwrap(), &vector["messages"][0]["state_after"]);
        let (keys, ephemeral) = party(&vector["responder"]);
        let (message2, responder) = Responder::new(&keys, ephemeral, Suite::Snap2p)
            .handle(&message1)
            .unwrap();
        assert_eq!(message2[..], hex(&vector["messages"][1]["message"]));
        check(responder.schedule().unwrap(), &vector["messages"][1]["state_after"]);
    }
}

#[test]
fn keys_are_derived_as_the_reference_does() {
    let vectors = vectors();
    let split = &vectors["hkdf"]["split"];
    let keys = Schedule::with_chaining_key(hex32(&split["ck_in"])).split();
    assert_eq!(*keys.initiator, hex32(&split["k1"]));
    assert_eq!(*keys.responder, hex32(&split["k2"]));

    let mix = &vectors["hkdf"]["mix_key"];
    let mut schedule = Schedule::with_chaining_key(hex32(&mix["ck_in"]));
    schedule.mix_secret(&hex32(&mix["dh"]));
    let (ck, k, n) = schedule.inner();
    assert_eq!((ck, k, n), (hex32(&mix["ck_out"]), hex32(&mix["k_out"]), 0));
}

#[test]
fn frames_are_sealed_under_their_number() {
    let vectors = vectors();
    let mut exhausted = false;
    for vector in vectors["transport"].as_array().unwrap() {
        let counter = vector["counter"].as_str().unwrap().parse().unwrap();
        if vector["error"].is_string() {
            let (mut sealer, mut opener) = cipher::at([7; 32], counter);
            let mut buffer = BytesMut::from(&b"text"[..]);
            assert!(sealer.seal_in_place(&mut buffer, 0).is_err());
            assert_eq!(buffer, b"text"[..]);
            assert!(opener.open_in_place(&mut [0; 20]).is_err());
            exhausted = true;
            continue;
        }
        let (mut sealer, mut opener) = cipher::at(hex32(&vector["key"]), counter);
        let mut buffer = BytesMut::from(&hex(&vector["plaintext"])[..]);
        sealer.seal_in_place(&mut buffer, 0).unwrap();
        assert_eq!(buffer, hex(&vector["ciphertext"]));
        assert_eq!(opener.open_in_place(&mut buffer).unwrap(), hex(&vector["plaintext"]));
    }
    assert!(exhausted);
}
