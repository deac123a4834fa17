//! Numbers as people read them, and columns.

use std::fmt::Write as _;

/// A number of bytes: 340 B, 1.2 kB, 3.4 MB. A kB is 1000 bytes.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut count = count as f64;
    for unit in UNITS {
        // Beyond this the number would be rounded to the next unit's first.
        if count < 999.5 || unit == "PB" {
            let digits = usize::from(unit != "B" && count < 99.95);
            return format!("{count:.digits$} {unit}");
        }
        count /= 1000.0;
    }
    String::new()
}

/// A span of time, in its two largest units.
pub(crate) fn span(milliseconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let mut seconds = milliseconds / 1000;
    let mut parts = Vec::new();
    for (length, unit) in UNITS {
        if seconds >= length || (unit == "s" && parts.is_empty()) {
            parts.push(format!("{} {unit}", seconds / length));
            seconds %= length;
        } else if !parts.is_empty() {
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    parts.join(" ")
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis().try_into().unwrap_or(u64::MAX))
}

/// A word for a number of things: `1 peer`, `2 peers`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// Rows in columns that are as wide as their longest cell; the last one is left ragged.
pub(crate) fn columns<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text += line.trim_end();
        text.push('\n');
    }
    text.pop();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_three_digits_and_a_unit() {
        for (count, shown) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1234, "1.2 kB"),
            (99_949, "99.9 kB"),
            (99_960, "100 kB"),
            (999_600, "1.0 MB"),
            (1_000_000_000_000_000, "1.0 PB"),
            (u64::MAX, "18447 PB"),
        ] {
            assert_eq!(bytes(count), shown, "{count}");
        }
    }

    #[test]
    fn spans_have_their_two_largest_units() {
        for (milliseconds, shown) in [
            (0, "0 s"),
            (59_999, "59 s"),
            (61_000, "1 min 1 s"),
            (3_600_000, "1 h"),
            (3_601_000, "1 h"),
            (90_061_000, "1 d 1 h"),
        ] {
            assert_eq!(span(milliseconds), shown, "{milliseconds}");
        }
    }

    #[test]
    fn columns_line_up() {
        let rows = [["a".into(), "long".into()], ["longer".into(), "b".into()]];
        assert_eq!(columns(["X", "Y"], rows), "X       Y\na       long\nlonger  b");
        assert_eq!(columns(["X"], []), "X");
    }
}
