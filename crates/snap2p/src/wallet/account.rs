//! Wallets and their accounts.

use super::Mnemonic;
use crate::{Error, Network, Principal, WalletKey};
use bip32::{ChildNumber, XPrv};
use std::fmt;
use zeroize::Zeroizing;

/// The hardened steps of `m/44'/5757'/0'`: BIP44, Stacks, first account of that scheme.
const HARDENED: [u32; 3] = [44, 5757, 0];
/// How often [`Wallet::ephemeral`] draws to get an address that the reference takes: one draw in 240 is none.
const DRAWS: usize = 16;

/// A wallet: the words, the network that its addresses are for, and every key that follows.
///
/// Erased when dropped, never shown by `Debug`.
#[derive(Clone)]
pub struct Wallet {
    mnemonic: Mnemonic,
    network: Network,
    seed: Zeroizing<[u8; 64]>,
}

impl Wallet {
    /// The wallet of these words. Takes some 2 ms: the words are hashed 2048 times.
    #[must_use]
    pub fn new(mnemonic: Mnemonic, network: Network) -> Self {
        let seed = mnemonic.seed();
        Self {
            mnemonic,
            network,
            seed,
        }
    }

    /// A new wallet of 24 words, which lives as long as this value unless it is saved. The address of its first account is
    /// one that the reference takes too.
    ///
    /// # Errors
    /// [`Error::Keys`] if there is no randomness.
    pub fn ephemeral(network: Network) -> Result<Self, Error> {
        let mut wallet = Self::new(Mnemonic::create()?, network);
        for _ in 0..DRAWS {
            if wallet.account(0)?.principal().is_taken_by_the_reference() {
                break;
            }
            wallet = Self::new(Mnemonic::create()?, network);
        }
        Ok(wallet)
    }

    /// The words.
    #[must_use]
    pub const fn mnemonic(&self) -> &Mnemonic {
        &self.mnemonic
    }

    /// The network that the addresses are for.
    #[must_use]
    pub const fn network(&self) -> Network {
        self.network
    }

    /// The account of an index, below 2^31: its key is that of the path `m/44'/5757'/0'/0/index`. The reference uses only 0.
    ///
    /// # Errors
    /// [`Error::Misuse`] for an index of 2^31 or more, and for one that has no key: none is known.
    pub fn account(&self, index: u32) -> Result<Account, Error> {
        let key = derive(&self.seed, index)
            .map_err(|_| Error::Misuse("the indices of accounts are below 2147483648; take another one"))?;
        let key = WalletKey::from_bytes(&key)?;
        Ok(Account {
            index,
            principal: Principal(key.address(self.network)),
            key,
        })
    }
}

fn derive(seed: &[u8; 64], index: u32) -> Result<Zeroizing<[u8; 32]>, bip32::Error> {
    let mut key = XPrv::new(seed)?;
    for step in HARDENED {
        key = key.derive_child(ChildNumber::new(step, true)?)?;
    }
    for step in [0, index] {
        key = key.derive_child(ChildNumber::new(step, false)?)?;
    }
    Ok(Zeroizing::new(key.private_key().to_bytes().into()))
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wallet({}, ..)", self.network)
    }
}

/// One account of a wallet: a key, and who it makes you.
#[derive(Clone)]
pub struct Account {
    index: u32,
    principal: Principal,
    key: WalletKey,
}

impl Account {
    /// Which of the wallet's accounts this is.
    #[must_use]
    pub const fn index(&self) -> u32 {
        self.index
    }

    /// Who it makes you.
    #[must_use]
    pub const fn principal(&self) -> Principal {
        self.principal
    }

    /// The key that signs.
    #[must_use]
    pub const fn key(&self) -> &WalletKey {
        &self.key
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("index", &self.index)
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}
