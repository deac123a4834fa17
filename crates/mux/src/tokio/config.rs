//! What a connection may hold and how long it waits.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use handfast_keys::PublicKey;

use super::Observer;
use crate::{Limits, Permissions};

/// Settings of one connection. Start from [`Config::default`] and change fields.
///
/// ```
/// use handfast_mux::{Permissions, tokio::Config};
///
/// let mut config = Config::default();
/// config.permissions = Some(Permissions::all().allow(["manifest", "blobs"])?);
/// # Ok::<(), handfast_mux::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Who is at the other end, as the handshake proved it; handlers see it as [`Context::peer`](super::Context::peer).
    pub peer: Option<PublicKey>,
    /// What the peer may call; `None` leaves the question to the service. Checked before the method is looked up.
    pub permissions: Option<Permissions>,
    /// Something of the application's that handlers find with [`Context::extension`](super::Context::extension): what it
    /// knows of this connection.
    pub extension: Option<Arc<dyn Any + Send + Sync>>,
    /// Who is told of the peer's requests.
    pub observer: Option<Arc<dyn Observer>>,
    /// Limits of the protocol machine: body length, open calls and streams.
    pub limits: Limits,
    /// Bytes of output that may wait before senders wait and sources are not polled, 64 KiB by default: once for calls and
    /// items of this end, once for answers and items that it serves. More gives larger writes and costs memory while the
    /// peer is slow: at most about four times this and the bodies being sent. Refusals and ends of streams do not wait; when
    /// as many of these wait as this or, if that is more, [`Limits::max_body`], the peer is not listened to any longer.
    pub output_buffer: usize,
    /// Bytes of items that may wait for the reader of one stream, 128 KiB by default; each item counts 64 bytes more than
    /// its body. Stops a peer from filling the memory through a stream that nobody reads. A reader takes all that waits at
    /// once, so twice this can be held, and the last item may be as long as [`Limits::max_body`].
    ///
    /// While a call of this end waits for its answer, which the peer sends behind the items, a stream may fill the buffer of
    /// all streams instead: its reader may be the one that waits.
    pub stream_buffer: usize,
    /// Bytes of items that may wait for the readers of all streams together, 8 MiB by default. Stops a peer from doing with
    /// thousands of streams what `stream_buffer` keeps it from doing with one.
    pub connection_buffer: usize,
    /// What happens when a buffer for items is full.
    pub overflow: Overflow,
    /// Handlers of calls with one answer that run at a time, 512 by default; more calls wait. None starts while earlier
    /// answers fill the output, and a handler that has finished counts until there is room for its answer: a peer that does
    /// not read can make at most this many answers wait, if all were started before the first was ready. Lower it where
    /// answers are long. Streams are not counted here, see [`Limits::max_streams`].
    pub max_running_calls: usize,
    /// Bytes of the arguments of the peer's requests, calls and streams, that run or wait for their turn, 8 MiB by default;
    /// a request beyond that is answered with `too many concurrent requests`. Stops a peer from filling the memory with long
    /// arguments. How many requests there may be, [`Limits::max_requests`] and [`Limits::max_streams`] say.
    pub max_args_bytes: usize,
    /// How long a handler of a call with one answer may take, unlimited by default. Then it is dropped and the call is
    /// answered with `deadline exceeded`.
    pub handler_timeout: Option<Duration>,
    /// How long a call of this end waits for its answer, unlimited by default: some methods answer only when something
    /// happens. [`Peer::with_timeout`](super::Peer::with_timeout) sets it for some calls only.
    pub call_timeout: Option<Duration>,
    /// How long the handler of a duplex may go on sending after the caller has ended its side, 10 seconds by default.
    /// JavaScript peers end both halves at once; this leaves time for the last answers.
    pub half_close_timeout: Duration,
    /// How long a graceful close waits for open work, and how long any close waits for the peer's goodbye, 10 seconds by
    /// default.
    pub close_timeout: Duration,
    /// How long the peer may take no byte while output waits, 60 seconds by default; then the connection is cut. Stops a
    /// peer that never reads from holding handlers and buffers. What counts is what the stream beneath takes, and one with a
    /// buffer of its own may take much at a time: a Box Stream 64 KiB, so below about 1 KiB a second raise this.
    pub write_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            peer: None,
            permissions: None,
            extension: None,
            observer: None,
            limits: Limits::default(),
            output_buffer: 64 * 1024,
            stream_buffer: 128 * 1024,
            connection_buffer: 8 * 1024 * 1024,
            overflow: Overflow::default(),
            max_running_calls: 512,
            max_args_bytes: 8 * 1024 * 1024,
            handler_timeout: None,
            call_timeout: None,
            half_close_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(60),
        }
    }
}

/// What happens when items arrive faster than they are read and a buffer is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// Stop reading the socket, which slows the peer and every other stream of the connection down, because muxrpc has no
    /// flow control of its own. If it lasts, the stream that holds most is ended with an error, so that the others live.
    ///
    /// A reader that pauses its own stream to read another one of the same peer to its end may thus wait for itself: give it
    /// a `stream_buffer` that holds the rest of the first one, or read both at once.
    Pause {
        /// How long the socket may go unread because of one stream.
        at_most: Duration,
    },
    /// End the stream with an error at once: other streams never wait for a slow reader.
    EndStream,
}

impl Default for Overflow {
    /// Pause for at most 30 seconds.
    fn default() -> Self {
        Self::Pause {
            at_most: Duration::from_secs(30),
        }
    }
}
