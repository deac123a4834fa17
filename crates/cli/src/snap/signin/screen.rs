//! What signing in looks like.

use super::flow::{Choice, Flow, Saved, Screen};
use crate::{out::Clean, talk::Input};
use handfast_snap2p::wallet::{Mnemonic, PASSWORD_MIN};
use ratatui::{
    Frame,
    layout::{Constraint, Flex, Layout, Rect},
    style::{Color, Style, Stylize},
    text::{Line, Span},
    widgets::{Block, Padding, Paragraph, Wrap},
};
use zeroize::Zeroize;

/// How wide the box is where the terminal is wider.
const WIDTH: u16 = 76;
/// How high it is.
const HEIGHT: u16 = 20;
/// Columns of one of the words, with its number.
const WORD: usize = 14;

/// Draws the screen that the flow is at.
pub(super) fn draw(flow: &Flow, frame: &mut Frame<'_>) {
    let [middle] = Layout::vertical([Constraint::Max(HEIGHT)])
        .flex(Flex::Center)
        .areas(frame.area());
    let [middle] = Layout::horizontal([Constraint::Max(WIDTH)])
        .flex(Flex::Center)
        .areas(middle);
    let block = Block::bordered()
        .title(" handfast: sign in ".bold())
        .padding(Padding::horizontal(2));
    let inside = block.inner(middle);
    frame.render_widget(block, middle);

    let page = page(flow);
    let trouble = flow.trouble.as_deref().map(|text| Clean(text).to_string());
    let parts = [
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(if trouble.is_some() { 3 } else { 0 }),
        Constraint::Length(1),
    ];
    let [_, title, body, wrong, keys] = Layout::vertical(parts).areas(inside);
    frame.render_widget(Line::from(page.title).bold(), title);
    match page.body {
        Body::Text(lines) => frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), body),
        Body::List { before, entries, at } => draw_list(frame, body, before, &entries, at),
        Body::Field { text, input, shown } => draw_field(frame, body, text, input, shown),
    }
    if let Some(trouble) = trouble {
        let text = Paragraph::new(trouble).wrap(Wrap { trim: true });
        frame.render_widget(text.style(Style::new().fg(Color::Red)), wrong);
    }
    frame.render_widget(Line::from(page.keys).dim(), keys);
}

/// What one screen says.
struct Page<'a> {
    title: String,
    body: Body<'a>,
    keys: &'static str,
}

enum Body<'a> {
    Text(Vec<Line<'static>>),
    List {
        before: Vec<Line<'static>>,
        entries: Vec<String>,
        at: usize,
    },
    Field {
        text: Vec<Line<'static>>,
        input: &'a Input,
        shown: bool,
    },
}

const IN_LISTS: &str = "↑ ↓ choose   enter takes it   esc back   ctrl-c leaves";
const IN_FIELDS: &str = "enter goes on   esc back   ctrl-c leaves";

fn page(flow: &Flow) -> Page<'_> {
    let field = |title: String, text: Vec<Line<'static>>, input, shown| Page {
        title,
        body: Body::Field { text, input, shown },
        keys: IN_FIELDS,
    };
    let list = |title: &str, before: Vec<Line<'static>>, entries: Vec<String>, at| Page {
        title: title.into(),
        body: Body::List { before, entries, at },
        keys: IN_LISTS,
    };
    match &flow.screen {
        Screen::Choose { at } => {
            let choices = flow.choices().iter().map(|choice| match choice {
                Choice::Create => "Create a new identity".to_owned(),
                Choice::Restore => "Restore one from its words".to_owned(),
                Choice::Delete => "Delete one".to_owned(),
            });
            let entries = flow.saved.iter().map(shown).chain(choices).collect();
            list("Who do you want to be?", Vec::new(), entries, *at)
        }
        Screen::Delete { at } => {
            let entries = flow.saved.iter().map(shown).chain(["Cancel".to_owned()]).collect();
            list("Which one is to be deleted?", Vec::new(), entries, *at)
        }
        Screen::Sure { who, at } => {
            let before = vec![
                Line::from(shown(who)).bold(),
                "Its file is removed from this machine. Only its words bring it back:".into(),
                "whoever has not written them down loses the identity.".into(),
            ];
            list(
                "Delete it?",
                before,
                vec!["No, keep it".into(), "Yes, delete it".into()],
                *at,
            )
        }
        Screen::Unlock { who, input } => field(format!("Password of {}", shown(who)), Vec::new(), input, false),
        Screen::Seed { mnemonic, at } => {
            let mut before = words(mnemonic);
            before.extend([
                Line::default(),
                "Write them down on paper: whoever has them is you, and nobody can give".into(),
                "them back to you. They are shown only now.".into(),
            ]);
            let entries = vec!["I have written them down".into(), "Cancel".into()];
            list("Your 24 words", before, entries, *at)
        }
        Screen::Restore { input } => field(
            "The 24 or 12 words".into(),
            vec!["With spaces between them. They are not shown.".into()],
            input,
            false,
        ),
        Screen::Name { input, .. } => field(
            "What is it to be called on this machine?".into(),
            vec!["Nobody else sees the name.".into()],
            input,
            true,
        ),
        Screen::Password { name, input, .. } => field(
            format!("A password for {}", Clean(name)),
            vec![format!("At least {PASSWORD_MIN} characters. It encrypts the file on this machine.").into()],
            input,
            false,
        ),
        Screen::Again { input, .. } => field("The same password again".into(), Vec::new(), input, false),
        Screen::Busy { what, .. } => Page {
            title: (*what).into(),
            body: Body::Text(vec![
                "A good password is slow to guess because this takes a moment.".into(),
            ]),
            keys: "ctrl-c leaves",
        },
        Screen::Ready(ready) => {
            let mut lines = vec![
                Line::default(),
                Line::from(Clean(&ready.principal).to_string()).bold().fg(Color::Green),
                Line::default(),
                "That is who you are to others. Commands come as you with:".into(),
                format!("  handfast snap listen 9000 -w '{}'", Clean(&ready.name)).into(),
            ];
            if let Some(note) = &ready.note {
                lines.extend([Line::default(), Line::from(note.clone()).fg(Color::Yellow)]);
            }
            Page {
                title: format!("Welcome, {}", Clean(&ready.name)),
                body: Body::Text(lines),
                keys: "enter leaves",
            }
        }
    }
}

