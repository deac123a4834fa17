//! bench
pub(crate) mod ours;
use anyhow::Result;
#[derive(clap::Args, Default)]
pub(crate) struct Args {}
pub(crate) fn run(_args: &Args) -> Result<()> {
    Ok(())
}
