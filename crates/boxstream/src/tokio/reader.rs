//! The receiving half.

use crate::opener::Step;
use crate::{Opener, TAG_LEN};
use bytes::{Buf, BytesMut};
use handfast_keys::StreamKey;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt, ReadBuf};

/// Most bytes that are asked of the transport at once, and the most ciphertext and plaintext that a reader holds: 64 KiB.
///
/// A bigger buffer saves system calls on a fast link, a smaller one saves memory per busy connection. The limit stops a
/// peer that sends faster than anybody reads: TCP holds it back then.
pub const READ_BUFFER: usize = 64 * 1024;

/// Bytes that are asked of the transport at first: 1 KiB, which holds a short message, and which allocators hand out and
/// take back in no time. A read that fills what it was given makes the next one [`READ_STEP`] times as long.
const READ_LEAST: usize = 1024;
const READ_STEP: usize = 4;

/// Decrypts what a transport delivers.
///
/// `R` must be `Unpin`, as sockets and their halves are; wrap others in `Box::pin`. See [the module](super) for ends,
/// errors and cancel safety.
#[derive(Debug)]
pub struct BoxReader<R> {
    inner: R,
    inbound: Inbound,
}

impl<R> BoxReader<R> {
    /// Reads `inner` with the key and first nonce of the direction from the peer to us.
    #[must_use]
    pub fn new(inner: R, decrypt: StreamKey) -> Self {
        Self::from_parts(inner, Inbound::new(decrypt))
    }

    pub(super) fn from_parts(inner: R, inbound: Inbound) -> Self {
        Self { inner, inbound }
    }

    /// Takes nothing but the goodbye for a clean end, see [`Opener::strict`].
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
    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    /// The transport, for instance to set options. What is read from it directly is missing in the stream, which then
    /// fails to authenticate.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.inner
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for BoxReader<R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.inbound.poll_read(&mut this.inner, cx, buf)
    }
}

impl<R: AsyncRead + Unpin> AsyncBufRead for BoxReader<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        this.inbound.poll_fill_buf(&mut this.inner, cx)
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        self.get_mut().inbound.consume(amount);
    }
}

/// The receiving state of a connection, apart from its transport.
pub(super) struct Inbound {
    opener: Opener,
    /// Plaintext that nobody has read yet, then [`TAG_LEN`] spent bytes if there is such plaintext, then ciphertext.
    buf: BytesMut,
    /// Bytes of plaintext at the front of `buf`.
    plain: usize,
    /// Bytes to ask of the transport next, between [`READ_LEAST`] and [`READ_BUFFER`].
    read_size: usize,
}

impl Inbound {
    pub(super) fn new(decrypt: StreamKey) -> Self {
        Self {
            opener: Opener::new(decrypt),
            buf: BytesMut::new(),
            plain: 0,
            read_size: READ_LEAST,
        }
    }

    pub(super) fn strict(&mut self) {
        self.opener.set_strict();
    }

