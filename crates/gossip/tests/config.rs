//! Configurations that cannot be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use handfast_gossip::{overlay, secure};
use serde_json::{Value, json};
use std::time::Duration;

/// Spans are doubled and added to each other, so one that is too long would stop the program.
#[test]
fn no_span_is_so_long_that_reckoning_with_it_fails() {
    let default = serde_json::to_value(overlay::Config::default()).unwrap();
    let mut spans = 0;
    for layer in ["membership", "swarm"] {
        for (field, value) in default[layer].as_object().unwrap() {
            let is_span = value
                .as_str()
                .is_some_and(|text| text.starts_with(|first: char| first.is_ascii_digit()));
            if !is_span {
                continue;
            }
            spans += 1;
            let mut config = default.clone();
            config[layer][field] = Value::from("200years");
            let config: overlay::Config = serde_json::from_value(config).unwrap();
            assert!(config.check().is_err(), "{layer}.{field}");
        }
    }
    assert!(spans >= 20, "{spans} spans, of {}", json!(default));
    for config in [
        secure::Config {
            interval: Some(Duration::MAX),
            ..secure::Config::default()
        },
        secure::Config {
            patience: Duration::MAX,
            ..secure::Config::default()
        },
    ] {
        assert!(config.check().is_err());
    }
}
