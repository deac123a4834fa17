//! docs/gossip-figures.md and its pictures.

use crate::figures::{Figure, Runs, SHARES};
use anyhow::{Context, Result, anyhow};
use handfast_gossip::sim::{
    Report,
    plot::{self, Chart, Mark, Series},
};
use std::{fmt::Write as _, fs, path::Path};

/// The run in which this many percent vanish.
pub(crate) fn vanishing(percent: u32) -> String {
    format!("vanish-{percent}")
}

pub(crate) fn write(runs: &Runs, figures: &[Figure]) -> Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let images = docs.join("images/gossip");
    fs::create_dir_all(&images).context("cannot create docs/images/gossip")?;
    for (name, charts) in pictures(runs)? {
        let svg = plot::draw(&charts).map_err(|error| anyhow!(error))?;
        fs::write(images.join(name), svg).with_context(|| format!("cannot write {name}"))?;
    }
    fs::write(docs.join("gossip-figures.md"), page(runs, figures)?).context("cannot write docs/gossip-figures.md")?;
    println!("wrote docs/gossip-figures.md");
    Ok(())
}

fn pictures(runs: &Runs) -> Result<Vec<(&'static str, Vec<Chart>)>> {
    let crowds = [
        ("100 nodes", runs.get("crowd-100")?),
        ("1,000 nodes", runs.get("crowd-1000")?),
        ("10,000 nodes", runs.get("crowd-10000")?),
    ];
    let original = ("secure-gossip, given links", runs.get("original")?);
    let against = [
        ("overlay", runs.get("crowd-1000")?),
        ("tree on given links", runs.get("links")?),
        original,
    ];
    let warm = [
        ("after 1 s", runs.get("crowd-10000-1s")?),
        ("after 1 min", runs.get("crowd-10000")?),
        ("after 10 min", runs.get("crowd-10000-10min")?),
    ];
    let titled = |mut chart: Chart, title: &str| {
        chart.title = title.into();
        chart
    };
    Ok(vec![
        (
            "delivery.svg",
            vec![titled(
                plot::delivery(&crowds),
                "Delivery over time, after 1 min of warm-up",
            )],
        ),
        ("hops.svg", vec![titled(plot::hops(&crowds), "How far from the sender")]),
        (
            "warm-up.svg",
            vec![titled(
                plot::duration(&warm),
                "10,000 nodes: time to everybody, by message",
            )],
        ),
        (
            "against-secure-gossip.svg",
            vec![
                titled(plot::delivery(&against), "1,000 nodes: delivery over time"),
                titled(plot::redundancy(&against), "1,000 nodes: redundancy by message"),
            ],
        ),
        (
            "failure.svg",
            vec![
                failure_timeline(runs.get("half-vanish")?),
                failure_by_share(runs)?,
                repair_by_share(runs)?,
            ],
        ),
        (
            "trouble.svg",
            vec![titled(
                plot::delivery(&[
                    ("5 % churn a minute", runs.get("churn")?),
                    ("20 % loss, overtaking", runs.get("lossy")?),
                    ("everything at once", runs.get("everything")?),
                ]),
                "500 nodes in trouble: delivery over time",
            )],
        ),
    ])
}

/// What became of the messages around a failure.
fn failure_timeline(report: &Report) -> Chart {
    let points = report.rounds.iter().filter_map(|round| {
        let took = round.delays.at(1.0)?;
        Some((round.at.as_secs_f64(), took.as_secs_f64() * 1000.0))
    });
    Chart {
        title: "Half of 1,000 nodes vanish at 2 s".into(),
        x: "published at, seconds".into(),
        y: "milliseconds until all survivors have it".into(),
        series: vec![Series {
            name: "messages".into(),
            mark: Mark::Dots,
            points: points.collect(),
        }],
        top: 0.0,
    }
}

