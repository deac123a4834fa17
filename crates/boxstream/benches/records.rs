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

mod work;

use bytes::{Buf, BytesMut};
use criterion::{Criterion, Throughput};
use handfast_boxstream::{Header, MAX_RECORD, Opener, Sealer};
use sodiumoxide::crypto::secretbox;
use std::hint::black_box;
use work::{RECORDS, Run, key, our_open, our_seal, raw_open, raw_seal, timed};

/// Measured runs of each side.
const ROUNDS: usize = 4000;

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
