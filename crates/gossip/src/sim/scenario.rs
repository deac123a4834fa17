//! A scenario: what is simulated, as data. In TOML every key may be left out and then has its default.

use super::settings::{Latency, Settings};
use crate::{Error, membership, swarm};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What is simulated. As TOML:
///
/// ```toml
/// nodes = 1000
/// warm_up = "60s"
///
/// [network]
/// loss = 0.05
/// latency.uniform = { min = "10ms", max = "50ms" }
///
/// [[failure]]
/// at = "5s"
/// share = 0.5
/// ```
///
/// The time of a scenario begins when the nodes have warmed up. The same scenario with the same seed is the same run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, in a sentence or two.
    pub about: String,
    /// What the nodes speak.
    pub mode: Mode,
    /// How many nodes there are: 2 to [`Scenario::NODES_MAX`].
    pub nodes: u32,
    /// What all chance is drawn from.
    pub seed: u64,
    /// How long the nodes have from the first join to the first message.
    #[serde(with = "humantime_serde")]
    pub warm_up: Duration,
    /// What lies between two nodes.
    pub network: Network,
    /// How the nodes find each other, in [`Mode::Overlay`].
    pub join: Join,
    /// Who is linked with whom, in the other modes.
    pub links: Links,
    /// What is said, and by whom.
    pub traffic: Traffic,
    /// What was said before, in [`Mode::Links`].
    pub history: History,
    /// Nodes that leave and come back all the time.
    pub churn: Churn,
    /// Nodes that vanish at once: `[[failure]]`.
    #[serde(rename = "failure", skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
    /// Nodes that mean harm: `[[hostile]]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hostile: Vec<Hostile>,
    /// The numbers of the views and walks, in [`Mode::Overlay`].
    pub membership: membership::Config,
    /// The numbers of the broadcast tree, of catch-up and of the history.
    pub swarm: swarm::Config,
}

/// What the nodes speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They dial whom they like: membership, broadcast tree, catch-up.
    #[default]
    Overlay,
    /// They have the links that they are given: broadcast tree and catch-up.
    Links,
    /// They have the links that they are given, and speak as secure-gossip 0.3.1 does: each line to each peer, in rounds of
    /// 100 ms.
    Original,
}

/// What lies between two nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// The share of all frames that never arrive, from 0 to 0.9. Connections do not notice.
    pub loss: f64,
    /// The longest additional delay of a frame, drawn for each: what is longer than nothing lets frames overtake each other.
    #[serde(with = "humantime_serde")]
    pub jitter: Duration,
    /// After how long a node gives up dialling one that vanished without a word.
    #[serde(with = "humantime_serde")]
    pub dial_timeout: Duration,
    /// How long a frame takes between two nodes: `latency.uniform = { min = "10ms", max = "50ms" }`,
    /// `latency.normal = { mean = "30ms", deviation = "10ms" }` or `latency.constant = "30ms"`.
    pub latency: Latency,
}

/// How the nodes find each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Join {
    /// How many contacts each node is given: drawn from the nodes before it, one of them honest. With `crowd` it is the first
    /// node alone.
    pub contacts: u32,
    /// Everybody is given the first node, and nobody else.
    pub crowd: bool,
    /// The time over which the nodes come, evenly; nothing for all at the same instant.
    #[serde(with = "humantime_serde")]
    pub over: Duration,
}

/// Who is linked with whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Links {
    /// The shape.
    pub graph: Shape,
}

/// The shape of given links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Shape {
    /// Each with the next.
    Line,
    /// All with the first.
    Star,
    /// Each with the next, and the last with the first.
    Ring,
    /// Each with each.
    Mesh,
    /// Each with so many others on average, drawn at random, and all connected: `graph = { random = 5 }`.
    Random(u32),
}

/// What is said, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Traffic {
    /// How many messages are published.
    pub rounds: u32,
    /// How many nodes take turns to publish. They are spared by churn and failures: what dies with its author at once has
    /// reached nobody.
    pub senders: u32,
    /// The size of a message as it travels, in bytes.
    pub payload: u32,
    /// Whether the authors sign the numbers of their messages; with secure-gossip they do not.
    pub proven: bool,
    /// A message is published this often, whether the one before has arrived or not. Nothing: one after the other.
    #[serde(with = "humantime_serde")]
    pub every: Duration,
    /// With one after the other: how long after the last delivery of a message the next one is published.
    #[serde(with = "humantime_serde")]
    pub pause: Duration,
    /// How long a message is waited for, and at the end all of them, until the rest counts as lost.
    #[serde(with = "humantime_serde")]
    pub patience: Duration,
}

/// What was said before: all nodes begin with it, but the last node lacks some.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct History {
    /// How many messages; at most [`History::MESSAGES_MAX`].
    pub messages: u32,
    /// How many of them the last node lacks.
    pub missing: u32,
    /// How many authors said them, in turn.
    pub authors: u32,
    /// Whether the newest are missing; else they are scattered over all.
    pub recent: bool,
    /// Whether the authors signed their numbers.
    pub proven: bool,
}

