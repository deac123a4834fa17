//! What a handler knows about the call that it serves.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use ::tokio::time::Instant;
use bytes::Bytes;
use handfast_keys::PublicKey;
use serde::de::DeserializeOwned;

use super::Peer;
use super::link::Link;
use crate::{MethodName, RemoteError, Request, RequestId, args_from_json};

/// What a handler knows about its call: who calls, with which arguments, until when. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
}

struct Inner {
    link: Arc<Link>,
    number: RequestId,
    request: Request,
    deadline: Option<Instant>,
    over: Mutex<Over>,
}

#[derive(Default)]
struct Over {
    yes: bool,
    waiting: Vec<Waker>,
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
        Self {
            inner: Arc::new(Inner {
                link,
                number,
                request,
                deadline,
                over: Mutex::default(),
            }),
        }
    }

    /// The caller's key as the handshake proved it; `None` if the connection has none.
    pub fn peer(&self) -> Option<&PublicKey> {
        self.inner.link.config.peer.as_ref()
    }

    /// The method that was called.
    pub fn method(&self) -> &MethodName {
        &self.inner.request.method
    }

    /// The request number, for logs.
    pub fn request(&self) -> RequestId {
        self.inner.number
    }

    /// The arguments, by the rule of [`args_from_json`]: a tuple by position, any other type the first.
    ///
    /// # Errors
    /// The error to answer with, if they do not fit.
    pub fn args<A: DeserializeOwned>(&self) -> Result<A, RemoteError> {
        args_from_json(&self.inner.request.args)
    }

    /// The arguments as the text of a JSON array.
    pub fn raw_args(&self) -> &Bytes {
        &self.inner.request.args
    }

    /// When this call must be answered; only calls with one answer have a deadline, and only if
    /// [`Config::handler_timeout`](super::Config::handler_timeout) is set.
    pub fn deadline(&self) -> Option<Instant> {
        self.inner.deadline
    }

    /// The caller, to call it back over the same connection.
    pub fn remote(&self) -> Peer {
        Peer::new(self.inner.link.clone())
    }

    /// Resolves when the call is over: answered, aborted by the caller, past its deadline, or cut off with its connection.
    /// The handler's own future or stream is dropped then, except that the future of a sink whose stream has ended goes on to
    /// read how it ended, and counts as a stream until it is done. This is for work that a handler has put elsewhere.
    ///
    /// Cancel safe.
    pub async fn cancelled(&self) {
        std::future::poll_fn(|cx| {
            let mut over = self.over();
            if over.yes {
                return Poll::Ready(());
            }
            if !over.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                over.waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// Whether [`cancelled`](Self::cancelled) would resolve at once.
    pub fn is_cancelled(&self) -> bool {
        self.over().yes
    }

    fn over(&self) -> std::sync::MutexGuard<'_, Over> {
        self.inner.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn cancel(&self) {
        let waiting = {
            let mut over = self.over();
            over.yes = true;
            std::mem::take(&mut over.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("request", &self.inner.number)
            .field("method", &self.inner.request.method)
            .finish_non_exhaustive()
    }
}
