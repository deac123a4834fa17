//! Small networks by the thousand, each with its own mixture of trouble. In all of them, every honest node that survives gets
//! every message, once.

use anyhow::{Context, Result, bail};
use handfast_gossip::sim::{
    self, Latency, Report, Scenario,
    scenario::{Failure, Hostile, HostileKind, Mode, Shape},
};
use std::{
    io::{IsTerminal, Write as _},
    ops::ControlFlow,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// After so many failures the rest would teach nothing more.
const ENOUGH: usize = 20;

pub(crate) fn run(first: u64, count: u64) -> Result<()> {
    if count == 1 {
        return one(first);
    }
    let began = Instant::now();
    let next = AtomicU64::new(0);
    let (failed, troubles) = (Mutex::new(Vec::new()), Mutex::new(Troubles::default()));
    let events = AtomicU64::new(0);
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count || lock(&failed).len() >= ENOUGH {
                return;
            }
            let seed = first + number;
            let scenario = network(seed);
            lock(&troubles).count(&scenario);
            match play(&scenario, seed) {
                Ok(report) => {
                    events.fetch_add(report.summary.events, Ordering::Relaxed);
                    if let Some(problem) = problem(&report) {
                        tell(seed, &problem);
                        lock(&failed).push(seed);
                    }
                }
                Err(error) => {
                    tell(seed, &format!("{error:#}"));
                    lock(&failed).push(seed);
                }
            }
            progress(number + 1, count);
        }
    };
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));

    let (failed, troubles) = (lock(&failed), lock(&troubles));
    println!("{troubles}");
    println!(
        "{} million events in {:.0} s on {threads} threads",
        events.into_inner() / 1_000_000,
        began.elapsed().as_secs_f64()
    );
    if !failed.is_empty() {
        bail!(
            "{} of the networks failed; to see one: cargo xtask simulate --networks 1 --seed {}",
            failed.len(),
            failed.first().copied().unwrap_or_default()
        );
    }
    println!("{count} networks from seed {first}: every honest survivor got every message, once");
    Ok(())
}

/// One network, shown in full.
fn one(seed: u64) -> Result<()> {
    let scenario = network(seed);
    println!("# seed {seed}\n{}", scenario.to_toml());
    let report = play(&scenario, seed)?;
    println!("{report}");
    match problem(&report) {
        None => Ok(()),
        Some(problem) => bail!("seed {seed}: {problem}"),
    }
}

fn play(scenario: &Scenario, seed: u64) -> Result<Report> {
    let report = sim::run(scenario, seed, &mut |_| ControlFlow::Continue(()))?;
    report.context("nobody ends a run here")
}

fn problem(report: &Report) -> Option<String> {
    let all = &report.summary;
    if !report.missing.is_empty() {
        let missing = report
            .missing
            .iter()
            .map(|(message, node)| format!("{message} at {node}"));
        return Some(format!(
            "messages are missing, {:.2} % arrived: {}",
            all.reliability * 100.0,
            missing.collect::<Vec<_>>().join(", ")
        ));
    }
    (all.repeated > 0).then(|| format!("{} messages were delivered twice", all.repeated))
}

fn tell(seed: u64, problem: &str) {
    eprintln!("\nseed {seed}: {problem}\n     to repeat it: cargo xtask simulate --networks 1 --seed {seed}");
}

