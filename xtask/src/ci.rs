//! `cargo xtask ci`: every check that a submission must pass, as a list of steps.

use crate::metadata::Metadata;
use crate::{docs, floors, fuzz, interop, shell, simulate, soak, tools, vectors};
use anyhow::{Result, bail};
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
#[command(after_help = after_help())]
pub(crate) struct Args {
    /// Only the quick steps: for the loop while you work.
    #[arg(long)]
    fast: bool,
    /// Only these steps, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "STEP", value_parser = step_names(), conflicts_with = "fast")]
    only: Vec<String>,
    /// All but these steps, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "STEP", value_parser = step_names())]
    skip: Vec<String>,
}

struct Step {
    name: &'static str,
    what: &'static str,
    /// Whether it belongs to the loop while one works.
    fast: bool,
    run: fn() -> Result<()>,
}

/// The steps in the order in which they run: what is quick and fails often comes first.
const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        what: "the sources are formatted",
        fast: true,
        run: format,
    },
    Step {
        name: "floors",
        what: "the rules of the house hold",
        fast: true,
        run: floors::run,
    },
    Step {
        name: "clippy",
        what: "no warning in any target with all features",
        fast: true,
        run: clippy,
    },
    Step {
        name: "features",
        what: "each crate stands without its default features, and then without tokio",
        fast: false,
        run: features,
    },
    Step {
        name: "test",
        what: "unit and integration tests, all features",
        fast: true,
        run: test,
    },
    Step {
        name: "examples",
        what: "the examples of the guides run, and a short soak leaves nothing behind",
        fast: false,
        run: examples,
    },
    Step {
        name: "simulate",
        what: "in thousands of simulated networks every message reaches everyone, and the figures are as good as promised",
        fast: false,
        run: simulate,
    },
    Step {
        name: "doctest",
        what: "the examples in the documentation compile and run",
        fast: false,
        run: doctest,
    },
    Step {
        name: "docs",
        what: "API documentation and book build without a warning",
        fast: false,
        run: docs,
    },
    Step {
        name: "vectors",
        what: "the JavaScript packages still compute the frozen vectors",
        fast: false,
        run: check_vectors,
    },
    Step {
        name: "interop",
        what: "the JavaScript peers and ours talk, both ways",
        fast: false,
        run: interop,
    },
    Step {
        name: "fuzz",
        what: "every fuzz target builds and survives a while",
        fast: false,
        run: fuzz,
    },
    Step {
        name: "package",
        what: "every crate for the registry packs and builds from its package",
        fast: false,
        run: package,
    },
    Step {
        name: "deny",
        what: "licences, bans, sources and advisories of all dependencies",
        fast: false,
        run: deny,
    },
];

/// How long CI runs each fuzz target.
const FUZZ_SECONDS: u32 = 5;
/// How long the database of advisories may take to arrive.
const ADVISORIES_LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn run(args: &Args) -> Result<()> {
    let wanted = |step: &&Step| {
        let chosen = if args.only.is_empty() {
            !args.fast || step.fast
        } else {
            args.only.iter().any(|n| n == step.name)
        };
        chosen && !args.skip.iter().any(|name| name == step.name)
    };
    let mut results = Vec::new();
    for step in STEPS.iter().filter(wanted) {
        println!("\n==== {}: {}", step.name, step.what);
        let start = Instant::now();
        let result = (step.run)();
        let took = start.elapsed();
        match &result {
            Ok(()) => println!("---- {} passed in {}", step.name, seconds(took)),
            Err(error) => {
                println!("---- {} FAILED in {}: {error:#}", step.name, seconds(took));
                println!("     to repeat just this step: cargo xtask ci --only {}", step.name);
            }
        }
        results.push((step, took, result.is_ok()));
    }
    summarize(&results)
}

