//! Frames on the wire.

use crate::lab::message;
use bytes::Bytes;
use handfast_gossip::{
    MessageId, Sequence,
    swarm::{BODY_MAX, FRAME_MAX, Fault, Frame, Reconcile, Sketch, Summary, Vector, Want},
};

fn all() -> Vec<Frame> {
    let id = MessageId::from_bytes([7; 32]);
    vec![
        Frame::Gossip {
            id,
            hops: 3,
            body: message(1, Sequence::Proven(5), 500).body,
        },
        Frame::IHave(vec![(id, 0), (id, u16::MAX)]),
        Frame::Graft(vec![id; 3]),
        Frame::Graft(Vec::new()),
        Frame::Prune,
        Frame::Summary(Summary {
            count: 100_000,
            fingerprint: [9; 16],
            authors: 7,
            fresh: true,
            agreed: false,
        }),
        Frame::Vector(Vector {
            salt: u64::MAX,
            floor: 0,
            answer: true,
            entries: Bytes::from_static(b"entries"),
        }),
        Frame::Sketch(Sketch {
            salt: 1,
            floor: 2,
            cells: vec![0; 52].into(),
        }),
        Frame::Reconcile(Reconcile {
            floor: 1,
            answer: false,
            message: Bytes::from_static(b"step"),
        }),
        Frame::Want(Want {
            salt: 3,
            names: vec![0; 16].into(),
        }),
        Frame::Items(vec![Bytes::from_static(b"one"), Bytes::new()]),
    ]
}

#[test]
fn each_frame_comes_back_and_says_how_long_it_is() {
    for frame in all() {
        let bytes = frame.encode();
        assert_eq!(bytes.len(), frame.wire_len(), "{frame:?}");
        assert_eq!(Frame::decode(&bytes), Ok(frame));
    }
}

#[test]
fn no_frame_is_read_from_a_part_of_one() {
    for frame in all() {
        let bytes = frame.encode();
        for len in 0..bytes.len() {
            assert_eq!(
                Frame::decode(&bytes[..len]),
                Err(Fault::Malformed),
                "{len} bytes of {frame:?}"
            );
        }
    }
}

#[test]
fn what_a_later_version_adds_is_skipped() {
    // Kind 77 with fields of its own, and a Prune with one more field.
    assert_eq!(
        Frame::decode(&[0x93, 77, 0xa1, b'x', 0x92, 1, 2]),
        Ok(Frame::Unknown(77))
    );
    assert_eq!(Frame::decode(&[0x92, 3, 0x80]), Ok(Frame::Prune));
}

#[test]
fn an_announcement_costs_33_bytes() {
    let id = MessageId::from_bytes([7; 32]);
    let one = Frame::IHave(vec![(id, 5)]).wire_len();
    let hundred = Frame::IHave(vec![(id, 5); 100]).wire_len();
    assert!(one <= 38, "{one} bytes");
    assert!(hundred <= 3310, "{hundred} bytes");
}

#[test]
fn the_longest_message_fits_a_frame() {
    let frame = Frame::Gossip {
        id: MessageId::from_bytes([7; 32]),
        hops: 1,
        body: vec![0; BODY_MAX].into(),
    };
    assert!(frame.encode().len() <= FRAME_MAX);
    assert!(Frame::decode(&frame.encode()).is_ok());
    assert_eq!(Frame::decode(&vec![0; FRAME_MAX + 1]), Err(Fault::Oversized));
}

#[test]
fn payloads_are_told_from_words_about_them() {
    let payloads: Vec<bool> = all().iter().map(Frame::is_payload).collect();
    assert_eq!(payloads.iter().filter(|payload| **payload).count(), 2);
}
