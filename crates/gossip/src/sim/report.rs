//! What came of a run: figures, as a table and as data.

use super::{graph::Graph, scenario::Scenario};
use serde::{Serialize, Serializer};
use std::{fmt, time::Duration};

/// The figures of one run. The same scenario with the same seed gives the same report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What was simulated.
    pub scenario: Scenario,
    /// The seed it was simulated with.
    pub seed: u64,
    /// Each message.
    pub rounds: Vec<Round>,
    /// All messages together.
    pub summary: Summary,
    /// How the nodes got over each mass failure.
    pub recoveries: Vec<Recovery>,
    /// Who is linked with how many, at the end.
    pub degrees: Degrees,
    /// How far the first sender is from everybody over the links at the end: what no tree can beat.
    pub shortest: Shortest,
    /// How the last node caught up with the history, if there was one.
    pub catch_up: Option<CatchUp>,
    /// The first few deliveries that are missing at the end: the number of the message, from 0, and the node.
    pub missing: Vec<(usize, u32)>,
}

/// The figures of one message.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Round {
    /// When it was published, after the warm-up; in JSON in milliseconds.
    #[serde(serialize_with = "milliseconds")]
    pub at: Duration,
    /// Who published it.
    pub sender: u32,
    /// How many honest nodes are there at the end, without the sender.
    pub expected: u64,
    /// How many of them have it.
    pub delivered: u64,
    /// How many nodes that were there all the time heard it by being pushed to, not by catching up.
    pub pushed: u64,
    /// How many of those heard it at each distance from the sender, in hops, from 0.
    pub hops: Vec<u64>,
    /// How long after its publication the nodes that were there all the time heard it.
    pub delays: Quantiles,
    /// Frames with messages that were sent until the next message was published.
    pub payloads: u64,
    /// Their bytes.
    pub payload_bytes: u64,
    /// All other frames that were sent until then.
    pub controls: u64,
    /// Their bytes.
    pub control_bytes: u64,
}

impl Round {
    /// The last-delivery hop: the greatest distance that the message was pushed over.
    #[must_use]
    pub const fn last_hop(&self) -> u64 {
        self.hops.len().saturating_sub(1) as u64
    }

    /// Relative message redundancy: payload sends over deliveries that were needed, less one. 0 is a tree.
    #[must_use]
    pub fn redundancy(&self) -> f64 {
        self.payloads as f64 / (self.expected.max(1)) as f64 - 1.0
    }
}

/// Delays in order: how long until a share of all had heard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quantiles {
    sorted: Vec<Duration>,
    of: usize,
}

impl Quantiles {
    /// From the delays of those who heard, sorted, and the number of all who should have.
    #[must_use]
    pub const fn of(sorted: Vec<Duration>, of: usize) -> Self {
        Self { sorted, of }
    }

    /// How long until this share of all had heard, if it ever had. 1 stands for all.
    #[must_use]
    pub fn at(&self, share: f64) -> Option<Duration> {
        let rank = (share * self.of as f64).ceil() as usize;
        match rank.checked_sub(1) {
            None => Some(Duration::ZERO),
            Some(index) => self.sorted.get(index).copied(),
        }
    }

    /// The delays of those who heard, sorted.
    #[must_use]
    pub fn sorted(&self) -> &[Duration] {
        &self.sorted
    }

    /// The number of all who should have heard.
    #[must_use]
    pub const fn all(&self) -> usize {
        self.of
    }
}

impl Serialize for Quantiles {
    /// In milliseconds: after how long 50 %, 99 % and 100 % had heard; null if they never had.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown {
            p50: Option<f64>,
            p99: Option<f64>,
            p100: Option<f64>,
        }
        let at = |share| self.at(share).map(millis);
        let (p50, p99, p100) = (at(0.5), at(0.99), at(1.0));
        Shown { p50, p99, p100 }.serialize(serializer)
    }
}

