//! Messages that were announced and have not come: how long to wait, and whom to ask.

use super::{config::Config, frame::GRAFT_MAX};
use crate::{MessageId, PeerId, Time, names::NameMap};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How many messages one neighbour may announce that have not come. One that announces what does not exist fills its own
/// share and nobody else's; what honest ones announce beyond it comes by catch-up.
pub const MISSING_PER_PEER: usize = 2048;
/// How many neighbours that announced it are remembered for a missing message.
const ANNOUNCERS_MAX: usize = 8;
/// How often a missing message is asked for. Then it is left to catch-up.
const ASK_MAX: u8 = 8;
/// How long the memory of a late payload takes to fade to a third: longer than it takes until its sender speaks again, where
/// many take turns. A single observation fades it by an eighth at most, so silence does not make impatient.
const FADES_IN: Duration = Duration::from_secs(8);

#[derive(Debug)]
pub(super) struct Missing<P> {
    entries: NameMap<MessageId, Entry<P>>,
    due: BTreeSet<(Time, MessageId)>,
    load: BTreeMap<P, usize>,
    patience: Patience,
}

#[derive(Debug)]
struct Entry<P> {
    due: Time,
    announcers: Vec<Announcer<P>>,
    /// How often somebody was asked.
    asked: u8,
}

/// A neighbour that has a missing message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Announcer<P> {
    pub(super) peer: P,
    /// When it said so.
    pub(super) at: Time,
}

/// What is known of a message that was missing.
#[derive(Debug)]
pub(super) struct Found<P> {
    pub(super) announcers: Vec<Announcer<P>>,
    /// How many of them were asked for it, the first ones.
    asked: usize,
}

impl<P> Default for Found<P> {
    fn default() -> Self {
        Self {
            announcers: Vec::new(),
            asked: 0,
        }
    }
}

impl<P: PeerId> Found<P> {
    /// When it was announced first.
    pub(super) fn since(&self) -> Option<Time> {
        self.announcers.first().map(|announcer| announcer.at)
    }

    /// The neighbours that were asked for it.
    pub(super) fn asked(&self) -> impl Iterator<Item = P> {
        self.announcers.iter().take(self.asked).map(|announcer| announcer.peer)
    }
}

/// How long payloads stay behind their announcements when all is well: the longest of late, forgotten slowly.
///
/// A mean would not do. In a tree that several senders share, the payloads of one come at once and those of another stay
/// behind by half the depth of the tree, message after message.
#[derive(Debug, Default)]
struct Patience {
    longest: Option<Duration>,
    /// When a payload was observed last.
    observed: Time,
}

impl Patience {
    fn observe(&mut self, late: Duration, config: &Config, now: Time) {
        let longest = self.longest.unwrap_or(config.graft_delay * 2 / 3);
        let passed = now.since(self.observed).min(FADES_IN / 8);
        let faded = longest.mul_f64(1.0 - passed.as_secs_f64() / FADES_IN.as_secs_f64());
        self.observed = now;
        self.longest = Some(faded.max(late));
    }

    /// Somebody was asked for a payload that came on its own as well, this late. That tells less: whoever sent it may have
    /// had to ask, too.
    fn hurried(&mut self, late: Duration, config: &Config) {
        let longest = self.longest.unwrap_or(config.graft_delay * 2 / 3);
        self.longest = Some(longest.max(late.min(longest.saturating_mul(5) / 4)));
    }

    /// Half as long again as the longest observed.
    fn wait(&self, config: &Config) -> Duration {
        self.longest.map_or(config.graft_delay, |longest| {
            (longest.saturating_mul(3) / 2).clamp(config.graft_delay_min, config.graft_delay_max)
        })
    }
}

impl<P> Default for Missing<P> {
    fn default() -> Self {
        Self {
            entries: NameMap::default(),
            due: BTreeSet::new(),
            load: BTreeMap::new(),
            patience: Patience::default(),
        }
    }
}

impl<P: PeerId> Missing<P> {
    /// `peer` has a message that is not known here.
    pub(super) fn announced(&mut self, id: MessageId, peer: P, config: &Config, now: Time) {
        let load = self.load.entry(peer).or_default();
        if *load >= MISSING_PER_PEER {
            return;
        }
        let entry = self.entries.entry(id).or_insert_with(|| {
            let due = now + self.patience.wait(config);
            self.due.insert((due, id));
            Entry {
                due,
                announcers: Vec::with_capacity(1),
                asked: 0,
            }
        });
        if entry.announcers.len() < ANNOUNCERS_MAX && entry.announcers.iter().all(|known| known.peer != peer) {
            entry.announcers.push(Announcer { peer, at: now });
            *load += 1;
        }
    }

