//! The machine's time.

use crate::Time;
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

/// How far the wall clock must be ahead to be followed: the two clocks of a computer never go quite alike.
const JUMP: Duration = Duration::from_secs(1);

/// The wall clock of the start, carried on by the monotonic clock: it never goes back.
///
/// Where the wall clock gets ahead of that, it is followed. The monotonic clock stands still while a computer sleeps, and some
/// computers learn the date only a while after they have started; a node that went on from there would number its messages
/// as if they were old, and nobody would take them.
#[derive(Debug)]
pub(crate) struct Clock {
    wall: Time,
    start: Instant,
    /// By how many microseconds the wall clock has got ahead. It only grows.
    ahead: AtomicU64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            wall: wall_clock(),
            start: Instant::now(),
            ahead: AtomicU64::new(0),
        }
    }

    pub(crate) fn now(&self) -> Time {
        self.reckon(self.start.elapsed(), wall_clock())
    }

    fn reckon(&self, elapsed: Duration, wall: Time) -> Time {
        let steady = self.wall + elapsed;
        let now = steady + Duration::from_micros(self.ahead.load(Relaxed));
        if wall.since(now) < JUMP {
            return now;
        }
        let ahead = u64::try_from(wall.since(steady).as_micros()).unwrap_or(u64::MAX);
        steady + Duration::from_micros(self.ahead.fetch_max(ahead, Relaxed).max(ahead))
    }

    pub(crate) fn instant(&self, time: Time) -> Instant {
        Instant::now() + time.since(self.now())
    }
}

/// A clock before 1970 counts as 1970: numbers would be behind those of another run, and nothing else.
fn wall_clock() -> Time {
    Time::default() + SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_computer_that_slept_or_learns_the_date_late_is_not_left_behind() {
        let (second, day) = (Duration::from_secs(1), Duration::from_secs(86_400));
        let clock = Clock::start();
        let start = clock.wall;
        assert_eq!(clock.reckon(second, start + second), start + second);
        assert_eq!(clock.reckon(second, start + second * 3 / 2), start + second);
        // It slept for a day.
        assert_eq!(clock.reckon(second * 2, start + day), start + day);
        // The wall clock is set back: time goes on all the same.
        assert_eq!(clock.reckon(second * 3, start), start + day + second);
    }
}
