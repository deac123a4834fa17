//! The codes by which SNaP2P says why something ended.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        /// Why something was refused or ended: `ec` of AUTH_FAIL, CLOSE_STREAM and ERROR.
        ///
        /// The reference defines 0 to 20 and sends 4, 5, 6, 9, 10, 16, 17 and 18.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
            /// A code that this version does not know.
            Other(u64),
        }

        impl ErrorCode {
            /// The number on the wire.
            #[must_use]
            pub const fn number(self) -> u64 {
                match self {
                    $(Self::$name => $value,)*
                    Self::Other(number) => number,
                }
            }

            /// The code of a number from the wire.
            #[must_use]
            pub const fn from_number(number: u64) -> Self {
                match number {
                    $($value => Self::$name,)*
                    number => Self::Other(number),
                }
            }
        }

        impl fmt::Display for ErrorCode {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$name => f.write_str($text),)*
                    Self::Other(number) => write!(f, "code {number}"),
                }
            }
        }
    };
}

codes! {
    /// Nothing went wrong.
    Ok = 0, "nothing went wrong";
    /// No particular reason.
    Unknown = 1, "no reason given";
    /// Another version of the protocol, or a message that is not known.
    VersionUnsupported = 2, "version not supported";
    /// The identity was not proved.
    AuthFailed = 3, "authentication failed";
    /// The identity is proved and not on the allowlist.
    NotAllowed = 4, "not allowed";
    /// The invite token is unknown, used up or expired.
    InvalidToken = 5, "the invite is unknown, used up or expired";
    /// The attestation is forged or of another node.
    AttestationInvalid = 6, "the attestation is not valid";
    /// The attestation was good once.
    AttestationExpired = 7, "the attestation has expired";
    /// The handshake failed.
    HandshakeFailed = 8, "the handshake failed";
    /// A stream of this number is open.
    StreamIdInUse = 9, "the stream is open already";
    /// No stream of this number is open.
    StreamNotFound = 10, "there is no such stream";
    /// The stream has ended.
    StreamClosed = 11, "the stream has ended";
    /// The session has ended.
    ConnectionClosed = 12, "the session has ended";
    /// Something took too long.
    Timeout = 13, "it took too long";
    /// A message is longer than what is taken.
    MessageTooLarge = 14, "a message is too long";
    /// A message is malformed.
    InvalidMessage = 15, "a message is malformed";
    /// No room for more: streams, memory.
    ResourceExhausted = 16, "there is no room for more";
    /// A fault of the other side's own.
    Internal = 17, "a fault of the other side's own";
    /// A stealth node wants an invite first.
    InviteRequired = 18, "an invite is required";
    /// Too many tries.
    RateLimited = 19, "too many tries, wait a minute";
    /// The application does not want this stream.
    StreamRefused = 20, "the stream is not wanted";
}
