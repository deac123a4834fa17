//! The fuzz bodies of lines and links, fed by proptest.
#![cfg(feature = "_check")]

use handfast_gossip::{check, secure::Message};
use handfast_keys::KeyPair;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn lines_and_messages_hold_their_laws(data: Vec<u8>) {
        check::line(&data);
    }

    #[test]
    fn texts_that_are_nearly_messages_hold_the_laws(
        content in "(\"[a-z\\\\u0-9]{0,8}\":(1|0\\.5|\"é\"|\\[1,\\{\\}\\]|null|1e400),){0,5}",
        number in "(0|7|0\\.5|\"7\"|-3|1e300|null|9007199254740991|9007199254740992)",
        cut in 0usize..600,
    ) {
        let keys = KeyPair::from_seed(&[5; 32]).unwrap();
        let empty = handfast_json::parse("{}").unwrap();
        let message = Message::sign(&keys, &empty, 3).unwrap();
        let line = std::str::from_utf8(message.line()).unwrap();
        let line = line.replacen("{\"data\":{", &format!("{{\"data\":{{{content}"), 1);
        let mut line = line.replace("\"seq\":3", &format!("\"seq\":{number}")).into_bytes();
        check::line(&line);
        line.truncate(cut);
        check::line(&line);
    }

    #[test]
    fn links_hold_their_laws_under_arbitrary_events(data in prop::collection::vec(any::<u8>(), 0..1500)) {
        check::links(&data);
    }
}
