//! The chat in a terminal.

use super::room::{Happening, Room};
use crate::{
    exit::Failure,
    figures::{count, now},
    out::Clean,
    signals::Stop,
    talk::{Input, View},
    terminal::{Events, Full},
};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Stylize,
    text::{Line as Row, Span},
    widgets::{Block, Borders, Paragraph},
};
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
    show(Full::begin()?, about, room, happenings, say, stop).await
}

async fn show(
    mut terminal: Full,
    about: About,
    room: Room,
    mut happenings: Receiver<Happening>,
    say: Sender<String>,
    stop: &mut Stop,
) -> Result<(), Failure> {
    let mut events = Events::new();
    let mut picture = Picture::new(about, room);
    loop {
        terminal.draw(|frame| picture.draw(frame))?;
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
    view: View,
}

impl Picture {
    fn new(about: About, room: Room) -> Self {
        Self {
            about,
            room,
            input: Input::default(),
            view: View::default(),
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
            _ if self.view.scrolls(code) => {}
            _ => {
                if let Some(line) = self.input.key(&key) {
                    self.view.show_newest();
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
        self.view.draw(frame, talk, self.room.lines());
        self.view.draw_input(frame, bottom, &self.input);
    }

    fn draw_neighbours(&self, frame: &mut Frame<'_>, area: Rect) {
        let names: Vec<Row<'static>> = self.room.neighbours().map(Row::from).collect();
        let block = Block::new().borders(Borders::LEFT).title(" neighbours").dim();
        frame.render_widget(Paragraph::new(names).block(block), area);
    }
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
