//! What ties a node key to a principal.

use crate::{AttestationFault, Principal, UnixTime, WalletKey};
use std::time::Duration;

/// A principal's signed word that a node key speaks for it, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeKeyAttestation {
    /// Who signs.
    pub principal: Principal,
    /// The Ed25519 node key.
    pub node_key: [u8; 32],
    /// From when it is good.
    pub issued_at: UnixTime,
    /// Until when.
    pub expires_at: UnixTime,
    /// 16 to 32 random bytes.
    pub nonce: Vec<u8>,
    /// R, S and the recovery id.
    pub signature: [u8; 65],
}

impl NodeKeyAttestation {
    /// Signs one.
    #[must_use]
    pub fn issue(
        key: &WalletKey,
        principal: Principal,
        node_key: [u8; 32],
        nonce: [u8; 32],
        issued_at: UnixTime,
        validity: Duration,
    ) -> Self {
        let _ = (key, principal, node_key, nonce, issued_at, validity);
        todo!("identity")
    }

    /// The CBOR, as AUTH carries it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        todo!("identity")
    }

    /// Reads the CBOR.
    ///
    /// # Errors
    /// [`AttestationFault::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, AttestationFault> {
        let _ = bytes;
        todo!("identity")
    }

    /// Checks times and signature, on the network that the principal's address tells.
    ///
    /// # Errors
    /// Each [`AttestationFault`] but `Malformed` and the `Other…`.
    pub fn verify(&self, now: UnixTime) -> Result<(), AttestationFault> {
        let _ = now;
        todo!("identity")
    }
}
