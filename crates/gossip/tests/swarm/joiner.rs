//! The late joiner: what it costs to find what is missing among very many.

use crate::lab::{Lab, START, message, ms};
use handfast_gossip::{Item, Sequence, swarm::Config};
use rand::seq::SliceRandom;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Where {
    Recent,
    Scattered,
}

/// A history of `count` messages, a second apart in groups, and which of them the joiner misses.
struct Cell {
    authors: u32,
    proven: bool,
    place: Where,
}

/// Round trips from the link's first frame to the last message, overhead in bytes, payload sends.
fn join(count: usize, missing: usize, cell: &Cell) -> (f64, usize, usize) {
    let config = Config {
        serve_burst: 64 << 20,
        ..Config::default()
    };
    let mut lab = Lab::new(2, &config, 1);
    // The history grew evenly over the last ten hours; each author's session began with its first message.
    let span = 36_000_000u64;
    let begin = START.as_millis() - span;
    let authors = cell.authors as usize;
    let mut items: Vec<Item> = (0..count)
        .map(|i| {
            let (author, turn) = (i % authors, (i / authors) as u64);
            let number = ((begin + author as u64 * 7) << 10) + turn;
            let sequence = if cell.proven {
                Sequence::Proven(number)
            } else {
                Sequence::Claimed(turn)
            };
            message(author as u32, sequence, 300)
        })
        .collect();
    if cell.place == Where::Scattered {
        items.shuffle(&mut lab.rng);
    }
    for (i, item) in items.iter().enumerate() {
        lab.publish(0, item);
        if i < count - missing {
            lab.publish(1, item);
        }
    }
    lab.run(ms(60_000));
    let sent = |lab: &Lab| lab.counts.overhead_bytes();
    let before = sent(&lab);
    lab.set_latency(0, 1, ms(50));
    lab.connect(0, 1);
    let linked = lab.now;
    lab.heard[1].clear();
    let mut waited = 0;
    while lab.heard[1].len() < missing && waited < 60 {
        lab.run(ms(1000));
        waited += 1;
    }
    let last = lab.heard[1].iter().map(|(at, _)| *at).max().unwrap_or(lab.now);
    assert_eq!(lab.heard[1].len(), missing, "all within a minute");
    println!("  {:?}", lab.counts);
    let items = lab.heard[1].len();
    (last.since(linked).as_secs_f64() / 0.1, sent(&lab) - before, items)
}

#[test]
fn a_late_joiner_needs_two_round_trips() {
    for cell in cells(&[10, 1000]) {
        let (trips, bytes, _) = join(10_000, 100, &cell);
        assert!(trips <= 2.0, "{trips} round trips");
        assert!(bytes <= 40_000, "{bytes} bytes");
    }
}

/// `cargo test --release -p handfast-gossip --test swarm late_joiner_figures -- --ignored --nocapture`
#[test]
#[ignore = "prints figures"]
fn late_joiner_figures() {
    println!("100,000 messages, 1,000 missing");
    for cell in cells(&[100, 10_000]) {
        let (trips, bytes, _) = join(100_000, 1_000, &cell);
        let (authors, numbers) = (cell.authors, if cell.proven { "proven" } else { "claimed" });
        println!(
            "{authors:6} authors, {numbers:7} {:9?}: {trips:.1} round trips, {bytes:6} bytes of overhead",
            cell.place
        );
        assert!(trips <= 2.0);
        assert!(bytes < 100_000);
    }
}

fn cells(authors: &[u32]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for &authors in authors {
        for proven in [true, false] {
            for place in [Where::Recent, Where::Scattered] {
                cells.push(Cell { authors, proven, place });
            }
        }
    }
    cells
}

#[test]
fn both_may_lack_very_much() {
    // As many on both sides, so that the counts say nothing; few enough for a sketch, and far too many.
    for (missing, most) in [(300, 60_000), (6_000, 1_500_000)] {
        let mut lab = Lab::new(2, &Config::default(), 1);
        let items: Vec<Item> = (0..20_000u32)
            .map(|i| {
                message(
                    i % 3_000,
                    Sequence::Proven((START.as_millis() << 10) + u64::from(i)),
                    100,
                )
            })
            .collect();
        for (i, item) in items.iter().enumerate() {
            if i >= missing {
                lab.publish(0, item);
            }
            if i < items.len() - missing {
                lab.publish(1, item);
            }
        }
        lab.run(ms(10_000));
        lab.connect(0, 1);
        lab.run(ms(20_000));
        assert_eq!(lab.nodes[0].history().len(), items.len());
        assert_eq!(lab.nodes[1].history().len(), items.len());
        println!("{missing} on each side: {:?}", lab.counts);
        assert!(lab.counts.overhead_bytes() <= most);
    }
}

#[test]
fn who_has_nothing_gets_everything_the_oldest_first() {
    let mut lab = Lab::new(2, &Config::default(), 1);
    let numbers = (START.as_millis() - 3000..).map(|made| made << 10);
    let mut items: Vec<Item> = (0..3000u32)
        .zip(numbers)
        .map(|(i, number)| message(i % 7, Sequence::Proven(number), 200))
        .collect();
    let names: Vec<_> = items.iter().map(|item| item.id).collect();
    items.shuffle(&mut lab.rng);
    for item in &items {
        lab.publish(0, item);
    }
    lab.connect(0, 1);
    lab.run(ms(1000));
    let heard: Vec<_> = lab.heard[1].iter().map(|(_, delivery)| delivery.item.id).collect();
    assert_eq!(heard.len(), 3000);
    assert!(
        heard == names,
        "a conversation arrives in the order in which it was held"
    );
    assert!(lab.heard[1].iter().all(|(_, delivery)| delivery.caught_up));
    assert!(lab.counts.overhead_bytes() < 1000, "{:?}", lab.counts);
}
