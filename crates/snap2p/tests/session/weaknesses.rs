//! The weaknesses that were found in the reference, each as a test against us. Those of sockets, of wallets and of the
//! program are tests there; the numbers are the same.

use crate::{
    puppet::{Puppet, auth, auth_ok, hello, plain_frame, session_answered, session_dialled},
    support::{ALICE, ALL, BOB, Clock, Pair, allow, answerer, dialler, local, principal, secrets},
};
use bytes::{Bytes, BytesMut};
use handfast_keys::KeyPair;
use handfast_snap2p::{
    AttestationFault, Error, ErrorCode, Fault, Message, Network, Principal, StreamId, UnixTime, WalletKey,
    access::{HalfOpen, INVITE_VALIDITY, Invites, REMEMBERED_MAX, RateLimiter},
    frame::put_len,
    limits::{FIRST_FRAME_WAIT, HANDSHAKE_FRAME_MAX, HANDSHAKE_TIMEOUT},
    message::{AuthOk, Failure, Ping},
    session::{Answer, Config, Dial, Event, Handshake, Local, Read},
};
use serde_json::Value;
use std::{net::Ipv6Addr, time::Duration};
use testkit::unhex_array;

fn ping(seq: u64) -> Message {
    Message::Ping(Ping { seq, time: UnixTime(0) })
}

#[test]
fn weakness_01_what_comes_behind_the_last_frame_of_the_handshake_is_not_lost() {
    // A responder of ours loses nothing: here three frames come in one read with AUTH_OK.
    let clock = Clock::new();
    let ours = local(ALICE);
    let mut bob = answerer(Answer::default(), clock);
    let mut puppet = Puppet::dials(&mut bob, &ours.node, clock);
    puppet.say(&hello(&ours, clock)).say(&auth(&ours));
    puppet.tell_handshake(&mut bob, clock).unwrap();
    bob.decide(true).unwrap();
    puppet.say(&auth_ok(&ours, secrets(BOB).session_id));
    puppet.say(&ping(0)).say(&ping(1)).say(&ping(2));
    puppet.tell_handshake(&mut bob, clock).unwrap();
    assert!(bob.is_established());
    let mut bob = bob.into_session(Config::default(), clock.0).unwrap();
    puppet.tell_session(&mut bob, clock).unwrap();
    let pongs = puppet
        .hears()
        .iter()
        .filter(|message| matches!(message, Message::Pong(_)))
        .count();
    assert_eq!(pongs, 3);

    // An initiator of ours says nothing with AUTH_OK, nor behind it, until the responder has spoken.
    let (mut alice, mut puppet, mut clock) = session_dialled(Config::default());
    let id = alice.open_stream("early").unwrap();
    alice.write(id, b"data").unwrap();
    clock.advance(FIRST_FRAME_WAIT - Duration::from_millis(1));
    alice.handle_timeout(clock.0).unwrap();
    puppet.tell_session(&mut alice, clock).unwrap();
    assert!(puppet.heard.is_empty());
    puppet.say(&ping(0)).tell_session(&mut alice, clock).unwrap();
    assert_eq!(puppet.hears().len(), 4, "PING, PONG, OPEN_STREAM, STREAM_DATA");
}

#[test]
fn weakness_02_a_length_that_is_none_is_an_error_and_nothing_more() {
    let clock = Clock::new();
    for length in [&[0x81, 0x80, 0x80, 0x08][..], &[0xff, 0xff, 0xff, 0xff, 0xff, 0x01]] {
        let mut bob = answerer(Answer::default(), clock);
        let result = bob.handle_input(&mut BytesMut::from(length), clock.0);
        assert!(matches!(
            result,
            Err(Error::Protocol(Fault::TooLong { .. } | Fault::Length))
        ));
        let stealth = Answer {
            stealth: true,
            ..Answer::default()
        };
        assert!(
            answerer(stealth, clock)
                .handle_input(&mut BytesMut::from(length), clock.0)
                .is_err()
        );
    }
}

