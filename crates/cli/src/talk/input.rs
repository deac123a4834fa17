//! The line that is being typed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{style::Style, text::Span};
use zeroize::Zeroizing;

/// How many bytes can be typed: what fits a message, with room for what it is wrapped in.
const LONGEST: usize = 8 * 1024;

/// A line of text with a cursor in it. It may be a password: what was typed is erased, and not shown by `Debug`.
#[derive(Default)]
pub(crate) struct Input {
    text: Zeroizing<String>,
    /// The byte before which the cursor stands. Invariant: it lies between two characters.
    cursor: usize,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Input(..)")
    }
}

impl Input {
    /// A line for a secret: no copy of it is left behind while it grows.
    pub(crate) fn secret() -> Self {
        Self {
            text: Zeroizing::new(String::with_capacity(LONGEST)),
            cursor: 0,
        }
    }

    /// Takes what was typed, and begins anew.
    pub(crate) fn take(&mut self) -> Zeroizing<String> {
        let begun = Self {
            text: Zeroizing::new(String::with_capacity(self.text.capacity())),
            cursor: 0,
        };
        std::mem::replace(self, begun).text
    }

    /// How many characters were typed.
    pub(crate) fn len(&self) -> usize {
        self.text.chars().count()
    }

    /// Reacts to a key. Returns the line, if it is finished.
    pub(crate) fn key(&mut self, key: &KeyEvent) -> Option<String> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter => {
                let line = self.take();
                return (!line.trim().is_empty()).then(|| line.to_string());
            }
            KeyCode::Char('u') if control => self.cut(0, self.cursor),
            KeyCode::Char('k') if control => self.cut(self.cursor, self.text.len()),
            KeyCode::Char('w') if control => {
                let before = self.before();
                let word = before.trim_end().rfind(char::is_whitespace).map_or(0, |at| at + 1);
                self.cut(word.min(self.cursor), self.cursor);
            }
            KeyCode::Char('a') if control => self.cursor = 0,
            KeyCode::Char('e') if control => self.cursor = self.text.len(),
            KeyCode::Char(character) if !control => self.insert(character),
            KeyCode::Backspace => self.cut(self.left(), self.cursor),
            KeyCode::Delete => self.cut(self.cursor, self.right()),
            KeyCode::Left => self.cursor = self.left(),
            KeyCode::Right => self.cursor = self.right(),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            _ => {}
        }
        None
    }

    /// Adds a text that was pasted; what steers a terminal, line ends too, becomes a space.
    pub(crate) fn paste(&mut self, text: &str) {
        text.chars().for_each(|character| self.insert(character));
    }

    /// The part that fits into so many columns, and the column of the cursor in it.
    pub(crate) fn view(&self, columns: usize) -> (&str, usize) {
        let before = self.before();
        // The cursor needs a column of its own.
        let mut room = columns.saturating_sub(1);
        let mut from = before.len();
        for (piece, width) in pieces(before).collect::<Vec<_>>().into_iter().rev() {
            if width > room {
                break;
            }
            room -= width;
            from -= piece;
        }
        let cursor = Span::raw(before.get(from..).unwrap_or_default()).width();
        (self.text.get(from..).unwrap_or_default(), cursor)
    }

    fn insert(&mut self, character: char) {
        let character = if character.is_control() { ' ' } else { character };
        if self.text.len() + character.len_utf8() <= LONGEST {
            self.text.insert(self.cursor, character);
            self.cursor += character.len_utf8();
        }
    }

    /// Takes out what lies between two bytes, and puts the cursor there.
    fn cut(&mut self, from: usize, to: usize) {
        if from <= to && self.text.is_char_boundary(from) && self.text.is_char_boundary(to) {
            self.text.replace_range(from..to, "");
            self.cursor = from;
        }
    }

    fn before(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or_default()
    }

    /// One sign to the left: what looks like one may be several characters.
    fn left(&self) -> usize {
        self.cursor - pieces(self.before()).last().map_or(0, |(length, _)| length)
    }

    fn right(&self) -> usize {
        let after = self.text.get(self.cursor..).unwrap_or_default();
        self.cursor + pieces(after).next().map_or(0, |(length, _)| length)
    }
}

/// The signs of a text: the bytes and the columns that each takes.
fn pieces(text: &str) -> impl Iterator<Item = (usize, usize)> {
    Span::raw(text)
        .styled_graphemes(Style::new())
        .map(|piece| (piece.symbol.len(), Span::raw(piece.symbol).width()))
        .collect::<Vec<_>>()
        .into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(input: &mut Input, code: KeyCode) -> Option<String> {
        input.key(&KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn control(input: &mut Input, letter: char) {
        input.key(&KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL));
    }

    fn typed(text: &str) -> Input {
        let mut input = Input::default();
        for character in text.chars() {
            press(&mut input, KeyCode::Char(character));
        }
        input
    }

    #[test]
    fn a_finished_line_is_given_out_once_and_an_empty_one_never() {
        let mut input = typed("kia ora");
        assert_eq!(press(&mut input, KeyCode::Enter).as_deref(), Some("kia ora"));
        assert_eq!(press(&mut input, KeyCode::Enter), None);
        assert_eq!(press(&mut typed("  "), KeyCode::Enter), None);
    }

    #[test]
    fn what_looks_like_one_sign_goes_in_one_step() {
        let mut input = typed("a👩‍🚀é");
        press(&mut input, KeyCode::Backspace);
        press(&mut input, KeyCode::Backspace);
        assert_eq!(*input.text, "a");
        let mut input = typed("añb");
        press(&mut input, KeyCode::Left);
        press(&mut input, KeyCode::Left);
        press(&mut input, KeyCode::Delete);
        assert_eq!(*input.text, "ab");
        press(&mut input, KeyCode::Home);
        press(&mut input, KeyCode::Char('x'));
        assert_eq!((input.text.as_str(), input.cursor), ("xab", 1));
    }

    #[test]
    fn words_and_halves_of_the_line_can_be_cut() {
        let mut input = typed("one two  three ");
        control(&mut input, 'w');
        assert_eq!(*input.text, "one two  ");
        control(&mut input, 'w');
        assert_eq!(*input.text, "one ");
        control(&mut input, 'u');
        assert_eq!(*input.text, "");
        let mut input = typed("one two");
        press(&mut input, KeyCode::Home);
        control(&mut input, 'k');
        assert_eq!(*input.text, "");
    }

    #[test]
    fn the_end_that_is_being_typed_is_seen_whatever_its_signs_take() {
        assert_eq!(typed("abc").view(10), ("abc", 3));
        assert_eq!(typed("abcdef").view(4), ("def", 3));
        assert_eq!(typed("日本語").view(5), ("本語", 4));
        let mut input = typed("abcdef");
        press(&mut input, KeyCode::Home);
        assert_eq!(input.view(4), ("abcdef", 0));
        assert_eq!(typed("abc").view(0), ("", 0));
    }

    #[test]
    fn pasted_text_steers_nothing_and_is_bounded() {
        let mut input = Input::default();
        input.paste("a\n\u{1b}b");
        assert_eq!(*input.text, "a  b");
        input.paste(&"x".repeat(2 * LONGEST));
        assert_eq!(input.text.len(), LONGEST);
    }
}
