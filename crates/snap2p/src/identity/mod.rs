//! Who is at the other end: wallets' addresses, keys, and what ties a node to them.

mod attestation;
pub(crate) mod fields;
pub(crate) mod hex;
mod key;
mod message;
mod principal;

pub use attestation::NodeKeyAttestation;
pub use key::{WalletKey, recover};
pub use message::{recover_message, sign_message, verify_message};
pub use principal::{Address, Network, Principal};

pub(crate) use attestation::{is_signed_by, sha256};
