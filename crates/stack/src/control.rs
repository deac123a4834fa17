//! The plugin `control`: what the owner of a node asks of it while it runs.

use std::{
    collections::HashMap,
    time::{Duration, UNIX_EPOCH},
};

use async_trait::async_trait;
use futures_util::{Stream, stream};
use handfast_keys::PublicKey;
use handfast_multiserver::{Address, Direction, Scope};
use handfast_mux::{
    CallType, RemoteError, Verdict,
    tokio::{Context, Router},
};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{
    Basis, Error, NodeHandle, Peer, Plugin, PluginConfig, Rights, Snapshot,
    peer::{End, about},
};

/// How often `control.watch` tells, unless it is told otherwise.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often it tells at most.
const SHORTEST: Duration = Duration::from_millis(100);

/// The methods `control.status`, `watch`, `peers`, `connect`, `disconnect`, `perms` and `close`.
///
/// No permission lists them, so only who has all rights can call them: the owner, over the node's own socket.
#[derive(Clone, Copy, Debug, Default)]
pub struct Control;

/// What `control.status` answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The node's id.
    pub id: String,
    /// Where it listens.
    pub listening: Vec<String>,
    /// The address to give to others, for each scope in which there is one.
    pub addresses: HashMap<String, String>,
    /// Who is connected, oldest connection first.
    pub peers: Vec<PeerStatus>,
    /// Counters.
    pub stats: Snapshot,
    /// Bytes received in a second, since the status before; 0 in the first one.
    pub rate_in: u64,
    /// Bytes sent in a second, likewise.
    pub rate_out: u64,
}

/// One connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerStatus {
    /// A number that no other connection has.
    pub number: u64,
    /// The peer's id; absent if its transform proves none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where it is.
    pub address: String,
    /// Who dialled.
    pub direction: Direction,
    /// By which transport.
    pub transport: String,
    /// On what its rights rest.
    pub basis: Basis,
    /// Since when, in milliseconds since 1970.
    pub since: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Bytes received in a second, since the status before; 0 in the first one.
    pub rate_in: u64,
    /// Bytes sent in a second, likewise.
    pub rate_out: u64,
}

/// What a peer may do here: the answer of `control.perms`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Perms {
    /// Who; absent for a stranger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Why it may not even come in, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// On what its rights rest.
    pub basis: Basis,
    /// All methods of the node.
    pub methods: Vec<MethodPerms>,
}

/// Whether one method may be called.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MethodPerms {
    /// The method.
    pub name: String,
    /// Its kind.
    pub kind: CallType,
    /// Whether it may be called.
    pub allowed: bool,
    /// The rule that says so.
    pub rule: String,
    /// The plugin that the rule comes from, if it is a rule for everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
}

#[async_trait]
impl Plugin for Control {
    fn name(&self) -> &str {
        "control"
    }

    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    async fn init(&self, node: &NodeHandle, _config: &PluginConfig) -> Result<Router, Error> {
        let [a, b, c, d, e, f, g] = std::array::from_fn(|_| node.clone());
        Ok(Router::new()
            .sync("status", move |_cx, ()| Ok(status(&a, &mut Rates::default())))
            .source("watch", move |_cx, ms: Option<u64>| watch(b.clone(), ms))
            .sync("peers", move |_cx, ()| Ok(status(&c, &mut Rates::default()).peers))
            .call("connect", move |_cx, address: String| connect(d.clone(), address))
            .sync("disconnect", move |cx: Context, whom: String| {
                disconnect(&e, &cx, &whom)
            })
            .call("perms", move |_cx, id: Option<String>| perms(f.clone(), id))
            .sync("close", move |_cx, ()| {
                let node = g.clone();
                // Not awaited: the node would wait for this very call.
                tokio::spawn(async move { node.close().await });
                Ok(true)
            }))
    }
}

/// Bytes that each connection, by its number, has received and sent.
type Moved = HashMap<u64, (u64, u64)>;

/// What had moved at the time of the last look, to make rates of.
#[derive(Default)]
struct Rates {
    last: Option<(Instant, Moved)>,
}

fn status(node: &NodeHandle, rates: &mut Rates) -> Status {
    let now = Instant::now();
    let peers = node.peers();
    let seen: Moved = peers
        .iter()
        .map(|peer| {
            (
                peer.about().number(),
                (peer.about().bytes_in(), peer.about().bytes_out()),
            )
        })
        .collect();
    let before = rates.last.replace((now, seen));
    let per_second = |bytes: u64, before: u64, then: Instant| {
        let ms = u64::try_from((now - then).as_millis()).unwrap_or(u64::MAX).max(1);
        bytes.saturating_sub(before).saturating_mul(1000) / ms
    };
    let peers: Vec<PeerStatus> = peers
        .iter()
        .map(|peer| {
            let mut row = peer_status(peer);
            if let Some((then, seen)) = &before {
                let (read, written) = seen.get(&row.number).copied().unwrap_or_default();
                row.rate_in = per_second(row.bytes_in, read, *then);
                row.rate_out = per_second(row.bytes_out, written, *then);
            }
            row
        })
        .collect();
    let scopes = [Scope::Device, Scope::Local, Scope::Private, Scope::Public];
    let address = |scope: Scope| Some((scope.to_string(), node.address(scope)?.to_string()));
    Status {
        id: node.id().to_string(),
        listening: node.listening().iter().map(ToString::to_string).collect(),
        addresses: scopes.into_iter().filter_map(address).collect(),
        rate_in: peers.iter().map(|peer| peer.rate_in).sum(),
        rate_out: peers.iter().map(|peer| peer.rate_out).sum(),
        peers,
        stats: node.stats(),
    }
}

