//! The three messages: CBOR maps with short text keys, as all of SNaP2P.

use super::{LOCATORS_MAX, MESSAGE_MAX};
use crate::{
    Fault, Locator, Principal,
    cbor::{more, skip},
    locator,
};
use minicbor::{Decoder, Encoder};
use std::time::Duration;

/// Where can this principal be dialled? RESOLVE_REQ, `{[m], p, t: 1}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who is looked for.
    pub principal: Principal,
    /// The most locators that are wanted, if that is said.
    pub max_results: Option<u64>,
}

/// There, perhaps; or nowhere that is known. RESOLVE_RESP, `{l, t: 2}`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    /// Places, the likeliest first; at most [`LOCATORS_MAX`].
    pub locators: Vec<Locator>,
}

/// This principal can be dialled here. PUSH, `{l, p, t: 3, ttl}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// Who.
    pub principal: Principal,
    /// Where, the likeliest first; at most [`LOCATORS_MAX`].
    pub locators: Vec<Locator>,
    /// For how long, whole seconds. Zero takes back what was said before.
    pub ttl: Duration,
}

/// Any of the three.
///
/// | key | in | value |
/// |---|---|---|
/// | `l` | 2, 3 | array of locators as text |
/// | `m` | 1, optional | the most results, uint |
/// | `p` | 1, 3 | the principal as text |
/// | `t` | all | 1 RESOLVE_REQ, 2 RESOLVE_RESP, 3 PUSH |
/// | `ttl` | 3 | seconds, uint |
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// RESOLVE_REQ.
    Request(Request),
    /// RESOLVE_RESP.
    Response(Response),
    /// PUSH.
    Push(Push),
}

const REQUEST: u64 = 1;
const RESPONSE: u64 = 2;
const PUSH: u64 = 3;

impl Message {
    /// The CBOR: definite lengths, keys in the order of their text. More than [`LOCATORS_MAX`] locators are cut.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Writing to a vector cannot fail.
        let _ = self.write(&mut Encoder::new(&mut out));
        out
    }

    fn write(&self, to: &mut Encoder<&mut Vec<u8>>) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        match self {
            Self::Request(Request { principal, max_results }) => {
                to.map(2 + u64::from(max_results.is_some()))?;
                if let Some(most) = max_results {
                    to.str("m")?.u64(*most)?;
                }
                to.str("p")?.str(&principal.to_string())?;
                to.str("t")?.u64(REQUEST)?;
            }
            Self::Response(Response { locators }) => {
                to.map(2)?;
                write_locators(to, locators)?;
                to.str("t")?.u64(RESPONSE)?;
            }
            Self::Push(Push {
                principal,
                locators,
                ttl,
            }) => {
                to.map(4)?;
                write_locators(to, locators)?;
                to.str("p")?.str(&principal.to_string())?;
                to.str("t")?.u64(PUSH)?;
                to.str("ttl")?.u64(ttl.as_secs())?;
            }
        }
        Ok(())
    }

    /// Reads a message: any order of keys, unknown keys skipped, nothing behind it. Locators of a kind that is not known here
    /// are left out, so that other transports can be told of later; so is what is beyond [`LOCATORS_MAX`].
    ///
    /// # Errors
    /// [`Fault::TooLong`] above [`MESSAGE_MAX`] bytes, [`Fault::UnknownType`], and [`Fault::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.len() > MESSAGE_MAX {
            return Err(Fault::TooLong {
                len: bytes.len() as u64,
                max: MESSAGE_MAX,
            });
        }
        let fields = Fields::read(bytes)?;
        let missing = |what| Fault::Malformed(what);
        let principal = |found: Option<Principal>| found.ok_or(missing("px-1 without a principal"));
        match fields.kind.ok_or(missing("px-1 without a type"))? {
            REQUEST => Ok(Self::Request(Request {
                principal: principal(fields.principal)?,
                max_results: fields.max_results,
            })),
            RESPONSE => Ok(Self::Response(Response {
                locators: fields.locators.ok_or(missing("an answer without locators"))?,
            })),
            PUSH => Ok(Self::Push(Push {
                principal: principal(fields.principal)?,
                locators: fields.locators.ok_or(missing("a push without locators"))?,
                ttl: Duration::from_secs(fields.ttl.ok_or(missing("a push without ttl"))?),
            })),
            other => Err(Fault::UnknownType(other)),
        }
    }
}

fn write_locators(
    to: &mut Encoder<&mut Vec<u8>>,
    locators: &[Locator],
) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
    let count = locators.len().min(LOCATORS_MAX);
    to.str("l")?.array(count as u64)?;
    for locator in locators.iter().take(count) {
        to.str(&locator.to_string())?;
    }
    Ok(())
}

#[derive(Default)]
struct Fields {
    kind: Option<u64>,
    principal: Option<Principal>,
    locators: Option<Vec<Locator>>,
    max_results: Option<u64>,
    ttl: Option<u64>,
}

impl Fields {
    fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let cbor = |_| Fault::Malformed("px-1 that is no CBOR of its kind");
        let mut fields = Self::default();
        let mut from = Decoder::new(bytes);
        let mut left = from.map().map_err(cbor)?;
        while more(&mut from, &mut left).map_err(Fault::Malformed)? {
            match from.str().map_err(cbor)? {
                "t" => set(&mut fields.kind, from.u64().map_err(cbor)?)?,
                "m" => set(&mut fields.max_results, from.u64().map_err(cbor)?)?,
                "ttl" => set(&mut fields.ttl, from.u64().map_err(cbor)?)?,
                "p" => {
                    let text = from.str().map_err(cbor)?;
                    let principal = text
                        .parse()
                        .map_err(|_| Fault::Malformed("px-1 of what is no principal"))?;
                    set(&mut fields.principal, principal)?;
                }
                "l" => {
                    let locators = read_locators(&mut from)?;
                    set(&mut fields.locators, locators)?;
                }
                _ => skip(&mut from).map_err(Fault::Malformed)?,
            }
        }
        if from.position() != bytes.len() {
            return Err(Fault::Malformed("px-1 with bytes behind it"));
        }
        Ok(fields)
    }
}

