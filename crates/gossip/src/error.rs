//! What can go wrong, sorted by whose fault it is.

/// Everything that this crate reports.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller asked for something that cannot be.
    #[error("{0}")]
    Caller(&'static str),
    /// A certificate or a revocation of a closed topic is not good.
    #[error("the certificate does not do: {0}")]
    Certificate(&'static str),
    /// This machine cannot sign.
    #[error(transparent)]
    Keys(#[from] handfast_keys::Error),
}
