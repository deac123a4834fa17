//! Ed25519 identities.

use crate::{
    base64,
    curve::{self, SigningKey},
    error::{Error, KeyFault},
    point, salted, text_serde, x25519,
};
use ring::digest;
use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
    sync::Arc,
};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The Ed25519 public key of a peer, checked: a handshake with it can be safe.
///
/// Values exist only for canonical encodings of points in the prime-order subgroup, so code that holds one never
/// has to ask again. The X25519 form is computed once, with the check, and kept.
///
/// Reads `@….ed25519`, `….ed25519`, bare base64 and the `ssb:feed/…` forms; prints `@….ed25519`.
#[derive(Clone, Copy)]
pub struct PublicKey {
    bytes: [u8; 32],
    agreement: x25519::PublicKey,
}

impl PublicKey {
    /// Checks 32 bytes that came from a peer, an address or a file. Takes about as long as half a signature check.
    ///
    /// # Errors
    /// The [`KeyFault`] for bytes that are no point, encodings that are not canonical, and points of small or mixed
    /// order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyFault> {
        Ok(Self {
            bytes: *bytes,
            agreement: point::check(bytes)?,
        })
    }

    /// The 32 bytes, as they travel.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The same key for X25519, as libsodium's `crypto_sign_ed25519_pk_to_curve25519` converts it.
    #[must_use]
    pub const fn to_x25519(&self) -> &x25519::PublicKey {
        &self.agreement
    }

    /// Whether `signature` is this key's signature of `message`, by libsodium's rules.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        curve::verify(&self.bytes, message, &signature.0)
    }

    /// The bare base64 text of 44 characters, as multiserver addresses carry it.
    #[must_use]
    pub fn to_base64(&self) -> String {
        base64::encode(&self.bytes)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for PublicKey {}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes.cmp(&other.bytes)
    }
}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}.ed25519", self.to_base64())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bytes = if text.starts_with("ssb:") || text.starts_with('@') {
            *text.parse::<crate::FeedId>()?.as_bytes()
        } else {
            base64::decode(text.strip_suffix(".ed25519").unwrap_or(text)).ok_or(Error::Malformed {
                expected: "public key",
                why: "32 bytes in base64 are wanted, such as @….ed25519",
            })?
        };
        Ok(Self::from_bytes(&bytes)?)
    }
}

text_serde!(PublicKey);

/// A detached Ed25519 signature: 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Wraps 64 bytes that arrived from somewhere.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The 64 bytes: R, then S.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", base64::encode(&self.0))
    }
}

