//! The chat in a terminal.

use super::{
    input::Input,
    room::{Happening, Line, Room},
};
use crate::{
    exit::Failure,
    figures::{count, now},
    out::Clean,
    signals::Stop,
};
use crossterm::{
    event::{
        DisableBracketedPaste, EnableBracketedPaste, Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers,
    },
    execute,
};
use futures_util::StreamExt;
use ratatui::{
    DefaultTerminal, Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Style, Stylize},
    text::{Line as Row, Span},
    widgets::{Block, Borders, Paragraph},
};
use std::io::stdout;
use tokio::sync::mpsc::{Receiver, Sender};

/// Below so many columns the list of neighbours leaves its room to the talk.
const ROOM_FOR_NEIGHBOURS: u16 = 70;
/// Columns of the list of neighbours.
const NEIGHBOURS: u16 = 26;

/// What stands above the talk, and does not change.
#[derive(Debug)]
pub(super) struct About {
    pub(super) topic: String,
    /// How others join.
    pub(super) join: String,
}

/// Shows what happens and gives out what is typed, until the user leaves.
pub(super) async fn run(
    about: About,
    room: Room,
    happenings: Receiver<Happening>,
    say: Sender<String>,
    stop: &mut Stop,
) -> Result<(), Failure> {
    let terminal = ratatui::try_init().map_err(Failure::local)?;
    // A terminal that does not know it pastes as if it were typed.
    let _ = execute!(stdout(), EnableBracketedPaste);
    let result = show(terminal, about, room, happenings, say, stop).await;
    let _ = execute!(stdout(), DisableBracketedPaste);
    ratatui::restore();
    result
}

async fn show(
    mut terminal: DefaultTerminal,
    about: About,
    room: Room,
    mut happenings: Receiver<Happening>,
    say: Sender<String>,
    stop: &mut Stop,
) -> Result<(), Failure> {
    let mut events = EventStream::new();
    let mut picture = Picture::new(about, room);
    loop {
        terminal.draw(|frame| picture.draw(frame)).map_err(Failure::local)?;
        tokio::select! {
            happening = happenings.recv() => match happening {
                Some(happening) => {
                    picture.take(happening);
                    // Whatever else has happened is drawn at once.
                    while let Ok(happening) = happenings.try_recv() {
                        picture.take(happening);
                    }
                }
                None => return Ok(()),
            },
            event = events.next() => match event {
                Some(Ok(event)) => match picture.react(event) {
                    Reaction::Stay => {}
                    Reaction::Leave => return Ok(()),
                    Reaction::Say(line) => if say.try_send(line).is_err() {
                        picture.take(Happening::Notice("that was too fast, and was not said".into()));
                    },
                },
                Some(Err(error)) => return Err(Failure::local(error)),
                None => return Ok(()),
            },
            () = stop.wait() => return Ok(()),
        }
    }
}

/// What follows from a key.
#[derive(Debug, PartialEq, Eq)]
enum Reaction {
    Stay,
    Leave,
    Say(String),
}

/// What is on the screen.
struct Picture {
    about: About,
    room: Room,
    input: Input,
    /// How many rows of the talk are beneath the last one that is seen.
    scrolled: usize,
    /// How many rows of the talk are seen at a time.
    page: usize,
    /// How many rows the talk had when it was drawn last.
    rows: usize,
}

impl Picture {
    fn new(about: About, room: Room) -> Self {
        Self {
            about,
            room,
            input: Input::default(),
            scrolled: 0,
            page: 0,
            rows: 0,
        }
    }

    fn take(&mut self, happening: Happening) {
        self.room.take(happening, now());
    }

