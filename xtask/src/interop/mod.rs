//! `cargo xtask interop`: our crates and the pinned JavaScript peers call each other, both ways, on loopback.
// Until the Rust half in `ours.rs` is wired in, much of the rest has no caller.
#![allow(dead_code)]

mod cases;
mod js;
pub(crate) mod node;
mod report;
mod shs;

#[cfg(feature = "ours")]
mod ours;

use anyhow::Result;

#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Do not write docs/src/interop.md: fail when it is not what this run shows.
    #[arg(long)]
    pub(crate) check: bool,
    /// Run the JavaScript peers against each other, without ours: shows that the cases themselves are sound.
    #[arg(long, conflicts_with = "check")]
    pub(crate) peers_only: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    node::install(node::PROJECTS)?;
    if args.peers_only {
        return report::conclude(&js::among_themselves(&cases::Cases::load()?)?);
    }
    with_ours(args)
}

#[cfg(feature = "ours")]
fn with_ours(args: &Args) -> Result<()> {
    let pairings = ours::run(&cases::Cases::load()?)?;
    let page = report::page(&pairings)?;
    report::conclude(&pairings)?;
    report::write(&page, args.check)
}

#[cfg(not(feature = "ours"))]
fn with_ours(args: &Args) -> Result<()> {
    let mut arguments = vec!["interop"];
    if args.check {
        arguments.push("--check");
    }
    crate::shell::run(&mut crate::shell::with_ours(&arguments))
}
