//! The JavaScript peers: their packages, and their processes.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The npm projects, each with a lock file of its own: releases that cannot live in one tree.
const PROJECTS: [&str; 3] = ["core", "mux6", "stack6"];

/// How long a peer may say nothing. Its own deadline for a case is a quarter of this, so that this one tells of a peer that
/// hangs as a whole.
const SILENCE: Duration = Duration::from_secs(60);

/// How many lines of a peer's standard error are kept, to be shown when it fails.
const KEPT_LINES: usize = 30;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    // `cargo run` names the manifest's directory at run time; a binary started by hand falls back to where it was built.
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&xtask).parent().map(Path::to_path_buf).unwrap_or_default()
}

fn folder() -> PathBuf {
    root().join("xtask").join("peers")
}

/// Installs the packages of every project whose `node_modules` is missing or older than its lock file.
pub(crate) async fn install() -> Result<()> {
    for project in PROJECTS {
        let folder = folder().join(project);
        let age = |file: &str| std::fs::metadata(folder.join(file)).and_then(|metadata| metadata.modified());
        // npm writes this file last.
        let installed = age("node_modules/.package-lock.json");
        if installed.is_ok_and(|installed| age("package-lock.json").is_ok_and(|locked| locked <= installed)) {
            continue;
        }
        println!("installing the JavaScript packages of xtask/peers/{project}");
        let npm = Command::new("npm")
            .arg("ci")
            .current_dir(&folder)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = npm
            .await
            .context("cannot start npm; the peers need Node.js 18 or newer with npm")?;
        if !output.status.success() {
            bail!(
                "npm ci failed in xtask/peers/{project}:\n{}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
    }
    Ok(())
}

/// The version of a package that a project's lock file pins.
pub(crate) fn version(project: &str, package: &str) -> Result<String> {
    let path = folder().join(project).join("package-lock.json");
    let lock: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
    let version = lock
        .pointer(&format!("/packages/node_modules~1{package}/version"))
        .and_then(Value::as_str);
    Ok(version
        .with_context(|| format!("{package} is not pinned in {}", path.display()))?
        .to_owned())
}

/// The text of `cases.json`.
pub(crate) fn cases_text() -> Result<String> {
    let path = folder().join("cases.json");
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// One running script. Dropping it kills the process; should this program itself be killed, the script sees its standard
/// input end and leaves by itself.
pub(crate) struct Peer {
    name: String,
    _child: Child,
    _stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    complaints: Arc<Mutex<VecDeque<String>>>,
}

impl Peer {
    /// Starts a script of `xtask/peers` with `--name value` pairs.
    pub(crate) fn script(script: &str, options: &[(&str, &str)]) -> Result<Self> {
        let mut command = Command::new("node");
        command.arg(folder().join(script));
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
            _stdin: child.stdin.take(),
            lines: BufReader::new(stdout).lines(),
            _child: child,
            complaints,
        })
    }

    /// The next line of standard output.
    pub(crate) async fn line(&mut self) -> Result<String> {
        match tokio::time::timeout(SILENCE, self.lines.next_line()).await {
            Ok(Ok(Some(line))) => Ok(line),
            Ok(Ok(None)) => bail!("{} ended early{}", self.name, self.complaints().await),
            Ok(Err(error)) => Err(error).with_context(|| format!("cannot read what {} says", self.name)),
            Err(_) => bail!("{} said nothing for {SILENCE:?}{}", self.name, self.complaints().await),
        }
    }

    /// The next fact. Packages print as they please, so other lines are passed over.
    pub(crate) async fn event(&mut self) -> Result<Value> {
        loop {
            let line = self.line().await?;
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
