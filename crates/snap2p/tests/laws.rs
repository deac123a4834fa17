//! The fuzz bodies, fed by proptest.
#![cfg(feature = "_check")]

use handfast_snap2p::check;
use proptest::prelude::*;

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..max)
}

proptest! {
    #[test]
    fn a_length_fits_its_bytes(data in prop::collection::vec(prop_oneof![any::<u8>(), Just(0x80), Just(0xff)], 0..8)) {
        check::varint(&data);
    }

    #[test]
    fn frames_do_not_depend_on_chunks(data in bytes(600)) {
        check::frame(&data);
    }

    #[test]
    fn short_frames_do_not_depend_on_chunks(data in prop::collection::vec(prop_oneof![0u8..9, any::<u8>()], 0..200)) {
        check::frame(&data);
    }

    #[test]
    fn messages_survive(data in bytes(400)) {
        check::message(&data);
    }

    #[test]
    fn no_changed_noise_goes_unnoticed(data in bytes(200)) {
        check::noise(&data);
    }

    #[test]
    fn one_flipped_bit_of_the_handshake_is_noticed(which in 0u8..3, at in 0usize..96, bit in 0u8..8) {
        let mut data = vec![0; 1 + 96];
        data[0] = which;
        data[1 + at] = 1 << bit;
        // Only messages that have this byte are touched; the others go through.
        check::noise(&data);
    }

    #[test]
    fn frames_hold_their_place(data in bytes(300)) {
        // No message of the handshake is touched, so that frames are sent.
        check::noise(&[&[3][..], &data].concat());
    }

    #[test]
    fn locators_survive(text in "(tcp://|quic://)?(\\[[0-9a-f:.]{0,20}\\]|[0-9A-Za-z._-]{0,20}|\\PC{0,6})(:[0-9+]{0,6}| [0-9]{1,5})?") {
        check::locator(text.as_bytes());
    }

    #[test]
    fn any_text_may_be_a_locator(text in "\\PC{0,40}") {
        check::locator(text.as_bytes());
    }

    #[test]
    fn px1_survives(data in bytes(400)) {
        check::px1(&data);
    }
}
