//! The cases that every caller puts to every server, from `xtask/peers/cases.json`, and how an outcome is judged.

use super::node;
use anyhow::{Context as _, Result};
use handfast_mux::CallType;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A long text is named by its length; the JavaScript half draws the same line.
const LONGEST_TEXT: usize = 256;

/// The file. Its notes say what each field means.
#[derive(Debug, Deserialize)]
pub(crate) struct Cases {
    pub(crate) calls: Vec<Call>,
    pub(crate) together: Vec<Scene>,
    pub(crate) closings: Vec<Scene>,
}

/// One call.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) kind: CallType,
    pub(crate) method: String,
    #[serde(default)]
    pub(crate) args: Vec<Value>,
    #[serde(default)]
    pub(crate) send: Vec<Value>,
    // For JavaScript, a field that is null is not a field that is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fail: Option<String>,
    #[serde(default)]
    pub(crate) keep_open: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) take: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) abort: Option<String>,
    #[serde(default)]
    pub(crate) own: bool,
    #[serde(skip_serializing)]
    serves: Option<Make>,
    #[serde(skip_serializing)]
    pub(crate) expect: Value,
}

/// One scene that takes more than a call.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scene {
    pub(crate) name: String,
    pub(crate) how: String,
    expect: Value,
}

/// Who made a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Make {
    Ours,
    Js,
}

impl Make {
    /// As the scripts are told.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Js => "js",
        }
    }
}

/// Who meets whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) calls: Make,
    pub(crate) serves: Make,
    /// Whether the caller can ask for the manifest as muxrpc does; nodes of secret-stack cannot.
    pub(crate) bootstraps: bool,
}

impl Call {
    /// A call that no case describes.
    pub(crate) fn new(kind: CallType, method: &str, args: Value) -> Self {
        let args = match args {
            Value::Array(args) => args,
            one => vec![one],
        };
        Self {
            name: method.to_owned(),
            kind,
            method: method.to_owned(),
            args,
            send: Vec::new(),
            fail: None,
            keep_open: false,
            take: None,
            abort: None,
            own: false,
            serves: None,
            expect: Value::Null,
        }
    }

    /// Whether the pair plays this case.
    pub(crate) fn is_for(&self, pair: Pair) -> bool {
        self.serves.is_none_or(|make| make == pair.serves)
    }

    /// Whether the caller hears anything that could be judged. A sink of ours that breaks is gone with its reason; that the
    /// far side heard it is another case.
    pub(crate) fn is_judged(&self, pair: Pair) -> bool {
        !(pair.calls == Make::Ours && self.kind == CallType::Sink && self.fail.is_some())
    }
}

impl Scene {
    /// Whether the pair plays this scene.
    pub(crate) fn is_for(&self, pair: Pair) -> bool {
        pair.bootstraps || self.how != "bootstrap"
    }
}

/// The case between the calls and the scenes.
pub(crate) const GOODBYE_AFTER_CALLS: &str = "goodbye after all calls";

impl Cases {
    /// Reads the file.
    pub(crate) fn load() -> Result<Self> {
        let path = node::folder().join("cases.json");
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} does not hold cases", path.display()))
    }

    /// What a pair plays, in order, and what its caller must see.
    pub(crate) fn of(&self, pair: Pair) -> Vec<(&str, Value)> {
        let calls = self
            .calls
            .iter()
            .filter(|call| call.is_for(pair) && call.is_judged(pair))
            .map(|call| (call.name.as_str(), call.expect.clone()));
        let goodbye = std::iter::once((GOODBYE_AFTER_CALLS, json!({ "closed": true })));
        let scenes = self
            .together
            .iter()
            .chain(&self.closings)
            .filter(|scene| scene.is_for(pair));
        calls
            .chain(goodbye)
            .chain(scenes.map(|scene| (scene.name.as_str(), scene.expect.clone())))
            .collect()
    }
}

/// How one case came out.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) name: String,
    /// What went wrong, if something did.
    pub(crate) complaint: Option<String>,
}

