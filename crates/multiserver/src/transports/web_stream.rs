//! A WebSocket as a stream of bytes.

use bytes::{Buf as _, Bytes};
use futures_util::{Sink as _, Stream as _};
use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error as WsError, Message, error::ProtocolError, protocol::WebSocketConfig},
};

/// The longest message that is received, in bytes, whole or in fragments. A message is held in memory until it is whole,
/// for strangers too, whose handshake comes later. Peers send one message for each record of 4 KiB; without encryption
/// (`noauth`) one for each piece that the layer above writes.
pub const MAX_MESSAGE: usize = 128 * 1024;
/// The longest message that is sent, in bytes. Longer writes become several.
const SENT_MESSAGE: usize = 64 * 1024;
/// Allocated at once for each connection, so small: many connections are idle.
const READ_BUFFER: usize = 4 * 1024;

/// The bounds of a connection.
pub(super) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        // Each message is written at once; the layer above collects.
        .write_buffer_size(0)
        // One message is sent at a time, and what answers pings is small.
        .max_write_buffer_size(4 * SENT_MESSAGE)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}

/// The bytes of all binary messages in a row. Text is an error, as nothing of this kind sends any. Closing is for both
/// directions at once, as WebSockets have it.
pub(super) struct WebStream<S> {
    socket: WebSocketStream<S>,
    /// What is left of the last message.
    left: Bytes,
}

impl<S> WebStream<S> {
    pub(super) fn new(socket: WebSocketStream<S>) -> Self {
        Self {
            socket,
            left: Bytes::new(),
        }
    }
}

impl<S> fmt::Debug for WebStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebStream").finish_non_exhaustive()
    }
}

fn failed(error: WsError) -> io::Error {
    match error {
        WsError::Io(error) => error,
        WsError::ConnectionClosed | WsError::AlreadyClosed => io::ErrorKind::BrokenPipe.into(),
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}

/// Whether the stream has ended: by a close message, or because the other end is gone. Telling a whole stream from a cut
/// one is up to the layer above, over TCP as here.
fn is_end(error: &WsError) -> bool {
    match error {
        WsError::ConnectionClosed | WsError::AlreadyClosed => true,
        WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => true,
        // What TLS says to a connection that ends without its own goodbye.
        WsError::Io(error) => error.kind() == io::ErrorKind::UnexpectedEof,
        _ => false,
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.left.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                None | Some(Ok(Message::Close(_))) => return Poll::Ready(Ok(())),
                Some(Err(error)) if is_end(&error) => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(failed(error))),
                Some(Ok(Message::Binary(bytes))) => self.left = bytes,
                Some(Ok(Message::Text(_))) => {
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "the peer sent text where bytes were expected",
                    )));
                }
                // Answered below us.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            }
        }
        let length = self.left.len().min(buf.remaining());
        buf.put_slice(self.left.get(..length).unwrap_or_default());
        self.left.advance(length);
        if self.left.is_empty() {
            // The message is given back as soon as it is read.
            self.left = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebStream<S> {
    fn send(&mut self, message: Bytes) -> Poll<io::Result<usize>> {
        let length = message.len();
        let sent = Pin::new(&mut self.socket).start_send(Message::Binary(message));
        Poll::Ready(sent.map(|()| length).map_err(failed))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(failed)?;
        let piece = buf.get(..SENT_MESSAGE).unwrap_or(buf);
        self.send(Bytes::copy_from_slice(piece))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let whole: usize = bufs.iter().map(|buf| buf.len()).sum();
        if whole == 0 {
            return Poll::Ready(Ok(0));
        }
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(failed)?;
        let mut message = Vec::with_capacity(whole.min(SENT_MESSAGE));
        for buf in bufs {
            let room = SENT_MESSAGE - message.len();
            message.extend_from_slice(buf.get(..room).unwrap_or(buf));
        }
        self.send(message.into())
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(failed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.socket).poll_close(cx)) {
            Err(error) if !is_end(&error) => Poll::Ready(Err(failed(error))),
            _ => Poll::Ready(Ok(())),
        }
    }
}
