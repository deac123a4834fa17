//! Passwords and other secrets: typed in the terminal, where they are not shown, or read from a file descriptor. They never
//! stand on a command line, which every user of a machine can read.

use crate::{args::PasswordFrom, exit::Failure, out, signals::Stop, talk::Input, terminal::Events};
use anyhow::{Context, anyhow};
use crossterm::{
    event::{DisableBracketedPaste, EnableBracketedPaste, Event, KeyCode, KeyEventKind, KeyModifiers},
    execute,
    terminal::{disable_raw_mode, enable_raw_mode},
};
use std::{
    io::{BufRead, BufReader, IsTerminal, Write, stderr, stdin},
    sync::atomic::{AtomicUsize, Ordering},
};
use zeroize::Zeroizing;

/// The longest secret that is read from a file descriptor, bytes: more than 24 words, and an end for what never ends.
const LONGEST: u64 = 4096;

/// The password of a wallet that is there.
pub(super) async fn old(from: &PasswordFrom, wallet: &str, stop: &mut Stop) -> Result<Zeroizing<String>, Failure> {
    match from.password_fd {
        Some(number) => read(number, "password"),
        None => ask(&format!("Password of {wallet}: "), "--password-fd", stop).await,
    }
}

/// The password for a wallet that is being made, of at least `min` characters; in the terminal it is asked for twice.
pub(super) async fn new(from: &PasswordFrom, min: usize, stop: &mut Stop) -> Result<Zeroizing<String>, Failure> {
    if let Some(number) = from.password_fd {
        return read(number, "password");
    }
    // Whoever types faster than we ask is not shown what is typed.
    let _quiet = Quiet::begin()?;
    loop {
        let password = ask(
            &format!("New password, at least {min} characters: "),
            "--password-fd",
            stop,
        )
        .await?;
        let length = password.chars().count();
        if length < min {
            out::tell!("handfast: that has {length} characters, and at least {min} are wanted; try another one\r");
            continue;
        }
        if *ask("The same again: ", "--password-fd", stop).await? == *password {
            return Ok(password);
        }
        out::tell!("handfast: the two differ; try again\r");
    }
}

/// The words of a wallet that is being restored.
pub(super) async fn words(from: Option<u32>, stop: &mut Stop) -> Result<Zeroizing<String>, Failure> {
    match from {
        Some(number) => read(number, "words"),
        None => ask("The 24 or 12 words (they are not shown): ", "--seed-fd", stop).await,
    }
}

/// Asks something that is answered by yes or no, in the terminal. No is what everything else means.
pub(super) async fn confirm(question: &str, stop: &mut Stop) -> Result<bool, Failure> {
    let answer = typed(&format!("{question} [y/N] "), true, stop).await?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Whether there is somebody to ask.
pub(super) fn somebody_is_there() -> bool {
    stdin().is_terminal() && stderr().is_terminal()
}

async fn ask(prompt: &str, instead: &str, stop: &mut Stop) -> Result<Zeroizing<String>, Failure> {
    if !somebody_is_there() {
        return Err(Failure::usage(anyhow!(
            "there is no terminal to ask for a secret; give it on a file descriptor, as in {instead} 3 3< FILE"
        )));
    }
    typed(prompt, false, stop).await
}

/// What is typed in the terminal up to Enter.
async fn typed(prompt: &str, shown: bool, stop: &mut Stop) -> Result<Zeroizing<String>, Failure> {
    let mut out = stderr();
    let _quiet = Quiet::begin()?;
    let _ = write!(out, "{prompt}").and_then(|()| out.flush());
    let mut input = Input::secret();
    let mut events = Events::new();
    let end = loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = stop.wait() => break Err(interrupted()),
        };
        match event {
            Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => match key.code {
                KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => break Err(interrupted()),
                KeyCode::Esc => break Err(interrupted()),
                KeyCode::Enter => break Ok(input.take()),
                // An Enter that was typed before the terminal was quiet.
                KeyCode::Char('j') if key.modifiers.contains(KeyModifiers::CONTROL) => break Ok(input.take()),
                code => {
                    let before = input.len();
                    input.key(&key);
                    if shown && let KeyCode::Char(typed) = code {
                        let _ = write!(out, "{typed}").and_then(|()| out.flush());
                    } else if shown && input.len() < before {
                        let _ = write!(out, "\u{8} \u{8}").and_then(|()| out.flush());
                    }
                }
            },
            Some(Ok(Event::Paste(text))) => input.paste(&text),
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                break Err(Failure::local(
                    anyhow::Error::new(error).context("cannot read the terminal"),
                ));
            }
            None => break Err(Failure::local(anyhow!("the terminal is gone"))),
        }
    };
    let _ = write!(out, "\r\n");
    end
}

fn interrupted() -> Failure {
    Failure::local(anyhow!("interrupted; nothing was done"))
}

/// The terminal gives keys one by one and does not show them, until the last of these is dropped: between two questions, too.
#[derive(Debug)]
pub(super) struct Quiet(());

/// How many there are.
static QUIET: AtomicUsize = AtomicUsize::new(0);

impl Quiet {
    /// Where nobody is there nothing happens.
    pub(super) fn begin() -> Result<Self, Failure> {
        if QUIET.fetch_add(1, Ordering::SeqCst) == 0 && somebody_is_there() {
            let quiet = Self(());
            enable_raw_mode().map_err(Failure::local)?;
            // A terminal that does not know it pastes as if it were typed.
            let _ = execute!(stderr(), EnableBracketedPaste);
            return Ok(quiet);
        }
        Ok(Self(()))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if QUIET.fetch_sub(1, Ordering::SeqCst) == 1 && somebody_is_there() {
            let _ = execute!(stderr(), DisableBracketedPaste);
            let _ = disable_raw_mode();
        }
    }
}

/// One line from a file descriptor.
fn read(number: u32, what: &str) -> Result<Zeroizing<String>, Failure> {
    let line = match number {
        // Through the buffer that everything else reads from as well.
        0 => line_of(stdin().lock()),
        _ => std::fs::File::open(format!("/dev/fd/{number}")).and_then(|file| line_of(BufReader::new(file))),
    };
    let line = line
        .with_context(|| format!("cannot read the {what} from file descriptor {number}; open it, as in {number}< FILE"))
        .map_err(Failure::usage)?;
    match line.is_empty() {
        true => Err(Failure::usage(anyhow!(
            "there is no {what} on file descriptor {number}"
        ))),
        false => Ok(line),
    }
}

fn line_of(reader: impl BufRead) -> std::io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::with_capacity(LONGEST as usize));
    reader.take(LONGEST).read_line(&mut line)?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line_without_its_end_and_bounded() {
        let line = |text: &str| line_of(text.as_bytes()).unwrap().to_string();
        assert_eq!(line("correct horse \r\nbattery"), "correct horse ");
        assert_eq!(line("no end"), "no end");
        assert_eq!(line(""), "");
        assert_eq!(line(&"x".repeat(9999)).len() as u64, LONGEST);
    }
}
