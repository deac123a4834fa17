//! Streams.

use crate::{ErrorCode, StreamId};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

/// A stream of bytes in both directions.
///
/// # Writing
/// A write that returns is sealed, or waits within [`session::Config::send_stream`](crate::session::Config::send_stream);
/// `flush` returns when the socket has taken all of it. `shutdown` says that everything is written (FIN) and flushes; the other
/// direction stays open.
///
/// # Reading
/// A read gives 0 bytes only if the peer has said everything. If it broke the stream off, that is `ConnectionReset`, and the
/// [`Error`](crate::Error) within tells its code. It is also an `AsyncBufRead`, which lends out what has arrived without a copy.
///
/// The protocol has no flow control, so a stream that nobody reads makes the whole session wait once its
/// buffer is full: read, or drop it.
///
/// # Dropping
/// A stream that is dropped before it was shut down is broken off; after, what was written still leaves, and what
/// arrives is thrown away.
#[derive(Debug)]
pub struct Stream {}

impl Stream {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> StreamId {
        todo!("tokio")
    }

    /// What it is for, as whoever opened it said; may be empty.
    #[must_use]
    pub fn label(&self) -> &str {
        todo!("tokio")
    }

    /// Breaks it off in both directions and tells the peer why. What was written and has not left is dropped.
    pub fn reset(self, code: ErrorCode) {
        let _ = code;
        todo!("tokio")
    }

    /// One half to read and one to write, for two tasks. The stream lives until both are dropped; only
    /// [`shutdown`](tokio::io::AsyncWriteExt::shutdown) ends what is written.
    #[must_use]
    pub fn into_split(self) -> (StreamReader, StreamWriter) {
        todo!("tokio")
    }
}

/// The reading half of a [`Stream`].
#[derive(Debug)]
pub struct StreamReader {}

/// The writing half of a [`Stream`].
#[derive(Debug)]
pub struct StreamWriter {}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let _ = (cx, buf);
        todo!("tokio")
    }
}

impl AsyncBufRead for Stream {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let _ = cx;
        todo!("tokio")
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        let _ = amount;
        todo!("tokio")
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let _ = (cx, buf);
        todo!("tokio")
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _ = cx;
        todo!("tokio")
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _ = cx;
        todo!("tokio")
    }
}