    fn react(&mut self, event: Event) -> Reaction {
        let key = match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => key,
            Event::Paste(text) => {
                self.input.paste(&text);
                return Reaction::Stay;
            }
            _ => return Reaction::Stay,
        };
        let KeyEvent { code, modifiers, .. } = key;
        match code {
            KeyCode::Char('c' | 'd') if modifiers.contains(KeyModifiers::CONTROL) => return Reaction::Leave,
            KeyCode::Esc => return Reaction::Leave,
            KeyCode::PageUp => self.scrolled = self.scrolled.saturating_add(self.page.max(1)),
            KeyCode::PageDown => self.scrolled = self.scrolled.saturating_sub(self.page.max(1)),
            KeyCode::Up => self.scrolled = self.scrolled.saturating_add(1),
            KeyCode::Down => self.scrolled = self.scrolled.saturating_sub(1),
            _ => {
                if let Some(line) = self.input.key(&key) {
                    self.scrolled = 0;
                    return Reaction::Say(line);
                }
            }
        }
        Reaction::Stay
    }

    fn draw(&mut self, frame: &mut Frame<'_>) {
        let parts = [
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Min(1),
            Constraint::Length(3),
        ];
        let [head, join, middle, bottom] = Layout::vertical(parts).areas(frame.area());
        let neighbours = self.room.neighbours().len();
        let title = vec![
            "handfast chat ".bold(),
            Span::raw(Clean(&self.about.topic).to_string()),
            format!("  {}", count(neighbours, "neighbour")).dim(),
        ];
        frame.render_widget(Row::from(title), head);
        frame.render_widget(Row::from(self.about.join.as_str()).dim(), join);
        let talk = match middle.width < ROOM_FOR_NEIGHBOURS {
            true => middle,
            false => {
                let parts = [Constraint::Fill(1), Constraint::Length(NEIGHBOURS)];
                let [talk, side] = Layout::horizontal(parts).areas(middle);
                self.draw_neighbours(frame, side);
                talk
            }
        };
        self.draw_talk(frame, talk);
        self.draw_input(frame, bottom);
    }

    fn draw_talk(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let width = usize::from(area.width);
        let rows: Vec<Row<'static>> = self.room.lines().flat_map(|line| rows(line, width)).collect();
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

    fn draw_neighbours(&self, frame: &mut Frame<'_>, area: Rect) {
        let names: Vec<Row<'static>> = self.room.neighbours().map(Row::from).collect();
        let block = Block::new().borders(Borders::LEFT).title(" neighbours").dim();
        frame.render_widget(Paragraph::new(names).block(block), area);
    }

    fn draw_input(&self, frame: &mut Frame<'_>, area: Rect) {
        let title = match self.scrolled {
            0 => "enter says it, esc leaves, page up reads back".to_owned(),
            below => format!("{} below", count(below, "line")),
        };
        let block = Block::new().borders(Borders::ALL).title(title);
        let inside = block.inner(area);
        let (text, cursor) = self.input.view(usize::from(inside.width));
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
    use super::{
        super::room::tests::{key, said},
        *,
    };
    use ratatui::{Terminal, backend::TestBackend};

    fn picture() -> Picture {
        let about = About {
            topic: "garden".into(),
            join: "--join net:192.0.2.7:1~shs:KEY".into(),
        };
        Picture::new(about, Room::new(key(1), "anna"))
    }

    fn drawn(picture: &mut Picture, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| picture.draw(frame)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let row = |y| {
            (0..width)
                .map(|x| buffer[(x, y)].symbol().to_owned())
                .collect::<String>()
        };
        (0..height).map(|y| row(y).trim_end().to_owned()).collect()
    }

    fn press(picture: &mut Picture, code: KeyCode) -> Reaction {
        picture.react(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    #[test]
    fn the_newest_stands_above_the_input_and_neighbours_beside_it() {
        let mut picture = picture();
        picture.take(Happening::Neighbour(key(2)));
        picture.take(said(2, "ben", "kia ora", 0));
        picture.take(said(1, "anna", "kia ora, ben", 1));
        let rows = drawn(&mut picture, 100, 12);
        assert!(rows[0].starts_with("handfast chat garden  1 neighbour"), "{rows:#?}");
        assert!(rows[1].contains("--join net:192.0.2.7:1~shs:KEY"), "{rows:#?}");
        assert!(rows[2].contains("neighbours") && rows[3].contains("│ben·"), "{rows:#?}");
        let talk = rows.join("\n");
        assert!(
            talk.contains("00:00 ben·") && talk.contains("kia ora, ben"),
            "{rows:#?}"
        );
        let narrow = drawn(&mut picture, 40, 12).join("\n");
        assert!(!narrow.contains("│ben"), "{narrow}");
    }

    #[test]
    fn who_reads_back_keeps_the_place_while_others_talk() {
        let mut picture = picture();
        for number in 0..50 {
            picture.take(said(2, "ben", &format!("message {number}"), number));
        }
        assert!(drawn(&mut picture, 60, 12).join("\n").contains("message 49"));
        press(&mut picture, KeyCode::PageUp);
        let before = drawn(&mut picture, 60, 12);
        assert!(!before.join("\n").contains("message 49"));
        picture.take(said(2, "ben", "meanwhile", 50));
        let after = drawn(&mut picture, 60, 12);
        assert_eq!(before[..9], after[..9]);
        for _ in 0..100 {
            press(&mut picture, KeyCode::PageUp);
        }
        assert!(drawn(&mut picture, 60, 12).join("\n").contains("message 0"));
        press(&mut picture, KeyCode::Char('x'));
        assert_eq!(press(&mut picture, KeyCode::Enter), Reaction::Say("x".into()));
        assert!(drawn(&mut picture, 60, 12).join("\n").contains("meanwhile"));
    }

    #[test]
    fn long_messages_are_broken_at_spaces_and_wide_signs_fit() {
        assert_eq!(wrapped("one two three", 8, 6), ["one two ", "three"]);
        assert_eq!(wrapped("abcdefgh", 3, 3), ["abc", "def", "gh"]);
        assert_eq!(wrapped("日本語", 4, 4), ["日本", "語"]);
        assert_eq!(wrapped("", 4, 4), [""]);
        assert_eq!(wrapped("ab", 0, 0), ["", "a", "b"]);
        assert_eq!(wrapped("see abcdefgh", 5, 4), ["see ", "abcd", "efgh"]);
    }

    #[test]
    fn any_size_of_a_terminal_will_do() {
        let mut picture = picture();
        picture.take(Happening::Neighbour(key(2)));
        for number in 0..20 {
            picture.take(said(2, "ben", "日本語 and a longer text than that", number));
        }
        for (width, height) in [(1, 1), (2, 40), (200, 2), (7, 7), (71, 3), (300, 100)] {
            drawn(&mut picture, width, height);
            press(&mut picture, KeyCode::PageUp);
        }
    }

    #[test]
    fn escape_and_control_c_leave() {
        let mut picture = picture();
        assert_eq!(press(&mut picture, KeyCode::Esc), Reaction::Leave);
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(picture.react(Event::Key(control_c)), Reaction::Leave);
        assert_eq!(press(&mut picture, KeyCode::Char('q')), Reaction::Stay);
    }
}
