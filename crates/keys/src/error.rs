//! Everything that can go wrong in this crate, by whose fault it is.

use std::{io, path::PathBuf};

/// Why bytes are refused as a public key.
///
/// The set is the one on which a handshake with a JavaScript peer (libsodium) cannot succeed, so both
/// sides agree about who may connect. See [`PublicKey::from_bytes`](crate::PublicKey::from_bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// The 32 bytes encode no point of the curve.
    #[error("these bytes are no point of the curve")]
    NotAPoint,
    /// The y coordinate is not reduced modulo 2^255 - 19, or x is zero with its sign bit set.
    #[error("the encoding is not canonical")]
    NonCanonical,
    /// The point is one of the eight of small order: every agreement with it has a known result.
    #[error("the point has small order")]
    LowOrder,
    /// The point has a component of small order, so several encodings stand for one secret.
    #[error("the point lies outside the prime-order subgroup")]
    MixedOrder,
}

/// What can go wrong with keys, references and secret files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer's, or the author's, public key is refused.
    #[error("unusable public key: {0}")]
    WeakKey(#[from] KeyFault),
    /// A text is not what it should be. The texts come from users, addresses and messages.
    #[error("this is no {expected}: {why}")]
    Malformed {
        /// What the text should have been, with an example of its form.
        expected: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A secret file exists where a new one should be made; it is left as it is.
    #[error("{} exists already and is not overwritten; move it away first, or use it", .path.display())]
    SecretExists {
        /// The file that is in the way.
        path: PathBuf,
    },
    /// Others than the owner may read, write or run the secret file.
    #[error("{} is open to other users (mode {mode:04o}); make it private with: chmod 600 {}", .path.display(), .path.display())]
    SecretExposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The secret file can be read, but what stands in it is not an identity.
    #[error("{} holds no usable identity: {why}", .path.display())]
    SecretInvalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it. Never quotes the file.
        why: &'static str,
    },
    /// The operating system refused a file operation.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried, such as `read`.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
    /// The cryptographic library could not do its work, which happens for want of memory only.
    #[error("the cryptographic library cannot work; is the machine out of memory?")]
    Library,
}
