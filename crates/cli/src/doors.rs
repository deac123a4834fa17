//! Who may stand at the door, and how many may be inside.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};
use tokio::sync::oneshot;

/// Files that the program keeps for itself: standard streams, listeners, the runtime.
const OWN_FILES: u64 = 64;
/// What most systems allow a process at least.
const FEW_FILES: u64 = 1024;
/// More connections than this are not worth their memory to a program that serves examples.
const MANY_FILES: u64 = 32 * 1024;

/// How many connections fit: half of the files for handshakes, half for those that came in.
pub(crate) fn capacity() -> usize {
    #[cfg(unix)]
    let files = {
        let (soft, hard) = rlimit::Resource::NOFILE.get().unwrap_or((FEW_FILES, FEW_FILES));
        let wanted = hard.min(MANY_FILES);
        if wanted > soft && rlimit::Resource::NOFILE.set(wanted, hard).is_ok() {
            wanted
        } else {
            soft
        }
    };
    #[cfg(not(unix))]
    let files = MANY_FILES;
    usize::try_from(files.min(MANY_FILES).saturating_sub(OWN_FILES) / 2)
        .unwrap_or(1)
        .max(1)
}

/// Connections whose handshake is not finished.
///
/// A stranger can open connections and say nothing, each for as long as the deadline of a handshake. When the place is
/// used up, the one that has stood longest must go: an honest client is through in a moment, so it is never the oldest
/// unless strangers come faster than the whole place turns over in that moment.
#[derive(Debug)]
pub(crate) struct Doorstep {
    capacity: usize,
    standing: Mutex<Standing>,
}

#[derive(Debug, Default)]
struct Standing {
    next: u64,
    // In the order of arrival.
    waiting: BTreeMap<u64, oneshot::Sender<()>>,
}

/// A place on the doorstep, free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    doorstep: &'a Doorstep,
    number: u64,
    must_go: oneshot::Receiver<()>,
}

impl Place<'_> {
    /// Resolves when the holder must go.
    pub(crate) async fn must_go(&mut self) {
        // The sender is dropped unsent by `drop` only, when nobody waits here.
        let _ = (&mut self.must_go).await;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.doorstep
            .standing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .waiting
            .remove(&self.number);
    }
}

impl Doorstep {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            standing: Mutex::default(),
        }
    }

    /// Takes a place, from the one who has stood longest if there is none left.
    pub(crate) fn arrive(&self) -> Place<'_> {
        let (sender, must_go) = oneshot::channel();
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if standing.waiting.len() >= self.capacity
            && let Some((_, oldest)) = standing.waiting.pop_first()
        {
            let _ = oldest.send(());
        }
        let number = standing.next;
        standing.next += 1;
        standing.waiting.insert(number, sender);
        Place {
            doorstep: self,
            number,
            must_go,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_stood_longest_goes_and_nobody_else() {
        let doorstep = Doorstep::new(2);
        let mut first = doorstep.arrive();
        let mut second = doorstep.arrive();
        assert!(first.must_go.try_recv().is_err());
        let mut third = doorstep.arrive();
        assert_eq!(first.must_go.try_recv(), Ok(()));
        assert!(second.must_go.try_recv().is_err());
        drop(second);
        let _fourth = doorstep.arrive();
        assert!(third.must_go.try_recv().is_err(), "a place that was left is free");
        let _fifth = doorstep.arrive();
        assert_eq!(third.must_go.try_recv(), Ok(()));
    }

    #[test]
    fn leaving_after_having_been_sent_away_changes_nothing() {
        let doorstep = Doorstep::new(1);
        let first = doorstep.arrive();
        let mut second = doorstep.arrive();
        drop(first);
        assert!(second.must_go.try_recv().is_err());
    }
}
