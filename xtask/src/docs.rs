//! `cargo xtask docs`: the API documentation and the book.

use crate::{shell, tools};
use anyhow::Result;

#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Show the book in a browser, and again after each change.
    #[arg(long)]
    serve: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mdbook = tools::MDBOOK.path()?;
    if args.serve {
        return shell::run(shell::command(mdbook).args(["serve", "--open", "docs"]));
    }
    let mut rustdoc = shell::cargo();
    rustdoc.env("RUSTDOCFLAGS", "-D warnings");
    rustdoc.args([
        "doc",
        "--workspace",
        "--no-deps",
        "--all-features",
        "--exclude",
        "xtask",
        "--exclude",
        "testkit",
    ]);
    // The program shares its name with the meta-crate, and its page would overwrite the other's.
    rustdoc.args(["--exclude", "handfast-cli"]);
    shell::run(&mut rustdoc)?;
    shell::run(shell::command(mdbook).args(["build", "docs"]))
}
