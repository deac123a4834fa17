//! Plays a scenario: joins, warm-up, messages, churn, failures, and the figures at the end.

use super::{
    graph::Graph,
    net::{Dialled, Links},
    original::Original,
    record::{NodeState, Recorder},
    report::{Degrees, Recovery, Report, Shortest, Summary, millis},
    scenario::{HostileKind, Mode, Scenario},
    settings::{Random, mix},
    world::{Sent, World},
};
use crate::{Error, Time};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    ops::ControlFlow,
    time::Duration,
};

/// How many missing deliveries a report names.
pub(super) const MISSING_SHOWN: usize = 8;
/// How often the watcher is asked while messages travel, and how soon after the last delivery a run goes on.
const SLICE: Duration = Duration::from_millis(10);
/// How often it is asked while nodes join and warm up.
const WARM_SLICE: Duration = Duration::from_millis(100);

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The nodes join and warm up.
    WarmUp,
    /// Messages are published.
    Talk,
    /// All is said; what is missing may still arrive.
    Settle,
}

/// How far a run is: what its watcher is shown.
#[derive(Debug)]
pub struct Progress<'a> {
    /// What it is doing.
    pub phase: Phase,
    /// The virtual time since the first join.
    pub time: Duration,
    /// How long the warm-up is.
    pub warm_up: Duration,
    /// How many messages were published, of how many.
    pub published: (usize, u32),
    /// How many honest nodes are there.
    pub honest: usize,
    /// How many of them have the newest message.
    pub reached: usize,
    /// Frames with messages sent so far, and their bytes.
    pub payloads: (u64, u64),
    /// All other frames sent so far, and their bytes.
    pub controls: (u64, u64),
    /// Events of the queue so far.
    pub events: u64,
    recorder: &'a Recorder,
}

impl Progress<'_> {
    /// How long after its publication the nodes have heard the newest message, in order of hearing.
    pub fn delays(&self) -> impl Iterator<Item = Duration> {
        self.recorder.newest()
    }

    /// What there is to see of each node, in their order.
    pub fn nodes(&self) -> impl Iterator<Item = NodeState> {
        self.recorder.states()
    }
}

/// Plays a scenario with a seed. `watch` is called often, and may end the run: then there is no report.
///
/// # Errors
/// [`Error::Scenario`] if the scenario cannot be: see [`Scenario::check`].
pub fn run(
    scenario: &Scenario,
    seed: u64,
    watch: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
) -> Result<Option<Report>, Error> {
    scenario.check()?;
    let mut run = Run::new(scenario, seed);
    Ok(match run.play(watch) {
        ControlFlow::Continue(()) => Some(run.report()),
        ControlFlow::Break(()) => None,
    })
}

struct Run<'a> {
    scenario: &'a Scenario,
    seed: u64,
    world: Box<dyn World>,
    recorder: Recorder,
    random: Random,
    senders: Vec<u32>,
    phase: Phase,
    began: Time,
    /// When the warm-up ends: the zero of a scenario.
    start: Time,
    /// Joins, returns and failures to come.
    plan: BinaryHeap<Reverse<(Time, Deed)>>,
    next_churn: Option<Time>,
    failures: Vec<Failed>,
    /// The contacts that each node was given.
    given: HashMap<u32, Vec<u32>>,
    /// What had been sent when the newest message was published.
    sent: Sent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    Join(u32),
    Return(u32),
    /// The failure with this number in the scenario.
    Fail(usize),
}

struct Failed {
    at: Duration,
    gone: u64,
    left: u64,
}

type Watch<'a> = &'a mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>;

impl<'a> Run<'a> {
    fn new(scenario: &'a Scenario, seed: u64) -> Self {
        let mut random = Random::new(mix(seed ^ 0x5ce0_a210));
        let (senders, roles) = cast(scenario, &mut random);
        let world: Box<dyn World> = match scenario.mode {
            Mode::Original => Box::new(Original::new(scenario, seed)),
            Mode::Links => Box::new(Links::new(scenario, seed, roles.clone())),
            Mode::Overlay => Box::new(Dialled::new(scenario, seed, roles.clone())),
        };
        let began = world.now();
        let start = began + scenario.warm_up.max(scenario.join.over);
        let joins = (0..scenario.nodes).map(|node| {
            let after = scenario.join.over.mul_f64(f64::from(node) / f64::from(scenario.nodes));
            Reverse((began + after, Deed::Join(node)))
        });
        let failures = scenario.failures.iter().enumerate();
        let failures = failures.map(|(number, failure)| Reverse((start + failure.at, Deed::Fail(number))));
        let recorder = Recorder::new(scenario.nodes, |node| roles.contains_key(&node), began);
        let mut run = Self {
            plan: joins.chain(failures).collect(),
            next_churn: None,
            sent: Sent::default(),
            failures: Vec::new(),
            given: HashMap::new(),
            phase: Phase::WarmUp,
            scenario,
            seed,
            world,
            recorder,
            random,
            senders,
            began,
            start,
        };
        run.next_churn = run.churn_after(start);
        run
    }

