//! Nodes whose connections are sessions of SNaP2P.
#![cfg(feature = "snap2p")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{address, connected, disconnected, greeter, keys, message, network};
use handfast_multiserver::Layer;
use handfast_mux::RemoteError;
use handfast_snap2p::{Network, Principal, WalletKey};
use handfast_stack::{Config, Error, Node, Stack};
use serde_json::{Value, json};

fn wallet(name: u8) -> WalletKey {
    WalletKey::from_bytes(&[name; 32]).unwrap()
}

fn principal(name: u8) -> Principal {
    Principal(wallet(name).address(Network::Mainnet))
}

async fn start(stack: Stack, name: u8) -> Node {
    let net = json!([{ "scope": "device", "transform": "snap2p", "host": "127.0.0.1", "port": 0 }]);
    let connections = json!({ "incoming": { "net": net }, "outgoing": { "net": [{ "transform": "snap2p" }] } });
    let config = Config::from_value(json!({ "global": { "connections": connections } })).unwrap();
    let stack = stack.identity(keys(name)).wallet(wallet(name), Network::Mainnet);
    stack.start(config).await.unwrap()
}

#[tokio::test]
async fn two_nodes_call_each_other_over_one_session() {
    let alice = start(Stack::new(network()).plugin(greeter()), 1).await;
    let bob = start(Stack::new(network()).plugin(greeter()), 2).await;
    let to_alice = address(&alice);
    assert!(
        to_alice.to_string().ends_with(&format!("~snap2p:{}", principal(1))),
        "{to_alice}"
    );

    let mut arrivals = alice.events();
    let at_bob = bob.connect(to_alice).await.unwrap();
    let at_alice = connected(&mut arrivals).await;
    assert_eq!(at_bob.id(), Some(keys(1).public()));
    assert_eq!(at_alice.id(), Some(keys(2).public()));
    assert_eq!(at_alice.address().transforms, [Layer::snap2p(&principal(2))]);

    let hello: String = at_bob.call("greeter.hello", "Bob").await.unwrap();
    assert_eq!(hello, "Hello, Bob.");
    let hello: String = at_alice.call("greeter.hello", "Alice").await.unwrap();
    assert_eq!(hello, "Hello, Alice.");
    // Longer than anything on the way holds at once.
    let name = "x".repeat(1 << 20);
    let hello: String = at_bob.call("greeter.hello", name.clone()).await.unwrap();
    assert_eq!(hello.len(), "Hello, .".len() + name.len());

    at_bob.close().await.unwrap();
    assert_eq!(disconnected(&mut arrivals).await, None, "it said goodbye");
}

#[tokio::test]
async fn auth_judges_the_key_of_the_node_that_comes() {
    let friend = keys(2).public().to_string();
    let stack = Stack::new(network())
        .plugin(greeter())
        .hook("auth", move |_next, (key,): (String,)| {
            let friend = friend.clone();
            async move {
                match key == friend {
                    true => Ok(json!({ "allow": ["greeter.secret"] })),
                    false => Err::<Value, _>(RemoteError::new("not you")),
                }
            }
        });
    let alice = start(stack, 1).await;
    let friend = start(Stack::new(network()), 2).await;
    let stranger = start(Stack::new(network()), 3).await;

    let peer = friend.connect(address(&alice)).await.unwrap();
    let secret: String = peer.call("greeter.secret", ()).await.unwrap();
    assert_eq!(secret, "nobody told you");
    let refused = peer.call::<String>("greeter.hello", "Bob").await.unwrap_err();
    assert!(message(refused).contains("not in list of allowed methods"));

    // Over SNaP2P a dialler is let in before it is judged, so the connection ends instead of failing.
    let mut events = stranger.events();
    match stranger.connect(address(&alice)).await {
        Ok(_) => drop(disconnected(&mut events).await),
        Err(error) => assert!(matches!(error, Error::Connect { .. }), "{error}"),
    }
    assert_eq!(alice.peers().len(), 1);
}

#[tokio::test]
async fn whoever_dials_a_principal_reaches_that_one_or_nobody() {
    let alice = start(Stack::new(network()), 1).await;
    let bob = start(Stack::new(network()), 2).await;
    let mut way = address(&alice).alternatives()[0].clone();
    way.transforms = vec![Layer::snap2p(&principal(3))];
    let error = bob.connect(handfast_multiserver::Address::from(way)).await.unwrap_err();
    assert!(
        error.to_string().contains(&format!("{} was dialled", principal(3))),
        "{error}"
    );
}
