//! The frozen vectors of secure-gossip 0.3.1: what goes onto the wire is the same, byte for byte, and each quirk is decided.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::BytesMut;
use handfast_gossip::{
    Error, Sequence, Time,
    secure::{Config, LinkId, Links, Message, Output, content},
};
use handfast_keys::KeyPair;
use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

const START: Time = Time::from_micros(1_800_000_000_000_000);

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/secure-gossip.json")).unwrap()
}

fn keys(vectors: &Value, name: &str) -> KeyPair {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let text = vectors["keys"][name]["private"].as_str().unwrap();
    let bytes = STANDARD.decode(text.trim_end_matches(".ed25519")).unwrap();
    KeyPair::from_libsodium(&bytes.try_into().unwrap()).unwrap()
}

/// A node that keeps quiet about its kind and makes rounds by hand, as the node behind the vectors does.
fn plain(keys: KeyPair) -> Links {
    let config = Config {
        negotiate: false,
        interval: None,
        ..Config::default()
    };
    Links::new(keys, config, [0; 32], START).unwrap()
}

/// What a node delivers, as JSON and in the original's words.
fn delivered(links: &mut Links) -> Vec<(Value, String)> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let mut all = Vec::new();
    while let Some(output) = links.poll(START) {
        if let Output::Deliver(delivery) = output {
            let content = content(&delivery.item.body).unwrap().to_compact();
            let author = STANDARD.encode(delivery.item.author.as_bytes());
            all.push((serde_json::from_str(&content).unwrap(), format!("{author}.ed25519")));
        }
    }
    all
}

