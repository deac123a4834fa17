//! Peers that mean harm, at each step of the handshake.

use crate::{
    puppet::{Puppet, auth, auth_ok, hello, plain_frame, session_answered},
    support::{ALICE, BOB, Clock, answerer, dialler, local},
};
use bytes::{Bytes, BytesMut};
use handfast_keys::KeyPair;
use handfast_snap2p::{
    AttestationFault, Error, ErrorCode, Fault, Message, StreamId, UnixTime,
    limits::HANDSHAKE_TIMEOUT,
    message::{Failure, Ping},
    session::{Answer, Config, Dial, Handshake, Local},
};
use serde_json::Value;
use testkit::{unhex, unhex_array};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/snap2p.json")).unwrap()
}

fn refusal(messages: &[Message]) -> Option<&Failure> {
    match messages.last() {
        Some(Message::AuthFail(failure)) => Some(failure),
        _ => None,
    }
}

/// The node key of these public bytes, which is one of the two of the recorded session.
fn node_of(vectors: &Value, public: &str) -> KeyPair {
    ["initiator", "responder"]
        .iter()
        .map(|side| vectors["sessions"][0][side]["node_seed"].as_str().unwrap())
        .map(|seed| KeyPair::from_seed(&unhex_array(seed)).unwrap())
        .find(|node| node.public().as_bytes()[..] == unhex(public))
        .unwrap()
}

#[test]
fn each_attestation_of_the_vectors_is_judged_as_the_reference_judges_it_by_both_ends() {
    let vectors = vectors();
    for vector in vectors["attestations"].as_array().unwrap() {
        let name = &vector["name"];
        let good = vector["verify_mainnet"]["valid"] == true;
        let mut clock = Clock::new();
        clock.0.unix = UnixTime(vector["now"].as_u64().unwrap());
        let theirs = Local {
            node: node_of(&vectors, vector["node_public_key"].as_str().unwrap()),
            attestation: unhex(vector["wire"].as_str().unwrap()).into(),
            ..local(ALICE)
        };

        let mut bob = answerer(Answer::default(), clock);
        let mut puppet = Puppet::dials(&mut bob, &theirs.node, clock);
        puppet.say(&hello(&theirs, clock)).say(&auth(&theirs));
        let result = puppet.tell_handshake(&mut bob, clock);
        assert_eq!(result.is_ok(), good, "{name}: {result:?}");
        assert_eq!(bob.poll_question().is_some(), good, "{name}");
        let told = puppet.hears();
        assert_eq!(refusal(&told).is_none(), good, "{name}: {told:?}");

        let mut alice = dialler(Dial::default(), clock);
        let mut puppet = Puppet::answers(&mut alice, &theirs.node, clock);
        puppet.say(&hello(&theirs, clock)).say(&auth(&theirs));
        let result = puppet.tell_handshake(&mut alice, clock);
        assert_eq!(result.is_ok(), good, "{name}: {result:?}");
        let told = puppet.hears();
        assert_eq!(refusal(&told).is_none(), good, "{name}: {told:?}");
        if let Some(Failure { code, .. }) = refusal(&told) {
            let expected = match name.as_str().unwrap() {
                "expired past the skew" => ErrorCode::AttestationExpired,
                _ => ErrorCode::AttestationInvalid,
            };
            assert_eq!(*code, expected, "{name}");
        }
    }
}

#[test]
fn an_attestation_that_somebody_else_showed_proves_nothing() {
    let clock = Clock::new();
    // Mallory has heard Alice's attestation and shows it with a node key of its own.
    let mallory = local(66);
    let stolen = Local {
        attestation: local(ALICE).attestation,
        ..mallory.clone()
    };
    let mut bob = answerer(Answer::default(), clock);
    let mut puppet = Puppet::dials(&mut bob, &mallory.node, clock);
    puppet.say(&hello(&stolen, clock)).say(&auth(&stolen));
    let result = puppet.tell_handshake(&mut bob, clock);
    assert!(
        matches!(result, Err(Error::Attestation(AttestationFault::OtherNode))),
        "{result:?}"
    );
    assert_eq!(refusal(&puppet.hears()).unwrap().code, ErrorCode::AttestationInvalid);

    // Nor with Alice's node key in HELLO, which Noise has not proved.
    let mut bob = answerer(Answer::default(), clock);
    let mut puppet = Puppet::dials(&mut bob, &mallory.node, clock);
    puppet.say(&hello(&local(ALICE), clock)).say(&auth(&stolen));
    let result = puppet.tell_handshake(&mut bob, clock);
    assert!(
        matches!(result, Err(Error::Attestation(AttestationFault::OtherNode))),
        "{result:?}"
    );
}

