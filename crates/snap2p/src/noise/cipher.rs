//! ChaCha20-Poly1305 with a counter for its nonce: what seals and opens every frame after the handshake.

use super::{Established, Suite};
use crate::{
    Error, Fault, frame,
    limits::{FRAME_MAX, TAG_LEN},
    message::Message,
};
use bytes::{BufMut, BytesMut};
use handfast_keys::x25519;
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag, UnboundKey},
    error::Unspecified,
};
use std::fmt;
use zeroize::Zeroizing;

/// The longest frame that standard Noise seals, with its tag (Noise §3).
#[cfg(feature = "standard-noise")]
const STANDARD_MAX: usize = 65_535;

impl Suite {
    /// The longest sealed frame, with its tag.
    #[must_use]
    pub const fn frame_max(self) -> usize {
        match self {
            Self::Snap2p => FRAME_MAX,
            #[cfg(feature = "standard-noise")]
            Self::Standard => STANDARD_MAX,
        }
    }
}

/// Seals frames in one direction: each with the next number, from 0.
///
/// There is no other than the one that a handshake made, and it cannot be cloned: two frames sealed under one number would
/// give both away. The key is erased when it is dropped.
pub struct Sealer {
    key: Zeroizing<[u8; 32]>,
    counter: u64,
    max: usize,
}

impl Sealer {
    const fn new(key: Zeroizing<[u8; 32]>, max: usize) -> Self {
        Self { key, counter: 0, max }
    }

    /// The most plain bytes that one frame holds.
    #[must_use]
    pub const fn plain_max(&self) -> usize {
        self.max - TAG_LEN
    }

    /// Encrypts `buffer[from..]` where it stands and appends the tag of 16 bytes.
    ///
    /// # Errors
    /// [`Error::Misuse`] if that is more than [`Sealer::plain_max`], if `from` lies behind the end, or after 2⁶⁴ − 1 frames.
    /// The buffer is then unchanged.
    pub fn seal_in_place(&mut self, buffer: &mut BytesMut, from: usize) -> Result<(), Error> {
        let plain_max = self.plain_max();
        let plain = buffer
            .get_mut(from..)
            .filter(|plain| plain.len() <= plain_max)
            .ok_or(TOO_LONG)?;
        let next = self.counter.checked_add(1).ok_or(EXHAUSTED)?;
        let tag = seal(&self.key, self.counter, &[], plain).map_err(|_| TOO_LONG)?;
        self.counter = next;
        buffer.put_slice(&tag);
        Ok(())
    }

    /// Appends a whole frame: its length, and sealed what `write` appends, which must be `len` bytes.
    ///
    /// # Errors
    /// As [`Sealer::seal_in_place`], and if `write` appends more or less. `out` is then unchanged.
    pub fn seal_frame(
        &mut self,
        out: &mut BytesMut,
        len: usize,
        write: impl FnOnce(&mut BytesMut),
    ) -> Result<(), Error> {
        if len > self.plain_max() {
            return Err(TOO_LONG);
        }
        let start = out.len();
        let sealed = len + TAG_LEN;
        out.reserve(frame::len_len(sealed) + sealed);
        frame::put_len(sealed, out);
        let from = out.len();
        write(out);
        let written = if out.len() == from + len {
            self.seal_in_place(out, from)
        } else {
            Err(Error::Misuse("a frame was filled with more or less than was said"))
        };
        written.inspect_err(|_| out.truncate(start))
    }

    /// Appends `message` as a whole frame.
    ///
    /// # Errors
    /// As [`Sealer::seal_in_place`]. `out` is then unchanged.
    pub fn seal_message(&mut self, message: &Message, out: &mut BytesMut) -> Result<(), Error> {
        self.seal_frame(out, message.encoded_len(), |out| message.encode(out))
    }
}

/// Opens the frames of the other direction, in the order in which they were sealed.
///
/// A frame that was forged, repeated or lost ends it: every later call fails, since no frame behind it could be trusted to
/// stand in its place. The reference goes on for ever with a counter that fits no more.
pub struct Opener {
    key: Zeroizing<[u8; 32]>,
    counter: u64,
    max: usize,
    failed: bool,
}

