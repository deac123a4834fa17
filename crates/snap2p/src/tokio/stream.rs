//! Streams.

use super::{Session, link::Link};
use crate::{Error, ErrorCode, StreamId, session::Read};
use bytes::{Buf, Bytes};
use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

/// How much one read takes out of the session, to be handed on in whatever portions the application asks for: a frame of the
/// usual size. It counts as read, so a stream holds this much besides its buffer.
const CHUNK: usize = crate::limits::DATA_MAX;

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
pub struct Stream {
    reader: StreamReader,
    writer: StreamWriter,
}

/// What the halves of a stream share. The session is done with the stream once both are dropped.
struct Shared {
    session: Session,
    id: StreamId,
    label: Box<str>,
}

impl Shared {
    fn link(&self) -> &Link {
        self.session.link()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.link().with(|state| state.release(self.id));
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("id", &self.id.0)
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

impl Stream {
    pub(super) fn new(session: &Session, id: StreamId, label: String) -> Self {
        session.link().with(|state| state.hold(id));
        let shared = Arc::new(Shared {
            session: session.clone(),
            id,
            label: label.into(),
        });
        Self {
            reader: StreamReader {
                shared: Arc::clone(&shared),
                chunk: Bytes::new(),
                is_over: false,
            },
            writer: StreamWriter {
                shared,
                is_finished: false,
            },
        }
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> StreamId {
        self.reader.shared.id
    }

    /// What it is for, as whoever opened it said; may be empty.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.reader.shared.label
    }

    /// The session that it belongs to.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.reader.shared.session
    }

    /// Breaks it off in both directions and tells the peer why. What was written and has not left is dropped.
    pub fn reset(self, code: ErrorCode) {
        let shared = &self.reader.shared;
        shared.link().with(|state| state.machine.reset(shared.id, code));
    }

    /// One half to read and one to write, for two tasks. The stream lives until both are dropped; only
    /// [`shutdown`](tokio::io::AsyncWriteExt::shutdown) ends what is written.
    #[must_use]
    pub fn into_split(self) -> (StreamReader, StreamWriter) {
        (self.reader, self.writer)
    }
}

/// The reading half of a [`Stream`].
#[derive(Debug)]
pub struct StreamReader {
    shared: Arc<Shared>,
    /// What was taken out of the session and not read yet.
    chunk: Bytes,
    /// Whether the peer has said everything.
    is_over: bool,
}

impl StreamReader {
    /// Fetches what has arrived, unless something is left; nothing is left once the peer has said everything.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_over || !self.chunk.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let id = self.shared.id;
        let read = self.shared.link().with(|state| {
            let read = state.machine.read(id, CHUNK);
            match (&read, state.reason()) {
                (Ok(Read::Nothing) | Err(Error::Closed(_)), Some(reason)) => {
                    let reason = Arc::clone(reason);
                    Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, reason)))
                }
                (Ok(Read::Nothing), None) => {
                    state.wait_to_read(id, cx);
                    Poll::Pending
                }
                _ => Poll::Ready(Ok(read)),
            }
        });
        match ready!(read)? {
            Ok(Read::Data(chunk)) => self.chunk = chunk,
            Ok(Read::End) => self.is_over = true,
            Ok(Read::Reset(code)) => return Poll::Ready(Err(broken_off(Error::Stream(code)))),
            Ok(Read::Nothing) => return Poll::Pending,
            Err(error) => return Poll::Ready(Err(broken_off(error))),
        }
        Poll::Ready(Ok(()))
    }
}

fn broken_off(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}

/// The writing half of a [`Stream`].
#[derive(Debug)]
pub struct StreamWriter {
    shared: Arc<Shared>,
    /// Whether it was said that everything is written.
    is_finished: bool,
}

impl AsyncRead for StreamReader {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        ready!(this.poll_fill(cx))?;
        let count = buf.remaining().min(this.chunk.len());
        buf.put_slice(this.chunk.get(..count).unwrap_or_default());
        this.chunk.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for StreamReader {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.poll_fill(cx))?;
        Poll::Ready(Ok(&this.chunk))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        let chunk = &mut self.get_mut().chunk;
        chunk.advance(amount.min(chunk.len()));
    }
}

impl AsyncWrite for StreamWriter {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let id = self.shared.id;
        let written = self.shared.link().with(|state| match state.over() {
            Some(error) => Poll::Ready(Err(error)),
            None => state.poll_write(id, buf, cx),
        });
        written.map_err(|error| io::Error::new(io::ErrorKind::BrokenPipe, error))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let id = self.shared.id;
        self.shared.link().with(|state| match state.reason() {
            Some(reason) => Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, Arc::clone(reason)))),
            None => state
                .poll_flush(id, cx)
                .map_err(|error| io::Error::new(io::ErrorKind::BrokenPipe, error)),
        })
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_finished {
            let id = self.shared.id;
            let finished = self.shared.link().with(|state| match state.over() {
                Some(error) => Err(error),
                None => state.machine.finish(id),
            });
            match finished {
                // The peer is done with the stream and has let go of it, and all that it gets is that we have no more to say.
                Ok(()) | Err(Error::Stream(ErrorCode::StreamClosed)) => {}
                Err(error) => return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, error))),
            }
            // The stream may come to its end before this is polled again, and would then take no FIN.
            self.is_finished = true;
        }
        self.poll_flush(cx)
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(cx, buf)
    }
}

impl AsyncBufRead for Stream {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut self.get_mut().reader).poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        Pin::new(&mut self.reader).consume(amount);
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_shutdown(cx)
    }
}
