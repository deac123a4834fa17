//! What the driver and the handles of one connection share.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};

use super::{Config, Overflow};
use crate::{Body, CallId, Connection, Error, RemoteError, StreamId};

/// What a waiting item counts besides its body, in bytes: about what the queue and the allocator need for it.
pub(super) const ITEM_OVERHEAD: usize = 64;

/// The shared part of a connection. Handles lock it, act, and wake the driver; the driver locks it to hand out what
/// arrived and to take what must be sent. The lock is never held while foreign code runs.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) config: Config,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) connection: Connection,
    pub(super) calls: HashMap<CallId, Call>,
    pub(super) streams: HashMap<StreamId, Stream>,
    backlog: Backlog,
    /// Whether the driver has stopped receiving because a buffer for items is full.
    pub(super) paused: bool,
    /// Those who wait for room in the output.
    room: Line,
    /// Those who wait for the end of the connection.
    finale: Line,
    /// How the connection ended.
    ended: Option<Result<(), Error>>,
    /// Why this end cut the connection, for the work that was open.
    abort_reason: Option<Arc<str>>,
    driver: Parking,
    /// Woken once the lock is released.
    wakes: Vec<Waker>,
    wake_driver: bool,
}

/// Where the driver is. While it runs nobody needs to wake it: it looks again before it parks.
#[derive(Debug)]
enum Parking {
    Running { again: bool },
    Parked(Waker),
    Gone,
}

/// Those who wait for the same thing, in the order in which they came.
///
/// Invariant: whoever has waited longest is woken first. One that takes much at a time would otherwise be back in front of
/// all the others each time, and they would wait for ever.
#[derive(Debug, Default)]
struct Line {
    next: u64,
    waiting: BTreeMap<u64, Waker>,
}

/// A place in a line. It is kept until what was waited for is had, also by one that was woken and came too late.
#[derive(Debug, Default)]
pub(super) struct Ticket(Option<u64>);

impl Line {
    fn stand(&mut self, ticket: &mut Ticket, cx: &TaskContext<'_>) {
        let place = *ticket.0.get_or_insert(self.next);
        self.next = self.next.max(place.wrapping_add(1));
        // A future may have moved to another task since it last stood in line.
        self.waiting.insert(place, cx.waker().clone());
    }

    fn leave(&mut self, ticket: &mut Ticket) {
        if let Some(place) = ticket.0.take() {
            self.waiting.remove(&place);
        }
    }

    /// All who stand here, the first one first.
    fn dismiss(&mut self) -> impl Iterator<Item = Waker> + use<> {
        std::mem::take(&mut self.waiting).into_values()
    }
}

/// A share of the output. Handlers run inside the driver and would otherwise take all the room that is made before any task
/// outside has been woken.
#[derive(Clone, Copy, Debug)]
pub(super) enum Share {
    /// Calls of this end, and items of streams that it has opened.
    Own,
    /// Answers to the peer, and items of streams that it has opened.
    Served,
}

/// What waits for the readers of all streams together.
#[derive(Debug)]
struct Backlog {
    /// Cost of all items.
    queued: usize,
    /// Streams whose own buffer is full.
    full: usize,
    stream_limit: usize,
    total_limit: usize,
}

impl Backlog {
    fn add(&mut self, stream: &mut Stream, body: Body) {
        let cost = body.len() + ITEM_OVERHEAD;
        stream.queue.push_back(body);
        stream.cost += cost;
        self.queued += cost;
        if !stream.full && stream.cost >= self.stream_limit {
            stream.full = true;
            self.full += 1;
        }
    }

    /// The items of a stream have been taken, or will never be.
    fn clear(&mut self, stream: &mut Stream) {
        self.queued = self.queued.saturating_sub(std::mem::take(&mut stream.cost));
        if std::mem::take(&mut stream.full) {
            self.full = self.full.saturating_sub(1);
        }
    }
}

/// A call of this end that waits for its answer.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) result: Option<Result<Body, Error>>,
    pub(super) waker: Option<Waker>,
}

