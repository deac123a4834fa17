//! What can go wrong, sorted by whose fault it is.

/// Everything that this crate reports.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller asked for something that cannot be.
    #[error("{0}")]
    Caller(&'static str),
    /// A scenario for the simulator that cannot be: what is wrong, and what may stand there.
    #[cfg(feature = "simulate")]
    #[error("{0}")]
    Scenario(String),
}
