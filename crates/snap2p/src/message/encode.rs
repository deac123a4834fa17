//! Messages to bytes: definite lengths, shortest integers, keys in the order of their text, as the reference writes them.

use super::{AuthOk, Failure, Hello, Message, Ping, StreamId, kind};
use bytes::{BufMut, BytesMut};
use minicbor::encode::{Encoder, Error, Write};
use std::convert::Infallible;

/// The version in HELLO.
pub(super) const VERSION: u64 = 1;

impl Message {
    /// Appends the message's CBOR.
    pub fn encode(&self, out: &mut BytesMut) {
        out.reserve(self.encoded_len());
        write(Sink(out), self);
    }

    /// How many bytes [`Message::encode`] appends.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let mut count = Count(0);
        write(&mut count, self);
        count.0
    }
}

/// Appends the CBOR of a STREAM_DATA: the bytes are copied once, from `data` to `out`.
pub fn put_stream_data(id: StreamId, data: &[u8], fin: bool, out: &mut BytesMut) {
    out.reserve(stream_data_len(id, data.len(), fin));
    put_stream_data_head(data.len(), fin, out);
    out.put_slice(data);
    put_stream_data_tail(id, fin, out);
}

/// Appends what stands before the `len` bytes of a STREAM_DATA, for who has them in pieces; behind them comes
/// [`put_stream_data_tail`].
pub fn put_stream_data_head(len: usize, fin: bool, out: &mut BytesMut) {
    infallible(stream_data_head(&mut Encoder::new(Sink(out)), len, fin));
}

/// Appends what stands behind the bytes of a STREAM_DATA.
pub fn put_stream_data_tail(id: StreamId, fin: bool, out: &mut BytesMut) {
    infallible(stream_data_tail(&mut Encoder::new(Sink(out)), id, fin));
}

/// How many bytes the CBOR of a STREAM_DATA with `len` bytes of data has.
#[must_use]
pub fn stream_data_len(id: StreamId, len: usize, fin: bool) -> usize {
    let mut count = Encoder::new(Count(0));
    infallible(stream_data_head(&mut count, len, fin));
    infallible(stream_data_tail(&mut count, id, fin));
    count.into_writer().0.saturating_add(len)
}

fn write<W: Write<Error = Infallible>>(out: W, message: &Message) {
    infallible(message_fields(&mut Encoder::new(out), message));
}

type Written = Result<(), Error<Infallible>>;

fn message_fields<W: Write<Error = Infallible>>(e: &mut Encoder<W>, message: &Message) -> Written {
    match message {
        Message::Hello(hello) => hello_fields(e, hello),
        Message::Auth(attestation) => {
            e.map(3)?.str("att")?.bytes(attestation)?.str("hd")?.bytes(&[])?;
            kind_field(e, kind::AUTH)
        }
        Message::AuthOk(AuthOk { principal, session_id }) => {
            e.map(3)?.str("p")?.str(principal)?.str("sid")?.bytes(session_id)?;
            kind_field(e, kind::AUTH_OK)
        }
        Message::AuthFail(failure) => failure_fields(e, failure, kind::AUTH_FAIL),
        Message::OpenStream { id, label } => {
            e.map(if label.is_empty() { 2 } else { 3 })?;
            if !label.is_empty() {
                e.str("l")?.str(label)?;
            }
            e.str("sid")?.u64(id.0)?;
            kind_field(e, kind::OPEN_STREAM)
        }
        Message::CloseStream { id, code } => {
            e.map(if code.is_none() { 2 } else { 3 })?;
            if let Some(code) = code {
                e.str("ec")?.u64(code.number())?;
            }
            e.str("sid")?.u64(id.0)?;
            kind_field(e, kind::CLOSE_STREAM)
        }
        Message::StreamData { id, data, fin } => {
            stream_data_head(e, data.len(), *fin)?;
            e.writer_mut().write_all(data).map_err(Error::write)?;
            stream_data_tail(e, *id, *fin)
        }
        Message::Ping(ping) => ping_fields(e, *ping, kind::PING),
        Message::Pong(pong) => ping_fields(e, *pong, kind::PONG),
        Message::Knock(token) => {
            e.map(2)?.str("it")?.bytes(token)?;
            kind_field(e, kind::KNOCK)
        }
        Message::KnockResponse { accepted } => {
            e.map(2)?.str("a")?.bool(*accepted)?;
            kind_field(e, kind::KNOCK_RESPONSE)
        }
        Message::Error(failure) => failure_fields(e, failure, kind::ERROR),
    }
}

fn hello_fields<W: Write<Error = Infallible>>(e: &mut Encoder<W>, hello: &Hello) -> Written {
    e.map(7)?.str("cap")?.array(hello.capabilities.len() as u64)?;
    for capability in &hello.capabilities {
        e.str(capability)?;
    }
    e.str("n")?.bytes(&hello.nonce)?.str("pk")?.bytes(&hello.node_key)?;
    kind_field(e, kind::HELLO)?;
    e.str("ts")?.u64(hello.time.0)?.str("v")?.u64(VERSION)?;
    e.str("vis")?.u64(hello.visibility.number())?.ok()
}

fn failure_fields<W: Write<Error = Infallible>>(e: &mut Encoder<W>, failure: &Failure, kind: u64) -> Written {
    e.map(if failure.reason.is_empty() { 2 } else { 3 })?;
    e.str("ec")?.u64(failure.code.number())?;
    if !failure.reason.is_empty() {
        e.str("r")?.str(&failure.reason)?;
    }
    kind_field(e, kind)
}

fn ping_fields<W: Write<Error = Infallible>>(e: &mut Encoder<W>, ping: Ping, kind: u64) -> Written {
    e.map(3)?.str("seq")?.u64(ping.seq)?;
    kind_field(e, kind)?;
    e.str("ts")?.u64(ping.time.0)?.ok()
}

fn stream_data_head<W: Write<Error = Infallible>>(e: &mut Encoder<W>, len: usize, fin: bool) -> Written {
    e.map(if fin { 4 } else { 3 })?.str("d")?.bytes_len(len as u64)?.ok()
}

fn stream_data_tail<W: Write<Error = Infallible>>(e: &mut Encoder<W>, id: StreamId, fin: bool) -> Written {
    if fin {
        e.str("f")?.bool(true)?;
    }
    e.str("sid")?.u64(id.0)?;
    kind_field(e, kind::STREAM_DATA)
}

fn kind_field<W: Write<Error = Infallible>>(e: &mut Encoder<W>, kind: u64) -> Written {
    e.str("t")?.u64(kind)?.ok()
}

/// Invariant: writing to memory cannot fail, and nothing here makes an error of its own.
fn infallible(written: Written) {
    debug_assert!(written.is_ok(), "writing CBOR to memory failed");
}

/// Writes to the end of a buffer.
struct Sink<'a>(&'a mut BytesMut);

impl Write for Sink<'_> {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.put_slice(bytes);
        Ok(())
    }
}

/// Writes nothing and counts.
struct Count(usize);

impl Write for Count {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(())
    }
}
