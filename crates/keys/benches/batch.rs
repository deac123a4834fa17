//! The measurement behind `src/batch.rs`: one signature after the other, and all in one equation, per 500-byte message.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use handfast_keys::{
    KeyPair, Signature,
    batch::{self, Claim},
};

fn signed(authors: usize, count: usize) -> Vec<(KeyPair, Vec<u8>, Signature)> {
    let pairs: Vec<_> = (0..authors)
        .map(|author| KeyPair::from_seed(&[author as u8 + 1; 32]).unwrap())
        .collect();
    (0..count)
        .map(|number| {
            let pair = pairs.get(number % authors).unwrap().clone();
            let mut message = vec![7; 500];
            message.extend_from_slice(&number.to_le_bytes());
            let signature = pair.sign(&message).unwrap();
            (pair, message, signature)
        })
        .collect()
}

fn rows(c: &mut Criterion) {
    for (authors, name) in [(1, "one author"), (200, "200 authors")] {
        for count in [1usize, 4, 32, 128, 1024] {
            let signed = signed(authors, count);
            let claims: Vec<_> = signed
                .iter()
                .map(|(pair, message, signature)| Claim {
                    key: pair.public(),
                    message,
                    signature,
                })
                .collect();
            let mut group = c.benchmark_group(format!("{count} signatures, {name}"));
            group.throughput(Throughput::Elements(count as u64));
            group.bench_function("batch", |b| b.iter(|| batch::verify(&claims)));
            group.bench_function("single", |b| {
                b.iter(|| {
                    claims
                        .iter()
                        .all(|claim| claim.key.verify(claim.message, claim.signature))
                });
            });
        }
    }
}

criterion_group!(batches, rows);
criterion_main!(batches);
