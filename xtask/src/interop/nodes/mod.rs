//! Nodes of either make behind one handle: what a scene can have them do, and what it can learn of them.
//!
//! ```text
//!   suites/nodes/    scenes: a few nodes, what each does, what all must see
//!        |  Options, Command
//!      Node ----------- Diary: what happens to the node, as it happens
//!        |
//!     Obey:  Host (JavaScript, one process for all nodes of a release), or ours/node.rs
//! ```

mod diary;
mod host;

pub(crate) use diary::Diary;
pub(crate) use host::Host;

use super::cases::Call;
use anyhow::{Context as _, Result, ensure};
use futures_util::future::BoxFuture;
use handfast_keys::NetworkIdentifier;
use handfast_mux::CallType;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long one step of a scene may take: more than ever needed, so that it speaks of a hang and never of a slow machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// What carries a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Over {
    Net,
    Ws,
    Unix,
    /// A Unix socket without a handshake: whoever can open it is taken for the owner.
    Noauth,
}

impl std::fmt::Display for Over {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Net => "net",
            Self::Ws => "ws",
            Self::Unix => "unix",
            Self::Noauth => "noauth",
        })
    }
}

/// What makes a node. Every node has the plugins of `xtask/peers/lib/node-plugins.js`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Options {
    #[serde(serialize_with = "as_hex")]
    pub(crate) seed: [u8; 32],
    #[serde(serialize_with = "as_text")]
    pub(crate) network: NetworkIdentifier,
    /// Where it listens: on the loopback interface, and in `folder`.
    pub(crate) listen: Vec<Over>,
    pub(crate) folder: PathBuf,
    pub(crate) timers: Timers,
    /// Hooks around `auth`, the innermost first: from ids to verdicts. Who does not stand there is left to the hook within.
    pub(crate) auth: Vec<BTreeMap<String, Decision>>,
    /// Whether it passes messages on to all others.
    pub(crate) flood: bool,
}

/// The timers of a node, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Timers {
    pub(crate) inactivity: u64,
    pub(crate) handshake: u64,
}

/// What `auth` says of an id.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Decision {
    /// It may not come in.
    Reject(String),
    /// It has these rights, if they are any.
    Rights(Value),
}

/// What a node can be told.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub(crate) enum Command {
    /// Its address for others within a scope: a text or nothing.
    Address { scope: &'static str },
    /// Dials: `{"link": n}` or `{"error": …}`. The address is a text, or an object of host, port and key.
    Connect { address: Value },
    /// Calls the other side of a connection; the outcome is that of a case.
    Call { link: usize, call: Call },
    /// Calls one of its own methods.
    Local { call: Call },
    /// Ends a connection; done when it has ended.
    Close { link: usize, how: How },
    /// Ends the node; done when it has begun to.
    End { how: How },
    /// Cuts all its sockets.
    Cut,
    /// From ids to how many connections there are.
    Peers,
    /// What it would decide about an id: `{"rights": …}` or `{"error": …}`.
    Auth { of: String },
}

/// How something is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum How {
    /// What is under way is finished first.
    Gracefully,
    /// At once.
    Error,
}

/// Something that does as it is told.
pub(crate) trait Obey: Send + Sync {
    /// The outcome of a command.
    fn obey(&self, command: Command) -> BoxFuture<'_, Result<Value>>;
}

/// One node of either make.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) id: String,
    hands: Arc<dyn Obey>,
    diary: Arc<Diary>,
}

impl Node {
    pub(crate) fn new(id: &str, hands: Arc<dyn Obey>, diary: Arc<Diary>) -> Self {
        Self {
            id: id.to_owned(),
            hands,
            diary,
        }
    }

    async fn tell(&self, command: Command) -> Result<Value> {
        let what = format!("{command:?}");
        tokio::time::timeout(DEADLINE, self.hands.obey(command))
            .await
            .with_context(|| format!("{} did not do within {DEADLINE:?}: {what}", self.id))?
            .with_context(|| format!("{} could not do: {what}", self.id))
    }

    /// The address within a scope, if it has one.
    pub(crate) async fn address(&self, scope: &'static str) -> Result<Option<String>> {
        let address = self.tell(Command::Address { scope }).await?;
        Ok(address.as_str().map(str::to_owned))
    }

