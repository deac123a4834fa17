//! The commands that talk to the running node, against a node that answers what a test wants.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use futures_util::{StreamExt, stream};
use handfast_mux::{
    RemoteError,
    tokio::{Router, connection},
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    process::{Output, Stdio},
};
use support::{printed, program, run, text};
use tempfile::TempDir;

const ID: &str = "@U5GvOKP/YUza9k53DSXxT0mk3PIrnyAmessvNfZl5E0=.ed25519";
const PEER: &str = "@iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=.ed25519";
const ADDRESS: &str = "net:127.0.0.1:8008~shs:iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=";

fn peer() -> Value {
    json!({
        "number": 1, "id": PEER, "address": "net:192.0.2.7:1\u{9b}2J", "direction": "outgoing", "transport": "net",
        "basis": "anonymous", "since": 0, "bytesIn": 1234, "bytesOut": 5, "rateIn": 10, "rateOut": 0
    })
}

fn status(uptime: u64) -> Value {
    let mut owner = peer();
    owner["basis"] = json!("owner");
    json!({
        "id": ID,
        "listening": [],
        "addresses": { "device": "net:127.0.0.1:1~shs:KEY" },
        "peers": [peer(), owner],
        "stats": { "uptime": uptime, "calls": 3 },
        "rateIn": 10,
        "rateOut": 0,
        "newer": [1]
    })
}

/// What a node would do, without being one.
fn node() -> Router {
    Router::new()
        .call("control.status", |_cx, ()| async { Ok(status(1000)) })
        .source("control.watch", |_cx, milliseconds: u64| {
            // Three looks, and the interval that was asked for, as a number to look at.
            stream::iter((0..3).map(move |_| Ok(status(milliseconds))))
        })
        .call("control.peers", |_cx, ()| async { Ok(status(0)["peers"].clone()) })
        .call("control.connect", |_cx, address: String| async move {
            match address.as_str() {
                ADDRESS => Ok(peer()),
                other => Err(RemoteError::new(format!("cannot reach {other}\u{1b}[2J"))),
            }
        })
        .call("control.disconnect", |_cx, who: String| async move {
            Ok(u64::from(who == PEER))
        })
        .call("control.perms", |_cx, id: Option<String>| async move {
            Ok(json!({
                "id": id, "basis": "auth",
                "methods": [{ "name": "manifest", "kind": "sync", "allowed": true, "rule": "allowed by rule allow:manifest" }]
            }))
        })
}

/// A directory in which a node seems to run.
struct Running {
    dir: TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl Running {
    fn start(api: Router) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let path = dir.path().join("socket");
        let listener = runtime
            .block_on(async { tokio::net::UnixListener::bind(path) })
            .unwrap();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (_peer, driver) = connection(stream, api.clone());
                tokio::spawn(driver);
            }
        });
        Self { dir, _runtime: runtime }
    }

    fn run(&self, args: &[&str]) -> Output {
        run(self.dir.path(), args)
    }
}