impl History {
    /// The most messages: each is held by each node.
    pub const MESSAGES_MAX: u32 = 1_000_000;
}

/// Nodes that leave and come back all the time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Churn {
    /// The share of all nodes that vanishes in a minute: 0.05 is one node of twenty.
    pub per_minute: f64,
    /// How long a node is away until it comes back with an empty memory and asks a random node to let it in.
    #[serde(with = "humantime_serde")]
    pub away: Duration,
    /// Whether they vanish without a word: their connections stay silent instead of closing.
    pub silent: bool,
}

/// Nodes that vanish at once and for good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Failure {
    /// When, after the warm-up.
    #[serde(with = "humantime_serde")]
    pub at: Duration,
    /// Which share of all nodes: 0 to 0.95.
    pub share: f64,
    /// Whether they vanish without a word: their connections stay silent instead of closing.
    pub silent: bool,
}

/// Nodes that mean harm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hostile {
    /// What they do.
    pub kind: HostileKind,
    /// Which share of all nodes: 0 to 0.5.
    pub share: f64,
}

/// What a hostile node does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostileKind {
    /// It takes part in everything and passes nothing on.
    #[default]
    Silence,
    /// It sends old messages again and again.
    Replay,
    /// It passes messages on with other numbers than their authors gave.
    Rewrite,
    /// It sends forged messages and announces such as do not exist.
    Flood,
    /// It presses itself and its like on everybody as neighbours, and passes nothing on.
    Eclipse,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            about: String::new(),
            mode: Mode::default(),
            nodes: 100,
            seed: 1,
            warm_up: Duration::from_secs(10),
            network: Network::default(),
            join: Join::default(),
            links: Links::default(),
            traffic: Traffic::default(),
            history: History::default(),
            churn: Churn::default(),
            failures: Vec::new(),
            hostile: Vec::new(),
            membership: membership::Config::default(),
            swarm: swarm::Config::default(),
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        let usual = Settings::default();
        Self {
            loss: usual.loss,
            jitter: usual.jitter,
            dial_timeout: usual.dial_timeout,
            latency: usual.latency,
        }
    }
}

impl Default for Join {
    fn default() -> Self {
        Self {
            contacts: 1,
            crowd: true,
            over: Duration::ZERO,
        }
    }
}

impl Default for Shape {
    fn default() -> Self {
        Self::Random(5)
    }
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            rounds: 10,
            senders: 1,
            payload: 500,
            proven: true,
            every: Duration::ZERO,
            pause: Duration::from_secs(1),
            patience: Duration::from_secs(30),
        }
    }
}

impl Default for History {
    fn default() -> Self {
        Self {
            messages: 0,
            missing: 0,
            authors: 10,
            recent: true,
            proven: true,
        }
    }
}

impl Default for Churn {
    fn default() -> Self {
        Self {
            per_minute: 0.0,
            away: Duration::from_secs(10),
            silent: true,
        }
    }
}

impl Default for Failure {
    fn default() -> Self {
        Self {
            at: Duration::ZERO,
            share: 0.5,
            silent: true,
        }
    }
}

impl Default for Hostile {
    fn default() -> Self {
        Self {
            kind: HostileKind::default(),
            share: 0.1,
        }
    }
}

impl Network {
    /// The settings of the engine.
    #[must_use]
    pub const fn settings(&self, seed: u64) -> Settings {
        Settings {
            seed,
            latency: self.latency,
            loss: self.loss,
            jitter: self.jitter,
            dial_timeout: self.dial_timeout,
        }
    }
}

impl Scenario {
    /// The most nodes. Each takes some kilobytes.
    pub const NODES_MAX: u32 = 200_000;
    /// The most deliveries, nodes times messages: each is remembered until the report is made, in some twelve bytes.
    pub const DELIVERIES_MAX: u64 = 200_000_000;
    /// The longest time of anything: a day.
    pub const TIME_MAX: Duration = Duration::from_secs(86_400);