fn progress(done: u64, count: u64) {
    let tenth = (count / 10).max(1);
    if std::io::stderr().is_terminal() {
        // A lost line of progress is no loss.
        let _ = write!(std::io::stderr(), "\r{done} of {count} networks ");
    } else if done.is_multiple_of(tenth) {
        eprintln!("{done} of {count} networks");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The network of a seed.
fn network(seed: u64) -> Scenario {
    let mut dice = Dice(seed);
    let mut scenario = Scenario {
        nodes: dice.between(8, 60),
        seed,
        warm_up: dice.span(3_000, 15_000),
        ..Scenario::default()
    };
    scenario.network.latency = match dice.between(0, 3) {
        0 => Latency::Constant(dice.span(1, 60)),
        1 => Latency::Normal {
            mean: dice.span(20, 60),
            deviation: dice.span(1, 20),
        },
        _ => Latency::Uniform {
            min: dice.span(1, 20),
            max: dice.span(20, 100),
        },
    };
    if dice.one_in(2) {
        scenario.network.loss = dice.share(0.01, 0.2);
    }
    if dice.one_in(2) {
        scenario.network.jitter = dice.span(1, 60);
    }
    if dice.one_in(2) {
        scenario.join.crowd = false;
        scenario.join.contacts = dice.between(1, 4);
        scenario.join.over = dice.span(0, 2_000);
    }
    let traffic = &mut scenario.traffic;
    traffic.rounds = dice.between(5, 20);
    traffic.senders = dice.between(1, 4);
    traffic.payload = dice.between(64, 2_000);
    traffic.proven = !dice.one_in(3);
    traffic.every = dice.span(20, 1_000);
    traffic.patience = Duration::from_secs(300);

    if dice.one_in(6) {
        // Given links have nobody to replace those that vanish or keep silent, so that they stay connected is not promised.
        scenario.mode = Mode::Links;
        scenario.links.graph = Shape::Random(dice.between(3, 8));
        return scenario;
    }
    if dice.one_in(2) {
        scenario.churn.per_minute = 0.05;
        scenario.churn.away = dice.span(1_000, 15_000);
        scenario.churn.silent = dice.one_in(2);
    }
    if dice.one_in(2) {
        scenario.failures.push(Failure {
            at: dice.span(0, 5_000),
            share: dice.share(0.1, 0.8),
            silent: !dice.one_in(3),
        });
    }
    if dice.one_in(3) {
        let kinds = [
            HostileKind::Silence,
            HostileKind::Replay,
            HostileKind::Rewrite,
            HostileKind::Flood,
            HostileKind::Eclipse,
        ];
        let kind = kinds.get(dice.between(0, 5) as usize).copied().unwrap_or_default();
        scenario.hostile.push(Hostile {
            kind,
            share: dice.share(0.05, 0.2),
        });
    }
    scenario
}

/// Chance that follows from a seed: SplitMix64.
struct Dice(u64);

impl Dice {
    const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `least` to one below `end`.
    fn between(&mut self, least: u32, end: u32) -> u32 {
        let width = u64::from(end.saturating_sub(least)).max(1);
        least + u32::try_from(self.roll() % width).unwrap_or_default()
    }

    fn one_in(&mut self, number: u32) -> bool {
        self.between(0, number) == 0
    }

    /// Milliseconds.
    fn span(&mut self, least: u32, end: u32) -> Duration {
        Duration::from_millis(self.between(least, end).into())
    }

    /// In whole percent, so that it reads well where it is printed.
    fn share(&mut self, least: f64, most: f64) -> f64 {
        f64::from(self.between((least * 100.0) as u32, (most * 100.0) as u32 + 1)) / 100.0
    }
}

/// How many networks had which trouble.
#[derive(Default)]
struct Troubles {
    links: u32,
    loss: u32,
    overtaking: u32,
    churn: u32,
    failure: u32,
    hostile: u32,
}

impl Troubles {
    fn count(&mut self, scenario: &Scenario) {
        self.links += u32::from(scenario.mode == Mode::Links);
        self.loss += u32::from(scenario.network.loss > 0.0);
        self.overtaking += u32::from(!scenario.network.jitter.is_zero());
        self.churn += u32::from(scenario.churn.per_minute > 0.0);
        self.failure += u32::from(!scenario.failures.is_empty());
        self.hostile += u32::from(!scenario.hostile.is_empty());
    }
}

impl std::fmt::Display for Troubles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "\nof the networks, {} lose frames, {} let them overtake each other, {} have churn, {} lose 10 to 80 % of their \
             nodes at once, {} have hostile nodes, {} have given links",
            self.loss, self.overtaking, self.churn, self.failure, self.hostile, self.links
        )
    }
}
