//! The suite shs1-test against `crates/shs/examples/subject.rs`: well-behaved peers, and peers that misbehave in each message.

use super::super::cases::Verdict;
use super::super::node;
use super::{Add, Direction, List, Title, executable};
use anyhow::{Context as _, Result};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

const PROJECT: &str = "shs1-test";
/// Each seed makes the suite draw other keys and other ways to misbehave.
const SEEDS: [&str; 4] = ["00", "01", "02", "03"];
/// How long one run may take: it starts our example some thirty times.
const DEADLINE: Duration = Duration::from_secs(120);

pub(super) fn add(add: &mut Add<'_>) -> Result<()> {
    let peer = format!("{PROJECT} {}", node::version(PROJECT, PROJECT)?);
    let title = Title {
        peer,
        list: List::Misbehaviour,
        direction: Direction::Both,
    };
    add(title, Box::pin(play()));
    Ok(())
}

async fn play() -> Result<Vec<Verdict>> {
    let subject = executable(&["--package", "handfast-shs", "--example", "subject"]).await?;
    let mut verdicts = Vec::new();
    for (script, role) in [("test-server.js", "server"), ("test-client.js", "client")] {
        for seed in SEEDS {
            let mut suite = Command::new("node");
            suite.arg(node::folder().join(PROJECT).join("node_modules/shs1-test").join(script));
            suite.arg(&subject).arg(seed).stdin(Stdio::null()).kill_on_drop(true);
            let ended = tokio::time::timeout(DEADLINE, suite.output()).await;
            let output = ended.with_context(|| format!("{script} was not done after {DEADLINE:?}"))??;
            let said = String::from_utf8_lossy(&output.stdout);
            let passed = output.status.success() && said.contains("Passed the");
            verdicts.push(Verdict {
                name: format!("our {role} passes the suite with seed {seed}"),
                complaint: (!passed).then(|| format!("{}, it said: {}", output.status, said.trim())),
            });
        }
    }
    Ok(verdicts)
}
