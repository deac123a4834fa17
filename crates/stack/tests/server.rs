//! Two nodes meet, call each other and know who the other is (the original's tests `server` and `api`).
#![allow(clippy::unwrap_used)]

mod common;

use common::{address, connected, deaf, disconnected, greeter, keys, message, network, start};
use futures_util::TryStreamExt;
use handfast_multiserver::{Direction, Scope};
use handfast_mux::{CallType, Manifest};
use handfast_stack::{Event, Stack};

#[tokio::test]
async fn two_nodes_meet_and_call_each_other() {
    let alice = start(Stack::new(network()).plugin(greeter()), 1).await;
    let bob = start(Stack::new(network()).plugin(greeter()), 2).await;
    let mut at_alice = alice.events();

    let peer = bob.connect(address(&alice)).await.unwrap();
    let back = connected(&mut at_alice).await;
    assert_eq!((peer.id(), back.id()), (Some(alice.id()), Some(bob.id())));
    assert_eq!(
        (peer.direction(), back.direction()),
        (Direction::Outgoing, Direction::Incoming)
    );

    let hello: String = peer.call("greeter.hello", ("Alice",)).await.unwrap();
    assert_eq!(hello, "Hello, Alice.");
    let who: String = peer.call("greeter.who", ()).await.unwrap();
    assert_eq!(who, bob.id().to_string());
    let hello: String = back.call("greeter.hello", ("Bob",)).await.unwrap();
    assert_eq!(hello, "Hello, Bob.");
}

#[tokio::test]
async fn the_manifest_of_a_peer_can_be_fetched_and_called() {
    let alice = start(Stack::new(network()).plugin(greeter()), 1).await;
    let bob = start(Stack::new(network()), 2).await;
    let peer = bob.connect(address(&alice)).await.unwrap();
    let manifest: Manifest = peer.call("manifest", ()).await.unwrap();
    assert_eq!(manifest, alice.manifest());
    let kind = |name: &str| manifest.get(&name.parse().unwrap());
    assert_eq!(kind("auth"), Some(CallType::Async));
    assert_eq!(kind("address"), Some(CallType::Sync));
    assert_eq!(kind("manifest"), Some(CallType::Sync));
    assert_eq!(kind("multiserver.parse"), Some(CallType::Sync));
    assert_eq!(kind("multiserver.address"), Some(CallType::Sync));
    assert_eq!(kind("greeter.hello"), Some(CallType::Async));
}

#[tokio::test]
async fn a_node_calls_its_own_methods_with_all_rights() {
    let alice = start(Stack::new(network()).plugin(greeter()), 1).await;
    let secret: String = alice.call("greeter.secret", ()).await.unwrap();
    assert_eq!(secret, "nobody told you");
    let own: Option<String> = alice.call("address", ("device",)).await.unwrap();
    assert_eq!(own, Some(address(&alice).to_string()));
    let none: Option<String> = alice.call("address", ("public",)).await.unwrap();
    assert_eq!(none, None);
    let missing = alice.call::<()>("greeter.absent", ()).await.unwrap_err();
    assert_eq!(missing.message(), "no async:greeter,absent");
}

#[tokio::test]
async fn what_strangers_may_not_call_is_forbidden_before_it_is_looked_for() {
    let alice = start(Stack::new(network()).plugin(greeter()), 1).await;
    let bob = start(Stack::new(network()), 2).await;
    let peer = bob.connect(address(&alice)).await.unwrap();
    for method in ["greeter.secret", "greeter.absent", "auth", "stats"] {
        let refused = peer.call::<()>(method, ()).await.unwrap_err();
        let path = method.replace('.', ",");
        assert_eq!(
            message(refused),
            format!("method:{path} is not in list of allowed methods")
        );
    }
    assert_eq!(alice.stats().denied, 4);
}

