//! What this end says of itself, what it wants of the peer, and the randomness of one handshake.

use crate::{Error, NodeKeyAttestation, Principal, Visibility, WalletKey, access::Allow, limits, noise, time::Now};
use bytes::Bytes;
use handfast_keys::KeyPair;
use std::fmt;
use zeroize::ZeroizeOnDrop;

/// What a handshake says of this end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Local {
    /// Who we are.
    pub principal: Principal,
    /// The node key: Ed25519, and its X25519 half for Noise.
    pub node: KeyPair,
    /// The CBOR of the [`NodeKeyAttestation`] by which `principal` vouches for `node`. It is sent as it stands: whoever
    /// keeps a `Local` for long makes a new one before the attestation expires.
    pub attestation: Bytes,
    /// What HELLO tells of our visibility.
    pub visibility: Visibility,
    /// What HELLO tells that we can do, such as `aliases` and `px-1`. The reference ignores them. At most
    /// [`limits::CAPABILITIES_MAX`] of at most [`limits::CAPABILITY_LEN_MAX`] bytes.
    pub capabilities: Vec<String>,
    /// Which Noise is spoken. Both ends must be configured alike: there is no fallback.
    pub suite: noise::Suite,
}

impl Local {
    /// A public node of `principal` with no capabilities that speaks the reference's Noise, its node key attested by
    /// `wallet` for [`limits::ATTESTATION_VALIDITY`] from now.
    ///
    /// # Errors
    /// [`Error::Misuse`] if `principal` is not `wallet`'s, [`Error::Keys`] if the operating system gives no randomness.
    pub fn attested(wallet: &WalletKey, principal: Principal, node: KeyPair, now: Now) -> Result<Self, Error> {
        let ours = principal.network().map(|network| wallet.address(network));
        if ours.as_ref() != Some(principal.address()) {
            return Err(Error::Misuse("the principal is not that of the wallet's key"));
        }
        let mut nonce = [0; 32];
        handfast_keys::random(&mut nonce)?;
        let attestation = NodeKeyAttestation::issue(
            wallet,
            principal,
            *node.public().as_bytes(),
            nonce,
            now.unix,
            limits::ATTESTATION_VALIDITY,
        );
        Ok(Self {
            principal,
            node,
            attestation: attestation.encode().into(),
            visibility: Visibility::Public,
            capabilities: Vec::new(),
            suite: noise::Suite::default(),
        })
    }
}

/// What whoever dials wants.
#[derive(Clone, Default)]
pub struct Dial {
    /// Who must answer. `None` takes anybody whom `allow` takes: the session then tells who it was.
    pub expect: Option<Principal>,
    /// An invite token, 16 to 32 bytes, to knock with. Only for nodes that are known to be stealth: the reference takes a
    /// KNOCK for Noise when it is not, and the handshake fails. It travels in clear, as the protocol has it.
    pub token: Option<Bytes>,
    /// Who may answer.
    pub allow: Allow,
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dial")
            .field("expect", &self.expect)
            .field("token", &self.token.as_ref().map(|_| ".."))
            .field("allow", &self.allow)
            .finish()
    }
}

/// What whoever answers wants.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Whether a KNOCK with a good token must come first. Whoever comes without one learns nothing.
    pub stealth: bool,
    /// Who may dial.
    pub allow: Allow,
}

/// The randomness of one handshake. Fixed in tests, and never used twice.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Secrets {
    /// The secret half of the ephemeral X25519 key.
    pub ephemeral: [u8; 32],
    /// The nonce of our HELLO.
    pub nonce: [u8; 32],
    /// The name of the session, if it is ours to give: the responder's.
    pub session_id: [u8; 32],
}

impl Secrets {
    /// Fresh ones from the operating system.
    ///
    /// # Errors
    /// [`Error::Keys`] if it gives none.
    pub fn random() -> Result<Self, Error> {
        let mut secrets = Self {
            ephemeral: [0; 32],
            nonce: [0; 32],
            session_id: [0; 32],
        };
        handfast_keys::random(&mut secrets.ephemeral)?;
        handfast_keys::random(&mut secrets.nonce)?;
        handfast_keys::random(&mut secrets.session_id)?;
        Ok(secrets)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}
