//! Laws that hold for every input; the fuzz target and property tests call them.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use crate::{Client, Outcome, Server};
use arbitrary::Unstructured;
use handfast_keys::{KeyPair, NetworkIdentifier, x25519};

/// A handshake of fixed parties on which a wire-tapper works: it adds arbitrary bytes to one message.
///
/// Laws: a message that arrives as it was sent leads to two outcomes that fit together; any other leads to an error
/// at one of the two sides, and never to two different outcomes.
pub fn tampered_handshake(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let which = usize::from(input.arbitrary::<u8>().unwrap_or(0) % 4);
    let mut touched = false;
    let mut tamper = |number: usize, message: &mut [u8]| {
        if number == which {
            for byte in message {
                let change: u8 = input.arbitrary().unwrap_or(0);
                *byte ^= change;
                touched |= change != 0;
            }
        }
    };
    let ends = run(&mut tamper);
    match ends {
        Some((at_client, at_server)) => {
            assert!(!touched, "a changed message went unnoticed");
            assert_eq!(at_client.encrypt.key, at_server.decrypt.key);
            assert_eq!(at_client.decrypt.key, at_server.encrypt.key);
            assert_eq!(at_client.encrypt.nonce, at_server.decrypt.nonce);
            assert_eq!(at_client.decrypt.nonce, at_server.encrypt.nonce);
            assert_ne!(at_client.encrypt.key, at_client.decrypt.key);
        }
        None => assert!(touched, "an honest handshake failed"),
    }
}

/// Three messages of a peer that knows the network but holds no key: no side comes to an outcome, and nothing panics.
///
/// The hello may well pass, since anybody on the network can make one; then the message after it must not.
pub fn forged_messages(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let mut message = |bytes: &mut [u8]| bytes.fill_with(|| input.arbitrary().unwrap_or(0));
    let (mut hello, mut auth, mut accept) = ([0; 64], [0; 112], [0; 80]);
    message(&mut hello);
    message(&mut auth);
    message(&mut accept);
    let (alice, bob) = parties();
    let network = NetworkIdentifier::MAIN;
    let dial = || Client::new(&network, &alice, bob.public()).hello(ephemeral(1));
    let answer = |hello| Server::new(&network, &bob).receive(hello, ephemeral(2));
    if let Ok((_, client)) = dial().1.receive(hello) {
        assert!(client.receive(accept).is_err());
    }
    if let Ok((_, server)) = answer(hello) {
        assert!(server.receive(auth).is_err());
    }

    // The same after an honest hello, which the fuzzer cannot guess.
    let (hello, client) = dial();
    let (hello, server) = answer(hello).unwrap();
    let (_, client) = client.receive(hello).unwrap();
    assert!(server.receive(auth).is_err());
    assert!(client.receive(accept).is_err());
}

fn run(tamper: &mut dyn FnMut(usize, &mut [u8])) -> Option<(Outcome, Outcome)> {
    let (alice, bob) = parties();
    let network = NetworkIdentifier::MAIN;
    let (mut message1, client) = Client::new(&network, &alice, bob.public()).hello(ephemeral(1));
    tamper(0, &mut message1);
    let (mut message2, server) = Server::new(&network, &bob).receive(message1, ephemeral(2)).ok()?;
    tamper(1, &mut message2);
    let (mut message3, client) = client.receive(message2).ok()?;
    tamper(2, &mut message3);
    let authenticated = server.receive(message3).ok()?;
    assert_eq!(authenticated.peer(), alice.public());
    let (mut message4, at_server) = authenticated.accept().unwrap();
    tamper(3, &mut message4);
    let at_client = client.receive(message4).ok()?;
    assert_eq!(at_client.peer, *bob.public());
    Some((at_client, at_server))
}

fn parties() -> (KeyPair, KeyPair) {
    (
        KeyPair::from_seed(&[1; 32]).unwrap(),
        KeyPair::from_seed(&[2; 32]).unwrap(),
    )
}

fn ephemeral(number: u8) -> x25519::SecretKey {
    x25519::SecretKey::from_bytes(&[number; 32]).unwrap()
}
