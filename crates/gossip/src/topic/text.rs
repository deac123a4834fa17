//! Signed things as text: a word that says what it is, a colon, and the bytes in base64.

use base64::{Engine, engine::general_purpose::STANDARD};

/// The text of `bytes`.
pub(super) fn write(word: &str, bytes: &[u8]) -> String {
    let mut text = format!("{word}:");
    STANDARD.encode_string(bytes, &mut text);
    text
}

/// The bytes of a text that begins with this word; `None` unless it is one, of this length and strictly encoded. White
/// space around it is left over from a file or a mail.
pub(super) fn read<const N: usize>(word: &str, text: &str) -> Option<[u8; N]> {
    let coded = text.trim().strip_prefix(word)?.strip_prefix(':')?;
    // The length is checked before anything is allocated for what may be a whole file.
    if coded.len() != N.div_ceil(3) * 4 {
        return None;
    }
    STANDARD.decode(coded).ok()?.try_into().ok()
}
