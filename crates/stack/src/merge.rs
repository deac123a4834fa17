//! Configuration laid over configuration.

use serde_json::{Map, Value};

/// Lays `over` on `base`, as the original merges configurations: objects are merged field by field, at any depth; everything
/// else, lists, texts, numbers, `null` and Buffers among them, replaces what was there.
///
/// An object replaces what is no object. (The original forgets the object then.)
///
/// ```
/// use serde_json::json;
///
/// let mut config = json!({ "port": 8008, "timers": { "handshake": 5000 }, "seeds": ["a", "b"] });
/// handfast_stack::merge(&mut config, json!({ "timers": { "inactivity": 0 }, "seeds": ["c"] }));
/// assert_eq!(config, json!({ "port": 8008, "timers": { "handshake": 5000, "inactivity": 0 }, "seeds": ["c"] }));
/// ```
pub fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) if !is_buffer(base) && !is_buffer(&over) => merge_maps(base, over),
        (base, over) => *base = over,
    }
}

/// [`merge`] of the fields of two objects.
pub(crate) fn merge_maps(base: &mut Map<String, Value>, over: Map<String, Value>) {
    for (name, value) in over {
        match base.get_mut(&name) {
            Some(there) => merge(there, value),
            None => drop(base.insert(name, value)),
        }
    }
}

/// Whether this is what JSON prints for a Buffer, `{"type":"Buffer","data":[…]}`: one value, not fields to merge.
fn is_buffer(object: &Map<String, Value>) -> bool {
    object.len() == 2
        && object.get("type").and_then(Value::as_str) == Some("Buffer")
        && object.get("data").is_some_and(Value::is_array)
}
