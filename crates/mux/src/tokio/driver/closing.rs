//! How a connection ends: the stages of closing, and the timers that end what waits too long.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use ::tokio::io::{AsyncRead, AsyncWrite};
use ::tokio::time::{Sleep, sleep};

use super::{Driver, Overflow};
use crate::Error;

#[derive(Default)]
pub(super) struct Timers {
    /// While a buffer for items is full.
    stall: Option<Pin<Box<Sleep>>>,
    /// While the stream beneath takes no output.
    pub(super) write: Option<Pin<Box<Sleep>>>,
    /// While closing.
    close: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Talking,
    /// The goodbye is on its way: what is left is written, then the stream is shut down.
    Parting,
    /// The stream is shut down; what the peer still says is read and dropped until it hangs up. Hanging up first would make
    /// the system reset the connection, which can destroy our goodbye on its way.
    Listening,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// The stream beneath has ended or failed.
    pub(super) fn end_of_input(&mut self, error: Option<Error>) -> Result<(), Error> {
        let parted = self.link.with(|state| state.connection.has_parted());
        let finished = self.link.with(|state| state.connection.finish(&self.input));
        match (error, finished) {
            (_, Err(error @ Error::Protocol(_))) => Err(error),
            // After a goodbye it does not matter how the peer hangs up: JavaScript peers do it in several ways.
            _ if parted => Ok(()),
            (Some(error), _) => Err(error),
            (None, finished) => finished,
        }
    }

    /// Minds the timers and the stages of closing. `Err` is the end of the connection.
    pub(super) fn advance(&mut self, cx: &mut TaskContext<'_>) -> Result<bool, Result<(), Error>> {
        let (paused, parted, closing) = self.link.with(|state| {
            let connection = &state.connection;
            (
                state.paused && self.stage == Stage::Talking,
                connection.has_parted(),
                !connection.is_open(),
            )
        });
        if !paused {
            self.timers.stall = None;
        } else if let Overflow::Pause { at_most } = self.link.config.overflow
            && is_due(&mut self.timers.stall, at_most, cx)
        {
            self.timers.stall = None;
            self.link.with(|state| state.end_slowest_stream());
            return Ok(true);
        } else if self.link.config.overflow == Overflow::EndStream {
            // All buffers together are full, and none of them alone.
            self.link.with(|state| state.end_slowest_stream());
            return Ok(true);
        }
        if !closing {
            return Ok(false);
        }
        let close_timeout = self.link.config.close_timeout;
        let due = is_due(&mut self.timers.close, close_timeout, cx);
        match self.stage {
            Stage::Talking if parted => {
                self.stage = Stage::Parting;
                self.timers.close = None;
                self.drop_work();
                Ok(true)
            }
            Stage::Talking if due => {
                // Open work has had its time: the goodbye is said over its head.
                self.link
                    .with(|state| state.abort("what was open did not end within the close timeout".into()));
                Ok(true)
            }
            Stage::Talking => Ok(false),
            Stage::Parting if !self.output.is_empty() || self.unflushed => {
                if due {
                    Err(Err(Error::WriteStalled(close_timeout)))
                } else {
                    Ok(false)
                }
            }
            Stage::Parting => match Pin::new(&mut self.stream).poll_shutdown(cx) {
                Poll::Ready(Ok(())) => {
                    self.stage = Stage::Listening;
                    self.link.with(|state| state.paused = false);
                    match self.link.with(|state| state.connection.failure()) {
                        // A peer that breaks the protocol is not listened to.
                        Some(error) => Err(Err(error)),
                        None => Ok(true),
                    }
                }
                Poll::Ready(Err(error)) => Err(self.end_of_input(Some(error.into()))),
                Poll::Pending if due => {
                    Err(self.end_of_input(Some(std::io::Error::from(std::io::ErrorKind::TimedOut).into())))
                }
                Poll::Pending => Ok(false),
            },
            // The goodbye is said; a peer that does not answer it in time has had its chance.
            Stage::Listening if due => Err(self.end_of_input(None)),
            Stage::Listening => Ok(false),
        }
    }
}

impl<S> Driver<S> {
    /// Handlers stop: nobody hears their answers any more.
    pub(super) fn drop_work(&mut self) {
        self.work = None;
        self.waiting = VecDeque::new();
        self.args_bytes = 0;
        self.running_calls = 0;
        self.running_streams = 0;
    }

    pub(super) fn finish(&mut self, result: Result<(), Error>) {
        self.link.with(|state| state.finish(result));
        // Only now: a handler that is dropped may look at how the connection ended.
        self.drop_work();
    }
}

impl<S> Drop for Driver<S> {
    fn drop(&mut self) {
        if self.link.with(|state| state.ended().is_none()) {
            self.finish(Err(Error::Aborted("its driver was dropped".into())));
        }
    }
}

/// Starts the timer if it does not run, and tells whether it has run out.
pub(super) fn is_due(timer: &mut Option<Pin<Box<Sleep>>>, after: Duration, cx: &mut TaskContext<'_>) -> bool {
    timer
        .get_or_insert_with(|| Box::pin(sleep(after)))
        .as_mut()
        .poll(cx)
        .is_ready()
}
