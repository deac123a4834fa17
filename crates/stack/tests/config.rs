//! The configuration: layers, defaults and errors (the original's test `merge` and its `lib/api.js`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use handfast_multiserver::Connections;
use handfast_mux::tokio::Router;
use handfast_stack::{Config, Error, NodeHandle, Plugin, PluginConfig, async_trait, merge, plugin};
use serde_json::{Value, json};

fn merged(mut base: Value, over: Value) -> Value {
    merge(&mut base, over);
    base
}

fn read(value: Value) -> Config {
    Config::from_value(value).unwrap()
}

fn error(value: Value) -> String {
    Config::from_value(value).unwrap_err().to_string()
}

#[test]
fn objects_are_merged_at_any_depth_and_everything_else_is_replaced() {
    let base = json!({ "a": { "b": { "c": 1, "d": 2 } }, "list": [1, 2], "text": "x", "n": 1, "kept": true });
    let over = json!({ "a": { "b": { "c": 3 }, "e": 4 }, "list": [3], "text": "y", "n": null, "new": {} });
    assert_eq!(
        merged(base, over),
        json!({ "a": { "b": { "c": 3, "d": 2 }, "e": 4 }, "list": [3], "text": "y", "n": null, "kept": true, "new": {} })
    );
    assert_eq!(merged(json!({ "a": 1 }), json!({})), json!({ "a": 1 }));
    assert_eq!(
        merged(json!({ "a": null }), json!({ "a": { "b": 1 } })),
        json!({ "a": { "b": 1 } })
    );
    assert_eq!(
        merged(json!({ "a": { "b": 1 } }), json!({ "a": false })),
        json!({ "a": false })
    );
    assert_eq!(
        merged(json!({ "a": 5 }), json!({ "a": { "b": 1 } })),
        json!({ "a": { "b": 1 } })
    );
}

#[test]
fn a_buffer_is_one_value() {
    let buffer = |bytes: &[u8]| json!({ "type": "Buffer", "data": bytes });
    assert_eq!(
        merged(json!({ "a": buffer(&[1, 2]) }), json!({ "a": buffer(&[3]) })),
        json!({ "a": buffer(&[3]) })
    );
    assert_eq!(
        merged(json!({ "a": { "b": 1 } }), json!({ "a": buffer(&[3]) })),
        json!({ "a": buffer(&[3]) })
    );
    assert_eq!(
        merged(json!({ "a": buffer(&[3]) }), json!({ "a": { "b": 1 } })),
        json!({ "a": { "b": 1 } })
    );
    assert_eq!(
        merged(json!({ "a": { "type": "x" } }), json!({ "a": { "data": "y" } })),
        json!({ "a": { "type": "x", "data": "y" } })
    );
}

#[test]
fn without_a_word_the_originals_defaults_hold() {
    let global = read(json!({})).global;
    assert_eq!(global.timers.inactivity(), Duration::from_secs(600));
    assert_eq!(global.handshake_timeout(), Duration::from_secs(15));
    assert_eq!(global.limits().handshake_timeout, Duration::from_secs(15));
    assert_eq!(global.close_deadline(), Duration::from_secs(10));
    assert_eq!(global.prometheus, None);
    let connections = serde_json::to_value(global.connections()).unwrap();
    assert_eq!(
        connections["incoming"],
        json!({ "net": [{ "scope": ["device", "local", "public"], "transform": "shs", "port": 0 }] })
    );
    assert_eq!(connections["outgoing"]["net"], json!([{ "transform": "shs" }]));
}

#[test]
fn host_and_port_count_only_if_connections_are_not_listed() {
    let connections = read(json!({ "global": { "host": "::1", "port": 8009 } }))
        .global
        .connections();
    let net = &connections.incoming["net"][0];
    assert_eq!((net.host.as_slice(), net.port), (&["::1".to_owned()][..], Some(8009)));
    let listed =
        json!({ "global": { "port": 8009, "connections": { "incoming": { "net": [{ "scope": "device" }] } } } });
    let connections = read(listed).global.connections();
    assert_eq!(connections.incoming["net"][0].port, None);
    assert_eq!(
        connections.outgoing,
        Connections::default().outgoing,
        "it lists no way to dial"
    );
}

#[test]
fn timers_are_milliseconds_and_timeout_wins() {
    let timers = json!({ "inactivity": 0, "handshake": 250.5, "ping": 300_000 });
    let config = read(json!({ "global": { "timers": timers, "closeDeadline": 5 } }));
    assert_eq!(config.global.timers.inactivity(), Duration::ZERO);
    assert_eq!(config.global.handshake_timeout(), Duration::from_millis(251));
    assert_eq!(config.global.close_deadline(), Duration::from_millis(5));
    assert_eq!(
        config.global.timers.extra["ping"],
        json!(300_000),
        "a plugin may know it"
    );
    let config = config.merge(read(json!({ "global": { "timeout": 7 } })));
    assert_eq!(config.global.handshake_timeout(), Duration::from_millis(7));
}

