//! Running other programs: shown before they run, without standard input, and named in full when they fail.

use anyhow::{Context as _, Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    // `cargo run` names the manifest's directory at run time; a binary started by hand falls back to where it was built.
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| OsString::from(env!("CARGO_MANIFEST_DIR")));
    Path::new(&xtask).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// A command that runs at the root of the workspace.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// Shows the command, runs it and fails unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    println!("$ {shown}");
    let status = command.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{shown}` failed: {status}");
    }
    Ok(())
}

/// What a successful command prints on standard output. Its standard error passes through.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| cannot_start(command))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", show(command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// How a command that may hang came out.
pub(crate) enum Outcome {
    Succeeded,
    Failed,
    TimedOut,
}

/// Runs a command silently and ends it when it takes longer than `limit`.
pub(crate) fn run_for_at_most(command: &mut Command, limit: Duration) -> Result<Outcome> {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| cannot_start(command))?;
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(if status.success() {
                Outcome::Succeeded
            } else {
                Outcome::Failed
            });
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(Outcome::TimedOut);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Runs this program again with the halves that link the project's own crates.
#[cfg(not(feature = "ours"))]
pub(crate) fn with_ours(arguments: &[&str]) -> Command {
    let mut command = cargo();
    command.args(["run", "--quiet", "--package", "xtask", "--features", "ours"]);
    command.arg("--").args(arguments);
    command
}

/// The command line as one would type it.
pub(crate) fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let program = words
        .first()
        .map(|path| Path::new(path).file_stem().unwrap_or_default().to_string_lossy());
    std::iter::once(program.unwrap_or_default().into_owned())
        .chain(words.into_iter().skip(1))
        .collect::<Vec<_>>()
        .join(" ")
}

fn cannot_start(command: &Command) -> String {
    format!(
        "cannot start `{}`: is it installed and on PATH?",
        command.get_program().to_string_lossy()
    )
}
