//! What a hostile neighbour can make a node send to others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::Bytes;
use handfast_gossip::{
    Contact, Item, Refused, Rules, Time,
    membership::{Config, Frame, Membership, Output, Want},
};

struct Anybody;

impl Rules<u32> for Anybody {
    fn read(&mut self, bodies: &[Bytes], _: Time) -> Vec<Result<Item, Refused>> {
        bodies.iter().map(|_| Err(Refused::Forged)).collect()
    }
}

const NOW: Time = Time::from_micros(1_800_000_000_000_000);

/// Node 0 with neighbours 1 to 5, which is as many as it has.
fn full() -> Membership<u32> {
    let mut node = Membership::new(Contact::new(0), Config::default(), [7; 32], NOW);
    for peer in 1..=5 {
        let frame = Frame::Neighbour {
            address: Bytes::new(),
            pass: Bytes::new(),
            want: Want::Low,
        };
        node.handle(
            peer,
            frame,
            &mut Anybody,
            NOW + std::time::Duration::from_secs(peer.into()),
        );
    }
    while node.poll().is_some() {}
    assert_eq!(node.active().count(), 5);
    node
}

fn longest() -> Contact<u32> {
    Contact {
        peer: 9,
        address: vec![b'x'; 1 << 19].into(),
    }
}

fn sent(node: &mut Membership<u32>) -> Vec<usize> {
    std::iter::from_fn(|| node.poll())
        .filter_map(|output| match output {
            Output::Send { frame, .. } => Some(frame.wire_len()),
            _ => None,
        })
        .collect()
}

#[test]
fn addresses_without_end_are_not_carried_to_others() {
    let now = NOW + std::time::Duration::from_secs(60);
    let shuffle = |origin: Contact<u32>, peers: Vec<Contact<u32>>| Frame::Shuffle {
        origin,
        nonce: 1,
        ttl: 6,
        peers,
    };
    let swap = Frame::Neighbour {
        address: Bytes::new(),
        pass: Bytes::new(),
        want: Want::Swap(longest()),
    };
    for (from, frame) in [
        (1, shuffle(longest(), Vec::new())),
        (1, shuffle(Contact::new(8), vec![longest()])),
        (8, swap),
    ] {
        let mut node = full();
        node.handle(from, frame, &mut Anybody, now);
        assert!(sent(&mut node).iter().all(|bytes| *bytes < 4096));
    }
    // An ordinary one is carried on.
    let mut node = full();
    node.handle(1, shuffle(Contact::new(8), vec![Contact::new(9)]), &mut Anybody, now);
    assert_eq!(sent(&mut node).len(), 1);
}