#[test]
fn weakness_04_a_handshake_that_failed_is_a_value_and_stays_failed() {
    let clock = Clock::new();
    let mut bob = answerer(Answer::default(), clock);
    assert!(bob.handle_input(&mut plain_frame(b"no Noise"), clock.0).is_err());
    assert!(matches!(
        bob.handle_input(&mut plain_frame(&[9; 32]), clock.0),
        Err(Error::Closed(_))
    ));
    bob.decide(true).unwrap();
    assert!(bob.poll_question().is_none() && !bob.is_established() && bob.poll_timeout().is_none());
    assert!(bob.into_session(Config::default(), clock.0).is_err());
}

#[test]
fn weakness_05_a_length_is_never_negative() {
    let (mut bob, _, clock) = session_answered(Config::default());
    let mut input = BytesMut::from(&[0xfb, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3, 4, 5][..]);
    let result = bob.handle_input(&mut input, clock.0);
    assert!(
        matches!(result, Err(Error::Protocol(Fault::TooLong { len: 0xffff_fffb, .. }))),
        "{result:?}"
    );
}

#[test]
fn weakness_06_a_forged_frame_ends_the_session() {
    let (mut bob, mut puppet, clock) = session_answered(Config::default());
    puppet.say(&ping(0));
    *puppet.said.last_mut().unwrap() ^= 1;
    puppet.say(&ping(1));
    assert!(matches!(
        puppet.tell_session(&mut bob, clock),
        Err(Error::Protocol(Fault::Forged))
    ));
    assert!(matches!(puppet.tell_session(&mut bob, clock), Err(Error::Closed(_))));
    assert!(matches!(bob.open_stream(""), Err(Error::Closed(_))));
}

#[test]
fn weakness_07_a_write_of_any_length_arrives_whole() {
    let mut pair = Pair::new();
    pair.settle();
    let id = pair.alice.open_stream("long").unwrap();
    // More than any frame may have.
    let text: Vec<u8> = (0..17 << 20).map(|at: u32| (at % 251) as u8).collect();
    let (mut written, mut read) = (0, Vec::new());
    while read.len() < text.len() {
        written += pair
            .alice
            .write_into(id, &text[written..], &mut pair.to_bob, 256 << 10)
            .unwrap();
        pair.bob.handle_input(&mut pair.to_bob, pair.clock.0).unwrap();
        while let Ok(Read::Data(data)) = pair.bob.read(id, ALL) {
            read.extend_from_slice(&data);
        }
    }
    assert!(read == text);
}

#[test]
fn weakness_08_what_has_arrived_of_a_frame_is_not_touched_until_it_is_whole() {
    // Before the peer is proved, a large frame is refused by its length alone.
    let clock = Clock::new();
    let mut input = BytesMut::new();
    put_len(HANDSHAKE_FRAME_MAX + 1, &mut input);
    assert!(
        answerer(Answer::default(), clock)
            .handle_input(&mut input, clock.0)
            .is_err()
    );

    // Afterwards each piece is only appended: the bytes before it stay where they are, so that n pieces cost n steps.
    let (mut bob, mut puppet, clock) = session_answered(Config::default());
    let id = StreamId(0);
    puppet.say(&Message::OpenStream {
        id,
        label: String::new(),
    });
    puppet.say(&Message::StreamData {
        id,
        data: vec![7; 4 << 20].into(),
        fin: false,
    });
    let mut input = BytesMut::with_capacity(puppet.said.len());
    let mut place = None;
    for piece in puppet.said.chunks(1460) {
        input.extend_from_slice(piece);
        bob.handle_input(&mut input, clock.0).unwrap();
        if input.len() > 2 * 1460 {
            let now = input.as_ptr();
            assert_eq!(*place.get_or_insert(now), now);
        }
    }
    assert!(input.is_empty());
    assert!(matches!(bob.read(id, ALL), Ok(Read::Data(data)) if data.len() == 4 << 20));
}

