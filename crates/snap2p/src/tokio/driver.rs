//! The task of a session: it reads, keeps time, and writes what the handles could not.

use super::{
    Config, Stream,
    link::{Link, now},
    session::Owner,
};
use crate::{Error, ErrorCode, limits, time::later};
use bytes::{BufMut, BytesMut};
use std::{
    fmt,
    future::Future,
    io,
    pin::{Pin, pin},
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// Least and most bytes that are asked of the socket beyond a frame that has begun. The least holds some PINGs; the most is
/// what one frame of ours takes.
const READ_LEAST: usize = 1024;
const READ_MOST: usize = limits::DATA_MAX + 1024;
/// What is read behind the end of a frame: the length of the next one, which tells how much to read then.
const NEXT_HEADER: usize = 5;
/// An input buffer above this is kept while bytes flow and given back with the next PING; a smaller one costs nothing to make anew.
const SMALL: usize = 4 * READ_LEAST;
/// An input that grows beyond this is given room exactly: no buffer of its own accord doubles a frame of 16 MiB.
const EXACT_FROM: usize = 2 * READ_MOST;
/// How often the task goes round before others get their turn.
const TURNS: usize = 16;
/// What is read of a peer that is told nothing any more, while the socket is closing: unread bytes would make the system
/// send an RST, which destroys what is still on its way to the peer.
const DISCARD: usize = 2048;

/// Held for as long as the socket is open.
pub(super) type Seat = Box<dyn Send>;

/// What becomes of streams with labels that are claimed.
pub(super) type OnClaimed = Arc<dyn Fn(super::Session, Stream) + Send + Sync>;

/// Runs a session until its socket is closed.
pub(super) struct Driver<R> {
    link: Arc<Link>,
    owner: Weak<Owner>,
    on_claimed: Option<OnClaimed>,
    reader: R,
    /// What was read and is no whole frame yet.
    input: BytesMut,
    read_size: usize,
    sleep: Pin<Box<Sleep>>,
    close_timeout: Duration,
    /// Since when it waits for room in the shared memory, and since when a frame comes that takes of it.
    starved: Option<Instant>,
    large: Option<Instant>,
    /// Until when what the peer has said is read though nothing can be written any more.
    deaf_until: Option<Instant>,
    stage: Stage,
    /// What the session takes a place in, until its socket is closed.
    _seat: Option<Seat>,
    span: tracing::Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// What was written leaves, until then.
    Draining {
        until: Instant,
    },
    /// Our side is being closed, and the peer's awaited, until then.
    Lingering {
        until: Instant,
        shut: bool,
    },
}

enum Turn {
    Again,
    Park,
    Done,
}

impl<R: AsyncRead + Send + Unpin> Driver<R> {
    pub(super) fn new(
        link: Arc<Link>,
        owner: Weak<Owner>,
        on_claimed: Option<OnClaimed>,
        reader: R,
        input: BytesMut,
        seat: Option<Seat>,
        config: &Config,
    ) -> Self {
        let span = tracing::debug_span!("snap2p", peer = %link.info.principal, remote = ?link.ends.remote);
        Self {
            link,
            owner,
            on_claimed,
            reader,
            input,
            read_size: READ_LEAST,
            sleep: Box::pin(sleep_until(Instant::now())),
            close_timeout: config.close_timeout,
            starved: None,
            large: None,
            deaf_until: None,
            stage: Stage::Open,
            _seat: seat,
            span,
        }
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Turn {
        match self.stage {
            Stage::Lingering { until, shut } => self.linger(until, shut, cx),
            Stage::Open | Stage::Draining { .. } => match self.run(cx) {
                Ok(turn) => turn,
                Err(reason) => {
                    let peer_left = matches!(reason, Error::Closed(_) | Error::Io { .. });
                    self.link.with(|state| state.end(reason));
                    if peer_left {
                        return Turn::Done;
                    }
                    self.start_lingering()
                }
            },
        }
    }

    /// One round of a session that stands. An error is its end.
    fn run(&mut self, cx: &mut Context<'_>) -> Result<Turn, Error> {
        let before = self.input.len();
        let (may_read, closing, broken) = {
            let input = &mut self.input;
            self.link.with(|state| -> Result<_, Error> {
                if state.was_paused() && !input.is_empty() {
                    state.machine.handle_input(input, now())?;
                    state.holds(input.capacity());
                }
                Ok((state.may_read(), state.is_closing(), state.is_broken()))
            })?
        };
        if self.input.len() < before {
            let comes = self
                .link
                .look(|state| state.is_large() && state.missing(&self.input) > 0);
            self.watch_frame(comes, before);
        }
        // A peer that has closed takes nothing any more, and may have said something before: until its end or ours is reached.
        if broken && self.deaf_until.is_none() {
            self.deaf_until = Some(self.close_deadline());
        }
        self.hand_over_claimed();
        let mut again = false;
        if !may_read {
            // It is the application that it waits for, or the peer.
            self.starved = None;
        } else {
            let before = self.input.len();
            match self.poll_read(cx) {
                Poll::Ready(Ok(0)) => return Err(Error::Closed(ErrorCode::ConnectionClosed)),
                Poll::Ready(Ok(_)) => {
                    again = true;
                    let input = &mut self.input;
                    let comes = self.link.with(|state| {
                        state.machine.handle_input(input, now())?;
                        // Noted before anything makes room again: frames that were left over wait in the input, and no byte
                        // has to come for them.
                        state.may_read();
                        state.holds(input.capacity());
                        Ok::<_, Error>(state.is_large() && state.missing(input) > 0)
                    })?;
                    self.watch_frame(comes, before);
                }
                Poll::Ready(Err(error)) => return Err(io_error("cannot read from the peer", error)),
                Poll::Pending => {}
            }
        }
        if !again {
            again = self.keep_time(cx)?;
        }
        match self.stage {
            Stage::Open if closing => {
                let until = self.close_deadline();
                self.stage = Stage::Draining { until };
                return Ok(Turn::Again);
            }
            Stage::Draining { until } if self.link.look(|state| state.is_sent()) || until <= Instant::now() => {
                self.link
                    .with(|state| state.end(Error::Closed(ErrorCode::ConnectionClosed)));
                return Ok(self.start_lingering());
            }
            _ => {}
        }
        if again {
            return Ok(Turn::Again);
        }
        if self.input.is_empty() && self.input.capacity() <= SMALL {
            self.input = BytesMut::new();
        }
        Ok(Turn::Park)
    }

    /// Notes since when a large frame comes, if one does, after the input was taken in that had so many bytes before.
    fn watch_frame(&mut self, comes: bool, before: usize) {
        if !comes {
            self.large = None;
        } else if self.large.is_none() || self.input.len() < before {
            self.large = Some(Instant::now());
        }
    }

    /// Reads what fits. Frames are opened where they lie and their data handed out as slices, so a buffer that ends with a frame
    /// saves moving the beginning of the next.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let input = &mut self.input;
        let (size, granted) = self.link.arrange(|state| {
            let missing = state.missing(input);
            let size = match missing {
                0 => self.read_size,
                // Invariant: no more is reserved than has arrived already, but for one frame of the usual size: a length that a
                // peer only announces costs it nothing.
                missing => (missing + NEXT_HEADER).clamp(READ_LEAST, READ_MOST.max(input.len())),
            };
            let room = input.capacity() - input.len();
            // What is left of the room is used up before there is more, and where a large frame fits nothing has to move. A usual
            // one moves for the header of the next, since that saves a read.
            let large = input.len() > EXACT_FROM;
            let fits = room >= READ_MOST || (large && missing > 0 && room >= missing);
            let size = if fits { size.min(room) } else { size };
            (size, state.may_hold(input.capacity().max(input.len() + size), cx))
        });
        if !granted {
            self.starved.get_or_insert_with(Instant::now);
            return Poll::Pending;
        }
        self.starved = None;
        make_room(input, size);
        let mut room = input.limit(size);
        let count = ready!(pin!(self.reader.read_buf(&mut room)).poll(cx))?;
        if count == size {
            self.read_size = READ_MOST;
        } else if count < READ_LEAST / 2 {
            self.read_size = READ_LEAST;
        }
        Poll::Ready(Ok(count))
    }

    /// Sets the timer and lets the machine act on it. `true` if it did.
    fn keep_time(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        let patience = self.starved.map(|since| after(since, limits::MEMORY_PATIENCE));
        let whole = self.large.map(|since| after(since, limits::LARGE_FRAME_TIMEOUT));
        if patience.is_some_and(|until| until <= Instant::now()) {
            return Err(Error::Overloaded);
        }
        if whole.is_some_and(|until| until <= Instant::now()) {
            return Err(Error::TimedOut {
                what: "the rest of a frame",
                seconds: limits::LARGE_FRAME_TIMEOUT.as_secs(),
            });
        }
        if self.deaf_until.is_some_and(|until| until <= Instant::now())
            && let Some(error) = self.link.with(|state| state.take_broken())
        {
            return Err(io_error("cannot write to the peer", error));
        }
        let drained = match self.stage {
            Stage::Draining { until } => Some(until),
            _ => None,
        };
        let due = self.link.with(|state| {
            let ours = [patience, whole, drained, self.deaf_until]
                .into_iter()
                .flatten()
                .map(Instant::into_std);
            let due = state.machine.poll_timeout().into_iter().chain(ours).min();
            state.arm(due);
            due
        });
        let Some(due) = due.map(Instant::from_std) else {
            return Ok(false);
        };
        if self.sleep.deadline() != due {
            self.sleep.as_mut().reset(due);
        }
        if self.sleep.as_mut().poll(cx).is_pending() {
            return Ok(false);
        }
        self.link.with(|state| {
            // A session that has been idle since the last PING needs no big buffers.
            state.release_idle_memory();
            state.machine.handle_timeout(now())
        })?;
        if self.input.is_empty() {
            self.input = BytesMut::new();
            self.link.with(|state| state.holds(0));
        }
        Ok(true)
    }

    fn hand_over_claimed(&mut self) {
        let Some(on_claimed) = &self.on_claimed else { return };
        while let Some((id, label)) = self.link.with(|state| state.next_claimed()) {
            // When nobody holds the session any more, it is about to close.
            if self.owner.strong_count() > 0 {
                let session = super::Session::of(Owner::guest(Arc::clone(&self.link)));
                let stream = Stream::new(&session, id, label);
                on_claimed(session, stream);
            }
        }
    }

    fn close_deadline(&self) -> Instant {
        after(Instant::now(), self.close_timeout)
    }

    fn start_lingering(&mut self) -> Turn {
        // Nobody opens what has come of a frame any more.
        self.input = BytesMut::new();
        self.link.with(|state| state.holds(0));
        let until = self.close_deadline();
        self.sleep.as_mut().reset(until);
        self.stage = Stage::Lingering { until, shut: false };
        Turn::Again
    }

    /// Closes our side and waits for the peer to close its own.
    fn linger(&mut self, until: Instant, shut: bool, cx: &mut Context<'_>) -> Turn {
        // The timer alone would not do: a peer that never stops talking lets nobody get to it.
        if until <= Instant::now() {
            return Turn::Done;
        }
        if !shut {
            match self.link.with(|state| state.poll_shutdown(cx)) {
                Poll::Ready(Ok(())) => {
                    self.stage = Stage::Lingering { until, shut: true };
                    return Turn::Again;
                }
                Poll::Ready(Err(_)) => return Turn::Done,
                Poll::Pending => {}
            }
        } else {
            let mut discarded = [0; DISCARD];
            let mut room = ReadBuf::new(&mut discarded);
            match Pin::new(&mut self.reader).poll_read(cx, &mut room) {
                Poll::Ready(Ok(())) if !room.filled().is_empty() => return Turn::Again,
                Poll::Ready(_) => return Turn::Done,
                Poll::Pending => {}
            }
        }
        match self.sleep.as_mut().poll(cx) {
            Poll::Ready(()) => Turn::Done,
            Poll::Pending => Turn::Park,
        }
    }
}

impl<R: AsyncRead + Send + Unpin> Future for Driver<R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let span = this.span.clone();
        let _entered = span.enter();
        this.link.with(|state| state.enter(cx));
        for _ in 0..TURNS {
            match this.turn(cx) {
                Turn::Again => {}
                Turn::Park => return Poll::Pending,
                Turn::Done => return Poll::Ready(()),
            }
        }
        // A peer that never lets the socket run dry must not stop the clock.
        if this.stage == Stage::Open
            && let Err(reason) = this.keep_time(cx)
        {
            this.link.with(|state| state.end(reason));
            this.start_lingering();
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<R> Drop for Driver<R> {
    /// Also when the runtime shuts down: whoever waits elsewhere is told.
    fn drop(&mut self) {
        self.link.with(|state| {
            state.end(Error::Closed(ErrorCode::ConnectionClosed));
            state.holds(0);
            state.finish();
        });
    }
}

impl<R> fmt::Debug for Driver<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// Makes room for `size` more bytes, and for no more than that where it is much.
fn make_room(input: &mut BytesMut, size: usize) {
    let len = input.len() + size;
    if len <= input.capacity() || len <= EXACT_FROM {
        input.reserve(size);
    } else {
        let mut larger = BytesMut::with_capacity(len);
        larger.extend_from_slice(input);
        *input = larger;
    }
}

fn after(since: Instant, span: Duration) -> Instant {
    Instant::from_std(later(since.into_std(), span))
}

fn io_error(what: &str, error: io::Error) -> Error {
    Error::Io {
        what: what.into(),
        error,
    }
}
