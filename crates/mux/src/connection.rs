//! The state of one connection, without I/O.

mod streams;

use std::collections::HashSet;

use bytes::{Bytes, BytesMut};

use self::streams::{Ending, Role, Streams};
use crate::packet::{self, DEFAULT_MAX_BODY, GOODBYE};
use crate::{Body, BodyKind, CallType, Error, Frame, MethodName, Packet, RemoteError, Request, RequestId};

pub use self::streams::StreamId;

/// What one connection may hold. Each limit names the attack that it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Largest body that is accepted, in bytes, 4 MiB by default. Stops a peer from making this end keep a frame of 4 GiB
    /// until it is complete.
    pub max_body: u32,
    /// Most requests of the peer that wait for their answer at a time, 4,096 by default; more are answered with
    /// `too many concurrent requests`. Stops a peer from filling the memory with calls to slow methods.
    pub max_requests: usize,
    /// Most streams of the peer that are open at a time, 16,384 by default; more are answered with
    /// `too many open streams`. A Secure Scuttlebutt peer without EBT opens one stream for each feed that it follows,
    /// which is thousands.
    pub max_streams: usize,
    /// Most calls and streams of this end that are open at a time, 65,536 by default. Stops a peer that never answers from
    /// growing the table of open calls without bound.
    pub max_own_work: usize,
    /// Most streams that this end has ended and the peer has not, 4,096 by default; beyond it the longest waiting one is
    /// forgotten. JavaScript peers leave a duplex open that was refused, so such streams pile up in honest use too.
    pub max_half_ended: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body: DEFAULT_MAX_BODY,
            max_requests: 4096,
            max_streams: 16_384,
            max_own_work: 65_536,
            max_half_ended: 4096,
        }
    }
}

/// Names a call of this end, until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(RequestId);

impl CallId {
    /// The request number on the wire.
    pub fn request(self) -> RequestId {
        self.0
    }
}

/// The right to answer one request of the peer: consumed by [`Connection::reply`], so that no request is answered twice.
#[derive(Debug)]
#[must_use = "a request that is never answered counts against `Limits::max_requests` for as long as the connection lives"]
pub struct ReplyTo(RequestId);

impl ReplyTo {
    /// The request number on the wire.
    pub fn request(&self) -> RequestId {
        self.0
    }
}

/// What arrived.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The peer calls a method that has one answer.
    Request {
        /// What it calls.
        request: Request,
        /// The right to answer.
        reply: ReplyTo,
    },
    /// The peer answered a call of this end.
    Reply {
        /// Which call.
        call: CallId,
        /// The answer.
        result: Result<Body, RemoteError>,
    },
    /// The peer opens a stream.
    Opened {
        /// The stream.
        stream: StreamId,
        /// What it calls; `request.kind` says which way items go.
        request: Request,
    },
    /// An item of a stream.
    Item {
        /// Which stream.
        stream: StreamId,
        /// The item.
        body: Body,
    },
    /// The peer has ended its side of a stream: there will be no more items. Unless this end serves it as a sink or a
    /// duplex and the end is a plain one, this end has answered with its own end and the stream is closed.
    End {
        /// Which stream.
        stream: StreamId,
        /// The error with which the peer ended it, if it did.
        error: Option<RemoteError>,
    },
    /// The peer says goodbye. Everything that was open has ended; the goodbye has been answered.
    Goodbye,
    /// A frame that needs nothing from the application: it was answered here, or it is one that is ignored.
    Quiet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Takes no new work of this end, and says goodbye once all is done.
    Closing,
    /// This end has said goodbye.
    Parted,
    /// Both have, or the connection was cut.
    Over,
    /// The peer broke the protocol.
    Failed(crate::Violation),
}

