//! What somebody has, author by author: the version vectors of old, with holes.
//!
//! An entry is an author's shortened name (8 bytes), the fingerprint of the author's messages (8 bytes), and their numbers as
//! [`Runs`]. It names no message; that a number names one message of an author is the author's
//! own promise, which the fingerprint holds up: where it differs although the numbers do not, messages are compared by name.

use super::{runs::Runs, short::Shortener};
use crate::{
    Author, MessageId,
    swarm::history::{History, Shelf},
};
use std::collections::HashMap;

/// The longest vector in bytes. Whoever has more to say compares by name.
pub(super) const VECTOR_MAX: usize = 64 << 10;

/// Packs the shelves of a history. `None` if that is longer than [`VECTOR_MAX`] or some number does not fit.
pub(super) fn pack(history: &History, salt: u64) -> Option<Vec<u8>> {
    let shortener = Shortener::new(salt);
    let mut out = Vec::new();
    for (author, shelf) in history.shelves() {
        write_entry(&mut out, shortener.bytes(author.as_bytes()), Some(shelf))?;
        if out.len() > VECTOR_MAX {
            return None;
        }
    }
    Some(out)
}

fn write_entry(out: &mut Vec<u8>, author: u64, shelf: Option<&Shelf>) -> Option<()> {
    let runs = Runs::collect(
        shelf
            .into_iter()
            .flat_map(|shelf| &shelf.numbers)
            .map(|(number, _)| *number),
    )?;
    out.extend_from_slice(&author.to_le_bytes());
    out.extend_from_slice(&shelf.map(fingerprint).unwrap_or_default());
    runs.write(out);
    Some(())
}

fn fingerprint(shelf: &Shelf) -> [u8; 8] {
    let whole = shelf.sum.fingerprint(shelf.numbers.len());
    whole.first_chunk().copied().unwrap_or_default()
}

/// What the comparison with somebody's vector shows.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// What the other lacks.
    pub(super) lacks: Vec<MessageId>,
    /// Entries of the authors of whom the other has more, packed.
    pub(super) answer: Vec<u8>,
    /// Whether the numbers do not tell what differs.
    pub(super) unclear: bool,
}

/// Compares a history with somebody's vector. `complete`: authors that it does not mention are unknown there.
///
/// `None` if the entries are malformed.
pub(super) fn compare(history: &History, salt: u64, mut entries: &[u8], complete: bool) -> Option<Difference> {
    let shortener = Shortener::new(salt);
    let shelves: HashMap<u64, (&Author, &Shelf)> = history
        .shelves()
        .iter()
        .map(|(author, shelf)| (shortener.bytes(author.as_bytes()), (author, shelf)))
        .collect();
    let mut mentioned = HashMap::new();
    let mut difference = Difference::default();
    while !entries.is_empty() {
        let (author, rest) = entries.split_first_chunk()?;
        let (theirs, rest) = rest.split_first_chunk::<8>()?;
        entries = rest;
        let runs = Runs::read(&mut entries)?;
        let author = u64::from_le_bytes(*author);
        if mentioned.insert(author, ()).is_some() {
            return None;
        }
        let shelf = shelves.get(&author).map(|(_, shelf)| *shelf);
        if shelf.map(fingerprint).unwrap_or_default() == *theirs {
            continue;
        }
        let before = difference.lacks.len();
        let mut common = 0u64;
        let mut last = None;
        for (number, id) in shelf.into_iter().flat_map(|shelf| &shelf.numbers) {
            if !runs.contains(*number) {
                difference.lacks.push(*id);
            } else if last.replace(number) != Some(number) {
                common += 1;
            }
        }
        if runs.len() > common {
            write_entry(&mut difference.answer, author, shelf)?;
        } else if difference.lacks.len() == before {
            difference.unclear = true;
        }
    }
    if complete {
        for (author, shelf) in history.shelves() {
            if !mentioned.contains_key(&shortener.bytes(author.as_bytes())) {
                difference.lacks.extend(shelf.numbers.iter().map(|(_, id)| *id));
            }
        }
    }
    Some(difference)
}
