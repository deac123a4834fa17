//! The sessions with other nodes: which there are, which is used, and what is dialled.

use super::{
    dial::{Dialled, dial},
    driver::Input,
    outbox::{Outbox, Pushed},
    session::Session,
};
use crate::{NodeId, Time};
use bytes::Bytes;
use handfast_keys::PublicKey;
use handfast_stack::{NodeHandle, Peer};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{Semaphore, mpsc};

/// How many nodes are dialled at a time. Each costs a file and a handshake.
const MAX_DIALS: usize = 16;
/// How many more wait to be dialled. Membership asks for few; whoever fills this is told that it cannot be reached.
const MAX_WAITING: usize = 256;
/// How many bytes of frames wait for one node that is being dialled: what membership says first, and some messages. What is
/// beyond that is lost, which the overlay mends.
const MAX_BYTES: usize = 128 << 10;

/// How long a session that this node opened, and that no topic needs, may stay: long enough for a question and its answer.
pub(super) const UNNEEDED_FOR: Duration = Duration::from_secs(5);
/// How many such sessions there may be when they are looked after. Peers name other peers to whom an answer goes, each of
/// which costs a connection that nobody else would ever end.
const MAX_UNNEEDED: usize = 64;

/// The sessions of a node.
#[derive(Debug)]
pub(super) struct Links {
    me: NodeId,
    node: NodeHandle,
    inbox: mpsc::Sender<Input>,
    room: Arc<Semaphore>,
    sessions: BTreeMap<NodeId, Pair>,
    /// Frames for nodes that are being dialled, or wait for it.
    dialling: BTreeMap<NodeId, Vec<Bytes>>,
    waiting: VecDeque<(NodeId, Bytes)>,
    running: usize,
    next: u64,
}

/// What there is with one node: two that begin to talk at the same instant have two sessions for a moment.
#[derive(Debug, Default)]
struct Pair {
    ours: Option<Held>,
    theirs: Option<Held>,
    /// The connection, if it was made for this.
    opened: Option<Peer>,
    /// Since when no topic has needed it, as far as that was looked at.
    unneeded: Option<Time>,
}

#[derive(Debug)]
struct Held {
    number: u64,
    outbox: Outbox,
    /// Whether anything has come over it.
    proved: bool,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is on its way, or the node is being dialled.
    Fine,
    /// It is on its way, and the peer's socket does not drain.
    Congested,
    /// The node cannot be reached, or does not read.
    Unreachable,
}

impl Links {
    pub(super) fn new(node: NodeHandle, inbox: mpsc::Sender<Input>, room: Arc<Semaphore>) -> Self {
        Self {
            me: NodeId::from(node.id()),
            node,
            inbox,
            room,
            sessions: BTreeMap::new(),
            dialling: BTreeMap::new(),
            waiting: VecDeque::new(),
            running: 0,
            next: 0,
        }
    }

    /// Whether there is anything with this node.
    pub(super) fn knows(&self, peer: &NodeId) -> bool {
        self.sessions.contains_key(peer) || self.dialling.contains_key(peer)
    }

    /// Whether there is a session with this node.
    pub(super) fn is_linked(&self, peer: &NodeId) -> bool {
        self.sessions.contains_key(peer)
    }

    /// Whether the session that is used with this node is congested.
    pub(super) fn is_congested(&self, peer: &NodeId) -> bool {
        let held = self.sessions.get(peer).and_then(|pair| pair.preferred(self.me > *peer));
        held.is_some_and(|held| held.outbox.is_congested())
    }

    /// Where helpers tell the driver what they have done.
    pub(super) fn inbox(&self) -> mpsc::Sender<Input> {
        self.inbox.clone()
    }

    /// Whether what comes over a session counts. Notes that the session works.
    pub(super) fn hears(&mut self, peer: &NodeId, number: u64) -> bool {
        let Some(pair) = self.sessions.get_mut(peer) else {
            return false;
        };
        if let Some(held) = pair.get_mut(number) {
            held.proved = true;
        }
        // Of two sessions, the one that is given up may still bring something.
        true
    }

