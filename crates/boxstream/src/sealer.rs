//! The sending direction.

use crate::crypto::{Dryoc, SecretBox};
use crate::nonce::Nonces;
use crate::{Error, HEADER_LEN, Header, MAX_RECORD, TAG_LEN};
use bytes::BytesMut;
use handfast_keys::StreamKey;
use std::marker::PhantomData;

/// Turns plaintext into records: the sending direction of a stream.
///
/// A sealer that fails, or that has said goodbye, seals nothing any more. `C` is the cipher; the default is that of the
/// protocol, and there is no other outside of tests.
pub struct Sealer<C = Dryoc> {
    key: StreamKey,
    nonces: Nonces,
    /// Why nothing may be sealed any more.
    closed: Option<Error>,
    cipher: PhantomData<C>,
}

impl Sealer {
    /// Starts a direction with the key and first nonce that a handshake gave it.
    ///
    /// `key` must not start another sealer: two streams sealed with the same nonces give both plaintexts away.
    #[must_use]
    pub fn new(key: StreamKey) -> Self {
        Self::with_cipher(key)
    }

    /// Bytes on the wire for `plain` bytes that are sealed in one call.
    #[must_use]
    pub fn sealed_len(plain: usize) -> usize {
        plain.saturating_add(plain.div_ceil(MAX_RECORD).saturating_mul(HEADER_LEN))
    }
}

impl<C: SecretBox> Sealer<C> {
    pub(crate) fn with_cipher(key: StreamKey) -> Self {
        let nonces = Nonces::new(key.nonce);
        Self {
            key,
            nonces,
            closed: None,
            cipher: PhantomData,
        }
    }

    /// Appends `plain` to `out` as records of at most [`MAX_RECORD`] bytes. Nothing to seal appends nothing.
    ///
    /// The records are encrypted straight from `plain` into `out`, which grows by [`sealed_len`](Sealer::sealed_len).
    ///
    /// # Errors
    /// [`Error::AfterGoodbye`] if this direction has said goodbye; [`Error::Exhausted`] in theory. `out` may then hold
    /// the records that were sealed before the error and is otherwise unchanged.
    pub fn seal(&mut self, plain: &[u8], out: &mut BytesMut) -> Result<(), Error> {
        self.usable()?;
        out.reserve(Sealer::sealed_len(plain.len()));
        for body in plain.chunks(MAX_RECORD) {
            self.record(body, out).inspect_err(|error| self.closed = Some(*error))?;
        }
        Ok(())
    }

    /// Appends the goodbye, [`HEADER_LEN`] bytes that tell the peer that the data is complete.
    ///
    /// # Errors
    /// [`Error::AfterGoodbye`] if it has been said before.
    pub fn goodbye(&mut self, out: &mut BytesMut) -> Result<(), Error> {
        self.usable()?;
        self.closed = Some(Error::AfterGoodbye);
        let start = out.len();
        out.resize(start + HEADER_LEN, 0);
        let nonce = self.nonces.take()?;
        self.header(Header::GOODBYE, &nonce, out.get_mut(start..).unwrap_or_default())
    }

    fn usable(&self) -> Result<(), Error> {
        self.closed.map_or(Ok(()), Err)
    }

    /// Appends one record.
    fn record(&mut self, body: &[u8], out: &mut BytesMut) -> Result<(), Error> {
        let header_nonce = self.nonces.take()?;
        let body_nonce = self.nonces.take()?;
        let start = out.len();
        out.resize(start + HEADER_LEN + body.len(), 0);
        let (header, cipher) = out
            .get_mut(start..)
            .and_then(|record| record.split_at_mut_checked(HEADER_LEN))
            .ok_or(Error::Cipher)?;
        // The header carries the body's tag, so the body, with the later nonce, is sealed first.
        let body_tag = C::seal(body, cipher, &body_nonce, &self.key.key)?;
        self.header(
            Header::new(body.len(), body_tag).ok_or(Error::Cipher)?,
            &header_nonce,
            header,
        )
    }

    /// Seals a header into the [`HEADER_LEN`] bytes of `out`.
    fn header(&self, header: Header, nonce: &[u8; 24], out: &mut [u8]) -> Result<(), Error> {
        let (tag, cipher) = out.split_first_chunk_mut::<TAG_LEN>().ok_or(Error::Cipher)?;
        *tag = C::seal(&header.to_bytes(), cipher, nonce, &self.key.key)?;
        Ok(())
    }
}

impl<C> std::fmt::Debug for Sealer<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer")
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}
