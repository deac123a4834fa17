//! What a simulated network is like.

use crate::sim::NodeId;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The properties of a simulated network. They may be changed while it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Everything that is random follows from this number.
    pub seed: u64,
    /// How long a frame takes between two nodes.
    pub latency: Latency,
    /// The share of frames that get lost, from 0 to 1. Connections do not notice.
    pub loss: f64,
    /// The longest additional delay of a frame. It is drawn for each frame, so frames overtake each other if it is not zero.
    #[serde(with = "humantime_serde")]
    pub jitter: Duration,
    /// After how long a node gives up dialling a node that vanished silently.
    #[serde(with = "humantime_serde")]
    pub dial_timeout: Duration,
}

impl Default for Settings {
    /// Seed 0, 10 to 50 ms, no loss, no jitter, dials given up after five seconds.
    fn default() -> Self {
        Self {
            seed: 0,
            latency: Latency::default(),
            loss: 0.0,
            jitter: Duration::ZERO,
            dial_timeout: Duration::from_secs(5),
        }
    }
}

/// How long a frame takes between two nodes: drawn once for each pair, the same in both directions.
///
/// It follows from the seed and the pair, so nothing has to be remembered for the fifty million pairs of ten thousand nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Latency {
    /// The same for all pairs.
    Constant(#[serde(with = "humantime_serde")] Duration),
    /// Any length between two bounds is as likely as any other.
    Uniform {
        /// The shortest.
        #[serde(with = "humantime_serde")]
        min: Duration,
        /// The longest.
        #[serde(with = "humantime_serde")]
        max: Duration,
    },
    /// The bell curve, never below a millisecond.
    Normal {
        /// The middle of the bell.
        #[serde(with = "humantime_serde")]
        mean: Duration,
        /// The standard deviation.
        #[serde(with = "humantime_serde")]
        deviation: Duration,
    },
}

impl Default for Latency {
    /// Uniform, 10 to 50 ms.
    fn default() -> Self {
        Self::Uniform {
            min: Duration::from_millis(10),
            max: Duration::from_millis(50),
        }
    }
}

impl Latency {
    /// How long a frame takes between `a` and `b` in the network with this seed.
    #[must_use]
    pub fn between(&self, seed: u64, a: NodeId, b: NodeId) -> Duration {
        let pair = (u64::from(a.min(b)) << 32) | u64::from(a.max(b));
        let mut drawn = Random::new(seed ^ mix(pair));
        match *self {
            Self::Constant(latency) => latency,
            Self::Uniform { min, max } => drawn.span(min, max),
            Self::Normal { mean, deviation } => {
                // Twelve uniform numbers add up to a bell of deviation 1 around 6, without functions whose last bits differ
                // from machine to machine.
                let bell = (0..12).map(|_| drawn.fraction()).sum::<f64>() - 6.0;
                let micros = micros(mean) as f64 + bell * micros(deviation) as f64;
                Duration::from_micros(micros.max(1000.0) as u64)
            }
        }
    }
}

/// The engine's own randomness: SplitMix64, small and fast. Nobody has to be kept from guessing it.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// From 0 to 1, without 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Below `end`, or 0.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        ((u64::from(end) * (self.next() >> 32)) >> 32) as u32
    }

    /// Between two spans of time; `min` if it is not below `max`.
    pub(crate) fn span(&mut self, min: Duration, max: Duration) -> Duration {
        let width = micros(max).saturating_sub(micros(min));
        let micros = (u128::from(self.next()) * u128::from(width)) >> 64;
        min + Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

pub(crate) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