/// A stream that some handle or handler of this end holds.
#[derive(Debug, Default)]
pub(super) struct Stream {
    queue: VecDeque<Body>,
    cost: usize,
    /// Its buffer is full, and counted as such.
    full: bool,
    /// How the peer's side ended.
    end: Option<Result<(), Error>>,
    /// The handler must stop.
    pub(super) cancelled: bool,
    /// The peer ended its side as planned, and the handler of a duplex may finish.
    pub(super) lingering: bool,
    /// Somebody reads, or will.
    has_reader: bool,
    reader: Option<Waker>,
    /// The writer that waits for the peer's end, or the handler.
    writer: Option<Waker>,
    /// Handles and handlers that refer to this entry.
    holders: u8,
}

impl Link {
    pub(super) fn new(config: Config) -> Arc<Self> {
        let state = State {
            connection: Connection::new(config.limits),
            calls: HashMap::new(),
            streams: HashMap::new(),
            backlog: Backlog {
                queued: 0,
                full: 0,
                stream_limit: config.stream_buffer,
                total_limit: config.connection_buffer,
            },
            paused: false,
            room: Line::default(),
            finale: Line::default(),
            ended: None,
            abort_reason: None,
            driver: Parking::Running { again: false },
            wakes: Vec::new(),
            wake_driver: false,
        };
        Arc::new(Self {
            config,
            state: Mutex::new(state),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No foreign code runs under the lock, so a poisoned one still guards a consistent state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Acts on the state, then wakes whom that concerns.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = act(&mut state);
        let driver = if std::mem::take(&mut state.wake_driver) {
            state.driver.unpark()
        } else {
            None
        };
        if state.wakes.is_empty() {
            drop(state);
        } else {
            let wakes = std::mem::take(&mut state.wakes);
            drop(state);
            wakes.into_iter().for_each(Waker::wake);
        }
        if let Some(driver) = driver {
            driver.wake();
        }
        result
    }

    /// The driver starts to run, unless the connection has ended: then this is how.
    pub(super) fn unpark_self(&self) -> Option<Result<(), Error>> {
        let mut state = self.lock();
        if state.ended.is_none() {
            state.driver = Parking::Running { again: false };
        }
        state.ended.clone()
    }

    /// The driver has nothing left to do; `false` if something came up meanwhile.
    pub(super) fn park(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        if matches!(state.driver, Parking::Running { again: true }) {
            state.driver = Parking::Running { again: false };
            return false;
        }
        state.driver = Parking::Parked(waker.clone());
        true
    }
}

impl Parking {
    fn unpark(&mut self) -> Option<Waker> {
        match std::mem::replace(self, Self::Running { again: true }) {
            Self::Parked(waker) => Some(waker),
            Self::Running { .. } => None,
            Self::Gone => {
                *self = Self::Gone;
                None
            }
        }
    }
}

impl State {
    /// The driver must look: there is output, or something that it waits for has happened.
    pub(super) fn wake_driver(&mut self) {
        self.wake_driver = true;
    }

    /// Wakes `waker` once the lock is released.
    fn wake(&mut self, waker: Option<Waker>) {
        self.wakes.extend(waker);
    }

    /// How the connection ended, once it has.
    pub(super) fn ended(&self) -> Option<&Result<(), Error>> {
        self.ended.as_ref()
    }

    /// What work that is open when the connection ends fails with.
    pub(super) fn end_error(&self) -> Error {
        match (&self.abort_reason, &self.ended) {
            (Some(reason), _) => Error::Aborted(reason.clone()),
            (None, Some(Err(error))) => error.clone(),
            (None, _) => Error::UnexpectedEnd,
        }
    }

    /// Waits for room in the output. `ticket` belongs to the one that waits.
    pub(super) fn poll_room(
        &mut self,
        share: Share,
        limit: usize,
        ticket: &mut Ticket,
        cx: &mut TaskContext<'_>,
    ) -> Poll<()> {
        if self.has_room(share, limit) {
            self.room.leave(ticket);
            return Poll::Ready(());
        }
        self.room.stand(ticket, cx);
        Poll::Pending
    }

    /// Whether less than `limit` bytes of this share wait in the output.
    pub(super) fn has_room(&self, share: Share, limit: usize) -> bool {
        let own = self.connection.own_len();
        let taken = match share {
            Share::Own => own,
            Share::Served => self.connection.output_len() - own,
        };
        taken < limit
    }

    /// Output has been taken: those who wait for room may go on.
    pub(super) fn made_room(&mut self) {
        self.wakes.extend(self.room.dismiss());
    }

    pub(super) fn poll_ended(&mut self, ticket: &mut Ticket, cx: &mut TaskContext<'_>) -> Poll<Result<(), Error>> {
        if let Some(ended) = &self.ended {
            return Poll::Ready(ended.clone());
        }
        self.finale.stand(ticket, cx);
        Poll::Pending
    }

    /// Somebody no longer waits for the end.
    pub(super) fn forget_ended(&mut self, ticket: &mut Ticket) {
        self.finale.leave(ticket);
    }

    /// A call was answered.
    pub(super) fn answered(&mut self, id: CallId, result: Result<Body, RemoteError>) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.result = Some(result.map_err(Error::Remote));
            let waker = call.waker.take();
            self.wake(waker);
        }
    }

