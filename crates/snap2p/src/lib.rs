//! SNaP2P.
#![allow(clippy::todo)]

pub mod access;
mod code;
mod error;
pub mod frame;
mod identity;
pub mod limits;
pub mod message;
pub mod noise;
pub mod session;
mod time;
mod visibility;

pub use code::ErrorCode;
pub use error::{AttestationFault, Error, Fault, WalletFault};
pub use identity::{Address, Network, NodeKeyAttestation, Principal, WalletKey};
pub use message::{Message, StreamId};
pub use time::{Now, UnixTime};
pub use visibility::Visibility;
