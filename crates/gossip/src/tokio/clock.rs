//! The machine's time.

use crate::Time;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// The wall clock of the start, carried on by the monotonic clock: it never goes back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    wall: Time,
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        // A clock before 1970 counts as 1970: numbers would be behind those of another run, and nothing else.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            wall: Time::default() + wall,
            start: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Time {
        self.wall + self.start.elapsed()
    }

    pub(crate) fn instant(&self, time: Time) -> Instant {
        self.start + time.since(self.wall)
    }
}
