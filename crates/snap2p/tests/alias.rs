//! Cards with names, and the book that keeps them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use handfast_snap2p::{
    Address, Error, Network, Principal, UnixTime, WalletKey,
    alias::{ALIAS_MAX, AliasCard, Book, DISPLAY_NAME_MAX, VALIDITY, normal},
};
use std::time::Duration;

const NOW: UnixTime = UnixTime(1_767_225_600);

fn key(seed: u16) -> (WalletKey, Principal) {
    let mut secret = [7; 32];
    secret[..2].copy_from_slice(&seed.to_be_bytes());
    let key = WalletKey::from_bytes(&secret).unwrap();
    let principal = Principal(key.address(Network::Mainnet));
    (key, principal)
}

fn card(seed: u16, alias: &str, issued_at: UnixTime) -> AliasCard {
    let (key, principal) = key(seed);
    AliasCard::issue(&key, principal, alias, alias, [9; 32], issued_at, VALIDITY).unwrap()
}

fn later(seconds: u64) -> UnixTime {
    NOW.plus(Duration::from_secs(seconds))
}

#[test]
fn a_card_says_how_a_principal_wants_to_be_called() {
    let (key, principal) = key(1);
    let made = AliasCard::issue(&key, principal, "  ＢＯＢ\u{fb01} ", " Bob 🐚 ", [9; 32], NOW, VALIDITY).unwrap();
    assert_eq!((made.alias.as_str(), made.display_name.as_str()), ("bobfi", "Bob 🐚"));
    assert_eq!(made.expires_at, later(7 * 86_400));
    let read = AliasCard::decode(&made.encode()).unwrap();
    assert_eq!(read, made);
    read.verify(NOW).unwrap();
}

#[test]
fn only_the_principal_signs_its_card() {
    let (key_of_one, one) = key(1);
    let (_, two) = key(2);
    let issue = |principal| AliasCard::issue(&key_of_one, principal, "bob", "Bob", [9; 32], NOW, VALIDITY);
    assert!(matches!(issue(two), Err(Error::Misuse(_))));
    // Nobody signs for an address of several keys.
    assert!(issue(Principal(Address::new(20, *one.address().hash()).unwrap())).is_err());
    let spoilt: &[fn(&mut AliasCard)] = &[
        |card| card.alias.push('x'),
        |card| card.display_name.push('x'),
        |card| card.issued_at.0 -= 1,
        |card| card.expires_at.0 += 1,
        |card| card.nonce[0] ^= 1,
        |card| card.signature[3] ^= 1,
        |card| card.principal = key(2).1,
    ];
    for (at, spoil) in spoilt.iter().enumerate() {
        let mut copy = issue(one).unwrap();
        spoil(&mut copy);
        let error = copy.verify(NOW).unwrap_err().to_string();
        assert!(error.contains("not signed by the principal"), "{at}: {error}");
    }
}

#[test]
fn an_attestation_is_no_card() {
    let (key, principal) = key(1);
    let attestation =
        handfast_snap2p::NodeKeyAttestation::issue(&key, principal, [1; 32], [9; 32], NOW, Duration::from_secs(60));
    let error = AliasCard::decode(&attestation.encode()).unwrap_err().to_string();
    assert!(error.contains("`domain`"), "{error}");
}

#[test]
fn a_card_is_good_to_the_second() {
    let made = card(1, "bob", NOW);
    made.verify(UnixTime(NOW.0 - 300)).unwrap();
    assert!(made.verify(UnixTime(NOW.0 - 301)).is_err());
    made.verify(UnixTime(made.expires_at.0 - 1)).unwrap();
    assert!(made.verify(made.expires_at).is_err());
}

#[test]
fn names_that_are_none_are_refused() {
    let (key, principal) = key(1);
    let issue = |alias: &str, name: &str, validity| {
        AliasCard::issue(&key, principal, alias, name, [9; 32], NOW, validity).map(|card| card.encode())
    };
    let (long, longer) = ("x".repeat(ALIAS_MAX + 1), "x".repeat(DISPLAY_NAME_MAX + 1));
    for (alias, name) in [
        ("", "Bob"),
        (" \u{a0}", "Bob"),
        ("bob", ""),
        (&long, "Bob"),
        ("bob", &longer),
        ("b\nob", "Bob"),
        ("bob", "\u{1b}[2J"),
        ("bob", "\u{202e}boB"),
        ("bob", "Bob\u{200f}"),
        ("bob", "Bob\u{61c}"),
        ("bob", "\u{200b}"),
        ("b\u{200b}ob", "Bob"),
        ("bob\u{feff}", "Bob"),
        ("b\u{ad}ob", "Bob"),
    ] {
        assert!(
            matches!(issue(alias, name, VALIDITY), Err(Error::Alias(_))),
            "{alias} {name}"
        );
    }
    assert!(issue("bob", "Bob", Duration::ZERO).is_err());
    // Somebody else's program may sign what ours does not.
    let mut copy = card(1, "bob", NOW);
    copy.alias = "Bob".into();
    let error = AliasCard::decode(&copy.encode()).unwrap_err().to_string();
    assert!(error.contains("normal form"), "{error}");
}

