//! Running `handfast snap`.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test takes what it needs")]

use super::{Watchdog, finished, program, text};
use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio},
};

pub const PASSWORD: &str = "correct horse battery staple";
/// A wallet that is in every test suite, and its address.
pub const WORDS: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
    abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon art";
pub const ADDRESS: &str = "SP1JAHE8GEHB0MCBGR8J6W0AA7TJEE1XKFTFJMQ5W";

/// `handfast snap` with its wallets in this directory.
pub fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = program(dir);
    command.arg("snap").args(args);
    command.env("HANDFAST_WALLETS", dir.join("wallets"));
    command.env("HOME", dir);
    command
}

/// Runs it to its end.
pub fn snap(dir: &Path, args: &[&str], input: &str) -> Output {
    finished(&mut command(dir, args), input.as_bytes())
}

/// Asserts how it ended, and that it says all of this on stderr.
#[track_caller]
pub fn complains(output: &Output, code: i32, parts: &[&str]) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is missing: {said}");
    }
}

/// A program that runs on, killed at the end of the test.
pub struct Going {
    pub child: Child,
    pub stdin: Option<ChildStdin>,
    out: BufReader<ChildStdout>,
    _watchdog: Watchdog,
}

impl Going {
    pub fn start(dir: &Path, args: &[&str], input: &str) -> Self {
        let mut child = command(dir, args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        Self {
            stdin: Some(stdin),
            out: BufReader::new(child.stdout.take().unwrap()),
            _watchdog: Watchdog::over(&child),
            child,
        }
    }

    /// One that listens on a free port: itself, where that is, and who it is.
    pub fn listening(dir: &Path, args: &[&str], input: &str) -> (Self, String, String) {
        let mut going = Self::start(dir, args, input);
        let line = going.behind("listening ");
        let (place, who) = line.split_once(' ').unwrap();
        (going, place.to_owned(), who.to_owned())
    }

    pub fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    #[track_caller]
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        if self.out.read_line(&mut line).unwrap() == 0 {
            let mut said = String::new();
            let _ = self.child.stderr.take().unwrap().read_to_string(&mut said);
            panic!("it has ended: {said}");
        }
        line.trim_end_matches('\n').to_owned()
    }

    /// What stands behind this in the next line that begins with it.
    #[track_caller]
    pub fn behind(&mut self, beginning: &str) -> String {
        loop {
            if let Some(rest) = self.line().strip_prefix(beginning) {
                return rest.to_owned();
            }
        }
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([&format!("-{name}"), &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for its end: the code, and what it printed last, on stdout and stderr.
    pub fn ended(mut self) -> (Option<i32>, String, String) {
        drop(self.stdin.take());
        let (mut printed, mut said) = (String::new(), String::new());
        self.out.read_to_string(&mut printed).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), printed, said)
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
