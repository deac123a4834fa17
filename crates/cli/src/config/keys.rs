//! The keys of the configuration: what each one is, and what to say about one that there is not.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// One key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// Its name and those of the tables around it, with dots. `a|b` stands for either of two names, `*` for any.
    path: &'static str,
    /// What it is, and its unit, in lines.
    pub(super) about: &'static str,
    /// How it may look, in lines of TOML, if it has no default.
    pub(super) example: &'static str,
}

impl Key {
    /// A key with a default.
    pub(super) const fn new(path: &'static str, about: &'static str) -> Self {
        Self {
            path,
            about,
            example: "",
        }
    }

    /// A key without a default.
    pub(super) const fn optional(path: &'static str, about: &'static str, example: &'static str) -> Self {
        Self { path, about, example }
    }

    fn parts(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.path.split('.')
    }

    /// The last part of its path.
    pub(super) fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or_default()
    }

    /// The table in which it stands.
    #[cfg(test)]
    pub(super) fn parent(&self) -> String {
        let path = self.filled_in(&[]);
        path.rsplit_once('.')
            .map(|(parent, _)| parent.into())
            .unwrap_or_default()
    }

    /// Whether this is a key without a default of the table at `path`.
    pub(super) fn is_below(&self, path: &[&str]) -> bool {
        !self.example.is_empty() && self.parts().count() == path.len() + 1 && self.begins_with(path)
    }

    fn begins_with(&self, path: &[&str]) -> bool {
        let mut parts = self.parts();
        path.iter()
            .all(|name| parts.next().is_some_and(|part| fits(part, name)))
    }

    /// The path, with the names that `path` has where there is a choice.
    fn filled_in(&self, path: &[&str]) -> String {
        let mut names = path.iter();
        let part = |part: &'static str| match names.next() {
            Some(name) if fits(part, name) => name,
            _ => part.split('|').next().unwrap_or(part),
        };
        self.parts().map(part).collect::<Vec<_>>().join(".")
    }
}

fn fits(part: &str, name: &str) -> bool {
    part == "*" || part.split('|').any(|part| part == name)
}

/// What is known about a key: the entry that names it, or else one with a `*`.
pub(super) fn find<'a>(keys: &'a [Key], path: &[&str]) -> Option<&'a Key> {
    let fits = |key: &&Key| key.parts().count() == path.len() && key.begins_with(path);
    let exact = |key: &&Key| key.parts().eq(path.iter().copied());
    keys.iter().find(exact).or_else(|| keys.iter().find(fits))
}

/// Finds a key that does not exist, which is most often a typing mistake and never without consequence.
///
/// # Errors
/// Which key it is, in which line, and the nearest one that exists.
pub(super) fn refuse_unknown(text: &str, keys: &[Key]) -> Result<(), String> {
    // What is no TOML at all is reported when the values are read.
    match DeTable::parse(text) {
        Ok(table) => walk(table.get_ref(), &mut Vec::new(), &Known { text, keys }),
        Err(_) => Ok(()),
    }
}

struct Known<'a> {
    text: &'a str,
    keys: &'a [Key],
}

fn walk<'a>(table: &'a DeTable<'_>, path: &mut Vec<&'a str>, known: &Known<'_>) -> Result<(), String> {
    for (name, value) in table {
        path.push(name.get_ref());
        if !known.keys.iter().any(|key| key.begins_with(path)) {
            let line = line_of(known.text, name.span().start);
            // A table that stands in the wrong place is recognised by what is in it.
            let mut inside = value.get_ref();
            while let Some((name, value)) = inside.as_table().and_then(|table| table.iter().next()) {
                path.push(name.get_ref());
                inside = value.get_ref();
            }
            let name = path.join(".");
            let nearest = nearest(path, known.keys);
            return Err(format!(
                "line {line}: there is no key {name}; the nearest one is {nearest}"
            ));
        }
        walk_value(value, path, known)?;
        path.pop();
    }
    Ok(())
}

fn walk_value<'a>(value: &'a Spanned<DeValue<'_>>, path: &mut Vec<&'a str>, known: &Known<'_>) -> Result<(), String> {
    match value.get_ref() {
        DeValue::Table(table) => walk(table, path, known),
        DeValue::Array(items) => items.iter().try_for_each(|item| walk_value(item, path, known)),
        _ => Ok(()),
    }
}

/// The line, counted from 1, in which this byte stands.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or(text);
    before.matches('\n').count() + 1
}

fn nearest(path: &[&str], keys: &[Key]) -> String {
    let name = path.join(".");
    let likeness = |known: &String| strsim::normalized_damerau_levenshtein(&name, known);
    keys.iter()
        .map(|key| key.filled_in(path))
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &[Key] = &[
        Key::new("network", ""),
        Key::new("global.timers.inactivity", ""),
        Key::new("global.timers.handshake", ""),
        Key::new("global.connections.incoming.*.scope", ""),
        Key::new("global.connections.incoming.net|ws.port", ""),
    ];

    fn complaint(text: &str) -> String {
        refuse_unknown(text, KEYS).unwrap_err()
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_one() {
        assert_eq!(
            complaint("network = 1\n[global.timers]\nhandshake = 1\ninactivty = 2\n"),
            "line 4: there is no key global.timers.inactivty; the nearest one is global.timers.inactivity"
        );
        assert_eq!(
            complaint("[[global.connections.incoming.ws]]\nport = 1\n[[global.connections.incoming.ws]]\nprot = 2\n"),
            "line 4: there is no key global.connections.incoming.ws.prot; the nearest one is \
             global.connections.incoming.ws.port"
        );
        assert!(complaint("[global.connections.incoming.mine]\nport = 1").ends_with("net.port"));
        assert!(complaint("timers.inactivity = 5").contains("global.timers.inactivity"));
        assert!(complaint("netwrok = 5").ends_with("network"));
    }

    #[test]
    fn known_keys_pass_wherever_a_name_may_be_chosen() {
        let text =
            "network = 5\nglobal.timers = { inactivity = 1 }\nglobal.connections.incoming.mine = [{ scope = 1 }]";
        assert_eq!(refuse_unknown(text, KEYS), Ok(()));
    }
}
