//! The handshake and its ciphers against peers and wire-tappers that do not play by the rules.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use bytes::BytesMut;
use handfast_keys::{KeyPair, x25519};
use handfast_snap2p::{
    Error, Fault, Message, StreamId,
    limits::{FRAME_MAX, TAG_LEN},
    noise::{AwaitMessage2, AwaitMessage3, Established, Initiator, Responder, Suite},
};
use testkit::unhex;

fn keys(number: u8) -> KeyPair {
    KeyPair::from_seed(&[number; 32]).unwrap()
}

fn ephemeral(number: u8) -> x25519::SecretKey {
    x25519::SecretKey::from_bytes(&[number; 32]).unwrap()
}

fn dial(suite: Suite) -> ([u8; 32], AwaitMessage2) {
    Initiator::new(&keys(1), ephemeral(3), suite).message1().unwrap()
}

fn answer(suite: Suite, message1: &[u8]) -> Result<([u8; 96], AwaitMessage3), Error> {
    Responder::new(&keys(2), ephemeral(4), suite).handle(message1)
}

fn established(suite: Suite) -> (Established, Established) {
    let (message1, initiator) = dial(suite);
    let (message2, responder) = answer(suite, &message1).unwrap();
    let (message3, initiator) = initiator.handle(&message2).unwrap();
    (initiator, responder.handle(&message3).unwrap())
}

fn suites() -> impl Iterator<Item = Suite> {
    [
        Suite::Snap2p,
        #[cfg(feature = "standard-noise")]
        Suite::Standard,
    ]
    .into_iter()
}

fn is_noise<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::Protocol(Fault::Noise)))
}

/// Every encoding of a point of low order that X25519 meets (RFC 7748 and its successors list them).
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

#[test]
fn messages_of_another_length_are_refused() {
    for suite in suites() {
        let (message1, _) = dial(suite);
        let (message2, _) = answer(suite, &message1).unwrap();
        let (message3, _) = dial(suite).1.handle(&message2).unwrap();
        for change in [0, 1, 31, 33, 65_536] {
            let cut = |message: &[u8]| {
                let mut message = message.to_vec();
                message.resize(change, 0);
                message
            };
            assert!(is_noise(answer(suite, &cut(&message1))));
            assert!(is_noise(dial(suite).1.handle(&cut(&message2))));
            let (_, responder) = answer(suite, &message1).unwrap();
            assert!(is_noise(responder.handle(&cut(&message3))));
        }
        for (longer, shorter) in [(97, 95), (112, 80)] {
            for len in [longer, shorter] {
                let mut message = message2.to_vec();
                message.resize(len, 0);
                assert!(is_noise(dial(suite).1.handle(&message)));
            }
        }
    }
}

#[test]
fn ephemeral_keys_of_low_order_are_refused() {
    for suite in suites() {
        for point in LOW_ORDER {
            assert!(is_noise(answer(suite, &unhex(point))), "{point}");
            let (message1, initiator) = dial(suite);
            let (mut message2, _) = answer(suite, &message1).unwrap();
            message2[..32].copy_from_slice(&unhex(point));
            assert!(is_noise(initiator.handle(&message2)), "{point}");
        }
    }
}

#[test]
fn a_recorded_handshake_says_nothing_in_another() {
    for suite in suites() {
        let (message1, initiator) = dial(suite);
        let (message2, _) = answer(suite, &message1).unwrap();
        let (message3, _) = initiator.handle(&message2).unwrap();
        // The same initiator again, to a responder that draws another ephemeral key.
        let (_, responder) = Responder::new(&keys(2), ephemeral(9), suite).handle(&message1).unwrap();
        assert!(is_noise(responder.handle(&message3)));
        // The same responder again, to an initiator that draws another.
        let (_, initiator) = Initiator::new(&keys(1), ephemeral(9), suite).message1().unwrap();
        assert!(is_noise(initiator.handle(&message2)));
    }
}

/// An initiator may reach itself; then both keys are its own, and it is for the session to say that this is nobody else.
#[test]
fn a_node_that_dials_itself_sees_its_own_key() {
    let (message1, initiator) = dial(Suite::Snap2p);
    let (message2, responder) = Responder::new(&keys(1), ephemeral(4), Suite::Snap2p)
        .handle(&message1)
        .unwrap();
    let (message3, initiator) = initiator.handle(&message2).unwrap();
    let responder = responder.handle(&message3).unwrap();
    assert_eq!(initiator.remote_static, *keys(1).agreement().public());
    assert_eq!(responder.remote_static, initiator.remote_static);
}

#[test]
fn a_forged_frame_ends_the_direction() {
    let (mut from, mut to) = established(Suite::Snap2p);
    let mut seal = |text: &[u8]| {
        let mut buffer = BytesMut::from(text);
        from.sealer.seal_in_place(&mut buffer, 0).unwrap();
        buffer
    };
    assert_eq!(to.opener.open(seal(b"one")).unwrap(), b"one"[..]);
    let mut forged = seal(b"two");
    forged[1] ^= 1;
    assert_eq!(to.opener.open(forged), Err(Fault::Forged));
    assert_eq!(to.opener.open(seal(b"three")), Err(Fault::Forged));

    // Too short to have a tag.
    let (_, mut to) = established(Suite::Snap2p);
    assert_eq!(to.opener.open_in_place(&mut [0; TAG_LEN - 1]), Err(Fault::Forged));
}

