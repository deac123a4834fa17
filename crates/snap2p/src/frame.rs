//! Frames: `varint(length) ‖ bytes`, before and after encryption.
//!
//! The length is unsigned LEB128: seven bits a byte, the lowest first, the top bit set on all but the last byte. It is
//! written in its shortest form; longer forms are taken as the reference takes them, up to five bytes.

use crate::Fault;
use bytes::{Buf, BufMut, BytesMut};

/// The most bytes that a length may have, and the most that one of ours has: any `u32` fits.
const LENGTH_BYTES_MAX: usize = 5;

/// Appends the length of a frame of `len` bytes: one to five bytes.
///
/// No frame is longer than [`FRAME_MAX`](crate::limits::FRAME_MAX), which takes four.
pub fn put_len(len: usize, out: &mut BytesMut) {
    let mut rest = len;
    while rest >= 0x80 {
        out.put_u8((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
}

/// How many bytes [`put_len`] appends.
#[must_use]
pub const fn len_len(len: usize) -> usize {
    let bits = usize::BITS - (len | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// Cuts a stream of bytes into frames.
///
/// A decoder that has failed stays in error: what follows a broken length is no frame. It holds no bytes and reserves
/// none, so that a peer that announces 16 MiB and sends nothing costs nothing.
#[derive(Debug)]
pub struct Decoder {
    max: usize,
    /// The length of the frame whose bytes are awaited: its own bytes are taken out of the input already.
    awaited: Option<u32>,
    fault: Option<Fault>,
}

impl Decoder {
    /// A decoder for frames of at most `max` bytes.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self {
            max,
            awaited: None,
            fault: None,
        }
    }

    /// Takes longer or shorter frames from here on, also where the length has arrived and the frame has not.
    pub const fn set_max(&mut self, max: usize) {
        self.max = max;
    }

    /// Takes the next whole frame out of the front of `input`, or nothing until more has arrived.
    ///
    /// The frame is split off without copying. What follows it stays in `input`.
    ///
    /// # Errors
    /// [`Fault::Length`] and [`Fault::TooLong`], now and at every later call.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<BytesMut>, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.advance(input).inspect_err(|fault| self.fault = Some(*fault))
    }

    /// How many bytes the next frame lacks in `input`, which has no whole one; 0 as long as its length is not known. It is what the
    /// peer announced and nothing more: reserve no more for it than has arrived.
    #[must_use]
    pub fn missing(&self, input: &[u8]) -> usize {
        let awaited = self.awaited.and_then(|len| usize::try_from(len).ok());
        awaited.map_or(0, |len| len.saturating_sub(input.len()))
    }

    /// The length of the frame that is awaited, as the peer announced it; nothing as long as it is not known. Whoever knows how
    /// long a frame must be need not wait for the rest of another.
    #[must_use]
    pub const fn announced(&self) -> Option<u32> {
        self.awaited
    }

    fn advance(&mut self, input: &mut BytesMut) -> Result<Option<BytesMut>, Fault> {
        let len = match self.awaited {
            Some(len) => len,
            None => match read_len(input)? {
                Some((len, bytes)) => {
                    input.advance(bytes);
                    self.awaited = Some(len);
                    len
                }
                None => return Ok(None),
            },
        };
        let too_long = Fault::TooLong {
            len: len.into(),
            max: self.max,
        };
        let len = usize::try_from(len).map_err(|_| too_long)?;
        if len > self.max {
            return Err(too_long);
        }
        if input.len() < len {
            return Ok(None);
        }
        self.awaited = None;
        Ok(Some(input.split_to(len)))
    }
}

/// The length at the front of `input` and how many bytes it takes, or nothing if it is not complete.
fn read_len(input: &[u8]) -> Result<Option<(u32, usize)>, Fault> {
    let mut len = 0u64;
    for (index, byte) in input.iter().take(LENGTH_BYTES_MAX).enumerate() {
        len |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let len = u32::try_from(len).map_err(|_| Fault::Length)?;
            return Ok(Some((len, index + 1)));
        }
    }
    if input.len() >= LENGTH_BYTES_MAX {
        return Err(Fault::Length);
    }
    Ok(None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_length_is_what_is_written() {
        for len in [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            2_097_151,
            2_097_152,
            16_777_216,
            u32::MAX as usize,
        ] {
            let mut out = BytesMut::new();
            put_len(len, &mut out);
            assert_eq!(out.len(), len_len(len), "{len}");
            assert_eq!(read_len(&out).unwrap(), Some((u32::try_from(len).unwrap(), out.len())));
        }
    }

    #[test]
    fn a_decoder_that_failed_stays_in_error() {
        let mut decoder = Decoder::new(4);
        let mut input = BytesMut::from(&[5, 1, 2, 3, 4, 5][..]);
        let fault = Fault::TooLong { len: 5, max: 4 };
        assert_eq!(decoder.next(&mut input), Err(fault));
        decoder.set_max(100);
        assert_eq!(decoder.next(&mut BytesMut::from(&[0][..])), Err(fault));
    }
}
