//! What has arrived on a stream and nobody has read.

use bytes::{Bytes, BytesMut};
use std::{collections::VecDeque, mem};

/// The smallest piece that is kept as a slice of the receive buffer. A slice keeps the whole buffer alive, so a peer that sends
/// crumbs between large frames of nothing could make a few bytes hold megabytes; what is smaller is copied to a place of its
/// own. The copy costs a tenth of opening the frame.
const SLICE_MIN: usize = 32 << 10;

/// How much crumbs are gathered into one piece.
const GATHERED_MAX: usize = 64 << 10;

/// The bytes of one stream that wait to be read, in order.
#[derive(Debug, Default)]
pub(super) struct Received {
    pieces: VecDeque<Bytes>,
    /// Crumbs that came behind the pieces.
    gathered: BytesMut,
    len: usize,
}

impl Received {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Takes in `data`, which is a slice of a frame of `frame_len` bytes.
    pub(super) fn push(&mut self, data: Bytes, frame_len: usize) {
        self.len += data.len();
        if data.len() >= SLICE_MIN && data.len() * 2 >= frame_len {
            self.end_gathering();
            self.pieces.push_back(data);
            return;
        }
        if self.gathered.len() + data.len() > GATHERED_MAX {
            self.end_gathering();
        }
        self.gathered.extend_from_slice(&data);
    }

    /// At most `max` bytes; `None` if there are none.
    pub(super) fn pop(&mut self, max: usize) -> Option<Bytes> {
        if self.pieces.is_empty() {
            self.end_gathering();
        }
        let piece = self.pieces.front_mut().filter(|_| max > 0)?;
        let data = if piece.len() <= max {
            self.pieces.pop_front()?
        } else {
            piece.split_to(max)
        };
        self.len -= data.len();
        if self.pieces.is_empty() {
            self.pieces = VecDeque::new();
        }
        Some(data)
    }

    fn end_gathering(&mut self) {
        if !self.gathered.is_empty() {
            self.pieces.push_back(mem::take(&mut self.gathered).freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_pieces_are_slices_and_crumbs_are_copies() {
        let frame = Bytes::from(vec![7; 64 << 10]);
        let mut received = Received::default();
        received.push(frame.slice(10..60_000), frame.len());
        received.push(frame.slice(..100), frame.len());
        received.push(frame.slice(100..200), frame.len());
        assert_eq!(received.len(), 59_990 + 200);
        let slice = received.pop(usize::MAX);
        assert_eq!(
            slice.as_deref().map(<[u8]>::as_ptr),
            frame.get(10..).map(<[u8]>::as_ptr)
        );
        let crumbs = received.pop(usize::MAX);
        assert_eq!(crumbs.as_deref().map(<[u8]>::len), Some(200), "one piece");
        assert_eq!(received.pop(1), None);
        assert_eq!(received.len(), 0);
    }

    #[test]
    fn a_large_slice_of_a_larger_frame_is_a_copy() {
        let frame = Bytes::from(vec![7; 1 << 20]);
        let mut received = Received::default();
        received.push(frame.slice(..40_000), frame.len());
        let piece = received.pop(usize::MAX);
        assert_eq!(piece.as_deref().map(<[u8]>::len), Some(40_000));
        assert_ne!(
            piece.as_deref().map(<[u8]>::as_ptr),
            frame.first_chunk::<1>().map(|c| c.as_ptr())
        );
    }
}
