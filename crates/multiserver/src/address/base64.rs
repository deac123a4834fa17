//! Base64 as JavaScript nodes read it in addresses.

use ::base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// Decodes exactly 32 bytes by Node's rules, which is how multiserver reads keys and seeds: both alphabets, characters of
/// neither are skipped, the first `=` ends the text, spare bits do not matter. So `@….ed25519` is read too.
///
/// The error is the number of bytes that were found instead.
pub(super) fn decode(text: &str) -> Result<Zeroizing<[u8; 32]>, usize> {
    let mut bytes = Zeroizing::new([0; 32]);
    let mut length = 0;
    let mut bits = Zeroizing::new(0u32);
    let mut held = 0;
    for digit in text.bytes().take_while(|&byte| byte != b'=').filter_map(value) {
        *bits = (*bits << 6 | u32::from(digit)) & 0xfff;
        held += 6;
        if held >= 8 {
            held -= 8;
            if let Some(byte) = bytes.get_mut(length) {
                // Invariant: the mask keeps the value within a byte.
                *byte = u8::try_from(*bits >> held & 0xff).unwrap_or_default();
            }
            length += 1;
        }
    }
    if length == bytes.len() { Ok(bytes) } else { Err(length) }
}

/// The canonical text of 44 characters.
pub(super) fn encode(bytes: &[u8; 32]) -> Zeroizing<String> {
    // One allocation of the final size, so that no copy is left behind when it grows.
    let mut text = Zeroizing::new(String::with_capacity(44));
    STANDARD.encode_string(bytes, &mut text);
    text
}

fn value(character: u8) -> Option<u8> {
    Some(match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEVENS: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

    #[test]
    fn texts_are_read_as_node_reads_them() {
        let (body, head) = (&SEVENS[..43], &SEVENS[..20]);
        for good in [
            SEVENS.to_owned(),
            body.to_owned(),
            format!("@{SEVENS}.ed25519"),
            format!("{SEVENS}{SEVENS}"),
            format!("{head} \n{}", &SEVENS[20..]),
            format!("{}d=", &SEVENS[..42]),
        ] {
            assert_eq!(decode(&good).as_deref(), Ok(&[7; 32]), "{good}");
        }
        // What Node decodes each of these to is not 32 bytes long.
        assert_eq!(decode(&format!("{head}=={}", &SEVENS[20..])).err(), Some(15));
        assert_eq!(decode(&SEVENS[..42]).err(), Some(31));
        assert_eq!(decode(&format!("{body}A")).err(), Some(33));
        assert_eq!(decode(&format!("@{body}.ed25519")).err(), Some(37));
        assert_eq!(decode("").err(), Some(0));
    }

    #[test]
    fn both_alphabets_are_read_and_the_standard_one_is_written() {
        let bytes = [0xfb; 32];
        let text = encode(&bytes);
        assert_eq!(decode(&text).as_deref(), Ok(&bytes));
        assert_eq!(decode(&text.replace('+', "-").replace('/', "_")).as_deref(), Ok(&bytes));
    }
}
