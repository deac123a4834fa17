//! The seam to the library that computes on Curve25519: the only file that names it.
//!
//! X25519, Ed25519 signing and verifying come from aws-lc-rs. Measured among dryoc, dalek and aws-lc-rs on the
//! operations of one handshake (`cargo bench -p handfast-keys --bench curves`), it is the fastest by far, and the
//! others would not leave room for the point checks that this crate adds. The figures stand in
//! `docs/benchmarks.md`. Changing the library means changing this file and nothing else: what a valid key or
//! signature is does not depend on it, see `point.rs` and [`verify`].

use aws_lc_rs::{agreement, signature};
use std::fmt;
use zeroize::Zeroizing;

/// An X25519 secret ready for use; the library erases it when dropped.
pub(crate) struct AgreementKey(agreement::PrivateKey);

impl AgreementKey {
    /// Any 32 bytes are a secret: clamping is part of X25519 (RFC 7748, section 5).
    pub(crate) fn new(secret: &[u8; 32]) -> Option<Self> {
        agreement::PrivateKey::from_private_key(&agreement::X25519, secret)
            .ok()
            .map(Self)
    }

    pub(crate) fn public(&self) -> Option<[u8; 32]> {
        self.0.compute_public_key().ok()?.as_ref().try_into().ok()
    }

    /// The shared secret, or nothing if it is all zero, which happens for exactly the encodings of low order.
    pub(crate) fn agree(&self, theirs: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
        let theirs = agreement::UnparsedPublicKey::new(&agreement::X25519, theirs);
        let mut shared = Zeroizing::new([0; 32]);
        agreement::agree(&self.0, theirs, (), |secret| {
            shared.copy_from_slice(secret);
            Ok(())
        })
        .ok()?;
        Some(shared)
    }
}

impl fmt::Debug for AgreementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AgreementKey(..)")
    }
}

/// An Ed25519 signing key ready for use; the library erases it when dropped.
pub(crate) struct SigningKey(signature::Ed25519KeyPair);

impl SigningKey {
    pub(crate) fn new(seed: &[u8; 32]) -> Option<Self> {
        signature::Ed25519KeyPair::from_seed_unchecked(seed).ok().map(Self)
    }

    pub(crate) fn public(&self) -> Option<[u8; 32]> {
        signature::KeyPair::public_key(&self.0).as_ref().try_into().ok()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Option<[u8; 64]> {
        self.0.try_sign(message).ok()?.as_ref().try_into().ok()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// Verifies as libsodium does, given that `public` has passed `point::check`.
///
/// Libsodium refuses an R of small order. With a key of prime order the only such R that can satisfy the
/// equation is the neutral element, so that one is refused here and the rest is the library's own check.
pub(crate) fn verify(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    const NEUTRAL: [u8; 32] = {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes
    };
    !signature.starts_with(&NEUTRAL)
        && signature::UnparsedPublicKey::new(&signature::ED25519, public)
            .verify(message, signature)
            .is_ok()
}
