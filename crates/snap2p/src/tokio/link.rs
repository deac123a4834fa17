//! What the task and the handles of one session share.

use super::memory::Lease;
use crate::{
    Error, ErrorCode, Now, StreamId, UnixTime,
    limits::SESSION_MEMORY,
    session::{Event, PeerInfo, Session as Machine},
};
use bytes::{Buf, BytesMut};
use std::{
    collections::{HashMap, VecDeque},
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Instant,
};
use tokio::{io::AsyncWrite, sync::Notify};

/// The present, by the clock that tokio's timers go by. Where that is ahead of the machine's, which only happens where tests
/// let time pass, the one on the wall is as far ahead.
pub(super) fn now() -> Now {
    let instant = tokio::time::Instant::now().into_std();
    let ahead = instant.saturating_duration_since(Instant::now());
    Now {
        instant,
        unix: UnixTime::now().plus(ahead),
    }
}

/// Where a session's bytes come from and go to, as far as sockets know.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ends {
    pub(super) remote: Option<SocketAddr>,
    pub(super) local: Option<SocketAddr>,
}

/// The shared part of a session. Whoever changes something seals what that gives to send, and tries the socket at once; only
/// if the socket is full does the session's task have to. The lock is never held while foreign code but the socket's runs.
pub(super) struct Link {
    pub(super) info: PeerInfo,
    pub(super) ends: Ends,
    state: Mutex<State>,
    /// Those who wait to open a stream, and for the end. Whoever stops waiting is forgotten at once: a task that waits for the end
    /// beside something else, stream after stream, leaves nothing behind.
    openers: Notify,
    closers: Notify,
}

pub(super) struct State {
    pub(super) machine: Machine,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// Sealed, and not taken by the socket yet.
    output: BytesMut,
    output_limit: usize,
    /// Bytes that the socket has taken, from the beginning.
    written: u64,
    /// Whether `output` was used since the task last looked: then it is kept for more of the same.
    busy: bool,
    unflushed: bool,
    /// How writing failed, and whether the task knows. What the peer has said before can still be read, so that alone is not the
    /// end; what is written goes nowhere.
    broken: Option<io::Error>,
    told_broken: bool,
    /// What the session takes of the memory that it shares with others, and what the input takes, of which the task has the
    /// most.
    lease: Lease,
    input: usize,
    /// The size of an input for which there was no room, and how much of the shared memory it lacked.
    denied: Option<(usize, usize)>,
    /// The streams that somebody holds.
    slots: HashMap<StreamId, Slot>,
    /// Streams that the peer opened, for the application.
    arrivals: VecDeque<Arrival>,
    taker: Taker,
    /// Labels of streams that are not for the application, and such streams, for the task.
    claims: &'static [&'static str],
    claimed: VecDeque<Arrival>,
    /// Whether those who wait to open a stream, or for the end, are told once the lock is released.
    tell_openers: bool,
    tell_closers: bool,
    /// The session's task, once it runs.
    driver: Option<Waker>,
    /// For when the task has set its timer, and whether it has stopped reading.
    armed: Option<Instant>,
    paused: bool,
    /// Whether this end wants to end the session, how it ended, and whether the socket is closed.
    closing: bool,
    ended: Option<Arc<Error>>,
    done: bool,
    /// Woken once the lock is released.
    wakes: Vec<Waker>,
}

/// A stream that the peer opened: its number and label.
pub(super) type Arrival = (StreamId, String);

/// Who wants the streams that the peer opens.
enum Taker {
    /// Nobody has asked yet.
    Unclaimed,
    /// Somebody has, and may wait for one.
    Incoming(Option<Waker>),
    /// Nobody any more.
    Gone,
}

/// Who waits at a stream.
#[derive(Debug, Default)]
struct Slot {
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Whoever waits until the socket has taken what was written, and where in the output that ends once all of it is sealed.
    flusher: Option<Waker>,
    mark: Option<u64>,
    /// How the peer broke the stream off.
    reset: Option<ErrorCode>,
}

