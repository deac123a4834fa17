//! What can go wrong, sorted by whose fault it is.

use crate::{ErrorCode, Principal};
use std::io;

/// Every error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // What the peer did.
    /// The peer does not speak the protocol, or somebody tampered with what it said.
    #[error("the peer broke the protocol: {0}")]
    Protocol(#[from] Fault),
    /// The peer did not prove who it is.
    #[error("the peer did not prove who it is: {0}")]
    Attestation(#[from] AttestationFault),
    /// The peer is proved, and it is somebody else.
    #[error("{expected} was dialled and {found} answered; check the address")]
    WrongPeer {
        /// Who was demanded.
        expected: Box<Principal>,
        /// Who is there.
        found: Box<Principal>,
    },
    /// The peer does not want us.
    #[error("the peer refused: {code}{}", reason_after(.reason))]
    Refused {
        /// Why.
        code: ErrorCode,
        /// What it said of it, made harmless for terminals.
        reason: String,
    },
    /// The peer is proved, and we do not want it.
    #[error("{0} is not on the allowlist")]
    NotAllowed(Box<Principal>),
    /// The peer was silent for too long.
    #[error("the peer took too long: waited {} s for {what}", .seconds)]
    TimedOut {
        /// What did not come.
        what: &'static str,
        /// For how long it was waited, seconds.
        seconds: u64,
    },
    /// The peer closed the connection where more was to come.
    #[error("the peer closed the connection instead of sending {0}")]
    Truncated(&'static str),
    /// The session has ended.
    #[error("the session has ended: {0}")]
    Closed(ErrorCode),
    /// A stream has ended, or cannot be opened; the session goes on.
    #[error("the stream takes no more: {0}")]
    Stream(ErrorCode),

    // What the caller asked for.
    /// A text that is no principal or address.
    #[error("`{text}` is no Stacks principal: {why}")]
    Principal {
        /// The text, shortened.
        text: String,
        /// What is wrong with it, and how a good one looks.
        why: String,
    },
    /// A text that is no place to dial.
    #[error("`{text}` is no place to dial: {why}; write HOST:PORT, [IPV6]:PORT or stacks:SP…")]
    Locator {
        /// The text, shortened.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Nobody who was asked knows where a principal is.
    #[error("nobody knows where {0} is; dial it once by HOST:PORT, or name peers that know it")]
    NotFound(Box<Principal>),
    /// A text that is no visibility.
    #[error("`{0}` is no visibility: write public, private or stealth")]
    Visibility(String),
    /// Something that cannot be done as it was asked for.
    #[error("{0}")]
    Misuse(&'static str),
    /// A wallet, mnemonic, password or wallet file is not right.
    #[error("{0}")]
    Wallet(#[from] WalletFault),
    /// An invite that cannot be used.
    #[error("the invite cannot be used: {0}")]
    Invite(&'static str),

    /// A card with a name that proves nothing, or cannot be signed; in words, what is wrong.
    #[error("the alias card is not good: {0}")]
    Alias(&'static str),

    // What the machine did.
    /// Reading or writing failed.
    #[error("{what}: {error}")]
    Io {
        /// What was done.
        what: String,
        /// The cause.
        #[source]
        error: io::Error,
    },
    /// The sessions hold as much of what their peers send as they may together, and this one waited too long for room.
    #[error(
        "the session was ended, for the sessions together hold all the memory that they may: read what arrives sooner, or raise the \
         limit"
    )]
    Overloaded,
    /// The chain provider did not answer as it should.
    #[error("{0}")]
    Chain(#[from] ChainFault),
    /// The operating system gives no randomness, or a cryptographic library cannot work.
    #[error(transparent)]
    Keys(#[from] handfast_keys::Error),
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

fn reason_after(reason: &str) -> String {
    match reason {
        "" => String::new(),
        reason => format!(" ({reason})"),
    }
}

/// How a peer can break the protocol. None of these can be mended on the same connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The length in front of a frame has more than five bytes, or does not fit 32 bits.
    #[error("a frame has no proper length")]
    Length,
    /// A frame is longer than what is taken here.
    #[error("a frame of {len} bytes, where at most {max} are taken")]
    TooLong {
        /// What the peer announced.
        len: u64,
        /// What is taken.
        max: usize,
    },
    /// A Noise message of the wrong length, or with a public key of low order.
    #[error("the Noise handshake failed")]
    Noise,
    /// A frame that was not sealed with the session's key, or not in this place.
    #[error("a frame was forged, repeated or lost")]
    Forged,
    /// Bytes that are not the CBOR of a message; in words, what is wrong.
    #[error("a malformed message: {0}")]
    Malformed(&'static str),
    /// A message of a type that is not known, where one is awaited.
    #[error("a message of unknown type {0}")]
    UnknownType(u64),
    /// A message that has no place here.
    #[error("{0}")]
    Unexpected(&'static str),
    /// The peer's clock and ours are too far apart for attestations to mean anything.
    #[error("the peer's clock is {seconds} s away from ours, more than the 300 s that are taken: set the clocks")]
    Clock {
        /// By how much.
        seconds: u64,
    },
    /// More than a peer may ask for.
    #[error("too much at once: {0}")]
    Flood(&'static str),
}

/// Why an attestation proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttestationFault {
    /// Not the CBOR of an attestation; in words, what is wrong.
    #[error("the attestation is malformed: {0}")]
    Malformed(&'static str),
    /// It begins in the future.
    #[error("the attestation begins {seconds} s in the future; check the clocks")]
    Early {
        /// By how much.
        seconds: u64,
    },
    /// It is over.
    #[error("the attestation has expired {seconds} s ago; check the clocks")]
    Expired {
        /// By how much.
        seconds: u64,
    },
    /// The signature is not that of the principal it names, on this network.
    #[error("the attestation is not signed by the principal that it names")]
    Signature,
    /// It is for another node than the one at the other end.
    #[error("the attestation is for another node key")]
    OtherNode,
    /// It is of the other of the two networks: mainnet and testnet never authenticate each other.
    #[error("the attestation is of another network: one of us is on mainnet, the other on testnet")]
    OtherNetwork,
    /// It names another principal than the peer's other messages.
    #[error("the attestation is for another principal than the one announced")]
    OtherPrincipal,
}

/// What is wrong with a wallet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WalletFault {
    /// Not a mnemonic; in words, what is wrong.
    #[error("this is no mnemonic: {0}")]
    Mnemonic(String),
    /// The password does not open the file, or the file was tampered with: the two cannot be told apart.
    #[error("wrong password, or a damaged wallet file")]
    Password,
    /// A password that is too short.
    #[error("the password has {len} characters; at least {min} are wanted")]
    ShortPassword {
        /// How many it has.
        len: usize,
        /// How many are wanted.
        min: usize,
    },
    /// Not a wallet file; in words, what is wrong.
    #[error("this is no wallet file: {0}")]
    File(String),
    /// The seed in the file leads to another address than the file tells.
    #[error("the wallet file tells the address {told}, and its seed leads to {found}: somebody changed the file")]
    OtherAddress {
        /// What the file tells.
        told: String,
        /// What the seed leads to.
        found: String,
    },
    /// Not a name for a wallet.
    #[error("this is no name for a wallet: {0}")]
    Name(&'static str),
    /// Several wallets of this name, as another program may have left them.
    #[error("several wallets are called `{name}`; say which by its id: {ids}")]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// The ids of those.
        ids: String,
    },
    /// No wallet of this name.
    #[error("there is no wallet `{name}`; {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// Which there are, or how to create one.
        known: String,
    },
    /// A wallet of this name stands already.
    #[error("there is a wallet `{0}` already; choose another name")]
    Exists(String),
}

/// What is wrong with a chain provider or its answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainFault {
    /// Not the address of a provider; in words, what is wrong.
    #[error("this is no chain provider: {0}; write https://HOST or http://HOST:PORT")]
    Address(String),
    /// It cannot be reached, or it took too long.
    #[error("the chain provider could not be asked for {what}: {}", causes(.error.as_ref()))]
    Unreachable {
        /// What was asked for.
        what: &'static str,
        /// The cause.
        #[source]
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It does not want to.
    #[error("the chain provider refused {what}, with status {status}: {reason}")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// The status of HTTP.
        status: u16,
        /// What it says of it, made harmless for terminals.
        reason: String,
    },
    /// What it answered makes no sense.
    #[error("the chain provider's answer to {what} makes no sense: {why}")]
    Malformed {
        /// What was asked for.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The contract did not answer; in the node's words, why.
    #[error("the contract gave no answer: {0}")]
    Call(String),
}

/// An error with everything behind it: the first text of a client for HTTP rarely says what went wrong.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
