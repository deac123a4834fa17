//! Delivery in the order of each author's numbers.

use super::Delivery;
use crate::{Author, Item, MessageId, Time};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The most messages that are held back. Beyond that the one that waits longest is delivered: an author who leaves gaps on
/// purpose fills no memory and stops nobody.
const HELD_MAX: usize = 4096;
/// The most bytes of messages that are held back. They are the history's own as long as it keeps them; an author whose gaps
/// outlive the history fills no more memory than this.
const HELD_BYTES_MAX: usize = 16 << 20;
/// For how many authors the last number is remembered. A forgotten author's next message is delivered as its first.
const AUTHORS_MAX: usize = 1 << 16;

/// Numbers that are multiples of this come from the clock: sessions begin with them, see
/// [`Sequence`](crate::Sequence). So does one of secure-gossip, with 0.
const SESSION: u64 = 1024;

/// Holds back what came before its predecessor.
#[derive(Debug)]
pub(crate) struct Lines<P> {
    lines: BTreeMap<Author, Line<P>>,
    /// Everybody that is held back, by when its patience ends.
    due: BTreeSet<(Time, Author, u64, MessageId)>,
    /// Bytes of all that is held back.
    bytes: usize,
}

#[derive(Debug)]
struct Line<P> {
    /// The highest number that was delivered, if any.
    last: Option<u64>,
    held: BTreeMap<(u64, MessageId), (Time, Delivery<P>)>,
}

impl<P> Default for Lines<P> {
    fn default() -> Self {
        Self {
            lines: BTreeMap::new(),
            due: BTreeSet::new(),
            bytes: 0,
        }
    }
}

impl<P> Lines<P> {
    /// Takes a message in and hands out what may be delivered now.
    ///
    /// What comes first from an author need not be the author's first: it waits as if something were missing, unless its
    /// number is one that a session begins with. One whose number was passed already is late, not lost, and is delivered.
    pub(crate) fn push(
        &mut self,
        delivery: Delivery<P>,
        patience: Duration,
        now: Time,
        mut deliver: impl FnMut(Delivery<P>),
    ) {
        let author = delivery.item.author;
        let number = delivery.item.sequence.number();
        let id = delivery.item.id;
        if !self.lines.contains_key(&author) && self.lines.len() >= AUTHORS_MAX {
            self.forget_one();
        }
        let line = self.lines.entry(author).or_insert_with(|| Line {
            last: None,
            held: BTreeMap::new(),
        });
        let earliest = line
            .held
            .first_key_value()
            .is_none_or(|((first, _), _)| number < *first);
        let begins = line.last.is_none() && earliest && number.is_multiple_of(SESSION);
        if !begins && line.last.is_none_or(|last| number > last.saturating_add(1)) {
            let due = now + patience;
            self.bytes += delivery.item.body.len();
            line.held.insert((number, id), (due, delivery));
            self.due.insert((due, author, number, id));
            while self.due.len() > HELD_MAX || self.bytes > HELD_BYTES_MAX {
                self.release_first(&mut deliver);
            }
            return;
        }
        line.last = line.last.max(Some(number));
        deliver(delivery);
        self.advance(author, &mut deliver);
    }

    /// Hands out what has waited long enough.
    pub(crate) fn timeout(&mut self, now: Time, mut deliver: impl FnMut(Delivery<P>)) {
        while self.due.first().is_some_and(|(due, ..)| *due <= now) {
            self.release_first(&mut deliver);
        }
    }

