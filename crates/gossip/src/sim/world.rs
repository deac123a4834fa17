//! What a scenario is played on: the seam between the run and what the nodes speak.

use super::{record::Recorder, report::CatchUp};
use crate::{MessageId, Time};
use std::ops::{Add, AddAssign, Sub};

/// When simulated time begins: somewhere in 2023, since numbers of messages are made of the time.
pub(super) const START: Time = Time::from_micros(1_700_000_000_000_000);

/// A network of nodes on a virtual clock.
pub(super) trait World {
    fn now(&self) -> Time;
    /// Lets time pass until `until`; tells the recorder of each delivery.
    fn advance(&mut self, until: Time, recorder: &mut Recorder);
    /// Lets a node publish a message.
    fn publish(&mut self, node: u32) -> Option<MessageId>;
    /// Ends a node: its connections close, or fall silent.
    fn kill(&mut self, node: u32, silent: bool);
    /// Brings an ended node back with an empty memory; where nodes dial, it asks `contact` to be let in.
    fn revive(&mut self, node: u32, contact: u32);
    /// Lets a node ask these to be let in; nothing where links are given.
    fn join(&mut self, node: u32, contacts: &[u32]);
    /// Those with whom a node is linked now.
    fn neighbours(&self, node: u32) -> Vec<u32>;
    /// Whether nobody has let the node in so far.
    fn is_outside(&self, _node: u32) -> bool {
        false
    }
    /// What was sent so far.
    fn sent(&self) -> Sent;
    /// How much work was done so far: events of the queue.
    fn events(&self) -> u64;
    /// How the last node caught up with the history, if there was one.
    fn catch_up(&self) -> Option<CatchUp> {
        None
    }
}

/// What was sent, lost frames included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// Frames that carry messages, by pushing or by catching up.
    pub(super) payloads: u64,
    pub(super) payload_bytes: u64,
    /// All other frames.
    pub(super) controls: u64,
    pub(super) control_bytes: u64,
}

impl AddAssign for Sent {
    fn add_assign(&mut self, other: Self) {
        self.payloads += other.payloads;
        self.payload_bytes += other.payload_bytes;
        self.controls += other.controls;
        self.control_bytes += other.control_bytes;
    }
}

impl Add for Sent {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl Sub for Sent {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            payloads: self.payloads.saturating_sub(before.payloads),
            payload_bytes: self.payload_bytes.saturating_sub(before.payload_bytes),
            controls: self.controls.saturating_sub(before.controls),
            control_bytes: self.control_bytes.saturating_sub(before.control_bytes),
        }
    }
}
