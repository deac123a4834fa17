//! The newest card of each principal.

use super::{AliasCard, normal};
use crate::{Error, Principal, UnixTime};
use std::collections::HashMap;

/// How many principals a book remembers unless it is told otherwise, at most some 1 KiB each. Anybody can make principals
/// and sign cards with them, so there must be an end; whoever was heard longest ago is forgotten first, and shows its card
/// again when it comes back.
pub const BOOK_MAX: usize = 1024;

/// For each card that a book may keep, of how many principals it remembers besides how new the card was that it has forgotten:
/// some 80 bytes each. So a card that was replaced does not come back when the one that replaced it has expired, or had to
/// make room; and whoever wants that to be forgotten as well must sign cards as this many principals.
const FORGOTTEN_PER_CARD: usize = 8;

/// What peers want to be called: the newest card of each principal.
///
/// Invariant: every card in it was verified when it came in.
#[derive(Debug, Clone)]
pub struct Book {
    cards: HashMap<Principal, Heard>,
    /// The principals whose card was forgotten, and how new that was.
    forgotten: HashMap<Principal, Forgotten>,
    max: usize,
    /// Counts what was heard.
    count: u64,
}

#[derive(Debug, Clone)]
struct Heard {
    card: AliasCard,
    /// The count when its principal was heard last.
    at: u64,
}

#[derive(Debug, Clone)]
struct Forgotten {
    issued_at: UnixTime,
    at: u64,
}

impl Default for Book {
    fn default() -> Self {
        Self::new(BOOK_MAX)
    }
}

impl Book {
    /// An empty book for at most this many principals, and one at least.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self {
            cards: HashMap::new(),
            forgotten: HashMap::new(),
            max: max.max(1),
            count: 0,
        }
    }

    /// Verifies a card and keeps it if it was issued later than the one that is kept of its principal. Says whether it was.
    ///
    /// A newer card replaces an older one for good, even if the older one were good for longer and the newer has made room
    /// for others' cards since.
    ///
    /// # Errors
    /// [`Error::Alias`], and the card is not kept.
    pub fn insert(&mut self, card: AliasCard, now: UnixTime) -> Result<bool, Error> {
        card.verify(now)?;
        self.count += 1;
        let at = self.count;
        if let Some(heard) = self.cards.get_mut(&card.principal) {
            heard.at = at;
            let newer = card.issued_at > heard.card.issued_at;
            if newer {
                heard.card = card;
            }
            return Ok(newer);
        }
        if let Some(forgotten) = self.forgotten.get(&card.principal)
            && card.issued_at < forgotten.issued_at
        {
            return Ok(false);
        }
        if self.cards.len() >= self.max {
            self.make_room(now);
        }
        self.forgotten.remove(&card.principal);
        self.cards.insert(card.principal, Heard { card, at });
        Ok(true)
    }

    /// Forgets the cards that have expired, or else that of whoever was heard longest ago; but not how new they were.
    fn make_room(&mut self, now: UnixTime) {
        let expired = self.cards.iter().filter(|(_, heard)| !heard.card.is_current(now));
        let mut gone: Vec<_> = expired.map(|(principal, _)| *principal).collect();
        if gone.is_empty() {
            let oldest = self.cards.iter().min_by_key(|(_, heard)| heard.at);
            gone.extend(oldest.map(|(principal, _)| *principal));
        }
        for principal in gone {
            if let Some(Heard { card, at }) = self.cards.remove(&principal) {
                let issued_at = card.issued_at;
                self.forgotten.insert(principal, Forgotten { issued_at, at });
            }
        }
        let most = self.max.saturating_mul(FORGOTTEN_PER_CARD);
        while self.forgotten.len() > most
            && let Some((principal, _)) = self.forgotten.iter().min_by_key(|(_, forgotten)| forgotten.at)
        {
            let principal = *principal;
            self.forgotten.remove(&principal);
        }
    }

    /// What a principal wants to be called now: its newest card, unless that has expired.
    #[must_use]
    pub fn current(&self, principal: &Principal, now: UnixTime) -> Option<&AliasCard> {
        let heard = self.cards.get(principal)?;
        heard.card.is_current(now).then_some(&heard.card)
    }

    /// Everybody who is called so now, in any spelling that has the same [`normal`] form, in the order of their principals.
    /// Aliases are not unique: with more than one, ask which is meant.
    #[must_use]
    pub fn find(&self, alias: &str, now: UnixTime) -> Vec<&AliasCard> {
        let alias = normal(alias);
        let mut found: Vec<_> = self.iter(now).filter(|card| card.alias == alias).collect();
        found.sort_by_key(|card| card.principal);
        found
    }

    /// The cards that are good now, in no order.
    pub fn iter(&self, now: UnixTime) -> impl Iterator<Item = &AliasCard> {
        self.cards
            .values()
            .map(|heard| &heard.card)
            .filter(move |card| card.is_current(now))
    }

    /// Forgets a principal, and how new its card was.
    pub fn remove(&mut self, principal: &Principal) {
        self.cards.remove(principal);
        self.forgotten.remove(principal);
    }
}
