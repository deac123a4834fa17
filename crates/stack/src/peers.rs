//! Who is connected.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use handfast_keys::PublicKey;
use handfast_multiserver::Direction;

use crate::Peer;

/// How long after one connection came about another one to the same peer counts as dialled at the same instant.
///
/// An end that knew of the first one would have had no reason to dial, so it began before it knew: at most a dial's time
/// ago, which is 15 seconds to connect and 15 for the handshake. Later than that, the other end has lost the first one.
pub(crate) const SAME_INSTANT: Duration = Duration::from_secs(30);

/// The live connections of a node.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    numbers: AtomicU64,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    live: HashMap<Option<PublicKey>, Vec<Peer>>,
    /// Bytes that connections have received and sent which are not here any more.
    moved: (u64, u64),
}

impl Peers {
    /// A number for a new connection.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Relaxed)
    }

    /// Adds a connection. Returns those, perhaps itself, that have to give way because of it; see [`kept`].
    pub(crate) fn insert(&self, own: &PublicKey, newcomer: &Peer) -> Vec<Peer> {
        let mut table = self.table();
        let others = table.live.entry(newcomer.id().copied()).or_default();
        let mut losers = Vec::new();
        // Where this node came as the identity of a seed, the peer knows somebody else, and would not come to the same choice.
        let as_itself = |peer: &Peer| !peer.about().seeded;
        if let Some(key) = newcomer.id().filter(|&key| key != own && as_itself(newcomer)) {
            let kept = kept(own, key);
            for other in others.iter().filter(|other| other.is_live() && as_itself(other)) {
                let at_once = other.about().start.elapsed() < SAME_INSTANT;
                if at_once && other.direction() != newcomer.direction() {
                    losers.push(if newcomer.direction() == kept { other } else { newcomer }.clone());
                }
            }
            losers.dedup();
        }
        others.push(newcomer.clone());
        losers
    }

    pub(crate) fn remove(&self, peer: &Peer) {
        let mut table = self.table();
        let Table { live, moved } = &mut *table;
        let key = peer.id().copied();
        let Some(others) = live.get_mut(&key) else { return };
        others.retain(|other| other != peer);
        if others.is_empty() {
            live.remove(&key);
        }
        let about = peer.about();
        *moved = (moved.0 + about.bytes_in(), moved.1 + about.bytes_out());
    }

    /// Bytes that all connections have received and sent. They never become fewer.
    pub(crate) fn moved(&self) -> (u64, u64) {
        let table = self.table();
        let live = table.live.values().flatten().map(Peer::about);
        live.fold(table.moved, |(read, written), about| {
            (read + about.bytes_in(), written + about.bytes_out())
        })
    }

    /// The live connections to a peer: first those that are about to give way to another one, then the others, each oldest
    /// first.
    pub(crate) fn of(&self, key: &PublicKey) -> Vec<Peer> {
        let table = self.table();
        let all = table.live.get(&Some(*key)).into_iter().flatten();
        let mut live: Vec<Peer> = all.filter(|peer| peer.is_live()).cloned().collect();
        live.sort_by_key(|peer| !peer.is_doubted());
        live
    }

    /// The connection to the same peer that is there when this one gives way.
    pub(crate) fn kept_instead_of(&self, peer: &Peer) -> Option<Peer> {
        let others = self.of(peer.id()?).into_iter();
        let mut kept = others.filter(|other| other.direction() != peer.direction() && !other.about().seeded);
        kept.next_back()
    }

    /// All connections, oldest first.
    pub(crate) fn all(&self) -> Vec<Peer> {
        let mut all: Vec<Peer> = self.table().live.values().flatten().cloned().collect();
        all.sort_unstable_by_key(|peer| peer.about().number());
        all
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which of two connections is kept when both ends have dialled at the same instant: the one that the node with the larger
/// key has dialled. Seen from this end; the other end comes to the same connection.
fn kept(own: &PublicKey, other: &PublicKey) -> Direction {
    match own.as_bytes() > other.as_bytes() {
        true => Direction::Outgoing,
        false => Direction::Incoming,
    }
}

#[cfg(test)]
mod tests;