#[test]
fn frames_of_another_handshake_open_nothing() {
    let clock = Clock::new();
    let ours = local(ALICE);
    let record = |name: &str| {
        let vectors = vectors();
        let frames = vectors["sessions"][0]["frames"].as_array().unwrap().clone();
        let frame = frames.iter().find(|frame| frame["type"] == name).unwrap();
        plain_frame(&unhex(frame["frame"].as_str().unwrap()))
    };
    let mut bob = answerer(Answer::default(), clock);
    let mut puppet = Puppet::dials(&mut bob, &ours.node, clock);
    puppet.say(&hello(&ours, clock));
    puppet.tell_handshake(&mut bob, clock).unwrap();
    let result = bob.handle_input(&mut record("AUTH"), clock.0);
    assert!(matches!(result, Err(Error::Protocol(Fault::Forged))), "{result:?}");

    // A frame of this very session twice is no better.
    let mut bob = answerer(Answer::default(), clock);
    let mut puppet = Puppet::dials(&mut bob, &ours.node, clock);
    puppet.say(&hello(&ours, clock));
    let mut twice = puppet.said.clone();
    twice.extend_from_slice(&puppet.said);
    let result = bob.handle_input(&mut twice, clock.0);
    assert!(matches!(result, Err(Error::Protocol(Fault::Forged))), "{result:?}");
}

#[test]
fn lengths_that_are_none_or_too_large_end_either_end_at_each_step() {
    let clock = Clock::new();
    let lengths: [&[u8]; 6] = [
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        // What reads as -5 in 32 bits with a sign.
        &[0xfb, 0xff, 0xff, 0xff, 0x0f],
        &[0x80, 0x80, 0x80, 0x80, 0x80],
        &[0x80, 0x80, 0x80, 0x80, 0x10],
        // 16 MiB and one.
        &[0x81, 0x80, 0x80, 0x08],
        // One more than a stranger may send.
        &[0x81, 0x20],
    ];
    let ends: [fn(Clock) -> Handshake; 4] = [
        |clock| answerer(Answer::default(), clock),
        |clock| dialler(Dial::default(), clock),
        |clock| {
            let mut bob = answerer(Answer::default(), clock);
            Puppet::dials(&mut bob, &local(ALICE).node, clock);
            bob
        },
        |clock| {
            let mut alice = dialler(Dial::default(), clock);
            Puppet::answers(&mut alice, &local(BOB).node, clock);
            alice
        },
    ];
    for length in lengths {
        for end in ends {
            let mut end = end(clock);
            let result = end.handle_input(&mut BytesMut::from(length), clock.0);
            assert!(
                matches!(result, Err(Error::Protocol(Fault::Length | Fault::TooLong { .. }))),
                "{length:?}: {result:?}"
            );
            assert!(
                end.handle_input(&mut plain_frame(&[0; 32]), clock.0).is_err(),
                "it is over"
            );
            assert!(end.poll_timeout().is_none());
        }
    }
    for length in &lengths[..5] {
        let (mut session, _, clock) = session_answered(Config::default());
        let result = session.handle_input(&mut BytesMut::from(*length), clock.0);
        assert!(matches!(
            result,
            Err(Error::Protocol(Fault::Length | Fault::TooLong { .. }))
        ));
        assert!(matches!(
            session.handle_input(&mut BytesMut::new(), clock.0),
            Err(Error::Closed(_))
        ));
    }
}

