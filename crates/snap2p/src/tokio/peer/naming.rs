//! What we want to be called.

use super::Identity;
use crate::{
    Error, UnixTime,
    alias::{AliasCard, VALIDITY},
};
use std::sync::{Mutex, PoisonError};

/// Keeps a card that is good for long enough, as [`Attesting`](super::Attesting) does with the node key.
#[derive(Debug)]
pub(super) struct Naming {
    identity: Identity,
    /// The alias, and how to display it.
    names: (String, String),
    current: Mutex<AliasCard>,
}

impl Naming {
    pub(super) fn new(identity: Identity, names: (String, String), now: UnixTime) -> Result<Self, Error> {
        let card = issue(&identity, &names, now)?;
        Ok(Self {
            identity,
            names,
            current: Mutex::new(card),
        })
    }

    /// The card to show now, as peers send it.
    pub(super) fn card(&self, now: UnixTime) -> Result<Vec<u8>, Error> {
        let mut card = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= card.issued_at.plus(VALIDITY / 2) || now < card.issued_at {
            *card = issue(&self.identity, &self.names, now)?;
        }
        Ok(card.encode())
    }
}

fn issue(identity: &Identity, (alias, display_name): &(String, String), now: UnixTime) -> Result<AliasCard, Error> {
    let mut nonce = [0; 32];
    handfast_keys::random(&mut nonce)?;
    AliasCard::issue(
        &identity.key,
        identity.principal,
        alias,
        display_name,
        nonce,
        now,
        VALIDITY,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Network, WalletKey};

    #[test]
    fn a_card_is_renewed_at_half_of_its_life() {
        let identity = Identity::from((WalletKey::generate().unwrap(), Network::Testnet));
        let start = UnixTime(1_800_000_000);
        let naming = Naming::new(identity, ("Mia".into(), "Mia 🌊".into()), start).unwrap();
        let at = |now| AliasCard::decode(&naming.card(now).unwrap()).unwrap().issued_at;
        assert_eq!(at(start), start);
        assert_eq!(
            at(start.plus(VALIDITY / 2).minus(std::time::Duration::from_secs(1))),
            start
        );
        assert_eq!(at(start.plus(VALIDITY / 2)), start.plus(VALIDITY / 2));
    }
}
