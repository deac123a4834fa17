//! The streams of a session: which there are, and how each of them ends.

use super::received::Received;
use crate::{Error, ErrorCode, Fault, StreamId, session::Role};
use bytes::{Buf, BytesMut};
use std::{collections::HashMap, mem};

/// How many streams the table may have for each that may be live: those that have ended on the wire stay until the application
/// is done with them. Stops a peer that opens streams and closes them again before the application looks.
const TABLE_PER_LIVE: usize = 2;

/// How far this end is with what it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    Open,
    /// Finished by the application; FIN waits behind the queue.
    Finishing,
    /// FIN has left.
    Finished,
}

/// Which write found no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    No,
    /// One into the queue.
    ForQueue,
    /// One straight into the output.
    ForOutput,
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) received: Received,
    /// The peer has said everything.
    pub(super) ended_by_peer: bool,
    /// What waits to be sent.
    pub(super) queue: BytesMut,
    pub(super) writing: Writing,
    pub(super) waiting: Waiting,
    /// [`Event::Readable`](super::Event::Readable) was told, and no read has found nothing since.
    pub(super) told_readable: bool,
    /// It has ended on the wire; why, unless both ends have said everything.
    pub(super) closed: Option<Option<ErrorCode>>,
    /// The application has read its end.
    read_to_end: bool,
    /// The application is done with it.
    released: bool,
}

impl Stream {
    fn new() -> Self {
        Self {
            received: Received::default(),
            ended_by_peer: false,
            queue: BytesMut::new(),
            writing: Writing::Open,
            waiting: Waiting::No,
            told_readable: false,
            closed: None,
            read_to_end: false,
            released: false,
        }
    }

    /// Why a write is not possible, if it is not.
    pub(super) fn check_writable(&self) -> Result<(), Error> {
        match (self.closed, self.writing) {
            (None, Writing::Open) => Ok(()),
            (Some(Some(code)), _) => Err(Error::Stream(code)),
            _ => Err(Error::Stream(ErrorCode::StreamClosed)),
        }
    }
}

/// The streams of both ends, by number.
#[derive(Debug)]
pub(super) struct Streams {
    table: HashMap<StreamId, Stream>,
    max: usize,
    /// How much of one stream may wait before reading stops.
    soft: usize,
    /// How many have not ended on the wire.
    live: usize,
    /// The number of the next stream of ours.
    next: u64,
    /// The last number that the peer used.
    peers_last: Option<u64>,
    /// How many bytes of all streams wait to be read.
    unread: usize,
    /// How much memory those keep alive.
    held: usize,
    /// How many streams have at least `soft` of them.
    full: usize,
    /// How many bytes of all streams wait to be sent.
    unsent: usize,
}

/// What becomes of a number that the peer uses to open a stream.
pub(super) enum Opening {
    Opened,
    Refused(ErrorCode),
}

impl Streams {
    pub(super) fn new(role: Role, max: usize, soft: usize) -> Self {
        Self {
            table: HashMap::new(),
            max,
            soft: soft.max(1),
            live: 0,
            next: match role {
                Role::Initiator => 0,
                Role::Responder => 1,
            },
            peers_last: None,
            unread: 0,
            held: 0,
            full: 0,
            unsent: 0,
        }
    }

    pub(super) const fn unread(&self) -> usize {
        self.unread
    }

    pub(super) const fn held(&self) -> usize {
        self.held
    }

    pub(super) const fn full(&self) -> usize {
        self.full
    }

    pub(super) const fn unsent(&self) -> usize {
        self.unsent
    }

    pub(super) const fn has_room(&self) -> bool {
        self.live < self.max
    }

    pub(super) fn get(&self, id: StreamId) -> Result<&Stream, Error> {
        self.table.get(&id).ok_or(GONE)
    }

    pub(super) fn get_mut(&mut self, id: StreamId) -> Result<&mut Stream, Error> {
        self.table.get_mut(&id).ok_or(GONE)
    }

    pub(super) fn open_ours(&mut self) -> Result<StreamId, Error> {
        let id = StreamId(self.next);
        // Numbers are never used again, so that what is late for an old stream never reaches a new one.
        self.next = self
            .next
            .checked_add(2)
            .ok_or(Error::Stream(ErrorCode::ResourceExhausted))?;
        self.insert(id);
        Ok(id)
    }

    pub(super) fn open_peers(&mut self, id: StreamId) -> Result<Opening, Fault> {
        if self.is_ours(id) {
            return Err(Fault::Unexpected("the peer opens a stream with a number of ours"));
        }
        if self.table.get(&id).is_some_and(|stream| stream.closed.is_none()) {
            return Err(Fault::Unexpected("the peer opens a stream that is open"));
        }
        if self.was_used(id) {
            return Ok(Opening::Refused(ErrorCode::StreamIdInUse));
        }
        self.peers_last = Some(id.0);
        if !self.has_room() || self.table.len() >= self.max.saturating_mul(TABLE_PER_LIVE) {
            return Ok(Opening::Refused(ErrorCode::ResourceExhausted));
        }
        self.insert(id);
        Ok(Opening::Opened)
    }

    fn insert(&mut self, id: StreamId) {
        self.table.insert(id, Stream::new());
        self.live += 1;
    }

    const fn is_ours(&self, id: StreamId) -> bool {
        self.next % 2 == id.0 % 2
    }

    /// Whether a stream of this number has ever been open.
    pub(super) fn was_used(&self, id: StreamId) -> bool {
        match self.is_ours(id) {
            true => id.0 < self.next,
            false => self.peers_last.is_some_and(|last| id.0 <= last),
        }
    }

