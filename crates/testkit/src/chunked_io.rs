//! A byte stream that delivers and accepts as little as it likes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Wraps a byte stream and cuts what goes through it into chunks of random size, with a `Pending` in between now and
/// then. Everything follows from the seed, so a failing test needs only print that.
///
/// A `Pending` of its own wakes the task at once: the wrapped code is polled again, as after a spurious wake-up. Flush
/// and shutdown hesitate too.
///
/// ```
/// use testkit::ChunkedIo;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let (near, mut far) = tokio::io::duplex(64);
/// let mut near = ChunkedIo::new(near, 7).max_chunk(3);
/// far.write_all(b"kia ora").await.unwrap();
/// let mut some = [0; 7];
/// assert!(near.read(&mut some).await.unwrap() <= 3);
/// # }
/// ```
#[derive(Debug)]
pub struct ChunkedIo<S> {
    inner: S,
    state: u64,
    max_chunk: usize,
}

impl<S> ChunkedIo<S> {
    /// Cuts `inner` into chunks of 1 to 64 bytes.
    pub fn new(inner: S, seed: u64) -> Self {
        Self {
            inner,
            state: seed,
            max_chunk: 64,
        }
    }

    /// Cuts into chunks of 1 to `max_chunk` bytes.
    ///
    /// # Panics
    /// If `max_chunk` is zero.
    #[must_use]
    pub fn max_chunk(mut self, max_chunk: usize) -> Self {
        assert!(max_chunk > 0, "a chunk has at least one byte");
        self.max_chunk = max_chunk;
        self
    }

    /// The size of the next chunk, or none for a `Pending`, whose wake-up is then arranged.
    fn next_chunk(&mut self, cx: &mut Context<'_>) -> Option<usize> {
        let random = self.random();
        if random.is_multiple_of(3) {
            cx.waker().wake_by_ref();
            return None;
        }
        Some(1 + (random >> 32) as usize % self.max_chunk)
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ChunkedIo<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(chunk) = self.next_chunk(cx) else {
            return Poll::Pending;
        };
        let mut bytes = vec![0; chunk.min(buf.remaining())];
        let mut part = ReadBuf::new(&mut bytes);
        let polled = Pin::new(&mut self.inner).poll_read(cx, &mut part);
        buf.put_slice(part.filled());
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ChunkedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Some(chunk) = self.next_chunk(cx) else {
            return Poll::Pending;
        };
        Pin::new(&mut self.inner).poll_write(cx, &buf[..chunk.min(buf.len())])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.next_chunk(cx).is_none() {
            return Poll::Pending;
        }
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.next_chunk(cx).is_none() {
            return Poll::Pending;
        }
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
