//! Recorded transcripts of JavaScript peers, replayed against this crate in either role.
//!
//! The files say how they were made: `muxrpc.json` holds both directions of 48 scenarios between two muxrpc 8 peers (muxrpc 6
//! puts the same frames on the wire), `muxrpc-probes.json` hand-written frames and what a muxrpc 8 server answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt;
use handfast_mux::tokio::{Config, Outgoing, Peer, Router, Source, connection, connection_with};
use handfast_mux::{MethodName, Permissions, RemoteError};
use serde_json::Value;
use testkit::{mux::api, unhex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// Scenarios in which this crate does better: JavaScript sends an empty body, which is the goodbye.
const EMPTY_BODIES: [&str; 2] = ["async result EMPTY buffer", "async result EMPTY string"];

#[derive(Clone, PartialEq)]
struct RawFrame {
    flags: u8,
    request: i32,
    body: Vec<u8>,
}

impl std::fmt::Debug for RawFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {} {}",
            self.flags,
            self.request,
            String::from_utf8_lossy(&self.body)
        )
    }
}

impl RawFrame {
    /// Error objects hold a stack that differs from machine to machine.
    fn without_stack(&self) -> Self {
        let mut same = self.clone();
        if let Ok(Value::Object(mut error)) = serde_json::from_slice(&self.body)
            && error.contains_key("stack")
        {
            error.insert("stack".into(), "".into());
            // Objects print sorted here, so the order is that of the text: message, name, stack.
            assert!(self.body.starts_with(br#"{"message":"#), "{self:?}");
            same.body = serde_json::to_vec(&error).unwrap();
        }
        same
    }

    fn is_goodbye(&self) -> bool {
        self.body.is_empty()
    }
}

fn split(mut bytes: &[u8]) -> Vec<RawFrame> {
    let mut frames = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<9>() {
        let length = u32::from_be_bytes(header[1..5].try_into().unwrap()) as usize;
        let request = i32::from_be_bytes(header[5..9].try_into().unwrap());
        frames.push(RawFrame {
            flags: header[0],
            request,
            body: rest[..length].to_vec(),
        });
        bytes = &rest[length..];
    }
    assert!(bytes.is_empty());
    frames
}

/// The next frame; `None` if nothing comes any more.
async fn next_frame(stream: &mut DuplexStream) -> Option<RawFrame> {
    let mut header = [0; 9];
    // The clock is paused: it jumps once nobody has anything left to do.
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut header)).await;
    if !matches!(read, Ok(Ok(_))) {
        return None;
    }
    let mut body = vec![0; u32::from_be_bytes(header[1..5].try_into().unwrap()) as usize];
    stream.read_exact(&mut body).await.unwrap();
    let request = i32::from_be_bytes(header[5..9].try_into().unwrap());
    Some(RawFrame {
        flags: header[0],
        request,
        body,
    })
}

async fn expect(stream: &mut DuplexStream, expected: &RawFrame, context: &str) {
    let frame = next_frame(stream)
        .await
        .unwrap_or_else(|| panic!("{context}: nothing came, not {expected:?}"));
    assert_eq!(frame.without_stack(), expected.without_stack(), "{context}");
}

async fn expect_silence(stream: &mut DuplexStream, context: &str) {
    if let Some(frame) = next_frame(stream).await {
        assert!(frame.is_goodbye(), "{context}: surplus {frame:?}");
    }
}

fn scenarios() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("vectors/muxrpc.json")).unwrap();
    file["scenarios"].as_array().unwrap().clone()
}

fn turns(scenario: &Value) -> Vec<(bool, Vec<u8>)> {
    let of = |part: &str| scenario[part].as_array().cloned().unwrap_or_default();
    let all = of("call").into_iter().chain(of("close"));
    all.map(|turn| (turn["dir"] == "c2s", complete(turn["bytes"].as_str().unwrap())))
        .collect()
}

