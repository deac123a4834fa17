//! The fuzz bodies, fed by proptest.
#![cfg(feature = "_check")]

use handfast_shs::check;
use proptest::prelude::*;

proptest! {
    #[test]
    fn no_changed_message_goes_unnoticed(data in prop::collection::vec(any::<u8>(), 0..130)) {
        check::tampered_handshake(&data);
    }

    #[test]
    fn one_flipped_bit_anywhere_is_noticed(which in 0u8..4, at in 0usize..112, bit in 0u8..8) {
        let mut data = vec![0; 1 + 112];
        data[0] = which;
        data[1 + at] = 1 << bit;
        check::tampered_handshake(&data);
    }

    #[test]
    fn forged_messages_lead_nowhere(data in prop::collection::vec(any::<u8>(), 0..256)) {
        check::forged_messages(&data);
    }
}
