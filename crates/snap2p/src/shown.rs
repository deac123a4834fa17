//! Texts of others on a terminal.

/// Whether a character does something to a terminal, or to the text beside it, instead of being shown: control characters, line
/// breaks of every kind, and what turns the direction of text. A name or a reason could pretend to be another with these.
pub(crate) fn steers_a_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character is not to be seen and means nothing: two names that differ by these alone look the same. Joiners are
/// none of them, since some scripts and emoji cannot be written without.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{200b}'
        | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_a_cursor_and_names_can_be_written() {
        for c in [
            '\u{1b}', '\u{9b}', '\n', '\u{202e}', '\u{2066}', '\u{200f}', '\u{61c}', '\u{2028}',
        ] {
            assert!(steers_a_terminal(c), "{c:?}");
        }
        for c in "Zoë 李 👩\u{200d}🚀 ن\u{200c}ه".chars() {
            assert!(!steers_a_terminal(c) && !is_invisible(c), "{c:?}");
        }
    }
}