#[test]
fn weakness_09_strangers_are_few_small_and_soon_gone() {
    let half_open = HalfOpen::default();
    let tickets: Vec<_> = (0..200u8)
        .filter_map(|i| half_open.enter([192, 0, 2, i].into()))
        .collect();
    assert_eq!(tickets.len(), 64);
    drop(tickets);
    let of_one: Vec<_> = (0..200)
        .filter_map(|_| half_open.enter([192, 0, 2, 1].into()))
        .collect();
    assert_eq!(of_one.len(), 8);

    // One deadline for all of it: a stranger that says something each 29 s is gone after 30, too.
    let ours = local(ALICE);
    let mut clock = Clock::new();
    let mut bob = answerer(Answer::default(), clock);
    let mut puppet = Puppet::dials(&mut bob, &ours.node, clock);
    clock.advance(HANDSHAKE_TIMEOUT - Duration::from_secs(1));
    bob.handle_timeout(clock.0).unwrap();
    puppet
        .say(&hello(&ours, clock))
        .tell_handshake(&mut bob, clock)
        .unwrap();
    clock.advance(Duration::from_secs(1));
    assert!(matches!(
        bob.handle_timeout(clock.0),
        Err(Error::TimedOut { what: "AUTH", .. })
    ));
}

#[test]
fn weakness_10_neither_end_holds_more_than_its_bounds() {
    let config = Config::default();
    let mut pair = Pair::with(config.clone());
    pair.settle();
    // A sender whose peer takes nothing.
    let ids: Vec<_> = (0..10).map(|_| pair.alice.open_stream("").unwrap()).collect();
    let megabyte = vec![7; 1 << 20];
    assert_eq!(pair.alice.write(ids[0], &megabyte).unwrap(), config.send_stream);
    assert_eq!(pair.alice.write(ids[0], &megabyte).unwrap(), 0);
    let queued: usize = ids[1..]
        .iter()
        .map(|id| pair.alice.write(*id, &megabyte).unwrap())
        .sum();
    assert_eq!(config.send_stream + queued, config.send_total);

    // Once there is room, those who wait are told.
    pair.settle();
    let woken: Vec<_> = std::iter::from_fn(|| pair.alice.poll_event())
        .filter(|event| matches!(event, Event::Writable(_)))
        .collect();
    assert_eq!(woken.len(), 7, "those that found no room, and only those: {woken:?}");
}

#[test]
fn weakness_10_an_application_that_does_not_read_stops_the_reading_and_pings_are_answered_all_the_same() {
    let config = Config::default();
    let (mut bob, mut puppet, mut clock) = session_answered(config.clone());
    let id = StreamId(0);
    puppet.say(&Message::OpenStream {
        id,
        label: String::new(),
    });
    let chunk = Bytes::from(vec![7; 64 << 10]);
    for _ in 0..20 {
        puppet.say(&Message::StreamData {
            id,
            data: chunk.clone(),
            fin: false,
        });
    }
    puppet.say(&ping(5));
    puppet.tell_session(&mut bob, clock).unwrap();
    puppet.hears();
    assert!(!bob.wants_input());
    let taken = puppet.said.len();
    assert!(taken > 15 * chunk.len(), "reading stopped at 256 KiB");
    // No sooner does it read on.
    clock.advance(config.receive_patience - Duration::from_millis(1));
    bob.handle_timeout(clock.0).unwrap();
    assert!(!bob.wants_input());
    assert_eq!(bob.poll_timeout(), Some(clock.0.instant + Duration::from_millis(1)));
    clock.advance(Duration::from_millis(1));
    bob.handle_timeout(clock.0).unwrap();
    puppet.tell_session(&mut bob, clock).unwrap();
    let answered = |message: &Message| matches!(message, Message::Pong(Ping { seq: 5, .. }));
    assert!(
        puppet.hears().iter().any(answered),
        "5 s, of the 10 s that a peer waits"
    );

    // But not for ever: at 4 MiB it is over with.
    for _ in 0..200 {
        puppet.say(&Message::StreamData {
            id,
            data: chunk.clone(),
            fin: false,
        });
    }
    puppet.tell_session(&mut bob, clock).unwrap();
    assert!(!bob.wants_input());
    let mut held = 0;
    while let Read::Data(data) = bob.read(id, ALL).unwrap() {
        held += data.len();
    }
    assert!(
        (config.receive_hard..config.receive_hard + chunk.len()).contains(&held),
        "{held}"
    );
    assert!(bob.wants_input());

    // Whoever is not read is not blamed for what its answer lies behind.
    for _ in 0..4 {
        puppet.tell_session(&mut bob, clock).unwrap();
        clock.advance(Duration::from_secs(31));
        bob.handle_timeout(clock.0).unwrap();
    }
}

