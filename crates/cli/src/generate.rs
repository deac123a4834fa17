//! `handfast completions` and `handfast man`: made from the definition of the command line.

use crate::{
    args::{self, Args},
    exit::Failure,
    out,
};
use anyhow::Context;
use clap::CommandFactory;

/// Prints the completion script of a shell.
pub(crate) fn completions(options: &args::Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Args::command(), "handfast", &mut script);
    out::bytes(&script).map_err(Failure::local)
}

/// Prints the manual page, or writes all of them.
pub(crate) fn man(options: &args::Man) -> Result<(), Failure> {
    let Some(dir) = &options.out else {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(Args::command()).render(&mut page);
        return rendered.and_then(|()| out::bytes(&page)).map_err(Failure::local);
    };
    std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Args::command(), dir))
        .with_context(|| format!("cannot write manual pages to {}", dir.display()))
        .map_err(Failure::local)
}