/// The state of one connection: bytes in, events out, and frames to send in between. No I/O, no clock.
///
/// # How to drive it
/// 1. Append what the socket yields to a buffer and call [`receive`](Self::receive) until it returns `None`, acting on each
///    event. It takes one frame at a time: to slow the peer down, stop calling it and stop reading the socket.
/// 2. Act on the application's wishes: [`request`](Self::request), [`open`](Self::open), [`reply`](Self::reply),
///    [`send`](Self::send), [`end`](Self::end), [`abort`](Self::abort), [`close`](Self::close), [`goodbye`](Self::goodbye).
/// 3. After each of these, [`take_output`](Self::take_output) and write it to the socket, in order. Watch
///    [`output_len`](Self::output_len): the machine never blocks, so whoever drives it must stop sending (and, in the
///    extreme, receiving) while too much output waits.
/// 4. When the socket ends, call [`finish`](Self::finish). When [`is_over`](Self::is_over), write what is left and hang up.
///
/// # What it promises
/// - Each request of the peer is answered exactly once, each stream is ended exactly once by this end, and nothing follows
///   the goodbye.
/// - After an error it is fused: `receive` returns the same error, every verb is refused, and all that is left to send is
///   the goodbye.
/// - Frames that JavaScript peers ignore are ignored: request number 0, answers to nothing, items of ended streams.
#[derive(Debug)]
pub struct Connection {
    limits: Limits,
    output: BytesMut,
    /// How much of `output` are calls of this end and items of streams that it has opened.
    own: usize,
    /// How much of `output` answers the peer without anybody having waited for room.
    unasked: usize,
    /// The next request number of this end; beyond `i32::MAX` there is none.
    next_id: u32,
    pending: HashSet<CallId>,
    owed: usize,
    streams: Streams,
    phase: Phase,
}

