//! The invite tokens of a stealth node.

use crate::{Error, UnixTime};
use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use subtle::ConstantTimeEq;
use zeroize::ZeroizeOnDrop;

/// The most tokens that are good at once: a check compares with each of them, so that its time tells nothing, and anybody may
/// ask for a check.
pub const INVITES_MAX: usize = 1024;
/// How long the reference's tokens are good.
pub const INVITE_VALIDITY: Duration = Duration::from_secs(24 * 3600);

/// An invite token: 32 random bytes, a secret between the node and whom it invites, until they are shown: KNOCK carries them
/// in clear.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Token([u8; 32]);

impl Token {
    /// The bytes, as KNOCK carries them.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Token {}

/// A token that was given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The token.
    pub token: Token,
    /// How often it can still be used; `None` for as often as one likes. What is [reserved](Invites::reserve) is not counted.
    pub uses_left: Option<u32>,
    /// Until when.
    pub expires: UnixTime,
}

/// The tokens that open a stealth node. In memory only, as in the reference: a node that is started anew knows none.
#[derive(Debug, Default)]
pub struct Invites(Mutex<Vec<Kept>>);

/// A token, and how many of its uses somebody has reserved.
///
/// Invariant: a token without a use left stays only as long as one is reserved.
#[derive(Debug)]
struct Kept {
    listed: Listed,
    reserved: u32,
}

impl Kept {
    const fn is_of_use(&self) -> bool {
        !matches!((self.listed.uses_left, self.reserved), (Some(0), 0))
    }
}

/// A use of a token that is taken and can be given back: for as long as a handshake lasts.
///
/// Dropping it gives the use back, unless the token was revoked or has expired; [`spend`](Self::spend) does not.
#[derive(Debug)]
#[must_use = "the use is given back when this is dropped"]
pub struct Reservation<'a> {
    invites: &'a Invites,
    /// `None` once it is spent.
    token: Option<Token>,
}

impl Reservation<'_> {
    /// The use is gone for good.
    pub fn spend(mut self) {
        if let Some(token) = self.token.take() {
            self.invites.end(&token, 0);
        }
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if let Some(token) = self.token.take() {
            self.invites.end(&token, 1);
        }
    }
}

impl Invites {
    /// No token yet: a stealth node that nobody can enter.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// A new token, good for `uses` knocks, or any number of them, until `expires`.
    ///
    /// # Errors
    /// [`Error::Invite`] if [`INVITES_MAX`] are good already or `uses` is 0; [`Error::Keys`] if the operating system gives no
    /// randomness.
    pub fn create(&self, uses: Option<u32>, expires: UnixTime) -> Result<Token, Error> {
        if uses == Some(0) {
            return Err(Error::Invite(
                "an invite for no use at all is none; ask for one or more uses",
            ));
        }
        let mut token = Token([0; 32]);
        handfast_keys::random(&mut token.0)?;
        let mut list = self.lock();
        let now = UnixTime::now();
        expire(&mut list, now);
        if list.len() >= INVITES_MAX {
            return Err(Error::Invite(
                "too many invites are open; revoke some, or let them expire",
            ));
        }
        list.push(Kept {
            listed: Listed {
                token: token.clone(),
                uses_left: uses,
                expires,
            },
            reserved: 0,
        });
        Ok(token)
    }

    /// Whether `token` is good at `now`; if so, one use of it is gone. Takes the same time wherever it differs.
    #[must_use]
    pub fn check(&self, token: &[u8], now: UnixTime) -> bool {
        self.reserve(token, now).map(Reservation::spend).is_some()
    }

