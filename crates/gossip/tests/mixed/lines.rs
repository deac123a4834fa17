//! Lines, stars and meshes that mix ours and theirs.

use crate::{n, network::Network};
use handfast_gossip::secure::Config;
use proptest::prelude::*;
use std::time::Duration;

/// A node for each letter: `o` is ours, `s` is the original.
fn nodes(network: &mut Network, kinds: &str) -> Vec<usize> {
    let kinds = kinds.chars();
    kinds
        .map(|kind| {
            if kind == 'o' {
                network.ours(Config::default())
            } else {
                network.original()
            }
        })
        .collect()
}

fn everybody_says_something(network: &mut Network, nodes: &[usize], count: u64) {
    network.run(Duration::from_secs(1));
    for round in 0..count {
        for &node in nodes {
            network.publish(node, &n(node as u64 * 1000 + round));
        }
        network.run(Duration::from_millis(130));
    }
    network.run(Duration::from_secs(8));
}

fn expected(nodes: &[usize], me: usize, count: u64) -> Vec<u64> {
    let others = nodes.iter().filter(|node| **node != me);
    others
        .flat_map(|node| (0..count).map(move |round| *node as u64 * 1000 + round))
        .collect()
}

#[test]
fn every_mixed_line_of_four_delivers_everything_exactly_once() {
    for kinds in 0..16 {
        let kinds: String = (0..4)
            .map(|bit| if kinds >> bit & 1 == 1 { 'o' } else { 's' })
            .collect();
        let mut network = Network::new(1);
        network.latency = 20_000;
        let nodes = nodes(&mut network, &kinds);
        for pair in nodes.windows(2) {
            network.join(pair[0], pair[1]);
        }
        everybody_says_something(&mut network, &nodes, 5);
        for &node in &nodes {
            assert_eq!(network.heard(node), expected(&nodes, node, 5), "{kinds}, node {node}");
        }
    }
}

#[test]
fn stars_with_either_kind_in_the_middle_deliver_everything_exactly_once() {
    for kinds in ["ososo", "sosos", "osssss", "sooooo"] {
        let mut network = Network::new(2);
        network.latency = 20_000;
        let nodes = nodes(&mut network, kinds);
        for &node in &nodes[1..] {
            network.join(nodes[0], node);
        }
        everybody_says_something(&mut network, &nodes, 5);
        for &node in &nodes {
            assert_eq!(network.heard(node), expected(&nodes, node, 5), "{kinds}, node {node}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn in_any_connected_mesh_each_of_ours_hears_everything_exactly_once(
        seed: u64,
        kinds in "[os]{2,7}",
        extra in prop::collection::vec((0usize..7, 0usize..7), 0..8),
        latency in 0u64..60_000,
    ) {
        let mut network = Network::new(seed);
        network.latency = latency;
        let nodes = nodes(&mut network, &kinds);
        for node in 1..nodes.len() {
            network.join(nodes[node], nodes[(seed as usize).wrapping_mul(node) % node]);
        }
        for (a, b) in extra {
            let (a, b) = (a % nodes.len(), b % nodes.len());
            if a != b {
                network.join(nodes[a], nodes[b]);
            }
        }
        everybody_says_something(&mut network, &nodes, 4);
        for &node in &nodes {
            let mut heard = network.heard(node);
            let wanted = expected(&nodes, node, 4);
            if kinds.as_bytes()[node] == b'o' {
                // What only the original could have brought may be lost on the way, since it drops what comes out of order;
                // with latencies below its round that does not happen.
                prop_assert_eq!(&heard, &wanted, "node {}", node);
            } else {
                heard.dedup();
                prop_assert_eq!(&heard, &network.heard(node), "the original hears nothing twice");
            }
        }
    }
}
