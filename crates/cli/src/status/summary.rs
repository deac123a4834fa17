//! What the peers are together.

use crate::control::{Connection, Status};
use std::collections::BTreeMap;

/// Sums over all connections.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Summary {
    /// Bytes a second.
    pub(super) rate_in: f64,
    pub(super) rate_out: f64,
    /// For each transport, how many came in and how many went out.
    pub(super) transports: BTreeMap<String, (usize, usize)>,
}

impl Summary {
    pub(super) fn of(status: &Status) -> Self {
        let mut sums = Self::default();
        for peer in &status.peers {
            sums.rate_in += peer.rate_in;
            sums.rate_out += peer.rate_out;
            let (incoming, outgoing) = sums.transports.entry(peer.transport.clone()).or_default();
            *if is_incoming(peer) { incoming } else { outgoing } += 1;
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

/// Whether the peer dialled us.
pub(super) fn is_incoming(peer: &Connection) -> bool {
    peer.direction == "incoming"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transports_are_counted_by_direction() {
        let peer = |transport: &str, direction: &str| Connection {
            transport: transport.into(),
            direction: direction.into(),
            rate_in: 2.0,
            rate_out: 1.0,
            ..Connection::default()
        };
        let status = Status {
            peers: vec![
                peer("ws", "incoming"),
                peer("net", "outgoing"),
                peer("net", "incoming"),
                peer("net", "incoming"),
            ],
            ..Status::default()
        };
        let summary = Summary::of(&status);
        assert_eq!((summary.rate_in, summary.rate_out), (8.0, 4.0));
        assert_eq!(summary.transports(), "net 2 in 1 out, ws 1 in");
        assert_eq!(Summary::of(&Status::default()).transports(), "");
    }
}
