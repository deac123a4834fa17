//! The fuzz bodies, fed by proptest: two machines on a virtual clock among them.

use handfast_snap2p::check;
use proptest::prelude::*;

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..max)
}

proptest! {
    #[test]
    fn a_session_keeps_its_bounds_whatever_the_peer_says(data in bytes(2000)) {
        check::session(&data);
    }

    #[test]
    fn what_is_read_is_what_was_written(data in bytes(2000)) {
        check::session_pair(&data);
    }

    #[test]
    fn a_handshake_that_was_changed_comes_to_nothing(data in bytes(100)) {
        check::handshake(&data);
    }
}

#[test]
fn a_handshake_that_nobody_touches_comes_to_a_session() {
    for (knocks, stealth) in [(0, 0), (1, 0), (1, 1), (0, 1)] {
        check::handshake(&[knocks, stealth]);
    }
}
