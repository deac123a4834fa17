//! Our caller: plays the cases as `xtask/peers/lib/run-cases.js` does, over the crates that are on trial.

use super::super::cases::{self, Call, Cases, GOODBYE_AFTER_CALLS, Make, Pair};
use super::{Carrier, Stream, api};
use anyhow::{Context as _, Result};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use handfast_boxstream::tokio::BoxStream;
use handfast_mux::tokio::{Config, Outgoing, Peer, Source, connection_with};
use handfast_mux::{Body, BodyKind, CallType, Error, MethodName, RemoteError};
use handfast_shs::tokio::connect;
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// How long one case may take: more than ever needed, so that it speaks of a hang and never of a slow machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(15);

/// How long a writer pauses between items when it waits for the far end to have had enough.
const PAUSE: Duration = Duration::from_millis(5);

/// Where to call, and how.
#[derive(Clone)]
pub(crate) struct Dial {
    pub(crate) place: SocketAddr,
    pub(crate) carrier: Carrier,
}

/// A connection of ours; dropped, it cuts its socket.
pub(crate) struct Connection {
    pub(crate) peer: Peer,
    driver: JoinHandle<Result<(), Error>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Dial {
    /// Connects, and serves what a server calls back.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        let mut tcp = TcpStream::connect(self.place).await?;
        tcp.set_nodelay(true)?;
        let mut config = Config::default();
        let stream: Box<dyn Stream> = match &self.carrier {
            Carrier::Dialling {
                network,
                identity,
                server,
            } => {
                let outcome = connect(&mut tcp, network, identity, server).await?;
                config.peer = Some(outcome.peer);
                Box::new(BoxStream::new(tcp, outcome.encrypt, outcome.decrypt))
            }
            Carrier::Plain | Carrier::Listening { .. } => Box::new(tcp),
        };
        let (peer, driver) = connection_with(stream, api::of_callers(), config);
        Ok(Connection {
            peer,
            driver: tokio::spawn(driver),
        })
    }
}

/// Plays all cases that are for us against a server of that make.
pub(crate) async fn play(dial: &Dial, cases: &Cases, serves: Make) -> Result<Vec<(String, Value)>> {
    let pair = Pair {
        calls: Make::Ours,
        serves,
        bootstraps: true,
    };
    let mut results = Vec::new();
    let connection = dial.connect().await?;
    for case in cases.calls.iter().filter(|call| call.is_for(pair)) {
        let own = if case.own { Some(dial.connect().await?) } else { None };
        let peer = &own.as_ref().unwrap_or(&connection).peer;
        let outcome = within(call(peer, case)).await;
        if case.is_judged(pair) {
            results.push((case.name.clone(), outcome));
        }
    }
    results.push((
        GOODBYE_AFTER_CALLS.to_owned(),
        within(async { Ok(close(&connection.peer).await) }).await,
    ));
    for scene in cases.together.iter().chain(&cases.closings) {
        let connection = dial.connect().await?;
        results.push((scene.name.clone(), within(play_scene(connection, &scene.how)).await));
    }
    Ok(results)
}

async fn within(case: impl Future<Output = Result<Value>>) -> Value {
    match tokio::time::timeout(DEADLINE, case).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => json!({ "harness": format!("{error:#}") }),
        Err(_) => json!({ "timeout": true }),
    }
}

/// Plays one case.
pub(super) async fn call(peer: &Peer, case: &Call) -> Result<Value> {
    let method: MethodName = case.method.parse()?;
    let args = serde_json::to_string(&case.args.iter().map(argument).collect::<Vec<_>>())?;
    match case.kind {
        CallType::Sync | CallType::Async => Ok(answer(peer.call_raw(&method, args).await)),
        CallType::Source => Ok(read(peer.source_raw(&method, args).await?, case.take, case.abort.as_deref()).await),
        CallType::Sink => write(peer.sink_raw(&method, args).await?, case).await,
        CallType::Duplex => duplex(peer.duplex_raw(&method, args).await?, case).await,
    }
}

