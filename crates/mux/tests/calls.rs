//! All kinds of calls, both ways, over a stream in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, future, stream};
use handfast_mux::tokio::{
    Calling, Config, Context, Driver, Incoming, Opening, Outgoing, Peer, Router, Source, connection, connection_with,
};
use handfast_mux::{Body, CallType, Connection, Error, Event, Limits, MethodName, Permissions, RemoteError};
use serde_json::{Value, json};
use testkit::mux::{api, api_and_seen};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

type Running = JoinHandle<Result<(), Error>>;

fn pair_with(a: Router, a_config: Config, b: Router, b_config: Config) -> ((Peer, Running), (Peer, Running)) {
    let (left, right) = tokio::io::duplex(64 * 1024);
    let run = |(peer, driver): (Peer, Driver<DuplexStream>)| (peer, tokio::spawn(driver));
    (
        run(connection_with(left, a, a_config)),
        run(connection_with(right, b, b_config)),
    )
}

/// A caller and what it calls: the caller serves nothing.
fn pair(api: Router) -> ((Peer, Running), (Peer, Running)) {
    pair_with(Router::new(), Config::default(), api, Config::default())
}

fn remote(error: Error) -> RemoteError {
    match error {
        Error::Remote(error) => error,
        other => panic!("a remote error, not {other:?}"),
    }
}

#[test]
fn everything_may_move_between_threads() {
    fn sync<T: Send + Sync + 'static>() {}
    fn send<T: Send + 'static>() {}
    sync::<(Peer, Router, Context, Error, RemoteError, Config)>();
    sync::<(Outgoing, Source<String>, Incoming<String>, Calling<String>)>();
    send::<(Driver<tokio::net::TcpStream>, Opening<Source<String>>)>();
}

#[tokio::test]
async fn the_example_of_the_crate_page_works() {
    let api = Router::new()
        .call("echo", |_cx, text: String| async move { Ok(text) })
        .source("count", |_cx, n: u64| stream::iter((0..n).map(Ok)))
        .duplex("shout", |_cx, words| words.map_ok(|word: String| word.to_uppercase()));
    let (left, right) = tokio::io::duplex(1024);
    let (_server, driver) = connection(right, api);
    tokio::spawn(driver);
    let (peer, driver) = connection(left, Router::new());
    tokio::spawn(driver);

    let hi: String = peer.call("echo", ("kia ora",)).await.unwrap();
    assert_eq!(hi, "kia ora");
    let numbers: Vec<u64> = peer
        .source::<u64>("count", (5,))
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    let (mut words, loud) = peer.duplex::<String>("shout", ()).await.unwrap();
    for word in ["a", "b"] {
        words.send(word).await.unwrap();
    }
    words.end();
    assert_eq!(loud.try_collect::<Vec<_>>().await.unwrap(), ["A", "B"]);
    peer.close().await.unwrap();
}

