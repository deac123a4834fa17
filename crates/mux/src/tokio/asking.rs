//! The futures of calls.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use ::tokio::time::{Sleep, sleep};
use bytes::Bytes;

use super::Peer;
use super::link::{Call, Link, Share, Ticket};
use crate::{Body, CallId, CallType, Error, MethodName, StreamId};

/// A call on its way: the future of [`Peer::call`]. Cancel safe: dropping it forgets the call, whether it was sent or not.
#[must_use = "a call is not made unless it is awaited"]
pub struct Calling<R> {
    link: Arc<Link>,
    ticket: Ticket,
    stage: Stage,
    timeout: Option<Duration>,
    deadline: Option<Pin<Box<Sleep>>>,
    read: fn(Body) -> Result<R, Error>,
}

enum Stage {
    /// Not sent yet, or not sendable.
    Ask(Result<(MethodName, Bytes), Error>),
    Waiting(CallId),
    Over,
}

impl<R> Calling<R> {
    pub(super) fn new(
        peer: &Peer,
        request: Result<(MethodName, Bytes), Error>,
        read: fn(Body) -> Result<R, Error>,
    ) -> Self {
        let (link, timeout) = (peer.link.clone(), peer.timeout);
        Self {
            link,
            ticket: Ticket::default(),
            stage: Stage::Ask(request),
            timeout,
            deadline: None,
            read,
        }
    }

    fn poll_answer(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Body, Error>> {
        let (link, stage, ticket) = (&self.link, &mut self.stage, &mut self.ticket);
        link.with(|state| match stage {
            Stage::Ask(_) => {
                if state.ended().is_none() {
                    ready!(state.poll_room(Share::Own, link.config.output_buffer, ticket, cx));
                }
                let Stage::Ask(request) = std::mem::replace(stage, Stage::Over) else {
                    return Poll::Pending;
                };
                let (method, args) = request?;
                let id = state.connection.request(method, args)?;
                state.calls.insert(
                    id,
                    Call {
                        result: None,
                        waker: Some(cx.waker().clone()),
                    },
                );
                state.resume();
                state.wake_driver();
                *stage = Stage::Waiting(id);
                Poll::Pending
            }
            Stage::Waiting(id) => {
                let result = match state.calls.get_mut(id) {
                    None => Err(state.end_error()),
                    Some(call) => match call.result.take() {
                        Some(result) => result,
                        None => {
                            call.waker = Some(cx.waker().clone());
                            return Poll::Pending;
                        }
                    },
                };
                state.remove_call(*id);
                *stage = Stage::Over;
                Poll::Ready(result)
            }
            // Polled again after its end: there is nothing to say any more.
            Stage::Over => Poll::Pending,
        })
    }
}

impl<R> Future for Calling<R> {
    type Output = Result<R, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Poll::Ready(result) = this.poll_answer(cx) {
            return Poll::Ready(result.and_then(this.read));
        }
        if let Some(timeout) = this.timeout {
            let deadline = this.deadline.get_or_insert_with(|| Box::pin(sleep(timeout)));
            ready!(deadline.as_mut().poll(cx));
            this.forget();
            return Poll::Ready(Err(Error::DeadlineExceeded(timeout)));
        }
        Poll::Pending
    }
}

impl<R> Calling<R> {
    fn forget(&mut self) {
        if let Stage::Waiting(id) = std::mem::replace(&mut self.stage, Stage::Over) {
            self.link.with(|state| {
                state.remove_call(id);
                state.connection.forget(id);
                // Forgetting the last call may let a closing connection say goodbye.
                state.wake_driver();
            });
        }
    }
}

impl<R> Drop for Calling<R> {
    fn drop(&mut self) {
        self.forget();
    }
}

impl<R> fmt::Debug for Calling<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calling").finish_non_exhaustive()
    }
}

/// A stream about to be opened: the future of [`Peer::source`], [`Peer::sink`] and [`Peer::duplex`].
///
/// Resolves as soon as the request is on its way. Cancel safe: dropped before that, nothing is sent.
#[must_use = "a stream is not opened unless this is awaited"]
pub struct Opening<T> {
    link: Arc<Link>,
    ticket: Ticket,
    request: Option<Result<(MethodName, Bytes), Error>>,
    kind: CallType,
    make: fn(Arc<Link>, StreamId) -> T,
}

impl<T> Opening<T> {
    pub(super) fn new(
        peer: &Peer,
        request: Result<(MethodName, Bytes), Error>,
        kind: CallType,
        make: fn(Arc<Link>, StreamId) -> T,
    ) -> Self {
        Self {
            link: peer.link.clone(),
            ticket: Ticket::default(),
            request: Some(request),
            kind,
            make,
        }
    }
}

impl<T> Future for Opening<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let (link, kind, request, ticket) = (&this.link, this.kind, &mut this.request, &mut this.ticket);
        let opened = ready!(link.with(|state| {
            if state.ended().is_none() {
                ready!(state.poll_room(Share::Own, link.config.output_buffer, ticket, cx));
            }
            // Polled again after its end: there is nothing to say any more.
            let Some(request) = request.take() else {
                return Poll::Pending;
            };
            let (method, args) = request?;
            let id = state.connection.open(method, args, kind)?;
            // A duplex is held by its two halves.
            let holders = if kind == CallType::Duplex { 2 } else { 1 };
            state.add_stream(id, kind != CallType::Sink, holders);
            state.wake_driver();
            Poll::Ready(Ok(id))
        }));
        Poll::Ready(opened.map(|id| (this.make)(this.link.clone(), id)))
    }
}

impl<T> fmt::Debug for Opening<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
