//! The newest card of each principal.

use super::{AliasCard, normal};
use crate::{Error, Principal, UnixTime};
use std::collections::HashMap;

/// How many principals a book remembers unless it is told otherwise, at most some 1 KiB each. Anybody can make principals
/// and sign cards with them, so there must be an end; whoever was heard longest ago is forgotten first, and shows its card
/// again when it comes back.
pub const BOOK_MAX: usize = 1024;

/// What peers want to be called: the newest card of each principal.
///
/// Invariant: every card in it was verified when it came in.
#[derive(Debug, Clone)]
pub struct Book {
    cards: HashMap<Principal, Heard>,
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
            max: max.max(1),
            count: 0,
        }
    }

    /// Verifies a card and keeps it if it was issued later than the one that is kept of its principal. Says whether it was.
    ///
    /// A newer card replaces an older one for good, even if the older one were good for longer.
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
        if self.cards.len() >= self.max {
            self.make_room(now);
        }
        self.cards.insert(card.principal, Heard { card, at });
        Ok(true)
    }

    /// Forgets what has expired, or else whoever was heard longest ago.
    fn make_room(&mut self, now: UnixTime) {
        let before = self.cards.len();
        self.cards.retain(|_, heard| heard.card.is_current(now));
        if self.cards.len() == before {
            let oldest = self.cards.iter().min_by_key(|(_, heard)| heard.at);
            if let Some(principal) = oldest.map(|(principal, _)| *principal) {
                self.cards.remove(&principal);
            }
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

    /// Forgets a principal.
    pub fn remove(&mut self, principal: &Principal) {
        self.cards.remove(principal);
    }
}
