//! The receiving direction.

use crate::crypto::{Dryoc, SecretBox};
use crate::nonce::Nonces;
use crate::{Cut, Error, HEADER_LEN, Header, MAX_RECORD, TAG_LEN};
use bytes::{Buf, BytesMut};
use handfast_keys::StreamKey;
use std::marker::PhantomData;

/// What muxrpc says before it closes: a frame header of nine zero bytes, in a record of its own.
const MUXRPC_GOODBYE: &[u8] = &[0; 9];

/// Turns received bytes back into plaintext: the receiving direction of a stream.
///
/// Append what the transport delivers to a buffer and call [`open`](Self::open) until it says
/// [`NeedMore`](Opened::NeedMore); tell it with [`end`](Self::end) when the transport delivers no more.
///
/// # How a stream ends
/// With the goodbye, which says that nothing is missing. A transport that ends without it truncates the stream, and
/// [`end`](Self::end) is an error, with one exception: JavaScript muxrpc peers close by sending muxrpc's own goodbye,
/// nine zero bytes in a record of their own, and then drop the socket without a goodbye of the Box Stream. When that
/// is the last record and the transport ends right behind it, the end is clean. Nothing is lost by the exception
/// under muxrpc, where no data may follow those nine bytes. In a stream that carries something else they may be data,
/// and whoever can cut the connection could make a truncated stream look whole: call [`strict`](Self::strict) there.
///
/// An opener that has failed returns the same error from every later call. `C` is the cipher; the default is that of the
/// protocol, and there is no other outside of tests.
pub struct Opener<C = Dryoc> {
    key: StreamKey,
    nonces: Nonces,
    state: State,
    /// Whether only the goodbye is a clean end.
    strict: bool,
    /// Whether the last record was muxrpc's goodbye.
    muxrpc_goodbye: bool,
    cipher: PhantomData<C>,
}

enum State {
    /// A sealed header comes next.
    Header,
    /// This header is open, but still stands sealed in the caller's buffer, and its body follows.
    Body(Header),
    /// The stream has ended as it should.
    Ended,
    Failed(Error),
}

/// What [`Opener::open`] found at the front of the buffer.
#[derive(Clone, PartialEq, Eq)]
pub enum Opened {
    /// The plaintext of a record, 0 to [`MAX_RECORD`] bytes, taken out of the buffer. Writers do not send empty
    /// records, but an authentic one is accepted, as JavaScript peers accept it, and means nothing.
    ///
    /// It shares memory with the buffer, which the allocator gets back when both are gone: copy what is to be kept
    /// for long.
    Record(BytesMut),
    /// There is no whole record yet. At least this many bytes are missing, 1 to [`MAX_RECORD`].
    NeedMore(usize),
    /// The peer has said goodbye: the data is complete. What followed it in the buffer is thrown away.
    Goodbye,
}

/// What [`Opener::step`] found; the buffer still holds the record.
pub(crate) enum Step {
    /// The buffer begins with this many bytes of plaintext; [`TAG_LEN`] bytes that mean nothing follow them.
    Record(usize),
    NeedMore(usize),
    Goodbye,
}

impl Opener {
    /// Starts a direction with the key and first nonce that a handshake gave it.
    #[must_use]
    pub fn new(key: StreamKey) -> Self {
        Self::with_cipher(key)
    }
}

impl<C: SecretBox> Opener<C> {
    pub(crate) fn with_cipher(key: StreamKey) -> Self {
        let nonces = Nonces::new(key.nonce);
        Self {
            key,
            nonces,
            state: State::Header,
            strict: false,
            muxrpc_goodbye: false,
            cipher: PhantomData,
        }
    }

