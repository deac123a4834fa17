//! The owner at his own node: the Unix socket with all rights, and the plugin `control` (the original's test `local`).
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::{address, config, deaf, greeter, keys, message, network, start};
use futures_util::TryStreamExt;
use handfast_multiserver::Address;
use handfast_stack::{
    Basis, Config, Control, Node, Peer, Rights, Stack,
    control::{PeerStatus, Perms, Status},
};
use serde_json::json;

fn owned() -> Stack {
    Stack::new(network())
        .plugin(greeter())
        .plugin(Control)
        .identity(keys(1))
}

async fn with_socket(stack: Stack, dir: &Path) -> Node {
    let unix = json!({ "global": { "connections": { "incoming": {
        "unix": [{ "scope": "device", "transform": "noauth", "path": dir }],
    } } } });
    stack
        .start(config().merge(Config::from_value(unix).unwrap()))
        .await
        .unwrap()
}

/// Connects as the program does: with some identity, which does not matter.
async fn owner(dir: &Path) -> (Node, Peer) {
    let tool = Stack::new(network())
        .identity(keys(9))
        .start(local_only())
        .await
        .unwrap();
    let socket: Address = format!("unix:{}~noauth", dir.join("socket").display()).parse().unwrap();
    let peer = tool.connect(socket).await.unwrap();
    (tool, peer)
}

fn local_only() -> Config {
    deaf().merge(
        Config::from_value(
            json!({ "global": { "connections": { "outgoing": { "unix": [{ "transform": "noauth" }] } } } }),
        )
        .unwrap(),
    )
}

#[tokio::test]
async fn the_owner_has_all_rights_over_the_socket_and_nobody_else_has() {
    let dir = tempfile::tempdir().unwrap();
    let alice = with_socket(owned(), dir.path()).await;
    let (_tool, peer) = owner(dir.path()).await;
    let secret: String = peer.call("greeter.secret", ()).await.unwrap();
    assert_eq!(secret, "nobody told you");
    let status: Status = peer.call("control.status", ()).await.unwrap();
    assert_eq!(status.id, alice.id().to_string());
    assert_eq!(status.peers.len(), 1);
    assert_eq!(status.peers.first().unwrap().basis, Basis::Owner);

    let bob = start(Stack::new(network()), 2).await;
    let stranger = bob.connect(address(&alice)).await.unwrap();
    let refused = stranger.call::<Status>("control.status", ()).await.unwrap_err();
    assert_eq!(
        message(refused),
        "method:control,status is not in list of allowed methods"
    );
}

#[tokio::test]
async fn the_socket_goes_with_the_node_and_a_stale_one_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("socket");
    let alice = with_socket(owned(), dir.path()).await;
    let stack = owned();
    let second = stack.start(
        config().merge(
            Config::from_value(json!({ "global": { "connections": { "incoming": {
            "unix": [{ "scope": "device", "transform": "noauth", "path": dir.path() }],
        } } } }))
            .unwrap(),
        ),
    );
    assert!(second.await.is_err(), "a socket that is in use is not taken away");
    alice.close().await;
    assert!(!socket.exists());
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(socket.exists(), "this is what a killed node leaves behind");
    let _again = with_socket(owned(), dir.path()).await;
    owner(dir.path()).await;
}

