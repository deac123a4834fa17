//! Closed topics: who gets in, who may speak, and what attackers try.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::Bytes;
use handfast_gossip::{
    Author, Certificate, Item, MessageId, NodeId, Refused, Revocation, Rules, Sequence, Time, Topic,
    topic::{MAX_LIFETIME, Members, TopicRules},
};
use handfast_keys::{KeyPair, PublicKey};
use std::time::Duration;

const NOW: Time = Time::from_micros(1_700_000_000_000_000);
const DAY: Duration = Duration::from_secs(86_400);

fn keys(name: u8) -> KeyPair {
    KeyPair::from_seed(&[name; 32]).unwrap()
}

fn owner() -> KeyPair {
    keys(1)
}

fn topic() -> Topic {
    Topic::closed(*owner().public(), "committee")
}

fn certificate(member: &KeyPair) -> Certificate {
    Certificate::issue(&owner(), &topic(), *member.public(), DAY, NOW).unwrap()
}

/// Messages that need no signature: the author's key, the number, a text. The first byte of the text may be `?`: then the
/// number is only claimed.
struct Plain;

impl Rules<NodeId> for Plain {
    fn read(&mut self, bodies: &[Bytes], _now: Time) -> Vec<Result<Item, Refused>> {
        let read = |body: &Bytes| {
            let (author, rest) = body.split_first_chunk::<32>().ok_or(Refused::Forged)?;
            let (number, text) = rest.split_first_chunk::<8>().ok_or(Refused::Forged)?;
            let number = u64::from_be_bytes(*number);
            let mut id = [0; 32];
            id[..8].copy_from_slice(&number.to_be_bytes());
            Ok(Item {
                id: MessageId::from_bytes(id),
                author: Author::from_bytes(*author),
                sequence: match text.first() {
                    Some(b'?') => Sequence::Claimed(number),
                    _ => Sequence::Proven(number),
                },
                body: body.clone(),
            })
        };
        bodies.iter().map(read).collect()
    }
}

fn message(author: &PublicKey, at: Time, text: &str) -> Vec<u8> {
    let number = at.as_millis() << 10;
    [author.as_bytes(), &number.to_be_bytes()[..], text.as_bytes()].concat()
}

fn rules_of(me: &KeyPair, certificate: Option<&Certificate>) -> TopicRules<Plain> {
    TopicRules::new(Plain, Members::new(topic()), me.public(), certificate, NOW).unwrap()
}

/// Somebody of the topic, who judges what others do.
fn judge() -> TopicRules<Plain> {
    rules_of(&owner(), None)
}

fn read(rules: &mut TopicRules<Plain>, body: Bytes) -> Result<Item, Refused> {
    rules.read(&[body], NOW).remove(0)
}

fn said(author: &KeyPair, certificate: &Certificate, at: Time, text: &str) -> Bytes {
    let then = Time::from_micros(certificate.issued() * 1000);
    let rules = TopicRules::new(Plain, Members::new(topic()), author.public(), Some(certificate), then).unwrap();
    rules.wrap(&message(author.public(), at, text))
}

fn node(keys: &KeyPair) -> NodeId {
    keys.public().into()
}

#[test]
fn topics_of_one_name_are_as_many_as_their_owners_and_one_more() {
    let open = Topic::open("committee");
    let (one, other) = (
        Topic::closed(*keys(1).public(), "committee"),
        Topic::closed(*keys(2).public(), "committee"),
    );
    assert_ne!(open.id(), one.id());
    assert_ne!(one.id(), other.id());
    assert_eq!(Topic::open("committee").id(), open.id());
}

#[test]
fn a_member_comes_in_and_is_heard() {
    let member = keys(2);
    let certificate = certificate(&member);
    let mut judge = judge();
    let pass = rules_of(&member, Some(&certificate)).pass();
    assert!(judge.admits(&node(&member), &pass, NOW));
    let body = said(&member, &certificate, NOW, "kia ora");
    let item = read(&mut judge, body.clone()).unwrap();
    assert_eq!(item.body, body, "it travels on as it came");
    assert_eq!(
        TopicRules::<Plain>::unwrap(&item.body),
        message(member.public(), NOW, "kia ora")
    );
}