    /// Nobody waits for the call any more.
    pub(super) fn remove_call(&mut self, id: CallId) {
        self.calls.remove(&id);
        if self.calls.is_empty() && self.calls.capacity() > 64 {
            self.calls = HashMap::new();
        }
    }

    /// Adds the entry of a stream with so many holders.
    pub(super) fn add_stream(&mut self, id: StreamId, has_reader: bool, holders: u8) {
        self.streams.insert(
            id,
            Stream {
                has_reader,
                holders,
                ..Stream::default()
            },
        );
    }

    /// One holder less; the last one removes the entry.
    pub(super) fn release_stream(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.holders = stream.holders.saturating_sub(1);
        if stream.holders == 0 {
            self.backlog.clear(stream);
            self.streams.remove(&id);
            if self.streams.is_empty() && self.streams.capacity() > 64 {
                self.streams = HashMap::new();
            }
            self.resume();
        }
    }

    /// Nobody reads the stream any more: what waits and what still comes is dropped.
    pub(super) fn drop_reader(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.has_reader = false;
            stream.reader = None;
            stream.queue = VecDeque::new();
            self.backlog.clear(stream);
        }
        self.resume();
    }

    /// An item has arrived.
    pub(super) fn push_item(&mut self, id: StreamId, body: Body, overflow: Overflow) {
        let Some(stream) = self
            .streams
            .get_mut(&id)
            .filter(|stream| stream.has_reader && stream.end.is_none())
        else {
            return;
        };
        self.backlog.add(stream, body);
        let (waker, full) = (stream.reader.take(), stream.full);
        self.wake(waker);
        if full && overflow == Overflow::EndStream {
            self.end_slow_stream(id);
        }
    }

    /// Whether the peer must wait because a buffer for items is full.
    ///
    /// While a call of this end is open, only the buffer of all streams together counts: the reader of the full stream may
    /// be the one that waits for the answer, which stands behind the items.
    pub(super) fn must_wait(&self) -> bool {
        let Backlog { queued, full, .. } = self.backlog;
        (full > 0 && !self.connection.awaits_answers()) || queued >= self.backlog.total_limit
    }

    /// Takes all items that wait, into `batch`, which must be empty. `None` is the end of the stream.
    pub(super) fn poll_items(
        &mut self,
        id: StreamId,
        batch: &mut VecDeque<Body>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<(), Option<Error>>> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Poll::Ready(Err(Some(self.end_error())));
        };
        if stream.queue.is_empty() {
            return match &stream.end {
                Some(Ok(())) => Poll::Ready(Err(None)),
                Some(Err(error)) => Poll::Ready(Err(Some(error.clone()))),
                None => {
                    stream.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            };
        }
        std::mem::swap(&mut stream.queue, batch);
        self.backlog.clear(stream);
        self.resume();
        Poll::Ready(Ok(()))
    }

    /// Something has changed that may let the driver receive again.
    pub(super) fn resume(&mut self) {
        // Invariant: a buffer that is full gets nothing more, so it is not enough that some other buffer was emptied.
        if self.paused && !self.must_wait() {
            self.paused = false;
            self.wake_driver = true;
        }
    }

    /// The peer has ended its side of a stream.
    pub(super) fn stream_ended(&mut self, id: StreamId, error: Option<RemoteError>) {
        let still_open = self.connection.is_stream_open(id);
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.end = Some(error.map_or(Ok(()), |error| Err(Error::Remote(error))));
            // Whoever serves the stream must stop, except that a plain end lets a sink or a duplex finish.
            stream.lingering = still_open;
            stream.cancelled = !still_open;
            let (reader, writer) = (stream.reader.take(), stream.writer.take());
            self.wake(reader);
            self.wake(writer);
        }
    }

    /// Ends the stream whose items wait in the largest number of bytes: its reader is too slow.
    pub(super) fn end_slowest_stream(&mut self) {
        let slowest = self
            .streams
            .iter()
            .max_by_key(|(_, stream)| stream.cost)
            .map(|(id, _)| *id);
        if let Some(id) = slowest {
            self.end_slow_stream(id);
        }
        self.resume();
    }

    fn end_slow_stream(&mut self, id: StreamId) {
        self.connection
            .end_with_error(id, &RemoteError::new("the reader of this stream was too slow"));
        self.wake_driver = true;
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.end = Some(Err(Error::ReaderTooSlow));
            stream.cancelled = true;
            stream.queue = VecDeque::new();
            self.backlog.clear(stream);
            let (reader, writer) = (stream.reader.take(), stream.writer.take());
            self.wake(reader);
            self.wake(writer);
        }
    }

    /// Waits until the peer has ended its side of a stream.
    pub(super) fn poll_stream_end(&mut self, id: StreamId, cx: &mut TaskContext<'_>) -> Poll<Result<(), Error>> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Poll::Ready(Err(self.end_error()));
        };
        if let Some(end) = &stream.end {
            return Poll::Ready(end.clone());
        }
        stream.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// How the peer ended a stream, if it has.
    pub(super) fn stream_end(&self, id: StreamId) -> Option<Result<(), Error>> {
        self.streams.get(&id).and_then(|stream| stream.end.clone())
    }

    /// Registers the handler of a stream to be polled when the stream changes; whether it must stop, and whether the peer
    /// has ended its side.
    pub(super) fn watch_stream(&mut self, id: StreamId, cx: &mut TaskContext<'_>) -> (bool, bool) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return (true, true);
        };
        match &mut stream.writer {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        (stream.cancelled, stream.lingering)
    }

    /// Says goodbye at once; open work fails for this reason.
    pub(super) fn abort(&mut self, reason: Arc<str>) {
        if self.ended.is_none() && !self.connection.has_parted() {
            self.abort_reason = Some(reason.clone());
            self.connection.goodbye();
            self.fail_work(&Error::Aborted(reason));
            self.wake_driver();
        }
    }

    /// All open work fails: the goodbye has been said, or the connection is cut.
    pub(super) fn fail_work(&mut self, error: &Error) {
        for call in self.calls.values_mut() {
            call.result.get_or_insert_with(|| Err(error.clone()));
            self.wakes.extend(call.waker.take());
        }
        for stream in self.streams.values_mut() {
            stream.end.get_or_insert_with(|| Err(error.clone()));
            stream.cancelled = true;
            self.wakes.extend(stream.reader.take());
            self.wakes.extend(stream.writer.take());
        }
        self.made_room();
    }

    /// The connection is over and nobody drives it any more.
    pub(super) fn finish(&mut self, result: Result<(), Error>) {
        if self.ended.is_some() {
            return;
        }
        // An end with nothing open is no error, but what was open has failed all the same.
        self.ended = Some(result);
        let error = self.end_error();
        self.connection.goodbye();
        self.connection.take_output();
        self.driver = Parking::Gone;
        self.fail_work(&error);
        self.wakes.extend(self.finale.dismiss());
    }

    /// Bytes of items that wait for readers, with their overhead.
    pub(super) fn queued(&self) -> usize {
        self.backlog.queued
    }
}
