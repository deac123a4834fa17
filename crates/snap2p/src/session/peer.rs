//! Who is at the other end.

use crate::{Principal, Visibility};
use handfast_keys::PublicKey;

/// Which end of a session this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// It dialled. Its streams have even numbers.
    Initiator,
    /// It answered. Its streams have odd numbers.
    Responder,
}

/// Who is at the other end, and by which name both know the session.
#[derive(Debug, Clone)]
pub struct PeerInfo {
    /// Who it is: proved.
    pub principal: Principal,
    /// Its node key: proved, and attested by `principal`. A principal may have several, one on each device.
    pub node_key: PublicKey,
    /// What it says of its visibility.
    pub visibility: Visibility,
    /// What it says that it can do; at most [`limits::CAPABILITIES_MAX`](crate::limits::CAPABILITIES_MAX). Empty for the
    /// reference.
    pub capabilities: Vec<String>,
    /// The name of the session, made by the responder. Not a secret and not bound to the keys.
    pub session_id: [u8; 32],
    /// Noise's handshake hash: the same at both ends, and of no other session.
    pub handshake_hash: [u8; 32],
    /// Which end we are.
    pub role: Role,
}
