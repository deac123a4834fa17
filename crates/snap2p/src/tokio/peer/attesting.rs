//! What handshakes say of us, and its renewal.

use super::Identity;
use crate::{Error, NodeKeyAttestation, UnixTime, Visibility, limits, noise::Suite, session::Local};
use handfast_keys::KeyPair;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Keeps an attestation that is good for long enough: each handshake asks for it, and the first that asks after half of its life
/// gets a new one. So a node that runs for months never shows an old one, and an idle one signs nothing.
#[derive(Debug)]
pub(super) struct Attesting {
    identity: Identity,
    current: Mutex<Attested>,
}

#[derive(Debug)]
struct Attested {
    local: Local,
    issued_at: UnixTime,
}

impl Attesting {
    pub(super) fn new(
        identity: Identity,
        node: KeyPair,
        visibility: Visibility,
        capabilities: Vec<String>,
        suite: Suite,
        now: UnixTime,
    ) -> Result<Self, Error> {
        let local = Local {
            principal: identity.principal,
            attestation: sign(&identity, &node, now)?.into(),
            node,
            visibility,
            capabilities,
            suite,
        };
        Ok(Self {
            identity,
            current: Mutex::new(Attested { local, issued_at: now }),
        })
    }

    pub(super) const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What a handshake that begins now says of us.
    ///
    /// # Errors
    /// [`Error::Keys`] if a new attestation is due and the system gives no randomness.
    pub(super) fn local(&self, now: UnixTime) -> Result<Local, Error> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let half_life = limits::ATTESTATION_VALIDITY / 2;
        let is_old = now >= current.issued_at.plus(half_life);
        // Somebody has set the clock back, and others would take it for one from the future.
        let is_early = now.plus(Duration::from_secs(1)) < current.issued_at;
        if is_old || is_early {
            current.local.attestation = sign(&self.identity, &current.local.node, now)?.into();
            current.issued_at = now;
            tracing::debug!("the node key is attested anew");
        }
        Ok(current.local.clone())
    }
}

fn sign(identity: &Identity, node: &KeyPair, now: UnixTime) -> Result<Vec<u8>, Error> {
    let mut nonce = [0; 32];
    handfast_keys::random(&mut nonce)?;
    let attestation = NodeKeyAttestation::issue(
        &identity.key,
        identity.principal,
        *node.public().as_bytes(),
        nonce,
        now,
        limits::ATTESTATION_VALIDITY,
    );
    Ok(attestation.encode())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Network, WalletKey};

    fn issued_at(local: &Local) -> UnixTime {
        NodeKeyAttestation::decode(&local.attestation).unwrap().issued_at
    }

    #[test]
    fn an_attestation_is_renewed_at_half_of_its_life() {
        let identity = Identity::from((WalletKey::generate().unwrap(), Network::Mainnet));
        let node = KeyPair::generate().unwrap();
        let start = UnixTime(1_800_000_000);
        let attesting =
            Attesting::new(identity, node, Visibility::Public, Vec::new(), Suite::default(), start).unwrap();
        let half = limits::ATTESTATION_VALIDITY / 2;
        let at = |now: UnixTime| {
            let local = attesting.local(now).unwrap();
            NodeKeyAttestation::decode(&local.attestation)
                .unwrap()
                .verify(now)
                .unwrap();
            issued_at(&local)
        };
        assert_eq!(at(start), start);
        assert_eq!(at(start.plus(half - Duration::from_secs(1))), start);
        assert_eq!(at(start.plus(half)), start.plus(half));
        assert_eq!(at(start.plus(100 * half)), start.plus(100 * half));
        assert_eq!(at(start), start, "the clock was set back");
    }
}
