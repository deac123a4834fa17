//! The measurement behind `src/curve.rs`: the curve operations of one Secret Handshake, both sides, in three libraries.
//!
//! Per handshake: 2 key pairs from ephemeral bytes, 6 agreements, 2 signatures, 2 verifications, and 2 checked
//! conversions of a public key. The last are the same code in all three, because the check is ours.
#![allow(missing_docs, clippy::unwrap_used)]

use aws_lc_rs::{agreement, signature};
use criterion::{Criterion, criterion_group, criterion_main};
use curve25519_dalek::MontgomeryPoint;
use dryoc::classic::{crypto_core, crypto_sign};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use handfast_keys::{KeyPair, PublicKey};
use std::hint::black_box;

const SEED: [u8; 32] = [11; 32];
const MESSAGE: [u8; 96] = [7; 96];

fn aws_lc(c: &mut Criterion) {
    let static_key = agreement::PrivateKey::from_private_key(&agreement::X25519, &SEED).unwrap();
    let theirs: [u8; 32] = static_key.compute_public_key().unwrap().as_ref().try_into().unwrap();
    let signing = signature::Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
    let public: [u8; 32] = signature::KeyPair::public_key(&signing).as_ref().try_into().unwrap();
    let signed = signing.sign(&MESSAGE);
    let ephemeral = || {
        let key = agreement::PrivateKey::from_private_key(&agreement::X25519, black_box(&SEED)).unwrap();
        let public = key.compute_public_key().unwrap();
        (key, public)
    };
    let agree = |key: &agreement::PrivateKey| {
        let theirs = agreement::UnparsedPublicKey::new(&agreement::X25519, black_box(&theirs));
        agreement::agree(key, theirs, (), |secret| Ok(black_box(secret.first().copied()))).unwrap()
    };
    let sign = || signing.sign(black_box(&MESSAGE));
    let verify =
        || signature::UnparsedPublicKey::new(&signature::ED25519, black_box(&public)).verify(&MESSAGE, signed.as_ref());
    c.bench_function("x25519 key pair/aws-lc-rs", |b| b.iter(ephemeral));
    c.bench_function("x25519 agreement/aws-lc-rs", |b| b.iter(|| agree(&static_key)));
    c.bench_function("ed25519 sign/aws-lc-rs", |b| b.iter(sign));
    c.bench_function("ed25519 verify/aws-lc-rs", |b| b.iter(verify));
    c.bench_function("handshake curves, both sides/aws-lc-rs", |b| {
        b.iter(|| {
            for _ in 0..2 {
                let (key, _) = ephemeral();
                black_box((agree(&key), agree(&key), agree(&static_key)));
                black_box((
                    sign(),
                    verify().unwrap(),
                    PublicKey::from_bytes(black_box(&public)).unwrap(),
                ));
            }
        });
    });
}

fn dryoc(c: &mut Criterion) {
    let mut theirs = [0; 32];
    crypto_core::crypto_scalarmult_base(&mut theirs, &SEED);
    let (public, secret) = crypto_sign::crypto_sign_seed_keypair(&SEED);
    let mut signed = [0; 64];
    crypto_sign::crypto_sign_detached(&mut signed, &MESSAGE, &secret).unwrap();
    let base = || {
        let mut public = [0; 32];
        crypto_core::crypto_scalarmult_base(&mut public, black_box(&SEED));
        public
    };
    let agree = || {
        let mut shared = [0; 32];
        let _ = crypto_core::crypto_scalarmult(&mut shared, black_box(&SEED), &theirs);
        shared
    };
    let sign = || {
        let mut signature = [0; 64];
        crypto_sign::crypto_sign_detached(&mut signature, black_box(&MESSAGE), &secret).unwrap();
        signature
    };
    let verify = || crypto_sign::crypto_sign_verify_detached(&signed, black_box(&MESSAGE), &public);
    c.bench_function("x25519 key pair/dryoc", |b| b.iter(base));
    c.bench_function("x25519 agreement/dryoc", |b| b.iter(agree));
    c.bench_function("ed25519 sign/dryoc", |b| b.iter(sign));
    c.bench_function("ed25519 verify/dryoc", |b| b.iter(verify));
    c.bench_function("handshake curves, both sides/dryoc", |b| {
        b.iter(|| {
            for _ in 0..2 {
                black_box((base(), agree(), agree(), agree()));
                black_box((
                    sign(),
                    verify().unwrap(),
                    PublicKey::from_bytes(black_box(&public)).unwrap(),
                ));
            }
        });
    });
}

fn dalek(c: &mut Criterion) {
    let theirs = MontgomeryPoint::mul_base_clamped(SEED);
    let signing = SigningKey::from_bytes(&SEED);
    let public = signing.verifying_key().to_bytes();
    let signed = signing.sign(&MESSAGE);
    let base = || MontgomeryPoint::mul_base_clamped(black_box(SEED));
    let agree = || theirs.mul_clamped(black_box(SEED));
    let sign = || signing.sign(black_box(&MESSAGE));
    let verify = || {
        VerifyingKey::from_bytes(black_box(&public))
            .unwrap()
            .verify_strict(&MESSAGE, &signed)
    };
    c.bench_function("x25519 key pair/dalek", |b| b.iter(base));
    c.bench_function("x25519 agreement/dalek", |b| b.iter(agree));
    c.bench_function("ed25519 sign/dalek", |b| b.iter(sign));
    c.bench_function("ed25519 verify/dalek", |b| b.iter(verify));
    c.bench_function("handshake curves, both sides/dalek", |b| {
        b.iter(|| {
            for _ in 0..2 {
                black_box((base(), agree(), agree(), agree()));
                black_box((
                    sign(),
                    verify().unwrap(),
                    PublicKey::from_bytes(black_box(&public)).unwrap(),
                ));
            }
        });
    });
}

fn own(c: &mut Criterion) {
    let public = *KeyPair::from_seed(&SEED).unwrap().public().as_bytes();
    c.bench_function("public key, checked and converted", |b| {
        b.iter(|| PublicKey::from_bytes(black_box(&public)))
    });
}

criterion_group!(curves, aws_lc, dryoc, dalek, own);
criterion_main!(curves);
