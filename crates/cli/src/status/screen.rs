//! The status in a terminal, renewed until the user leaves.

use super::{
    Looks,
    summary::{Summary, addresses, counters, peers, way},
};
use crate::{
    exit::Failure,
    figures::{bytes, count, now, span},
    out::Clean,
    signals::Stop,
    terminal::{Events, Full},
};
use anyhow::anyhow;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::StreamExt;
use handfast_stack::control::{PeerStatus, Status};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Style, Stylize},
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph, RenderDirection, Row, Sparkline, Table},
};
use std::{collections::VecDeque, pin::pin};

/// How many past rates are kept: more than a wide terminal has columns.
const HISTORY: usize = 512;
/// Lines that the curves of the rates take, with their frame.
const CURVES: u16 = 5;
/// Below so many lines the peers need the room that the curves would take.
const ROOM_FOR_CURVES: u16 = 18;
/// Below so many characters a line, the addresses need the room that some columns would take.
const ROOM_FOR_COLUMNS: u16 = 110;

/// Shows each look at the node until the user leaves.
pub(super) async fn run(looks: impl Looks) -> Result<(), Failure> {
    let mut stop = Stop::new()?;
    show(Full::begin()?, looks, &mut stop).await
}

async fn show(mut terminal: Full, looks: impl Looks, stop: &mut Stop) -> Result<(), Failure> {
    let mut looks = pin!(looks);
    let mut events = Events::new();
    let mut picture = Picture::default();
    loop {
        terminal.draw(|frame| picture.draw(frame))?;
        tokio::select! {
            look = looks.next() => match look {
                Some(look) => picture.renew(look?),
                None => return Err(Failure::connection(anyhow!("the node has ended"))),
            },
            event = events.next() => match event {
                Some(Ok(event)) => if !picture.stays(&event) {
                    return Ok(());
                },
                Some(Err(error)) => return Err(Failure::local(error)),
                None => return Ok(()),
            },
            () = stop.wait() => return Ok(()),
        }
    }
}

/// What is on the screen.
#[derive(Default)]
struct Picture {
    status: Option<Status>,
    /// Bytes a second in and out at the looks before, newest first.
    rates: VecDeque<(u64, u64)>,
    /// How many peers are above the first one that is seen.
    scrolled: usize,
    /// How many peers are seen at a time.
    page: usize,
}

impl Picture {
    fn renew(&mut self, status: Status) {
        let summary = Summary::of(&status);
        self.rates.truncate(HISTORY - 1);
        self.rates.push_front((summary.rate_in, summary.rate_out));
        self.status = Some(status);
    }

    /// Reacts to a key; tells whether the user stays.
    fn stays(&mut self, event: &Event) -> bool {
        let Event::Key(KeyEvent {
            code, modifiers, kind, ..
        }) = event
        else {
            return true;
        };
        if *kind == KeyEventKind::Release {
            return true;
        }
        self.scrolled = match code {
            KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => return false,
            KeyCode::Char('q') | KeyCode::Esc => return false,
            KeyCode::Down | KeyCode::Char('j') => self.scrolled.saturating_add(1),
            KeyCode::Up | KeyCode::Char('k') => self.scrolled.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => self.scrolled.saturating_add(self.page),
            KeyCode::PageUp => self.scrolled.saturating_sub(self.page),
            KeyCode::Home => 0,
            KeyCode::End => usize::MAX,
            _ => self.scrolled,
        };
        true
    }

    fn draw(&mut self, frame: &mut Frame<'_>) {
        let Some(status) = &self.status else {
            frame.render_widget(Paragraph::new("waiting for the node …"), frame.area());
            return;
        };
        let summary = Summary::of(status);
        let facts = facts(status);
        let curves = if frame.area().height < ROOM_FOR_CURVES {
            1
        } else {
            CURVES
        };
        let lines = u16::try_from(facts.len()).unwrap_or(u16::MAX);
        let parts = [
            Constraint::Length(1),
            Constraint::Length(lines),
            Constraint::Length(curves),
            Constraint::Min(3),
        ];
        let [head, below, rates, table] = Layout::vertical(parts).areas(frame.area());

        draw_head(frame, head, status);
        frame.render_widget(Paragraph::new(facts), below);
        self.draw_rates(frame, rates, &summary);

        let all = peers(&status.peers).count();
        // The frame and the head of the table take three lines.
        self.page = usize::from(table.height.saturating_sub(3));
        self.scrolled = self.scrolled.min(all.saturating_sub(self.page));
        let seen = peers(&status.peers).skip(self.scrolled).take(self.page);
        let mut title = count(all, "peer");
        if all > 0 {
            title += &format!(": {}", Clean(summary.transports()));
        }
        if self.page < all {
            title += " (↑ ↓ scroll)";
        }
        frame.render_widget(peers_table(seen, title, table.width), table);
    }