#[test]
fn aliases_have_one_normal_form() {
    for (alias, wanted) in [
        ("Bob", "bob"),
        ("  BOB\t", "bob"),
        ("Ａlice", "alice"),
        ("Straße", "straße"),
        ("e\u{301}", "é"),
        ("İ", "i\u{307}"),
        ("ΣΑΣ", "σας"),
        ("🐚", "🐚"),
    ] {
        assert_eq!(normal(alias), wanted);
        assert_eq!(normal(wanted), wanted);
    }
}

#[test]
fn the_newest_card_is_the_good_one_in_whatever_order_they_come() {
    let (_, bob) = key(1);
    let (old, new) = (card(1, "bob", NOW), card(1, "robert", later(10)));
    let mut book = Book::default();
    assert!(book.insert(old.clone(), later(20)).unwrap());
    assert!(book.insert(new.clone(), later(20)).unwrap());
    assert!(!book.insert(old, later(20)).unwrap());
    assert!(!book.insert(new.clone(), later(20)).unwrap());
    assert_eq!(book.current(&bob, later(20)), Some(&new));
    assert!(book.find("bob", later(20)).is_empty());
    assert_eq!(book.find(" ROBERT", later(20)), [&new]);
    book.remove(&bob);
    assert_eq!(book.current(&bob, later(20)), None);
}

#[test]
fn what_has_expired_is_never_current_and_nothing_older_takes_its_place() {
    let (key, bob) = key(1);
    let long = AliasCard::issue(&key, bob, "old", "old", [9; 32], NOW, VALIDITY).unwrap();
    let short = AliasCard::issue(&key, bob, "new", "new", [9; 32], later(1), Duration::from_secs(60)).unwrap();
    let mut book = Book::default();
    book.insert(long.clone(), later(1)).unwrap();
    book.insert(short.clone(), later(1)).unwrap();
    assert_eq!(book.current(&bob, later(60)), Some(&short));
    assert_eq!(book.current(&bob, later(61)), None);
    assert!(book.find("new", later(61)).is_empty());
    assert_eq!(book.iter(later(61)).count(), 0);
    assert!(!book.insert(long, later(61)).unwrap());
    assert_eq!(book.current(&bob, later(61)), None);
    assert!(book.insert(short, later(61)).is_err());
}

#[test]
fn several_may_have_one_name() {
    let mut book = Book::default();
    for seed in 1..=3 {
        book.insert(card(seed, "bob", NOW), NOW).unwrap();
    }
    let found = book.find("Bob", NOW);
    assert_eq!(found.len(), 3);
    assert!(found.is_sorted_by_key(|card| card.principal));
}

#[test]
fn a_book_is_bounded_and_forgets_who_was_heard_longest_ago() {
    let mut book = Book::new(3);
    for seed in 1..=3 {
        book.insert(card(seed, "bob", NOW), NOW).unwrap();
    }
    // The first is heard again, so the second is the one to go.
    book.insert(card(1, "bob", NOW), NOW).unwrap();
    book.insert(card(4, "bob", NOW), NOW).unwrap();
    let who = |book: &Book, now| {
        (1..=9)
            .filter(|seed| book.current(&key(*seed).1, now).is_some())
            .collect::<Vec<_>>()
    };
    assert_eq!(who(&book, NOW), [1, 3, 4]);
    // What has expired goes first, and at once.
    let after = later(7 * 86_400);
    book.insert(card(9, "bob", after), after).unwrap();
    assert_eq!(who(&book, after), [9]);
    assert_eq!(book.iter(NOW).count(), 1);
}

#[test]
fn a_card_that_was_replaced_does_not_return_when_its_successor_has_made_room() {
    let (key, bob) = key(1);
    let long = AliasCard::issue(&key, bob, "old", "old", [9; 32], NOW, VALIDITY).unwrap();
    let short = AliasCard::issue(&key, bob, "new", "new", [9; 32], later(1), Duration::from_secs(60)).unwrap();
    let mut book = Book::new(2);
    book.insert(long.clone(), later(1)).unwrap();
    book.insert(short.clone(), later(1)).unwrap();
    // Its time is over, and somebody else needs the room.
    book.insert(card(2, "eve", NOW), later(61)).unwrap();
    book.insert(card(3, "eve", NOW), later(61)).unwrap();
    assert!(!book.insert(long.clone(), later(61)).unwrap());
    assert_eq!(book.current(&bob, later(61)), None);

    // Still good, and the one that was heard longest ago.
    let mut book = Book::new(1);
    book.insert(short.clone(), later(1)).unwrap();
    book.insert(card(2, "eve", NOW), later(2)).unwrap();
    assert!(!book.insert(long.clone(), later(2)).unwrap());
    assert_eq!(book.current(&bob, later(2)), None);
    // The same card is welcome again.
    assert!(book.insert(short, later(2)).unwrap());
    // The application may forget everything.
    book.remove(&bob);
    assert!(book.insert(long, later(2)).unwrap());
}

#[test]
fn what_is_remembered_of_forgotten_cards_is_bounded() {
    let mut book = Book::new(1);
    let (first, old) = (card(1, "bob", later(10)), card(1, "old", NOW));
    book.insert(first, later(10)).unwrap();
    for seed in 2..=20 {
        book.insert(card(seed, "eve", NOW), later(10)).unwrap();
    }
    // As many as it takes: this is the price of a bound.
    assert!(book.insert(old, later(10)).unwrap());
}
