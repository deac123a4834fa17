//! What the reference does, recorded: frames, CBOR, messages and handshakes byte for byte.
//!
//! `vectors/snap2p.json` was made by running the built reference with fixed randomness and a fixed clock; its header says
//! how, and what each section holds. The inner states of the handshakes are compared in `src/noise/tests.rs`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

use bytes::{Bytes, BytesMut};
use handfast_keys::{KeyPair, x25519};
use handfast_snap2p::{
    ErrorCode, Fault, Message, StreamId, UnixTime, Visibility, frame,
    limits::{FRAME_MAX, TAG_LEN},
    message::{AuthOk, Failure, Hello, Ping, put_stream_data, stream_data_len},
    noise::{Established, Initiator, Responder, Suite},
};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/snap2p.json")).unwrap()
}

fn list<'a>(vectors: &'a Value, section: &str) -> &'a [Value] {
    vectors[section].as_array().expect("a section of the vectors")
}

fn hex(value: &Value) -> Vec<u8> {
    testkit::unhex(value.as_str().expect("hex"))
}

fn hex32(value: &Value) -> [u8; 32] {
    hex(value).try_into().unwrap()
}

fn number(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.parse().unwrap(),
        value => value.as_u64().unwrap(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn encoded(message: &Message) -> BytesMut {
    let mut out = BytesMut::new();
    message.encode(&mut out);
    assert_eq!(out.len(), message.encoded_len());
    out
}

fn framed(bytes: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    frame::put_len(bytes.len(), &mut out);
    out.extend_from_slice(bytes);
    out
}

/// The message of a vector's `fields`.
fn message(fields: &Value) -> Message {
    let id = || StreamId(number(&fields["streamId"]));
    let code = || ErrorCode::from_number(number(&fields["errorCode"]));
    let failure = || Failure {
        code: code(),
        reason: text(&fields["reason"]),
    };
    let ping = || Ping {
        seq: number(&fields["sequence"]),
        time: UnixTime(number(&fields["timestamp"])),
    };
    match number(&fields["type"]) {
        0x01 => Message::Hello(Hello {
            capabilities: fields["capabilities"].as_array().unwrap().iter().map(text).collect(),
            nonce: hex32(&fields["nonce"]),
            node_key: hex32(&fields["nodePublicKey"]),
            time: UnixTime(number(&fields["timestamp"])),
            visibility: Visibility::from_number(number(&fields["visibility"])).unwrap(),
        }),
        0x02 => Message::Auth(hex(&fields["attestation"]).into()),
        0x03 => Message::AuthOk(AuthOk {
            principal: text(&fields["principal"]),
            session_id: hex32(&fields["sessionId"]),
        }),
        0x04 => Message::AuthFail(failure()),
        0x10 => Message::OpenStream {
            id: id(),
            label: text(&fields["label"]),
        },
        0x11 => Message::CloseStream {
            id: id(),
            code: (!fields["errorCode"].is_null()).then(code),
        },
        0x12 => Message::StreamData {
            id: id(),
            data: hex(&fields["data"]).into(),
            fin: fields["fin"].as_bool().unwrap_or(false),
        },
        0x20 => Message::Ping(ping()),
        0x21 => Message::Pong(ping()),
        0x30 => Message::Knock(hex(&fields["inviteToken"]).into()),
        0x31 => Message::KnockResponse {
            accepted: fields["allowed"].as_bool().unwrap(),
        },
        0xff => Message::Error(failure()),
        other => panic!("type {other} has no place here"),
    }
}

#[test]
fn lengths_are_written_and_read() {
    for vector in list(&vectors(), "varint") {
        let len = usize::try_from(number(&vector["value"])).unwrap();
        let mut out = BytesMut::new();
        frame::put_len(len, &mut out);
        assert_eq!(out, hex(&vector["bytes"]));
        assert_eq!(out.len(), frame::len_len(len));
        // The length alone is taken in; the frame is awaited.
        let frame = frame::Decoder::new(FRAME_MAX).next(&mut out).unwrap();
        assert_eq!(frame.is_some(), len == 0);
        assert!(out.is_empty());
    }
}

#[test]
fn frames_are_cut_where_the_reference_cuts_them() {
    for vector in list(&vectors(), "frames") {
        let payload = hex(&vector["payload"]);
        let mut bytes = framed(&payload);
        assert_eq!(bytes, hex(&vector["framed"]));
        let frame = frame::Decoder::new(FRAME_MAX).next(&mut bytes).unwrap().unwrap();
        assert_eq!(frame, payload);
    }
}

/// Two lengths that the reference reads as negative numbers, and then loses its place or hangs, are refused; so is a
/// sixth byte. Everything else is taken as it takes it.
#[test]
fn odd_lengths_are_taken_or_refused() {
    for vector in list(&vectors(), "varint_bad") {
        let mut bytes = BytesMut::from(&hex(&vector["prefix"])[..]);
        bytes.extend_from_slice(&hex(&vector["followed_by"]));
        let before = bytes.len();
        let mut decoder = frame::Decoder::new(FRAME_MAX);
        let taken = decoder.next(&mut bytes);
        match vector["prefix"].as_str().unwrap() {
            "ffffffff0f" | "fbffffff0f" | "ffffffff07" => {
                assert!(matches!(taken, Err(Fault::TooLong { .. })), "{vector}: {taken:?}");
                assert_eq!(decoder.next(&mut bytes), Err(taken.unwrap_err()));
            }
            _ if vector["result"].is_object() => {
                assert_eq!(taken.unwrap().unwrap(), hex(&vector["result"]["data"]), "{vector}");
                assert_eq!(
                    (before - bytes.len()) as u64,
                    number(&vector["result"]["consumed"]),
                    "{vector}"
                );
            }
            _ => assert_eq!(taken, Ok(None), "{vector}"),
        }
    }
    for prefix in [
        &[0x80; 5][..],
        &[0xff, 0xff, 0xff, 0xff, 0x1f],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
    ] {
        let taken = frame::Decoder::new(FRAME_MAX).next(&mut BytesMut::from(prefix));
        assert_eq!(taken, Err(Fault::Length), "{prefix:?}");
    }
}

#[test]
fn the_longest_frame_is_taken_and_one_byte_more_is_not() {
    let length_of = |len| {
        let mut out = BytesMut::new();
        frame::put_len(len, &mut out);
        frame::Decoder::new(FRAME_MAX).next(&mut out)
    };
    assert_eq!(length_of(FRAME_MAX), Ok(None));
    let too_long = Fault::TooLong {
        len: FRAME_MAX as u64 + 1,
        max: FRAME_MAX,
    };
    assert_eq!(length_of(FRAME_MAX + 1), Err(too_long));
}

#[test]
fn messages_are_written_as_the_reference_writes_them_and_read_back() {
    for vector in list(&vectors(), "messages") {
        let message = message(&vector["fields"]);
        let bytes = encoded(&message);
        assert_eq!(bytes, hex(&vector["cbor"]), "{}", vector["name"]);
        assert_eq!(framed(&bytes), hex(&vector["framed"]), "{}", vector["name"]);
        assert_eq!(Message::decode(bytes.freeze()).unwrap(), message, "{}", vector["name"]);
        if let Message::StreamData { id, data, fin } = message {
            let mut out = BytesMut::new();
            put_stream_data(id, &data, fin, &mut out);
            assert_eq!(out, hex(&vector["cbor"]));
            assert_eq!(out.len(), stream_data_len(id, data.len(), fin));
        }
    }
}

/// Single values, inside the message that has one of their kind.
#[test]
fn values_are_written_in_their_shortest_form() {
    for vector in list(&vectors(), "cbor") {
        let bytes = hex(&vector["bytes"]);
        let (message, before, behind): (_, &[u8], &[u8]) = if let Some(uint) = vector["uint"].as_str() {
            let id = StreamId(uint.parse().unwrap());
            (Message::CloseStream { id, code: None }, b"\xa2\x63sid", b"\x61t\x11")
        } else if let Some(text) = vector["text"].as_str() {
            let label = text.to_owned();
            (
                Message::OpenStream { id: StreamId(0), label },
                b"\xa3\x61l",
                b"\x63sid\x00\x61t\x10",
            )
        } else if vector["bytes_value"].is_string() {
            let token = hex(&vector["bytes_value"]).into();
            (Message::Knock(token), b"\xa2\x62it", b"\x61t\x18\x30")
        } else if let Some(accepted) = vector["bool"].as_bool() {
            (Message::KnockResponse { accepted }, b"\xa2\x61a", b"\x61t\x18\x31")
        } else {
            assert!(vector["map"].is_object(), "{vector}");
            continue;
        };
        assert_eq!(encoded(&message), [before, &bytes, behind].concat(), "{vector}");
    }
}

/// What the reference takes and we take, and where we are stricter: a stream number that is negative, a float or missing,
/// data that is text, a truth value that is a number. No honest peer sends any of these.
#[test]
fn odd_messages_are_taken_or_refused() {
    for vector in list(&vectors(), "decode") {
        let what = vector["what"].as_str().unwrap();
        let decoded = Message::decode(hex(&vector["cbor"]).into());
        match what {
            "indefinite map" | "non-minimal uint" | "unsorted keys" => {
                let expected = Message::OpenStream {
                    id: StreamId(0),
                    label: String::new(),
                };
                assert_eq!(decoded, Ok(expected), "{what}");
            }
            _ => assert!(matches!(decoded, Err(Fault::Malformed(_))), "{what}: {decoded:?}"),
        }
    }
}

fn party(of: &Value) -> (KeyPair, x25519::SecretKey) {
    let keys = KeyPair::from_seed(&hex32(&of["node_seed"])).unwrap();
    let ephemeral = x25519::SecretKey::from_bytes(&hex32(&of["ephemeral_private"])).unwrap();
    (keys, ephemeral)
}

/// A whole handshake of the two parties of a vector: its messages and both outcomes.
fn handshake(vector: &Value) -> ([Vec<u8>; 3], Established, Established) {
    let (keys, ephemeral) = party(&vector["initiator"]);
    let (message1, initiator) = Initiator::new(&keys, ephemeral, Suite::Snap2p).message1().unwrap();
    let (keys, ephemeral) = party(&vector["responder"]);
    let (message2, responder) = Responder::new(&keys, ephemeral, Suite::Snap2p)
        .handle(&message1)
        .unwrap();
    let (message3, initiator) = initiator.handle(&message2).unwrap();
    let responder = responder.handle(&message3).unwrap();
    (
        [message1.to_vec(), message2.to_vec(), message3.to_vec()],
        initiator,
        responder,
    )
}

#[test]
fn handshakes_are_those_of_the_reference() {
    for vector in list(&vectors(), "noise_xx") {
        let (messages, mut initiator, mut responder) = handshake(vector);
        for (message, expected) in messages.iter().zip(list(vector, "messages")) {
            assert_eq!(*message, hex(&expected["message"]));
            assert_eq!(framed(message), hex(&expected["framed"]));
        }
        let hash = hex32(&vector["handshake_hash"]);
        assert_eq!((initiator.handshake_hash, responder.handshake_hash), (hash, hash));
        assert_eq!(
            initiator.remote_static.as_bytes()[..],
            hex(&vector["responder"]["static_public"])
        );
        assert_eq!(
            responder.remote_static.as_bytes()[..],
            hex(&vector["initiator"]["static_public"])
        );

        for sent in list(vector, "transport") {
            let (from, to) = match sent["from"].as_str().unwrap() {
                "initiator" => (&mut initiator.sealer, &mut responder.opener),
                _ => (&mut responder.sealer, &mut initiator.opener),
            };
            exchange(from, to, sent);
        }
    }
}

/// Every frame of the recorded conversations, sealed from its message and opened at the other end.
#[test]
fn conversations_are_those_of_the_reference() {
    for vector in list(&vectors(), "sessions") {
        let (messages, mut initiator, mut responder) = handshake(vector);
        let frames = list(vector, "frames").iter().filter(|frame| frame["kind"] != "plain");
        let mut noise = messages.iter();
        for sent in frames {
            if sent["kind"] != "transport" {
                assert_eq!(*noise.next().unwrap(), hex(&sent["frame"]), "{}", sent["kind"]);
                continue;
            }
            let (from, to) = match sent["from"].as_str().unwrap() {
                "initiator" => (&mut initiator.sealer, &mut responder.opener),
                _ => (&mut responder.sealer, &mut initiator.opener),
            };
            let plain = exchange(from, to, sent);
            assert_eq!(Message::decode(plain.clone()).unwrap(), message(&sent["fields"]));
            assert_eq!(encoded(&message(&sent["fields"])), plain);
        }
        assert!(noise.next().is_none());
    }
}

/// Seals the plaintext of a recorded frame, compares, and opens it again.
fn exchange(from: &mut handfast_snap2p::noise::Sealer, to: &mut handfast_snap2p::noise::Opener, sent: &Value) -> Bytes {
    let plain = hex(&sent["plaintext"]);
    let mut wire = BytesMut::from(&b"before"[..]);
    from.seal_frame(&mut wire, plain.len(), |out| out.extend_from_slice(&plain))
        .unwrap();
    let mut wire = wire.split_off(6);
    if sent["framed"].is_string() {
        assert_eq!(wire, hex(&sent["framed"]));
    }
    let mut decoder = frame::Decoder::new(plain.len() + TAG_LEN);
    let sealed = decoder.next(&mut wire).unwrap().unwrap();
    assert!(wire.is_empty());
    let recorded = if sent["frame"].is_string() {
        &sent["frame"]
    } else {
        &sent["ciphertext"]
    };
    assert_eq!(sealed, hex(recorded));
    let opened = to.open(sealed).unwrap();
    assert_eq!(opened, plain);
    opened.freeze()
}