impl Connection {
    /// A new connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            output: BytesMut::new(),
            own: 0,
            unasked: 0,
            next_id: 1,
            pending: HashSet::new(),
            owed: 0,
            streams: Streams::default(),
            phase: Phase::Open,
        }
    }

    /// Takes at most one frame from the front of `buf`; `None` means that more bytes are needed.
    ///
    /// # Errors
    /// [`Error::Protocol`] if the peer broke the framing; the goodbye is then ready to be sent, and nothing else will be.
    pub fn receive(&mut self, buf: &mut BytesMut) -> Result<Option<Event>, Error> {
        match self.phase {
            Phase::Failed(violation) => {
                buf.clear();
                return Err(violation.into());
            }
            Phase::Over => {
                buf.clear();
                return Ok(None);
            }
            Phase::Open | Phase::Closing | Phase::Parted => {}
        }
        match packet::decode(buf, self.limits.max_body) {
            Ok(None) => Ok(None),
            Ok(Some(Frame::Goodbye)) => {
                self.part();
                self.phase = Phase::Over;
                Ok(Some(Event::Goodbye))
            }
            // Whatever is said between the two goodbyes has no reader any more.
            Ok(Some(Frame::Packet(_))) if self.phase == Phase::Parted => Ok(Some(Event::Quiet)),
            Ok(Some(Frame::Packet(packet))) => {
                let event = self.handle_packet(packet);
                self.say_goodbye_if_done();
                Ok(Some(event))
            }
            Err(violation) => {
                self.part();
                self.phase = Phase::Failed(violation);
                buf.clear();
                Err(violation.into())
            }
        }
    }

    fn handle_packet(&mut self, packet: Packet) -> Event {
        let Packet {
            stream,
            end,
            request,
            body,
        } = packet;
        match (stream, request.0) {
            // Number 0 is a message to nobody in particular; nothing has used it for years.
            (_, 0) => Event::Quiet,
            (false, 1..) => self.handle_request(request, &body),
            (false, _) => self.handle_reply(request, end, body),
            (true, _) => self.handle_stream(request, end, body),
        }
    }

    fn handle_request(&mut self, number: RequestId, body: &Body) -> Event {
        let refusal = if self.owed >= self.limits.max_requests {
            RemoteError::new("too many concurrent requests")
        } else {
            match Request::parse(body) {
                // A number that is in use already is answered twice, as JavaScript does: its owner knows what it wants.
                Ok(request) => {
                    self.owed += 1;
                    return Event::Request {
                        request,
                        reply: ReplyTo(number),
                    };
                }
                Err(refusal) => refusal,
            }
        };
        self.put_unasked(false, true, negated(number), &refusal.to_body());
        Event::Quiet
    }

    fn handle_reply(&mut self, number: RequestId, error: bool, body: Body) -> Event {
        let call = CallId(negated(number));
        if !self.pending.remove(&call) {
            return Event::Quiet;
        }
        self.release_idle_memory();
        let result = match (error, body.is_falsy()) {
            (true, false) => Err(RemoteError::from_body(&body)),
            // JavaScript takes an error that is false for no error.
            (true, true) => Ok(Body::trusted(BodyKind::Json, Bytes::from_static(b"null"))),
            (false, _) => Ok(body),
        };
        Event::Reply { call, result }
    }

    fn handle_stream(&mut self, number: RequestId, end: bool, body: Body) -> Event {
        let known = self.streams.id_of(number);
        match (known, end) {
            (Some(stream), true) => match self.streams.remote_end(stream, &body) {
                Ending::Ignored => Event::Quiet,
                Ending::Told { echo } => {
                    if echo {
                        self.put_unasked(true, true, stream.answer(), &RemoteError::echo(&body));
                    }
                    let error = (!body.is_true()).then(|| RemoteError::from_body(&body));
                    Event::End { stream, error }
                }
            },
            (Some(stream), false) if self.streams.wants_items(stream) => Event::Item { stream, body },
            (Some(_), false) => Event::Quiet,
            (None, _) if number.0 < 0 => Event::Quiet,
            (None, true) => {
                let echo = if body.is_falsy() {
                    Body::json_true()
                } else {
                    RemoteError::echo(&body)
                };
                self.put_unasked(true, true, negated(number), &echo);
                Event::Quiet
            }
            (None, false) => self.handle_open(number, &body),
        }
    }

    fn handle_open(&mut self, number: RequestId, body: &Body) -> Event {
        let refusal = if self.streams.open_from_peer() >= self.limits.max_streams {
            RemoteError::new("too many open streams")
        } else {
            match Request::parse_stream(body) {
                Ok(request) => {
                    let stream = self.streams.insert(number, request.kind, Role::Callee);
                    return Event::Opened { stream, request };
                }
                Err(refusal) => refusal,
            }
        };
        // The application never hears of this stream, nor of its end.
        let stream = self.streams.insert(number, CallType::Source, Role::Callee);
        self.streams.expect_nothing(stream);
        self.end_with(stream, &refusal.to_body(), false);
        Event::Quiet
    }

    /// Calls a method that has one answer; the answer is an [`Event::Reply`].
    ///
    /// `args` is the text of a JSON array, as [`args_to_json`](crate::args_to_json) makes it.
    ///
    /// # Errors
    /// [`Error::Closing`] once the connection is closing, [`Error::TooManyCalls`], [`Error::IdsExhausted`],
    /// [`Error::BodyTooLong`]. Nothing is sent then.
    pub fn request(&mut self, method: MethodName, args: Bytes) -> Result<CallId, Error> {
        let number = self.ask(
            false,
            Request {
                method,
                args,
                kind: CallType::Async,
            },
        )?;
        let call = CallId(number);
        self.pending.insert(call);
        Ok(call)
    }

    /// Opens a stream: `kind` is source, sink or duplex.
    ///
    /// `args` is the text of a JSON array, as [`args_to_json`](crate::args_to_json) makes it.
    ///
    /// # Errors
    /// As [`request`](Self::request). A `kind` that is not a stream is [`Error::Encode`].
    pub fn open(&mut self, method: MethodName, args: Bytes, kind: CallType) -> Result<StreamId, Error> {
        if !kind.is_stream() {
            return Err(Error::Encode(format!("a call of kind {kind} is no stream").into()));
        }
        let number = self.ask(true, Request { method, args, kind })?;
        // Its frames arrive under the negated number.
        Ok(self.streams.insert(negated(number), kind, Role::Caller))
    }

    fn ask(&mut self, stream: bool, request: Request) -> Result<RequestId, Error> {
        if self.phase != Phase::Open {
            return Err(Error::Closing);
        }
        let open = self.pending.len() + self.streams.own();
        if open >= self.limits.max_own_work {
            return Err(Error::TooManyCalls(open));
        }
        let number = RequestId(i32::try_from(self.next_id).map_err(|_| Error::IdsExhausted)?);
        let before = self.output.len();
        packet::encode_parts(stream, false, number, &request.to_body(), &mut self.output)?;
        self.own += self.output.len() - before;
        self.next_id += 1;
        Ok(number)
    }

    /// Forgets a call whose answer nobody waits for any more. The peer is not told (there is no way to); its answer, if one
    /// comes, is ignored, and closing does not wait for it.
    pub fn forget(&mut self, call: CallId) {
        self.pending.remove(&call);
        self.say_goodbye_if_done();
    }

    /// Answers a request of the peer. After the goodbye this does nothing: there is nobody to answer.
    pub fn reply(&mut self, to: ReplyTo, result: Result<&Body, &RemoteError>) {
        self.owed = self.owed.saturating_sub(1);
        if !self.is_talking() {
            return;
        }
        let number = negated(to.0);
        match result {
            Ok(body) => self.put(false, false, number, body),
            Err(error) => self.put(false, true, number, &error.to_body()),
        }
    }

    /// [`reply`](Self::reply)s with an error at once, whatever waits to be sent: it counts as an answer of the machine.
    #[cfg(feature = "tokio")]
    pub(crate) fn refuse(&mut self, to: ReplyTo, error: &RemoteError) {
        let before = self.output.len();
        self.reply(to, Err(error));
        self.unasked += self.output.len() - before;
    }

    /// Sends an item.
    ///
    /// # Errors
    /// [`Error::StreamEnded`] if this end, or the connection, has ended the stream; [`Error::BodyTooLong`].
    pub fn send(&mut self, stream: StreamId, body: &Body) -> Result<(), Error> {
        if !self.streams.may_send(stream) {
            return Err(Error::StreamEnded);
        }
        let before = self.output.len();
        packet::encode_parts(true, false, stream.answer(), body, &mut self.output)?;
        if stream.is_own() {
            self.own += self.output.len() - before;
        }
        Ok(())
    }

    /// Ends this end's side of a stream as planned. The caller of a duplex still gets the items of the other side;
    /// anywhere else this stops items in both directions. Does nothing if this end has ended it already.
    pub fn end(&mut self, stream: StreamId) {
        self.end_with(stream, &Body::json_true(), true);
        self.say_goodbye_if_done();
    }

    /// Ends both directions of a stream with an error. Does nothing if this end has ended it already.
    pub fn end_with_error(&mut self, stream: StreamId, error: &RemoteError) {
        self.end_with(stream, &error.to_body(), false);
        self.say_goodbye_if_done();
    }

    /// Ends both directions of a stream without an error: what a reader does who has read enough. Items that are under way
    /// are dropped.
    pub fn abort(&mut self, stream: StreamId) {
        self.end_with(stream, &Body::json_true(), false);
        self.say_goodbye_if_done();
    }

    fn end_with(&mut self, stream: StreamId, body: &Body, keep_reading: bool) {
        if self.streams.local_end(stream, keep_reading, self.limits.max_half_ended) {
            self.put_unasked(true, true, stream.answer(), body);
        }
    }

    /// Closes gracefully: from now on no new work of this end is taken, and once its pending calls are answered and all
    /// streams are ended by both sides, it says goodbye. Requests of the peer that are not answered by then never are.
    pub fn close(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Closing;
        }
        self.say_goodbye_if_done();
    }

    /// Says goodbye at once. Everything that is open has ended.
    pub fn goodbye(&mut self) {
        self.part();
    }

    /// The socket has ended: no more bytes will come, and none can be sent.
    ///
    /// # Errors
    /// [`Error::UnexpectedEnd`] if the peer had not said goodbye and a call or stream was open, or half a frame is left in
    /// `rest`; [`Error::Protocol`] if the connection had failed before.
    pub fn finish(&mut self, rest: &BytesMut) -> Result<(), Error> {
        let was = self.phase;
        let busy = !self.is_idle() || !rest.is_empty();
        self.drop_work();
        self.take_output();
        match was {
            Phase::Failed(violation) => Err(violation.into()),
            // After this end's goodbye only the peer's is missing, and JavaScript peers may skip that.
            Phase::Over | Phase::Parted => {
                self.phase = Phase::Over;
                Ok(())
            }
            Phase::Open | Phase::Closing => {
                self.phase = Phase::Over;
                if busy { Err(Error::UnexpectedEnd) } else { Ok(()) }
            }
        }
    }

    /// What waits to be sent, taken out. Frames are contiguous: a frame should leave in one write.
    pub fn take_output(&mut self) -> BytesMut {
        self.own = 0;
        self.unasked = 0;
        std::mem::take(&mut self.output)
    }

    /// Bytes that wait to be sent.
    pub fn output_len(&self) -> usize {
        self.output.len()
    }

    /// Bytes among [`output_len`](Self::output_len) that the peer has caused by what it sent, and that therefore do not
    /// become fewer when this end stops sending: refusals, and the ends of streams. Stop receiving while there are too many.
    ///
    /// Receiving must not depend on `output_len` as a whole: two ends that both wait until their own long items have been
    /// read before they read on would wait for ever.
    pub fn unasked_len(&self) -> usize {
        self.unasked
    }

    /// Bytes among [`output_len`](Self::output_len) that are calls of this end and items of streams that it has opened. The
    /// rest serves the peer. With a limit for each, neither keeps the other from sending.
    pub fn own_len(&self) -> usize {
        self.own
    }

    /// Whether a call of this end waits for its answer.
    pub fn awaits_answers(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether no call of this end and no stream of either is open, and no request of the peer waits for its answer.
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.streams.is_empty() && self.owed == 0
    }

    /// Whether new work of this end is taken.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether this end has said goodbye, and so will send nothing more.
    pub fn has_parted(&self) -> bool {
        !self.is_talking()
    }

    /// Whether both sides have said goodbye, or the connection has failed: what is left is to write the output and hang up.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over | Phase::Failed(_))
    }

    /// How the peer broke the protocol, if it has.
    pub fn failure(&self) -> Option<Error> {
        match self.phase {
            Phase::Failed(violation) => Some(violation.into()),
            _ => None,
        }
    }

    /// Whether `stream` has not been ended by both sides yet.
    pub fn is_stream_open(&self, stream: StreamId) -> bool {
        self.streams.contains(stream)
    }

    fn is_talking(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Closing)
    }

    fn say_goodbye_if_done(&mut self) {
        if self.phase == Phase::Closing && self.pending.is_empty() && self.streams.is_empty() {
            self.part();
        }
    }

    /// Says goodbye unless that has happened, and drops all work.
    fn part(&mut self) {
        if self.is_talking() {
            self.output.extend_from_slice(&GOODBYE);
            self.phase = Phase::Parted;
        }
        self.drop_work();
    }

    fn drop_work(&mut self) {
        self.pending = HashSet::new();
        self.streams = Streams::default();
        self.owed = 0;
    }

    fn release_idle_memory(&mut self) {
        if self.pending.is_empty() && self.pending.capacity() > 64 {
            self.pending = HashSet::new();
        }
    }

    /// [`put`](Self::put) of what the peer has caused.
    fn put_unasked(&mut self, stream: bool, end: bool, number: RequestId, body: &Body) {
        let before = self.output.len();
        self.put(stream, end, number, body);
        self.unasked += self.output.len() - before;
    }

    /// Appends a frame whose body is known to be short enough for its header.
    fn put(&mut self, stream: bool, end: bool, number: RequestId, body: &Body) {
        if packet::encode_parts(stream, end, number, body, &mut self.output).is_err() {
            // A reply of 4 GiB cannot be said; the caller still gets an answer.
            let error = RemoteError::new("the answer is too long for a packet").to_body();
            let _ = packet::encode_parts(stream, true, number, &error, &mut self.output);
        }
    }
}

/// The number under which the other side speaks of the same request. `i32::MIN` names no request on either side and stays
/// what it is.
fn negated(number: RequestId) -> RequestId {
    RequestId(number.0.wrapping_neg())
}
