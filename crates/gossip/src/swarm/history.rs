//! What was heard, kept for those who come late: bounded in bytes, number and age.

use super::config::Config;
use crate::{Author, Item, MessageId, Time, names::NameMap};
use ring::digest;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The messages that a swarm keeps, by name and by author.
///
/// The oldest go first, where a message is as old as its proven number says, and at least as old as its arrival.
#[derive(Debug, Default)]
pub struct History {
    kept: NameMap<MessageId, Kept>,
    authors: BTreeMap<Author, Shelf>,
    /// Every message by age; of those made in one millisecond, as a session's first thousand are, by number.
    ages: BTreeSet<(Time, u64, MessageId)>,
    sum: Sum,
    bytes: usize,
    /// How many messages have numbers that their authors did not sign.
    claimed: usize,
    floor: Time,
}

#[derive(Debug)]
pub(super) struct Kept {
    pub(super) item: Item,
    /// Over how many links it came.
    pub(super) hops: u16,
    /// When it was made, as far as that is known.
    pub(super) born: Time,
    /// Until when it is left to the tree.
    pub(super) settles: Time,
}

/// One author's messages.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) sum: Sum,
    pub(super) numbers: BTreeSet<(u64, MessageId)>,
}

/// The sum of a set of names, kept up to date by adding and subtracting. Its digest is the set's fingerprint.
///
/// 256 bits wide, so that nobody can afford to compute messages whose names sum up to what hides the lack of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum(u128, u128);

impl Sum {
    fn halves(name: &MessageId) -> (u128, u128) {
        let (halves, _) = name.as_bytes().as_chunks::<16>();
        let half = |i: usize| halves.get(i).copied().map_or(0, u128::from_le_bytes);
        (half(0), half(1))
    }

    pub(super) fn add(&mut self, name: &MessageId) {
        let (low, high) = Self::halves(name);
        *self = Self(self.0.wrapping_add(low), self.1.wrapping_add(high));
    }

    fn subtract(&mut self, name: &MessageId) {
        let (low, high) = Self::halves(name);
        *self = Self(self.0.wrapping_sub(low), self.1.wrapping_sub(high));
    }

    /// The fingerprint of a set of `count` names with this sum.
    pub(super) fn fingerprint(self, count: usize) -> [u8; 16] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.0.to_le_bytes());
        context.update(&self.1.to_le_bytes());
        context.update(&(count as u64).to_le_bytes());
        let digest = context.finish();
        digest.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

/// What a history was at some moment, before it is hashed: many states are remembered and few compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    sum: Sum,
    count: usize,
}

impl State {
    pub(super) fn fingerprint(self) -> [u8; 16] {
        self.sum.fingerprint(self.count)
    }
}

impl History {
    /// The message with this name.
    #[must_use]
    pub fn get(&self, id: &MessageId) -> Option<&Item> {
        self.kept.get(id).map(|kept| &kept.item)
    }

    /// All messages, author by author, each author's in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Item> {
        self.authors
            .values()
            .flat_map(|shelf| &shelf.numbers)
            .filter_map(|(_, id)| self.get(id))
    }

    /// The authors of these messages, each with the number of its messages.
    pub fn authors(&self) -> impl Iterator<Item = (&Author, usize)> {
        self.authors.iter().map(|(author, shelf)| (author, shelf.numbers.len()))
    }

    /// The last `count` messages of `author`, in the order of their numbers.
    pub fn newest(&self, author: &Author, count: usize) -> impl Iterator<Item = &Item> {
        let numbers = self.authors.get(author).map(|shelf| &shelf.numbers);
        let skip = numbers.map_or(0, BTreeSet::len).saturating_sub(count);
        numbers
            .into_iter()
            .flatten()
            .skip(skip)
            .filter_map(|(_, id)| self.get(id))
    }

    /// How many messages there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many bytes the messages have together, without what it costs to keep them.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn kept(&self, id: &MessageId) -> Option<&Kept> {
        self.kept.get(id)
    }

    /// All names, in no order.
    pub(super) fn names(&self) -> impl Iterator<Item = &MessageId> {
        self.kept.keys()
    }

    /// Whether the author has signed the number of each message.
    pub(super) const fn is_proven(&self) -> bool {
        self.claimed == 0
    }

    pub(super) const fn shelves(&self) -> &BTreeMap<Author, Shelf> {
        &self.authors
    }

    pub(super) fn fingerprint(&self) -> [u8; 16] {
        self.state().fingerprint()
    }

    pub(super) fn state(&self) -> State {
        State {
            sum: self.sum,
            count: self.len(),
        }
    }

    /// What was made before this is not wanted any more.
    pub(super) const fn floor(&self) -> Time {
        self.floor
    }

    /// Keeps a message that is not kept yet.
    pub(super) fn insert(&mut self, item: Item, hops: u16, settles: Time, now: Time) {
        let born = born(&item, now);
        let Item { id, author, .. } = item;
        self.bytes = self.bytes.saturating_add(item.body.len());
        self.claimed += usize::from(item.sequence.proven().is_none());
        self.sum.add(&id);
        self.ages.insert((born, item.sequence.number(), id));
        let shelf = self.authors.entry(author).or_default();
        shelf.sum.add(&id);
        shelf.numbers.insert((item.sequence.number(), id));
        self.kept.insert(
            id,
            Kept {
                item,
                hops,
                born,
                settles,
            },
        );
    }

    /// Takes out one message that is too old or for which there is no room.
    pub(super) fn evict(&mut self, config: &Config, now: Time) -> Option<Item> {
        let &(oldest, _, id) = self.ages.first()?;
        let aged = now.since(oldest) > config.history_age;
        let full = self.bytes > config.history_bytes || self.len() > config.history_messages;
        if !aged && !full {
            return None;
        }
        let Kept { item, born, .. } = self.remove(&id)?;
        self.floor = self.floor.max(born);
        Some(item)
    }

    /// Puts a copy whose number its author has signed in the place of one whose number anybody may have made up; whether it
    /// did.
    pub(super) fn prove(&mut self, item: &Item, now: Time) -> bool {
        let Some(kept) = self.kept.get(&item.id) else {
            return false;
        };
        let (hops, settles) = (kept.hops, kept.settles);
        if kept.item.sequence.proven().is_some() || item.sequence.proven().is_none() {
            return false;
        }
        self.remove(&item.id);
        self.insert(item.clone(), hops, settles, now);
        true
    }

    fn remove(&mut self, id: &MessageId) -> Option<Kept> {
        let kept = self.kept.remove(id)?;
        let item = &kept.item;
        let number = item.sequence.number();
        self.ages.remove(&(kept.born, number, *id));
        self.bytes = self.bytes.saturating_sub(item.body.len());
        self.claimed -= usize::from(item.sequence.proven().is_none());
        self.sum.subtract(id);
        if let Some(shelf) = self.authors.get_mut(&item.author) {
            shelf.sum.subtract(id);
            shelf.numbers.remove(&(number, *id));
            if shelf.numbers.is_empty() {
                self.authors.remove(&item.author);
            }
        }
        Some(kept)
    }

    /// When the next message is too old.
    pub(super) fn next_eviction(&self, age: Duration) -> Option<Time> {
        // One microsecond more, because a message of exactly this age is still kept.
        self.ages
            .first()
            .map(|&(born, ..)| born + age + Duration::from_micros(1))
    }
}

/// When a message was made: what its proven number tells, and at the latest now.
pub(super) fn born(item: &Item, now: Time) -> Time {
    item.sequence.proven().map_or(now, |number| {
        Time::from_micros((number >> 10).saturating_mul(1000)).min(now)
    })
}
