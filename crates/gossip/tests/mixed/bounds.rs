//! Bounds of the links, each driven past: memory stays at the bound, and honest peers notice nothing.

use crate::{
    n,
    network::{Network, keys},
    original::line,
};
use handfast_gossip::{
    Refused, Sequence,
    secure::{Config, LINE_MAX, Message, SIGNED_MAX, read_batch},
};
use handfast_json::Value;
use std::{collections::BTreeMap, time::Duration};

const SECOND: Duration = Duration::from_secs(1);
/// What a peer of the original's kind is given at most when it comes.
const REPLAY_MAX: usize = 4096;

/// Lists in lists, `depth` deep, and in the innermost as many numbers as fit a line.
fn nested(depth: usize, numbers: usize) -> Value {
    let list = vec!["1"; numbers].join(",");
    let text = format!("{{\"n\":{}{list}{}}}", "[".repeat(depth), "]".repeat(depth));
    handfast_json::parse(text).unwrap()
}

/// What secure-gossip would sign and send, whatever we think of it.
fn of_the_original(content: &Value) -> Vec<u8> {
    let author = keys(99);
    let signature = author.sign(content.to_pretty().as_bytes()).unwrap();
    let mut data = content.clone();
    if let Value::Object(data) = &mut data {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let text = format!("{}.sig.ed25519", STANDARD.encode(signature.as_bytes()));
        data.insert("signature", text.as_str());
    }
    let public = author.public().to_base64();
    format!("{{\"data\":{data},\"public\":\"{public}.ed25519\",\"seq\":0}}").into_bytes()
}

#[test]
fn a_line_that_is_signed_as_megabytes_is_neither_taken_nor_published() {
    let deep = nested(61, 32_000);
    assert!(deep.to_pretty().len() > 3 * SIGNED_MAX);
    let line = of_the_original(&deep);
    assert!(line.len() <= LINE_MAX);
    assert_eq!(Message::parse(&line).err(), Some(Refused::Forged));
    let refused = Message::sign(&keys(1), &deep, 1).unwrap_err().to_string();
    assert!(refused.contains("1 MiB") && refused.contains("less deep"), "{refused}");
    // What the two refuse is the same, to the byte.
    let depth = (3..61)
        .rev()
        .find(|depth| Message::sign(&keys(1), &nested(*depth, 32_000), 1).is_ok());
    let depth = depth.unwrap();
    let [within, beyond] = [depth, depth + 1].map(|depth| nested(depth, 32_000));
    assert!(within.to_pretty().len() <= SIGNED_MAX && beyond.to_pretty().len() > SIGNED_MAX);
    assert!(Message::parse(&of_the_original(&within)).is_ok());
    assert!(Message::parse(&of_the_original(&beyond)).is_err());
}

#[test]
fn honest_messages_of_any_shape_pass_up_to_the_longest_line() {
    let many = |piece: &str| {
        let count = (LINE_MAX - 400) / (piece.len() + 1);
        vec![piece; count].join(",")
    };
    for text in [
        format!("{{\"text\":\"{}\"}}", "x".repeat(LINE_MAX - 400)),
        format!("{{\"list\":[{}]}}", many("1")),
        format!("{{\"points\":[{}]}}", many("[1,2]")),
        format!("{{\"map\":{{\"geometry\":{{\"coordinates\":[[{}]]}}}}}}", many("[1,2]")),
        format!("{{\"table\":[{}]}}", many("{\"a\":1,\"b\":[]}")),
        format!("{{\"a\":{{\"b\":{{\"c\":{{\"d\":{{\"e\":[{}]}}}}}}}}}}", many("0")),
    ] {
        let content = handfast_json::parse(&text).unwrap();
        let message = Message::sign(&keys(1), &content, 1).unwrap();
        assert!(message.line().len() > LINE_MAX - 500);
        let read = read_batch(&[message.line().clone()]);
        assert!(read.iter().all(Result::is_ok), "{}…", &text[..20]);
        assert!(Message::parse(&of_the_original(&content)).is_ok());
    }
}

/// Each author's messages in a log of lines.
fn by_author(log: &[u8]) -> BTreeMap<String, Vec<u64>> {
    let mut authors: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in log.split(|byte| *byte == b'\n') {
        if let Ok(message) = Message::parse(line) {
            let numbers = authors.entry(message.author().to_string()).or_default();
            numbers.push(message.content().get("n").and_then(|n| n.as_u64()).unwrap());
        }
    }
    authors
}

#[test]
fn who_comes_late_is_given_so_many_messages_and_a_share_of_each_authors_last() {
    let mut network = Network::new(9);
    let config = Config {
        replay: 5000,
        ..Config::default()
    };
    let (ours, stranger) = (network.ours(config), network.original());
    let edge = network.join(ours, stranger);
    network.rounds = false;
    let mut lines = Vec::new();
    for number in 0..4500u64 {
        lines.extend(line(&keys(99), &n(number), &number.to_string()));
    }
    for quiet in 100..200 {
        lines.extend(line(&keys(quiet), &n(u64::from(quiet)), "0"));
    }
    network.inject(edge, ours, &lines);
    network.run(SECOND);
    assert_eq!(network.links(ours).history().len(), 4600);
    let late = network.original();
    let behind = network.join(ours, late);
    network.run(SECOND);
    let given = by_author(network.log(behind, late));
    let count: usize = given.values().map(Vec::len).sum();
    assert!(count <= REPLAY_MAX && count > REPLAY_MAX / 2, "{count}");
    assert_eq!(given.len(), 101, "nobody is left out for the sake of the loud one");
    let loud = given.values().max_by_key(|numbers| numbers.len()).unwrap();
    assert_eq!(loud.last(), Some(&4499), "the last ones, in order");
    assert!(loud.is_sorted());
    // It goes on from there.
    network.inject(edge, ours, &line(&keys(99), &n(4500), "4500"));
    network.run(SECOND);
    assert!(network.heard(late).contains(&4500));
}

#[test]
fn a_proof_that_a_relay_took_away_is_put_back_when_another_copy_has_it() {
    let mut network = Network::new(9);
    let (ours, stranger, honest) = (network.ours(Config::default()), network.original(), network.original());
    let edge = network.join(ours, stranger);
    let behind = network.join(ours, honest);
    network.rounds = false;
    let real = Message::sign(&keys(99), &n(1), 1_800_000_000_000 * 1024).unwrap();
    let text = String::from_utf8(real.line().to_vec()).unwrap();
    let (bare, _) = text.split_once(",\"sig2\"").unwrap();
    network.inject(edge, ours, format!("{bare}}}\n").as_bytes());
    network.run(SECOND);
    let kept = |network: &mut Network, node| -> Vec<Sequence> {
        network.links(node).history().iter().map(|item| item.sequence).collect()
    };
    assert!(matches!(kept(&mut network, ours)[..], [Sequence::Claimed(_)]));
    assert_eq!(network.heard(honest), [0u64; 0], "nobody vouches for the number");
    network.inject(behind, ours, format!("{text}\n").as_bytes());
    network.run(SECOND);
    assert_eq!(kept(&mut network, ours), [real.sequence()]);
    assert_eq!(network.heard(ours), [1]);
    // Whoever comes now is given the proof, ours and theirs.
    let (late, other) = (network.original(), network.ours(Config::default()));
    let to_late = network.join(ours, late);
    network.join(ours, other);
    network.run(3 * SECOND);
    assert_eq!(kept(&mut network, other), [real.sequence()]);
    let log = String::from_utf8_lossy(network.log(to_late, late)).into_owned();
    assert!(log.contains(&text), "{log}");
}
