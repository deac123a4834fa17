//! The sending half.

use crate::{Error, MAX_RECORD, Sealer};
use bytes::{Buf, BytesMut};
use handfast_keys::StreamKey;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// Plaintext that one write seals at once, and the ciphertext that may wait for a transport that takes nothing: 64 KiB,
/// and the headers of the last write on top.
///
/// A bigger buffer makes fewer and longer system calls, a smaller one saves memory per busy connection. The limit stops
/// a peer that does not read: writes wait then.
pub const WRITE_BUFFER: usize = 64 * 1024;

/// Encrypts what is written and sends it through a transport.
///
/// `W` must be `Unpin`, as sockets and their halves are; wrap others in `Box::pin`. See [the module](super) for what
/// flush and shutdown promise, errors and cancel safety.
#[derive(Debug)]
pub struct BoxWriter<W> {
    inner: W,
    outbound: Outbound,
}

impl<W> BoxWriter<W> {
    /// Writes to `inner` with the key and first nonce of the direction from us to the peer.
    #[must_use]
    pub fn new(inner: W, encrypt: StreamKey) -> Self {
        Self::from_parts(inner, Outbound::new(encrypt))
    }

    pub(super) fn from_parts(inner: W, outbound: Outbound) -> Self {
        Self { inner, outbound }
    }

    /// The transport.
    pub fn get_ref(&self) -> &W {
        &self.inner
    }

    /// The transport, for instance to set options. What is written to it directly breaks the stream.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for BoxWriter<W> {
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

/// The sending state of a connection, apart from its transport.
pub(super) struct Outbound {
    sealer: Sealer,
    /// Records that the transport has not taken yet.
    unsent: BytesMut,
    /// An error of the transport that came too late for the write that met it, whose bytes were sealed already.
    late: Option<io::Error>,
    closing: Closing,
}

/// How far the shutdown has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    /// The goodbye is sealed and may wait in `unsent`.
    SaidGoodbye,
    Done,
}

impl Outbound {
    pub(super) fn new(encrypt: StreamKey) -> Self {
        Self {
            sealer: Sealer::new(encrypt),
            unsent: BytesMut::new(),
            late: None,
            closing: Closing::No,
        }
    }

    pub(super) fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        inner: &mut W,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.closing != Closing::No {
            return Poll::Ready(Err(Error::AfterGoodbye.into()));
        }
        let blocked = match self.poll_send(inner, cx) {
            Poll::Ready(sent) => {
                sent?;
                false
            }
            Poll::Pending => true,
        };
        let room = WRITE_BUFFER.saturating_sub(self.unsent.len());
        if room < MAX_RECORD {
            // Only a blocked transport leaves so much unsent, and it wakes this task when it takes more.
            return Poll::Pending;
        }
        let accepted = self.seal(parts, room)?;
        if !blocked {
            // These bytes are sealed and will be sent, so this write succeeds; the next call returns the error.
            if let Poll::Ready(Err(error)) = self.poll_send(inner, cx) {
                self.late = Some(error);
            }
        }
        Poll::Ready(Ok(accepted))
    }

    pub(super) fn poll_flush<W: AsyncWrite + Unpin>(
        &mut self,
        inner: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_send(inner, cx))?;
        Pin::new(inner).poll_flush(cx)
    }

    pub(super) fn poll_shutdown<W: AsyncWrite + Unpin>(
        &mut self,
        inner: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        match self.closing {
            Closing::No => {
                self.sealer.goodbye(&mut self.unsent)?;
                self.closing = Closing::SaidGoodbye;
            }
            Closing::SaidGoodbye => {}
            Closing::Done => return Poll::Ready(Ok(())),
        }
        ready!(self.poll_flush(inner, cx))?;
        ready!(Pin::new(inner).poll_shutdown(cx))?;
        self.closing = Closing::Done;
        Poll::Ready(Ok(()))
    }

    /// Seals up to `room` bytes of `parts`, in records that do not care where one part ends and the next begins.
    fn seal(&mut self, parts: &[IoSlice<'_>], room: usize) -> Result<usize, Error> {
        if let [part] = parts {
            let plain = part.get(..room).unwrap_or(part);
            self.sealer.seal(plain, &mut self.unsent)?;
            return Ok(plain.len());
        }
        let total = parts
            .iter()
            .fold(0_usize, |total, part| total.saturating_add(part.len()));
        let mut plain = BytesMut::with_capacity(total.min(room));
        for part in parts {
            let left = room.saturating_sub(plain.len());
            plain.extend_from_slice(part.get(..left).unwrap_or(part));
        }
        self.sealer.seal(&plain, &mut self.unsent)?;
        Ok(plain.len())
    }

    /// Hands all that is unsent to the transport, and then holds no memory.
    fn poll_send<W: AsyncWrite + Unpin>(&mut self, inner: &mut W, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.late.take() {
            return Poll::Ready(Err(error));
        }
        while !self.unsent.is_empty() {
            let taken = ready!(Pin::new(&mut *inner).poll_write(cx, &self.unsent))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.advance(taken);
        }
        self.unsent = BytesMut::new();
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound")
            .field("sealer", &self.sealer)
            .field("unsent", &self.unsent.len())
            .field("late", &self.late)
            .field("closing", &self.closing)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn a_writer_that_has_sent_everything_holds_nothing() {
        let mut writer = BoxWriter::new(
            Vec::new(),
            StreamKey {
                key: [1; 32],
                nonce: [2; 24],
            },
        );
        writer.write_all(&[5; 10_000]).await.unwrap();
        assert_eq!(writer.get_ref().len(), Sealer::sealed_len(10_000));
        assert_eq!(writer.outbound.unsent.capacity(), 0);
    }
}
