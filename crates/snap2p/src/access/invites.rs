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
    /// How often it can still be used; `None` for as often as one likes.
    pub uses_left: Option<u32>,
    /// Until when.
    pub expires: UnixTime,
}

/// The tokens that open a stealth node. In memory only, as in the reference: a node that is started anew knows none.
#[derive(Debug, Default)]
pub struct Invites(Mutex<Vec<Listed>>);

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
        list.retain(|listed| listed.expires > now);
        if list.len() >= INVITES_MAX {
            return Err(Error::Invite(
                "too many invites are open; revoke some, or let them expire",
            ));
        }
        list.push(Listed {
            token: token.clone(),
            uses_left: uses,
            expires,
        });
        Ok(token)
    }

    /// Whether `token` is good at `now`; if so, one use of it is gone. Takes the same time wherever it differs.
    #[must_use]
    pub fn check(&self, token: &[u8], now: UnixTime) -> bool {
        let mut list = self.lock();
        list.retain(|listed| listed.expires > now);
        let mut found = None;
        for (index, listed) in list.iter().enumerate() {
            if bool::from(listed.token.0.ct_eq(token)) {
                found = Some(index);
            }
        }
        let Some(listed) = found.and_then(|index| list.get_mut(index)) else {
            return false;
        };
        if let Some(left) = &mut listed.uses_left {
            *left = left.saturating_sub(1);
        }
        list.retain(|listed| listed.uses_left != Some(0));
        true
    }

    /// Makes a token worthless. Whether it was good.
    pub fn revoke(&self, token: &Token) -> bool {
        let mut list = self.lock();
        let before = list.len();
        list.retain(|listed| listed.token != *token);
        list.len() < before
    }

    /// The tokens that are good at `now`, oldest first.
    #[must_use]
    pub fn list(&self, now: UnixTime) -> Vec<Listed> {
        let mut list = self.lock();
        list.retain(|listed| listed.expires > now);
        list.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Listed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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
}
