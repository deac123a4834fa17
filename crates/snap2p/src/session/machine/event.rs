//! What a session tells whoever drives it.

use crate::{ErrorCode, StreamId, message::Failure};
use bytes::Bytes;

/// What happened in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The peer's first frame came: what an initiator held back leaves now. At the latest,
    /// [`Config::first_frame_wait`](crate::session::Config::first_frame_wait) after the beginning it leaves without this.
    Live,
    /// The peer opened a stream. Take it, [`refuse`](super::Session::refuse) it, or it counts against the limit for ever.
    Opened {
        /// Its number.
        id: StreamId,
        /// What it is for; empty if nothing is said. At most [`limits::LABEL_MAX`](crate::limits::LABEL_MAX) bytes: a longer
        /// one breaks the protocol.
        label: String,
    },
    /// There is something to [`read`](super::Session::read). Told anew after a read has found nothing.
    Readable(StreamId),
    /// There is room again for a write that found none.
    Writable(StreamId),
    /// There is room again for a stream after [`open_stream`](super::Session::open_stream) found none.
    CanOpen,
    /// The stream has ended in both directions on the wire, by the peer's doing. What has arrived can still be read.
    Closed {
        /// Its number.
        id: StreamId,
        /// Why; `None` if both sides have said everything. [`ErrorCode::StreamClosed`] if the peer gave no reason,
        /// [`ErrorCode::ConnectionClosed`] if the whole session has ended.
        code: Option<ErrorCode>,
    },
    /// The peer says that something went wrong; the session goes on. While one of these waits, further ones are dropped.
    PeerError(Failure),
}

/// What [`Session::read`](super::Session::read) found.
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