    fn draw_rates(&self, frame: &mut Frame<'_>, area: Rect, summary: &Summary) {
        let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(area);
        let pick_in: fn(&(u64, u64)) -> u64 = |rates| rates.0;
        let pick_out: fn(&(u64, u64)) -> u64 = |rates| rates.1;
        for (area, name, rate, pick, colour) in [
            (left, "in", summary.rate_in, pick_in, Color::Green),
            (right, "out", summary.rate_out, pick_out, Color::Blue),
        ] {
            let title = format!("{name} {}/s", bytes(rate));
            if area.height < CURVES {
                frame.render_widget(Line::from(title).style(colour), area);
                continue;
            }
            let curve = Sparkline::default()
                .block(Block::new().borders(Borders::ALL).title(title))
                .direction(RenderDirection::RightToLeft)
                .style(colour)
                .data(self.rates.iter().map(pick));
            frame.render_widget(curve, area);
        }
    }
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, status: &Status) {
    let left = Line::from(vec![
        "handfast ".bold(),
        Span::raw(Clean(&status.id).to_string()),
        format!("  up {}", span(status.stats.uptime)).dim(),
    ]);
    frame.render_widget(left, area);
    let leave = "q leaves";
    let width = u16::try_from(leave.len()).unwrap_or(u16::MAX).min(area.width);
    let right = Rect {
        x: area.right() - width,
        width,
        ..area
    };
    frame.render_widget(Line::from(leave).style(Style::new().dim()), right);
}

/// Where the node is reached, and what happened so far.
fn facts(status: &Status) -> Vec<Line<'_>> {
    let named = |name: &str, what: String| Line::from(vec![format!("{name:8} ").dim(), Span::raw(what)]);
    let addresses = addresses(status).into_iter();
    let addresses = addresses.map(|(scope, address)| named(scope.as_str(), Clean(address).to_string()));
    addresses.chain([named("so far", counters(&status.stats))]).collect()
}

/// A column of the table: its head, its width, and what stands in it.
struct Column {
    head: &'static str,
    width: Constraint,
    /// Whether it is left out where there is not room for all.
    dispensable: bool,
    cell: fn(&PeerStatus) -> String,
}

impl Column {
    const fn new(head: &'static str, width: u16, cell: fn(&PeerStatus) -> String) -> Self {
        Self {
            head,
            width: Constraint::Length(width),
            dispensable: false,
            cell,
        }
    }

    const fn dispensable(head: &'static str, width: u16, cell: fn(&PeerStatus) -> String) -> Self {
        Self {
            dispensable: true,
            ..Self::new(head, width, cell)
        }
    }
}

const COLUMNS: [Column; 9] = [
    Column::new("PEER", 12, |peer| {
        short(&Clean(peer.id.as_deref().unwrap_or("unknown")).to_string())
    }),
    Column::new("WAY", 3, |peer| way(peer.direction).into()),
    Column::new("OVER", 6, |peer| Clean(&peer.transport).to_string()),
    Column::new("SINCE", 12, |peer| span(now().saturating_sub(peer.since))),
    Column::dispensable("IN", 7, |peer| bytes(peer.bytes_in)),
    Column::dispensable("OUT", 7, |peer| bytes(peer.bytes_out)),
    Column::new("IN/S", 7, |peer| bytes(peer.rate_in)),
    Column::new("OUT/S", 7, |peer| bytes(peer.rate_out)),
    Column {
        width: Constraint::Fill(1),
        ..Column::new("ADDRESS", 0, |peer| Clean(&peer.address).to_string())
    },
];

fn peers_table<'a>(peers: impl Iterator<Item = &'a PeerStatus>, title: String, width: u16) -> Table<'static> {
    let columns = || {
        COLUMNS
            .iter()
            .filter(|column| width >= ROOM_FOR_COLUMNS || !column.dispensable)
    };
    let row = |peer| Row::new(columns().map(|column| (column.cell)(peer)));
    Table::new(peers.map(row), columns().map(|column| column.width))
        .header(Row::new(columns().map(|column| column.head)).style(Style::new().bold()))
        .block(Block::new().borders(Borders::ALL).title(title))
}