    /// Takes one use of `token`, if it is good at `now`, until it is known what comes of it: a single use lets in only one of
    /// two that show it at once, and stays good if whoever showed it comes no further. Takes the same time wherever it differs.
    pub fn reserve(&self, token: &[u8], now: UnixTime) -> Option<Reservation<'_>> {
        let mut list = self.lock();
        expire(&mut list, now);
        let mut found = None;
        for (index, kept) in list.iter().enumerate() {
            if bool::from(kept.listed.token.0.ct_eq(token)) {
                found = Some(index);
            }
        }
        let kept = found.and_then(|index| list.get_mut(index))?;
        if let Some(left) = &mut kept.listed.uses_left {
            *left = left.checked_sub(1)?;
        }
        kept.reserved = kept.reserved.saturating_add(1);
        Some(Reservation {
            invites: self,
            token: Some(kept.listed.token.clone()),
        })
    }

    /// Ends a reservation, giving back so many uses.
    fn end(&self, token: &Token, given_back: u32) {
        let mut list = self.lock();
        if let Some(kept) = list.iter_mut().find(|kept| kept.listed.token == *token) {
            kept.reserved = kept.reserved.saturating_sub(1);
            if let Some(left) = &mut kept.listed.uses_left {
                *left = left.saturating_add(given_back);
            }
        }
        list.retain(Kept::is_of_use);
    }

    /// Makes a token worthless, reserved or not. Whether it was good. Handshakes that have reserved it go on.
    pub fn revoke(&self, token: &Token) -> bool {
        let mut list = self.lock();
        let before = list.len();
        list.retain(|kept| kept.listed.token != *token);
        list.len() < before
    }

    /// The tokens that are good at `now`, oldest first; those among them whose last use is reserved.
    #[must_use]
    pub fn list(&self, now: UnixTime) -> Vec<Listed> {
        let mut list = self.lock();
        expire(&mut list, now);
        list.iter().map(|kept| kept.listed.clone()).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn expire(list: &mut Vec<Kept>, now: UnixTime) {
    list.retain(|kept| kept.listed.expires > now);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_token_is_good_until_it_is_used_up_expired_or_revoked() {
        let invites = Invites::new();
        let now = UnixTime::now();
        let later = now.plus(INVITE_VALIDITY);
        let twice = invites.create(Some(2), later).unwrap();
        let always = invites.create(None, later).unwrap();
        assert!(!invites.check(&[0; 32], now));
        assert!(
            !invites.check(&twice.as_bytes()[..16], now),
            "a part of a token is none"
        );
        assert!(invites.check(twice.as_bytes(), now));
        assert_eq!(invites.list(now)[0].uses_left, Some(1));
        assert!(invites.check(twice.as_bytes(), now));
        assert!(!invites.check(twice.as_bytes(), now), "used up");
        assert!((0..10).all(|_| invites.check(always.as_bytes(), now)));
        assert!(!invites.check(always.as_bytes(), later), "expired");
        let revoked = invites.create(None, later).unwrap();
        assert!(invites.revoke(&revoked));
        assert!(!invites.revoke(&revoked));
        assert!(!invites.check(revoked.as_bytes(), now));
        assert_eq!(format!("{revoked:?}"), "Token(..)");
    }

    #[test]
    fn the_table_is_bounded_and_the_expired_make_room() {
        let invites = Invites::new();
        let soon = UnixTime::now().plus(Duration::from_secs(3600));
        for _ in 0..INVITES_MAX {
            let _ = invites.create(None, soon).unwrap();
        }
        assert!(invites.create(None, soon).is_err());
        assert!(invites.list(soon).is_empty());
        assert!(invites.create(None, soon).is_ok());
        assert!(invites.create(Some(0), soon).is_err());
    }

    #[test]
    fn a_reserved_use_is_spent_or_given_back() {
        let invites = Invites::new();
        let now = UnixTime::now();
        let token = invites.create(Some(1), now.plus(INVITE_VALIDITY)).unwrap();
        let first = invites.reserve(token.as_bytes(), now).unwrap();
        assert!(invites.reserve(token.as_bytes(), now).is_none(), "only one at a time");
        assert_eq!(invites.list(now)[0].uses_left, Some(0));
        drop(first);
        assert_eq!(invites.list(now)[0].uses_left, Some(1));
        invites.reserve(token.as_bytes(), now).unwrap().spend();
        assert!(invites.reserve(token.as_bytes(), now).is_none(), "spent");
        assert!(invites.list(now).is_empty());
    }

    #[test]
    fn what_was_revoked_is_not_given_back() {
        let invites = Invites::new();
        let now = UnixTime::now();
        let token = invites.create(Some(1), now.plus(INVITE_VALIDITY)).unwrap();
        let reserved = invites.reserve(token.as_bytes(), now).unwrap();
        assert!(invites.revoke(&token));
        drop(reserved);
        assert!(invites.list(now).is_empty());
        assert!(!invites.check(token.as_bytes(), now));
    }
}
