//! A configuration as TOML that explains itself: every default, and above each key what it is.

use super::keys::{Key, find};
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// The TOML of these values, with the comments that the keys have.
///
/// Keys without a default stand where they belong, as a comment with an example.
pub(super) fn write(values: &Value, keys: &[Key]) -> Result<String, toml::ser::Error> {
    let mut text = Text {
        keys,
        out: String::new(),
    };
    if let Value::Object(object) = values {
        text.table(&[], object)?;
    }
    Ok(text.out)
}

struct Text<'a> {
    keys: &'a [Key],
    out: String,
}

impl Text<'_> {
    /// Everything of one table: first its plain keys, because those behind a header belong to that header.
    fn table(&mut self, path: &[&str], object: &Map<String, Value>) -> Result<(), toml::ser::Error> {
        let below = |name| [path, &[name]].concat();
        for (name, value) in object {
            if !is_table(value) && !value.is_null() {
                self.about(&below(name));
                let value = toml::Value::try_from(value)?;
                let _ = writeln!(self.out, "{} = {value}", bare_or_quoted(name));
            }
        }
        for key in self.keys {
            if key.is_below(path) && object.get(key.name()).is_none_or(Value::is_null) {
                self.about(&below(key.name()));
                self.comment(key.example);
            }
        }
        for (name, value) in object {
            let path = below(name);
            let header = path
                .iter()
                .map(|part| bare_or_quoted(part))
                .collect::<Vec<_>>()
                .join(".");
            match value {
                Value::Object(object) => {
                    // A table that only holds tables needs no header of its own.
                    if self.explains(&path) || !object.values().all(is_table) {
                        self.out.push('\n');
                        self.about(&path);
                        let _ = writeln!(self.out, "[{header}]");
                    }
                    self.table(&path, object)?;
                }
                Value::Array(items) if is_table(value) => {
                    for object in items.iter().filter_map(Value::as_object) {
                        self.out.push('\n');
                        self.about(&path);
                        let _ = writeln!(self.out, "[[{header}]]");
                        self.table(&path, object)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether anything is said about a table, or about keys in it that have no default.
    fn explains(&self, path: &[&str]) -> bool {
        find(self.keys, path).is_some() || self.keys.iter().any(|key| key.is_below(path))
    }

    /// What the key is, if that is known.
    fn about(&mut self, path: &[&str]) {
        if let Some(key) = find(self.keys, path) {
            self.comment(key.about);
        }
    }

    fn comment(&mut self, lines: &str) {
        for line in lines.lines() {
            self.out += if line.is_empty() { "#" } else { "# " };
            self.out += line;
            self.out.push('\n');
        }
    }
}

/// Whether TOML writes this behind a header of its own.
fn is_table(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Array(items) => !items.is_empty() && items.iter().all(Value::is_object),
        _ => false,
    }
}

fn bare_or_quoted(name: &str) -> String {
    let bare = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    match !name.is_empty() && name.chars().all(bare) {
        true => name.into(),
        false => toml::Value::String(name.into()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KEYS: &[Key] = &[
        Key::new("name", "What it is called.\nIn two lines."),
        Key::optional("limit", "How many, if at all.", "limit = 5"),
        Key::new("deep", "A table."),
        Key::new("deep.port", "A port."),
        Key::new("list.*.host", "A host."),
        Key::new("plain.table.key", "A key."),
    ];

    #[test]
    fn every_key_has_its_comment_and_keys_without_a_default_an_example() {
        let values = json!({
            "name": "a \"b\"\u{1b}", "limit": null, "deep": { "port": 5, "more": [1, 2] },
            "list": { "net": [{ "host": "x" }, { "host": "y" }], "odd name": [] },
            "plain": { "table": { "key": true } }
        });
        let text = write(&values, KEYS).unwrap();
        let expected = r#"# What it is called.
# In two lines.
name = "a \"b\"\u001B"
# How many, if at all.
# limit = 5

# A table.
[deep]
# A port.
port = 5
more = [1, 2]

[list]
"odd name" = []

[[list.net]]
# A host.
host = "x"

[[list.net]]
# A host.
host = "y"

[plain.table]
# A key.
key = true
"#;
        assert_eq!(text, expected);
        let mut read: Value = toml::from_str(&text).unwrap();
        read["limit"] = Value::Null;
        assert_eq!(read, values);
    }
}
