//! Events in the order of their time.

use crate::Time;
use std::{cmp::Reverse, collections::BinaryHeap, mem};

/// A calendar: a ring of buckets for the near future, a heap for what is further away.
///
/// Nearly all events of a simulated network lie within a second, half a million at a time. A heap of that size misses the
/// cache at every level of every operation; here an event is appended to its bucket, and a bucket is sorted once, when its
/// time has come.
///
/// Invariant: events leave by time, and those of one time in the order in which they came.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    /// `current` is sorted latest first and holds all events before the bucket `next`.
    current: Vec<Entry<E>>,
    ring: Vec<Vec<Entry<E>>>,
    /// The number, counted from time 0, of the first bucket that is still in the ring.
    next: u64,
    in_ring: usize,
    far: BinaryHeap<Reverse<Entry<E>>>,
    order: u64,
}

/// The width of a bucket is 2^8 microseconds.
const WIDTH: u32 = 8;
/// The ring spans 2^12 buckets: a second.
const BUCKETS: u64 = 1 << 12;

#[derive(Debug)]
struct Entry<E> {
    at: Time,
    order: u64,
    event: E,
}

impl<E> Entry<E> {
    const fn key(&self) -> (Time, u64) {
        (self.at, self.order)
    }

    const fn bucket(&self) -> u64 {
        self.at.as_micros() >> WIDTH
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl<E> Queue<E> {
    pub(crate) fn new(now: Time) -> Self {
        Self {
            current: Vec::new(),
            ring: (0..BUCKETS).map(|_| Vec::new()).collect(),
            next: now.as_micros() >> WIDTH,
            in_ring: 0,
            far: BinaryHeap::new(),
            order: 0,
        }
    }

    pub(crate) fn push(&mut self, at: Time, event: E) {
        let entry = Entry {
            at,
            order: self.order,
            event,
        };
        self.order += 1;
        self.place(entry);
    }

    fn place(&mut self, entry: Entry<E>) {
        let bucket = entry.bucket();
        if bucket < self.next {
            let place = self.current.partition_point(|other| other.key() > entry.key());
            self.current.insert(place, entry);
        } else if bucket - self.next < BUCKETS {
            if let Some(slot) = self.ring.get_mut((bucket % BUCKETS) as usize) {
                slot.push(entry);
                self.in_ring += 1;
            }
        } else {
            self.far.push(Reverse(entry));
        }
    }

    /// The first event that is not after `end`.
    pub(crate) fn pop(&mut self, end: Time) -> Option<(Time, E)> {
        while self.current.is_empty() {
            if !self.turn(end) {
                return None;
            }
        }
        if self.current.last()?.at > end {
            return None;
        }
        self.current.pop().map(|entry| (entry.at, entry.event))
    }

    /// Takes the next bucket; false if there is nothing in it or behind it up to `end`.
    fn turn(&mut self, end: Time) -> bool {
        let last = end.as_micros() >> WIDTH;
        if self.in_ring == 0 {
            // Nothing near: jump to where the far ones begin.
            match self.far.peek() {
                Some(Reverse(entry)) if entry.bucket() <= last => self.next = self.next.max(entry.bucket()),
                _ => return false,
            }
        }
        if self.next > last {
            return false;
        }
        while let Some(Reverse(entry)) = self.far.peek()
            && entry.bucket() < self.next + BUCKETS
            && let Some(Reverse(entry)) = self.far.pop()
        {
            self.place(entry);
        }
        if let Some(slot) = self.ring.get_mut((self.next % BUCKETS) as usize) {
            self.in_ring -= slot.len();
            self.current = mem::replace(slot, mem::take(&mut self.current));
            self.current.sort_unstable_by(|a, b| b.cmp(a));
        }
        self.next += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Queue;
    use crate::{Time, sim::settings::Random};

    #[test]
    fn events_leave_by_time_and_then_in_the_order_in_which_they_came() {
        let mut random = Random::new(7);
        let mut queue = Queue::new(Time::from_micros(5));
        let mut expected = Vec::new();
        for number in 0..5000_u64 {
            let at = Time::from_micros(5 + random.next() % 3_000_000 / (1 + number % 1000));
            queue.push(at, number);
            expected.push((at, number));
        }
        expected.sort_unstable();
        let mut seen = Vec::new();
        // In steps, since the end of a step may lie within a bucket.
        for end in (0..3_100_000).step_by(777) {
            while let Some(event) = queue.pop(Time::from_micros(end)) {
                seen.push(event);
            }
        }
        assert_eq!(seen, expected);
    }

    #[test]
    fn an_event_of_this_very_moment_comes_before_later_ones() {
        let mut queue = Queue::new(Time::default());
        queue.push(Time::from_micros(10), 1);
        queue.push(Time::from_micros(12), 2);
        let end = Time::from_micros(100);
        assert_eq!(queue.pop(end), Some((Time::from_micros(10), 1)));
        queue.push(Time::from_micros(10), 3);
        assert_eq!(queue.pop(end), Some((Time::from_micros(10), 3)));
        assert_eq!(queue.pop(end), Some((Time::from_micros(12), 2)));
        assert_eq!(queue.pop(end), None);
    }
}
