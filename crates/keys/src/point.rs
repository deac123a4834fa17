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

/// The y coordinates of the eight points of small order, but for the sign of x: 0, 1, -1 and the two of order eight.
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    with_ends([0; 32], 1, 0),
    with_ends([0xff; 32], 0xec, 0x7f),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

const fn with_ends(mut bytes: [u8; 32], first: u8, last: u8) -> [u8; 32] {
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

/// The point with this encoding, if the encoding is canonical and the point not of small order.
///
/// The other encodings that are not canonical, x = 0 with the sign bit set, are of small order, so they need no test.
pub(crate) fn canonical_of_large_order(encoded: &[u8; 32]) -> Option<EdwardsPoint> {
    let mut y = *encoded;
    let [.., last] = &mut y;
    *last &= 0x7f;
    if !is_reduced(encoded) || SMALL_ORDER.contains(&y) {
        return None;
    }
    CompressedEdwardsY(*encoded).decompress()
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
