//! The run in a terminal: the nodes, the curve of delivery, the counters.

use super::progress::{Shared, Snapshot};
use crate::{
    exit::Failure,
    figures::bytes,
    signals::Stop,
    terminal::{Events, Full},
};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use handfast_gossip::sim::{NodeState, Scenario};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Style, Stylize},
    symbols,
    text::{Line, Span},
    widgets::{Axis, Block, Borders, Chart, Dataset, GraphType, Paragraph},
};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// How often the picture is drawn.
const FRAME: Duration = Duration::from_millis(50);

/// Shows the run until it is over and the user has seen it, or until the user ends it.
pub(super) async fn run(
    scenario: &Scenario,
    shared: &Shared,
    stop: &AtomicBool,
    signals: &mut Stop,
) -> Result<(), Failure> {
    let result = show(Full::begin()?, scenario, shared, signals).await;
    // Whoever leaves before the end ends the run; at the end there is nothing to stop.
    stop.store(true, Ordering::Relaxed);
    result
}

async fn show(mut terminal: Full, scenario: &Scenario, shared: &Shared, signals: &mut Stop) -> Result<(), Failure> {
    let mut events = Events::new();
    loop {
        let (look, runs, ended) = shared.look();
        let draw = |frame: &mut Frame<'_>| draw(frame, scenario, &look, runs, ended);
        terminal.draw(draw)?;
        tokio::select! {
            () = tokio::time::sleep(FRAME) => {}
            event = events.next() => match event {
                Some(Ok(event)) => if leaves(&event) {
                    return Ok(());
                },
                Some(Err(error)) => return Err(Failure::local(error)),
                None => return Ok(()),
            },
            () = signals.wait() => return Ok(()),
        }
    }
}

fn leaves(event: &Event) -> bool {
    let Event::Key(KeyEvent {
        code, modifiers, kind, ..
    }) = event
    else {
        return false;
    };
    let control = modifiers.contains(KeyModifiers::CONTROL);
    *kind != KeyEventKind::Release
        && match code {
            KeyCode::Char('c') => control,
            KeyCode::Char('q') | KeyCode::Esc => true,
            _ => false,
        }
}

fn draw(frame: &mut Frame<'_>, scenario: &Scenario, look: &Snapshot, (done, runs): (usize, usize), ended: bool) {
    let parts = [
        Constraint::Length(2),
        Constraint::Fill(3),
        Constraint::Fill(2),
        Constraint::Length(3),
    ];
    let [head, curve, nodes, below] = Layout::vertical(parts).areas(frame.area());
    let doing = match (ended, runs) {
        (true, _) => "the run is over: q shows the report".to_owned(),
        (false, 1) => look.doing(),
        (false, _) => format!("run {} of {runs}: {}", (done + 1).min(runs), look.doing()),
    };
    let leave = if ended { "" } else { "  (q ends it)" };
    let lines = vec![
        Line::from(vec![
            format!("{} nodes ", scenario.nodes).bold(),
            Span::raw(scenario.about.as_str()),
        ]),
        Line::from(vec![
            format!("{:>9.2} s  ", look.time.as_secs_f64()).dim(),
            doing.into(),
            leave.dim(),
        ]),
    ];
    frame.render_widget(Paragraph::new(lines), head);
    draw_curve(frame, curve, look);
    draw_nodes(frame, nodes, look);
    draw_counters(frame, below, look);
}

fn draw_curve(frame: &mut Frame<'_>, area: Rect, look: &Snapshot) {
    let last = look.curve.last().map_or(0.0, |(time, _)| *time);
    // The axis grows in steps, so that it does not crawl.
    let right = (last / 100.0).ceil().max(2.0) * 100.0;
    let data = Dataset::default()
        .marker(symbols::Marker::Braille)
        .graph_type(GraphType::Line)
        .style(Style::new().fg(Color::Green))
        .data(&look.curve);
    let title = format!(
        " newest message: {} of {} nodes, {last:.0} ms ",
        look.reached, look.honest
    );
    let chart = Chart::new(vec![data])
        .block(Block::new().borders(Borders::ALL).title(title))
        .x_axis(Axis::default().bounds([0.0, right]).labels([
            "0".into(),
            format!("{:.0}", right / 2.0),
            format!("{right:.0} ms"),
        ]))
        .y_axis(Axis::default().bounds([0.0, 100.0]).labels(["0", "50", "100 %"]));
    frame.render_widget(chart, area);
}