    pub(super) fn received(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    pub(super) fn poll_read<R: AsyncRead + Unpin>(
        &mut self,
        inner: &mut R,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_plain(inner, cx))?;
        // All records that are here and fit go out in this call. An error among them waits for the next call: the
        // opener returns it again.
        while self.plain > 0 {
            let amount = self.plain.min(buf.remaining());
            buf.put_slice(self.buf.get(..amount).unwrap_or_default());
            self.consume(amount);
            if buf.remaining() == 0 || !matches!(self.open_next(), Ok(Found::Plain)) {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_fill_buf<R: AsyncRead + Unpin>(
        &mut self,
        inner: &mut R,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<&[u8]>> {
        ready!(self.poll_plain(inner, cx))?;
        Poll::Ready(Ok(self.buf.get(..self.plain).unwrap_or_default()))
    }

    pub(super) fn consume(&mut self, amount: usize) {
        let amount = amount.min(self.plain);
        self.buf.advance(amount);
        self.plain -= amount;
        if amount > 0 && self.plain == 0 {
            self.buf.advance(TAG_LEN);
        }
    }

    /// Makes plaintext available; at the end of the stream there is none.
    fn poll_plain<R: AsyncRead + Unpin>(&mut self, inner: &mut R, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.open_next()? {
                Found::Plain => return Poll::Ready(Ok(())),
                Found::End => {
                    self.buf = BytesMut::new();
                    return Poll::Ready(Ok(()));
                }
                Found::Missing => ready!(self.poll_receive(inner, cx))?,
            }
        }
    }

    /// Opens the next record that is not empty, unless plaintext is left. Never touches the transport.
    fn open_next(&mut self) -> Result<Found, crate::Error> {
        while self.plain == 0 {
            match self.opener.step(&mut self.buf)? {
                // An empty record must not reach the caller, for whom a read of nothing is the end of the stream.
                Step::Record(0) => self.buf.advance(TAG_LEN),
                Step::Record(len) => self.plain = len,
                Step::NeedMore(_) => return Ok(Found::Missing),
                Step::Goodbye => return Ok(Found::End),
            }
        }
        Ok(Found::Plain)
    }

    /// Receives once, or learns that the transport has ended.
    fn poll_receive<R: AsyncRead + Unpin>(&mut self, inner: &mut R, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let before = self.buf.len();
        // Less than a record is left here, so there is always room for more.
        let wanted = self.read_size.min(READ_BUFFER.saturating_sub(before));
        if !self.buf.try_reclaim(wanted) {
            // Growing in place might double what is there; this holds what it may and no more.
            let mut grown = BytesMut::with_capacity(before + wanted);
            grown.extend_from_slice(&self.buf);
            self.buf = grown;
        }
        let room = self.buf.capacity() - before;
        // This future keeps nothing between polls, so it can be made anew for each.
        match pin!(inner.read_buf(&mut self.buf)).poll(cx) {
            Poll::Ready(Ok(0)) => Poll::Ready(self.opener.end(&self.buf).map_err(io::Error::from)),
            Poll::Ready(Ok(count)) => {
                if count == room {
                    self.read_size = (self.read_size * READ_STEP).min(READ_BUFFER);
                } else if count < self.read_size / (2 * READ_STEP) {
                    // What comes would fit the next smaller size with room to spare.
                    self.read_size = (self.read_size / READ_STEP).max(READ_LEAST);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                // Whoever waits holds only what has arrived: nothing when idle, and a peer that sends a part of a record
                // and stops does not pin a whole buffer.
                self.buf = if self.buf.is_empty() {
                    BytesMut::new()
                } else {
                    BytesMut::from(self.buf.as_ref())
                };
                Poll::Pending
            }
        }
    }
}

enum Found {
    Plain,
    Missing,
    End,
}

/// Shows how much is buffered, never what.
impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound")
            .field("opener", &self.opener)
            .field("buffered", &self.buf.len())
            .field("plain", &self.plain)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sealer;
    use tokio::io::{AsyncWriteExt, duplex};

    fn key() -> StreamKey {
        StreamKey {
            key: [1; 32],
            nonce: [2; 24],
        }
    }

    /// Polls once for plaintext, and says whether there is some.
    fn poll(reader: &mut BoxReader<tokio::io::DuplexStream>) -> bool {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        Pin::new(reader).poll_fill_buf(&mut cx).is_ready()
    }

    #[tokio::test]
    async fn a_reader_that_waits_holds_only_what_has_arrived() {
        let (mut far, near) = duplex(READ_BUFFER);
        let mut reader = BoxReader::new(near, key());
        assert!(!poll(&mut reader));
        assert_eq!(reader.inbound.buf.capacity(), 0, "nothing has arrived");

        let mut wire = BytesMut::new();
        Sealer::new(key()).seal(&[5; 5000], &mut wire).unwrap();
        far.write_all(&wire[..5000]).await.unwrap();
        assert!(poll(&mut reader), "the first record is whole");
        Pin::new(&mut reader).consume(usize::MAX);
        assert!(!poll(&mut reader), "the second is not");
        assert_eq!(reader.inbound.buf.capacity(), 5000 - 4130);

        far.write_all(&wire[5000..]).await.unwrap();
        assert!(poll(&mut reader));
        Pin::new(&mut reader).consume(usize::MAX);
        assert!(!poll(&mut reader));
        assert_eq!(reader.inbound.buf.capacity(), 0, "everything is read");
    }

    /// Always has more, except every time it has just delivered all of `burst`, and notes how much it is asked for.
    struct Bursts {
        wire: BytesMut,
        burst: usize,
        asked: Vec<usize>,
    }

    impl AsyncRead for Bursts {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            if self.burst == 0 {
                return Poll::Pending;
            }
            self.asked.push(buf.remaining());
            let amount = self.burst.min(buf.remaining());
            buf.put_slice(&self.wire.split_to(amount));
            self.burst -= amount;
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn a_reader_asks_for_much_only_where_much_comes() {
        let mut wire = BytesMut::new();
        let mut sealer = Sealer::new(key());
        let mut message = |len: usize| {
            let start = wire.len();
            sealer.seal(&vec![5; len], &mut wire).unwrap();
            wire.len() - start
        };
        let bursts = [100, 100, 200_000, 200_000, 100, 100, 100, 100].map(&mut message);
        let mut inner = Bursts {
            wire,
            burst: 0,
            asked: Vec::new(),
        };
        let mut inbound = Inbound::new(key());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let asked = bursts.map(|burst| {
            inner.burst = burst;
            inner.asked.clear();
            while inbound.poll_fill_buf(&mut inner, &mut cx).is_ready() {
                assert!(inbound.buf.capacity() <= READ_BUFFER);
                inbound.consume(usize::MAX);
            }
            inner.asked.clone()
        });
        assert_eq!(asked[0], [READ_LEAST]);
        assert_eq!(asked[1], [READ_LEAST]);
        assert!(asked[3].len() < asked[2].len(), "the reader has learnt what comes");
        assert_eq!(asked[7], [READ_LEAST], "and forgets it again");
    }

    #[tokio::test]
    async fn a_slow_caller_does_not_let_the_buffer_grow() {
        let (mut far, near) = duplex(4 * READ_BUFFER);
        let mut reader = BoxReader::new(near, key());
        let mut wire = BytesMut::new();
        Sealer::new(key()).seal(&vec![5; 3 * READ_BUFFER], &mut wire).unwrap();
        far.write_all(&wire).await.unwrap();
        let mut read = 0;
        while poll(&mut reader) {
            assert!(reader.inbound.buf.capacity() <= READ_BUFFER);
            Pin::new(&mut reader).consume(100);
            read += 100;
        }
        assert!(read >= 3 * READ_BUFFER);
    }
}
