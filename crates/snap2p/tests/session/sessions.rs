//! Sessions between two of ours, and what each end does by itself: streams, turns, limits, clocks.

use crate::{
    puppet::{session_answered, session_dialled},
    support::{ALL, Pair},
};
use bytes::{Bytes, BytesMut};
use handfast_snap2p::{
    Error, ErrorCode, Message, StreamId, UnixTime,
    limits::{DATA_MAX, FIRST_FRAME_WAIT, LABEL_MAX, PING_INTERVAL, PONG_TIMEOUT, STREAMS_MAX},
    message::Ping,
    session::{Config, Event, Read, Session},
};
use std::time::Duration;

fn events(session: &mut Session) -> Vec<Event> {
    std::iter::from_fn(|| session.poll_event()).collect()
}

/// Everything that has arrived, and what stands behind it.
fn read_all(session: &mut Session, id: StreamId) -> (Vec<u8>, Read) {
    let mut bytes = Vec::new();
    loop {
        match session.read(id, ALL).unwrap() {
            Read::Data(data) => bytes.extend_from_slice(&data),
            end => return (bytes, end),
        }
    }
}

/// A pair that is past its first frames.
fn live() -> Pair {
    let mut pair = Pair::new();
    pair.settle();
    assert_eq!(events(&mut pair.alice), [Event::Live]);
    assert_eq!(events(&mut pair.bob), [Event::Live]);
    pair
}

#[test]
fn a_stream_carries_bytes_both_ways_and_ends_in_each_by_itself() {
    let mut pair = live();
    let id = pair.alice.open_stream("talk").unwrap();
    assert_eq!(id, StreamId(0));
    assert_eq!(pair.alice.write(id, b"question").unwrap(), 8);
    pair.alice.finish(id).unwrap();
    assert!(!pair.alice.is_flushed(id));
    pair.settle();
    assert!(pair.alice.is_flushed(id));
    assert_eq!(
        events(&mut pair.bob),
        [
            Event::Opened {
                id,
                label: "talk".into()
            },
            Event::Readable(id)
        ]
    );
    assert_eq!(read_all(&mut pair.bob, id), (b"question".to_vec(), Read::End));
    assert!(matches!(
        pair.alice.write(id, b"more"),
        Err(Error::Stream(ErrorCode::StreamClosed))
    ));

    // Half-closed, it still carries the answer.
    pair.bob.write(id, b"answer").unwrap();
    pair.settle();
    assert_eq!(read_all(&mut pair.alice, id), (b"answer".to_vec(), Read::Nothing));
    pair.bob.finish(id).unwrap();
    pair.settle();
    let of_alice = events(&mut pair.alice);
    assert_eq!(of_alice.last(), Some(&Event::Closed { id, code: None }));
    assert_eq!(events(&mut pair.bob), [Event::Closed { id, code: None }]);
    assert_eq!(pair.alice.read(id, ALL).unwrap(), Read::End);
    assert!(
        matches!(pair.alice.read(id, ALL), Err(Error::Stream(_))),
        "told once, then forgotten"
    );
    assert!(matches!(
        pair.bob.write(id, b"x"),
        Err(Error::Stream(ErrorCode::StreamClosed))
    ));
    assert_eq!(pair.bob.open_stream("").unwrap(), StreamId(1));
}

