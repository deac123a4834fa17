//! The work of handlers, as futures that run inside the driver.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use ::tokio::time::{Sleep, sleep};
use futures_util::future::BoxFuture;

use super::Context;
use super::link::{Link, Share, Ticket};
use super::service::{Consumption, Items};
use crate::{Body, RemoteError, ReplyTo, StreamId};

/// Items of one source that are sent before other work of the connection gets its turn.
const ITEMS_PER_TURN: usize = 64;

/// One running handler.
pub(super) enum Work {
    Call(CallWork),
    Items(ItemsWork),
    Sink(SinkWork),
}

impl Work {
    /// Whether it counts against `max_running_calls`.
    pub(super) fn is_call(&self) -> bool {
        matches!(self, Self::Call(_))
    }

    /// Bytes of the arguments that it holds.
    pub(super) fn args_len(&self) -> usize {
        self.scope().cx.raw_args().len()
    }

    fn scope(&self) -> &Scope {
        match self {
            Self::Call(work) => &work.scope,
            Self::Items(work) => &work.scope,
            Self::Sink(work) => &work.scope,
        }
    }
}

/// What a handler counted for that has finished.
pub(super) struct Done {
    pub(super) was_call: bool,
    pub(super) args: usize,
}

impl Future for Work {
    type Output = Done;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Done> {
        let work = self.get_mut();
        let span = work.scope().span.clone();
        let _entered = span.enter();
        let done = match work {
            Self::Call(work) => work.poll(cx),
            Self::Items(work) => work.poll(cx),
            Self::Sink(work) => work.poll(cx),
        };
        done.map(|()| Done {
            was_call: work.is_call(),
            args: work.args_len(),
        })
    }
}

/// What a caller hears of a handler that panicked. The panic itself is reported where it happened.
pub(super) fn panicked(cx: &Context) -> RemoteError {
    tracing::error!(method = %cx.method(), request = %cx.request(), "a handler panicked");
    RemoteError::new("the handler failed")
}

/// A call while it runs: its [`Context`] ends with it, and what it logs is told apart by its span.
struct Scope {
    cx: Context,
    span: tracing::Span,
    link: Arc<Link>,
    /// What the observer hears when the call is over.
    ok: bool,
}

impl Scope {
    fn new(link: Arc<Link>, cx: Context) -> Self {
        let span = tracing::debug_span!("request", id = %cx.request(), method = %cx.method());
        Self {
            cx,
            span,
            link,
            ok: false,
        }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        self.cx.cancel();
        if let Some(observer) = &self.link.config.observer {
            observer.answered(self.cx.kind(), self.ok);
        }
    }
}

/// A call with one answer.
pub(super) struct CallWork {
    scope: Scope,
    future: Option<BoxFuture<'static, Result<Body, RemoteError>>>,
    deadline: Option<Pin<Box<Sleep>>>,
    answer: Option<(ReplyTo, Option<Result<Body, RemoteError>>)>,
    ticket: Ticket,
}

impl CallWork {
    pub(super) fn new(
        link: Arc<Link>,
        cx: Context,
        reply: ReplyTo,
        future: BoxFuture<'static, Result<Body, RemoteError>>,
    ) -> Self {
        let deadline = cx
            .deadline()
            .map(|deadline| Box::pin(::tokio::time::sleep_until(deadline)));
        let answer = Some((reply, None));
        Self {
            scope: Scope::new(link, cx),
            future: Some(future),
            deadline,
            answer,
            ticket: Ticket::default(),
        }
    }

    /// The answer is there and waits only for room in the output.
    pub(super) fn answered(link: Arc<Link>, cx: Context, reply: ReplyTo, result: Result<Body, RemoteError>) -> Self {
        let answer = Some((reply, Some(result)));
        Self {
            scope: Scope::new(link, cx),
            future: None,
            deadline: None,
            answer,
            ticket: Ticket::default(),
        }
    }

    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        if let Some(future) = &mut self.future {
            let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
            let mut late = || {
                self.deadline
                    .as_mut()
                    .is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready())
            };
            let result = match polled {
                Ok(Poll::Ready(result)) => result,
                Ok(Poll::Pending) if late() => Err(RemoteError::new("deadline exceeded")),
                Ok(Poll::Pending) => return Poll::Pending,
                Err(_) => Err(panicked(&self.scope.cx)),
            };
            self.future = None;
            if let Some((_, answer)) = &mut self.answer {
                *answer = Some(result);
            }
        }
        let (Scope { link, ok, .. }, ticket, answer) = (&mut self.scope, &mut self.ticket, &mut self.answer);
        link.with(|state| {
            ready!(state.poll_room(Share::Served, link.config.output_buffer, ticket, cx));
            if let Some((reply, Some(result))) = answer.take() {
                *ok = result.is_ok();
                state.connection.reply(reply, result.as_ref());
                state.wake_driver();
            }
            Poll::Ready(())
        })
    }
}

