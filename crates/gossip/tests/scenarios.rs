//! Scenarios: how they are read, and what comes of them.
#![cfg(feature = "simulate")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use handfast_gossip::sim::{self, Latency, Report, Scenario, scenario};
use std::{ops::ControlFlow, time::Duration};

fn run(toml: &str, seed: u64) -> Report {
    let scenario = Scenario::from_toml(toml).unwrap();
    sim::run(&scenario, seed, &mut |_| ControlFlow::Continue(()))
        .unwrap()
        .unwrap()
}

#[test]
fn every_key_may_be_left_out_and_what_is_written_is_read_again() {
    let usual = Scenario::from_toml("").unwrap();
    assert_eq!(usual, Scenario::default());
    assert_eq!(Scenario::from_toml(&usual.to_toml()).unwrap(), usual);

    let text = r#"
        about = "all of it"
        mode = "links"
        nodes = 50
        seed = 7
        warm_up = "1m"
        [network]
        loss = 0.1
        jitter = "5ms"
        latency.normal = { mean = "30ms", deviation = "10ms" }
        [join]
        contacts = 3
        crowd = false
        over = "10s"
        [links]
        graph = { random = 4 }
        [traffic]
        senders = 2
        every = "250ms"
        [churn]
        per_minute = 0.05
        [[failure]]
        at = "5s"
        share = 0.5
        silent = false
        [[failure]]
        [[hostile]]
        kind = "replay"
        share = 0.1
    "#;
    let scenario = Scenario::from_toml(text).unwrap();
    assert_eq!(scenario.warm_up, Duration::from_secs(60));
    assert_eq!(scenario.links.graph, scenario::Shape::Random(4));
    assert_eq!(
        scenario.network.latency,
        Latency::Normal {
            mean: Duration::from_millis(30),
            deviation: Duration::from_millis(10)
        }
    );
    assert_eq!(scenario.failures.len(), 2);
    assert_eq!(scenario.failures[1], scenario::Failure::default());
    assert_eq!(Scenario::from_toml(&scenario.to_toml()).unwrap(), scenario);
}

#[test]
fn a_mistake_is_named_with_its_line_and_the_nearest_key() {
    for (text, expected) in [
        (
            "nodes = 5\nwarmup = \"1s\"",
            "line 2: there is no key warmup; the nearest one is warm_up",
        ),
        (
            "[network]\n\nlos = 0.1",
            "line 3: there is no key los; the nearest one is loss",
        ),
        (
            "[[hostil]]",
            "line 1: there is no key hostil; the nearest one is hostile",
        ),
        (
            "mode = \"orignal\"",
            "line 1: there is no value orignal; the nearest one is original",
        ),
        (
            "[network]\nlatency.unifrm = { min = \"1ms\", max = \"2ms\" }",
            "line 2: there is no value unifrm; the nearest one is uniform",
        ),
        ("[network]\nloss = 1.5", "network.loss is 1.5; it may be 0 to 0.9"),
        ("[network]\nloss = nan", "network.loss is NaN; it may be 0 to 0.9"),
        ("nodes = 1", "nodes is 1; it may be 2 to 200000"),
        (
            "nodes = 10\n[traffic]\nsenders = 11",
            "traffic.senders is 11; it may be 1 to 10",
        ),
        ("[[failure]]\nshare = 1.0", "failure.share is 1; it may be 0 to 0.95"),
        (
            "[[hostile]]\nshare = 0.3\n[[hostile]]\nshare = 0.3",
            "the sum of all hostile.share is 0.6; it may be 0 to 0.5",
        ),
        ("warm_up = \"2days\"", "warm_up is longer than a day"),
        (
            "[network]\nlatency.uniform = { min = \"9ms\", max = \"1ms\" }",
            "network.latency.uniform: min is more than max",
        ),
        ("mode = \"original\"\n[[hostile]]", "hostile nodes have no part"),
        ("nodes = 200000\n[traffic]\nrounds = 2000", "take fewer of either"),
        ("nodes = [", "line 1: "),
    ] {
        let error = Scenario::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
}

#[test]
fn the_model_of_the_original_sends_each_message_over_each_link_twice() {
    for (nodes, sends) in [(5, 20), (10, 90), (20, 380)] {
        let report = run(
            &format!(
                "mode = \"original\"\nnodes = {nodes}\nwarm_up = \"0s\"\nlinks.graph = \"mesh\"\ntraffic.rounds = 3"
            ),
            1,
        );
        assert_eq!(report.rounds.len(), 3);
        for round in &report.rounds {
            assert_eq!((round.payloads, round.delivered), (sends, nodes - 1));
        }
    }
}

#[test]
fn each_hop_of_the_original_costs_up_to_a_round() {
    let report = run(
        r#"
        mode = "original"
        nodes = 11
        warm_up = "0s"
        links.graph = "line"
        network.latency.constant = "1ms"
        traffic = { rounds = 20, senders = 11 }
        "#,
        3,
    );
    assert_eq!(report.summary.reliability, 1.0);
    for round in &report.rounds {
        let hops = u32::try_from(round.last_hop()).unwrap();
        let took = round.delays.at(1.0).unwrap();
        assert!(took <= Duration::from_millis(101) * hops, "{took:?} over {hops} hops");
    }
    let a_hop = report.summary.t100.unwrap() / report.summary.last_hop;
    assert!((25.0..75.0).contains(&a_hop), "{a_hop} ms a hop");
}

#[test]
fn the_original_loses_what_it_does_not_send_again() {
    let report = run(
        r#"
        mode = "original"
        nodes = 50
        warm_up = "0s"
        links.graph = "line"
        network.loss = 0.1
        traffic.patience = "10s"
        "#,
        1,
    );
    assert!(report.summary.reliability < 0.9);
    assert!(!report.missing.is_empty());
    assert_eq!(report.summary.t100, None);
}

#[test]
fn the_same_seed_is_the_same_run_and_another_one_is_not() {
    let text = r#"
        mode = "original"
        nodes = 30
        warm_up = "1s"
        churn.per_minute = 2.0
        [[failure]]
        at = "1s"
        share = 0.2
    "#;
    assert_eq!(run(text, 5), run(text, 5));
    assert_ne!(run(text, 5).rounds, run(text, 6).rounds);
}

#[test]
fn a_watcher_may_end_a_run() {
    let scenario = Scenario::from_toml("mode = \"original\"\nnodes = 30").unwrap();
    let mut asked = 0;
    let report = sim::run(&scenario, 1, &mut |progress| {
        asked += 1;
        match progress.published.0 {
            0 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    });
    assert_eq!(report.unwrap(), None);
    assert!(asked > 1);
}
