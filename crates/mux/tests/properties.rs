//! The laws of `check`, on random bytes.
#![cfg(feature = "_check")]
#![allow(clippy::unwrap_used)]

use handfast_mux::check;
use proptest::collection::vec;
use proptest::prelude::*;

/// Bytes that are mostly frames: random ones rarely get past a header.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let body = prop_oneof![
        Just(Vec::new()),
        Just(b"true".to_vec()),
        Just(br#"{"name":["a"],"args":[1]}"#.to_vec()),
        vec(any::<u8>(), 0..40),
    ];
    let frame = (any::<u8>(), any::<i8>(), body, any::<bool>()).prop_map(|(flags, request, body, whole)| {
        let length = u32::try_from(body.len()).unwrap() + u32::from(!whole);
        [
            &[flags][..],
            &length.to_be_bytes(),
            &i32::from(request).to_be_bytes(),
            &body,
        ]
        .concat()
    });
    vec(frame, 0..8).prop_map(|frames| frames.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_codec_accounts_for_every_byte(data in prop_oneof![frames(), vec(any::<u8>(), 0..200)]) {
        check::packet_codec(&data);
    }

    #[test]
    fn any_body_can_be_read(data in prop_oneof![
        vec(any::<u8>(), 0..100),
        r#"\{"name":(\["[a-z.]{0,3}"\]|"[a-z]{0,3}"|5),"args":(\[\]|\[1,"x"\]|5),"type":"(source|sink|duplex|async)"\}"#
            .prop_map(String::into_bytes),
        r#"\{"(message|name|stack)":("[a-z\\\\ud8]{0,6}"|null|1e400)\}"#.prop_map(String::into_bytes),
    ]) {
        check::bodies(&data);
    }

    #[test]
    fn a_hostile_peer_meets_a_machine_that_keeps_its_laws(data in vec(any::<u8>(), 0..400)) {
        check::hostile_peer(&data);
    }

    #[test]
    fn two_machines_keep_their_laws(data in vec(any::<u8>(), 0..600)) {
        check::two_machines(&data);
    }
}
