//! Items that arrive: at a handler, and at a caller.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll, ready};

use futures_core::Stream;
use futures_util::stream::{BoxStream, StreamExt};
use serde::de::DeserializeOwned;

use super::link::Link;
use crate::{Body, Error, RemoteError, StreamId};

/// Items of one stream in the order in which they came.
struct Queue {
    link: Arc<Link>,
    id: StreamId,
    /// Items taken out of the shared queue at once, so that the lock is taken once for many.
    batch: VecDeque<Body>,
    over: bool,
}

impl Queue {
    fn poll_next(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Body, Error>>> {
        loop {
            if let Some(body) = self.batch.pop_front() {
                return Poll::Ready(Some(Ok(body)));
            }
            if self.over {
                return Poll::Ready(None);
            }
            if self.batch.capacity() > 64 {
                // One burst must not leave every idle stream with its largest queue.
                self.batch = VecDeque::new();
            }
            let (id, batch) = (self.id, &mut self.batch);
            match ready!(self.link.with(|state| state.poll_items(id, batch, cx))) {
                Ok(()) => {}
                Err(end) => {
                    self.over = true;
                    return Poll::Ready(end.map(Err));
                }
            }
        }
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("id", &self.id)
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}

/// The items that a caller sends to a sink or duplex, for its handler: a `Stream` of `Result<T, RemoteError>`.
///
/// It ends with `None` when the caller has ended its side, and with an error, then `None`, when the caller ended it with one
/// or the connection is gone. Dropping it drops the items that still come. Raw handlers get `Incoming<Body>`.
#[derive(Debug)]
pub struct Incoming<T = Body> {
    from: Origin,
    read: fn(Body) -> Result<T, Error>,
}

/// Where the items of a handler come from.
enum Origin {
    /// The connection.
    Queue(Queue),
    /// Something between the connection and the handler, until it has ended.
    Stream(Option<Unshared>),
}

/// A stream that one thread polls at a time. The mutex is never locked: it makes what is only `Send` shareable.
type Unshared = Mutex<BoxStream<'static, Result<Body, RemoteError>>>;

impl Incoming {
    pub(super) fn new(link: Arc<Link>, id: StreamId) -> Self {
        Self {
            from: Origin::Queue(Queue {
                link,
                id,
                batch: VecDeque::new(),
                over: false,
            }),
            read: Ok,
        }
    }

    /// Items from any stream, for what stands between a caller and a handler and filters or changes what passes, and for
    /// callers on this end. The first error ends it.
    pub fn from_stream(items: impl Stream<Item = Result<Body, RemoteError>> + Send + 'static) -> Self {
        Self {
            from: Origin::Stream(Some(Mutex::new(items.boxed()))),
            read: Ok,
        }
    }

    /// The same items, read as values of type `T`.
    pub fn typed<T: DeserializeOwned>(self) -> Incoming<T> {
        // The fields cannot be moved out of a type that is dropped specially, so the drop code sits on the queue.
        Incoming {
            from: self.from,
            read: |body| body.to_value(),
        }
    }
}

impl Origin {
    fn poll_next(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Body, RemoteError>>> {
        let stream = match self {
            Self::Queue(queue) => return queue.poll_next(cx).map(|item| item.map(|item| item.map_err(to_caller))),
            Self::Stream(stream) => stream,
        };
        let Some(unshared) = stream else {
            return Poll::Ready(None);
        };
        let items = unshared.get_mut().unwrap_or_else(PoisonError::into_inner);
        let item = ready!(items.poll_next_unpin(cx));
        if !matches!(item, Some(Ok(_))) {
            *stream = None;
        }
        Poll::Ready(item)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(queue) => queue.fmt(f),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

impl<T> Stream for Incoming<T> {
    type Item = Result<T, RemoteError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let read = self.read;
        let item = ready!(self.from.poll_next(cx));
        Poll::Ready(item.map(|item| item.and_then(|body| read(body).map_err(to_caller))))
    }
}

/// The error as the caller is told it: what does not fit is its own item.
fn to_caller(error: Error) -> RemoteError {
    match error {
        Error::Decode(why) => RemoteError::named("TypeError", format!("an item does not fit: {why}")),
        error => error.into(),
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.link.with(|state| {
            state.drop_reader(self.id);
            state.release_stream(self.id);
        });
    }
}

/// The items of a source or duplex, for its caller: a `Stream` of `Result<T, Error>`.
///
/// It ends with `None` when the peer has ended its side, and with an error, then `None`, when the peer ended it with one or
/// the connection is gone. Dropping it aborts the stream: the peer is told to stop, and of a duplex both sides end.
#[derive(Debug)]
pub struct Source<T = Body> {
    queue: Queue,
    read: fn(Body) -> Result<T, Error>,
    _abort: AbortOnDrop,
}

#[derive(Debug)]
struct AbortOnDrop(Arc<Link>, StreamId);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.with(|state| {
            state.connection.abort(self.1);
            state.wake_driver();
        });
    }
}

impl Source {
    pub(super) fn new(link: Arc<Link>, id: StreamId) -> Self {
        let abort = AbortOnDrop(link.clone(), id);
        Self {
            queue: Queue {
                link,
                id,
                batch: VecDeque::new(),
                over: false,
            },
            read: Ok,
            _abort: abort,
        }
    }

    /// The same items, read as values of type `T`. Items that have come already are kept.
    pub fn typed<T: DeserializeOwned>(self) -> Source<T> {
        Source {
            queue: self.queue,
            read: |body| body.to_value(),
            _abort: self._abort,
        }
    }
}

impl<T> Source<T> {
    /// Aborts the stream with an error that the peer sees; dropping it aborts without one.
    pub fn fail(self, error: &RemoteError) {
        let (link, id) = (&self.queue.link, self.queue.id);
        link.with(|state| {
            state.connection.end_with_error(id, error);
            state.wake_driver();
        });
    }
}

impl<T> Stream for Source<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let read = self.read;
        let item = ready!(self.queue.poll_next(cx));
        Poll::Ready(item.map(|item| item.and_then(read)))
    }
}
