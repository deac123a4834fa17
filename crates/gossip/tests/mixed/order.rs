//! What the original gets in order although it came out of order over links of our kind.

use crate::{n, network::Network};
use handfast_gossip::secure::Config;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// The author, the relay and the original on a line: what the author says first comes to the relay by catch-up, what it says
/// later down the tree, which is quicker.
#[test]
fn what_is_said_while_two_of_ours_find_each_other_reaches_the_original_in_order() {
    for seed in 0..20 {
        let mut network = Network::new(seed);
        network.latency = 60_000;
        let (author, relay, original) = (
            network.ours(Config::default()),
            network.ours(Config::default()),
            network.original(),
        );
        network.join(relay, original);
        network.run(SECOND);
        network.join(author, relay);
        for number in 0..60 {
            network.publish(author, &n(number));
            network.run(Duration::from_millis(5));
        }
        network.run(8 * SECOND);
        assert_eq!(network.heard(relay).len(), 60, "seed {seed}");
        assert_eq!(
            network.heard_in_order(original),
            (0..60).collect::<Vec<_>>(),
            "seed {seed}"
        );
    }
}

#[test]
fn what_was_said_before_there_was_a_link_reaches_the_original_before_what_is_said_then() {
    let mut network = Network::new(3);
    network.latency = 60_000;
    let (author, relay, original) = (
        network.ours(Config::default()),
        network.ours(Config::default()),
        network.original(),
    );
    // Long enough that it does not come in one frame.
    let text = "x".repeat(20_000);
    let long = |number: u64| handfast_json::parse(format!("{{\"n\":{number},\"text\":\"{text}\"}}")).unwrap();
    network.join(relay, original);
    for number in 0..20 {
        network.publish(author, &long(number));
    }
    network.run(SECOND);
    network.join(author, relay);
    for number in 20..60 {
        network.run(Duration::from_millis(15));
        network.publish(author, &long(number));
    }
    network.run(8 * SECOND);
    assert_eq!(network.heard_in_order(original), (0..60).collect::<Vec<_>>());
}

/// What never comes is not waited for without end, and an original that comes meanwhile gets nothing out of order either.
#[test]
fn a_message_whose_predecessors_are_lost_goes_on_after_a_while() {
    let mut network = Network::new(4);
    let config = Config {
        swarm: handfast_gossip::swarm::Config {
            history_messages: 5,
            ..Config::default().swarm
        },
        ..Config::default()
    };
    let (author, relay, original) = (
        network.ours(config.clone()),
        network.ours(Config::default()),
        network.original(),
    );
    network.join(relay, original);
    for number in 0..20 {
        network.publish(author, &n(number));
    }
    network.join(author, relay);
    network.run(SECOND);
    assert_eq!(network.heard(relay), [15, 16, 17, 18, 19]);
    assert_eq!(network.heard(original), [0u64; 0], "it may be that more comes");
    let late = network.original();
    network.join(relay, late);
    network.run(3 * SECOND);
    for node in [original, late] {
        assert_eq!(network.heard_in_order(node), [15, 16, 17, 18, 19]);
    }
}
