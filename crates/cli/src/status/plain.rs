//! The status as text.

use super::summary::{Summary, addresses, counters, peers, way};
use crate::{
    figures::{bytes, columns, count, now, span},
    out::Clean,
};
use handfast_stack::control::{PeerStatus, Status};

/// The whole status, in lines.
pub(super) fn status(status: &Status) -> String {
    let summary = Summary::of(status);
    let mut lines = vec![
        Clean(&status.id).to_string(),
        format!(
            "up {}, {}, in {}/s, out {}/s",
            span(status.stats.uptime),
            count(peers(&status.peers).count(), "peer"),
            bytes(summary.rate_in),
            bytes(summary.rate_out)
        ),
    ];
    let addresses = addresses(status).into_iter();
    lines.extend(addresses.map(|(scope, address)| format!("{:8} {}", scope.as_str(), Clean(address))));
    lines.push(format!("so far   {}", counters(&status.stats)));
    if peers(&status.peers).next().is_some() {
        lines.push(format!("peers by transport: {}", Clean(summary.transports())));
        lines.push(String::new());
        lines.push(peers_table(&status.peers));
    }
    lines.join("\n")
}

/// The peers, one a line under a head. Programs of the owner are not among them.
pub(crate) fn peers_table(connections: &[PeerStatus]) -> String {
    const HEAD: [&str; 9] = ["PEER", "WAY", "OVER", "SINCE", "IN", "OUT", "IN/S", "OUT/S", "ADDRESS"];
    let now = now();
    let row = |peer: &PeerStatus| {
        [
            Clean(peer.id.as_deref().unwrap_or("unknown")).to_string(),
            way(peer.direction).into(),
            Clean(&peer.transport).to_string(),
            span(now.saturating_sub(peer.since)),
            bytes(peer.bytes_in),
            bytes(peer.bytes_out),
            bytes(peer.rate_in),
            bytes(peer.rate_out),
            Clean(&peer.address).to_string(),
        ]
    };
    columns(HEAD, peers(connections).map(row))
}

#[cfg(test)]
mod tests {
    use super::{super::summary::tests::status, *};
    use serde_json::json;

    #[test]
    fn an_address_of_a_peer_is_shown_and_not_obeyed() {
        let table = peers_table(&status([json!({ "address": "net:\u{1b}[2Jexample:8008\n@forged" })]).peers);
        assert_eq!(table.lines().count(), 2);
        assert!(table.contains("net:\\u{1b}[2Jexample:8008\\n@forged"), "{table}");
    }

    #[test]
    fn without_peers_there_is_no_table() {
        let owner = json!({ "basis": "owner" });
        assert_eq!(
            super::status(&status([owner])),
            "@me.ed25519\nup 1 h, 0 peers, in 0 B/s, out 0 B/s\npublic   net:example.org:8008~shs:KEY\n\
             so far   0 calls, 0 streams, 0 failed, 0 denied, 0 connections refused"
        );
    }
}
