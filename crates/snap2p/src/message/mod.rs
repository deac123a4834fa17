//! The messages: CBOR maps with short text keys.

mod decode;
mod encode;

pub use encode::{put_stream_data, put_stream_data_head, put_stream_data_tail, stream_data_len};

use crate::{ErrorCode, UnixTime, Visibility};
use bytes::Bytes;
use std::fmt;

/// The types of messages: `t`.
mod kind {
    pub(super) const HELLO: u64 = 0x01;
    pub(super) const AUTH: u64 = 0x02;
    pub(super) const AUTH_OK: u64 = 0x03;
    pub(super) const AUTH_FAIL: u64 = 0x04;
    pub(super) const OPEN_STREAM: u64 = 0x10;
    pub(super) const CLOSE_STREAM: u64 = 0x11;
    pub(super) const STREAM_DATA: u64 = 0x12;
    pub(super) const PING: u64 = 0x20;
    pub(super) const PONG: u64 = 0x21;
    pub(super) const KNOCK: u64 = 0x30;
    pub(super) const KNOCK_RESPONSE: u64 = 0x31;
    pub(super) const ERROR: u64 = 0xff;
}

/// The number of a stream: even if the initiator of the session opened it, odd if the responder did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// Any message. `{:?}` hides the token of a KNOCK.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// 0x01: who speaks, before that is proved.
    Hello(Hello),
    /// 0x02: the proof. The CBOR of a [`NodeKeyAttestation`](crate::NodeKeyAttestation).
    Auth(Bytes),
    /// 0x03: the proof is good.
    AuthOk(AuthOk),
    /// 0x04: it is not, or not wanted.
    AuthFail(Failure),
    /// 0x10: a stream begins.
    OpenStream {
        /// Its number.
        id: StreamId,
        /// What it is for; empty if nothing is said.
        label: String,
    },
    /// 0x11: a stream ends, in both directions.
    CloseStream {
        /// Its number.
        id: StreamId,
        /// Why, if not because both sides have said everything.
        code: Option<ErrorCode>,
    },
    /// 0x12: bytes of a stream.
    StreamData {
        /// Its number.
        id: StreamId,
        /// The bytes.
        data: Bytes,
        /// Whether these were the last in this direction.
        fin: bool,
    },
    /// 0x20: are you there?
    Ping(Ping),
    /// 0x21: I am.
    Pong(Ping),
    /// 0x30: an invite token, in clear, before everything else. 16 to 32 bytes.
    Knock(Bytes),
    /// 0x31: whether the token is good, in clear.
    KnockResponse {
        /// Whether the handshake may begin.
        accepted: bool,
    },
    /// 0xff: something went wrong; the session goes on.
    Error(Failure),
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello(hello) => hello.fmt(f),
            Self::Auth(attestation) => f.debug_tuple("Auth").field(attestation).finish(),
            Self::AuthOk(auth_ok) => auth_ok.fmt(f),
            Self::AuthFail(failure) => f.debug_tuple("AuthFail").field(failure).finish(),
            Self::OpenStream { id, label } => f
                .debug_struct("OpenStream")
                .field("id", id)
                .field("label", label)
                .finish(),
            Self::CloseStream { id, code } => f
                .debug_struct("CloseStream")
                .field("id", id)
                .field("code", code)
                .finish(),
            Self::StreamData { id, data, fin } => f
                .debug_struct("StreamData")
                .field("id", id)
                .field("data", data)
                .field("fin", fin)
                .finish(),
            Self::Ping(ping) => f.debug_tuple("Ping").field(ping).finish(),
            Self::Pong(pong) => f.debug_tuple("Pong").field(pong).finish(),
            // Whoever has it can use it.
            Self::Knock(_) => f.write_str("Knock(..)"),
            Self::KnockResponse { accepted } => f.debug_struct("KnockResponse").field("accepted", accepted).finish(),
            Self::Error(failure) => f.debug_tuple("Error").field(failure).finish(),
        }
    }
}

/// HELLO: `{cap, n, pk, t, ts, v, vis}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// What the node can do beyond the reference: `aliases`, `px-1`.
    pub capabilities: Vec<String>,
    /// 32 random bytes.
    pub nonce: [u8; 32],
    /// The Ed25519 node key. Only the attestation proves it.
    pub node_key: [u8; 32],
    /// When it was said.
    pub time: UnixTime,
    /// How much the node shows of itself.
    pub visibility: Visibility,
}

/// AUTH_OK: `{p, sid, t}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthOk {
    /// The principal of whoever sends it, as text.
    pub principal: String,
    /// The name of the session, which the responder makes and the initiator repeats.
    pub session_id: [u8; 32],
}

/// AUTH_FAIL and ERROR: `{ec, [r], t}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub code: ErrorCode,
    /// The same in words; empty if there are none.
    pub reason: String,
}

/// PING and PONG: `{seq, t, ts}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ping {
    /// Which PING it is, or is answered. They count from 0.
    pub seq: u64,
    /// The clock of whoever sends it.
    pub time: UnixTime,
}
