//! What the peers are together.

use handfast_stack::{
    Basis, Direction, Scope, Snapshot,
    control::{PeerStatus, Status},
};
use std::collections::BTreeMap;

/// Sums over all peers.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Summary {
    /// Bytes a second.
    pub(super) rate_in: u64,
    pub(super) rate_out: u64,
    /// For each transport, how many came in and how many went out.
    transports: BTreeMap<String, (usize, usize)>,
}

impl Summary {
    pub(super) fn of(status: &Status) -> Self {
        let mut sums = Self::default();
        for peer in peers(&status.peers) {
            sums.rate_in += peer.rate_in;
            sums.rate_out += peer.rate_out;
            let (incoming, outgoing) = sums.transports.entry(peer.transport.clone()).or_default();
            match peer.direction {
                Direction::Incoming => *incoming += 1,
                Direction::Outgoing => *outgoing += 1,
            }
        }
        sums
    }

    /// `net 2 in 1 out, ws 3 in`; nothing if there are no connections.
    pub(super) fn transports(&self) -> String {
        let one = |(name, &(incoming, outgoing)): (&String, &(usize, usize))| {
            let part = |count: usize, way| {
                if count == 0 {
                    String::new()
                } else {
                    format!(" {count} {way}")
                }
            };
            format!("{name}{}{}", part(incoming, "in"), part(outgoing, "out"))
        };
        self.transports.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// The connections that lead to peers. The others are programs of the owner, such as this one.
pub(super) fn peers(connections: &[PeerStatus]) -> impl Iterator<Item = &PeerStatus> + Clone {
    connections.iter().filter(|peer| peer.basis != Basis::Owner)
}

/// The addresses to give to others, the narrowest scope first; one that serves two scopes stands there once.
pub(super) fn addresses(status: &Status) -> Vec<(Scope, &str)> {
    let mut addresses: Vec<(Scope, &str)> = Vec::new();
    for scope in Scope::ALL {
        if let Some(address) = status.addresses.get(scope.as_str())
            && !addresses.iter().any(|(_, there)| there == address)
        {
            addresses.push((scope, address));
        }
    }
    addresses
}

/// What happened since the node started, in words.
pub(super) fn counters(stats: &Snapshot) -> String {
    let Snapshot {
        calls,
        streams,
        failures,
        denied,
        refused,
        ..
    } = stats;
    format!("{calls} calls, {streams} streams, {failures} failed, {denied} denied, {refused} connections refused")
}

/// A word for who dialled.
pub(super) fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Incoming => "in",
        Direction::Outgoing => "out",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A status with these connections, each a JSON object that says what matters.
    pub(in super::super) fn status(peers: impl IntoIterator<Item = Value>) -> Status {
        let peer = |(number, own): (usize, Value)| {
            let mut peer = json!({
                "number": number, "id": "@id", "address": "net:192.0.2.7:1000", "direction": "incoming", "transport": "net",
                "basis": "anonymous", "since": 0, "bytesIn": 0, "bytesOut": 0, "rateIn": 0, "rateOut": 0
            });
            handfast_stack::merge(&mut peer, own);
            peer
        };
        let peers: Vec<Value> = peers.into_iter().enumerate().map(peer).collect();
        serde_json::from_value(json!({
            "id": "@me.ed25519", "listening": [], "addresses": { "public": "net:example.org:8008~shs:KEY" },
            "peers": peers, "stats": { "uptime": 3_600_000 }, "rateIn": 0, "rateOut": 0
        }))
        .unwrap()
    }

    #[test]
    fn transports_are_counted_by_direction_and_the_owner_is_no_peer() {
        let status = status([
            json!({ "transport": "ws", "rateIn": 2, "rateOut": 1 }),
            json!({ "direction": "outgoing", "rateIn": 2, "rateOut": 1 }),
            json!({}),
            json!({}),
            json!({ "transport": "unix", "basis": "owner", "rateIn": 1000 }),
        ]);
        let summary = Summary::of(&status);
        assert_eq!((summary.rate_in, summary.rate_out), (4, 2));
        assert_eq!(summary.transports(), "net 2 in 1 out, ws 1 in");
        assert_eq!(peers(&status.peers).count(), 4);
    }

    #[test]
    fn addresses_stand_by_scope_and_once() {
        let mut status = status([]);
        for scope in ["private", "device", "local"] {
            let address = if scope == "device" {
                "net:localhost:1"
            } else {
                "net:192.0.2.1:1"
            };
            status.addresses.insert(scope.into(), address.into());
        }
        assert_eq!(
            addresses(&status),
            [
                (Scope::Device, "net:localhost:1"),
                (Scope::Local, "net:192.0.2.1:1"),
                (Scope::Public, "net:example.org:8008~shs:KEY")
            ]
        );
    }
}
