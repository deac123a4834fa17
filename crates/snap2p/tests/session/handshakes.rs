//! Handshakes that go well, and those that do not for honest reasons.

use crate::support::{ALICE, BOB, Clock, allow, answerer, converse, dialler, local, principal, secrets};
use bytes::{Bytes, BytesMut};
use handfast_snap2p::{
    Error, ErrorCode, Fault, Visibility,
    access::Allow,
    limits::{CAPABILITIES_MAX, HANDSHAKE_TIMEOUT},
    session::{Answer, Config, Dial, Handshake, Local, Question, Role},
};
use std::time::Duration;

fn token() -> Bytes {
    Bytes::from_static(b"sixteen bytes or more")
}

#[test]
fn each_learns_who_the_other_is() {
    let clock = Clock::new();
    let theirs = Local {
        visibility: Visibility::Private,
        capabilities: vec!["aliases".into(), "px-1".into()],
        ..local(ALICE)
    };
    let mut alice = Handshake::dial(&theirs, Dial::default(), secrets(ALICE), clock.0).unwrap();
    let mut bob = answerer(Answer::default(), clock);
    let mut asked = Vec::new();
    let judge = |question| {
        asked.push(question);
        true
    };
    let (dialled, answered) = converse(&mut alice, &mut bob, judge, clock);
    dialled.unwrap();
    answered.unwrap();
    assert_eq!(asked, [Question::Principal(principal(ALICE))]);
    assert!(alice.poll_timeout().is_none() && bob.poll_timeout().is_none());

    let alice = alice.into_session(Config::default(), clock.0).unwrap();
    let bob = bob.into_session(Config::default(), clock.0).unwrap();
    let (of_alice, of_bob) = (bob.peer(), alice.peer());
    assert_eq!(of_alice.principal, principal(ALICE));
    assert_eq!(of_alice.node_key, *local(ALICE).node.public());
    assert_eq!(of_alice.visibility, Visibility::Private);
    assert_eq!(of_alice.capabilities, ["aliases", "px-1"]);
    assert_eq!(of_alice.role, Role::Responder);
    assert_eq!(of_bob.principal, principal(BOB));
    assert_eq!(of_bob.role, Role::Initiator);
    assert_eq!(
        of_alice.session_id,
        secrets(BOB).session_id,
        "the responder names the session"
    );
    assert_eq!(of_alice.session_id, of_bob.session_id);
    assert_eq!(of_alice.handshake_hash, of_bob.handshake_hash);
}

#[test]
fn a_stealth_node_opens_to_a_good_token_and_only_then_computes() {
    let clock = Clock::new();
    let dial = Dial {
        token: Some(token()),
        ..Dial::default()
    };
    let stealth = Answer {
        stealth: true,
        ..Answer::default()
    };
    let (mut alice, mut bob) = (dialler(dial.clone(), clock), answerer(stealth.clone(), clock));
    let mut asked = Vec::new();
    let judge = |question| {
        asked.push(question);
        true
    };
    let (dialled, answered) = converse(&mut alice, &mut bob, judge, clock);
    dialled.unwrap();
    answered.unwrap();
    assert_eq!(asked, [Question::Token(token()), Question::Principal(principal(ALICE))]);

    let (mut alice, mut bob) = (dialler(dial, clock), answerer(stealth.clone(), clock));
    let (dialled, answered) = converse(&mut alice, &mut bob, |_| false, clock);
    assert!(matches!(answered, Err(Error::Invite(_))));
    let Err(Error::Refused { code, .. }) = dialled else {
        panic!("{dialled:?}")
    };
    assert_eq!(code, ErrorCode::InvalidToken);

    // Whoever comes without a token learns nothing, not even that this is a node.
    let (mut alice, mut bob) = (dialler(Dial::default(), clock), answerer(stealth, clock));
    let (_, answered) = converse(&mut alice, &mut bob, |_| true, clock);
    assert!(answered.is_err());
    let mut said = BytesMut::new();
    bob.poll_transmit(&mut said);
    assert!(said.is_empty());
    assert!(!alice.is_established());
}

#[test]
fn an_invite_is_still_good_when_the_node_ceases_to_be_stealth() {
    let clock = Clock::new();
    // With 23 bytes the KNOCK is as long as a Noise message.
    for len in [16, 21, 23, 32] {
        let dial = Dial {
            token: Some(vec![7; len].into()),
            ..Dial::default()
        };
        let (mut alice, mut bob) = (dialler(dial, clock), answerer(Answer::default(), clock));
        let (dialled, answered) = converse(
            &mut alice,
            &mut bob,
            |question| matches!(question, Question::Principal(_)),
            clock,
        );
        dialled.unwrap();
        answered.unwrap();
    }
}

