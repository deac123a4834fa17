//! What stands between callers and handlers: routers put together, contexts and items made by hand, observers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, TryStreamExt, future, stream};
use handfast_mux::tokio::{
    Answer, Config, Consumption, Context, Incoming, Items, Observer, Peer, Router, Service, connection, connection_with,
};
use handfast_mux::{Body, CallType, Error, MethodName, Permissions, RemoteError, RequestId, Verdict};
use serde_json::json;
use testkit::mux::api;

fn serve(api: impl Into<Arc<dyn Service>>, config: Config) -> Peer {
    let (left, right) = tokio::io::duplex(64 * 1024);
    let (_server, driver) = connection_with(left, api, config);
    tokio::spawn(driver);
    let (peer, driver) = connection(right, Router::new());
    tokio::spawn(driver);
    peer
}

fn name(text: &str) -> MethodName {
    text.parse().unwrap()
}

fn detached(method: &str, args: &'static str) -> Context {
    Context::detached(None, name(method), CallType::Async, Bytes::from_static(args.as_bytes()))
}

async fn answer(answer: Answer) -> Result<Body, RemoteError> {
    match answer {
        Answer::Ready(result) => result,
        Answer::Later(work) => work.await,
    }
}

#[tokio::test]
async fn a_nested_router_serves_under_its_path_and_its_handlers_see_the_whole_name() {
    let inner = Router::new()
        .sync("who", |cx, ()| Ok(cx.method().to_string()))
        .source("deep.count", |_cx, n: u64| stream::iter((0..n).map(Ok)));
    let router = Router::new()
        .sync("first", |_cx, ()| Ok(1))
        .nest("my.plug", inner.clone())
        .merge(inner)
        .merge(Router::new().sync("first", |_cx, ()| Ok(2)));
    assert_eq!(
        serde_json::to_string(&router.manifest()).unwrap(),
        concat!(
            r#"{"first":"sync","my":{"plug":{"who":"sync","deep":{"count":"source"}}},"#,
            r#""who":"sync","deep":{"count":"source"},"manifest":"sync"}"#
        )
    );
    assert!(router.contains(&name("my.plug.who")) && router.contains(&name("manifest")));
    assert!(!router.contains(&name("my.plug")) && !router.contains(&name("my.plug.manifest")));
    assert!(!router.clone().without_manifest().contains(&name("manifest")));

    let peer = serve(router, Config::default());
    assert_eq!(peer.call::<String>("my.plug.who", ()).await.unwrap(), "my.plug.who");
    assert_eq!(peer.call::<String>("who", ()).await.unwrap(), "who");
    assert_eq!(
        peer.call::<u64>("first", ()).await.unwrap(),
        2,
        "the merged one replaces"
    );
    let numbers = peer.source::<u64>("my.plug.deep.count", 3).await.unwrap();
    assert_eq!(numbers.try_collect::<Vec<_>>().await.unwrap(), [0, 1, 2]);
}

#[tokio::test]
async fn a_handler_by_itself_answers_calls_of_its_kind_by_any_name() {
    let router = Router::new()
        .call("sum", |_cx, (a, b): (i64, i64)| async move { Ok(a + b) })
        .source("deep.count", |_cx, n: u64| stream::iter((0..n).map(Ok)));
    let handlers = router.handlers();
    let names: Vec<_> = handlers
        .iter()
        .map(|(name, kind, _)| (name.to_string(), *kind))
        .collect();
    assert_eq!(
        names,
        [
            ("sum".to_owned(), CallType::Async),
            ("deep.count".to_owned(), CallType::Source)
        ],
        "those that were added, in their order, without the manifest"
    );
    let [(_, _, sum), (_, _, count)] = handlers.as_slice() else {
        panic!("two handlers")
    };
    let three = answer(sum.call(detached("another.name", "[1,2]"))).await.unwrap();
    assert_eq!(three.to_value::<i64>().unwrap(), 3);
    let refused = answer(count.call(detached("deep.count", "[2]"))).await.unwrap_err();
    assert_eq!(refused.message(), "no async:deep,count");
    let refused = sum.source(detached("sum", "[1,2]")).map(drop).unwrap_err();
    assert_eq!(refused.message(), "no source:sum");
    let items: Vec<Body> = count.source(detached("x", "[2]")).unwrap().try_collect().await.unwrap();
    assert_eq!(items, [Body::from_value(&0).unwrap(), Body::from_value(&1).unwrap()]);
}

