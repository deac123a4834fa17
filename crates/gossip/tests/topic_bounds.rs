//! What a node keeps of a topic's members, driven past its bounds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::Bytes;
use handfast_gossip::{
    Certificate, Item, NodeId, Refused, Revocation, Rules, Time, Topic,
    topic::{MAX_CERTIFICATES, MAX_REVOCATIONS, Members, TopicRules},
};
use handfast_keys::{KeyPair, PublicKey};
use std::time::Duration;

const NOW: Time = Time::from_micros(1_700_000_000_000_000);
const DAY: Duration = Duration::from_secs(86_400);

struct Nothing;

impl Rules<NodeId> for Nothing {
    fn read(&mut self, bodies: &[Bytes], _: Time) -> Vec<Result<Item, Refused>> {
        bodies.iter().map(|_| Err(Refused::Forged)).collect()
    }
}

fn keys(number: u32) -> KeyPair {
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    KeyPair::from_seed(&seed).unwrap()
}

fn topic() -> Topic {
    Topic::closed(*keys(0).public(), "committee")
}

/// How much of `what` a node keeps.
fn kept(members: &Members, what: &str) -> usize {
    let text = format!("{members:?}");
    let (_, rest) = text.split_once(&format!("{what}: ")).unwrap();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn so_many_certificates_are_remembered_and_no_neighbour_is_put_out_for_want_of_room() {
    let owner = keys(0);
    let mut rules = TopicRules::new(Nothing, Members::new(topic()), owner.public(), None, NOW).unwrap();
    let node = |key: &PublicKey| NodeId::from_bytes(*key.as_bytes());
    // What a member shows: its certificate without what the other knows.
    let show = |member: &KeyPair, lifetime| {
        let certificate = Certificate::issue(&owner, &topic(), *member.public(), lifetime, NOW).unwrap();
        let own = TopicRules::new(Nothing, Members::new(topic()), member.public(), Some(&certificate), NOW);
        own.unwrap().pass()
    };
    // The neighbour's certificate is the first to expire.
    let neighbour = keys(1);
    assert!(rules.admits(&node(neighbour.public()), &show(&neighbour, DAY / 2), NOW));
    for number in 2..MAX_CERTIFICATES as u32 + 500 {
        let member = keys(number);
        assert!(rules.admits(&node(member.public()), &show(&member, DAY), NOW));
        // A node looks after its neighbours whenever something happens.
        let stays = rules.members().stays_until(neighbour.public().as_bytes(), NOW);
        assert_eq!(stays, Some(NOW + DAY / 2), "after {number}");
    }
    let count = kept(rules.members(), "certificates");
    assert!((MAX_CERTIFICATES / 2..=MAX_CERTIFICATES).contains(&count), "{count}");
    // Who was forgotten comes back with the same certificate.
    let early = keys(2);
    assert_eq!(rules.members().stays_until(early.public().as_bytes(), NOW), None);
    assert!(rules.admits(&node(early.public()), &show(&early, DAY), NOW));
}

#[test]
fn so_many_revocations_are_kept_the_latest_and_what_is_not_kept_is_no_news() {
    let owner = keys(0);
    let members = Members::new(topic());
    let at = |number: u64| NOW + Duration::from_millis(number);
    let now = NOW + DAY;
    // One member, revoked again and again, costs no keys to make.
    let revocation = |number| Revocation::issue(&owner, &topic(), keys(7).public(), at(number)).unwrap();
    let most = MAX_REVOCATIONS as u64;
    for number in 1..=most + 20 {
        assert!(members.revoke(revocation(number), now).unwrap(), "{number} is news");
        assert!(kept(&members, "revocations") <= MAX_REVOCATIONS);
    }
    assert_eq!(members.revocations().len(), MAX_REVOCATIONS);
    let oldest = members.revocations().iter().map(Revocation::at).min();
    assert_eq!(oldest, Some(at(21).as_millis()));
    for number in [1, 20] {
        assert!(
            !members.revoke(revocation(number), now).unwrap(),
            "{number} is no news again"
        );
    }
    assert_eq!(members.revocations().len(), MAX_REVOCATIONS);
    // A member of whom nothing was revoked stays, and one that is revoked now goes.
    let certificate = Certificate::issue(&owner, &topic(), *keys(8).public(), DAY, now).unwrap();
    let own = TopicRules::new(
        Nothing,
        Members::new(topic()),
        keys(8).public(),
        Some(&certificate),
        now,
    );
    let pass = own.unwrap().pass();
    let mut rules = TopicRules::new(Nothing, members.clone(), owner.public(), None, now).unwrap();
    let node = NodeId::from_bytes(*keys(8).public().as_bytes());
    assert!(rules.admits(&node, &pass, now));
    let later = now + Duration::from_secs(2);
    let last = Revocation::issue(&owner, &topic(), keys(8).public(), now + Duration::from_secs(1)).unwrap();
    assert!(members.revoke(last, later).unwrap());
    assert!(!rules.admits(&node, &pass, later));
}
