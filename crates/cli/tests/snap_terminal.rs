//! `handfast snap` in a terminal: what is seen, what is typed, and how the terminal is left behind.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize},
};
use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Condvar, Mutex,
        mpsc::{Receiver, channel},
    },
    time::Duration,
};
use support::{
    Watchdog, printed,
    snap::{ADDRESS, Going, PASSWORD, WORDS, command, snap},
};

const ROWS: u16 = 24;
const COLUMNS: u16 = 90;
/// After so long without a new picture the test fails, and shows the last one.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is on a screen, and whether anything has changed.
struct Screen {
    parser: Mutex<vt100::Parser>,
    changed: Condvar,
}

/// A program in a terminal of its own, killed at the end of the test.
struct Terminal {
    child: Child,
    keys: File,
    /// The terminal's other end, which keeps it open and tells its modes.
    tty: Option<File>,
    screen: Arc<Screen>,
    everything: Receiver<Vec<u8>>,
    _watchdog: Watchdog,
}

/// Keeps a terminal from the programs of other tests, which would hold it open.
#[cfg(target_os = "linux")]
const PRIVATE: OpenptFlags = OpenptFlags::CLOEXEC;
#[cfg(not(target_os = "linux"))]
const PRIVATE: OpenptFlags = OpenptFlags::empty();

/// Both ends of a new terminal: that of the keys and that of the program.
fn pair() -> (File, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | PRIVATE).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = ptsname(&master, Vec::new()).unwrap();
    let tty = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path.to_str().unwrap())
        .unwrap();
    let size = Winsize {
        ws_row: ROWS,
        ws_col: COLUMNS,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&tty, size).unwrap();
    (File::from(master), tty)
}

impl Terminal {
    fn start(dir: &Path, args: &[&str]) -> Self {
        let (keys, tty) = pair();
        let end = || Stdio::from(tty.try_clone().unwrap());
        let child = command(dir, args)
            .env("TERM", "xterm-256color")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let screen = Arc::new(Screen {
            parser: Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)),
            changed: Condvar::new(),
        });
        let (tell, everything) = channel();
        let (mut out, drawn) = (keys.try_clone().unwrap(), screen.clone());
        std::thread::spawn(move || {
            let (mut bytes, mut all) = ([0; 4096], Vec::new());
            while let Ok(length @ 1..) = out.read(&mut bytes) {
                all.extend_from_slice(&bytes[..length]);
                drawn.parser.lock().unwrap().process(&bytes[..length]);
                drawn.changed.notify_all();
            }
            let _ = tell.send(all);
        });
        Self {
            _watchdog: Watchdog::over(&child),
            child,
            keys,
            tty: Some(tty),
            screen,
            everything,
        }
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the screen shows this, and gives all that it shows.
    #[track_caller]
    fn shows(&self, text: &str) -> String {
        let mut parser = self.screen.parser.lock().unwrap();
        loop {
            let shown = parser.screen().contents();
            if shown.contains(text) {
                return shown;
            }
            let (next, waited) = self.screen.changed.wait_timeout(parser, PATIENCE).unwrap();
            assert!(!waited.timed_out(), "{text:?} is missing:\n{shown}");
            parser = next;
        }
    }

    /// Waits for its end: the code, and all that it ever wrote.
    fn ended(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        // Once nobody holds the other end, the reader comes to its own.
        let tty = self.tty.take().unwrap();
        let modes = tcgetattr(&tty).unwrap().local_modes;
        assert!(
            modes.contains(LocalModes::ECHO | LocalModes::ICANON),
            "the terminal is left as it was"
        );
        drop(tty);
        let written = self.everything.recv_timeout(PATIENCE).unwrap();
        (code, String::from_utf8_lossy(&written).into_owned())
    }
}

const ENTER: &str = "\r";
const ESCAPE: &str = "\u{1b}";
const CONTROL_C: &str = "\u{3}";
const DOWN: &str = "\u{1b}[B";

#[test]
fn an_identity_is_made_in_the_terminal_and_its_password_opens_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(dir.path(), &["signin"]);
    terminal.shows("Create a new identity");
    terminal.types(ENTER);
    let words = terminal.shows("I have written them down");
    assert!(words.contains("24 "), "{words}");
    terminal.types(ENTER);
    terminal.shows("What is it to be called");
    terminal.types("anna\r");
    terminal.shows("A password for anna");
    terminal.types(PASSWORD);
    terminal.types(ENTER);
    terminal.shows("The same password again");
    terminal.types(PASSWORD);
    terminal.types(ENTER);
    let welcome = terminal.shows("Welcome, anna");
    let principal = welcome
        .split_whitespace()
        .find(|word| word.starts_with("stacks:SP"))
        .unwrap();
    terminal.types(ENTER);
    let (code, written) = terminal.ended();
    assert_eq!(code, Some(0));
    assert!(!written.contains(PASSWORD), "a password was shown");
    assert!(written.trim_end().ends_with(&format!("{principal} anna")), "{written}");
    let shown = snap(dir.path(), &["wallet", "show", "anna", "--password-fd", "0"], PASSWORD);
    assert_eq!(printed(&shown, 0), format!("{principal}\n"));
}

#[test]
fn escape_and_control_c_leave_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    for key in [ESCAPE, CONTROL_C] {
        let mut terminal = Terminal::start(dir.path(), &["signin"]);
        terminal.shows("Create a new identity");
        terminal.types(DOWN);
        terminal.shows("❯ Restore one from its words");
        terminal.types(key);
        assert_eq!(terminal.ended().0, Some(0));
    }
    assert_eq!(printed(&snap(dir.path(), &["wallet", "list"], ""), 0), "");
}

