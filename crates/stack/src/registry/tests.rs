//! The registry as peers meet it: over a connection.

use futures_util::{StreamExt, TryStreamExt, stream};
use handfast_mux::tokio::{Config, Peer, connection, connection_with};
use handfast_mux::{Body, Error as MuxError, Permissions};

use super::*;
use crate::hook;

fn registry() -> Arc<Registry> {
    let registry = Registry::new();
    let methods = Router::new()
        .sync("hello", |_cx, name: String| Ok(format!("Hello, {name}.")))
        .source("count", |_cx, n: u64| stream::iter((0..n).map(Ok)))
        .sink_raw("swallow", |_cx, items| async move {
            items.try_for_each(|_| async { Ok(()) }).await
        })
        .duplex_raw("echo", |_cx, items| items);
    registry.add(1, "greeter", methods).unwrap();
    let root = Router::new().sync("manifest", |_cx, ()| Ok("a manifest"));
    registry.add(0, "", root).unwrap();
    registry.complete().unwrap();
    Arc::new(registry)
}

fn serve(registry: &Arc<Registry>, config: Config) -> Peer {
    let (here, there) = tokio::io::duplex(64 * 1024);
    let (_server, driver) = connection_with(there, registry.clone() as Arc<dyn Service>, config);
    tokio::spawn(driver);
    let (peer, driver) = connection(here, Router::new());
    tokio::spawn(driver);
    peer
}

fn message(error: MuxError) -> String {
    match error {
        MuxError::Remote(error) => error.message().to_owned(),
        error => panic!("a remote error, not {error:?}"),
    }
}

#[tokio::test]
async fn peers_call_methods_of_all_kinds_through_their_hooks() {
    let registry = registry();
    let peer = serve(&registry, Config::default());
    let even = |items: Incoming| {
        items.try_filter(|item: &Body| futures_util::future::ready(item.to_value::<u64>().is_ok_and(|n| n % 2 == 0)))
    };
    let shout =
        hook::call(|next: Next, name: String| async move { Ok(next.call::<String>((name,)).await?.to_uppercase()) });
    registry.add_hook("greeter.hello", shout).unwrap();
    let first = hook::source(|next: Next, ()| Ok(next.source()?.take(2)));
    registry.add_hook("greeter.count", first).unwrap();
    let filter = hook::duplex(move |next: Next, items| next.duplex(Incoming::from_stream(even(items))));
    registry.add_hook("greeter.echo", filter).unwrap();
    let refuse = hook::sink(|_next: Next, _items| async { Err("no more".into()) });
    registry.add_hook("greeter.swallow", refuse).unwrap();

    assert_eq!(
        peer.call::<String>("greeter.hello", ("you",)).await.unwrap(),
        "HELLO, YOU."
    );
    let numbers = peer.source::<u64>("greeter.count", (9,)).await.unwrap();
    assert_eq!(numbers.try_collect::<Vec<_>>().await.unwrap(), [0, 1]);
    let (mut there, back) = peer.duplex::<u64>("greeter.echo", ()).await.unwrap();
    for n in 0..5 {
        there.send(n).await.unwrap();
    }
    there.end();
    assert_eq!(back.try_collect::<Vec<_>>().await.unwrap(), [0, 2, 4]);
    let refused = peer
        .sink("greeter.swallow", ())
        .await
        .unwrap()
        .close()
        .await
        .unwrap_err();
    assert_eq!(message(refused), "no more");
}

#[tokio::test]
async fn a_name_that_travels_as_a_plain_string_is_one_part() {
    let peer = serve(&registry(), Config::default());
    let plain = peer.call_raw(&MethodName::plain("manifest"), "[]").await.unwrap();
    assert_eq!(plain.as_str(), Some("a manifest"));
    let dotted = peer
        .call_raw(&MethodName::plain("greeter.hello"), r#"["you"]"#)
        .await
        .unwrap_err();
    assert_eq!(message(dotted), "no async:greeter.hello");
}

#[tokio::test]
async fn a_panic_in_a_hook_does_not_take_the_connection_down() {
    let registry = registry();
    let peer = serve(&registry, Config::default());
    let panics = hook::call(|_next: Next, name: String| async move {
        assert_ne!(name, "panic", "on purpose");
        Ok(name)
    });
    registry.add_hook("greeter.hello", panics).unwrap();
    let at_once = hook::source(|_next: Next, n: u64| {
        assert_ne!(n, 0, "on purpose");
        Ok(stream::empty())
    });
    registry.add_hook("greeter.count", at_once).unwrap();
    assert_eq!(
        message(peer.call::<String>("greeter.hello", ("panic",)).await.unwrap_err()),
        "the handler failed"
    );
    let mut source = peer.source::<u64>("greeter.count", (0,)).await.unwrap();
    assert_eq!(message(source.try_next().await.unwrap_err()), "the handler failed");
    assert_eq!(peer.call::<String>("greeter.hello", ("x",)).await.unwrap(), "x");
}

#[tokio::test]
async fn permissions_come_before_hooks_and_existence() {
    let registry = registry();
    let asked = hook::call(|_next: Next, ()| async { Ok("asked") });
    registry.add_hook("greeter.hello", asked).unwrap();
    let mut config = Config::default();
    config.permissions = Some(Permissions::none().allow(["greeter.count"]).unwrap());
    let peer = serve(&registry, config);
    for method in ["greeter.hello", "no.such"] {
        let error = message(peer.call::<String>(method, ()).await.unwrap_err());
        assert!(error.ends_with("is not in list of allowed methods"), "{error}");
    }
}

#[test]
fn a_plugin_that_does_not_fit_leaves_nothing_behind() {
    let registry = registry();
    let before = registry.manifest();
    let half = Router::new()
        .sync("new", |_cx, ()| Ok(1))
        .sync("hello", |_cx, ()| Ok(1));
    let error = registry.add(2, "greeter", half).unwrap_err();
    assert!(matches!(error, Error::DuplicateMethod { .. }), "{error}");
    assert_eq!(registry.manifest(), before);
    let again = hook::call(|_next: Next, ()| async { Ok(()) });
    assert!(registry.add_hook("greeter.new", again).is_err());
}
