//! Bytes as hexadecimal digits.

/// Hexadecimal digits in lower case.
pub(crate) fn lower_hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

/// The bytes of hexadecimal digits in either case; `None` for anything else, and for another length.
pub(crate) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let nibble = |digit: &u8| {
            char::from(*digit)
                .to_digit(16)
                .and_then(|nibble| u8::try_from(nibble).ok())
        };
        *byte = nibble(high)? << 4 | nibble(low)?;
    }
    Some(bytes)
}
