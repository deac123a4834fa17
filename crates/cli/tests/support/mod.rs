//! Running the program and looking at what it leaves behind.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    missing_debug_implementations,
    reason = "each test takes what it needs"
)]

pub mod snap;

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    time::Duration,
};
use tempfile::TempDir;

pub fn program(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_handfast"));
    command.arg("--dir").arg(dir);
    for variable in ["HANDFAST_DIR", "HANDFAST_NETWORK", "HANDFAST_SEED", "HANDFAST_LOG"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

pub fn run(dir: &Path, args: &[&str]) -> Output {
    program(dir).args(args).output().unwrap()
}

pub fn run_with_input(dir: &Path, args: &[&str], input: &[u8]) -> Output {
    let mut child = program(dir)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeding = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap();
    output
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Asserts how a command ended, and returns what it printed.
#[track_caller]
pub fn printed(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "stderr: {}", text(&output.stderr));
    text(&output.stdout)
}

pub fn initialised() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    printed(&run(dir.path(), &["init"]), 0);
    dir
}

pub const NETWORK: &str = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";

/// How long a program may run in a test. What it is waited for in vain ends then, and the test fails instead of hanging.
const LIFE_MAX: Duration = Duration::from_secs(120);

/// Kills a program whose test has lasted too long.
pub struct Watchdog {
    _off: Sender<()>,
}

impl Watchdog {
    pub fn over(child: &Child) -> Self {
        let id = child.id().to_string();
        let (off, over) = channel();
        std::thread::spawn(move || {
            if over.recv_timeout(LIFE_MAX) == Err(RecvTimeoutError::Timeout) {
                eprintln!("process {id} is killed: its test waits for something in vain");
                let _ = Command::new("kill").args(["-KILL", &id]).status();
            }
        });
        Self { _off: off }
    }
}

/// Runs a program with this input to its end, which comes in any case.
pub fn finished(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _watchdog = Watchdog::over(&child);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeding = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap();
    output
}

/// A running node, killed at the end of the test.
pub struct Running {
    pub child: Child,
    /// What it printed behind `listening`.
    pub addresses: Vec<String>,
    pub dir: TempDir,
    /// Ends the node when its test has lasted too long.
    pub watchdog: Watchdog,
}

impl Running {
    /// The example methods, on a port that is free.
    pub fn serve() -> Self {
        Self::start(
            initialised(),
            &["serve", "--listen", "net:127.0.0.1:0", "--network", NETWORK],
            1,
        )
    }

    /// A node in this directory, which prints so many addresses.
    pub fn start(dir: TempDir, args: &[&str], addresses: usize) -> Self {
        let mut command = program(dir.path());
        command.args(args);
        Self::of(command, dir, addresses)
    }

    /// The node that this command starts.
    pub fn of(mut command: Command, dir: TempDir, addresses: usize) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let watchdog = Watchdog::over(&child);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = |_| {
            let line = lines.next().expect("a line for each address").unwrap();
            line.strip_prefix("listening ").expect("a listening line").to_owned()
        };
        let addresses = (0..addresses).map(address).collect();
        Self {
            child,
            addresses,
            dir,
            watchdog,
        }
    }

    pub fn address(&self) -> &str {
        &self.addresses[0]
    }

    /// Calls a method as a peer does.
    pub fn call(&self, args: &[&str]) -> Output {
        let args = [&["call", self.address(), "--network", NETWORK], args].concat();
        run(self.dir.path(), &args)
    }

    /// Runs another command in the node's directory, as its owner does.
    pub fn run(&self, args: &[&str]) -> Output {
        run(self.dir.path(), args)
    }

    /// Sends a signal: INT is Ctrl-C.
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
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
