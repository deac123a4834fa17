//! The chat in a terminal.

use super::{Ended, Happening, QUIT, Two, short};
use crate::{
    exit::Failure,
    figures::now,
    signals::Stop,
    talk::{Input, Line, View, tame},
    terminal::{Events, Full},
};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::{
    Frame,
    layout::{Constraint, Layout},
    style::Stylize,
    text::Line as Row,
};
use std::collections::VecDeque;
use tokio::sync::mpsc::{Receiver, Sender};

/// How many lines are kept to scroll back to.
const LINES: usize = 5000;
/// How many characters of a line are shown; what is longer is no chat.
const LONGEST: usize = 4000;

/// Shows what is said and gives out what is typed, until somebody leaves.
pub(super) async fn run(
    two: Two,
    happenings: Receiver<Happening>,
    say: Sender<String>,
    stop: &mut Stop,
) -> Result<Ended, Failure> {
    show(Full::begin()?, Picture::new(two), happenings, say, stop).await
}

async fn show(
    mut terminal: Full,
    mut picture: Picture,
    mut happenings: Receiver<Happening>,
    say: Sender<String>,
    stop: &mut Stop,
) -> Result<Ended, Failure> {
    let mut events = Events::new();
    loop {
        terminal.draw(|frame| picture.draw(frame))?;
        tokio::select! {
            happening = happenings.recv(), if picture.ended.is_none() => {
                picture.take(happening.unwrap_or(Happening::Left));
                // Whatever else has happened is drawn at once.
                while picture.ended.is_none() && let Ok(happening) = happenings.try_recv() {
                    picture.take(happening);
                }
            }
            event = events.next() => match event {
                Some(Ok(event)) => match picture.react(event) {
                    Reaction::Stay => {}
                    Reaction::Leave => return Ok(picture.ended.unwrap_or(Ended::Well)),
                    Reaction::Say(line) => match say.try_send(line.clone()) {
                        Ok(()) => picture.own(&line),
                        Err(_) => picture.tell("that was too fast, and was not said".into()),
                    },
                },
                Some(Err(error)) => return Err(Failure::local(error)),
                None => return Ok(picture.ended.unwrap_or(Ended::Well)),
            },
            () = stop.wait() => return Ok(picture.ended.unwrap_or(Ended::Well)),
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
    two: Two,
    /// What the other side wants to be called.
    alias: Option<String>,
    lines: VecDeque<Line>,
    input: Input,
    view: View,
    /// How the talk ended, once it has: then what was said can still be read, and any Enter leaves.
    ended: Option<Ended>,
}

impl Picture {
    fn new(two: Two) -> Self {
        let mut picture = Self {
            two,
            alias: None,
            lines: VecDeque::new(),
            input: Input::default(),
            view: View::default(),
            ended: None,
        };
        picture.tell(format!("{} is here; {QUIT} leaves", two.other));
        picture
    }

    fn take(&mut self, happening: Happening) {
        match happening {
            Happening::Said(text) => self.keep(Some(self.other()), false, &text),
            Happening::Called(alias) => {
                self.tell(format!("{} is called {alias}", short(&self.two.other)));
                self.alias = Some(alias);
            }
            Happening::Silent => self.tell(format!("{} says nothing more", self.other())),
            Happening::Left => {
                self.tell(format!("{} has left; enter leaves too", self.other()));
                self.ended = Some(Ended::Well);
            }
            Happening::Broke(why) => {
                self.tell(format!("the connection broke: {why}; enter leaves"));
                self.ended = Some(Ended::Broken(why));
            }
        }
    }

    /// How the other side is shown: names are free, so a piece of the address stands behind one.
    fn other(&self) -> String {
        let who = short(&self.two.other);
        match &self.alias {
            Some(alias) => format!("{alias}·{who}"),
            None => who,
        }
    }

    fn own(&mut self, text: &str) {
        self.keep(Some(short(&self.two.me)), true, text);
    }

    fn tell(&mut self, text: String) {
        self.keep(None, false, &text);
    }

    fn keep(&mut self, who: Option<String>, own: bool, text: &str) {
        self.lines.push_back(Line {
            at: now(),
            who,
            own,
            text: tame(text, LONGEST),
        });
        if self.lines.len() > LINES {
            self.lines.pop_front();
        }
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
            KeyCode::Enter if self.ended.is_some() => return Reaction::Leave,
            _ if self.view.scrolls(code) => {}
            _ => {
                if let Some(line) = self.input.key(&key) {
                    self.view.show_newest();
                    return match line.trim() == QUIT {
                        true => Reaction::Leave,
                        false => Reaction::Say(line),
                    };
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
        let [head, me, middle, bottom] = Layout::vertical(parts).areas(frame.area());
        let title = vec!["handfast snap chat with ".bold(), self.two.other.to_string().bold()];
        frame.render_widget(Row::from(title), head);
        frame.render_widget(Row::from(format!("you are {}", self.two.me)).dim(), me);
        self.view.draw(frame, middle, self.lines.iter());
        self.view.draw_input(frame, bottom, &self.input);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handfast_snap2p::{Address, Principal};
    use ratatui::{Terminal, backend::TestBackend};

    fn picture() -> Picture {
        let principal = |byte| Principal(Address::new(22, [byte; 20]).unwrap());
        Picture::new(Two {
            me: principal(7),
            other: principal(9),
        })
    }

    fn drawn(picture: &mut Picture, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| picture.draw(frame)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let row = |y| {
            (0..width)
                .map(|x| buffer[(x, y)].symbol().to_owned())
                .collect::<String>()
        };
        (0..height).map(|y| row(y).trim_end().to_owned() + "\n").collect()
    }

    fn enter(picture: &mut Picture, text: &str) -> Reaction {
        for letter in text.chars() {
            picture.react(Event::Key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE)));
        }
        picture.react(Event::Key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE)))
    }

    #[test]
    fn both_are_named_and_what_is_said_steers_nothing() {
        let mut picture = picture();
        picture.take(Happening::Said("kia ora\u{1b}[2J".into()));
        assert_eq!(enter(&mut picture, "haere mai"), Reaction::Say("haere mai".into()));
        picture.own("haere mai");
        let screen = drawn(&mut picture, 90, 12);
        let (me, other) = (short(&picture.two.me), short(&picture.two.other));
        assert!(screen.contains(&picture.two.other.to_string()), "{screen}");
        assert!(screen.contains(&picture.two.me.to_string()), "{screen}");
        assert!(screen.contains(&format!("{other} kia ora\\u{{1b}}[2J")), "{screen}");
        assert!(screen.contains(&format!("{me} haere mai")), "{screen}");
    }

    #[test]
    fn quit_escape_and_control_c_leave() {
        let mut picture = picture();
        assert_eq!(enter(&mut picture, " quit "), Reaction::Leave);
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(picture.react(Event::Key(control_c)), Reaction::Leave);
        let escape = KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE);
        assert_eq!(picture.react(Event::Key(escape)), Reaction::Leave);
        assert_eq!(enter(&mut picture, "quitting"), Reaction::Say("quitting".into()));
    }

    #[test]
    fn when_the_other_side_has_gone_what_was_said_can_still_be_read() {
        let mut picture = picture();
        picture.take(Happening::Said("bye".into()));
        picture.take(Happening::Left);
        let screen = drawn(&mut picture, 90, 12);
        assert!(screen.contains("bye") && screen.contains("has left"), "{screen}");
        assert_eq!(enter(&mut picture, ""), Reaction::Leave);
        let mut broken = self::picture();
        broken.take(Happening::Broke("reset".into()));
        assert_eq!(broken.ended, Some(Ended::Broken("reset".into())));
    }

    #[test]
    fn endless_talk_is_bounded_and_any_size_of_a_terminal_will_do() {
        let mut picture = picture();
        for _ in 0..=LINES {
            picture.take(Happening::Said("日本語 and more".into()));
        }
        assert_eq!(picture.lines.len(), LINES);
        for (width, height) in [(1, 1), (2, 40), (200, 2), (7, 7)] {
            drawn(&mut picture, width, height);
        }
    }
}
