//! Nodes for tests.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub(crate) mod memory;

use std::time::Duration;

use async_trait::async_trait;
use handfast_keys::{KeyPair, NetworkIdentifier, PublicKey};
use handfast_multiserver::{Address, Scope};
use handfast_mux::{RemoteError, tokio::Router};
use handfast_stack::{Config, Error, Event, Events, Node, NodeHandle, Peer, Permissions, Plugin, PluginConfig, Stack};

/// The network of all tests.
pub(crate) fn network() -> NetworkIdentifier {
    NetworkIdentifier::from_bytes([7; 32])
}

/// An identity that is the same in each run.
pub(crate) fn keys(name: u8) -> KeyPair {
    KeyPair::from_seed(&[name; 32]).unwrap()
}

/// Listens on a free port of this machine.
pub(crate) fn config() -> Config {
    Config::from_value(serde_json::json!({
        "global": {
            "connections": {
                "incoming": { "net": [{ "scope": "device", "transform": "shs", "host": "127.0.0.1", "port": 0 }] },
                "outgoing": { "net": [{ "transform": "shs" }], "unix": [{ "transform": "noauth" }] },
            },
        },
    }))
    .unwrap()
}

/// Does not listen at all.
pub(crate) fn deaf() -> Config {
    Config::from_value(serde_json::json!({ "global": { "connections": { "incoming": {}, "outgoing": { "net": [{ "transform": "shs" }] } } } }))
        .unwrap()
}

pub(crate) async fn start(stack: Stack, name: u8) -> Node {
    stack.identity(keys(name)).start(config()).await.unwrap()
}

pub(crate) fn address(node: &Node) -> Address {
    node.address(Scope::Device).unwrap()
}

/// The next event that `pick` wants.
pub(crate) async fn next<T>(events: &mut Events, mut pick: impl FnMut(Event) -> Option<T>) -> T {
    let wait = async {
        loop {
            if let Some(found) = pick(events.next().await.expect("the node is there")) {
                return found;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait)
        .await
        .expect("an event that never comes")
}

pub(crate) async fn connected(events: &mut Events) -> Peer {
    next(events, |event| match event {
        Event::Connected(peer) => Some(peer),
        _ => None,
    })
    .await
}

pub(crate) async fn disconnected(events: &mut Events) -> Option<String> {
    next(events, |event| match event {
        Event::Disconnected { reason, .. } => Some(reason.map(|reason| reason.to_string())),
        _ => None,
    })
    .await
}

/// A plugin made of parts.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) name: &'static str,
    pub(crate) needs: &'static [&'static str],
    pub(crate) methods: Router,
    pub(crate) anonymous: Vec<&'static str>,
}

#[async_trait]
impl Plugin for Parts {
    fn name(&self) -> &str {
        self.name
    }

    fn needs(&self) -> &[&str] {
        self.needs
    }

    fn permissions(&self) -> Permissions {
        Permissions::anonymous(self.anonymous.iter().copied())
    }

    async fn init(&self, _node: &NodeHandle, _config: &PluginConfig) -> Result<Router, Error> {
        Ok(self.methods.clone())
    }
}

/// `hello` for everybody, `secret` for whom `auth` lets, `whoami` too.
pub(crate) fn greeter() -> Parts {
    Parts {
        name: "greeter",
        methods: Router::new()
            .call(
                "hello",
                |_cx, name: String| async move { Ok(format!("Hello, {name}.")) },
            )
            .call("secret", |_cx, ()| async { Ok("nobody told you") })
            .sync("who", |cx, ()| Ok(cx.peer().map(PublicKey::to_string))),
        anonymous: vec!["hello", "who"],
        ..Parts::default()
    }
}

/// The text of a remote error.
pub(crate) fn message(error: handfast_mux::Error) -> String {
    match error {
        handfast_mux::Error::Remote(error) => error.message().to_owned(),
        error => panic!("not the peer's error: {error}"),
    }
}

pub(crate) fn refuse(why: &str) -> RemoteError {
    RemoteError::new(why)
}
