//! The core: sealing and opening in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::BytesMut;
use handfast_boxstream::{Cut, Error, HEADER_LEN, Header, MAX_RECORD, Opened, Opener, Sealer};
use handfast_keys::StreamKey;
use proptest::prelude::*;
use sodiumoxide::crypto::secretbox;

const MUXRPC_GOODBYE: &[u8] = &[0; 9];

fn key() -> StreamKey {
    StreamKey {
        key: [7; 32],
        nonce: [250; 24],
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + 3) as u8).collect()
}

/// The records of `writes`, each on its own, and the goodbye as the last.
fn sealed(writes: &[&[u8]]) -> Vec<BytesMut> {
    let mut sealer = Sealer::new(key());
    let mut records = Vec::new();
    for write in writes {
        let mut record = BytesMut::new();
        sealer.seal(write, &mut record).unwrap();
        records.push(record);
    }
    let mut goodbye = BytesMut::new();
    sealer.goodbye(&mut goodbye).unwrap();
    records.push(goodbye);
    records
}

/// Opens `wire` at once, up to the goodbye, the end or an error.
fn open_whole(opener: &mut Opener, wire: &[u8]) -> (Vec<u8>, Result<(), Error>) {
    let mut buf = BytesMut::from(wire);
    let mut plain = Vec::new();
    let end = loop {
        match opener.open(&mut buf) {
            Ok(Opened::Record(record)) => plain.extend_from_slice(&record),
            Ok(Opened::NeedMore(_)) => break opener.end(&buf),
            Ok(Opened::Goodbye) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    (plain, end)
}

/// A record made by libsodium, with nonces of our own counting.
fn libsodium_record(nonce: &mut [u8; 24], body: &[u8]) -> Vec<u8> {
    let mut next = || {
        let this = secretbox::Nonce(*nonce);
        for byte in nonce.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
        this
    };
    let key = secretbox::Key([7; 32]);
    let (header_nonce, body_nonce) = (next(), next());
    let boxed = secretbox::seal(body, &body_nonce, &key);
    let mut header = (body.len() as u16).to_be_bytes().to_vec();
    header.extend_from_slice(&boxed[..16]);
    let mut record = secretbox::seal(&header, &header_nonce, &key);
    record.extend_from_slice(&boxed[16..]);
    record
}

#[test]
fn every_size_of_record_is_a_pair_of_libsodium_secretboxes() {
    sodiumoxide::init().unwrap();
    let sizes: Vec<usize> = (1..=130)
        .chain((131..MAX_RECORD).step_by(61))
        .chain([4094, 4095, 4096])
        .collect();
    let mut nonce = key().nonce;
    let mut sealer = Sealer::new(key());
    let mut opener = Opener::new(key());
    for size in sizes {
        let body = pattern(size);
        let oracle = libsodium_record(&mut nonce, &body);
        let mut ours = BytesMut::new();
        sealer.seal(&body, &mut ours).unwrap();
        assert_eq!(ours, oracle, "{size} bytes");
        assert_eq!(
            opener.open(&mut ours),
            Ok(Opened::Record(BytesMut::from(&body[..]))),
            "{size} bytes"
        );
        assert!(ours.is_empty());
    }
    // The size that we never write but read: a body of nothing, with a real tag.
    let mut empty = BytesMut::from(&libsodium_record(&mut nonce, b"")[..]);
    assert_eq!(opener.open(&mut empty), Ok(Opened::Record(BytesMut::new())));
}

#[test]
fn a_long_write_is_cut_at_4096_bytes() {
    let wire = sealed(&[&pattern(10_000)]).concat();
    let mut buf = BytesMut::from(&wire[..]);
    let mut opener = Opener::new(key());
    let mut lengths = Vec::new();
    while let Opened::Record(record) = opener.open(&mut buf).unwrap() {
        lengths.push(record.len());
    }
    assert_eq!(lengths, [4096, 4096, 1808]);
}

#[test]
fn a_write_of_nothing_sends_nothing() {
    let mut out = BytesMut::from(&b"before"[..]);
    Sealer::new(key()).seal(b"", &mut out).unwrap();
    assert_eq!(out, b"before"[..]);
}

#[test]
fn sealing_appends_behind_what_the_buffer_holds() {
    let mut out = BytesMut::from(&b"before"[..]);
    Sealer::new(key()).seal(b"kia ora", &mut out).unwrap();
    assert_eq!(out[..6], b"before"[..]);
    assert_eq!(out[6..], sealed(&[b"kia ora"])[0]);
}

#[test]
fn nothing_is_sealed_after_the_goodbye() {
    let mut sealer = Sealer::new(key());
    let mut out = BytesMut::new();
    sealer.goodbye(&mut out).unwrap();
    assert_eq!(out.len(), HEADER_LEN);
    assert_eq!(sealer.seal(b"more", &mut out), Err(Error::AfterGoodbye));
    assert_eq!(sealer.goodbye(&mut out), Err(Error::AfterGoodbye));
    assert_eq!(out.len(), HEADER_LEN);
}

#[test]
fn asks_for_exactly_the_bytes_that_are_missing() {
    let wire = sealed(&[b"kia ora"]).concat();
    let mut opener = Opener::new(key());
    let mut buf = BytesMut::new();
    for have in 0..HEADER_LEN + 7 {
        let stage = if have < HEADER_LEN { HEADER_LEN } else { HEADER_LEN + 7 };
        assert_eq!(opener.open(&mut buf), Ok(Opened::NeedMore(stage - have)));
        buf.extend_from_slice(&wire[have..=have]);
    }
    assert_eq!(
        opener.open(&mut buf),
        Ok(Opened::Record(BytesMut::from(&b"kia ora"[..])))
    );
}

#[test]
fn a_stream_cut_at_any_byte_is_truncated() {
    let records = sealed(&[b"first", b"second", &pattern(300)]);
    let wire = records.concat();
    let plain = [&b"first"[..], b"second", &pattern(300)].concat();
    let mut boundaries = vec![0];
    for record in &records {
        boundaries.push(boundaries[boundaries.len() - 1] + record.len());
    }
    for cut_at in 0..wire.len() {
        let (opened, end) = open_whole(&mut Opener::new(key()), &wire[..cut_at]);
        let cut = if boundaries.contains(&cut_at) {
            Cut::BetweenRecords
        } else {
            Cut::InsideRecord
        };
        assert_eq!(end, Err(Error::Truncated { cut }), "cut at {cut_at}");
        let whole_records = boundaries.iter().filter(|boundary| **boundary <= cut_at).count() - 1;
        let wanted: usize = [5, 6, 300].iter().take(whole_records).sum();
        assert_eq!(opened, plain[..wanted], "cut at {cut_at}");
    }
    assert_eq!(open_whole(&mut Opener::new(key()), &wire), (plain, Ok(())));
}

#[test]
fn a_flipped_bit_in_any_byte_is_found() {
    let records = sealed(&[b"first", b"second"]);
    let wire = records.concat();
    for place in 0..wire.len() {
        for bit in [1, 0x80] {
            let mut forged = wire.clone();
            forged[place] ^= bit;
            let (opened, end) = open_whole(&mut Opener::new(key()), &forged);
            let (wanted, error) = match place {
                0..34 => (&b""[..], Error::ForgedHeader),
                34..39 => (&b""[..], Error::ForgedBody),
                39..73 => (&b"first"[..], Error::ForgedHeader),
                73..79 => (&b"first"[..], Error::ForgedBody),
                _ => (&b"firstsecond"[..], Error::ForgedHeader),
            };
            assert_eq!(
                (opened.as_slice(), end),
                (wanted, Err(error)),
                "bit {bit} of byte {place}"
            );
        }
    }
}

#[test]
fn reordered_repeated_and_dropped_records_are_found() {
    let records = sealed(&[b"first", b"other", b"third"]);
    let order = |indices: &[usize]| indices.iter().flat_map(|i| records[*i].to_vec()).collect::<Vec<u8>>();
    for (indices, wanted) in [
        (&[1, 0, 2, 3][..], &b""[..]), // swapped
        (&[0, 0, 1, 2, 3], b"first"),  // repeated
        (&[1, 2, 3], b""),             // first dropped
        (&[0, 2, 3], b"first"),        // middle dropped
        (&[0, 1, 3], b"firstother"),   // last dropped: the goodbye does not fit
        (&[3, 0, 1, 2], b""),          // goodbye moved to the front
    ] {
        let (opened, end) = open_whole(&mut Opener::new(key()), &order(indices));
        assert_eq!(
            (opened.as_slice(), end),
            (wanted, Err(Error::ForgedHeader)),
            "{indices:?}"
        );
    }
}

#[test]
fn the_body_of_another_record_of_the_same_length_is_found() {
    let records = sealed(&[b"first", b"other"]);
    let spliced = [&records[0][..HEADER_LEN], &records[1][HEADER_LEN..]].concat();
    assert_eq!(
        open_whole(&mut Opener::new(key()), &spliced),
        (vec![], Err(Error::ForgedBody))
    );
}

#[test]
fn the_wrong_key_and_the_wrong_nonce_open_nothing() {
    let wire = sealed(&[b"first"]).concat();
    let mut other_key = key();
    other_key.key[31] ^= 1;
    let mut other_nonce = key();
    other_nonce.nonce[23] ^= 1;
    for wrong in [other_key, other_nonce] {
        assert_eq!(
            open_whole(&mut Opener::new(wrong), &wire),
            (vec![], Err(Error::ForgedHeader))
        );
    }
}

#[test]
fn an_overlong_record_is_refused_before_its_body_arrives() {
    sodiumoxide::init().unwrap();
    let wire = libsodium_record(&mut key().nonce, &pattern(MAX_RECORD + 1));
    let mut buf = BytesMut::from(&wire[..HEADER_LEN]);
    assert_eq!(
        Opener::new(key()).open(&mut buf),
        Err(Error::RecordTooLong { len: 4097 })
    );
}

#[test]
fn an_opener_that_failed_fails_for_good() {
    let wire = sealed(&[b"first"]).concat();
    for place in [0, HEADER_LEN] {
        let mut opener = Opener::new(key());
        let mut forged = BytesMut::from(&wire[..]);
        forged[place] ^= 1;
        let error = opener.open(&mut forged).unwrap_err();
        for _ in 0..3 {
            assert_eq!(opener.open(&mut BytesMut::from(&wire[..])), Err(error));
            assert_eq!(opener.end(&[]), Err(error));
        }
    }
    let mut opener = Opener::new(key());
    let truncated = opener.end(&[]);
    assert_eq!(
        truncated,
        Err(Error::Truncated {
            cut: Cut::BetweenRecords
        })
    );
    assert_eq!(opener.open(&mut BytesMut::from(&wire[..])).map(drop), truncated);
}

#[test]
fn bytes_after_the_goodbye_are_thrown_away() {
    let mut wire = BytesMut::from(&sealed(&[]).concat()[..]);
    wire.extend_from_slice(b"whatever");
    let mut opener = Opener::new(key());
    assert_eq!(opener.open(&mut wire), Ok(Opened::Goodbye));
    assert!(wire.is_empty());
    wire.extend_from_slice(b"even more");
    assert_eq!(opener.open(&mut wire), Ok(Opened::Goodbye));
    assert!(wire.is_empty());
    assert_eq!(opener.end(b"rest"), Ok(()));
}

#[test]
fn the_muxrpc_goodbye_is_a_clean_end_unless_strict() {
    let cut_after = |writes: &[&[u8]]| {
        let mut records = sealed(writes);
        records.pop();
        records.concat()
    };
    let between = Err(Error::Truncated {
        cut: Cut::BetweenRecords,
    });
    let muxrpc = cut_after(&[b"data", MUXRPC_GOODBYE]);
    assert_eq!(open_whole(&mut Opener::new(key()), &muxrpc).1, Ok(()));
    assert_eq!(open_whole(&mut Opener::new(key()).strict(), &muxrpc).1, between);

    // Only as the last record, only alone in it, only nine zeros, and only on the boundary.
    assert_eq!(
        open_whole(&mut Opener::new(key()), &cut_after(&[MUXRPC_GOODBYE, b"data"])).1,
        between
    );
    assert_eq!(
        open_whole(&mut Opener::new(key()), &cut_after(&[b"data\0\0\0\0\0\0\0\0\0"])).1,
        between
    );
    assert_eq!(open_whole(&mut Opener::new(key()), &cut_after(&[&[0; 8]])).1, between);
    assert_eq!(open_whole(&mut Opener::new(key()), &cut_after(&[&[0; 10]])).1, between);
    let and_a_byte = [&muxrpc[..], &[1]].concat();
    let inside = Err(Error::Truncated { cut: Cut::InsideRecord });
    assert_eq!(open_whole(&mut Opener::new(key()), &and_a_byte).1, inside);
    assert_eq!(
        open_whole(&mut Opener::new(key()), &muxrpc[..muxrpc.len() - 1]).1,
        inside
    );
}

#[test]
fn the_end_stays_ended_after_a_muxrpc_goodbye() {
    let mut buf = BytesMut::from(&sealed(&[MUXRPC_GOODBYE])[0][..]);
    let mut opener = Opener::new(key());
    assert!(matches!(opener.open(&mut buf), Ok(Opened::Record(_))));
    assert_eq!(opener.end(&buf), Ok(()));
    assert_eq!(opener.open(&mut buf), Ok(Opened::Goodbye));
    assert_eq!(opener.end(&buf), Ok(()));
}

#[test]
fn the_constants_are_those_of_the_protocol() {
    assert_eq!((Header::LEN, HEADER_LEN, MAX_RECORD), (18, 34, 4096));
    for (plain, wire) in [(0, 0), (1, 35), (4096, 4130), (4097, 4165), (20_000, 20_170)] {
        assert_eq!(Sealer::sealed_len(plain), wire);
    }
}

#[test]
fn debug_shows_no_secret_and_no_plaintext() {
    let secret = StreamKey {
        key: [0xab; 32],
        nonce: [0xcd; 24],
    };
    let mut wire = BytesMut::new();
    let mut sealer = Sealer::new(secret.clone());
    let mut opener = Opener::new(secret);
    sealer.seal(b"sesame", &mut wire).unwrap();
    let opened = opener.open(&mut wire).unwrap();
    let shown = format!("{sealer:?} {opener:?} {opened:?}");
    assert!(shown.contains("Record(6 bytes)"), "{shown}");
    for leak in ["171", "205", "ab", "sesame"] {
        assert!(!shown.contains(leak), "{shown}");
    }
}

proptest! {
    #[test]
    fn what_is_written_comes_back_whatever_the_chunks(
        writes in prop::collection::vec(prop_oneof![0..40_usize, 4000..9000_usize], 0..6),
        nonce in any::<[u8; 24]>(),
        chunks in prop::collection::vec(prop_oneof![1..3_usize, 1..200_usize, 1..9000_usize], 1..20),
    ) {
        let key = StreamKey { key: [7; 32], nonce };
        let mut sealer = Sealer::new(key.clone());
        let mut wire = BytesMut::new();
        let mut plain = Vec::new();
        for len in writes {
            sealer.seal(&pattern(len), &mut wire).unwrap();
            plain.extend(pattern(len));
        }
        sealer.goodbye(&mut wire).unwrap();

        let mut opener = Opener::new(key).strict();
        let mut buf = BytesMut::new();
        let mut opened = Vec::new();
        let mut chunks = chunks.iter().cycle();
        loop {
            match opener.open(&mut buf).unwrap() {
                Opened::Record(record) => opened.extend_from_slice(&record),
                Opened::NeedMore(_) => {
                    prop_assert!(!wire.is_empty());
                    let chunk = wire.split_to(wire.len().min(*chunks.next().unwrap()));
                    buf.extend_from_slice(&chunk);
                }
                Opened::Goodbye => break,
            }
        }
        prop_assert!(wire.is_empty() && buf.is_empty());
        prop_assert_eq!(opened, plain);
    }
}
