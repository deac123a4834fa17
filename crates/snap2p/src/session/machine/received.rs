//! What has arrived on a stream and nobody has read.

use bytes::{Bytes, BytesMut};
use std::{collections::VecDeque, mem};

/// The smallest piece that is kept as a slice of the receive buffer. A slice keeps the whole buffer alive, so a peer that sends
/// crumbs between large frames of nothing could make a few bytes hold megabytes; what is smaller is copied to a place of its
/// own. The copy costs a tenth of opening the frame.
const SLICE_MIN: usize = 32 << 10;

/// How much crumbs are gathered into one piece.
const GATHERED_MAX: usize = 64 << 10;

/// A part of a frame that is longer than this is handed out as a copy, unless it is at least half of the frame: else whoever
/// keeps a few bytes keeps all of them.
const SPLIT_MAX: usize = 128 << 10;

/// The bytes of one stream that wait to be read, in order.
#[derive(Debug, Default)]
pub(super) struct Received {
    pieces: VecDeque<Piece>,
    /// Crumbs that came behind the pieces.
    gathered: BytesMut,
    len: usize,
    held: usize,
}

#[derive(Debug)]
struct Piece {
    data: Bytes,
    /// How much memory it keeps alive, until the last of it is taken.
    pins: usize,
}

impl Received {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// How much memory they keep alive: a slice keeps all of its frame.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// Takes in `data`, which is a slice of a frame of `frame_len` bytes.
    pub(super) fn push(&mut self, data: Bytes, frame_len: usize) {
        self.len += data.len();
        if data.len() >= SLICE_MIN && data.len() * 2 >= frame_len {
            self.end_gathering();
            self.held += frame_len;
            self.pieces.push_back(Piece { data, pins: frame_len });
            return;
        }
        self.held += data.len();
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
        let data = piece.data.split_to(piece.data.len().min(max));
        let pins = piece.pins;
        self.len -= data.len();
        if piece.data.is_empty() {
            self.held -= pins;
            self.pieces.pop_front();
        }
        if self.pieces.is_empty() {
            self.pieces = VecDeque::new();
        }
        if pins > SPLIT_MAX && data.len() < pins / 2 {
            return Some(Bytes::copy_from_slice(&data));
        }
        Some(data)
    }

    fn end_gathering(&mut self) {
        if !self.gathered.is_empty() {
            let data = mem::take(&mut self.gathered).freeze();
            self.pieces.push_back(Piece { pins: data.len(), data });
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
    fn a_part_of_a_large_frame_is_a_copy_and_the_frame_is_held_until_all_of_it_is_taken() {
        let frame = Bytes::from(vec![7; 1 << 20]);
        let within = frame.as_ptr_range();
        let mut received = Received::default();
        received.push(frame.slice(10..), frame.len());
        received.push(frame.slice(..100), 100);
        let part = received.pop(64 << 10);
        assert!(part.is_some_and(|part| part.len() == 64 << 10 && !within.contains(&part.as_ptr())));
        assert_eq!(received.held(), frame.len() + 100);
        let most = received.pop(900 << 10);
        assert!(
            most.is_some_and(|most| within.contains(&most.as_ptr())),
            "half and more is handed out as it is"
        );
        let last = received.pop(usize::MAX);
        assert!(last.is_some_and(|last| !within.contains(&last.as_ptr())));
        assert_eq!((received.len(), received.held()), (100, 100));
        received.pop(usize::MAX);
        assert_eq!((received.len(), received.held()), (0, 0));
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