#[test]
fn a_stream_that_was_refused_or_broken_off_is_never_taken_for_a_complete_one() {
    let mut pair = live();
    let refused = pair.alice.open_stream("unwanted").unwrap();
    let broken = pair.alice.open_stream("broken").unwrap();
    pair.settle();
    pair.bob.refuse(refused);
    pair.bob.write(broken, b"half of").unwrap();
    pair.settle();
    pair.bob.reset(broken, ErrorCode::Internal);
    pair.settle();
    assert_eq!(
        pair.alice.read(refused, ALL).unwrap(),
        Read::Reset(ErrorCode::StreamRefused)
    );
    assert_eq!(
        read_all(&mut pair.alice, broken),
        (b"half of".to_vec(), Read::Reset(ErrorCode::Internal))
    );
    let closed: Vec<_> = events(&mut pair.alice)
        .into_iter()
        .filter(|event| matches!(event, Event::Closed { .. }))
        .collect();
    assert_eq!(
        closed,
        [
            Event::Closed {
                id: refused,
                code: Some(ErrorCode::StreamRefused)
            },
            Event::Closed {
                id: broken,
                code: Some(ErrorCode::Internal)
            },
        ]
    );

    // The reference closes without a code, whatever happened.
    let (mut bob, mut puppet, clock) = session_answered(Config::default());
    let id = StreamId(0);
    puppet.say(&Message::OpenStream {
        id,
        label: String::new(),
    });
    puppet.say(&Message::StreamData {
        id,
        data: Bytes::from_static(b"half of"),
        fin: false,
    });
    puppet
        .say(&Message::CloseStream { id, code: None })
        .tell_session(&mut bob, clock)
        .unwrap();
    assert!(matches!(
        bob.write(id, b"x"),
        Err(Error::Stream(ErrorCode::StreamClosed))
    ));
    assert_eq!(
        read_all(&mut bob, id),
        (b"half of".to_vec(), Read::Reset(ErrorCode::StreamClosed))
    );
}

#[test]
fn who_has_heard_the_end_hears_it_even_if_the_peer_then_closes() {
    let (mut bob, mut puppet, clock) = session_answered(Config::default());
    let id = StreamId(0);
    puppet.say(&Message::OpenStream {
        id,
        label: String::new(),
    });
    puppet.say(&Message::StreamData {
        id,
        data: Bytes::from_static(b"all of it"),
        fin: true,
    });
    puppet
        .say(&Message::CloseStream { id, code: None })
        .tell_session(&mut bob, clock)
        .unwrap();
    assert_eq!(read_all(&mut bob, id), (b"all of it".to_vec(), Read::End));
    assert!(matches!(bob.write(id, b"answer"), Err(Error::Stream(_))));
}

#[test]
fn a_handle_that_is_dropped_lets_what_was_finished_go_and_breaks_off_the_rest() {
    let mut pair = live();
    let (finished, open) = (pair.alice.open_stream("").unwrap(), pair.alice.open_stream("").unwrap());
    pair.alice.write(finished, b"all of it").unwrap();
    pair.alice.finish(finished).unwrap();
    pair.alice.release(finished);
    pair.alice.write(open, b"a part of it").unwrap();
    pair.alice.release(open);
    pair.settle();
    assert_eq!(read_all(&mut pair.bob, finished), (b"all of it".to_vec(), Read::End));
    assert_eq!(
        read_all(&mut pair.bob, open),
        (Vec::new(), Read::Reset(ErrorCode::StreamClosed))
    );
    assert!(matches!(
        pair.bob.write(finished, b"nobody reads this"),
        Err(Error::Stream(_))
    ));
    let told = events(&mut pair.alice);
    assert!(told.is_empty(), "nobody is there to be told: {told:?}");
}

#[test]
fn a_hundred_streams_are_open_at_once_and_the_next_finds_room_when_one_ends() {
    let mut pair = live();
    for _ in 0..STREAMS_MAX {
        pair.alice.open_stream("").unwrap();
    }
    assert!(!pair.alice.can_open());
    assert!(matches!(
        pair.alice.open_stream(""),
        Err(Error::Stream(ErrorCode::ResourceExhausted))
    ));
    pair.settle();
    assert!(!pair.bob.can_open(), "those of both ends count together");
    assert!(!events(&mut pair.alice).contains(&Event::CanOpen));
    pair.bob.refuse(StreamId(42));
    pair.settle();
    assert!(events(&mut pair.alice).contains(&Event::CanOpen));
    assert_eq!(pair.alice.open_stream("").unwrap(), StreamId(2 * STREAMS_MAX as u64));
    assert!(matches!(
        pair.alice.open_stream(&"x".repeat(LABEL_MAX + 1)),
        Err(Error::Misuse(_))
    ));
}