fn transmitted(links: &mut Links, link: LinkId) -> String {
    let mut bytes = BytesMut::new();
    while links.transmit(link, &mut bytes, START) {}
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_line_of_three_writes_the_original_bytes_but_for_the_echoes_and_delivers_the_same() {
    let vectors = vectors();
    let names = ["A", "B", "C"];
    let mut nodes: Vec<Links> = ["g1", "g2", "g3"]
        .iter()
        .map(|name| plain(keys(&vectors, name)))
        .collect();
    // A - B - C
    let mut ends: BTreeMap<(usize, usize), LinkId> = BTreeMap::new();
    for (from, to) in [(0, 1), (1, 0), (1, 2), (2, 1)] {
        ends.insert((from, to), nodes[from].open(START).unwrap());
    }
    let mut numbers = [0; 3];
    let mut authors = BTreeMap::new();
    for published in vectors["published_on_the_line"].as_array().unwrap() {
        let node = names.iter().position(|name| published["by"] == *name).unwrap();
        let message = handfast_json::parse(published["text"].as_str().unwrap()).unwrap();
        let key = keys(&vectors, ["g1", "g2", "g3"][node]);
        let message = Message::sign_without_proof(&key, &message, numbers[node]).unwrap();
        numbers[node] += 1;
        authors.insert(message.line().to_vec(), node);
        nodes[node].spread(message, START);
    }
    let mut heard = Vec::new();
    let mut written: VecDeque<(u64, String, String)> = VecDeque::new();
    for round in 1..=3 {
        for node in 0..3 {
            nodes[node].round(START);
            for (&(from, to), &link) in ends.iter().filter(|((from, _), _)| *from == node) {
                let text = transmitted(&mut nodes[from], link);
                for line in text.split_inclusive('\n') {
                    written.push_back((round, format!("{}>{}", names[from], names[to]), line.to_owned()));
                }
                nodes[to].input(ends[&(to, from)], text.as_bytes(), START);
                for (message, author) in delivered(&mut nodes[to]) {
                    heard.push((round, names[to].to_owned(), message, author));
                }
            }
        }
    }
    let expected = vectors["delivered"].as_array().unwrap().iter().map(|heard| {
        let text = |name: &str| heard[name].as_str().unwrap().to_owned();
        (
            heard["round"].as_u64().unwrap(),
            text("at"),
            heard["msg"].clone(),
            text("from"),
        )
    });
    assert_eq!(heard, expected.collect::<Vec<_>>());

    // The original also sends each line back to whom it had it from.
    let mut came: Vec<(String, String)> = Vec::new();
    let mut expected = Vec::new();
    for wire in vectors["wire"].as_array().unwrap() {
        let (link, text) = (wire["link"].as_str().unwrap(), wire["text"].as_str().unwrap());
        let (from, to) = link.split_once('>').unwrap();
        came.push((to.to_owned() + text, from.to_owned()));
        if !came
            .iter()
            .any(|(line, by)| *line == from.to_owned() + text && by == to)
        {
            expected.push((wire["round"].as_u64().unwrap(), link.to_owned(), text.to_owned()));
        }
    }
    assert_eq!(Vec::from(written), expected);
    let first = vectors["signed_bytes_of_first"].as_str().unwrap();
    let text = "{\n  \"data\": \"hello warld\"\n}";
    assert_eq!(
        text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>(),
        first
    );
    assert_eq!(authors.len(), 3);
}

#[test]
fn objects_are_published_as_the_original_does_and_what_it_mangles_is_refused() {
    let vectors = vectors();
    let keys = keys(&vectors, "g1");
    let mut refused = 0;
    for (number, published) in vectors["published"].as_array().unwrap().iter().enumerate() {
        let (text, line) = (published["text"].as_str().unwrap(), published["line"].as_str().unwrap());
        let message = handfast_json::parse(text).unwrap();
        match Message::sign_without_proof(&keys, &message, number as u64) {
            Ok(message) => assert_eq!(format!("{}\n", std::str::from_utf8(message.line()).unwrap()), line),
            Err(Error::NotAnObject { .. } | Error::Reserved) => {
                refused += 1;
                assert!(!message.is_object() || message.get("signature").is_some(), "{text}");
            }
            // The original loses it.
            Err(Error::Caller(_)) => assert!(text.contains("__proto__") && !line.contains("__proto__"), "{text}"),
            Err(other) => panic!("{text}: {other}"),
        }
        // Whatever it made of it, it is a message; but it signs a member `signature` and then writes over it.
        let overwritten = message.get("signature").is_some();
        assert_eq!(Message::parse(line.as_bytes()).is_ok(), !overwritten, "{line}");
    }
    assert!(refused > 0);
}

/// What becomes of a quirk here: which of the written messages are delivered, by their place, and which of those go on to
/// peers of the original's kind.
fn decision(quirk: &str) -> (Vec<usize>, Vec<usize>) {
    let (delivered, passed_on): (&[usize], &[usize]) = match quirk {
        "gap accepted: seq 0 then 5" => (&[0, 1], &[0, 1]),
        // Nothing is lost, and what goes on in one round is put in order.
        "out of order: 5 then 0 => 0 dropped" => (&[0, 1], &[1, 0]),
        // Equal numbers do not make two messages one.
        "duplicate seq dropped even with other data" => (&[0, 1], &[0, 1]),
        // The same content under another number is the same message.
        "seq is not signed: same data replayed with higher seq is accepted" => (&[0], &[0]),
        "bad signature dropped" => (&[], &[]),
        "garbage line ignored, next ok" => (&[0], &[0]),
        "split over writes; crlf" => (&[0, 1, 2], &[0, 1, 2]),
        "no trailing newline => not delivered" => (&[], &[]),
        // Numbers that are none lose nothing here, and go no further than peers of our kind. Neither does "after x" come
        // to harm, which the original drops.
        "negative/float/string seq" => (&[0, 1, 2, 3, 4], &[4]),
        "missing seq (undefined)" => (&[0], &[]),
        // Passed on in the one canonical form.
        "key order other + whitespace kept verbatim on relay" => (&[0], &[0]),
        other => panic!("the quirk {other:?} is not decided"),
    };
    (delivered.to_vec(), passed_on.to_vec())
}

#[test]
fn every_quirk_is_decided() {
    let vectors = vectors();
    for (quirk, vector) in vectors["quirks"].as_object().unwrap() {
        let mut node = plain(keys(&vectors, "g3"));
        let (from, to) = (node.open(START).unwrap(), node.open(START).unwrap());
        let written: String = vector["written"]
            .as_array()
            .unwrap()
            .iter()
            .map(|piece| piece.as_str().unwrap())
            .collect();
        for piece in vector["written"].as_array().unwrap() {
            node.input(from, piece.as_str().unwrap().as_bytes(), START);
        }
        // The lines of messages, whether sound or not, in the canonical form.
        let lines: Vec<Value> = written
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let (delivers, passes_on) = decision(quirk);
        let heard: Vec<Value> = delivered(&mut node).into_iter().map(|(message, _)| message).collect();
        let expected: Vec<Value> = delivers
            .iter()
            .map(|&place| {
                let mut data = lines[place]["data"].clone();
                data.as_object_mut().unwrap().remove("signature");
                data
            })
            .collect();
        assert_eq!(heard, expected, "{quirk}");
        node.round(START + Duration::from_secs(1));
        let on: Vec<Value> = transmitted(&mut node, to)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let expected: Vec<Value> = passes_on.iter().map(|&place| lines[place].clone()).collect();
        assert_eq!(on, expected, "{quirk}");
        assert_eq!(transmitted(&mut node, from), "", "{quirk}: no echo");
    }
}

#[test]
fn our_own_lines_are_the_originals_with_one_outer_member_more() {
    let vectors = vectors();
    let keys = keys(&vectors, "g1");
    let message = handfast_json::parse("{\"b\":1,\"2\":2,\"a\":[\"\\u00e9\"]}").unwrap();
    let ours = Message::sign(&keys, &message, 1_843_200_000_000_000).unwrap();
    let line = std::str::from_utf8(ours.line()).unwrap();
    assert!(
        line.starts_with("{\"data\":{\"2\":2,\"b\":1,\"a\":[\"é\"],\"signature\":\""),
        "{line}"
    );
    let (head, proof) = line.split_once(",\"sig2\":\"").unwrap();
    let plain = Message::parse(format!("{head}}}\n").as_bytes()).unwrap();
    assert_eq!(
        (plain.id(), plain.sequence()),
        (ours.id(), Sequence::Claimed(1_843_200_000_000_000))
    );
    assert_eq!(Message::parse(ours.line()).unwrap(), ours);
    assert_eq!(ours.sequence(), Sequence::Proven(1_843_200_000_000_000));
    assert_eq!(ours.content(), message);
    // A proof of another number proves nothing and is not passed on.
    let forged = format!(
        "{},\"sig2\":\"{proof}",
        head.replace(":1843200000000000", ":1843200000000001")
    );
    let forged = Message::parse(forged.as_bytes()).unwrap();
    assert_eq!(forged.sequence(), Sequence::Claimed(1_843_200_000_000_001));
    assert!(!forged.line().windows(4).any(|window| window == b"sig2"));
}