    /// The address for others on this machine.
    pub(crate) async fn here(&self) -> Result<String> {
        self.address("device").await?.context("it has no address")
    }

    /// Dials; whether that succeeds is for the scene to judge.
    pub(crate) async fn dial(&self, address: impl Into<Value>) -> Result<Value> {
        let address = address.into();
        self.tell(Command::Connect { address }).await
    }

    /// Dials an address that must answer.
    pub(crate) async fn connect(&self, address: impl Into<Value>) -> Result<Link> {
        let dialled = self.dial(address).await?;
        let link = dialled.get("link").and_then(Value::as_u64);
        let link = link.with_context(|| format!("{} cannot connect: {dialled}", self.id))?;
        Ok(self.link(link.try_into()?))
    }

    /// The connection of that number, in the order in which they came.
    pub(crate) fn link(&self, number: usize) -> Link {
        Link {
            node: self.clone(),
            number,
        }
    }

    /// What a call of an own method gives.
    pub(crate) async fn local(&self, kind: CallType, method: &str, args: Value) -> Result<Value> {
        let call = Call::new(kind, method, args);
        self.tell(Command::Local { call }).await
    }

    /// Ends the node.
    pub(crate) async fn end(&self, how: How) -> Result<()> {
        self.tell(Command::End { how }).await.map(drop)
    }

    /// Cuts all sockets that it has.
    pub(crate) async fn cut(&self) -> Result<()> {
        self.tell(Command::Cut).await.map(drop)
    }

    /// From ids to how many connections there are.
    pub(crate) async fn peers(&self) -> Result<Value> {
        self.tell(Command::Peers).await
    }

    /// What it would decide about an id.
    pub(crate) async fn auth(&self, id: &str) -> Result<Value> {
        self.tell(Command::Auth { of: id.to_owned() }).await
    }

    /// The first `count` entries of this kind, once there are so many.
    pub(crate) async fn until(&self, what: &str, count: usize) -> Result<Vec<Value>> {
        self.diary
            .until(what, count)
            .await
            .with_context(|| format!("{} waited for {count} times {what:?}", self.id))
    }

    /// The entries of this kind so far.
    pub(crate) fn so_far(&self, what: &str) -> Vec<Value> {
        self.diary.so_far(what)
    }

    /// Waits until it has so many connections with one peer and none with others.
    pub(crate) async fn until_peers(&self, peers: &Value) -> Result<()> {
        let waiting = async {
            let mut news = self.diary.news();
            while self.peers().await? != *peers {
                news.changed().await?;
            }
            anyhow::Ok(())
        };
        let waited = tokio::time::timeout(DEADLINE, waiting).await;
        ensure!(
            waited.is_ok(),
            "{} has not come to the peers {peers}, but to {}",
            self.id,
            self.peers().await?
        );
        waited?
    }

    /// The connections that have begun and not ended, once they are so many.
    pub(crate) async fn live(&self, count: usize) -> Result<Vec<Link>> {
        let numbers = self.diary.live(count).await;
        let numbers = numbers.with_context(|| format!("{} waited for {count} connections", self.id))?;
        Ok(numbers.into_iter().map(|number| self.link(number)).collect())
    }
}

/// One connection as one of its nodes has it.
#[derive(Clone)]
pub(crate) struct Link {
    node: Node,
    number: usize,
}

impl Link {
    /// Plays a case.
    pub(crate) async fn play(&self, call: Call) -> Result<Value> {
        let link = self.number;
        self.node.tell(Command::Call { link, call }).await
    }

    /// The outcome of a call that has one answer.
    pub(crate) async fn call(&self, method: &str, args: Value) -> Result<Value> {
        self.play(Call::new(CallType::Async, method, args)).await
    }

    /// The outcome of reading a source to its end.
    pub(crate) async fn source(&self, method: &str, args: Value) -> Result<Value> {
        self.play(Call::new(CallType::Source, method, args)).await
    }

    /// Ends it.
    pub(crate) async fn close(&self, how: How) -> Result<Value> {
        let link = self.number;
        self.node.tell(Command::Close { link, how }).await
    }
}

fn as_hex<S: Serializer>(seed: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&super::suites::hex(seed))
}

fn as_text<S: Serializer>(network: &NetworkIdentifier, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(network)
}
