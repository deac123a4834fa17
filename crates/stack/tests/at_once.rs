//! Two nodes that dial each other at the same instant keep one connection, the same one.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use common::{
    address, connected, greeter, keys,
    memory::{self, Memory},
    network, start,
};
use handfast_keys::{KeyPair, NetworkIdentifier};
use handfast_multiserver::{BoxSocket, Connections, Direction, Multiserver, Server, Shs};
use handfast_mux::tokio::{Peer as Rpc, Router, connection};
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

/// Two identities, the one with the larger key first.
fn by_size() -> [u8; 2] {
    match keys(1).public().as_bytes() > keys(2).public().as_bytes() {
        true => [1, 2],
        false => [2, 1],
    }
}

/// An end that does not know the rule, as JavaScript's do not: whatever is dialled stays.
struct Plain {
    multiserver: Multiserver,
    server: Server,
    ways: Connections,
}

impl Plain {
    async fn listen(transport: Memory, keys: KeyPair, room: &str) -> Self {
        let multiserver = Multiserver::new()
            .transport(transport)
            .transform(Shs::new(network(), keys));
        let ways = memory::config(room).global.connections.unwrap();
        let server = multiserver.listen(&ways.incoming).await.unwrap();
        Self {
            multiserver,
            server,
            ways,
        }
    }

    async fn accept(&mut self) -> BoxSocket {
        self.server.accept().await.unwrap().unwrap().socket
    }

    async fn dial(&self, node: &Node) -> BoxSocket {
        let there = address(node);
        let dialled = self.multiserver.dial(&there, &self.ways.outgoing).await;
        dialled.unwrap().socket
    }
}

fn talk(socket: BoxSocket) -> Rpc {
    let (rpc, driver) = connection(socket, Router::new().sync("who", |_cx, ()| Ok("it is me")));
    tokio::spawn(driver);
    rpc
}

/// A node that has dialled a plain end with a smaller key, and what that end has of it.
async fn dialled() -> (Node, Plain, BoxSocket) {
    let [larger, smaller] = by_size();
    let transport = Memory::default();
    let mut plain = Plain::listen(transport.clone(), keys(smaller), "plain").await;
    let stack = Stack::new(network())
        .identity(keys(larger))
        .transport(transport)
        .plugin(greeter());
    let node = stack.start(memory::config("node")).await.unwrap();
    let there = plain.server.bound().remove(0);
    let (connected, accepted) = tokio::join!(node.connect(there), plain.accept());
    connected.unwrap();
    (node, plain, accepted)
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_that_the_other_end_does_not_close_is_cut_once_the_kept_one_has_answered() {
    let (node, plain, kept) = dialled().await;
    let kept = talk(kept);
    let mut events = node.events();
    let duplicate = talk(plain.dial(&node).await);
    let beaten = connected(&mut events).await;
    assert_eq!(beaten.direction(), Direction::Incoming);
    // Nobody is given a connection that is about to go.
    assert_eq!(
        node.peer(keys(by_size()[1]).public()).unwrap().direction(),
        Direction::Outgoing
    );
    let _ = duplicate.closed().await;
    let reason = common::disconnected(&mut events).await.unwrap();
    assert!(reason.contains("both ends dialled at once"), "{reason}");
    let hello: String = kept.call("greeter.hello", ("you",)).await.unwrap();
    assert_eq!(hello, "Hello, you.");
    assert_eq!((node.peers().len(), node.stats().duplicates), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_stays_if_the_connection_that_would_be_kept_is_dead() {
    // As when the machine at the other end was switched off: nothing is heard of it, not even that it is gone.
    let (node, plain, _silent) = dialled().await;
    let works = talk(plain.dial(&node).await);
    tokio::time::sleep(Duration::from_secs(40)).await;
    let hello: String = works.call("greeter.hello", ("you",)).await.unwrap();
    assert_eq!(hello, "Hello, you.");
    let back = node.peer(keys(by_size()[1]).public()).unwrap();
    let who: String = back.call("who", ()).await.unwrap();
    assert_eq!((who.as_str(), back.direction()), ("it is me", Direction::Incoming));
}

#[tokio::test(start_paused = true)]
async fn aborting_does_not_wait_for_a_duplicate() {
    let (node, plain, kept) = dialled().await;
    let _kept = talk(kept);
    let mut events = node.events();
    let _duplicate = talk(plain.dial(&node).await);
    connected(&mut events).await;
    let stored = Arc::new(AtomicBool::new(false));
    let store = stored.clone();
    node.at_close(async move { store.store(true, SeqCst) });
    let begun = tokio::time::Instant::now();
    node.abort("enough").await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(stored.load(SeqCst));
}
