//! X25519 keys: what handshakes compute with.
//!
//! An identity's X25519 key is converted from its Ed25519 key ([`KeyPair::agreement`](crate::KeyPair::agreement),
//! [`PublicKey::to_x25519`](crate::PublicKey::to_x25519)); an ephemeral key is 32 fresh random bytes.

use crate::{curve::AgreementKey, error::Error};
use std::fmt;
use zeroize::Zeroizing;

/// An X25519 public key: 32 bytes, the u coordinate in little-endian order.
///
/// Any 32 bytes may arrive as an ephemeral key, so there is no check here; [`SecretKey::agree`] refuses those of
/// low order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Wraps bytes that arrived from a peer.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn from_checked(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, as they travel.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("x25519:")?;
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// An X25519 secret key with its public half. Erased when dropped, never shown by `Debug`.
pub struct SecretKey {
    key: AgreementKey,
    public: PublicKey,
}

impl SecretKey {
    /// The key of these 32 secret bytes. Any bytes will do: X25519 clamps them (RFC 7748, section 5).
    ///
    /// # Errors
    /// [`Error::Library`] if the cryptographic library cannot work at all, for want of memory.
    pub fn from_bytes(secret: &[u8; 32]) -> Result<Self, Error> {
        let key = AgreementKey::new(secret).ok_or(Error::Library)?;
        let public = PublicKey(key.public().ok_or(Error::Library)?);
        Ok(Self { key, public })
    }

    /// A fresh key from the operating system's randomness.
    ///
    /// # Errors
    /// [`Error::NoRandomness`] if the operating system gives none.
    pub fn generate() -> Result<Self, Error> {
        let mut secret = Zeroizing::new([0; 32]);
        crate::random(&mut *secret)?;
        Self::from_bytes(&secret)
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The 32-byte shared secret with `theirs`, or `None` if `theirs` has low order.
    ///
    /// Libsodium's `crypto_scalarmult` refuses the same keys: with each of them the result is all zero whatever
    /// the secret, so that a peer could force a shared secret that everybody knows.
    #[must_use]
    pub fn agree(&self, theirs: &PublicKey) -> Option<Zeroizing<[u8; 32]>> {
        self.key.agree(&theirs.0)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}
