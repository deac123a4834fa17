//! What is taken for a message and what is refused, beyond the recorded ones.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use bytes::{Bytes, BytesMut};
use handfast_snap2p::{ErrorCode, Fault, Message, StreamId, UnixTime, Visibility, message::Hello};
use minicbor::Encoder;

type Field = (&'static str, Vec<u8>);

/// One value of CBOR.
fn cbor(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut Encoder::new(&mut out));
    out
}

fn uint(number: u64) -> Vec<u8> {
    cbor(|e| drop(e.u64(number)))
}

fn text(text: &str) -> Vec<u8> {
    cbor(|e| drop(e.str(text)))
}

fn bytes(len: usize) -> Vec<u8> {
    cbor(|e| drop(e.bytes(&vec![7; len])))
}

fn map(fields: &[Field]) -> Bytes {
    let mut out = cbor(|e| drop(e.map(fields.len() as u64)));
    for (name, value) in fields {
        out.extend(text(name));
        out.extend(value);
    }
    out.into()
}

/// The fields of an honest message of each kind.
fn honest() -> Vec<Vec<Field>> {
    vec![
        vec![
            ("cap", vec![0x80]),
            ("n", bytes(32)),
            ("pk", bytes(32)),
            ("t", uint(0x01)),
            ("ts", uint(1_767_225_600)),
            ("v", uint(1)),
            ("vis", uint(0)),
        ],
        vec![("att", bytes(200)), ("t", uint(0x02))],
        vec![("p", text("stacks:SP…")), ("sid", bytes(32)), ("t", uint(0x03))],
        vec![("ec", uint(4)), ("r", text("no")), ("t", uint(0x04))],
        vec![("l", text("chat")), ("sid", uint(2)), ("t", uint(0x10))],
        vec![("ec", uint(9)), ("sid", uint(2)), ("t", uint(0x11))],
        vec![("d", bytes(9)), ("f", vec![0xf5]), ("sid", uint(2)), ("t", uint(0x12))],
        vec![("seq", uint(0)), ("t", uint(0x20)), ("ts", uint(1))],
        vec![("seq", uint(0)), ("t", uint(0x21)), ("ts", uint(1))],
        vec![("it", bytes(32)), ("t", uint(0x30))],
        vec![("a", vec![0xf5]), ("t", uint(0x31))],
        vec![("ec", uint(17)), ("r", text("no")), ("t", uint(0xff))],
    ]
}

fn with(fields: &[Field], name: &str, value: &[u8]) -> Bytes {
    let replaced: Vec<Field> = fields
        .iter()
        .map(|(field, old)| (*field, if *field == name { value.to_vec() } else { old.clone() }))
        .collect();
    map(&replaced)
}

#[test]
fn each_kind_of_message_is_read() {
    for fields in honest() {
        assert!(Message::decode(map(&fields)).is_ok(), "{fields:?}");
    }
}

#[test]
fn a_field_of_another_type_is_refused() {
    let odd: [&[u8]; 9] = [
        &[0xf6],                   // null
        &[0xf7],                   // undefined
        &[0x20],                   // -1
        &[0xf9, 0, 0],             // 0.0
        &[0xa0],                   // {}
        &[0xc1, 0],                // tagged 0
        &[0x5f, 0x41, 7, 0xff],    // bytes in pieces
        &[0x7f, 0x61, b'a', 0xff], // text in pieces
        &[0x81, 0xf6],             // [null]
    ];
    for fields in honest() {
        for (name, _) in &fields {
            for value in odd {
                let taken = Message::decode(with(&fields, name, value));
                assert!(
                    matches!(taken, Err(Fault::Malformed(_))),
                    "{name} as {value:x?}: {taken:?}"
                );
            }
        }
    }
}

#[test]
fn only_some_fields_may_be_missing() {
    for fields in honest() {
        for (missing, _) in &fields {
            let rest: Vec<Field> = fields.iter().filter(|(name, _)| name != missing).cloned().collect();
            let close = fields[fields.len() - 1].1 == uint(0x11);
            let optional = ["cap", "f", "l", "r"].contains(missing) || (*missing == "ec" && close);
            assert_eq!(Message::decode(map(&rest)).is_ok(), optional, "{missing} of {fields:?}");
        }
    }
}

#[test]
fn a_field_that_comes_twice_is_refused() {
    for fields in honest() {
        for field in &fields {
            let twice = [&fields[..], std::slice::from_ref(field)].concat();
            let refused = Err(Fault::Malformed("a field comes twice"));
            assert_eq!(Message::decode(map(&twice)), refused);
        }
    }
}

