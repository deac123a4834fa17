//! What the wire costs against the primitives it is made of: a Noise handshake, the mixing of a key, and 64 KiB frames.
//!
//! Each ratio is the median of turns that were taken in the same seconds, so that what the machine does in between hits both
//! sides alike. 1.0 is as fast as the bare primitive.
//!
//! `cargo bench -p handfast-snap2p --bench primitives`
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use bytes::BytesMut;
use handfast_keys::{KeyPair, x25519};
use handfast_snap2p::{
    Message, StreamId,
    frame::Decoder,
    limits::{DATA_MAX, FRAME_MAX, TAG_LEN},
    message::{put_stream_data, stream_data_len},
    noise::{Established, Initiator, Responder, Suite},
};
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey},
    digest, hmac,
};
use std::{collections::VecDeque, hint::black_box, time::Instant};

const TURNS: usize = 61;
/// Frames that are opened in one turn: 512 KiB.
const OPENED: usize = 8;
const ID: StreamId = StreamId(0);

fn main() {
    handshakes();
    frames();
}

/// The median over turns of what `floor` takes per time that `ours` takes, and the fastest turns in seconds.
fn ratio(repeat: usize, ours: &mut dyn FnMut(), floor: &mut dyn FnMut()) -> (f64, f64, f64) {
    let time = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..repeat).for_each(|_| work());
        start.elapsed().as_secs_f64() / repeat as f64
    };
    let turns: Vec<_> = (0..TURNS).map(|_| (time(ours), time(floor))).collect();
    median(&turns)
}

fn median(turns: &[(f64, f64)]) -> (f64, f64, f64) {
    let mut ratios: Vec<f64> = turns.iter().map(|(ours, floor)| floor / ours).collect();
    ratios.sort_by(f64::total_cmp);
    let fastest = |of: fn(&(f64, f64)) -> f64| turns.iter().map(of).fold(f64::INFINITY, f64::min);
    (ratios[ratios.len() / 2], fastest(|turn| turn.0), fastest(|turn| turn.1))
}

fn ephemeral(number: u8) -> x25519::SecretKey {
    x25519::SecretKey::from_bytes(black_box(&[number; 32])).unwrap()
}

fn handshake(alice: &KeyPair, bob: &KeyPair, suite: Suite) -> (Established, Established) {
    let (message1, initiator) = Initiator::new(alice, ephemeral(3), suite).message1().unwrap();
    let (message2, responder) = Responder::new(bob, ephemeral(4), suite).handle(&message1).unwrap();
    let (message3, initiator) = initiator.handle(&message2).unwrap();
    (initiator, responder.handle(&message3).unwrap())
}

fn raw_key() -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &[7; 32]).unwrap())
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([3; 12])
}

/// HKDF-SHA256 with two outputs: four HMACs, of which two share a key.
fn hkdf(secret: &[u8]) -> hmac::Tag {
    let extract = hmac::Key::new(hmac::HMAC_SHA256, black_box(&[0; 32]));
    let expand = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&extract, &[9; 32]).as_ref());
    let first = hmac::sign(&expand, secret);
    hmac::sign(&expand, first.as_ref())
}

fn handshakes() {
    let (alice, bob) = (
        KeyPair::from_seed(&[1; 32]).unwrap(),
        KeyPair::from_seed(&[2; 32]).unwrap(),
    );
    let theirs = *bob.agreement().public();
    let key = raw_key();
    // Both sides: 2 ephemeral keys, 6 agreements, 8 key derivations, 8 short boxes, 18 short hashes.
    let mut primitives = || {
        for number in [3, 4] {
            let ephemeral = ephemeral(number);
            for _ in 0..3 {
                let secret = ephemeral.agree(black_box(&theirs)).unwrap();
                black_box(hkdf(&*secret));
            }
            black_box(hkdf(&[]));
            for _ in 0..4 {
                let mut text = [5; 48];
                let _ = black_box(
                    key.seal_in_place_separate_tag(nonce(), Aad::from([1; 32]), &mut text)
                        .unwrap(),
                );
            }
            for _ in 0..9 {
                black_box(digest::digest(&digest::SHA256, black_box(&[5; 64])));
            }
        }
    };
    let suites = [
        ("noise handshake, both sides", Suite::Snap2p),
        #[cfg(feature = "standard-noise")]
        ("standard noise handshake, both sides", Suite::Standard),
    ];
    for (name, suite) in suites {
        let mut ours = || drop(black_box(handshake(&alice, &bob, suite)));
        let (ratio, ours, floor) = ratio(10, &mut ours, &mut primitives);
        let [ours, floor] = [ours, floor].map(|seconds| seconds * 1e6);
        println!("{name}: {ours:.1} us, its primitives {floor:.1} us, ratio {ratio:.3} (floor 0.9)");
    }
    let (agree, mix) = {
        let ephemeral = ephemeral(3);
        let mut agree = || drop(black_box(ephemeral.agree(black_box(&theirs))));
        let mut mix = || {
            black_box(hkdf(black_box(&[5; 32])));
        };
        let (_, agree, mix) = ratio(50, &mut agree, &mut mix);
        (agree * 1e6, mix * 1e6)
    };
    println!("x25519 agreement {agree:.1} us, mixing its result {mix:.2} us");
}

