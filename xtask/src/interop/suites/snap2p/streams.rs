//! What passes over a session, both ways, and how it ends.

use super::super::super::cases::{Verdict, pattern};
use super::super::{Direction, Title};
use super::ours::{self, Role};
use super::theirs::Theirs;
use super::{Add, title};
use anyhow::{Context as _, Result};
use handfast_snap2p::Peer;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

/// How long one case of ours may take; theirs have their own deadline.
const DEADLINE: Duration = Duration::from_secs(45);
/// Sessions in a row, in each of which the fault of the reference could strike: it loses what follows its handshake too closely.
const IN_A_ROW: usize = 50;

/// The reference waits 10 s for a PONG, which on a busy machine may lie behind 32 MiB of data for longer.
const CALLING: Role = Role {
    special: r#"{"pongTimeout":60000}"#,
    ..Role::new(0x21)
};
const SERVING: Role = Role {
    special: CALLING.special,
    ..Role::new(0x22)
};

/// Waits for a frame before it speaks: so two of theirs do not lose each other.
const PATIENT: Role = Role {
    special: r#"{"patient":true,"pongTimeout":60000}"#,
    ..CALLING
};

/// What everybody asks of everybody, and what has to come of it.
fn cases() -> Vec<(&'static str, Value)> {
    let answer = |text: &str| json!({ "answer": text });
    vec![
        ("an echo", answer("ping over a stream")),
        ("an echo of nothing", answer("")),
        ("an echo of 300 KiB", json!({ "$bytes": 300 << 10 })),
        ("an echo of 8 MiB", json!({ "$bytes": 8 << 20 })),
        ("a label in other scripts", answer("naïve ☕")),
        ("no label", answer("no label")),
        ("an answer behind the end of the question", answer("8")),
        (
            "an answer that ends before the question",
            json!({ "answer": "bye", "heard": "10" }),
        ),
        (
            "a stream that the other side opens",
            json!({ "answer": "5", "heard": "hello" }),
        ),
        ("32 MiB to the other side", answer(r#"{"$bytes":33554432}"#)),
        ("32 MiB from the other side", json!({ "$bytes": 32 << 20 })),
        ("100 streams at once", json!({ "right": 100 })),
        ("a stream that is broken off", json!({ "code": 17 })),
        ("the other side says PING", json!({ "pings": 1 })),
        ("PING is answered", json!({ "pongs": 3 })),
    ]
}

/// What only the stand-in asks.
fn oddities() -> Vec<(&'static str, Value)> {
    vec![
        ("data of no stream", json!({ "code": 10 })),
        ("one stream more than 100", json!({ "code": 16, "right": 100 })),
        (
            "a write of 4 MiB in one frame",
            json!({ "answer": (4 << 20).to_string() }),
        ),
        (
            "a message of a type that nobody knows",
            json!({ "answer": "still here" }),
        ),
    ]
}

pub(super) fn add(add: &mut Add<'_>) {
    let mut put = |direction, work| {
        add(
            Title {
                direction,
                ..title("streams")
            },
            work,
        )
    };
    put(Direction::Reference, Box::pin(with_itself()));
    put(Direction::WeCall, Box::pin(we_call()));
    put(Direction::TheyCall, Box::pin(they_call()));
}

async fn with_itself() -> Result<Vec<Verdict>> {
    let (mut server, mut client) = (Theirs::start()?, Theirs::start()?);
    let mut verdicts = vec![Verdict::new(
        "the recorded conversations, byte for byte",
        &json!([
            { "side": "initiator", "frames": 11, "alike": 11, "surplus": 0 },
            { "side": "responder", "frames": 9, "alike": 9, "surplus": 0 },
        ]),
        Some(&client.replay().await?),
    )];
    let port = server.listen(&SERVING, &[]).await?;
    let expected: Vec<_> = cases().into_iter().chain(oddities()).collect();
    verdicts.extend(play_theirs(&mut client, &PATIENT, port, expected).await?);
    let hasty = hasty(&mut client, port).await?;
    verdicts.push(Verdict::new(
        "a PING that comes with AUTH_OK ends the session",
        &json!("closed"),
        Some(&hasty),
    ));
    Ok(verdicts)
}

/// The cases, as the stand-in plays them.
async fn play_theirs(
    client: &mut Theirs,
    role: &Role,
    port: u16,
    expected: Vec<(&str, Value)>,
) -> Result<Vec<Verdict>> {
    let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    client.dial(role, port, None, &names).await?;
    let met = client.met().await?;
    let met = Verdict::new(
        "each proves who it is",
        &json!({ "peer": SERVING.principal()?.to_string() }),
        Some(&met),
    );
    let played = Verdict::all(expected, client.results().await?);
    Ok(std::iter::once(met).chain(played).collect())
}

/// A dialler whose PING goes into the same packet as its AUTH_OK, as that of the reference does if the moment is right.
async fn hasty(client: &mut Theirs, port: u16) -> Result<Value> {
    let hasty = Role {
        special: r#"{"hasty":true,"pongTimeout":1000}"#,
        ..CALLING
    };
    client.dial(&hasty, port, None, &[]).await?;
    client.alive().await
}

async fn we_call() -> Result<Vec<Verdict>> {
    let mut server = Theirs::start()?;
    let port = server.listen(&SERVING, &[]).await?;
    let peer = CALLING.ours().await?;
    let session = peer.dial(format!("127.0.0.1:{port}")).await?;
    let mut incoming = session.incoming().context("nobody else has it")?;
    let proved = json!([session.principal().to_string(), server.met().await?]);
    let expected = json!([SERVING.principal()?.to_string(), { "peer": CALLING.principal()?.to_string() }]);
    let mut verdicts = vec![Verdict::new("each proves who it is", &expected, Some(&proved))];
    let ours = ("300 streams at once, of which 200 wait", json!({ "right": 300 }));
    for (name, expected) in cases().into_iter().chain([ours]) {
        let outcome = match timeout(DEADLINE, ours::play(name, &session, &mut incoming)).await {
            Ok(outcome) => outcome.unwrap_or_else(|error| json!({ "error": format!("{error:#}") })),
            Err(_) => json!({ "timeout": true }),
        };
        verdicts.push(Verdict::new(name, &expected, Some(&outcome)));
    }
    session.close().await;
    verdicts.push(verdict(
        "the session is closed",
        timeout(DEADLINE, server.closed()).await?,
    ));
    let in_a_row = timeout(4 * DEADLINE, in_a_row(&peer, &mut server, port)).await?;
    verdicts.push(verdict(
        &format!("{IN_A_ROW} sessions in a row, each with an echo at once"),
        in_a_row,
    ));
    verdicts.push(verdict(
        "the demonstration's echo, which never ends its half",
        demonstration(&peer, port).await,
    ));
    Ok(verdicts)
}

fn verdict(name: &str, result: Result<()>) -> Verdict {
    Verdict {
        name: name.to_owned(),
        complaint: result.err().map(|error| format!("{error:#}")),
    }
}

async fn in_a_row(peer: &Peer, server: &mut Theirs, port: u16) -> Result<()> {
    for number in 0..IN_A_ROW {
        let session = peer.dial(format!("127.0.0.1:{port}")).await?;
        let mut incoming = session.incoming().context("nobody else has it")?;
        let echo = ours::play("an echo", &session, &mut incoming).await;
        let echo = echo.with_context(|| format!("session {number}"))?;
        anyhow::ensure!(
            echo == json!({ "answer": "ping over a stream" }),
            "session {number}: {echo}"
        );
        let meeting = server.meeting().await?;
        anyhow::ensure!(
            meeting.get("lost") == Some(&json!(false)),
            "session {number}: it lost what we said: {meeting}"
        );
        session.close().await;
    }
    Ok(())
}

async fn demonstration(peer: &Peer, port: u16) -> Result<()> {
    let session = peer.dial(format!("127.0.0.1:{port}")).await?;
    let mut stream = session.open_stream("message").await?;
    let question = pattern(1000);
    stream.write_all(&question).await?;
    let mut answer = vec![0; question.len()];
    timeout(DEADLINE, stream.read_exact(&mut answer)).await??;
    anyhow::ensure!(answer == question, "another answer");
    session.close().await;
    Ok(())
}

async fn they_call() -> Result<Vec<Verdict>> {
    let peer = SERVING.ours().await?;
    let port = peer.listen("127.0.0.1:0").await?.port();
    let (ended, mut endings) = tokio::sync::mpsc::channel(8);
    let accepting = tokio::spawn({
        let peer = peer.clone();
        async move {
            while let Some((session, incoming)) = peer.accept().await {
                let ended = ended.clone();
                tokio::spawn(ours::serve(session.clone(), incoming));
                tokio::spawn(async move {
                    let why = session.closed().await;
                    // Nobody asks any more.
                    let _ = ended.send((*session.principal(), ours::failed(&why))).await;
                });
            }
        }
    });
    let mut client = Theirs::start()?;
    let expected = cases().into_iter().chain(oddities()).collect();
    let mut verdicts = play_theirs(&mut client, &CALLING, port, expected).await?;
    let (principal, why) = timeout(DEADLINE, endings.recv()).await?.context("an end")?;
    let outcome = json!([principal.to_string(), why]);
    let expected = json!([CALLING.principal()?.to_string(), { "closed": true }]);
    verdicts.push(Verdict::new("the session is closed", &expected, Some(&outcome)));
    let hasty = hasty(&mut client, port).await?;
    verdicts.push(Verdict::new(
        "a PING that comes with AUTH_OK is heard",
        &json!("alive"),
        Some(&hasty),
    ));
    accepting.abort();
    peer.close().await;
    Ok(verdicts)
}
