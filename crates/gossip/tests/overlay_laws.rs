//! The fuzz bodies of the overlay, fed by proptest.
#![cfg(feature = "_check")]

use handfast_gossip::check;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn frames_come_back_as_they_went(data in proptest::collection::vec(any::<u8>(), 0..600)) {
        check::overlay_frame(&data);
    }

    #[test]
    fn views_hold_their_laws_whatever_happens(data in proptest::collection::vec(any::<u8>(), 0..4000)) {
        check::membership_machine(&data);
    }

    #[test]
    fn an_overlay_holds_its_laws_whatever_happens(data in proptest::collection::vec(any::<u8>(), 0..3000)) {
        check::overlay_machine(&data);
    }
}
