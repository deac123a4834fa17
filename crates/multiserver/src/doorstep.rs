//! Connections whose handshake is not finished.

use crate::group::Group;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::oneshot;

/// Where connections stand until their handshake is finished.
///
/// A stranger can open connections and say nothing, each for as long as the deadline of a handshake. When the doorstep is
/// full, the one that has stood longest must go: an honest client is through in a moment, so it is never the oldest unless
/// strangers come faster than the whole doorstep turns over in that moment. And no single place on the network may fill the
/// doorstep: from there the oldest goes much earlier.
#[derive(Debug)]
pub(crate) struct Doorstep {
    capacity: usize,
    per_group: usize,
    standing: Mutex<Standing>,
}

#[derive(Debug, Default)]
struct Standing {
    next: u64,
    // In the order of arrival.
    waiting: BTreeMap<u64, Waiting>,
    // Invariant: holds the number of each in `waiting` that has a limited group, and no other.
    groups: HashMap<Group, BTreeSet<u64>>,
}

#[derive(Debug)]
struct Waiting {
    group: Group,
    send_away: oneshot::Sender<()>,
}

impl Standing {
    fn leave(&mut self, number: u64) -> Option<oneshot::Sender<()>> {
        let Waiting { group, send_away } = self.waiting.remove(&number)?;
        if let Some(numbers) = self.groups.get_mut(&group) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.groups.remove(&group);
            }
        }
        Some(send_away)
    }

    fn send_away(&mut self, number: Option<u64>) {
        if let Some(send_away) = number.and_then(|number| self.leave(number)) {
            let _ = send_away.send(());
        }
    }

    fn oldest(&self) -> Option<u64> {
        self.waiting.keys().next().copied()
    }
}

/// A place on the doorstep, free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    doorstep: Arc<Doorstep>,
    number: u64,
    must_go: oneshot::Receiver<()>,
}

impl Place {
    /// Resolves when the holder must go.
    pub(crate) async fn must_go(&mut self) {
        // The sender is dropped unsent by `drop` only, when nobody waits here.
        let _ = (&mut self.must_go).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.doorstep.lock().leave(self.number);
    }
}

impl Doorstep {
    pub(crate) fn new(capacity: usize, per_group: usize) -> Arc<Self> {
        Arc::new(Self {
            capacity,
            per_group,
            standing: Mutex::default(),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Standing> {
        // Nothing in here panics half-way, so a poisoned table is a whole one.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place, from the one that has stood longest if there is none left.
    pub(crate) fn arrive(self: &Arc<Self>, group: &Group) -> Place {
        let (send_away, must_go) = oneshot::channel();
        let mut standing = self.lock();
        if let Some(numbers) = standing
            .groups
            .get(group)
            .filter(|numbers| numbers.len() >= self.per_group)
        {
            let oldest = numbers.first().copied();
            standing.send_away(oldest);
        }
        if standing.waiting.len() >= self.capacity {
            let oldest = standing.oldest();
            standing.send_away(oldest);
        }
        let number = standing.next;
        standing.next += 1;
        if group.is_limited() {
            standing.groups.entry(group.clone()).or_default().insert(number);
        }
        let group = group.clone();
        standing.waiting.insert(number, Waiting { group, send_away });
        Place {
            doorstep: Arc::clone(self),
            number,
            must_go,
        }
    }

    /// Sends the one away that has stood longest: the process has run out of something.
    pub(crate) fn make_room(&self) {
        let mut standing = self.lock();
        let oldest = standing.oldest();
        standing.send_away(oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(last: u8) -> Group {
        Group::of(Some([203, 0, 113, last].into()), "net")
    }

    fn sent_away(place: &mut Place) -> bool {
        place.must_go.try_recv().is_ok()
    }

    #[test]
    fn the_one_that_stood_longest_goes_and_nobody_else() {
        let doorstep = Doorstep::new(2, 2);
        let mut first = doorstep.arrive(&group(1));
        let mut second = doorstep.arrive(&group(2));
        assert!(!sent_away(&mut first));
        let mut third = doorstep.arrive(&group(3));
        assert!(sent_away(&mut first));
        assert!(!sent_away(&mut second));
        drop(second);
        let _fourth = doorstep.arrive(&group(4));
        assert!(!sent_away(&mut third), "a place that was left is free");
        let _fifth = doorstep.arrive(&group(5));
        assert!(sent_away(&mut third));
    }

    #[test]
    fn leaving_after_having_been_sent_away_changes_nothing() {
        let doorstep = Doorstep::new(1, 1);
        let first = doorstep.arrive(&group(1));
        let mut second = doorstep.arrive(&group(2));
        drop(first);
        assert!(!sent_away(&mut second));
    }

    #[test]
    fn one_address_pushes_out_its_own_only() {
        let doorstep = Doorstep::new(100, 2);
        let mut other = doorstep.arrive(&group(1));
        let mut crowd: Vec<_> = (0..10).map(|_| doorstep.arrive(&group(2))).collect();
        let gone = crowd
            .iter_mut()
            .filter_map(|place| sent_away(place).then_some(()))
            .count();
        assert_eq!(gone, 8);
        assert!(!sent_away(&mut other));
        drop(crowd);
        assert!(
            doorstep.lock().groups.len() == 1,
            "an empty group leaves nothing behind"
        );
    }

    #[test]
    fn loopback_is_one_crowd_that_has_no_limit_of_its_own() {
        let doorstep = Doorstep::new(100, 1);
        let local = Group::of(Some([127, 0, 0, 1].into()), "net");
        let mut places: Vec<_> = (0..10).map(|_| doorstep.arrive(&local)).collect();
        assert!(places.iter_mut().all(|place| !sent_away(place)));
    }

    #[test]
    fn out_of_files_the_oldest_goes() {
        let doorstep = Doorstep::new(9, 9);
        let mut first = doorstep.arrive(&group(1));
        let mut second = doorstep.arrive(&group(1));
        doorstep.make_room();
        assert!(sent_away(&mut first));
        assert!(!sent_away(&mut second));
    }
}