#[test]
fn the_application_can_demand_who_answers() {
    let clock = Clock::new();
    let expecting = |seed| Dial {
        expect: Some(principal(seed)),
        ..Dial::default()
    };
    let (mut alice, mut bob) = (dialler(expecting(BOB), clock), answerer(Answer::default(), clock));
    let (dialled, answered) = converse(&mut alice, &mut bob, |_| true, clock);
    dialled.unwrap();
    answered.unwrap();

    let (mut alice, mut bob) = (dialler(expecting(9), clock), answerer(Answer::default(), clock));
    let (dialled, answered) = converse(&mut alice, &mut bob, |_| true, clock);
    let Err(Error::WrongPeer { expected, found }) = dialled else {
        panic!("{dialled:?}")
    };
    assert_eq!((*expected, *found), (principal(9), principal(BOB)));
    assert!(matches!(
        answered,
        Err(Error::Refused {
            code: ErrorCode::NotAllowed,
            ..
        })
    ));
}

#[test]
fn lists_are_kept_by_both_ends_and_a_judge_has_the_last_word() {
    let clock = Clock::new();
    let cases: [(Allow, Allow, bool, bool); 5] = [
        (allow(&[BOB]), allow(&[ALICE]), true, true),
        (allow(&[9]), allow(&[ALICE]), true, false),
        (allow(&[BOB]), allow(&[9]), true, false),
        (allow(&[BOB]), allow(&[]), true, false),
        (Allow::everybody(), Allow::everybody(), false, false),
    ];
    for (dials, answers, judge, good) in cases {
        let dial = Dial {
            allow: dials,
            ..Dial::default()
        };
        let answer = Answer {
            allow: answers,
            ..Answer::default()
        };
        let (mut alice, mut bob) = (dialler(dial, clock), answerer(answer, clock));
        let (dialled, answered) = converse(&mut alice, &mut bob, |_| judge, clock);
        assert_eq!((dialled.is_ok(), answered.is_ok()), (good, good));
        if !good {
            let not_allowed = |end: &Result<(), Error>| matches!(end, Err(Error::NotAllowed(_)));
            let refused = |end: &Result<(), Error>| {
                matches!(
                    end,
                    Err(Error::Refused {
                        code: ErrorCode::NotAllowed,
                        ..
                    })
                )
            };
            assert!(
                (not_allowed(&dialled) && refused(&answered)) || (refused(&dialled) && not_allowed(&answered)),
                "the one is told what the other decided: {dialled:?} {answered:?}"
            );
        }
    }
}

#[test]
fn no_question_takes_longer_than_the_whole_handshake_may() {
    let mut clock = Clock::new();
    let (mut alice, mut bob) = (dialler(Dial::default(), clock), answerer(Answer::default(), clock));
    let mut said = BytesMut::new();
    let mut question = None;
    while question.is_none() {
        alice.poll_transmit(&mut said);
        bob.handle_input(&mut said, clock.0).unwrap();
        question = bob.poll_question();
        let mut answer = BytesMut::new();
        bob.poll_transmit(&mut answer);
        alice.handle_input(&mut answer, clock.0).unwrap();
    }
    assert_eq!(bob.poll_question(), None, "a question is asked once");
    clock.advance(HANDSHAKE_TIMEOUT);
    assert!(matches!(
        bob.handle_timeout(clock.0),
        Err(Error::TimedOut { seconds: 30, .. })
    ));
    bob.decide(true).unwrap();
    assert!(!bob.is_established());
}

#[test]
fn what_cannot_be_said_is_not_begun() {
    let clock = Clock::new();
    let dial = |local: &Local, token: Option<Bytes>| {
        let dial = Dial {
            token,
            ..Dial::default()
        };
        Handshake::dial(local, dial, secrets(ALICE), clock.0)
    };
    let ours = local(ALICE);
    assert!(dial(&ours, Some(Bytes::from_static(&[7; 15]))).is_err());
    assert!(dial(&ours, Some(Bytes::from_static(&[7; 33]))).is_err());
    let capable = |capabilities| Local {
        capabilities,
        ..local(ALICE)
    };
    assert!(dial(&capable(vec!["a".repeat(65)]), None).is_err());
    assert!(dial(&capable(vec!["a".into(); CAPABILITIES_MAX + 1]), None).is_err());
    assert!(
        dial(&capable(vec!["a".repeat(64); CAPABILITIES_MAX]), None).is_err(),
        "each may be so long, not all"
    );
    assert!(dial(&capable(vec!["a".repeat(32); CAPABILITIES_MAX]), None).is_ok());
    let attested = Local {
        attestation: vec![0; 5000].into(),
        ..local(ALICE)
    };
    assert!(dial(&attested, None).is_err());
    assert!(
        Local::attested(&crate::support::wallet(1), principal(2), ours.node.clone(), clock.0).is_err(),
        "nobody vouches for another"
    );
}