/// A source or the sending side of a duplex.
pub(super) struct ItemsWork {
    scope: Scope,
    id: StreamId,
    items: Items,
    /// An item that waits for room.
    next: Option<Body>,
    linger: Option<Pin<Box<Sleep>>>,
    ticket: Ticket,
}

impl ItemsWork {
    pub(super) fn new(link: Arc<Link>, cx: Context, id: StreamId, items: Items) -> Self {
        Self {
            scope: Scope::new(link, cx),
            id,
            items,
            next: None,
            linger: None,
            ticket: Ticket::default(),
        }
    }

    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        for _ in 0..ITEMS_PER_TURN {
            if let Err(Stop { ok }) = ready!(self.send_next(cx)) {
                self.scope.ok = ok;
                return Poll::Ready(());
            }
            let items = &mut self.items;
            let end = match catch_unwind(AssertUnwindSafe(|| items.as_mut().poll_next(cx))) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(Some(Ok(body)))) => {
                    self.next = Some(body);
                    continue;
                }
                Ok(Poll::Ready(Some(Err(error)))) => Some(error),
                Ok(Poll::Ready(None)) => None,
                Err(_) => Some(panicked(&self.scope.cx)),
            };
            self.scope.ok = end.is_none();
            end_stream(&self.scope.link, self.id, end);
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Sends the item that waits, once there is room for it and for another. `Err` if there is no more to send.
    fn send_next(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Stop>> {
        let (link, id, next, ticket) = (&self.scope.link, self.id, &mut self.next, &mut self.ticket);
        let mut lingering = false;
        let sent = link.with(|state| {
            let (cancelled, half_closed) = state.watch_stream(id, cx);
            if cancelled {
                return Poll::Ready(Err(Stop { ok: true }));
            }
            lingering = half_closed;
            ready!(state.poll_room(Share::Served, link.config.output_buffer, ticket, cx));
            if let Some(body) = next.take() {
                state.wake_driver();
                if let Err(error) = state.connection.send(id, &body) {
                    state.connection.end_with_error(id, &error.into());
                    return Poll::Ready(Err(Stop { ok: false }));
                }
            }
            Poll::Ready(Ok(()))
        });
        if lingering {
            let after = link.config.half_close_timeout;
            let linger = self.linger.get_or_insert_with(|| Box::pin(sleep(after)));
            if linger.as_mut().poll(cx).is_ready() {
                end_stream(&self.scope.link, id, None);
                return Poll::Ready(Err(Stop { ok: true }));
            }
        }
        sent
    }
}

impl Drop for ItemsWork {
    fn drop(&mut self) {
        self.scope.link.with(|state| state.release_stream(self.id));
    }
}

/// No more items are sent: by an error of this end, or not.
struct Stop {
    ok: bool,
}

/// The work of a sink.
pub(super) struct SinkWork {
    scope: Scope,
    id: StreamId,
    future: Consumption,
}

impl SinkWork {
    pub(super) fn new(link: Arc<Link>, cx: Context, id: StreamId, future: Consumption) -> Self {
        Self {
            scope: Scope::new(link, cx),
            id,
            future,
        }
    }

    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let (cancelled, _) = self.scope.link.with(|state| state.watch_stream(self.id, cx));
        if cancelled {
            // The handler itself is not dropped: it reads what the error was. Its helpers elsewhere may stop.
            self.scope.cx.cancel();
        }
        let future = &mut self.future;
        let error = match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => result.err(),
            Err(_) => Some(panicked(&self.scope.cx)),
        };
        self.scope.ok = error.is_none();
        end_stream(&self.scope.link, self.id, error);
        Poll::Ready(())
    }
}

impl Drop for SinkWork {
    fn drop(&mut self) {
        self.scope.link.with(|state| state.release_stream(self.id));
    }
}

/// Ends a stream that this end serves.
pub(super) fn end_stream(link: &Link, id: StreamId, error: Option<RemoteError>) {
    link.with(|state| {
        match error {
            None => state.connection.end(id),
            Some(error) => state.connection.end_with_error(id, &error),
        }
        state.wake_driver();
    });
}
