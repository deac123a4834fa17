//! Hooks: what stands around a method, and sees and changes each of its calls.
//!
//! ```text
//!    call ──►  hook added last ──►  hook added first ──►  the method
//!  answer ◄──       next.run()  ◄──      next.run()  ◄──
//! ```
//!
//! A hook gets the call as a [`Next`], which knows its arguments and its caller. It may call on, with the same arguments or
//! others, once, several times or not at all, and answers what it likes: `next` is only what would have happened. All calls
//! pass: those of peers, whose permissions are checked before, and those of the node itself.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future};
use handfast_mux::tokio::{Answer, Consumption, Context, Incoming, Items, Service};
use handfast_mux::{Body, CallType, RemoteError, args_to_json};
use serde::Serialize;
use serde::de::DeserializeOwned;

use futures_util::Stream;

use crate::registry::Method;

/// What stands around a method. Closures become hooks with [`call`], [`source`], [`sink`] and [`duplex`], which the methods
/// `hook`, `hook_source`, `hook_sink` and `hook_duplex` of a node use; this trait is for a hook that takes several kinds.
///
/// What is not written calls on. As with a [`Service`], nothing here may block; work happens in the futures and streams that
/// are returned.
pub trait Hook: Send + Sync + 'static {
    /// The kind of methods that it is for; `None` if it takes any. `Async` stands for `Sync` as well.
    fn kind(&self) -> Option<CallType> {
        None
    }

    /// Answers a call with one answer.
    fn call(&self, next: Next) -> Answer {
        next.answer()
    }

    /// Starts a source.
    ///
    /// # Errors
    /// The error that ends the stream.
    fn source(&self, next: Next) -> Result<Items, RemoteError> {
        next.source()
    }

    /// Starts a sink.
    ///
    /// # Errors
    /// The error that ends the stream.
    fn sink(&self, next: Next, items: Incoming) -> Result<Consumption, RemoteError> {
        Ok(next.sink(items))
    }

    /// Starts a duplex.
    ///
    /// # Errors
    /// The error that ends the stream.
    fn duplex(&self, next: Next, items: Incoming) -> Result<Items, RemoteError> {
        next.duplex(items)
    }
}

/// A call on its way to a method: what a hook would have happen next. Cheap to clone, for a hook that calls on twice.
#[derive(Clone)]
pub struct Next {
    cx: Context,
    method: Arc<Method>,
    /// How many of the hooks are still to come, the last one of these first.
    left: usize,
}

/// What comes next.
enum Step {
    Hook(Arc<dyn Hook>, Next),
    Method(Arc<Method>, Context),
}

impl Next {
    pub(crate) fn new(cx: Context, method: Arc<Method>) -> Self {
        Self {
            cx,
            left: method.hooks.len(),
            method,
        }
    }

    /// What is known of the call: who calls, which method, with which arguments.
    pub fn context(&self) -> &Context {
        &self.cx
    }

    /// Calls on with these arguments, and reads the answer.
    ///
    /// # Errors
    /// What was answered; that the answer is not an `R`.
    pub async fn call<R: DeserializeOwned>(self, args: impl Serialize) -> Result<R, RemoteError> {
        // The arguments must not live across the wait: they need not be `Send`.
        let text = args_to_json(&args);
        drop(args);
        Ok(self.run_raw(text?).await?.to_value()?)
    }

    /// Calls on with the same arguments; the answer is as it came, and a hook may answer with it as it is.
    ///
    /// # Errors
    /// What was answered.
    pub async fn run(self) -> Result<Body, RemoteError> {
        match self.answer() {
            Answer::Ready(result) => result,
            Answer::Later(work) => work.await,
        }
    }

    /// [`run`](Self::run) with other arguments: the text of a JSON array.
    ///
    /// # Errors
    /// What was answered.
    pub async fn run_raw(self, args: Bytes) -> Result<Body, RemoteError> {
        self.with_raw(args).run().await
    }

    /// The answer of a call, not awaited.
    pub fn answer(self) -> Answer {
        match self.step() {
            Step::Hook(hook, next) => hook.call(next),
            Step::Method(method, cx) => method.handler.call(cx),
        }
    }

    /// The items of a source.
    ///
    /// # Errors
    /// The error that ends it at once.
    pub fn source(self) -> Result<Items, RemoteError> {
        match self.step() {
            Step::Hook(hook, next) => hook.source(next),
            Step::Method(method, cx) => method.handler.source(cx),
        }
    }

    /// [`source`](Self::source) with other arguments.
    ///
    /// # Errors
    /// As [`source`](Self::source); that the arguments cannot be printed.
    pub fn source_with(self, args: impl Serialize) -> Result<Items, RemoteError> {
        self.with(args)?.source()
    }

    /// The work of a sink, which takes these items.
    pub fn sink(self, items: Incoming) -> Consumption {
        let started = match self.step() {
            Step::Hook(hook, next) => hook.sink(next, items),
            Step::Method(method, cx) => method.handler.sink(cx, items),
        };
        started.unwrap_or_else(|error| future::ready(Err(error)).boxed())
    }

    /// The items of a duplex, which takes these.
    ///
    /// # Errors
    /// The error that ends it at once.
    pub fn duplex(self, items: Incoming) -> Result<Items, RemoteError> {
        match self.step() {
            Step::Hook(hook, next) => hook.duplex(next, items),
            Step::Method(method, cx) => method.handler.duplex(cx, items),
        }
    }