#[tokio::test]
async fn every_value_arrives_as_it_was_sent() {
    let ((peer, _), _server) = pair(api());
    assert_eq!(
        peer.call::<Value>("echo", (json!({"a": 1}), 2)).await.unwrap(),
        json!([{"a": 1}, 2])
    );
    assert_eq!(peer.call::<i64>("sum", (1, 2)).await.unwrap(), 3);
    peer.call::<()>("nothing", ()).await.unwrap();
    assert_eq!(peer.call::<Value>("nothing", ()).await.unwrap(), json!(false));
    assert_eq!(peer.call::<Option<u8>>("nul", ()).await.unwrap(), None);
    assert_eq!(peer.call::<Bytes>("buf", (5,)).await.unwrap(), vec![0xab; 5]);
    assert_eq!(peer.call::<Bytes>("empty", ()).await.unwrap(), "");
    assert_eq!(peer.call::<String>("emptyStr", ()).await.unwrap(), "");
    assert_eq!(peer.call::<String>("big", (200_000,)).await.unwrap().len(), 200_000);
    assert_eq!(peer.call::<String>("nested.deep.hi", ()).await.unwrap(), "deep hi");
    let raw = peer.call_raw(&MethodName::plain("echo"), r#"["x"]"#).await.unwrap();
    assert_eq!(raw.as_str(), Some("x"));
    let mixed: Vec<Value> = peer.source("mixed", ()).await.unwrap().try_collect().await.unwrap();
    assert_eq!(mixed.len(), 8);
}

#[tokio::test]
async fn errors_arrive_with_name_and_message() {
    let ((peer, _), _server) = pair(api());
    let error = remote(peer.call::<()>("boom", ()).await.unwrap_err());
    assert_eq!(
        (error.name(), error.message(), error.stack()),
        ("TypeError", "boom sync", "")
    );
    assert!(remote(peer.call::<()>("failStr", ()).await.unwrap_err()).is_opaque());
    assert_eq!(
        remote(peer.call::<()>("no.such", ()).await.unwrap_err()).message(),
        "no async:no,such"
    );
    let mut source = peer.source::<u64>("echo", ()).await.unwrap();
    assert_eq!(remote(source.try_next().await.unwrap_err()).message(), "no source:echo");
    assert!(source.next().await.is_none());
    let mut source = peer.source::<u64>("err3", ()).await.unwrap();
    for expected in 1..=3 {
        assert_eq!(source.try_next().await.unwrap(), Some(expected));
    }
    assert_eq!(remote(source.try_next().await.unwrap_err()).message(), "source broke");
    assert!(matches!(peer.call::<u64>("big", (3,)).await, Err(Error::Decode(_))));
    assert!(matches!(peer.call::<u64>("a..b", ()).await, Err(Error::MethodName(_))));
}

#[tokio::test]
async fn a_sink_gets_all_items_and_its_end_is_awaited() {
    let (router, seen) = api_and_seen();
    let ((peer, _), _server) = pair(router);
    let mut sink = peer.sink("collect", ()).await.unwrap();
    for n in 0..1000 {
        sink.send(n).await.unwrap();
    }
    sink.close().await.unwrap();
    assert_eq!(seen.lock().unwrap()["ary"].as_array().unwrap().len(), 1000);

    let mut sink = peer.sink("sinkAbort", ()).await.unwrap();
    sink.send("x").await.unwrap();
    assert_eq!(remote(sink.close().await.unwrap_err()).message(), "sink refuses");

    let sink = peer.sink("collect", ()).await.unwrap();
    sink.fail(&RemoteError::new("writer broke"));
    peer.call::<()>("nothing", ()).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), json!({"err": "writer broke", "ary": []}));
}

