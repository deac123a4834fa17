//! `handfast gossip simulate`: runs a scenario, and shows how it goes and how it went.

mod live;
mod progress;

use crate::{args, exit::Failure, figures::columns, out, signals::Stop};
use anyhow::{Context, anyhow};
use handfast_gossip::sim::{
    self, Report, Scenario,
    builtin::{BUILT_IN, BuiltIn},
    plot,
    report::Runs,
};
use progress::{Line, Look, Shared};
use std::{
    fs,
    io::IsTerminal,
    num::NonZero,
    ops::ControlFlow,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

pub(crate) async fn run(options: args::Simulate) -> Result<(), Failure> {
    if options.list {
        let rows = BUILT_IN.iter().map(|built_in| {
            let scenario = Scenario::from_toml(built_in.toml).unwrap_or_default();
            [built_in.name.to_owned(), scenario.about]
        });
        return out::line(format_args!("{}", columns(["NAME", "ABOUT"], rows))).map_err(Failure::local);
    }
    if let Some(name) = &options.example {
        let built_in = built_in(name).ok_or_else(|| unknown(name))?;
        return out::line(format_args!("{}", built_in.toml.trim_end())).map_err(Failure::local);
    }
    let scenario = load(options.scenario.as_deref().unwrap_or(Path::new("")))?;
    let seeds = match options.seed.is_empty() {
        true => vec![scenario.seed],
        false => options.seed.clone(),
    };
    let began = Instant::now();
    let Some(reports) = simulate(&scenario, &seeds, &options).await? else {
        return Err(Failure::local(anyhow!("stopped before the end of the run")));
    };
    // Files first: a table on a closed pipe ends the program.
    if let Some(path) = &options.plot {
        let picture = picture(&reports).map_err(Failure::local)?;
        fs::write(path, picture)
            .with_context(|| format!("cannot write {}", path.display()))
            .map_err(Failure::local)?;
    }
    print(&reports, options.json)?;
    let took = began.elapsed().as_secs_f64();
    let events: u64 = reports.iter().map(|report| report.summary.events).sum();
    if !options.json && !options.live {
        out::tell!(
            "took {took:.1} s, {:.2} million events a second",
            events as f64 / took / 1e6
        );
    }
    Ok(())
}

/// The scenario of this name, or in this file.
fn load(path: &Path) -> Result<Scenario, Failure> {
    let shown = path.display();
    let text = match (built_in(&path.to_string_lossy()), fs::read_to_string(path)) {
        // A file of the user's goes before what is brought along.
        (_, Ok(text)) => text,
        (Some(built_in), Err(_)) => built_in.toml.to_owned(),
        (None, Err(error)) if path.extension().is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return Err(unknown(&path.to_string_lossy()));
        }
        (None, Err(error)) => return Err(Failure::local(anyhow!("cannot read {shown}: {error}"))),
    };
    Scenario::from_toml(&text).map_err(|error| Failure::usage(anyhow!("{shown}: {error}")))
}

fn built_in(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|built_in| built_in.name == name)
}

fn unknown(name: &str) -> Failure {
    let alike = |built_in: &&BuiltIn| (strsim::jaro_winkler(built_in.name, name) * 1000.0) as u32;
    let nearest = BUILT_IN
        .iter()
        .max_by_key(alike)
        .map_or("none", |built_in| built_in.name);
    Failure::usage(anyhow!(
        "there is no scenario {name}; the nearest one is {nearest}, and `handfast gossip simulate --list` shows all"
    ))
}

/// Runs the seeds, as many at a time as there are cores. Nothing if the user ended it.
async fn simulate(
    scenario: &Scenario,
    seeds: &[u64],
    options: &args::Simulate,
) -> Result<Option<Vec<Report>>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let screen = options.live && std::io::stdout().is_terminal();
    let shared = Arc::new(Shared::new(seeds.len()));
    let mut signals = Stop::new()?;
    let work = {
        let (stop, shared) = (Arc::clone(&stop), Arc::clone(&shared));
        let (scenario, seeds) = (scenario.clone(), seeds.to_vec());
        let speed = screen.then_some(options.speed);
        move || all(&scenario, &seeds, speed, &stop, &shared)
    };
    let mut work = tokio::task::spawn_blocking(work);
    let ended = if screen {
        live::run(scenario, &shared, &stop, &mut signals).await?;
        work.await
    } else {
        let mut line = Line::new(options.live);
        loop {
            tokio::select! {
                ended = &mut work => break ended,
                () = line.wait() => line.show(&shared),
                () = signals.wait() => stop.store(true, Ordering::Relaxed),
            }
        }
    };
    let reports = ended.map_err(Failure::local)?;
    reports.map_err(Failure::usage)
}

/// All runs, each on a thread of its own, in the order of their seeds.
fn all(
    scenario: &Scenario,
    seeds: &[u64],
    speed: Option<f64>,
    stop: &AtomicBool,
    shared: &Shared,
) -> Result<Option<Vec<Report>>, handfast_gossip::Error> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(seeds.len());
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while let number = next.fetch_add(1, Ordering::Relaxed)
            && let Some(seed) = seeds.get(number)
        {
            let mut look = Look::new(number, speed);
            let result = sim::run(scenario, *seed, &mut |progress| {
                look.at(progress, shared);
                match stop.load(Ordering::Relaxed) {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            });
            shared.done();
            done.push((number, result?));
        }
        Ok::<_, handfast_gossip::Error>(done)
    };
    let results = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().map(|worker| worker.join()).collect::<Vec<_>>()
    });
    let mut reports = Vec::new();
    for result in results {
        match result {
            Ok(done) => reports.extend(done?),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    shared.ended();
    reports.sort_by_key(|(number, _)| *number);
    Ok(reports.into_iter().map(|(_, report)| report).collect())
}

fn picture(reports: &[Report]) -> anyhow::Result<String> {
    let picture = match reports {
        [report] => plot::picture(report),
        reports => {
            let names: Vec<String> = reports.iter().map(|report| format!("seed {}", report.seed)).collect();
            let named: Vec<(&str, &Report)> = names.iter().map(String::as_str).zip(reports).collect();
            plot::draw(&[
                plot::delivery(&named),
                plot::hops(&named),
                plot::redundancy(&named),
                plot::duration(&named),
            ])
        }
    };
    picture.map_err(|error| anyhow!(error))
}

fn print(reports: &[Report], json: bool) -> Result<(), Failure> {
    let printed = match (json, reports) {
        (true, reports) => reports.iter().try_for_each(out::json),
        (false, [report]) => out::line(format_args!("{}", report.to_string().trim_end())),
        (false, reports) => out::line(format_args!("{}", Runs(reports).to_string().trim_end())),
    };
    printed.map_err(Failure::local)
}