#[tokio::test]
async fn a_call_that_no_connection_carries_reaches_handlers() {
    let router = api().call("ask", |cx, ()| async move {
        Ok(cx.remote().call::<u64>("secret", ()).await?)
    });
    let sum = Service::call(&router, detached("sum", "[1,2]"));
    assert_eq!(answer(sum).await.unwrap().to_value::<i64>().unwrap(), 3);
    let refused = answer(Service::call(&router, detached("ask", "[]"))).await.unwrap_err();
    assert_eq!(refused.message(), "parent stream is closing");
    let cx = detached("x", "[]");
    assert!(matches!(
        cx.remote().source::<u64>("x", ()).await.map(drop),
        Err(Error::Closing)
    ));
    assert_eq!((cx.peer(), cx.request(), cx.deadline()), (None, RequestId(0), None));
}

#[tokio::test]
async fn other_arguments_belong_to_the_same_call() {
    let cx = detached("sum", "[1,2]");
    let other = cx.with_args(Bytes::from_static(b"[3,4]"));
    assert_eq!(other.args::<(i64, i64)>().unwrap(), (3, 4));
    assert_eq!(cx.args::<(i64, i64)>().unwrap(), (1, 2));
    assert_eq!((other.method(), other.kind()), (cx.method(), CallType::Async));
    assert!(other.cancelled().now_or_never().is_none());
    cx.cancel();
    other.cancelled().await;
    assert!(other.is_cancelled());
}

#[tokio::test]
async fn items_may_come_from_any_stream_until_its_first_error() {
    let (router, seen) = testkit::mux::api_and_seen();
    let bodies = [json!(1), json!("two"), json!(3)].map(|item| Ok(Body::from_value(&item).unwrap()));
    let items = Incoming::from_stream(stream::iter(bodies.clone()));
    let collecting = Service::sink(&router, detached("collect", "[]"), items).unwrap();
    collecting.await.unwrap();
    assert_eq!(*seen.lock().unwrap(), json!({"err": null, "ary": [1, "two", 3]}));

    let broken = stream::iter(bodies).take(1).chain(stream::iter([
        Err(RemoteError::new("stop")),
        Ok(Body::from_value(&4).unwrap()),
    ]));
    let mut items = Incoming::from_stream(broken).typed::<u64>();
    assert_eq!(items.try_next().await.unwrap(), Some(1));
    assert_eq!(items.try_next().await.unwrap_err().message(), "stop");
    assert!(items.next().await.is_none());

    let mut misfit = Incoming::from_stream(stream::iter([Ok(Body::string("x"))])).typed::<u64>();
    assert_eq!(misfit.try_next().await.unwrap_err().name(), "TypeError");
}

/// A service that lets only even numbers through to the sinks and duplexes of another.
struct Even(Arc<dyn Service>);

impl Even {
    fn filter(items: Incoming) -> Incoming {
        Incoming::from_stream(items.try_filter(|item| future::ready(item.to_value::<u64>().is_ok_and(|n| n % 2 == 0))))
    }
}

impl Service for Even {
    fn call(&self, cx: Context) -> Answer {
        self.0.call(cx)
    }

    fn source(&self, cx: Context) -> Result<Items, RemoteError> {
        self.0.source(cx)
    }

    fn sink(&self, cx: Context, items: Incoming) -> Result<Consumption, RemoteError> {
        self.0.sink(cx, Self::filter(items))
    }

    fn duplex(&self, cx: Context, items: Incoming) -> Result<Items, RemoteError> {
        self.0.duplex(cx, Self::filter(items))
    }
}

