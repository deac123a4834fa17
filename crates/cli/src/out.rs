//! What goes to stdout, and how texts of others become harmless before they are shown.

use serde::Serialize;
use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    io::{self, Write as _},
};

/// Prints a line to stdout at once, so that a reader on a pipe sees it.
///
/// When nobody reads any more, as behind `| head -1`, the program ends: there is nothing left to do, and no reason to
/// complain.
pub(crate) fn line(text: fmt::Arguments<'_>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    end_if_unread(writeln!(out, "{text}").and_then(|()| out.flush()))
}

/// Writes bytes to stdout as they are; else as [`line()`].
pub(crate) fn bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    end_if_unread(out.write_all(bytes).and_then(|()| out.flush()))
}

/// Prints a value as one line of JSON that cannot steer the terminal.
pub(crate) fn json(value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string(value)?;
    line(format_args!("{}", json_line(&text)))
}

/// Tells something on stderr, a line. Nobody may be there to hear it, where a terminal was closed, and that is no reason to end,
/// as `eprintln!` has it.
macro_rules! tell {
    ($($said:tt)*) => {
        $crate::out::tell_line(format_args!($($said)*))
    };
}
pub(crate) use tell;

/// What `tell!` does.
pub(crate) fn tell_line(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn end_if_unread(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => result,
    }
}

/// Whether a terminal obeys this character instead of showing it: control characters, those that turn the direction of
/// writing, and those that some programs take for the end of a line.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Shows a text of somebody else: what would steer the terminal is shown escaped.
pub(crate) struct Clean<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for Clean<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);
        impl fmt::Write for Escaping<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for character in text.chars() {
                    if steers(character) {
                        write!(self.0, "{}", character.escape_default())?;
                    } else {
                        self.0.write_char(character)?;
                    }
                }
                Ok(())
            }
        }
        write!(Escaping(f), "{}", self.0)
    }
}

/// A JSON text as one line that cannot steer the terminal, and means the same.
///
/// What is no JSON may come from a peer too, and comes out as harmless, whatever it then is.
pub(crate) fn json_line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return text.into();
    }
    let mut line = String::with_capacity(text.len() + 16);
    let (mut in_string, mut escaped) = (false, false);
    for character in text.chars() {
        match character {
            // Between the values this is white space.
            '\n' | '\r' | '\t' if !in_string => line.push(' '),
            // All of them lie below 0x10000, where JSON's escape is four digits.
            _ if steers(character) => drop(write!(line, "\\u{:04x}", u32::from(character))),
            _ => line.push(character),
        }
        in_string ^= character == '"' && !escaped;
        escaped = in_string && character == '\\' && !escaped;
    }
    line.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_others_are_shown_and_not_obeyed() {
        let shown = Clean("kia ora 🐝\u{1b}[2J\u{9b}2J\u{202e}\n").to_string();
        assert_eq!(shown, "kia ora 🐝\\u{1b}[2J\\u{9b}2J\\u{202e}\\n");
    }

    #[test]
    fn a_json_line_means_the_same_and_is_one_line() {
        for text in [
            "{\n\t\"a\": [1,\r\n 2],\"b\\\\\": \"\\\"\"\n}",
            "[\"\u{9b}2J\u{7f}\u{202e}\u{2028}\", \"kia ora 🐝\"]",
            "[1,\"plain\"]",
        ] {
            let line = json_line(text);
            assert!(!line.chars().any(steers), "{line:?}");
            let (before, after): (serde_json::Value, serde_json::Value) = (
                serde_json::from_str(text).unwrap(),
                serde_json::from_str(&line).unwrap(),
            );
            assert_eq!(before, after);
        }
    }

    #[test]
    fn what_is_no_json_steers_nothing_either() {
        assert_eq!(json_line("\u{1b}[2J\"\n"), "\\u001b[2J\"\\u000a");
    }
}