#[tokio::test]
async fn addresses_say_where_and_who() {
    let alice = start(Stack::new(network()), 1).await;
    let text = address(&alice).to_string();
    assert!(text.starts_with("net:127.0.0.1:"), "{text}");
    assert!(text.ends_with(&format!("~shs:{}", alice.id().to_base64())), "{text}");
    assert_eq!(alice.address(Scope::Public), None);
    let legacy = alice.legacy_address(Scope::Device).unwrap();
    assert!(legacy.ends_with(&format!(":{}", alice.id())), "{legacy}");
    let bob = start(Stack::new(network()), 2).await;
    bob.connect(legacy.as_str()).await.unwrap();
    let deaf = Stack::new(network()).identity(keys(3)).start(deaf()).await.unwrap();
    assert_eq!(deaf.address(Scope::Device), None);
}

#[tokio::test]
async fn connecting_again_gives_the_connection_that_is_there() {
    let alice = start(Stack::new(network()), 1).await;
    let bob = start(Stack::new(network()), 2).await;
    let one = bob.connect(address(&alice)).await.unwrap();
    let two = bob.connect(address(&alice)).await.unwrap();
    assert_eq!(one, two);
    let mut events = bob.events();
    one.close().await.unwrap();
    assert_eq!(disconnected(&mut events).await, None);
    let three = bob.connect(address(&alice)).await.unwrap();
    assert_ne!(one, three);
}

#[tokio::test]
async fn each_alternative_is_tried_and_each_failure_told() {
    let alice = start(Stack::new(network()), 1).await;
    let bob = start(Stack::new(network()), 2).await;
    let key = alice.id().to_base64();
    let several = format!("bt:00.11~shs:{key};net:127.0.0.1:1~shs:{key};{}", address(&alice));
    bob.connect(several.as_str()).await.unwrap();
    let carol = start(Stack::new(network()), 3).await;
    let none = format!("bt:00.11~shs:{key};net:127.0.0.1:1~shs:{key}");
    let error = carol.connect(none.as_str()).await.unwrap_err().to_string();
    assert!(
        error.contains("bt:00.11") && error.contains("net:127.0.0.1:1"),
        "{error}"
    );
    assert_eq!(carol.stats().dial_failures, 1);
}

#[tokio::test]
async fn streams_of_all_kinds_pass() {
    use common::Parts;
    use futures_util::{StreamExt, stream};
    use handfast_mux::tokio::{Incoming, Router};
    let kinds = Parts {
        methods: Router::new()
            .source("count", |_cx, n: u64| stream::iter((0..n).map(Ok)))
            .sink("swallow", |_cx, items: Incoming<u64>| {
                items.try_for_each(|_| async { Ok(()) })
            })
            .duplex("double", |_cx, items: Incoming<u64>| items.map(|n| n.map(|n| 2 * n))),
        anonymous: vec!["count", "swallow", "double"],
        ..Parts::default()
    };
    let alice = start(Stack::new(network()).plugin(kinds), 1).await;
    let bob = start(Stack::new(network()), 2).await;
    let peer = bob.connect(address(&alice)).await.unwrap();
    let counted: Vec<u64> = peer
        .source::<u64>("count", (3,))
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(counted, [0, 1, 2]);
    let mut swallowed = peer.sink("swallow", ()).await.unwrap();
    swallowed.send(1).await.unwrap();
    swallowed.close().await.unwrap();
    let (mut numbers, mut doubled) = peer.duplex::<u64>("double", ()).await.unwrap();
    numbers.send(21).await.unwrap();
    assert_eq!(doubled.try_next().await.unwrap(), Some(42));
    assert_eq!(alice.stats().streams, 3);
}

#[tokio::test]
async fn a_node_that_cannot_listen_says_where() {
    let alice = start(Stack::new(network()), 1).await;
    let taken = alice.listening().pop().unwrap().to_string();
    let port: u16 = taken.split(['~', ':']).nth(2).unwrap().parse().unwrap();
    let config = handfast_stack::Config::from_value(serde_json::json!({
        "global": { "connections": { "incoming": { "net": [{ "scope": "device", "transform": "shs", "host": "127.0.0.1", "port": port }] } } },
    }));
    let error = Stack::new(network())
        .identity(keys(2))
        .start(config.unwrap())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains(&port.to_string()), "{error}");
}

#[tokio::test]
async fn events_tell_that_the_node_listens_and_closes() {
    let alice = start(Stack::new(network()), 1).await;
    let mut events = alice.events();
    alice.close().await;
    assert!(matches!(events.next().await, Some(Event::Closed)));
}
