//! A TCP socket tuned for calls: nothing waits to be sent, and acknowledgements do not wait either.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A [`TcpStream`] that acknowledges at once what it receives.
///
/// JavaScript peers write one frame as several small segments and do not switch off Nagle's algorithm, so their second
/// segment waits for our acknowledgement of the first, which the system delays by 40 ms. Linux forgets the wish for
/// quick acknowledgements, so it is renewed with each read. Elsewhere this is a plain socket.
#[derive(Debug)]
pub(crate) struct Socket(TcpStream);

impl Socket {
    /// Tunes a connected socket.
    pub(crate) fn new(tcp: TcpStream) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        let socket = Self(tcp);
        socket.acknowledge_quickly();
        Ok(socket)
    }

    fn acknowledge_quickly(&self) {
        // Failure costs speed, nothing else.
        #[cfg(target_os = "linux")]
        let _ = self.0.set_quickack(true);
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(cx, buf);
        if read.is_ready() {
            self.acknowledge_quickly();
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
