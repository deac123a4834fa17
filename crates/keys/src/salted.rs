//! Signatures that differ for equal messages.

use curve25519_dalek::{EdwardsPoint, Scalar};
use ring::digest;
use zeroize::Zeroizing;

/// What sets the nonces of this file apart from those of RFC 8032. Were they drawn from the same hash, a signature of the
/// message "salt, then message" would share its nonce with the salted signature of the message, and give the key away.
const DOMAIN: &[u8] = b"handfast-keys salted nonce 1";

/// An Ed25519 signature whose nonce is drawn from the salt, too: RFC 8032, section 5.1.6, but for step 2. Any verifier takes it.
///
/// Invariant: the nonce is a hash of the secret prefix, the salt and the message, each in a place of its own, so two
/// signatures share a nonce only if they are the same signature.
pub(crate) fn sign(seed: &[u8; 32], public: &[u8; 32], message: &[u8], salt: &[u8; 32]) -> [u8; 64] {
    let expanded = hash(&[seed]);
    let (lower, prefix) = expanded.split_at(32);
    let mut scalar = Zeroizing::new([0; 32]);
    for (to, from) in scalar.iter_mut().zip(lower) {
        *to = *from;
    }
    let [first, .., last] = &mut *scalar;
    *first &= 248;
    *last = *last & 63 | 64;
    let secret = Zeroizing::new(Scalar::from_bytes_mod_order(*scalar));
    let key = hash(&[DOMAIN, prefix]);
    let nonce = Zeroizing::new(Scalar::from_bytes_mod_order_wide(&hash(&[&key[..], salt, message])));
    let commitment = EdwardsPoint::mul_base(&nonce).compress().to_bytes();
    let challenge = Scalar::from_bytes_mod_order_wide(&hash(&[&commitment, public, message]));
    let response = challenge * *secret + *nonce;
    let mut signature = [0; 64];
    let parts = commitment.into_iter().chain(response.to_bytes());
    for (to, from) in signature.iter_mut().zip(parts) {
        *to = from;
    }
    signature
}

fn hash(parts: &[&[u8]]) -> Zeroizing<[u8; 64]> {
    let mut context = digest::Context::new(&digest::SHA512);
    parts.iter().for_each(|part| context.update(part));
    let mut bytes = Zeroizing::new([0; 64]);
    bytes.copy_from_slice(context.finish().as_ref());
    bytes
}