/// The bytes of a turn. One recording is cut in the middle of 20,000 times the same byte.
fn complete(hex: &str) -> Vec<u8> {
    let Some(cut) = hex.strip_suffix('…') else {
        return unhex(hex);
    };
    let mut bytes = unhex(&cut[..cut.len() & !1]);
    let total = 9 + u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize;
    bytes.resize(total, *bytes.last().unwrap());
    bytes
}

fn permissions(scenario: &Value) -> Option<Permissions> {
    let perms = scenario["perms"].as_object()?;
    let list = |name: &str| {
        perms[name]
            .as_array()
            .map(|list| list.iter().map(|path| path.as_str().unwrap()).collect())
    };
    let allow: Option<Vec<_>> = list("allow");
    let deny: Vec<_> = list("deny").unwrap_or_default();
    let permissions = Permissions::all().deny(deny).unwrap();
    Some(match allow {
        Some(allow) => permissions.allow(allow).unwrap(),
        None => permissions,
    })
}

#[tokio::test(start_paused = true)]
async fn serving_answers_the_frames_of_the_recorded_server() {
    let mut compared = 0;
    for scenario in scenarios() {
        let label = scenario["label"].as_str().unwrap();
        if EMPTY_BODIES.contains(&label) {
            continue;
        }
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let mut config = Config::default();
        config.permissions = permissions(&scenario);
        let (_peer, driver) = connection_with(server, api(), config);
        let driver = tokio::spawn(driver);
        for (from_client, bytes) in turns(&scenario) {
            if from_client {
                client.write_all(&bytes).await.unwrap();
                continue;
            }
            for frame in split(&bytes) {
                expect(&mut client, &frame, label).await;
                compared += 1;
            }
        }
        expect_silence(&mut client, label).await;
        drop(client);
        let _ = driver.await.unwrap();
    }
    assert!(compared > 100, "{compared} frames");
}

/// The calls of a scenario as this end makes them.
#[derive(Default)]
struct Caller {
    sources: HashMap<i32, Source>,
    writers: HashMap<i32, Outgoing>,
}

