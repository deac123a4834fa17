//! The methods under `test` as `xtask/peers/lib/test-api.js` has them: one of each kind and of each way to end.

use super::super::cases::pattern;
use bytes::Bytes;
use futures_util::future::{pending, ready, try_join_all};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use handfast_mux::tokio::{Context, Incoming, Router};
use handfast_mux::{Body, Error, Permissions, RemoteError};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// All methods, as the manifest lists them, for permissions.
const METHODS: &[&str] = &[
    "echo",
    "sum",
    "throws",
    "fails",
    "failsWithText",
    "nothing",
    "nul",
    "text",
    "bytes",
    "emptyText",
    "later",
    "never",
    "seen",
    "hangUp",
    "callBack",
    "denied",
    "onlyAsync",
    "onlySource",
    "count",
    "countThenFail",
    "chunks",
    "bigItems",
    "forever",
    "mixed",
    "collect",
    "refuse",
    "takeOne",
    "mirror",
    "mirrorThenFail",
    "nested",
    "absent",
    "absentSource",
    "absentSink",
    "absentDuplex",
];

/// Who calls may call everything but the methods named `forbidden…`; `denied` is both allowed and denied, and the absent ones
/// are allowed, so that it shows that they are absent.
pub(super) fn permissions() -> Result<Permissions, Error> {
    let allowed: Vec<String> = allowed().collect();
    Permissions::all()
        .allow(["manifest"])?
        .allow(allowed.iter().map(String::as_str))?
        .deny(["test.denied"])
}

/// What who calls may call, but for `denied`.
pub(super) fn allowed() -> impl Iterator<Item = String> {
    METHODS.iter().map(|name| format!("test.{name}"))
}

/// What a caller serves, for the server's `callBack`.
pub(super) fn of_callers() -> Router {
    count(echo(Router::new()))
}

/// The methods, for one connection: `cut` is notified when the caller asks that its socket be cut.
pub(super) fn of_servers(cut: Arc<Notify>) -> Router {
    let seen = Seen::default();
    let router = count(echo(Router::new()));
    streams(unary(router, cut, seen.clone()), seen)
}

fn echo(router: Router) -> Router {
    router.call("test.echo", |_cx, value: Value| async move { Ok(value) })
}

fn count(router: Router) -> Router {
    router.source("test.count", |_cx, n: u64| stream::iter((0..n).map(Ok)))
}

fn unary(router: Router, cut: Arc<Notify>, seen: Seen) -> Router {
    router
        .sync("test.sum", |_cx, (a, b): (i64, i64)| Ok(a + b))
        .sync("test.throws", |_cx, ()| {
            Err::<(), _>(RemoteError::named("TypeError", "thrown on purpose"))
        })
        .call("test.fails", |_cx, ()| async {
            Err::<(), _>("failed on purpose".into())
        })
        .call("test.failsWithText", |_cx, ()| async {
            Err::<(), _>(RemoteError::opaque())
        })
        .call("test.nothing", |_cx, ()| async { Ok(()) })
        .call("test.nul", |_cx, ()| async { Ok(None::<u8>) })
        .call("test.text", |_cx, length: usize| async move { Ok("x".repeat(length)) })
        .call("test.bytes", |_cx, length: usize| async move {
            Ok(Bytes::from(pattern(length)))
        })
        .call("test.emptyText", |_cx, ()| async { Ok("") })
        .call("test.later", |_cx, (ms, value): (u64, Value)| async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok(value)
        })
        .call("test.never", |_cx, ()| pending::<Result<(), _>>())
        .call("test.seen", move |_cx, ()| seen.report())
        .call("test.hangUp", move |cx, how: String| hang_up(&cx, &how, &cut))
        .call("test.callBack", |cx, n: u64| call_back(cx, n))
        .call("test.forbidden", |_cx, ()| async { Ok("reached") })
        .call("test.denied", |_cx, ()| async { Ok("reached") })
        .call("test.onlyAsync", |_cx, ()| async { Ok("reached") })
        .call("test.nested.deep.hi", |_cx, ()| async { Ok("hi from deep") })
}