#[test]
fn streams_take_turns_and_messages_go_before_data() {
    let mut pair = live();
    let ids: Vec<_> = (0..3).map(|_| pair.alice.open_stream("").unwrap()).collect();
    for id in &ids {
        assert_eq!(pair.alice.write(*id, &[7; 200_000]).unwrap(), 200_000);
    }
    let mut out = BytesMut::new();
    let mut order = Vec::new();
    // One frame at a time.
    while pair.alice.has_output() {
        pair.alice.poll_transmit(&mut out, 1);
        pair.bob.handle_input(&mut out, pair.clock.0).unwrap();
        for id in &ids {
            if let Ok(Read::Data(data)) = pair.bob.read(*id, ALL) {
                assert!(data.len() <= DATA_MAX);
                order.push(*id);
            }
        }
        if order.len() == 4 {
            // What is asked in the middle is answered before the rest of the data.
            let late = pair.alice.open_stream("late").unwrap();
            pair.alice.poll_transmit(&mut out, 1);
            pair.bob.handle_input(&mut out, pair.clock.0).unwrap();
            let told = events(&mut pair.bob);
            assert!(told.contains(&Event::Opened {
                id: late,
                label: "late".into()
            }));
        }
    }
    assert_eq!(order.len(), 12);
    for turn in order.chunks(3) {
        assert_eq!(turn, ids);
    }
}

#[test]
fn what_is_sealed_straight_into_the_output_arrives_behind_what_was_queued() {
    let mut pair = live();
    let id = pair.alice.open_stream("").unwrap();
    pair.alice.write(id, b"queued, ").unwrap();
    let mut out = BytesMut::new();
    assert_eq!(pair.alice.write_into(id, b"straight, ", &mut out, 1000).unwrap(), 10);
    assert_eq!(pair.alice.write_into(id, b"too much", &mut out, 10).unwrap(), 0);
    assert!(!events(&mut pair.alice).contains(&Event::Writable(id)));
    pair.bob.handle_input(&mut out, pair.clock.0).unwrap();
    pair.alice.poll_transmit(&mut out, 10);
    assert_eq!(events(&mut pair.alice), [Event::Writable(id)]);
    let large = vec![7; 3 * DATA_MAX];
    let taken = pair.alice.write_into(id, &large, &mut out, 2 * DATA_MAX).unwrap();
    assert_eq!(taken, 2 * DATA_MAX, "whole frames, while there is less than the limit");
    pair.bob.handle_input(&mut out, pair.clock.0).unwrap();
    let (bytes, _) = read_all(&mut pair.bob, id);
    assert!(bytes.starts_with(b"queued, straight, \x07"));
    assert_eq!(bytes.len(), 18 + taken);
}

#[test]
fn an_initiator_holds_everything_back_until_the_peer_has_spoken_or_some_time_has_passed() {
    let mut pair = Pair::new();
    let id = pair.alice.open_stream("early").unwrap();
    pair.alice.write(id, b"bird").unwrap();
    let mut out = BytesMut::new();
    pair.alice.poll_transmit(&mut out, ALL);
    assert_eq!(pair.alice.write_into(id, b"worm", &mut out, ALL).unwrap(), 0);
    assert!(out.is_empty() && !pair.alice.has_output());
    let begin = pair.clock.0.instant;
    assert_eq!(pair.alice.poll_timeout(), Some(begin + FIRST_FRAME_WAIT));

    // A peer that says nothing.
    pair.clock.advance(FIRST_FRAME_WAIT);
    pair.alice.handle_timeout(pair.clock.0).unwrap();
    pair.alice.poll_transmit(&mut out, ALL);
    assert!(!out.is_empty());
    assert_eq!(events(&mut pair.alice), [Event::Writable(id)]);

    // A peer that speaks.
    let mut pair = Pair::new();
    let id = pair.alice.open_stream("early").unwrap();
    pair.settle();
    assert_eq!(events(&mut pair.alice), [Event::Live]);
    assert!(events(&mut pair.bob).contains(&Event::Opened {
        id,
        label: "early".into()
    }));
}

