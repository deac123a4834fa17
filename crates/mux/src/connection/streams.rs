//! The table of streams: who has ended what.

use std::collections::{HashMap, VecDeque};

use crate::{Body, CallType, RequestId};

/// Names a stream for as long as the connection lives: a number that the peer uses again names a new stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamId {
    /// The number in frames that arrive: positive if the peer opened the stream, negative if this end did.
    number: RequestId,
    serial: u32,
}

impl StreamId {
    /// The number in frames that leave.
    pub(super) fn answer(self) -> RequestId {
        super::negated(self.number)
    }

    /// Whether this end opened the stream.
    pub(super) fn is_own(self) -> bool {
        self.number.0 < 0
    }

    /// The request number on the wire, as the side that opened the stream chose it.
    pub fn request(self) -> RequestId {
        RequestId(self.number.0.wrapping_abs())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Caller,
    Callee,
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    serial: u32,
    kind: CallType,
    role: Role,
    /// This end has sent its end frame.
    local_ended: bool,
    /// An end frame has arrived, of whatever body.
    remote_ended: bool,
    /// Items that arrive have a reader.
    reading: bool,
    /// The reader has not been told of an end.
    expecting_end: bool,
    /// This end has ended the stream for good and only the peer's end is missing.
    half_ended: bool,
}

/// What becomes of an end frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The reader has heard of an end before, or the frame's body makes it none.
    Ignored,
    /// The reader must be told, and if `echo`, the frame be answered with the same end.
    Told { echo: bool },
}

/// All streams that at least one side has not ended.
#[derive(Debug, Default)]
pub(super) struct Streams {
    by_number: HashMap<RequestId, Stream>,
    next_serial: u32,
    /// Streams that this end has ended for good and the peer has not, in that order; holds stale entries as well.
    half_ended: VecDeque<StreamId>,
    half_ended_live: usize,
    /// Streams opened by the peer that this end has not ended.
    from_peer: usize,
    /// Streams opened by this end.
    own: usize,
}

impl Streams {
    pub(super) fn insert(&mut self, number: RequestId, kind: CallType, role: Role) -> StreamId {
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        let reading = match role {
            Role::Caller => matches!(kind, CallType::Source | CallType::Duplex),
            Role::Callee => matches!(kind, CallType::Sink | CallType::Duplex),
        };
        match role {
            Role::Caller => self.own += 1,
            Role::Callee => self.from_peer += 1,
        }
        let stream = Stream {
            serial,
            kind,
            role,
            local_ended: false,
            remote_ended: false,
            reading,
            expecting_end: true,
            half_ended: false,
        };
        self.by_number.insert(number, stream);
        StreamId { number, serial }
    }

    pub(super) fn id_of(&self, number: RequestId) -> Option<StreamId> {
        self.by_number.get(&number).map(|stream| StreamId {
            number,
            serial: stream.serial,
        })
    }

    fn get(&self, id: StreamId) -> Option<&Stream> {
        self.by_number
            .get(&id.number)
            .filter(|stream| stream.serial == id.serial)
    }

    fn get_mut(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.by_number
            .get_mut(&id.number)
            .filter(|stream| stream.serial == id.serial)
    }

    /// Nobody is to be told of what becomes of the stream.
    pub(super) fn expect_nothing(&mut self, id: StreamId) {
        if let Some(stream) = self.get_mut(id) {
            stream.expecting_end = false;
        }
    }

    pub(super) fn contains(&self, id: StreamId) -> bool {
        self.get(id).is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    pub(super) fn open_from_peer(&self) -> usize {
        self.from_peer
    }

    pub(super) fn own(&self) -> usize {
        self.own
    }

    pub(super) fn wants_items(&self, id: StreamId) -> bool {
        self.get(id).is_some_and(|stream| stream.reading)
    }

    pub(super) fn may_send(&self, id: StreamId) -> bool {
        self.get(id).is_some_and(|stream| !stream.local_ended)
    }

    /// Marks that this end ends the stream; `false` if it has before, or the stream is closed. With `keep_waiting` a caller
    /// still hears of the peer's end, and of a duplex the items.
    pub(super) fn local_end(&mut self, id: StreamId, keep_waiting: bool, max_half_ended: usize) -> bool {
        let Some(stream) = self.get_mut(id) else { return false };
        let keep_waiting = keep_waiting && stream.role == Role::Caller;
        stream.reading = stream.reading && keep_waiting && stream.kind == CallType::Duplex;
        let first = !stream.local_ended;
        stream.local_ended = true;
        let abandoned = !keep_waiting && !stream.remote_ended && !stream.half_ended;
        stream.half_ended |= abandoned;
        let (role, closed) = (stream.role, stream.remote_ended);
        if first && role == Role::Callee {
            self.from_peer -= 1;
        }
        if closed {
            self.remove(id);
        } else if abandoned {
            self.remember_half_ended(id, max_half_ended);
        }
        first
    }

    pub(super) fn remote_end(&mut self, id: StreamId, body: &Body) -> Ending {
        let Some(stream) = self.get_mut(id) else {
            return Ending::Ignored;
        };
        stream.remote_ended = true;
        // An end that JavaScript takes for false tells its reader nothing: only the table counts it as the peer's end.
        let told = stream.expecting_end && !body.is_falsy();
        let mut echo = false;
        if told {
            stream.expecting_end = false;
            stream.reading = false;
            // One that serves a sink or a duplex answers a plain end when its work is done; every other end is answered
            // at once.
            let waits = stream.role == Role::Callee && stream.kind != CallType::Source && body.is_true();
            echo = !stream.local_ended && !waits;
        }
        let (role, closed) = (stream.role, stream.local_ended || echo);
        if echo && role == Role::Callee {
            self.from_peer -= 1;
        }
        if closed {
            self.remove(id);
        }
        if told { Ending::Told { echo } } else { Ending::Ignored }
    }

    fn remove(&mut self, id: StreamId) {
        if let Some(stream) = self.by_number.remove(&id.number) {
            self.own -= usize::from(stream.role == Role::Caller);
            self.half_ended_live -= usize::from(stream.half_ended);
        }
        if self.by_number.is_empty() {
            // An idle connection holds no memory for streams that are gone.
            self.half_ended = VecDeque::new();
            if self.by_number.capacity() > 64 {
                self.by_number = HashMap::new();
            }
        }
    }

    fn remember_half_ended(&mut self, id: StreamId, max: usize) {
        self.half_ended.push_back(id);
        self.half_ended_live += 1;
        while self.half_ended_live > max {
            let Some(oldest) = self.half_ended.pop_front() else {
                break;
            };
            if self.get(oldest).is_some_and(|stream| stream.half_ended) {
                self.remove(oldest);
            }
        }
        // Stale entries may not outnumber live ones by much, or a busy connection would collect them.
        if self.half_ended.len() > 2 * self.half_ended_live + 64 {
            let mut entries = std::mem::take(&mut self.half_ended);
            entries.retain(|&id| self.get(id).is_some_and(|stream| stream.half_ended));
            self.half_ended = entries;
        }
    }
}