fn json_lines(printed: &str) -> Vec<Value> {
    printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn status_is_printed_once_where_there_is_no_terminal() {
    let node = Running::start(node());
    for args in [&["status"][..], &["status", "--once"]] {
        let shown = printed(&node.run(args), 0);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(
            lines[..5],
            [
                ID,
                "up 1 s, 1 peer, in 10 B/s, out 0 B/s",
                "device   net:127.0.0.1:1~shs:KEY",
                "so far   3 calls, 0 streams, 0 failed, 0 denied, 0 connections refused",
                "peers by transport: net 1 out"
            ]
        );
        assert!(
            lines[7].starts_with(PEER) && lines[7].ends_with("net:192.0.2.7:1\\u{9b}2J"),
            "{shown}"
        );
        assert_eq!(lines.len(), 8, "the owner is no peer: {shown}");
    }
}

#[test]
fn status_as_json_is_what_the_node_said_and_steers_no_terminal() {
    let node = Running::start(node());
    let shown = printed(&node.run(&["status", "--json"]), 0);
    assert!(!shown.contains('\u{9b}'));
    assert_eq!(json_lines(&shown), [status(1000)]);
}

#[test]
fn watching_prints_a_look_per_interval_until_the_node_ends() {
    let node = Running::start(node());
    let shown = printed(&node.run(&["status", "--json", "--watch", "--interval", "0.25"]), 0);
    assert_eq!(json_lines(&shown), [status(250), status(250), status(250)]);
    let shown = printed(&node.run(&["status", "--watch"]), 0);
    assert_eq!(shown.matches("up 1 s").count(), 3, "{shown}");
    printed(&node.run(&["status", "--once", "--watch"]), 2);
    printed(&node.run(&["status", "--interval", "0"]), 2);
}

#[test]
fn a_watch_that_is_cut_is_no_silent_end() {
    let api = Router::new().source("control.watch", |cx, _interval: u64| {
        let peer = cx.remote().clone();
        stream::once(async { Ok(status(1)) }).chain(stream::once(async move {
            peer.abort("the node ends");
            Ok(status(2))
        }))
    });
    let node = Running::start(api);
    let output = node.run(&["status", "--json", "--watch"]);
    printed(&output, 3);
    assert!(
        text(&output.stderr).contains("the node is gone"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn peers_are_listed_connected_and_disconnected() {
    let node = Running::start(node());
    let listed = printed(&node.run(&["peers"]), 0);
    assert!(
        listed.starts_with("PEER") && listed.contains(PEER) && listed.contains("1.2 kB"),
        "{listed}"
    );
    let listed = printed(&node.run(&["peers", "--json"]), 0);
    assert_eq!(json_lines(&listed), *status(0)["peers"].as_array().unwrap());

    assert_eq!(
        printed(&node.run(&["connect", ADDRESS]), 0),
        format!("connected {PEER}\n")
    );
    assert_eq!(
        json_lines(&printed(&node.run(&["connect", ADDRESS, "--json"]), 0)),
        [peer()]
    );
    let refused = node.run(&["connect", &ADDRESS.replace("8008", "8009")]);
    printed(&refused, 1);
    let said = text(&refused.stderr);
    assert!(
        said.contains("the node says: cannot reach net:127.0.0.1:8009") && !said.contains('\u{1b}'),
        "{said}"
    );
    printed(&node.run(&["connect", "net:127.0.0.1:80080~shs:KEY"]), 2);

    assert_eq!(
        printed(&node.run(&["disconnect", PEER]), 0),
        format!("disconnected {PEER}\n")
    );
    let nobody = node.run(&["disconnect", ID, "--json"]);
    assert_eq!(json_lines(&printed(&nobody, 1)), [json!({ "disconnected": 0 })]);
    assert!(text(&nobody.stderr).contains("no connection with"));
}

#[test]
fn permissions_are_those_of_a_stranger_or_of_the_key_that_is_named() {
    let node = Running::start(node());
    let shown = printed(&node.run(&["perms"]), 0);
    assert!(
        shown.starts_with("a stranger has the rights that auth gives\nMETHOD"),
        "{shown}"
    );
    assert!(
        shown.contains("manifest  sync  allowed  -       allowed by rule allow:manifest"),
        "{shown}"
    );
    let shown = json_lines(&printed(&node.run(&["perms", PEER, "--json"]), 0));
    assert_eq!(shown[0]["id"], PEER);
    printed(&node.run(&["perms", "nonsense"]), 2);
}

#[test]
fn the_own_node_is_asked_for_its_methods_and_called_like_any_peer() {
    let node = Running::start(node().sync("add", |_cx, (a, b): (f64, f64)| Ok(a + b)));
    let shown = printed(&node.run(&["manifest"]), 0);
    assert!(
        shown.starts_with("METHOD") && shown.contains("control.watch       source"),
        "{shown}"
    );
    let shown = json_lines(&printed(&node.run(&["manifest", "--json"]), 0));
    assert_eq!(shown[0]["control"]["watch"], "source");

    assert_eq!(printed(&node.run(&["call", "local", "add", "1", "2"]), 0), "3\n");
    assert_eq!(
        printed(&node.run(&["call", "local", "add", "1", "2", "--json"]), 0),
        "3\n"
    );
    let missing = node.run(&["call", "local", "nosuch"]);
    printed(&missing, 1);
    let as_somebody = node.run(&["call", "local", "add", "--anonymous"]);
    printed(&as_somebody, 2);
}

#[test]
fn where_no_node_runs_the_remedy_is_named() {
    let empty = tempfile::tempdir().unwrap();
    // A node that was killed leaves its socket behind.
    let killed = tempfile::tempdir().unwrap();
    drop(std::os::unix::net::UnixListener::bind(killed.path().join("socket")).unwrap());
    for dir in [empty.path(), killed.path()] {
        for args in [
            &["status"][..],
            &["status", "--json"],
            &["peers"],
            &["connect", ADDRESS],
            &["disconnect", PEER],
            &["manifest"],
            &["perms"],
            &["call", "local", "manifest"],
        ] {
            let output = run(dir, args);
            printed(&output, 3);
            let remedy = format!("handfast --dir {} start", dir.display());
            assert!(text(&output.stderr).contains(&remedy), "{}", text(&output.stderr));
        }
    }
}

#[test]
fn what_a_method_answers_steers_no_terminal() {
    let node =
        Running::start(Router::new().call("hostile", |_cx, ()| async { Ok(json!({ "a": "\u{9b}2J\u{202e}" })) }));
    let shown = printed(&node.run(&["call", "local", "hostile"]), 0);
    assert_eq!(shown, "{\"a\":\"\\u009b2J\\u202e\"}\n");
    assert_eq!(json_lines(&shown), [json!({ "a": "\u{9b}2J\u{202e}" })]);
}

#[test]
fn a_reader_that_has_seen_enough_ends_watching_quietly() {
    let endless = Router::new().source("control.watch", |_cx, _interval: u64| {
        stream::repeat_with(|| Ok(status(1)))
    });
    let node = Running::start(endless);
    let mut child = program(node.dir.path())
        .args(["status", "--json", "--watch"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    lines.read_line(&mut String::new()).unwrap();
    drop(lines);
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), text(&ended.stderr).as_str()), (Some(0), ""));
}