#[test]
fn the_owner_needs_no_certificate_and_may_not_show_one() {
    let mut judge = rules_of(&keys(2), Some(&certificate(&keys(2))));
    assert!(judge.admits(&node(&owner()), b"", NOW));
    let plain = rules_of(&owner(), None).wrap(&message(owner().public(), NOW, "order"));
    assert!(read(&mut judge, plain).is_ok());
    // The same message must not travel in two forms.
    let dressed = rules_of(&keys(2), Some(&certificate(&keys(2)))).wrap(&message(owner().public(), NOW, "order"));
    assert_eq!(read(&mut judge, dressed), Err(Refused::Forged));
}

#[test]
fn strangers_stay_outside() {
    let (member, stranger) = (keys(2), keys(3));
    let certificate = certificate(&member);
    let mut judge = judge();
    let stolen = rules_of(&member, Some(&certificate)).pass();
    for pass in [&b""[..], b"x", &[0; 80], &stolen, &[&stolen[..], b"x"].concat()] {
        assert!(!judge.admits(&node(&stranger), pass, NOW), "{pass:?}");
    }
    let as_member = rules_of(&member, Some(&certificate)).wrap(&message(stranger.public(), NOW, "psst"));
    assert_eq!(read(&mut judge, as_member), Err(Refused::Forged));
    let without = TopicRules::new(Plain, Members::new(Topic::open("x")), stranger.public(), None, NOW).unwrap();
    let without = without.wrap(&message(stranger.public(), NOW, "psst"));
    assert_eq!(read(&mut judge, without), Err(Refused::Forged));
}

#[test]
fn a_relay_that_takes_the_certificate_away_is_found_out() {
    let member = keys(2);
    let body = said(&member, &certificate(&member), NOW, "kia ora");
    let mut judge = judge();
    assert!(read(&mut judge, body.clone()).is_ok());
    // Although the judge knows by now that the author is a member: a newcomer who is told the message so would not.
    let stripped = [&[0], &body[81..]].concat();
    assert_eq!(read(&mut judge, stripped.into()), Err(Refused::Forged));
    let unproven = said(&member, &certificate(&member), NOW, "?kia ora");
    assert_eq!(read(&mut judge, unproven), Err(Refused::Forged));
}

#[test]
fn every_changed_byte_of_a_certificate_makes_it_worthless() {
    let member = keys(2);
    let good = said(&member, &certificate(&member), NOW, "kia ora");
    for at in 0..81 {
        let mut bad = good.to_vec();
        bad[at] ^= 1;
        assert_eq!(read(&mut judge(), bad.into()), Err(Refused::Forged), "byte {at}");
    }
    let text = certificate(&member).to_string();
    for at in 0..text.len() {
        let mut bad = text.clone().into_bytes();
        bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
        let read: Result<Certificate, _> = String::from_utf8(bad).unwrap().parse();
        assert!(
            read.is_err() || read.unwrap().verify(&topic(), NOW).is_err(),
            "character {at}"
        );
    }
}

#[test]
fn a_certificate_is_for_one_topic_one_member_one_owner_and_one_time() {
    let (member, other) = (keys(2), keys(3));
    let good = certificate(&member);
    good.verify(&topic(), NOW).unwrap();
    let reason =
        |certificate: &Certificate, topic: &Topic, now| certificate.verify(topic, now).unwrap_err().to_string();

    let elsewhere = Topic::closed(*owner().public(), "treasury");
    assert!(reason(&good, &elsewhere, NOW).contains("another topic"));
    assert!(reason(&good, &Topic::open("committee"), NOW).contains("open"));
    assert!(reason(&good, &topic(), NOW + DAY + Duration::from_millis(1)).contains("expired"));
    let same_name = Topic::closed(*keys(9).public(), "committee");
    let forged = Certificate::issue(&keys(9), &same_name, *member.public(), DAY, NOW).unwrap();
    assert!(reason(&forged, &topic(), NOW).contains("another topic"));

    // Nobody but the owner can even issue one.
    assert!(Certificate::issue(&keys(9), &topic(), *member.public(), DAY, NOW).is_err());
    assert!(Certificate::issue(&owner(), &topic(), *member.public(), MAX_LIFETIME + DAY, NOW).is_err());

    // A node notices at once that its own certificate is not good.
    let rules = |me: &KeyPair, certificate| {
        TopicRules::new(Plain, Members::new(topic()), me.public(), certificate, NOW + DAY + DAY)
    };
    assert!(rules(&member, Some(&good)).is_err(), "expired");
    assert!(rules(&other, Some(&good)).is_err(), "somebody else's");
    assert!(rules(&other, None).is_err(), "missing");
}

