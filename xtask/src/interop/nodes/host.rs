//! A process of `xtask/peers/nodes.js`: any number of nodes of one release of secret-stack.

use super::super::peers::{Peer, text};
use super::{Command, DEADLINE, Diary, Node, Obey, Options};
use anyhow::{Context as _, Result, bail};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// The running process; it ends with its last handle.
#[derive(Clone)]
pub(crate) struct Host(Arc<Process>);

struct Process {
    stdin: tokio::sync::Mutex<ChildStdin>,
    desk: Arc<Mutex<Desk>>,
    _reading: JoinSet<()>,
}

/// What the task that reads shares with those who wait.
#[derive(Default)]
struct Desk {
    numbers: u64,
    waiting: HashMap<u64, oneshot::Sender<Value>>,
    diaries: HashMap<String, Arc<Diary>>,
    /// Why nothing will be read any more.
    broken: Option<String>,
}

impl Host {
    /// Starts the process.
    ///
    /// # Errors
    /// If it does not start.
    pub(crate) async fn start(release: &str) -> Result<Self> {
        let mut peer = Peer::script("nodes.js", &[("v", release)])?;
        peer.until("ready").await?;
        let stdin = tokio::sync::Mutex::new(peer.take_stdin()?);
        let desk = Arc::new(Mutex::new(Desk::default()));
        let mut reading = JoinSet::new();
        reading.spawn(read(peer, desk.clone()));
        Ok(Self(Arc::new(Process {
            stdin,
            desk,
            _reading: reading,
        })))
    }

    /// Starts a node.
    ///
    /// # Errors
    /// If it does not listen.
    pub(crate) async fn node(&self, options: &Options) -> Result<Node> {
        let diary = Arc::new(Diary::new());
        let name = {
            let mut desk = lock(&self.0.desk);
            let name = format!("node {}", desk.diaries.len());
            desk.diaries.insert(name.clone(), diary.clone());
            name
        };
        let mut start = serde_json::to_value(options)?;
        merge(&mut start, json!({ "do": "start", "node": name }));
        let started = tokio::time::timeout(DEADLINE, self.ask(start)).await;
        let started = started.with_context(|| format!("a node did not start: {options:?}"))??;
        let hands = Hands {
            host: self.clone(),
            name,
        };
        Ok(Node::new(text(&started, "id")?, Arc::new(hands), diary))
    }

    /// Sends a command and waits for its outcome.
    async fn ask(&self, mut command: Value) -> Result<Value> {
        let (answer, answered) = oneshot::channel();
        let id = {
            let mut desk = lock(&self.0.desk);
            if let Some(why) = &desk.broken {
                bail!("{why}");
            }
            desk.numbers += 1;
            let id = desk.numbers;
            desk.waiting.insert(id, answer);
            id
        };
        merge(&mut command, json!({ "id": id }));
        // Should nobody read this, the task that reads learns why.
        let line = format!("{command}\n");
        let _ = self.0.stdin.lock().await.write_all(line.as_bytes()).await;
        match answered.await {
            Ok(outcome) => Ok(outcome),
            Err(_) => bail!("{}", lock(&self.0.desk).broken.clone().unwrap_or_default()),
        }
    }
}

/// One node there.
struct Hands {
    host: Host,
    name: String,
}

impl Obey for Hands {
    fn obey(&self, command: Command) -> BoxFuture<'_, Result<Value>> {
        Box::pin(async move {
            let mut command = serde_json::to_value(command)?;
            merge(&mut command, json!({ "node": self.name }));
            let outcome = self.host.ask(command).await?;
            match outcome.get("thrown") {
                Some(thrown) => bail!("it threw {thrown}"),
                None => Ok(outcome),
            }
        })
    }
}

/// Takes in what the process says, until it says no more.
async fn read(mut peer: Peer, desk: Arc<Mutex<Desk>>) {
    let why = loop {
        let event = match peer.event_at_last().await {
            Ok(event) => event,
            Err(error) => break format!("{error:#}"),
        };
        let mut desk = lock(&desk);
        match event.get("event").and_then(Value::as_str) {
            Some("answer") => {
                let id = event.get("id").and_then(Value::as_u64);
                if let Some(answer) = id.and_then(|id| desk.waiting.remove(&id)) {
                    // Nobody may wait any more.
                    let _ = answer.send(event.get("outcome").cloned().unwrap_or_default());
                }
            }
            Some("node") => {
                let name = event.get("node").and_then(Value::as_str).unwrap_or_default();
                if let Some(diary) = desk.diaries.get(name) {
                    diary.write(event);
                }
            }
            _ => {}
        }
    };
    let mut desk = lock(&desk);
    for diary in desk.diaries.values() {
        diary.break_off(&why);
    }
    desk.broken = Some(why);
    // Whoever waits learns that by losing the other end.
    desk.waiting.clear();
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds fields to an object.
fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}
