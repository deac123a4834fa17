//! What waits to be sent, and in which order it leaves.

use crate::{Message, StreamId, message::Ping};
use std::collections::VecDeque;

/// The most answers (PONG, CLOSE_STREAM, ERROR) that wait for a peer that does not take them; then nothing more of it is read.
/// Stops a peer that asks without listening.
pub(super) const REPLIES_MAX: usize = 64;

/// The most words of our own (OPEN_STREAM, CLOSE_STREAM) that wait before no further stream is opened, and nothing more is
/// read. Stops a peer that opens streams for the application to refuse and does not take the refusals, and an application
/// that opens and drops streams faster than the peer takes them.
pub(super) const OWN_MAX: usize = 256;

/// Messages and streams that wait for their turn.
#[derive(Debug, Default)]
pub(super) struct Sending {
    /// A PING that is due.
    ping: Option<Ping>,
    /// Our own words, in the order in which they must leave.
    own: VecDeque<Message>,
    /// Answers to the peer.
    replies: VecDeque<Message>,
    /// Streams that have bytes or a FIN to send, the next first. Invariant: each stands here once.
    turn: VecDeque<StreamId>,
    /// Streams whose write found no room, the oldest first. Invariant: each stands here once.
    waiting: VecDeque<StreamId>,
}

impl Sending {
    pub(super) const fn ping(&mut self, ping: Ping) {
        self.ping = Some(ping);
    }

    pub(super) fn say(&mut self, message: Message) {
        self.own.push_back(message);
    }

    pub(super) fn reply(&mut self, message: Message) {
        self.replies.push_back(message);
    }

    pub(super) fn takes_replies(&self) -> bool {
        self.replies.len() < REPLIES_MAX
    }

    pub(super) fn takes_own(&self) -> bool {
        self.own.len() < OWN_MAX
    }

    pub(super) fn has_messages(&self) -> bool {
        self.ping.is_some() || !self.own.is_empty() || !self.replies.is_empty()
    }

    pub(super) fn has_data(&self) -> bool {
        !self.turn.is_empty()
    }

    /// The next message: a PING goes before answers, those before our own words, and all before data.
    pub(super) fn next_message(&mut self) -> Option<Message> {
        let ping = self.ping.take().map(Message::Ping);
        ping.or_else(|| pop(&mut self.replies)).or_else(|| pop(&mut self.own))
    }

    /// The stream whose turn it is.
    pub(super) fn next_stream(&mut self) -> Option<StreamId> {
        pop(&mut self.turn)
    }

    /// Puts a stream at the end of the line, unless it stands in it.
    pub(super) fn line_up(&mut self, id: StreamId) {
        if !self.turn.contains(&id) {
            self.turn.push_back(id);
        }
    }

    pub(super) fn wait(&mut self, id: StreamId) {
        if !self.waiting.contains(&id) {
            self.waiting.push_back(id);
        }
    }

    /// Takes those out of the waiting that have what they wait for.
    pub(super) fn wake(&mut self, mut has_room: impl FnMut(StreamId) -> bool, mut wake: impl FnMut(StreamId)) {
        if self.waiting.is_empty() {
            return;
        }
        self.waiting.retain(|id| {
            let has_room = has_room(*id);
            if has_room {
                wake(*id);
            }
            !has_room
        });
        settle(&mut self.waiting);
    }

    /// Forgets what a stream that has ended wanted to send.
    pub(super) fn forget(&mut self, id: StreamId) {
        for line in [&mut self.turn, &mut self.waiting] {
            line.retain(|other| *other != id);
            settle(line);
        }
    }
}

/// Takes the first.
pub(super) fn pop<T>(line: &mut VecDeque<T>) -> Option<T> {
    let first = line.pop_front();
    settle(line);
    first
}

/// An empty line holds no memory.
fn settle<T>(line: &mut VecDeque<T>) {
    if line.is_empty() && line.capacity() > 0 {
        *line = VecDeque::new();
    }
}

#[cfg(feature = "_check")]
impl Sending {
    /// Asserts what the documents say of the lines; `streams` are in the table.
    pub(super) fn audit(&self, streams: usize) {
        assert!(self.replies.len() <= REPLIES_MAX);
        // What is open when the line is full can still be closed.
        assert!(self.own.len() <= OWN_MAX + streams + 1);
        for line in [&self.turn, &self.waiting] {
            let unique: std::collections::HashSet<_> = line.iter().collect();
            assert_eq!(unique.len(), line.len(), "each stands in a line once");
        }
    }

    /// How much memory the lines hold besides themselves, in items.
    pub(super) fn capacity(&self) -> usize {
        self.own.capacity() + self.replies.capacity() + self.turn.capacity() + self.waiting.capacity()
    }
}
