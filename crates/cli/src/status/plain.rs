//! The status as text.

use super::summary::{Summary, is_incoming};
use crate::{
    control::{Connection, Status},
    figures::{bytes, columns, count, now, span},
    out::Clean,
};

/// The whole status, in lines.
pub(super) fn status(status: &Status) -> String {
    let summary = Summary::of(status);
    let mut lines = vec![
        Clean(&status.id).to_string(),
        format!(
            "up {}, {}, in {}/s, out {}/s",
            span(status.uptime),
            count(status.peers.len(), "peer"),
            bytes(summary.rate_in),
            bytes(summary.rate_out)
        ),
    ];
    let addresses = status
        .addresses
        .iter()
        .filter_map(|(scope, address)| Some((scope, address.as_ref()?)));
    lines.extend(addresses.map(|(scope, address)| format!("{:8} {}", Clean(scope).to_string(), Clean(address))));
    if !status.peers.is_empty() {
        lines.push(format!("peers by transport: {}", Clean(summary.transports())));
        lines.push(String::new());
        lines.push(peers_table(&status.peers));
    }
    lines.join("\n")
}

/// The connections, one a line under a head.
pub(crate) fn peers_table(peers: &[Connection]) -> String {
    const HEAD: [&str; 10] = [
        "PEER", "WAY", "OVER", "SINCE", "IN", "OUT", "IN/S", "OUT/S", "CALLS", "ADDRESS",
    ];
    let now = now();
    let row = |peer: &Connection| {
        [
            Clean(peer.id.as_deref().unwrap_or("unknown")).to_string(),
            if is_incoming(peer) { "in" } else { "out" }.into(),
            Clean(&peer.transport).to_string(),
            span(now - peer.since),
            bytes(peer.bytes_in as f64),
            bytes(peer.bytes_out as f64),
            bytes(peer.rate_in),
            bytes(peer.rate_out),
            peer.calls.to_string(),
            Clean(&peer.address).to_string(),
        ]
    };
    columns(HEAD, peers.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_peer_is_shown_and_not_obeyed() {
        let peer = Connection {
            address: "net:\u{1b}[2Jexample:8008\n@forged".into(),
            ..Connection::default()
        };
        let table = peers_table(&[peer]);
        assert_eq!(table.lines().count(), 2);
        assert!(table.contains("net:\\u{1b}[2Jexample:8008\\n@forged"), "{table}");
    }

    #[test]
    fn scopes_without_an_address_are_left_out() {
        let status = Status {
            id: "@me.ed25519".into(),
            addresses: [
                ("device".into(), Some("net:localhost:1".into())),
                ("public".into(), None),
            ]
            .into(),
            uptime: 61_000.0,
            ..Status::default()
        };
        assert_eq!(
            super::status(&status),
            "@me.ed25519\nup 1 min 1 s, 0 peers, in 0 B/s, out 0 B/s\ndevice   net:localhost:1"
        );
    }
}
