//! How far the runs are: what the threads that simulate tell the one that shows it.

use crate::figures::{bytes, span};
use handfast_gossip::sim::{NodeState, Phase, Progress};
use std::{
    io::{IsTerminal, Write as _},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// The most nodes whose state is shown one by one; of larger networks, every so-manieth is.
pub(super) const CELLS: usize = 2000;
/// The most points of the curve.
const POINTS: usize = 120;
/// How often a run tells how far it is.
const LOOKS: Duration = Duration::from_millis(40);

/// A look at a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    pub(super) phase: Option<Phase>,
    pub(super) time: Duration,
    pub(super) warm_up: Duration,
    pub(super) published: (usize, u32),
    pub(super) honest: usize,
    pub(super) reached: usize,
    pub(super) payloads: (u64, u64),
    pub(super) controls: (u64, u64),
    pub(super) events: u64,
    /// The share of the honest nodes that had the newest message, in percent, over milliseconds.
    pub(super) curve: Vec<(f64, f64)>,
    /// The states of the nodes, or of some of them.
    pub(super) nodes: Vec<NodeState>,
}

/// What the threads have in common.
#[derive(Debug)]
pub(super) struct Shared {
    seeds: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    newest: Snapshot,
    /// The run that is shown: the first one that goes on.
    of: usize,
    done: usize,
    ended: bool,
}

impl Shared {
    pub(super) fn new(seeds: usize) -> Self {
        Self {
            seeds,
            inner: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more run is over.
    pub(super) fn done(&self) {
        self.lock().done += 1;
    }

    /// All are.
    pub(super) fn ended(&self) {
        self.lock().ended = true;
    }

    /// The newest look, the number of runs that are over, of how many, and whether all is.
    pub(super) fn look(&self) -> (Snapshot, (usize, usize), bool) {
        let inner = self.lock();
        (inner.newest.clone(), (inner.done, self.seeds), inner.ended)
    }
}

/// The eye of one run.
#[derive(Debug)]
pub(super) struct Look {
    number: usize,
    /// How many virtual seconds pass in a real one, if they shall be seen passing.
    speed: Option<f64>,
    last: Option<Instant>,
    /// The virtual time at the last call.
    before: Duration,
}

impl Look {
    pub(super) const fn new(number: usize, speed: Option<f64>) -> Self {
        Self {
            number,
            speed,
            last: None,
            before: Duration::ZERO,
        }
    }

    /// Tells how far the run is, if that was not just told, and waits if it goes too fast to be seen.
    pub(super) fn at(&mut self, progress: &Progress<'_>, shared: &Shared) {
        if let (Some(speed), Phase::Talk) = (self.speed, progress.phase) {
            let passed = progress.time.saturating_sub(self.before);
            // The first call has the whole warm-up behind it.
            thread::sleep(passed.min(Duration::from_millis(50)).div_f64(speed));
        }
        self.before = progress.time;
        if self.last.is_some_and(|last| last.elapsed() < LOOKS) {
            return;
        }
        self.last = Some(Instant::now());
        let snapshot = snapshot(progress);
        let mut inner = shared.lock();
        if self.number <= inner.of || inner.done > inner.of {
            inner.of = self.number;
            inner.newest = snapshot;
        }
    }
}

fn snapshot(progress: &Progress<'_>) -> Snapshot {
    let delays: Vec<f64> = progress.delays().map(|delay| delay.as_secs_f64() * 1000.0).collect();
    let all = progress.honest.max(1) as f64;
    let each = delays.len().div_ceil(POINTS).max(1);
    let point = |(number, delay): (usize, &f64)| (*delay, 100.0 * (number + 2) as f64 / all);
    let curve = delays.iter().enumerate().step_by(each).map(point);
    let last = delays.iter().enumerate().next_back().map(point);
    let nodes = progress.nodes().count().div_ceil(CELLS).max(1);
    Snapshot {
        phase: Some(progress.phase),
        time: progress.time,
        warm_up: progress.warm_up,
        published: progress.published,
        honest: progress.honest,
        reached: progress.reached,
        payloads: progress.payloads,
        controls: progress.controls,
        events: progress.events,
        curve: curve.chain(last).map(|(x, y)| (x, y.min(100.0))).collect(),
        nodes: progress.nodes().step_by(nodes).collect(),
    }
}

impl Snapshot {
    /// What the run is doing, in words.
    pub(super) fn doing(&self) -> String {
        match self.phase {
            None => "beginning".into(),
            Some(Phase::WarmUp) => format!(
                "warming up, {:.1} of {:.1} s",
                self.time.as_secs_f64(),
                self.warm_up.as_secs_f64()
            ),
            Some(Phase::Talk) => format!("message {} of {}", self.published.0, self.published.1),
            Some(Phase::Settle) => "waiting for what is missing".into(),
        }
    }
}

/// The progress where there is no screen: on a terminal one line that is renewed, else a line now and then.
#[derive(Debug)]
pub(super) struct Line {
    terminal: bool,
    often: Duration,
    began: Instant,
    dirty: bool,
}

impl Line {
    /// `wanted`: the user asked to watch.
    pub(super) fn new(wanted: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let seconds = |seconds| Duration::from_secs(seconds);
        Self {
            terminal,
            often: match (terminal, wanted) {
                (true, _) => Duration::from_millis(200),
                (false, true) => seconds(1),
                (false, false) => seconds(10),
            },
            began: Instant::now(),
            dirty: false,
        }
    }

    /// Waits until it is time for a line. Cancel safe.
    pub(super) async fn wait(&self) {
        tokio::time::sleep(self.often).await;
    }

    pub(super) fn show(&mut self, shared: &Shared) {
        let (look, (done, seeds), _) = shared.look();
        let runs = if seeds > 1 {
            format!("run {} of {seeds}, ", (done + 1).min(seeds))
        } else {
            String::new()
        };
        let took = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let text = format!(
            "{runs}{}: {} of {} have it, {} sent, {:.1} million events in {}",
            look.doing(),
            look.reached,
            look.honest,
            bytes(look.payloads.1 + look.controls.1),
            look.events as f64 / 1e6,
            span(took)
        );
        let mut stderr = std::io::stderr().lock();
        // Nobody is told that nobody reads the progress.
        let _ = match self.terminal {
            true => write!(stderr, "\r\u{1b}[2K{text}").and_then(|()| stderr.flush()),
            false => writeln!(stderr, "{text}"),
        };
        self.dirty = self.terminal;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.dirty {
            let _ = write!(std::io::stderr(), "\r\u{1b}[2K");
        }
    }
}
