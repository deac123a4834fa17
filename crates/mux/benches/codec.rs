//! The packet codec: a small call, and an item of 4 KiB, encoded and decoded.

#![allow(clippy::expect_used, missing_docs)]

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use handfast_mux::packet::{Frame, Packet, decode, encode};
use handfast_mux::{Body, RequestId};

fn codec(criterion: &mut Criterion) {
    let call =
        Body::json(r#"{"name":["blobs","has"],"args":["&uniTyCyB1TKHMRdUqLTcNKBBNQXJPVQQtDeLTqHqmqM=.sha256"]}"#);
    let cases = [
        ("call", call.expect("JSON")),
        ("item of 4 KiB", Body::buffer(vec![7; 4096])),
    ];
    let mut group = criterion.benchmark_group("encode and decode");
    for (name, body) in cases {
        let packet = Packet {
            stream: false,
            end: false,
            request: RequestId(1),
            body,
        };
        group.throughput(Throughput::Bytes(packet.body.len() as u64));
        group.bench_function(name, |bencher| {
            let mut wire = BytesMut::new();
            bencher.iter(|| {
                encode(black_box(&packet), &mut wire).expect("short enough");
                match decode(&mut wire, 1 << 20) {
                    Ok(Some(Frame::Packet(packet))) => packet.body.len(),
                    other => unreachable!("{other:?}"),
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
