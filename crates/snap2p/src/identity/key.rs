//! A wallet's secp256k1 key, and the public keys behind signatures.

use crate::{Address, Error, Network};
use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
use std::fmt;
use zeroize::Zeroizing;

/// How often [`WalletKey::generate`] draws: one draw in 2^128 is no key.
const DRAWS: usize = 4;

/// The secp256k1 key of one account of a wallet. Erased when dropped, never shown by `Debug`.
#[derive(Clone)]
pub struct WalletKey(SigningKey);

impl WalletKey {
    /// The key of these 32 secret bytes.
    ///
    /// # Errors
    /// [`Error::Misuse`] for zero and for what is not below the order of the curve.
    pub fn from_bytes(secret: &[u8; 32]) -> Result<Self, Error> {
        SigningKey::from_slice(secret)
            .map(Self)
            .map_err(|_| Error::Misuse("these 32 bytes are no secp256k1 key"))
    }

    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`Error::Keys`] if there is no randomness.
    pub fn generate() -> Result<Self, Error> {
        let mut secret = Zeroizing::new([0; 32]);
        for _ in 0..DRAWS {
            handfast_keys::random(secret.as_mut())?;
            if let Ok(key) = Self::from_bytes(&secret) {
                return Ok(key);
            }
        }
        Err(handfast_keys::Error::NoRandomness.into())
    }

    /// The 32 secret bytes, erased when dropped.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes().into())
    }

    /// The compressed public key.
    #[must_use]
    pub fn public(&self) -> [u8; 33] {
        compressed(self.0.verifying_key())
    }

    /// The address of this key.
    #[must_use]
    pub fn address(&self, network: Network) -> Address {
        Address::of(&self.public(), network)
    }

    /// Signs a SHA-256 digest: R (32 bytes), S (32, low) and the recovery id (0 to 3), deterministically by RFC 6979.
    #[must_use]
    pub fn sign(&self, digest: &[u8; 32]) -> [u8; 65] {
        let (signature, recovery) = self.0.sign_prehash_recoverable(digest);
        let mut bytes = [0; 65];
        let (rs, v) = bytes.split_at_mut(64);
        rs.copy_from_slice(&signature.to_bytes());
        v.fill(recovery.to_byte());
        bytes
    }
}

impl fmt::Debug for WalletKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WalletKey(..)")
    }
}

/// The compressed public key that made a signature of a SHA-256 digest: R, S and the recovery id 0 to 3.
///
/// `None` if there is none. S may be high, as the reference takes it, so a signature has a twin: never use one as a name.
#[must_use]
pub fn recover(digest: &[u8; 32], signature: &[u8; 65]) -> Option<[u8; 33]> {
    let (rs, v) = signature.split_at_checked(64)?;
    let recovery = RecoveryId::from_byte(*v.first()?)?;
    let signature = Signature::from_slice(rs).ok()?;
    let key = VerifyingKey::recover_from_prehash(digest, &signature, recovery).ok()?;
    Some(compressed(&key))
}

fn compressed(key: &VerifyingKey) -> [u8; 33] {
    let point = key.to_sec1_point(true);
    point.as_bytes().try_into().unwrap_or([0; 33])
}
