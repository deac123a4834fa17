//! Counters of a node.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use handfast_multiserver::Direction;
use handfast_mux::Verdict;
use handfast_mux::{CallType, MethodName, tokio::Observer};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Counters since the node started, as the method `stats` answers them. Names are camel-cased in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Snapshot {
    /// Milliseconds since the node started.
    pub uptime: u64,
    /// Connections that are open.
    pub connections: u64,
    /// Connections that came in and were let in.
    pub incoming: u64,
    /// Connections that this node dialled.
    pub outgoing: u64,
    /// Connections that came in and were not let in: wrong network, refused, too slow, too many.
    pub refused: u64,
    /// Attempts to dial that failed.
    pub dial_failures: u64,
    /// Connections closed because a second one to the same peer was kept.
    pub duplicates: u64,
    /// Connections cut because nothing passed through them for too long.
    pub inactive: u64,
    /// Calls with one answer that peers made.
    pub calls: u64,
    /// Streams that peers opened: sources, sinks and duplexes.
    pub streams: u64,
    /// Calls and streams that ended with an error.
    pub failures: u64,
    /// Calls and streams that permissions forbade.
    pub denied: u64,
    /// Bytes received, after decryption.
    pub bytes_in: u64,
    /// Bytes sent, before encryption.
    pub bytes_out: u64,
}

#[derive(Debug)]
pub(crate) struct Stats {
    start: Instant,
    pub(crate) connections: AtomicU64,
    incoming: AtomicU64,
    outgoing: AtomicU64,
    refused: AtomicU64,
    dial_failures: AtomicU64,
    duplicates: AtomicU64,
    inactive: AtomicU64,
    calls: AtomicU64,
    streams: AtomicU64,
    failures: AtomicU64,
    denied: AtomicU64,
}

fn up(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

impl Stats {
    pub(crate) fn new() -> Self {
        let zero = AtomicU64::default;
        Self {
            start: Instant::now(),
            connections: zero(),
            incoming: zero(),
            outgoing: zero(),
            refused: zero(),
            dial_failures: zero(),
            duplicates: zero(),
            inactive: zero(),
            calls: zero(),
            streams: zero(),
            failures: zero(),
            denied: zero(),
        }
    }

    pub(crate) fn connected(&self, direction: Direction) {
        up(&self.connections);
        up(match direction {
            Direction::Incoming => &self.incoming,
            Direction::Outgoing => &self.outgoing,
        });
    }

    pub(crate) fn disconnected(&self) {
        self.connections.fetch_sub(1, Relaxed);
    }

    pub(crate) fn turned_away(&self, how_many: u64) {
        self.refused.fetch_add(how_many, Relaxed);
    }

    pub(crate) fn dial_failed(&self) {
        up(&self.dial_failures);
    }

    pub(crate) fn duplicate(&self) {
        up(&self.duplicates);
    }

    pub(crate) fn went_idle(&self) {
        up(&self.inactive);
    }

    pub(crate) fn uptime(&self) -> Duration {
        self.start.elapsed()
    }

    /// The counters, and the bytes that all connections have received and sent.
    pub(crate) fn snapshot(&self, (bytes_in, bytes_out): (u64, u64)) -> Snapshot {
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        Snapshot {
            uptime: self.uptime().as_millis().try_into().unwrap_or(u64::MAX),
            connections: get(&self.connections),
            incoming: get(&self.incoming),
            outgoing: get(&self.outgoing),
            refused: get(&self.refused),
            dial_failures: get(&self.dial_failures),
            duplicates: get(&self.duplicates),
            inactive: get(&self.inactive),
            calls: get(&self.calls),
            streams: get(&self.streams),
            failures: get(&self.failures),
            denied: get(&self.denied),
            bytes_in,
            bytes_out,
        }
    }
}

impl Observer for Stats {
    fn request(&self, kind: CallType, _method: &MethodName) {
        up(match kind.is_stream() {
            true => &self.streams,
            false => &self.calls,
        });
    }

    fn refused(&self, _method: &MethodName, _verdict: &Verdict<'_>) {
        up(&self.denied);
    }

    fn answered(&self, _kind: CallType, ok: bool) {
        if !ok {
            up(&self.failures);
        }
    }
}