#[tokio::test]
async fn the_owner_connects_looks_and_disconnects() {
    let dir = tempfile::tempdir().unwrap();
    let alice = with_socket(owned(), dir.path()).await;
    let bob = start(Stack::new(network()), 2).await;
    let (_tool, owner) = owner(dir.path()).await;
    let row: PeerStatus = owner
        .call("control.connect", (address(&bob).to_string(),))
        .await
        .unwrap();
    assert_eq!(row.id, Some(bob.id().to_string()));
    assert_eq!(bob.peers().len(), 1);
    let peers: Vec<PeerStatus> = owner.call("control.peers", ()).await.unwrap();
    assert!(peers.iter().any(|peer| peer.number == row.number));

    let mut watched = owner.source::<Status>("control.watch", (100,)).await.unwrap();
    let first = watched.try_next().await.unwrap().unwrap();
    assert_eq!((first.peers.len(), first.rate_in), (2, 0));
    let second = watched.try_next().await.unwrap().unwrap();
    assert!(second.rate_out > 0, "the status itself was sent in between");

    let count: usize = owner.call("control.disconnect", (bob.id().to_string(),)).await.unwrap();
    assert_eq!(count, 1);
    while alice.peer(bob.id()).is_some() {
        tokio::task::yield_now().await;
    }
    let none: usize = owner
        .call("control.disconnect", (address(&bob).to_string(),))
        .await
        .unwrap();
    assert_eq!(none, 0);
    let error = owner
        .call::<usize>("control.disconnect", ("net:a:1",))
        .await
        .unwrap_err();
    assert!(message(error).contains("no key"));
}

#[tokio::test]
async fn permissions_are_explained_rule_by_rule() {
    let dir = tempfile::tempdir().unwrap();
    let stack = owned().hook(
        "auth",
        |next: handfast_stack::Next, (key,): (handfast_keys::PublicKey,)| async move {
            if key == *keys(2).public() {
                return Ok(Some(Rights::all().deny(["greeter.secret"]).unwrap()));
            }
            if key == *keys(3).public() {
                return Err(common::refuse("go away"));
            }
            next.call((key,)).await
        },
    );
    let _alice = with_socket(stack, dir.path()).await;
    let (_tool, owner) = owner(dir.path()).await;
    let find = |perms: &Perms, name: &str| perms.methods.iter().find(|method| method.name == name).unwrap().clone();

    let stranger: Perms = owner.call("control.perms", ()).await.unwrap();
    assert_eq!((stranger.basis, &stranger.refused), (Basis::Anonymous, &None));
    let hello = find(&stranger, "greeter.hello");
    assert!(hello.allowed && hello.rule.contains("greeter.hello"), "{hello:?}");
    assert_eq!(hello.plugin.as_deref(), Some("greeter"));
    let secret = find(&stranger, "greeter.secret");
    assert!(!secret.allowed, "{secret:?}");

    let friend: Perms = owner
        .call("control.perms", (keys(2).public().to_string(),))
        .await
        .unwrap();
    assert_eq!(friend.basis, Basis::Auth);
    assert!(find(&friend, "control.close").allowed);
    let secret = find(&friend, "greeter.secret");
    assert!(!secret.allowed && secret.rule.contains("greeter.secret"), "{secret:?}");

    let enemy: Perms = owner
        .call("control.perms", (keys(3).public().to_string(),))
        .await
        .unwrap();
    assert!(enemy.refused.unwrap().contains("go away"));
}

#[tokio::test]
async fn the_owner_can_close_the_node() {
    let dir = tempfile::tempdir().unwrap();
    let alice = with_socket(owned(), dir.path()).await;
    let (_tool, owner) = owner(dir.path()).await;
    assert!(owner.call::<bool>("control.close", ()).await.unwrap());
    alice.close().await;
}

#[cfg(feature = "prometheus")]
#[tokio::test]
async fn counters_can_be_scraped_where_the_configuration_says() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let free = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let endpoint = Config::from_value(json!({ "global": { "prometheus": free.to_string() } })).unwrap();
    let alice = Stack::new(network())
        .identity(keys(1))
        .start(config().merge(endpoint))
        .await
        .unwrap();
    let bob = start(Stack::new(network()), 2).await;
    bob.connect(address(&alice)).await.unwrap();
    let ask = |line: &'static str| async move {
        let mut http = tokio::net::TcpStream::connect(free).await.unwrap();
        http.write_all(format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        http.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let metrics = ask("GET /metrics").await;
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    assert!(
        metrics.contains("\nhandfast_connections 1\n") && metrics.contains("\nhandfast_incoming_total 1\n"),
        "{metrics}"
    );
    assert!(ask("GET /").await.starts_with("HTTP/1.1 404"));
    assert!(ask("POST /metrics").await.starts_with("HTTP/1.1 405"));
}
