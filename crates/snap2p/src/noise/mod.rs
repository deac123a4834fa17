//! Noise XX.

/// Which Noise is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Suite {
    /// The reference's key schedule.
    #[default]
    Snap2p,
    /// The standard's.
    #[cfg(feature = "standard-noise")]
    Standard,
}
