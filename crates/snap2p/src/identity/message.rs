//! Texts that a wallet signs for people and programs outside of this protocol.

use super::{attestation::sha256, is_signed_by, recover};
use crate::{Address, Principal, WalletKey};

/// What Stacks wallets put in front of every text they sign, so that a signed text can never be a transaction.
const PREFIX: &[u8] = b"\x17Stacks Signed Message:\n";

/// Signs a text as Stacks wallets do: SHA-256 over the prefix of Stacks, the length, and the UTF-8 bytes.
///
/// The signature is R (32 bytes), S (32) and the recovery id (1): what Stacks calls RSV, and what its wallets answer to
/// "sign message". Its transactions carry VRS instead, with the recovery id in front.
#[must_use]
pub fn sign_message(key: &WalletKey, text: &str) -> [u8; 65] {
    key.sign(&message_digest(text))
}

/// The compressed public key of whoever signed a text with [`sign_message`] or a Stacks wallet (RSV). `None` if the signature
/// is none.
///
/// Any signature of proper form leads to some key, so compare it, or use [`verify_message`].
#[must_use]
pub fn recover_message(text: &str, signature: &[u8; 65]) -> Option<[u8; 33]> {
    recover(&message_digest(text), signature)
}

/// Whether the key of this address signed a text with [`sign_message`] or a Stacks wallet (RSV).
#[must_use]
pub fn verify_message(address: &Address, text: &str, signature: &[u8; 65]) -> bool {
    is_signed_by(&Principal(*address), &message_digest(text), signature)
}

/// The length is that of Bitcoin: one byte, or a mark and 2, 4 or 8 bytes, little-endian.
fn message_digest(text: &str) -> [u8; 32] {
    let len = text.len() as u64;
    let mut bytes = PREFIX.to_vec();
    let [b0, b1, b2, b3, b4, b5, b6, b7] = len.to_le_bytes();
    match len {
        0..=0xfc => bytes.push(b0),
        0xfd..=0xffff => bytes.extend([0xfd, b0, b1]),
        0x1_0000..=0xffff_ffff => bytes.extend([0xfe, b0, b1, b2, b3]),
        _ => bytes.extend([0xff, b0, b1, b2, b3, b4, b5, b6, b7]),
    }
    bytes.extend_from_slice(text.as_bytes());
    sha256(&bytes)
}
