//! Which wallet's account speaks.

#[cfg(feature = "wallet")]
use crate::Error;
#[cfg(feature = "wallet")]
use crate::wallet::{Account, Wallet};
use crate::{Network, Principal, WalletKey};
use std::fmt;

/// A wallet's account: the key that signs, and who it makes you.
///
/// Made from a wallet (its first account), one of its accounts, or a key and its network.
#[derive(Clone)]
pub struct Identity {
    pub(super) key: WalletKey,
    pub(super) principal: Principal,
}

impl Identity {
    /// Who it makes you.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }
}

impl From<(WalletKey, Network)> for Identity {
    fn from((key, network): (WalletKey, Network)) -> Self {
        Self {
            principal: Principal(key.address(network)),
            key,
        }
    }
}

#[cfg(feature = "wallet")]
impl From<Account> for Identity {
    fn from(account: Account) -> Self {
        Self::from(&account)
    }
}

#[cfg(feature = "wallet")]
impl From<&Account> for Identity {
    fn from(account: &Account) -> Self {
        Self {
            principal: account.principal(),
            key: account.key().clone(),
        }
    }
}

#[cfg(feature = "wallet")]
impl TryFrom<Wallet> for Identity {
    type Error = Error;

    fn try_from(wallet: Wallet) -> Result<Self, Error> {
        Self::try_from(&wallet)
    }
}

#[cfg(feature = "wallet")]
impl TryFrom<&Wallet> for Identity {
    type Error = Error;

    fn try_from(wallet: &Wallet) -> Result<Self, Error> {
        wallet.account(0).map(Self::from)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.principal).finish()
    }
}