#[tokio::test]
async fn a_dropped_source_is_aborted_and_its_handler_dropped() {
    let (report, mut reports) = tokio::sync::mpsc::unbounded_channel::<&str>();
    struct Report(tokio::sync::mpsc::UnboundedSender<&'static str>);
    impl Drop for Report {
        fn drop(&mut self) {
            let _ = self.0.send("dropped");
        }
    }
    let router = Router::new().source("endless", move |cx, ()| {
        let held = Report(report.clone());
        let elsewhere = report.clone();
        tokio::spawn(async move {
            cx.cancelled().await;
            let _ = elsewhere.send("cancelled");
        });
        stream::unfold((0_u64, held), |(i, held)| async move {
            tokio::task::yield_now().await;
            Some((Ok(i), (i + 1, held)))
        })
    });
    let ((peer, _), (server, _)) = pair(router);
    let mut source = peer.source::<u64>("endless", ()).await.unwrap();
    assert_eq!(source.try_next().await.unwrap(), Some(0));
    drop(source);
    let mut seen = [reports.recv().await.unwrap(), reports.recv().await.unwrap()];
    seen.sort_unstable();
    assert_eq!(seen, ["cancelled", "dropped"]);
    // The graceful close waits for the stream to be ended by both sides.
    peer.close().await.unwrap();
    server.closed().await.unwrap();
}

#[tokio::test]
async fn a_handler_can_call_its_caller_back() {
    let caller = Router::new().call("secret", |_cx, ()| async { Ok(42) });
    let callee = Router::new().call("ask", |cx, ()| async move {
        Ok(cx.remote().call::<u64>("secret", ()).await? + 1)
    });
    let ((peer, _), _server) = pair_with(caller, Config::default(), callee, Config::default());
    assert_eq!(peer.call::<u64>("ask", ()).await.unwrap(), 43);
}

#[tokio::test]
async fn permissions_are_checked_before_existence() {
    let mut config = Config::default();
    config.permissions = Some(Permissions::all().allow(["echo"]).unwrap());
    let ((peer, _), _server) = pair_with(Router::new(), Config::default(), api(), config);
    assert_eq!(peer.call::<i64>("echo", (1,)).await.unwrap(), 1);
    let error = remote(peer.call::<()>("missing.here", ()).await.unwrap_err());
    assert_eq!(error.message(), "method:missing,here is not in list of allowed methods");
    let error = remote(
        peer.source::<u64>("count", ())
            .await
            .unwrap()
            .try_next()
            .await
            .unwrap_err(),
    );
    assert_eq!(error.message(), "method:count is not in list of allowed methods");
    let sink = peer.sink("collect", ()).await.unwrap();
    assert_eq!(
        remote(sink.close().await.unwrap_err()).message(),
        "method:collect is not in list of allowed methods"
    );
    let (_words, mut loud) = peer.duplex::<Value>("dup", ()).await.unwrap();
    assert_eq!(
        remote(loud.try_next().await.unwrap_err()).message(),
        "method:dup is not in list of allowed methods"
    );
}

#[tokio::test]
async fn a_thousand_calls_at_once_are_all_answered() {
    let ((peer, _), _server) = pair(api());
    let calls = (0..1000_u64).map(|n| peer.call::<u64>("echo", (n,)));
    let answers = futures_util::future::try_join_all(calls).await.unwrap();
    assert!(answers.into_iter().eq(0..1000));
}

#[tokio::test]
async fn a_panicking_handler_fails_its_own_call_only() {
    let router = api()
        .call("panics", |_cx, ()| async {
            if true { panic!("on purpose") } else { Ok(()) }
        })
        .sync(
            "panicsAtOnce",
            |_cx, ()| if true { panic!("on purpose") } else { Ok(()) },
        )
        .source("panicsLater", |_cx, ()| {
            stream::iter(0..2).map(|n| if n == 1 { panic!("on purpose") } else { Ok(n) })
        })
        .sink("panicsReading", |_cx, _items: Incoming<Value>| async {
            if true { panic!("on purpose") } else { Ok(()) }
        });
    let ((peer, _), _server) = pair(router);
    for method in ["panics", "panicsAtOnce"] {
        assert_eq!(
            remote(peer.call::<()>(method, ()).await.unwrap_err()).message(),
            "the handler failed"
        );
    }
    let mut source = peer.source::<u64>("panicsLater", ()).await.unwrap();
    assert_eq!(source.try_next().await.unwrap(), Some(0));
    assert_eq!(
        remote(source.try_next().await.unwrap_err()).message(),
        "the handler failed"
    );
    let sink = peer.sink("panicsReading", ()).await.unwrap();
    assert_eq!(remote(sink.close().await.unwrap_err()).message(), "the handler failed");
    assert_eq!(peer.call::<i64>("echo", (1,)).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn deadlines_hold_on_both_sides() {
    let mut config = Config::default();
    config.handler_timeout = Some(Duration::from_secs(5));
    let ((peer, _), _server) = pair_with(Router::new(), Config::default(), api(), config);
    assert_eq!(
        remote(peer.call::<()>("never", ()).await.unwrap_err()).message(),
        "deadline exceeded"
    );
    let hurried = peer.with_timeout(Duration::from_secs(1));
    assert!(matches!(
        hurried.call::<()>("never", ()).await,
        Err(Error::DeadlineExceeded(_))
    ));
    assert_eq!(peer.call::<u64>("slow", (4000,)).await.unwrap(), 4000);
}

/// A JavaScript caller takes a sink for done when its own end is sent, and asks at once for what has become of it.
#[tokio::test]
async fn items_take_effect_before_a_request_that_follows_them() {
    let (opened, mut watch) = tokio::sync::mpsc::unbounded_channel();
    let written = Arc::new(Mutex::new(Vec::new()));
    let list = written.clone();
    let router = Router::new()
        .sink("add", move |_cx, items: Incoming<u64>| {
            opened.send(()).unwrap();
            let written = written.clone();
            async move {
                items
                    .try_for_each(|item| {
                        written.lock().unwrap().push(item);
                        future::ready(Ok(()))
                    })
                    .await
            }
        })
        .sync("list", move |_cx, ()| Ok(list.lock().unwrap().clone()));
    let (left, mut right) = tokio::io::duplex(64 * 1024);
    let (_server, driver) = connection(left, router);
    tokio::spawn(driver);

    let mut caller = Connection::new(Limits::default());
    let sink = caller
        .open("add".parse().unwrap(), "[]".into(), CallType::Sink)
        .unwrap();
    right.write_all(&caller.take_output()).await.unwrap();
    watch.recv().await.unwrap();
    for item in 0..3 {
        caller.send(sink, &Body::from_value(&item).unwrap()).unwrap();
    }
    caller.end(sink);
    caller.request("list".parse().unwrap(), "[]".into()).unwrap();
    // One write, so that all of it arrives at once.
    right.write_all(&caller.take_output()).await.unwrap();

    let mut input = BytesMut::new();
    let listed = loop {
        match caller.receive(&mut input).unwrap() {
            Some(Event::Reply { result, .. }) => break result.unwrap().to_value::<Vec<u64>>().unwrap(),
            Some(_) => {}
            None => drop(right.read_buf(&mut input).await.unwrap()),
        }
    };
    assert_eq!(listed, [0, 1, 2]);
}
