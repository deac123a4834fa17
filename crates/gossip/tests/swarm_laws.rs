//! The laws of `check`, on random bytes.
#![cfg(feature = "_check")]

use handfast_gossip::check;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn frames_come_back_as_they_went(data in proptest::collection::vec(any::<u8>(), 0..600)) {
        check::swarm_frame(&data);
    }

    #[test]
    fn no_neighbour_can_break_a_swarm(data in proptest::collection::vec(any::<u8>(), 0..6000)) {
        check::swarm_hostile(&data);
    }

    #[test]
    fn two_swarms_agree_in_the_end(data in proptest::collection::vec(any::<u8>(), 0..600)) {
        check::swarm_pair(&data);
    }
}
