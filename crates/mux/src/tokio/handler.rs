//! One method, without its name.

use std::fmt;
use std::sync::Arc;

use super::service::{Consumption, Items, no_such_method};
use super::{Answer, Context, Incoming, Service};
use crate::{CallType, RemoteError};

pub(super) type OnCall = dyn Fn(Context) -> Answer + Send + Sync;
pub(super) type OnSource = dyn Fn(Context) -> Result<Items, RemoteError> + Send + Sync;
pub(super) type OnSink = dyn Fn(Context, Incoming) -> Result<Consumption, RemoteError> + Send + Sync;
pub(super) type OnDuplex = dyn Fn(Context, Incoming) -> Result<Items, RemoteError> + Send + Sync;

/// One method of a [`Router`](super::Router), taken out with [`Router::handlers`](super::Router::handlers): for what finds
/// methods in a table of its own and need not have them looked up again. Cheap to clone.
///
/// As a [`Service`] it answers every call of its kind, whatever the name, and no other.
#[derive(Clone)]
pub struct Handler(pub(super) On);

#[derive(Clone)]
pub(super) enum On {
    Call(Arc<OnCall>),
    Source(Arc<OnSource>),
    Sink(Arc<OnSink>),
    Duplex(Arc<OnDuplex>),
}

impl Service for Handler {
    fn call(&self, cx: Context) -> Answer {
        match &self.0 {
            On::Call(handler) => handler(cx),
            _ => Answer::Ready(Err(no_such_method(CallType::Async, cx.method()))),
        }
    }

    fn source(&self, cx: Context) -> Result<Items, RemoteError> {
        match &self.0 {
            On::Source(handler) => handler(cx),
            _ => Err(no_such_method(CallType::Source, cx.method())),
        }
    }

    fn sink(&self, cx: Context, items: Incoming) -> Result<Consumption, RemoteError> {
        match &self.0 {
            On::Sink(handler) => handler(cx, items),
            _ => Err(no_such_method(CallType::Sink, cx.method())),
        }
    }

    fn duplex(&self, cx: Context, items: Incoming) -> Result<Items, RemoteError> {
        match &self.0 {
            On::Duplex(handler) => handler(cx, items),
            _ => Err(no_such_method(CallType::Duplex, cx.method())),
        }
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            On::Call(_) => "Handler(async)",
            On::Source(_) => "Handler(source)",
            On::Sink(_) => "Handler(sink)",
            On::Duplex(_) => "Handler(duplex)",
        })
    }
}
