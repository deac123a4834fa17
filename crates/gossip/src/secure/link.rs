//! One link: what arrives on it, what it speaks, and what waits for it.

use super::{
    Config, Fault,
    line::Lines,
    message::LINE_MAX,
    outbox::{Chunk, Outbox},
};
use crate::{
    Time,
    limits::Bucket,
    swarm::{FRAME_MAX, Frame},
};
use bytes::{Bytes, BytesMut};
use std::time::Duration;

/// How long a peer is given to show that it is of our kind, where rounds are made by hand.
const GRACE: Duration = Duration::from_millis(200);

/// How much of a second's measuring must pass before a slow reader's pace is judged.
const PACE_SPAN: Duration = Duration::from_millis(250);

/// What the other end speaks, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    /// Nothing came yet. After this moment it is taken for the original.
    Unknown { until: Time },
    /// The original's lines.
    Original,
    /// Our frames.
    Ours,
}

/// What arrives.
#[derive(Debug)]
pub(super) enum Incoming {
    Lines(Lines),
    /// The beginning of a frame whose end has not come. At most [`FRAME_MAX`] and its length.
    Frames(Vec<u8>),
    /// It is being worked on.
    Taken,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) speaks: Speaks,
    pub(super) incoming: Incoming,
    pub(super) outbox: Outbox,
    /// Messages for a peer of the original's kind, until it is known to be one.
    pub(super) deferred: Outbox,
    pub(super) unsound: Bucket,
    /// Whether the swarm was told to send announcements only.
    pub(super) congested: bool,
    /// Whether the adapter was told that there is something to write.
    pub(super) announced: bool,
    /// When bytes were last moved to the writer, or began to wait for it.
    moved_at: Time,
    /// Since when more waits than half of what may, and how many bytes were moved since.
    slow: Option<(Time, usize)>,
}

impl Link {
    pub(super) fn new(config: &Config, now: Time) -> Self {
        let grace = config.interval.map_or(GRACE, |interval| interval * 2);
        Self {
            speaks: if config.negotiate {
                Speaks::Unknown { until: now + grace }
            } else {
                Speaks::Original
            },
            incoming: Incoming::Lines(Lines::new(LINE_MAX)),
            outbox: Outbox::default(),
            deferred: Outbox::default(),
            unsound: Bucket::full(config.unsound, now),
            congested: false,
            announced: false,
            moved_at: now,
            slow: None,
        }
    }

    /// Queues a message's line until it is released.
    pub(super) fn defer(&mut self, line: Bytes, config: &Config) {
        if self.speaks != Speaks::Ours {
            self.deferred.push(Chunk::Line(line));
            self.deferred.shorten(config.outbox);
        }
    }

    /// Lets the messages go that waited for a round, or for the peer to be known.
    pub(super) fn release(&mut self, config: &Config, now: Time) {
        if self.deferred.is_empty() {
            return;
        }
        self.begins(now);
        self.outbox.append(&mut self.deferred);
        self.outbox.shorten(config.outbox);
        if self.outbox.weight() > config.outbox / 2 && self.slow.is_none() {
            self.slow = Some((now, 0));
        }
    }

    /// Queues what is not a message.
    pub(super) fn push(&mut self, chunk: Chunk, now: Time) {
        self.begins(now);
        self.outbox.push(chunk);
    }

    fn begins(&mut self, now: Time) {
        if self.outbox.is_empty() {
            self.moved_at = now;
        }
    }

    /// Moves some of what waits to the writer.
    pub(super) fn transmit(&mut self, buffer: &mut BytesMut, config: &Config, now: Time) -> bool {
        let before = buffer.len();
        let moved = self.outbox.transmit(buffer);
        self.announced = !self.outbox.is_empty();
        if moved {
            self.moved_at = now;
        }
        if self.outbox.weight() <= config.outbox / 2 {
            self.slow = None;
        }
        if let Some((since, bytes)) = &mut self.slow {
            *bytes += buffer.len() - before;
            if now.since(*since) >= PACE_SPAN * 4 && keeps_pace(*since, *bytes, config, now) {
                self.slow = Some((now, 0));
            }
        }
        moved
    }

    /// Whether the other links should wait for this one rather than let it lose messages: it speaks the original's lines, much
    /// waits for it, and it reads at a fair pace.
    pub(super) fn presses(&self, config: &Config, now: Time) -> bool {
        self.slow
            .is_some_and(|(since, bytes)| now.since(since) < PACE_SPAN || keeps_pace(since, bytes, config, now))
    }

    /// When its patience with a peer that reads nothing ends.
    pub(super) fn gives_up(&self, config: &Config) -> Option<Time> {
        (!self.outbox.is_empty()).then(|| self.moved_at + config.patience)
    }

    /// Cuts the frames out of what arrived. The frames are handed over one by one; what is left waits for its end.
    pub(super) fn frames(pending: &mut Vec<u8>, bytes: &[u8], mut hand: impl FnMut(Frame)) -> Result<(), Fault> {
        pending.extend_from_slice(bytes);
        let mut rest = pending.as_slice();
        while let Some((length, body)) = rest.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            if length > FRAME_MAX {
                return Err(Fault::Oversized);
            }
            let Some((frame, behind)) = body.split_at_checked(length) else {
                break;
            };
            hand(Frame::decode(frame)?);
            rest = behind;
        }
        let done = pending.len() - rest.len();
        pending.drain(..done);
        if pending.is_empty() && pending.capacity() > FRAME_MAX / 4 {
            *pending = Vec::new();
        }
        Ok(())
    }
}

fn keeps_pace(since: Time, bytes: usize, config: &Config, now: Time) -> bool {
    let micros = u64::try_from(now.since(since).as_micros()).unwrap_or(u64::MAX);
    (bytes as u64).saturating_mul(1_000_000) >= micros.saturating_mul(config.pace)
}
