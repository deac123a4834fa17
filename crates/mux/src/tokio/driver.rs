//! The future that moves bytes between a connection and the stream beneath it.

mod closing;

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use ::tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use bytes::{Buf, BytesMut};
use futures_util::stream::{FuturesUnordered, StreamExt};

use self::closing::{Stage, Timers, is_due};
use super::link::{Link, Share};
use super::serve::{CallWork, Done, ItemsWork, SinkWork, Work, end_stream, panicked};
use super::{Answer, Context, Incoming, Observer, Overflow, Service};
use crate::{CallType, Error, Event, RemoteError, ReplyTo, Request, StreamId};

/// Least and most bytes that are asked of the stream beneath at a time. A connection that moves much asks for more, by this
/// factor at a time; an idle one holds no buffer at all. The least holds a few short calls, and allocators hand it out and
/// take it back in no time, which they do not with a page.
const READ_LEAST: usize = 1024;
const READ_MOST: usize = 64 * 1024;
const READ_STEP: usize = 4;

/// Reads before what they brought is worked on, and rounds before other tasks get their turn.
const READS_PER_TURN: usize = 8;
const TURNS_PER_POLL: usize = 16;

/// Requests that are taken in before their handlers are started.
const STARTS_PER_TURN: usize = 128;

/// Runs a connection: poll it, usually with `tokio::spawn`, for as long as the connection shall live.
///
/// It owns the stream beneath, reads and writes it, and runs the handlers. It resolves when the connection has ended:
/// `Ok` after a goodbye, or when the peer left without one while nothing was open. Dropping it cuts the connection without a
/// goodbye; everything open fails with [`Error::Aborted`].
///
/// It needs a tokio runtime with a timer (`enable_time`), as `#[tokio::main]` makes.
#[must_use = "a connection does nothing unless its driver is polled"]
pub struct Driver<S> {
    link: Arc<Link>,
    service: Arc<dyn Service>,
    stream: S,
    /// What was read and not worked on yet. Holds no memory when idle.
    input: BytesMut,
    read_size: usize,
    /// What is being written. Holds no memory when idle.
    output: BytesMut,
    unflushed: bool,
    /// How writing failed. What the peer had said by then is still heard.
    broken: Option<Error>,
    work: Option<Box<FuturesUnordered<Work>>>,
    running_calls: usize,
    running_streams: usize,
    waiting: VecDeque<(Request, ReplyTo)>,
    /// Bytes of the arguments of all requests that run or wait.
    args_bytes: usize,
    timers: Timers,
    stage: Stage,
    span: tracing::Span,
}

/// What arrived and needs foreign code, which runs without the lock.
enum Start {
    Call(Request, ReplyTo),
    Stream(StreamId, Request),
}

/// How reading stopped.
enum Input {
    /// Others must get their turn first.
    More,
    /// The peer must wait, because readers or the output are behind.
    Held,
    /// Nothing more has arrived; the stream beneath will wake the driver.
    Drained,
    /// The stream beneath has ended.
    End(Result<(), Error>),
}

