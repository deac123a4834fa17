//! Wallets: twelve or twenty-four words from which every key follows, and the encrypted files that keep them.
//!
//! A [`Wallet`] is made from a [`Mnemonic`]; its [`Account`]s hold the keys that sign.
//!
//! ```
//! use handfast_snap2p::{Network, wallet::Wallet};
//!
//! let wallet = Wallet::ephemeral(Network::Mainnet)?;
//! println!("write these words down: {}", wallet.mnemonic().phrase().as_str());
//! println!("this is you: {}", wallet.account(0)?.principal());
//! # Ok::<(), handfast_snap2p::Error>(())
//! ```

mod account;
mod date;
mod disk;
pub mod file;
mod mnemonic;
mod registry;
pub mod store;

pub use account::{Account, Wallet};
pub use file::Sealed;
pub use mnemonic::Mnemonic;
pub use store::{Entry, Store};

/// The fewest characters of a password: what the reference's library asks for.
pub const PASSWORD_MIN: usize = 12;