    /// Reads a scenario.
    ///
    /// # Errors
    /// [`Error::Scenario`] says in which line a key is unknown, and which one is the nearest, or what is wrong with a value.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let scenario: Self = toml::from_str(text).map_err(|error| Error::Scenario(explain(text, &error)))?;
        scenario.check()?;
        Ok(scenario)
    }

    /// Writes the scenario, with every key.
    #[must_use]
    pub fn to_toml(&self) -> String {
        // Everything in a scenario has a form in TOML.
        toml::to_string(self).unwrap_or_default()
    }

    /// Whether it can be simulated. [`Scenario::from_toml`] asks this by itself.
    ///
    /// # Errors
    /// [`Error::Scenario`] names the key and what it may be.
    pub fn check(&self) -> Result<(), Error> {
        let shares = [
            ("network.loss", self.network.loss, 0.9),
            ("churn.per_minute", self.churn.per_minute, 10.0),
        ];
        let failures = self
            .failures
            .iter()
            .map(|failure| ("failure.share", failure.share, 0.95));
        let hostile = self.hostile.iter().map(|hostile| ("hostile.share", hostile.share, 0.5));
        for (key, value, most) in shares.into_iter().chain(failures).chain(hostile) {
            within(key, value, 0.0, most)?;
        }
        let all_hostile: f64 = self.hostile.iter().map(|hostile| hostile.share).sum();
        within("the sum of all hostile.share", all_hostile, 0.0, 0.5)?;
        within("nodes", f64::from(self.nodes), 2.0, f64::from(Self::NODES_MAX))?;
        within(
            "traffic.senders",
            f64::from(self.traffic.senders),
            1.0,
            f64::from(self.nodes),
        )?;
        within("traffic.payload", f64::from(self.traffic.payload), 64.0, 65_536.0)?;
        within("join.contacts", f64::from(self.join.contacts), 1.0, 100.0)?;
        let history = &self.history;
        within(
            "history.messages",
            f64::from(history.messages),
            0.0,
            f64::from(History::MESSAGES_MAX),
        )?;
        within(
            "history.missing",
            f64::from(history.missing),
            0.0,
            f64::from(history.messages),
        )?;
        within("history.authors", f64::from(history.authors), 1.0, 1_000_000.0)?;
        if history.messages > 0 && self.mode != Mode::Links {
            return Err(Error::Scenario(
                "a history is for mode = \"links\": leave [history] out, or set the mode".into(),
            ));
        }
        if u64::from(self.nodes) * u64::from(self.traffic.rounds) > Self::DELIVERIES_MAX {
            return Err(Error::Scenario(format!(
                "nodes times traffic.rounds is more than {}: take fewer of either",
                Self::DELIVERIES_MAX
            )));
        }
        if self.mode == Mode::Original && !self.hostile.is_empty() {
            return Err(Error::Scenario(
                "hostile nodes have no part in mode = \"original\": leave [[hostile]] out, or simulate another mode"
                    .into(),
            ));
        }
        if let (Shape::Mesh, true) = (self.links.graph, self.mode != Mode::Overlay && self.nodes > 2000) {
            return Err(Error::Scenario(
                "links.graph = \"mesh\" takes at most 2000 nodes".into(),
            ));
        }
        if let Shape::Random(degree) = self.links.graph {
            within("links.graph.random", f64::from(degree), 2.0, 100.0)?;
        }
        self.membership.check()?;
        self.swarm.check()?;
        self.check_times()
    }

    fn check_times(&self) -> Result<(), Error> {
        let latency = match self.network.latency {
            Latency::Uniform { min, max } if min > max => {
                return Err(Error::Scenario("network.latency.uniform: min is more than max".into()));
            }
            Latency::Uniform { max, .. } => max,
            Latency::Constant(latency) => latency,
            Latency::Normal { mean, deviation } => mean.max(deviation),
        };
        let times = [
            ("warm_up", self.warm_up),
            ("network.latency", latency),
            ("network.jitter", self.network.jitter),
            ("network.dial_timeout", self.network.dial_timeout),
            ("join.over", self.join.over),
            ("traffic.every", self.traffic.every),
            ("traffic.pause", self.traffic.pause),
            ("traffic.patience", self.traffic.patience),
            ("churn.away", self.churn.away),
        ];
        let failures = self.failures.iter().map(|failure| ("failure.at", failure.at));
        match times
            .into_iter()
            .chain(failures)
            .find(|(_, time)| *time > Self::TIME_MAX)
        {
            Some((key, _)) => Err(Error::Scenario(format!("{key} is longer than a day"))),
            None => Ok(()),
        }
    }
}

fn within(key: &str, value: f64, least: f64, most: f64) -> Result<(), Error> {
    // This way round, NaN is outside.
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::Scenario(format!(
        "{key} is {value}; it may be {least} to {most}"
    )))
}

/// An error of the reader in our words: with its line, and with the nearest key if one is unknown.
fn explain(text: &str, error: &toml::de::Error) -> String {
    let line = error
        .span()
        .map(|span| 1 + text.get(..span.start).map_or(0, |before| before.matches('\n').count()))
        .map_or_else(String::new, |line| format!("line {line}: "));
    let message = error.message();
    // The reader lists what it knows in backquotes: the unknown word first.
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = ["field", "variant"]
        .into_iter()
        .find(|what| message.starts_with(&format!("unknown {what} ")));
    let (Some(what), Some(wrong)) = (unknown, unknown.and_then(|_| quoted.next())) else {
        return format!("{line}{message}");
    };
    let what = if what == "field" { "key" } else { "value" };
    match quoted.max_by(|a, b| strsim::jaro_winkler(a, wrong).total_cmp(&strsim::jaro_winkler(b, wrong))) {
        Some(nearest) => format!("{line}there is no {what} {wrong}; the nearest one is {nearest}"),
        None => format!("{line}there is no {what} {wrong}"),
    }
}
