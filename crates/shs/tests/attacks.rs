//! What a hostile peer can send in place of each message, and what we make of it.
//!
//! The attacker here knows the network identifier and the protocol, so it can compute whatever an honest peer can:
//! its messages are made with sodiumoxide, independently of the code under test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use handfast_keys::{KeyFault, KeyPair, NetworkIdentifier, PublicKey, x25519};
use handfast_shs::{Client, Error, Server};
use sodiumoxide::crypto::{hash::sha256, scalarmult::curve25519 as dh, secretbox, sign::ed25519};

const NETWORK: NetworkIdentifier = NetworkIdentifier::MAIN;

fn alice() -> KeyPair {
    KeyPair::from_seed(&[1; 32]).unwrap()
}

fn bob() -> KeyPair {
    KeyPair::from_seed(&[2; 32]).unwrap()
}

fn ephemeral(number: u8) -> x25519::SecretKey {
    x25519::SecretKey::from_bytes(&[number; 32]).unwrap()
}

/// A correctly signed challenge around any ephemeral key.
fn challenge(network: &NetworkIdentifier, ephemeral: [u8; 32]) -> [u8; 64] {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA512, network.as_bytes());
    let mut hello = [0; 64];
    hello[..32].copy_from_slice(&ring::hmac::sign(&key, &ephemeral).as_ref()[..32]);
    hello[32..].copy_from_slice(&ephemeral);
    hello
}

/// All 32-byte strings that X25519 takes as a point of low order: seven values, with either top bit.
fn low_order_u() -> Vec<[u8; 32]> {
    let hex = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    let low: Vec<[u8; 32]> = hex.iter().map(|text| testkit::unhex_array(text)).collect();
    let high = low.iter().map(|bytes| {
        let mut bytes = *bytes;
        bytes[31] |= 0x80;
        bytes
    });
    low.iter().copied().chain(high).collect()
}

/// The encodings of the eight Ed25519 points of small order.
fn low_order_y() -> Vec<[u8; 32]> {
    [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ]
    .iter()
    .map(|text| testkit::unhex_array(text))
    .collect()
}

/// An attacking client: it shook hands up to message 2 and makes message 3 as it likes.
struct Attacker {
    ephemeral: dh::Scalar,
    server_ephemeral: dh::GroupElement,
    server: PublicKey,
}

impl Attacker {
    fn begin(server: &KeyPair) -> (Self, handfast_shs::AwaitClientAuth) {
        let ephemeral = dh::Scalar([77; 32]);
        let hello = challenge(&NETWORK, dh::scalarmult_base(&ephemeral).0);
        let (answer, state) = Server::new(&NETWORK, server)
            .receive(hello, self::ephemeral(9))
            .unwrap();
        let server_ephemeral = dh::GroupElement(answer[32..].try_into().unwrap());
        (
            Self {
                ephemeral,
                server_ephemeral,
                server: *server.public(),
            },
            state,
        )
    }

    fn shared(&self) -> ([u8; 32], [u8; 32]) {
        let server = dh::GroupElement(*self.server.to_x25519().as_bytes());
        let ab = dh::scalarmult(&self.ephemeral, &self.server_ephemeral).unwrap();
        (ab.0, dh::scalarmult(&self.ephemeral, &server).unwrap().0)
    }

    fn text_to_sign(&self) -> Vec<u8> {
        let (ab, _) = self.shared();
        [&NETWORK.as_bytes()[..], self.server.as_bytes(), &sha256::hash(&ab).0].concat()
    }

    fn seal(&self, signature: &[u8], key: &[u8; 32]) -> [u8; 112] {
        let (ab, a_b) = self.shared();
        let box_key = sha256::hash(&[&NETWORK.as_bytes()[..], &ab, &a_b].concat());
        let sealed = secretbox::seal(
            &[signature, key].concat(),
            &secretbox::Nonce([0; 24]),
            &secretbox::Key(box_key.0),
        );
        sealed.try_into().unwrap()
    }
}