/// All messages of a run together.
///
/// A mean or a worst of times is missing when some message did not reach everybody.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// The share of all deliveries that took place: 1 if every honest node that is there at the end has every message.
    pub reliability: f64,
    /// The share of the deliveries in time that were pushed, not caught up.
    pub pushed: f64,
    /// Deliveries of a message to a node that had it already. Not one should be.
    pub repeated: u64,
    /// The last-delivery hop: the mean over the messages.
    pub last_hop: f64,
    /// The last-delivery hop of the worst message.
    pub last_hop_worst: u64,
    /// Time until half of the nodes had a message, in milliseconds: the mean.
    pub t50: Option<f64>,
    /// Time until 99 % had it.
    pub t99: Option<f64>,
    /// Time until all had it.
    pub t100: Option<f64>,
    /// Time until all had the message that took longest.
    pub t100_worst: Option<f64>,
    /// Relative message redundancy of the first message: the tree is built by it.
    pub redundancy_first: f64,
    /// The mean of all messages after the first.
    pub redundancy: f64,
    /// The worst of them.
    pub redundancy_worst: f64,
    /// Frames with messages for each delivery, after the first message.
    pub sends_per_delivery: f64,
    /// Bytes of frames with messages, for each delivery, after the first message.
    pub payload_bytes_per_delivery: f64,
    /// Bytes of all other frames, keepalives included, for each delivery, after the first message.
    pub control_bytes_per_delivery: f64,
    /// How much virtual time passed from the first join, in milliseconds.
    pub virtual_time: f64,
    /// Events of the queue: how much work the run was.
    pub events: u64,
}

impl Summary {
    /// Sums up. With a single message it is its own first and its own rest.
    #[must_use]
    pub fn of(rounds: &[Round]) -> Self {
        let steady = match rounds {
            [_, rest @ ..] if !rest.is_empty() => rest,
            all => all,
        };
        let sum = |of: fn(&Round) -> u64, rounds: &[Round]| rounds.iter().map(of).sum::<u64>() as f64;
        let deliveries = sum(|round| round.delivered, steady).max(1.0);
        let in_time = rounds.iter().map(|round| round.delays.sorted.len()).sum::<usize>();
        let time = |share| mean(rounds.iter().map(|round| round.delays.at(share).map(millis)));
        let worst = rounds
            .iter()
            .map(|round| round.delays.at(1.0))
            .collect::<Option<Vec<_>>>();
        Self {
            reliability: ratio(
                sum(|round| round.delivered, rounds),
                sum(|round| round.expected, rounds),
            ),
            pushed: ratio(sum(|round| round.pushed, rounds), in_time as f64),
            last_hop: mean(rounds.iter().map(|round| Some(round.last_hop() as f64))).unwrap_or_default(),
            last_hop_worst: rounds.iter().map(Round::last_hop).max().unwrap_or_default(),
            t50: time(0.5),
            t99: time(0.99),
            t100: time(1.0),
            t100_worst: worst.and_then(|delays| delays.into_iter().max()).map(millis),
            redundancy_first: rounds.first().map(Round::redundancy).unwrap_or_default(),
            redundancy: mean(steady.iter().map(|round| Some(round.redundancy()))).unwrap_or_default(),
            redundancy_worst: steady
                .iter()
                .map(Round::redundancy)
                .reduce(f64::max)
                .unwrap_or_default(),
            sends_per_delivery: sum(|round| round.payloads, steady) / deliveries,
            payload_bytes_per_delivery: sum(|round| round.payload_bytes, steady) / deliveries,
            control_bytes_per_delivery: sum(|round| round.control_bytes, steady) / deliveries,
            ..Self::default()
        }
    }
}

