//! `Gossip` over in-memory streams.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use futures_util::{FutureExt, StreamExt};
use handfast_gossip::{Error, Gossip, Info, Options, secure::Message};
use handfast_json::Value;
use handfast_keys::KeyPair;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

fn keys(number: u8) -> KeyPair {
    KeyPair::from_seed(&[number; 32]).unwrap()
}

fn node(number: u8) -> Gossip {
    Gossip::new(Options::new(keys(number))).unwrap()
}

fn join(a: &Gossip, b: &Gossip) {
    let (one, two) = duplex(64 << 10);
    tokio::spawn(a.create_peer_stream(one));
    tokio::spawn(b.create_peer_stream(two));
}

/// A stream whose other end is in the test's hands.
fn stranger(node: &Gossip) -> (DuplexStream, tokio::task::JoinHandle<Result<(), Error>>) {
    let (one, two) = duplex(64 << 10);
    (two, tokio::spawn(node.create_peer_stream(one)))
}

fn text(message: &(Value, Info)) -> String {
    message.0.to_compact()
}

async fn lines(stream: &mut DuplexStream, until: &str) -> String {
    let mut all = String::new();
    while !all.contains(until) {
        let mut bytes = vec![0; 4096];
        let length = stream.read(&mut bytes).await.unwrap();
        assert_ne!(length, 0, "the stream ended after {all}");
        all.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
    }
    all
}

