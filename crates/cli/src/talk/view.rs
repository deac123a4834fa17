//! What was said, in rows that fit the terminal, and the line that is being typed beneath it.

use super::Input;
use crate::figures::count;
use crossterm::event::KeyCode;
use ratatui::{
    Frame,
    layout::Rect,
    style::{Color, Style, Stylize},
    text::{Line as Row, Span},
    widgets::{Block, Borders, Paragraph},
};

/// One line, ready to be shown: nothing in it steers a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// When, in milliseconds since 1970.
    pub(crate) at: u64,
    /// Who says it; `None` for what is told about the chat.
    pub(crate) who: Option<String>,
    /// Whether we have said it ourselves.
    pub(crate) own: bool,
    pub(crate) text: String,
}

/// The part of a talk that is seen.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// How many rows of the talk are beneath the last one that is seen.
    scrolled: usize,
    /// How many rows of the talk are seen at a time.
    page: usize,
    /// How many rows the talk had when it was drawn last.
    rows: usize,
}

impl View {
    /// Reacts to a key if it scrolls; tells whether it does.
    pub(crate) fn scrolls(&mut self, code: KeyCode) -> bool {
        self.scrolled = match code {
            KeyCode::PageUp => self.scrolled.saturating_add(self.page.max(1)),
            KeyCode::PageDown => self.scrolled.saturating_sub(self.page.max(1)),
            KeyCode::Up => self.scrolled.saturating_add(1),
            KeyCode::Down => self.scrolled.saturating_sub(1),
            _ => return false,
        };
        true
    }

    /// Goes to the end of the talk.
    pub(crate) fn show_newest(&mut self) {
        self.scrolled = 0;
    }

    /// Draws the talk, oldest first.
    pub(crate) fn draw<'a>(&mut self, frame: &mut Frame<'_>, area: Rect, lines: impl Iterator<Item = &'a Line>) {
        let width = usize::from(area.width);
        let rows: Vec<Row<'static>> = lines.flat_map(|line| rows(line, width)).collect();
        // Who reads what was said before keeps seeing the same while more is said.
        if self.scrolled > 0 {
            self.scrolled += rows.len().saturating_sub(self.rows);
        }
        self.rows = rows.len();
        self.page = usize::from(area.height);
        self.scrolled = self.scrolled.min(rows.len().saturating_sub(self.page));
        let end = rows.len() - self.scrolled;
        let from = end.saturating_sub(self.page);
        let seen: Vec<Row<'static>> = rows.into_iter().skip(from).take(end - from).collect();
        // The newest stands at the bottom, also when there is little.
        let empty = area
            .height
            .saturating_sub(u16::try_from(seen.len()).unwrap_or(u16::MAX));
        let below = Rect {
            y: area.y + empty,
            height: area.height - empty,
            ..area
        };
        frame.render_widget(Paragraph::new(seen), below);
    }

    /// Draws the line that is being typed, in a frame.
    pub(crate) fn draw_input(&self, frame: &mut Frame<'_>, area: Rect, input: &Input) {
        let title = match self.scrolled {
            0 => "enter says it, esc leaves, page up reads back".to_owned(),
            below => format!("{} below", count(below, "line")),
        };
        let block = Block::new().borders(Borders::ALL).title(title);
        let inside = block.inner(area);
        let (text, cursor) = input.view(usize::from(inside.width));
        frame.render_widget(Paragraph::new(text).block(block), area);
        let column = u16::try_from(cursor).unwrap_or(u16::MAX);
        if inside.width > 0 && inside.height > 0 {
            frame.set_cursor_position((inside.x + column.min(inside.width - 1), inside.y));
        }
    }
}

/// The time of day, in UTC: hours and minutes.
fn clock(at: u64) -> String {
    let minutes = at / 60_000;
    format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

/// A line of the talk in rows of at most `width` columns.
fn rows(line: &Line, width: usize) -> Vec<Row<'static>> {
    let time = Span::from(format!("{} ", clock(line.at))).dim();
    let (head, colour) = match &line.who {
        Some(who) => (format!("{who} "), if line.own { Color::Green } else { Color::Cyan }),
        None => ("· ".to_owned(), Color::DarkGray),
    };
    let head = Span::from(head).style(Style::new().fg(colour));
    let text = Style::new().fg(if line.who.is_some() {
        Color::Reset
    } else {
        Color::DarkGray
    });
    let first = width.saturating_sub(time.width() + head.width());
    let mut rows = Vec::new();
    let mut spans = vec![time, head];
    for (number, piece) in wrapped(&line.text, first, width.saturating_sub(INDENT))
        .into_iter()
        .enumerate()
    {
        if number > 0 {
            spans.push(Span::raw(" ".repeat(INDENT)));
        }
        spans.push(Span::from(piece).style(text));
        rows.push(Row::from(std::mem::take(&mut spans)));
    }
    rows
}

/// How far the further rows of a line are moved to the right: as far as the time takes.
const INDENT: usize = 6;

/// A text in pieces of at most `first` and then `next` columns, broken at spaces where there are any.
fn wrapped(text: &str, first: usize, next: usize) -> Vec<String> {
    let (mut pieces, mut piece, mut used) = (Vec::new(), String::new(), 0);
    let mut room = first;
    for sign in Span::raw(text).styled_graphemes(Style::new()) {
        let width = Span::raw(sign.symbol).width();
        if used + width > room {
            // The last word goes on in the next row, unless it is as long as the row.
            let rest = match piece.rfind(' ') {
                Some(space) => piece.split_off(space + 1),
                None => String::new(),
            };
            pieces.push(std::mem::replace(&mut piece, rest));
            used = Span::raw(piece.as_str()).width();
            // A row that is too narrow for anything takes one sign all the same.
            room = next.max(width + used);
        }
        piece.push_str(sign.symbol);
        used += width;
    }
    pieces.push(piece);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_broken_at_spaces_and_wide_signs_fit() {
        assert_eq!(wrapped("one two three", 8, 6), ["one two ", "three"]);
        assert_eq!(wrapped("abcdefgh", 3, 3), ["abc", "def", "gh"]);
        assert_eq!(wrapped("日本語", 4, 4), ["日本", "語"]);
        assert_eq!(wrapped("", 4, 4), [""]);
        assert_eq!(wrapped("ab", 0, 0), ["", "a", "b"]);
        assert_eq!(wrapped("see abcdefgh", 5, 4), ["see ", "abcd", "efgh"]);
    }
}
