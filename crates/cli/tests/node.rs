//! The node that `handfast start` runs, and its owner's commands.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Stdio},
};
use support::{NETWORK, Running, initialised, printed, program, run, text};

fn start(further: &[&str]) -> Running {
    let args = ["start", "--listen", "net:127.0.0.1:0", "--network", NETWORK];
    Running::start(initialised(), &[&args[..], further].concat(), 1)
}

fn id(node: &Running) -> String {
    printed(&node.run(&["id"]), 0).trim().to_owned()
}

fn json_lines(printed: &str) -> Vec<Value> {
    printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A peer that holds a connection open: it reads the endless source `clock`, of which one item has come.
struct Caller {
    child: Child,
    _out: BufReader<ChildStdout>,
}

impl Caller {
    fn of(node: &Running) -> Self {
        let mut child = program(node.dir.path())
            .args([
                "call",
                node.address(),
                "clock",
                "10",
                "--anonymous",
                "--network",
                NETWORK,
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert!(line.trim().parse::<u64>().is_ok(), "{line}");
        Self { child, _out: out }
    }

    /// How the call ended, and what it said about it.
    fn ended(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_owner_sees_who_is_connected() {
    let node = start(&["--example"]);
    assert!(printed(&node.run(&["status"]), 0).contains(", 0 peers,"));
    assert_eq!(printed(&node.run(&["peers"]), 0).lines().count(), 1, "only the head");
    let _caller = Caller::of(&node);

    let shown = printed(&node.run(&["status", "--once"]), 0);
    assert!(shown.starts_with(&id(&node)) && shown.contains(", 1 peer,"), "{shown}");
    assert!(shown.contains(&format!("device   {}", node.address())), "{shown}");
    assert!(shown.contains("peers by transport: net 1 in"), "{shown}");
    let status = &json_lines(&printed(&node.run(&["status", "--json"]), 0))[0];
    assert_eq!(status["id"], id(&node));
    let device = status["addresses"]["device"].as_str().unwrap();
    assert!(device.starts_with(node.address()), "{device}");

    let peers = json_lines(&printed(&node.run(&["peers", "--json"]), 0));
    let peer = peers.iter().find(|peer| peer["basis"] == "anonymous").unwrap();
    assert_eq!(
        (&peer["direction"], &peer["transport"]),
        (&json!("incoming"), &json!("net"))
    );
    assert!(peer["bytesOut"].as_u64().unwrap() > 0);

    let mut watching = program(node.dir.path())
        .args(["status", "--json", "--watch", "--interval", "0.1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let looks = BufReader::new(watching.stdout.take().unwrap()).lines();
    let busy = looks.map(|look| serde_json::from_str::<Value>(&look.unwrap()).unwrap());
    // The first look has no rate yet; a clock that ticks every 10 ms gives one.
    let rates = busy.map(|look| look["rateOut"].as_u64().unwrap());
    assert!(rates.take(50).any(|rate| rate > 0));
    watching.kill().unwrap();
    watching.wait().unwrap();
}

#[test]
fn the_owner_connects_and_disconnects() {
    let (alice, bob) = (start(&[]), start(&[]));
    let connect = ["connect", bob.address()];
    assert_eq!(printed(&alice.run(&connect), 0), format!("connected {}\n", id(&bob)));
    let seen = json_lines(&printed(&bob.run(&["peers", "--json"]), 0));
    assert!(seen.iter().any(|peer| peer["id"] == id(&alice)), "{seen:?}");

    assert_eq!(
        printed(&alice.run(&["disconnect", &id(&bob)]), 0),
        format!("disconnected {}\n", id(&bob))
    );
    let none = alice.run(&["disconnect", bob.address(), "--json"]);
    assert_eq!(json_lines(&printed(&none, 1)), [json!({ "disconnected": 0 })]);

    let nobody = alice.run(&["connect", &bob.address().replace("127.0.0.1", "127.0.0.254")]);
    printed(&nobody, 1);
    assert!(
        text(&nobody.stderr).contains("cannot reach 127.0.0.254"),
        "{}",
        text(&nobody.stderr)
    );
}

#[test]
fn the_owner_may_do_everything_and_strangers_what_the_rules_say() {
    let node = start(&["--example"]);
    let shown = printed(&node.run(&["perms"]), 0);
    let line = |method: &str| {
        let line = shown
            .lines()
            .find(|line| line.split_whitespace().next() == Some(method));
        line.unwrap().split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("manifest"), "sync allowed (root) allowed by rule allow:manifest");
    assert_eq!(line("notes.add"), "sink allowed (root) allowed by rule allow:notes");
    assert_eq!(line("control.close"), "sync denied - not covered by any allow rule");
    let of_somebody = json_lines(&printed(&node.run(&["perms", &id(&node), "--json"]), 0));
    assert_eq!(of_somebody[0]["id"], id(&node));

    let denied = node.call(&["control.status", "--type", "sync"]);
    printed(&denied, 1);
    assert!(text(&denied.stderr).contains("method:control,status is not in list of allowed methods"));
    assert_eq!(printed(&node.run(&["call", "local", "add", "1", "2"]), 0), "3\n");
    let stats = json_lines(&printed(&node.run(&["call", "local", "stats"]), 0));
    assert_eq!(stats[0]["denied"], 1);

    let own = printed(&node.run(&["manifest"]), 0);
    assert!(own.contains("control.watch") && own.contains("gossip.ping"), "{own}");
    let as_peer = ["manifest", node.address(), "--json", "--network", NETWORK];
    assert_eq!(
        json_lines(&printed(&node.run(&as_peer), 0))[0]["gossip"]["ping"],
        "duplex"
    );
}

#[test]
fn without_the_example_a_stranger_finds_only_the_manifest() {
    let node = start(&[]);
    printed(&node.call(&["manifest"]), 0);
    for method in ["whoami", "echo", "notes.list", "auth", "address"] {
        let denied = node.call(&[method, "--type", "async"]);
        printed(&denied, 1);
        assert!(
            text(&denied.stderr).contains("is not in list of allowed methods"),
            "{method}"
        );
    }
}

#[test]
fn the_configuration_says_where_and_in_which_network() {
    let dir = initialised();
    let config = format!(
        "network = \"{NETWORK}\"\n\
         [[global.connections.incoming.net]]\nport = 0\nhost = \"127.0.0.1\"\n\
         [[global.connections.incoming.ws]]\nport = 0\nhost = \"127.0.0.1\"\n"
    );
    std::fs::write(dir.path().join("config.toml"), config).unwrap();
    let node = Running::start(dir, &["start", "--example"], 2);
    let own = format!("{{\"id\":\"{}\"}}\n", id(&node));
    for address in &node.addresses {
        assert_eq!(printed(&node.run(&["call", address, "whoami"]), 0), own, "{address}");
    }
    let stranger = initialised();
    printed(&run(stranger.path(), &["call", node.address(), "whoami"]), 3);
}

#[test]
fn the_command_line_wins_over_the_configuration() {
    let dir = initialised();
    let elsewhere = dir.path().join("elsewhere.toml");
    std::fs::write(dir.path().join("config.toml"), "nonsense = 1").unwrap();
    std::fs::write(&elsewhere, "[[global.connections.incoming.net]]\nport = 1\n").unwrap();
    let args = [
        "start",
        "--config",
        elsewhere.to_str().unwrap(),
        "--listen",
        "net:127.0.0.1:0",
    ];
    let node = Running::start(dir, &args, 1);
    assert!(!node.address().starts_with("net:127.0.0.1:1~"));
}

#[test]
fn what_cannot_be_listened_on_is_told_with_the_reason() {
    let node = start(&[]);
    let place = node.address().split('~').next().unwrap();
    let other = initialised();
    let taken = run(other.path(), &["start", "--listen", place]);
    printed(&taken, 1);
    assert!(
        text(&taken.stderr).contains("choose another port"),
        "{}",
        text(&taken.stderr)
    );
    let twice = node.run(&["start", "--listen", "net:127.0.0.1:0"]);
    printed(&twice, 1);
    assert!(text(&twice.stderr).contains("socket"), "{}", text(&twice.stderr));
    let open = run(other.path(), &["start", "--listen", "net:0.0.0.0:0~noauth"]);
    printed(&open, 2);
    assert!(text(&open.stderr).contains("noauth"), "{}", text(&open.stderr));
    for (place, why) in [
        ("net:127.0.0.1", "port"),
        ("onion:x.onion:1", "only be dialled"),
        ("wss://x", "certificate"),
    ] {
        let output = run(other.path(), &["start", "--listen", place]);
        printed(&output, 2);
        assert!(text(&output.stderr).contains(why), "{}", text(&output.stderr));
    }
}

#[test]
fn the_end_is_graceful_whoever_wants_it() {
    for how in ["INT", "TERM", "control.close"] {
        let dir = initialised();
        // The caller's source never ends, so that closing takes all the time that it may.
        std::fs::write(dir.path().join("config.toml"), "global.closeDeadline = 100").unwrap();
        let args = [
            "start",
            "--example",
            "--listen",
            "net:127.0.0.1:0",
            "--network",
            NETWORK,
        ];
        let mut node = Running::start(dir, &args, 1);
        let caller = Caller::of(&node);
        match how {
            "control.close" => drop(printed(&node.run(&["call", "local", how]), 0)),
            signal => node.signal(signal),
        }
        assert_eq!(node.child.wait().unwrap().code(), Some(0), "{how}");
        assert_eq!(caller.ended().0, Some(3), "{how}");
        assert!(!node.dir.path().join("socket").exists(), "{how}");
        printed(&node.run(&["status"]), 3);
    }
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let dir = initialised();
    // A deadline that no test waits for.
    std::fs::write(dir.path().join("config.toml"), "global.closeDeadline = 3600000").unwrap();
    let args = [
        "start",
        "--example",
        "--listen",
        "net:127.0.0.1:0",
        "--network",
        NETWORK,
    ];
    let mut command = program(dir.path());
    let mut child = command
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = child.stderr.take().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line.trim().strip_prefix("listening ").unwrap().to_owned();
    let mut node = Running {
        watchdog: support::Watchdog::over(&child),
        child,
        addresses: vec![address],
        dir,
    };
    // Its call would run for a minute, and closing waits for it.
    let mut caller = program(node.dir.path())
        .args([
            "call",
            node.address(),
            "sleep",
            "60000",
            "--type",
            "async",
            "--network",
            NETWORK,
        ])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let runs = |node: &Running| {
        let peers = json_lines(&printed(&node.run(&["peers", "--json"]), 0));
        peers
            .iter()
            .any(|peer| peer["basis"] == "anonymous" && peer["bytesIn"].as_u64() > Some(0))
    };
    while !runs(&node) {
        assert!(caller.try_wait().unwrap().is_none(), "the call ended");
    }
    node.signal("INT");
    let mut lines = BufReader::new(said).lines();
    assert!(lines.next().unwrap().unwrap().contains("Ctrl-C again ends at once"));
    node.signal("INT");
    assert_eq!(node.child.wait().unwrap().code(), Some(0));
    assert_eq!(caller.wait().unwrap().code(), Some(3));
}
