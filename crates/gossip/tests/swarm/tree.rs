//! The tree: few payloads, shallow, mended when links go.

use crate::lab::{Lab, author_number, ms};
use handfast_gossip::swarm::Config;
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
