//! The provider over HTTP against a node that answers what each test wants.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use handfast_snap2p::{
    Address, ChainFault, Error,
    chain::{Balance, ChainProvider, ContractCall, Http, Options},
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

const ADDRESS: &str = "SP1THWXQ8368SDN2MJGE4BMDKMCHZ2GSVTS1X0BPM";

/// A node for one question, which gives back what it was asked.
async fn node(answer: impl Into<Vec<u8>>) -> (String, JoinHandle<Vec<u8>>) {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut question = Vec::new();
        while !is_whole(&question) {
            assert_ne!(socket.read_buf(&mut question).await.unwrap(), 0);
        }
        // Whoever has heard enough hangs up.
        let _ = socket.write_all(&answer).await;
        question
    });
    (base, asked)
}

fn is_whole(question: &[u8]) -> bool {
    let Some(end) = question.windows(4).position(|four| four == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&question[..end]).to_lowercase();
    let len = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    question.len() >= end + 4 + len.map_or(0, |len| len.parse().unwrap())
}

fn http(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn ok(body: &str) -> String {
    http("200 OK", body)
}

fn address() -> Address {
    ADDRESS.parse().unwrap()
}

fn call(function: &str) -> ContractCall {
    ContractCall {
        contract: address(),
        name: "pox-4".into(),
        function: function.into(),
        sender: address(),
        arguments: vec![vec![0, 0x11, 0xff], vec![3]],
    }
}

fn fault<T: std::fmt::Debug>(result: Result<T, Error>) -> ChainFault {
    match result {
        Err(Error::Chain(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn balance_and_nonce_are_those_of_the_account() {
    let account =
        r#"{"balance":"0x0000000000000000000000003b9aca00","locked":"0x0a","unlock_height":0,"nonce":7,"x":[]}"#;
    let (base, asked) = node(ok(account)).await;
    let balance = Http::new(&base).unwrap().balance(&address()).await.unwrap();
    assert_eq!(
        balance,
        Balance {
            free: 1_000_000_000,
            locked: 10
        }
    );
    let asked = String::from_utf8(asked.await.unwrap()).unwrap();
    assert!(
        asked.starts_with(&format!("GET /v2/accounts/{ADDRESS}?proof=0 HTTP/1.1\r\n")),
        "{asked}"
    );

    // Behind a path, with or without a slash at its end.
    for slash in ["", "/"] {
        let (base, asked) = node(ok(account)).await;
        let node = Http::new(&format!("{base}/stacks{slash}")).unwrap();
        assert_eq!(node.nonce(&address()).await.unwrap(), 7);
        assert!(asked.await.unwrap().starts_with(b"GET /stacks/v2/accounts/SP1"));
    }
}

#[tokio::test]
async fn a_contract_is_asked_with_serialised_values() {
    let (base, asked) = node(ok(r#"{"okay":true,"result":"0x0703"}"#)).await;
    let answer = Http::new(&base)
        .unwrap()
        .read_only_call(&call("get-it?"))
        .await
        .unwrap();
    assert_eq!(answer, [7, 3]);
    let asked = String::from_utf8(asked.await.unwrap()).unwrap();
    let path = format!("POST /v2/contracts/call-read/{ADDRESS}/pox-4/get-it%3F HTTP/1.1\r\n");
    assert!(asked.starts_with(&path), "{asked}");
    assert!(asked.contains("content-type: application/json"), "{asked}");
    let body: serde_json::Value = serde_json::from_str(asked.rsplit("\r\n\r\n").next().unwrap()).unwrap();
    assert_eq!(
        body,
        serde_json::json!({ "sender": ADDRESS, "arguments": ["0x0011ff", "0x03"] })
    );
}

#[tokio::test]
async fn what_a_contract_does_not_answer_is_said() {
    let (base, _) = node(ok(r#"{"okay":false,"cause":"Unchecked(NoSuchPublicFunction)"}"#)).await;
    let answer = Http::new(&base).unwrap().read_only_call(&call("get")).await;
    assert!(matches!(fault(answer), ChainFault::Call(cause) if cause.contains("NoSuchPublicFunction")));
    for name in ["", "../..", "a b", "é", &"x".repeat(129)] {
        let error = Http::new(&base).unwrap().read_only_call(&call(name)).await.unwrap_err();
        assert!(matches!(error, Error::Misuse(_)), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_transaction_is_handed_in_as_it_is() {
    let id = "4068179cb9169b969c80518d83890f8b808a70ab998dd227149221be9480a616";
    for prefix in ["", "0x"] {
        let (base, asked) = node(ok(&format!("\"{prefix}{id}\""))).await;
        let answer = Http::new(&base).unwrap().broadcast(b"\0\xff\r\n\r\n!").await.unwrap();
        assert_eq!(answer.to_string(), id);
        let asked = asked.await.unwrap();
        assert!(asked.starts_with(b"POST /v2/transactions HTTP/1.1\r\n"));
        assert!(asked.ends_with(b"\0\xff\r\n\r\n!"));
    }
}

#[tokio::test]
async fn a_refusal_comes_with_the_reason_of_the_node() {
    let body = r#"{"error":"transaction rejected","reason":"BadNonce","reason_data":{"actual":3},"txid":"0x40"}"#;
    let (base, _) = node(http("400 Bad Request", body)).await;
    match fault(Http::new(&base).unwrap().broadcast(b"x").await) {
        ChainFault::Refused {
            status: 400, reason, ..
        } => assert_eq!(reason, "transaction rejected: BadNonce"),
        other => panic!("{other:?}"),
    }
    let (base, _) = node(http(
        "429 Too Many Requests",
        &format!("\u{1b}[2Jslow down{}", "!".repeat(2000)),
    ))
    .await;
    match fault(Http::new(&base).unwrap().nonce(&address()).await) {
        ChainFault::Refused {
            status: 429, reason, ..
        } => {
            assert!(
                reason.contains("slow down") && !reason.contains('\u{1b}') && reason.len() < 400,
                "{reason}"
            );
        }
        other => panic!("{other:?}"),
    }
    // Nobody is asked in its place.
    let (base, _) = node("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n").await;
    let refused = fault(Http::new(&base).unwrap().nonce(&address()).await);
    assert!(
        matches!(refused, ChainFault::Refused { status: 302, .. }),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_no_answer() {
    for body in [
        "",
        "null",
        "{}",
        "{\"balance\":\"0xzz\",\"nonce\":1}",
        "{\"balance\":\"0x+1\",\"nonce\":1}",
        "{\"balance\":\"12\",\"nonce\":1}",
    ] {
        let (base, _) = node(ok(body)).await;
        let refused = fault(Http::new(&base).unwrap().balance(&address()).await);
        assert!(matches!(refused, ChainFault::Malformed { .. }), "{body}: {refused:?}");
    }
    for body in ["\"\"", "\"0x12\"", "12", "{\"txid\":\"\"}"] {
        let (base, _) = node(ok(body)).await;
        let refused = fault(Http::new(&base).unwrap().broadcast(b"x").await);
        assert!(matches!(refused, ChainFault::Malformed { .. }), "{body}: {refused:?}");
    }
    for body in [
        r#"{"okay":true}"#,
        r#"{"okay":true,"result":"0x1"}"#,
        r#"{"okay":true,"result":"0x+1"}"#,
    ] {
        let (base, _) = node(ok(body)).await;
        let refused = fault(Http::new(&base).unwrap().read_only_call(&call("get")).await);
        assert!(matches!(refused, ChainFault::Malformed { .. }), "{body}: {refused:?}");
    }
}

#[tokio::test]
async fn a_node_that_talks_for_ever_is_not_listened_to() {
    let options = Options {
        answer_max: 1000,
        ..Options::default()
    };
    // It announces nothing, so only counting helps.
    let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\"{}\"", "x".repeat(5000));
    let (base, _) = node(answer).await;
    let refused = fault(Http::with(&base, options).unwrap().broadcast(b"x").await);
    assert!(
        matches!(refused, ChainFault::Malformed { ref why, .. } if why.contains("too long")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_node_that_is_silent_or_gone_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let options = Options {
        timeout: Duration::from_millis(50),
        ..Options::default()
    };
    let silent = fault(Http::with(&base, options).unwrap().nonce(&address()).await);
    assert!(matches!(silent, ChainFault::Unreachable { .. }), "{silent:?}");
    drop(listener);
    let gone = fault(Http::new(&base).unwrap().nonce(&address()).await);
    let text = Error::from(gone).to_string();
    assert!(text.contains("a nonce") && text.contains("refused"), "{text}");
}

#[test]
fn only_addresses_of_nodes_are_taken() {
    for base in [
        "",
        "127.0.0.1:80",
        "ftp://host",
        "unix:/x",
        "http://host/?q",
        "http://host/#f",
        "file:///etc",
    ] {
        let refused = Http::new(base);
        assert!(
            matches!(refused, Err(Error::Chain(ChainFault::Address(_)))),
            "{base}: {refused:?}"
        );
    }
}
