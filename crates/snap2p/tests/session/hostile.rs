//! Peers that mean harm, at each step.

use crate::{
    puppet::{Puppet, auth, auth_ok, hello, plain_frame, session_answered, session_dialled},
    support::{ALICE, BOB, Clock, answerer, dialler, local, principal},
};
use bytes::{Bytes, BytesMut};
use handfast_keys::KeyPair;
use handfast_snap2p::{
    AttestationFault, Error, ErrorCode, Fault, Message, StreamId, UnixTime,
    limits::{HANDSHAKE_TIMEOUT, STREAMS_MAX},
    message::{Failure, Ping},
    session::{Answer, Config, Dial, Event, Handshake, Local, Read},
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
fn streams_of_the_wrong_parity_and_streams_opened_twice_end_the_session() {
    let open = |id| Message::OpenStream {
        id: StreamId(id),
        label: String::new(),
    };
    let (mut bob, mut puppet, clock) = session_answered(Config::default());
    let result = puppet.say(&open(1)).tell_session(&mut bob, clock);
    assert!(
        matches!(result, Err(Error::Protocol(Fault::Unexpected(_)))),
        "{result:?}"
    );

    let (mut alice, mut puppet, clock) = session_dialled(Config::default());
    let result = puppet.say(&open(2)).tell_session(&mut alice, clock);
    assert!(
        matches!(result, Err(Error::Protocol(Fault::Unexpected(_)))),
        "{result:?}"
    );

    let (mut bob, mut puppet, clock) = session_answered(Config::default());
    let result = puppet.say(&open(4)).say(&open(4)).tell_session(&mut bob, clock);
    assert!(
        matches!(result, Err(Error::Protocol(Fault::Unexpected(_)))),
        "{result:?}"
    );

    // A number of the past is refused, and nothing else happens.
    let (mut bob, mut puppet, clock) = session_answered(Config::default());
    puppet.say(&open(4)).say(&Message::CloseStream {
        id: StreamId(4),
        code: None,
    });
    puppet
        .say(&open(4))
        .say(&open(2))
        .tell_session(&mut bob, clock)
        .unwrap();
    let refused: Vec<_> = puppet
        .hears()
        .into_iter()
        .filter(|message| {
            matches!(
                message,
                Message::CloseStream {
                    code: Some(ErrorCode::StreamIdInUse),
                    ..
                }
            )
        })
        .collect();
    assert_eq!(refused.len(), 2);
}

#[test]
fn data_behind_the_end_of_a_stream_ends_the_session() {
    let (mut bob, mut puppet, clock) = session_answered(Config::default());
    let id = StreamId(0);
    let data = |fin| Message::StreamData {
        id,
        data: Bytes::from_static(b"more"),
        fin,
    };
    puppet
        .say(&Message::OpenStream {
            id,
            label: String::new(),
        })
        .say(&data(true));
    puppet.tell_session(&mut bob, clock).unwrap();
    let result = puppet.say(&data(false)).tell_session(&mut bob, clock);
    assert!(matches!(result, Err(Error::Protocol(Fault::Unexpected(_)))));
    // What had come before it can still be read.
    assert_eq!(bob.read(id, 100).unwrap(), Read::Data("more".into()));
    assert_eq!(bob.read(id, 100).unwrap(), Read::End);
}

#[test]
fn a_flood_of_streams_finds_a_hundred_places() {
    let (mut bob, mut puppet, clock) = session_answered(Config::default());
    for number in 0..150 {
        puppet.say(&Message::OpenStream {
            id: StreamId(2 * number),
            label: "flood".into(),
        });
    }
    puppet.tell_session(&mut bob, clock).unwrap();
    let opened = std::iter::from_fn(|| bob.poll_event())
        .filter(|event| matches!(event, Event::Opened { .. }))
        .count();
    assert_eq!(opened, STREAMS_MAX);
    let refused = puppet.hears().into_iter().filter(|message| {
        matches!(
            message,
            Message::CloseStream {
                code: Some(ErrorCode::ResourceExhausted),
                ..
            }
        )
    });
    assert_eq!(refused.count(), 50);
    assert!(!bob.can_open());
}

#[test]
fn who_asks_without_listening_is_not_listened_to() {
    let floods: [fn(u64) -> Message; 3] = [
        |n| {
            Message::Ping(Ping {
                seq: n,
                time: UnixTime(0),
            })
        },
        // Data for streams that never were.
        |n| Message::StreamData {
            id: StreamId(1000 + 2 * n),
            data: Bytes::from_static(b"x"),
            fin: false,
        },
        |n| Message::OpenStream {
            id: StreamId(2 * n),
            label: String::new(),
        },
    ];
    for flood in floods {
        let (mut bob, mut puppet, clock) = session_answered(Config::default());
        for n in 0..2000 {
            puppet.say(&flood(n));
        }
        let before = puppet.said.len();
        // It comes in small pieces, the application refuses what it is offered, and nothing leaves.
        let mut input = BytesMut::new();
        while bob.wants_input() {
            assert!(!puppet.said.is_empty(), "it took everything");
            input.unsplit(puppet.said.split_to(puppet.said.len().min(200)));
            bob.handle_input(&mut input, clock.0).unwrap();
            while let Some(event) = bob.poll_event() {
                if let Event::Opened { id, .. } = event {
                    bob.refuse(id);
                }
            }
        }
        input.unsplit(puppet.said.split());
        puppet.said = input;
        assert!(
            puppet.said.len() > before / 2,
            "most of it waits in the buffer of the connection"
        );
        // Once it listens, all is answered in turn.
        while !puppet.said.is_empty() {
            puppet.tell_session(&mut bob, clock).unwrap();
            while let Some(event) = bob.poll_event() {
                if let Event::Opened { id, .. } = event {
                    bob.refuse(id);
                }
            }
        }
        bob.poll_transmit(&mut puppet.heard, usize::MAX);
        let answers = puppet
            .hears()
            .into_iter()
            .filter(|message| matches!(message, Message::Pong(_) | Message::CloseStream { .. }));
        assert_eq!(answers.count(), 2000);
    }
}

#[test]
fn events_that_nobody_takes_stop_the_reading() {
    let (mut bob, mut puppet, clock) = session_answered(Config::default());
    for n in 0..1000 {
        let id = StreamId(2 * n);
        puppet.say(&Message::OpenStream {
            id,
            label: "x".repeat(1000),
        });
        puppet.say(&Message::CloseStream { id, code: None });
    }
    let before = puppet.said.len();
    puppet.tell_session(&mut bob, clock).unwrap();
    assert!(!bob.wants_input());
    assert!(puppet.said.len() > before / 2);
    let mut opened = 0;
    loop {
        while let Some(event) = bob.poll_event() {
            if let Event::Opened { id, .. } = event {
                opened += 1;
                bob.release(id);
            }
        }
        if puppet.said.is_empty() {
            break;
        }
        puppet.tell_session(&mut bob, clock).unwrap();
    }
    assert_eq!(opened, 1000);
}

#[test]
fn errors_of_the_peer_are_told_one_at_a_time() {
    let (mut bob, mut puppet, clock) = session_answered(Config::default());
    let failure = Failure {
        code: ErrorCode::Internal,
        reason: "because".into(),
    };
    for _ in 0..1000 {
        puppet.say(&Message::Error(failure.clone()));
    }
    puppet.tell_session(&mut bob, clock).unwrap();
    assert!(puppet.said.is_empty());
    let told: Vec<_> = std::iter::from_fn(|| bob.poll_event()).collect();
    assert_eq!(told, [Event::Live, Event::PeerError(failure)]);
}

#[test]
fn an_unknown_message_is_answered_once_and_the_session_goes_on() {
    let (mut bob, mut puppet, clock) = session_answered(Config::default());
    for _ in 0..10 {
        puppet.say_bytes(b"\xa1\x61t\x18\x99");
    }
    puppet.tell_session(&mut bob, clock).unwrap();
    let errors: Vec<_> = puppet
        .hears()
        .into_iter()
        .filter(|message| {
            matches!(
                message,
                Message::Error(Failure {
                    code: ErrorCode::VersionUnsupported,
                    ..
                })
            )
        })
        .collect();
    assert_eq!(errors.len(), 1);
    assert!(bob.open_stream("still open").is_ok());
}

#[test]
fn messages_of_the_handshake_are_ignored_once_it_is_over() {
    let (mut bob, mut puppet, clock) = session_answered(Config::default());
    let ours = local(ALICE);
    puppet
        .say(&hello(&ours, clock))
        .say(&auth(&local(9)))
        .say(&auth_ok(&local(9), [0; 32]));
    puppet.tell_session(&mut bob, clock).unwrap();
    assert_eq!(bob.peer().principal, principal(ALICE));
    let refusal = Failure {
        code: ErrorCode::NotAllowed,
        reason: "\u{1b}[31mred\u{202e}".into(),
    };
    let result = puppet.say(&Message::AuthFail(refusal)).tell_session(&mut bob, clock);
    let Err(Error::Refused {
        code: ErrorCode::NotAllowed,
        reason,
    }) = result
    else {
        panic!("{result:?}")
    };
    assert_eq!(reason, " [31mred ", "what a terminal would obey is taken out");
}

#[test]
fn a_slice_is_not_kept_of_a_buffer_much_larger_than_itself() {
    let (mut bob, mut puppet, clock) = session_answered(Config::default());
    let id = StreamId(0);
    puppet.say(&Message::OpenStream {
        id,
        label: String::new(),
    });
    // {"d": 40,000 bytes, "sid": 0, "t": 18, "x": a megabyte of nothing}
    let mut plain = vec![0xa4, 0x61, b'd', 0x59];
    plain.extend(40_000u16.to_be_bytes());
    plain.extend([7; 40_000]);
    plain.extend([0x63, b's', b'i', b'd', 0x00, 0x61, b't', 0x12, 0x61, b'x', 0x5a]);
    plain.extend((1u32 << 20).to_be_bytes());
    plain.extend(vec![0; 1 << 20]);
    puppet.say_bytes(&plain).say(&Message::Ping(Ping {
        seq: 0,
        time: UnixTime(0),
    }));
    let behind = puppet.said.as_ptr_range();
    puppet.tell_session(&mut bob, clock).unwrap();
    let Read::Data(data) = bob.read(id, usize::MAX).unwrap() else {
        panic!("40,000 bytes came")
    };
    assert_eq!(data.len(), 40_000);
    assert!(
        !behind.contains(&data.as_ptr()),
        "it is a copy, and the megabyte is free"
    );
}
