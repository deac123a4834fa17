//! The numbers of the links, each with its reason.

use super::message::LINE_MAX;
use crate::{Error, Rate, swarm};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The numbers of [`Links`](super::Links). Every field has a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether to offer links of our own kind. Without it, nothing but messages goes out, and peers of our kind are treated
    /// as the original, too.
    pub negotiate: bool,
    /// How often what waits goes out on links of the original's kind; `None`: only by [`Links::round`](super::Links::round).
    /// Messages that arrive out of order within this span are put in order, since the original drops what comes late.
    /// Links of our own kind do not wait for rounds.
    pub interval: Option<Duration>,
    /// How many messages of each author a peer of the original's kind is given when it comes. It has no way to ask.
    pub replay: usize,
    /// Bytes that may wait for a peer that does not read. Beyond that, a peer of the original's kind loses the oldest of what
    /// waits, and one of our kind is dropped, since it was told to stop long before. At least two frames.
    pub outbox: usize,
    /// Bytes waiting for a peer of our kind from which on it gets announcements instead of messages.
    pub congested: usize,
    /// For how long a peer may read nothing at all while something waits for it. Then it is dropped.
    pub patience: Duration,
    /// Bytes a second that a peer of the original's kind must read to be waited for: as long as it keeps this pace, all
    /// links are read no faster than it takes what they bring. A slower one loses messages instead, since otherwise
    /// anybody could hold up everybody.
    pub pace: u64,
    /// The most links at once. Each costs memory up to `outbox`.
    pub links: usize,
    /// What one author may send. The default is more than one core checks, so it binds only where somebody sets it: on links
    /// that strangers can open, some 50 a second are plenty.
    pub author: Rate,
    /// How many lines a link may bring that are no sound messages, before it is dropped: each may cost a signature check.
    pub unsound: Rate,
    /// Among how many threads large batches of signatures are divided. They end with the call that needs them.
    pub threads: usize,
    /// History, tree and catch-up among peers of our kind.
    pub swarm: swarm::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            negotiate: true,
            interval: Some(Duration::from_millis(100)),
            replay: 32,
            outbox: 8 << 20,
            congested: 256 << 10,
            patience: Duration::from_secs(60),
            pace: 1 << 20,
            links: 1024,
            author: Rate {
                per_second: 100_000,
                burst: 1_000_000,
            },
            unsound: Rate {
                per_second: 10,
                burst: 1_000,
            },
            threads: 1,
            swarm: swarm::Config {
                message_max: LINE_MAX,
                ..swarm::Config::default()
            },
        }
    }
}

impl Config {
    /// Whether these numbers work together.
    ///
    /// # Errors
    /// [`Error::Caller`] names the field that cannot be and what it may be.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |text| Err(Error::Caller(text));
        if self
            .interval
            .is_some_and(|interval| interval < Duration::from_millis(1))
        {
            return wrong("links: interval must be at least 1 ms, or None for rounds by hand");
        }
        if self
            .interval
            .into_iter()
            .chain([self.patience])
            .any(|span| span > crate::time::SPAN_MAX)
        {
            return wrong("links: no time span may be above a hundred years");
        }
        if self.outbox < 2 * swarm::FRAME_MAX {
            return wrong("links: outbox must have room for two frames, 2 MiB");
        }
        if self.congested > self.outbox / 2 {
            return wrong(
                "links: congested must be at most half of outbox, or peers are dropped before they are told to stop",
            );
        }
        if self.links == 0 || self.author.burst == 0 {
            return wrong("links: links and author.burst must not be 0, or nothing is ever heard");
        }
        if self.swarm.message_max != LINE_MAX {
            return wrong("links: swarm.message_max must be 65,536, the longest line");
        }
        self.swarm.check()
    }
}