    /// Takes nothing but the goodbye for a clean end: for streams that do not carry muxrpc, see [above](Self#how-a-stream-ends).
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.set_strict();
        self
    }

    pub(crate) fn set_strict(&mut self) {
        self.strict = true;
    }

    /// Opens the record at the front of `buf`, in place, and takes it out.
    ///
    /// Between calls `buf` may only be appended to. Its bytes up to the end of the first record belong to the opener.
    ///
    /// # Errors
    /// [`Error::ForgedHeader`] and [`Error::ForgedBody`] when something does not authenticate,
    /// [`Error::RecordTooLong`] when the peer announces more than [`MAX_RECORD`] bytes (JavaScript readers let that
    /// pass, but no known writer does it, and the limit bounds what a peer makes us buffer). Plaintext is never handed
    /// out before it is authenticated.
    pub fn open(&mut self, buf: &mut BytesMut) -> Result<Opened, Error> {
        Ok(match self.step(buf)? {
            Step::Record(len) => {
                let mut record = buf.split_to(len + TAG_LEN);
                record.truncate(len);
                Opened::Record(record)
            }
            Step::NeedMore(missing) => Opened::NeedMore(missing),
            Step::Goodbye => Opened::Goodbye,
        })
    }

    /// Tells that the transport has ended with `rest` in the buffer, after [`open`](Self::open) asked for more.
    ///
    /// # Errors
    /// [`Error::Truncated`] if this is not a clean end, see [above](Self#how-a-stream-ends); the earlier error if
    /// the opener has failed before.
    pub fn end(&mut self, rest: &[u8]) -> Result<(), Error> {
        let cut = match self.state {
            State::Ended => return Ok(()),
            State::Failed(error) => return Err(error),
            State::Header if rest.is_empty() => Cut::BetweenRecords,
            State::Header | State::Body(_) => Cut::InsideRecord,
        };
        if cut == Cut::BetweenRecords && self.muxrpc_goodbye && !self.strict {
            self.state = State::Ended;
            return Ok(());
        }
        Err(self.fail(Error::Truncated { cut }))
    }

    /// [`open`](Self::open), but leaves the record in the buffer.
    pub(crate) fn step(&mut self, buf: &mut BytesMut) -> Result<Step, Error> {
        self.try_step(buf).map_err(|error| self.fail(error))
    }

    fn try_step(&mut self, buf: &mut BytesMut) -> Result<Step, Error> {
        let header = match self.state {
            State::Header => {
                let Some(sealed) = buf.first_chunk::<HEADER_LEN>() else {
                    return Ok(Step::NeedMore(HEADER_LEN - buf.len()));
                };
                let header = self.open_header(*sealed)?;
                if header.is_goodbye() {
                    self.state = State::Ended;
                    buf.clear();
                    return Ok(Step::Goodbye);
                }
                if usize::from(header.body_len) > MAX_RECORD {
                    return Err(Error::RecordTooLong { len: header.body_len });
                }
                self.state = State::Body(header);
                header
            }
            State::Body(header) => header,
            State::Ended => {
                buf.clear();
                return Ok(Step::Goodbye);
            }
            State::Failed(error) => return Err(error),
        };
        let len = usize::from(header.body_len);
        let whole = HEADER_LEN + len;
        let Some(record) = buf.get_mut(..whole) else {
            return Ok(Step::NeedMore(whole - buf.len()));
        };
        // The header is spent, so the body's tag goes where the header ends: the box then lies there as the cipher
        // wants it, tag before ciphertext, and no body is moved to make room.
        let boxed = record.get_mut(HEADER_LEN - TAG_LEN..).unwrap_or_default();
        if let Some(tag) = boxed.first_chunk_mut::<TAG_LEN>() {
            *tag = header.body_tag;
        }
        if !C::open(boxed, &self.nonces.take()?, &self.key.key) {
            return Err(Error::ForgedBody);
        }
        self.muxrpc_goodbye = boxed.get(..len) == Some(MUXRPC_GOODBYE);
        self.state = State::Header;
        buf.advance(HEADER_LEN - TAG_LEN);
        Ok(Step::Record(len))
    }

    fn open_header(&mut self, mut sealed: [u8; HEADER_LEN]) -> Result<Header, Error> {
        if !C::open(&mut sealed, &self.nonces.take()?, &self.key.key) {
            return Err(Error::ForgedHeader);
        }
        sealed.first_chunk().map(Header::from_bytes).ok_or(Error::ForgedHeader)
    }

    fn fail(&mut self, error: Error) -> Error {
        self.state = State::Failed(error);
        error
    }
}

impl<C> std::fmt::Debug for Opener<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match self.state {
            State::Header => "before a record",
            State::Body(_) => "inside a record",
            State::Ended => "ended",
            State::Failed(_) => "failed",
        };
        f.debug_struct("Opener")
            .field("state", &state)
            .field("strict", &self.strict)
            .finish_non_exhaustive()
    }
}

/// Shows how much was opened, never what.
impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Record(record) => write!(f, "Record({} bytes)", record.len()),
            Self::NeedMore(missing) => write!(f, "NeedMore({missing})"),
            Self::Goodbye => f.write_str("Goodbye"),
        }
    }
}
