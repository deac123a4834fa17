//! The packet-stream codec: a 9-byte header, then a body.
//!
//! ```text
//!  byte 0        1 .. 4            5 .. 8              9 ..
//! +------------+-----------------+-------------------+------------+
//! | flags      | body length u32 | request number i32| body       |
//! +------------+-----------------+-------------------+------------+
//!   8 stream     big endian        big endian; an answer carries
//!   4 end/error                    the negated number of what it
//!   0-3 type of body               answers
//! ```
//! A header whose length is zero is the goodbye of the whole connection, whatever its other fields say.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::error::Violation;
use crate::json;

/// Length of the header of every packet, in bytes.
pub const HEADER_LEN: usize = 9;

/// The goodbye: a header of zeros.
pub const GOODBYE: [u8; HEADER_LEN] = [0; HEADER_LEN];

/// Largest body that is accepted unless configured otherwise, in bytes. The wire allows 4 GiB; a limit keeps one frame of
/// a hostile peer from filling the memory. Secure Scuttlebutt blobs travel in pieces of 64 KiB, so 4 MiB is generous.
pub const DEFAULT_MAX_BODY: u32 = 4 * 1024 * 1024;

const FLAG_STREAM: u8 = 8;
const FLAG_END: u8 = 4;
const TYPE_MASK: u8 = 3;

/// The request number of a packet: positive from the side that asks, negated in what the other side answers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub i32);

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyKind {
    /// Bytes (wire type 0).
    Buffer,
    /// UTF-8 text (wire type 1).
    String,
    /// One JSON value as text (wire type 2).
    Json,
}

/// The body of a packet: bytes, text or one JSON value.
///
/// Cheap to clone. Invariant: never empty, because a packet without a body ends the connection; text is UTF-8; JSON is
/// one valid value.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    kind: BodyKind,
    bytes: Bytes,
}

impl Body {
    /// Bytes. An empty buffer cannot travel as one (its packet would be the goodbye): it becomes Node's JSON form
    /// `{"type":"Buffer","data":[]}`, which this crate reads back as bytes and a JavaScript peer sees as that object.
    pub fn buffer(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Self {
                kind: BodyKind::Json,
                bytes: Bytes::from_static(br#"{"type":"Buffer","data":[]}"#),
            };
        }
        Self {
            kind: BodyKind::Buffer,
            bytes,
        }
    }

    /// Text. The empty string travels as the JSON text `""`.
    pub fn string(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() {
            return Self {
                kind: BodyKind::Json,
                bytes: Bytes::from_static(br#""""#),
            };
        }
        Self {
            kind: BodyKind::String,
            bytes: Bytes::from(text),
        }
    }

    /// One JSON value as text, sent as it stands.
    ///
    /// # Errors
    /// [`Error::Encode`](crate::Error::Encode) if `text` is not exactly one JSON value in UTF-8.
    pub fn json(text: impl Into<Bytes>) -> Result<Self, crate::Error> {
        let bytes = text.into();
        if std::str::from_utf8(&bytes).is_err() || !json::is_valid(&bytes) {
            return Err(crate::Error::Encode("the body is not one JSON value in UTF-8".into()));
        }
        Ok(Self {
            kind: BodyKind::Json,
            bytes,
        })
    }

    /// A body whose invariant the caller has established.
    pub(crate) fn trusted(kind: BodyKind, bytes: Bytes) -> Self {
        debug_assert!(!bytes.is_empty());
        Self { kind, bytes }
    }

    /// JSON `true`, the body of a plain end.
    pub(crate) fn json_true() -> Self {
        Self {
            kind: BodyKind::Json,
            bytes: Bytes::from_static(b"true"),
        }
    }

    /// What the body is.
    pub fn kind(&self) -> BodyKind {
        self.kind
    }

    /// The bytes as they travel.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes as they travel, without a copy.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The text of a string or of JSON; `None` for a buffer.
    pub fn as_str(&self) -> Option<&str> {
        match self.kind {
            BodyKind::Buffer => None,
            BodyKind::String | BodyKind::Json => std::str::from_utf8(&self.bytes).ok(),
        }
    }

    /// Length in bytes; never zero.
    #[expect(clippy::len_without_is_empty, reason = "a body is never empty")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether this is JSON `true`: the body of a plain end.
    pub(crate) fn is_true(&self) -> bool {
        self.kind == BodyKind::Json && self.bytes.trim_ascii() == b"true"
    }

    /// Whether JavaScript takes this body for false. An end frame with such a body ends nothing.
    pub(crate) fn is_falsy(&self) -> bool {
        self.kind == BodyKind::Json
            && match self.bytes.trim_ascii() {
                b"false" | b"null" | b"\"\"" => true,
                [b'0'..=b'9' | b'-', ..] => {
                    serde_json::from_slice::<f64>(&self.bytes).is_ok_and(|number| number == 0.0)
                }
                _ => false,
            }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Payloads stay out of logs.
        write!(f, "{:?}({} bytes)", self.kind, self.bytes.len())
    }
}

/// Prints as the value that the body is, so that what came from one call can be the answer, an argument or an item of
/// another: a handler may answer with a body, and it travels as it came.
impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.kind {
            BodyKind::Buffer => serializer.serialize_bytes(&self.bytes),
            BodyKind::String => serializer.serialize_str(self.as_str().unwrap_or_default()),
            BodyKind::Json => {
                let text: &RawValue = serde_json::from_slice(&self.bytes).map_err(S::Error::custom)?;
                text.serialize(serializer)
            }
        }
    }
}

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Whether it belongs to a stream (flag 8) rather than to a request with a single answer.
    pub stream: bool,
    /// Whether it ends the stream, or for an answer, whether it is an error (flag 4).
    pub end: bool,
    /// The request number.
    pub request: RequestId,
    /// The body.
    pub body: Body,
}

