//! The methods that the recorded JavaScript peers serve, one of every kind and some that misbehave, as a router of ours.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, future, stream};
use handfast_mux::tokio::{Context, Incoming, Router};
use handfast_mux::{Body, RemoteError};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// What the sinks of the [`api`] saw last: `{"err":null,"ary":[…]}`, as the JavaScript peers report it.
pub type Seen = Arc<Mutex<Value>>;

/// A packet as it travels: flags, length, request number, body.
pub fn frame(flags: u8, request: i32, body: &str) -> Vec<u8> {
    let length = u32::try_from(body.len())
        .expect("a body of less than 4 GiB")
        .to_be_bytes();
    [&[flags][..], &length, &request.to_be_bytes(), body.as_bytes()].concat()
}

/// The router, in the order of the recorded manifest.
pub fn api() -> Router {
    api_and_seen().0
}

/// The router and what its sinks see.
pub fn api_and_seen() -> (Router, Seen) {
    let seen = Seen::default();
    let collected = seen.clone();
    let router = Router::new()
        .call_raw("echo", |_cx, args: Bytes| async move { echo(&args) })
        .sync("sum", |_cx, (a, b): (i64, i64)| Ok(a + b))
        .sync("boom", |_cx, ()| {
            Err::<(), _>(RemoteError::named("TypeError", "boom sync"))
        })
        .call("fail", |_cx, ()| async { Err::<(), _>("failed on purpose".into()) })
        .call("failStr", |_cx, ()| async { Err::<(), _>(RemoteError::opaque()) })
        .call("nothing", |_cx, ()| async { Ok(()) })
        .call("nul", |_cx, ()| async { Ok(None::<u8>) })
        .call("fals", |_cx, ()| async { Ok(false) })
        .call("buf", |_cx, n: usize| async move { Ok(Bytes::from(vec![0xab; n])) })
        .call("empty", |_cx, ()| async { Ok(Bytes::new()) })
        .call("emptyStr", |_cx, ()| async { Ok("") })
        .call("big", |_cx, n: usize| async move { Ok("x".repeat(n)) })
        .call("never", |_cx, ()| future::pending::<Result<(), _>>())
        .call("slow", |_cx, ms: u64| async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok(ms)
        })
        .source("count", |_cx, n: Option<u64>| stream::iter((0..n.unwrap_or(3)).map(Ok)))
        .source("err3", |_cx, ()| {
            stream::iter([Ok(1), Ok(2), Ok(3), Err("source broke".into())])
        })
        .source("bufs", |_cx, n: u8| {
            stream::iter((0..n).map(|i| Ok(Bytes::copy_from_slice(&[i]))))
        })
        .source("infinite", |_cx, ()| {
            stream::unfold(0_u64, |i| async move {
                tokio::time::sleep(Duration::from_millis(5)).await;
                Some((Ok(i), i + 1))
            })
        })
        .source_raw("mixed", |_cx, _args| {
            let text = |text: &'static str| Body::json(text).expect("JSON");
            stream::iter([
                Ok(text("1")),
                Ok(Body::string("str")),
                Ok(Body::buffer(vec![1, 2])),
                Ok(text(r#"{"a":1}"#)),
                Ok(text("[1]")),
                Ok(text("true")),
                Ok(text("false")),
                Ok(text("null")),
            ])
        })
        .sink("collect", move |_cx, items: Incoming<Value>| {
            collect(collected.clone(), items)
        })
        .sink("sinkAbort", |_cx, mut items: Incoming<Value>| async move {
            items.try_next().await?;
            Err("sink refuses".into())
        })
        .duplex_raw("dup", |_cx, items| items)
        .duplex("dupErr", |_cx: Context, _items: Incoming<Value>| {
            stream::once(future::ready(Err::<Value, _>(RemoteError::new("no duplex for you"))))
        })
        .call("nested.deep.hi", |_cx, ()| async { Ok("deep hi") });
    (router, seen)
}

/// One argument comes back as it is, several come back as a list; objects keep the order of their fields.
fn echo(args: &[u8]) -> Result<Body, RemoteError> {
    // Wrapped once more, the list is the first argument.
    let wrapped = [b"[", args, b"]"].concat();
    let list: Vec<Box<RawValue>> = handfast_mux::args_from_json(&wrapped)?;
    match <[Box<RawValue>; 1]>::try_from(list) {
        Ok([only]) => match serde_json::from_str::<String>(only.get()) {
            Ok(text) => Ok(Body::string(text)),
            Err(_) => Ok(Body::from_value(&only)?),
        },
        Err(list) => Ok(Body::from_value(&list)?),
    }
}

async fn collect(seen: Seen, mut items: Incoming<Value>) -> Result<(), RemoteError> {
    let mut all = Vec::new();
    let result = loop {
        match items.next().await {
            Some(Ok(item)) => all.push(item),
            Some(Err(error)) => break Err(error),
            None => break Ok(()),
        }
    };
    let error = result
        .as_ref()
        .err()
        .map(|error: &RemoteError| error.message().to_owned());
    *seen.lock().expect("no panic under this lock") = json!({ "err": error, "ary": all });
    result
}
