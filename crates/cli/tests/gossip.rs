//! `handfast gossip`: nodes over TCP, and a chat.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};
use support::{NETWORK, Running, Watchdog, initialised, printed, program, run, text};
use tempfile::TempDir;

/// A program that gossips, killed at the end of the test.
struct Gossiping {
    child: Child,
    stdin: Option<ChildStdin>,
    out: BufReader<ChildStdout>,
    _watchdog: Watchdog,
    _dir: Option<TempDir>,
}

impl Gossiping {
    fn start(args: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut gossiping = Self::of(program(dir.path()).args(["gossip"]).args(args));
        gossiping._dir = Some(dir);
        gossiping
    }

    fn of(command: &mut Command) -> Self {
        let command = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Self {
            stdin: child.stdin.take(),
            out: BufReader::new(child.stdout.take().unwrap()),
            _watchdog: Watchdog::over(&child),
            child,
            _dir: None,
        }
    }

    /// A node that listens on a free port, and where that is.
    fn listening(more: &[&str]) -> (Self, String) {
        let mut node = Self::start(&[&["node", "--listen", "127.0.0.1:0"], more].concat());
        let address = node.behind("listening ");
        (node, address)
    }

    /// A chat that listens on a free port, and the address to join.
    fn chatting(more: &[&str]) -> (Self, String) {
        let mut chat = Self::start(&[&["chat", "--network", NETWORK], more].concat());
        let address = chat.behind("join ");
        (chat, address)
    }

    fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.out.read_line(&mut line).unwrap() > 0, "it has ended");
        line.trim_end_matches('\n').to_owned()
    }

    /// What stands behind this in the next line that begins with it.
    fn behind(&mut self, beginning: &str) -> String {
        loop {
            if let Some(rest) = self.line().strip_prefix(beginning) {
                return rest.to_owned();
            }
        }
    }

    /// The next message, and who signed it.
    fn hears(&mut self) -> (Value, String) {
        let line: Value = serde_json::from_str(&self.line()).unwrap();
        assert_eq!(line.as_object().unwrap().len(), 2, "{line}");
        (line["message"].clone(), line["public"].as_str().unwrap().to_owned())
    }

    /// Waits for a line of the chat that ends so.
    fn shows(&mut self, end: &str) -> String {
        self.shows_one_of(&[end])
    }

    /// Waits for a line of the chat that ends in one of these ways.
    fn shows_one_of(&mut self, ends: &[&str]) -> String {
        loop {
            let line = self.line();
            if ends.iter().any(|end| line.ends_with(end)) {
                return line;
            }
        }
    }

    /// Presses Ctrl-C; how it ended, and what it said on stderr.
    fn interrupted(mut self) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

