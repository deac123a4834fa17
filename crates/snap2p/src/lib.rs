//! SNaP2P.
#![allow(clippy::todo)]

pub mod access;
pub mod alias;
#[cfg(any(feature = "tokio", feature = "http"))]
pub mod chain;
mod code;
mod error;
pub mod frame;
mod identity;
pub mod limits;
mod locator;
pub mod message;
pub mod noise;
pub mod px1;
pub mod session;
mod time;
mod visibility;
#[cfg(feature = "wallet")]
pub mod wallet;

#[cfg(feature = "_check")]
#[doc(hidden)]
pub mod check;

pub use code::ErrorCode;
pub use error::{AttestationFault, ChainFault, Error, Fault, WalletFault};
pub use identity::{
    Address, Network, NodeKeyAttestation, Principal, WalletKey, recover, recover_message, sign_message, verify_message,
};
pub use locator::Locator;
pub use message::{Message, StreamId};
pub use time::{Now, UnixTime};
pub use visibility::Visibility;
