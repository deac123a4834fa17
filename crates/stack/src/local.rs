//! Calls that a node makes of its own methods: they pass the hooks like all others and no permissions, and what panics in
//! one fails that call only.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use handfast_mux::tokio::{Answer, Consumption, Context, Incoming, Items, Service};
use handfast_mux::{Body, CallType, MethodName, RemoteError};

use crate::registry::Registry;

impl Registry {
    /// Calls a method that has one answer. `args` is the text of a JSON array.
    ///
    /// Cancel safe as far as the method is: dropping the future drops its work.
    ///
    /// # Errors
    /// What the method answers, or that there is none.
    pub(crate) async fn call_local(&self, method: MethodName, args: Bytes) -> Result<Body, RemoteError> {
        let call = Ongoing::new(method, CallType::Async, args);
        let work = async {
            match Service::call(self, call.0.clone()) {
                Answer::Ready(result) => result,
                Answer::Later(work) => work.await,
            }
        };
        let result = AssertUnwindSafe(work).catch_unwind().await;
        result.unwrap_or_else(|_| Err(call.panicked()))
    }

    /// Starts a source. Dropping the items aborts it.
    ///
    /// # Errors
    /// The error that ends it at once.
    pub(crate) fn source_local(&self, method: MethodName, args: Bytes) -> Result<Items, RemoteError> {
        let call = Ongoing::new(method, CallType::Source, args);
        let items = call.start(|cx| Service::source(self, cx))?;
        Ok(call.items(items))
    }

    /// Feeds a sink: the work takes the items. Dropping it drops the method's work.
    ///
    /// # Errors
    /// The error that ends it at once.
    pub(crate) fn sink_local(
        &self,
        method: MethodName,
        args: Bytes,
        items: Incoming,
    ) -> Result<Consumption, RemoteError> {
        let call = Ongoing::new(method, CallType::Sink, args);
        let work = call.start(|cx| Service::sink(self, cx, items))?;
        let work = async move {
            let result = AssertUnwindSafe(work).catch_unwind().await;
            result.unwrap_or_else(|_| Err(call.panicked()))
        };
        Ok(work.boxed())
    }

    /// Starts a duplex. Dropping the items that it returns aborts it.
    ///
    /// # Errors
    /// The error that ends it at once.
    pub(crate) fn duplex_local(&self, method: MethodName, args: Bytes, items: Incoming) -> Result<Items, RemoteError> {
        let call = Ongoing::new(method, CallType::Duplex, args);
        let items = call.start(|cx| Service::duplex(self, cx, items))?;
        Ok(call.items(items))
    }
}

/// A call while it runs: its context ends with it.
struct Ongoing(Context);

impl Ongoing {
    fn new(method: MethodName, kind: CallType, args: Bytes) -> Self {
        Self(Context::detached(None, method, kind, args))
    }

    fn start<T>(&self, start: impl FnOnce(Context) -> Result<T, RemoteError>) -> Result<T, RemoteError> {
        let started = catch_unwind(AssertUnwindSafe(|| start(self.0.clone())));
        started.unwrap_or_else(|_| Err(self.panicked()))
    }

    /// The items up to the first error. The call lasts as long as they do.
    fn items(self, items: Items) -> Items {
        let items = AssertUnwindSafe(items).catch_unwind();
        let until_error = stream::unfold(Some((self, items)), |state| async {
            let (call, mut items) = state?;
            match items.next().await? {
                Ok(Ok(item)) => Some((Ok(item), Some((call, items)))),
                Ok(Err(error)) => Some((Err(error), None)),
                Err(_) => Some((Err(call.panicked()), None)),
            }
        });
        until_error.boxed()
    }

    fn panicked(&self) -> RemoteError {
        tracing::error!(method = %self.0.method(), "a handler panicked");
        RemoteError::new("the handler failed")
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