/// How the nodes got over a mass failure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recovery {
    /// When it was, after the warm-up; in JSON in milliseconds.
    #[serde(serialize_with = "milliseconds")]
    pub at: Duration,
    /// How many vanished.
    pub gone: u64,
    /// How many honest nodes were left.
    pub left: u64,
    /// How long after the failure the first message was published from which on every message came by the tree, to all
    /// survivors, in at most twice the usual time. In JSON in milliseconds; null if that never was.
    #[serde(serialize_with = "some_milliseconds")]
    pub repaired: Option<Duration>,
    /// How long after the failure all survivors had all messages that were published in the first second after it, if ever.
    #[serde(serialize_with = "some_milliseconds")]
    pub complete: Option<Duration>,
}

impl Recovery {
    /// Looks for the repair among the messages up to the next failure.
    #[must_use]
    pub fn of(rounds: &[Round], at: Duration, until: Duration, gone: u64, left: u64) -> Self {
        let mut usual: Vec<Duration> = rounds
            .iter()
            .filter(|round| round.at < at)
            .filter_map(|round| round.delays.at(1.0))
            .collect();
        usual.sort_unstable();
        let usual = usual.get(usual.len() / 2).copied();
        let after = || rounds.iter().filter(|round| (at..until).contains(&round.at));
        let clean = |round: &&Round| {
            let in_time = round
                .delays
                .at(1.0)
                .is_some_and(|took| usual.is_none_or(|usual| took <= usual * 2));
            in_time && round.pushed as usize == round.delays.all()
        };
        // The last run of clean messages begins the repaired time.
        let repaired = after().rev().take_while(clean).last().map(|round| round.at - at);
        let early = after().filter(|round| round.at < at + Duration::from_secs(1));
        let complete = early.map(|round| round.delays.at(1.0).map(|took| round.at + took - at));
        let complete = complete.collect::<Option<Vec<_>>>();
        Self {
            at,
            gone,
            left,
            repaired,
            complete: complete.and_then(|times| times.into_iter().max()),
        }
    }
}

/// Who is linked with how many.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Degrees {
    /// The fewest links of an honest node.
    pub least: u64,
    /// The mean.
    pub mean: f64,
    /// The most.
    pub most: u64,
    /// How many parts the honest nodes fall into by the links among them: 1 if all are connected.
    pub parts: u64,
}

impl Degrees {
    /// Of a graph of links, among the nodes that count.
    #[must_use]
    pub fn of(links: &Graph, counts: impl Fn(u32) -> bool) -> Self {
        let nodes: Vec<u32> = (0..u32::try_from(links.nodes()).unwrap_or(u32::MAX))
            .filter(|node| counts(*node))
            .collect();
        let degrees = || nodes.iter().map(|node| links.links(*node).len() as u64);
        let mut seen = vec![false; links.nodes()];
        let mut see = |node: u32| {
            seen.get_mut(node as usize)
                .is_some_and(|seen| !std::mem::replace(seen, true))
        };
        let mut parts = 0;
        for node in &nodes {
            if !see(*node) {
                continue;
            }
            parts += 1;
            let mut todo = vec![*node];
            while let Some(node) = todo.pop() {
                todo.extend(links.links(node).iter().copied().filter(|peer| see(*peer)));
            }
        }
        Self {
            least: degrees().min().unwrap_or_default(),
            mean: degrees().sum::<u64>() as f64 / nodes.len().max(1) as f64,
            most: degrees().max().unwrap_or_default(),
            parts,
        }
    }
}

/// How far the farthest node is over the fastest paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Shortest {
    /// The most hops on a fastest path.
    pub hops: u32,
    /// The time over it, in milliseconds.
    pub time: f64,
}

/// How a node caught up with a history.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CatchUp {
    /// How many messages it lacked.
    pub missing: u64,
    /// How many of them it got.
    pub got: u64,
    /// How long after the first frame the last of them came, in round trips of the link.
    pub round_trips: f64,
    /// Bytes of frames without messages, in both directions, until then.
    pub overhead: u64,
    /// Bytes of the messages that came, and of the frames around them.
    pub payload_bytes: u64,
}

