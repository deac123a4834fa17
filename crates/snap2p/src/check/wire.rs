//! Frames, messages and the Noise handshake.

use crate::{
    ErrorCode, Fault, Message, StreamId, UnixTime, Visibility,
    frame::{self, Decoder},
    limits::TAG_LEN,
    message::{AuthOk, Failure, Hello, Ping},
    noise::{Established, Initiator, Responder, Suite},
};
use arbitrary::{Result, Unstructured};
use bytes::{Bytes, BytesMut};
use handfast_keys::{KeyPair, x25519};

/// The longest frame in these laws: short enough that a fuzzer fills one, long enough for a length of two bytes.
const MAX: usize = 1 << 10;

/// Whatever is read as a length fits the bytes it was read from, and is written again in no more bytes.
pub fn varint(data: &[u8]) {
    let mut input = BytesMut::from(data);
    let mut decoder = Decoder::new(0);
    let taken = decoder.next(&mut input);
    let read = data.len() - input.len();
    assert!(read <= 5, "a length took {read} bytes");
    let len = match taken {
        Ok(Some(frame)) => {
            assert!(
                frame.is_empty(),
                "more than nothing was taken where nothing is the most"
            );
            0
        }
        Ok(None) => {
            assert!(data.len() < 5 && data.iter().all(|byte| byte & 0x80 != 0));
            assert_eq!(read, 0, "an incomplete length was taken");
            return;
        }
        Err(Fault::Length) => {
            assert!(data[..4].iter().all(|byte| byte & 0x80 != 0) && data[4] > 0x0f);
            return;
        }
        Err(Fault::TooLong { len, max: 0 }) => usize::try_from(len).unwrap(),
        Err(fault) => panic!("{fault} is no fault of a length"),
    };
    let mut out = BytesMut::new();
    frame::put_len(len, &mut out);
    assert_eq!(out.len(), frame::len_len(len));
    assert!(out.len() <= read, "the shortest form is longer than what was read");
    if out.len() == read {
        assert_eq!(out, data[..read]);
    }
}

/// Frames do not depend on how bytes are chunked, every byte is accounted for, and what was refused stays refused.
pub fn frame(data: &[u8]) {
    let mut input = BytesMut::from(data);
    let mut decoder = Decoder::new(MAX);
    let mut frames = Vec::new();
    let end = loop {
        match decoder.next(&mut input) {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => break None,
            Err(fault) => break Some(fault),
        }
    };
    let bytes: usize = frames.iter().map(|frame| frame.len()).sum();
    assert!(bytes + frames.len() + input.len() <= data.len());
    assert!(frames.iter().all(|frame| frame.len() <= MAX));

    let mut chunked = BytesMut::new();
    let mut decoder = Decoder::new(MAX);
    let mut expected = frames.iter();
    let mut failed = None;
    for chunk in data.chunks(1 + data.len() % 7) {
        chunked.extend_from_slice(chunk);
        loop {
            match decoder.next(&mut chunked) {
                Ok(Some(frame)) => assert_eq!(Some(&frame), expected.next()),
                Ok(None) => break,
                Err(fault) => {
                    assert!(failed.is_none_or(|failed| failed == fault), "it failed in two ways");
                    failed = Some(fault);
                    break;
                }
            }
        }
    }
    assert!(expected.next().is_none(), "chunks lost a frame");
    assert_eq!(failed, end);

    // What was taken survives being framed again.
    let mut again = BytesMut::new();
    for frame in &frames {
        frame::put_len(frame.len(), &mut again);
        again.extend_from_slice(frame);
    }
    let mut decoder = Decoder::new(MAX);
    for frame in &frames {
        assert_eq!(decoder.next(&mut again).unwrap().as_ref(), Some(frame));
    }
    assert!(again.is_empty());
}

/// Whatever is read as a message survives being written and read again, and so does any message; other writers' forms of a
/// message are read as the same message; a field that comes twice, a byte too many or too few is refused.
pub fn message(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(message) = Message::decode(bytes.clone()) {
        if let Message::StreamData { data, .. } = &message {
            let inside = bytes.as_ptr_range().contains(&data.as_ptr()) || data.is_empty();
            assert!(inside, "the data was copied");
        }
        survives(&message);
    }
    let mut input = Unstructured::new(data);
    if let Ok(message) = any_message(&mut input) {
        survives(&message);
        let _ = other_forms(&message, &mut input);
    }
}

fn written(message: &Message) -> Bytes {
    let mut out = BytesMut::new();
    message.encode(&mut out);
    assert_eq!(out.len(), message.encoded_len());
    out.freeze()
}

fn survives(message: &Message) {
    let bytes = written(message);
    assert_eq!(Message::decode(bytes.clone()).as_ref(), Ok(message));
    assert!(Message::decode(bytes.slice(..bytes.len() - 1)).is_err());
    assert!(Message::decode([&bytes[..], &[0]].concat().into()).is_err());
}

