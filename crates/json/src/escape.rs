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
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    loop {
        let Some((plain, escape)) = rest.split_at_checked(scan::plain(rest.as_bytes())) else {
            return text.into();
        };
        text.push_str(plain);
        let character = match escape.as_bytes() {
            [b'\\', b'u', ..] => return decode_units(text, raw.len(), escape),
            [b'\\', letter, ..] => named(*letter),
            _ => return text.into(),
        };
        text.push(character);
        rest = escape.get(2..).unwrap_or_default();
    }
}

fn named(letter: u8) -> char {
    match letter {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        itself => char::from(itself),
    }
}

/// Goes on decoding where UTF-16 units come, which may be halves of a pair.
fn decode_units(text: String, capacity: usize, mut rest: &str) -> Text {
    let mut builder = Builder::with_capacity(capacity);
    builder.push_str(&text);
    loop {
        let Some((plain, escape)) = rest.split_at_checked(scan::plain(rest.as_bytes())) else {
            return builder.finish();
        };
        builder.push_str(plain);
        match escape.as_bytes() {
            [b'\\', b'u', ..] => {
                let digits = escape.get(2..6).unwrap_or_default();
                if let Ok(unit) = u16::from_str_radix(digits, 16) {
                    builder.push_unit(unit);
                }
                rest = escape.get(6..).unwrap_or_default();
            }
            [b'\\', letter, ..] => {
                builder.push(named(*letter));
                rest = escape.get(2..).unwrap_or_default();
            }
            _ => return builder.finish(),
        }
    }
}
