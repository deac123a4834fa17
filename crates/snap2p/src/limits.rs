//! What the protocol and its peers are bounded by. Each constant says what it stops.

use std::time::Duration;

/// The longest unit that the protocol frames, bytes after the length: 16 MiB. The reference refuses more.
pub const FRAME_MAX: usize = 16 << 20;
/// The longest frame that is taken before the peer has proved who it is: the longest honest one is AUTH with some 324 bytes.
/// The reference takes 16 MiB from strangers.
pub const HANDSHAKE_FRAME_MAX: usize = 4 << 10;
/// The longest KNOCK: ours and the reference's have 42 bytes, and there may be fields that nobody knows yet.
pub const KNOCK_FRAME_MAX: usize = 128;
/// The most data in a STREAM_DATA of ours: longer writes are cut, so that streams share the connection and a PING waits for
/// no more than this.
pub const DATA_MAX: usize = 64 << 10;
/// What a session may hold of what its peer sends, bytes, before it takes of the
/// [`Memory`](crate::tokio::Memory) that it shares with others: 256 KiB, so that a session whose frames have the usual size and
/// whose application reads never needs any, and goes on while others have taken all of it.
#[cfg(feature = "tokio")]
pub const SESSION_MEMORY: usize = 256 << 10;
/// What all sessions of a [`Peer`](crate::Peer) may hold beyond that together, bytes: 64 MiB, room for three of the longest frames
/// and what is unread. Stops a crowd of proved peers from making us hold 16 MiB and more each.
#[cfg(feature = "tokio")]
pub const SHARED_MEMORY: usize = 64 << 20;
/// How long a session waits for room in the shared memory before it is ended: half of what the reference waits for a PONG, which it
/// cannot get meanwhile.
#[cfg(feature = "tokio")]
pub const MEMORY_PATIENCE: Duration = Duration::from_secs(5);
/// How long a frame may take from its first byte to its last when it takes of the shared memory: else whoever sends a large one
/// byte by byte, or takes no answers meanwhile, holds it for ever. The reference gives a session up itself when a PING waits
/// behind a frame for 10 s, so none of its frames takes longer than 40 s.
#[cfg(feature = "tokio")]
pub const LARGE_FRAME_TIMEOUT: Duration = Duration::from_secs(60);
/// The tag behind every encrypted frame.
pub const TAG_LEN: usize = 16;
/// How far clocks may be apart (§2.3 of the specification).
pub const CLOCK_SKEW: Duration = Duration::from_secs(300);
/// How long an attestation of ours is good.
pub const ATTESTATION_VALIDITY: Duration = Duration::from_secs(24 * 3600);
/// How often a session that is open is asked whether it lives.
pub const PING_INTERVAL: Duration = Duration::from_secs(30);
/// How long the answer may take.
pub const PONG_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an initiator that has said everything waits for the responder's first frame before it goes on: the reference
/// loses what comes together with AUTH_OK, so nothing may follow that before its PING.
pub const FIRST_FRAME_WAIT: Duration = Duration::from_millis(400);
/// How long the whole establishment may take, from the first byte. The reference counts anew for each message.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// The most streams that are open at once, of both sides together; the reference refuses more.
pub const STREAMS_MAX: usize = 100;
/// The longest label of a stream, bytes.
pub const LABEL_MAX: usize = 1024;
/// The most capabilities in a HELLO that are kept, and the longest: more is malformed.
pub const CAPABILITIES_MAX: usize = 64;
/// See [`CAPABILITIES_MAX`].
pub const CAPABILITY_LEN_MAX: usize = 64;
/// The longest reason that is kept from AUTH_FAIL and ERROR, bytes.
pub const REASON_MAX: usize = 1024;
/// Invite tokens, bytes (§4.2: 128 to 256 bits).
pub const TOKEN_MIN: usize = 16;
/// See [`TOKEN_MIN`].
pub const TOKEN_MAX: usize = 32;