    fn play(&mut self, watch: Watch<'_>) -> ControlFlow<()> {
        self.pass(self.start, WARM_SLICE, watch)?;
        self.phase = Phase::Talk;
        let traffic = &self.scenario.traffic;
        for round in 0..traffic.rounds {
            self.publish(round);
            let published = self.world.now();
            if !traffic.every.is_zero() {
                self.pass(published + traffic.every, SLICE, watch)?;
                continue;
            }
            let patience = published + traffic.patience;
            while !self.recorder.complete() && self.world.now() < patience {
                self.pass(self.world.now() + SLICE, SLICE, watch)?;
            }
            self.pass(self.world.now() + traffic.pause, SLICE, watch)?;
        }
        let last = self.scenario.failures.iter().map(|failure| failure.at).max();
        if let Some(last) = last {
            self.pass(self.start + last, SLICE, watch)?;
        }
        self.phase = Phase::Settle;
        // From here on nobody leaves or comes: who is there now shall have everything.
        self.next_churn = None;
        self.plan.clear();
        self.help_those_outside();
        let patience = self.world.now() + traffic.patience;
        while !self.recorder.all_complete() && self.world.now() < patience {
            self.pass(self.world.now() + SLICE * 5, SLICE * 5, watch)?;
        }
        ControlFlow::Continue(())
    }

    /// Lets time pass until `end`, with all that is planned for it.
    fn pass(&mut self, end: Time, slice: Duration, watch: Watch<'_>) -> ControlFlow<()> {
        while self.world.now() < end {
            let mut next = end.min(self.world.now() + slice);
            if let Some(Reverse((due, _))) = self.plan.peek() {
                next = next.min(*due);
            }
            next = next.min(self.next_churn.unwrap_or(next));
            self.world.advance(next, &mut self.recorder);
            while let Some(Reverse((due, deed))) = self.plan.peek().copied() {
                if due > next {
                    break;
                }
                self.plan.pop();
                self.act(deed);
            }
            if self.next_churn.is_some_and(|due| due <= next) {
                self.churn();
            }
            watch(&self.progress())?;
        }
        ControlFlow::Continue(())
    }

    fn act(&mut self, deed: Deed) {
        match deed {
            Deed::Join(node) => {
                let join = &self.scenario.join;
                let contacts: Vec<u32> = match (join.crowd, node) {
                    (_, 0) => Vec::new(),
                    (true, _) => vec![0],
                    (false, _) => self.contacts(node, join.contacts),
                };
                self.world.join(node, &contacts);
                self.given.insert(node, contacts);
            }
            Deed::Return(node) => {
                if let Some(contact) = self.draw(Self::is_there) {
                    self.world.revive(node, contact);
                    self.recorder.back(node, self.world.now());
                    self.given.insert(node, vec![contact]);
                }
            }
            Deed::Fail(number) => self.fail(number),
        }
    }

    /// Contacts among the nodes before this one. One at least is honest: whoever joins through hostile ones alone joins
    /// nothing.
    fn contacts(&mut self, node: u32, count: u32) -> Vec<u32> {
        let from = self.random.below(node);
        let honest = (0..=from).rev().find(|node| self.recorder.counts(*node));
        let others = (1..count).map(|_| self.random.below(node));
        honest.into_iter().chain(others).collect()
    }

    fn fail(&mut self, number: usize) {
        let Some(failure) = self.scenario.failures.get(number) else {
            return;
        };
        let share = (f64::from(self.scenario.nodes) * failure.share).round() as u64;
        let mut gone = 0;
        while gone < share {
            let Some(node) = self.draw(|run, node| run.may_go(node)) else {
                break;
            };
            self.kill(node, failure.silent);
            gone += 1;
        }
        self.failures.push(Failed {
            at: failure.at,
            gone,
            left: self.recorder.honest() as u64,
        });
        self.help_those_outside();
    }

    /// Whoever is still on its way in when all its contacts are gone for good knows nobody, and nobody alive may know of it: no protocol
    /// brings the two together. Its user asks around, and gives it another contact.
    fn help_those_outside(&mut self) {
        for node in 0..self.scenario.nodes {
            let alone = |contacts: &Vec<u32>| !contacts.iter().any(|contact| self.recorder.counts(*contact));
            if !self.recorder.counts(node) || !self.world.is_outside(node) || !self.given.get(&node).is_some_and(alone)
            {
                continue;
            }
            let inside = |run: &Self, other| other != node && run.is_there(other) && !run.world.is_outside(other);
            if let Some(contact) = self.draw(inside) {
                self.world.join(node, &[contact]);
            }
        }
    }

    fn churn(&mut self) {
        let churn = &self.scenario.churn;
        if let Some(node) = self.draw(|run, node| run.may_go(node)) {
            self.kill(node, churn.silent);
            self.plan
                .push(Reverse((self.world.now() + churn.away, Deed::Return(node))));
        }
        self.next_churn = self.churn_after(self.world.now());
    }

