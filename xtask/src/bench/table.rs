//! What is measured, against whom, and what the ratio must at least be.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One thing that is measured. Its figures arrive under the names `what/ours` and `what/PEER`.
pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) title: &'static str,
    pub(super) against: &'static [Against],
}

/// A peer, and the floor under our ratio to it.
pub(super) struct Against {
    pub(super) peer: &'static str,
    pub(super) at_least: Option<f64>,
}

const fn floor(peer: &'static str, at_least: f64) -> Against {
    Against {
        peer,
        at_least: Some(at_least),
    }
}

const fn compare(peer: &'static str) -> Against {
    Against { peer, at_least: None }
}

pub(super) const ROWS: &[Row] = &[
    Row {
        what: "handshakes",
        title: "handshakes, both sides on one core",
        // `limit` is the sum of the primitive operations in the libraries that we chose.
        against: &[
            floor("limit", 0.85),
            floor("kuska-handshake", 1.4),
            floor("js", 2.8),
            compare("ssb-handshake"),
        ],
    },
    Row {
        what: "seal_open_4096",
        title: "box stream, seal and open 4096-byte records in memory",
        against: &[
            floor("limit", 0.85),
            floor("kuska-handshake", 2.0),
            floor("libsodium", 1.5),
            compare("ssb-boxstream"),
        ],
    },
    Row {
        what: "boxstream_tcp",
        title: "box stream over TCP loopback, two threads",
        against: &[floor("kuska-handshake", 2.0), floor("js", 7.0)],
    },
    Row {
        what: "calls_sequential",
        title: "muxrpc over SHS, calls one after the other",
        // `limit` is a ping-pong of the same bytes over a raw tokio TCP stream.
        against: &[floor("limit", 0.7), compare("js")],
    },
    Row {
        what: "calls_64_in_flight",
        title: "muxrpc over SHS, 64 calls in flight",
        against: &[floor("js", 8.0)],
    },
    Row {
        what: "source_items",
        title: "muxrpc over SHS, items of a source",
        against: &[floor("js", 15.0)],
    },
];

/// A median of the rounds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) value: f64,
    pub(super) unit: String,
}

/// The table as Markdown, which reads well on a terminal too.
pub(super) fn render(figures: &BTreeMap<String, Figure>) -> String {
    let mut table = String::from("| what | ours | peer | its figure | ratio | at least |\n|---|--:|---|--:|--:|--:|\n");
    for row in ROWS {
        let ours = figures.get(&format!("{}/ours", row.what));
        for Against { peer, at_least } in row.against {
            let theirs = figures.get(&format!("{}/{peer}", row.what));
            let ratio = ours.zip(theirs).map(|(ours, theirs)| ours.value / theirs.value);
            let verdict = match (ratio, at_least) {
                (Some(ratio), Some(floor)) if ratio < *floor => format!("{ratio:.2} (too low)"),
                (Some(ratio), _) => format!("{ratio:.2}"),
                (None, _) => "-".into(),
            };
            let floor = at_least.map_or("-".into(), |floor| floor.to_string());
            // Writing to a text cannot fail.
            let _ = writeln!(
                table,
                "| {} | {} | {peer} | {} | {verdict} | {floor} |",
                row.title,
                shown(ours),
                shown(theirs)
            );
        }
    }
    table
}

/// The ratios that miss their floor.
pub(super) fn misses(figures: &BTreeMap<String, Figure>) -> usize {
    let figure = |what: &str, who: &str| figures.get(&format!("{what}/{who}")).map(|figure| figure.value);
    let pairs = ROWS
        .iter()
        .flat_map(|row| row.against.iter().map(move |against| (row.what, against)));
    pairs
        .filter(|(what, against)| {
            let ratio = figure(what, "ours")
                .zip(figure(what, against.peer))
                .map(|(ours, theirs)| ours / theirs);
            ratio.zip(against.at_least).is_some_and(|(ratio, floor)| ratio < floor)
        })
        .count()
}

fn shown(figure: Option<&Figure>) -> String {
    match figure {
        None => "-".into(),
        Some(Figure { value, unit }) if *value >= 100.0 => format!("{value:.0} {unit}"),
        Some(Figure { value, unit }) => format!("{value:.3} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(ours: f64) -> BTreeMap<String, Figure> {
        let figure = |value| Figure {
            value,
            unit: "/s".into(),
        };
        BTreeMap::from([
            ("source_items/ours".into(), figure(ours)),
            ("source_items/js".into(), figure(10.0)),
        ])
    }

    #[test]
    fn a_ratio_below_its_floor_is_a_miss_and_says_so() {
        assert_eq!(misses(&figures(149.0)), 1);
        assert!(render(&figures(149.0)).contains("14.90 (too low)"));
        assert_eq!(misses(&figures(150.0)), 0);
        assert!(render(&figures(150.0)).contains("| 15.00 | 15 |"));
    }

    #[test]
    fn what_was_not_measured_is_a_dash_and_no_miss() {
        assert_eq!(misses(&BTreeMap::new()), 0);
        assert!(render(&BTreeMap::new()).contains("| - | js | - | - | 15 |"));
    }
}