impl Drop for Gossiping {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_is_published_at_one_end_of_a_line_is_heard_at_the_other_with_its_signer() {
    let (mut one, at_one) = Gossiping::listening(&["--say", r#"{"z":1,"10":2,"9":[null,1e3]}"#]);
    let (mut two, at_two) = Gossiping::listening(&["--dial", &at_one]);
    let mut three = Gossiping::start(&["node", "--dial", &at_two, "--interval", "10"]);
    let (message, public) = three.hears();
    assert_eq!(message, json!({ "9": [null, 1000], "10": 2, "z": 1 }));
    assert!(public.len() == 52 && public.ends_with("=.ed25519"), "{public}");
    assert_eq!(two.hears(), (message, public.clone()));

    three.say(r#"{"text":"kia ora"}"#);
    let (message, of_three) = one.hears();
    assert_eq!(message, json!({ "text": "kia ora" }));
    assert_ne!(of_three, public);
    assert_eq!(two.hears().0, message);

    // The end of stdin ends nothing.
    drop(three.stdin.take());
    one.say(r#"{"text":"still there?"}"#);
    assert_eq!(three.hears(), (json!({ "text": "still there?" }), public));
    for node in [one, two, three] {
        assert_eq!(node.interrupted(), (Some(0), String::new()));
    }
}

#[test]
fn a_line_that_is_no_message_is_told_with_its_number_and_reading_goes_on() {
    let (mut one, address) = Gossiping::listening(&[]);
    let mut other = Gossiping::start(&["node", "--dial", &address]);
    for line in ["{\"a\":", "", "5", r#"{"signature":1}"#, r#"{"good":true}"#] {
        one.say(line);
    }
    assert_eq!(other.hears().0, json!({ "good": true }));
    let (code, said) = one.interrupted();
    assert_eq!(code, Some(0));
    let complaints: Vec<&str> = said.lines().collect();
    assert_eq!(complaints.len(), 3, "{said}");
    for (complaint, (line, part)) in complaints.iter().zip([(1, "JSON"), (3, "a number"), (4, "signature")]) {
        assert!(
            complaint.starts_with(&format!("handfast: line {line} of stdin: ")),
            "{complaint}"
        );
        assert!(complaint.contains(part), "{complaint}");
    }
}

#[test]
fn who_is_not_there_yet_is_dialled_again() {
    let place = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = place.local_addr().unwrap().to_string();
    drop(place);
    let mut early = Gossiping::start(&["node", "--dial", &address, "--say", r#"{"n":1}"#]);
    let mut late = Gossiping::start(&["node", "--listen", &address]);
    assert_eq!(late.behind("listening "), address);
    assert_eq!(late.hears().0, json!({ "n": 1 }));
    // And whoever has gone, too.
    assert_eq!(late.interrupted().0, Some(0));
    let mut again = Gossiping::start(&["node", "--listen", &address, "--say", r#"{"n":2}"#]);
    assert_eq!(again.behind("listening "), address);
    assert_eq!(again.hears().0, json!({ "n": 1 }));
    assert_eq!(early.hears().0, json!({ "n": 2 }));
}

#[test]
fn messages_of_others_do_not_steer_the_terminal() {
    let (mut one, address) = Gossiping::listening(&[]);
    let evil = json!({ "text": "\u{9b}2J\u{202e}\u{7f}" });
    let _other = Gossiping::start(&["node", "--dial", &address, "--say", &evil.to_string()]);
    let line = one.line();
    assert!(line.is_ascii() && !line.chars().any(char::is_control), "{line}");
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["message"], evil);
}

#[test]
fn it_signs_as_the_identity_of_the_directory_if_told_so() {
    let dir = initialised();
    let id = printed(&run(dir.path(), &["id"]), 0);
    let (mut one, address) = Gossiping::listening(&[]);
    let dial = ["gossip", "node", "--identity", "--dial", &address, "--say", "{}"];
    let _other = Gossiping::of(program(dir.path()).args(dial));
    assert_eq!(format!("@{}", one.hears().1), id.trim());

    let none = tempfile::tempdir().unwrap();
    let output = run(none.path(), &["gossip", "node", "--identity"]);
    printed(&output, 1);
    assert!(
        text(&output.stderr).contains("create one with: "),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn mistakes_on_the_command_line_are_usage_errors() {
    let dir = tempfile::tempdir().unwrap();
    let owner = "@U5GvOKP/YUza9k53DSXxT0mk3PIrnyAmessvNfZl5E0=.ed25519";
    for (args, part) in [
        (&["node", "--listen", "9000"][..], "a host and a port"),
        (&["node", "--dial", "::1:9000"], "brackets"),
        (&["node", "--interval", "0"], "milliseconds"),
        (&["node", "--say", "{"], "JSON"),
        (&["node", "--say", "[]"], "only objects"),
        (&["node", "--listen", "192.0.2.7:1"], "cannot listen on 192.0.2.7:1"),
        (&["chat", "--owner", "me"], "--identity"),
        (
            &["chat", "--owner", owner, "--network", NETWORK],
            "certify this node's key",
        ),
        (&["chat", "--join", "net:127.0.0.1:1~noauth"], "whom it leads to"),
    ] {
        let output = run(dir.path(), &[&["gossip"], args].concat());
        printed(&output, 2);
        assert!(
            text(&output.stderr).contains(part),
            "{args:?}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn people_chat_and_who_comes_later_reads_what_was_said() {
    let (mut anna, address) = Gossiping::chatting(&["--name", "anna"]);
    let (mut ben, _) = Gossiping::chatting(&["--name", "ben", "--join", &address]);
    ben.shows("is a neighbour");
    ben.say("kia ora \u{1b}[2J");
    let said = ["kia ora \\u{1b}[2J", "haere mai"];
    let line = anna.shows(said[0]);
    assert!(line.starts_with("ben·"), "{line}");
    anna.say("haere mai");
    assert!(ben.shows(said[1]).starts_with("anna·"));

    let (mut carl, _) = Gossiping::chatting(&["--name", "carl", "--join", &address]);
    // Both were said a moment ago and may come over both links, so either may be first.
    let mut earlier = [carl.shows_one_of(&said), carl.shows_one_of(&said)];
    earlier.sort();
    assert!(
        earlier[0].starts_with("anna·") && earlier[1].starts_with("ben·"),
        "{earlier:?}"
    );
    assert_eq!(ben.interrupted(), (Some(0), String::new()));
    anna.shows("leaves");

    let (mut elsewhere, _) = Gossiping::chatting(&["--topic", "elsewhere", "--join", &address]);
    elsewhere.say("anybody?");
    elsewhere.shows("anybody?");
    carl.say("not here");
    anna.shows("not here");
}

#[test]
fn a_topic_of_ones_own_is_for_whom_one_certifies() {
    let (anna, ben) = (initialised(), initialised());
    let id = |dir: &TempDir| printed(&run(dir.path(), &["id"]), 0).trim().to_owned();
    let own = ["gossip", "chat", "--identity", "--topic", "board", "--network", NETWORK];
    let member = id(&ben);
    let certify = [&own[..], &["--owner", "me", "--certify", &member]].concat();
    let certificate = printed(&run(anna.path(), &certify), 0);
    let file = ben.path().join("certificate");
    std::fs::write(&file, certificate).unwrap();

    let mut at_anna = Gossiping::of(program(anna.path()).args([&own[..], &["--owner", "me"]].concat()));
    let address = at_anna.behind("join ");
    let owner = id(&anna);
    let join = [
        "--owner",
        &owner,
        "--join",
        &address,
        "--certificate",
        file.to_str().unwrap(),
    ];
    let mut at_ben = Gossiping::of(program(ben.path()).args([&own[..], &join].concat()));
    at_ben.behind("join ");
    at_ben.say("am I in?");
    at_anna.shows("am I in?");

    // Somebody else's certificate does not do.
    let mallory = initialised();
    let output = run(mallory.path(), &[&own[..], &join].concat());
    printed(&output, 2);
    assert!(text(&output.stderr).contains("another key"), "{}", text(&output.stderr));
}

#[test]
fn a_node_gossips_about_the_topics_that_its_configuration_names() {
    let dir = initialised();
    std::fs::write(dir.path().join("config.toml"), "[gossip]\ntopics = [\"garden\"]\n").unwrap();
    let args = ["start", "--listen", "net:127.0.0.1:0", "--network", NETWORK];
    let node = Running::start(dir, &args, 1);
    let (mut chat, _) = Gossiping::chatting(&["--topic", "garden", "--join", node.address()]);
    chat.shows("is a neighbour");
    let topics = printed(&node.run(&["call", "local", "gossip.topics"]), 0);
    let topics: Value = serde_json::from_str(&topics).unwrap();
    assert_eq!(topics[0]["name"], "garden");
    assert_eq!(topics[0]["neighbours"].as_array().unwrap().len(), 1);
    let said = r#"{"type":"chat","name":"node","text":"from a node"}"#;
    printed(&node.run(&["call", "local", "gossip.publish", "\"garden\"", said]), 0);
    chat.shows(": from a node");
    // A stranger may not speak through it.
    let denied = node.call(&["gossip.publish", "\"garden\"", said, "--type", "async"]);
    printed(&denied, 1);
}