#[test]
fn whoever_has_expired_is_out_but_what_was_said_in_time_stands() {
    let member = keys(2);
    let certificate = certificate(&member);
    let mut judge = judge();
    let pass = rules_of(&member, Some(&certificate)).pass();
    let late = NOW + DAY + DAY;
    assert!(judge.admits(&node(&member), &pass, NOW));
    let until = judge.members().stays_until(member.public().as_bytes(), NOW).unwrap();
    assert_eq!(until, NOW + DAY);
    assert!(!judge.admits(&node(&member), &pass, late));
    assert_eq!(judge.members().stays_until(member.public().as_bytes(), late), None);

    let in_time = said(&member, &certificate, NOW + DAY / 2, "in time");
    let too_late = said(&member, &certificate, late, "too late");
    let [first, second] = judge.read(&[in_time, too_late], late).try_into().unwrap();
    assert!(first.is_ok());
    assert_eq!(second, Err(Refused::Unwelcome));

    let renewed = Certificate::issue(&owner(), &topic(), *member.public(), DAY, late).unwrap();
    let pass = TopicRules::new(Plain, Members::new(topic()), member.public(), Some(&renewed), late)
        .unwrap()
        .pass();
    assert!(judge.admits(&node(&member), &pass, late));
}

#[test]
fn whoever_is_revoked_is_out_until_certified_anew() {
    let member = keys(2);
    let old = certificate(&member);
    let mut judge = judge();
    let pass = rules_of(&member, Some(&old)).pass();
    assert!(judge.admits(&node(&member), &pass, NOW));
    let then = NOW + DAY / 2;
    let revocation = Revocation::issue(&owner(), &topic(), member.public(), then).unwrap();
    let later = then + Duration::from_secs(1);
    assert!(judge.members().revoke(revocation, later).unwrap());
    assert!(
        !judge.members().revoke(revocation, later).unwrap(),
        "it is no news any more"
    );
    assert!(!judge.admits(&node(&member), &pass, later));
    assert_eq!(judge.members().stays_until(member.public().as_bytes(), later), None);
    assert!(read(&mut judge, said(&member, &old, NOW, "before")).is_ok());
    assert_eq!(
        read(&mut judge, said(&member, &old, later, "after")),
        Err(Refused::Unwelcome)
    );

    let new = Certificate::issue(&owner(), &topic(), *member.public(), DAY, later).unwrap();
    let pass = TopicRules::new(Plain, Members::new(topic()), member.public(), Some(&new), later)
        .unwrap()
        .pass();
    assert!(judge.admits(&node(&member), &pass, later));
    assert!(read(&mut judge, said(&member, &new, later, "again")).is_ok());
    // The old certificate has not come back with it, and the old revocation, played again, changes nothing.
    assert_eq!(
        read(&mut judge, said(&member, &old, later, "after")),
        Err(Refused::Unwelcome)
    );
    assert!(!judge.members().revoke(revocation, later).unwrap());
    assert!(judge.members().stays_until(member.public().as_bytes(), later).is_some());
}

#[test]
fn revocations_of_one_member_do_not_undo_each_other_in_whatever_order_they_come() {
    let member = keys(2);
    let certificate = certificate(&member);
    let once = Revocation::issue(&owner(), &topic(), member.public(), NOW + DAY / 4).unwrap();
    let again = Revocation::issue(&owner(), &topic(), member.public(), NOW + DAY / 2).unwrap();
    for order in [[once, again], [again, once]] {
        let mut judge = judge();
        for revocation in order {
            assert!(judge.members().revoke(revocation, NOW + DAY / 2).unwrap());
        }
        // Neither takes back what was said before the first, nor gives back what was said between the two.
        assert!(read(&mut judge, said(&member, &certificate, NOW, "before")).is_ok());
        assert_eq!(
            read(&mut judge, said(&member, &certificate, NOW + DAY / 3, "between")),
            Err(Refused::Unwelcome)
        );
        assert_eq!(
            judge.members().stays_until(member.public().as_bytes(), NOW + DAY / 2),
            None
        );
    }
}

