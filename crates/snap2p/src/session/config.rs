//! What one session may hold, and its clocks.

use crate::limits;
use std::time::Duration;

/// The longest span that a clock is asked to add: beyond it none can say when that is.
const SPAN_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// What one session may hold, and its clocks. Each limit names the attack that it stops.
///
/// Spans beyond a year are taken as a year, and frames beyond [`limits::FRAME_MAX`] are never taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How long after the last PING the next one leaves; 30 s.
    pub ping_interval: Duration,
    /// How long the peer may be silent after a PING has left; 10 s. Anything that arrives counts as an answer. Stops a peer
    /// that vanished from holding the session.
    pub pong_timeout: Duration,
    /// How long an initiator holds everything back for the responder's first frame; 400 ms. The reference loses what arrives
    /// together with AUTH_OK.
    pub first_frame_wait: Duration,
    /// The most streams that are open at once, of both ends together; 100, more than which the reference refuses. Stops a
    /// peer from filling the table.
    pub streams_max: usize,
    /// The longest frame that is taken, bytes of ciphertext; 16 MiB as in the reference.
    /// A frame must be whole before it can be opened, so this much may wait in the input besides `receive_hard`. The reference
    /// sends a write as one frame, however long, so a shorter bound is for networks without it.
    pub frame_max: usize,
    /// How much of one stream waits to be sent, bytes; 256 KiB. A peer that does not read makes [`Session::write`] take
    /// nothing, instead of filling the memory.
    ///
    /// [`Session::write`]: super::Session::write
    pub send_stream: usize,
    /// How much of all streams together waits to be sent, bytes; 1 MiB.
    pub send_total: usize,
    /// How much of one stream may wait to be read before the session stops reading, bytes; 256 KiB. The protocol has no
    /// flow control, so not reading is the only way to slow a peer down, and it slows every stream of the session.
    pub receive_soft: usize,
    /// How long reading stays stopped for `receive_soft`; 5 s, half of what the reference waits for a PONG: then the session
    /// reads on, so that PINGs which lie behind the data are answered.
    pub receive_patience: Duration,
    /// How much of all streams together may wait to be read, bytes; 4 MiB. Here reading stops for good, until the application
    /// reads: the bound on what a peer makes us hold.
    pub receive_hard: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ping_interval: limits::PING_INTERVAL,
            pong_timeout: limits::PONG_TIMEOUT,
            first_frame_wait: limits::FIRST_FRAME_WAIT,
            streams_max: limits::STREAMS_MAX,
            frame_max: limits::FRAME_MAX,
            send_stream: 256 << 10,
            send_total: 1 << 20,
            receive_soft: 256 << 10,
            receive_patience: Duration::from_secs(5),
            receive_hard: 4 << 20,
        }
    }
}

impl Config {
    pub(super) fn within_reason(self) -> Self {
        Self {
            ping_interval: self.ping_interval.min(SPAN_MAX),
            pong_timeout: self.pong_timeout.min(SPAN_MAX),
            first_frame_wait: self.first_frame_wait.min(SPAN_MAX),
            receive_patience: self.receive_patience.min(SPAN_MAX),
            frame_max: self.frame_max.min(limits::FRAME_MAX),
            ..self
        }
    }
}