impl Slot {
    /// Everybody who waits here.
    fn dismiss(&mut self) -> impl Iterator<Item = Waker> + use<> {
        [self.reader.take(), self.writer.take(), self.flusher.take()]
            .into_iter()
            .flatten()
    }
}

impl Link {
    pub(super) fn new(
        machine: Machine,
        writer: Box<dyn AsyncWrite + Send + Unpin>,
        ends: Ends,
        output_limit: usize,
        lease: Lease,
        claims: &'static [&'static str],
    ) -> Arc<Self> {
        Arc::new(Self {
            info: machine.peer().clone(),
            ends,
            state: Mutex::new(State {
                machine,
                writer,
                output: BytesMut::new(),
                output_limit,
                written: 0,
                busy: false,
                unflushed: false,
                broken: None,
                told_broken: false,
                lease,
                input: 0,
                denied: None,
                slots: HashMap::new(),
                arrivals: VecDeque::new(),
                taker: Taker::Unclaimed,
                claims,
                claimed: VecDeque::new(),
                tell_openers: false,
                tell_closers: false,
                driver: None,
                armed: None,
                // There may be input from behind the handshake.
                paused: true,
                closing: false,
                ended: None,
                done: false,
                wakes: Vec::new(),
            }),
            openers: Notify::new(),
            closers: Notify::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock can only come from a transport that panics; what it leaves is an output that stands still,
        // and the session's task, which dies of the same, ends the session.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks, and changes nothing.
    pub(super) fn look<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&self.lock())
    }

    /// Changes what concerns nobody else.
    pub(super) fn arrange<R>(&self, arrange: impl FnOnce(&mut State) -> R) -> R {
        arrange(&mut self.lock())
    }

    /// Acts on the state, sends what that gives to send, and wakes whom it concerns.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = act(&mut state);
        state.settle();
        let wakes = std::mem::take(&mut state.wakes);
        let tell_openers = std::mem::take(&mut state.tell_openers);
        let tell_closers = std::mem::take(&mut state.tell_closers);
        drop(state);
        wakes.into_iter().for_each(Waker::wake);
        if tell_openers {
            self.openers.notify_waiters();
        }
        if tell_closers {
            self.closers.notify_waiters();
        }
        result
    }

    /// Waits until there is room for another stream, or the session is over; `try_open` says whether there is.
    pub(super) async fn wait_to_open<R>(&self, try_open: impl FnMut(&mut State) -> Option<R>) -> R {
        self.wait(&self.openers, try_open).await
    }

    /// Waits until `look` has what it looks for: how the session has ended, or that its socket is closed.
    pub(super) async fn wait_for_end<R>(&self, look: impl FnMut(&mut State) -> Option<R>) -> R {
        self.wait(&self.closers, look).await
    }

    async fn wait<R>(&self, news: &Notify, mut act: impl FnMut(&mut State) -> Option<R>) -> R {
        loop {
            // Whoever is asked to wait before looking misses nothing that happens after.
            let told = news.notified();
            if let Some(result) = self.with(&mut act) {
                return result;
            }
            told.await;
        }
    }
}

impl State {
    /// Brings everything in line with what was done to the machine: what it wants to send leaves, what happened is told.
    fn settle(&mut self) {
        if self.ended.is_none() {
            self.send();
            // Events may be answered, by a refusal for instance.
            if self.dispatch() {
                self.send();
            }
            self.wake_flushers();
            let due = self.machine.poll_timeout();
            let is_early = |due| self.armed.is_none_or(|armed| due < armed);
            if due.is_some_and(is_early)
                || (self.paused && self.machine.wants_input())
                || (self.broken.is_some() && !self.told_broken)
            {
                self.wake_driver();
            }
        } else {
            self.dispatch();
        }
        self.settle_memory();
    }

