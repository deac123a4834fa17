//! What the JavaScript package pull-box-stream 1.0.13 writes and reads.
//!
//! `vectors/boxstream.json` was made by running that package over the plaintexts named in it: `encode` pipes
//! `plain_chunks` through its boxing stream, `decode_edge` pipes `cipher` through its unboxing stream and notes the
//! packets and the error that came out. `vectors/after-shs1.json` says itself how it was made.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::BytesMut;
use handfast_boxstream::{Cut, Error, HEADER_LEN, Opened, Opener, Sealer};
use handfast_keys::StreamKey;
use serde_json::Value;
use testkit::{unhex, unhex_array};

fn cases(kind: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("vectors/boxstream.json")).unwrap();
    all[kind].as_array().unwrap().clone()
}

fn key(case: &Value) -> StreamKey {
    StreamKey {
        key: unhex_array(text(&case["key"])),
        nonce: unhex_array(text(&case["nonce"])),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn byte_strings(value: &Value) -> Vec<Vec<u8>> {
    value.as_array().unwrap().iter().map(|item| unhex(text(item))).collect()
}

fn sizes(value: &Value) -> Vec<usize> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item.as_u64().unwrap() as usize)
        .collect()
}

/// Opens everything that is in `buf`.
fn open_all(opener: &mut Opener, buf: &mut BytesMut, records: &mut Vec<Vec<u8>>) -> Result<Opened, Error> {
    loop {
        match opener.open(buf)? {
            Opened::Record(record) => records.push(record.to_vec()),
            other => return Ok(other),
        }
    }
}

#[test]
fn seals_to_the_bytes_of_the_javascript_writer() {
    for case in cases("encode") {
        let mut sealer = Sealer::new(key(&case));
        let mut wire = BytesMut::new();
        let mut pieces = Vec::new();
        for plain in byte_strings(&case["plain_chunks"]) {
            let before = wire.len();
            sealer.seal(&plain, &mut wire).unwrap();
            assert_eq!(
                wire.len() - before,
                Sealer::sealed_len(plain.len()),
                "{}",
                case["label"]
            );
            pieces.extend(plain.chunks(4096).flat_map(|body| [HEADER_LEN, body.len()]));
        }
        sealer.goodbye(&mut wire).unwrap();
        pieces.push(HEADER_LEN);
        assert_eq!(wire, unhex(text(&case["cipher"])), "{}", case["label"]);
        assert_eq!(pieces, sizes(&case["written_pieces"]), "{}", case["label"]);
    }
}

#[test]
fn opens_the_bytes_of_the_javascript_writer() {
    for case in cases("encode") {
        let mut wire = BytesMut::from(unhex(text(&case["cipher"])).as_slice());
        let mut records = Vec::new();
        let opened = open_all(&mut Opener::new(key(&case)), &mut wire, &mut records);
        assert_eq!(opened, Ok(Opened::Goodbye), "{}", case["label"]);
        let lengths: Vec<usize> = records.iter().map(Vec::len).collect();
        assert_eq!(lengths, sizes(&case["decoded_packet_lengths"]), "{}", case["label"]);
        assert_eq!(
            records.concat(),
            byte_strings(&case["plain_chunks"]).concat(),
            "{}",
            case["label"]
        );
    }
}

#[test]
fn decides_as_the_javascript_reader_except_for_overlong_records() {
    let mut seen = 0;
    for case in cases("decode_edge") {
        let label = text(&case["label"]);
        let mut opener = Opener::new(key(&case));
        let mut buf = BytesMut::new();
        let mut records = Vec::new();
        let mut end = Ok(());
        for chunk in byte_strings(&case["cipher"]) {
            buf.extend_from_slice(&chunk);
            if let Err(error) = open_all(&mut opener, &mut buf, &mut records) {
                end = Err(error);
                break;
            }
        }
        let end = end.and_then(|()| opener.end(&buf));
        seen += 1;
        let javascript = case["error"].as_str();
        match (label, javascript) {
            // The one difference: JavaScript reads a record of any length up to 65535.
            ("packet longer than 4096 (5000): decoder outcome", _) => {
                assert_eq!(end, Err(Error::RecordTooLong { len: 5000 }));
                assert!(records.is_empty());
                continue;
            }
            (_, None) => assert_eq!(end, Ok(()), "{label}"),
            (_, Some("invalid header")) => assert_eq!(end, Err(Error::ForgedHeader), "{label}"),
            (_, Some("invalid packet")) => assert_eq!(end, Err(Error::ForgedBody), "{label}"),
            (_, Some("unexpected hangup")) => {
                assert_eq!(
                    end,
                    Err(Error::Truncated {
                        cut: Cut::BetweenRecords
                    }),
                    "{label}"
                );
            }
            (_, Some(wanted)) => {
                assert!(wanted.starts_with("stream ended with"), "{label}: {wanted}");
                // JavaScript counts wrongly when a record has gone before: its text names the size of that one.
                let boundary = label.starts_with("truncated before goodbye");
                let cut = if boundary {
                    Cut::BetweenRecords
                } else {
                    Cut::InsideRecord
                };
                assert_eq!(end, Err(Error::Truncated { cut }), "{label}");
            }
        }
        if label.starts_with("header with length 0") {
            assert_eq!(records, [b""], "{label}");
        } else {
            assert_eq!(records, byte_strings(&case["packets_ok"]), "{label}");
        }
    }
    assert_eq!(seen, 10);
}

#[test]
fn seals_and_opens_what_followed_a_javascript_handshake() {
    let all: Value = serde_json::from_str(include_str!("vectors/after-shs1.json")).unwrap();
    let streams = all["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 4);
    for case in streams {
        let mut sealer = Sealer::new(key(case));
        let mut wire = BytesMut::new();
        let plain = byte_strings(&case["plain"]);
        for write in &plain {
            sealer.seal(write, &mut wire).unwrap();
        }
        sealer.goodbye(&mut wire).unwrap();
        assert_eq!(wire, unhex(text(&case["cipher"])), "{}", case["label"]);

        let mut records = Vec::new();
        assert_eq!(
            open_all(&mut Opener::new(key(case)), &mut wire, &mut records),
            Ok(Opened::Goodbye)
        );
        assert_eq!(records.concat(), plain.concat(), "{}", case["label"]);
    }
}