/// Reliability after a failure: how many survivors have what was said in its first second, and when.
fn failure_by_share(runs: &Runs) -> Result<Chart> {
    let within = [
        (0.5, "within 0.5 s"),
        (3.0, "within 3 s"),
        (f64::INFINITY, "in the end"),
    ];
    let mut series = Vec::new();
    for (limit, name) in within {
        let mut points = Vec::new();
        for share in SHARES {
            let report = runs.get(&vanishing(share))?;
            let early = report
                .rounds
                .iter()
                .filter(|round| (2.0..3.0).contains(&round.at.as_secs_f64()));
            let (mut had, mut all) = (0, 0);
            for round in early {
                had += round
                    .delays
                    .sorted()
                    .iter()
                    .filter(|delay| delay.as_secs_f64() <= limit)
                    .count();
                all += round.delays.all();
            }
            points.push((f64::from(share), 100.0 * had as f64 / all.max(1) as f64));
        }
        series.push(Series {
            name: name.into(),
            mark: Mark::Dots,
            points,
        });
    }
    Ok(Chart {
        title: "Messages of the first second after a failure".into(),
        x: "share of 1,000 nodes that vanish, %".into(),
        y: "survivors that have them, %".into(),
        series,
        top: 100.0,
    })
}

fn repair_by_share(runs: &Runs) -> Result<Chart> {
    let mut points = Vec::new();
    for share in SHARES {
        let recovery = runs.get(&vanishing(share))?.recoveries.first();
        if let Some(repaired) = recovery.and_then(|recovery| recovery.repaired) {
            points.push((f64::from(share), repaired.as_secs_f64()));
        }
    }
    Ok(Chart {
        title: "Until the tree is repaired".into(),
        x: "share of 1,000 nodes that vanish, %".into(),
        y: "seconds after the failure".into(),
        series: vec![Series {
            name: "repaired".into(),
            mark: Mark::Dots,
            points,
        }],
        top: 3.0,
    })
}

fn page(runs: &Runs, figures: &[Figure]) -> Result<String> {
    let mut rows = String::new();
    for figure in figures {
        let met = if figure.met { "yes" } else { "**no**" };
        writeln!(
            rows,
            "| {} | `{}` | {} | {} | {met} |",
            figure.what, figure.scenario, figure.goal, figure.seen
        )?;
    }
    let time = |name| -> Result<f64> { Ok(runs.get(name)?.summary.t100.unwrap_or(f64::INFINITY)) };
    let sends = |name| -> Result<f64> { Ok(runs.get(name)?.summary.sends_per_delivery) };
    let bytes = |name| -> Result<f64> {
        let summary = &runs.get(name)?.summary;
        Ok(summary.payload_bytes_per_delivery + summary.control_bytes_per_delivery)
    };
    let mut compared = String::new();
    for (name, what) in [
        ("original", "secure-gossip 0.3.1, 1,000 nodes, given links, five each"),
        ("links", "our tree on the same links"),
        ("crowd-1000", "our overlay, 1,000 nodes"),
        (
            "original-10000",
            "secure-gossip 0.3.1, 10,000 nodes, given links, five each",
        ),
        ("crowd-10000", "our overlay, 10,000 nodes"),
    ] {
        writeln!(
            compared,
            "| {what} | {:.2} | {:.0} | {:.0} ms | {:.1} |",
            sends(name)?,
            bytes(name)?,
            time(name)?,
            runs.get(name)?.summary.last_hop
        )?;
    }
    Ok(PAGE
        .replace("{rows}", rows.trim_end())
        .replace("{compared}", compared.trim_end()))
}

const PAGE: &str = r#"# How gossip fares

<!-- `cargo xtask simulate --figures --write` writes this page and its pictures. -->

