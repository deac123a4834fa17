//! Ports as JavaScript reads them.

use super::malformed::Malformed;

/// A port by the rules of JavaScript's `Number`: decimal, also with a sign, a fraction of zero or an exponent, `0x`, `0o`
/// and `0b`, with white space around it.
///
/// Unlike there, nothing is not the port 0, and what is no port is no number either: dialling it cannot succeed.
pub(super) fn port(text: &str) -> Result<u16, Malformed> {
    read(text.trim()).ok_or_else(|| Malformed::port(text))
}

fn read(text: &str) -> Option<u16> {
    let digits = |prefix: [&str; 2], radix| {
        let digits = prefix.iter().find_map(|prefix| text.strip_prefix(prefix))?;
        // `from_str_radix` would take a sign.
        let plain = digits.chars().all(|c| c.is_digit(radix));
        plain.then(|| u16::from_str_radix(digits, radix).ok())?
    };
    if let Some(port) = digits(["0x", "0X"], 16)
        .or_else(|| digits(["0o", "0O"], 8))
        .or_else(|| digits(["0b", "0B"], 2))
    {
        return Some(port);
    }
    // Rust reads "inf" and "nan" too, JavaScript only "Infinity"; none of them is a port.
    let decimal = |b: u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E');
    let number: f64 = text.bytes().all(decimal).then(|| text.parse().ok())??;
    let whole = number.fract() == 0.0 && (0.0..=f64::from(u16::MAX)).contains(&number);
    // Invariant: the range is checked, so the conversion is exact.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    whole.then_some(number as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_as_javascript_reads_numbers() {
        for (text, number) in [
            ("8008", 8008),
            ("08008", 8008),
            (" 8008 ", 8008),
            ("+8008", 8008),
            ("8008.0", 8008),
            ("8e3", 8000),
            ("0x1f48", 8008),
            ("0b11", 3),
            ("0", 0),
            ("65535", 65535),
        ] {
            assert_eq!(port(text), Ok(number), "{text}");
        }
        for text in [
            "", " ", "65536", "-1", "80.5", "abc", "0x", "0x+1", "1_0", "NaN", "inf", "Infinity", "٣",
        ] {
            assert!(port(text).is_err(), "{text}");
        }
    }
}
