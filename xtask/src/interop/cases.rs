//! The list of calls in `xtask/peers/cases.json`, which every client makes of every server, and what must come of each.

use super::node;
use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Value, json};

/// The whole list.
#[derive(Debug, Deserialize)]
pub(crate) struct Cases {
    /// In order, over one connection.
    pub(crate) calls: Vec<Call>,
    /// Each on a connection of its own.
    pub(crate) closings: Vec<Closing>,
}

/// One call; the notes at the head of the file say what each field means.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) method: String,
    #[serde(default)]
    pub(crate) args: Vec<Value>,
    pub(crate) take: Option<usize>,
    pub(crate) abort: Option<String>,
    #[serde(default)]
    pub(crate) send: Vec<Value>,
    pub(crate) fail: Option<String>,
    #[serde(default)]
    pub(crate) keep_open: bool,
    pub(crate) only: Option<Maker>,
    pub(crate) expect: Value,
}

/// One way in which a connection ends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Closing {
    pub(crate) name: String,
    pub(crate) how: String,
    pub(crate) expect: Value,
}

/// Who made a peer.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Maker {
    /// This project.
    Ours,
    /// The pinned JavaScript packages.
    Js,
}

impl Maker {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Js => "js",
        }
    }
}

/// The case with which every client ends its first connection.
pub(crate) const GOODBYE: &str = "goodbye after all calls";

impl Cases {
    pub(crate) fn load() -> Result<Self> {
        let path = node::folder().join("cases.json");
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} does not hold cases", path.display()))
    }

    /// Name and expected outcome of every case that applies when `server` serves.
    pub(crate) fn expectations(&self, server: Maker) -> Vec<(&str, Value)> {
        let calls = self
            .calls
            .iter()
            .filter(|call| call.only.is_none_or(|only| only == server));
        let calls = calls.map(|call| (call.name.as_str(), call.expect.clone()));
        let goodbye = (GOODBYE, json!({ "closed": true }));
        let closings = self
            .closings
            .iter()
            .map(|closing| (closing.name.as_str(), closing.expect.clone()));
        calls.chain([goodbye]).chain(closings).collect()
    }
}

/// Whether an outcome is what a case expects: `{"$any": [..]}` is one of these, `{"$count": n}` the numbers below n.
pub(crate) fn matches(expected: &Value, outcome: &Value) -> bool {
    if let Some(choices) = expected.get("$any").and_then(Value::as_array) {
        return choices.iter().any(|choice| matches(choice, outcome));
    }
    if let Some(count) = expected.get("$count").and_then(Value::as_u64) {
        return *outcome == (0..count).collect::<Value>();
    }
    match (expected, outcome) {
        (Value::Array(expected), Value::Array(outcome)) => {
            expected.len() == outcome.len() && expected.iter().zip(outcome).all(|(e, o)| matches(e, o))
        }
        (Value::Object(expected), Value::Object(outcome)) => {
            expected.len() == outcome.len()
                && expected
                    .iter()
                    .all(|(key, value)| outcome.get(key).is_some_and(|other| matches(value, other)))
        }
        _ => expected == outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_matches_in_every_field() {
        assert!(matches(&json!({ "value": 1 }), &json!({ "value": 1 })));
        assert!(!matches(&json!({ "value": 1 }), &json!({ "value": 1, "late": true })));
        assert!(!matches(
            &json!({ "items": [1], "end": true }),
            &json!({ "items": [1] })
        ));
    }

    #[test]
    fn alternatives_and_counts_are_understood_at_any_depth() {
        let expected = json!({ "items": { "$count": 3 }, "end": { "$any": [true, "gone"] } });
        assert!(matches(&expected, &json!({ "items": [0, 1, 2], "end": "gone" })));
        assert!(!matches(&expected, &json!({ "items": [0, 2, 1], "end": true })));
        assert!(!matches(&expected, &json!({ "items": [0, 1, 2], "end": false })));
    }
}
