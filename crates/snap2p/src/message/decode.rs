//! Bytes to messages.
//!
//! Strict where an honest peer cannot be hurt: each field has its type and its range, none comes twice, nothing follows the
//! map. Tolerant where other writers differ: keys in any order, maps and lists of indefinite length, integers that are not
//! the shortest, fields that are not known. The reference checks no types at all.

use super::{AuthOk, Failure, Hello, Message, Ping, StreamId, encode::VERSION, kind};
use crate::{
    ErrorCode, Fault, UnixTime, Visibility,
    cbor::{more, skip},
    limits::{CAPABILITIES_MAX, CAPABILITY_LEN_MAX, LABEL_MAX, REASON_MAX, TOKEN_MAX, TOKEN_MIN},
};
use bytes::Bytes;
use minicbor::Decoder;

/// The longest text of a principal that is read, bytes. The longest that exists has 48.
const PRINCIPAL_MAX: usize = 256;

/// The fields that any message has, in the order of their text, and what is wrong if one is missing or not as it should be.
const FIELDS: [(&str, &str); 18] = [
    ("a", "`a` is missing or no truth value"),
    ("att", "`att` is missing or no byte string"),
    ("cap", "`cap` is no list of at most 64 texts of at most 64 bytes"),
    ("d", "`d` is missing or no byte string"),
    ("ec", "`ec` is missing or no number"),
    ("f", "`f` is no truth value"),
    ("it", "`it` is missing or no byte string of 16 to 32 bytes"),
    ("l", "`l` is no text of at most 1024 bytes"),
    ("n", "`n` is missing or no byte string of 32 bytes"),
    ("p", "`p` is missing or no text of at most 256 bytes"),
    ("pk", "`pk` is missing or no byte string of 32 bytes"),
    ("r", "`r` is no text"),
    ("seq", "`seq` is missing or no number"),
    ("sid", "`sid` is missing or of the wrong type"),
    ("t", "`t` is missing or no number"),
    ("ts", "`ts` is missing or no number"),
    ("v", "`v` is missing or no number"),
    ("vis", "`vis` is missing or not 0, 1 or 2"),
];

impl Message {
    /// Reads a message from the whole of `bytes`. The byte strings in it are slices of `bytes` and not copied.
    ///
    /// # Errors
    /// [`Fault::Malformed`]; [`Fault::UnknownType`] for a type that this version does not know, which after the handshake is
    /// no reason to end a session; [`Fault::Unexpected`] for a HELLO of another version.
    pub fn decode(bytes: Bytes) -> Result<Self, Fault> {
        let fields = Fields::find(&bytes)?;
        let stream = || fields.uint("sid").map(StreamId);
        Ok(match fields.uint("t")? {
            kind::HELLO => Self::Hello(hello(&fields)?),
            kind::AUTH => Self::Auth(fields.bytes("att")?),
            kind::AUTH_OK => Self::AuthOk(AuthOk {
                principal: fields.text("p", PRINCIPAL_MAX)?.to_owned(),
                session_id: fields.bytes32("sid")?,
            }),
            kind::AUTH_FAIL => Self::AuthFail(failure(&fields)?),
            kind::OPEN_STREAM => Self::OpenStream {
                id: stream()?,
                label: fields
                    .optional("l", |fields| fields.text("l", LABEL_MAX))?
                    .unwrap_or_default()
                    .to_owned(),
            },
            kind::CLOSE_STREAM => Self::CloseStream {
                id: stream()?,
                code: fields
                    .optional("ec", |fields| fields.uint("ec"))?
                    .map(ErrorCode::from_number),
            },
            kind::STREAM_DATA => Self::StreamData {
                id: stream()?,
                data: fields.bytes("d")?,
                fin: fields.optional("f", |fields| fields.bool("f"))?.unwrap_or(false),
            },
            kind::PING => Self::Ping(ping(&fields)?),
            kind::PONG => Self::Pong(ping(&fields)?),
            kind::KNOCK => {
                let token = fields.bytes("it")?;
                if !(TOKEN_MIN..=TOKEN_MAX).contains(&token.len()) {
                    return Err(wrong("it"));
                }
                Self::Knock(token)
            }
            kind::KNOCK_RESPONSE => Self::KnockResponse {
                accepted: fields.bool("a")?,
            },
            kind::ERROR => Self::Error(failure(&fields)?),
            other => return Err(Fault::UnknownType(other)),
        })
    }
}

fn hello(fields: &Fields<'_>) -> Result<Hello, Fault> {
    if fields.uint("v")? != VERSION {
        return Err(Fault::Unexpected("a HELLO of another version than 1"));
    }
    Ok(Hello {
        capabilities: fields.optional("cap", Fields::capabilities)?.unwrap_or_default(),
        nonce: fields.bytes32("n")?,
        node_key: fields.bytes32("pk")?,
        time: UnixTime(fields.uint("ts")?),
        visibility: Visibility::from_number(fields.uint("vis")?).ok_or_else(|| wrong("vis"))?,
    })
}

