//! Reading, printing and reshaping texts, beside serde_json.
//!
//! `cargo bench -p handfast-json --bench texts`; for ratios, and Node, see `--bench ratios`.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod work;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use handfast_json::{Tape, parse};
use std::hint::black_box;

fn texts(c: &mut Criterion) {
    for corpus in work::corpora() {
        let mut group = c.benchmark_group(corpus.name);
        group
            .throughput(Throughput::Bytes(corpus.bytes() as u64))
            .sample_size(20);
        let texts = &corpus.texts;
        group.bench_function("parse", |b| {
            b.iter(|| texts.iter().for_each(|text| drop(black_box(parse(text).unwrap()))));
        });
        group.bench_function("parse, serde_json", |b| {
            b.iter(|| {
                texts
                    .iter()
                    .for_each(|text| drop(black_box(serde_json::from_str::<serde_json::Value>(text).unwrap())))
            });
        });
        let (mut tape, mut out) = (Tape::new(), Vec::new());
        group.bench_function("read onto a tape", |b| {
            b.iter(|| {
                texts.iter().for_each(|text| {
                    black_box(tape.read(text).unwrap());
                })
            });
        });
        group.bench_function("compact to pretty by a tape", |b| {
            b.iter(|| {
                for text in texts {
                    out.clear();
                    tape.read(text).unwrap().write_pretty(&mut out);
                    black_box(&out);
                }
            });
        });
        let values: Vec<_> = texts.iter().map(|text| parse(text).unwrap()).collect();
        group.bench_function("print a value pretty", |b| {
            b.iter(|| {
                for value in &values {
                    out.clear();
                    value.write_pretty(&mut out);
                    black_box(&out);
                }
            });
        });
        let values: Vec<serde_json::Value> = texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        group.bench_function("print a value pretty, serde_json", |b| {
            b.iter(|| {
                for value in &values {
                    out.clear();
                    serde_json::to_writer_pretty(&mut out, value).unwrap();
                    black_box(&out);
                }
            });
        });
        group.finish();
    }
}

criterion_group!(benches, texts);
criterion_main!(benches);
