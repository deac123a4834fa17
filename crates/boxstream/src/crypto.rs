//! The one place that touches a cipher: secretbox (XSalsa20-Poly1305) from dryoc, behind a trait with two methods.
//!
//! The seam exists for the fuzzers. A fuzzer that has to guess a 128-bit tag never sees the code behind the first
//! header, so `check.rs` runs the same state machines with a box that anybody can seal.

use crate::{Error, TAG_LEN};
use dryoc::classic::crypto_secretbox::{crypto_secretbox_detached, crypto_secretbox_open_easy_inplace};

/// The tag that authenticates one box.
pub(crate) type Tag = [u8; TAG_LEN];
/// A secretbox key.
pub(crate) type Key = [u8; 32];
/// A secretbox nonce.
pub(crate) type Nonce = [u8; 24];

/// What Box Stream asks of a cipher. Implemented by [`Dryoc`], and by a stand-in for fuzzing; not by others.
pub trait SecretBox {
    /// Encrypts `plain` into `cipher`, which is as long, and returns the tag.
    ///
    /// # Errors
    /// [`Error::Cipher`] if the lengths differ, which the callers exclude.
    fn seal(plain: &[u8], cipher: &mut [u8], nonce: &Nonce, key: &Key) -> Result<Tag, Error>;

    /// Opens `boxed`, a tag and its ciphertext, in place. On success the plaintext stands at the front and the
    /// last [`TAG_LEN`] bytes mean nothing; on failure nothing has changed.
    #[must_use]
    fn open(boxed: &mut [u8], nonce: &Nonce, key: &Key) -> bool;
}

/// The cipher of the protocol.
#[derive(Debug)]
#[non_exhaustive]
pub struct Dryoc;

impl SecretBox for Dryoc {
    #[inline]
    fn seal(plain: &[u8], cipher: &mut [u8], nonce: &Nonce, key: &Key) -> Result<Tag, Error> {
        let mut tag = Tag::default();
        crypto_secretbox_detached(cipher, &mut tag, plain, nonce, key).map_err(|_| Error::Cipher)?;
        Ok(tag)
    }

    #[inline]
    fn open(boxed: &mut [u8], nonce: &Nonce, key: &Key) -> bool {
        crypto_secretbox_open_easy_inplace(boxed, nonce, key).is_ok()
    }
}

/// A box without a secret: the ciphertext is the plaintext, and every tag is genuine unless it begins with 0xff.
#[cfg(feature = "_check")]
#[derive(Debug)]
#[non_exhaustive]
pub(crate) struct Fake;

#[cfg(feature = "_check")]
impl SecretBox for Fake {
    fn seal(plain: &[u8], cipher: &mut [u8], nonce: &Nonce, _: &Key) -> Result<Tag, Error> {
        if plain.len() != cipher.len() {
            return Err(Error::Cipher);
        }
        cipher.copy_from_slice(plain);
        // The tag is never all zeros: that would turn the header of an empty record into a goodbye.
        let mut tag = [1; TAG_LEN];
        if let (Some(last), Some(counter)) = (tag.last_mut(), nonce.last()) {
            *last = *counter;
        }
        Ok(tag)
    }

    fn open(boxed: &mut [u8], _: &Nonce, _: &Key) -> bool {
        let genuine = boxed.len() >= TAG_LEN && boxed.first() != Some(&0xff);
        if genuine {
            boxed.rotate_left(TAG_LEN);
        }
        genuine
    }
}
