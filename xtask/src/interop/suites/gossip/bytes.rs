//! What ours sent, byte for byte: to the original what the original would have sent, and to ours what two of ours agree on.

use super::node::{Maker, Node};
use super::scene::Scene;
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// The line with which ours shows what it is, and which the original passes over.
const GREETING: &[u8] = br#"{"sg2":{"#;
/// The line behind which frames come.
const SWITCH: &[u8] = br#"{"sg2":{"switch":true}}"#;

/// How many lines of a connection the original is asked about: to ask is slower than to send.
const ASKED: usize = 300;

/// Lines, of which the last may not be whole.
fn lines(sent: &[u8]) -> impl Iterator<Item = &[u8]> {
    sent.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// Two of ours greet each other, switch, and go on in frames.
pub(super) fn between_ours(sent: &[u8]) -> Result<()> {
    let first = lines(sent).next().unwrap_or_default();
    ensure!(
        first.starts_with(GREETING),
        "the first line is no greeting: {}",
        shown(first)
    );
    ensure!(has_switched(sent), "it never switched to frames");
    Ok(())
}

/// Whether frames follow.
pub(super) fn has_switched(sent: &[u8]) -> bool {
    lines(sent).any(|line| line == SWITCH)
}

/// Who signs a message: the seed of the key, and whose node it is.
pub(super) type Author = (String, Maker);

/// A greeting, and then lines as secure-gossip makes them itself of the same messages, none twice.
///
/// Ours signs what is said again with another signature, so that it is another message; that signatures are sound, the
/// original says by taking the messages.
pub(super) async fn to_theirs(
    sent: &[u8],
    signers: &HashMap<String, Author>,
    scene: &Scene,
    scribe: &Node,
) -> Result<()> {
    let mut seen = HashSet::new();
    let mut highest: HashMap<String, u64> = HashMap::new();
    // A connection that was cut may have been so in the middle of a line.
    let whole = sent.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    for (place, line) in lines(sent.get(..whole).unwrap_or_default()).enumerate() {
        if place == 0 {
            ensure!(
                line.starts_with(GREETING),
                "the first line is no greeting: {}",
                shown(line)
            );
            continue;
        }
        let Some(parts) = Parts::of(line) else {
            anyhow::bail!("line {place} is no message: {}", shown(line));
        };
        ensure!(seen.insert(parts.signature.clone()), "sent twice: {}", shown(line));
        let Some((seed, maker)) = signers.get(&parts.public) else {
            // Of a peer that is not one of the nodes there is no seed, and its messages are passed on as they came.
            ensure!(!scene.is_honest(), "a line of nobody: {}", shown(line));
            continue;
        };
        if place > ASKED {
            continue;
        }
        let answer = scribe
            .ask(&format!("!line {seed} {} {}", parts.seq, parts.message))
            .await?;
        let theirs = answer
            .get("line")
            .and_then(Value::as_str)
            .context("the scribe's line")?;
        let same = match maker {
            Maker::Theirs => parts.bare == theirs,
            Maker::Ours => Parts::of(theirs.as_bytes())
                .is_some_and(|of_theirs| theirs.replace(&of_theirs.signature, &parts.signature) == parts.bare),
        };
        ensure!(
            same,
            "sent\n      {}\n    where the original sends\n      {theirs}",
            parts.bare
        );
        if scene.is_still() {
            // Otherwise the original would pass over it.
            let before = highest.insert(parts.public, parts.seq);
            ensure!(
                before.is_none_or(|before| before < parts.seq),
                "not in order: {}",
                shown(line)
            );
        }
    }
    Ok(())
}

/// Whose messages were sent.
pub(super) fn authors(sent: &[u8]) -> impl Iterator<Item = String> {
    lines(sent).filter_map(|line| Some(Parts::of(line)?.public))
}

/// A line of a message, taken apart as text: what JSON makes of it is what is on trial.
struct Parts {
    /// The line without what ours adds to it.
    bare: String,
    message: String,
    signature: String,
    public: String,
    seq: u64,
}

impl Parts {
    fn of(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let (head, seq) = line.rsplit_once(r#","seq":"#)?;
        let digits = seq.len() - seq.trim_start_matches(|sign: char| sign.is_ascii_digit()).len();
        let (seq, _added) = seq.split_at_checked(digits)?;
        let (data, public) = head.rsplit_once(r#","public":""#)?;
        let data = data.strip_prefix(r#"{"data":"#)?;
        let (message, signature) = data.rsplit_once(r#""signature":""#)?;
        Some(Self {
            bare: format!("{head},\"seq\":{seq}}}"),
            message: format!("{}}}", message.trim_end_matches(',')),
            signature: signature.to_owned(),
            public: public.strip_suffix('"')?.to_owned(),
            seq: seq.parse().ok()?,
        })
    }
}

fn shown(line: &[u8]) -> String {
    String::from_utf8_lossy(line).chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart_and_what_ours_adds_left_out() {
        let line = br#"{"data":{"a":",\"seq\":1","signature":"S"},"public":"P","seq":12,"sig2":"Q"}"#;
        let parts = Parts::of(line);
        let parts = parts.as_ref();
        assert_eq!(
            parts.map(|parts| parts.bare.as_str()),
            Some(r#"{"data":{"a":",\"seq\":1","signature":"S"},"public":"P","seq":12}"#)
        );
        assert_eq!(parts.map(|parts| parts.message.as_str()), Some(r#"{"a":",\"seq\":1"}"#));
        assert_eq!(parts.map(|parts| (parts.public.as_str(), parts.seq)), Some(("P", 12)));
    }

    #[test]
    fn a_message_without_fields_is_one_too() {
        let parts = Parts::of(br#"{"data":{"signature":"S"},"public":"P","seq":0}"#);
        assert_eq!(parts.map(|parts| parts.message), Some("{}".into()));
    }

    #[test]
    fn ours_must_switch() {
        let greeting = "{\"sg2\":{\"v\":1}}\n".to_owned();
        assert!(between_ours(greeting.as_bytes()).is_err());
        assert!(between_ours((greeting + "{\"sg2\":{\"switch\":true}}\n\x00\x01").as_bytes()).is_ok());
    }
}
