//! The work that is measured: records sealed and opened, and the bare secretboxes that they consist of.

use bytes::BytesMut;
use dryoc::classic::crypto_secretbox::{crypto_secretbox_detached, crypto_secretbox_open_detached};
use handfast_boxstream::{Header, MAX_RECORD, Opened, Opener, Sealer};
use handfast_keys::StreamKey;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Records in one measured run: 64 KiB of plaintext, what the tokio writer seals at once.
pub(crate) const RECORDS: usize = 16;

pub(crate) fn key() -> StreamKey {
    StreamKey {
        key: [7; 32],
        nonce: [3; 24],
    }
}

/// One thing to measure: does [`RECORDS`] records' worth of work and says how long it took, preparation excluded.
pub(crate) type Run = Box<dyn FnMut() -> Duration>;

pub(crate) fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

pub(crate) fn our_seal() -> Run {
    let plain = vec![5; RECORDS * MAX_RECORD];
    let mut sealer = Sealer::new(key());
    let mut out = BytesMut::new();
    Box::new(move || {
        out.clear();
        timed(|| sealer.seal(black_box(&plain), &mut out).unwrap())
    })
}

pub(crate) fn our_open() -> Run {
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

pub(crate) fn raw_seal() -> Run {
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

pub(crate) fn raw_open() -> Run {
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
