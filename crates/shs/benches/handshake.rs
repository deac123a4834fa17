//! A whole handshake, both sides on one core, against the sum of the primitive operations that it cannot do without.
#![allow(missing_docs, clippy::unwrap_used)]

mod work;

use criterion::{Criterion, criterion_group, criterion_main};
use handfast_keys::KeyPair;
use std::{hint::black_box, time::Instant};
use work::{Primitives, handshake};

fn handshakes(c: &mut Criterion) {
    let alice = KeyPair::from_seed(&[1; 32]).unwrap();
    let bob = KeyPair::from_seed(&[2; 32]).unwrap();
    let bob_bytes = *bob.public().as_bytes();
    let primitives = Primitives::new();
    c.bench_function("handshake, both sides", |b| {
        b.iter(|| handshake(&alice, &bob, &bob_bytes))
    });
    c.bench_function("sum of its primitives", |b| b.iter(|| primitives.run()));

    // The ratio, from turns taken in the same seconds.
    let mut ratios: Vec<f64> = (0..41)
        .map(|_| {
            let time = |work: &mut dyn FnMut()| {
                let start = Instant::now();
                (0..40).for_each(|_| work());
                start.elapsed().as_secs_f64()
            };
            let ours = time(&mut || drop(black_box(handshake(&alice, &bob, &bob_bytes))));
            time(&mut || primitives.run()) / ours
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    if let Some(median) = ratios.get(ratios.len() / 2) {
        println!("ratio handshake/primitives: {median:.3} (floor 0.85)");
    }
}

criterion_group!(benches, handshakes);
criterion_main!(benches);
