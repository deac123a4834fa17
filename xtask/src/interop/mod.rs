//! `cargo xtask interop`: our crates and our program against the pinned JavaScript peers, both ways.
//!
//! ```text
//!             cases.json          what every caller asks of every server, and exactly what it must see
//!            /          \
//!   peers/*.js          ours/     callers and servers, theirs and ours
//!            \          /
//!              suites/            who meets whom: calls, nodes, handshakes, texts, the program
//!                 |
//!              report.rs          one line for each pair, the pages in docs/, the counts
//! ```

pub(crate) mod node;

#[cfg(feature = "ours")]
mod cases;
#[cfg(feature = "ours")]
mod nodes;
#[cfg(feature = "ours")]
mod ours;
#[cfg(feature = "ours")]
mod peers;
#[cfg(feature = "ours")]
mod report;
#[cfg(feature = "ours")]
mod suites;

use anyhow::Result;

/// What `cargo xtask interop` can be told.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Do not write docs/interop.md and docs/stack-parity.md, but fail if they are not what would be written.
    #[arg(long)]
    pub(crate) check: bool,

    /// Run only pairs whose line contains this text; nothing is written then.
    #[arg(long, value_name = "TEXT", conflicts_with = "check")]
    pub(crate) only: Option<String>,
}

/// Runs all pairs. Installs the JavaScript packages first if need be.
#[cfg(feature = "ours")]
pub(crate) fn run(args: &Args) -> Result<()> {
    node::install(node::PROJECTS)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // Dropping the futures kills the peers; that happens before the runtime ends, whichever of them comes first.
    runtime.block_on(async {
        tokio::select! {
            result = run_all(args) => result,
            signal = stop_signal() => signal.and_then(|()| anyhow::bail!("interrupted; all peers are stopped")),
        }
    })
}

#[cfg(not(feature = "ours"))]
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut arguments = vec!["interop"];
    arguments.extend(args.check.then_some("--check"));
    arguments.extend(args.only.iter().flat_map(|text| ["--only", text.as_str()]));
    crate::shell::run(&mut crate::shell::with_ours(&arguments))
}

#[cfg(feature = "ours")]
async fn run_all(args: &Args) -> Result<()> {
    use futures_util::StreamExt as _;

    let suites = suites::all(args.only.as_deref()).await?;
    // Most of the time is spent waiting for delayed acknowledgements and starting programs, so a few run side by side.
    let mut running = futures_util::stream::iter(suites).buffered(suites::AT_ONCE);
    let mut groups = Vec::new();
    while let Some(group) = running.next().await {
        report::print(&group);
        groups.push(group);
    }
    let (passed, failed) = report::count(&groups);
    anyhow::ensure!(!groups.is_empty(), "no case ran, so nothing is proved");
    let outdated = match (&args.only, failed) {
        (None, 0) => report::write(&groups, args.check).err(),
        _ => None,
    };
    println!("{passed} passed, {failed} failed");
    if failed > 0 {
        anyhow::bail!("{failed} cases failed; what came of them stands above");
    }
    outdated.map_or(Ok(()), Err)
}

/// Resolves on Ctrl-C, and on the signal with which other programs end this one.
#[cfg(feature = "ours")]
async fn stop_signal() -> Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => Ok(result?),
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    {
        Ok(tokio::signal::ctrl_c().await?)
    }
}
