//! What happens to a node, kept from the beginning, so that nothing can be missed by looking late.

use super::DEADLINE;
use anyhow::{Result, bail};
use serde_json::{Value, json};
use tokio::sync::watch;

/// The entries, each with its kind under `what`.
#[derive(Debug)]
pub(crate) struct Diary(watch::Sender<Vec<Value>>);

/// The kind of the entry after which there are no others, since the node is gone; `why` says what became of it.
const BROKEN: &str = "broken";

impl Diary {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Vec::new()))
    }

    /// Adds an entry.
    pub(crate) fn write(&self, entry: Value) {
        self.0.send_modify(|entries| entries.push(entry));
    }

    /// Tells all who wait that nothing more will come.
    pub(crate) fn break_off(&self, why: &str) {
        self.write(json!({ "what": BROKEN, "why": why }));
    }

    /// The entries of this kind so far.
    pub(crate) fn so_far(&self, what: &str) -> Vec<Value> {
        of(&self.0.borrow(), what).cloned().collect()
    }

    /// The first `count` entries of this kind, once there are so many.
    ///
    /// # Errors
    /// If they do not come in time, or cannot come any more.
    pub(crate) async fn until(&self, what: &str, count: usize) -> Result<Vec<Value>> {
        let first = |entries: &[Value]| of(entries, what).take(count).cloned().collect::<Vec<_>>();
        self.wait_for(|entries| Some(first(entries)).filter(|first| first.len() == count))
            .await
    }

    /// The numbers of the connections that have begun and not ended, once they are so many.
    ///
    /// # Errors
    /// If they are never so many.
    pub(crate) async fn live(&self, count: usize) -> Result<Vec<usize>> {
        let live = |entries: &[Value]| {
            let closed = |number: &usize| of(entries, "closed").any(|entry| entry.get("link") == Some(&json!(number)));
            let begun = 0..of(entries, "connected").count();
            begun.filter(|number| !closed(number)).collect::<Vec<_>>()
        };
        self.wait_for(|entries| Some(live(entries)).filter(|live| live.len() == count))
            .await
    }

    async fn wait_for<T>(&self, mut found: impl FnMut(&[Value]) -> Option<T>) -> Result<T> {
        let mut result = None;
        let mut entries = self.0.subscribe();
        let settled = |entries: &Vec<Value>| {
            result = found(entries);
            result.is_some() || of(entries, BROKEN).next().is_some()
        };
        // Neither lateness nor a break leaves a result behind.
        let _ = tokio::time::timeout(DEADLINE, entries.wait_for(settled)).await;
        match result {
            Some(result) => Ok(result),
            None => bail!("this is all that happened: {}", json!(*self.0.borrow())),
        }
    }

    /// Tells of changes.
    pub(crate) fn news(&self) -> watch::Receiver<Vec<Value>> {
        self.0.subscribe()
    }
}

fn of<'a>(entries: &'a [Value], what: &'a str) -> impl Iterator<Item = &'a Value> {
    let of_kind = move |entry: &&Value| entry.get("what").and_then(Value::as_str) == Some(what);
    entries.iter().filter(of_kind)
}