/// A sign for each node, in their order: what it has, and whether it is there.
fn draw_nodes(frame: &mut Frame<'_>, area: Rect, look: &Snapshot) {
    let title = Line::from(vec![
        " nodes: ".into(),
        "■".green(),
        " have it ".into(),
        "·".into(),
        " do not yet ".into(),
        "x".red(),
        " vanished ".into(),
        "!".magenta(),
        " hostile ".into(),
    ]);
    let block = Block::new().borders(Borders::ALL).title(title);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let room = usize::from(inside.width) * usize::from(inside.height);
    let each = look.nodes.len().div_ceil(room.max(1)).max(1);
    let signs: Vec<Span<'_>> = look
        .nodes
        .iter()
        .step_by(each)
        .map(|state| match state {
            NodeState::Reached => "■".green(),
            NodeState::Waiting => "·".into(),
            NodeState::Gone => "x".red(),
            NodeState::Hostile => "!".magenta(),
        })
        .collect();
    let lines: Vec<Line<'_>> = signs
        .chunks(usize::from(inside.width).max(1))
        .map(|line| Line::from(line.to_vec()))
        .collect();
    frame.render_widget(Paragraph::new(lines), inside);
}

fn draw_counters(frame: &mut Frame<'_>, area: Rect, look: &Snapshot) {
    let text = format!(
        "payload {} frames, {}   control {} frames, {}   {:.2} million events",
        look.payloads.0,
        bytes(look.payloads.1),
        look.controls.0,
        bytes(look.controls.1),
        look.events as f64 / 1e6
    );
    let block = Block::new().borders(Borders::ALL).title(" sent so far ");
    frame.render_widget(Paragraph::new(text).block(block), area);
}

#[cfg(test)]
mod tests {
    use super::*;
    use handfast_gossip::sim::Phase;
    use ratatui::{Terminal, backend::TestBackend};

    fn look() -> Snapshot {
        Snapshot {
            phase: Some(Phase::Talk),
            time: Duration::from_millis(61_234),
            published: (3, 10),
            honest: 90,
            reached: 45,
            payloads: (270, 135_000),
            curve: vec![(12.0, 10.0), (60.0, 50.0), (130.0, 90.0)],
            nodes: [
                vec![NodeState::Reached; 45],
                vec![NodeState::Waiting; 45],
                vec![NodeState::Gone; 10],
            ]
            .concat(),
            ..Snapshot::default()
        }
    }

    fn shown(look: &Snapshot, ended: bool, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let scenario = Scenario::default();
        terminal
            .draw(|frame| draw(frame, &scenario, look, (0, 1), ended))
            .unwrap();
        let buffer = terminal.backend().buffer();
        (0..height)
            .map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect())
            .collect()
    }

    #[test]
    fn the_screen_shows_the_curve_the_nodes_and_the_counters() {
        let lines = shown(&look(), false, 100, 30);
        let all = lines.join("\n");
        assert!(lines[0].starts_with("100 nodes"), "{all}");
        assert!(lines[1].contains("61.23 s  message 3 of 10"), "{all}");
        assert!(all.contains("45 of 90 nodes, 130 ms"), "{all}");
        assert!(all.contains("payload 270 frames, 135 kB"), "{all}");
        // One sign in the title and one for each node.
        assert_eq!(all.matches('■').count(), 46, "{all}");
        assert_eq!(all.matches('x').count(), 11, "{all}");
        let over = shown(&look(), true, 100, 30).join("\n");
        assert!(over.contains("q shows the report"), "{over}");
    }

    #[test]
    fn no_size_is_too_small() {
        for (width, height) in [(1, 1), (2, 40), (200, 1), (5, 5), (30, 9)] {
            shown(&Snapshot::default(), false, width, height);
            shown(&look(), true, width, height);
        }
    }

    #[test]
    fn q_escape_and_ctrl_c_leave_and_nothing_else() {
        let key = |code, modifiers| Event::Key(KeyEvent::new(code, modifiers));
        assert!(leaves(&key(KeyCode::Char('q'), KeyModifiers::NONE)));
        assert!(leaves(&key(KeyCode::Esc, KeyModifiers::NONE)));
        assert!(leaves(&key(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        assert!(!leaves(&key(KeyCode::Char('c'), KeyModifiers::NONE)));
        assert!(!leaves(&Event::Resize(1, 1)));
    }
}