impl Report {
    /// The table of the messages, and what they come to.
    fn messages(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:>5} {:>8} {:>13} {:>5} {:>7} {:>7} {:>7} {:>8} {:>9} {:>9}",
            "round", "at", "delivered", "hops", "50 %", "99 %", "100 %", "redund.", "payload", "control"
        )?;
        for (number, round) in rounds_shown(&self.rounds) {
            let time = |share| shown_time(round.delays.at(share).map(millis));
            writeln!(
                f,
                "{number:>5} {:>8} {:>13} {:>5} {:>7} {:>7} {:>7} {:>8.3} {:>9} {:>9}",
                format!("{:.2} s", round.at.as_secs_f64()),
                format!("{}/{}", round.delivered, round.expected),
                round.last_hop(),
                time(0.5),
                time(0.99),
                time(1.0),
                round.redundancy(),
                shown_bytes(round.payload_bytes as f64),
                shown_bytes(round.control_bytes as f64),
            )?;
        }
        if let hidden @ 1.. = self.rounds.len() - rounds_shown(&self.rounds).count() {
            writeln!(f, "      … {hidden} more between them")?;
        }
        let all = &self.summary;
        writeln!(
            f,
            "\nreliability            {} of all deliveries{}",
            share(all.reliability),
            if all.repeated == 0 {
                String::new()
            } else {
                format!(", {} REPEATED", all.repeated)
            }
        )?;
        writeln!(f, "by the tree            {} of those in time", share(all.pushed))?;
        writeln!(
            f,
            "last-delivery hop      mean {:.1}, worst {}",
            all.last_hop, all.last_hop_worst
        )?;
        writeln!(
            f,
            "time to 50/99/100 %    {} / {} / {} ms, worst {} ms",
            shown_time(all.t50),
            shown_time(all.t99),
            shown_time(all.t100),
            shown_time(all.t100_worst)
        )?;
        writeln!(
            f,
            "redundancy             first {:.3}, then mean {:.3}, worst {:.3}",
            all.redundancy_first, all.redundancy, all.redundancy_worst
        )?;
        writeln!(f, "payload sends          {:.3} a delivery", all.sends_per_delivery)?;
        writeln!(
            f,
            "bytes a delivery       {} payload, {} control",
            shown_bytes(all.payload_bytes_per_delivery),
            shown_bytes(all.control_bytes_per_delivery)
        )?;
        Ok(())
    }
}

impl fmt::Display for Report {
    /// The table that the program prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} nodes, {:?} mode, seed {}, {:.1} s of virtual time, {} events",
            self.scenario.nodes,
            self.scenario.mode,
            self.seed,
            self.summary.virtual_time / 1000.0,
            self.summary.events
        )?;
        if !self.rounds.is_empty() {
            self.messages(f)?;
        }
        writeln!(
            f,
            "links                  {} to {}, mean {:.2}, {}",
            self.degrees.least,
            self.degrees.most,
            self.degrees.mean,
            match self.degrees.parts {
                1 => "all connected".to_owned(),
                parts => format!("in {parts} PARTS"),
            }
        )?;
        writeln!(
            f,
            "fastest paths          {} hops, {:.0} ms: no tree over these links is faster",
            self.shortest.hops, self.shortest.time
        )?;
        for recovery in &self.recoveries {
            let time = |time: Option<Duration>| {
                time.map_or_else(|| "never".into(), |time| format!("after {:.2} s", time.as_secs_f64()))
            };
            writeln!(
                f,
                "failure at {:.1} s       {} vanished, {} left; tree repaired {}, first messages complete {}",
                recovery.at.as_secs_f64(),
                recovery.gone,
                recovery.left,
                time(recovery.repaired),
                time(recovery.complete)
            )?;
        }
        if let Some(late) = &self.catch_up {
            writeln!(
                f,
                "catch-up               {} of {} in {:.1} round trips, {} overhead, {} payload",
                late.got,
                late.missing,
                late.round_trips,
                shown_bytes(late.overhead as f64),
                shown_bytes(late.payload_bytes as f64)
            )?;
        }
        if !self.missing.is_empty() {
            let missing = self
                .missing
                .iter()
                .map(|(message, node)| format!("{message} at {node}"));
            writeln!(
                f,
                "missing                message {}{}",
                missing.collect::<Vec<_>>().join(", "),
                if self.missing.len() < super::run::MISSING_SHOWN {
                    ""
                } else {
                    " …"
                }
            )?;
        }
        Ok(())
    }
}

