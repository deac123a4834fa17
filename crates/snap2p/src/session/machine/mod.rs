//! The session machine.

#[cfg(feature = "_check")]
mod audit;
mod event;
mod incoming;
mod keepalive;
mod outgoing;
mod received;
mod sending;
mod streams;

pub use event::{Event, Read};

use super::{Config, PeerInfo};
use crate::{
    Error, ErrorCode, Message, Now, StreamId,
    frame::Decoder,
    limits::{DATA_MAX, LABEL_MAX},
    noise::{self, Opener, Sealer},
    time::later,
};
use keepalive::Keepalive;
use sending::Sending;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};
use streams::{Streams, Writing};

/// The most events that wait before reading stops. Stops a peer that opens and closes streams faster than the application
/// looks.
const EVENTS_MAX: usize = 256;

/// The most bytes around the data of a STREAM_DATA.
const DATA_OVERHEAD_MAX: usize = 32;

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
/// After an error or [`close`](Self::close) the session is over: nothing is sent or taken any more, and methods give
/// [`Error::Closed`]. What had arrived can still be read. There is no goodbye in the protocol: close the connection.
///
/// # The life of a stream
/// From [`open_stream`](Self::open_stream) or [`Event::Opened`] until it has ended on the wire *and* the application is done
/// with it: [`read`](Self::read) has given `End` or `Reset`, or [`release`](Self::release) or [`reset`](Self::reset) was
/// called. Later calls with its number give [`Error::Stream`]. Numbers are never used again.
///
/// When both ends have sent FIN, each sends a CLOSE_STREAM without a code, and the stream has ended. A CLOSE_STREAM that comes
/// before ends it, too: a reader that was not told the end finds [`Read::Reset`] behind what has arrived, so that a stream
/// that was refused or broken off is never taken for one that was complete.
///
/// # Bounds
/// See [`Config`](super::Config). An idle session holds no buffers.
#[derive(Debug)]
pub struct Session {
    peer: PeerInfo,
    config: Config,
    sealer: Sealer,
    opener: Opener,
    decoder: Decoder,
    /// The most data in one STREAM_DATA.
    data_max: usize,
    streams: Streams,
    sending: Sending,
    keepalive: Keepalive,
    events: VecDeque<Event>,
    /// What was told of the time last.
    now: Instant,
    /// Until when everything is held back for the peer's first frame.
    held: Option<Instant>,
    /// Whether the first frame has come.
    live: bool,
    /// How many bytes lay in the input when it was last looked at.
    seen: usize,
    /// When a stream became so full that reading stopped.
    full_since: Option<Instant>,
    /// Reading has stopped for that long enough.
    out_of_patience: bool,
    /// A stream could not be opened for want of room.
    wants_to_open: bool,
    /// The peer was told that we do not know a message.
    told_unknown: bool,
    /// Why the session is over.
    over: Option<ErrorCode>,
}

impl Session {
    pub(super) fn new(
        noise: noise::Established,
        peer: PeerInfo,
        mut decoder: Decoder,
        config: Config,
        now: Now,
    ) -> Self {
        let config = config.within_reason();
        decoder.set_max(config.frame_max);
        let held = match peer.role {
            super::Role::Initiator => Some(later(now.instant, config.first_frame_wait)),
            super::Role::Responder => None,
        };
        let mut session = Self {
            data_max: DATA_MAX.min(noise.sealer.plain_max() - DATA_OVERHEAD_MAX),
            streams: Streams::new(peer.role, config.streams_max, config.receive_soft),
            sending: Sending::default(),
            keepalive: Keepalive::new(&config, now),
            events: VecDeque::new(),
            now: now.instant,
            held,
            live: false,
            seen: 0,
            full_since: None,
            out_of_patience: false,
            wants_to_open: false,
            told_unknown: false,
            over: None,
            peer,
            config,
            sealer: noise.sealer,
            opener: noise.opener,
            decoder,
        };
        session.ping_if_due(false, now).unwrap_or_default();
        session
    }

    /// Who is at the other end.
    #[must_use]
    pub const fn peer(&self) -> &PeerInfo {
        &self.peer
    }

    /// How long the last PING that was answered took; `None` before the first answer.
    #[must_use]
    pub const fn round_trip(&self) -> Option<Duration> {
        self.keepalive.round_trip()
    }

    /// Opens a stream. The protocol has no answer to that: it can be written at once, and the peer may refuse it later.
    ///
    /// # Errors
    /// [`Error::Stream`] with [`ErrorCode::ResourceExhausted`] if `streams_max` are open, or the peer takes nothing:
    /// [`Event::CanOpen`] follows. [`Error::Misuse`] for a label beyond [`LABEL_MAX`].
    pub fn open_stream(&mut self, label: &str) -> Result<StreamId, Error> {
        self.check_open()?;
        if label.len() > LABEL_MAX {
            return Err(Error::Misuse("the label of a stream has at most 1024 bytes"));
        }
        if !self.can_open() {
            self.wants_to_open = true;
            return Err(Error::Stream(ErrorCode::ResourceExhausted));
        }
        let id = self.streams.open_ours()?;
        let label = label.into();
        self.sending.say(Message::OpenStream { id, label });
        Ok(id)
    }

