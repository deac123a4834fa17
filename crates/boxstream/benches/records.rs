//! Sealing and opening 4096-byte records in memory, against the bare secretboxes that they consist of.
//!
//! A record is a box of 4096 bytes and one of 18, so a pair of raw boxes of these sizes is the floor. The ratios are
//! taken apart from criterion's own figures, with the two sides interleaved: what the machine does in between
//! then hits both alike.
//!
//! `cargo bench -p handfast-boxstream --bench records`
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use bytes::{Buf, BytesMut};
use criterion::{Criterion, Throughput};
use dryoc::classic::crypto_secretbox::{crypto_secretbox_detached, crypto_secretbox_open_detached};
use handfast_boxstream::{Header, MAX_RECORD, Opened, Opener, Sealer};
use handfast_keys::StreamKey;
use sodiumoxide::crypto::secretbox;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Records in one measured run: 64 KiB of plaintext, what the tokio writer seals at once.
const RECORDS: usize = 16;
/// Measured runs of each side.
const ROUNDS: usize = 4000;

fn key() -> StreamKey {
    StreamKey {
        key: [7; 32],
        nonce: [3; 24],
    }
}

/// One thing to measure: does [`RECORDS`] records' worth of work and says how long it took, preparation excluded.
type Run = Box<dyn FnMut() -> Duration>;

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn our_seal() -> Run {
    let plain = vec![5; RECORDS * MAX_RECORD];
    let mut sealer = Sealer::new(key());
    let mut out = BytesMut::new();
    Box::new(move || {
        out.clear();
        timed(|| sealer.seal(black_box(&plain), &mut out).unwrap())
    })
}

fn our_open() -> Run {
    let plain = vec![5; RECORDS * MAX_RECORD];
    let mut sealer = Sealer::new(key());
    let mut opener = Opener::new(key());
    Box::new(move || {
        let mut wire = BytesMut::new();
        sealer.seal(&plain, &mut wire).unwrap();
        timed(|| {
            while let Opened::Record(record) = opener.open(&mut wire).unwrap() {
                black_box(&record);
            }
        })
    })
}

fn raw_seal() -> Run {
    let StreamKey { key, nonce } = &*Box::leak(Box::new(key()));
    let plain = vec![5; RECORDS * MAX_RECORD];
    let header = [5; Header::LEN];
    let mut cipher = vec![0; plain.len()];
    let mut small = [0; Header::LEN];
    let mut tag = [0; 16];
    Box::new(move || {
        timed(|| {
            for (plain, cipher) in plain.chunks(MAX_RECORD).zip(cipher.chunks_mut(MAX_RECORD)) {
                crypto_secretbox_detached(cipher, &mut tag, black_box(plain), nonce, key).unwrap();
                crypto_secretbox_detached(&mut small, &mut tag, black_box(&header), nonce, key).unwrap();
                black_box((&tag, &small));
            }
        })
    })
}

fn raw_open() -> Run {
    let StreamKey { key, nonce } = &*Box::leak(Box::new(key()));
    let mut cipher = vec![0; RECORDS * MAX_RECORD];
    let mut tags = [[0; 16]; RECORDS];
    for (cipher, tag) in cipher.chunks_mut(MAX_RECORD).zip(&mut tags) {
        crypto_secretbox_detached(cipher, tag, &[5; MAX_RECORD], nonce, key).unwrap();
    }
    let (mut small, mut small_tag) = ([0; Header::LEN], [0; 16]);
    crypto_secretbox_detached(&mut small, &mut small_tag, &[5; Header::LEN], nonce, key).unwrap();
    let mut plain = vec![0; cipher.len()];
    let mut header = [0; Header::LEN];
    Box::new(move || {
        timed(|| {
            for ((cipher, tag), plain) in cipher.chunks(MAX_RECORD).zip(&tags).zip(plain.chunks_mut(MAX_RECORD)) {
                crypto_secretbox_open_detached(&mut header, black_box(&small), &small_tag, nonce, key).unwrap();
                crypto_secretbox_open_detached(plain, black_box(cipher), tag, nonce, key).unwrap();
                black_box(&header);
            }
        })
    })
}

