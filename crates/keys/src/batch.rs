//! Many signatures in one equation.
//!
//! A signature (R, S) of a message M by a key A is sound when 8·(S·B - R - h·A) is the neutral element, where h is the hash
//! of R, A and M: RFC 8032, section 5.1.7, with the cofactor. [`verify`] multiplies the equations of a whole batch by
//! coefficients that nobody can foresee, adds them up and evaluates the sum at once, which costs a third to a half of checking
//! them one by one. The terms of one key fall together, so a batch of few authors is cheaper still.
//!
//! # What is accepted
//! - S is canonical (below the order of the base point), as RFC 8032 demands: nobody can make a second signature of a first.
//! - R is a point in canonical encoding and not one of the eight points of small order, which libsodium refuses, too.
//! - The key is a [`PublicKey`], so it is of prime order.
//!
//! The answer for one claim never depends on the rest of the batch. If the sum does not come out, the batch is halved until
//! the culprits are found, and a claim alone is decided by the same equation.
//!
//! # Where libsodium differs
//! Libsodium and [`PublicKey::verify`] check without the cofactor. Whatever they accept is accepted here. What they refuse is
//! accepted here only if R carries a component of small order: such a signature can be made by nobody but the owner of the
//! key, on purpose. Where all the world must agree on a message, such as in feeds of Secure Scuttlebutt, use
//! [`PublicKey::verify`].

use crate::{PublicKey, Signature, curve, point};
use curve25519_dalek::{
    EdwardsPoint, Scalar,
    constants::ED25519_BASEPOINT_POINT,
    edwards::CompressedEdwardsY,
    traits::{IsIdentity, VartimeMultiscalarMul},
};
use ring::digest;
use std::collections::HashMap;

/// Below so many claims the library's check of one signature after the other is faster than the sum
/// (`cargo bench -p handfast-keys --bench batch`).
const WORTHWHILE: usize = 4;

/// How much halving is worth while, as a multiple of the batch: after that, whatever is still in doubt is checked one by one.
/// Without this bound a batch full of forgeries would cost its length times the depth of the halving.
const HALVING: usize = 2;

/// Claims for which a thread of its own is worth starting: a millisecond or two of work. Each part of a batch pays anew for what
/// a whole one pays once, some 2,700 additions of points, so parts of 64 would cost all processors together a fifth more.
const PER_THREAD: usize = 256;

/// The statement that a key signed a message.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Who is said to have signed.
    pub key: &'a PublicKey,
    /// What is said to be signed.
    pub message: &'a [u8],
    /// The signature.
    pub signature: &'a Signature,
}

/// Which of the claims are true, in their order. The same claims give the same answers, always.
#[must_use]
pub fn verify(claims: &[Claim<'_>]) -> Vec<bool> {
    let mut answers = vec![false; claims.len()];
    if claims.len() < WORTHWHILE {
        for (claim, answer) in claims.iter().zip(&mut answers) {
            *answer = alone(claim);
        }
        return answers;
    }
    let batch = Batch::new(claims);
    let mut budget = HALVING * claims.len();
    batch.settle(&batch.terms, false, &mut budget, &mut answers);
    answers
}

/// As [`verify`], with the work divided among up to `threads` threads, which end before this returns. The answers are the
/// same.
#[must_use]
pub fn verify_parallel(claims: &[Claim<'_>], threads: usize) -> Vec<bool> {
    let threads = threads.min(claims.len() / PER_THREAD).max(1);
    let mut parts = claims.chunks(claims.len().div_ceil(threads).max(1));
    let first = parts.next().unwrap_or_default();
    std::thread::scope(|scope| {
        let others: Vec<_> = parts
            .map(|part| {
                (
                    part,
                    std::thread::Builder::new().spawn_scoped(scope, move || verify(part)),
                )
            })
            .collect();
        let mut answers = verify(first);
        for (part, other) in others {
            // Where the system has no thread to give, the work is done here.
            let answered = other.ok().and_then(|other| other.join().ok());
            answers.extend(answered.unwrap_or_else(|| verify(part)));
        }
        answers
    })
}

/// Decides one claim. The library's check is the faster one and accepts nothing that the equation with the cofactor refuses.
fn alone(claim: &Claim<'_>) -> bool {
    curve::verify(claim.key.as_bytes(), claim.message, claim.signature.as_bytes())
        || Term::new(0, claim, &mut Keys::default()).is_some_and(|(term, _)| {
            let Some(key) = CompressedEdwardsY(*claim.key.as_bytes()).decompress() else {
                return false;
            };
            let sum = EdwardsPoint::vartime_double_scalar_mul_basepoint(&-term.h, &key, &term.s) - term.r;
            sum.mul_by_cofactor().is_identity()
        })
}

/// The distinct keys of a batch.
#[derive(Default)]
struct Keys {
    places: HashMap<[u8; 32], usize>,
    points: Vec<EdwardsPoint>,
}

impl Keys {
    fn place(&mut self, key: &PublicKey) -> Option<usize> {
        if let Some(&place) = self.places.get(key.as_bytes()) {
            return Some(place);
        }
        // Invariant: a `PublicKey` is the encoding of a point, so this never fails.
        let point = CompressedEdwardsY(*key.as_bytes()).decompress()?;
        let place = self.points.len();
        self.points.push(point);
        self.places.insert(*key.as_bytes(), place);
        Some(place)
    }
}

/// A claim as it stands in the sum: before the coefficients are known `s` and `h` are those of the claim, afterwards they are
/// multiplied by `z`.
struct Term {
    /// The place of the claim in the batch.
    claim: usize,
    key: usize,
    r: EdwardsPoint,
    s: Scalar,
    h: Scalar,
    z: Scalar,
}

impl Term {
    /// The term of a claim and the hash that binds key, R and message; nothing if the signature is no encoding of one.
    fn new(place: usize, claim: &Claim<'_>, keys: &mut Keys) -> Option<(Self, [u8; 64])> {
        let (r, s) = claim.signature.as_bytes().split_first_chunk::<32>()?;
        let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(s.try_into().ok()?))?;
        let point = point::canonical_of_large_order(r)?;
        let mut hash = digest::Context::new(&digest::SHA512);
        hash.update(r);
        hash.update(claim.key.as_bytes());
        hash.update(claim.message);
        let hash: [u8; 64] = hash.finish().as_ref().try_into().ok()?;
        let term = Self {
            claim: place,
            key: keys.place(claim.key)?,
            r: point,
            s,
            h: Scalar::from_bytes_mod_order_wide(&hash),
            z: Scalar::ZERO,
        };
        Some((term, hash))
    }
}

struct Batch<'a> {
    claims: &'a [Claim<'a>],
    keys: Vec<EdwardsPoint>,
    terms: Vec<Term>,
}

