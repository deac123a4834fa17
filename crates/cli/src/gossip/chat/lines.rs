//! The chat as lines of text, for pipes.

use super::room::{Happening, Room};
use crate::{exit::Failure, figures::now, out, signals::Stop, talk::Line};
use tokio::{
    io::{AsyncBufReadExt, BufReader, stdin},
    sync::mpsc::{Receiver, Sender},
};

/// Prints what happens and says what is read, until a signal comes. The end of stdin ends nothing.
pub(super) async fn run(
    mut room: Room,
    mut happenings: Receiver<Happening>,
    say: Sender<String>,
    stop: &mut Stop,
) -> Result<(), Failure> {
    let mut input = BufReader::new(stdin()).lines();
    let mut reading = true;
    // A line that waits until those before it are signed. Meanwhile what happens is printed, because whoever signs tells of it.
    let mut waiting: Option<String> = None;
    loop {
        tokio::select! {
            happening = happenings.recv() => match happening {
                Some(happening) => if let Some(line) = room.take(happening, now()) {
                    out::line(format_args!("{}", shown(&line))).map_err(Failure::local)?;
                },
                None => return Ok(()),
            },
            room = say.reserve(), if waiting.is_some() => match (room, waiting.take()) {
                (Ok(room), Some(line)) => room.send(line),
                _ => return Ok(()),
            },
            line = input.next_line(), if reading && waiting.is_none() => match line {
                Ok(Some(line)) if line.trim().is_empty() => {}
                Ok(Some(line)) => waiting = Some(line),
                Ok(None) => reading = false,
                Err(error) => {
                    out::tell!("handfast: cannot read stdin: {error}");
                    reading = false;
                }
            },
            () = stop.wait() => return Ok(()),
        }
    }
}

/// A line as a reader on a pipe sees it: `NAME: TEXT`, and `* TEXT` for what is told about the chat.
fn shown(line: &Line) -> String {
    match &line.who {
        Some(who) => format!("{who}: {}", line.text),
        None => format!("* {}", line.text),
    }
}