#[test]
fn the_attacker_made_independently_can_also_be_honest() {
    let (attacker, state) = Attacker::begin(&bob());
    let (public, secret) = ed25519::keypair_from_seed(&ed25519::Seed([5; 32]));
    let signature = ed25519::sign_detached(&attacker.text_to_sign(), &secret);
    let authenticated = state.receive(attacker.seal(&signature.to_bytes(), &public.0)).unwrap();
    assert_eq!(authenticated.peer().as_bytes(), &public.0);
}

#[test]
fn every_ephemeral_key_of_low_order_is_refused_by_the_server() {
    for key in low_order_u() {
        let result = Server::new(&NETWORK, &bob()).receive(challenge(&NETWORK, key), ephemeral(1));
        assert!(matches!(result, Err(Error::LowOrderEphemeral)), "{key:02x?} {result:?}");
    }
}

#[test]
fn every_ephemeral_key_of_low_order_is_refused_by_the_client() {
    for key in low_order_u() {
        let (_, client) = Client::new(&NETWORK, &alice(), bob().public()).hello(ephemeral(1));
        let result = client.receive(challenge(&NETWORK, key));
        assert!(matches!(result, Err(Error::LowOrderEphemeral)), "{key:02x?} {result:?}");
    }
}

#[test]
fn every_client_key_of_low_order_is_refused_though_a_signature_for_it_can_be_made() {
    // With A of order n and R = S·B - h·A, any h divisible by n makes R = S·B a valid signature without a secret.
    for key in low_order_y() {
        let (attacker, state) = Attacker::begin(&bob());
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&ed25519::keypair_from_seed(&ed25519::Seed([3; 32])).0.0);
        let result = state.receive(attacker.seal(&signature, &key));
        assert!(
            matches!(result, Err(Error::ClientKey(KeyFault::LowOrder))),
            "{key:02x?} {result:?}"
        );
    }
}

#[test]
fn client_keys_that_are_no_points_or_not_canonical_are_refused() {
    let mut no_point = [0; 32];
    no_point[0] = 2;
    let mut not_canonical = [0xff; 32];
    not_canonical[0] = 0xee;
    for (key, fault) in [(no_point, KeyFault::NotAPoint), (not_canonical, KeyFault::NonCanonical)] {
        let (attacker, state) = Attacker::begin(&bob());
        let result = state.receive(attacker.seal(&[0; 64], &key));
        assert!(
            matches!(&result, Err(Error::ClientKey(found)) if *found == fault),
            "{result:?}"
        );
    }
}

#[test]
fn a_server_key_of_low_order_cannot_even_be_dialled() {
    for key in low_order_y() {
        assert_eq!(PublicKey::from_bytes(&key), Err(KeyFault::LowOrder));
    }
}

#[test]
fn a_client_that_claims_a_key_without_its_secret_is_refused() {
    let (attacker, state) = Attacker::begin(&bob());
    let (_, secret) = ed25519::keypair_from_seed(&ed25519::Seed([5; 32]));
    let signature = ed25519::sign_detached(&attacker.text_to_sign(), &secret);
    let result = state.receive(attacker.seal(&signature.to_bytes(), alice().public().as_bytes()));
    assert!(matches!(result, Err(Error::ClientSignature)), "{result:?}");
}

#[test]
fn a_reflected_challenge_is_refused() {
    let (hello, client) = Client::new(&NETWORK, &alice(), bob().public()).hello(ephemeral(1));
    assert!(matches!(client.receive(hello), Err(Error::ReflectedChallenge)));
    let (hello, _) = Client::new(&NETWORK, &alice(), bob().public()).hello(ephemeral(1));
    assert!(matches!(
        Server::new(&NETWORK, &bob()).receive(hello, ephemeral(1)),
        Err(Error::ReflectedChallenge)
    ));
}

