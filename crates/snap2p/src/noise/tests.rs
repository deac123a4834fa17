//! The inner states of recorded handshakes, and peers that hold no key: what nobody outside can see or do. What can be seen
//! is in `tests/vectors.rs`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::{Initiator, Responder, Suite, cipher, schedule::Schedule};
use crate::{Error, Fault};
use bytes::BytesMut;
use handfast_keys::{KeyPair, x25519};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../tests/vectors/snap2p.json")).unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    testkit::unhex(value.as_str().unwrap())
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

/// Keys of low order under which every agreement is the same: an initiator or responder that holds none, and says so in
/// proper messages.
#[test]
fn static_keys_of_low_order_are_refused() {
    let seal = |schedule: &mut Schedule, part: &mut [u8], key: &[u8]| {
        part[..key.len()].copy_from_slice(key);
        schedule.encrypt_and_hash(part).unwrap();
    };
    let (honest, hostile) = (KeyPair::from_seed(&[1; 32]).unwrap(), [0; 32]);
    let ephemeral = |number| x25519::SecretKey::from_bytes(&[number; 32]).unwrap();

    // The responder is hostile.
    let (message1, initiator) = Initiator::new(&honest, ephemeral(3), Suite::Snap2p).message1().unwrap();
    let (ours, theirs) = (ephemeral(4), x25519::PublicKey::from_bytes(message1));
    let mut schedule = Schedule::new();
    schedule.mix_hash(&message1);
    schedule.mix_hash(&[]);
    let mut message2 = [0; 96];
    message2[..32].copy_from_slice(ours.public().as_bytes());
    schedule.mix_hash(ours.public().as_bytes());
    schedule.mix_key(&ours, &theirs).unwrap();
    seal(&mut schedule, &mut message2[32..80], &hostile);
    // What everybody agrees on with such a key.
    schedule.mix_secret(&[0; 32]);
    schedule.encrypt_and_hash(&mut message2[80..]).unwrap();
    assert!(matches!(
        initiator.handle(&message2),
        Err(Error::Protocol(Fault::Noise))
    ));

    // The initiator is hostile.
    let ours = ephemeral(3);
    let (message2, responder) = Responder::new(&honest, ephemeral(4), Suite::Snap2p)
        .handle(ours.public().as_bytes())
        .unwrap();
    let mut schedule = Schedule::new();
    schedule.mix_hash(ours.public().as_bytes());
    schedule.mix_hash(&[]);
    schedule.mix_hash(&message2[..32]);
    let theirs = x25519::PublicKey::from_bytes(message2[..32].try_into().unwrap());
    schedule.mix_key(&ours, &theirs).unwrap();
    let mut rest = message2[32..].to_vec();
    schedule.decrypt_and_hash(&mut rest[..48]).unwrap();
    schedule.mix_key(&ours, honest.agreement().public()).unwrap();
    schedule.decrypt_and_hash(&mut rest[48..]).unwrap();
    let mut message3 = [0; 64];
    seal(&mut schedule, &mut message3[..48], &hostile);
    schedule.mix_secret(&[0; 32]);
    schedule.encrypt_and_hash(&mut message3[48..]).unwrap();
    assert!(matches!(
        responder.handle(&message3),
        Err(Error::Protocol(Fault::Noise))
    ));
}