#[test]
fn weakness_11_an_initiator_keeps_its_list_and_says_why_it_leaves() {
    let clock = Clock::new();
    let theirs = local(BOB);
    let dial = Dial {
        allow: allow(&[9]),
        ..Dial::default()
    };
    let mut alice = dialler(dial, clock);
    let mut puppet = Puppet::answers(&mut alice, &theirs.node, clock);
    puppet
        .say(&hello(&theirs, clock))
        .say(&auth(&theirs))
        .say(&auth_ok(&theirs, [8; 32]));
    let result = puppet.tell_handshake(&mut alice, clock);
    assert!(matches!(result, Err(Error::NotAllowed(who)) if *who == principal(BOB)));
    let Some(Message::AuthFail(Failure { code, .. })) = puppet.hears().pop() else {
        panic!("it says why")
    };
    assert_eq!(code, ErrorCode::NotAllowed);

    // AUTH_FAIL where AUTH belongs is what it is.
    let mut alice = dialler(Dial::default(), clock);
    let mut puppet = Puppet::answers(&mut alice, &theirs.node, clock);
    let failure = Failure {
        code: ErrorCode::NotAllowed,
        reason: "go away".into(),
    };
    puppet.say(&hello(&theirs, clock)).say(&Message::AuthFail(failure));
    let Err(Error::Refused {
        code: ErrorCode::NotAllowed,
        reason,
    }) = puppet.tell_handshake(&mut alice, clock)
    else {
        panic!("a refusal")
    };
    assert_eq!(reason, "go away");
}

#[test]
fn weakness_12_the_node_key_the_principal_and_the_session_must_be_the_same_in_all_messages() {
    let clock = Clock::new();
    let (ours, theirs) = (local(ALICE), local(BOB));
    // HELLO with another node key than Noise and the attestation.
    let mut bob = answerer(Answer::default(), clock);
    let mut puppet = Puppet::dials(&mut bob, &ours.node, clock);
    puppet.say(&hello(&local(9), clock)).say(&auth(&ours));
    let result = puppet.tell_handshake(&mut bob, clock);
    assert!(matches!(result, Err(Error::Attestation(AttestationFault::OtherNode))));

    // AUTH_OK of another principal, or for another session, at the responder.
    let sid = secrets(BOB).session_id;
    for (principal, session_id, good) in [
        (ours.principal, sid, true),
        (theirs.principal, sid, false),
        (ours.principal, [0; 32], false),
    ] {
        let mut bob = answerer(Answer::default(), clock);
        let mut puppet = Puppet::dials(&mut bob, &ours.node, clock);
        puppet.say(&hello(&ours, clock)).say(&auth(&ours));
        puppet.tell_handshake(&mut bob, clock).unwrap();
        bob.decide(true).unwrap();
        let principal = principal.to_string();
        puppet.say(&Message::AuthOk(AuthOk { principal, session_id }));
        assert_eq!(puppet.tell_handshake(&mut bob, clock).is_ok(), good);
        assert_eq!(bob.is_established(), good);
    }

    // AUTH_OK of another principal at the initiator.
    let mut alice = dialler(Dial::default(), clock);
    let mut puppet = Puppet::answers(&mut alice, &theirs.node, clock);
    puppet
        .say(&hello(&theirs, clock))
        .say(&auth(&theirs))
        .say(&auth_ok(&ours, [8; 32]));
    let result = puppet.tell_handshake(&mut alice, clock);
    assert!(matches!(
        result,
        Err(Error::Attestation(AttestationFault::OtherPrincipal))
    ));
}

