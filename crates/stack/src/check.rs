//! Laws that hold for any input, for fuzzers and property tests. A broken one panics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use arbitrary::{Arbitrary, Result, Unstructured};
use handfast_mux::{MethodName, Verdict};
use serde_json::{Map, Value};

use crate::{Config, Permissions, camel_case, merge};

/// Names are camel-cased without a panic, to ASCII letters and digits, each of which was in the name in some case.
pub fn names(data: &[u8]) {
    let name = String::from_utf8_lossy(data);
    let camel = camel_case(&name);
    assert!(camel.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{camel:?}");
    assert!(
        !camel.starts_with(|first: char| first.is_ascii_uppercase()),
        "{camel:?}"
    );
    let lower = name.to_lowercase();
    let mut letters = lower.chars().filter(char::is_ascii_alphanumeric);
    for letter in camel.to_ascii_lowercase().chars() {
        assert!(letters.any(|there| there == letter), "{name:?} becomes {camel:?}");
    }
}

/// Any JSON is a configuration or an error, and a configuration stands what is done to it.
pub fn config(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    let Ok(config) = Config::from_value(value) else {
        return;
    };
    let written = serde_json::to_value(&config).unwrap();
    let read = Config::from_value(written.clone()).expect("what is written can be read");
    assert_eq!(serde_json::to_value(&read).unwrap(), written);
    assert_eq!(config.clone().merge(Config::default()), config);
    assert_eq!(config.clone().merge(config.clone()), config);
    let spelled_out = serde_json::to_value(config.written_out(&[])).unwrap();
    let again = Config::from_value(spelled_out).expect("defaults can be read");
    assert_eq!(again.global.timers.inactivity(), config.global.timers.inactivity());
    let _ = (
        config.global.limits(),
        config.global.connections(),
        format!("{config:?}"),
    );
}

/// What is laid over something is there afterwards, and what it does not speak of stays.
pub fn layers(data: &[u8]) {
    let _ = try_layers(&mut Unstructured::new(data));
}

fn try_layers(input: &mut Unstructured<'_>) -> Result<()> {
    let (base, over) = (object(input, 3)?, object(input, 3)?);
    let mut merged = base.clone();
    merge(&mut merged, over.clone());
    assert!(is_laid(&merged, &base, &over), "{base} and {over} become {merged}");
    let mut twice = merged.clone();
    merge(&mut twice, over);
    assert_eq!(twice, merged);
    Ok(())
}

fn is_laid(merged: &Value, base: &Value, over: &Value) -> bool {
    match (merged, base, over) {
        (Value::Object(merged), Value::Object(base), Value::Object(over)) => {
            let names = base.keys().chain(over.keys());
            merged
                .keys()
                .all(|name| base.contains_key(name) || over.contains_key(name))
                && names
                    .into_iter()
                    .all(|name| match (merged.get(name), base.get(name), over.get(name)) {
                        (Some(merged), Some(base), Some(over)) => is_laid(merged, base, over),
                        (merged, Some(only), None) | (merged, None, Some(only)) => merged == Some(only),
                        _ => false,
                    })
        }
        _ => merged == over,
    }
}

fn object(input: &mut Unstructured<'_>, depth: u8) -> Result<Value> {
    let mut fields = Map::new();
    for _ in 0..input.int_in_range(0..=4)? {
        let name = *input.choose(&["a", "b", "c", "d"])?;
        let value = match input.int_in_range(0..=4)? {
            0 => Value::Null,
            1 => u8::arbitrary(input)?.into(),
            2 => vec![u8::arbitrary(input)?].into(),
            _ if depth > 0 => object(input, depth - 1)?,
            _ => true.into(),
        };
        fields.insert(name.to_owned(), value);
    }
    Ok(fields.into())
}

/// Permissions of several plugins say what each of their rules says, and name a plugin that has made the rule.
pub fn permissions(data: &[u8]) {
    let _ = try_permissions(&mut Unstructured::new(data));
}

fn try_permissions(input: &mut Unstructured<'_>) -> Result<()> {
    let mut all = Permissions::default();
    let (mut allow, mut deny) = (Vec::new(), Vec::new());
    for _ in 0..input.int_in_range(1..=3)? {
        let plugin = *input.choose(&["", "a", "b"])?;
        let full = |path: &String| match plugin {
            "" => path.clone(),
            plugin => format!("{plugin}.{path}"),
        };
        let (allows, denies) = (paths(input)?, paths(input)?);
        allow.extend(allows.iter().map(full).map(|path| (path, plugin)));
        deny.extend(denies.iter().map(full).map(|path| (path, plugin)));
        all = all.merge(Permissions::anonymous(allows).deny_anonymous(denies).of_plugin(plugin));
    }
    let rights = all.anonymous_rights().expect("the paths are names of methods");
    let name = path(input)?;
    let method: MethodName = name.parse().unwrap();
    let explanation = all.explain(rights.verdict(&method));
    let by = |rules: &[(String, &str)], rule: &MethodName, plugin: Option<&str>| {
        covers(&rule.to_string(), &name)
            && rules
                .iter()
                .any(|(path, from)| *path == rule.to_string() && Some(*from) == plugin)
    };
    let allowed = allow.iter().any(|(rule, _)| covers(rule, &name));
    let denied = deny.iter().any(|(rule, _)| covers(rule, &name));
    match explanation.verdict {
        Verdict::Allowed { by: Some(rule) } => assert!(allowed && !denied && by(&allow, rule, explanation.plugin)),
        Verdict::Denied { by: rule } => assert!(allowed && denied && by(&deny, rule, explanation.plugin)),
        Verdict::NotListed => assert!(!allowed && explanation.plugin.is_none()),
        Verdict::Allowed { by: None } => panic!("nothing is allowed by silence"),
    }
    let written = serde_json::to_string(&all).unwrap();
    let read: Permissions = serde_json::from_str(&written).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), written);
    assert_eq!(read.anonymous_rights().unwrap(), rights);
    Ok(())
}

fn covers(rule: &str, name: &str) -> bool {
    name == rule || name.strip_prefix(rule).is_some_and(|rest| rest.starts_with('.'))
}

fn paths(input: &mut Unstructured<'_>) -> Result<Vec<String>> {
    (0..input.int_in_range(0..=3)?).map(|_| path(input)).collect()
}

fn path(input: &mut Unstructured<'_>) -> Result<String> {
    let parts: Result<Vec<&str>> = (0..input.int_in_range(1..=3)?)
        .map(|_| input.choose(&["a", "b", "ab"]).copied())
        .collect();
    Ok(parts?.join("."))
}