impl<'a> Batch<'a> {
    fn new(claims: &'a [Claim<'a>]) -> Self {
        let mut keys = Keys::default();
        let mut terms = Vec::with_capacity(claims.len());
        // The coefficients hash everything that a claim consists of: whoever changes anything changes them all, so nobody
        // can make claims whose errors cancel out.
        let mut everything = digest::Context::new(&digest::SHA512);
        everything.update(b"handfast-keys batch verification 1");
        for (place, claim) in claims.iter().enumerate() {
            if let Some((term, hash)) = Term::new(place, claim, &mut keys) {
                everything.update(&hash);
                everything.update(term.s.as_bytes());
                terms.push(term);
            }
        }
        let seed = everything.finish();
        for (count, four) in terms.chunks_mut(4).enumerate() {
            let mut block = digest::Context::new(&digest::SHA512);
            block.update(seed.as_ref());
            block.update(&(count as u64).to_le_bytes());
            let block = block.finish();
            let (coefficients, _) = block.as_ref().as_chunks::<16>();
            for (term, coefficient) in four.iter_mut().zip(coefficients) {
                // 128 bits suffice: errors cancel out with a probability of 2^-128. Odd or even does not matter, since the
                // equation is multiplied by the cofactor; zero must not be.
                term.z = Scalar::from(u128::from_le_bytes(*coefficient).max(1));
                term.s *= term.z;
                term.h *= term.z;
            }
        }
        Self {
            claims,
            keys: keys.points,
            terms,
        }
    }

    /// Answers for these terms. `guilty` says that their sum is known not to come out.
    fn settle(&self, terms: &[Term], guilty: bool, budget: &mut usize, answers: &mut [bool]) {
        let mut answer = |term: &Term, is: bool| {
            if let Some(answer) = answers.get_mut(term.claim) {
                *answer = is;
            }
        };
        if terms.len() < WORTHWHILE || *budget < terms.len() {
            for term in terms {
                answer(term, self.claims.get(term.claim).is_some_and(alone));
            }
            return;
        }
        if !guilty {
            *budget -= terms.len();
            if self.comes_out(terms) {
                terms.iter().for_each(|term| answer(term, true));
                return;
            }
        }
        let (left, right) = terms.split_at(terms.len() / 2);
        self.settle(left, false, budget, answers);
        // If nothing is wrong on the left, something is on the right: its sum would be computed for nothing.
        let innocent = left.iter().all(|term| answers.get(term.claim) == Some(&true));
        self.settle(right, innocent, budget, answers);
    }

    /// Whether 8·Σ z·(S·B - R - h·A) is neutral.
    fn comes_out(&self, terms: &[Term]) -> bool {
        let mut base = Scalar::ZERO;
        let mut of_keys = vec![Scalar::ZERO; self.keys.len()];
        for term in terms {
            base += term.s;
            if let Some(of_key) = of_keys.get_mut(term.key) {
                *of_key += term.h;
            }
        }
        // A sum that happens to be zero contributes nothing, so leaving it out is no more than skipping absent keys.
        let keys = || {
            of_keys
                .iter()
                .zip(&self.keys)
                .filter(|(scalar, _)| **scalar != Scalar::ZERO)
        };
        let scalars = [-base]
            .into_iter()
            .chain(keys().map(|(scalar, _)| *scalar))
            .chain(terms.iter().map(|term| term.z));
        let points = [ED25519_BASEPOINT_POINT]
            .into_iter()
            .chain(keys().map(|(_, point)| *point))
            .chain(terms.iter().map(|term| term.r));
        // Chained and filtered iterators do not know their length, which the multiplication wants to.
        let scalars: Vec<Scalar> = scalars.collect();
        let points: Vec<EdwardsPoint> = points.collect();
        EdwardsPoint::vartime_multiscalar_mul(&scalars, &points)
            .mul_by_cofactor()
            .is_identity()
    }
}
