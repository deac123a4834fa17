//! The tree: few payloads, shallow, mended when links go.

use crate::lab::{Lab, Lenient, START, author_number, message, ms};
use handfast_gossip::{
    Sequence,
    swarm::{Config, Frame, Output, Swarm},
};
use rand::RngExt;
use std::time::Duration;

/// One sender's rounds: (relative redundancy, last hop, time to everybody) of each.
fn rounds(lab: &mut Lab, senders: &[u32], count: usize) -> Vec<(f64, u16, Duration)> {
    let deliveries = lab.alive.iter().filter(|alive| **alive).count() - 1;
    (0..count)
        .map(|round| {
            let before = lab.counts.gossip();
            let begin = lab.now;
            let item = lab.say(senders[round % senders.len()]);
            lab.run(ms(3000));
            assert_eq!(lab.missing(std::slice::from_ref(&item), author_number), []);
            let sends = lab.counts.gossip() - before;
            let (hops, at) = lab
                .heard
                .iter()
                .flatten()
                .filter(|(_, delivery)| delivery.item.id == item.id)
                .fold((0, begin), |(hops, last), (at, delivery)| {
                    (hops.max(delivery.hops), last.max(*at))
                });
            (sends as f64 / deliveries as f64 - 1.0, hops, at.since(begin))
        })
        .collect()
}

fn mean(rounds: &[(f64, u16, Duration)]) -> f64 {
    rounds.iter().map(|(redundancy, ..)| redundancy).sum::<f64>() / rounds.len() as f64
}

#[test]
fn one_senders_payloads_take_each_link_of_a_tree_once() {
    for nodes in [100, 1000] {
        let mut lab = Lab::graph(nodes, 5, &Config::default(), 7);
        let rounds = rounds(&mut lab, &[3], 10);
        println!("{nodes} nodes: {rounds:?}");
        println!("redundancy after the first round {:.4}", mean(&rounds[1..]));
        assert!(mean(&rounds[1..]) <= 0.05, "payload sends per delivery exceed 1.05");
        let (hops, time) = if nodes == 100 { (9, ms(200)) } else { (13, ms(290)) };
        assert!(
            rounds.iter().all(|(_, last, at)| *last <= hops && *at <= time),
            "the tree is deep: {rounds:?}"
        );
        println!("{:?}", lab.counts);
    }
}

#[test]
fn several_senders_share_the_tree() {
    let mut lab = Lab::graph(300, 5, &Config::default(), 11);
    let rounds = rounds(&mut lab, &[3, 77, 150, 222], 40);
    println!("{rounds:?}");
    assert!(mean(&rounds[8..]) <= 0.05);
}

#[test]
fn a_mended_tree_is_a_tree_again() {
    let mut lab = Lab::graph(400, 6, &Config::default(), 3);
    let first = rounds(&mut lab, &[0], 3);
    // Half of all vanish at once, in the middle of a message; those that still hang together hear it all.
    let mut items = vec![lab.say(0)];
    lab.run(ms(40));
    let mut killed = 0;
    while killed < 200 {
        let victim = lab.rng.random_range(1..400);
        if lab.alive[victim as usize] {
            lab.alive[victim as usize] = false;
            killed += 1;
        }
    }
    let victims: Vec<u32> = (0..400).filter(|node| !lab.alive[*node as usize]).collect();
    for victim in victims {
        lab.kill(victim);
    }
    lab.bridge();
    let begin = lab.now;
    for _ in 0..20 {
        items.push(lab.say(0));
        lab.run(ms(100));
    }
    lab.run(ms(4000));
    assert_eq!(lab.missing(&items, author_number), []);
    // When each message was everywhere, after it was said.
    let late: Vec<u128> = items
        .iter()
        .map(|item| {
            let last = lab
                .heard
                .iter()
                .flatten()
                .filter(|(_, delivery)| delivery.item.id == item.id);
            let last = last.map(|(at, _)| *at).max().unwrap_or(begin);
            last.since(begin).as_millis()
        })
        .collect();
    println!("before {first:?}\neverywhere after {late:?} ms, said every 100 ms");
    assert!(late.iter().enumerate().all(|(i, late)| *late <= i as u128 * 100 + 3000));
    let after = rounds(&mut lab, &[0], 10);
    println!("after {after:?}");
    assert!(mean(&after) <= 0.1 && mean(&after[3..]) <= 0.05, "{after:?}");
}

#[test]
fn links_that_change_cost_few_payloads() {
    let mut lab = Lab::graph(200, 5, &Config::default(), 9);
    rounds(&mut lab, &[0], 2);
    let mut redundancy = Vec::new();
    for _ in 0..50 {
        // One link in a hundred is replaced for each message.
        for _ in 0..5 {
            let (a, b) = (lab.rng.random_range(0..200), lab.rng.random_range(0..200));
            if a != b {
                lab.connect(a, b);
            }
            let links: Vec<_> = lab.links.iter().copied().collect();
            let (a, b) = links[lab.rng.random_range(0..links.len())];
            lab.disconnect(a, b);
            lab.bridge();
        }
        redundancy.push(rounds(&mut lab, &[0], 1)[0]);
    }
    println!("mean {} {redundancy:?}", mean(&redundancy));
    assert!(mean(&redundancy) <= 0.05);
}

