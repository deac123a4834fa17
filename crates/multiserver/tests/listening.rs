//! Where a node listens, and what it tells others about that.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use futures_util::FutureExt as _;
use handfast_multiserver::{Error, Incoming, Scope, Scopes};
use support::{address, connect, device, incoming, key, node};

async fn addresses(place: Incoming) -> [Option<String>; 4] {
    let server = node(1).listen(&incoming([("net", place)])).await.unwrap();
    let key = key(1).to_base64();
    let port = address(&server).alternatives()[0].endpoint.port().unwrap();
    let tail = format!(":{port}~shs:{key}");
    Scope::ALL.map(|scope| {
        server
            .addresses(scope)
            .map(|address| address.to_string().replace(&tail, ""))
    })
}

#[tokio::test]
async fn each_scope_has_its_own_address() {
    let everything = Incoming {
        scope: Scopes::all(),
        external: vec!["pub.example".to_owned(), "2001:db8::7".to_owned()],
        ..device("shs")
    };
    let [device, local, private, public] = addresses(everything.clone()).await;
    assert_eq!(device.as_deref(), Some("net:localhost"));
    assert_eq!(local, private);
    assert_eq!(public.as_deref(), Some("net:pub.example;net:2001:db8::7"));

    // A host that is named is the host for everybody; external names count for the public alone.
    let named = Incoming {
        host: vec!["127.0.0.1".to_owned()],
        ..everything.clone()
    };
    let [device, local, _, public] = addresses(named).await;
    assert_eq!(device.as_deref(), Some("net:127.0.0.1"));
    assert_eq!(local, device);
    assert_eq!(public.as_deref(), Some("net:pub.example;net:2001:db8::7"));

    // What is not in scope has no address, and `local` is not `private`.
    let narrow = Incoming {
        scope: Scope::Local.into(),
        ..everything
    };
    let [device, local, private, public] = addresses(narrow).await;
    assert_eq!((device, private, public), (None, None, None));
    drop(local);
}

#[tokio::test]
async fn every_address_of_the_machine_is_bound_for_a_scope_beyond_it() {
    let place = Incoming {
        scope: [Scope::Device, Scope::Public].into(),
        ..device("shs")
    };
    let server = node(1).listen(&incoming([("net", place)])).await.unwrap();
    let bound = address(&server).alternatives()[0].endpoint.host().unwrap().to_owned();
    assert!(bound == "::" || bound == "0.0.0.0", "{bound}");
}

#[tokio::test]
async fn localhost_is_reached_by_either_of_its_addresses() {
    let mut server = node(1).listen(&incoming([("net", device("shs"))])).await.unwrap();
    assert!(server.bound().len() <= 2);
    for to in server.bound() {
        connect(&node(2), &to, &mut server).await;
    }
    let to = server.addresses(Scope::Device).unwrap();
    connect(&node(2), &to, &mut server).await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_a_clear_error_and_free_again_after_close() {
    let mut server = node(1).listen(&incoming([("net", device("shs"))])).await.unwrap();
    let same = Incoming {
        port: address(&server).alternatives()[0].endpoint.port(),
        ..device("shs")
    };
    let error = node(2).listen(&incoming([("net", same.clone())])).await.unwrap_err();
    assert!(matches!(error, Error::Listen { .. }));
    assert!(error.to_string().contains("choose another port, or 0"), "{error}");
    server.close().await;
    assert!(server.accept().await.is_none());
    node(2).listen(&incoming([("net", same)])).await.unwrap();
}

#[tokio::test]
async fn noauth_listens_only_where_nobody_else_can_connect() {
    let everywhere = Incoming {
        scope: Scopes::all(),
        ..device("noauth")
    };
    let named = Incoming {
        host: vec!["0.0.0.0".to_owned()],
        ..device("noauth")
    };
    for place in [everywhere.clone(), named] {
        let error = node(1).listen(&incoming([("net", place)])).await.unwrap_err();
        assert!(
            error
                .to_string()
                .contains("noauth makes everybody who connects the owner"),
            "{error}"
        );
    }
    // Any web page that the owner visits may connect to a WebSocket on this machine.
    #[cfg(feature = "ws")]
    node(1).listen(&incoming([("ws", device("noauth"))])).await.unwrap_err();
    let asked_for = Incoming {
        insecure_noauth: true,
        ..everywhere
    };
    node(1).listen(&incoming([("net", asked_for)])).await.unwrap();
}

#[tokio::test]
async fn a_node_that_listens_nowhere_waits_until_it_is_closed() {
    let mut server = node(1).listen(&incoming([])).await.unwrap();
    assert_eq!(server.addresses(Scope::Device), None);
    assert!(server.accept().now_or_never().is_none());
    server.close().await;
    assert!(server.accept().await.is_none());
}

#[tokio::test]
async fn addresses_are_known_while_another_task_accepts() {
    let mut server = node(1).listen(&incoming([("net", device("shs"))])).await.unwrap();
    let listening = server.listening();
    let accepting = tokio::spawn(async move { server.accept().await.is_some() });
    assert_eq!(listening.bound().len(), listening.bound().len());
    let to = listening.addresses(Scope::Device).unwrap();
    let dialled = node(2).dial(&to, &support::outgoing()).await.unwrap();
    assert_eq!(dialled.peer, Some(key(1)));
    assert!(accepting.await.unwrap());
}