fn summarize(results: &[(&Step, Duration, bool)]) -> Result<()> {
    println!("\n==== steps");
    for (step, took, passed) in results {
        println!(
            "{:<9} {:>8}  {}",
            step.name,
            seconds(*took),
            if *passed { "passed" } else { "FAILED" }
        );
    }
    println!(
        "{:<9} {:>8}",
        "together",
        seconds(results.iter().map(|(_, took, _)| *took).sum())
    );
    let failed: Vec<&str> = results
        .iter()
        .filter(|(.., passed)| !passed)
        .map(|(step, ..)| step.name)
        .collect();
    if !failed.is_empty() {
        bail!("failed: {0}; to repeat: cargo xtask ci --only {0}", failed.join(","));
    }
    println!("all steps passed");
    Ok(())
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn step_names() -> clap::builder::PossibleValuesParser {
    STEPS.iter().map(|step| step.name).collect::<Vec<_>>().into()
}

fn after_help() -> String {
    let lines = STEPS.iter().map(|step| {
        format!(
            "  {:<9} {}{}",
            step.name,
            step.what,
            if step.fast { " (also with --fast)" } else { "" }
        )
    });
    format!("Steps:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

fn format() -> Result<()> {
    shell::run(shell::cargo().args(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<()> {
    shell::run(shell::cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ]))
}

/// Each crate on its own, since building them together would switch on the features that any of them asks for.
fn features() -> Result<()> {
    let metadata = Metadata::load()?;
    for package in metadata.publishable().filter(|package| package.has_library()) {
        let name = package.name.as_str();
        shell::run(shell::cargo().args([
            "clippy",
            "--package",
            name,
            "--no-default-features",
            "--",
            "-D",
            "warnings",
        ]))?;
        if package.features.contains_key("tokio") {
            let tree = [
                "tree",
                "--package",
                name,
                "--no-default-features",
                "--edges",
                "normal",
                "--prefix",
                "none",
            ];
            let tree = shell::capture(shell::cargo().args(tree))?;
            if tree.lines().any(|line| line.starts_with("tokio ")) {
                bail!("{name} has tokio in its tree without default features; put the dependency behind `tokio`");
            }
        }
    }
    Ok(())
}

fn test() -> Result<()> {
    shell::run(shell::cargo().args([
        "test",
        "--workspace",
        "--all-features",
        "--lib",
        "--bins",
        "--tests",
        "--examples",
    ]))
}

/// Tests only compile examples; these show something, so they have to run to their end.
fn examples() -> Result<()> {
    for (package, example) in [("testkit", "guestbook"), ("handfast-stack", "allow_list")] {
        shell::run(shell::cargo().args(["run", "--quiet", "--package", package, "--example", example]))?;
    }
    soak::run(&soak::Args::short())
}

fn simulate() -> Result<()> {
    simulate::run(&simulate::Args::check())
}

fn doctest() -> Result<()> {
    shell::run(shell::cargo().args(["test", "--workspace", "--all-features", "--doc"]))
}

fn docs() -> Result<()> {
    docs::run(&docs::Args::default())
}

fn check_vectors() -> Result<()> {
    vectors::run(&vectors::Args::default())
}

fn interop() -> Result<()> {
    interop::run(&interop::Args {
        check: true,
        ..Default::default()
    })
}

fn fuzz() -> Result<()> {
    fuzz::run(&fuzz::Args {
        seconds: FUZZ_SECONDS,
        ..Default::default()
    })
}

/// Packs them all at once: a crate is verified against the packages of the others, as on the registry.
fn package() -> Result<()> {
    let metadata = Metadata::load()?;
    forget_unpacked(&metadata)?;
    let mut command = shell::cargo();
    command.args(["package", "--workspace", "--allow-dirty"]);
    for package in metadata.members().filter(|package| !package.is_publishable()) {
        command.args(["--exclude", &package.name]);
    }
    shell::run(&mut command)
}

/// Removes what cargo unpacked of our crates in earlier runs.
///
/// While it packs, cargo keeps a registry of its own for crates that are not published yet, in a folder whose name begins with
/// a dash, and takes a crate of the same version that lies unpacked there for the same crate.
fn forget_unpacked(metadata: &Metadata) -> Result<()> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let Some(Ok(registries)) = home.map(|home| fs::read_dir(home.join("registry/src"))) else {
        return Ok(());
    };
    for registry in registries {
        let registry = registry?;
        if !registry.file_name().to_string_lossy().starts_with('-') {
            continue;
        }
        for package in metadata.publishable() {
            match fs::remove_dir_all(registry.path().join(format!("{}-{}", package.name, package.version))) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
    }
    Ok(())
}

fn deny() -> Result<()> {
    let program = tools::CARGO_DENY.path()?;
    let deny = || {
        let mut command = shell::command(&program);
        command.args(["--workspace", "--all-features"]);
        command
    };
    shell::run(deny().args(["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))?;
    match shell::run_for_at_most(deny().args(["fetch", "db"]), ADVISORIES_LIMIT)? {
        shell::Outcome::Succeeded => shell::run(deny().args(["check", "--disable-fetch", "advisories"])),
        shell::Outcome::Failed | shell::Outcome::TimedOut => {
            println!("advisories: skipped, the database cannot be reached");
            Ok(())
        }
    }
}