/// Reads to the end; or `take` items, then gives up, and says why if `abort` does.
async fn read(mut source: Source, take: Option<usize>, abort: Option<&str>) -> Value {
    let mut items = Vec::new();
    while take.is_none_or(|take| items.len() < take) {
        match source.next().await {
            Some(Ok(item)) => items.push(body_summary(&item)),
            Some(Err(error)) => return json!({ "items": items, "error": failure(&error) }),
            None => return json!({ "items": items, "end": true }),
        }
    }
    // That the far side hears of it is another case.
    match abort {
        Some(reason) => {
            source.fail(&RemoteError::new(reason));
            json!({ "items": items, "error": { "name": "Error", "message": reason } })
        }
        None => json!({ "items": items, "end": true }),
    }
}

async fn write(mut sink: Outgoing, case: &Call) -> Result<Value> {
    for item in &case.send {
        // A sink may have had enough before everything is sent; its end tells why.
        if sink.send_body(item_body(item)?).await.is_err() {
            break;
        }
    }
    if let Some(reason) = &case.fail {
        sink.fail(&RemoteError::new(reason));
        return Ok(Value::Null);
    }
    let ended = if case.keep_open {
        refused(&mut sink).await
    } else {
        sink.close().await
    };
    Ok(match ended {
        Ok(()) => json!({ "end": true }),
        Err(error) => json!({ "error": failure(&error) }),
    })
}

