//! Who is at the other end: wallets' addresses, keys, and what ties a node to them.

mod attestation;
mod key;
mod principal;

pub use attestation::NodeKeyAttestation;
pub use key::WalletKey;
pub use principal::{Address, Network, Principal};