    /// Sends a frame; dials the node at this address first if need be.
    pub(super) fn send(&mut self, to: NodeId, frame: Bytes, address: impl FnOnce() -> Bytes) -> Sent {
        if let Some(pair) = self.sessions.get(&to) {
            let Some(held) = pair.preferred(self.me > to) else {
                return Sent::Unreachable;
            };
            return match held.outbox.push(frame) {
                Pushed::Fine => Sent::Fine,
                Pushed::Congested => Sent::Congested,
                Pushed::Lost => Sent::Unreachable,
            };
        }
        if let Some(frames) = self.dialling.get_mut(&to) {
            let waiting: usize = frames.iter().map(Bytes::len).sum();
            if waiting + frame.len() <= MAX_BYTES {
                frames.push(frame);
            }
            return Sent::Fine;
        }
        if self.waiting.len() >= MAX_WAITING || to == self.me {
            return Sent::Unreachable;
        }
        self.dialling.insert(to, vec![frame]);
        self.waiting.push_back((to, address()));
        self.dial_next();
        Sent::Fine
    }

    fn dial_next(&mut self) {
        while self.running < MAX_DIALS {
            let Some((to, address)) = self.waiting.pop_front() else {
                return;
            };
            if !self.dialling.contains_key(&to) {
                continue;
            }
            self.running += 1;
            let (node, inbox) = (self.node.clone(), self.inbox.clone());
            self.node.spawn(async move {
                let result = dial(node, to, address).await.map(Box::new);
                let _ = inbox.send(Input::Dialled { to, result }).await;
            });
        }
    }

    /// A dial has ended. Tells whether the node can be reached now.
    pub(super) fn dialled(&mut self, to: NodeId, result: Result<Box<Dialled>, String>) -> bool {
        self.running = self.running.saturating_sub(1);
        self.dial_next();
        let frames = self.dialling.remove(&to).unwrap_or_default();
        let Dialled { out, items, opened } = match result {
            Ok(dialled) => *dialled,
            Err(reason) => {
                tracing::debug!(peer = ?to, reason, "cannot reach");
                return self.sessions.contains_key(&to);
            }
        };
        // Numbers of our own are even; those of sessions that peers open are odd, and counted where they come in.
        self.next += 2;
        let session = Session {
            peer: to,
            number: self.next,
            outbox: Outbox::default(),
            inbox: self.inbox.clone(),
            room: self.room.clone(),
        };
        let pair = self.sessions.entry(to).or_default();
        pair.opened = opened.or_else(|| pair.opened.take());
        end(pair.ours.replace(Held::of(&session)));
        self.node.spawn(session.run_ours(out, items));
        self.flush(to, frames);
        self.settle(&to);
        true
    }

    /// A peer has opened a session. One that it has opened before gives way to it.
    pub(super) fn opened(&mut self, peer: NodeId, number: u64, outbox: Outbox) {
        let held = Held {
            number,
            outbox,
            proved: false,
        };
        end(self.sessions.entry(peer).or_default().theirs.replace(held));
        let frames = self.dialling.get_mut(&peer).map(std::mem::take).unwrap_or_default();
        self.flush(peer, frames);
        self.settle(&peer);
    }

    fn flush(&mut self, to: NodeId, frames: Vec<Bytes>) {
        for frame in frames {
            self.send(to, frame, Bytes::new);
        }
    }

    /// Of two sessions with one node, the one that the larger key has opened is kept: both ends come to the same one. Who has
    /// opened the other one ends it, after what waits in it.
    fn settle(&mut self, peer: &NodeId) {
        let larger = self.me > *peer;
        let Some(pair) = self.sessions.get_mut(peer) else {
            return;
        };
        if !larger && pair.theirs.is_some() {
            end(pair.ours.take());
        }
    }