/// Goes on writing until the far side ends the stream, without ending it itself.
async fn refused(sink: &mut Outgoing) -> Result<(), Error> {
    loop {
        match sink.send("more").await {
            Ok(()) => tokio::time::sleep(PAUSE).await,
            Err(Error::StreamEnded) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

async fn duplex((mut sink, source): (Outgoing, Source), case: &Call) -> Result<Value> {
    let sending = async {
        for item in &case.send {
            if sink.send_body(item_body(item)?).await.is_err() {
                break;
            }
        }
        match &case.fail {
            Some(reason) => sink.fail(&RemoteError::new(reason)),
            None if case.keep_open => return Ok(Some(sink)),
            None => {
                sink.end();
                return Ok(Some(sink));
            }
        }
        anyhow::Ok(None)
    };
    // What is kept open stays so until the reader has its end.
    let (_sink, outcome) = tokio::join!(sending, read(source, case.take, case.abort.as_deref()));
    Ok(outcome)
}

async fn play_scene(connection: Connection, how: &str) -> Result<Value> {
    let peer = &connection.peer;
    let unary = |method: &'static str, args: Value| async move {
        let method: Result<MethodName, _> = method.parse();
        match method {
            Ok(method) => answer(peer.call_raw(&method, args.to_string()).await),
            Err(error) => json!({ "error": failure(&error) }),
        }
    };
    Ok(match how {
        "calls" => {
            // The later a call is made, the sooner it is answered.
            let answers = join_all((0..100).map(|i| unary("test.later", json!([100 - i, i])))).await;
            json!({ "value": values(answers) })
        }
        "bothWays" => {
            let source = async {
                Ok::<_, Error>(read(peer.source_raw(&"test.count".parse()?, "[50]").await?, None, None).await)
            };
            let echoes = join_all((0..20).map(|i| unary("test.echo", json!([i]))));
            let (back, source, echoes) = tokio::join!(unary("test.callBack", json!([20])), source, echoes);
            json!({ "back": back, "source": source?, "echoes": values(echoes) })
        }
        "bootstrap" => match peer.call_raw(&MethodName::plain("manifest"), "[]").await {
            // Nodes of secret-stack have methods of their own besides.
            Ok(body) => json!({ "value": body.to_value::<Value>()?.get("test") }),
            Err(error) => json!({ "error": failure(&error) }),
        },
        "graceful" => merged(
            json!({ "call": unary("test.echo", json!(["last words"])).await }),
            close(peer).await,
        ),
        "gracefulWithCallPending" => {
            let order = Mutex::new(Vec::new());
            let pending = async {
                let answer = unary("test.later", json!([50, "late"])).await;
                order.lock().await.push("answer");
                answer
            };
            let closing = async {
                let closed = close(peer).await;
                order.lock().await.push("closed");
                closed
            };
            // In this order: the call is made, then the close begins.
            let (answer, closed) = tokio::join!(biased; pending, closing);
            merged(json!({ "call": answer, "order": order.into_inner() }), closed)
        }
        "error" => {
            let give_up = async {
                peer.abort("caller gives up");
                peer.closed().await
            };
            let (answer, _) = tokio::join!(biased; unary("test.never", json!([])), give_up);
            json!({ "call": answer, "closed": true })
        }
        "socket" => {
            let cut = async {
                // The request must be on its way before the socket is cut.
                unary("test.echo", json!(["still here"])).await;
                connection.driver.abort();
                peer.closed().await
            };
            let (answer, closed) = tokio::join!(biased; unary("test.never", json!([])), cut);
            json!({ "call": kind(&answer), "closed": closed.is_err() })
        }
        hang_up => {
            let word = match hang_up {
                "hangUpGracefully" => "graceful",
                "hangUpWithError" => "error",
                "hangUpSocket" => "socket",
                other => anyhow::bail!("a scene that our caller does not know: {other}"),
            };
            let (answer, asked) =
                tokio::join!(biased; unary("test.never", json!([])), unary("test.hangUp", json!([word])));
            let closed = peer.closed().await;
            // A goodbye is a clean end, though work was open and the Box Stream's own goodbye is missing; a cut is not.
            let as_it_should = closed.is_ok() == (word != "socket");
            let closed = if as_it_should {
                json!(true)
            } else {
                json!(format!("{closed:?}"))
            };
            json!({ "call": kind(&answer), "asked": kind(&asked), "closed": closed })
        }
    })
}

async fn close(peer: &Peer) -> Value {
    match peer.close().await {
        Ok(()) => json!({ "closed": true }),
        Err(error) => json!({ "closed": true, "error": failure(&error) }),
    }
}

fn answer(result: Result<Body, Error>) -> Value {
    match result {
        Ok(body) => json!({ "value": body_summary(&body) }),
        Err(error) => json!({ "error": failure(&error) }),
    }
}

/// The words for a lost connection are each implementation's own affair.
fn kind(answer: &Value) -> Value {
    if answer.get("error").is_some() {
        json!("error")
    } else {
        answer.clone()
    }
}

fn values(answers: Vec<Value>) -> Value {
    answers
        .into_iter()
        .map(|answer| answer.get("value").cloned().unwrap_or(answer))
        .collect()
}

fn merged(left: Value, right: Value) -> Value {
    let fields = [left, right].into_iter().filter_map(|value| match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    });
    fields.flatten().collect::<Map<_, _>>().into()
}

/// Name and message, as far as the peer told them.
fn failure(error: &Error) -> Value {
    let (name, message) = match error {
        Error::Remote(error) if error.is_opaque() => return json!({}),
        Error::Remote(error) => (error.name().to_owned(), error.message().to_owned()),
        Error::Aborted(reason) => ("Error".to_owned(), reason.to_string()),
        other => ("Error".to_owned(), other.to_string()),
    };
    json!({ "name": name, "message": message })
}

/// A body in the form in which outcomes name it.
pub(super) fn body_summary(body: &Body) -> Value {
    match (body.kind(), body.as_str()) {
        (BodyKind::String, Some(text)) => cases::text_summary(text),
        (BodyKind::Json, _) => match body.to_value::<Value>() {
            Ok(value) => cases::summary(value),
            Err(error) => json!({ "unreadable": error.to_string() }),
        },
        _ => cases::bytes_summary(body.as_bytes()),
    }
}

/// An argument, with recipes followed. Buffers among arguments travel in Node's JSON form.
fn argument(value: &Value) -> Value {
    if let Some(length) = cases::recipe(value, "$text") {
        return "x".repeat(length).into();
    }
    if let Some(length) = cases::recipe(value, "$bytes") {
        return json!({ "type": "Buffer", "data": cases::pattern(length) });
    }
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), argument(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(argument).collect(),
        other => other.clone(),
    }
}

/// An item of a stream, with recipes followed.
fn item_body(item: &Value) -> Result<Body> {
    match cases::recipe(item, "$bytes") {
        Some(length) => Ok(Body::buffer(cases::pattern(length))),
        None => Body::from_value(&argument(item)).context("an item of a case cannot be sent"),
    }
}
