//! The stand-in for the reference: `xtask/peers/snap2p.js`, told what to do line by line.

use super::super::super::node;
use super::super::super::peers::Peer;
use super::super::hex;
use super::ours::Role;
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{ChildStdin, Command};

/// One process of it.
pub(super) struct Theirs {
    peer: Peer,
    stdin: ChildStdin,
}

impl Theirs {
    pub(super) fn start() -> Result<Self> {
        let mut command = Command::new("node");
        command.arg(node::folder().join("snap2p.js"));
        let mut peer = Peer::start("snap2p.js", &mut command)?;
        let stdin = peer.take_stdin()?;
        Ok(Self { peer, stdin })
    }

    async fn tell(&mut self, what: &Value) -> Result<()> {
        self.stdin.write_all(format!("{what}\n").as_bytes()).await?;
        Ok(self.stdin.flush().await?)
    }

    /// Listens as this, and says at which port.
    pub(super) async fn listen(&mut self, role: &Role, tokens: &[String]) -> Result<u16> {
        let mut options = described(role)?;
        set(&mut options, "tokens", json!(tokens));
        self.tell(&json!({ "do": "listen", "node": options })).await?;
        let listening = self.peer.until("listening").await?;
        let principal = role.principal()?.to_string();
        ensure!(listening.get("principal") == Some(&json!(principal)), "{listening}");
        let port = listening.get("port").and_then(Value::as_u64).context("a port")?;
        Ok(port.try_into()?)
    }

    /// Dials, and plays the cases; what came of the handshake comes next as `met`.
    pub(super) async fn dial(&mut self, role: &Role, port: u16, token: Option<&str>, cases: &[&str]) -> Result<()> {
        let options = described(role)?;
        self.tell(&json!({ "do": "dial", "node": options, "port": port, "token": token, "cases": cases }))
            .await
    }

    /// Plays the recorded conversations with itself.
    pub(super) async fn replay(&mut self) -> Result<Value> {
        let vectors = crate::shell::root().join("crates/snap2p/tests/vectors/snap2p.json");
        self.tell(&json!({ "do": "replay", "vectors": vectors })).await?;
        outcome(self.peer.until("replayed").await?)
    }

    /// What came of the next handshake.
    pub(super) async fn met(&mut self) -> Result<Value> {
        outcome(self.peer.until("met").await?)
    }

    /// The whole fact of the next handshake.
    pub(super) async fn meeting(&mut self) -> Result<Value> {
        self.peer.until("met").await
    }

    /// Whether a session without cases lived for one call.
    pub(super) async fn alive(&mut self) -> Result<Value> {
        outcome(self.peer.until("alive").await?)
    }

    pub(super) async fn closed(&mut self) -> Result<()> {
        self.peer.until("closed").await.map(drop)
    }

    pub(super) async fn results(&mut self) -> Result<Vec<(String, Value)>> {
        self.peer.results().await
    }
}

fn outcome(mut fact: Value) -> Result<Value> {
    let outcome = fact.get_mut("outcome").map(Value::take);
    let mut outcome = outcome.context("an outcome")?;
    // The words beside a code are the reference's own affair.
    if let Some(fields) = outcome.as_object_mut() {
        fields.remove("reason");
    }
    Ok(outcome)
}

fn described(role: &Role) -> Result<Value> {
    let allow = role
        .allowed()?
        .map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>());
    let mut options = json!({
        "secret": hex(&Role::secret(role.wallet)),
        "seed": hex(&[role.wallet ^ 0xff; 32]),
        "network": role.network.to_string(),
        "visibility": role.visibility.number(),
        "allow": allow,
        // Often enough that a case can wait for some.
        "pingInterval": 100,
    });
    let special: Value = serde_json::from_str(role.special)?;
    for (name, value) in special.as_object().context("an object")? {
        set(&mut options, name, value.clone());
    }
    Ok(options)
}

fn set(options: &mut Value, name: &str, value: Value) {
    if let Some(fields) = options.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}