/// The reports of one scenario with many seeds, as a table.
#[derive(Clone, Copy, Debug)]
pub struct Runs<'a>(pub &'a [Report]);

impl fmt::Display for Runs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:>20} {:>11} {:>6} {:>6} {:>7} {:>7} {:>8} {:>6} {:>5} {:>9}",
            "seed", "reliability", "hops", "50 %", "99 %", "100 %", "redund.", "sends", "parts", "repaired"
        )?;
        for report in self.0 {
            let all = &report.summary;
            let repaired = report.recoveries.last().map(|recovery| recovery.repaired);
            writeln!(
                f,
                "{:>20} {:>11} {:>6.1} {:>6} {:>7} {:>7} {:>8.3} {:>6.3} {:>5} {:>9}",
                report.seed,
                share(all.reliability),
                all.last_hop,
                shown_time(all.t50),
                shown_time(all.t99),
                shown_time(all.t100),
                all.redundancy,
                all.sends_per_delivery,
                report.degrees.parts,
                match repaired {
                    None => String::new(),
                    Some(None) => "never".into(),
                    Some(Some(time)) => format!("{:.2} s", time.as_secs_f64()),
                }
            )?;
        }
        let means = |of: fn(&Summary) -> Option<f64>| mean(self.0.iter().map(|report| of(&report.summary)));
        let most = |of: fn(&Summary) -> f64| self.0.iter().map(|report| of(&report.summary)).fold(f64::MIN, f64::max);
        let least = self
            .0
            .iter()
            .map(|report| report.summary.reliability)
            .fold(1.0, f64::min);
        writeln!(
            f,
            "{:>20} {:>11} {:>6.1} {:>6} {:>7} {:>7} {:>8.3} {:>6.3}",
            "mean",
            share(means(|all| Some(all.reliability)).unwrap_or(1.0)),
            means(|all| Some(all.last_hop)).unwrap_or_default(),
            shown_time(means(|all| all.t50)),
            shown_time(means(|all| all.t99)),
            shown_time(means(|all| all.t100)),
            means(|all| Some(all.redundancy)).unwrap_or_default(),
            means(|all| Some(all.sends_per_delivery)).unwrap_or_default(),
        )?;
        writeln!(
            f,
            "{:>20} {:>11} {:>6} {:>6} {:>7} {:>7} {:>8.3} {:>6.3}",
            "worst",
            share(least),
            most(|all| all.last_hop_worst as f64),
            "",
            "",
            shown_time(means(|all| all.t100_worst).map(|_| most(|all| all.t100_worst.unwrap_or_default()))),
            most(|all| all.redundancy_worst),
            most(|all| all.sends_per_delivery),
        )
    }
}

/// Which rounds a table shows when there are many: the first and the last ones.
fn rounds_shown(rounds: &[Round]) -> impl Iterator<Item = (usize, &Round)> {
    const EACH: usize = 12;
    let last = rounds.len();
    (1..)
        .zip(rounds)
        .filter(move |(number, _)| *number <= EACH || *number + EACH > last)
}

pub(super) fn millis(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}

fn milliseconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(millis(*time))
}

fn some_milliseconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(millis).serialize(serializer)
}

fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values = values.collect::<Option<Vec<f64>>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// A share of nothing is all of it.
fn ratio(part: f64, all: f64) -> f64 {
    if all > 0.0 { part / all } else { 1.0 }
}