    pub(crate) fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(due, ..)| *due)
    }

    /// Whether this message is held back.
    pub(crate) fn holds(&self, item: &Item) -> bool {
        let line = self.lines.get(&item.author);
        line.is_some_and(|line| line.held.contains_key(&(item.sequence.number(), item.id)))
    }

    /// Gives up waiting for what precedes the message that has waited longest, and hands out all of its author's up to it.
    fn release_first(&mut self, deliver: &mut impl FnMut(Delivery<P>)) {
        let Some(&(_, author, number, _)) = self.due.first() else {
            return;
        };
        let Some(line) = self.lines.get_mut(&author) else {
            return;
        };
        while let Some(entry) = line.held.first_entry()
            && entry.key().0 <= number
        {
            let ((number, id), (due, delivery)) = entry.remove_entry();
            self.due.remove(&(due, author, number, id));
            self.bytes = self.bytes.saturating_sub(delivery.item.body.len());
            line.last = line.last.max(Some(number));
            deliver(delivery);
        }
        self.advance(author, deliver);
    }

    /// Hands out what follows without a gap.
    fn advance(&mut self, author: Author, deliver: &mut impl FnMut(Delivery<P>)) {
        let Some(line) = self.lines.get_mut(&author) else {
            return;
        };
        while let Some(entry) = line.held.first_entry()
            && line.last.is_some_and(|last| entry.key().0 <= last.saturating_add(1))
        {
            let ((number, id), (due, delivery)) = entry.remove_entry();
            self.due.remove(&(due, author, number, id));
            self.bytes = self.bytes.saturating_sub(delivery.item.body.len());
            line.last = line.last.max(Some(number));
            deliver(delivery);
        }
    }

    fn forget_one(&mut self) {
        let idle = self.lines.iter().find(|(_, line)| line.held.is_empty());
        if let Some(author) = idle.map(|(author, _)| *author) {
            self.lines.remove(&author);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sequence;
    use bytes::Bytes;

    fn delivery(author: u32, number: u64) -> Delivery<u32> {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&author.to_be_bytes());
        let mut id = key;
        id[4..12].copy_from_slice(&number.to_be_bytes());
        Delivery {
            item: Item {
                id: MessageId::from_bytes(id),
                author: Author::from_bytes(key),
                sequence: Sequence::Proven(number),
                body: Bytes::new(),
            },
            from: None,
            hops: 0,
            caught_up: false,
        }
    }

    #[test]
    fn gaps_on_purpose_hold_back_so_many_and_no_more() {
        let mut lines = Lines::default();
        let mut delivered = 0;
        let now = Time::from_micros(1);
        for number in 0..HELD_MAX as u64 + 100 {
            lines.push(delivery(1, 2 * number + 1), Duration::from_secs(2), now, |_| {
                delivered += 1
            });
        }
        assert_eq!((lines.due.len(), delivered), (HELD_MAX, 100));
        lines.timeout(now + Duration::from_secs(2), |_| delivered += 1);
        assert_eq!((lines.next_due(), delivered), (None, HELD_MAX + 100));
    }

    #[test]
    fn long_messages_after_gaps_are_held_back_up_to_so_many_bytes() {
        let mut lines = Lines::default();
        let (mut delivered, now) = (0, Time::from_micros(1));
        let body = Bytes::from(vec![0; 1 << 20]);
        for number in 0..100 {
            let mut long = delivery(1, 2 * number + 1);
            long.item.body = body.clone();
            lines.push(long, Duration::from_secs(2), now, |_| delivered += 1);
            assert!(lines.bytes <= HELD_BYTES_MAX);
        }
        assert_eq!((lines.due.len(), delivered), (16, 84));
        // Another author is delivered at once, and all come in the end.
        lines.push(delivery(2, 0), Duration::from_secs(2), now, |_| delivered += 1);
        assert_eq!(delivered, 85);
        lines.timeout(now + Duration::from_secs(2), |_| delivered += 1);
        assert_eq!((lines.bytes, delivered), (0, 101));
    }

    #[test]
    fn a_session_whose_beginning_comes_later_is_delivered_from_there_on() {
        let mut lines = Lines::default();
        let mut delivered = Vec::new();
        for number in [3 * SESSION + 2, 3 * SESSION, 3 * SESSION + 1] {
            lines.push(
                delivery(1, number),
                Duration::from_secs(2),
                Time::default(),
                |delivery| {
                    delivered.push(delivery.item.sequence.number());
                },
            );
        }
        assert_eq!(delivered, [3 * SESSION, 3 * SESSION + 1, 3 * SESSION + 2]);
        // Of two sessions the later one may not pass for the first.
        let mut delivered = Vec::new();
        for number in [3 * SESSION + 2, 5 * SESSION] {
            lines.push(
                delivery(2, number),
                Duration::from_secs(2),
                Time::default(),
                |delivery| {
                    delivered.push(delivery.item.sequence.number());
                },
            );
        }
        assert_eq!(delivered, [0u64; 0]);
    }

    #[test]
    fn authors_without_end_are_not_remembered_without_end() {
        let mut lines = Lines::default();
        let mut delivered = 0;
        for author in 0..AUTHORS_MAX as u32 + 100 {
            lines.push(delivery(author, 0), Duration::from_secs(2), Time::default(), |_| {
                delivered += 1
            });
        }
        assert_eq!((lines.lines.len(), delivered), (AUTHORS_MAX, AUTHORS_MAX + 100));
    }
}
