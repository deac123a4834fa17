//! What somebody has, as a sketch: an invertible Bloom lookup table (Eppstein et al., "What's the difference?", 2011).
//!
//! Each shortened name is added to four cells. Two sketches are subtracted cell by cell: what both sides have cancels out,
//! and the rest is peeled off cell by cell. The size follows from how many differences are expected, not from how much there
//! is; and where the names lie, at the end of history or scattered all over it, makes no difference.

use super::short::{Shortener, mix};
use crate::{MessageId, swarm::history::History};

/// The most cells in a sketch: 156 kB. Differences beyond some 8,000 are found by range-based reconciliation.
pub(super) const CELLS_MAX: usize = 12_000;
/// Cells for no difference at all: small tables fail more often than their share.
const CELLS_MIN: usize = 32;
/// A name lies in this many cells, one in each quarter of the table.
const QUARTERS: usize = 4;
/// Bytes of a cell: a count, a check, and the sum of the names.
const CELL: usize = 13;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cell {
    /// How many names, modulo 256: differences are few.
    count: u8,
    /// The exclusive or of the names' checks.
    check: u32,
    /// The exclusive or of the names.
    names: u64,
}

impl Cell {
    fn toggle(&mut self, name: u64, count: u8) {
        self.count = self.count.wrapping_add(count);
        self.check ^= check(name);
        self.names ^= name;
    }

    /// Whether exactly one name is left, and on which side.
    fn lone(&self) -> Option<Side> {
        let side = match self.count {
            1 => Side::Theirs,
            u8::MAX => Side::Ours,
            _ => return None,
        };
        (check(self.names) == self.check).then_some(side)
    }
}

#[derive(Clone, Copy)]
enum Side {
    Theirs,
    Ours,
}

fn check(name: u64) -> u32 {
    (mix(name ^ 0x5bd1_e995_9d1b_54a5) >> 32) as u32
}

/// How many cells `differences` need.
pub(super) fn cells_for(differences: usize) -> usize {
    (CELLS_MIN + differences.saturating_mul(3) / 2).next_multiple_of(QUARTERS)
}

/// How many bytes that many cells are.
pub(super) const fn bytes_for(cells: usize) -> usize {
    cells.saturating_mul(CELL)
}

fn build(history: &History, salt: u64, cells: usize) -> Vec<Cell> {
    let shortener = Shortener::new(salt);
    let mut table = vec![Cell::default(); cells];
    for id in history.names() {
        toggle(&mut table, shortener.name(id), 1);
    }
    table
}

/// The cells of a name, one in each quarter.
fn places(len: usize, name: u64) -> [usize; QUARTERS] {
    let quarter = (len / QUARTERS) as u64;
    let (one, two) = (mix(name), mix(name ^ 0xd6e8_feb8_6659_fd93));
    let halves = [one as u32, (one >> 32) as u32, two as u32, (two >> 32) as u32];
    let mut begin = 0;
    halves.map(|half| {
        let place = begin + ((u64::from(half) * quarter) >> 32) as usize;
        begin += quarter as usize;
        place
    })
}

fn toggle(table: &mut [Cell], name: u64, count: u8) {
    for place in places(table.len(), name) {
        if let Some(cell) = table.get_mut(place) {
            cell.toggle(name, count);
        }
    }
}

/// The sketch of a history in `cells` cells, as it travels.
pub(super) fn pack(history: &History, salt: u64, cells: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes_for(cells));
    for cell in build(history, salt, cells) {
        out.push(cell.count);
        out.extend_from_slice(&cell.check.to_le_bytes());
        out.extend_from_slice(&cell.names.to_le_bytes());
    }
    out
}

/// How many cells a packed sketch has; `None` if it is none.
pub(super) fn cells_in(packed: &[u8]) -> Option<usize> {
    let cells = packed.len() / CELL;
    (packed.len().is_multiple_of(CELL) && cells.is_multiple_of(QUARTERS) && (1..=CELLS_MAX).contains(&cells))
        .then_some(cells)
}

/// What the comparison with somebody's sketch shows, in shortened names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) only_theirs: Vec<u64>,
    pub(super) only_ours: Vec<u64>,
}

/// Compares a history with somebody's packed sketch.
///
/// # Errors
/// If there are more differences than the sketch can show: how many cells can, by estimate.
pub(super) fn compare(history: &History, salt: u64, packed: &[u8]) -> Result<Difference, usize> {
    let mut table = build(history, salt, packed.len() / CELL);
    let (cells, _) = packed.as_chunks::<CELL>();
    for (ours, [count, check @ .., n0, n1, n2, n3, n4, n5, n6, n7]) in table.iter_mut().zip(cells) {
        *ours = Cell {
            count: count.wrapping_sub(ours.count),
            check: u32::from_le_bytes(*check) ^ ours.check,
            names: u64::from_le_bytes([*n0, *n1, *n2, *n3, *n4, *n5, *n6, *n7]) ^ ours.names,
        };
    }
    let enough = estimate(&table);
    peel(table).ok_or(enough)
}

