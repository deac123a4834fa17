//! How long a neighbour takes to answer, and from that how long its silence means nothing.

use crate::Time;
use std::time::Duration;

/// The least time that an answer is waited for, whatever was measured: processes are scheduled late, radios sleep, and a
/// neighbour that is given up for a hiccup costs the tree a link.
const WAIT_MIN: Duration = Duration::from_millis(200);

/// The longest that an answer is waited for. A neighbour that answers ever more slowly would otherwise put off for as long as it
/// likes that its silence is noticed. Round trips through onion services take one to three seconds.
const WAIT_MAX: Duration = Duration::from_secs(6);

/// A round trip that took longer tells nothing: the answer was made up, or belongs to an earlier link.
const SAMPLE_MAX: Duration = Duration::from_secs(60);

/// After how long a measurement wants to be taken anew: paths change.
const STALE: Duration = Duration::from_secs(30);

/// The round trips to one neighbour: their mean and how much they stray from it, both smoothed, as TCP keeps them
/// (RFC 6298, section 2).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RoundTrips {
    known: Option<Known>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    mean: Duration,
    deviation: Duration,
    at: Time,
}

impl RoundTrips {
    /// A question was answered after this long.
    pub(crate) fn observe(&mut self, sample: Duration, now: Time) {
        if sample > SAMPLE_MAX {
            return;
        }
        let (mean, deviation) = match self.known {
            None => (sample, sample / 2),
            Some(Known { mean, deviation, .. }) => {
                ((mean * 7 + sample) / 8, (deviation * 3 + mean.abs_diff(sample)) / 4)
            }
        };
        self.known = Some(Known {
            mean,
            deviation,
            at: now,
        });
    }

    /// How long to wait for an answer, if anything was measured.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let known = self.known?;
        // A path that has been steady for long is still allowed half as much again.
        let slack = (known.deviation * 4).max(known.mean / 2);
        Some((known.mean + slack).clamp(WAIT_MIN, WAIT_MAX))
    }

    /// Whether it is time to measure.
    pub(crate) fn are_stale(&self, now: Time) -> bool {
        self.known.is_none_or(|known| now.since(known.at) >= STALE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn measured(samples: impl IntoIterator<Item = u64>) -> RoundTrips {
        let mut trips = RoundTrips::default();
        for sample in samples {
            trips.observe(ms(sample), Time::default());
        }
        trips
    }

    #[test]
    fn the_first_round_trip_is_trusted_threefold_and_a_steady_one_by_half_as_much_again() {
        assert_eq!(measured([]).wait(), None);
        assert_eq!(measured([300]).wait(), Some(ms(900)));
        assert_eq!(measured([300; 50]).wait(), Some(ms(450)));
    }

    #[test]
    fn a_wait_is_neither_below_what_schedulers_need_nor_above_what_an_attacker_would_like() {
        assert_eq!(measured([1]).wait(), Some(WAIT_MIN));
        assert_eq!(measured([50_000]).wait(), Some(WAIT_MAX));
        assert_eq!(measured([300, 61_000]).wait(), Some(ms(900)));
    }

    #[test]
    fn round_trips_that_stray_are_waited_for_longer() {
        let steady = measured([500; 50]).wait();
        let stray = measured([200, 800].repeat(25)).wait();
        assert!(stray > steady, "{stray:?} {steady:?}");
        assert!(stray > Some(ms(1200)));
    }

    #[test]
    fn a_measurement_ages() {
        let trips = measured([20]);
        assert!(RoundTrips::default().are_stale(Time::default()));
        assert!(!trips.are_stale(Time::default() + ms(29_999)));
        assert!(trips.are_stale(Time::default() + STALE));
    }
}
