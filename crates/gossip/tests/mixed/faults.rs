//! Each fault of the original that was measured, and what becomes of it here.

use crate::{
    n,
    network::{Network, keys},
    original::line,
};
use handfast_gossip::{
    Rate, Sequence,
    secure::{Config, Fault, LINE_MAX, Message},
    swarm::{self, Order},
};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// One of ours with a stream whose other end is in the test's hands; it says nothing of our kind.
fn one_of_ours(config: Config) -> (Network, usize, usize) {
    let mut network = Network::new(9);
    let ours = network.ours(config);
    let stranger = network.original();
    let edge = network.join(ours, stranger);
    network.rounds = false;
    (network, ours, edge)
}

#[test]
fn fault_1_and_2_each_message_crosses_a_link_once_and_never_back() {
    let mut network = Network::new(1);
    let nodes: Vec<_> = (0..6)
        .map(|_| {
            network.ours(Config {
                negotiate: false,
                ..Config::default()
            })
        })
        .collect();
    for a in 0..6 {
        for b in 0..a {
            network.join(nodes[a], nodes[b]);
        }
    }
    network.run(SECOND);
    network.publish(nodes[0], &n(77));
    network.run(SECOND);
    for &node in &nodes[1..] {
        assert_eq!(network.heard(node), [77]);
    }
    // The original needs 2·E = 30. Here the author sends 5, and nobody sends to whom it had the message from.
    assert!(
        network.sends("\"n\":77") <= 5 + 4 * 5,
        "{} sends",
        network.sends("\"n\":77")
    );
}

#[test]
fn fault_2_the_sender_gets_no_echo() {
    let mut network = Network::new(1);
    let (original, ours) = (network.original(), network.ours(Config::default()));
    let edge = network.join(original, ours);
    network.publish(original, &n(5));
    network.run(SECOND);
    assert_eq!(network.heard(ours), [5]);
    let to_original = String::from_utf8_lossy(network.log(edge, original)).into_owned();
    assert!(
        to_original.starts_with("{\"sg2\"") && !to_original.contains("\"n\":5"),
        "{to_original}"
    );
}

#[test]
fn fault_3_who_comes_late_gets_the_history_in_order() {
    let mut network = Network::new(1);
    let config = Config {
        replay: 3,
        ..Config::default()
    };
    let (ours, early) = (network.ours(config.clone()), network.original());
    network.join(ours, early);
    for number in 0..6 {
        network.publish(ours, &n(number));
        network.publish(early, &n(100 + number));
    }
    network.run(SECOND);
    let (late_original, late_ours) = (network.original(), network.ours(config));
    network.join(ours, late_original);
    network.join(ours, late_ours);
    network.run(5 * SECOND);
    assert_eq!(
        network.heard(late_original),
        [3, 4, 5, 103, 104, 105],
        "the last three of each author"
    );
    let of_ours: Vec<_> = network
        .heard_in_order(late_original)
        .into_iter()
        .filter(|n| *n < 100)
        .collect();
    assert_eq!(of_ours, [3, 4, 5]);
    assert_eq!(
        network.heard(late_ours).len(),
        12,
        "peers of our kind catch up on everything"
    );
}

#[test]
fn fault_4_what_is_published_without_peers_waits_for_them() {
    let mut network = Network::new(1);
    let ours = network.ours(Config::default());
    network.publish(ours, &n(1));
    network.run(10 * SECOND);
    let (original, other) = (network.original(), network.ours(Config::default()));
    network.join(ours, original);
    network.join(ours, other);
    network.run(5 * SECOND);
    assert_eq!(network.heard(original), [1]);
    assert_eq!(network.heard(other), [1]);
}

#[test]
fn fault_5_a_restarted_author_is_heard_at_once() {
    let mut network = Network::new(1);
    let original = network.original();
    for run in 0..3 {
        let ours = network.ours_with(keys(200), Config::default());
        let edge = network.join(ours, original);
        for number in 0..5 {
            network.publish(ours, &n(run * 10 + number));
        }
        network.run(SECOND);
        network.part(edge);
    }
    assert_eq!(
        network.heard(original),
        [0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 20, 21, 22, 23, 24]
    );
}

