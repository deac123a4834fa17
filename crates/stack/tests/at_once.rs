//! Two nodes that dial each other at the same instant keep one connection, the same one.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{address, connected, greeter, keys, network, start};
use handfast_keys::NetworkIdentifier;
use handfast_multiserver::Direction;
use handfast_stack::{Node, Stack};

/// Waits until a node has one connection left, and returns who dialled it.
async fn last(node: &Node) -> Direction {
    let mut events = node.events();
    loop {
        if let [only] = node.peers().as_slice() {
            return only.direction();
        }
        tokio::time::timeout(Duration::from_secs(30), events.next())
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_dial_each_other_at_once_keep_the_same_connection() {
    for round in 0..8 {
        let alice = start(Stack::new(network()).plugin(greeter()), 1).await;
        let bob = start(Stack::new(network()).plugin(greeter()), 2).await;
        let (to_bob, to_alice) = (address(&bob), address(&alice));
        let mut events = [alice.events(), bob.events()];
        let (at_alice, at_bob) = tokio::join!(alice.connect(to_bob), bob.connect(to_alice));
        at_alice.unwrap();
        at_bob.unwrap();
        // Until both have had both, what each has left need not be the same one.
        for events in &mut events {
            connected(events).await;
            connected(events).await;
        }
        let (here, there) = (last(&alice).await, last(&bob).await);
        assert_ne!(
            here, there,
            "round {round}: both ends keep what the same one has dialled"
        );
        assert_eq!(here == Direction::Outgoing, alice.id().as_bytes() > bob.id().as_bytes());

        // What is left serves both ways.
        let from = |node: &Node, key| node.peer(key).unwrap();
        let hello: String = from(&alice, bob.id()).call("greeter.hello", ("B",)).await.unwrap();
        assert_eq!(hello, "Hello, B.");
        let hello: String = from(&bob, alice.id()).call("greeter.hello", ("A",)).await.unwrap();
        assert_eq!(hello, "Hello, A.");
    }
}

#[tokio::test]
async fn connections_of_one_direction_live_side_by_side() {
    // Two processes with one identity, as in the original, do not cut each other off.
    let alice = start(Stack::new(network()), 1).await;
    let (bob, again) = (
        start(Stack::new(network()), 2).await,
        start(Stack::new(network()), 2).await,
    );
    let one = bob.connect(address(&alice)).await.unwrap();
    let two = again.connect(address(&alice)).await.unwrap();
    let _: serde_json::Value = one.call("manifest", ()).await.unwrap();
    let _: serde_json::Value = two.call("manifest", ()).await.unwrap();
    assert_eq!(alice.peers().len(), 2);
    assert!(alice.peer(keys(2).public()).is_some());
}

#[tokio::test]
async fn who_comes_as_the_identity_of_a_seed_is_not_who_is_dialled_back() {
    let alice = start(Stack::new(network()).plugin(greeter()), 1).await;
    let bob = start(Stack::new(network()).plugin(greeter()), 2).await;
    let guest = NetworkIdentifier::from_bytes([9; 32]).to_string();
    let invite = format!("{}:{guest}", address(&alice));
    let as_guest = bob.connect(invite).await.unwrap();

    let mut events = bob.events();
    let dialled_back = alice.connect(address(&bob)).await.unwrap();
    connected(&mut events).await;
    // For bob both lead to alice, in opposite directions; for alice only one of them is bob.
    assert_eq!(bob.peers().len(), 2);
    for peer in [as_guest, dialled_back] {
        let hello: String = peer.call("greeter.hello", ("A",)).await.unwrap();
        assert_eq!(hello, "Hello, A.");
    }
}