/// The beginning of an id, enough to tell peers apart.
fn short(id: &str) -> String {
    const ENOUGH: usize = 12;
    match id.char_indices().nth(ENOUGH) {
        None => id.to_owned(),
        Some(_) => id.chars().take(ENOUGH - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::{Terminal, backend::TestBackend};
    use serde_json::json;

    fn status(peers: usize) -> Status {
        super::super::summary::tests::status((0..peers).map(|number| {
            json!({
                "id": format!("@{number:03}BvOKPYUza9k53DSXxT0mk3PIrnyAmessvNfZl5E0=.ed25519"),
                "address": format!("net:192.0.2.7:{}", 1000 + number),
                "since": now() - 90_500, "bytesIn": 1_234_000, "bytesOut": 5, "rateIn": 1000,
            })
        }))
    }

    fn shown(picture: &mut Picture, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| picture.draw(frame)).unwrap();
        let buffer = terminal.backend().buffer();
        (0..height)
            .map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect())
            .collect()
    }

    fn key(code: KeyCode) -> Event {
        Event::Key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn the_picture_shows_who_the_node_is_where_it_listens_and_its_peers() {
        let mut picture = Picture::default();
        picture.renew(status(2));
        let lines = shown(&mut picture, 120, 24);
        assert!(lines[0].starts_with("handfast @me.ed25519  up 1 h"), "{lines:#?}");
        assert!(lines[0].ends_with("q leaves"), "{lines:#?}");
        assert_eq!(lines[1].trim_end(), "public   net:example.org:8008~shs:KEY");
        assert!(lines[2].starts_with("so far   0 calls"), "{lines:#?}");
        assert!(
            lines[3].contains("in 2.0 kB/s") && lines[3].contains("out 0 B/s"),
            "{lines:#?}"
        );
        assert!(lines[4..8].concat().contains('█'), "a curve: {lines:#?}");
        assert!(lines[8].contains("2 peers: net 2 in"), "{lines:#?}");
        assert!(lines[9].contains("PEER"), "{lines:#?}");
        let row = lines[10]
            .trim_matches('│')
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert_eq!(
            row,
            "@000BvOKPYU… in net 1 min 30 s 1.2 MB 5 B 1.0 kB 0 B net:192.0.2.7:1000"
        );
    }

    #[test]
    fn a_low_terminal_has_no_curves_and_scrolls() {
        let mut picture = Picture::default();
        picture.renew(status(30));
        let seen = |picture: &mut Picture| {
            let lines = shown(picture, 100, 13);
            let all = lines.concat();
            assert!(!all.contains('█') && all.contains("scroll"), "{lines:#?}");
            lines
                .iter()
                .filter(|line| line.contains("…"))
                .map(|line| line[4..7].to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(seen(&mut picture), ["000", "001", "002", "003", "004", "005"]);
        assert!(picture.stays(&key(KeyCode::Down)));
        assert_eq!(seen(&mut picture)[0], "001");
        assert!(picture.stays(&key(KeyCode::PageDown)));
        assert_eq!(seen(&mut picture)[0], "007");
        assert!(picture.stays(&key(KeyCode::End)));
        assert_eq!(seen(&mut picture), ["024", "025", "026", "027", "028", "029"]);
        // Peers that left do not leave an empty page.
        picture.renew(status(7));
        assert_eq!(seen(&mut picture)[0], "001");
    }

    #[test]
    fn a_narrow_terminal_shows_addresses_rather_than_sums() {
        let mut picture = Picture::default();
        picture.renew(status(1));
        let lines = shown(&mut picture, 80, 24).concat();
        assert!(
            lines.contains("net:192.0.2.7:1000") && !lines.contains("1.2 MB"),
            "{lines}"
        );
    }

    #[test]
    fn no_size_is_too_small() {
        let mut picture = Picture::default();
        for (width, height) in [(1, 1), (1, 40), (200, 1), (5, 5), (30, 18)] {
            shown(&mut picture, width, height);
            picture.renew(status(3));
            shown(&mut picture, width, height);
        }
    }

    #[test]
    fn a_peer_cannot_draw_on_the_screen() {
        let mut hostile = status(1);
        hostile.peers[0].address = "\u{1b}[2J\u{202e}x".into();
        let mut picture = Picture::default();
        picture.renew(hostile);
        let lines = shown(&mut picture, 120, 24).concat();
        assert!(
            lines.contains("\\u{1b}[2J\\u{202e}x") && !lines.contains('\u{1b}'),
            "{lines}"
        );
    }

    #[test]
    fn q_escape_and_ctrl_c_leave_and_nothing_else() {
        let mut picture = Picture::default();
        for leave in [
            key(KeyCode::Char('q')),
            key(KeyCode::Esc),
            Event::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)),
        ] {
            assert!(!picture.stays(&leave));
        }
        for stay in [
            key(KeyCode::Char('c')),
            key(KeyCode::Up),
            Event::FocusLost,
            Event::Resize(1, 1),
        ] {
            assert!(picture.stays(&stay));
        }
    }

    #[test]
    fn the_history_of_rates_is_bounded() {
        let mut picture = Picture::default();
        for _ in 0..HISTORY + 10 {
            picture.renew(status(0));
        }
        assert_eq!(picture.rates.len(), HISTORY);
    }
}
