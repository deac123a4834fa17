//! The sessions of a peer.

use crate::tokio::session::{Session, WeakSession};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Remembers sessions without keeping them. Each stands for itself: two with the same peer, or to the same place, are two.
#[derive(Debug, Default)]
pub(super) struct Roster(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    sessions: Vec<WeakSession>,
    /// When there are this many, those that are gone are cleared away: often enough to bound the table by twice the sessions
    /// that stand, and seldom enough to cost nothing.
    clear_at: usize,
}

impl Roster {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, session: &Session) {
        let mut entries = self.lock();
        if entries.sessions.len() >= entries.clear_at {
            entries.sessions.retain(WeakSession::is_alive);
            entries.clear_at = (2 * entries.sessions.len()).max(16);
        }
        entries.sessions.push(session.downgrade());
    }

    /// Those that stand.
    pub(super) fn all(&self) -> Vec<Session> {
        let sessions: Vec<_> = self.lock().sessions.iter().filter_map(WeakSession::upgrade).collect();
        // Dropping a session may be the end of it, and takes its lock: not under this one.
        sessions.into_iter().filter(|session| !session.is_closed()).collect()
    }
}