#[test]
fn lengths_have_bounds() {
    let messages = honest();
    let [hello, _, auth_ok, _, open, ..] = &messages[..] else {
        panic!("there are more kinds");
    };
    let knock = &messages[9];
    let list = |count: usize, len: usize| {
        cbor(|e| {
            e.array(count as u64).unwrap();
            for _ in 0..count {
                e.str(&"c".repeat(len)).unwrap();
            }
        })
    };
    let rows = [
        (hello, "n", bytes(32), true),
        (hello, "n", bytes(31), false),
        (hello, "pk", bytes(33), false),
        (hello, "vis", uint(2), true),
        (hello, "vis", uint(3), false),
        (hello, "cap", list(64, 64), true),
        (hello, "cap", list(65, 1), false),
        (hello, "cap", list(1, 65), false),
        (auth_ok, "sid", bytes(31), false),
        (auth_ok, "p", text(&"p".repeat(257)), false),
        (open, "l", text(&"l".repeat(1024)), true),
        (open, "l", text(&"l".repeat(1025)), false),
        (open, "sid", uint(u64::MAX), true),
        (knock, "it", bytes(16), true),
        (knock, "it", bytes(15), false),
        (knock, "it", bytes(33), false),
    ];
    for (fields, name, value, taken) in rows {
        let read = Message::decode(with(fields, name, &value));
        assert_eq!(read.is_ok(), taken, "{name} of {} bytes: {read:?}", value.len());
    }
}

#[test]
fn a_long_reason_is_cut() {
    let fields = [("ec", uint(4)), ("r", text(&"é".repeat(4000))), ("t", uint(4))];
    let Ok(Message::AuthFail(failure)) = Message::decode(map(&fields)) else {
        panic!("it is an AUTH_FAIL");
    };
    assert_eq!((failure.code, failure.reason), (ErrorCode::NotAllowed, "é".repeat(512)));
}

#[test]
fn another_version_and_another_type_are_told_apart_from_nonsense() {
    let hello = with(&honest()[0], "v", &uint(2));
    assert!(matches!(Message::decode(hello), Err(Fault::Unexpected(_))));
    assert_eq!(
        Message::decode(map(&[("t", uint(0x40))])),
        Err(Fault::UnknownType(0x40))
    );
    assert!(matches!(
        Message::decode(map(&[("sid", uint(0))])),
        Err(Fault::Malformed(_))
    ));
}

#[test]
fn what_is_no_map_is_refused() {
    let odd: [&[u8]; 8] = [
        &[],
        &[0x80],                   // a list
        &[0xf6],                   // null
        &[0xa1],                   // a map that ends too early
        &[0xa1, 0x00, 0x00],       // a key that is a number
        &[0xa1, 0xff, 0x00],       // an end where none belongs
        &[0xbf, 0x61, b't', 0x18], // a number that ends too early
        &[0xbf, 0x61, b't', 0xff], // a key without a value
    ];
    for bytes in odd {
        let read = Message::decode(Bytes::copy_from_slice(bytes));
        assert!(matches!(read, Err(Fault::Malformed(_))), "{bytes:x?}: {read:?}");
    }
}

/// A peer cannot make us recurse, allocate or wait by what it puts into a field that nobody knows.
#[test]
fn unknown_fields_are_skipped_within_bounds() {
    let ping = |odd: &[u8]| {
        let mut fields = honest().swap_remove(7);
        fields.insert(0, ("odd", odd.to_vec()));
        Message::decode(map(&fields))
    };
    let nested = |open: &[u8], depth: usize, inside: &[u8], end: &[u8]| {
        [open.repeat(depth), inside.to_vec(), end.repeat(depth)].concat()
    };
    for (open, end) in [
        (&[0x81][..], &[][..]),
        (&[0x9f], &[0xff]),
        (&[0xa1, 0], &[]),
        (&[0xbf, 0], &[0xff]),
    ] {
        assert!(ping(&nested(open, 16, &[0], end)).is_ok(), "{open:x?}");
        assert!(ping(&nested(open, 17, &[0], end)).is_err(), "{open:x?}");
        assert!(ping(&nested(open, 1 << 20, &[0], end)).is_err(), "{open:x?}");
    }
    // Tags belong to what follows, however many there are.
    assert!(ping(&nested(&[0xc1], 1 << 20, &[0], &[])).is_ok());
    // More than there is.
    for head in [0x5b, 0x7b, 0x9b, 0xbb] {
        assert!(ping(&[&[head][..], &[0xff; 8]].concat()).is_err(), "{head:x}");
        assert!(
            ping(&[&[head][..], &[0, 0, 0, 1, 0, 0, 0, 0]].concat()).is_err(),
            "{head:x}"
        );
    }
    // What CBOR has no meaning for.
    for byte in [0x1c, 0x3d, 0x5e, 0x7f, 0xdc, 0xfc, 0xff] {
        assert!(ping(&[byte, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err(), "{byte:x}");
    }
}

#[test]
fn the_data_of_a_stream_is_not_copied() {
    let message = Message::StreamData {
        id: StreamId(4),
        data: Bytes::from(vec![5; 1000]),
        fin: true,
    };
    let mut out = BytesMut::new();
    message.encode(&mut out);
    let wire = out.freeze();
    let Ok(Message::StreamData { data, .. }) = Message::decode(wire.clone()) else {
        panic!("it is a STREAM_DATA");
    };
    assert!(wire.as_ptr_range().contains(&data.as_ptr()));
}

#[test]
fn a_hello_tells_what_the_node_can_do() {
    let hello = Message::Hello(Hello {
        capabilities: vec!["aliases".into(), "px-1".into()],
        nonce: [1; 32],
        node_key: [2; 32],
        time: UnixTime(3),
        visibility: Visibility::Stealth,
    });
    let mut out = BytesMut::new();
    hello.encode(&mut out);
    assert_eq!(Message::decode(out.freeze()), Ok(hello));
}
