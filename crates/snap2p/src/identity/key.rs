//! A wallet's secp256k1 key.

use crate::{Address, Error, Network};
use k256::ecdsa::SigningKey;
use std::fmt;

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

    /// The compressed public key.
    #[must_use]
    pub fn public(&self) -> [u8; 33] {
        let point = self.0.verifying_key().to_sec1_point(true);
        point.as_bytes().try_into().unwrap_or([0; 33])
    }

    /// The address of this key.
    #[must_use]
    pub fn address(&self, network: Network) -> Address {
        let _ = network;
        todo!("identity")
    }

    /// Signs a SHA-256 digest: R, S (low) and the recovery id, deterministically by RFC 6979.
    #[must_use]
    pub fn sign(&self, digest: &[u8; 32]) -> [u8; 65] {
        let _ = digest;
        todo!("identity")
    }
}

impl fmt::Debug for WalletKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WalletKey(..)")
    }
}