/// What a puppet hears when the session's next timer is due, at that time.
fn next_due(session: &mut Session, clock: &mut crate::support::Clock) -> Result<(), Error> {
    clock.0.instant = session.poll_timeout().unwrap().max(clock.0.instant);
    session.handle_timeout(clock.0)
}

#[test]
fn a_ping_leaves_at_once_and_every_thirty_seconds_and_silence_ends_the_session() {
    let (mut alice, mut puppet, mut clock) = session_dialled(Config::default());
    let begin = clock.0.instant;
    puppet.say(&Message::Ping(Ping {
        seq: 0,
        time: UnixTime(0),
    }));
    puppet.tell_session(&mut alice, clock).unwrap();
    let time = clock.0.unix;
    assert_eq!(
        puppet.hears(),
        [
            Message::Ping(Ping { seq: 0, time }),
            Message::Pong(Ping { seq: 0, time })
        ]
    );
    clock.advance(Duration::from_millis(70));
    puppet.say(&Message::Pong(Ping { seq: 0, time }));
    puppet.tell_session(&mut alice, clock).unwrap();
    assert_eq!(alice.round_trip(), Some(Duration::from_millis(70)));
    for seq in 1..4 {
        next_due(&mut alice, &mut clock).unwrap();
        assert_eq!(clock.0.instant, begin + PING_INTERVAL * seq);
        puppet.tell_session(&mut alice, clock).unwrap();
        let ping = Ping { seq: seq.into(), time };
        assert_eq!(puppet.hears(), [Message::Ping(ping)]);
        // Any sign of life is an answer.
        puppet
            .say(&Message::Pong(Ping { seq: 999, time }))
            .tell_session(&mut alice, clock)
            .unwrap();
    }
    assert_eq!(
        alice.round_trip(),
        Some(Duration::from_millis(70)),
        "an answer to nothing measures nothing"
    );

    next_due(&mut alice, &mut clock).unwrap();
    puppet.tell_session(&mut alice, clock).unwrap();
    let asked = clock.0.instant;
    let result = loop {
        match next_due(&mut alice, &mut clock) {
            Ok(()) => alice.poll_transmit(&mut puppet.heard, ALL),
            Err(error) => break error,
        }
    };
    assert!(matches!(result, Error::TimedOut { seconds: 10, .. }), "{result:?}");
    assert_eq!(clock.0.instant, asked + PONG_TIMEOUT);
    assert!(alice.poll_timeout().is_none());
}

#[test]
fn the_time_to_answer_a_ping_begins_when_it_leaves() {
    let (mut bob, mut puppet, mut clock) = session_answered(Config::default());
    // Nothing leaves for a while: the socket is full.
    clock.advance(Duration::from_secs(25));
    bob.handle_timeout(clock.0).unwrap();
    bob.poll_transmit(&mut puppet.heard, ALL);
    clock.advance(Duration::from_secs(4));
    bob.handle_timeout(clock.0).unwrap();
    clock.advance(PONG_TIMEOUT - Duration::from_millis(1));
    bob.handle_timeout(clock.0).unwrap();
    clock.advance(Duration::from_millis(1));
    assert!(bob.handle_timeout(clock.0).is_err());
}

#[test]
fn a_peer_that_takes_nothing_and_says_nothing_is_given_up() {
    let (mut bob, _, mut clock) = session_answered(Config::default());
    clock.advance(PING_INTERVAL - Duration::from_secs(1));
    bob.handle_timeout(clock.0).unwrap();
    clock.advance(Duration::from_secs(1));
    assert!(matches!(bob.handle_timeout(clock.0), Err(Error::TimedOut { .. })));
}