#[test]
fn another_network_identifier_is_noticed_by_either_side_at_the_first_message() {
    let other = NetworkIdentifier::from_bytes([7; 32]);
    let (hello, _) = Client::new(&other, &alice(), bob().public()).hello(ephemeral(1));
    assert!(matches!(
        Server::new(&NETWORK, &bob()).receive(hello, ephemeral(2)),
        Err(Error::OtherNetwork)
    ));
    let (_, client) = Client::new(&NETWORK, &alice(), bob().public()).hello(ephemeral(1));
    assert!(matches!(
        client.receive(challenge(&other, [9; 32])),
        Err(Error::OtherNetwork)
    ));
}

#[test]
fn a_client_that_means_another_server_is_refused_and_not_identified() {
    let carol = KeyPair::from_seed(&[3; 32]).unwrap();
    let (message1, client) = Client::new(&NETWORK, &alice(), carol.public()).hello(ephemeral(1));
    let (message2, server) = Server::new(&NETWORK, &bob()).receive(message1, ephemeral(2)).unwrap();
    let (message3, _) = client.receive(message2).unwrap();
    assert!(matches!(server.receive(message3), Err(Error::OtherServerKey)));
}

#[test]
fn a_server_with_another_key_cannot_finish_even_if_it_replays_a_recorded_accept() {
    // Mallory has recorded an honest conversation of alice with bob and now plays bob's part in a new one.
    let (message1, client) = Client::new(&NETWORK, &alice(), bob().public()).hello(ephemeral(1));
    let (message2, server) = Server::new(&NETWORK, &bob()).receive(message1, ephemeral(2)).unwrap();
    let (message3, _) = client.receive(message2).unwrap();
    let (recorded, _) = server.receive(message3).unwrap().accept().unwrap();

    let (message1, client) = Client::new(&NETWORK, &alice(), bob().public()).hello(ephemeral(3));
    let mallory = KeyPair::from_seed(&[4; 32]).unwrap();
    let (message2, server) = Server::new(&NETWORK, &mallory).receive(message1, ephemeral(5)).unwrap();
    let (message3, client) = client.receive(message2).unwrap();
    assert!(matches!(server.receive(message3), Err(Error::OtherServerKey)));
    assert!(matches!(client.receive(recorded), Err(Error::ServerProof)));
}

#[test]
fn a_recorded_client_auth_does_not_open_in_a_new_handshake() {
    let (message1, client) = Client::new(&NETWORK, &alice(), bob().public()).hello(ephemeral(1));
    let (message2, _) = Server::new(&NETWORK, &bob()).receive(message1, ephemeral(2)).unwrap();
    let (recorded, _) = client.receive(message2).unwrap();
    let (_, server) = Server::new(&NETWORK, &bob()).receive(message1, ephemeral(6)).unwrap();
    assert!(matches!(server.receive(recorded), Err(Error::OtherServerKey)));
}

#[test]
fn states_and_outcomes_show_no_secret_in_debug_output() {
    let (message1, client) = Client::new(&NETWORK, &alice(), bob().public()).hello(ephemeral(1));
    let (message2, server) = Server::new(&NETWORK, &bob()).receive(message1, ephemeral(2)).unwrap();
    let mut shown = format!("{client:?}{server:?}");
    let (message3, client) = client.receive(message2).unwrap();
    let authenticated = server.receive(message3).unwrap();
    shown += &format!("{client:?}{authenticated:?}");
    let outcome = client.receive(authenticated.accept().unwrap().0).unwrap();
    shown += &format!("{outcome:?}");
    assert_eq!(
        shown,
        format!(
            "AwaitServerHello {{ .. }}AwaitClientAuth {{ .. }}AwaitServerAccept {{ .. }}Authenticated {{ .. }}\
             Outcome {{ peer: {}, encrypt: StreamKey(..), decrypt: StreamKey(..) }}",
            bob().public()
        )
    );
}