    /// The same call with other arguments, for sinks and duplexes: `next.with((room,))?.sink(items)`.
    ///
    /// # Errors
    /// That the arguments cannot be printed.
    pub fn with(self, args: impl Serialize) -> Result<Self, RemoteError> {
        Ok(self.with_raw(args_to_json(&args)?))
    }

    fn with_raw(mut self, args: Bytes) -> Self {
        self.cx = self.cx.with_args(args);
        self
    }

    fn step(mut self) -> Step {
        let next = self.left.checked_sub(1);
        match next.and_then(|next| Some((next, self.method.hooks.get(next)?.clone()))) {
            Some((next, hook)) => {
                self.left = next;
                Step::Hook(hook, self)
            }
            None => Step::Method(self.method, self.cx),
        }
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next")
            .field("call", &self.cx)
            .field("hooks", &self.left)
            .finish_non_exhaustive()
    }
}

type OnCall = dyn Fn(Next) -> Answer + Send + Sync;
type OnSource = dyn Fn(Next) -> Result<Items, RemoteError> + Send + Sync;
type OnSink = dyn Fn(Next, Incoming) -> Result<Consumption, RemoteError> + Send + Sync;
type OnDuplex = dyn Fn(Next, Incoming) -> Result<Items, RemoteError> + Send + Sync;

/// A closure as a hook.
enum Closure {
    Call(Box<OnCall>),
    Source(Box<OnSource>),
    Sink(Box<OnSink>),
    Duplex(Box<OnDuplex>),
}

/// A hook for sync and async methods from a closure, which takes the arguments by type, as a handler does, and answers
/// anything serializable; a [`Body`] of [`Next::run`] is answered as it is.
pub fn call<A, R, F, Fut>(hook: F) -> Arc<dyn Hook>
where
    A: DeserializeOwned,
    R: Serialize + 'static,
    F: Fn(Next, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, RemoteError>> + Send + 'static,
{
    Arc::new(Closure::Call(Box::new(move |next| match next.cx.args() {
        Ok(args) => {
            let work = hook(next, args);
            Answer::Later(work.map(|result| to_body(&result?)).boxed())
        }
        Err(error) => Answer::Ready(Err(error)),
    })))
}

/// The body for what a hook answers. What the next one has answered is a body already, and is not read and printed again.
fn to_body<R: Serialize + 'static>(value: &R) -> Result<Body, RemoteError> {
    match (value as &dyn Any).downcast_ref::<Body>() {
        Some(body) => Ok(body.clone()),
        None => Ok(Body::from_value(value)?),
    }
}

/// A hook for sources from a closure, which takes the arguments by type and returns the items: a stream that is usually made
/// from that of [`Next::source`].
pub fn source<A, F, S>(hook: F) -> Arc<dyn Hook>
where
    A: DeserializeOwned,
    F: Fn(Next, A) -> Result<S, RemoteError> + Send + Sync + 'static,
    S: Stream<Item = Result<Body, RemoteError>> + Send + 'static,
{
    Arc::new(Closure::Source(Box::new(move |next| {
        let args = next.cx.args()?;
        Ok(hook(next, args)?.boxed())
    })))
}

/// A hook for sinks from a closure, which gets the items that the caller sends: to call on with those that it lets through,
/// [`Incoming::from_stream`] makes them of any stream. The arguments are in [`Next::context`].
pub fn sink<F, Fut>(hook: F) -> Arc<dyn Hook>
where
    F: Fn(Next, Incoming) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), RemoteError>> + Send + 'static,
{
    Arc::new(Closure::Sink(Box::new(
        move |next, items| Ok(hook(next, items).boxed()),
    )))
}

/// A hook for duplexes from a closure, which gets the items that the caller sends, as one for [`sink`]s does, and returns those
/// that go back, as one for [`source`]s does.
pub fn duplex<F, S>(hook: F) -> Arc<dyn Hook>
where
    F: Fn(Next, Incoming) -> Result<S, RemoteError> + Send + Sync + 'static,
    S: Stream<Item = Result<Body, RemoteError>> + Send + 'static,
{
    Arc::new(Closure::Duplex(Box::new(move |next, items| {
        Ok(hook(next, items)?.boxed())
    })))
}

impl Hook for Closure {
    fn kind(&self) -> Option<CallType> {
        Some(match self {
            Self::Call(_) => CallType::Async,
            Self::Source(_) => CallType::Source,
            Self::Sink(_) => CallType::Sink,
            Self::Duplex(_) => CallType::Duplex,
        })
    }

    fn call(&self, next: Next) -> Answer {
        match self {
            Self::Call(hook) => hook(next),
            _ => next.answer(),
        }
    }

    fn source(&self, next: Next) -> Result<Items, RemoteError> {
        match self {
            Self::Source(hook) => hook(next),
            _ => next.source(),
        }
    }

    fn sink(&self, next: Next, items: Incoming) -> Result<Consumption, RemoteError> {
        match self {
            Self::Sink(hook) => hook(next, items),
            _ => Ok(next.sink(items)),
        }
    }

    fn duplex(&self, next: Next, items: Incoming) -> Result<Items, RemoteError> {
        match self {
            Self::Duplex(hook) => hook(next, items),
            _ => next.duplex(items),
        }
    }
}

/// Hooks by the names of their methods, for what does not have methods yet.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    list: Vec<(String, Arc<dyn Hook>)>,
}

impl Hooks {
    /// Adds a hook, outside those that are there.
    pub(crate) fn add(&mut self, method: &str, hook: Arc<dyn Hook>) {
        self.list.push((method.to_owned(), hook));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(String, Arc<dyn Hook>)> {
        self.list.iter()
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.list.iter().map(|(method, _)| method))
            .finish()
    }
}