/// What [`decode`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A packet.
    Packet(Packet),
    /// The end of the connection: a header that claims no body.
    Goodbye,
}

/// Appends the packet, header and body contiguous, to `out`.
///
/// # Errors
/// [`Error::BodyTooLong`](crate::Error::BodyTooLong) for a body of more than `u32::MAX` bytes, which the header cannot say.
pub fn encode(packet: &Packet, out: &mut BytesMut) -> Result<(), crate::Error> {
    encode_parts(packet.stream, packet.end, packet.request, &packet.body, out)
}

/// [`encode`] without a `Packet`: the body is borrowed.
pub(crate) fn encode_parts(
    stream: bool,
    end: bool,
    request: RequestId,
    body: &Body,
    out: &mut BytesMut,
) -> Result<(), crate::Error> {
    let too_long = |_| crate::Error::BodyTooLong {
        length: body.len(),
        max: u32::MAX,
    };
    let length = u32::try_from(body.len()).map_err(too_long)?;
    let kind = match body.kind {
        BodyKind::Buffer => 0,
        BodyKind::String => 1,
        BodyKind::Json => 2,
    };
    let flags = kind | if stream { FLAG_STREAM } else { 0 } | if end { FLAG_END } else { 0 };
    out.reserve(HEADER_LEN + body.len());
    out.put_u8(flags);
    out.put_u32(length);
    out.put_i32(request.0);
    out.put_slice(&body.bytes);
    Ok(())
}