/// The same message with its fields in another order, among fields that nobody knows, in a map that does not tell its length.
fn other_forms(message: &Message, input: &mut Unstructured<'_>) -> Result<()> {
    let bytes = written(message);
    let mut decoder = minicbor::Decoder::new(&bytes);
    let count = decoder.map().unwrap().unwrap();
    let mut fields: Vec<Vec<u8>> = (0..count)
        .map(|_| {
            let start = decoder.position();
            decoder.skip().unwrap();
            decoder.skip().unwrap();
            bytes[start..decoder.position()].to_vec()
        })
        .collect();
    let twice = fields[input.choose_index(fields.len())?].clone();
    for number in 0..input.int_in_range(0..=3)? {
        let mut field = vec![0x62, b'x', b'0' + number];
        any_value(input, &mut field, 0)?;
        fields.push(field);
    }
    for index in (1..fields.len()).rev() {
        fields.swap(index, input.int_in_range(0..=index)?);
    }
    let indefinite = |fields: &[Vec<u8>]| [&[0xbf], &fields.concat()[..], &[0xff]].concat();
    assert_eq!(Message::decode(indefinite(&fields).into()).as_ref(), Ok(message));
    let ignored = twice.starts_with(&[0x62, b'h', b'd']);
    fields.push(twice);
    if !ignored {
        let refused = Message::decode(indefinite(&fields).into());
        assert_eq!(refused, Err(Fault::Malformed("a field comes twice")));
    }
    Ok(())
}

/// Appends any CBOR value that a reader should be able to skip.
fn any_value(input: &mut Unstructured<'_>, out: &mut Vec<u8>, depth: usize) -> Result<()> {
    let mut encoder = minicbor::Encoder::new(&mut *out);
    // How many values stand inside, and what ends them.
    let (inside, end): (usize, &[u8]) = match input.int_in_range(0..=if depth < 8 { 13 } else { 9 })? {
        0 => (encoder.u64(input.arbitrary()?).map(|_| 0).unwrap(), &[]),
        1 => (encoder.i64(input.arbitrary()?).map(|_| 0).unwrap(), &[]),
        2 => (encoder.bytes(input.arbitrary()?).map(|_| 0).unwrap(), &[]),
        3 => (encoder.str(input.arbitrary()?).map(|_| 0).unwrap(), &[]),
        4 => (encoder.bool(input.arbitrary()?).map(|_| 0).unwrap(), &[]),
        5 => (encoder.null().map(|_| 0).unwrap(), &[]),
        6 => (encoder.undefined().map(|_| 0).unwrap(), &[]),
        7 => (encoder.f32(input.arbitrary()?).map(|_| 0).unwrap(), &[]),
        8 => (encoder.f64(input.arbitrary()?).map(|_| 0).unwrap(), &[]),
        9 => (0, &[0xf9, 0x3c, 0x00]),
        10 => {
            let tag = minicbor::data::Tag::new(input.arbitrary()?);
            (encoder.tag(tag).map(|_| 1).unwrap(), &[])
        }
        11 => (encoder.array(2).map(|_| 2).unwrap(), &[]),
        12 => (encoder.begin_map().map(|_| 2).unwrap(), &[0xff]),
        _ => (encoder.begin_array().map(|_| 1).unwrap(), &[0xff]),
    };
    for _ in 0..inside {
        any_value(input, out, depth + 1)?;
    }
    out.extend_from_slice(end);
    Ok(())
}

fn any_message(input: &mut Unstructured<'_>) -> Result<Message> {
    let id = StreamId(input.arbitrary()?);
    let code = ErrorCode::from_number(input.arbitrary()?);
    let text = |input: &mut Unstructured<'_>, max: usize| -> Result<String> {
        let text: &str = input.arbitrary()?;
        let end = (0..=max.min(text.len()))
            .rev()
            .find(|end| text.is_char_boundary(*end))
            .unwrap();
        Ok(text[..end].to_owned())
    };
    let ping = Ping {
        seq: input.arbitrary()?,
        time: UnixTime(input.arbitrary()?),
    };
    Ok(match input.int_in_range(0..=11)? {
        0 => Message::Hello(Hello {
            capabilities: (0..input.int_in_range(0..=64)?)
                .map(|_| text(input, 64))
                .collect::<Result<_>>()?,
            nonce: input.arbitrary()?,
            node_key: input.arbitrary()?,
            time: ping.time,
            visibility: Visibility::from_number(input.int_in_range(0..=2)?).unwrap(),
        }),
        1 => Message::Auth(Bytes::copy_from_slice(input.arbitrary()?)),
        2 => Message::AuthOk(AuthOk {
            principal: text(input, 256)?,
            session_id: input.arbitrary()?,
        }),
        3 => Message::AuthFail(Failure {
            code,
            reason: text(input, 1024)?,
        }),
        4 => Message::OpenStream {
            id,
            label: text(input, 1024)?,
        },
        5 => Message::CloseStream {
            id,
            code: input.arbitrary::<bool>()?.then_some(code),
        },
        6 => Message::StreamData {
            id,
            data: Bytes::copy_from_slice(input.arbitrary()?),
            fin: input.arbitrary()?,
        },
        7 => Message::Ping(ping),
        8 => Message::Pong(ping),
        9 => Message::Knock(Bytes::copy_from_slice(&vec![7; input.int_in_range(16..=32)?])),
        10 => Message::KnockResponse {
            accepted: input.arbitrary()?,
        },
        _ => Message::Error(Failure {
            code,
            reason: text(input, 1024)?,
        }),
    })
}

