//! What a handler knows about the call that it serves.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};

use ::tokio::time::Instant;
use bytes::Bytes;
use handfast_keys::PublicKey;
use serde::de::DeserializeOwned;

use super::link::Link;
use super::{Config, Peer};
use crate::{CallType, MethodName, RemoteError, Request, RequestId, args_from_json};

/// What a handler knows about its call: who calls, with which arguments, until when. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    call: Arc<Call>,
    args: Bytes,
}

struct Call {
    caller: Caller,
    number: RequestId,
    method: MethodName,
    kind: CallType,
    deadline: Option<Instant>,
    over: Mutex<Over>,
}

enum Caller {
    /// At the other end of a connection.
    Remote(Arc<Link>),
    /// On this end: no connection carries the call.
    Local(Option<PublicKey>),
}

#[derive(Default)]
struct Over {
    yes: bool,
    /// Those who wait for it, by the order in which they came.
    waiting: BTreeMap<u64, Waker>,
    next: u64,
}

impl Context {
    pub(super) fn new(link: Arc<Link>, number: RequestId, request: Request) -> Self {
        let deadline = match request.kind.is_stream() {
            true => None,
            false => link
                .config
                .handler_timeout
                .and_then(|timeout| Instant::now().checked_add(timeout)),
        };
        let Request { method, args, kind } = request;
        Self::build(Caller::Remote(link), number, method, kind, deadline, args)
    }

    /// A call that no connection carries, such as one that a node makes of its own methods: `args` is the text of a JSON
    /// array, `peer` whom the call is made for.
    ///
    /// Its [`remote`](Self::remote) answers every call with [`Error::Closing`](crate::Error::Closing). Whoever makes the call
    /// [`cancel`](Self::cancel)s the context when the call is over.
    pub fn detached(peer: Option<PublicKey>, method: MethodName, kind: CallType, args: Bytes) -> Self {
        Self::build(Caller::Local(peer), RequestId(0), method, kind, None, args)
    }

    fn build(
        caller: Caller,
        number: RequestId,
        method: MethodName,
        kind: CallType,
        deadline: Option<Instant>,
        args: Bytes,
    ) -> Self {
        let call = Call {
            caller,
            number,
            method,
            kind,
            deadline,
            over: Mutex::default(),
        };
        Self {
            call: Arc::new(call),
            args,
        }
    }

    /// The same call with other arguments, the text of a JSON array: for what stands between a caller and a handler. Whoever
    /// waits for the end of the one waits for that of the other.
    #[must_use]
    pub fn with_args(&self, args: Bytes) -> Self {
        Self {
            call: self.call.clone(),
            args,
        }
    }

    /// The caller's key as the handshake proved it; `None` if the connection has none. For a
    /// [`detached`](Self::detached) call it is what its maker says.
    pub fn peer(&self) -> Option<&PublicKey> {
        match &self.call.caller {
            Caller::Remote(link) => link.config.peer.as_ref(),
            Caller::Local(peer) => peer.as_ref(),
        }
    }

    /// The method that was called, with its full name.
    pub fn method(&self) -> &MethodName {
        &self.call.method
    }

    /// The kind of the call. A call with one answer names no kind on the wire, so it is `Async` also when the method is
    /// `Sync`.
    pub fn kind(&self) -> CallType {
        self.call.kind
    }

    /// The request number, for logs; 0 for a [`detached`](Self::detached) call.
    pub fn request(&self) -> RequestId {
        self.call.number
    }

    /// What the connection was given as [`Config::extension`], if that is a `T`.
    pub fn extension<T: Any>(&self) -> Option<&T> {
        match &self.call.caller {
            Caller::Remote(link) => link.config.extension.as_deref()?.downcast_ref(),
            Caller::Local(_) => None,
        }
    }

    /// The arguments, by the rule of [`args_from_json`]: a tuple by position, any other type the first.
    ///
    /// # Errors
    /// The error to answer with, if they do not fit.
    pub fn args<A: DeserializeOwned>(&self) -> Result<A, RemoteError> {
        args_from_json(&self.args)
    }

    /// The arguments as the text of a JSON array.
    pub fn raw_args(&self) -> &Bytes {
        &self.args
    }

    /// When this call must be answered; only calls with one answer have a deadline, and only if
    /// [`Config::handler_timeout`] is set.
    pub fn deadline(&self) -> Option<Instant> {
        self.call.deadline
    }

    /// The caller, to call it back over the same connection.
    pub fn remote(&self) -> Peer {
        match &self.call.caller {
            Caller::Remote(link) => Peer::new(link.clone()),
            Caller::Local(peer) => {
                let link = Link::new(Config {
                    peer: *peer,
                    ..Config::default()
                });
                link.with(|state| state.finish(Ok(())));
                Peer::new(link)
            }
        }
    }

    /// Resolves when the call is over: answered, aborted by the caller, past its deadline, or cut off with its connection.
    /// The handler's own future or stream is dropped then, except that the future of a sink whose stream has ended goes on to
    /// read how it ended, and counts as a stream until it is done. This is for work that a handler has put elsewhere.
    ///
    /// Cancel safe.
    pub async fn cancelled(&self) {
        Waiting { cx: self, place: None }.await;
    }

    /// Whether [`cancelled`](Self::cancelled) would resolve at once.
    pub fn is_cancelled(&self) -> bool {
        self.over().yes
    }

    fn over(&self) -> std::sync::MutexGuard<'_, Over> {
        self.call.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the call is over, to whoever waits for [`cancelled`](Self::cancelled). The driver does this for calls of its
    /// connection; whoever made a [`detached`](Self::detached) context does it for that.
    pub fn cancel(&self) {
        let waiting = {
            let mut over = self.over();
            over.yes = true;
            std::mem::take(&mut over.waiting)
        };
        waiting.into_values().for_each(Waker::wake);
    }
}

/// One that waits for the end of a call, until it is dropped: a long call may outlive many helpers that waited for its end in
/// vain.
struct Waiting<'a> {
    cx: &'a Context,
    place: Option<u64>,
}

impl Future for Waiting<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<()> {
        let mut over = self.cx.over();
        if over.yes {
            return Poll::Ready(());
        }
        let place = self.place.unwrap_or(over.next);
        over.next = over.next.max(place.wrapping_add(1));
        over.waiting.insert(place, task.waker().clone());
        drop(over);
        self.place = Some(place);
        Poll::Pending
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let waker = self.place.and_then(|place| self.cx.over().waiting.remove(&place));
        drop(waker);
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("request", &self.call.number)
            .field("method", &self.call.method)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_has_stopped_waiting_for_the_end_leaves_nothing_behind() {
        let cx = Context::detached(
            None,
            MethodName::plain("x"),
            CallType::Duplex,
            Bytes::from_static(b"[]"),
        );
        for _ in 0..100 {
            // Each in a task of its own.
            let helper = cx.clone();
            let helper = tokio::spawn(async move {
                tokio::select! {
                    biased;
                    () = helper.cancelled() => {}
                    () = tokio::task::yield_now() => {}
                }
            });
            helper.await.unwrap();
        }
        assert!(cx.over().waiting.is_empty());
        let helper = cx.clone();
        let helper = tokio::spawn(async move { helper.cancelled().await });
        tokio::task::yield_now().await;
        assert_eq!(cx.over().waiting.len(), 1);
        cx.cancel();
        helper.await.unwrap();
    }
}
