//! Base64 as SSB uses it: standard alphabet, padded, and only the one canonical text for given bytes.

use ::base64::{Engine, engine::general_purpose::STANDARD};

/// Decodes exactly `N` bytes; `None` for a wrong length, alphabet or padding, or for spare bits that are not zero.
///
/// One text per value matters: references are compared as texts all over SSB.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != N.div_ceil(3) * 4 {
        return None;
    }
    // The engine asks for room for the padding too.
    let mut room = [0; 96];
    let room = room.get_mut(..N.div_ceil(3) * 3)?;
    let length = STANDARD.decode_slice(text, room).ok()?;
    bytes.copy_from_slice(room.get(..length).filter(|decoded| decoded.len() == N)?);
    Some(bytes)
}

/// The canonical text.
pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