#[test]
fn a_large_frame_on_its_way_is_a_sign_of_life() {
    let (mut bob, mut puppet, mut clock) = session_answered(Config::default());
    let id = StreamId(0);
    puppet.say(&Message::OpenStream {
        id,
        label: String::new(),
    });
    puppet.say(&Message::StreamData {
        id,
        data: vec![7; 1 << 20].into(),
        fin: false,
    });
    let mut input = BytesMut::new();
    while !puppet.said.is_empty() {
        // 64 KiB in each nine seconds, and no answer to any PING until it is through.
        input.unsplit(puppet.said.split_to(puppet.said.len().min(64 << 10)));
        bob.handle_input(&mut input, clock.0).unwrap();
        clock.advance(Duration::from_secs(9));
        bob.handle_timeout(clock.0).unwrap();
        bob.poll_transmit(&mut puppet.heard, ALL);
    }
    assert_eq!(read_all(&mut bob, id).0.len(), 1 << 20);
}

#[test]
fn a_session_that_ends_ends_its_streams_and_what_had_arrived_can_be_read() {
    let mut pair = live();
    let id = pair.alice.open_stream("").unwrap();
    pair.alice.write(id, b"last words").unwrap();
    pair.settle();
    events(&mut pair.bob);
    pair.bob.close();
    pair.bob.close();
    let code = Some(ErrorCode::ConnectionClosed);
    assert_eq!(events(&mut pair.bob), [Event::Closed { id, code }]);
    assert_eq!(
        read_all(&mut pair.bob, id),
        (b"last words".to_vec(), Read::Reset(ErrorCode::ConnectionClosed))
    );
    assert!(matches!(pair.bob.open_stream(""), Err(Error::Closed(_))));
    assert!(matches!(pair.bob.write(id, b"x"), Err(Error::Closed(_))));
    assert!(matches!(pair.bob.finish(id), Err(Error::Closed(_))));
    let mut out = BytesMut::new();
    pair.bob.poll_transmit(&mut out, ALL);
    assert!(out.is_empty() && !pair.bob.wants_input() && pair.bob.poll_timeout().is_none());
}

#[test]
fn a_whole_frame_is_read_without_a_copy() {
    let mut pair = live();
    let id = pair.alice.open_stream("").unwrap();
    let mut out = BytesMut::new();
    pair.alice.poll_transmit(&mut out, ALL);
    pair.alice.write_into(id, &[7; DATA_MAX], &mut out, ALL).unwrap();
    let buffer = out.as_ptr_range();
    pair.bob.handle_input(&mut out, pair.clock.0).unwrap();
    let Read::Data(data) = pair.bob.read(id, ALL).unwrap() else {
        panic!("a frame came")
    };
    assert_eq!(data.len(), DATA_MAX);
    assert!(buffer.contains(&data.as_ptr()), "it lies where it arrived");
}

#[test]
fn spans_without_end_are_no_trouble() {
    let forever = Config {
        ping_interval: Duration::MAX,
        pong_timeout: Duration::MAX,
        first_frame_wait: Duration::MAX,
        receive_patience: Duration::MAX,
        receive_soft: 1,
        ..Config::default()
    };
    let mut pair = Pair::with(forever);
    pair.settle();
    let id = pair.alice.open_stream("").unwrap();
    pair.alice.write(id, b"full").unwrap();
    pair.settle();
    assert!(!pair.bob.wants_input());
    pair.clock.advance(Duration::from_secs(24 * 3600));
    pair.bob.handle_timeout(pair.clock.0).unwrap();
    assert!(pair.bob.poll_timeout().is_some());
}

#[test]
fn the_end_of_a_stream_waits_for_all_that_was_queued_before_it() {
    let mut pair = live();
    let id = pair.alice.open_stream("").unwrap();
    assert_eq!(pair.alice.write(id, &[7; 200_000]).unwrap(), 200_000);
    pair.alice.finish(id).unwrap();
    pair.settle();
    assert_eq!(read_all(&mut pair.bob, id), (vec![7; 200_000], Read::End));
}
