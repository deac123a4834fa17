//! What the Stacks chain says of an address (§7 of the specification).
//!
//! Nothing of the protocol needs the chain: a [`ChainProvider`] is for applications that pay, or ask contracts.
#![cfg_attr(feature = "http", doc = "[`Http`] asks a node.")]

#[cfg(feature = "http")]
mod http;

#[cfg(feature = "http")]
pub use http::{Http, Options};

use crate::{Address, Error};
use std::fmt;

/// Where answers about the chain come from. Whoever answers can lie: ask one that you trust.
///
/// Dropping a future gives up waiting for the answer; whether a [`broadcast`](Self::broadcast) arrived is unknown then, and
/// sending the same transaction again does no harm.
#[async_trait::async_trait]
pub trait ChainProvider: fmt::Debug + Send + Sync {
    /// What an address owns; nothing, if the chain does not know it.
    ///
    /// # Errors
    /// [`Error::Chain`].
    async fn balance(&self, of: &Address) -> Result<Balance, Error>;

    /// The number that the next transaction of an address must bear.
    ///
    /// # Errors
    /// [`Error::Chain`].
    async fn nonce(&self, of: &Address) -> Result<u64, Error>;

    /// Asks a contract without changing anything: gives the serialised Clarity value that it answers.
    ///
    /// # Errors
    /// [`Error::Chain`], and [`Error::Misuse`] for names that no contract or function can have.
    async fn read_only_call(&self, call: &ContractCall) -> Result<Vec<u8>, Error>;

    /// Hands in a serialised, signed transaction.
    ///
    /// # Errors
    /// [`Error::Chain`], with the node's reason if it does not take it.
    async fn broadcast(&self, transaction: &[u8]) -> Result<TransactionId, Error>;
}

/// What an address owns, in microstacks: 1 STX has 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balance {
    /// What can be spent.
    pub free: u128,
    /// What is locked for stacking.
    pub locked: u128,
}

/// A question to a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractCall {
    /// Whose contract it is.
    pub contract: Address,
    /// The contract's name: 1 to 128 letters, digits, `-` and `_`, with a letter in front.
    pub name: String,
    /// The function: 1 to 128 letters, digits and `-_!?+<>=/*`.
    pub function: String,
    /// Who asks; the contract sees it.
    pub sender: Address,
    /// Serialised Clarity values.
    pub arguments: Vec<Vec<u8>>,
}

/// What a transaction is called by. `Display` gives 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransactionId(pub [u8; 32]);

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
