//! Everything that can go wrong, sorted by whose fault it is.

/// Why a stream could not go on.
///
/// An [`Opener`](crate::Opener) or [`Sealer`](crate::Sealer) that has returned one of these returns it for ever after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // The peer's fault, or that of somebody between us and the peer.
    /// A header is not what the peer sealed at this place in the stream.
    #[error(
        "a record header does not authenticate: bytes were changed, lost, repeated or reordered on the way, or the two \
         ends hold different keys; close the connection and shake hands anew"
    )]
    ForgedHeader,
    /// A body is not what its header vouches for.
    #[error(
        "a record body does not authenticate: its bytes were changed or lost on the way; close the connection and \
         shake hands anew"
    )]
    ForgedBody,
    /// The peer sealed a header that announces more than [`MAX_RECORD`](crate::MAX_RECORD) bytes.
    #[error("the peer announces a record of {len} bytes where the protocol allows {max}; its Box Stream writer is broken", max = crate::MAX_RECORD)]
    RecordTooLong {
        /// Announced bytes.
        len: u16,
    },
    /// The transport ended before the peer said goodbye, so the end of the data may be missing.
    #[error(
        "the stream ended {cut} without a goodbye: the peer crashed or was cut off, and what it said may be incomplete"
    )]
    Truncated {
        /// Where.
        cut: Cut,
    },

    // The caller's fault.
    /// Something was to be sealed after [`Sealer::goodbye`](crate::Sealer::goodbye).
    #[error("nothing can be sent after the goodbye; write before the stream is shut down")]
    AfterGoodbye,

    // Nobody's fault.
    /// 2^64 - 1 boxes went in this direction, and the next would need a nonce beyond the promise never to repeat one.
    #[error("this direction has used up its nonces; shake hands anew for fresh keys")]
    Exhausted,
    /// The cipher refused a buffer. No input leads here; it is a mistake in this crate.
    #[error("the cipher refused to seal a record; this is a bug in handfast-boxstream, please report it")]
    Cipher,
}

/// Where a truncated stream broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// After a whole record: nothing is lost that one could see, yet more may have been meant to follow.
    BetweenRecords,
    /// Inside a record, whose bytes are lost.
    InsideRecord,
}

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::BetweenRecords => "at a record boundary",
            Self::InsideRecord => "inside a record",
        })
    }
}

/// The kinds are `InvalidData` for what does not authenticate or is too long, `UnexpectedEof` for truncation,
/// `BrokenPipe` for writing after the goodbye and `Other` for the rest; [`Error`] is the inner error.
impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        use std::io::ErrorKind;
        let kind = match error {
            Error::ForgedHeader | Error::ForgedBody | Error::RecordTooLong { .. } => ErrorKind::InvalidData,
            Error::Truncated { .. } => ErrorKind::UnexpectedEof,
            Error::AfterGoodbye => ErrorKind::BrokenPipe,
            Error::Exhausted | Error::Cipher => ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
