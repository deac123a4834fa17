//! Laws that hold for every input: functions of bytes that assert them. The fuzz targets and the property tests call them.
//! Not part of the public interface.
#![allow(
    missing_docs,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod identity;
mod places;
mod session;
mod wire;

pub use identity::{alias_card, attestation, mnemonic, principal, wallet_file};
pub use places::{locator, px1};
pub use session::{handshake, session, session_pair};
pub use wire::{frame, message, noise, varint};
