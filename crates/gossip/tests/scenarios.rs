//! Scenarios: how they are read, and what comes of them.
#![cfg(feature = "simulate")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use handfast_gossip::sim::{self, Latency, Report, Scenario, builtin::BUILT_IN, scenario};
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

#[test]
fn every_scenario_that_is_brought_along_is_a_file_and_can_be_simulated() {
    let mut files: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut names: Vec<String> = BUILT_IN
        .iter()
        .map(|built_in| format!("{}.toml", built_in.name))
        .collect();
    files.sort();
    names.sort();
    assert_eq!(files, names);
    for built_in in BUILT_IN {
        let scenario = Scenario::from_toml(built_in.toml).unwrap_or_else(|error| panic!("{}: {error}", built_in.name));
        assert!(scenario.about.ends_with('.'), "{}", built_in.name);
    }
}

#[test]
fn on_given_links_the_tree_needs_a_fraction_of_what_the_original_sends() {
    let text = |mode| format!("mode = \"{mode}\"\nnodes = 60\nwarm_up = \"1s\"\nlinks.graph = {{ random = 5 }}");
    let (ours, theirs) = (run(&text("links"), 1).summary, run(&text("original"), 1).summary);
    assert_eq!((ours.reliability, theirs.reliability), (1.0, 1.0));
    // 2E / (N - 1) against one.
    assert_eq!(theirs.sends_per_delivery, 300.0 / 59.0);
    assert!(ours.sends_per_delivery < 1.05, "{ours:?}");
    assert!(ours.t100 < theirs.t100, "{ours:?} {theirs:?}");
}

#[test]
fn a_late_node_gets_what_it_lacks_whatever_the_holes_and_the_numbers() {
    for recent in [true, false] {
        for proven in [true, false] {
            let report = run(
                &format!(
                    r#"
                    mode = "links"
                    nodes = 2
                    links.graph = "line"
                    network.latency.constant = "30ms"
                    traffic.rounds = 0
                    history = {{ messages = 2000, missing = 50, recent = {recent}, proven = {proven} }}
                    "#
                ),
                1,
            );
            let late = report.catch_up.unwrap();
            assert_eq!((late.missing, late.got), (50, 50), "recent {recent}, proven {proven}");
            assert!(late.round_trips <= 2.0 && late.payload_bytes > 50 * 500, "{late:?}");
        }
    }
}

#[test]
fn hostile_nodes_of_each_kind_do_not_keep_a_message_from_anybody() {
    for kind in ["silence", "replay", "rewrite", "flood", "eclipse"] {
        let report = run(
            &format!(
                r#"
                nodes = 40
                warm_up = "5s"
                traffic = {{ rounds = 10, senders = 3, every = "300ms", proven = false, patience = "120s" }}
                [[hostile]]
                kind = "{kind}"
                share = 0.1
                "#
            ),
            2,
        );
        assert_eq!(report.summary.reliability, 1.0, "{kind}: {report}");
        assert_eq!(report.summary.repeated, 0, "{kind}: {report}");
        // Those that mean harm are not counted among those who shall hear.
        assert!(
            report.rounds.iter().all(|round| round.expected == 35),
            "{kind}: {report}"
        );
    }
}

#[test]
fn who_replays_floods_or_rewrites_costs_something_and_shows_in_the_figures() {
    let text = |hostile: &str| {
        format!("nodes = 40\nwarm_up = \"5s\"\ntraffic = {{ rounds = 10, every = \"300ms\" }}\n{hostile}")
    };
    let calm = run(&text(""), 1).summary;
    for kind in ["replay", "flood"] {
        let summary = run(&text(&format!("[[hostile]]\nkind = \"{kind}\"\nshare = 0.2")), 1).summary;
        assert!(
            summary.sends_per_delivery > calm.sends_per_delivery * 1.2,
            "{kind}: {} against {}",
            summary.sends_per_delivery,
            calm.sends_per_delivery
        );
    }
}

#[test]
fn after_a_mass_failure_the_survivors_have_everything_and_the_recovery_is_told() {
    let report = run(
        r#"
        nodes = 60
        warm_up = "10s"
        traffic = { rounds = 40, every = "250ms" }
        [[failure]]
        at = "2s"
        share = 0.5
        "#,
        1,
    );
    let [recovery] = report.recoveries.as_slice() else {
        panic!("one failure, one recovery")
    };
    assert_eq!((recovery.gone, recovery.left), (30, 30));
    assert!(recovery.repaired.is_some() && recovery.complete.is_some(), "{report}");
    assert_eq!(report.summary.reliability, 1.0, "{report}");
    assert!(report.to_string().contains("30 vanished, 30 left"), "{report}");
}

#[test]
fn nodes_that_come_back_with_an_empty_memory_are_brought_up_to_date() {
    let report = run(
        r#"
        nodes = 30
        warm_up = "5s"
        traffic = { rounds = 40, senders = 2, every = "500ms", patience = "120s" }
        churn = { per_minute = 1.0, away = "3s" }
        "#,
        4,
    );
    assert_eq!(
        (report.summary.reliability, report.summary.repeated),
        (1.0, 0),
        "{report}"
    );
    // Some were away for some messages, so they heard them later than anybody waited for.
    assert!(report.rounds.iter().any(|round| round.delays.all() < 29), "{report}");
}

#[cfg(feature = "plot")]
#[test]
fn a_picture_is_svg_with_titles_units_and_a_legend_and_always_the_same() {
    use handfast_gossip::sim::plot;
    let report = run("mode = \"original\"\nnodes = 30\nwarm_up = \"1s\"", 1);
    let picture = plot::picture(&report).unwrap();
    assert_eq!(picture, plot::picture(&report).unwrap());
    for part in [
        "<svg",
        "prefers-color-scheme: dark",
        "Delivery over time",
        "milliseconds",
        "hops",
        "</svg>",
    ] {
        assert!(picture.contains(part), "{part}");
    }
    let both = plot::draw(&[plot::delivery(&[("one", &report), ("other", &report)])]).unwrap();
    assert!(both.contains("one") && both.contains("other"));
    // A run that nobody heard has charts too.
    let silent = run(
        "mode = \"original\"\nnodes = 3\nwarm_up = \"0s\"\ntraffic.rounds = 0",
        1,
    );
    assert!(plot::picture(&silent).unwrap().contains("</svg>"));
}
