//! The chat as lines of text, for pipes.

use super::{Ended, Happening, QUIT, Two, short};
use crate::{exit::Failure, out, out::Clean, signals::Stop};
use tokio::{
    io::{AsyncBufReadExt, BufReader, stdin},
    sync::mpsc::{Receiver, Sender},
};

/// Prints what the other side says and says what is read, until somebody leaves. The end of stdin ends our half; the other
/// side is still heard.
pub(super) async fn run(
    two: Two,
    mut happenings: Receiver<Happening>,
    say: Sender<String>,
    stop: &mut Stop,
) -> Result<Ended, Failure> {
    let who = short(&two.other);
    out::line(format_args!("* {} is here", two.other)).map_err(Failure::local)?;
    let mut input = BufReader::new(stdin()).lines();
    // Dropped, it tells the sender that our half ends.
    let mut say = Some(say);
    let mut ends = false;
    let mut silent = false;
    // A line that waits until those before it are sent. Meanwhile what comes is printed.
    let mut waiting: Option<String> = None;
    loop {
        if ends && waiting.is_none() {
            say = None;
            if silent {
                return Ok(Ended::Well);
            }
        }
        tokio::select! {
            happening = happenings.recv() => match happening {
                Some(Happening::Said(text)) => {
                    out::line(format_args!("{who}: {}", Clean(text))).map_err(Failure::local)?;
                }
                Some(Happening::Called(alias)) => {
                    out::line(format_args!("* {} is called {alias}", two.other)).map_err(Failure::local)?;
                }
                Some(Happening::Silent) => {
                    out::line(format_args!("* {} says nothing more", two.other)).map_err(Failure::local)?;
                    silent = true;
                }
                Some(Happening::Left) | None => {
                    out::line(format_args!("* {} leaves", two.other)).map_err(Failure::local)?;
                    return Ok(Ended::Well);
                }
                Some(Happening::Broke(why)) => return Ok(Ended::Broken(why)),
            },
            room = async { say.as_ref()?.reserve().await.ok() }, if waiting.is_some() => match (room, waiting.take()) {
                (Some(room), Some(line)) => room.send(line),
                // What went wrong is told above.
                _ => ends = true,
            },
            line = input.next_line(), if !ends && waiting.is_none() => match line {
                Ok(Some(line)) if line.trim() == QUIT => return Ok(Ended::Well),
                Ok(Some(line)) if line.trim().is_empty() => {}
                Ok(Some(line)) => waiting = Some(line),
                Ok(None) => ends = true,
                Err(error) => {
                    out::tell!("handfast: cannot read stdin: {error}");
                    ends = true;
                }
            },
            () = stop.wait() => return Ok(Ended::Well),
        }
    }
}
