//! What passes through a connection, and when something last did.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// Counts of one connection, shared between its stream and those who look.
#[derive(Debug)]
pub(crate) struct Gauge {
    start: Instant,
    read: AtomicU64,
    written: AtomicU64,
    /// Milliseconds from `start` to the last byte, in either direction.
    last: AtomicU64,
}

impl Gauge {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
            last: AtomicU64::new(0),
        })
    }

    /// Bytes that were read, as they came out of the transform: encryption is not counted.
    pub(crate) fn read(&self) -> u64 {
        self.read.load(Relaxed)
    }

    /// Bytes that were written.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    fn touch(&self, counter: &AtomicU64, bytes: usize) {
        if bytes > 0 {
            counter.fetch_add(bytes as u64, Relaxed);
            let since = self.start.elapsed().as_millis();
            self.last.store(since.try_into().unwrap_or(u64::MAX), Relaxed);
        }
    }

    /// Resolves when for `limit` no byte has passed in either direction.
    ///
    /// Cancel safe.
    pub(crate) async fn idle_for(&self, limit: Duration) {
        loop {
            let last = self.start + Duration::from_millis(self.last.load(Relaxed));
            // A limit that no clock reaches is none.
            let Some(due) = last.checked_add(limit) else {
                return std::future::pending().await;
            };
            if due <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(due).await;
        }
    }
}

/// A stream whose bytes are counted.
#[derive(Debug)]
pub(crate) struct Metered<S> {
    stream: S,
    gauge: Arc<Gauge>,
}

impl<S> Metered<S> {
    pub(crate) fn new(stream: S, gauge: Arc<Gauge>) -> Self {
        Self { stream, gauge }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.gauge
            .touch(&self.gauge.read, buf.filled().len().saturating_sub(before));
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.count(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.count(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S> Metered<S> {
    fn count(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &written {
            self.gauge.touch(&self.gauge.written, *bytes);
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test(start_paused = true)]
    async fn a_byte_in_either_direction_puts_the_end_off() {
        let (near, mut far) = duplex(64);
        let gauge = Gauge::new();
        let mut near = Metered::new(near, gauge.clone());
        let limit = Duration::from_secs(10);
        let start = Instant::now();
        let idle = gauge.idle_for(limit);
        tokio::pin!(idle);
        let talk = async {
            tokio::time::sleep(Duration::from_secs(6)).await;
            near.write_all(b"abc").await.unwrap();
            tokio::time::sleep(Duration::from_secs(6)).await;
            far.write_all(b"defg").await.unwrap();
            near.read_exact(&mut [0; 4]).await.unwrap();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = &mut idle => {}
            () = talk => {}
        }
        assert_eq!(start.elapsed(), Duration::from_secs(22));
        assert_eq!((gauge.written(), gauge.read()), (3, 4));
    }
}
