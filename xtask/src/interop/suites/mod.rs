//! Who meets whom.

mod calls;
mod gossip;
mod handshakes;
mod json;
mod misbehaviour;
mod nodes;
mod program;
mod snap2p;
mod texts;

pub(super) use nodes::parity;

use super::cases::Verdict;
use super::node;
use crate::shell;
use anyhow::{Context as _, Result, ensure};
use futures_util::future::BoxFuture;
use handfast_keys::{KeyPair, NetworkIdentifier};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::Command;

/// Suites that run side by side.
pub(super) const AT_ONCE: usize = 4;

/// How one pair, or one subject, came out: a line of the output and of the table.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) title: Title,
    pub(super) verdicts: Vec<Verdict>,
}

/// What stands in the table.
#[derive(Debug, Clone)]
pub(super) struct Title {
    /// The packages, with versions.
    pub(super) peer: String,
    /// Which of the lists of cases is played.
    pub(super) list: List,
    pub(super) direction: Direction,
}

/// The lists of cases, in the order in which the report has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum List {
    Handshakes,
    /// Peers that misbehave, as the suite shs1-test plays them.
    Misbehaviour,
    Calls,
    /// Whole nodes.
    Nodes,
    /// Networks of nodes that gossip.
    Gossip,
    Texts,
    Json,
    /// Keys, addresses, signatures and files of Stacks wallets.
    Wallets,
    /// Sessions with a stand-in for SNaP2P's reference.
    Snap2p,
    Program,
}

/// Who calls whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    WeCall,
    TheyCall,
    /// Neither: texts and files are exchanged.
    Both,
    /// The peer with itself: the cases are true of JavaScript, before they judge us.
    Reference,
    /// Two peers of theirs: as much of a control.
    Among,
}

impl Direction {
    /// Whether none of the two is ours to prove.
    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Reference | Self::Among)
    }
}

impl std::fmt::Display for Direction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::WeCall => "we call",
            Self::TheyCall => "they call us",
            Self::Both => "both ways",
            Self::Reference => "with itself",
            Self::Among => "with each other",
        })
    }
}

impl std::fmt::Display for Title {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}", self.peer, self.direction)
    }
}

/// A suite that waits to be run.
type Suite = BoxFuture<'static, Group>;

/// All suites whose line contains `only`.
pub(super) async fn all(only: Option<&str>) -> Result<Vec<Suite>> {
    let mut suites = Vec::new();
    let mut add = |title: Title, work: BoxFuture<'static, Result<Vec<Verdict>>>| {
        if only.is_none_or(|only| title.to_string().contains(only)) {
            suites.push(Box::pin(finish(title, work)) as Suite);
        }
    };
    handshakes::add(&mut add)?;
    misbehaviour::add(&mut add)?;
    calls::add(&mut add)?;
    nodes::add(&mut add)?;
    gossip::add(&mut add)?;
    texts::add(&mut add)?;
    json::add(&mut add);
    snap2p::add(&mut add)?;
    program::add(&mut add)?;
    Ok(suites)
}

/// Where suites are put.
type Add<'a> = dyn FnMut(Title, BoxFuture<'static, Result<Vec<Verdict>>>) + 'a;

async fn finish(title: Title, work: BoxFuture<'static, Result<Vec<Verdict>>>) -> Group {
    let verdicts = work.await.unwrap_or_else(|error| {
        // A suite that breaks is one failed case, whatever it would have held.
        vec![Verdict {
            name: "the suite itself".into(),
            complaint: Some(format!("{error:#}")),
        }]
    });
    Group { title, verdicts }
}

/// Builds what cargo's arguments name, and says where the executable is.
async fn executable(arguments: &[&str]) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--message-format", "json-render-diagnostics"]);
    build.args(arguments).current_dir(shell::root());
    build.stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = build.output().await.context("cannot start cargo")?;
    ensure!(output.status.success(), "{arguments:?} does not build");
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut executables = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    });
    executables
        .next_back()
        .context("cargo does not tell where the executable is")
}

/// The network of all pairs.
const NETWORK: NetworkIdentifier = NetworkIdentifier::from_bytes([0x41; 32]);

/// Seeds of the identities: everything is the same in every run, save the ephemeral keys.
const SERVER_SEED: [u8; 32] = [1; 32];
const CLIENT_SEED: [u8; 32] = [2; 32];

fn identity(seed: &[u8; 32]) -> Result<KeyPair> {
    Ok(KeyPair::from_seed(seed)?)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 32 bytes in base64: identifiers are written so.
fn base64(bytes: [u8; 32]) -> String {
    NetworkIdentifier::from_bytes(bytes).to_string()
}