/// What is awaited, and how a peer whose node is the second comes so far.
type Step = (&'static str, fn(&mut Handshake, &Local, Clock));

#[test]
fn silence_at_each_step_ends_with_what_was_awaited() {
    let (ours, theirs) = (local(ALICE), local(BOB));
    let answering: [Step; 5] = [
        ("the first Noise message", |_, _, _| {}),
        ("the third Noise message", |bob, _, clock| {
            bob.handle_input(&mut plain_frame(&[9; 32]), clock.0).unwrap();
        }),
        ("HELLO", |bob, ours, clock| {
            Puppet::dials(bob, &ours.node, clock);
        }),
        ("AUTH", |bob, ours, clock| {
            let mut puppet = Puppet::dials(bob, &ours.node, clock);
            puppet.say(&hello(ours, clock)).tell_handshake(bob, clock).unwrap();
        }),
        ("AUTH_OK", |bob, ours, clock| {
            let mut puppet = Puppet::dials(bob, &ours.node, clock);
            puppet.say(&hello(ours, clock)).say(&auth(ours));
            puppet.tell_handshake(bob, clock).unwrap();
            bob.decide(true).unwrap();
        }),
    ];
    let dialling: [Step; 4] = [
        ("the second Noise message", |_, _, _| {}),
        ("HELLO", |alice, theirs, clock| {
            Puppet::answers(alice, &theirs.node, clock);
        }),
        ("AUTH", |alice, theirs, clock| {
            let mut puppet = Puppet::answers(alice, &theirs.node, clock);
            puppet.say(&hello(theirs, clock)).tell_handshake(alice, clock).unwrap();
        }),
        ("AUTH_OK", |alice, theirs, clock| {
            let mut puppet = Puppet::answers(alice, &theirs.node, clock);
            puppet.say(&hello(theirs, clock)).say(&auth(theirs));
            puppet.tell_handshake(alice, clock).unwrap();
        }),
    ];
    let mut clock = Clock::new();
    let mut ends = Vec::new();
    for (awaited, go) in answering {
        let mut bob = answerer(Answer::default(), clock);
        go(&mut bob, &ours, clock);
        ends.push((awaited, bob));
    }
    for (awaited, go) in dialling {
        let mut alice = dialler(Dial::default(), clock);
        go(&mut alice, &theirs, clock);
        ends.push((awaited, alice));
    }
    let dial = Dial {
        token: Some(Bytes::from_static(&[1; 16])),
        ..Dial::default()
    };
    ends.push(("the answer to the invite", dialler(dial, clock)));
    let stealth = Answer {
        stealth: true,
        ..Answer::default()
    };
    ends.push(("an invite", answerer(stealth, clock)));

    let begin = clock.0.instant;
    clock.advance(HANDSHAKE_TIMEOUT);
    for (awaited, mut end) in ends {
        assert_eq!(end.awaits(), awaited);
        assert_eq!(
            end.poll_timeout(),
            Some(begin + HANDSHAKE_TIMEOUT),
            "counted from the beginning: {awaited}"
        );
        let result = end.handle_timeout(clock.0);
        assert!(
            matches!(result, Err(Error::TimedOut { what, seconds: 30 }) if what == awaited),
            "{result:?}"
        );
    }
}

#[test]
fn messages_out_of_their_place_end_the_handshake() {
    let clock = Clock::new();
    let ours = local(ALICE);
    let others = [
        auth(&ours),
        auth_ok(&ours, [1; 32]),
        Message::Ping(Ping {
            seq: 0,
            time: UnixTime(0),
        }),
        Message::Knock(Bytes::from_static(&[1; 16])),
        Message::OpenStream {
            id: StreamId(0),
            label: String::new(),
        },
    ];
    for message in others {
        let mut bob = answerer(Answer::default(), clock);
        let mut puppet = Puppet::dials(&mut bob, &ours.node, clock);
        let result = puppet.say(&message).tell_handshake(&mut bob, clock);
        assert!(
            matches!(result, Err(Error::Protocol(Fault::Unexpected(_)))),
            "{message:?}: {result:?}"
        );
        assert!(
            puppet.hears().is_empty(),
            "nothing is said to who does not speak the protocol"
        );
    }
    for garbage in [&b""[..], b"\xff", b"\xa0", b"\xa1\x61t\x18\x99"] {
        let mut bob = answerer(Answer::default(), clock);
        let mut puppet = Puppet::dials(&mut bob, &ours.node, clock);
        assert!(puppet.say_bytes(garbage).tell_handshake(&mut bob, clock).is_err());
    }
}

#[test]
fn noise_of_any_other_length_ends_the_handshake() {
    let clock = Clock::new();
    for len in [0, 31, 33, 96, 4096] {
        let mut bob = answerer(Answer::default(), clock);
        assert!(bob.handle_input(&mut plain_frame(&vec![9; len]), clock.0).is_err());
    }
    for len in [0, 32, 95, 97, 4096] {
        let mut alice = dialler(Dial::default(), clock);
        assert!(alice.handle_input(&mut plain_frame(&vec![9; len]), clock.0).is_err());
    }
    // Keys of low order lead to a secret that everybody knows.
    let mut bob = answerer(Answer::default(), clock);
    assert!(bob.handle_input(&mut plain_frame(&[0; 32]), clock.0).is_err());
}

#[test]
fn a_length_that_cannot_be_what_is_awaited_is_refused_before_the_rest_has_come() {
    let clock = Clock::new();
    let announce = |len: usize| {
        let mut frame = BytesMut::new();
        handfast_snap2p::frame::put_len(len, &mut frame);
        frame
    };
    let stealth = || {
        let answer = Answer {
            stealth: true,
            ..Answer::default()
        };
        answerer(answer, clock)
    };
    // An invite may come first, of 25 to 128 bytes.
    for (len, good) in [
        (1, false),
        (24, false),
        (25, true),
        (32, true),
        (42, true),
        (129, false),
        (4096, false),
    ] {
        let result = answerer(Answer::default(), clock).handle_input(&mut announce(len), clock.0);
        assert_eq!(result.is_ok(), good, "{len}: {result:?}");
    }
    for (len, good) in [(42, true), (128, true), (129, false), (4096, false)] {
        let result = stealth().handle_input(&mut announce(len), clock.0);
        assert_eq!(result.is_ok(), good, "{len}: {result:?}");
    }
    for (len, good) in [(31, false), (32, true), (33, false), (42, false)] {
        let mut bob = stealth();
        let mut knock = BytesMut::new();
        Message::Knock(Bytes::from_static(&[1; 16])).encode(&mut knock);
        bob.handle_input(&mut plain_frame(&knock), clock.0).unwrap();
        bob.decide(true).unwrap();
        let result = bob.handle_input(&mut announce(len), clock.0);
        assert_eq!(result.is_ok(), good, "{len}: {result:?}");
    }
    for (len, good) in [(63, false), (64, true), (65, false), (4096, false)] {
        let mut bob = answerer(Answer::default(), clock);
        bob.handle_input(&mut plain_frame(&[9; 32]), clock.0).unwrap();
        let result = bob.handle_input(&mut announce(len), clock.0);
        assert_eq!(result.is_ok(), good, "{len}: {result:?}");
        assert_eq!(bob.poll_timeout().is_some(), good, "it is over");
    }
    // The reason of a refusal in clear may be long.
    for (len, good) in [(96, true), (1024, true), (1100, false), (4096, false)] {
        let mut alice = dialler(Dial::default(), clock);
        let result = alice.handle_input(&mut announce(len), clock.0);
        assert_eq!(result.is_ok(), good, "{len}: {result:?}");
    }
}

#[test]
fn nothing_that_is_printed_shows_a_token() {
    let token = Bytes::from_static(b"sixteen secrets!");
    let text = format!("{:?}", Message::Knock(token.clone()));
    assert_eq!(text, "Knock(..)");
    let dial = Dial {
        token: Some(token),
        ..Dial::default()
    };
    assert!(!format!("{dial:?}").contains("secrets"));
}
