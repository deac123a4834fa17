//! What goes to stdout.

use std::{
    fmt,
    io::{self, Write},
};

/// Prints a line to stdout at once, so that a reader on a pipe sees it.
///
/// When nobody reads any more, as behind `| head -1`, the program ends: there is nothing left to do, and no reason to
/// complain.
pub(crate) fn line(text: fmt::Arguments<'_>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    end_if_unread(writeln!(out, "{text}").and_then(|()| out.flush()))
}

/// Writes bytes to stdout as they are; else as [`line()`].
pub(crate) fn bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    end_if_unread(out.write_all(bytes).and_then(|()| out.flush()))
}

fn end_if_unread(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => result,
    }
}
