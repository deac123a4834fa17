//! Connections whose handshake is not finished.

use super::places::{Places, Ticket};
use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// Where connections stand until their handshake is finished.
///
/// A stranger can open connections and say nothing, each until the handshake's deadline. When the doorstep is full, the one that
/// has stood longest must go: an honest peer is through in a moment, so it is never the oldest unless strangers come faster
/// than the whole doorstep turns over in that moment. And no single place on the network may fill it.
#[derive(Debug)]
pub(super) struct Doorstep {
    capacity: usize,
    by_prefix: Places,
    standing: Mutex<Standing>,
}

#[derive(Debug, Default)]
struct Standing {
    next: u64,
    /// In the order of arrival.
    waiting: BTreeMap<u64, oneshot::Sender<()>>,
}

/// A place on the doorstep, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Step {
    doorstep: Arc<Doorstep>,
    number: u64,
    must_go: oneshot::Receiver<()>,
    _ticket: Ticket,
}

impl Doorstep {
    pub(super) fn new(capacity: usize, per_prefix: usize) -> Arc<Self> {
        Arc::new(Self {
            capacity: capacity.max(1),
            by_prefix: Places::new(usize::MAX, per_prefix),
            standing: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        // Nothing in here panics half-way, so a poisoned table is a whole one.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for somebody from `ip`; `None` if too many from there have one.
    pub(super) fn arrive(self: &Arc<Self>, ip: IpAddr) -> Option<Step> {
        let ticket = self.by_prefix.enter(ip)?;
        let (send_away, must_go) = oneshot::channel();
        let mut standing = self.lock();
        while standing.waiting.len() >= self.capacity
            && let Some((_, oldest)) = standing.waiting.pop_first()
        {
            // It may be through by now.
            let _ = oldest.send(());
        }
        let number = standing.next;
        standing.next += 1;
        standing.waiting.insert(number, send_away);
        Some(Step {
            doorstep: Arc::clone(self),
            number,
            must_go,
            _ticket: ticket,
        })
    }

    /// Sends the oldest away: when there is no file left, it gives one back.
    pub(super) fn make_room(&self) {
        if let Some((_, oldest)) = self.lock().waiting.pop_first() {
            let _ = oldest.send(());
        }
    }
}

impl Step {
    /// Resolves when the holder must go.
    pub(super) async fn must_go(&mut self) {
        // The sender is dropped unsent by `drop` alone, when nobody waits here.
        let _ = (&mut self.must_go).await;
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.doorstep.lock().waiting.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_goes_when_there_is_no_room() {
        let doorstep = Doorstep::new(2, 8);
        let at = |last: u8| IpAddr::from([192, 0, 2, last]);
        let mut first = doorstep.arrive(at(1)).unwrap();
        let mut second = doorstep.arrive(at(2)).unwrap();
        let _third = doorstep.arrive(at(3)).unwrap();
        first.must_go().await;
        assert!(second.must_go.try_recv().is_err(), "the second stays");
        drop(first);
        drop(second);
        assert_eq!(doorstep.lock().waiting.len(), 1);
    }

    #[test]
    fn one_network_has_its_share_and_loopback_is_nobody_in_particular() {
        let doorstep = Doorstep::new(100, 2);
        let at = IpAddr::from([192, 0, 2, 1]);
        let _steps = (doorstep.arrive(at).unwrap(), doorstep.arrive(at).unwrap());
        assert!(doorstep.arrive(at).is_none());
        let here = IpAddr::from([127, 0, 0, 1]);
        let many: Vec<_> = (0..10).map(|_| doorstep.arrive(here).unwrap()).collect();
        assert_eq!(many.len(), 10);
    }
}
