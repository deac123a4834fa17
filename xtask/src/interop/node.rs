//! The JavaScript side: installing the pinned packages, starting a script, reading its facts, ending it.

use crate::shell;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Every project of pinned packages.
pub(crate) const PROJECTS: &[&str] = &["core", "mux6", "stack6"];
/// How long a peer may take to say the next thing; far above the slowest case.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How long a peer may take to end by itself once nobody wants it any more.
const LEAVE: Duration = Duration::from_secs(2);

/// The folder of scripts and projects.
pub(crate) fn folder() -> PathBuf {
    shell::root().join("xtask/peers")
}

/// Installs the packages of these projects exactly as their lock files say, unless that has been done.
pub(crate) fn install(projects: &[&str]) -> Result<()> {
    shell::capture(shell::command("node").arg("--version"))
        .context("Node.js is needed: install version 18 or newer, with npm, and see that both are on PATH")?;
    for project in projects {
        let folder = folder().join(project);
        let lock = std::fs::read(folder.join("package-lock.json"))
            .with_context(|| format!("{} has no package-lock.json", folder.display()))?;
        // A copy of the lock file in the installed tree says what that tree was made from.
        let stamp = folder.join("node_modules/.made-from-lock.json");
        if std::fs::read(&stamp).is_ok_and(|made_from| made_from == lock) {
            continue;
        }
        shell::run(
            shell::command(npm())
                .current_dir(&folder)
                .args(["ci", "--loglevel=error"]),
        )
        .with_context(|| format!("the JavaScript packages of {} cannot be installed", folder.display()))?;
        std::fs::write(&stamp, lock).with_context(|| format!("cannot write {}", stamp.display()))?;
    }
    Ok(())
}

fn npm() -> &'static str {
    if cfg!(windows) { "npm.cmd" } else { "npm" }
}

/// The pinned version of a package, as a project's package.json says.
pub(crate) fn version(project: &str, package: &str) -> Result<String> {
    let path = folder().join(project).join("package.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let manifest: Value = serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?;
    let version = manifest
        .pointer(&format!("/dependencies/{package}"))
        .and_then(Value::as_str);
    version
        .map(str::to_string)
        .with_context(|| format!("{} does not pin {package}", path.display()))
}

/// A running script. Dropping it ends it.
pub(crate) struct Node {
    child: Child,
    /// Held open for as long as the script is wanted: every script ends when this closes.
    stdin: Option<ChildStdin>,
    facts: Receiver<Value>,
    name: String,
}

impl Node {
    /// Starts `xtask/peers/SCRIPT` with these arguments.
    pub(crate) fn start(script: &str, arguments: &[(&str, &str)]) -> Result<Self> {
        let mut command = shell::command("node");
        command.arg(folder().join(script));
        for (name, value) in arguments {
            command.arg(format!("--{name}")).arg(value);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start node")?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().context("the script has no standard output")?;
        let (send, facts) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let fact = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if send.send(fact).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            child,
            stdin,
            facts,
            name: script.to_string(),
        })
    }

    /// The next fact, or `None` when the script has ended.
    pub(crate) fn next(&self) -> Result<Option<Value>> {
        match self.facts.recv_timeout(PATIENCE) {
            Ok(fact) if event(&fact) == Some("crash") => bail!("{} crashed: {fact}", self.name),
            Ok(fact) if event(&fact).is_none() => bail!("{} printed what is no fact: {fact}", self.name),
            Ok(fact) => Ok(Some(fact)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => bail!("{} said nothing for {} s", self.name, PATIENCE.as_secs()),
        }
    }

    /// The next fact of one of these kinds; others are passed over.
    pub(crate) fn wait_for(&self, events: &[&str]) -> Result<Value> {
        loop {
            let fact = self
                .next()?
                .with_context(|| format!("{} ended before it said {events:?}", self.name))?;
            if event(&fact).is_some_and(|event| events.contains(&event)) {
                return Ok(fact);
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stdin.take();
        let deadline = Instant::now() + LEAVE;
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(10)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        // Nothing is lost if it has just ended, and an error here has no one to go to.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn event(fact: &Value) -> Option<&str> {
    fact.get("event").and_then(Value::as_str)
}
