//! Tens of thousands of texts, made up anew in each run, as we read and print them and as Node does.
//!
//! A run prints its seed; `HANDFAST_JSON_SEED=N cargo xtask interop --only Node` makes the same texts again.

mod texts;

use super::super::cases::Verdict;
use super::super::node;
use super::super::peers::Peer;
use super::{Add, Direction, List, Title, hex};
use anyhow::{Context as _, Result};
use handfast_json::Tape;
use std::time::{SystemTime, UNIX_EPOCH};
use texts::{Dice, KINDS, Kind};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Compact and pretty; `None` if the text is no JSON.
type Printed = Option<(String, String)>;

pub(super) fn add(add: &mut Add<'_>) {
    let title = Title {
        peer: "JSON.parse and JSON.stringify of Node".into(),
        list: List::Json,
        direction: Direction::Both,
    };
    add(title, Box::pin(all_kinds()));
}

async fn all_kinds() -> Result<Vec<Verdict>> {
    let seed = seed()?;
    println!("       JSON texts of seed {seed}");
    let mut dice = Dice::new(seed);
    let mut verdicts = Vec::new();
    for kind in KINDS {
        let complaint = one_kind(kind, &mut dice).await?;
        verdicts.push(Verdict {
            name: format!("{} texts: {}", kind.count, kind.name),
            complaint: complaint.map(|complaint| format!("{complaint} (seed {seed})")),
        });
    }
    Ok(verdicts)
}

fn seed() -> Result<u64> {
    match std::env::var("HANDFAST_JSON_SEED") {
        Ok(seed) => seed.parse().context("HANDFAST_JSON_SEED is no number"),
        // Nanoseconds of today fit 64 bits for some five hundred years.
        Err(_) => Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64),
    }
}

/// The first difference, if there is one.
async fn one_kind(kind: &Kind, dice: &mut Dice) -> Result<Option<String>> {
    let texts: Vec<String> = (0..kind.count).map(|_| (kind.make)(dice)).collect();
    let mut command = Command::new("node");
    command.arg(node::folder().join("json.js"));
    let mut peer = Peer::start("json.js", &mut command)?;
    let mut stdin = peer.take_stdin()?;
    let questions: Vec<String> = texts.iter().map(|text| hex(text.as_bytes()) + "\n").collect();
    // Asking and hearing go on at once: neither pipe holds everything.
    let asking = tokio::spawn(async move {
        for questions in questions.chunks(256) {
            stdin.write_all(questions.concat().as_bytes()).await?;
        }
        stdin.flush().await?;
        // The peer leaves when this is dropped, so it comes back.
        Ok::<_, std::io::Error>(stdin)
    });
    let mut difference = None;
    let (mut accepted, mut tape) = (0, Tape::new());
    for text in &texts {
        let theirs: Printed = serde_json::from_str(&peer.line().await?)?;
        accepted += usize::from(theirs.is_some());
        if difference.is_none() {
            difference = differs(text, &theirs, &mut tape);
        }
    }
    drop(asking.await??);
    // Texts that are all refused, or never, would prove half of what they should.
    if difference.is_none() && !kind.accepted.contains(&(accepted * 100 / kind.count)) {
        difference = Some(format!(
            "{accepted} of {} texts are JSON, which was not expected",
            kind.count
        ));
    }
    Ok(difference)
}

/// What we make of a text otherwise than V8: by values, and by a tape.
fn differs(text: &str, theirs: &Printed, tape: &mut Tape) -> Option<String> {
    let by_value = handfast_json::parse(text).map(|value| (value.to_compact(), value.to_pretty()));
    let by_tape = tape
        .read(text)
        .map(|document| (document.to_compact(), document.to_pretty()));
    for (way, ours) in [("value", by_value), ("tape", by_tape)] {
        let outcome = match (&ours, theirs) {
            (Err(_), None) => continue,
            (Ok(ours), Some(theirs)) if ours == theirs => continue,
            (Err(error), Some(_)) => format!("we refuse it: {error}"),
            (Ok((ours, _)), None) => format!("Node refuses it, and we read {}", shortened(ours)),
            (Ok(ours), Some(theirs)) => {
                let both = [(&ours.0, &theirs.0), (&ours.1, &theirs.1)];
                let apart = both.iter().find(|(ours, theirs)| ours != theirs);
                apart.map_or_else(String::new, |(ours, theirs)| first_difference(ours, theirs))
            }
        };
        return Some(format!("{} by {way}: {outcome}", shortened(text)));
    }
    None
}

/// The two texts from a little before they part.
fn first_difference(ours: &str, theirs: &str) -> String {
    let alike = ours
        .chars()
        .zip(theirs.chars())
        .take_while(|(one, other)| one == other)
        .count();
    let from = |text: &str| shortened(&text.chars().skip(alike.saturating_sub(20)).collect::<String>());
    format!(
        "from character {alike} on we print {}, Node prints {}",
        from(ours),
        from(theirs)
    )
}

fn shortened(text: &str) -> String {
    let short: String = text.chars().take(200).collect();
    if short.len() < text.len() {
        format!("{short:?}...")
    } else {
        format!("{short:?}")
    }
}
