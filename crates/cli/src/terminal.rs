//! The terminal: a picture that fills it, what is typed there, and whether it is still there at all.

use crate::exit::Failure;
use crossterm::{
    event::{self, DisableBracketedPaste, EnableBracketedPaste, Event, EventStream},
    execute,
};
use futures_util::StreamExt;
use ratatui::{DefaultTerminal, Frame};
use std::{
    io::{self, stdout},
    time::Duration,
};
#[cfg(unix)]
use std::{
    io::{IsTerminal, stdin},
    sync::LazyLock,
};
#[cfg(unix)]
use tokio::sync::watch;

/// A picture that fills the terminal, which is as it was before once this is dropped.
#[derive(Debug)]
pub(crate) struct Full(Option<DefaultTerminal>);

impl Full {
    pub(crate) fn begin() -> Result<Self, Failure> {
        let terminal = ratatui::try_init().map_err(Failure::local)?;
        // A terminal that does not know it pastes as if it were typed.
        let _ = execute!(stdout(), EnableBracketedPaste);
        Ok(Self(Some(terminal)))
    }

    pub(crate) fn draw(&mut self, picture: impl FnOnce(&mut Frame<'_>)) -> Result<(), Failure> {
        match &mut self.0 {
            Some(terminal) => terminal.draw(picture).map(drop).map_err(Failure::local),
            None => Ok(()),
        }
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = execute!(stdout(), DisableBracketedPaste);
        let _ = ratatui::try_restore();
        if let Some(mut terminal) = self.0.take()
            && terminal.show_cursor().is_err()
        {
            // Dropped, it tries again, and ends the program because it cannot say that it failed.
            std::mem::forget(terminal);
        }
    }
}

/// What is typed.
#[derive(Debug)]
pub(crate) struct Events(
    /// `None` if the terminal was gone before anything was read.
    Option<EventStream>,
);

impl Events {
    pub(crate) fn new() -> Self {
        // Where there is nothing to read from, this is an error, and making the stream would be a panic.
        let there = event::poll(Duration::ZERO).is_ok();
        Self(there.then(EventStream::new))
    }

    /// What is typed next; `None` once the terminal is gone, which the stream alone never tells. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<io::Result<Event>> {
        let typed = self.0.as_mut()?;
        tokio::select! {
            typed = typed.next() => typed,
            () = gone() => None,
        }
    }
}

/// Waits until the terminal is gone: its window was closed, or the connection to it broke.
#[cfg(unix)]
async fn gone() {
    static GONE: LazyLock<watch::Receiver<bool>> = LazyLock::new(|| {
        let (tell, gone) = watch::channel(false);
        // It ends with the program: nothing wakes whoever waits for an end.
        std::thread::spawn(move || {
            if hangs_up() {
                tell.send_replace(true);
            }
        });
        gone
    });
    let mut gone = GONE.clone();
    // Where it cannot be watched, nobody ever tells.
    if gone.wait_for(|gone| *gone).await.is_err() {
        std::future::pending().await
    }
}

/// Blocks until nobody holds the other end of the terminal; `false` where that cannot be told.
#[cfg(unix)]
fn hangs_up() -> bool {
    use rustix::{
        event::{PollFd, PollFlags, poll},
        io::Errno,
    };
    // One of them may be a file or a pipe.
    let (typed, shown) = (stdin(), stdout());
    let mut line = match typed.is_terminal() {
        true => [PollFd::new(&typed, PollFlags::empty())],
        false => [PollFd::new(&shown, PollFlags::empty())],
    };
    loop {
        match poll(&mut line, None) {
            Ok(_) => {
                let [line] = line;
                return line.revents().intersects(PollFlags::HUP | PollFlags::ERR);
            }
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

#[cfg(not(unix))]
async fn gone() {
    std::future::pending().await
}