#[tokio::test(start_paused = true)]
async fn messages_reach_everybody_in_a_line_of_three_and_nobody_hears_their_own() {
    let nodes = [node(1), node(2), node(3)];
    let mut heard = nodes.each_ref().map(Gossip::messages);
    join(&nodes[0], &nodes[1]);
    join(&nodes[1], &nodes[2]);
    let id = nodes[0].publish(json!({ "data": "hello warld" })).unwrap();
    for (hops, heard) in heard.iter_mut().enumerate().skip(1) {
        let message = heard.next().await.unwrap();
        assert_eq!(text(&message), r#"{"data":"hello warld"}"#);
        assert_eq!((message.1.id, message.1.missed), (id, 0));
        assert_eq!(
            message.1.public_text(),
            format!("{}.ed25519", keys(1).public().to_base64())
        );
        assert!(
            message.1.caught_up || usize::from(message.1.hops) == hops,
            "{:?}",
            message.1
        );
    }
    nodes[2].publish(json!({ "reply": true })).unwrap();
    let reply = heard[0].next().await.unwrap();
    assert_eq!(text(&reply), r#"{"reply":true}"#);
    assert!(heard[0].next().now_or_never().is_none());
}

/// What stands beside the `data` of a message is passed on by secure-gossip as it came.
#[tokio::test(start_paused = true)]
async fn an_author_far_away_does_not_change_what_a_link_speaks() {
    for word in [r#""switch":true"#, r#""v":1,"caps":["plum","vv","rbsr"]"#] {
        let gossip = node(1);
        let mut heard = gossip.messages();
        let (mut original, _link) = stranger(&gossip);
        for number in 0..3_u64 {
            let content = handfast_json::to_value(&json!({ "number": number })).unwrap();
            let message = Message::sign_without_proof(&keys(2), &content, number).unwrap();
            let line = String::from_utf8(message.line().to_vec()).unwrap();
            let line = line.replacen('{', &format!("{{\"sg2\":{{{word}}},"), 1);
            original.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        }
        for number in 0..3 {
            let message = heard.next().await.unwrap();
            assert_eq!(text(&message), format!(r#"{{"number":{number}}}"#));
        }
        gossip.publish(json!({ "reply": true })).unwrap();
        assert!(lines(&mut original, "reply").await.contains("\"data\":{\"reply\":true"));
    }
}

#[tokio::test(start_paused = true)]
async fn rounds_by_hand_send_what_is_new_when_they_are_made() {
    let gossip = Gossip::new(Options {
        interval: None,
        ..Options::new(keys(1))
    })
    .unwrap();
    let (mut stream, _) = stranger(&gossip);
    gossip.publish(json!({ "n": 1 })).unwrap();
    lines(&mut stream, "\"sg2\"").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let mut bytes = [0; 1];
    assert!(
        stream.read(&mut bytes).now_or_never().is_none(),
        "nothing goes by itself"
    );
    gossip.gossip();
    let line = lines(&mut stream, "\n").await;
    assert_eq!(
        Message::parse(line.as_bytes()).unwrap().content().to_compact(),
        r#"{"n":1}"#
    );
}

#[tokio::test(start_paused = true)]
async fn stopping_lets_out_what_waits_and_ends_streams_and_readers() {
    let gossip = node(1);
    let mut heard = gossip.messages();
    let (mut stream, task) = stranger(&gossip);
    gossip.publish(json!({ "last": "words" })).unwrap();
    gossip.stop().await;
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains(r#"{"last":"words","#), "{rest}");
    task.await.unwrap().unwrap();
    assert_eq!(heard.next().await, None);
    assert!(matches!(gossip.publish(json!({})), Err(Error::Stopped)));
    let (stream, _other) = duplex(1);
    assert!(matches!(gossip.create_peer_stream(stream).await, Err(Error::Stopped)));
    assert_eq!(gossip.messages().next().await, None);
}

#[tokio::test(start_paused = true)]
async fn stopping_does_not_wait_for_ever_for_a_peer_that_does_not_read() {
    let gossip = node(1);
    let (_stream, task) = stranger(&gossip);
    let long = "x".repeat(60_000);
    for number in 0..10 {
        gossip.publish(json!({ "number": number, "text": long })).unwrap();
    }
    gossip.stop().await;
    task.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_clone_ends_streams_and_readers() {
    let gossip = node(1);
    let mut heard = gossip.messages();
    let (mut stream, task) = stranger(&gossip);
    let other = gossip.clone();
    drop(gossip);
    other.publish(json!({ "still": "there" })).unwrap();
    lines(&mut stream, "still").await;
    drop(other);
    task.await.unwrap().unwrap();
    assert_eq!(heard.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_stream_counts_until_its_future_ends_or_is_dropped() {
    let gossip = node(1);
    let (stream, task) = stranger(&gossip);
    let never_polled = gossip.create_peer_stream(duplex(1).0);
    assert_eq!(gossip.streams(), 2);
    drop(never_polled);
    assert_eq!(gossip.streams(), 1);
    drop(stream);
    // An end that is gone may show as the end or as a broken pipe.
    let _ = task.await.unwrap();
    assert_eq!(gossip.streams(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_does_not_read_loses_the_oldest_and_is_told_how_many() {
    let options = Options {
        queue_messages: 3,
        ..Options::new(keys(1))
    };
    let gossip = Gossip::new(options).unwrap();
    let mut slow = gossip.messages();
    let mut quick = gossip.messages();
    let (mut stream, _) = stranger(&gossip);
    for number in 0..10 {
        let content = handfast_json::parse(format!("{{\"n\":{number}}}")).unwrap();
        let message = Message::sign_without_proof(&keys(9), &content, number).unwrap();
        stream.write_all(message.line()).await.unwrap();
        stream.write_all(b"\n").await.unwrap();
        let (content, info) = quick.next().await.unwrap();
        assert_eq!((content.get("n").unwrap().as_u64(), info.missed), (Some(number), 0));
    }
    let mut got = Vec::new();
    for _ in 0..3 {
        let (content, info) = StreamExt::next(&mut slow).await.unwrap();
        got.push((content.get("n").unwrap().as_u64().unwrap(), info.missed));
    }
    assert_eq!(got, [(7, 7), (8, 0), (9, 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_forgeries_only_is_dropped_with_a_reason() {
    let gossip = node(1);
    let (mut stream, task) = stranger(&gossip);
    tokio::spawn(async move { while stream.write_all(b"nonsense\n").await.is_ok() {} });
    let error = task.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Peer(_)), "{error}");
    assert!(error.to_string().contains("no sound messages"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_the_original_mangles_is_refused_with_advice() {
    let gossip = node(1);
    let error = gossip.publish("a text").unwrap_err().to_string();
    assert!(error.contains("a text") && error.contains("{\"text\": …}"), "{error}");
    assert!(matches!(
        gossip.publish(json!({ "signature": "mine" })),
        Err(Error::Reserved)
    ));
    assert!(matches!(
        gossip.publish(json!({ "text": "x".repeat(70_000) })),
        Err(Error::TooLong { .. })
    ));
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    let error = Gossip::new(Options::new(keys(1))).unwrap_err();
    assert!(error.to_string().contains("tokio runtime"), "{error}");
}
