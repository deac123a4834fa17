//! Which links are given up for silence, and which are not: whole networks on a virtual clock.
#![cfg(feature = "simulate")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use handfast_gossip::{
    overlay::Config,
    sim::{Crowd, Event, Latency, Settings, Vanish},
};
use std::time::Duration;

/// Six nodes want five neighbours each, so all are linked with all, nobody is left to swap links with, and a link that goes
/// down does so because its ends took each other for dead.
const NODES: u32 = 6;

fn mesh(settings: Settings) -> Crowd {
    let mut crowd = Crowd::gathered(NODES, &Config::default(), settings);
    crowd.run_for(Duration::from_secs(120), |_, _, _| {});
    crowd
}

fn downs(crowd: &mut Crowd, span: Duration) -> usize {
    let mut downs = 0;
    crowd.run_for(span, |_, _, event| {
        downs += usize::from(matches!(event, Event::Down(_)))
    });
    downs
}

fn round_trip(millis: u64) -> Latency {
    Latency::Constant(Duration::from_millis(millis / 2))
}

#[test]
fn slow_links_are_not_taken_for_dead_ones() {
    for (round_trip_ms, jitter_ms) in [(1_000, 0), (2_500, 0), (3_000, 0), (2_500, 500)] {
        let mut crowd = mesh(Settings {
            latency: round_trip(round_trip_ms),
            jitter: Duration::from_millis(jitter_ms),
            ..Settings::default()
        });
        assert_eq!(crowd.graph().links(0).len(), 5, "{round_trip_ms} {jitter_ms}");
        assert_eq!(
            downs(&mut crowd, Duration::from_secs(600)),
            0,
            "{round_trip_ms} {jitter_ms}"
        );
    }
}

#[test]
fn loss_rarely_makes_links_flap() {
    for (round_trip_ms, seed) in [(60, 1), (60, 2), (60, 3), (2_500, 1), (2_500, 2)] {
        let mut crowd = mesh(Settings {
            seed,
            latency: round_trip(round_trip_ms),
            loss: 0.2,
            jitter: Duration::from_millis(30),
            ..Settings::default()
        });
        // Fifteen links for ten minutes, told at both ends. One silence in a thousand is long enough for seven questions or their
        // answers to get lost: that is seven links or so.
        let downs = downs(&mut crowd, Duration::from_secs(600));
        assert!(downs <= 30, "{round_trip_ms} {seed}: {downs}");
    }
}

#[test]
fn all_that_vanish_at_once_are_noticed_within_two_seconds() {
    let mut crowd = mesh(Settings::default());
    for id in 3..NODES {
        crowd.kill(id, Vanish::Silent);
    }
    let died = crowd.now();
    let mut noticed = Vec::new();
    crowd.run_for(Duration::from_secs(60), |at, node, event| {
        if let Event::Down(peer) = event {
            assert!(node < 3 && peer >= 3);
            noticed.push(at.since(died));
        }
    });
    assert_eq!(noticed.len(), 9);
    assert!(
        noticed.iter().all(|after| *after <= Duration::from_secs(2)),
        "{noticed:?}"
    );
}
