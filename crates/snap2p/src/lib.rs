#![cfg_attr(all(feature = "tokio", feature = "wallet"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "tokio", feature = "wallet")),
    doc = "SNaP2P with some features switched off; see the crate page."
)]

pub mod access;
pub mod alias;
mod cbor;
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
mod shown;
mod time;
#[cfg(feature = "tokio")]
pub mod tokio;
mod visibility;
#[cfg(feature = "wallet")]
pub mod wallet;

#[cfg(feature = "_check")]
#[doc(hidden)]
pub mod check;

#[cfg(feature = "tokio")]
pub use self::tokio::Peer;
pub use code::ErrorCode;
pub use error::{AttestationFault, ChainFault, Error, Fault, WalletFault};
pub use identity::{
    Address, Network, NodeKeyAttestation, Principal, WalletKey, recover, recover_message, sign_message, verify_message,
};
pub use locator::Locator;
pub use message::{Message, StreamId};
pub use time::{Now, UnixTime};
pub use visibility::Visibility;