    /// Whether [`open_stream`](Self::open_stream) would find room.
    #[must_use]
    pub fn can_open(&self) -> bool {
        self.over.is_none() && self.streams.has_room() && self.sending.takes_own()
    }

    /// Takes at most `max` bytes of what has arrived. They are slices of the frame in which they came, without a copy; only a
    /// small part of a frame of more than 128 KiB is copied, so that it does not keep all of it.
    ///
    /// # Errors
    /// [`Error::Stream`] if there is no such stream, or its end was told already.
    pub fn read(&mut self, id: StreamId, max: usize) -> Result<Read, Error> {
        if let Some(data) = self.streams.take_received(id, max) {
            self.regain_patience();
            return Ok(Read::Data(data));
        }
        let stream = self.streams.get_mut(id)?;
        if stream.received.len() > 0 {
            return Ok(Read::Nothing);
        }
        let end = match stream.closed {
            _ if stream.ended_by_peer => Read::End,
            Some(code) => Read::Reset(code.unwrap_or(ErrorCode::StreamClosed)),
            None => {
                stream.told_readable = false;
                return Ok(Read::Nothing);
            }
        };
        self.streams.read_to_end(id);
        Ok(end)
    }

    /// Breaks the stream off in both directions: what waits is dropped, in both, and the peer is told `code`. The application
    /// is then done with it: no event follows.
    pub fn reset(&mut self, id: StreamId, code: ErrorCode) {
        self.streams.release(id);
        self.regain_patience();
        if self.streams.close(id, Some(code)) {
            self.sending.forget(id);
            let code = Some(code);
            self.sending.say(Message::CloseStream { id, code });
            self.tell_can_open();
        }
    }

    /// [`reset`](Self::reset)s with [`ErrorCode::StreamRefused`] what the peer opened and nobody wants.
    pub fn refuse(&mut self, id: StreamId) {
        self.reset(id, ErrorCode::StreamRefused);
    }

    /// The application is done with the stream: what a dropped handle says. If this end has finished, what waits is still
    /// sent, and what arrives is dropped; if it has not, the stream is [`reset`](Self::reset) with
    /// [`ErrorCode::StreamClosed`]. A stream that has ended is forgotten.
    pub fn release(&mut self, id: StreamId) {
        match self.streams.get(id) {
            Ok(stream) if stream.closed.is_none() && stream.writing != Writing::Finishing => {
                self.reset(id, ErrorCode::StreamClosed);
            }
            Ok(_) => {
                self.streams.release(id);
                self.regain_patience();
            }
            Err(_) => {}
        }
    }

    /// What happened, oldest first. A stream that is named may have gone since.
    pub fn poll_event(&mut self) -> Option<Event> {
        sending::pop(&mut self.events)
    }

    /// When [`handle_timeout`](Self::handle_timeout) must be called if nothing happens before. May be in the past: then at
    /// once. `None` once the session is over.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.over.is_some() {
            return None;
        }
        let patience = self
            .full_since
            .filter(|_| !self.out_of_patience)
            .map(|since| later(since, self.config.receive_patience));
        [Some(self.keepalive.deadline(self.now)), self.held, patience]
            .into_iter()
            .flatten()
            .min()
    }

    /// Lets time pass: PINGs are due, what was held back leaves, reading goes on.
    ///
    /// # Errors
    /// [`Error::TimedOut`] if the peer no longer answers; the session is then over.
    pub fn handle_timeout(&mut self, now: Now) -> Result<(), Error> {
        self.check_open()?;
        self.now = now.instant;
        // As it was until now: what is read from here on has not been read yet.
        let deaf = !self.takes_more();
        if self.held.is_some_and(|until| until <= now.instant) {
            self.held = None;
        }
        if let Some(since) = self.full_since
            && later(since, self.config.receive_patience) <= now.instant
        {
            self.out_of_patience = true;
        }
        self.ping_if_due(deaf, now)
            .inspect_err(|_| self.end(ErrorCode::Timeout))
    }

    fn ping_if_due(&mut self, deaf: bool, now: Now) -> Result<(), Error> {
        if let Some(ping) = self.keepalive.handle_timeout(deaf, now)? {
            self.sending.ping(ping);
        }
        Ok(())
    }

    /// Ends the session: what waits to be sent is dropped, and each stream that is open gets an [`Event::Closed`]. The
    /// connection must be closed; the protocol has no goodbye.
    pub fn close(&mut self) {
        self.end(ErrorCode::ConnectionClosed);
    }

    fn end(&mut self, code: ErrorCode) {
        if self.over.is_some() {
            return;
        }
        self.over = Some(code);
        self.sending = Sending::default();
        for id in self.streams.close_all(ErrorCode::ConnectionClosed) {
            let code = Some(ErrorCode::ConnectionClosed);
            self.events.push_back(Event::Closed { id, code });
        }
    }

    const fn check_open(&self) -> Result<(), Error> {
        match self.over {
            None => Ok(()),
            Some(code) => Err(Error::Closed(code)),
        }
    }

    fn tell_can_open(&mut self) {
        if self.wants_to_open && self.can_open() {
            self.wants_to_open = false;
            self.events.push_back(Event::CanOpen);
        }
    }

    fn regain_patience(&mut self) {
        if self.streams.full() == 0 {
            self.full_since = None;
            self.out_of_patience = false;
        }
    }
}
