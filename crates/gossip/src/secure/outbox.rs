//! What waits to be written to a peer.

use bytes::{BufMut, Bytes, BytesMut};
use std::collections::VecDeque;

/// What one waiting message costs beyond its bytes, so that many short ones are counted for what they are.
const OVERHEAD: usize = 64;

/// Bytes that are moved to the writer at once: enough to fill a socket, few enough to keep the rest where it can be dropped.
const TRANSMIT_MAX: usize = 64 << 10;

/// Lines and frames in the order in which they will be written. Messages are shared with the history, not copied.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Chunk>,
    weight: usize,
    /// Lines that were dropped for want of room.
    lost: u64,
}

#[derive(Debug)]
pub(super) enum Chunk {
    /// A message; its line feed is added when it is written. May be dropped for want of room.
    Line(Bytes),
    /// A line that must not be lost, with its line feed.
    Word(Bytes),
    /// A frame; its length, 4 bytes, big-endian, is added when it is written.
    Frame(Bytes),
}

impl Chunk {
    fn weight(&self) -> usize {
        OVERHEAD
            + match self {
                Self::Line(bytes) | Self::Word(bytes) | Self::Frame(bytes) => bytes.len(),
            }
    }
}

impl Outbox {
    pub(super) fn push(&mut self, chunk: Chunk) {
        self.weight += chunk.weight();
        self.waiting.push_back(chunk);
    }

    /// Takes over all that waits in `other`.
    pub(super) fn append(&mut self, other: &mut Self) {
        self.weight += std::mem::take(&mut other.weight);
        self.lost += std::mem::take(&mut other.lost);
        self.waiting.append(&mut other.waiting);
    }

    /// Drops the oldest messages until no more than `limit` bytes wait.
    pub(super) fn shorten(&mut self, limit: usize) {
        // Only what goes is touched: a full queue is shortened with each round, by as much as came.
        let mut kept = Vec::new();
        while self.weight > limit {
            match self.waiting.pop_front() {
                Some(line @ Chunk::Line(_)) => {
                    self.weight -= line.weight();
                    self.lost += 1;
                }
                Some(other) => kept.push(other),
                None => break,
            }
        }
        for chunk in kept.into_iter().rev() {
            self.waiting.push_front(chunk);
        }
    }

    /// Moves some of what waits to `buffer`, at least one chunk if there is any; whether anything was moved.
    pub(super) fn transmit(&mut self, buffer: &mut BytesMut) -> bool {
        let before = buffer.len();
        while buffer.len() - before < TRANSMIT_MAX {
            let Some(chunk) = self.waiting.pop_front() else { break };
            self.weight -= chunk.weight();
            match chunk {
                Chunk::Line(line) => {
                    buffer.reserve(line.len() + 1);
                    buffer.put_slice(&line);
                    buffer.put_u8(b'\n');
                }
                Chunk::Word(line) => buffer.put_slice(&line),
                Chunk::Frame(frame) => {
                    buffer.reserve(frame.len() + 4);
                    buffer.put_u32(u32::try_from(frame.len()).unwrap_or(u32::MAX));
                    buffer.put_slice(&frame);
                }
            }
        }
        if self.waiting.is_empty() && self.waiting.capacity() > 64 {
            self.waiting = VecDeque::new();
        }
        buffer.len() > before
    }

    /// Bytes that wait, with what it costs to keep them.
    pub(super) const fn weight(&self) -> usize {
        self.weight
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_messages_go_first_and_words_and_frames_never() {
        let mut outbox = Outbox::default();
        outbox.push(Chunk::Word(Bytes::from_static(b"hello\n")));
        for line in [&b"first"[..], b"second", b"third"] {
            outbox.push(Chunk::Line(Bytes::from_static(line)));
        }
        outbox.push(Chunk::Frame(Bytes::from_static(b"frame")));
        outbox.shorten(outbox.weight() - 1);
        assert_eq!(outbox.lost(), 1);
        let mut written = BytesMut::new();
        assert!(outbox.transmit(&mut written));
        assert_eq!(&written[..], b"hello\nsecond\nthird\n\0\0\0\x05frame");
        assert!(outbox.is_empty() && outbox.weight() == 0 && !outbox.transmit(&mut written));
    }
}
