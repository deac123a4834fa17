//! The symmetric state of the handshake, with the reference's key derivation.

use super::cipher::{self, Keys};
use crate::{Fault, limits::TAG_LEN};
use handfast_keys::x25519;
use ring::{digest, hmac};
use zeroize::Zeroizing;

/// 32 bytes, so that they are the first hash as they stand (Noise §5.2).
const PROTOCOL: &[u8; 32] = b"Noise_XX_25519_ChaChaPoly_SHA256";

/// A public key and its tag.
pub(super) const SEALED_KEY_LEN: usize = 32 + TAG_LEN;

/// The symmetric state: `h`, `ck`, `k` and `n` of Noise.
pub(super) struct Schedule {
    hash: [u8; 32],
    chaining_key: Zeroizing<[u8; 32]>,
    /// All zero and unused before the first [`Schedule::mix_key`], which in XX comes before anything is sealed.
    key: Zeroizing<[u8; 32]>,
    counter: u64,
}

impl Schedule {
    /// The state after the empty prologue.
    pub(super) fn new() -> Self {
        let mut schedule = Self {
            hash: *PROTOCOL,
            chaining_key: Zeroizing::new(*PROTOCOL),
            key: Zeroizing::default(),
            counter: 0,
        };
        schedule.mix_hash(&[]);
        schedule
    }

    /// `h`, which after the last message is the handshake hash.
    pub(super) const fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// `h = SHA256(h ‖ data)`.
    pub(super) fn mix_hash(&mut self, data: &[u8]) {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.hash);
        context.update(data);
        self.hash = bytes32(context.finish().as_ref());
    }

    /// Mixes in the shared secret of `ours` and `theirs`: `T1 = HMAC(PRK, dh ‖ 1)` becomes `ck` and
    /// `T2 = HMAC(PRK, T1 ‖ dh ‖ 2)` becomes `k`. Noise would make a `PRK` of `ck` and `dh` together.
    ///
    /// # Errors
    /// [`Fault::Noise`] if `theirs` has low order.
    pub(super) fn mix_key(&mut self, ours: &x25519::SecretKey, theirs: &x25519::PublicKey) -> Result<(), Fault> {
        self.mix_secret(&*ours.agree(theirs).ok_or(Fault::Noise)?);
        Ok(())
    }

    pub(super) fn mix_secret(&mut self, shared: &[u8; 32]) {
        (self.chaining_key, self.key) = self.expand(shared);
        self.counter = 0;
    }

    /// The keys of the two directions, the initiator's first: as [`Schedule::mix_key`] with an empty secret.
    pub(super) fn split(self) -> Keys {
        let (initiator, responder) = self.expand(&[]);
        Keys { initiator, responder }
    }

    /// A static public key as it travels: encrypted and hashed, with its tag.
    ///
    /// # Errors
    /// None in practice; see [`Schedule::encrypt_and_hash`].
    pub(super) fn seal_key(&mut self, key: &x25519::PublicKey) -> Result<[u8; SEALED_KEY_LEN], Fault> {
        let mut sealed = [0; SEALED_KEY_LEN];
        *sealed.first_chunk_mut().ok_or(Fault::Noise)? = *key.as_bytes();
        self.encrypt_and_hash(&mut sealed)?;
        Ok(sealed)
    }

    /// The static public key that [`Schedule::seal_key`] sealed at the other end.
    ///
    /// # Errors
    /// [`Fault::Noise`] if it was not sealed in this very place.
    pub(super) fn open_key(&mut self, sealed: &mut [u8; SEALED_KEY_LEN]) -> Result<x25519::PublicKey, Fault> {
        self.decrypt_and_hash(sealed)?;
        let key = sealed.first_chunk().ok_or(Fault::Noise)?;
        Ok(x25519::PublicKey::from_bytes(*key))
    }

    /// Encrypts all of `text` but its last 16 bytes, which become the tag, and hashes the whole.
    ///
    /// # Errors
    /// [`Fault::Noise`] if `text` is shorter than a tag, which no caller passes.
    pub(super) fn encrypt_and_hash(&mut self, text: &mut [u8]) -> Result<(), Fault> {
        let plain = text.len().checked_sub(TAG_LEN).ok_or(Fault::Noise)?;
        let (body, tag) = text.split_at_mut_checked(plain).ok_or(Fault::Noise)?;
        let made = cipher::seal(&self.key, self.counter, &self.hash, body).map_err(|_| Fault::Noise)?;
        tag.copy_from_slice(&made);
        self.counter += 1;
        self.mix_hash(text);
        Ok(())
    }

    /// Decrypts `text` up to its tag and hashes it as it arrived.
    ///
    /// # Errors
    /// [`Fault::Noise`] if it was not sealed in this very place.
    pub(super) fn decrypt_and_hash(&mut self, text: &mut [u8]) -> Result<(), Fault> {
        let before = self.hash;
        self.mix_hash(text);
        cipher::open(&self.key, self.counter, &before, text).map_err(|_| Fault::Noise)?;
        self.counter += 1;
        Ok(())
    }

    /// HKDF-SHA256 with `ck` as the input, no salt, and `info`: two outputs.
    fn expand(&self, info: &[u8]) -> (Zeroizing<[u8; 32]>, Zeroizing<[u8; 32]>) {
        let extract = hmac::Key::new(hmac::HMAC_SHA256, &[0; 32]);
        let expand = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&extract, &*self.chaining_key).as_ref());
        let first = derive(&expand, &[], info, 1);
        let second = derive(&expand, &*first, info, 2);
        (first, second)
    }

    /// A state with this `ck`, for the vectors.
    #[cfg(test)]
    pub(super) fn with_chaining_key(chaining_key: [u8; 32]) -> Self {
        Self {
            chaining_key: Zeroizing::new(chaining_key),
            ..Self::new()
        }
    }

    /// `ck`, `k` and `n`, for the vectors.
    #[cfg(test)]
    pub(super) fn inner(&self) -> ([u8; 32], [u8; 32], u64) {
        (*self.chaining_key, *self.key, self.counter)
    }
}

fn derive(key: &hmac::Key, before: &[u8], info: &[u8], number: u8) -> Zeroizing<[u8; 32]> {
    let mut context = hmac::Context::with_key(key);
    context.update(before);
    context.update(info);
    context.update(&[number]);
    Zeroizing::new(bytes32(context.sign().as_ref()))
}

/// Invariant: SHA-256 has 32 bytes.
fn bytes32(digest: &[u8]) -> [u8; 32] {
    digest.try_into().unwrap_or_default()
}
