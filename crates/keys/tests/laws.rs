//! The fuzz bodies, fed by proptest.
#![cfg(feature = "_check")]

use handfast_keys::check;
use proptest::prelude::*;

proptest! {
    #[test]
    fn references_are_printed_as_they_were_read(text in "(ssb:)?(@|%|&|message/|feed/|classic/|sha256:){0,3}[A-Za-z0-9+/_=-]{40,46}(\\.ed25519|\\.sha256|\\.cloaked)?") {
        check::reference(text.as_bytes());
    }

    #[test]
    fn secret_texts_survive_printing(data: Vec<u8>) {
        check::secret_text(&data);
    }
}