    /// Takes in bytes that arrived.
    pub(super) fn receive(&mut self, id: StreamId, data: bytes::Bytes, frame_len: usize) {
        let Some(stream) = self.table.get_mut(&id).filter(|stream| !stream.released) else {
            return;
        };
        let before = sizes(&stream.received);
        stream.received.push(data, frame_len);
        let after = sizes(&stream.received);
        self.account(before, after);
    }

    /// Takes out at most `max` bytes.
    pub(super) fn take_received(&mut self, id: StreamId, max: usize) -> Option<bytes::Bytes> {
        let stream = self.table.get_mut(&id)?;
        let before = sizes(&stream.received);
        let data = stream.received.pop(max);
        let after = sizes(&stream.received);
        self.account(before, after);
        data
    }

    /// Notes how many bytes of a stream wait, and how much memory they keep alive, after a change.
    fn account(&mut self, before: (usize, usize), after: (usize, usize)) {
        self.unread = self.unread + after.0 - before.0;
        self.held = self.held + after.1 - before.1;
        self.full = self.full + usize::from(after.0 >= self.soft) - usize::from(before.0 >= self.soft);
    }

    /// Queues bytes to be sent.
    pub(super) fn enqueue(&mut self, id: StreamId, data: &[u8]) {
        if let Some(stream) = self.table.get_mut(&id) {
            stream.queue.extend_from_slice(data);
            self.unsent += data.len();
        }
    }

    /// Drops the first `len` bytes of the queue: they were sent. An empty queue holds no memory.
    pub(super) fn dequeue(&mut self, id: StreamId, len: usize) {
        if let Some(stream) = self.table.get_mut(&id) {
            stream.queue.advance(len.min(stream.queue.len()));
            self.unsent -= len;
            if stream.queue.is_empty() {
                stream.queue = BytesMut::new();
            }
        }
    }

    /// Whether both ends have said everything and the wire does not know it yet.
    pub(super) fn is_complete(&self, id: StreamId) -> bool {
        self.table.get(&id).is_some_and(|stream| {
            stream.closed.is_none() && stream.ended_by_peer && stream.writing == Writing::Finished
        })
    }

    /// Ends a stream on the wire. `false` if it had ended.
    pub(super) fn close(&mut self, id: StreamId, code: Option<ErrorCode>) -> bool {
        let Some(stream) = self.table.get_mut(&id).filter(|stream| stream.closed.is_none()) else {
            return false;
        };
        stream.closed = Some(code);
        self.unsent -= mem::take(&mut stream.queue).len();
        self.live -= 1;
        if stream.released || stream.read_to_end {
            self.forget(id);
        }
        true
    }

    /// The application has been told that there is no more to read.
    pub(super) fn read_to_end(&mut self, id: StreamId) {
        if let Some(stream) = self.table.get_mut(&id) {
            stream.read_to_end = true;
            if stream.closed.is_some() {
                self.forget(id);
            }
        }
    }

    /// The application is done with the stream; what is unread is dropped. A stream that has ended on the wire is forgotten.
    pub(super) fn release(&mut self, id: StreamId) {
        if let Some(stream) = self.table.get_mut(&id) {
            stream.released = true;
            let unread = sizes(&mem::take(&mut stream.received));
            let closed = stream.closed.is_some();
            self.account(unread, (0, 0));
            if closed {
                self.forget(id);
            }
        }
    }

    pub(super) fn is_released(&self, id: StreamId) -> bool {
        self.table.get(&id).is_some_and(|stream| stream.released)
    }

    /// Ends all streams on the wire; which those are.
    pub(super) fn close_all(&mut self, code: ErrorCode) -> Vec<StreamId> {
        let live = |(id, stream): (&StreamId, &Stream)| stream.closed.is_none().then_some(*id);
        let mut ids: Vec<_> = self.table.iter().filter_map(live).collect();
        ids.sort_unstable();
        for id in &ids {
            self.close(*id, Some(code));
        }
        ids
    }

    fn forget(&mut self, id: StreamId) {
        if let Some(stream) = self.table.remove(&id) {
            self.account(sizes(&stream.received), (0, 0));
        }
        if self.table.is_empty() {
            self.table = HashMap::new();
        }
    }
}

const fn sizes(received: &Received) -> (usize, usize) {
    (received.len(), received.held())
}

const GONE: Error = Error::Stream(ErrorCode::StreamClosed);

#[cfg(feature = "_check")]
impl Streams {
    /// How many are in the table; those that have ended on the wire, and not for the application, among them.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Asserts that every sum is that of its parts.
    pub(super) fn audit(&self) {
        let streams = || self.table.values();
        assert_eq!(self.live, streams().filter(|stream| stream.closed.is_none()).count());
        assert!(self.live <= self.max);
        assert_eq!(
            self.unread,
            streams().map(|stream| stream.received.len()).sum::<usize>()
        );
        assert_eq!(self.held, streams().map(|stream| stream.received.held()).sum::<usize>());
        assert!(self.held >= self.unread, "what is unread is held");
        assert_eq!(self.unsent, streams().map(|stream| stream.queue.len()).sum::<usize>());
        assert_eq!(
            self.full,
            streams().filter(|stream| stream.received.len() >= self.soft).count()
        );
        for stream in streams() {
            assert!(
                stream.closed.is_none() || stream.queue.is_empty(),
                "nothing is sent on a stream that has ended"
            );
            assert!(
                !(stream.closed.is_some() && stream.released),
                "nobody needs it any more"
            );
            assert!(!stream.released || stream.received.len() == 0, "nobody reads it");
        }
    }

    /// How much memory the table holds, in items.
    pub(super) fn capacity(&self) -> usize {
        self.table.capacity()
    }
}
