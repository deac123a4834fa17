//! The program, `handfast snap`, and the stand-in.

use super::super::super::cases::Verdict;
use super::super::super::peers::Peer;
use super::super::program::{handfast, program, ran};
use super::super::{Direction, Title};
use super::ours::Role;
use super::theirs::Theirs;
use super::{Add, title};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::path::Path;

const SERVING: Role = Role::new(0x51);
const CALLING: Role = Role::new(0x52);

pub(super) fn add(add: &mut Add<'_>) {
    let title = |direction| Title {
        direction,
        ..title("the program")
    };
    add(title(Direction::WeCall), Box::pin(dial()));
    add(title(Direction::TheyCall), Box::pin(listen()));
}

/// What is said, and what has to be printed: the exit code, the lines, and a part of what stands on standard error.
async fn said(folder: &Path, target: &str, more: &[&str]) -> Result<Value> {
    let mut command = handfast(folder).await?;
    command
        .args(["snap", "dial", target, "--message", "kia ora"])
        .args(more);
    let ran = ran(command, "").await?;
    Ok(json!({ "code": ran.code, "lines": ran.lines }))
}

async fn dial() -> Result<Vec<Verdict>> {
    program().await?;
    let folder = tempfile::tempdir()?;
    let mut server = Theirs::start()?;
    let mut verdicts = Vec::new();
    let place = format!("127.0.0.1:{}", server.listen(&SERVING, &[]).await?);
    let (who, other) = (SERVING.principal()?.to_string(), CALLING.principal()?.to_string());
    let answered = json!({ "code": 0, "lines": ["kia ora"] });
    for (name, more, expected) in [
        (
            "the demonstration's echo, which never ends its half",
            vec![],
            answered.clone(),
        ),
        ("an echo that ends with us", vec!["--label", "echo"], answered.clone()),
        ("whoever is demanded is there", vec!["--expect", who.as_str()], answered),
        (
            "whoever is demanded is not there",
            vec!["--expect", other.as_str()],
            json!({ "code": 3, "lines": [] }),
        ),
        (
            "another network, whose wallets they refuse",
            vec!["--testnet"],
            json!({ "code": 1, "lines": [] }),
        ),
    ] {
        let outcome = said(folder.path(), &place, &more).await?;
        verdicts.push(Verdict::new(
            &format!("handfast snap dial: {name}"),
            &expected,
            Some(&outcome),
        ));
    }
    Ok(verdicts)
}

async fn listen() -> Result<Vec<Verdict>> {
    program().await?;
    let folder = tempfile::tempdir()?;
    let mut command = handfast(folder.path()).await?;
    command.args(["snap", "listen", "0", "--echo", "--visibility", "public"]);
    let mut server = Peer::start("handfast snap listen", &mut command)?;
    let line = server.line().await?;
    let mut words = line.split(' ');
    let (listening, place, principal) = (words.next(), words.next(), words.next());
    anyhow::ensure!(listening == Some("listening"), "instead of its place it says {line:?}");
    let port = place
        .and_then(|place| place.rsplit(':').next())
        .context("a port")?
        .parse()?;
    let mut client = Theirs::start()?;
    let cases = [
        ("an echo", json!({ "answer": "ping over a stream" })),
        ("an echo of nothing", json!({ "answer": "" })),
        ("an echo of 300 KiB", json!({ "$bytes": 300 << 10 })),
        ("an echo of 8 MiB", json!({ "$bytes": 8 << 20 })),
        ("100 streams at once", json!({ "right": 100 })),
        ("PING is answered", json!({ "pongs": 3 })),
    ];
    client
        .dial(&CALLING, port, None, &cases.each_ref().map(|(name, _)| *name))
        .await?;
    let expected = json!({ "peer": principal });
    let met = Verdict::new(
        "the principal that it prints is the one it proves",
        &expected,
        Some(&client.met().await?),
    );
    let played = Verdict::all(cases, client.results().await?);
    let named = |mut verdict: Verdict| {
        verdict.name.insert_str(0, "handfast snap listen: ");
        verdict
    };
    Ok(std::iter::once(met).chain(played).map(named).collect())
}