fn frames() {
    let pair = || {
        let (alice, bob) = (
            KeyPair::from_seed(&[1; 32]).unwrap(),
            KeyPair::from_seed(&[2; 32]).unwrap(),
        );
        handshake(&alice, &bob, Suite::Snap2p)
    };
    let raw = raw_key();
    let mut raw_text = vec![5u8; DATA_MAX];
    let mut raw_seal = || {
        let text = black_box(&mut raw_text);
        let _ = black_box(raw.seal_in_place_separate_tag(nonce(), Aad::empty(), text).unwrap());
    };
    let print = |what: &str, (ratio, ours, floor): (f64, f64, f64)| {
        let [ours, floor] = [ours, floor].map(|seconds| DATA_MAX as f64 / seconds / 1e6);
        println!("{what}: {ours:.0} MB/s, ring's seal {floor:.0} MB/s, ratio {ratio:.3}");
    };

    let (mut from, _) = pair();
    let mut buffer = BytesMut::with_capacity(DATA_MAX + TAG_LEN);
    buffer.resize(DATA_MAX, 5);
    let mut ours = || {
        buffer.truncate(DATA_MAX);
        from.sealer.seal_in_place(black_box(&mut buffer), 0).unwrap();
    };
    print("seal 64 KiB in place", ratio(20, &mut ours, &mut raw_seal));

    let data = vec![5u8; DATA_MAX];
    let mut out = BytesMut::with_capacity(DATA_MAX + 64);
    let (mut from, _) = pair();
    let mut ours = || {
        out.clear();
        let len = stream_data_len(ID, data.len(), false);
        from.sealer
            .seal_frame(black_box(&mut out), len, |out| {
                put_stream_data(ID, black_box(&data), false, out)
            })
            .unwrap();
    };
    print(
        "a whole 64 KiB STREAM_DATA frame, with its one copy",
        ratio(20, &mut ours, &mut raw_seal),
    );

    // Opening needs a new frame each time, so each turn opens what was sealed just before it and is still in the cache, as
    // what was just read from a socket is.
    let (mut from, mut to) = pair();
    let mut wires = VecDeque::new();
    let mut prepare = || {
        (0..OPENED).for_each(|_| {
            let mut wire = BytesMut::new();
            let len = stream_data_len(ID, data.len(), false);
            from.sealer
                .seal_frame(&mut wire, len, |out| put_stream_data(ID, &data, false, out))
                .unwrap();
            wires.push_back(wire);
        });
        std::mem::take(&mut wires)
    };
    let mut decoder = Decoder::new(FRAME_MAX);
    let mut turns = Vec::new();
    for _ in 0..TURNS {
        let mut wires = prepare();
        let start = Instant::now();
        for wire in &mut wires {
            let frame = decoder.next(wire).unwrap().unwrap();
            let plain = to.opener.open(frame).unwrap();
            black_box(Message::decode(plain.freeze()).unwrap());
        }
        let ours = start.elapsed().as_secs_f64() / OPENED as f64;
        let start = Instant::now();
        (0..OPENED).for_each(|_| raw_seal());
        turns.push((ours, start.elapsed().as_secs_f64() / OPENED as f64));
    }
    print("a whole 64 KiB STREAM_DATA frame, cut, opened and read", median(&turns));

    // Small frames cost what surrounds the cipher, too.
    let small = vec![5u8; 100];
    let mut out = BytesMut::with_capacity(1 << 10);
    let (mut from, mut to) = pair();
    let mut decoder = Decoder::new(FRAME_MAX);
    let mut ours = || {
        let len = stream_data_len(ID, small.len(), false);
        from.sealer
            .seal_frame(black_box(&mut out), len, |out| {
                put_stream_data(ID, black_box(&small), false, out)
            })
            .unwrap();
        let frame = decoder.next(&mut out).unwrap().unwrap();
        black_box(Message::decode(to.opener.open(frame).unwrap().freeze()).unwrap());
    };
    let mut small_text = small.clone();
    let mut raw_both = || {
        for _ in 0..2 {
            let _ = black_box(
                raw.seal_in_place_separate_tag(nonce(), Aad::empty(), black_box(&mut small_text))
                    .unwrap(),
            );
        }
    };
    let (ratio, ours, floor) = ratio(2000, &mut ours, &mut raw_both);
    let [ours, floor] = [ours, floor].map(|seconds| seconds * 1e9);
    println!("100 bytes sealed, cut, opened and read: {ours:.0} ns, ring twice {floor:.0} ns, ratio {ratio:.3}");
}