What stands here was measured in the simulator of `handfast-gossip`: whole networks of the real state machines, on a virtual
clock, without sockets and without signatures. The same scenario with the same seed gives the same figures on every machine.
`cargo xtask simulate --figures` measures all of them anew; the third column names the scenario, and this shows one:
```sh
handfast gossip simulate crowd-1000                            # the table of a run
handfast gossip simulate crowd-1000 --plot out.svg --seed 7    # drawn, with other chance
handfast gossip simulate half-vanish --live                    # watched
handfast gossip simulate --example half-vanish > mine.toml     # a scenario to change
```

Unless a scenario says something else, links take 10 to 50 ms, all nodes join through the same one at the same instant, one
node then says ten messages of 500 bytes, and a figure is the mean of the ten.

| what | scenario | goal | seen | met |
|---|---|---|---|---|
{rows}

*Last-delivery hop* is how many links the message had passed when it came to the last node. *Relative message redundancy* is
how many payloads were sent for each node that needed one, less one: a perfect tree has 0. *Fastest paths* is what no tree
over the same links can beat. A tree counts as *repaired* from the first message on after which all messages reach all
survivors down the tree, none by catch-up, in at most twice the time that was usual before.

## Delivery over time
![The share of nodes that have a message, over milliseconds, for 100, 1,000 and 10,000 nodes](images/gossip/delivery.svg)

How long after its publication which share of the nodes has a message. Ten times as many nodes cost some two hops more, not
ten times the time. `handfast gossip simulate crowd-10000 --plot out.svg`

![The share of deliveries at each number of hops](images/gossip/hops.svg)

How many links lie between the sender and the nodes. The tree follows the fastest links rather than the fewest, so it is
a little deeper than it could be, and sooner at its ends.

## A crowd at the door
![Time to everybody for each of ten messages, after three warm-ups](images/gossip/warm-up.svg)

10,000 nodes join through one contact at the same instant. The contact tells those who come together of each other, and
nodes then swap links until the graph is as good as a random one: at first often, later rarely. Messages that are sent in
the first second meet links that are being swapped, so some nodes hear of them only when an announcement is not followed by its
message. `handfast gossip simulate crowd-10000-1s`

## Against secure-gossip
![Delivery and redundancy of our tree and of secure-gossip](images/gossip/against-secure-gossip.svg)

secure-gossip writes every message to every peer, back to the one that it came from too, in rounds of 100 ms. So each link
carries each message twice, and each hop waits for a round. Here it is a model, in which nothing is lost; the same model
repeats the counts that were taken of real processes (20, 90 and 380 sends in meshes of 5, 10 and 20).

| | payload sends per delivery | bytes per delivery | time to 100 % | last-delivery hop |
|---|---|---|---|---|
{compared}

Bytes are those of all frames, keepalives and comparisons of histories included. `handfast gossip simulate original`

## When many vanish at once
![Time to all survivors around a failure; deliveries and repair by the share that vanishes](images/gossip/failure.svg)

The nodes that vanish do so without a word: no connection closes, so the others have to notice the silence, which takes one
to two seconds. Above: how long each message took that was published before, while, and after half of the nodes vanished.
Below it: which share of the survivors has the messages of the first second after a failure, by the share that vanishes,
after half a second, after three, and in the end; and when the tree is repaired. What the broken tree does not bring
comes by announcements, and else by comparing histories. `handfast gossip simulate half-vanish`

## In trouble all the time
![Delivery over time under churn, loss, and everything at once](images/gossip/trouble.svg)

One frame of five lost and frames that overtake each other; one node of twenty vanishing each minute and coming back with
an empty memory; and everything at once, with hostile nodes of each kind and a third of all nodes vanishing. In all of them every
honest node that is there at the end has every message. `handfast gossip simulate everything`

`cargo xtask simulate`, which CI runs, says the same of thousands of small networks, each with its own mixture of trouble: up to
20 % loss, overtaking, 5 % churn a minute, 10 to 80 % of the nodes vanishing at once, and hostile nodes that keep silent,
replay, renumber, flood, or press themselves on others as neighbours.
"#;
