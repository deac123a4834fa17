//! The escapes of addresses: `!` before `!`, `~`, `:` or `;` takes away the character's meaning.

use std::fmt;
use zeroize::Zeroizing;

/// What is escaped in a part that may not be cut at colons.
pub(super) const IN_PART: &[char] = &['!', '~', ':', ';'];
/// What is escaped where colons belong to the text, as in hosts and paths.
pub(super) const IN_REST: &[char] = &['!', '~', ';'];

/// The pieces between unescaped separators, still with their escapes; one empty piece for an empty text.
pub(super) fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut escaped = false;
        for (place, character) in text.char_indices() {
            if escaped {
                escaped = false;
            } else if character == '!' {
                escaped = true;
            } else if character == separator {
                let (piece, behind) = text.split_at_checked(place)?;
                rest = behind.strip_prefix(separator);
                return Some(piece);
            }
        }
        rest = None;
        Some(text)
    })
}

/// Takes the escapes out. Any character may be escaped, and a `!` at the very end stands for itself, as in the package
/// separator-escape, which multiserver uses.
pub(super) fn unescape(text: &str) -> Zeroizing<String> {
    // One allocation that never grows: the text may hold a secret, and a reallocation would leave a copy behind.
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '!' => out.push(characters.next().unwrap_or('!')),
            _ => out.push(character),
        }
    }
    out
}

/// Writes `text` with a `!` before each of `special`.
pub(super) fn write(text: &str, special: &[char], out: &mut dyn fmt::Write) -> fmt::Result {
    for character in text.chars() {
        if special.contains(&character) {
            out.write_char('!')?;
        }
        out.write_char(character)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_separators_separate_nothing() {
        let pieces: Vec<_> = split("a!;b;c!!;;!", ';').collect();
        assert_eq!(pieces, ["a!;b", "c!!", "", "!"]);
        assert_eq!(split("", ';').collect::<Vec<_>>(), [""]);
        assert_eq!(*unescape("a!;b!!c!xé!é!"), "a;b!cxéé!");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = "a~b:c;d!e é";
        let mut escaped = String::new();
        write(text, IN_PART, &mut escaped).unwrap();
        assert_eq!(escaped, "a!~b!:c!;d!!e é");
        assert_eq!(*unescape(&escaped), text);
    }
}
