//! What listening and dialling lead to.

use crate::{Alternative, Auth, BoxSocket};
use handfast_keys::PublicKey;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A stream to a peer that is known.
pub struct Connection {
    /// The stream. Of a connection that came in it holds the place: dropping it frees the place, and once the place is
    /// needed for somebody else, reading and writing fail with `ConnectionAborted`.
    pub socket: BoxSocket,
    /// The other end: where it was dialled or from where it came, and who it is.
    pub address: Alternative,
    /// Who is at the other end, if that was proved; for `noauth` the node itself.
    pub peer: Option<PublicKey>,
    /// What was decided about it while shaking hands.
    pub auth: Auth,
    /// Which end dialled.
    pub direction: Direction,
    /// Whether this end came as the identity of a seed in the address: the other end takes it for somebody else than the
    /// node that dialled.
    pub seeded: bool,
    /// The name of the transport, as configurations have it.
    pub transport: String,
    /// The name of the transform.
    pub transform: String,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("address", &self.address)
            .field("peer", &self.peer)
            .field("auth", &self.auth)
            .field("direction", &self.direction)
            .field("seeded", &self.seeded)
            .field("transport", &self.transport)
            .field("transform", &self.transform)
            .finish_non_exhaustive()
    }
}

/// Which end dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The other end.
    Incoming,
    /// This end.
    Outgoing,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Incoming => "incoming",
            Self::Outgoing => "outgoing",
        })
    }
}