#[test]
fn weakness_14_a_refusal_names_nobody() {
    let clock = Clock::new();
    let ours = local(ALICE);
    // Signed by Alice, and told to be Bob's.
    let mut forged = handfast_snap2p::NodeKeyAttestation::decode(&ours.attestation).unwrap();
    forged.principal = principal(BOB);
    let forged = Local {
        attestation: forged.encode().into(),
        ..ours.clone()
    };
    let listed = Answer {
        allow: allow(&[9]),
        ..Answer::default()
    };
    for (theirs, answer) in [(&forged, Answer::default()), (&ours, listed)] {
        let mut bob = answerer(answer, clock);
        let mut puppet = Puppet::dials(&mut bob, &ours.node, clock);
        puppet.say(&hello(&ours, clock)).say(&auth(theirs));
        assert!(puppet.tell_handshake(&mut bob, clock).is_err());
        let Some(Message::AuthFail(Failure { reason, .. })) = puppet.hears().pop() else {
            panic!("a refusal")
        };
        for seed in [ALICE, BOB, 9] {
            let address = principal(seed).address().to_string();
            assert!(!reason.contains(&address[1..]), "{reason}");
        }
        assert!(!reason.contains("SP"), "{reason}");
    }
}

#[test]
fn weakness_15_numbers_are_checked_and_no_answer_of_ours_kills_a_stream() {
    let open = |id| Message::OpenStream {
        id: StreamId(id),
        label: String::new(),
    };
    // A number of ours.
    let (mut bob, mut puppet, clock) = session_answered(Config::default());
    let ours = bob.open_stream("ours").unwrap();
    puppet.say(&open(ours.0));
    assert!(puppet.tell_session(&mut bob, clock).is_err());
    assert!(
        !puppet
            .hears()
            .iter()
            .any(|message| matches!(message, Message::CloseStream { .. }))
    );
    // A number that is open: the reference answers with a CLOSE_STREAM, which ends the stream that was there before.
    let (mut bob, mut puppet, clock) = session_answered(Config::default());
    puppet.say(&open(0)).say(&open(0));
    assert!(puppet.tell_session(&mut bob, clock).is_err());
    assert!(
        !puppet
            .hears()
            .iter()
            .any(|message| matches!(message, Message::CloseStream { .. }))
    );
    // A number that is none.
    for id in [&b"\x20"[..], b"\x61\x35", b"\xf5", b"\xf9\x00\x00"] {
        let (mut bob, mut puppet, clock) = session_answered(Config::default());
        puppet.say_bytes(&[b"\xa2\x63sid", id, b"\x61t\x10"].concat());
        let result = puppet.tell_session(&mut bob, clock);
        assert!(
            matches!(result, Err(Error::Protocol(Fault::Malformed(_)))),
            "{result:?}"
        );
    }
}