fn failure(fields: &Fields<'_>) -> Result<Failure, Fault> {
    let reason = fields
        .optional("r", |fields| fields.text("r", usize::MAX))?
        .unwrap_or_default();
    Ok(Failure {
        code: ErrorCode::from_number(fields.uint("ec")?),
        reason: shortened(reason, REASON_MAX).to_owned(),
    })
}

fn ping(fields: &Fields<'_>) -> Result<Ping, Fault> {
    Ok(Ping {
        seq: fields.uint("seq")?,
        time: UnixTime(fields.uint("ts")?),
    })
}

/// As many whole characters as fit into `max` bytes.
fn shortened(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

/// What is wrong if the field `name` is.
fn wrong(name: &str) -> Fault {
    let text = FIELDS
        .binary_search_by_key(&name, |(name, _)| name)
        .ok()
        .and_then(|index| FIELDS.get(index));
    Fault::Malformed(text.map_or("a field is wrong", |(_, text)| text))
}

/// Where each known field of a message begins.
///
/// The type of a message often stands last, and only the type tells what the other fields must be: so they are found first
/// and read afterwards.
struct Fields<'a> {
    bytes: &'a Bytes,
    at: [Option<usize>; FIELDS.len()],
}

impl<'a> Fields<'a> {
    fn find(bytes: &'a Bytes) -> Result<Self, Fault> {
        let mut fields = Self {
            bytes,
            at: [None; FIELDS.len()],
        };
        let mut input = Decoder::new(bytes);
        let mut left = input.map().map_err(|_| Fault::Malformed("it is no map"))?;
        while more(&mut input, &mut left).map_err(Fault::Malformed)? {
            let name = input
                .str()
                .map_err(|_| Fault::Malformed("the name of a field is no text"))?;
            let found = FIELDS.binary_search_by_key(&name, |(name, _)| name);
            if let Some(at) = found.ok().and_then(|index| fields.at.get_mut(index))
                && at.replace(input.position()).is_some()
            {
                return Err(Fault::Malformed("a field comes twice"));
            }
            skip(&mut input).map_err(Fault::Malformed)?;
        }
        if input.position() != bytes.len() {
            return Err(Fault::Malformed("bytes follow the message"));
        }
        Ok(fields)
    }

    /// A decoder that stands before the value of the field `name`, if it is there.
    fn value(&self, name: &str) -> Option<Decoder<'a>> {
        let index = FIELDS.binary_search_by_key(&name, |(name, _)| name).ok()?;
        let at = self.at.get(index).copied().flatten()?;
        let mut decoder = Decoder::new(self.bytes);
        decoder.set_position(at);
        Some(decoder)
    }

    /// `read` if the field `name` is there.
    fn optional<T>(&self, name: &str, read: impl FnOnce(&Self) -> Result<T, Fault>) -> Result<Option<T>, Fault> {
        self.value(name).map(|_| read(self)).transpose()
    }

    fn uint(&self, name: &str) -> Result<u64, Fault> {
        let value = self.value(name).and_then(|mut value| value.u64().ok());
        value.ok_or_else(|| wrong(name))
    }

    fn bool(&self, name: &str) -> Result<bool, Fault> {
        let value = self.value(name).and_then(|mut value| value.bool().ok());
        value.ok_or_else(|| wrong(name))
    }

    fn text(&self, name: &str, max: usize) -> Result<&'a str, Fault> {
        let value = self.value(name).and_then(|mut value| value.str().ok());
        value.filter(|text| text.len() <= max).ok_or_else(|| wrong(name))
    }

    fn bytes(&self, name: &str) -> Result<Bytes, Fault> {
        let mut value = self.value(name).ok_or_else(|| wrong(name))?;
        let len = value.bytes().map_err(|_| wrong(name))?.len();
        // Invariant: the decoder has just read these bytes, so they lie in the message.
        let end = value.position();
        Ok(self.bytes.slice(end - len..end))
    }

    fn bytes32(&self, name: &str) -> Result<[u8; 32], Fault> {
        self.bytes(name)?.as_ref().try_into().map_err(|_| wrong(name))
    }

    fn capabilities(&self) -> Result<Vec<String>, Fault> {
        let wrong = || wrong("cap");
        let mut value = self.value("cap").ok_or_else(wrong)?;
        let mut left = value.array().map_err(|_| wrong())?;
        let mut capabilities = Vec::new();
        while more(&mut value, &mut left).map_err(Fault::Malformed)? {
            let text = value.str().map_err(|_| wrong())?;
            if capabilities.len() == CAPABILITIES_MAX || text.len() > CAPABILITY_LEN_MAX {
                return Err(wrong());
            }
            capabilities.push(text.to_owned());
        }
        Ok(capabilities)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_fields_is_sorted() {
        assert!(FIELDS.is_sorted_by_key(|(name, _)| name));
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        assert_eq!(shortened("na\u{ef}ve", 3), "na");
        assert_eq!(shortened("na\u{ef}ve", 4), "na\u{ef}");
        assert_eq!(shortened("short", 100), "short");
        assert_eq!(shortened("", 0), "");
    }
}