#[test]
fn passwords_and_words_that_are_typed_are_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(dir.path(), &["wallet", "restore", "anna"]);
    terminal.shows("The 24 or 12 words");
    // Whoever knows what will be asked may type it in one go.
    terminal.types(&format!("{WORDS}\rshort\r{PASSWORD}\r{PASSWORD}\r"));
    terminal.shows("that has 5 characters");
    terminal.shows(ADDRESS);
    let (code, written) = terminal.ended();
    assert_eq!(code, Some(0));
    assert!(!written.contains("abandon") && !written.contains("horse"), "{written}");

    let mut terminal = Terminal::start(dir.path(), &["wallet", "show", "anna"]);
    terminal.shows("Password of anna:");
    terminal.types("half of it");
    terminal.types(CONTROL_C);
    let (code, written) = terminal.ended();
    assert_eq!(code, Some(1));
    assert!(
        written.contains("interrupted") && !written.contains("half"),
        "{written}"
    );
}

#[test]
fn deleting_asks_and_anything_but_yes_is_no() {
    let dir = tempfile::tempdir().unwrap();
    let create = ["wallet", "create", "anna", "--password-fd", "0"];
    printed(&snap(dir.path(), &create, PASSWORD), 0);
    for (answer, code, left) in [("\r", 1, 2), ("no\r", 1, 2), ("y\r", 0, 0)] {
        let mut terminal = Terminal::start(dir.path(), &["wallet", "delete", "anna"]);
        terminal.shows("Delete anna");
        terminal.types(answer);
        assert_eq!(terminal.ended().0, Some(code));
        let listed = printed(&snap(dir.path(), &["wallet", "list"], ""), 0);
        assert_eq!(listed.lines().count(), left);
    }
}

#[test]
fn a_chat_in_the_terminal_meets_one_in_a_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let (mut other, place, who) = Going::listening(dir.path(), &["chat", "--listen", "0"], "");
    let mut terminal = Terminal::start(dir.path(), &["chat", &place]);
    terminal.shows(&format!("handfast snap chat with {who}"));
    terminal.types("kia ora\r");
    assert!(other.behind("* ").ends_with("is here"));
    assert!(other.line().ends_with(": kia ora"));
    other.say("haere mai \u{1b}[2J");
    terminal.shows("haere mai \\u{1b}[2J");
    other.say("quit");
    terminal.shows("has left");
    terminal.types(ENTER);
    assert_eq!(terminal.ended().0, Some(0));
}

#[test]
fn whoever_receives_is_asked_and_the_sender_learns_the_answer() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("letter.txt");
    std::fs::write(&file, "kia ora").unwrap();
    let into = dir.path().join("in");
    std::fs::create_dir(&into).unwrap();
    let receive = ["receive", "0", "--into", into.to_str().unwrap()];
    let mut terminal = Terminal::start(dir.path(), &receive);
    let shown = terminal.shows("stacks:");
    let place = shown.split_whitespace().nth(1).unwrap();
    for (answer, code) in [("n\r", 1), ("y\r", 0)] {
        let send = ["send", file.to_str().unwrap(), place];
        let sender = Going::start(dir.path(), &send, "");
        terminal.shows("letter.txt (7 B)");
        terminal.types(answer);
        let (ended, _, said) = sender.ended();
        assert_eq!(ended, Some(code), "{said}");
        // The next question must not be taken for this one.
        terminal.screen.parser.lock().unwrap().process(b"\x1b[2J");
    }
    assert_eq!(std::fs::read(into.join("letter.txt")).unwrap(), b"kia ora");
    // Ctrl-C at a question ends the program, too.
    let other = dir.path().join("other.txt");
    std::fs::write(&other, "haere mai").unwrap();
    let sender = Going::start(dir.path(), &["send", other.to_str().unwrap(), place], "");
    terminal.shows("other.txt (9 B)");
    terminal.types(CONTROL_C);
    assert_eq!(terminal.ended().0, Some(0));
    assert_ne!(sender.ended().0, Some(0));
}

/// Reads from a terminal's other end until this text is shown.
#[cfg(target_os = "linux")]
fn read_to(master: &mut File, text: &str) {
    let (mut bytes, mut all) = ([0; 4096], String::new());
    while !all.contains(text) {
        let length = master.read(&mut bytes).unwrap();
        all += &String::from_utf8_lossy(&bytes[..length]);
    }
}

// Elsewhere programs of other tests may hold the terminal open.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_is_gone_ends_what_ran_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let (_other, place, _) = Going::listening(dir.path(), &["chat", "--listen", "0"], "");
    for (args, shows) in [
        (&["signin"][..], "Create"),
        (&["wallet", "create", "anna"], "New password"),
        (&["chat", &place], "handfast snap chat"),
    ] {
        let (mut master, tty) = pair();
        let end = || Stdio::from(tty.try_clone().unwrap());
        let mut command = command(dir.path(), args);
        command.env("TERM", "xterm-256color");
        let mut child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let _watchdog = Watchdog::over(&child);
        // Nobody but the program is left at this end.
        drop((command, tty));
        read_to(&mut master, shows);
        drop(master);
        // Whether it was about to read or to draw, it ends by itself, and neither by a signal nor by a panic.
        let code = child.wait().unwrap().code();
        assert!(matches!(code, Some(0 | 1)), "{args:?}: {code:?}");
    }
}

#[test]
fn a_hangup_ends_it_and_leaves_the_terminal_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    for (args, shows, code) in [
        (&["signin"][..], "Create a new identity", 0),
        (&["wallet", "create", "anna"], "New password", 1),
        (&["listen", "0"], "listening", 0),
    ] {
        let terminal = Terminal::start(dir.path(), args);
        terminal.shows(shows);
        let id = terminal.child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
        assert_eq!(terminal.ended().0, Some(code), "{args:?}");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
