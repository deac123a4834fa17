//! The session machine.

use super::PeerInfo;
use crate::{Error, ErrorCode, Now, StreamId, message::Failure};
use bytes::{Bytes, BytesMut};
use std::time::{Duration, Instant};

/// What happened in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The peer's first frame came: what an initiator held back leaves now. At the latest,
    /// [`Config::first_frame_wait`](super::Config::first_frame_wait) after the beginning it leaves without this.
    Live,
    /// The peer opened a stream. Take it, [`refuse`](Session::refuse) it, or it counts against the limit for ever.
    Opened {
        /// Its number.
        id: StreamId,
        /// What it is for; empty if nothing is said. At most [`limits::LABEL_MAX`](crate::limits::LABEL_MAX) bytes: a longer
        /// one is refused.
        label: String,
    },
    /// There is something to [`read`](Session::read). Told anew after a read has found nothing.
    Readable(StreamId),
    /// There is room again for a write that found none.
    Writable(StreamId),
    /// There is room again for a stream after [`open_stream`](Session::open_stream) found none.
    CanOpen,
    /// The stream has ended in both directions on the wire. What has arrived can still be read.
    Closed {
        /// Its number.
        id: StreamId,
        /// Why, if the peer ended it for a reason; `None` if both sides have said everything.
        code: Option<ErrorCode>,
    },
    /// The peer says that something went wrong; the session goes on. While one of these waits, further ones are dropped.
    PeerError(Failure),
}

/// What [`Session::read`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// Bytes, at least one: a slice of what arrived, not a copy, unless the frames were small.
    Data(Bytes),
    /// Nothing yet: [`Event::Readable`] follows.
    Nothing,
    /// The peer has said everything.
    End,
    /// The peer broke the stream off before it had said everything; with its reason, or
    /// [`ErrorCode::StreamClosed`] if it gave none.
    Reset(ErrorCode),
}

/// A session after the handshake: frames in, streams and events out. No I/O, no clock.
///
/// # How to drive it
/// 1. Append what the socket yields to one buffer and lend it to [`handle_input`](Self::handle_input). While
///    [`wants_input`](Self::wants_input) is `false`, do not read the socket; when it is `true` again, lend the buffer once
///    more before reading: frames may wait in it.
/// 2. Act on the application's wishes: `open_stream`, `write`, `finish`, `read`, `reset`, `release`.
/// 3. After each of these, in this order: [`poll_transmit`](Self::poll_transmit) and write what it gives,
///    [`poll_event`](Self::poll_event) until it gives nothing, and set a timer for [`poll_timeout`](Self::poll_timeout).
///
/// After an error the session is over: each method gives [`Error::Closed`]. There is no goodbye in the protocol: close the
/// connection.
///
/// # The life of a stream
/// From [`open_stream`](Self::open_stream) or [`Event::Opened`] until it has ended on the wire *and* the application is done
/// with it: [`read`](Self::read) has given `End` or `Reset`, or [`release`](Self::release) was called. Later calls with its
/// number give [`Error::Stream`]. Numbers are never used again.
///
/// # Bounds
/// See [`Config`](super::Config). An idle session holds no buffers.
#[derive(Debug)]
pub struct Session {
    _private: (),
}

impl Session {
    /// Who is at the other end.
    #[must_use]
    pub fn peer(&self) -> &PeerInfo {
        todo!("session")
    }

