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
        let place = begin + (u64::from(half) * quarter >> 32) as usize;
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
    (packed.len() % CELL == 0 && cells % QUARTERS == 0 && (1..=CELLS_MAX).contains(&cells)).then_some(cells)
}

/// What the comparison with somebody's sketch shows, in shortened names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) only_theirs: Vec<u64>,
    pub(super) only_ours: Vec<u64>,
}

/// Compares a history with somebody's packed sketch. `None` if there are more differences than the sketch can show.
pub(super) fn compare(history: &History, salt: u64, packed: &[u8]) -> Option<Difference> {
    let mut table = build(history, salt, cells_in(packed)?);
    let (cells, _) = packed.as_chunks::<CELL>();
    for (ours, [count, check @ .., n0, n1, n2, n3, n4, n5, n6, n7]) in table.iter_mut().zip(cells) {
        *ours = Cell {
            count: count.wrapping_sub(ours.count),
            check: u32::from_le_bytes(*check) ^ ours.check,
            names: u64::from_le_bytes([*n0, *n1, *n2, *n3, *n4, *n5, *n6, *n7]) ^ ours.names,
        };
    }
    peel(table)
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