/// A saved wallet in a list: `anna (SP1234...WXYZ)`.
fn shown(saved: &Saved) -> String {
    format!("{} ({})", Clean(&saved.name), Clean(shorten(&saved.address)))
}

/// The two ends of an address.
fn shorten(address: &str) -> String {
    let count = address.chars().count();
    if count <= 13 {
        return address.to_owned();
    }
    let first: String = address.chars().take(6).collect();
    let last: String = address.chars().skip(count - 4).collect();
    format!("{first}...{last}")
}

/// The words in four columns, with their numbers.
fn words(mnemonic: &Mnemonic) -> Vec<Line<'static>> {
    let phrase = mnemonic.phrase();
    let words: Vec<&str> = phrase.split(' ').collect();
    let rows = words.len().div_ceil(4);
    (0..rows)
        .map(|row| {
            let cells = (0..4).filter_map(|column| {
                let number = column * rows + row;
                let word = words.get(number)?;
                Some(Span::from(format!(
                    "{:>2} {word:<width$}",
                    number + 1,
                    width = WORD - 3
                )))
            });
            Line::from(cells.collect::<Vec<_>>()).fg(Color::Yellow)
        })
        .collect()
}

fn draw_list(frame: &mut Frame<'_>, area: Rect, before: Vec<Line<'static>>, entries: &[String], at: usize) {
    let above = u16::try_from(before.len() + 1).unwrap_or(u16::MAX);
    let [text, list] = Layout::vertical([Constraint::Length(above), Constraint::Min(1)]).areas(area);
    let mut lines = vec![Line::default()];
    lines.extend(before);
    frame.render_widget(Paragraph::new(lines), text);
    // The entry that is marked is always seen.
    let page = usize::from(list.height.max(1));
    let from = at.saturating_sub(page - 1);
    let rows: Vec<Line<'_>> = entries
        .iter()
        .enumerate()
        .skip(from)
        .take(page)
        .map(|(number, entry)| match number == at {
            true => Line::from(format!("❯ {entry}")).fg(Color::Cyan).bold(),
            false => Line::from(format!("  {entry}")),
        })
        .collect();
    frame.render_widget(Paragraph::new(rows), list);
}