#[test]
fn fault_6_a_relay_that_rewrites_a_number_silences_nobody() {
    let (mut network, ours, edge) = one_of_ours(Config::default());
    let honest = network.original();
    network.join(ours, honest);
    let author = keys(99);
    let absurd = ((1u64 << 53) - 1).to_string();
    network.inject(edge, ours, &line(&author, &n(0), "0"));
    network.inject(edge, ours, &line(&author, &n(1), &absurd));
    network.run(SECOND);
    network.round(honest);
    for number in 2..5 {
        network.inject(edge, ours, &line(&author, &n(number), &number.to_string()));
        network.run(SECOND);
    }
    assert_eq!(network.heard(ours), [0, 1, 2, 3, 4], "at ours nothing is lost");
    assert_eq!(
        network.heard(honest),
        [0, 2, 3, 4],
        "and the absurd number does not reach the original to mute the author"
    );
    assert_eq!(network.sends(&absurd), 0);
}

#[test]
fn fault_6_the_true_number_arriving_later_takes_the_message_to_the_original_after_all() {
    let (mut network, ours, edge) = one_of_ours(Config::default());
    let honest = network.original();
    network.join(ours, honest);
    let author = keys(99);
    network.inject(edge, ours, &line(&author, &n(0), "0"));
    network.inject(edge, ours, &line(&author, &n(1), "9007199254740991"));
    network.run(SECOND);
    assert_eq!(network.heard(honest), [0]);
    network.inject(edge, ours, &line(&author, &n(1), "1"));
    network.run(SECOND);
    assert_eq!(network.heard(honest), [0, 1]);
    assert_eq!(network.heard(ours), [0, 1]);
}

#[test]
fn fault_6_an_author_that_proves_its_numbers_cannot_be_muted_by_a_relay_that_strips_the_proof() {
    let (mut network, ours, edge) = one_of_ours(Config::default());
    let honest = network.original();
    network.join(ours, honest);
    let author = keys(99);
    let number = 1_800_000_000_000 * 1024;
    let proven = |number, at| {
        let mut line = Message::sign(&author, &n(number), at).unwrap().line().to_vec();
        line.push(b'\n');
        line
    };
    network.inject(edge, ours, &proven(0, number));
    network.inject(edge, ours, &line(&author, &n(1), &(number + 4000).to_string()));
    network.inject(edge, ours, &proven(2, number + 2));
    network.run(SECOND);
    assert_eq!(network.heard(ours), [0, 1, 2]);
    assert_eq!(network.heard(honest), [0, 2]);
    network.inject(edge, ours, &proven(1, number + 3));
    network.run(SECOND);
    assert_eq!(network.heard(honest), [0, 1, 2]);
}

#[test]
fn fault_7_a_replay_under_a_higher_number_is_no_new_message() {
    let (mut network, ours, edge) = one_of_ours(Config::default());
    let honest = network.original();
    network.join(ours, honest);
    for number in 0..5u32 {
        network.inject(edge, ours, &line(&keys(99), &n(7), &number.to_string()));
        network.run(SECOND);
    }
    assert_eq!(network.heard(ours), [7]);
    assert_eq!(network.heard(honest), [7]);
}

#[test]
fn fault_8_messages_out_of_order_are_all_delivered_and_put_in_order_for_the_original() {
    let (mut network, ours, edge) = one_of_ours(Config::default());
    let honest = network.original();
    network.join(ours, honest);
    network.run(SECOND);
    for number in [0u64, 2, 1, 3] {
        network.inject(edge, ours, &line(&keys(99), &n(number), &number.to_string()));
    }
    network.run(SECOND);
    assert_eq!(network.heard_in_order(ours), [0, 2, 1, 3]);
    assert_eq!(network.heard_in_order(honest), [0, 1, 2, 3]);
}

#[test]
fn fault_8_numbers_and_order_do_not_suppress_what_has_equal_numbers() {
    let (mut network, ours, edge) = one_of_ours(Config::default());
    network.inject(edge, ours, &line(&keys(99), &n(1), "1"));
    network.inject(edge, ours, &line(&keys(99), &n(2), "1"));
    assert_eq!(network.heard(ours), [1, 2]);
}

