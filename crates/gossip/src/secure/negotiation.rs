//! How two peers of our kind find each other on a stream that may lead to the original.
//!
//! ```text
//! ours                                          ours                         the original
//!   {"sg2":{"v":1,"node":…,"caps":[…]}}  ────►                                  skips the line: it has no `data`
//!                                        ◄────  the same
//!   {"sg2":{"switch":true}}              ────►  from here on frames
//! ```
//!
//! Until the other's first line came, messages go out as lines. `switch` is the last line in its direction: length-prefixed
//! frames follow, each 4 bytes of length, big-endian, and a [`Frame`](crate::swarm::Frame).

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use handfast_json::Tape;

/// What a node must understand for a link of our kind: the tree, and both ways of catching up.
const CAPABILITIES: [&str; 3] = ["plum", "vv", "rbsr"];

/// The last line before the frames.
pub(super) const SWITCH: &[u8] = b"{\"sg2\":{\"switch\":true}}\n";

/// Words are short; a longer line is none, and not worth parsing.
const WORD_MAX: usize = 1024;

/// Our first line. The key is for people who look at the wire: nothing is proven by it.
pub(super) fn hello(public: &[u8; 32]) -> Bytes {
    let [tree, vectors, ranges] = CAPABILITIES;
    let node = STANDARD.encode(public);
    Bytes::from(format!(
        "{{\"sg2\":{{\"v\":1,\"node\":\"{node}.ed25519\",\"caps\":[\"{tree}\",\"{vectors}\",\"{ranges}\"]}}}}\n"
    ))
}

/// A line that is about the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// The other is of our kind and understands all that we do.
    Hello,
    /// Frames follow.
    Switch,
    /// It is about links, and of another version: it is skipped.
    Other,
}

/// Whether this line is about the link.
pub(super) fn word(line: &[u8]) -> Option<Word> {
    if line.len() > WORD_MAX || !line.starts_with(b"{\"sg2\"") {
        return None;
    }
    let mut tape = Tape::new();
    let Ok(line) = tape.read(line) else {
        return Some(Word::Other);
    };
    // The original passes on a message as it came, with whatever its author put beside the `data`. Such a line is a message,
    // and no word of the peer at the other end of this link.
    if line.get("data").is_some() {
        return None;
    }
    let Some(word) = line.get("sg2") else {
        return Some(Word::Other);
    };
    if word.get("switch").and_then(|switch| switch.as_bool()) == Some(true) {
        return Some(Word::Switch);
    }
    let version = word.get("v").and_then(|version| version.as_u64());
    let understands = |wanted: &str| {
        word.get("caps")
            .is_some_and(|caps| caps.items().any(|cap| cap.as_str().is_some_and(|cap| cap == wanted)))
    };
    Some(if version == Some(1) && CAPABILITIES.into_iter().all(understands) {
        Word::Hello
    } else {
        Word::Other
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_of_our_kind_is_recognised_and_one_of_another_version_is_not() {
        let ours = hello(&[7; 32]);
        assert_eq!(word(ours.strip_suffix(b"\n").unwrap()), Some(Word::Hello));
        assert_eq!(word(SWITCH.strip_suffix(b"\n").unwrap()), Some(Word::Switch));
        for other in [
            r#"{"sg2":{"v":2,"caps":["plum","vv","rbsr"]}}"#,
            r#"{"sg2":{"v":1,"caps":["plum"]}}"#,
            r#"{"sg2":{"v":1}}"#,
            r#"{"sg2":1}"#,
            r#"{"sg2""#,
        ] {
            assert_eq!(word(other.as_bytes()), Some(Word::Other), "{other}");
        }
        assert_eq!(word(b"{\"data\":{}}"), None);
    }

    #[test]
    fn a_message_with_a_word_in_it_is_a_message() {
        for word_of_its_author in [
            r#"{"sg2":{"switch":true},"data":{"text":"hi","signature":"x"},"public":"y","seq":1}"#,
            r#"{"sg2":{"v":1,"caps":["plum","vv","rbsr"]},"\u0064ata":{}}"#,
        ] {
            assert_eq!(word(word_of_its_author.as_bytes()), None, "{word_of_its_author}");
        }
    }
}
