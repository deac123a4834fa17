//! The numbers of a swarm, each with its reason.

use super::frame;
use crate::Error;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The numbers of a [`Swarm`](super::Swarm). Every field has a default; spans read as in `"250ms"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long announcements wait to travel together. Longer saves frames; shorter notices a lost payload sooner.
    #[serde(with = "humantime_serde")]
    pub announce_delay: Duration,
    /// How long an announced message may stay away before it is asked for, as long as nothing was observed yet.
    #[serde(with = "humantime_serde")]
    pub graft_delay: Duration,
    /// The least that the observed wait is rounded up to: one more hop of a slow link must fit in.
    #[serde(with = "humantime_serde")]
    pub graft_delay_min: Duration,
    /// The most that the observed wait may grow to, so that a swarm of many senders still mends itself within seconds.
    #[serde(with = "humantime_serde")]
    pub graft_delay_max: Duration,
    /// How long a peer that was asked has to answer before the next is asked: more than a round trip.
    #[serde(with = "humantime_serde")]
    pub graft_retry: Duration,
    /// How much sooner an announcement must come than the payload to count in favour of its sender.
    #[serde(with = "humantime_serde")]
    pub faster_by: Duration,
    /// How many messages in a row must have come sooner before the sender of the announcements replaces the parent.
    pub faster_times: u8,
    /// The most bytes of messages that are kept. The oldest go first.
    pub history_bytes: usize,
    /// The most messages that are kept: small ones cost more than their bytes.
    pub history_messages: usize,
    /// How long a message is kept, and the oldest that is taken, as far as its proven number tells.
    ///
    /// Authors whose numbers lag behind the clock by more than this are not heard, see
    /// [`Sequence::following`](crate::Sequence::following).
    #[serde(with = "humantime_serde")]
    pub history_age: Duration,
    /// How many names of messages are remembered that are not kept any more, so that they are not taken again.
    pub memory: usize,
    /// The longest message that is taken, in bytes. Every node stores and passes on what one author says once.
    pub message_max: usize,
    /// In which order messages are delivered.
    pub order: Order,
    /// How long a message waits for its predecessor under [`Order::PerAuthor`]; and under either order, where it is to go on
    /// to peers of the original's kind, which drop what comes late, see [`secure::Links`](crate::secure::Links).
    #[serde(with = "humantime_serde")]
    pub order_timeout: Duration,
    /// How long after its arrival a message is left to the tree before catch-up speaks of it.
    #[serde(with = "humantime_serde")]
    pub settle: Duration,
    /// How soon after a change neighbours compare what they have.
    #[serde(with = "humantime_serde")]
    pub summary_min: Duration,
    /// How often they compare when nothing changes. The span doubles from the least to this.
    #[serde(with = "humantime_serde")]
    pub summary_max: Duration,
    /// Bytes a second that one neighbour is given on request, beyond what the tree pushes.
    pub serve_rate: u64,
    /// Bytes that one neighbour may be given at once before the rate counts.
    pub serve_burst: u64,
}

/// In which order messages are delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// As they arrive.
    #[default]
    Arrival,
    /// Each author's in the order of their numbers; what is missing is waited for, for
    /// [`Config::order_timeout`].
    PerAuthor,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            announce_delay: Duration::from_millis(10),
            graft_delay: Duration::from_millis(300),
            graft_delay_min: Duration::from_millis(120),
            graft_delay_max: Duration::from_secs(1),
            graft_retry: Duration::from_millis(200),
            faster_by: Duration::from_millis(10),
            faster_times: 3,
            history_bytes: 64 << 20,
            history_messages: 1 << 17,
            history_age: Duration::from_secs(24 * 60 * 60),
            memory: 1 << 18,
            message_max: 256 << 10,
            order: Order::Arrival,
            order_timeout: Duration::from_secs(2),
            settle: Duration::from_secs(1),
            summary_min: Duration::from_secs(1),
            summary_max: Duration::from_secs(60),
            serve_rate: 8 << 20,
            serve_burst: 4 << 20,
        }
    }
}

impl Config {
    /// Whether these numbers make a working swarm.
    ///
    /// # Errors
    /// [`Error::Caller`] names the field that cannot be and what it may be.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |text| Err(Error::Caller(text));
        if self.message_max == 0 || self.message_max > frame::BODY_MAX {
            return wrong("swarm: message_max must be 1 to 1,000,000 bytes, so that a message fits a frame");
        }
        if self.history_bytes < self.message_max || self.history_messages == 0 {
            return wrong("swarm: history_bytes and history_messages must have room for one message");
        }
        if self.serve_burst < self.message_max as u64 || self.serve_rate == 0 {
            return wrong("swarm: serve_burst must have room for one message, and serve_rate must not be 0");
        }
        if self.graft_delay_min > self.graft_delay_max || self.summary_min > self.summary_max {
            return wrong("swarm: graft_delay_min and summary_min must not exceed their _max");
        }
        if self.summary_min.is_zero() || self.graft_retry.is_zero() {
            return wrong("swarm: summary_min and graft_retry must not be 0, or neighbours would ask without end");
        }
        let spans = [
            self.announce_delay,
            self.graft_delay,
            self.graft_delay_min,
            self.graft_delay_max,
            self.graft_retry,
            self.faster_by,
            self.history_age,
            self.order_timeout,
            self.settle,
            self.summary_min,
            self.summary_max,
        ];
        if spans.iter().any(|span| *span > crate::time::SPAN_MAX) {
            return wrong("swarm: no time span may be above a hundred years");
        }
        Ok(())
    }
}