#[test]
fn what_does_not_fit_is_named() {
    assert_eq!(
        error(json!({ "global": { "timers": { "inactivity": "long" } } })),
        r#"the section "global" of the configuration does not fit: timers.inactivity: invalid type: string "long", expected f64"#
    );
    let negative = error(json!({ "global": { "timers": { "handshake": -5 } } }));
    assert!(
        negative.contains("timers.handshake: -5 is no number of milliseconds"),
        "{negative}"
    );
    for (wrong, place) in [
        (json!({ "port": 70_000 }), "port"),
        (json!({ "prometheus": "nowhere" }), "prometheus"),
        (json!({ "limits": { "maxConnection": 5 } }), "limits"),
        (
            json!({ "connections": { "incoming": { "net": [{ "scope": "device" }, { "scope": "nowhere" }] } } }),
            "connections.incoming.net[1].scope",
        ),
        (json!(5), "invalid type"),
    ] {
        let error = error(json!({ "global": wrong }));
        assert!(error.contains(&format!("does not fit: {place}")), "{error}");
    }
    assert!(matches!(Config::from_value(json!([])), Err(Error::Config { .. })));
}

#[test]
fn what_is_said_in_a_layer_lies_over_what_was_said_before() {
    let base = read(json!({
        "global": {
            "host": "::1", "port": 1, "path": "/a", "prometheus": "127.0.0.1:9100", "timeout": 1,
            "timers": { "inactivity": 1, "handshake": 1, "ping": { "a": 1, "b": 1 } },
            "limits": { "maxConnections": 1, "maxHalfOpen": 1 },
            "connections": { "incoming": { "net": [{ "port": 1 }], "ws": [{ "port": 2 }] }, "outgoing": { "net": [{}] } },
            "caps": { "shs": "x", "sign": null },
        },
        "foo": { "list": [1, 2], "deep": { "a": 1 } },
    }));
    let over = json!({
        "global": {
            "port": 2,
            "timers": { "inactivity": 0, "ping": { "b": 2 } },
            "limits": { "maxHalfOpen": 2 },
            "connections": { "incoming": { "net": [{ "port": 3 }] } },
            "caps": { "sign": "y" },
        },
        "foo": { "list": [3], "deep": { "b": 2 } },
        "bar": 5,
    });
    let config = base.clone().merge(read(over));
    let global = &config.global;
    assert_eq!((global.host.as_deref(), global.port), (Some("::1"), Some(2)));
    assert_eq!(
        (global.timers.inactivity(), global.timers.handshake()),
        (Duration::ZERO, Duration::from_millis(1))
    );
    assert_eq!(global.timers.extra["ping"], json!({ "a": 1, "b": 2 }));
    assert_eq!((global.limits().max_connections, global.limits().max_half_open), (1, 2));
    let connections = global.connections();
    assert_eq!(
        (connections.incoming["net"][0].port, connections.incoming["ws"][0].port),
        (Some(3), Some(2))
    );
    assert_eq!(connections.outgoing.len(), 1);
    assert_eq!(global.extra["caps"], json!({ "shs": "x", "sign": "y" }));
    assert_eq!(
        config.plugins["foo"],
        json!({ "list": [3], "deep": { "a": 1, "b": 2 } })
    );
    assert_eq!(config.plugins["bar"], json!(5));

    assert_eq!(base.clone().merge(Config::default()), base);
    assert_eq!(Config::default().merge(base.clone()), base);
    let again = serde_json::to_value(&base).unwrap();
    assert_eq!(read(again.clone()), base);
    assert_eq!(
        serde_json::from_value::<Config>(again).unwrap(),
        base,
        "as a file is read"
    );
}

#[test]
fn secrets_stay_out_of_what_is_printed_for_debugging() {
    let config = read(json!({ "global": { "keys": { "private": "hunter2" } }, "foo": { "token": "hunter2" } }));
    let printed = format!("{config:?}");
    assert!(printed.contains("keys") && printed.contains("foo"), "{printed}");
    assert!(!printed.contains("hunter2"), "{printed}");
}

struct WithDefaults;

#[async_trait]
impl Plugin for WithDefaults {
    fn name(&self) -> &str {
        "with-defaults"
    }

    fn default_config(&self) -> Value {
        json!({ "size": 5, "deep": { "a": 1 } })
    }

    async fn init(&self, _node: &NodeHandle, _config: &PluginConfig) -> Result<Router, Error> {
        Ok(Router::new())
    }
}

#[test]
fn every_default_can_be_written_out_and_read_again() {
    let plugins: [Arc<dyn Plugin>; 2] = [Arc::new(WithDefaults), Arc::new(plugin("", Router::new()))];
    let config = read(json!({ "global": { "port": 8009 }, "withDefaults": { "deep": { "b": 2 } } }));
    let written = serde_json::to_value(config.written_out(&plugins)).unwrap();
    assert_eq!(
        written["withDefaults"],
        json!({ "size": 5, "deep": { "a": 1, "b": 2 } })
    );
    assert_eq!(
        written["global"]["timers"],
        json!({ "inactivity": 600_000, "handshake": 15_000 })
    );
    assert_eq!(written["global"]["closeDeadline"], json!(10_000));
    assert_eq!(
        written["global"]["connections"]["incoming"]["net"][0]["port"],
        json!(8009)
    );
    let again = read(written);
    assert_eq!(again.global.connections(), config.global.connections());
    assert_eq!(
        again.of_plugin(&WithDefaults).raw(),
        config.of_plugin(&WithDefaults).raw()
    );
}

#[test]
fn sections_of_no_plugin_are_found() {
    let plugins: [Arc<dyn Plugin>; 1] = [Arc::new(WithDefaults)];
    let config = read(json!({ "withDefaults": {}, "with-defaults": {}, "blobs": {}, "global": {} }));
    assert_eq!(config.unused(&plugins), ["blobs", "with-defaults"]);
}
