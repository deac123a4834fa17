//! Which encoded points are refused as public keys.
//!
//! One decision for the whole project, made where a key enters and nowhere else. The library that computes the
//! agreement has no say in it.

use crate::{error::KeyFault, x25519};
use curve25519_dalek::{EdwardsPoint, Scalar, edwards::CompressedEdwardsY, traits::IsIdentity};

/// Checks an Ed25519 public key and converts it to X25519 in one pass over the point.
///
/// Refused are: bytes that are no point, encodings that are not canonical, the eight points of small order, and
/// points with a component of small order. Public keys are public, so nothing here has to run in constant time.
///
/// Libsodium draws the same line in three places: the conversion refuses small and mixed order, verification
/// refuses encodings that are not canonical, and a handshake needs both. Release 1.0.18, which the
/// JavaScript peers carry, lets one kind slip through: a key of prime order plus the point of order two. Nobody has
/// such a key by accident, and it is refused here as its kind is meant to be there.
pub(crate) fn check(encoded: &[u8; 32]) -> Result<x25519::PublicKey, KeyFault> {
    if !is_reduced(encoded) {
        return Err(KeyFault::NonCanonical);
    }
    let point = CompressedEdwardsY(*encoded).decompress().ok_or(KeyFault::NotAPoint)?;
    if point.is_small_order() {
        // x = 0 with the sign bit set decodes to a point of small order whose canonical encoding differs.
        let canonical = point.compress().as_bytes() == encoded;
        return Err(if canonical {
            KeyFault::LowOrder
        } else {
            KeyFault::NonCanonical
        });
    }
    if !is_torsion_free(&point) {
        return Err(KeyFault::MixedOrder);
    }
    Ok(x25519::PublicKey::from_checked(point.to_montgomery().to_bytes()))
}

/// The point with this canonical encoding, whatever its order.
pub(crate) fn canonical(encoded: &[u8; 32]) -> Option<EdwardsPoint> {
    if !is_reduced(encoded) {
        return None;
    }
    let point = CompressedEdwardsY(*encoded).decompress()?;
    // The other encodings that are not canonical are x = 0 with the sign bit set: y = 1 and y = -1, both of small order.
    let [first, middle @ .., last] = encoded;
    let negative_zero = last & 0x80 != 0
        && (*first == 1 && middle.iter().all(|&byte| byte == 0) && *last == 0x80
            || *first == 0xec && middle.iter().all(|&byte| byte == 0xff) && *last == 0xff);
    (!negative_zero).then_some(point)
}

/// Whether y, the low 255 bits, is below p = 2^255 - 19.
fn is_reduced(encoded: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = encoded;
    !(*first >= 0xed && middle.iter().all(|&byte| byte == 0xff) && last & 0x7f == 0x7f)
}

/// Whether l·P is the neutral element, l being the prime order of the base point.
///
/// A scalar cannot hold l itself, so this computes (l - 1)·P and compares with -P. Nearly half the digits of
/// l - 1 are zero, which makes the variable-time product cheaper than the constant-time one.
fn is_torsion_free(point: &EdwardsPoint) -> bool {
    let product = EdwardsPoint::vartime_double_scalar_mul_basepoint(&-Scalar::ONE, point, &Scalar::ZERO);
    (product + point).is_identity()
}
