//! How the program ends: 0 success, 1 an error of the peer or of this machine, 2 usage, 3 no connection.

use crate::out::{self, Clean};
use std::{fmt, process::ExitCode};

/// Why a command failed, with the exit code that scripts can rely on.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    error: anyhow::Error,
}

impl Failure {
    /// The peer answered with an error.
    pub(crate) fn remote(error: impl Into<anyhow::Error>) -> Self {
        Self {
            code: 1,
            error: error.into(),
        }
    }

    /// Something on this machine failed: a file, a socket to listen on.
    pub(crate) fn local(error: impl Into<anyhow::Error>) -> Self {
        Self {
            code: 1,
            error: error.into(),
        }
    }

    /// The command line asks for something that cannot be.
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self {
            code: 2,
            error: error.into(),
        }
    }

    /// The peer was not reached, or the connection ended too early.
    pub(crate) fn connection(error: impl Into<anyhow::Error>) -> Self {
        Self {
            code: 3,
            error: error.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The chain of causes, in one line. Some errors repeat their cause in their own text.
        let mut said = String::new();
        for cause in self.error.chain() {
            let text = cause.to_string();
            if !said.contains(&text) {
                said += if said.is_empty() { "" } else { ": " };
                said += &text;
            }
        }
        // What a peer says may end up here, and must not steer the terminal.
        write!(f, "{}", Clean(said))
    }
}

/// Prints the failure and turns it into the exit code.
pub(crate) fn report(failure: &Failure) -> ExitCode {
    out::tell!("handfast: {failure}");
    ExitCode::from(failure.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_says_does_not_steer_the_terminal() {
        let failure = Failure::remote(anyhow::anyhow!("kia ora\u{1b}[2J\u{9b}2J\nhandfast: all is well"));
        assert_eq!(
            failure.to_string(),
            "kia ora\\u{1b}[2J\\u{9b}2J\\nhandfast: all is well"
        );
    }
}