#[test]
fn a_path_that_becomes_much_faster_is_taken() {
    // A ring: the message meets itself on the far side. Then one way round becomes slow.
    let mut lab = Lab::new(10, &Config::default(), 1);
    for node in 0..10 {
        lab.set_latency(node, (node + 1) % 10, ms(20));
        lab.connect(node, (node + 1) % 10);
    }
    rounds(&mut lab, &[0], 3);
    lab.set_latency(0, 1, ms(400));
    let rounds = rounds(&mut lab, &[0], 15);
    println!("{rounds:?}");
    assert!(rounds[12..].iter().all(|(.., at)| *at <= ms(200)), "{rounds:?}");
    assert!(mean(&rounds) <= 0.1 && mean(&rounds[12..]) == 0.0, "{rounds:?}");
}

/// `cargo test --release -p handfast-gossip --test swarm ten_thousand -- --ignored --nocapture`
#[test]
#[ignore = "takes a minute without optimisation"]
fn ten_thousand_nodes() {
    let mut lab = Lab::graph(10_000, 5, &Config::default(), 1);
    let rounds = rounds(&mut lab, &[3], 10);
    println!("{rounds:?}\n{:?}", lab.counts);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!(
        "{:?}",
        status.lines().filter(|line| line.starts_with("Vm")).collect::<Vec<_>>()
    );
}

#[test]
fn a_payload_from_a_link_that_was_just_given_up_leaves_no_node_without_a_parent() {
    let (mut swarm, mut rules, now) = (
        Swarm::<u32>::new(Config::default(), [1; 32], START),
        Lenient::default(),
        START,
    );
    let drain = |swarm: &mut Swarm<u32>, rules: &mut Lenient| -> Vec<Output<u32>> {
        std::iter::from_fn(|| swarm.poll(rules, now)).collect()
    };
    for peer in 1..=3 {
        swarm.neighbour_up(peer, now);
    }
    let item = message(7, Sequence::Proven(START.as_millis() << 10), 100);
    let gossip = Frame::Gossip {
        id: item.id,
        hops: 2,
        body: item.body.clone(),
    };
    drain(&mut swarm, &mut rules);
    swarm.neighbour_down(&1, now);
    drain(&mut swarm, &mut rules);
    // It was on its way when the link was given up.
    swarm.handle(1, gossip.clone(), now);
    drain(&mut swarm, &mut rules);
    swarm.handle(2, gossip.clone(), now);
    let answers = drain(&mut swarm, &mut rules);
    assert!(
        matches!(&answers[..], [Output::Send { to: 2, frame: Frame::Graft(names) }] if names.is_empty()),
        "{answers:?}"
    );
    // One parent is enough.
    swarm.handle(3, gossip, now);
    let answers = drain(&mut swarm, &mut rules);
    assert!(
        matches!(
            &answers[..],
            [Output::Send {
                to: 3,
                frame: Frame::Prune
            }]
        ),
        "{answers:?}"
    );
}

#[test]
fn a_payload_that_crosses_the_prune_of_its_link_makes_the_link_the_tree_again_on_both_sides() {
    let now = START;
    let mut swarm: Swarm<u32> = Swarm::new(Config::default(), [1; 32], now);
    let mut rules = Lenient::default();
    let mut push = |swarm: &mut Swarm<u32>, from: u32, number: u64| -> Vec<(u32, Frame)> {
        let item = message(9, Sequence::Proven((START.as_millis() << 10) + number), 300);
        let (id, body) = (item.id, item.body.clone());
        swarm.handle(from, Frame::Gossip { id, hops: 1, body }, now);
        std::iter::from_fn(|| swarm.poll(&mut rules, now))
            .filter_map(|output| match output {
                Output::Send { to, frame } if matches!(frame, Frame::Prune | Frame::Graft(_)) => Some((to, frame)),
                _ => None,
            })
            .collect()
    };
    swarm.neighbour_up(1, now);
    swarm.neighbour_up(2, now);
    push(&mut swarm, 1, 1);
    assert_eq!(push(&mut swarm, 2, 1), [(2, Frame::Prune)]);
    // 2 has not heard that yet, and its next payload comes first. If it is to be the parent, it must be told.
    assert_eq!(push(&mut swarm, 2, 2), [(2, Frame::Graft(Vec::new()))]);
    assert!(swarm.is_eager(&2));
    assert_eq!(push(&mut swarm, 1, 2), [(1, Frame::Prune)]);
}
