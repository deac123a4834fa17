//! Laws of what strangers show: certificates, revocations, and messages of a closed topic.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use super::{Certificate, Members, Revocation, Topic, TopicRules, certificate::Short};
use crate::{NodeId, Rules, Time, secure::SignedRules};
use bytes::Bytes;
use handfast_keys::{KeyPair, PublicKey};

/// Whatever is shown, nobody is let in and nothing is believed that the owner, or the author, has not signed; and what is read
/// is written as it was.
pub fn topic(data: &[u8]) {
    let owner = KeyPair::from_seed(&[1; 32]).unwrap();
    let topic = Topic::closed(*owner.public(), "laws");
    let now = Time::from_micros(1_700_000_000_000_000);

    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(certificate) = text.parse::<Certificate>() {
            assert_eq!(certificate.to_string(), text.trim());
            assert!(certificate.verify(&topic, now).is_err());
        }
        if let Ok(revocation) = text.parse::<Revocation>() {
            assert_eq!(revocation.to_string(), text.trim());
        }
    }
    let members = Members::new(topic);
    if let Some(revocation) = data.first_chunk().and_then(Revocation::from_bytes) {
        assert_eq!(revocation.to_bytes(), data[..Revocation::LEN]);
        assert!(!members.revoke(revocation, now).unwrap_or(false));
    }
    if let Some(short) = data.first_chunk().and_then(Short::from_bytes) {
        assert_eq!(short.to_bytes(), data[..Short::LEN]);
    }

    let stranger = NodeId::from_bytes(data.first_chunk().copied().unwrap_or([9; 32]));
    let beneath = SignedRules::new(crate::Rate {
        per_second: 1,
        burst: 100,
    });
    let mut rules = TopicRules::new(beneath, members.clone(), owner.public(), None, now).unwrap();
    if stranger.as_bytes() != owner.public().as_bytes() {
        assert!(!rules.admits(&stranger, data, now));
        assert!(members.stays_until(stranger.as_bytes(), now).is_none());
    }
    let bodies = [Bytes::copy_from_slice(data), Bytes::new(), rules.wrap(data)];
    let read = rules.read(&bodies, now);
    assert_eq!(read.len(), bodies.len());
    for item in read.into_iter().flatten() {
        // A key that somebody else can sign with is not the owner's, and has no certificate.
        let author = PublicKey::from_bytes(item.author.as_bytes()).unwrap();
        assert_eq!(author, *owner.public());
    }
    assert_eq!(TopicRules::<SignedRules<NodeId>>::unwrap(&rules.wrap(data)), data);
}
