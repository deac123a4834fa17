//! Peers that mean harm once the session stands.

use crate::{
    puppet::{auth, auth_ok, hello, session_answered, session_dialled},
    support::{ALICE, local, principal},
};
use bytes::{Bytes, BytesMut};
use handfast_snap2p::{
    Error, ErrorCode, Fault, Message, StreamId, UnixTime,
    limits::STREAMS_MAX,
    message::{Failure, Ping},
    session::{Config, Event, Read},
};

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