    /// Gives back what is not needed any more. What the application has read may be what the input lacked.
    fn settle_memory(&mut self) {
        let needed = self.needs(self.input);
        self.lease.shrink_to(needed, &mut self.wakes);
        if let Some((input, before)) = self.denied {
            let needed = self.needs(input);
            if needed < before {
                self.denied = Some((input, needed));
                self.wake_driver();
            }
        }
    }

    /// How much of the shared memory the session needs for an input of this size, and for what is unread.
    fn needs(&self, input: usize) -> usize {
        (input + self.machine.held()).saturating_sub(SESSION_MEMORY)
    }

    /// Seals what waits and hands it to the socket, until one of them has no more or takes no more.
    fn send(&mut self) {
        loop {
            let before = self.output.len();
            if before < self.output_limit {
                self.machine.poll_transmit(&mut self.output, self.output_limit);
            }
            let sealed = self.output.len() > before;
            if !self.push_out() || !sealed {
                return;
            }
        }
    }

    /// Hands the output to the socket. `true` if it took everything.
    fn push_out(&mut self) -> bool {
        if self.broken.is_some() {
            self.output.clear();
            return false;
        }
        // The socket wakes the task once there is room; before the task runs there is nobody to wake.
        let Some(driver) = &self.driver else { return false };
        let mut cx = Context::from_waker(driver);
        while !self.output.is_empty() && self.broken.is_none() {
            match Pin::new(&mut self.writer).poll_write(&mut cx, &self.output) {
                Poll::Ready(Ok(0)) => self.broken = Some(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => {
                    self.output.advance(count);
                    self.written = self.written.wrapping_add(count as u64);
                    self.unflushed = true;
                    self.busy = true;
                }
                Poll::Ready(Err(error)) => self.broken = Some(error),
                Poll::Pending => return false,
            }
        }
        if self.unflushed && self.broken.is_none() {
            match Pin::new(&mut self.writer).poll_flush(&mut cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => self.broken = Some(error),
                Poll::Pending => return false,
            }
        }
        self.broken.is_none()
    }

    /// Tells what happened. `true` if something did.
    fn dispatch(&mut self) -> bool {
        let mut some = false;
        while let Some(event) = self.machine.poll_event() {
            some = true;
            match event {
                Event::Opened { id, label } => self.arrive(id, label),
                Event::Readable(id) => {
                    let reader = self.slots.get_mut(&id).and_then(|slot| slot.reader.take());
                    self.wakes.extend(reader);
                }
                Event::Writable(id) => {
                    let writer = self.slots.get_mut(&id).and_then(|slot| slot.writer.take());
                    self.wakes.extend(writer);
                }
                Event::CanOpen => self.tell_openers = true,
                Event::Closed { id, code } => {
                    if let Some(slot) = self.slots.get_mut(&id) {
                        slot.reset = code;
                        self.wakes.extend(slot.dismiss());
                    }
                }
                Event::PeerError(failure) => {
                    tracing::debug!(code = %failure.code, reason = ?failure.reason, "the peer says that something went wrong");
                }
                _ => {}
            }
        }
        some
    }

    fn arrive(&mut self, id: StreamId, label: String) {
        if self.closing || self.ended.is_some() {
            self.machine.refuse(id);
        } else if self.claims.contains(&label.as_str()) {
            self.claimed.push_back((id, label));
            self.wake_driver();
        } else {
            match &mut self.taker {
                Taker::Gone => self.machine.refuse(id),
                Taker::Unclaimed => self.arrivals.push_back((id, label)),
                Taker::Incoming(waker) => {
                    self.arrivals.push_back((id, label));
                    self.wakes.extend(waker.take());
                }
            }
        }
    }

    fn wake_flushers(&mut self) {
        let sealed = self.written.wrapping_add(self.output.len() as u64);
        for (id, slot) in &mut self.slots {
            if slot.flusher.is_none() {
                continue;
            }
            if slot.mark.is_none() && slot.reset.is_none() && self.machine.is_flushed(*id) {
                slot.mark = Some(sealed);
            }
            if slot.mark.is_some_and(|mark| self.written >= mark) && !self.unflushed {
                self.wakes.extend(slot.flusher.take());
            }
        }
    }

    fn wake_driver(&mut self) {
        self.wakes.extend(self.driver.clone());
    }

    // For handles of streams.

    /// Notes that somebody holds this stream.
    pub(super) fn hold(&mut self, id: StreamId) {
        self.slots.insert(id, Slot::default());
    }

    /// Nobody holds this stream any more.
    pub(super) fn release(&mut self, id: StreamId) {
        self.slots.remove(&id);
        self.machine.release(id);
    }

    pub(super) fn wait_to_read(&mut self, id: StreamId, cx: &Context<'_>) {
        self.slots.entry(id).or_default().reader = Some(cx.waker().clone());
    }

    /// Writes as much as there is room for. Straight into the output where that is possible; into the stream's queue only while
    /// nothing may leave yet.
    pub(super) fn poll_write(&mut self, id: StreamId, data: &[u8], cx: &Context<'_>) -> Poll<Result<usize, Error>> {
        let direct = self.machine.write_into(id, data, &mut self.output, self.output_limit)?;
        let taken = if direct == 0 && self.output.is_empty() {
            self.machine.write(id, data)?
        } else {
            direct
        };
        let slot = self.slots.entry(id).or_default();
        if taken > 0 {
            // A flush that nobody waits for any more has nothing to say of these bytes.
            slot.mark = None;
            return Poll::Ready(Ok(taken));
        }
        slot.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Waits until the socket has taken all that was written to the stream. An error if the peer broke it off before all was
    /// sealed.
    pub(super) fn poll_flush(&mut self, id: StreamId, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        self.send();
        let sealed = self.written.wrapping_add(self.output.len() as u64);
        let slot = self.slots.entry(id).or_default();
        if slot.mark.is_none() {
            // A peer that is done with the stream and lets go of it breaks nothing off.
            if let Some(code) = slot.reset.filter(|code| *code != ErrorCode::StreamClosed) {
                return Poll::Ready(Err(Error::Stream(code)));
            }
            if self.machine.is_flushed(id) {
                slot.mark = Some(sealed);
            }
        }
        if slot.mark.is_some_and(|mark| self.written >= mark) && !self.unflushed {
            slot.mark = None;
            return Poll::Ready(Ok(()));
        }
        slot.flusher = Some(cx.waker().clone());
        Poll::Pending
    }

    // For handles of the session.

    /// Why nothing can be opened or written any more.
    pub(super) fn over(&self) -> Option<Error> {
        match &self.ended {
            Some(reason) => Some(Error::Closed(code_of(reason))),
            None if self.closing || self.broken.is_some() => Some(Error::Closed(ErrorCode::ConnectionClosed)),
            None => None,
        }
    }

    pub(super) fn reason(&self) -> Option<&Arc<Error>> {
        self.ended.as_ref()
    }

    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    /// Asks the task to end the session once what was written has left.
    pub(super) fn ask_to_close(&mut self) {
        if !self.closing {
            self.closing = true;
            self.drop_arrivals();
            self.tell_openers = true;
            if let Taker::Incoming(waker) = &mut self.taker {
                self.wakes.extend(waker.take());
            }
            self.wake_driver();
        }
    }

    /// `true` for the first who asks.
    pub(super) fn take_incoming(&mut self) -> bool {
        let first = matches!(self.taker, Taker::Unclaimed);
        if first {
            self.taker = Taker::Incoming(None);
        }
        first
    }

    pub(super) fn poll_arrival(&mut self, cx: &Context<'_>) -> Poll<Option<Arrival>> {
        if let Some(arrival) = self.arrivals.pop_front() {
            return Poll::Ready(Some(arrival));
        }
        if self.closing || self.ended.is_some() {
            return Poll::Ready(None);
        }
        self.taker = Taker::Incoming(Some(cx.waker().clone()));
        Poll::Pending
    }

    pub(super) fn drop_incoming(&mut self) {
        self.taker = Taker::Gone;
        self.drop_arrivals();
    }

    fn drop_arrivals(&mut self) {
        for (id, _) in std::mem::take(&mut self.arrivals) {
            self.machine.refuse(id);
        }
    }

    // For the task.

    pub(super) fn enter(&mut self, cx: &Context<'_>) {
        if !self.driver.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.driver = Some(cx.waker().clone());
        }
    }

    pub(super) fn next_claimed(&mut self) -> Option<Arrival> {
        self.claimed.pop_front()
    }

    /// Whether the socket may be read; if not, whoever makes room wakes the task.
    pub(super) fn may_read(&mut self) -> bool {
        self.paused = !self.machine.wants_input();
        !self.paused
    }

    /// Whether the input may be so large; if not, the task is woken once there may be room.
    pub(super) fn may_hold(&mut self, input: usize, cx: &Context<'_>) -> bool {
        let needed = self.needs(input);
        let granted = self.lease.grow_to(needed, cx.waker());
        if granted {
            self.input = input;
            self.denied = None;
        } else {
            self.denied = Some((input, needed));
        }
        granted
    }

    /// Notes how large the input is now: no larger than it was.
    pub(super) const fn holds(&mut self, input: usize) {
        self.input = input;
    }

    /// Whether the session has taken of what it shares with others.
    pub(super) const fn is_large(&self) -> bool {
        self.lease.taken() > 0
    }

    /// How many bytes the frame that has begun in `input` lacks; 0 if none has.
    pub(super) fn missing(&self, input: &BytesMut) -> usize {
        self.machine.missing(input)
    }

    pub(super) const fn was_paused(&self) -> bool {
        self.paused
    }

    pub(super) const fn arm(&mut self, at: Option<Instant>) {
        self.armed = at;
    }

    pub(super) const fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether the writing has failed, as the task then knows.
    pub(super) const fn is_broken(&mut self) -> bool {
        self.told_broken = self.broken.is_some();
        self.told_broken
    }

    pub(super) fn take_broken(&mut self) -> Option<io::Error> {
        self.broken.take()
    }

    /// Whether all that was to be sent has left, or cannot leave any more.
    pub(super) fn is_sent(&self) -> bool {
        self.broken.is_some() || (self.output.is_empty() && !self.unflushed && !self.machine.has_unsent())
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_shutdown(cx)
    }

    /// The session is over: whoever waits is told. What has arrived before can still be read.
    pub(super) fn end(&mut self, reason: Error) {
        if self.ended.is_none() {
            tracing::debug!(%reason, "session ended");
            self.ended = Some(Arc::new(reason));
            self.output = BytesMut::new();
        }
        self.wake_everybody();
    }

    /// The socket is closed and the task about to end.
    pub(super) fn finish(&mut self) {
        self.done = true;
        self.driver = None;
        self.writer = Box::new(tokio::io::sink());
        self.wake_everybody();
    }

    fn wake_everybody(&mut self) {
        self.wakes.extend(self.slots.values_mut().flat_map(Slot::dismiss));
        self.tell_openers = true;
        self.tell_closers = true;
        if let Taker::Incoming(waker) = &mut self.taker {
            self.wakes.extend(waker.take());
        }
    }

    /// Gives back memory that was not used since this was last called.
    pub(super) fn release_idle_memory(&mut self) {
        if !std::mem::take(&mut self.busy) && self.output.is_empty() && self.output.capacity() > 0 {
            self.output = BytesMut::new();
        }
    }
}

/// The code that comes nearest to why a session has ended.
fn code_of(reason: &Error) -> ErrorCode {
    match reason {
        Error::Closed(code) => *code,
        Error::TimedOut { .. } => ErrorCode::Timeout,
        Error::Protocol(_) => ErrorCode::InvalidMessage,
        Error::Overloaded => ErrorCode::ResourceExhausted,
        _ => ErrorCode::ConnectionClosed,
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("peer", &self.info.principal)
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}