    /// A session has ended; `broken` says whether without a goodbye. Tells how the node is gone, if it is.
    pub(super) fn ended(&mut self, peer: &NodeId, number: u64, broken: bool) -> Option<Gone> {
        let pair = self.sessions.get_mut(peer)?;
        let held = pair.take(number)?;
        held.outbox.end();
        if !pair.is_empty() {
            return None;
        }
        let pair = self.sessions.remove(peer)?;
        // A connection may give way to another one to the same node, and takes its session with it.
        let connected = || PublicKey::from_bytes(peer.as_bytes()).is_ok_and(|key| self.node.peer(&key).is_some());
        if broken && held.proved && connected() {
            return Some(Gone::Elsewhere);
        }
        self.close(pair);
        Some(Gone::Away)
    }

    /// Ends what there is with a node, after what waits for it.
    pub(super) fn disconnect(&mut self, peer: &NodeId) {
        if let Some(pair) = self.sessions.remove(peer) {
            self.close(pair);
        }
    }

    /// Ends sessions that this node has opened and that are not needed, see [`UNNEEDED_FOR`] and [`MAX_UNNEEDED`].
    pub(super) fn sweep(&mut self, needed: impl Fn(&NodeId) -> bool, now: Time) {
        let mut unneeded = Vec::new();
        for (peer, pair) in &mut self.sessions {
            if pair.ours.is_none() || needed(peer) {
                pair.unneeded = None;
            } else {
                unneeded.push((*pair.unneeded.get_or_insert(now), *peer));
            }
        }
        unneeded.sort_unstable();
        let beyond = unneeded.len().saturating_sub(MAX_UNNEEDED);
        for (place, (since, peer)) in unneeded.into_iter().enumerate() {
            if place < beyond || now.since(since) >= UNNEEDED_FOR {
                self.disconnect(&peer);
            }
        }
    }

    /// Whether there are sessions to look after.
    pub(super) fn has_sessions(&self) -> bool {
        !self.sessions.is_empty()
    }

    /// Ends everything, after what waits. Tells how many sessions have to end.
    pub(super) fn disconnect_all(&mut self) -> usize {
        self.dialling.clear();
        self.waiting.clear();
        let mut open = 0;
        for pair in std::mem::take(&mut self.sessions).into_values() {
            open += pair.ours.iter().chain(&pair.theirs).count();
            self.close(pair);
        }
        open
    }

    fn close(&self, pair: Pair) {
        end(pair.ours);
        end(pair.theirs);
        if let Some(peer) = pair.opened {
            // It waits for streams, so what is still to be sent arrives.
            self.node.spawn(async move { drop(peer.close().await) });
        }
    }
}

fn end(held: Option<Held>) {
    if let Some(held) = held {
        held.outbox.end();
    }
}

/// How a node is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// It is connected still, and can be asked again.
    Elsewhere,
    /// It is not.
    Away,
}

impl Held {
    fn of(session: &Session) -> Self {
        Self {
            number: session.number,
            outbox: session.outbox.clone(),
            proved: false,
        }
    }
}

impl Pair {
    fn preferred(&self, ours: bool) -> Option<&Held> {
        match ours {
            true => self.ours.as_ref().or(self.theirs.as_ref()),
            false => self.theirs.as_ref().or(self.ours.as_ref()),
        }
    }

    fn get_mut(&mut self, number: u64) -> Option<&mut Held> {
        let both = self.ours.iter_mut().chain(&mut self.theirs);
        both.into_iter().find(|held| held.number == number)
    }

    fn take(&mut self, number: u64) -> Option<Held> {
        let is_it = |held: &mut Held| held.number == number;
        self.ours.take_if(is_it).or_else(|| self.theirs.take_if(is_it))
    }

    const fn is_empty(&self) -> bool {
        self.ours.is_none() && self.theirs.is_none()
    }
}
