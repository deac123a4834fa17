//! What arrives, for the application.

use crate::{Author, Item, MessageId, PeerId, Sequence, secure, swarm::Delivery};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_core::Stream;
use handfast_json::Value;
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// What is known of a message beside its content.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// Who signed it.
    pub public: Author,
    /// Its name.
    pub id: MessageId,
    /// Its number among its author's messages, and whether the author vouches for that.
    pub sequence: Sequence,
    /// Whether it came by catch-up, because this node was not there when it was published.
    pub caught_up: bool,
    /// Over how many links of our own kind it came: 1 from its author. 0: it came by catch-up or from a peer of the original's
    /// kind, which does not count them.
    pub hops: u16,
    /// How many messages this reader lost just before this one, because it did not read fast enough.
    pub missed: u64,
}

impl Info {
    /// The author as secure-gossip writes it: `….ed25519`, without `@`.
    #[must_use]
    pub fn public_text(&self) -> String {
        format!("{}.ed25519", STANDARD.encode(self.public.as_bytes()))
    }
}

/// The messages of others, each once, as a [`Stream`] of content and [`Info`].
///
/// The stream ends when the node has stopped. If it is not read, the oldest messages are dropped and [`Info::missed`] of the
/// next one says how many.
#[derive(Debug)]
pub struct Messages(pub(super) Arc<Queue>);

impl Messages {
    /// The next message; `None` when the node has stopped.
    ///
    /// Cancel safety: nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<(Value, Info)> {
        std::future::poll_fn(|cx| self.0.poll(cx)).await
    }
}

impl Stream for Messages {
    type Item = (Value, Info);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll(cx)
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        waiting.abandoned = true;
        waiting.messages = VecDeque::new();
    }
}

/// What waits for one reader. Messages wait as lines: their content is taken apart by the reader, in its own time.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    most_messages: usize,
    most_bytes: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<(Bytes, Info)>,
    bytes: usize,
    /// How many were dropped before the first that waits.
    missed: u64,
    ended: bool,
    abandoned: bool,
    reader: Option<Waker>,
}

impl Queue {
    pub(super) fn new(most_messages: usize, most_bytes: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            most_messages,
            most_bytes,
        }
    }

    /// Adds a message; whether there is still somebody to read it.
    pub(super) fn push<P: PeerId>(&self, delivery: &Delivery<P>) -> bool {
        let mut waiting = self.lock();
        if waiting.abandoned {
            return false;
        }
        let Item {
            id,
            author,
            sequence,
            body,
        } = &delivery.item;
        while waiting.messages.len() >= self.most_messages || waiting.bytes + body.len() > self.most_bytes {
            let Some((oldest, _)) = waiting.messages.pop_front() else {
                break;
            };
            waiting.bytes -= oldest.len();
            waiting.missed += 1;
        }
        let info = Info {
            public: *author,
            id: *id,
            sequence: *sequence,
            caught_up: delivery.caught_up,
            hops: delivery.hops,
            missed: 0,
        };
        waiting.bytes += body.len();
        waiting.messages.push_back((body.clone(), info));
        let reader = waiting.reader.take();
        drop(waiting);
        if let Some(reader) = reader {
            reader.wake();
        }
        true
    }

    pub(super) fn end(&self) {
        let mut waiting = self.lock();
        waiting.ended = true;
        if let Some(reader) = waiting.reader.take() {
            reader.wake();
        }
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Option<(Value, Info)>> {
        let mut waiting = self.lock();
        let Some((body, mut info)) = waiting.messages.pop_front() else {
            if waiting.ended {
                return Poll::Ready(None);
            }
            waiting.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        waiting.bytes -= body.len();
        info.missed = std::mem::take(&mut waiting.missed);
        drop(waiting);
        // Invariant: what is delivered was read as a message before.
        Poll::Ready(Some((secure::content(&body).unwrap_or_default(), info)))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