fn read_locators(from: &mut Decoder<'_>) -> Result<Vec<Locator>, Fault> {
    let cbor = |_| Fault::Malformed("px-1 whose locators are no texts");
    let mut locators = Vec::new();
    let mut left = from.array().map_err(cbor)?;
    while more(from, &mut left).map_err(Fault::Malformed)? {
        let text = from.str().map_err(cbor)?;
        if text.len() <= locator::TEXT_MAX
            && locators.len() < LOCATORS_MAX
            && let Ok(locator) = text.parse()
            && !locators.contains(&locator)
        {
            locators.push(locator);
        }
    }
    Ok(locators)
}

fn set<T>(field: &mut Option<T>, value: T) -> Result<(), Fault> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(Fault::Malformed("px-1 with a key twice")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Address;

    fn principal() -> Principal {
        Principal(Address::new(22, [7; 20]).unwrap())
    }

    fn locators(count: u16) -> Vec<Locator> {
        (1..=count)
            .map(|port| Locator::new("example.org", port).unwrap())
            .collect()
    }

    fn messages() -> Vec<Message> {
        vec![
            Message::Request(Request {
                principal: principal(),
                max_results: None,
            }),
            Message::Request(Request {
                principal: principal(),
                max_results: Some(u64::MAX),
            }),
            Message::Response(Response::default()),
            Message::Response(Response { locators: locators(8) }),
            Message::Push(Push {
                principal: principal(),
                locators: locators(2),
                ttl: Duration::from_secs(86_400),
            }),
        ]
    }

    #[test]
    fn what_is_written_is_read_again() {
        for message in messages() {
            let bytes = message.encode();
            assert_eq!(Message::decode(&bytes).unwrap(), message);
            for cut in 0..bytes.len() {
                assert!(Message::decode(&bytes[..cut]).is_err(), "{message:?} cut at {cut}");
            }
            let longer = [bytes.as_slice(), &[0]].concat();
            assert!(Message::decode(&longer).is_err());
        }
    }

    #[test]
    fn the_bytes_stay_what_they_are() {
        let request = &messages()[1];
        let text = principal().to_string();
        let mut expected = vec![0xa3, 0x61, b'm', 0x1b];
        expected.extend([0xff; 8]);
        expected.extend([0x61, b'p', 0x78, text.len() as u8]);
        expected.extend(text.as_bytes());
        expected.extend([0x61, b't', 0x01]);
        assert_eq!(request.encode(), expected);
    }

    #[test]
    fn the_longest_message_fits() {
        let host = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
        let longest = (0..8).map(|port| Locator::new(&host, 65_528 + port).unwrap()).collect();
        let message = Message::Push(Push {
            principal: principal(),
            locators: longest,
            ttl: Duration::from_secs(u64::MAX),
        });
        assert_eq!(Message::decode(&message.encode()).unwrap(), message);
    }

    #[test]
    fn other_transports_and_too_many_places_are_left_out() {
        let mut bytes = Vec::new();
        let mut to = Encoder::new(&mut bytes);
        to.begin_map().unwrap().str("l").unwrap().begin_array().unwrap();
        for text in ["quic://example.org:1", "example.org:1", "tcp://EXAMPLE.org:1"] {
            to.str(text).unwrap();
        }
        for port in 1..100 {
            to.str(&format!("example.org:{port}")).unwrap();
        }
        to.end().unwrap().str("new").unwrap().array(1).unwrap().null().unwrap();
        to.str("t").unwrap().u64(2).unwrap().end().unwrap();
        let Message::Response(response) = Message::decode(&bytes).unwrap() else {
            panic!("another message");
        };
        assert_eq!(response.locators, locators(8));
    }

    #[test]
    fn what_is_no_message_says_so() {
        let error = |write: fn(&mut Encoder<&mut Vec<u8>>)| {
            let mut bytes = Vec::new();
            write(&mut Encoder::new(&mut bytes));
            Message::decode(&bytes).unwrap_err().to_string()
        };
        let typed = |kind: u64| {
            let mut bytes = Vec::new();
            Encoder::new(&mut bytes)
                .map(1)
                .unwrap()
                .str("t")
                .unwrap()
                .u64(kind)
                .unwrap();
            Message::decode(&bytes).unwrap_err()
        };
        assert_eq!(typed(4), Fault::UnknownType(4));
        assert!(typed(1).to_string().contains("without a principal"));
        assert!(typed(2).to_string().contains("without locators"));
        let twice = error(|to| {
            to.map(2)
                .unwrap()
                .str("t")
                .unwrap()
                .u64(2)
                .unwrap()
                .str("t")
                .unwrap()
                .u64(2)
                .unwrap();
        });
        assert!(twice.contains("twice"));
        let number = error(|to| {
            to.map(1).unwrap().str("p").unwrap().u64(2).unwrap();
        });
        assert!(number.contains("no CBOR"));
        assert!(matches!(Message::decode(&[0xa0; 5000]), Err(Fault::TooLong { .. })));
    }
}