fn peer_status(peer: &Peer) -> PeerStatus {
    let about = peer.about();
    let since = about.since().duration_since(UNIX_EPOCH).unwrap_or_default();
    PeerStatus {
        number: about.number(),
        id: about.key().map(ToString::to_string),
        address: about.address().to_string(),
        direction: about.direction(),
        transport: about.transport().to_owned(),
        basis: about.basis(),
        since: since.as_millis().try_into().unwrap_or(u64::MAX),
        bytes_in: about.bytes_in(),
        bytes_out: about.bytes_out(),
        rate_in: 0,
        rate_out: 0,
    }
}

fn watch(node: NodeHandle, ms: Option<u64>) -> impl Stream<Item = Result<Status, RemoteError>> + Send {
    let mut ticks = interval(ms.map_or(INTERVAL, Duration::from_millis).max(SHORTEST));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    stream::unfold(
        (node, ticks, Rates::default()),
        |(node, mut ticks, mut rates)| async move {
            tokio::select! {
                _ = ticks.tick() => {}
                () = node.closing() => return None,
            }
            let status = status(&node, &mut rates);
            Some((Ok(status), (node, ticks, rates)))
        },
    )
}

async fn connect(node: NodeHandle, address: String) -> Result<PeerStatus, RemoteError> {
    let peer = node.connect(address.as_str()).await.map_err(told)?;
    Ok(peer_status(&peer))
}

/// Ends all connections to a peer, named by its id or by an address that holds its key; returns how many.
fn disconnect(node: &NodeHandle, cx: &Context, whom: &str) -> Result<usize, RemoteError> {
    let key = match whom.parse::<PublicKey>() {
        Ok(key) => Some(key),
        Err(_) => whom.parse::<Address>().map_err(|error| told(Error::from(error)))?.key(),
    };
    let Some(key) = key else {
        return Err(RemoteError::new(
            "there is no key in this address; give the id of the peer",
        ));
    };
    // Who asks is often connected with the node's own key, and wants to hear the answer.
    let asking = about(cx).map(|about| about.number());
    let peers = node.inner.peers.of(&key);
    let others = peers.iter().filter(|peer| Some(peer.about().number()) != asking);
    Ok(others
        .map(|peer| peer.retire(End::Told("disconnected by the owner".into())))
        .count())
}

async fn perms(node: NodeHandle, id: Option<String>) -> Result<Perms, RemoteError> {
    let key = id.map(|id| id.parse::<PublicKey>());
    let key = key.transpose().map_err(|error| RemoteError::new(error.to_string()))?;
    let (granted, refused) = match &key {
        Some(key) => match node.auth(key).await {
            Ok(granted) => (granted, None),
            Err(error) => (None, Some(error.to_string())),
        },
        None => (None, None),
    };
    let basis = if granted.is_some() {
        Basis::Auth
    } else {
        Basis::Anonymous
    };
    let rights = granted.unwrap_or_else(|| node.anonymous());
    Ok(Perms {
        id: key.map(|key| key.to_string()),
        refused,
        basis,
        methods: explain(&node, &rights, basis),
    })
}

/// Each method with the rule that allows or forbids it.
fn explain(node: &NodeHandle, rights: &Rights, basis: Basis) -> Vec<MethodPerms> {
    let permissions = node.permissions();
    let methods = node.manifest().methods();
    methods
        .into_iter()
        .map(|(name, kind)| {
            let verdict = rights.verdict(&name);
            let plugin = match (&verdict, basis) {
                (Verdict::Allowed { by: Some(rule) }, Basis::Anonymous) => permissions.origin_of_allow(rule),
                (Verdict::Denied { by: rule }, Basis::Anonymous) => permissions.origin_of_deny(rule),
                _ => None,
            };
            MethodPerms {
                allowed: matches!(verdict, Verdict::Allowed { .. }),
                rule: verdict.to_string(),
                plugin: plugin.map(|plugin| {
                    if plugin.is_empty() {
                        "(root)".into()
                    } else {
                        plugin.to_owned()
                    }
                }),
                name: name.to_string(),
                kind,
            }
        })
        .collect()
}

fn told(error: Error) -> RemoteError {
    RemoteError::new(error.to_string())
}
