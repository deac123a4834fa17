//! The work that is measured: a handshake, and the primitive operations that it cannot do without.
//!
//! The primitives are called through the library that `handfast-keys` chose, with the key objects that a program keeps
//! between handshakes made beforehand: 2 ephemeral key pairs, 6 agreements, 2 signatures, 2 verifications, 2 checked
//! public keys, 4 HMAC-SHA-512, 12 SHA-256, 2 boxes sealed and 2 opened.

use aws_lc_rs::{agreement, signature};
use dryoc::classic::crypto_secretbox::{crypto_secretbox_easy_inplace, crypto_secretbox_open_easy_inplace};
use handfast_keys::{KeyPair, NetworkIdentifier, PublicKey, x25519};
use handfast_shs::{Client, Outcome, Server};
use ring::{digest, hmac};
use std::hint::black_box;

const NETWORK: NetworkIdentifier = NetworkIdentifier::MAIN;

/// Both sides, each checking the other's key as if it came from outside.
pub(crate) fn handshake(alice: &KeyPair, bob: &KeyPair, bob_bytes: &[u8; 32]) -> (Outcome, Outcome) {
    let bob_public = PublicKey::from_bytes(black_box(bob_bytes)).unwrap();
    let ephemeral = |number| x25519::SecretKey::from_bytes(black_box(&[number; 32])).unwrap();
    let (message1, client) = Client::new(&NETWORK, alice, &bob_public).hello(ephemeral(3));
    let (message2, server) = Server::new(&NETWORK, bob).receive(message1, ephemeral(4)).unwrap();
    let (message3, client) = client.receive(message2).unwrap();
    let (message4, at_bob) = server.receive(message3).unwrap().accept().unwrap();
    (client.receive(message4).unwrap(), at_bob)
}

/// The same work with no protocol around it.
pub(crate) struct Primitives {
    agreement: agreement::PrivateKey,
    theirs: [u8; 32],
    signing: signature::Ed25519KeyPair,
    public: [u8; 32],
    signature: [u8; 64],
    text: [u8; 96],
}

impl Primitives {
    pub(crate) fn new() -> Self {
        let agreement = agreement::PrivateKey::from_private_key(&agreement::X25519, &[5; 32]).unwrap();
        let theirs = agreement.compute_public_key().unwrap().as_ref().try_into().unwrap();
        let signing = signature::Ed25519KeyPair::from_seed_unchecked(&[6; 32]).unwrap();
        let public = signature::KeyPair::public_key(&signing).as_ref().try_into().unwrap();
        let text = [7; 96];
        let signature = signing.sign(&text).as_ref().try_into().unwrap();
        Self {
            agreement,
            theirs,
            signing,
            public,
            signature,
            text,
        }
    }

    fn agree(&self, key: &agreement::PrivateKey) {
        let theirs = agreement::UnparsedPublicKey::new(&agreement::X25519, black_box(&self.theirs));
        agreement::agree(key, theirs, (), |secret| {
            black_box(secret.first());
            Ok(())
        })
        .unwrap();
    }

    pub(crate) fn run(&self) {
        for _ in 0..2 {
            let ephemeral = agreement::PrivateKey::from_private_key(&agreement::X25519, black_box(&[5; 32])).unwrap();
            black_box(ephemeral.compute_public_key().unwrap());
            self.agree(&ephemeral);
            self.agree(&ephemeral);
            self.agree(&self.agreement);
            black_box(self.signing.sign(black_box(&self.text)));
            signature::UnparsedPublicKey::new(&signature::ED25519, black_box(&self.public))
                .verify(&self.text, &self.signature)
                .unwrap();
            black_box(PublicKey::from_bytes(black_box(&self.public)).unwrap());
            for _ in 0..2 {
                let key = hmac::Key::new(hmac::HMAC_SHA512, black_box(NETWORK.as_bytes()));
                black_box(hmac::sign(&key, &self.public));
            }
            for _ in 0..6 {
                black_box(digest::digest(&digest::SHA256, black_box(&self.text)));
            }
            let mut boxed = [0; 112];
            crypto_secretbox_easy_inplace(black_box(&mut boxed), &[0; 24], &self.public).unwrap();
            crypto_secretbox_open_easy_inplace(black_box(&mut boxed), &[0; 24], &self.public).unwrap();
        }
    }
}
