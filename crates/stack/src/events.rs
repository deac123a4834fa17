//! What happens in a node, for whoever listens.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use handfast_multiserver::Address;
use tokio::sync::broadcast;

use crate::Peer;

/// Events that wait for a listener who does not read; what is older is dropped, and the listener told how many.
const BACKLOG: usize = 1024;

/// Something that happened in a node.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The node accepts connections (the original's `multiserver:listening`).
    Listening {
        /// Where: everything that was bound.
        addresses: Vec<Address>,
    },
    /// A peer is connected and can be called (the original's `rpc:connect`); [`Peer::direction`] says who dialled.
    Connected(Peer),
    /// A connection has ended.
    Disconnected {
        /// To whom it was; calls on it fail.
        peer: Peer,
        /// Why, if it did not end with a goodbye.
        reason: Option<Arc<str>>,
    },
    /// Somebody who dialled did not get in.
    Refused {
        /// Where the connection came from, as far as it is known.
        from: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// The listener did not keep up, and this many events are lost to it.
    Missed(u64),
    /// The node has closed (the original's `close`). Nothing comes after it.
    Closed,
}

/// The events of a node from the moment on when this was made.
pub struct Events(broadcast::Receiver<Event>);

impl Events {
    /// The next event; `None` when the node has closed.
    ///
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Event::Missed(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events(..)")
    }
}

/// The sending half, until the node has closed: then listeners hear the end, also those who keep a handle to the node.
#[derive(Debug)]
pub(crate) struct Herald(Mutex<Option<broadcast::Sender<Event>>>);

impl Herald {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Some(broadcast::Sender::new(BACKLOG))))
    }

    pub(crate) fn tell(&self, event: Event) {
        let sender = self.sender().clone();
        // Nobody may be listening.
        let _ = sender.map(|sender| sender.send(event));
    }

    /// Tells that the node has closed, and nothing after it.
    pub(crate) fn close(&self) {
        let sender = self.sender().take();
        let _ = sender.map(|sender| sender.send(Event::Closed));
    }

    pub(crate) fn listen(&self) -> Events {
        let events = self.sender().as_ref().map(broadcast::Sender::subscribe);
        // In a node that has closed: a channel without a sender.
        Events(events.unwrap_or_else(|| broadcast::channel(1).1))
    }

    fn sender(&self) -> std::sync::MutexGuard<'_, Option<broadcast::Sender<Event>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