impl<S> Driver<S> {
    pub(super) fn new(link: Arc<Link>, service: Arc<dyn Service>, stream: S) -> Self {
        let span = match &link.config.peer {
            Some(peer) => tracing::debug_span!("conn", %peer),
            None => tracing::debug_span!("conn"),
        };
        Self {
            link,
            service,
            stream,
            input: BytesMut::new(),
            read_size: READ_LEAST,
            output: BytesMut::new(),
            unflushed: false,
            broken: None,
            work: None,
            running_calls: 0,
            running_streams: 0,
            waiting: VecDeque::new(),
            args_bytes: 0,
            timers: Timers::default(),
            stage: Stage::Talking,
            span,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Driver<S> {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let span = this.span.clone();
        let _entered = span.enter();
        if let Some(ended) = this.link.unpark_self() {
            return Poll::Ready(ended);
        }
        for _ in 0..TURNS_PER_POLL {
            match this.turn(cx) {
                Turn::Progress => {}
                Turn::Over(result) => {
                    tracing::debug!(?result, "connection ended");
                    this.finish(result.clone());
                    return Poll::Ready(result);
                }
                Turn::Idle => {
                    this.release_idle_memory();
                    if this.link.park(cx.waker()) {
                        return Poll::Pending;
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

enum Turn {
    Progress,
    Idle,
    Over(Result<(), Error>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Reads and acts, runs handlers, writes.
    fn turn(&mut self, cx: &mut TaskContext<'_>) -> Turn {
        let mut progress = false;
        let mut held = false;
        match self.receive(cx) {
            Input::More => progress = true,
            Input::Held => held = true,
            // All that has arrived is worked on, and what that gives to send leaves below.
            Input::Drained => {}
            Input::End(result) => return Turn::Over(result),
        }
        if !progress && let Some(error) = self.broken.take_if(|_| !self.link.with(|state| state.paused)) {
            return Turn::Over(self.end_of_input(Some(error)));
        }
        if self.stage == Stage::Talking {
            progress |= self.run_handlers(cx);
        }
        match self.transmit(cx) {
            // Handlers that wait for room are woken; reading and calls that have not started are tried again here.
            Ok(wrote) => progress |= wrote && (held || !self.waiting.is_empty()),
            Err(result) => return Turn::Over(result),
        }
        match self.advance(cx) {
            Ok(moved) => progress |= moved,
            Err(result) => return Turn::Over(result),
        }
        if progress { Turn::Progress } else { Turn::Idle }
    }

    /// Works on what was read and reads more, unless the peer must wait.
    fn receive(&mut self, cx: &mut TaskContext<'_>) -> Input {
        for _ in 0..READS_PER_TURN {
            let (starts, more) = match self.dispatch() {
                Ok(dispatched) => dispatched,
                Err(error) => {
                    // The goodbye is ready; it is written before the driver ends.
                    tracing::debug!(%error, "the peer broke the protocol");
                    self.link.with(|state| state.fail_work(&error));
                    return Input::More;
                }
            };
            if !starts.is_empty() && self.running_streams > 0 {
                // As in JavaScript, what a stream brought before a request takes effect before it: a caller that has ended
                // a sink may ask at once for what has become of it.
                self.run_handlers(cx);
            }
            starts.into_iter().for_each(|start| self.start(start, cx));
            match more {
                More::Frames => continue,
                More::Stop => return Input::Held,
                More::Bytes => {}
            }
            if self.input.capacity() - self.input.len() < READ_LEAST {
                self.input.reserve(self.read_size);
            }
            let before = self.input.len();
            let room = self.input.capacity() - before;
            let read = pin!(self.stream.read_buf(&mut self.input)).poll(cx);
            match read {
                Poll::Pending => {
                    if self.input.is_empty() {
                        self.input = BytesMut::new();
                    }
                    return Input::Drained;
                }
                Poll::Ready(Ok(0)) => return Input::End(self.end_of_input(None)),
                Poll::Ready(Ok(count)) => {
                    if self.stage == Stage::Listening {
                        self.input.clear();
                    }
                    if count == room {
                        self.read_size = (self.read_size * READ_STEP).min(READ_MOST);
                    } else if count < self.read_size / (2 * READ_STEP) {
                        // What comes would fit the next smaller size with room to spare.
                        self.read_size = (self.read_size / READ_STEP).max(READ_LEAST);
                    }
                }
                Poll::Ready(Err(error)) => return Input::End(self.end_of_input(Some(error.into()))),
            }
        }
        Input::More
    }

    /// Hands out what has arrived. Foreign code does not run here: what needs it is returned.
    fn dispatch(&mut self) -> Result<(Vec<Start>, More), Error> {
        let mut starts = Vec::new();
        if self.input.is_empty() && self.stage != Stage::Talking {
            return Ok((starts, More::Bytes));
        }
        let (link, input) = (&self.link, &mut self.input);
        // A peer that causes answers of this machine itself (refusals, echoed ends) without reading them is not listened to
        // any longer. One body may be echoed as a whole, so as much is allowed, and honest ends that flood each other find
        // room for the refusals of all that is under way.
        let unasked_limit = link.config.output_buffer.max(link.config.limits.max_body as usize);
        let talking = self.stage == Stage::Talking;
        let more = link.with(|state| {
            while starts.len() < STARTS_PER_TURN {
                if talking && state.must_wait() {
                    state.paused = true;
                    return Ok(More::Stop);
                }
                if state.connection.unasked_len() >= unasked_limit {
                    return Ok(More::Stop);
                }
                let Some(event) = state.connection.receive(input)? else {
                    return Ok(More::Bytes);
                };
                match event {
                    Event::Request { request, reply } => starts.push(Start::Call(request, reply)),
                    Event::Reply { call, result } => state.answered(call, result),
                    Event::Opened { stream, request } => {
                        // Held by the work that serves it and, if items come, by their reader.
                        let reads = request.kind != CallType::Source;
                        state.add_stream(stream, reads, if reads { 2 } else { 1 });
                        starts.push(Start::Stream(stream, request));
                    }
                    Event::Item { stream, body } => state.push_item(stream, body, link.config.overflow),
                    Event::End { stream, error } => state.stream_ended(stream, error),
                    Event::Goodbye => {
                        let error = state.end_error();
                        state.fail_work(&error);
                    }
                    Event::Quiet => {}
                }
            }
            Ok(More::Frames)
        });
        more.map(|more| (starts, more))
    }

    /// Starts the handler of a request.
    fn start(&mut self, start: Start, cx: &mut TaskContext<'_>) {
        let (Start::Call(request, _) | Start::Stream(_, request)) = &start;
        let args = request.args.len();
        let too_much = self.args_bytes > 0 && self.args_bytes + args > self.link.config.max_args_bytes;
        let refusal = || RemoteError::new("too many concurrent requests");
        match start {
            Start::Call(request, reply) if too_much => {
                self.link.with(|state| state.connection.refuse(reply, &refusal()));
                self.observe(|observer| {
                    observer.request(request.kind, &request.method);
                    observer.answered(request.kind, false);
                });
            }
            Start::Call(request, reply) if self.waiting.is_empty() && self.may_start_call() => {
                self.start_call(request, reply, cx);
            }
            Start::Call(request, reply) => {
                self.args_bytes += args;
                self.waiting.push_back((request, reply));
            }
            Start::Stream(id, request) => {
                let refusal = too_much.then(refusal);
                self.start_stream(id, request, refusal, cx);
            }
        }
    }

    fn start_call(&mut self, request: Request, reply: ReplyTo, task: &mut TaskContext<'_>) {
        self.observe(|observer| observer.request(request.kind, &request.method));
        let permitted = self.permit(&request);
        let cx = Context::new(self.link.clone(), reply.request(), request);
        let service = &self.service;
        let answer = match permitted {
            Ok(()) => catch_unwind(AssertUnwindSafe(|| service.call(cx.clone()))),
            Err(error) => Ok(Answer::Ready(Err(error))),
        };
        let work = match answer {
            Ok(Answer::Ready(result)) => CallWork::answered(self.link.clone(), cx, reply, result),
            Ok(Answer::Later(future)) => CallWork::new(self.link.clone(), cx, reply, future),
            Err(_) => {
                let error = panicked(&cx);
                CallWork::answered(self.link.clone(), cx, reply, Err(error))
            }
        };
        self.run(Work::Call(work), task);
    }

    fn start_stream(
        &mut self,
        id: StreamId,
        request: Request,
        refusal: Option<RemoteError>,
        task: &mut TaskContext<'_>,
    ) {
        let (link, kind) = (self.link.clone(), request.kind);
        self.observe(|observer| observer.request(kind, &request.method));
        // Dropped unread, this gives up the reader's share of the stream.
        let items = (kind != CallType::Source).then(|| Incoming::new(link.clone(), id));
        let permitted = if let Some(refusal) = refusal {
            Err(refusal)
        } else if self.running_streams >= link.config.limits.max_streams {
            // Handlers may outlive their stream on the wire, so they are counted here too.
            Err(RemoteError::new("too many open streams"))
        } else {
            self.permit(&request)
        };
        let cx = Context::new(link.clone(), id.request(), request);
        let service = &self.service;
        let started = permitted.and_then(|()| {
            let start = || match (kind, items) {
                (CallType::Sink, Some(items)) => {
                    let future = service.sink(cx.clone(), items)?;
                    Ok(Work::Sink(SinkWork::new(link.clone(), cx.clone(), id, future)))
                }
                (CallType::Duplex, Some(items)) => {
                    let items = service.duplex(cx.clone(), items)?;
                    Ok(Work::Items(ItemsWork::new(link.clone(), cx.clone(), id, items)))
                }
                _ => {
                    let items = service.source(cx.clone())?;
                    Ok(Work::Items(ItemsWork::new(link.clone(), cx.clone(), id, items)))
                }
            };
            catch_unwind(AssertUnwindSafe(start)).unwrap_or_else(|_| Err(panicked(&cx)))
        });
        match started {
            Ok(work) => self.run(work, task),
            Err(error) => {
                cx.cancel();
                end_stream(&self.link, id, Some(error));
                self.link.with(|state| state.release_stream(id));
                self.observe(|observer| observer.answered(kind, false));
            }
        }
    }

    /// Whether the permissions of the peer allow the request; if not, the error to answer with.
    fn permit(&self, request: &Request) -> Result<(), RemoteError> {
        let Some(permissions) = &self.link.config.permissions else {
            return Ok(());
        };
        let (method, verdict) = (&request.method, permissions.verdict(&request.method));
        if !verdict.is_allowed() {
            // The span of the connection names the peer. No more than `debug`: strangers choose how often this happens.
            tracing::debug!(%method, rule = %verdict, "refused a call");
            self.observe(|observer| observer.refused(method, &verdict));
        }
        verdict.to_answer(method)
    }

    fn observe(&self, tell: impl FnOnce(&dyn Observer)) {
        if let Some(observer) = &self.link.config.observer {
            tell(&**observer);
        }
    }

    /// Polls the work once, and keeps it if it takes time: most answers are there at once and need no place.
    fn run(&mut self, mut work: Work, cx: &mut TaskContext<'_>) {
        if pin!(&mut work).poll(cx).is_pending() {
            let running = if work.is_call() {
                &mut self.running_calls
            } else {
                &mut self.running_streams
            };
            *running += 1;
            self.args_bytes += work.args_len();
            self.work.get_or_insert_default().push(work);
        }
    }

    /// Whether a call may start: its answer must not have to wait in memory behind those that the peer does not read.
    fn may_start_call(&self) -> bool {
        let config = &self.link.config;
        self.running_calls < config.max_running_calls
            && self
                .link
                .with(|state| state.has_room(Share::Served, config.output_buffer))
    }

    fn start_waiting_calls(&mut self, cx: &mut TaskContext<'_>) {
        while !self.waiting.is_empty()
            && self.may_start_call()
            && let Some((request, reply)) = self.waiting.pop_front()
        {
            self.args_bytes -= request.args.len();
            self.start_call(request, reply, cx);
        }
    }

    fn run_handlers(&mut self, cx: &mut TaskContext<'_>) -> bool {
        let mut progress = false;
        self.start_waiting_calls(cx);
        while let Some(work) = &mut self.work {
            match work.poll_next_unpin(cx) {
                Poll::Ready(Some(Done { was_call, args })) => {
                    progress = true;
                    self.running_calls -= usize::from(was_call);
                    self.running_streams -= usize::from(!was_call);
                    self.args_bytes -= args;
                    self.start_waiting_calls(cx);
                }
                Poll::Ready(None) => self.work = None,
                Poll::Pending => break,
            }
        }
        progress
    }

    /// Writes what waits. `Err` is the end of the connection.
    fn transmit(&mut self, cx: &mut TaskContext<'_>) -> Result<bool, Result<(), Error>> {
        if self.broken.is_some() {
            return Ok(false);
        }
        let mut progress = false;
        let blocked = loop {
            if self.output.is_empty() {
                self.output = self.link.with(|state| {
                    let output = state.connection.take_output();
                    if !output.is_empty() {
                        state.made_room();
                    }
                    output
                });
            }
            if self.output.is_empty() {
                if !self.unflushed {
                    break false;
                }
                match Pin::new(&mut self.stream).poll_flush(cx) {
                    Poll::Ready(Ok(())) => self.unflushed = false,
                    Poll::Ready(Err(error)) => return Ok(self.broke(error, cx)),
                    Poll::Pending => break true,
                }
                break false;
            }
            match Pin::new(&mut self.stream).poll_write(cx, &self.output) {
                Poll::Ready(Ok(0)) => {
                    return Ok(self.broke(std::io::ErrorKind::WriteZero.into(), cx));
                }
                Poll::Ready(Ok(count)) => {
                    progress = true;
                    self.unflushed = true;
                    self.output.advance(count);
                    self.timers.write = None;
                }
                Poll::Ready(Err(error)) => return Ok(self.broke(error, cx)),
                Poll::Pending => break true,
            }
        };
        if !blocked {
            self.timers.write = None;
        } else if is_due(&mut self.timers.write, self.link.config.write_timeout, cx) {
            return Err(Err(Error::WriteStalled(self.link.config.write_timeout)));
        }
        Ok(progress)
    }

    /// Nothing can be written any more: the connection ends once everything that has arrived is read.
    fn broke(&mut self, error: std::io::Error, cx: &TaskContext<'_>) -> bool {
        self.broken = Some(error.into());
        self.output = BytesMut::new();
        cx.waker().wake_by_ref();
        false
    }

    /// Idle connections are many: they keep no buffers.
    fn release_idle_memory(&mut self) {
        if self.output.is_empty() && self.output.capacity() > 0 {
            self.output = BytesMut::new();
        }
        if self.waiting.is_empty() && self.waiting.capacity() > 0 {
            self.waiting = VecDeque::new();
        }
    }
}

impl<S> fmt::Debug for Driver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("peer", &self.link.config.peer)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// Why dispatching stopped.
enum More {
    /// No whole frame is left.
    Bytes,
    /// Frames may be left; others must get their turn first.
    Frames,
    /// The peer must wait.
    Stop,
}