fn libsodium_seal() -> Run {
    let (key, nonce) = (secretbox::Key([7; 32]), secretbox::Nonce([3; 24]));
    let mut cipher = vec![5; RECORDS * MAX_RECORD];
    let mut small = [5; Header::LEN];
    Box::new(move || {
        timed(|| {
            for cipher in cipher.chunks_mut(MAX_RECORD) {
                let _ = black_box(secretbox::seal_detached(black_box(cipher), &nonce, &key));
                let _ = black_box(secretbox::seal_detached(black_box(&mut small), &nonce, &key));
            }
        })
    })
}

fn libsodium_open() -> Run {
    let (key, nonce) = (secretbox::Key([7; 32]), secretbox::Nonce([3; 24]));
    let mut plain = vec![5; RECORDS * MAX_RECORD];
    Box::new(move || {
        let mut small = vec![[5; Header::LEN]; RECORDS];
        let mut tags = Vec::new();
        for (plain, small) in plain.chunks_mut(MAX_RECORD).zip(&mut small) {
            tags.push((
                secretbox::seal_detached(plain, &nonce, &key),
                secretbox::seal_detached(small, &nonce, &key),
            ));
        }
        timed(|| {
            for ((cipher, small), (tag, small_tag)) in plain.chunks_mut(MAX_RECORD).zip(&mut small).zip(&tags) {
                secretbox::open_detached(black_box(small), small_tag, &nonce, &key).unwrap();
                secretbox::open_detached(black_box(cipher), tag, &nonce, &key).unwrap();
            }
        })
    })
}

/// Prints how fast each is, and how fast the first is in terms of each other one.
fn compare(what: &str, mut sides: [(&str, Run); 3]) {
    let mut times = [(); 3].map(|()| Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        for ((_, run), times) in sides.iter_mut().zip(&mut times) {
            times.push(run());
        }
    }
    let medians = times.map(|mut times| {
        times.sort_unstable();
        times[ROUNDS / 2].as_secs_f64()
    });
    for ((name, _), median) in sides.iter().zip(medians) {
        let megabytes = (RECORDS * MAX_RECORD) as f64 / median / 1e6;
        let ratio = median / medians[0];
        println!("{what:>4} {name:<14} {megabytes:>8.0} MB/s   ours / this = {ratio:.3}");
    }
}

fn main() {
    sodiumoxide::init().unwrap();
    compare(
        "seal",
        [
            ("ours", our_seal()),
            ("raw dryoc", raw_seal()),
            ("raw libsodium", libsodium_seal()),
        ],
    );
    compare(
        "open",
        [
            ("ours", our_open()),
            ("raw dryoc", raw_open()),
            ("raw libsodium", libsodium_open()),
        ],
    );

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("boxstream");
    group.throughput(Throughput::Bytes((RECORDS * MAX_RECORD) as u64));
    for (name, mut run) in [
        ("seal", our_seal()),
        ("open", our_open()),
        ("seal-dryoc", raw_seal()),
        ("open-dryoc", raw_open()),
    ] {
        group.bench_function(name, |b| b.iter_custom(|n| (0..n).map(|_| run()).sum()));
    }
    group.finish();

    // A muxrpc call is a record of some hundred bytes: here the fixed cost of two boxes decides.
    let mut sealer = Sealer::new(key());
    let mut opener = Opener::new(key());
    let mut wire = BytesMut::new();
    criterion.bench_function("boxstream/seal and open 100 bytes", |b| {
        b.iter(|| {
            sealer.seal(black_box(&[5; 100]), &mut wire).unwrap();
            let opened = opener.open(&mut wire).unwrap();
            wire.advance(wire.remaining());
            opened
        });
    });
    criterion.final_summary();
}
