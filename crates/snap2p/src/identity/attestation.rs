//! What ties a node key to a principal.

use super::{
    fields::{self, Wrong},
    hex::{from_hex, lower_hex},
    recover,
};
use crate::{Address, AttestationFault, Principal, UnixTime, WalletKey, limits::CLOCK_SKEW};
use ring::digest::{SHA256, digest};
use std::{ops::RangeInclusive, time::Duration};

/// What these signatures are good for, and nothing else.
const DOMAIN: &str = "snap2p-nodekey-attestation-v1";
/// The only version there is.
const VERSION: u64 = 1;
/// How long nonces may be, bytes.
const NONCE_LEN: RangeInclusive<usize> = 16..=32;
/// What is reserved for the CBOR of one: 324 bytes or so.
const LEN: usize = 352;

/// A principal's signed word that a node key speaks for it, for a while.
///
/// The CBOR is a map with the keys `domain`, `exp`, `nonce`, `npk`, `p`, `sig`, `ts` and `v`, in this order; the signature is
/// over SHA-256 of the same map without `sig`, built anew from the fields. Several may be good at once: a principal has as
/// many node keys as devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeKeyAttestation {
    /// Who signs.
    pub principal: Principal,
    /// The Ed25519 node key.
    pub node_key: [u8; 32],
    /// From when it is good.
    pub issued_at: UnixTime,
    /// Until when.
    pub expires_at: UnixTime,
    /// 16 to 32 random bytes.
    pub nonce: Vec<u8>,
    /// R, S and the recovery id.
    pub signature: [u8; 65],
}

impl NodeKeyAttestation {
    /// Signs one. It only verifies if `principal` is that of `key`.
    #[must_use]
    pub fn issue(
        key: &WalletKey,
        principal: Principal,
        node_key: [u8; 32],
        nonce: [u8; 32],
        issued_at: UnixTime,
        validity: Duration,
    ) -> Self {
        let mut attestation = Self {
            principal,
            node_key,
            issued_at,
            expires_at: issued_at.plus(validity),
            nonce: nonce.to_vec(),
            signature: [0; 65],
        };
        attestation.signature = key.sign(&attestation.digest());
        attestation
    }

    /// The CBOR, as AUTH carries it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.write(true)
    }

    /// What the signature is over: the CBOR without the signature.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        self.write(false)
    }

    fn write(&self, signed: bool) -> Vec<u8> {
        let npk = lower_hex(&self.node_key);
        let principal = self.principal.to_string();
        fields::write(LEN, |to| {
            to.map(7 + u64::from(signed))?;
            to.str("domain")?.str(DOMAIN)?;
            to.str("exp")?.u64(self.expires_at.0)?;
            to.str("nonce")?.bytes(&self.nonce)?;
            to.str("npk")?.str(&npk)?;
            to.str("p")?.str(&principal)?;
            if signed {
                to.str("sig")?.bytes(&self.signature)?;
            }
            to.str("ts")?.u64(self.issued_at.0)?;
            to.str("v")?.u64(VERSION)?;
            Ok(())
        })
    }

    /// Reads the CBOR, of at most 4 KiB. It takes what the reference takes in another spelling (order of keys, integers that
    /// are too long, `npk` in capital letters, unknown keys), and refuses wrong types, keys that come twice, and principals
    /// with a wrong checksum. Nothing is proved before [`verify`](Self::verify).
    ///
    /// # Errors
    /// [`AttestationFault::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, AttestationFault> {
        Self::read(bytes).map_err(AttestationFault::Malformed)
    }

    fn read(bytes: &[u8]) -> Result<Self, Wrong> {
        let (mut domain, mut exp, mut nonce, mut npk) = (None, None, None, None);
        let (mut p, mut sig, mut ts, mut v) = (None, None, None, None);
        fields::read(bytes, |key, from| match key {
            "domain" => fields::once(&mut domain, from.str(), "`domain` is no text"),
            "exp" => fields::once(&mut exp, from.u64(), "`exp` is no time"),
            "nonce" => fields::once(&mut nonce, from.bytes(), "`nonce` is no byte string"),
            "npk" => fields::once(&mut npk, from.str(), "`npk` is no text"),
            "p" => fields::once(&mut p, from.str(), "`p` is no text"),
            "sig" => fields::once(&mut sig, from.bytes(), "`sig` is no byte string"),
            "ts" => fields::once(&mut ts, from.u64(), "`ts` is no time"),
            "v" => fields::once(&mut v, from.u64(), "`v` is no number"),
            _ => Ok(false),
        })?;
        if v.ok_or("`v` is missing")? != VERSION {
            return Err("it is of another version");
        }
        if domain.ok_or("`domain` is missing")? != DOMAIN {
            return Err("it was signed for something else: `domain` is another");
        }
        let nonce = nonce.ok_or("`nonce` is missing")?;
        if !NONCE_LEN.contains(&nonce.len()) {
            return Err("`nonce` has not 16 to 32 bytes");
        }
        Ok(Self {
            principal: p
                .ok_or("`p` is missing")?
                .parse()
                .map_err(|_| "`p` is no Stacks principal")?,
            node_key: from_hex(npk.ok_or("`npk` is missing")?).ok_or("`npk` has not 64 hexadecimal digits")?,
            issued_at: UnixTime(ts.ok_or("`ts` is missing")?),
            expires_at: UnixTime(exp.ok_or("`exp` is missing")?),
            nonce: nonce.to_vec(),
            signature: sig
                .ok_or("`sig` is missing")?
                .try_into()
                .map_err(|_| "`sig` has not 65 bytes")?,
        })
    }

    /// Checks times and signature, on the network that the principal's address tells.
    ///
    /// Clocks may be [`CLOCK_SKEW`] apart. As for the reference, one whose end comes before its beginning is good as long as
    /// both are within that.
    ///
    /// # Errors
    /// [`AttestationFault::Early`], [`Expired`](AttestationFault::Expired), [`Signature`](AttestationFault::Signature), and
    /// [`Malformed`](AttestationFault::Malformed) for a nonce of another length than 16 to 32 bytes.
    pub fn verify(&self, now: UnixTime) -> Result<(), AttestationFault> {
        if !NONCE_LEN.contains(&self.nonce.len()) {
            return Err(AttestationFault::Malformed("`nonce` has not 16 to 32 bytes"));
        }
        check_times(self.issued_at, self.expires_at, now)?;
        match is_signed_by(&self.principal, &self.digest(), &self.signature) {
            true => Ok(()),
            false => Err(AttestationFault::Signature),
        }
    }

    fn digest(&self) -> [u8; 32] {
        sha256(&self.signed_bytes())
    }
}

/// Whether now is between two times, give or take [`CLOCK_SKEW`].
pub(crate) fn check_times(issued_at: UnixTime, expires_at: UnixTime, now: UnixTime) -> Result<(), AttestationFault> {
    if issued_at > now.plus(CLOCK_SKEW) {
        return Err(AttestationFault::Early {
            seconds: issued_at.0.saturating_sub(now.0),
        });
    }
    if expires_at <= now.minus(CLOCK_SKEW) {
        return Err(AttestationFault::Expired {
            seconds: now.0.saturating_sub(expires_at.0),
        });
    }
    Ok(())
}

/// Whether a principal's key made this signature: never, if the principal is no single key.
pub(crate) fn is_signed_by(principal: &Principal, digest: &[u8; 32], signature: &[u8; 65]) -> bool {
    match (principal.network(), recover(digest, signature)) {
        (Some(network), Some(public)) => Address::of(&public, network) == *principal.address(),
        _ => false,
    }
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap_or([0; 32])
}
