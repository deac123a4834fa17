//! What the node's plugin `control` answers, as far as this program shows it.
//!
//! A field that is missing has its empty value, so that a node of a neighbouring version can be looked at too.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The answer of `control.status`, and each item of `control.watch`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Status {
    /// The node's id.
    pub(crate) id: String,
    /// The address to give away for each scope, if there is one.
    pub(crate) addresses: BTreeMap<String, Option<String>>,
    /// Milliseconds since the node started.
    pub(crate) uptime: f64,
    /// The open connections.
    pub(crate) peers: Vec<Connection>,
    /// Counters since the node started.
    pub(crate) stats: Value,
}

/// One connection, as `control.peers` lists them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Connection {
    /// Who is at the other end, if that was proved.
    pub(crate) id: Option<String>,
    /// Where from, or where to.
    pub(crate) address: String,
    /// `incoming` or `outgoing`.
    pub(crate) direction: String,
    /// `net`, `ws`, `unix`, `onion`, ...
    pub(crate) transport: String,
    /// When it came about, in milliseconds since 1970.
    pub(crate) since: f64,
    /// Bytes received.
    pub(crate) bytes_in: u64,
    /// Bytes sent.
    pub(crate) bytes_out: u64,
    /// Bytes received a second, lately.
    pub(crate) rate_in: f64,
    /// Bytes sent a second, lately.
    pub(crate) rate_out: f64,
    /// Requests of the peer so far.
    pub(crate) calls: u64,
}

/// The answer of `control.perms`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Permissions {
    /// Whose rights these are; none for a stranger.
    pub(crate) id: Option<String>,
    /// Where they come from: `auth`, `anonymous`, `owner` or `refused`.
    pub(crate) source: String,
    /// Why the peer is refused.
    pub(crate) reason: Option<String>,
    /// Every method there is.
    pub(crate) methods: Vec<Method>,
}

/// What is said about one method.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Method {
    /// Its name, with dots.
    pub(crate) name: String,
    /// `sync`, `async`, `source`, `sink` or `duplex`.
    pub(crate) kind: String,
    /// Whether the peer may call it.
    pub(crate) allowed: bool,
    /// The rule that decided, if one did.
    pub(crate) rule: Option<String>,
    /// The plugin that the rule comes from.
    pub(crate) plugin: Option<String>,
}