/// Percent, and never 100 % when something is missing.
fn share(share: f64) -> String {
    let percent = share * 100.0;
    if share < 1.0 && percent > 99.99 {
        return "99.99 %".into();
    }
    format!("{percent:.2} %")
}

fn shown_time(milliseconds: Option<f64>) -> String {
    milliseconds.map_or_else(|| "never".into(), |time| format!("{time:.0}"))
}

fn shown_bytes(count: f64) -> String {
    match count {
        ..1e4 => format!("{count:.0} B"),
        ..1e7 => format!("{:.1} kB", count / 1e3),
        _ => format!("{:.1} MB", count / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A message to three others, which heard it after these milliseconds; `pushed` of them by the tree.
    fn round(at: u64, delays: &[u64], pushed: u64, payloads: u64) -> Round {
        Round {
            at: ms(at),
            expected: 3,
            delivered: delays.len() as u64,
            pushed,
            hops: vec![0; 3],
            delays: Quantiles::of(delays.iter().map(|delay| ms(*delay)).collect(), 3),
            payloads,
            payload_bytes: payloads * 100,
            ..Round::default()
        }
    }

    #[test]
    fn the_first_message_builds_the_tree_and_is_not_part_of_the_steady_state() {
        let rounds = [
            round(0, &[10, 20, 60], 3, 9),
            round(100, &[10, 20, 30], 3, 3),
            round(200, &[10, 20, 30], 3, 6),
        ];
        let all = Summary::of(&rounds);
        assert_eq!(
            (all.redundancy_first, all.redundancy, all.redundancy_worst),
            (2.0, 0.5, 1.0)
        );
        assert_eq!((all.sends_per_delivery, all.payload_bytes_per_delivery), (1.5, 150.0));
        assert_eq!((all.t100, all.t100_worst), (Some(40.0), Some(60.0)));
        assert_eq!((all.reliability, all.pushed), (1.0, 1.0));
    }

    #[test]
    fn what_is_missing_shows_in_reliability_and_leaves_no_time() {
        let all = Summary::of(&[round(0, &[10, 20, 60], 3, 3), round(100, &[10, 20], 2, 2)]);
        assert_eq!(all.reliability, 5.0 / 6.0);
        assert_eq!((all.t100, all.t100_worst), (None, None));
        assert!(all.t50.is_some());
        assert_eq!(share(all.reliability), "83.33 %");
        assert_eq!(share(0.999_999), "99.99 %");
    }

    #[test]
    fn the_tree_is_repaired_from_the_first_message_on_that_all_hear_in_the_usual_time() {
        let rounds = [
            round(0, &[10, 20, 30], 3, 3),
            // Caught up; then too late; then clean; then slow again; then clean for good.
            round(1000, &[10, 20, 900], 2, 3),
            round(1200, &[10, 20, 70], 3, 3),
            round(1400, &[10, 20, 30], 3, 3),
            round(1600, &[10, 20, 61], 3, 3),
            round(1800, &[10, 20, 60], 3, 3),
            round(2000, &[10, 20, 30], 3, 3),
        ];
        let recovery = |rounds| Recovery::of(rounds, ms(1000), Duration::MAX, 4, 4);
        assert_eq!(recovery(&rounds).repaired, Some(ms(800)));
        // Of those in the first second, the first one is complete last.
        assert_eq!(recovery(&rounds).complete, Some(ms(900)));
        assert_eq!(recovery(&rounds[..6]).repaired, Some(ms(800)));
        assert_eq!(recovery(&rounds[..5]).repaired, None);
    }

    #[test]
    fn parts_and_degrees_are_those_of_the_links_among_the_nodes_that_count() {
        let links = Graph::new(&[vec![1], vec![0, 2], vec![1], vec![4], vec![3], vec![]]);
        let degrees = Degrees::of(&links, |node| node != 5);
        assert_eq!((degrees.least, degrees.most, degrees.parts), (1, 2, 2));
        assert_eq!(degrees.mean, 6.0 / 5.0);
    }
}
