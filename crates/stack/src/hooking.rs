//! The methods by which hooks are put on: of an app factory, for all its nodes, and of one node.

use std::sync::Arc;

use futures_util::Stream;
use handfast_mux::tokio::Incoming;
use handfast_mux::{Body, RemoteError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::hook::{self, Hook, Next};
use crate::{Error, NodeHandle, Stack};

/// # Hooks
/// Those of the factory stand outside those that plugins put on while they start; of those on one method, the one that is
/// added last is the outermost. That there is such a method is seen when a node starts.
impl Stack {
    /// Puts a hook around a method with one answer, in all nodes that are started. See [`hook`](crate::hook).
    ///
    /// ```
    /// use handfast_keys::{NetworkIdentifier, PublicKey};
    /// use handfast_mux::RemoteError;
    /// use handfast_stack::{Next, Rights, Stack};
    ///
    /// let banned = |_: &PublicKey| false;
    /// let stack = Stack::new(NetworkIdentifier::MAIN).hook("auth", move |next: Next, (key,): (PublicKey,)| async move {
    ///     if banned(&key) {
    ///         return Err(RemoteError::new("banned"));
    ///     }
    ///     next.call::<Option<Rights>>((key,)).await
    /// });
    /// ```
    #[must_use]
    pub fn hook<A, R, F, Fut>(self, method: &str, hook: F) -> Self
    where
        A: DeserializeOwned,
        R: Serialize + 'static,
        F: Fn(Next, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, RemoteError>> + Send + 'static,
    {
        self.hook_with(method, hook::call(hook))
    }

    /// [`hook`](Self::hook) for sources: see [`hook::source`](crate::hook::source).
    #[must_use]
    pub fn hook_source<A, F, S>(self, method: &str, hook: F) -> Self
    where
        A: DeserializeOwned,
        F: Fn(Next, A) -> Result<S, RemoteError> + Send + Sync + 'static,
        S: Stream<Item = Result<Body, RemoteError>> + Send + 'static,
    {
        self.hook_with(method, hook::source(hook))
    }

    /// [`hook`](Self::hook) for sinks: see [`hook::sink`](crate::hook::sink).
    #[must_use]
    pub fn hook_sink<F, Fut>(self, method: &str, hook: F) -> Self
    where
        F: Fn(Next, Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), RemoteError>> + Send + 'static,
    {
        self.hook_with(method, hook::sink(hook))
    }

    /// [`hook`](Self::hook) for duplexes: see [`hook::duplex`](crate::hook::duplex).
    #[must_use]
    pub fn hook_duplex<F, S>(self, method: &str, hook: F) -> Self
    where
        F: Fn(Next, Incoming) -> Result<S, RemoteError> + Send + Sync + 'static,
        S: Stream<Item = Result<Body, RemoteError>> + Send + 'static,
    {
        self.hook_with(method, hook::duplex(hook))
    }

    /// [`hook`](Self::hook) with a hook that may be for any kind.
    #[must_use]
    pub fn hook_with(mut self, method: &str, hook: Arc<dyn Hook>) -> Self {
        self.hooks.add(method, hook);
        self
    }
}

/// # Hooks
/// Of those on one method, the one that is added last is the outermost. While the node starts, the method need not be there
/// yet. Once the node runs, a hook takes effect for calls that begin later.
impl NodeHandle {
    /// Puts a hook around a method with one answer. See [`hook`](crate::hook).
    ///
    /// # Errors
    /// [`Error::NoSuchMethod`] if there is no such method or it is of another kind, [`Error::Closed`] if the node is closed.
    pub fn hook<A, R, F, Fut>(&self, method: &str, hook: F) -> Result<(), Error>
    where
        A: DeserializeOwned,
        R: Serialize + 'static,
        F: Fn(Next, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, RemoteError>> + Send + 'static,
    {
        self.hook_with(method, hook::call(hook))
    }

    /// [`hook`](Self::hook) for sources: see [`hook::source`](crate::hook::source).
    ///
    /// # Errors
    /// As [`hook`](Self::hook).
    pub fn hook_source<A, F, S>(&self, method: &str, hook: F) -> Result<(), Error>
    where
        A: DeserializeOwned,
        F: Fn(Next, A) -> Result<S, RemoteError> + Send + Sync + 'static,
        S: Stream<Item = Result<Body, RemoteError>> + Send + 'static,
    {
        self.hook_with(method, hook::source(hook))
    }

    /// [`hook`](Self::hook) for sinks: see [`hook::sink`](crate::hook::sink).
    ///
    /// # Errors
    /// As [`hook`](Self::hook).
    pub fn hook_sink<F, Fut>(&self, method: &str, hook: F) -> Result<(), Error>
    where
        F: Fn(Next, Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), RemoteError>> + Send + 'static,
    {
        self.hook_with(method, hook::sink(hook))
    }

    /// [`hook`](Self::hook) for duplexes: see [`hook::duplex`](crate::hook::duplex).
    ///
    /// # Errors
    /// As [`hook`](Self::hook).
    pub fn hook_duplex<F, S>(&self, method: &str, hook: F) -> Result<(), Error>
    where
        F: Fn(Next, Incoming) -> Result<S, RemoteError> + Send + Sync + 'static,
        S: Stream<Item = Result<Body, RemoteError>> + Send + 'static,
    {
        self.hook_with(method, hook::duplex(hook))
    }

    /// [`hook`](Self::hook) with a hook that may be for any kind.
    ///
    /// # Errors
    /// As [`hook`](Self::hook).
    pub fn hook_with(&self, method: &str, hook: Arc<dyn Hook>) -> Result<(), Error> {
        self.registry()?.add_hook(method, hook)
    }
}