impl Caller {
    /// Does what makes this end send `frame`.
    async fn act(&mut self, peer: &Peer, frame: &RawFrame, label: &str) {
        let id = frame.request;
        let body = || handfast_mux::Body::json(frame.body.clone());
        match frame.flags {
            0 if frame.is_goodbye() && label.starts_with("close(err)") => peer.abort("bye bad"),
            0 if frame.is_goodbye() => {
                let peer = peer.clone();
                tokio::spawn(async move { peer.close().await });
            }
            2 | 10 if !self.sources.contains_key(&id) && !self.writers.contains_key(&id) => {
                let request: Value = body().unwrap().to_value().unwrap();
                let name: MethodName = match request["name"].as_str() {
                    Some(plain) => MethodName::plain(plain),
                    None => {
                        let parts: Vec<String> = serde_json::from_value(request["name"].clone()).unwrap();
                        parts.join(".").parse().unwrap()
                    }
                };
                // The text itself: a lone surrogate does not survive in a Rust value.
                let text = std::str::from_utf8(&frame.body).unwrap();
                let start = text.find(r#""args":"#).unwrap() + 7;
                let end = text.find(r#","type":"#).unwrap_or(text.len() - 1);
                let args = text[start..end].to_owned();
                match request["type"].as_str() {
                    None => drop(tokio::spawn(peer.call_raw(&name, args))),
                    Some("source") => drop(self.sources.insert(id, peer.source_raw(&name, args).await.unwrap())),
                    Some("sink") => drop(self.writers.insert(id, peer.sink_raw(&name, args).await.unwrap())),
                    _ => {
                        let (writer, source) = peer.duplex_raw(&name, args).await.unwrap();
                        self.writers.insert(id, writer);
                        self.sources.insert(id, source);
                    }
                }
                if label.starts_with("close() while") {
                    let peer = peer.clone();
                    // The call above is polled first.
                    tokio::task::yield_now().await;
                    tokio::spawn(async move { peer.close().await });
                }
            }
            9 => {
                let text = String::from_utf8(frame.body.clone()).unwrap();
                self.writers.get_mut(&id).unwrap().send(text).await.unwrap();
            }
            10 => self
                .writers
                .get_mut(&id)
                .unwrap()
                .send_body(body().unwrap())
                .await
                .unwrap(),
            14 if frame.body == b"true" => match self.writers.get_mut(&id) {
                Some(writer) => writer.end(),
                None => drop(self.sources.remove(&id)),
            },
            14 => {
                let error = RemoteError::from_body(&body().unwrap());
                match self.writers.remove(&id) {
                    Some(writer) => writer.fail(&error),
                    None => self.sources.remove(&id).unwrap().fail(&error),
                }
            }
            other => panic!("{label}: flags {other}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn calling_sends_the_frames_of_the_recorded_client() {
    let mut compared = 0;
    for scenario in scenarios() {
        let label = scenario["label"].as_str().unwrap();
        let (ours, mut server) = tokio::io::duplex(1 << 20);
        let (peer, driver) = connection(ours, Router::new());
        let driver = tokio::spawn(driver);
        let mut caller = Caller::default();
        // Streams that the server has ended: the answering end is sent without anybody's doing. After a goodbye, the
        // answering goodbye is.
        let mut ended = Vec::new();
        let mut parted = label.starts_with("close() while");
        for (from_client, bytes) in turns(&scenario) {
            if !from_client {
                for frame in split(&bytes) {
                    if frame.is_goodbye() {
                        parted = true;
                    } else if frame.flags & 12 == 12 {
                        ended.push(-frame.request);
                    }
                }
                server.write_all(&bytes).await.unwrap();
                continue;
            }
            for frame in split(&bytes) {
                let echoed = if frame.is_goodbye() {
                    parted
                } else {
                    ended.contains(&frame.request)
                };
                if !echoed {
                    caller.act(&peer, &frame, label).await;
                }
                expect(&mut server, &frame, label).await;
                compared += 1;
            }
        }
        drop(server);
        let _ = driver.await.unwrap();
    }
    assert!(compared > 100, "{compared} frames");
}

#[tokio::test(start_paused = true)]
async fn every_probe_is_answered_as_the_recorded_server_did() {
    let file: Value = serde_json::from_str(include_str!("vectors/muxrpc-probes.json")).unwrap();
    for probe in file["probes"].as_array().unwrap() {
        let label = probe["label"].as_str().unwrap();
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let (_peer, driver) = connection(server, api());
        tokio::spawn(driver);
        for frame in probe["send"].as_array().unwrap() {
            client.write_all(&unhex(frame.as_str().unwrap())).await.unwrap();
            // The recorded server worked on each frame before the next came. The clock is paused: this ends when the
            // driver has nothing left to do, and before an endless source has made an item.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for frame in split(&unhex(probe["reply"].as_str().unwrap())) {
            expect(&mut client, &frame, label).await;
        }
        // The recording of an endless source stops somewhere.
        if !label.contains("false") && !label.contains("null") {
            expect_silence(&mut client, label).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_read_yields_the_recorded_items() {
    let scenario = scenarios()
        .into_iter()
        .find(|scenario| scenario["label"] == "source mixed types")
        .unwrap();
    let (ours, mut server) = tokio::io::duplex(1 << 20);
    let (peer, driver) = connection(ours, Router::new());
    tokio::spawn(driver);
    let source = peer.source::<Value>("mixed", ()).await.unwrap();
    for (from_client, bytes) in turns(&scenario).into_iter().take(2) {
        if !from_client {
            server.write_all(&bytes).await.unwrap();
        }
    }
    let items: Vec<_> = source.map(|item| item.unwrap()).collect().await;
    let expected = serde_json::json!([1, "str", {"type": "Buffer", "data": [1, 2]}, {"a": 1}, [1], true, false, null]);
    assert_eq!(Value::from(items), expected);
}
