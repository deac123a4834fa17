//! Connections that came in and led to nothing.

use crate::Error;
use std::{
    fmt,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
};
use tokio::sync::{Mutex, mpsc};

/// How many failures wait to be fetched. Further ones are counted and forgotten: a node that is slow under attack keeps no record
/// of the attack.
const KEPT: usize = 64;

/// A connection that came in and led to nothing: for counters and the log.
#[derive(Debug)]
#[non_exhaustive]
pub struct Failed {
    /// From where it came.
    pub from: SocketAddr,
    /// What went wrong, or why it was not let in.
    pub error: Error,
    /// How many failures before this one are not reported, since nobody fetched them in time.
    pub unreported: u64,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.from, self.error)
    }
}

#[derive(Debug)]
pub(super) struct Failures {
    sender: mpsc::Sender<Failed>,
    receiver: Mutex<mpsc::Receiver<Failed>>,
    unreported: AtomicU64,
}

impl Failures {
    pub(super) fn new() -> Self {
        let (sender, receiver) = mpsc::channel(KEPT);
        Self {
            sender,
            receiver: Mutex::new(receiver),
            unreported: AtomicU64::new(0),
        }
    }

    pub(super) fn report(&self, mut failed: Failed) {
        failed.unreported = self.unreported.swap(0, Ordering::Relaxed);
        if let Err(error) = self.sender.try_send(failed) {
            self.unreported
                .fetch_add(error.into_inner().unreported + 1, Ordering::Relaxed);
        }
    }

    pub(super) async fn next(&self) -> Option<Failed> {
        self.receiver.lock().await.recv().await
    }
}
