//! PING and PONG: whether the peer is still there.

use crate::{Error, Now, message::Ping, session::Config, time::later};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Keepalive {
    interval: Duration,
    timeout: Duration,
    /// When the next PING is due.
    next: Instant,
    seq: u64,
    state: State,
    /// Whether a PING waits to leave: there is never more than one, though the peer may take nothing for hours.
    queued: bool,
    /// The last PING that left, and when.
    sent: Option<(u64, Instant)>,
    round_trip: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The peer is there.
    Heard,
    /// A PING waits to leave, and nothing was heard since.
    Queued,
    /// It has left, and nobody has told the time since: the answer's time begins when somebody does.
    Left,
    /// The answer must come before this.
    Awaited(Instant),
}

impl Keepalive {
    /// The first PING leaves at once.
    pub(super) fn new(config: &Config, now: Now) -> Self {
        Self {
            interval: config.ping_interval,
            timeout: config.pong_timeout,
            next: now.instant,
            seq: 0,
            state: State::Heard,
            queued: false,
            sent: None,
            round_trip: None,
        }
    }

    pub(super) const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Something arrived.
    pub(super) const fn heard(&mut self) {
        self.state = State::Heard;
    }

    /// A PONG arrived. Only that of the last PING is measured.
    pub(super) fn answered(&mut self, seq: u64, now: Now) {
        if let Some((_, since)) = self.sent.take_if(|(sent, _)| *sent == seq) {
            self.round_trip = Some(now.instant.saturating_duration_since(since));
        }
    }

    /// The PING was handed out; `now` is the last time that was told.
    pub(super) fn left(&mut self, seq: u64, now: Instant) {
        self.sent = Some((seq, now));
        self.queued = false;
        if self.state == State::Queued {
            self.state = State::Left;
        }
    }

    /// When something is due; `now` is the last time that was told.
    pub(super) fn deadline(&self, now: Instant) -> Instant {
        match self.state {
            State::Heard | State::Queued => self.next,
            State::Left => now,
            State::Awaited(deadline) => deadline.min(self.next),
        }
    }

    /// Lets time pass. The PING that is due, if one is. `deaf` says that the answer may lie unread because our own application
    /// is slow: then the peer is not blamed.
    pub(super) fn handle_timeout(&mut self, deaf: bool, now: Now) -> Result<Option<Ping>, Error> {
        if self.state == State::Left || (deaf && matches!(self.state, State::Awaited(_))) {
            self.state = State::Awaited(later(now.instant, self.timeout));
        }
        if let State::Awaited(deadline) = self.state
            && deadline <= now.instant
        {
            return Err(Self::timed_out("an answer to PING", self.timeout));
        }
        if now.instant < self.next {
            return Ok(None);
        }
        self.next = later(now.instant, self.interval);
        match self.state {
            State::Heard if !self.queued => {
                let seq = self.seq;
                self.seq += 1;
                self.state = State::Queued;
                self.queued = true;
                Ok(Some(Ping { seq, time: now.unix }))
            }
            // The last PING still waits for the peer to take what was sent before it.
            State::Queued if !deaf => Err(Self::timed_out("the peer to take a PING", self.interval)),
            _ => Ok(None),
        }
    }

    const fn timed_out(what: &'static str, waited: Duration) -> Error {
        Error::TimedOut {
            what,
            seconds: waited.as_secs(),
        }
    }
}