impl Opener {
    const fn new(key: Zeroizing<[u8; 32]>, max: usize) -> Self {
        Self {
            key,
            counter: 0,
            max,
            failed: false,
        }
    }

    /// Decrypts a frame where it stands; the plain bytes are the front of it.
    ///
    /// # Errors
    /// [`Fault::Forged`], now and at every later call; then the frame holds nothing of use.
    pub fn open_in_place<'a>(&mut self, frame: &'a mut [u8]) -> Result<&'a mut [u8], Fault> {
        let opened = if self.failed || frame.len() > self.max || self.counter == u64::MAX {
            None
        } else {
            open(&self.key, self.counter, &[], frame).ok()
        };
        self.failed = opened.is_none();
        self.counter = self.counter.saturating_add(1);
        opened.ok_or(Fault::Forged)
    }

    /// Decrypts a frame where it stands and cuts off its tag.
    ///
    /// # Errors
    /// As [`Opener::open_in_place`].
    pub fn open(&mut self, mut frame: BytesMut) -> Result<BytesMut, Fault> {
        let len = self.open_in_place(&mut frame)?.len();
        frame.truncate(len);
        Ok(frame)
    }
}

/// The keys of the two directions.
pub(super) struct Keys {
    pub(super) initiator: Zeroizing<[u8; 32]>,
    pub(super) responder: Zeroizing<[u8; 32]>,
}

impl Keys {
    /// The ciphers of the initiator, or of the responder.
    pub(super) fn establish(
        self,
        initiator: bool,
        suite: Suite,
        remote_static: x25519::PublicKey,
        handshake_hash: [u8; 32],
    ) -> Established {
        let (ours, theirs) = if initiator {
            (self.initiator, self.responder)
        } else {
            (self.responder, self.initiator)
        };
        Established {
            sealer: Sealer::new(ours, suite.frame_max()),
            opener: Opener::new(theirs, suite.frame_max()),
            remote_static,
            handshake_hash,
        }
    }
}

/// Encrypts `body` where it stands; the tag of it and of `context`.
pub(super) fn seal(
    key: &[u8; 32],
    counter: u64,
    context: &[u8],
    body: &mut [u8],
) -> Result<[u8; TAG_LEN], Unspecified> {
    let tag: Tag = cipher(key)?.seal_in_place_separate_tag(nonce(counter), Aad::from(context), body)?;
    tag.as_ref().try_into().map_err(|_| Unspecified)
}

/// Decrypts `text`, whose last 16 bytes are the tag, where it stands.
pub(super) fn open<'a>(
    key: &[u8; 32],
    counter: u64,
    context: &[u8],
    text: &'a mut [u8],
) -> Result<&'a mut [u8], Unspecified> {
    cipher(key)?.open_in_place(nonce(counter), Aad::from(context), text)
}

/// The key in the form that ring wants. It is made anew for each frame, which is a copy of 32 bytes: ring's form is some 500
/// bytes that it does not erase.
fn cipher(key: &[u8; 32]) -> Result<LessSafeKey, Unspecified> {
    UnboundKey::new(&CHACHA20_POLY1305, key).map(LessSafeKey::new)
}

/// Four zero bytes and the counter, little-endian (Noise §12.3).
fn nonce(counter: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce
        .iter_mut()
        .skip(4)
        .zip(counter.to_le_bytes())
        .for_each(|(to, byte)| *to = byte);
    Nonce::assume_unique_for_key(nonce)
}

const TOO_LONG: Error = Error::Misuse("more than fits into one frame");
const EXHAUSTED: Error = Error::Misuse("the session has sealed all the frames it can; open another");

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("counter", &self.counter)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener")
            .field("counter", &self.counter)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// Ciphers that stand at a chosen number, for the vectors.
#[cfg(test)]
pub(super) fn at(key: [u8; 32], counter: u64) -> (Sealer, Opener) {
    let (mut sealer, mut opener) = (
        Sealer::new(Zeroizing::new(key), FRAME_MAX),
        Opener::new(Zeroizing::new(key), FRAME_MAX),
    );
    (sealer.counter, opener.counter) = (counter, counter);
    (sealer, opener)
}
