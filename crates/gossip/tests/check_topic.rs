//! The fuzz body of closed topics, fed by proptest.
#![cfg(feature = "_check")]
#![allow(clippy::unwrap_used)]

use handfast_gossip::{Certificate, Revocation, Time, Topic, check};
use handfast_keys::KeyPair;
use proptest::prelude::*;
use std::time::Duration;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_strangers_show_is_not_believed(data in prop::collection::vec(any::<u8>(), 0..400), kind in 0u8..3) {
        check::topic(&data);
        check::topic(&[&[kind], &data[..]].concat());
    }

    #[test]
    fn what_is_nearly_a_certificate_or_a_revocation_is_not_believed(at in 0usize..220, to in any::<char>()) {
        let owner = KeyPair::from_seed(&[2; 32]).unwrap();
        let topic = Topic::closed(*owner.public(), "laws");
        let now = Time::from_micros(1_700_000_000_000_000);
        let hour = Duration::from_secs(3600);
        let certificate = Certificate::issue(&owner, &topic, *owner.public(), hour, now).unwrap();
        let revocation = Revocation::issue(&owner, &topic, owner.public(), now).unwrap();
        for text in [certificate.to_string(), revocation.to_string()] {
            check::topic(text.as_bytes());
            let mut changed: Vec<char> = text.chars().collect();
            if let Some(character) = changed.get_mut(at) {
                *character = to;
            }
            check::topic(changed.into_iter().collect::<String>().as_bytes());
        }
        check::topic(&revocation.to_bytes());
    }
}
