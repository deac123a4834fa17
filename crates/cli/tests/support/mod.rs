//! Running the program and looking at what it leaves behind.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test takes what it needs")]

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
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
