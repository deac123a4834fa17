//! The methods that `handfast serve` and `handfast start --example` offer: one or more of every kind, for trying things out.

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use handfast_keys::PublicKey;
use handfast_mux::{
    RemoteError,
    tokio::{Incoming, Router},
};
use handfast_stack::{Methods, Permissions};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::{Instant, sleep_until};

/// How many notes are kept: enough to play with, and a stranger cannot fill the memory.
const MAX_NOTES: usize = 100;
/// How long a note may be, in bytes of JSON.
const MAX_NOTE: usize = 4096;
/// How many bytes `bytes` gives at most.
const MAX_BYTES: usize = 1024 * 1024;

/// What everybody who shakes hands may call: all of it, because none of it tells or keeps more than a stranger may have.
const HARMLESS: [&str; 12] = [
    "whoami",
    "whoareyou",
    "gossip.ping",
    "add",
    "echo",
    "fail",
    "sleep",
    "bytes",
    "count",
    "clock",
    "notes",
    "shout",
];

/// The example methods as a plugin without a name, so that they stand at the root.
pub(crate) fn plugin(own: PublicKey) -> Methods {
    handfast_stack::plugin("", router(own)).permissions(Permissions::anonymous(HARMLESS))
}

/// The example methods of a node with this key.
pub(crate) fn router(own: PublicKey) -> Router {
    let notes = Notes::default();
    let (written, read) = (notes.clone(), notes);
    Router::new()
        .sync("whoami", move |_cx, ()| Ok(json!({ "id": own.to_string() })))
        .sync("whoareyou", |cx, ()| {
            Ok(json!({ "id": cx.peer().map(ToString::to_string) }))
        })
        .duplex("gossip.ping", |cx, clocks| {
            let options: Value = cx.args().unwrap_or_default();
            let timeout = options.get("timeout").and_then(Value::as_u64).unwrap_or(300_000);
            ping(clocks, Duration::from_millis(timeout.clamp(10_000, 1_800_000)))
        })
        .sync("add", |_cx, (a, b): (f64, f64)| Ok(a + b))
        .call("echo", |_cx, value: Value| async move { Ok(value) })
        .call("fail", |_cx, message: Option<String>| async move {
            Err::<(), _>(RemoteError::new(message.unwrap_or_else(|| "failed on purpose".into())))
        })
        .call("sleep", |_cx, ms: u64| async move {
            tokio::time::sleep(Duration::from_millis(ms.min(60_000))).await;
            Ok(ms)
        })
        .call("bytes", |_cx, length: usize| async move {
            if length > MAX_BYTES {
                return Err(RemoteError::new(format!("at most {MAX_BYTES} bytes can be had")));
            }
            Ok(bytes::Bytes::from(vec![0xab; length]))
        })
        .source("count", |_cx, n: u64| stream::iter((0..n).map(Ok)))
        .source("clock", |_cx, ms: Option<u64>| {
            let mut ticks = tokio::time::interval(Duration::from_millis(ms.unwrap_or(1000).clamp(10, 60_000)));
            stream::poll_fn(move |cx| ticks.poll_tick(cx).map(|_| Some(Ok(now()))))
        })
        .sink("notes.add", move |_cx, items: Incoming<Value>| {
            let notes = written.clone();
            async move { items.try_for_each(|note| std::future::ready(notes.add(note))).await }
        })
        .source("notes.list", move |_cx, ()| {
            stream::iter(read.list().into_iter().map(Ok))
        })
        .duplex("shout", |_cx, words| words.map_ok(|word: String| word.to_uppercase()))
}

/// The last notes that peers left, oldest first.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<VecDeque<Value>>>);

impl Notes {
    fn add(&self, note: Value) -> Result<(), RemoteError> {
        if note.to_string().len() > MAX_NOTE {
            return Err(RemoteError::new(format!("a note may be at most {MAX_NOTE} bytes long")));
        }
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() == MAX_NOTES {
            notes.pop_front();
        }
        notes.push_back(note);
        Ok(())
    }

    fn list(&self) -> Vec<Value> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }
}

/// Milliseconds since 1970, as JavaScript's `Date.now()`.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis().try_into().unwrap_or(u64::MAX))
}

/// The answering side of pull-ping: each clock that comes is volleyed back with ours, and after `timeout` it is our turn
/// to serve; the clock that then comes back is the volley and is not answered.
fn ping(clocks: Incoming<f64>, timeout: Duration) -> impl Stream<Item = Result<u64, RemoteError>> {
    enum Turn {
        /// The peer serves next.
        Theirs,
        /// We serve at this time.
        Ours(Instant),
        /// We served and await the volley.
        Served,
    }
    stream::try_unfold((clocks, Turn::Theirs), move |(mut clocks, mut turn)| async move {
        loop {
            let serve = async {
                match turn {
                    Turn::Ours(at) => sleep_until(at).await,
                    Turn::Theirs | Turn::Served => std::future::pending().await,
                }
            };
            tokio::select! {
                () = serve => return Ok(Some((now(), (clocks, Turn::Served)))),
                clock = clocks.next() => match clock.transpose()? {
                    None => return Ok(None),
                    Some(_) if matches!(turn, Turn::Served) => turn = Turn::Theirs,
                    Some(_) => return Ok(Some((now(), (clocks, Turn::Ours(Instant::now() + timeout))))),
                },
            }
        }
    })
}