#[test]
fn the_longest_frame_is_sealed_and_no_longer_one() {
    for suite in suites() {
        let (mut from, mut to) = established(suite);
        let max = from.sealer.plain_max();
        assert_eq!(max, suite.frame_max() - TAG_LEN);
        let mut buffer = BytesMut::zeroed(max + 1);
        assert!(matches!(
            from.sealer.seal_in_place(&mut buffer, 0),
            Err(Error::Misuse(_))
        ));
        assert_eq!(buffer, vec![0; max + 1], "a refused frame is left as it was");
        from.sealer.seal_in_place(&mut buffer, 1).unwrap();
        let opened = to.opener.open(buffer.split_off(1)).unwrap();
        assert_eq!(opened.len(), max);
    }
    assert_eq!(Suite::Snap2p.frame_max(), FRAME_MAX);
}

#[test]
fn a_frame_that_is_not_filled_as_was_said_leaves_the_buffer_as_it_was() {
    let (mut from, mut to) = established(Suite::Snap2p);
    let mut out = BytesMut::from(&b"before"[..]);
    for len in [0, 2, FRAME_MAX] {
        let refused = from.sealer.seal_frame(&mut out, len, |out| out.extend_from_slice(b"x"));
        assert!(matches!(refused, Err(Error::Misuse(_))));
        assert_eq!(out, b"before"[..]);
    }
    // No number was spent on them.
    let message = Message::CloseStream {
        id: StreamId(0),
        code: None,
    };
    from.sealer.seal_message(&message, &mut out).unwrap();
    let frame = out.split_off(b"before".len() + 1);
    assert_eq!(Message::decode(to.opener.open(frame).unwrap().freeze()), Ok(message));
}

#[test]
fn no_state_shows_its_secrets() {
    let (message1, initiator) = dial(Suite::Snap2p);
    let (message2, responder) = answer(Suite::Snap2p, &message1).unwrap();
    let shown = format!("{initiator:?} {responder:?}");
    assert_eq!(shown, "AwaitMessage2 { .. } AwaitMessage3 { .. }");
    let (_, established) = initiator.handle(&message2).unwrap();
    let shown = format!("{:?} {:?}", established.sealer, established.opener);
    assert_eq!(
        shown,
        "Sealer { counter: 0, .. } Opener { counter: 0, failed: false, .. }"
    );
}

#[cfg(feature = "standard-noise")]
mod standard {
    use super::*;
    use snow::{Builder, HandshakeState};

    #[test]
    fn the_two_suites_do_not_understand_each_other() {
        for (ours, theirs) in [(Suite::Snap2p, Suite::Standard), (Suite::Standard, Suite::Snap2p)] {
            let (message1, initiator) = dial(ours);
            let (message2, _) = answer(theirs, &message1).unwrap();
            assert!(is_noise(initiator.handle(&message2)));
        }
    }

    fn stock(initiator: bool) -> (HandshakeState, Vec<u8>) {
        let builder = Builder::new("Noise_XX_25519_ChaChaPoly_SHA256".parse().unwrap());
        let pair = builder.generate_keypair().unwrap();
        let builder = builder.local_private_key(&pair.private).unwrap();
        let state = if initiator {
            builder.build_initiator()
        } else {
            builder.build_responder()
        };
        (state.unwrap(), pair.public)
    }

    /// Frames both ways between our ciphers and a stock transport.
    fn talk(ours: Established, theirs: HandshakeState) {
        let (mut ours, mut theirs) = (ours, theirs.into_transport_mode().unwrap());
        for len in [0, 1, 300, 65_519] {
            let text = vec![5; len];
            let mut buffer = BytesMut::from(&text[..]);
            ours.sealer.seal_in_place(&mut buffer, 0).unwrap();
            let mut out = vec![0; 65_535];
            let read = theirs.read_message(&buffer, &mut out).unwrap();
            assert_eq!(out[..read], text);
            let written = theirs.write_message(&text, &mut out).unwrap();
            assert_eq!(ours.opener.open_in_place(&mut out[..written]).unwrap(), text);
        }
    }

    #[test]
    fn a_stock_noise_library_answers_and_dials() {
        let (mut snow, public) = stock(false);
        let mut buffer = [0; 128];
        let (message1, initiator) = dial(Suite::Standard);
        snow.read_message(&message1, &mut buffer).unwrap();
        let len = snow.write_message(&[], &mut buffer).unwrap();
        let (message3, ours) = initiator.handle(&buffer[..len]).unwrap();
        snow.read_message(&message3, &mut buffer).unwrap();
        assert_eq!(
            snow.get_remote_static().unwrap(),
            keys(1).agreement().public().as_bytes()
        );
        assert_eq!(ours.remote_static.as_bytes()[..], public);
        assert_eq!(snow.get_handshake_hash(), ours.handshake_hash);
        talk(ours, snow);

        let (mut snow, public) = stock(true);
        let len = snow.write_message(&[], &mut buffer).unwrap();
        let (message2, responder) = answer(Suite::Standard, &buffer[..len]).unwrap();
        snow.read_message(&message2, &mut buffer).unwrap();
        let len = snow.write_message(&[], &mut buffer).unwrap();
        let ours = responder.handle(&buffer[..len]).unwrap();
        assert_eq!(ours.remote_static.as_bytes()[..], public);
        talk(ours, snow);
    }
}
