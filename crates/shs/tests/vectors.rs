//! Conversations of secret-handshake 1.1.21, replayed from both sides.
//!
//! `vectors/shs1.json` was recorded by running the JavaScript package with fixed seeds; `cargo xtask vectors` makes
//! the same bytes again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use handfast_keys::{KeyPair, NetworkIdentifier, PublicKey, StreamKey, x25519};
use handfast_shs::{Client, Error, Server};
use serde_json::Value;
use testkit::{unhex, unhex_array};

fn vectors() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("vectors/shs1.json")).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

fn field<const N: usize>(vector: &Value, name: &str) -> [u8; N] {
    unhex_array(vector[name].as_str().unwrap_or_else(|| panic!("{name} is missing")))
}

struct Parties {
    network: NetworkIdentifier,
    client: KeyPair,
    server: KeyPair,
    wire: Vec<Vec<u8>>,
}

impl Parties {
    fn of(vector: &Value) -> Self {
        let wire = vector["wire"].as_array().unwrap();
        Self {
            network: NetworkIdentifier::from_bytes(field(vector, "app_key")),
            client: KeyPair::from_libsodium(&field(vector, "client_longterm_sk")).unwrap(),
            server: KeyPair::from_libsodium(&field(vector, "server_longterm_sk")).unwrap(),
            wire: wire
                .iter()
                .map(|piece| unhex(piece["bytes"].as_str().unwrap()))
                .collect(),
        }
    }

    fn message<const N: usize>(&self, number: usize) -> [u8; N] {
        self.wire[number - 1].clone().try_into().unwrap()
    }
}

fn ephemeral(vector: &Value, whose: &str) -> x25519::SecretKey {
    let key = x25519::SecretKey::from_bytes(&field(&vector[whose], "sk")).unwrap();
    assert_eq!(key.public().as_bytes(), &field(&vector[whose], "pk"));
    key
}

fn assert_keys(outcome: &Value, peer: &PublicKey, encrypt: &StreamKey, decrypt: &StreamKey) {
    assert_eq!(peer.as_bytes(), &field(outcome, "remote_pk"));
    assert_eq!(encrypt.key, field(outcome, "encrypt_key"));
    assert_eq!(encrypt.nonce, field(outcome, "encrypt_nonce"));
    assert_eq!(decrypt.key, field(outcome, "decrypt_key"));
    assert_eq!(decrypt.nonce, field(outcome, "decrypt_nonce"));
}

#[test]
fn our_client_says_what_the_javascript_client_says_and_comes_to_its_outcome() {
    for vector in vectors()
        .iter()
        .filter(|v| v["label"].as_str().unwrap().starts_with("ok"))
    {
        let Parties {
            network,
            client,
            server,
            ..
        } = &Parties::of(vector);
        let parties = Parties::of(vector);
        let (hello, state) = Client::new(network, client, server.public()).hello(ephemeral(vector, "client_ephemeral"));
        assert_eq!(hello, parties.message::<64>(1));
        let (auth, state) = state.receive(parties.message(2)).unwrap();
        assert_eq!(auth, parties.message::<112>(3));
        let outcome = state.receive(parties.message(4)).unwrap();
        assert_keys(
            &vector["client_outcome"],
            &outcome.peer,
            &outcome.encrypt,
            &outcome.decrypt,
        );
    }
}

#[test]
fn our_server_says_what_the_javascript_server_says_and_comes_to_its_outcome() {
    for vector in vectors()
        .iter()
        .filter(|v| v["label"].as_str().unwrap().starts_with("ok"))
    {
        let parties = Parties::of(vector);
        let server = Server::new(&parties.network, &parties.server);
        let (hello, state) = server
            .receive(parties.message(1), ephemeral(vector, "server_ephemeral"))
            .unwrap();
        assert_eq!(hello, parties.message::<64>(2));
        let authenticated = state.receive(parties.message(3)).unwrap();
        assert_eq!(authenticated.peer(), parties.client.public());
        let (accept, outcome) = authenticated.accept().unwrap();
        assert_eq!(accept, parties.message::<80>(4));
        assert_keys(
            &vector["server_outcome"],
            &outcome.peer,
            &outcome.encrypt,
            &outcome.decrypt,
        );
    }
}

#[test]
fn a_client_that_is_turned_away_is_known_by_then() {
    let all = vectors();
    let vector = all
        .iter()
        .find(|v| v["label"].as_str().unwrap().contains("authorize returns false"))
        .unwrap();
    let parties = Parties::of(vector);
    assert_eq!(parties.wire.len(), 3, "the JavaScript server hangs up after message 3");
    let server = Server::new(&parties.network, &parties.server);
    let (_, state) = server
        .receive(parties.message(1), ephemeral(vector, "server_ephemeral"))
        .unwrap();
    assert_eq!(
        state.receive(parties.message(3)).unwrap().peer(),
        parties.client.public()
    );
}

#[test]
fn a_client_of_another_network_is_refused_at_its_first_message() {
    let all = vectors();
    let vector = all
        .iter()
        .find(|v| v["label"].as_str().unwrap().contains("another cap"))
        .unwrap();
    let parties = Parties::of(vector);
    assert_eq!(parties.wire.len(), 1, "the JavaScript server hangs up without a word");
    let server = Server::new(&parties.network, &parties.server);
    let refused = server.receive(parties.message(1), ephemeral(vector, "server_ephemeral"));
    assert!(matches!(refused, Err(Error::OtherNetwork)), "{refused:?}");
}