#[test]
fn fault_9_numbers_that_are_none_lose_nothing_here_and_go_no_further_than_ours() {
    let (mut network, ours, edge) = one_of_ours(Config::default());
    let (honest, other) = (network.original(), network.ours(Config::default()));
    network.join(ours, honest);
    network.join(ours, other);
    network.run(SECOND);
    for (number, text) in ["", "0.5", "\"7\"", "\"x\"", "-3", "1e300", "null", "{}"]
        .into_iter()
        .enumerate()
    {
        network.inject(edge, ours, &line(&keys(99), &n(number as u64), text));
        // Each is accepted by the original every time it comes; here it is one message.
        network.inject(edge, ours, &line(&keys(99), &n(number as u64), text));
    }
    network.run(5 * SECOND);
    assert_eq!(network.heard(ours), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(network.heard(other), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(network.heard(honest), [0u64; 0]);
    network.inject(edge, ours, &line(&keys(99), &n(8), "8"));
    network.run(SECOND);
    assert_eq!(network.heard(honest), [8], "the comparison is not poisoned");
}

#[test]
fn fault_9_what_is_neither_signed_nor_known_is_not_passed_on() {
    let (mut network, ours, edge) = one_of_ours(Config::default());
    let honest = network.original();
    let behind = network.join(ours, honest);
    let line = String::from_utf8(line(&keys(99), &n(3), "3")).unwrap();
    let padded = line.replacen('{', "{ \"padding\" : \"covert\",", 1);
    network.inject(edge, ours, padded.as_bytes());
    network.run(SECOND);
    assert_eq!(network.heard(honest), [3]);
    let log = String::from_utf8_lossy(network.log(behind, honest)).into_owned();
    assert!(log.ends_with(&line), "{log}");
}

#[test]
fn fault_10_a_closed_stream_is_forgotten() {
    let mut network = Network::new(1);
    let (ours, original) = (network.ours(Config::default()), network.original());
    for _ in 0..10 {
        let edge = network.join(ours, original);
        network.part(edge);
    }
    assert!(network.links(ours).is_empty());
    network.publish(ours, &n(1));
    network.run(SECOND);
}

#[test]
fn fault_11_a_peer_of_the_original_that_does_not_read_costs_bounded_memory_and_is_dropped_in_the_end() {
    let config = Config::default();
    let mut network = Network::new(1);
    let (ours, original) = (network.ours(config.clone()), network.original());
    let edge = network.join(ours, original);
    network.run(SECOND);
    network.deafen(edge, original);
    let text = "x".repeat(60_000);
    let content = handfast_json::parse(format!("{{\"text\":\"{text}\"}}")).unwrap();
    let link = network.first_link(ours);
    for _ in 0..300 {
        network.publish(ours, &content);
        network.run(Duration::from_millis(110));
        let state = network.links(ours).state(link).unwrap();
        assert!(state.waiting <= config.outbox + (128 << 10), "{state:?}");
    }
    assert!(network.links(ours).state(link).unwrap().lost > 0);
    network.run(2 * config.patience);
    assert_eq!(network.nodes[ours].faults, [Fault::Unread]);
}

#[test]
fn fault_11_a_peer_of_ours_that_does_not_read_gets_announcements_and_then_everything() {
    let mut network = Network::new(1);
    let (a, b) = (network.ours(Config::default()), network.ours(Config::default()));
    let edge = network.join(a, b);
    network.run(2 * SECOND);
    network.deafen(edge, b);
    let link = network.first_link(a);
    let text = "x".repeat(60_000);
    for number in 0..200 {
        let content = handfast_json::parse(format!("{{\"n\":{number},\"text\":\"{text}\"}}")).unwrap();
        network.publish(a, &content);
        network.run(Duration::from_millis(1));
        let state = network.links(a).state(link).unwrap();
        assert!(state.waiting <= 1 << 20, "{state:?}");
    }
    network.hearken(edge, b);
    network.run(30 * SECOND);
    assert_eq!(network.heard(b).len(), 200);
}

#[test]
fn fault_12_one_author_gets_no_more_than_its_rate() {
    let author = Rate {
        per_second: 1,
        burst: 10,
    };
    let (mut network, ours, edge) = one_of_ours(Config {
        author,
        ..Config::default()
    });
    for number in 0..50u64 {
        network.inject(edge, ours, &line(&keys(99), &n(number), &number.to_string()));
    }
    network.inject(edge, ours, &line(&keys(98), &n(1000), "0"));
    assert_eq!(
        network.heard(ours).len(),
        11,
        "ten of the flood, and the other author's"
    );
}

#[test]
fn fault_12_lines_beyond_the_limit_are_skipped_and_the_stream_goes_on() {
    let (mut network, ours, edge) = one_of_ours(Config::default());
    let mut long = vec![b'x'; 5 << 20];
    long.push(b'\n');
    network.inject(edge, ours, &long);
    network.inject(edge, ours, &line(&keys(99), &n(1), "0"));
    assert_eq!(network.heard(ours), [1]);
    let content = handfast_json::parse(format!("{{\"text\":\"{}\"}}", "x".repeat(LINE_MAX))).unwrap();
    let refused = network.links(ours).publish(&content, handfast_gossip::Time::default());
    assert!(refused.unwrap_err().to_string().contains("in parts or by reference"));
}

#[test]
fn fault_12_whoever_sends_nothing_but_forgeries_is_dropped() {
    let (mut network, ours, edge) = one_of_ours(Config::default());
    let forged = String::from_utf8(line(&keys(99), &n(1), "0"))
        .unwrap()
        .replace("\"n\":1", "\"n\":2");
    for _ in 0..1_100 {
        network.inject(edge, ours, forged.as_bytes());
    }
    assert_eq!(network.nodes[ours].faults, [Fault::Unsound]);
    assert_eq!(network.heard(ours), [0u64; 0]);
}

#[test]
fn fault_12_the_history_is_bounded_and_forgotten_messages_are_not_taken_again() {
    let swarm = swarm::Config {
        history_messages: 10,
        ..Config::default().swarm
    };
    let (mut network, ours, edge) = one_of_ours(Config {
        swarm,
        ..Config::default()
    });
    for _ in 0..2 {
        for number in 0..50u64 {
            network.inject(edge, ours, &line(&keys(99), &n(number), &number.to_string()));
        }
    }
    assert_eq!(network.links(ours).history().len(), 10);
    assert_eq!(network.heard(ours).len(), 50);
}

#[test]
fn fault_13_only_objects_without_a_signature_of_their_own_are_published() {
    let mut network = Network::new(1);
    let ours = network.ours(Config::default());
    let now = network.now;
    for (text, found) in [
        ("\"str\"", "a text"),
        ("5", "a number"),
        ("null", "null"),
        ("[1,2]", "an array"),
        ("true", "a truth value"),
    ] {
        let error = network
            .links(ours)
            .publish(&handfast_json::parse(text).unwrap(), now)
            .unwrap_err()
            .to_string();
        assert!(error.contains(found) && error.contains("{\"text\": …}"), "{error}");
    }
    let error = network
        .links(ours)
        .publish(&handfast_json::parse("{\"signature\":1}").unwrap(), now)
        .unwrap_err();
    assert!(error.to_string().contains("choose another name"), "{error}");
}

#[test]
fn publishing_the_same_again_is_another_message_even_after_a_restart() {
    let mut network = Network::new(1);
    let (original, other) = (network.original(), network.ours(Config::default()));
    for _ in 0..2 {
        let ours = network.ours_with(keys(200), Config::default());
        let edges = [network.join(ours, original), network.join(ours, other)];
        network.publish(ours, &n(1));
        network.run(SECOND);
        network.publish(ours, &n(1));
        network.run(SECOND);
        edges.into_iter().for_each(|edge| network.part(edge));
    }
    assert_eq!(network.heard(original), [1; 4]);
    assert_eq!(network.heard(other), [1; 4]);
}

#[test]
fn on_request_each_authors_messages_are_delivered_in_order() {
    let swarm = swarm::Config {
        order: Order::PerAuthor,
        ..Config::default().swarm
    };
    let (mut network, ours, edge) = one_of_ours(Config {
        swarm,
        ..Config::default()
    });
    for number in [0u64, 2, 1, 3] {
        network.inject(edge, ours, &line(&keys(99), &n(number), &number.to_string()));
    }
    network.run(10 * SECOND);
    assert_eq!(network.heard_in_order(ours), [0, 1, 2, 3]);
}

#[test]
fn a_number_that_its_author_signed_arrives_as_proven_through_the_original() {
    let mut network = Network::new(1);
    let (a, original, b) = (
        network.ours(Config::default()),
        network.original(),
        network.ours(Config::default()),
    );
    network.join(a, original);
    network.join(original, b);
    network.publish(a, &n(1));
    network.run(2 * SECOND);
    assert_eq!(network.heard(b), [1]);
    let proven: Vec<_> = network.links(b).history().iter().map(|item| item.sequence).collect();
    assert!(matches!(proven[..], [Sequence::Proven(_)]), "{proven:?}");
}
