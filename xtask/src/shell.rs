//! Running other programs: shown before they run, without standard input, and named in full when they fail.

use anyhow::{Context as _, Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
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

/// Longer than any command takes on a slow and busy machine: what goes on after that hangs, and says where by its last lines.
const LIMIT: Duration = Duration::from_secs(25 * 60);

/// Shows the command, runs it and fails unless it succeeds in time.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    println!("$ {shown}");
    let mut child = command.spawn().with_context(|| cannot_start(command))?;
    let Some(status) = wait(&mut child, LIMIT)? else {
        end(&mut child)?;
        bail!("`{shown}` did not end within {} minutes", LIMIT.as_secs() / 60);
    };
    if !status.success() {
        bail!("`{shown}` failed: {status}");
    }
    Ok(())
}

/// How a process ended, unless it goes on beyond `limit`.
fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        let status = child.try_wait()?;
        if status.is_some() || Instant::now() >= deadline {
            return Ok(status);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Ends a process and those that it started: they hold its output open, and whoever reads that would wait for them.
fn end(child: &mut Child) -> Result<()> {
    let listed = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output()?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let parents: Vec<(&str, &str)> = listed.lines().filter_map(|line| line.trim().split_once(' ')).collect();
    let id = child.id().to_string();
    let mut family = vec![id.as_str()];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        next += 1;
        family.extend(
            parents
                .iter()
                .filter(|(_, of)| of.trim() == parent)
                .map(|(process, _)| *process),
        );
    }
    Command::new("kill")
        .arg("-KILL")
        .args(&family)
        .stderr(Stdio::null())
        .status()?;
    child.wait()?;
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
    match wait(&mut child, limit)? {
        Some(status) if status.success() => Ok(Outcome::Succeeded),
        Some(_) => Ok(Outcome::Failed),
        None => {
            end(&mut child)?;
            Ok(Outcome::TimedOut)
        }
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