/// How many cells would show the differences that these cells hold, and at least twice as many as these.
///
/// Each difference adds one to four of the counts or takes one away, so the variance of the counts tells how many there are,
/// to a quarter if the table is of the smallest.
fn estimate(table: &[Cell]) -> usize {
    let counts = || table.iter().map(|cell| f64::from(cell.count.cast_signed()));
    let mean = counts().sum::<f64>() / table.len() as f64;
    let squares: f64 = counts().map(|count| (count - mean).powi(2)).sum();
    let differences = squares / QUARTERS as f64;
    cells_for((differences * 1.4) as usize).max(table.len().saturating_mul(2))
}

fn peel(mut table: Vec<Cell>) -> Option<Difference> {
    let mut difference = Difference::default();
    let mut lone: Vec<usize> = (0..table.len()).collect();
    // A table that somebody made up may never run out of lone names; a real one has at most one for each cell.
    let mut left = table.len();
    while let Some(place) = lone.pop() {
        let Some((cell, side)) = table.get(place).and_then(|cell| Some((*cell, cell.lone()?))) else {
            continue;
        };
        left = left.checked_sub(1)?;
        let name = cell.names;
        match side {
            Side::Theirs => difference.only_theirs.push(name),
            Side::Ours => difference.only_ours.push(name),
        }
        toggle(&mut table, name, cell.count.wrapping_neg());
        lone.extend(places(table.len(), name));
    }
    table.iter().all(|cell| *cell == Cell::default()).then_some(difference)
}

/// The names in a history whose shortened forms these are.
pub(super) fn lengthen(history: &History, salt: u64, short: &[u64]) -> Vec<MessageId> {
    if short.is_empty() {
        return Vec::new();
    }
    let wanted: std::collections::HashSet<u64> = short.iter().copied().collect();
    let shortener = Shortener::new(salt);
    history
        .iter()
        .map(|item| item.id)
        .filter(|id| wanted.contains(&shortener.name(id)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Author, Item, Sequence, Time};
    use bytes::Bytes;
    use proptest::prelude::*;

    fn history(names: impl IntoIterator<Item = u32>) -> History {
        let mut history = History::default();
        for name in names {
            let digest = ring::digest::digest(&ring::digest::SHA256, &name.to_le_bytes());
            let item = Item {
                id: MessageId::from_bytes(digest.as_ref().try_into().unwrap()),
                author: Author::from_bytes([1; 32]),
                sequence: Sequence::Claimed(u64::from(name)),
                body: Bytes::new(),
            };
            history.insert(item, 0, Time::default(), Time::default());
        }
        history
    }

    fn check_sizes(
        ours: std::ops::Range<u32>,
        theirs: std::ops::Range<u32>,
        salt: u64,
    ) -> Result<(usize, usize), usize> {
        let differences = ours.start.abs_diff(theirs.start) + ours.end.abs_diff(theirs.end);
        let (ours, theirs) = (history(ours), history(theirs));
        let packed = pack(&theirs, salt, cells_for(differences as usize));
        compare(&ours, salt, &packed).map(|found| (found.only_ours.len(), found.only_theirs.len()))
    }

    #[test]
    fn as_many_differences_as_were_expected_are_found_nearly_always() {
        let mut failed = 0;
        for salt in 0..100 {
            match check_sizes(0..1000, 100..1050, salt) {
                Ok(found) => assert_eq!(found, (100, 50)),
                Err(_) => failed += 1,
            }
        }
        assert!(failed <= 2, "{failed} of 100 failed");
    }

    #[test]
    fn a_sketch_that_is_too_small_tells_what_size_is_not() {
        for (differences, salt) in [(100u32, 1), (1000, 2), (4000, 3)] {
            let (ours, theirs) = (
                history(0..5000 + differences / 2),
                history(differences / 2..5000 + differences),
            );
            let enough = compare(&ours, salt, &pack(&theirs, salt, cells_for(0))).unwrap_err();
            assert!(
                enough < 3 * cells_for(differences as usize),
                "{enough} cells for {differences}"
            );
            assert!(
                compare(&ours, salt, &pack(&theirs, salt, enough)).is_ok(),
                "{enough} cells for {differences}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_made_up_table_is_peeled_to_an_end(packed in proptest::collection::vec(0u8..3, CELL * 8..CELL * 40), salt: u64) {
            let packed = &packed[..packed.len() / CELL / QUARTERS * CELL * QUARTERS];
            prop_assert!(cells_in(packed).is_some());
            if let Ok(found) = compare(&history(0..10), salt, packed) {
                prop_assert!(found.only_ours.len() + found.only_theirs.len() <= packed.len() / CELL);
            }
        }

        #[test]
        fn what_is_found_is_the_difference(ours: std::collections::BTreeSet<u8>, theirs: std::collections::BTreeSet<u8>, salt: u64) {
            let (a, b) = (history(ours.iter().map(|n| u32::from(*n))), history(theirs.iter().map(|n| u32::from(*n))));
            if let Ok(found) = compare(&a, salt, &pack(&b, salt, cells_for(ours.symmetric_difference(&theirs).count()))) {
                prop_assert_eq!(found.only_ours.len(), ours.difference(&theirs).count());
                prop_assert_eq!(lengthen(&a, salt, &found.only_ours).len(), found.only_ours.len());
                prop_assert_eq!(lengthen(&b, salt, &found.only_theirs).len(), theirs.difference(&ours).count());
            }
        }
    }
}