    /// When the next node vanishes: at twice the mean interval at the latest.
    fn churn_after(&mut self, now: Time) -> Option<Time> {
        let a_minute = self.scenario.churn.per_minute * f64::from(self.scenario.nodes);
        let span = Duration::from_secs(120);
        (a_minute > 0.0).then(|| {
            now + span
                .mul_f64(self.random.fraction() / a_minute)
                .max(Duration::from_micros(1))
        })
    }

    fn kill(&mut self, node: u32, silent: bool) {
        self.world.kill(node, silent);
        self.recorder.gone(node);
    }

    /// An honest node that is there, and whose absence silences nobody.
    fn may_go(&self, node: u32) -> bool {
        self.recorder.counts(node) && !self.senders.contains(&node)
    }

    fn is_there(&self, node: u32) -> bool {
        self.recorder.counts(node)
    }

    /// Draws a node that fits: at random, and if that does not help, the next one that does.
    fn draw(&mut self, fits: impl Fn(&Self, u32) -> bool) -> Option<u32> {
        let from = self.random.below(self.scenario.nodes);
        (from..self.scenario.nodes)
            .chain(0..from)
            .find(|node| fits(self, *node))
    }

    fn publish(&mut self, round: u32) {
        self.settle_sent();
        let turn = round as usize % self.senders.len().max(1);
        if let Some(sender) = self.senders.get(turn).copied()
            && let Some(id) = self.world.publish(sender)
        {
            self.recorder.published(id, sender, self.world.now());
        }
    }

    /// Books what was sent since the last message was published.
    fn settle_sent(&mut self) {
        let sent = self.world.sent();
        self.recorder.sent(sent - self.sent);
        self.sent = sent;
    }

    fn progress(&self) -> Progress<'_> {
        let sent = self.world.sent();
        Progress {
            phase: self.phase,
            time: self.world.now().since(self.began),
            warm_up: self.start.since(self.began),
            published: (self.recorder.messages(), self.scenario.traffic.rounds),
            honest: self.recorder.honest(),
            reached: self.recorder.reached(),
            payloads: (sent.payloads, sent.payload_bytes),
            controls: (sent.controls, sent.control_bytes),
            events: self.world.events(),
            recorder: &self.recorder,
        }
    }

    fn report(mut self) -> Report {
        self.settle_sent();
        let rounds = self.recorder.rounds(self.start);
        let ends = self.failures.iter().skip(1).map(|failed| failed.at);
        let ends = ends.chain([Duration::MAX]);
        let recoveries = self.failures.iter().zip(ends);
        let recoveries =
            recoveries.map(|(failed, until)| Recovery::of(&rounds, failed.at, until, failed.gone, failed.left));
        let views: Vec<Vec<u32>> = (0..self.scenario.nodes)
            .map(|node| {
                let mut view = match self.recorder.counts(node) {
                    true => self.world.neighbours(node),
                    false => Vec::new(),
                };
                view.retain(|peer| self.recorder.counts(*peer));
                view
            })
            .collect();
        let there = |node: u32| self.recorder.counts(node);
        let graph = Graph::new(&views);
        let first = self.senders.first().copied().unwrap_or_default();
        let depth = graph.flood(first, self.scenario.network.latency, self.seed);
        Report {
            scenario: self.scenario.clone(),
            seed: self.seed,
            summary: Summary {
                repeated: self.recorder.repeated(),
                virtual_time: millis(self.world.now().since(self.began)),
                events: self.world.events(),
                ..Summary::of(&rounds)
            },
            recoveries: recoveries.collect(),
            degrees: Degrees::of(&graph, there),
            shortest: Shortest {
                hops: depth.hops,
                time: millis(depth.time),
            },
            catch_up: self.world.catch_up(),
            missing: self.recorder.missing().take(MISSING_SHOWN).collect(),
            rounds,
        }
    }
}

/// Who publishes, and who is hostile in which way. The first node is honest: a crowd that joins through a hostile one joins
/// nothing.
fn cast(scenario: &Scenario, random: &mut Random) -> (Vec<u32>, HashMap<u32, HostileKind>) {
    let mut roles = HashMap::new();
    for hostile in &scenario.hostile {
        let share = (f64::from(scenario.nodes) * hostile.share).round() as usize;
        for _ in 0..share {
            let from = random.below(scenario.nodes);
            let mut nodes = (from..scenario.nodes).chain(0..from);
            if let Some(node) = nodes.find(|node| *node != 0 && !roles.contains_key(node)) {
                roles.insert(node, hostile.kind);
            }
        }
    }
    let mut senders = Vec::new();
    while senders.len() < scenario.traffic.senders as usize {
        let from = random.below(scenario.nodes);
        let mut nodes = (from..scenario.nodes).chain(0..from);
        match nodes.find(|node| !roles.contains_key(node) && !senders.contains(node)) {
            Some(node) => senders.push(node),
            None => break,
        }
    }
    (senders, roles)
}