/// The secret half of an identity: the 32-byte Ed25519 seed.
///
/// Erased when dropped, masked in `Debug`, compared in constant time.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// The key that Ed25519 derives from this seed.
    #[must_use]
    pub const fn from_seed(seed: [u8; 32]) -> Self {
        Self(seed)
    }

    /// A fresh key from the operating system's randomness.
    ///
    /// # Errors
    /// [`Error::NoRandomness`] if the operating system gives none.
    pub fn generate() -> Result<Self, Error> {
        let mut seed = Self([0; 32]);
        crate::random(&mut seed.0)?;
        Ok(seed)
    }

    /// The 32-byte seed. Keep it where it is erased after use.
    #[must_use]
    pub const fn expose_seed(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for SecretKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretKey {}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// An Ed25519 identity with everything derived from it: it signs, and it agrees on keys as X25519.
///
/// Cloning is cheap: clones share one copy of the secrets, which is erased with the last of them.
#[derive(Clone)]
pub struct KeyPair(Arc<Derived>);

struct Derived {
    secret: SecretKey,
    public: PublicKey,
    signing: SigningKey,
    agreement: x25519::SecretKey,
}

impl KeyPair {
    /// A new identity from the operating system's randomness.
    ///
    /// # Errors
    /// [`Error::NoRandomness`] if the operating system gives none.
    pub fn generate() -> Result<Self, Error> {
        Self::from_secret(SecretKey::generate()?)
    }

    /// The identity of a 32-byte seed, such as an invite carries.
    ///
    /// # Errors
    /// As [`KeyPair::from_secret`].
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, Error> {
        Self::from_secret(SecretKey::from_seed(*seed))
    }

    /// Derives the public key and the X25519 keys. Takes about as long as two signatures.
    ///
    /// # Errors
    /// [`Error::Library`] if the cryptographic library cannot work at all, for want of memory.
    pub fn from_secret(secret: SecretKey) -> Result<Self, Error> {
        let signing = SigningKey::new(&secret.0).ok_or(Error::Library)?;
        let bytes = signing.public().ok_or(Error::Library)?;
        // RFC 8032, section 5.1.5: the scalar is the first half of SHA-512(seed); X25519 clamps it the same way.
        let mut hash = Zeroizing::new([0; 64]);
        hash.copy_from_slice(digest::digest(&digest::SHA512, &secret.0).as_ref());
        let scalar: Zeroizing<[u8; 32]> = Zeroizing::new(std::array::from_fn(|i| hash.get(i).copied().unwrap_or(0)));
        let agreement = x25519::SecretKey::from_bytes(&scalar)?;
        // Invariant: a public key derived from a seed is a multiple of the base point and not neutral, so it needs
        // no check; its X25519 form is the public half of the agreement key.
        let public = PublicKey {
            bytes,
            agreement: *agreement.public(),
        };
        Ok(Self(Arc::new(Derived {
            secret,
            public,
            signing,
            agreement,
        })))
    }

    /// Libsodium's 64-byte secret key: the seed, then the public key. SSB secret files hold this form.
    ///
    /// # Errors
    /// [`Error::Malformed`] if the second half is not the public key of the first.
    pub fn from_libsodium(bytes: &[u8; 64]) -> Result<Self, Error> {
        let (seed, public) = bytes.split_at(32);
        let mut secret = SecretKey([0; 32]);
        secret.0.copy_from_slice(seed);
        let pair = Self::from_secret(secret)?;
        if pair.public().as_bytes() != public {
            return Err(Error::Malformed {
                expected: "64-byte secret key",
                why: "its second half is not the public key of its first half",
            });
        }
        Ok(pair)
    }

    /// The 64 bytes that [`KeyPair::from_libsodium`] reads.
    #[must_use]
    pub fn to_libsodium(&self) -> Zeroizing<[u8; 64]> {
        let mut bytes = Zeroizing::new([0; 64]);
        let (seed, public) = bytes.split_at_mut(32);
        seed.copy_from_slice(&self.0.secret.0);
        public.copy_from_slice(self.0.public.as_bytes());
        bytes
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.0.public
    }

    /// The secret half.
    #[must_use]
    pub fn secret(&self) -> &SecretKey {
        &self.0.secret
    }

    /// The same identity for X25519, as libsodium's `crypto_sign_ed25519_sk_to_curve25519` converts it.
    #[must_use]
    pub fn agreement(&self) -> &x25519::SecretKey {
        &self.0.agreement
    }

    /// Signs `message`. Deterministic: the same message gives the same signature.
    ///
    /// # Errors
    /// [`Error::Library`] if the cryptographic library cannot work at all, for want of memory.
    pub fn sign(&self, message: &[u8]) -> Result<Signature, Error> {
        self.0.signing.sign(message).map(Signature).ok_or(Error::Library)
    }

    /// Signs `message` so that the signature differs with `salt`: where signatures are names, two equal messages get two.
    /// Verifiers see no difference to [`KeyPair::sign`], and the same message and salt give the same signature.
    #[must_use]
    pub fn sign_salted(&self, message: &[u8], salt: &[u8; 32]) -> Signature {
        Signature(salted::sign(&self.0.secret.0, self.0.public.as_bytes(), message, salt))
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("public", self.public())
            .finish_non_exhaustive()
    }
}