    /// How long the last PING took to be answered; `None` before the first answer.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        todo!("session")
    }

    /// Takes whole frames from the front of `input`, opening each in place, until none is left or the session wants no more.
    ///
    /// # Errors
    /// What the peer did; the session is then over.
    pub fn handle_input(&mut self, input: &mut BytesMut, now: Now) -> Result<(), Error> {
        let _ = (input, now);
        todo!("session")
    }

    /// Whether the session takes input. `false` while the application leaves too much unread, while too many events wait,
    /// or while the peer does not take our answers: then do not read the socket.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        todo!("session")
    }

    /// Opens a stream. The protocol has no answer to that: it can be written at once, and the peer may refuse it later.
    ///
    /// # Errors
    /// [`Error::Stream`] with [`ErrorCode::ResourceExhausted`] if `streams_max` are open: [`Event::CanOpen`] follows.
    /// [`Error::Misuse`] for a label beyond [`limits::LABEL_MAX`](crate::limits::LABEL_MAX).
    pub fn open_stream(&mut self, label: &str) -> Result<StreamId, Error> {
        let _ = label;
        todo!("session")
    }

    /// Whether [`open_stream`](Self::open_stream) would find room.
    #[must_use]
    pub fn can_open(&self) -> bool {
        todo!("session")
    }

    /// Queues the beginning of `data` to be sent, as much as there is room for, and tells how much that is. 0 means that there
    /// is none: [`Event::Writable`] follows.
    ///
    /// # Errors
    /// [`Error::Stream`] if the stream takes no more: it was finished or reset, by either end.
    pub fn write(&mut self, id: StreamId, data: &[u8]) -> Result<usize, Error> {
        let _ = (id, data);
        todo!("session")
    }

    /// Seals the beginning of `data` straight into `out`, behind everything that waits, while `out` has less than `limit`
    /// bytes: one copy, no queue. Tells how much of `data` that was; 0 means that there is no room, or that nothing may leave
    /// yet: [`Event::Writable`] follows once [`poll_transmit`](Self::poll_transmit) finds room.
    ///
    /// `out` is what `poll_transmit` appends to, too.
    ///
    /// # Errors
    /// As [`Session::write`].
    pub fn write_into(&mut self, id: StreamId, data: &[u8], out: &mut BytesMut, limit: usize) -> Result<usize, Error> {
        let _ = (id, data, out, limit);
        todo!("session")
    }

    /// Says that this end has written everything to the stream (FIN), behind what waits. Twice is as once.
    ///
    /// # Errors
    /// [`Error::Stream`] if the stream was reset, by either end.
    pub fn finish(&mut self, id: StreamId) -> Result<(), Error> {
        let _ = id;
        todo!("session")
    }

    /// Whether everything written to the stream, and its FIN if it was finished, has been handed out for transmission. `true`
    /// for streams that have ended.
    #[must_use]
    pub fn is_flushed(&self, id: StreamId) -> bool {
        let _ = id;
        todo!("session")
    }

    /// Takes at most `max` bytes of what has arrived, without a copy.
    ///
    /// # Errors
    /// [`Error::Stream`] if there is no such stream, or its end was told already.
    pub fn read(&mut self, id: StreamId, max: usize) -> Result<Read, Error> {
        let _ = (id, max);
        todo!("session")
    }

    /// Breaks the stream off in both directions: what waits is dropped, in both, and the peer is told `code`. The application
    /// is then done with it. A stream that has ended stays as it was.
    pub fn reset(&mut self, id: StreamId, code: ErrorCode) {
        let _ = (id, code);
        todo!("session")
    }

    /// [`reset`](Self::reset)s with [`ErrorCode::StreamRefused`] what the peer opened and nobody wants.
    pub fn refuse(&mut self, id: StreamId) {
        self.reset(id, ErrorCode::StreamRefused);
    }

    /// The application is done with the stream: what a dropped handle says. If this end has finished, what waits is still
    /// sent, and what arrives is dropped; if it has not, the stream is [`reset`](Self::reset) with
    /// [`ErrorCode::StreamClosed`]. A stream that has ended is forgotten.
    pub fn release(&mut self, id: StreamId) {
        let _ = id;
        todo!("session")
    }

    /// Seals what waits into `out`, as long as that has less than `limit` bytes: PINGs, answers, opened and closed streams
    /// first, then one frame of each stream in turn. The last frame may pass `limit` by
    /// [`limits::DATA_MAX`](crate::limits::DATA_MAX) and some bytes.
    pub fn poll_transmit(&mut self, out: &mut BytesMut, limit: usize) {
        let _ = (out, limit);
        todo!("session")
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) has more to give now.
    #[must_use]
    pub fn has_output(&self) -> bool {
        todo!("session")
    }

    /// What happened, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        todo!("session")
    }

    /// When [`handle_timeout`](Self::handle_timeout) must be called if nothing happens before. May be in the past: then at
    /// once. `None` once the session is over.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        todo!("session")
    }

    /// Lets time pass: PINGs are due, what was held back leaves, reading goes on.
    ///
    /// # Errors
    /// [`Error::TimedOut`] if the peer no longer answers; the session is then over.
    pub fn handle_timeout(&mut self, now: Now) -> Result<(), Error> {
        let _ = now;
        todo!("session")
    }

    /// Ends the session: drops everything that waits. The connection must be closed; the protocol has no goodbye.
    pub fn close(&mut self) {
        todo!("session")
    }
}