#[tokio::test]
async fn a_service_may_filter_what_reaches_the_handlers_of_another() {
    let (router, seen) = testkit::mux::api_and_seen();
    let service: Arc<dyn Service> = Arc::new(Even(router.into()));
    let peer = serve(service, Config::default());
    let mut sink = peer.sink("collect", ()).await.unwrap();
    for n in 0..5 {
        sink.send(n).await.unwrap();
    }
    sink.close().await.unwrap();
    assert_eq!(*seen.lock().unwrap(), json!({"err": null, "ary": [0, 2, 4]}));

    let (mut there, back) = peer.duplex::<u64>("dup", ()).await.unwrap();
    for n in 0..5 {
        there.send(n).await.unwrap();
    }
    there.end();
    assert_eq!(back.try_collect::<Vec<_>>().await.unwrap(), [0, 2, 4]);

    // How the caller ended is heard through the filter.
    let sink = peer.sink("collect", ()).await.unwrap();
    sink.fail(&RemoteError::new("writer broke"));
    peer.call::<()>("nothing", ()).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), json!({"err": "writer broke", "ary": []}));
}

#[tokio::test]
async fn handlers_find_what_the_application_knows_of_the_connection() {
    let router = Router::new().sync("nick", |cx: Context, ()| Ok(cx.extension::<&str>().copied()));
    let mut config = Config::default();
    config.extension = Some(Arc::new("koala"));
    let peer = serve(router.clone(), config);
    assert_eq!(peer.call::<String>("nick", ()).await.unwrap(), "koala");
    let mut config = Config::default();
    config.extension = Some(Arc::new(5_u8));
    let peer = serve(router, config);
    assert_eq!(peer.call::<Option<String>>("nick", ()).await.unwrap(), None);
}

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    fn add(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Observer for Log {
    fn request(&self, kind: CallType, method: &MethodName) {
        self.add(format!("{kind} {method}"));
    }

    fn refused(&self, method: &MethodName, verdict: &Verdict<'_>) {
        self.add(format!("refused {method}: {verdict}"));
    }

    fn answered(&self, kind: CallType, ok: bool) {
        self.add(format!("{kind} over: {ok}"));
    }
}

#[tokio::test]
async fn an_observer_hears_of_each_request_and_how_it_went() {
    let log = Arc::new(Log::default());
    let mut config = Config::default();
    config.observer = Some(log.clone());
    config.permissions = Some(
        Permissions::all()
            .allow(["sum", "boom", "count", "err3", "collect", "missing"])
            .unwrap()
            .deny(["sum.deep"])
            .unwrap(),
    );
    let peer = serve(api(), config);

    peer.call::<i64>("sum", (1, 2)).await.unwrap();
    assert_eq!(log.take(), ["async sum", "async over: true"]);
    for method in ["boom", "missing"] {
        peer.call::<()>(method, ()).await.unwrap_err();
        assert_eq!(log.take(), [&format!("async {method}"), "async over: false"]);
    }
    peer.call::<()>("echo", ()).await.unwrap_err();
    assert_eq!(
        log.take(),
        [
            "async echo",
            "refused echo: not covered by any allow rule",
            "async over: false"
        ]
    );
    let refused = peer.source::<u64>("sum.deep.x", ()).await.unwrap();
    refused.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(
        log.take(),
        [
            "source sum.deep.x",
            "refused sum.deep.x: denied by rule deny:sum.deep",
            "source over: false"
        ]
    );
    for (method, ok) in [("count", true), ("err3", false), ("missing", false)] {
        let items = peer.source::<u64>(method, ()).await.unwrap();
        assert_eq!(items.try_collect::<Vec<_>>().await.is_ok(), ok);
        assert_eq!(log.take(), [format!("source {method}"), format!("source over: {ok}")]);
    }
    peer.sink("collect", ()).await.unwrap().close().await.unwrap();
    assert_eq!(log.take(), ["sink collect", "sink over: true"]);
}