#[test]
fn nobody_but_the_owner_revokes_and_no_other_topic_is_meant() {
    let member = keys(2);
    assert!(Revocation::issue(&member, &topic(), owner().public(), NOW).is_err());
    let members = Members::new(topic());
    let own = Topic::closed(*member.public(), "committee");
    let foreign = Revocation::issue(&member, &own, keys(3).public(), NOW).unwrap();
    assert!(members.revoke(foreign, NOW).is_err());
    let good = Revocation::issue(&owner(), &topic(), keys(3).public(), NOW).unwrap();
    for at in 0..Revocation::LEN {
        let mut bad = good.to_bytes();
        bad[at] ^= 1;
        let bad = Revocation::from_bytes(&bad).unwrap();
        // One that is older than any certificate is no news; everything else is no revocation.
        assert!(!members.revoke(bad, NOW).unwrap_or(false), "byte {at}");
    }
    assert!(members.revocations().is_empty());
    let elsewhere = Topic::closed(*owner().public(), "treasury");
    let elsewhere = Revocation::issue(&owner(), &elsewhere, keys(3).public(), NOW).unwrap();
    assert!(members.revoke(elsewhere, NOW).is_err());
}

#[test]
fn revocations_are_forgotten_when_nothing_is_left_to_revoke() {
    let members = Members::new(topic());
    let revocation = Revocation::issue(&owner(), &topic(), keys(2).public(), NOW).unwrap();
    let much_later = NOW + MAX_LIFETIME + DAY;
    assert!(!members.revoke(revocation, much_later).unwrap());
    assert!(members.revoke(revocation, NOW).unwrap());
    let next = Revocation::issue(&owner(), &topic(), keys(3).public(), much_later).unwrap();
    assert!(members.revoke(next, much_later).unwrap());
    assert_eq!(members.revocations(), [next]);
}

#[test]
fn an_open_topic_takes_everybody_and_no_certificates() {
    let mut rules = TopicRules::new(
        Plain,
        Members::new(Topic::open("everybody")),
        keys(5).public(),
        None,
        NOW,
    )
    .unwrap();
    assert!(rules.admits(&node(&keys(6)), b"whatever", NOW));
    let plain = rules.wrap(&message(keys(6).public(), NOW, "hello"));
    assert!(read(&mut rules, plain).is_ok());
    let dressed = said(&keys(2), &certificate(&keys(2)), NOW, "hello");
    assert_eq!(
        read(&mut rules, dressed),
        Err(Refused::Forged),
        "a message travels in one form"
    );
}

#[test]
fn answers_stand_in_the_order_of_the_questions() {
    let member = keys(2);
    let good = said(&member, &certificate(&member), NOW, "good");
    let bodies = [
        Bytes::new(),
        good.clone(),
        Bytes::from_static(&[7, 7]),
        good,
        Bytes::from_static(&[1, 0]),
    ];
    let answers: Vec<bool> = judge().read(&bodies, NOW).iter().map(Result::is_ok).collect();
    assert_eq!(answers, [false, true, false, true, false]);
}

#[test]
fn certificates_and_revocations_survive_being_written_down() {
    let certificate = certificate(&keys(2));
    let text = certificate.to_string();
    assert_eq!(format!(" {text}\n").parse::<Certificate>().unwrap(), certificate);
    let json = serde_json::to_string(&certificate).unwrap();
    assert_eq!(serde_json::from_str::<Certificate>(&json).unwrap(), certificate);
    let revocation = Revocation::issue(&owner(), &topic(), keys(2).public(), NOW).unwrap();
    assert_eq!(revocation.to_string().parse::<Revocation>().unwrap(), revocation);
    for text in [
        "",
        "gossip-member:",
        "gossip-member:AAAA",
        &revocation.to_string(),
        &text[..text.len() - 1],
    ] {
        let error = text.parse::<Certificate>().unwrap_err().to_string();
        assert!(error.contains("gossip-member"), "{error}");
    }
}