#[test]
fn weakness_17_the_table_of_the_limiter_is_bounded_and_a_whole_network_is_one_place() {
    let mut limiter = RateLimiter::by_prefix(Some(5));
    let clock = Clock::new();
    let let_in = (0..1000u128)
        .filter(|host| limiter.admit(Ipv6Addr::from(0x2001_0db8 << 96 | host).into(), clock.0.instant))
        .count();
    assert_eq!(let_in, 5);
    for network in 0..100_000u128 {
        limiter.admit(
            Ipv6Addr::from(0x2001_0db9 << 96 | network << 64).into(),
            clock.0.instant,
        );
    }
    assert_eq!(limiter.remembered(), REMEMBERED_MAX);
}

#[test]
fn weakness_18_a_round_trip_is_measured_by_one_clock() {
    let (mut bob, mut puppet, mut clock) = session_answered(Config::default());
    puppet.tell_session(&mut bob, clock).unwrap();
    assert_eq!(bob.round_trip(), None);
    clock.advance(Duration::from_millis(1234));
    // Whatever the peer's clock says.
    let pong = Ping {
        seq: 0,
        time: UnixTime(u64::MAX),
    };
    puppet.say(&Message::Pong(pong)).tell_session(&mut bob, clock).unwrap();
    assert_eq!(bob.round_trip(), Some(Duration::from_millis(1234)));
}

#[test]
fn weakness_19_a_token_that_was_overheard_is_worth_what_is_left_of_it() {
    // It travels in clear, as the protocol has it. A token for one use is worth nothing to who hears it.
    let clock = Clock::new();
    let invites = Invites::new();
    let now = UnixTime::now();
    let token = invites.create(Some(1), now.plus(INVITE_VALIDITY)).unwrap();
    let token = Bytes::copy_from_slice(token.as_bytes());
    let dial = Dial {
        token: Some(token),
        ..Dial::default()
    };
    let mut overheard = BytesMut::new();
    dialler(dial, clock).poll_transmit(&mut overheard);
    for good in [true, false] {
        let stealth = Answer {
            stealth: true,
            ..Answer::default()
        };
        let mut bob = answerer(stealth, clock);
        bob.handle_input(&mut overheard.clone(), clock.0).unwrap();
        let Some(handfast_snap2p::session::Question::Token(token)) = bob.poll_question() else {
            panic!("a stealth node asks")
        };
        assert_eq!(bob.decide(invites.check(&token, now)).is_ok(), good);
    }
    // And it lets nobody in who is not on the list: the token opens the door to the handshake, not to the node.
    let stealth = Answer {
        stealth: true,
        allow: allow(&[9]),
    };
    let dial = Dial {
        token: Some(Bytes::from_static(&[1; 16])),
        ..Dial::default()
    };
    let (mut alice, mut bob) = (dialler(dial, clock), answerer(stealth, clock));
    let (_, answered) = crate::support::converse(&mut alice, &mut bob, |_| true, clock);
    assert!(matches!(answered, Err(Error::NotAllowed(_))));
}

#[test]
fn weakness_21_a_wallet_with_a_short_address_is_a_wallet() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/snap2p.json")).unwrap();
    let short = vectors["addresses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|vector| vector["stacks_private_key"].as_str().unwrap())
        .map(|key| WalletKey::from_bytes(&unhex_array(&key[..64])).unwrap())
        .find(|key| key.address(Network::Mainnet).to_string().len() < 40)
        .expect("an address that the reference refuses");
    let clock = Clock::new();
    let who = Principal(short.address(Network::Mainnet));
    let node = KeyPair::from_seed(&[5; 32]).unwrap();
    let local = Local::attested(&short, who, node, clock.0).unwrap();
    let mut alice = Handshake::dial(&local, Dial::default(), secrets(ALICE), clock.0).unwrap();
    let mut bob = answerer(
        Answer {
            allow: [who].into_iter().collect(),
            ..Answer::default()
        },
        clock,
    );
    let (dialled, answered) = crate::support::converse(&mut alice, &mut bob, |_| true, clock);
    dialled.unwrap();
    answered.unwrap();
    assert_eq!(
        bob.into_session(Config::default(), clock.0).unwrap().peer().principal,
        who
    );
}