    /// The message has come, whichever way.
    pub(super) fn found(&mut self, id: &MessageId) -> Option<Found<P>> {
        let entry = self.entries.remove(id)?;
        self.due.remove(&(entry.due, *id));
        for announcer in &entry.announcers {
            self.unload(&announcer.peer);
        }
        Some(Found {
            announcers: entry.announcers,
            asked: entry.asked.into(),
        })
    }

    /// A neighbour sent something under this name that is not taken: it is not asked for it again, and others still are.
    pub(super) fn let_down(&mut self, id: &MessageId, peer: &P) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let before = entry.announcers.len();
        entry.announcers.retain(|announcer| announcer.peer != *peer);
        let (after, due) = (entry.announcers.len(), entry.due);
        if after < before {
            self.unload(peer);
        }
        if after == 0 {
            self.due.remove(&(due, *id));
            self.entries.remove(id);
        }
    }

    /// The tree brought a payload this long after its first announcement.
    pub(super) fn observe(&mut self, late: Duration, config: &Config, now: Time) {
        self.patience.observe(late, config, now);
    }

    /// Somebody was asked for a payload that the tree brought as well, this long after its first announcement.
    pub(super) fn hurried(&mut self, late: Duration, config: &Config) {
        self.patience.hurried(late, config);
    }

    /// What to ask whom, now. Each neighbour is asked for [`GRAFT_MAX`] messages at most; the rest waits
    /// for another turn.
    pub(super) fn overdue(&mut self, config: &Config, now: Time) -> BTreeMap<P, Vec<MessageId>> {
        let mut asks: BTreeMap<P, Vec<MessageId>> = BTreeMap::new();
        while let Some(&(due, id)) = self.due.first() {
            if due > now {
                break;
            }
            self.due.pop_first();
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            let turn = usize::from(entry.asked).checked_rem(entry.announcers.len());
            match turn.and_then(|turn| entry.announcers.get(turn)) {
                Some(announcer) if entry.asked < ASK_MAX => {
                    let ask = asks.entry(announcer.peer).or_default();
                    entry.due = now + config.graft_retry;
                    if ask.len() < GRAFT_MAX {
                        ask.push(id);
                        entry.asked += 1;
                    }
                    self.due.insert((entry.due, id));
                }
                _ => {
                    entry.due = due;
                    self.found(&id);
                }
            }
        }
        asks
    }

    pub(super) fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(due, _)| *due)
    }

    /// A neighbour is gone, and with it what it announced.
    pub(super) fn forget(&mut self, peer: &P) {
        if self.load.remove(peer).is_none() {
            return;
        }
        let due = &mut self.due;
        self.entries.retain(|id, entry| {
            entry.announcers.retain(|announcer| announcer.peer != *peer);
            let stays = !entry.announcers.is_empty();
            if !stays {
                due.remove(&(entry.due, *id));
            }
            stays
        });
    }

    /// How many messages are missing.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn unload(&mut self, peer: &P) {
        if let Some(load) = self.load.get_mut(peer) {
            *load = load.saturating_sub(1);
            if *load == 0 {
                self.load.remove(peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_announcers_of_one_message_are_remembered_and_the_others_pay_nothing_for_it() {
        let (mut missing, config, now) = (Missing::default(), Config::default(), Time::from_micros(1));
        let id = MessageId::from_bytes([1; 32]);
        for peer in 0..100u32 {
            for _ in 0..3 {
                missing.announced(id, peer, &config, now);
            }
        }
        let announcers = |missing: &Missing<u32>| missing.entries[&id].announcers.len();
        assert_eq!(announcers(&missing), ANNOUNCERS_MAX);
        assert_eq!(missing.load.values().sum::<usize>(), ANNOUNCERS_MAX);
        // Where one is gone, there is room for another, and all that is asked for is found in the end.
        missing.let_down(&id, &3);
        missing.announced(id, 50, &config, now);
        assert_eq!(announcers(&missing), ANNOUNCERS_MAX);
        let found = missing.found(&id).unwrap();
        assert_eq!(found.announcers.last().map(|announcer| announcer.peer), Some(50));
        assert_eq!(missing.load.values().sum::<usize>(), 0);
        assert_eq!((missing.len(), missing.next_due()), (0, None));
    }
}
