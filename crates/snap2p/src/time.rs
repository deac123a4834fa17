//! Time as the protocol tells it.

use std::{
    fmt,
    time::{Duration, Instant, SystemTime},
};

/// Seconds since 1970 in UTC, as every message counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// What the clock of this machine says.
    #[must_use]
    pub fn now() -> Self {
        Self(
            SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |span| span.as_secs()),
        )
    }

    /// Seconds.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// This much later, in whole seconds; at the end of time there it stays.
    #[must_use]
    pub const fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.as_secs()))
    }

    /// This much earlier, in whole seconds; never before 1970.
    #[must_use]
    pub const fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span.as_secs()))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// This much later. What lies behind the end of the clock, as where `Duration::MAX` turns a timeout off, is thirty years away.
pub(crate) fn later(from: Instant, span: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
    from.checked_add(span.min(FAR)).unwrap_or(from)
}

/// The present, by both clocks: one that only goes forward, for deadlines, and the one on the wall, for messages.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For deadlines.
    pub instant: Instant,
    /// For messages and attestations.
    pub unix: UnixTime,
}

impl Now {
    /// What the clocks of this machine say.
    #[must_use]
    pub fn get() -> Self {
        Self {
            instant: Instant::now(),
            unix: UnixTime::now(),
        }
    }
}