fn streams(router: Router, seen: Seen) -> Router {
    let (forever, collected) = (seen.clone(), seen);
    router
        .source("test.forbiddenSource", |_cx, ()| stream::iter([Ok(1)]))
        .source("test.onlySource", |_cx, ()| stream::iter([Ok(1)]))
        .source("test.countThenFail", |_cx, n: u64| {
            stream::iter((0..n).map(Ok).chain([Err("source broke".into())]))
        })
        .source("test.chunks", |_cx, (n, length): (usize, usize)| {
            stream::iter(vec![Ok(Bytes::from(pattern(length))); n])
        })
        .source("test.bigItems", |_cx, (n, length): (usize, usize)| {
            stream::iter(vec![Ok("x".repeat(length)); n])
        })
        .source_raw("test.mixed", |_cx, _args| {
            let json = |text: &'static str| Body::json(text).map_err(RemoteError::from);
            stream::iter([
                json("1"),
                Ok(Body::string("two")),
                Ok(Body::buffer(pattern(3))),
                json(r#"{"four":4}"#),
                json("[5]"),
                json("true"),
                json("null"),
            ])
        })
        .source("test.forever", move |_cx, ()| {
            stream::unfold((0_u64, forever.watch()), |(i, watched)| async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                Some((Ok(i), (i + 1, watched)))
            })
        })
        .sink("test.forbiddenSink", |_cx, _items: Incoming<Value>| async { Ok(()) })
        .sink("test.collect", move |_cx, items: Incoming<Value>| {
            collect(collected.watch(), items)
        })
        .sink("test.refuse", |_cx, mut items: Incoming<Value>| async move {
            items.try_next().await?;
            Err("sink refuses".into())
        })
        .sink("test.takeOne", |_cx, mut items: Incoming<Value>| async move {
            items.try_next().await.map(drop)
        })
        .duplex_raw("test.forbiddenDuplex", |_cx, items| items)
        .duplex_raw("test.mirror", |_cx, items| items)
        .duplex_raw("test.mirrorThenFail", |cx, items| {
            let n = cx.args::<usize>().unwrap_or_default();
            items.take(n).chain(stream::once(ready(Err("mirror broke".into()))))
        })
}

fn hang_up(cx: &Context, how: &str, cut: &Notify) -> impl Future<Output = Result<(), RemoteError>> + use<> {
    let caller = cx.remote();
    match how {
        "graceful" => drop(tokio::spawn(async move { caller.close().await })),
        "error" => caller.abort("server gives up"),
        _ => cut.notify_one(),
    }
    pending()
}

/// Calls the caller `n` times at once and reads a source of `n` items from it, over the connection that the call came by.
async fn call_back(cx: Context, n: u64) -> Result<Value, RemoteError> {
    let caller = cx.remote();
    let echoes = try_join_all((0..n).map(|i| caller.call::<u64>("test.echo", (i,))));
    let items = async {
        caller
            .source::<u64>("test.count", (n,))
            .await?
            .try_collect::<Vec<_>>()
            .await
    };
    let (echoes, items) = tokio::try_join!(echoes, items)?;
    Ok(json!({ "echoes": echoes, "items": items }))
}

async fn collect(mut watched: Watched, mut items: Incoming<Value>) -> Result<(), RemoteError> {
    while let Some(item) = items.next().await {
        match item {
            Ok(item) => watched.items.push(item),
            Err(error) => {
                watched.end = error.message().into();
                return Err(error);
            }
        }
    }
    Ok(())
}

/// What became of the newest stream whose end the other side cannot see.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Option<watch::Receiver<Option<Value>>>>>);

/// Items and end of one stream; dropped, it reports them.
struct Watched {
    items: Vec<Value>,
    end: Value,
    report: watch::Sender<Option<Value>>,
}

impl Seen {
    fn watch(&self) -> Watched {
        let (report, reported) = watch::channel(None);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reported);
        Watched {
            items: Vec::new(),
            end: true.into(),
            report,
        }
    }

    fn report(&self) -> impl Future<Output = Result<Value, RemoteError>> + use<> {
        let newest = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        async move {
            let mut newest = newest.ok_or("no stream was watched")?;
            let report = newest
                .wait_for(Option::is_some)
                .await
                .map_err(|error| error.to_string())?
                .clone();
            Ok(report.unwrap_or_default())
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let items = std::mem::take(&mut self.items);
        self.report
            .send_replace(Some(json!({ "items": items, "end": self.end })));
    }
}