impl Verdict {
    /// Passed if `outcome` is exactly what was expected.
    pub(crate) fn new(name: &str, expected: &Value, outcome: Option<&Value>) -> Self {
        let complaint = match outcome {
            None => Some("no result".to_owned()),
            Some(outcome) if matches(expected, outcome) => None,
            Some(outcome) => Some(format!("expected {}, got {}", shortened(expected), shortened(outcome))),
        };
        Self {
            name: name.to_owned(),
            complaint,
        }
    }

    /// Judges results against what was expected; a result that nobody asked for is a failure too.
    pub(crate) fn all<'a>(
        expected: impl IntoIterator<Item = (&'a str, Value)>,
        mut results: Vec<(String, Value)>,
    ) -> Vec<Self> {
        let mut verdicts: Vec<Self> = Vec::new();
        for (name, expected) in expected {
            let place = results.iter().position(|(case, _)| case == name);
            let outcome = place.map(|place| results.remove(place).1);
            verdicts.push(Self::new(name, &expected, outcome.as_ref()));
        }
        let surplus = results.into_iter().map(|(name, outcome)| Self {
            complaint: Some(format!(
                "a case that is not in the list; it gave {}",
                shortened(&outcome)
            )),
            name,
        });
        verdicts.extend(surplus);
        verdicts
    }
}

fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(500) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// Whether an outcome is what a case expects: `{"$any": […]}` is one of these, `{"$count": n}` the numbers below n. Recipes of
/// long values stand for themselves, because outcomes name such values by the same recipes.
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
            let found = |(name, value)| outcome.get(name).is_some_and(|other| matches(value, other));
            expected.len() == outcome.len() && expected.iter().all(found)
        }
        _ => expected == outcome,
    }
}

/// The `length` that a recipe such as `{"$text": 3}` names.
pub(crate) fn recipe(value: &Value, kind: &str) -> Option<usize> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    fields.get(kind)?.as_u64().and_then(|length| length.try_into().ok())
}

/// Bytes whose value follows their place, so that a lost or doubled piece shows.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    // Only the lowest byte counts.
    (0..length)
        .map(|place| (place.wrapping_mul(7).wrapping_add(3) & 255) as u8)
        .collect()
}

/// A text in the form in which outcomes name it.
pub(crate) fn text_summary(text: &str) -> Value {
    if text.len() <= LONGEST_TEXT {
        return text.into();
    }
    named("$text", text.len(), text.bytes().all(|byte| byte == b'x'))
}

/// Bytes in the form in which outcomes name them.
pub(crate) fn bytes_summary(bytes: &[u8]) -> Value {
    named("$bytes", bytes.len(), bytes == pattern(bytes.len()))
}

/// A JSON value in the form in which outcomes name it.
pub(crate) fn summary(value: Value) -> Value {
    match value {
        Value::String(text) => text_summary(&text),
        Value::Array(items) => items.into_iter().map(summary).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, summary(value)))
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    }
}

fn named(kind: &str, length: usize, intact: bool) -> Value {
    if intact {
        json!({ kind: length })
    } else {
        json!({ kind: length, "damaged": true })
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

    #[test]
    fn a_missing_result_and_a_surplus_one_are_failures() {
        let results = vec![("b".to_owned(), json!(1)), ("c".to_owned(), json!(1))];
        let verdicts = Verdict::all([("a", json!(1)), ("b", json!(1))], results);
        let failed: Vec<&str> = verdicts
            .iter()
            .filter(|verdict| verdict.complaint.is_some())
            .map(|verdict| verdict.name.as_str())
            .collect();
        assert_eq!(failed, ["a", "c"]);
    }

    #[test]
    fn a_damaged_value_is_not_named_by_its_recipe() {
        assert_eq!(bytes_summary(&pattern(300)), json!({ "$bytes": 300 }));
        assert_ne!(bytes_summary(&[0; 300]), json!({ "$bytes": 300 }));
        assert_ne!(text_summary(&"y".repeat(300)), json!({ "$text": 300 }));
    }
}
