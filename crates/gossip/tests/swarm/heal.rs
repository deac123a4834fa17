//! Whatever is lost, everybody hears everything: loss, reordering, links that come and go, partitions.

use crate::lab::{Lab, author, author_number, message, ms};
use handfast_gossip::{
    Item, Sequence,
    swarm::{Config, Order},
};
use rand::RngExt;

/// Lets a lab go on until everybody has everything, and says after how many seconds that was.
fn settle(lab: &mut Lab, items: &[Item], seconds: u64, what: &str) -> u64 {
    for second in 0..seconds {
        if lab.missing(items, author_number).is_empty() {
            return second;
        }
        lab.run(ms(1000));
    }
    let missing = lab.missing(items, author_number);
    assert!(
        missing.is_empty(),
        "{what}: {} of {} miss: {missing:?}",
        missing.len(),
        items.len()
    );
    seconds
}

#[test]
fn a_fifth_of_all_frames_may_be_lost_and_all_reordered() {
    let mut longest = 0;
    for seed in 0..200 {
        let mut lab = Lab::graph(20, 5, &Config::default(), seed);
        lab.loss = 0.2;
        lab.jitter = ms(60);
        let mut items = Vec::new();
        for _ in 0..30 {
            let node = lab.rng.random_range(0..20);
            items.push(lab.say(node));
            let pause = lab.rng.random_range(0..300);
            lab.run(ms(pause));
        }
        longest = longest.max(settle(&mut lab, &items, 120, &format!("seed {seed}")));
        assert_eq!(lab.faults, []);
    }
    println!("the slowest was whole after {longest} s");
}

#[test]
fn links_may_come_and_go_while_many_speak() {
    let mut longest = 0;
    for seed in 0..100 {
        let mut lab = Lab::graph(25, 4, &Config::default(), seed);
        lab.loss = 0.05;
        lab.jitter = ms(20);
        let mut items = Vec::new();
        for _ in 0..40 {
            let node = lab.rng.random_range(0..25);
            items.push(lab.say(node));
            // A link is replaced by another one, as an overlay does it: the new one first.
            let (a, b) = (lab.rng.random_range(0..25), lab.rng.random_range(0..25));
            if a != b {
                lab.connect(a, b);
            }
            let links: Vec<_> = lab.links.iter().copied().collect();
            let (a, b) = links[lab.rng.random_range(0..links.len())];
            lab.disconnect(a, b);
            if !lab.is_connected() {
                lab.connect(a, b);
            }
            let pause = lab.rng.random_range(0..200);
            lab.run(ms(pause));
        }
        longest = longest.max(settle(&mut lab, &items, 60, &format!("seed {seed}")));
    }
    println!("the slowest was whole after {longest} s");
}

#[test]
fn nodes_may_die_while_one_speaks() {
    for seed in 0..50 {
        let mut lab = Lab::graph(60, 6, &Config::default(), seed);
        let mut items = Vec::new();
        for _ in 0..20 {
            items.push(lab.say(0));
            lab.run(ms(100));
            let victim = lab.rng.random_range(1..60);
            if lab.hangs_together_without(victim) {
                lab.kill(victim);
            }
        }
        let took = settle(&mut lab, &items, 20, &format!("seed {seed}"));
        assert!(took <= 5, "seed {seed}: {took} s");
    }
}

#[test]
fn a_partition_heals() {
    for (seed, silent) in [(1, true), (2, false), (3, true), (4, false)] {
        let mut lab = Lab::graph(40, 5, &Config::default(), seed);
        let mut items = vec![lab.say(0)];
        lab.run(ms(2000));
        let crossing: Vec<_> = lab
            .links
            .iter()
            .copied()
            .filter(|(a, b)| (*a < 20) != (*b < 20))
            .collect();
        if silent {
            lab.cut = Some(20);
        } else {
            for (a, b) in &crossing {
                lab.disconnect(*a, *b);
            }
        }
        for round in 0..40 {
            items.push(lab.say(round));
            lab.run(ms(400));
        }
        lab.cut = None;
        if !silent {
            // As few links as will do, as when the first node of the other half is found.
            for (a, b) in crossing {
                if !lab.is_connected() {
                    lab.connect(a, b);
                }
            }
        }
        let took = settle(&mut lab, &items, 70, &format!("seed {seed}"));
        println!("silent {silent}: whole after {took} s");
        assert!(took <= if silent { 65 } else { 10 });
    }
}

#[test]
fn each_authors_messages_come_in_order_if_that_is_asked_for() {
    let config = Config {
        order: Order::PerAuthor,
        ..Config::default()
    };
    for seed in 0..20 {
        let mut lab = Lab::graph(10, 4, &config, seed);
        lab.jitter = ms(200);
        let mut items = Vec::new();
        for _ in 0..50 {
            items.push(lab.say(3));
            items.push(lab.say(7));
            lab.run(ms(10));
        }
        settle(&mut lab, &items, 30, &format!("seed {seed}"));
        for heard in &lab.heard {
            for speaker in [3, 7] {
                let numbers: Vec<u64> = heard
                    .iter()
                    .filter(|(_, delivery)| delivery.item.author == author(speaker))
                    .map(|(_, delivery)| delivery.item.sequence.number())
                    .collect();
                assert!(numbers.is_sorted(), "seed {seed}: {numbers:?}");
            }
        }
    }
}

#[test]
fn a_gap_that_stays_delays_and_does_not_stop() {
    let config = Config {
        order: Order::PerAuthor,
        ..Config::default()
    };
    let mut lab = Lab::new(2, &config, 1);
    lab.connect(0, 1);
    let number = 1_800_000_000_000 << 10;
    for gap in [0, 5, 6] {
        let item = message(0, Sequence::Proven(number + gap), 100);
        lab.publish(0, &item);
    }
    lab.run(ms(1900));
    assert_eq!(lab.heard[1].len(), 1);
    lab.run(ms(200));
    assert_eq!(lab.heard[1].len(), 3);
}

#[test]
fn what_was_missed_is_made_up_for_while_others_go_on_talking() {
    let mut longest = 0;
    for seed in 0..20 {
        let mut lab = Lab::graph(60, 5, &Config::default(), seed);
        // Three nodes know nobody for two seconds.
        let lost = [57, 58, 59];
        let links: Vec<_> = lab.links.iter().copied().collect();
        lab.say(0);
        lab.run(ms(1000));
        for (a, b) in &links {
            if lost.contains(a) || lost.contains(b) {
                lab.disconnect(*a, *b);
            }
        }
        let mut missed = Vec::new();
        for _ in 0..8 {
            missed.push(lab.say(0));
            lab.run(ms(250));
        }
        lab.connect(59, 3);
        lab.connect(59, 58);
        lab.connect(58, 57);
        let mut took = 0;
        while !lab.missing(&missed, author_number).is_empty() {
            lab.say(0);
            lab.run(ms(250));
            took += 250;
            assert!(took < 60_000, "seed {seed}: not within a minute");
        }
        longest = longest.max(took);
    }
    println!("the slowest was whole after {longest} ms");
    assert!(longest <= 5000, "{longest} ms");
}
