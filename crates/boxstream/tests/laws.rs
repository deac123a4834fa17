//! The bodies of the fuzz targets, over random input.
#![cfg(feature = "_check")]

use handfast_boxstream::check;
use proptest::prelude::*;

/// A stream for the fake cipher: mostly well-formed headers, so that random input gets somewhere.
fn fake_stream() -> impl Strategy<Value = Vec<u8>> {
    let record = (
        prop_oneof![8 => 0..40_u16, 2 => 4090..4100_u16, 1 => any::<u16>()],
        any::<u8>(),
        any::<u8>(),
    )
        .prop_map(|(len, tag, fill)| {
            let mut record = vec![tag; 16];
            record.extend(len.to_be_bytes());
            record.extend([if len == 0 { 0 } else { tag ^ fill }; 16]);
            record.extend(vec![if len == 9 { 0 } else { fill }; usize::from(len)]);
            record
        });
    (
        any::<[u8; 9]>(),
        prop::collection::vec(record, 0..6),
        prop::collection::vec(any::<u8>(), 0..40),
    )
        .prop_map(|(chunks, records, tail)| {
            let mut data = chunks.to_vec();
            data.extend(records.concat());
            data.extend(if tail.len() < 20 { vec![] } else { tail });
            data
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_opener_finds_what_a_plain_reading_finds(data in fake_stream()) {
        check::open_arbitrary(&data);
    }

    #[test]
    fn random_bytes_do_no_harm(data in prop::collection::vec(any::<u8>(), 0..300)) {
        check::open_arbitrary(&data);
    }

    #[test]
    fn what_is_sealed_opens(data in prop::collection::vec(any::<u8>(), 0..100)) {
        check::round_trip(&data);
    }

    #[test]
    fn a_broken_stream_gives_a_prefix_and_an_error(data in prop::collection::vec(any::<u8>(), 0..100)) {
        check::truncation(&data);
    }
}
