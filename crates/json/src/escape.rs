//! Strings between their quotes: escapes read and written.

use crate::Text;
use crate::out::Out;
use crate::scan;
use crate::text::{Builder, Piece};

/// Appends the text as a JSON string, quotes included.
///
/// Escaped are, as `JSON.stringify` has it, quote, backslash and what is below U+0020, by name where there is one; and lone
/// surrogates, in lower-case hexadecimal.
pub(crate) fn write(text: &Text, out: &mut impl Out) {
    out.push_str("\"");
    match text.as_str() {
        Some(text) => write_str(text, out),
        None => {
            for piece in text.pieces() {
                match piece {
                    Piece::Str(piece) => write_str(piece, out),
                    Piece::Surrogate(unit) => write_unit(unit, out),
                }
            }
        }
    }
    out.push_str("\"");
}

/// Appends the escaped text, without quotes.
pub(crate) fn write_str(mut text: &str, out: &mut impl Out) {
    loop {
        let plain = scan::plain(text.as_bytes());
        let Some((before, behind)) = text.split_at_checked(plain) else {
            return;
        };
        out.push_str(before);
        let Some(special) = behind.bytes().next() else { return };
        match special {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => write_unit(control.into(), out),
        }
        // What is escaped is one byte long.
        text = behind.get(1..).unwrap_or_default();
    }
}

fn write_unit(unit: u16, out: &mut impl Out) {
    let mut escape = *b"\\u0000";
    for (place, shift) in escape.iter_mut().skip(2).zip([12, 8, 4, 0]) {
        // Four bits fit a byte.
        let nibble = (unit >> shift & 0xf) as u8;
        *place = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    }
    out.push_str(std::str::from_utf8(&escape).unwrap_or_default());
}

/// The text of what stands between the quotes of a JSON string. What is wrong there is left out; the reader has refused it.
pub(crate) fn decode(raw: &str) -> Text {
    let mut builder = Builder::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        builder.push_str(plain);
        let mut characters = escape.chars();
        match characters.next() {
            Some('b') => builder.push('\u{8}'),
            Some('f') => builder.push('\u{c}'),
            Some('n') => builder.push('\n'),
            Some('r') => builder.push('\r'),
            Some('t') => builder.push('\t'),
            Some('u') => {
                let unit = escape.get(1..5).and_then(|digits| u16::from_str_radix(digits, 16).ok());
                if let Some(unit) = unit {
                    builder.push_unit(unit);
                }
                characters = escape.get(5..).unwrap_or_default().chars();
            }
            Some(itself) => builder.push(itself),
            None => {}
        }
        rest = characters.as_str();
    }
    builder.push_str(rest);
    builder.finish()
}
