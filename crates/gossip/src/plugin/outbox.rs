//! Frames that wait to be sent to one peer.

use bytes::Bytes;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// Bytes that may wait before the peer counts as congested: then it gets names of messages instead of messages.
const CONGESTED: usize = 512 << 10;
/// Bytes with which it no longer does. Well below, so that a peer does not change sides with each frame.
const RELIEVED: usize = 64 << 10;
/// The most bytes that wait. A peer that lets more come together does not read, and its link is ended: so much memory is what
/// a neighbour can cost. It is more than a neighbour is given of the history at once.
pub(super) const MAX_BYTES: usize = 16 << 20;
/// The most frames that wait, since each costs more than its bytes.
pub(super) const MAX_FRAMES: usize = 16 << 10;

/// A queue with one writer and one reader. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Outbox(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Told when there is something to send, or an end.
    ready: Notify,
    /// Told when the queue is ended.
    ended: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
    congested: bool,
    ended: bool,
}

/// What a frame more means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It will be sent.
    Fine,
    /// It will be sent, and from now on the peer is congested.
    Congested,
    /// It will not be sent: the queue is full, or has ended.
    Lost,
}

/// A frame to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) frame: Bytes,
    /// Whether the peer is congested no longer.
    pub(super) relieved: bool,
}

impl Outbox {
    pub(super) fn push(&self, frame: Bytes) -> Pushed {
        let mut queue = self.queue();
        if queue.ended || queue.bytes + frame.len() > MAX_BYTES || queue.frames.len() >= MAX_FRAMES {
            return Pushed::Lost;
        }
        queue.bytes += frame.len();
        queue.frames.push_back(frame);
        let congested = queue.bytes > CONGESTED && !queue.congested;
        queue.congested |= congested;
        drop(queue);
        self.0.ready.notify_one();
        match congested {
            true => Pushed::Congested,
            false => Pushed::Fine,
        }
    }

    /// Whether the peer counts as congested.
    pub(super) fn is_congested(&self) -> bool {
        self.queue().congested
    }

    /// Takes no more frames. Those that wait are still sent.
    pub(super) fn end(&self) {
        self.queue().ended = true;
        self.0.ready.notify_one();
        self.0.ended.notify_one();
    }

    /// Resolves when the queue has been ended. One task may wait at a time. Cancel safe.
    pub(super) async fn ended(&self) {
        while !self.queue().ended {
            self.0.ended.notified().await;
        }
    }

    /// The next frame; `None` when there are none left and none will come. One task may wait at a time. Cancel safe.
    pub(super) async fn next(&self) -> Option<Next> {
        loop {
            {
                let mut queue = self.queue();
                if let Some(frame) = queue.frames.pop_front() {
                    queue.bytes -= frame.len();
                    let relieved = queue.congested && queue.bytes <= RELIEVED;
                    queue.congested &= !relieved;
                    return Some(Next { frame, relieved });
                }
                if queue.ended {
                    return None;
                }
                // One burst must not leave every idle link with its largest queue.
                queue.frames = VecDeque::new();
            }
            self.0.ready.notified().await;
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: usize) -> Bytes {
        Bytes::from(vec![7; bytes])
    }

    #[tokio::test]
    async fn congestion_is_told_once_and_so_is_its_end() {
        let outbox = Outbox::default();
        assert_eq!(outbox.push(frame(CONGESTED)), Pushed::Fine);
        assert_eq!(outbox.push(frame(1)), Pushed::Congested);
        assert_eq!(outbox.push(frame(RELIEVED)), Pushed::Fine, "it was told");
        outbox.push(frame(1));
        assert!(!outbox.next().await.unwrap().relieved);
        assert!(!outbox.next().await.unwrap().relieved, "one byte too many waits");
        assert!(outbox.next().await.unwrap().relieved);
        assert!(!outbox.next().await.unwrap().relieved, "it was told");
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_costs_so_much_and_no_more() {
        let outbox = Outbox::default();
        while outbox.push(frame(1 << 20)) != Pushed::Lost {}
        assert!(outbox.queue().bytes <= MAX_BYTES);
        let outbox = Outbox::default();
        while outbox.push(frame(1)) != Pushed::Lost {}
        assert_eq!(outbox.queue().frames.len(), MAX_FRAMES);
    }

    #[tokio::test]
    async fn what_waits_is_sent_although_the_queue_is_ended() {
        let outbox = Outbox::default();
        outbox.push(frame(1));
        outbox.end();
        outbox.ended().await;
        assert_eq!(outbox.push(frame(1)), Pushed::Lost);
        assert!(outbox.next().await.is_some());
        assert_eq!(outbox.next().await, None);
    }
}
