//! A whole connection.

use super::reader::Inbound;
use super::writer::Outbound;
use super::{BoxReader, BoxWriter};
use handfast_keys::StreamKey;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf, ReadHalf, WriteHalf};

/// An encrypted connection over a transport.
///
/// `S` must be `Unpin`, as sockets are; wrap others in `Box::pin`. See [the module](super) for an example, what flush
/// and shutdown promise, ends, errors and cancel safety.
#[derive(Debug)]
pub struct BoxStream<S> {
    inner: S,
    inbound: Inbound,
    outbound: Outbound,
}

impl<S> BoxStream<S> {
    /// Runs a connection over `inner` with the keys and first nonces of both directions: `encrypt` from us to the peer,
    /// `decrypt` from the peer to us.
    #[must_use]
    pub fn new(inner: S, encrypt: StreamKey, decrypt: StreamKey) -> Self {
        Self {
            inner,
            inbound: Inbound::new(decrypt),
            outbound: Outbound::new(encrypt),
        }
    }

    /// Takes nothing but the goodbye for a clean end, see [`Opener::strict`](crate::Opener::strict).
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.inbound.strict();
        self
    }

    /// Reads `bytes` before those of the transport: what a handshake read beyond its own last message.
    #[must_use]
    pub fn with_received(mut self, bytes: &[u8]) -> Self {
        self.inbound.received(bytes);
        self
    }

    /// The transport.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The transport, for instance to set options. What is read from or written to it directly breaks the stream.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Two halves for two tasks. `split` divides the transport: `TcpStream::into_split`, for one, which needs no lock.
    /// Nothing that is buffered is lost.
    ///
    /// The halves know nothing of each other: to close the connection, shut the writer down and read to the end.
    pub fn split_with<R, W>(self, split: impl FnOnce(S) -> (R, W)) -> (BoxReader<R>, BoxWriter<W>) {
        let (reader, writer) = split(self.inner);
        (
            BoxReader::from_parts(reader, self.inbound),
            BoxWriter::from_parts(writer, self.outbound),
        )
    }
}

impl<S: AsyncRead + AsyncWrite> BoxStream<S> {
    /// [`split_with`](Self::split_with) for any transport, by `tokio::io::split`, which puts a lock around it.
    pub fn into_split(self) -> (BoxReader<ReadHalf<S>>, BoxWriter<WriteHalf<S>>) {
        self.split_with(tokio::io::split)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for BoxStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.inbound.poll_read(&mut this.inner, cx, buf)
    }
}

impl<S: AsyncRead + Unpin> AsyncBufRead for BoxStream<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        this.inbound.poll_fill_buf(&mut this.inner, cx)
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        self.get_mut().inbound.consume(amount);
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for BoxStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.outbound.poll_write(&mut this.inner, cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.outbound.poll_write(&mut this.inner, cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.outbound.poll_flush(&mut this.inner, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.outbound.poll_shutdown(&mut this.inner, cx)
    }
}
