//! Ends: of connections and of nodes (the original's tests `close`, `timeout` and `flood`).
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use common::{Parts, address, config, connected, deaf, disconnected, greeter, keys, network, start};
use futures_util::{StreamExt, future::join_all, stream};
use handfast_mux::{Error as MuxError, tokio::Router};
use handfast_stack::{Config, Event, Stack};
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt, net::TcpStream, sync::Notify, time::Instant};

fn with_global(extra: Value) -> Config {
    config().merge(Config::from_value(json!({ "global": extra })).unwrap())
}

/// `slow` answers when it is let; `forever` never ends.
fn patient(let_go: Arc<Notify>, begun: Arc<Notify>) -> Parts {
    Parts {
        methods: Router::new()
            .call("slow", move |_cx, ()| {
                let (let_go, begun) = (let_go.clone(), begun.clone());
                async move {
                    begun.notify_one();
                    let_go.notified().await;
                    Ok("done")
                }
            })
            .source("forever", |_cx, ()| stream::pending::<Result<(), _>>()),
        anonymous: vec!["slow", "forever"],
        ..Parts::default()
    }
}

#[tokio::test]
async fn closing_lets_a_call_that_runs_finish() {
    let (let_go, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let alice = start(Stack::new(network()).plugin(patient(let_go.clone(), begun.clone())), 1).await;
    let bob = start(Stack::new(network()), 2).await;
    let peer = bob.connect(address(&alice)).await.unwrap();
    let call = tokio::spawn(peer.call::<String>("slow", ()));
    begun.notified().await;
    let closing = tokio::spawn({
        let alice = alice.clone();
        async move { alice.close().await }
    });
    alice.closing().await;
    bob.connect(address(&alice)).await.unwrap();
    let_go.notify_one();
    assert_eq!(call.await.unwrap().unwrap(), "done");
    closing.await.unwrap();
    assert!(alice.peers().is_empty());
}

#[tokio::test]
async fn what_does_not_finish_within_the_deadline_is_cut() {
    let (let_go, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let stack = Stack::new(network())
        .plugin(patient(let_go, begun.clone()))
        .identity(keys(1));
    let alice = stack.start(with_global(json!({ "closeDeadline": 200 }))).await.unwrap();
    let bob = start(Stack::new(network()), 2).await;
    let peer = bob.connect(address(&alice)).await.unwrap();
    let call = tokio::spawn(peer.call::<String>("slow", ()));
    let mut items = peer.source::<()>("forever", ()).await.unwrap();
    begun.notified().await;
    alice.close().await;
    assert!(matches!(
        call.await.unwrap(),
        Err(MuxError::UnexpectedEnd | MuxError::Remote(_))
    ));
    assert!(items.next().await.unwrap().is_err());
}

#[tokio::test]
async fn aborting_does_not_wait() {
    let (let_go, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let alice = start(Stack::new(network()).plugin(patient(let_go, begun.clone())), 1).await;
    let bob = start(Stack::new(network()), 2).await;
    let mut events = alice.events();
    let peer = bob.connect(address(&alice)).await.unwrap();
    let back = connected(&mut events).await;
    let call = tokio::spawn(peer.call::<String>("slow", ()));
    let own = tokio::spawn(back.call::<String>("greeter.absent", ()));
    begun.notified().await;
    alice.abort("the disk is full").await;
    assert!(call.await.unwrap().is_err());
    assert!(own.await.unwrap().is_err());
}

#[tokio::test]
async fn a_closed_node_is_gone() {
    let alice = start(Stack::new(network()), 1).await;
    let bob = start(Stack::new(network()), 2).await;
    let there = address(&alice);
    alice.close().await;
    alice.close().await;
    bob.connect(there).await.unwrap_err();
    assert!(alice.connect(address(&bob)).await.is_err());
    assert!(alice.call::<Value>("manifest", ()).await.is_err());
}

#[tokio::test]
async fn dropping_the_node_cuts_its_connections_and_frees_its_port() {
    let alice = start(Stack::new(network()), 1).await;
    let bob = start(Stack::new(network()), 2).await;
    let there = address(&alice);
    let mut events = bob.events();
    bob.connect(there.clone()).await.unwrap();
    let handle = alice.handle().clone();
    drop(alice);
    disconnected(&mut events).await;
    handle.close().await;
    bob.connect(there).await.unwrap_err();
}

#[tokio::test]
async fn either_side_may_close_and_both_hear_of_it() {
    for at_alice in [true, false] {
        let alice = start(Stack::new(network()).plugin(greeter()), 1).await;
        let bob = start(Stack::new(network()), 2).await;
        let (mut alices, mut bobs) = (alice.events(), bob.events());
        let peer = bob.connect(address(&alice)).await.unwrap();
        let back = connected(&mut alices).await;
        match at_alice {
            true => back.close().await.unwrap(),
            false => peer.close().await.unwrap(),
        }
        assert_eq!(disconnected(&mut alices).await, None);
        assert_eq!(disconnected(&mut bobs).await, None);
        assert!(alice.peers().is_empty() && bob.peers().is_empty());
    }
}

#[tokio::test]
async fn a_silent_connection_is_cut_after_the_inactivity_timer() {
    let stack = Stack::new(network()).plugin(greeter()).identity(keys(1));
    let alice = stack
        .start(with_global(json!({ "timers": { "inactivity": 300 } })))
        .await
        .unwrap();
    let bob = start(Stack::new(network()), 2).await;
    let mut events = alice.events();
    let peer = bob.connect(address(&alice)).await.unwrap();
    let _: String = peer.call("greeter.hello", ("x",)).await.unwrap();
    let start = Instant::now();
    let reason = disconnected(&mut events).await.unwrap();
    assert!(reason.contains("nothing passed"), "{reason}");
    assert!(start.elapsed() >= Duration::from_millis(250));
    assert_eq!(alice.stats().inactive, 1);
}

#[tokio::test]
async fn no_inactivity_timer_means_never() {
    let stack = Stack::new(network()).identity(keys(1));
    let alice = stack
        .start(with_global(json!({ "timers": { "inactivity": 0 } })))
        .await
        .unwrap();
    let mut events = alice.events();
    let bob = start(Stack::new(network()), 2).await;
    let _peer = bob.connect(address(&alice)).await.unwrap();
    connected(&mut events).await;
    // Nothing may happen in this time; a zero that means "at once" would show.
    let quiet = tokio::time::timeout(Duration::from_millis(300), events.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}

#[tokio::test]
async fn a_connection_of_a_node_with_itself_may_be_silent() {
    let stack = Stack::new(network()).plugin(greeter()).identity(keys(1));
    let alice = stack
        .start(with_global(json!({ "timers": { "inactivity": 300 } })))
        .await
        .unwrap();
    let itself = alice.connect(address(&alice)).await.unwrap();
    // The connection of another, which begins later and is cut, shows that the time was long enough.
    let bob = start(Stack::new(network()), 2).await;
    let mut events = bob.events();
    bob.connect(address(&alice)).await.unwrap();
    disconnected(&mut events).await;
    let hello: String = itself.call("greeter.hello", ("me",)).await.unwrap();
    assert_eq!(hello, "Hello, me.");
}

#[tokio::test]
async fn a_client_that_says_nothing_is_dropped_after_the_handshake_timer() {
    let stack = Stack::new(network()).identity(keys(1));
    let alice = stack
        .start(with_global(json!({ "timers": { "handshake": 200 } })))
        .await
        .unwrap();
    let mut events = alice.events();
    let text = address(&alice).to_string();
    let port: u16 = text.split(['~', ':']).nth(2).unwrap().parse().unwrap();
    let mut silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let refused = common::next(&mut events, |event| {
        matches!(event, Event::Refused { .. }).then_some(())
    });
    refused.await;
    assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_come_up_while_their_nodes_close_have_ended_when_they_have() {
    for round in 0..40_u64 {
        let alice = start(Stack::new(network()).plugin(greeter()), 1).await;
        let bob = start(Stack::new(network()).plugin(greeter()), 2).await;
        let mut events = [alice.events(), bob.events()];
        let dials = (0..8).map(|n| {
            let (from, to) = if n % 2 == 0 { (&alice, &bob) } else { (&bob, &alice) };
            let (from, to) = (from.clone(), address(to));
            tokio::spawn(async move {
                let peer = from.connect(to).await?;
                let _ = peer.call::<String>("greeter.hello", ("x",)).await;
                Ok::<_, handfast_stack::Error>(())
            })
        });
        let dials: Vec<_> = dials.collect();
        let counted = tokio::spawn({
            let alice = alice.clone();
            async move {
                let mut before = 0;
                while !alice.peers().is_empty() || alice.stats().incoming == 0 {
                    let now = alice.stats().bytes_in;
                    assert!(now >= before, "{now} bytes after {before}");
                    before = now;
                    tokio::task::yield_now().await;
                }
            }
        });
        // Before anything has come up, or when some of it has.
        while alice.stats().incoming + bob.stats().incoming < round % 3 {
            tokio::task::yield_now().await;
        }
        tokio::join!(alice.close(), bob.abort("enough"));
        for node in [&alice, &bob] {
            assert!(node.peers().is_empty());
            assert_eq!(node.stats().connections, 0);
        }
        for events in &mut events {
            let (mut open, mut last) = (0, None);
            while let Some(event) = events.next().await {
                match &event {
                    Event::Connected(_) => open += 1,
                    Event::Disconnected { .. } => open -= 1,
                    _ => {}
                }
                assert!(open >= 0, "an end came before its beginning");
                last = Some(event);
            }
            assert_eq!(open, 0, "round {round}");
            assert!(matches!(last, Some(Event::Closed)));
        }
        for dial in dials {
            let _ = dial.await.unwrap();
        }
        counted.abort();
        assert!(counted.await.map_or_else(|error| error.is_cancelled(), |()| true));
    }
}

#[tokio::test]
async fn a_flood_of_calls_is_answered() {
    let running = Arc::new(AtomicUsize::new(0));
    let counted = running.clone();
    let busy = Parts {
        methods: Router::new().call("work", move |_cx, n: u64| {
            let running = counted.clone();
            async move {
                running.fetch_add(1, SeqCst);
                tokio::task::yield_now().await;
                Ok(n)
            }
        }),
        anonymous: vec!["work"],
        ..Parts::default()
    };
    let alice = start(Stack::new(network()).plugin(busy), 1).await;
    let bob = Stack::new(network()).identity(keys(2)).start(deaf()).await.unwrap();
    let peer = bob.connect(address(&alice)).await.unwrap();
    let answers = join_all((0..10_000_u64).map(|n| peer.call::<u64>("work", (n,)))).await;
    assert!(
        answers
            .into_iter()
            .enumerate()
            .all(|(n, answer)| answer.unwrap() == n as u64)
    );
    assert_eq!(running.load(SeqCst), 10_000);
    assert_eq!(alice.stats().calls, 10_000);
}
