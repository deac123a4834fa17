//! Nodes: secret-stack and ours, over each transport, with who serves and who dials in either place.

mod closing;
mod parity;
mod reach;
mod rights;
mod together;

pub(in super::super) use parity::page as parity;

use super::super::cases::{Make, Verdict};
use super::super::node;
use super::super::nodes::{Decision, Host, How, Node, Options, Over, Timers};
use super::super::ours;
use super::{Add, CLIENT_SEED, Direction, List, NETWORK, SERVER_SEED, Title, identity};
use anyhow::Result;
use futures_util::future::{BoxFuture, join_all};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use tempfile::TempDir;

/// Who makes a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    /// This release of secret-stack.
    Stack(&'static str),
    Ours,
}

/// Who serves and who dials.
const PAIRS: &[(Maker, Maker)] = &[
    (Maker::Stack("8"), Maker::Stack("8")),
    (Maker::Stack("6"), Maker::Stack("6")),
    (Maker::Stack("8"), Maker::Stack("6")),
    (Maker::Stack("6"), Maker::Stack("8")),
    (Maker::Stack("8"), Maker::Ours),
    (Maker::Ours, Maker::Stack("8")),
    (Maker::Stack("6"), Maker::Ours),
    (Maker::Ours, Maker::Stack("6")),
    (Maker::Ours, Maker::Ours),
];

/// What may carry the connections of a pair. Windows has no Unix sockets that Node.js and we could share.
const CARRIERS: &[Over] = if cfg!(unix) {
    &[Over::Net, Over::Ws, Over::Unix]
} else {
    &[Over::Net, Over::Ws]
};

const ALL: &[Over] = &[Over::Net, Over::Ws, Over::Unix];

/// What the two sides of a scene must see, and what they saw.
type Outcome = Result<(Value, Value)>;

/// One scene: a server, a client, and what they do.
struct Scene {
    name: &'static str,
    over: &'static [Over],
    play: for<'a> fn(&'a Stage) -> BoxFuture<'a, Outcome>,
}

/// All scenes, in the order in which they are played and listed.
fn scenes() -> impl Iterator<Item = &'static Scene> {
    let lists: [&[Scene]; 4] = [reach::SCENES, rights::SCENES, closing::SCENES, together::SCENES];
    lists.into_iter().flatten()
}

pub(super) fn add(add: &mut Add<'_>) -> Result<()> {
    for &(server, client) in PAIRS {
        for &over in CARRIERS {
            add(title(server, client, over)?, Box::pin(play(server, client, over)));
        }
    }
    Ok(())
}

fn title(server: Maker, client: Maker, over: Over) -> Result<Title> {
    let (peer, direction) = match (server, client) {
        (server, client) if server == client => (server.name()?, Direction::Reference),
        (server, Maker::Ours) => (server.name()?, Direction::WeCall),
        (Maker::Ours, client) => (client.name()?, Direction::TheyCall),
        (server, client) => (format!("{} dials {}", client.name()?, server.name()?), Direction::Among),
    };
    Ok(Title {
        peer: format!("{peer} over {over}"),
        list: List::Nodes,
        direction,
    })
}

impl Maker {
    fn name(self) -> Result<String> {
        let Self::Stack(release) = self else {
            return Ok("our own nodes".to_owned());
        };
        let project = if release == "6" { "stack6" } else { "core" };
        Ok(format!("secret-stack {}", node::version(project, "secret-stack")?))
    }

    fn make(self) -> Make {
        match self {
            Self::Stack(_) => Make::Js,
            Self::Ours => Make::Ours,
        }
    }
}

/// Where the nodes of one side come from.
enum Source {
    Theirs(Host),
    Ours,
}

impl Source {
    async fn of(maker: Maker) -> Result<Self> {
        Ok(match maker {
            Maker::Stack(release) => Self::Theirs(Host::start(release).await?),
            Maker::Ours => Self::Ours,
        })
    }

    async fn node(&self, options: &Options) -> Result<Node> {
        match self {
            Self::Theirs(host) => host.node(options).await,
            Self::Ours => ours::node(options).await,
        }
    }
}

async fn play(server: Maker, client: Maker, over: Over) -> Result<Vec<Verdict>> {
    let (servers, clients) = (Source::of(server).await?, Source::of(client).await?);
    let mut verdicts = Vec::new();
    for scene in scenes().filter(|scene| scene.over.contains(&over)) {
        let stage = Stage {
            servers: &servers,
            clients: &clients,
            serves: server,
            dials: client,
            over,
            folder: tempfile::tempdir()?,
            folders: AtomicUsize::new(0),
            nodes: Mutex::default(),
        };
        let outcome = (scene.play)(&stage).await;
        stage.clear().await;
        verdicts.push(match outcome {
            Ok((expected, seen)) => Verdict::new(scene.name, &expected, Some(&seen)),
            Err(error) => Verdict {
                name: scene.name.to_owned(),
                complaint: Some(format!("{error:#}")),
            },
        });
    }
    Ok(verdicts)
}

/// Where one scene is played: it has nodes of its own.
struct Stage<'a> {
    servers: &'a Source,
    clients: &'a Source,
    serves: Maker,
    dials: Maker,
    over: Over,
    folder: TempDir,
    folders: AtomicUsize,
    nodes: Mutex<Vec<Node>>,
}

impl Stage<'_> {
    /// What most nodes are: on the network of all, for everybody with anonymous rights, and in no hurry.
    fn options(&self, seed: [u8; 32]) -> Options {
        Options {
            seed,
            network: NETWORK,
            listen: vec![self.over],
            folder: PathBuf::new(),
            timers: Timers {
                inactivity: 60_000,
                handshake: 10_000,
            },
            auth: Vec::new(),
            flood: false,
        }
    }

    /// A node of the make that serves.
    async fn server(&self, change: impl FnOnce(&mut Options)) -> Result<Node> {
        self.start(self.servers, SERVER_SEED, change).await
    }

    /// A node of the make that dials.
    async fn client(&self, change: impl FnOnce(&mut Options)) -> Result<Node> {
        self.start(self.clients, CLIENT_SEED, change).await
    }

    async fn start(&self, source: &Source, seed: [u8; 32], change: impl FnOnce(&mut Options)) -> Result<Node> {
        let mut options = self.options(seed);
        change(&mut options);
        // The path of a Unix socket has to be short.
        let number = self.folders.fetch_add(1, Ordering::Relaxed);
        options.folder = self.folder.path().join(number.to_string());
        let node = source.node(&options).await?;
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.push(node.clone());
        Ok(node)
    }

    /// Leaves nothing to the next scene.
    async fn clear(&self) {
        let nodes = std::mem::take(&mut *self.nodes.lock().unwrap_or_else(PoisonError::into_inner));
        // A node that has failed its scene may fail in this too.
        join_all(nodes.iter().map(|node| node.end(How::Error))).await;
        join_all(nodes.iter().map(Node::cut)).await;
    }
}

/// A table of verdicts about ids, for one hook around `auth`.
fn table<const N: usize>(verdicts: [(&Node, Decision); N]) -> BTreeMap<String, Decision> {
    verdicts
        .into_iter()
        .map(|(node, decision)| (node.id.clone(), decision))
        .collect()
}

/// The id of a seed.
fn id(seed: &[u8; 32]) -> Result<String> {
    Ok(identity(seed)?.public().to_string())
}