/// A handshake of fixed parties on which a wire-tapper works: it changes one of the messages, and afterwards frames.
///
/// Laws: messages that arrive as they were sent lead to two outcomes that fit together, and any other to an error at one of
/// the two sides. A frame that was changed, repeated or left out is an error, and so is everything behind it.
pub fn noise(data: &[u8]) {
    for suite in [
        Suite::Snap2p,
        #[cfg(feature = "standard-noise")]
        Suite::Standard,
    ] {
        let mut input = Unstructured::new(data);
        let which = usize::from(input.arbitrary::<u8>().unwrap_or(0) % 4);
        let mut touched = false;
        let ends = handshake(suite, &mut |number, message| {
            if number == which {
                for byte in message {
                    let change: u8 = input.arbitrary().unwrap_or(0);
                    *byte ^= change;
                    touched |= change != 0;
                }
            }
        });
        match ends {
            Some((initiator, responder)) => {
                // The top bit of an X25519 key counts for nothing in the agreement; the hash of the messages tells all the same.
                assert!(!touched, "a changed message went unnoticed");
                assert_eq!(initiator.handshake_hash, responder.handshake_hash);
                let (alice, bob) = parties();
                assert_eq!(initiator.remote_static, *bob.agreement().public());
                assert_eq!(responder.remote_static, *alice.agreement().public());
                let _ = frames(initiator, responder, &mut input);
            }
            None => assert!(touched, "an honest handshake failed"),
        }
    }
}

/// Frames one way, each as it is, changed, repeated, or left out.
fn frames(mut from: Established, mut to: Established, input: &mut Unstructured<'_>) -> Result<()> {
    let mut broken = false;
    for _ in 0..input.int_in_range(0..=16)? {
        let plain: &[u8] = input.arbitrary()?;
        let mut wire = BytesMut::new();
        from.sealer
            .seal_frame(&mut wire, plain.len(), |out| out.extend_from_slice(plain))
            .unwrap();
        let sealed = Decoder::new(plain.len() + TAG_LEN).next(&mut wire).unwrap().unwrap();
        let open = |to: &mut Established, frame: BytesMut| to.opener.open(frame);
        match input.int_in_range(0..=7)? {
            0 => {
                let mut changed = sealed;
                let at = input.choose_index(changed.len())?;
                changed[at] ^= 1 << input.int_in_range(0..=7)?;
                assert_eq!(open(&mut to, changed), Err(Fault::Forged));
                broken = true;
            }
            1 => {
                assert_eq!(open(&mut to, sealed.clone()).is_ok(), !broken);
                assert_eq!(open(&mut to, sealed), Err(Fault::Forged), "a frame was taken twice");
                broken = true;
            }
            // The next one that arrives is in the wrong place.
            2 => {
                let mut next = BytesMut::new();
                from.sealer.seal_frame(&mut next, 0, |_| ()).unwrap();
                let next = Decoder::new(TAG_LEN).next(&mut next).unwrap().unwrap();
                assert_eq!(open(&mut to, next), Err(Fault::Forged));
                broken = true;
            }
            // A frame of this direction says nothing in the other, and is missed in its own.
            3 => {
                assert_eq!(open(&mut from, sealed), Err(Fault::Forged));
                broken = true;
            }
            _ if broken => assert_eq!(open(&mut to, sealed), Err(Fault::Forged)),
            _ => assert_eq!(open(&mut to, sealed).unwrap(), plain),
        }
    }
    Ok(())
}

fn handshake(suite: Suite, tamper: &mut dyn FnMut(usize, &mut [u8])) -> Option<(Established, Established)> {
    let (alice, bob) = parties();
    let (mut message1, initiator) = Initiator::new(&alice, ephemeral(3), suite).message1().unwrap();
    tamper(0, &mut message1);
    let (mut message2, responder) = Responder::new(&bob, ephemeral(4), suite).handle(&message1).ok()?;
    tamper(1, &mut message2);
    let (mut message3, initiator) = initiator.handle(&message2).ok()?;
    tamper(2, &mut message3);
    Some((initiator, responder.handle(&message3).ok()?))
}

fn parties() -> (KeyPair, KeyPair) {
    (
        KeyPair::from_seed(&[1; 32]).unwrap(),
        KeyPair::from_seed(&[2; 32]).unwrap(),
    )
}

fn ephemeral(number: u8) -> x25519::SecretKey {
    x25519::SecretKey::from_bytes(&[number; 32]).unwrap()
}
