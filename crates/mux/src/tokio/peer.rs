//! The handle with which the application calls the peer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use handfast_keys::PublicKey;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::asking::{Calling, Opening};
use super::link::{Link, Ticket};
use super::{Outgoing, Source};
use crate::{Body, CallType, Error, MethodName, args_to_json};

/// A handle on the connection to a peer. Cheap to clone; dropping handles does not close the connection, because the peer
/// may still call: [`close`](Self::close) does, or dropping the driver.
///
/// Method names are dotted: `blobs.get`. Arguments are anything serde can print: a tuple is the list, `()` the empty list,
/// anything else the only argument.
#[derive(Clone)]
pub struct Peer {
    pub(super) link: Arc<Link>,
    pub(super) timeout: Option<Duration>,
}

impl Peer {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self {
            timeout: link.config.call_timeout,
            link,
        }
    }

    /// A handle whose calls with one answer fail with [`Error::DeadlineExceeded`] if they take longer.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self {
            timeout: Some(timeout),
            link: self.link.clone(),
        }
    }

    /// Who is at the other end, as the handshake proved it; `None` if the connection was made without a key.
    pub fn key(&self) -> Option<&PublicKey> {
        self.link.config.peer.as_ref()
    }

    /// Calls a method that has one answer.
    ///
    /// Nothing is sent before the future is first polled. Cancel safe: dropping it forgets the call. The peer cannot be told,
    /// and its answer is ignored.
    ///
    /// # Errors
    /// [`Error::Remote`] with the peer's error, [`Error::Decode`] if the answer is not an `R`, [`Error::Encode`] and
    /// [`Error::MethodName`] for bad input, and the errors of the connection.
    pub fn call<R: DeserializeOwned>(&self, method: &str, args: impl Serialize) -> Calling<R> {
        Calling::new(self, prepare(method, &args), |body| body.to_value())
    }

    /// [`call`](Self::call) with the arguments as the text of a JSON array and the answer as it came.
    ///
    /// # Errors
    /// As [`call`](Self::call); [`Error::Encode`] if `args` is not a JSON array.
    pub fn call_raw(&self, method: &MethodName, args: impl Into<Bytes>) -> Calling<Body> {
        Calling::new(self, check_list(args.into()).map(|args| (method.clone(), args)), Ok)
    }

    /// Calls a source. Resolves as soon as the request is on its way; the peer's refusal is the first item.
    ///
    /// # Errors
    /// [`Error::Encode`] and [`Error::MethodName`] for bad input, and the errors of the connection.
    pub fn source<T: DeserializeOwned>(&self, method: &str, args: impl Serialize) -> Opening<Source<T>> {
        let make = |link, id| Source::new(link, id).typed();
        Opening::new(self, prepare(method, &args), CallType::Source, make)
    }

    /// [`source`](Self::source) with the arguments as the text of a JSON array and items as they come.
    ///
    /// # Errors
    /// As [`source`](Self::source); [`Error::Encode`] if `args` is not a JSON array.
    pub fn source_raw(&self, method: &MethodName, args: impl Into<Bytes>) -> Opening<Source> {
        let request = check_list(args.into()).map(|args| (method.clone(), args));
        Opening::new(self, request, CallType::Source, Source::new)
    }

    /// Calls a sink. Resolves as soon as the request is on its way; the peer's refusal shows when sending or closing.
    ///
    /// # Errors
    /// [`Error::Encode`] and [`Error::MethodName`] for bad input, and the errors of the connection.
    pub fn sink(&self, method: &str, args: impl Serialize) -> Opening<Outgoing> {
        Opening::new(self, prepare(method, &args), CallType::Sink, Outgoing::new)
    }

    /// [`sink`](Self::sink) with the arguments as the text of a JSON array.
    ///
    /// # Errors
    /// As [`sink`](Self::sink); [`Error::Encode`] if `args` is not a JSON array.
    pub fn sink_raw(&self, method: &MethodName, args: impl Into<Bytes>) -> Opening<Outgoing> {
        let request = check_list(args.into()).map(|args| (method.clone(), args));
        Opening::new(self, request, CallType::Sink, Outgoing::new)
    }

    /// Calls a duplex: what is sent, and what comes.
    ///
    /// # Errors
    /// [`Error::Encode`] and [`Error::MethodName`] for bad input, and the errors of the connection.
    pub fn duplex<T: DeserializeOwned>(&self, method: &str, args: impl Serialize) -> Opening<(Outgoing, Source<T>)> {
        let make = |link: Arc<Link>, id| (Outgoing::new(link.clone(), id), Source::new(link, id).typed());
        Opening::new(self, prepare(method, &args), CallType::Duplex, make)
    }

    /// [`duplex`](Self::duplex) with the arguments as the text of a JSON array and items as they come.
    ///
    /// # Errors
    /// As [`duplex`](Self::duplex); [`Error::Encode`] if `args` is not a JSON array.
    pub fn duplex_raw(&self, method: &MethodName, args: impl Into<Bytes>) -> Opening<(Outgoing, Source)> {
        let request = check_list(args.into()).map(|args| (method.clone(), args));
        let make = |link: Arc<Link>, id| (Outgoing::new(link.clone(), id), Source::new(link, id));
        Opening::new(self, request, CallType::Duplex, make)
    }

    /// Closes gracefully: takes no new work of this end, waits until its calls are answered and the streams of both ends have
    /// ended, says goodbye, and waits for the peer's goodbye. Whatever is not done within
    /// [`Config::close_timeout`](super::Config::close_timeout) is cut.
    ///
    /// As in JavaScript, it does not wait for handlers that still work on calls of the peer: these calls fail there with
    /// `unexpected end of parent stream`. An item that has arrived is still delivered to its reader.
    ///
    /// Cancel safe: the driver does the work, and dropping this future does not stop it.
    ///
    /// # Errors
    /// How the connection ended, if not cleanly.
    pub async fn close(&self) -> Result<(), Error> {
        self.link.with(|state| {
            state.connection.close();
            state.wake_driver();
        });
        self.closed().await
    }

    /// Closes at once: says goodbye, and everything that is open on this end fails with [`Error::Aborted`].
    pub fn abort(&self, reason: impl Into<String>) {
        let reason: Arc<str> = reason.into().into();
        self.link.with(|state| state.abort(reason));
    }

    /// Waits until the connection has ended, whoever ended it.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// How it ended, if not cleanly.
    pub async fn closed(&self) -> Result<(), Error> {
        let mut waiting = Waiting {
            link: &self.link,
            ticket: Ticket::default(),
        };
        std::future::poll_fn(move |cx| {
            let Waiting { link, ticket } = &mut waiting;
            link.with(|state| state.poll_ended(ticket, cx))
        })
        .await
    }

    /// Whether the connection has ended or is closing, so that calls fail.
    pub fn is_closing(&self) -> bool {
        self.link.with(|state| !state.connection.is_open())
    }

    /// Bytes of items that wait for readers on this end, with 64 bytes for each item.
    pub fn queued_bytes(&self) -> usize {
        self.link.with(|state| state.queued())
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("key", &self.link.config.peer)
            .finish_non_exhaustive()
    }
}

/// One that waits for the end, until it is dropped: connections may outlive many who waited for their end in vain.
struct Waiting<'a> {
    link: &'a Link,
    ticket: Ticket,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.link.with(|state| state.forget_ended(&mut self.ticket));
    }
}

fn prepare(method: &str, args: &impl Serialize) -> Result<(MethodName, Bytes), Error> {
    Ok((method.parse()?, args_to_json(args)?))
}

fn check_list(args: Bytes) -> Result<Bytes, Error> {
    let body = Body::json(args)?;
    if body.as_bytes().trim_ascii_start().first() != Some(&b'[') {
        return Err(Error::Encode("the arguments are not a JSON array".into()));
    }
    Ok(body.into_bytes())
}