fn draw_field(frame: &mut Frame<'_>, area: Rect, text: Vec<Line<'static>>, input: &Input, shown: bool) {
    let above = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let parts = [Constraint::Length(above), Constraint::Length(3), Constraint::Fill(1)];
    let [before, field, _] = Layout::vertical(parts).areas(area);
    frame.render_widget(Paragraph::new(text), before);
    let block = Block::bordered();
    let inside = block.inner(field);
    let columns = usize::from(inside.width);
    let (mut seen, cursor) = match shown {
        true => {
            let (text, cursor) = input.view(columns);
            (text.to_owned(), cursor)
        }
        false => {
            let dots = input.len().min(columns.saturating_sub(1));
            ("•".repeat(dots), dots)
        }
    };
    frame.render_widget(Paragraph::new(seen.as_str()).block(block), field);
    seen.zeroize();
    let column = u16::try_from(cursor).unwrap_or(u16::MAX);
    if inside.width > 0 && inside.height > 0 {
        frame.set_cursor_position((inside.x + column.min(inside.width - 1), inside.y));
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::flow::{Done, Reaction, Ready, Work},
        *,
    };
    use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
    use ratatui::{Terminal, backend::TestBackend};

    const PHRASE: &str =
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

    fn saved(name: &str) -> Saved {
        Saved {
            id: format!("id of {name}"),
            name: name.into(),
            address: format!("SP{}", name.repeat(20)),
        }
    }

    fn ready(name: &str) -> Ready {
        Ready {
            name: name.into(),
            principal: "stacks:SP000".into(),
            note: None,
        }
    }

    fn drawn_in(flow: &Flow, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(flow, frame)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let row = |y| {
            (0..width)
                .map(|x| buffer[(x, y)].symbol().to_owned())
                .collect::<String>()
        };
        (0..height).map(|y| row(y).trim_end().to_owned() + "\n").collect()
    }

    fn drawn(flow: &Flow) -> String {
        drawn_in(flow, 80, 24)
    }

    #[track_caller]
    fn shows(flow: &Flow, texts: &[&str]) {
        let screen = drawn(flow);
        for text in texts {
            assert!(screen.contains(text), "{text:?} is missing:\n{screen}");
        }
    }

    fn press(flow: &mut Flow, code: KeyCode) -> Reaction {
        flow.react(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    fn enter(flow: &mut Flow, text: &str) -> Reaction {
        for letter in text.chars() {
            press(flow, KeyCode::Char(letter));
        }
        press(flow, KeyCode::Enter)
    }

    /// The words that the screen shows, in their order.
    fn words_on(screen: &str) -> String {
        let mut words: Vec<(usize, String)> = Vec::new();
        let mut pieces = screen.split_whitespace().peekable();
        while let Some(piece) = pieces.next() {
            if let (Ok(number), Some(word)) = (piece.parse(), pieces.peek()) {
                words.push((number, (*word).to_owned()));
            }
        }
        words.retain(|(number, _)| (1..=24).contains(number));
        words.sort();
        words.dedup_by_key(|(number, _)| *number);
        words.into_iter().map(|(_, word)| word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_new_identity_shows_its_words_once_and_is_saved_under_a_name_with_a_password() {
        let mut flow = Flow::new(Vec::new());
        shows(&flow, &["Who do you want to be?", "❯ Create a new identity", "Restore"]);
        assert!(!drawn(&flow).contains("Delete"));
        press(&mut flow, KeyCode::Enter);
        shows(&flow, &["Your 24 words", "❯ I have written them down"]);
        let words = words_on(&drawn(&flow));
        assert_eq!(words.split(' ').count(), 24);
        press(&mut flow, KeyCode::Enter);
        assert!(!drawn(&flow).contains(words.split(' ').next().unwrap()));

        enter(&mut flow, "  ");
        shows(&flow, &["a name is wanted"]);
        enter(&mut flow, "anna");
        shows(&flow, &["A password for anna"]);
        enter(&mut flow, "short");
        shows(&flow, &["that has 5 characters, and at least 12 are wanted"]);
        enter(&mut flow, "correct horse battery");
        shows(&flow, &["again"]);
        enter(&mut flow, "wrong horse battery");
        shows(&flow, &["the two passwords differ"]);
        enter(&mut flow, "correct horse battery");
        for letter in "correct horse".chars() {
            press(&mut flow, KeyCode::Char(letter));
        }
        shows(&flow, &["•••••••••••••"]);
        assert!(!drawn(&flow).contains("correct"));
        let Reaction::Work(Work::Save {
            mnemonic,
            name,
            password,
        }) = enter(&mut flow, " battery")
        else {
            panic!("it is saved")
        };
        assert_eq!((name.as_str(), password.as_str()), ("anna", "correct horse battery"));
        assert_eq!(*mnemonic.phrase(), words);
        shows(&flow, &["encrypting"]);
        flow.done(Ok(Done::Open(ready("anna"))));
        shows(&flow, &["Welcome, anna", "stacks:SP000", "-w 'anna'"]);
        assert!(matches!(press(&mut flow, KeyCode::Enter), Reaction::Leave));
    }

    #[test]
    fn a_saved_identity_opens_with_its_password_and_a_wrong_one_is_told() {
        let mut flow = Flow::new(vec![saved("ben"), saved("anna")]);
        shows(
            &flow,
            &["❯ ben (SPbenb...nben)", "  anna (SPanna...anna)", "Delete one"],
        );
        press(&mut flow, KeyCode::Down);
        press(&mut flow, KeyCode::Enter);
        shows(&flow, &["Password of anna"]);
        let Reaction::Work(Work::Unlock { who, password }) = enter(&mut flow, "a guess") else {
            panic!("it is tried")
        };
        assert_eq!((who, password.as_str()), (saved("anna"), "a guess"));
        // Keys do nothing meanwhile, but Ctrl-C leaves.
        assert!(matches!(press(&mut flow, KeyCode::Esc), Reaction::Stay));
        flow.done(Err("wrong password\u{1b}[2J".into()));
        shows(&flow, &["Password of anna", "wrong password\\u{1b}[2J"]);
        assert!(!drawn(&flow).contains('•'), "the wrong password is gone");
        assert!(matches!(enter(&mut flow, "better"), Reaction::Work(_)));
        flow.done(Ok(Done::Open(ready("anna"))));
        shows(&flow, &["Welcome, anna"]);
    }

    #[test]
    fn words_are_restored_and_a_mistyped_one_is_told() {
        let mut flow = Flow::new(vec![saved("anna")]);
        press(&mut flow, KeyCode::Down);
        press(&mut flow, KeyCode::Down);
        press(&mut flow, KeyCode::Enter);
        shows(&flow, &["The 24 or 12 words"]);
        enter(&mut flow, &PHRASE.replace("about", "abuot"));
        assert!(flow.trouble.as_ref().unwrap().contains("about"), "{:?}", flow.trouble);
        flow.react(&Event::Paste(PHRASE.into()));
        press(&mut flow, KeyCode::Enter);
        enter(&mut flow, "anna");
        shows(&flow, &["there is a wallet anna already; choose another name"]);
        enter(&mut flow, "old");
        enter(&mut flow, "correct horse battery");
        let Reaction::Work(Work::Save { mnemonic, .. }) = enter(&mut flow, "correct horse battery") else {
            panic!("it is saved")
        };
        assert_eq!(*mnemonic.phrase(), PHRASE);
        flow.done(Err("the disk is full".into()));
        shows(&flow, &["What is it to be called", "the disk is full"]);
    }

    #[test]
    fn deleting_asks_and_no_is_what_enter_means() {
        let mut flow = Flow::new(vec![saved("anna"), saved("ben")]);
        press(&mut flow, KeyCode::End);
        press(&mut flow, KeyCode::Enter);
        shows(&flow, &["Which one", "❯ anna", "Cancel"]);
        press(&mut flow, KeyCode::Enter);
        shows(&flow, &["Delete it?", "anna (SP", "❯ No, keep it"]);
        assert!(matches!(press(&mut flow, KeyCode::Enter), Reaction::Stay));
        press(&mut flow, KeyCode::Enter);
        press(&mut flow, KeyCode::Up);
        let Reaction::Work(Work::Delete(who)) = press(&mut flow, KeyCode::Enter) else {
            panic!("it is deleted")
        };
        assert_eq!(who, saved("anna"));
        flow.done(Ok(Done::Deleted(vec![saved("ben")])));
        shows(&flow, &["❯ ben"]);
        assert!(!drawn(&flow).contains("anna"));
    }

    #[test]
    fn escape_goes_one_step_back_and_out_at_the_beginning() {
        let mut flow = Flow::new(Vec::new());
        press(&mut flow, KeyCode::Enter);
        let words = words_on(&drawn(&flow));
        press(&mut flow, KeyCode::Enter);
        enter(&mut flow, "anna");
        enter(&mut flow, "correct horse battery");
        for title in ["A password for anna", "What is it to be called", "Your 24 words"] {
            assert!(matches!(press(&mut flow, KeyCode::Esc), Reaction::Stay));
            shows(&flow, &[title]);
        }
        assert_eq!(words_on(&drawn(&flow)), words, "the words stay the same");
        press(&mut flow, KeyCode::Esc);
        shows(&flow, &["Who do you want to be?"]);
        assert!(matches!(press(&mut flow, KeyCode::Esc), Reaction::Leave));
        let control_c = Event::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert!(matches!(flow.react(&control_c), Reaction::Leave));
    }

    #[test]
    fn any_size_of_a_terminal_and_any_number_of_wallets_will_do() {
        let many: Vec<Saved> = (0..100).map(|number| saved(&format!("w{number}\u{1b}[2J"))).collect();
        let mut flow = Flow::new(many);
        press(&mut flow, KeyCode::End);
        for (width, height) in [(1, 1), (2, 40), (200, 2), (7, 7), (80, 8), (300, 100)] {
            drawn_in(&flow, width, height);
        }
        assert!(drawn_in(&flow, 80, 12).contains("❯ Delete one"));
        press(&mut flow, KeyCode::Home);
        press(&mut flow, KeyCode::Enter);
        for (width, height) in [(1, 1), (5, 9), (20, 40)] {
            drawn_in(&flow, width, height);
        }
    }
}