#[test]
fn a_session_does_not_begin_before_the_last_word_of_the_handshake_has_left() {
    let clock = Clock::new();
    let (mut alice, mut bob) = (dialler(Dial::default(), clock), answerer(Answer::default(), clock));
    let (mut to_alice, mut to_bob) = (BytesMut::new(), BytesMut::new());
    while !alice.is_established() {
        alice.poll_transmit(&mut to_bob);
        bob.handle_input(&mut to_bob, clock.0).unwrap();
        bob.decide(true).unwrap();
        bob.poll_transmit(&mut to_alice);
        alice.handle_input(&mut to_alice, clock.0).unwrap();
    }
    assert!(matches!(
        alice.into_session(Config::default(), clock.0),
        Err(Error::Misuse(_))
    ));
    assert!(matches!(
        bob.into_session(Config::default(), clock.0),
        Err(Error::Misuse(_))
    ));
}

#[test]
fn clocks_that_are_more_than_five_minutes_apart_are_noticed_and_named() {
    for (apart, good) in [(299, true), (301, false)] {
        let clock = Clock::new();
        let mut late = clock;
        late.0.unix = late.0.unix.plus(Duration::from_secs(apart));
        let mut alice = dialler(Dial::default(), clock);
        // Bob's attestation is of his own time.
        let bob = Local::attested(&crate::support::wallet(BOB), principal(BOB), local(BOB).node, late.0);
        let mut bob = Handshake::answer(&bob.unwrap(), Answer::default(), secrets(BOB), late.0).unwrap();
        let (mut to_alice, mut to_bob) = (BytesMut::new(), BytesMut::new());
        let mut results = Vec::new();
        for _ in 0..6 {
            alice.poll_transmit(&mut to_bob);
            results.push(bob.handle_input(&mut to_bob, late.0));
            let _ = bob.decide(true);
            bob.poll_transmit(&mut to_alice);
            results.push(alice.handle_input(&mut to_alice, clock.0));
        }
        assert_eq!(alice.is_established() && bob.is_established(), good);
        if !good {
            let clock_fault = results
                .iter()
                .flat_map(|result| result.as_ref().err())
                .any(|error| matches!(error, Error::Protocol(Fault::Clock { seconds }) if *seconds == apart));
            assert!(clock_fault, "{results:?}");
            let told = results.iter().flat_map(|result| result.as_ref().err()).any(|error| {
                matches!(
                    error,
                    Error::Refused {
                        code: ErrorCode::AuthFailed,
                        ..
                    }
                )
            });
            assert!(told, "{results:?}");
        }
    }
}

#[cfg(feature = "standard-noise")]
#[test]
fn standard_noise_is_spoken_by_two_that_chose_it_and_nobody_falls_back() {
    use crate::support::ALL;
    use handfast_snap2p::{limits::DATA_MAX, noise::Suite, session::Read};

    let clock = Clock::new();
    let suited = |seed, suite| Local { suite, ..local(seed) };
    let talk = |ours, theirs| {
        let ours = suited(ALICE, ours);
        let theirs = suited(BOB, theirs);
        let mut alice = Handshake::dial(&ours, Dial::default(), secrets(ALICE), clock.0).unwrap();
        let mut bob = Handshake::answer(&theirs, Answer::default(), secrets(BOB), clock.0).unwrap();
        let (dialled, answered) = converse(&mut alice, &mut bob, |_| true, clock);
        let good = dialled.is_ok() && answered.is_ok() && alice.is_established();
        good.then_some((alice, bob))
    };
    assert!(talk(Suite::Standard, Suite::Snap2p).is_none());
    assert!(talk(Suite::Snap2p, Suite::Standard).is_none());
    let (alice, bob) = talk(Suite::Standard, Suite::Standard).unwrap();
    let mut alice = alice.into_session(Config::default(), clock.0).unwrap();
    let mut bob = bob.into_session(Config::default(), clock.0).unwrap();
    let mut wire = BytesMut::new();
    alice.poll_transmit(&mut wire, ALL);
    bob.handle_input(&mut wire, clock.0).unwrap();
    // Its frames are shorter than our data may be.
    let id = bob.open_stream("").unwrap();
    assert_eq!(bob.write_into(id, &[7; DATA_MAX], &mut wire, ALL).unwrap(), DATA_MAX);
    alice.handle_input(&mut wire, clock.0).unwrap();
    let mut read = 0;
    while let Read::Data(data) = alice.read(id, ALL).unwrap() {
        read += data.len();
    }
    assert_eq!(read, DATA_MAX);
}
