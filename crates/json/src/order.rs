//! The order of an object's members, as V8 has it.

use crate::object::array_index;
use crate::tape::{Frame, Kind, Node, Tape};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::hash::{BuildHasher as _, RandomState};

/// Up to this many names are compared each with each, which for so few is faster than hashing them.
const PAIRWISE: usize = 16;

/// Says what kind of object has just ended, and where its order begins or how many members it has. Its names are
/// taken off the tape's list.
pub(crate) fn settle(tape: &mut Tape, text: &str, frame: Frame) -> (Kind, u32) {
    let first = frame.names as usize;
    let names = tape.names.get(first..).unwrap_or_default();
    let of = |node: u32| canonical(tape, text, node);
    let has_index = frame.has_digit && names.iter().any(|node| index(of(*node)).is_some());
    if !has_index && !repeats(names, of) {
        let count = names.len() as u32;
        tape.names.truncate(first);
        return (Kind::Object, count);
    }

    // The first of each name says where it stands, the last which value it has. Sorting by name and, of one name, by place
    // brings them together, however many there are.
    let mut sorted = names.to_vec();
    sorted.sort_unstable_by(|one, other| of(*one).cmp(of(*other)).then(one.cmp(other)));
    let mut members: Vec<(Option<u32>, u32, u32)> = Vec::with_capacity(sorted.len());
    for same in sorted.chunk_by(|one, other| of(*one) == of(*other)) {
        if let (Some(first), Some(last)) = (same.first(), same.last()) {
            members.push((index(of(*first)), *first, *last));
        }
    }
    // Indexes come first, in ascending order; all others are alike, and keep the order of the text.
    members.sort_unstable_by_key(|(index, first, _)| match index {
        Some(index) => (0, *index),
        None => (1, *first),
    });
    // A member takes four bytes of text and at most two places here, so these fit 32 bits as the text does.
    let start = tape.orders.len() as u32;
    tape.orders.push(members.len() as u32);
    tape.orders.extend(members.iter().map(|(_, _, last)| *last));
    tape.names.truncate(first);
    (Kind::Reordered, start)
}

/// Whether a name comes twice. Equal names have equal canonical forms.
fn repeats<'a>(names: &[u32], of: impl Fn(u32) -> &'a [u8]) -> bool {
    if names.len() > PAIRWISE {
        // The hash is keyed at random, so nobody can choose names that collide.
        let hasher = RandomState::new();
        let mut seen = HashTable::with_capacity(names.len());
        return names.iter().any(|node| {
            let name = of(*node);
            let entry = seen.entry(
                hasher.hash_one(name),
                |other| of(*other) == name,
                |other| hasher.hash_one(of(*other)),
            );
            match entry {
                Entry::Occupied(_) => true,
                Entry::Vacant(place) => {
                    place.insert(*node);
                    false
                }
            }
        });
    }
    names.iter().enumerate().any(|(place, one)| {
        let one = of(*one);
        names.iter().take(place).any(|other| of(*other) == one)
    })
}

/// The array index that a name in quotes is.
fn index(quoted: &[u8]) -> Option<u32> {
    match quoted {
        [b'"', name @ .., b'"'] => array_index(name),
        _ => None,
    }
}

fn canonical<'a>(tape: &'a Tape, text: &'a str, node: u32) -> &'a [u8] {
    let Some(Node { start, end, aside, .. }) = tape.nodes.get(node as usize) else {
        return &[];
    };
    let text = if *aside { tape.side.as_str() } else { text };
    text.as_bytes().get(*start as usize..*end as usize).unwrap_or_default()
}