/// Takes one frame from the front of `buf`; `None` means that more bytes are needed and leaves `buf` as it is.
///
/// The claimed length is judged as soon as the header is there, and nothing is allocated for a body that has not arrived.
/// Bytes in a string or in JSON that are not UTF-8 become U+FFFD, as in JavaScript.
///
/// # Errors
/// A [`Violation`] if the header claims more than `max_body` bytes or body type 3, or if a JSON body is not JSON. What
/// follows in `buf` is then meaningless.
pub fn decode(buf: &mut BytesMut, max_body: u32) -> Result<Option<Frame>, Violation> {
    let Some(&[flags, l0, l1, l2, l3, r0, r1, r2, r3]) = buf.first_chunk::<HEADER_LEN>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes([l0, l1, l2, l3]);
    let request = RequestId(i32::from_be_bytes([r0, r1, r2, r3]));
    if length == 0 {
        drop(buf.split_to(HEADER_LEN));
        return Ok(Some(Frame::Goodbye));
    }
    if length > max_body {
        return Err(Violation::BodyTooLong {
            claimed: length,
            max: max_body,
        });
    }
    let kind = match flags & TYPE_MASK {
        0 => BodyKind::Buffer,
        1 => BodyKind::String,
        2 => BodyKind::Json,
        _ => return Err(Violation::BodyType),
    };
    let total = HEADER_LEN.saturating_add(length as usize);
    let Some(body) = buf.get(HEADER_LEN..total) else {
        return Ok(None);
    };
    let bytes = if kind != BodyKind::Buffer && std::str::from_utf8(body).is_err() {
        let replaced = Bytes::from(String::from_utf8_lossy(body).into_owned());
        bytes::Buf::advance(buf, total);
        replaced
    } else {
        // Invariant: a body shares memory with nothing. A slice of the receive buffer, which grows to the longest frame,
        // would keep all of it alive, and whoever limits what waits counts the bytes of bodies.
        let copied = Bytes::copy_from_slice(body);
        bytes::Buf::advance(buf, total);
        copied
    };
    if kind == BodyKind::Json && !json::is_valid(&bytes) {
        return Err(Violation::NotJson);
    }
    let body = Body { kind, bytes };
    Ok(Some(Frame::Packet(Packet {
        stream: flags & FLAG_STREAM != 0,
        end: flags & FLAG_END != 0,
        request,
        body,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode_all(bytes: &[u8]) -> Result<Option<Frame>, Violation> {
        decode(&mut BytesMut::from(bytes), 100)
    }

    #[test]
    fn an_empty_body_is_never_sent() {
        assert_eq!(Body::string("").as_bytes(), b"\"\"");
        assert_eq!(Body::buffer("").kind(), BodyKind::Json);
        assert!(Body::json("").is_err());
    }

    #[test]
    fn a_header_without_a_body_is_the_goodbye_whatever_it_says() {
        for flags in [0, 1, 3, 10, 14, 255] {
            assert_eq!(
                decode_all(&[flags, 0, 0, 0, 0, 255, 255, 255, 255]).unwrap(),
                Some(Frame::Goodbye)
            );
        }
    }

    #[test]
    fn a_claim_above_the_limit_is_refused_at_the_header() {
        let claim = [2, 255, 255, 255, 255, 0, 0, 0, 1];
        assert_eq!(
            decode_all(&claim),
            Err(Violation::BodyTooLong {
                claimed: u32::MAX,
                max: 100
            })
        );
        assert_eq!(decode_all(&claim[..8]), Ok(None));
    }

    #[test]
    fn body_type_three_is_refused_and_high_bits_are_ignored() {
        assert_eq!(decode_all(&[3, 0, 0, 0, 1, 0, 0, 0, 1]), Err(Violation::BodyType));
        let Ok(Some(Frame::Packet(packet))) = decode_all(&[0xf1, 0, 0, 0, 1, 0, 0, 0, 1, b'a']) else {
            panic!("a packet");
        };
        assert_eq!(
            (packet.body.kind(), packet.stream, packet.end),
            (BodyKind::String, false, false)
        );
    }

    #[test]
    fn a_body_does_not_keep_the_receive_buffer_alive() {
        for length in [10, 100_000] {
            let mut buf = BytesMut::with_capacity(1_000_000);
            encode_parts(false, false, RequestId(1), &Body::buffer(vec![1; length]), &mut buf).unwrap();
            buf.put_slice(b"the next frame");
            let Ok(Some(Frame::Packet(packet))) = decode(&mut buf, 1_000_000) else {
                panic!("a packet");
            };
            assert!(packet.body.into_bytes().is_unique(), "{length}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced() {
        let Ok(Some(Frame::Packet(packet))) = decode_all(&[1, 0, 0, 0, 2, 0, 0, 0, 1, b'a', 0xff]) else {
            panic!("a packet");
        };
        assert_eq!(packet.body.as_str(), Some("a\u{fffd}"));
        assert_eq!(decode_all(&[2, 0, 0, 0, 1, 0, 0, 0, 1, 0xff]), Err(Violation::NotJson));
        assert!(decode_all(&[2, 0, 0, 0, 3, 0, 0, 0, 1, b'"', 0xff, b'"']).is_ok());
    }

    #[test]
    fn falsy_bodies_are_those_of_javascript() {
        for text in ["false", "null", "0", "-0", "0.0e5", "\"\"", " false "] {
            assert!(Body::json(text).unwrap().is_falsy(), "{text}");
        }
        for text in ["true", "{}", "[]", "1", "\"0\"", "-1e-9"] {
            assert!(!Body::json(text).unwrap().is_falsy(), "{text}");
        }
        assert!(!Body::string("false").is_falsy());
    }
}
