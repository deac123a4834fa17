//! Giving a neighbour what it asked for, no faster than it may be given.

use super::Context;
use crate::{
    MessageId, Time,
    swarm::{
        Output,
        config::Config,
        frame::{Frame, ITEMS_MAX},
    },
};
use bytes::Bytes;
use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

/// Bytes of messages in one Items frame, unless one message alone is longer: what is lost with one frame.
const ITEMS_BYTES: usize = 32 << 10;
/// The most messages that wait for one neighbour: 32 bytes each. A neighbour that asks for more gets them when it asks again.
const WAITING_MAX: usize = 1 << 17;
/// How long after the last message what was sent is not sent again: it may be on its way still. Shorter than the wait of
/// one who asks again because it was lost.
const SENT_FOR: Duration = Duration::from_millis(500);

/// A bucket of tokens that fills steadily.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    tokens: u64,
    filled: Time,
}

impl Bucket {
    pub(super) const fn new(tokens: u64, now: Time) -> Self {
        Self { tokens, filled: now }
    }

    /// Fills by `rate` a second up to `burst`, and takes `cost` out if there is that much.
    pub(super) fn take(&mut self, cost: u64, rate: u64, burst: u64, now: Time) -> bool {
        let fill = |span: Duration| {
            let tokens = span.as_micros().saturating_mul(rate.into()) / 1_000_000;
            u64::try_from(tokens).unwrap_or(u64::MAX)
        };
        let more = fill(now.since(self.filled));
        if more > 0 {
            self.tokens = self.tokens.saturating_add(more).min(burst);
            self.filled = now;
        }
        match self.tokens.checked_sub(cost) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }

    /// Puts back what was taken in vain.
    pub(super) fn refund(&mut self, tokens: u64, burst: u64) {
        self.tokens = self.tokens.saturating_add(tokens).min(burst);
    }

    /// When there will be `cost` tokens.
    pub(super) fn when(&self, cost: u64, rate: u64) -> Time {
        let micros = u128::from(cost.saturating_sub(self.tokens)) * 1_000_000 / u128::from(rate.max(1));
        self.filled + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX).saturating_add(1))
    }
}

/// What waits for one neighbour.
#[derive(Debug)]
pub(super) struct Shelf {
    waiting: VecDeque<MessageId>,
    /// What waits, and what was sent just now.
    names: HashSet<MessageId>,
    bucket: Bucket,
    /// When to go on; with nothing waiting, when to forget what was sent.
    due: Option<Time>,
}

impl Shelf {
    pub(super) fn new(config: &Config, now: Time) -> Self {
        Self {
            waiting: VecDeque::new(),
            names: HashSet::new(),
            bucket: Bucket::new(config.serve_burst, now),
            due: None,
        }
    }

    /// Whether `bytes` may go out now.
    pub(super) fn take(&mut self, bytes: usize, config: &Config, now: Time) -> bool {
        self.bucket
            .take(bytes as u64, config.serve_rate, config.serve_burst, now)
    }

    pub(super) fn add(&mut self, names: impl IntoIterator<Item = MessageId>, now: Time) {
        for name in names {
            if self.names.len() < WAITING_MAX && self.names.insert(name) {
                if self.waiting.is_empty() {
                    self.due = Some(now);
                }
                self.waiting.push_back(name);
            }
        }
    }

    pub(super) const fn due(&self) -> Option<Time> {
        self.due
    }

    pub(super) fn serve<P: Copy>(&mut self, to: P, cx: &mut Context<'_, P>) {
        if self.due.is_none_or(|due| due > cx.now) {
            return;
        }
        self.due = None;
        if self.waiting.is_empty() {
            // Ten thousand idle swarms in one process keep nothing for later.
            self.waiting = VecDeque::new();
            self.names = HashSet::new();
            return;
        }
        let mut bodies: Vec<Bytes> = Vec::new();
        let mut bytes = 0;
        while let Some(name) = self.waiting.front() {
            if let Some(item) = cx.history.get(name) {
                let len = item.body.len();
                let full = bytes + len > ITEMS_BYTES || bodies.len() >= ITEMS_MAX;
                if full && !bodies.is_empty() {
                    cx.out
                        .push_back(Output::send(to, Frame::Items(std::mem::take(&mut bodies))));
                    bytes = 0;
                }
                if !self.take(len, cx.config, cx.now) {
                    self.due = Some(self.bucket.when(len as u64, cx.config.serve_rate));
                    break;
                }
                bytes += len;
                bodies.push(item.body.clone());
            }
            self.waiting.pop_front();
        }
        if !bodies.is_empty() {
            cx.out.push_back(Output::send(to, Frame::Items(bodies)));
        }
        if self.waiting.is_empty() {
            self.due = Some(cx.now + SENT_FOR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::history::History;
    use rand::{SeedableRng, rngs::ChaCha8Rng};

    #[test]
    fn so_many_names_wait_for_one_neighbour_and_the_rest_when_it_asks_again() {
        let (config, history) = (Config::default(), History::default());
        let mut now = Time::from_micros(1);
        let mut shelf = Shelf::new(&config, now);
        let name = |number: u32| {
            let mut name = [0; 32];
            name[..4].copy_from_slice(&number.to_be_bytes());
            MessageId::from_bytes(name)
        };
        let rest = WAITING_MAX as u32..WAITING_MAX as u32 + 1000;
        shelf.add((0..rest.end).map(name), now);
        assert_eq!((shelf.waiting.len(), shelf.names.len()), (WAITING_MAX, WAITING_MAX));
        // Nothing is asked for twice while it may be on its way.
        for _ in 0..2 {
            shelf.add(rest.clone().map(name), now);
            let mut cx = Context {
                history: &history,
                config: &config,
                rng: &mut ChaCha8Rng::from_seed([1; 32]),
                out: &mut VecDeque::new(),
                now,
            };
            shelf.serve(1u32, &mut cx);
            assert!(shelf.waiting.is_empty() && shelf.names.len() <= WAITING_MAX);
            now += SENT_FOR;
        }
        assert_eq!(shelf.names.len(), 0);
        shelf.add(rest.map(name), now);
        assert_eq!(shelf.waiting.len(), 1000);
    }
}
