//! The signals that ask the program to end.

use crate::exit::Failure;

/// Ctrl-C, the signal with which service managers end a program, and the one that tells that its terminal is gone.
pub(crate) struct Stop {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
    /// `None` where the program shall outlive its terminal.
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Stop {
    /// Begins to listen: from now on the signals do not end the program by themselves.
    pub(crate) fn new() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).map_err(Failure::local);
        Ok(Self {
            signals: [listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?],
            hangup: match outlives_terminal() {
                true => None,
                false => Some(listen(SignalKind::hangup())?),
            },
        })
    }

    /// Waits for a signal. Cancel safe.
    pub(crate) async fn wait(&mut self) {
        let [interrupt, terminate] = &mut self.signals;
        let hangup = self.hangup.as_mut();
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            Some(_) = async { hangup?.recv().await } => {}
        }
    }
}

/// Whether the signal was told to be ignored before we began, as `nohup` does: to listen to it would undo that.
#[cfg(unix)]
fn outlives_terminal() -> bool {
    use std::{
        io::{IsTerminal, stderr, stdin},
        sync::LazyLock,
    };
    static OUTLIVES: LazyLock<bool> = LazyLock::new(|| match std::fs::read_to_string("/proc/self/status") {
        Ok(status) => ignores_hangup(&status),
        // Elsewhere nobody tells. Whoever has no terminal is not listening, and ended by the signal as it comes.
        Err(_) => !(stdin().is_terminal() && stderr().is_terminal()),
    });
    *OUTLIVES
}

/// Reads it from what Linux tells of a process: a mask in hex, of which the lowest bit is the signal 1, which is this one.
#[cfg(unix)]
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

#[cfg(not(unix))]
impl Stop {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {})
    }

    pub(crate) async fn wait(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_hangup_that_is_ignored_is_read_from_the_mask() {
        assert!(ignores_hangup("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"));
        assert!(!ignores_hangup(
            "SigIgn:\t0000000000001000\nSigCgt:\t0000000000000001\n"
        ));
        assert!(!ignores_hangup(""));
    }
}
