//! The processes of the peers. What they are made of, `node.rs` installs.

use super::node;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::collections::VecDeque;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// How long a peer may say nothing. Its own deadline for a case is a quarter of this, so that this one tells of a peer that
/// hangs as a whole.
const SILENCE: Duration = Duration::from_secs(60);

/// How many lines of a peer's standard error are kept, to be shown when it fails.
const KEPT_LINES: usize = 30;

/// One running script. Dropping it kills the process; should this program itself be killed, the script sees its standard
/// input end and leaves by itself.
pub(crate) struct Peer {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    complaints: Arc<Mutex<VecDeque<String>>>,
}

impl Peer {
    /// Starts a script of `xtask/peers` with `--name value` pairs.
    pub(crate) fn script(script: &str, options: &[(&str, &str)]) -> Result<Self> {
        let mut command = Command::new("node");
        command.arg(node::folder().join(script));
        for (name, value) in options {
            command.arg(format!("--{name}")).arg(value);
        }
        Self::start(script, &mut command)
    }

    /// Starts a program whose lines are awaited.
    pub(crate) fn start(name: &str, command: &mut Command) -> Result<Self> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let stdout = child.stdout.take().context("standard output is piped")?;
        let stderr = child.stderr.take().context("standard error is piped")?;
        let complaints = Arc::new(Mutex::new(VecDeque::new()));
        let kept = complaints.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == KEPT_LINES {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        });
        Ok(Self {
            name: name.to_owned(),
            stdin: child.stdin.take(),
            lines: BufReader::new(stdout).lines(),
            child,
            complaints,
        })
    }

    /// Takes the standard input, for peers that are told what to do. They end when it is dropped.
    pub(crate) fn take_stdin(&mut self) -> Result<ChildStdin> {
        self.stdin.take().context("somebody else has taken the standard input")
    }

    /// The number of the process, while it runs.
    pub(crate) fn process(&self) -> Option<u32> {
        self.child.id()
    }

    /// The next line of standard output.
    pub(crate) async fn line(&mut self) -> Result<String> {
        match tokio::time::timeout(SILENCE, self.line_at_last()).await {
            Ok(line) => line,
            Err(_) => bail!("{} said nothing for {SILENCE:?}{}", self.name, self.complaints().await),
        }
    }

    /// The next line of standard output, however long it takes.
    pub(crate) async fn line_at_last(&mut self) -> Result<String> {
        match self.lines.next_line().await {
            Ok(Some(line)) => Ok(line),
            Ok(None) => bail!("{} ended early{}", self.name, self.complaints().await),
            Err(error) => Err(error).with_context(|| format!("cannot read what {} says", self.name)),
        }
    }

    /// The next fact.
    pub(crate) async fn event(&mut self) -> Result<Value> {
        match tokio::time::timeout(SILENCE, self.event_at_last()).await {
            Ok(event) => event,
            Err(_) => bail!("{} told nothing for {SILENCE:?}{}", self.name, self.complaints().await),
        }
    }

    /// The next fact, however long it takes. Packages print as they please, so other lines are passed over.
    pub(crate) async fn event_at_last(&mut self) -> Result<Value> {
        loop {
            let line = self.line_at_last().await?;
            let Ok(event @ Value::Object(_)) = serde_json::from_str::<Value>(&line) else {
                continue;
            };
            match event.get("event").and_then(Value::as_str) {
                Some("crash") => bail!("{} crashed: {}", self.name, text(&event, "stack")?),
                Some(_) => return Ok(event),
                None => {}
            }
        }
    }

    /// The next fact of this name; those before it are dropped.
    pub(crate) async fn until(&mut self, name: &str) -> Result<Value> {
        loop {
            let event = self.event().await?;
            if event.get("event").and_then(Value::as_str) == Some(name) {
                return Ok(event);
            }
        }
    }

    /// All results, in order, until the script is done.
    pub(crate) async fn results(&mut self) -> Result<Vec<(String, Value)>> {
        let mut results = Vec::new();
        loop {
            let event = self.event().await?;
            match event.get("event").and_then(Value::as_str) {
                Some("result") => {
                    let outcome = event.get("outcome").cloned().unwrap_or_default();
                    results.push((text(&event, "case")?.to_owned(), outcome));
                }
                Some("done") => return Ok(results),
                _ => {}
            }
        }
    }

    /// Waits until a server that tells of its connections has seen so many begin and end.
    pub(crate) async fn until_all_closed(&mut self, connections: usize) -> Result<()> {
        let (mut connected, mut closed) = (0, 0);
        while connected < connections || closed < connected {
            let event = self.event().await.with_context(|| {
                format!("{connected} of {connections} connections have begun and {closed} have ended")
            })?;
            match event.get("event").and_then(Value::as_str) {
                Some("connected") => connected += 1,
                Some("closed") => closed += 1,
                _ => {}
            }
        }
        Ok(())
    }

    async fn complaints(&self) -> String {
        // What a dying process wrote last may still be on its way through the task that reads it.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let kept = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().fold(String::new(), |all, line| all + "\n    | " + line)
    }
}

/// A text field of a fact.
pub(crate) fn text<'a>(event: &'a Value, field: &str) -> Result<&'a str> {
    event
        .get(field)
        .and_then(Value::as_str)
        .with_context(|| format!("no text {field:?} in {event}"))
}
