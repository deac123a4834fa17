//! Methods as closures.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{FutureExt, StreamExt, TryStreamExt, future};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::handler::On;
use super::service::{Consumption, Items, no_such_method};
use super::{Answer, Context, Handler, Incoming, Service};
use crate::{Body, CallType, Manifest, MethodName, RemoteError};

/// Methods by name, each a closure. Cheap to clone: one router serves any number of connections.
///
/// Names may be nested with dots. A handler takes its [`Context`] and its arguments, typed by serde: a tuple takes them by
/// position, `()` takes none, any other type takes the first. Sinks and duplexes take the incoming items instead and get at
/// arguments with [`Context::args`].
///
/// The manifest is derived from the methods and served as the method `manifest`, unless that is overridden by a method of
/// that name or switched off with [`without_manifest`](Self::without_manifest).
///
/// ```
/// use futures_util::{StreamExt, TryStreamExt, stream};
/// use handfast_mux::tokio::{Incoming, Router};
///
/// let api = Router::new()
///     .sync("version", |_cx, ()| Ok("1.0"))
///     .call("add", |_cx, (a, b): (i64, i64)| async move { Ok(a + b) })
///     .source("count", |_cx, n: u64| stream::iter((0..n).map(Ok)))
///     .sink("log.write", |_cx, mut lines: Incoming<String>| async move {
///         while let Some(line) = lines.try_next().await? {
///             println!("{line}");
///         }
///         Ok(())
///     })
///     .duplex("shout", |_cx, words| words.map_ok(|word: String| word.to_uppercase()));
/// assert_eq!(
///     serde_json::to_string(&api.manifest())?,
///     r#"{"version":"sync","add":"async","count":"source","log":{"write":"sink"},"shout":"duplex","manifest":"sync"}"#
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Router {
    inner: Arc<Inner>,
}

#[derive(Clone, Default)]
struct Inner {
    methods: HashMap<MethodName, Handler>,
    manifest: Manifest,
    without_manifest: bool,
}

impl Router {
    /// A router without methods of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a method that answers at once. It runs inside the driver, so it must be quick.
    #[must_use]
    pub fn sync<A, R, F>(self, name: &str, handler: F) -> Self
    where
        A: DeserializeOwned,
        R: Serialize,
        F: Fn(Context, A) -> Result<R, RemoteError> + Send + Sync + 'static,
    {
        let answer = move |cx: Context| {
            let args = cx.args()?;
            Ok(Body::from_value(&handler(cx, args)?)?)
        };
        self.add(
            name,
            CallType::Sync,
            On::Call(Arc::new(move |cx| Answer::Ready(answer(cx)))),
        )
    }

    /// Adds a method that answers once.
    #[must_use]
    pub fn call<A, R, F, Fut>(self, name: &str, handler: F) -> Self
    where
        A: DeserializeOwned,
        R: Serialize,
        F: Fn(Context, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, RemoteError>> + Send + 'static,
    {
        let answer = move |cx: Context| match cx.args() {
            Ok(args) => {
                let work = handler(cx, args);
                Answer::Later(work.map(|result| Ok(Body::from_value(&result?)?)).boxed())
            }
            Err(error) => Answer::Ready(Err(error)),
        };
        self.add(name, CallType::Async, On::Call(Arc::new(answer)))
    }

    /// Adds a method that sends items: a stream. It is polled only while there is room to send.
    #[must_use]
    pub fn source<A, T, F, S>(self, name: &str, handler: F) -> Self
    where
        A: DeserializeOwned,
        T: Serialize,
        F: Fn(Context, A) -> S + Send + Sync + 'static,
        S: Stream<Item = Result<T, RemoteError>> + Send + 'static,
    {
        let start = move |cx: Context| {
            let args = cx.args()?;
            Ok(bodies(handler(cx, args)))
        };
        self.add(name, CallType::Source, On::Source(Arc::new(start)))
    }

    /// Adds a method that takes items. Its result ends the stream: the caller learns of an error.
    #[must_use]
    pub fn sink<T, F, Fut>(self, name: &str, handler: F) -> Self
    where
        T: DeserializeOwned,
        F: Fn(Context, Incoming<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), RemoteError>> + Send + 'static,
    {
        let start = move |cx: Context, items: Incoming| Ok(handler(cx, items.typed()).boxed());
        self.add(name, CallType::Sink, On::Sink(Arc::new(start)))
    }

    /// Adds a method that takes items and sends items.
    ///
    /// When the caller has ended its side, the incoming items end, and the stream that is returned may go on until
    /// [`Config::half_close_timeout`](super::Config::half_close_timeout).
    #[must_use]
    pub fn duplex<I, T, F, S>(self, name: &str, handler: F) -> Self
    where
        I: DeserializeOwned,
        T: Serialize,
        F: Fn(Context, Incoming<I>) -> S + Send + Sync + 'static,
        S: Stream<Item = Result<T, RemoteError>> + Send + 'static,
    {
        let start = move |cx: Context, items: Incoming| Ok(bodies(handler(cx, items.typed())));
        self.add(name, CallType::Duplex, On::Duplex(Arc::new(start)))
    }

    /// [`sync`](Self::sync) with the arguments as the text of a JSON array and the answer as a body.
    #[must_use]
    pub fn sync_raw<F>(self, name: &str, handler: F) -> Self
    where
        F: Fn(Context, Bytes) -> Result<Body, RemoteError> + Send + Sync + 'static,
    {
        let answer = move |cx: Context| {
            let args = cx.raw_args().clone();
            Answer::Ready(handler(cx, args))
        };
        self.add(name, CallType::Sync, On::Call(Arc::new(answer)))
    }

    /// [`call`](Self::call) with the arguments as the text of a JSON array and the answer as a body.
    #[must_use]
    pub fn call_raw<F, Fut>(self, name: &str, handler: F) -> Self
    where
        F: Fn(Context, Bytes) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Body, RemoteError>> + Send + 'static,
    {
        let answer = move |cx: Context| {
            let args = cx.raw_args().clone();
            Answer::Later(handler(cx, args).boxed())
        };
        self.add(name, CallType::Async, On::Call(Arc::new(answer)))
    }

    /// [`source`](Self::source) with the arguments as the text of a JSON array and items as bodies.
    #[must_use]
    pub fn source_raw<F, S>(self, name: &str, handler: F) -> Self
    where
        F: Fn(Context, Bytes) -> S + Send + Sync + 'static,
        S: Stream<Item = Result<Body, RemoteError>> + Send + 'static,
    {
        let start = move |cx: Context| {
            let args = cx.raw_args().clone();
            Ok(handler(cx, args).boxed())
        };
        self.add(name, CallType::Source, On::Source(Arc::new(start)))
    }

    /// [`sink`](Self::sink) with items as bodies.
    #[must_use]
    pub fn sink_raw<F, Fut>(self, name: &str, handler: F) -> Self
    where
        F: Fn(Context, Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), RemoteError>> + Send + 'static,
    {
        let start = move |cx: Context, items: Incoming| Ok(handler(cx, items).boxed());
        self.add(name, CallType::Sink, On::Sink(Arc::new(start)))
    }

    /// [`duplex`](Self::duplex) with items as bodies.
    #[must_use]
    pub fn duplex_raw<F, S>(self, name: &str, handler: F) -> Self
    where
        F: Fn(Context, Incoming) -> S + Send + Sync + 'static,
        S: Stream<Item = Result<Body, RemoteError>> + Send + 'static,
    {
        let start = move |cx: Context, items: Incoming| Ok(handler(cx, items).boxed());
        self.add(name, CallType::Duplex, On::Duplex(Arc::new(start)))
    }

    /// Adds all methods of another router; where both have a method of one name, the other's is kept. Whether the method
    /// `manifest` is served, this router decides.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        self.nest("", other)
    }

    /// Adds all methods of another router under a path: `hello` as `prefix.hello`. Its handlers see the whole name as
    /// [`Context::method`]. An empty prefix adds them as they are.
    ///
    /// ```
    /// use handfast_mux::tokio::Router;
    ///
    /// let blobs = Router::new().sync("has", |_cx, id: String| Ok(id.starts_with('&')));
    /// let api = Router::new().sync("version", |_cx, ()| Ok(1)).nest("blobs", blobs);
    /// assert!(api.contains(&"blobs.has".parse()?));
    /// # Ok::<(), handfast_mux::Error>(())
    /// ```
    #[must_use]
    pub fn nest(mut self, prefix: &str, other: Self) -> Self {
        for (name, kind, handler) in other.handlers() {
            let path = prefix.split('.').filter(|_| !prefix.is_empty());
            let name = MethodName::from_parts(path.chain(name.parts()).map(Box::from).collect());
            self = self.insert(name, kind, handler);
        }
        self
    }

    /// The methods that were added, one by one, in their order: for what serves them from a table of its own.
    pub fn handlers(&self) -> Vec<(MethodName, CallType, Handler)> {
        let methods = self.inner.manifest.methods().into_iter();
        let with_handler = |(name, kind)| Some((self.inner.methods.get(&name)?.clone(), name, kind));
        let handlers = methods.filter_map(with_handler);
        handlers.map(|(handler, name, kind)| (name, kind, handler)).collect()
    }

    /// Whether there is such a method, `manifest` included if it is served.
    pub fn contains(&self, method: &MethodName) -> bool {
        self.find(method).is_some() || self.answers_manifest(method)
    }

    /// Does not serve the method `manifest`, so that a peer must know what there is.
    #[must_use]
    pub fn without_manifest(mut self) -> Self {
        Arc::make_mut(&mut self.inner).without_manifest = true;
        self
    }

    /// The manifest: all methods with their kinds in the order in which they were added, `manifest` last if it is served.
    pub fn manifest(&self) -> Manifest {
        let mut manifest = self.inner.manifest.clone();
        let name = MethodName::from_parts(vec!["manifest".into()]);
        if !self.inner.without_manifest && manifest.get(&name).is_none() {
            manifest.insert(&name, CallType::Sync);
        }
        manifest
    }

    fn add(self, name: &str, kind: CallType, on: On) -> Self {
        // An empty part names a method that a peer can call all the same, so nothing has to fail here.
        let name = MethodName::from_parts(name.split('.').map(Box::from).collect());
        self.insert(name, kind, Handler(on))
    }

    fn insert(mut self, name: MethodName, kind: CallType, handler: Handler) -> Self {
        let inner = Arc::make_mut(&mut self.inner);
        inner.manifest.insert(&name, kind);
        inner.methods.insert(name, handler);
        self
    }

    /// Whether this is the manifest that the router makes itself.
    fn answers_manifest(&self, method: &MethodName) -> bool {
        !self.inner.without_manifest && method.parts().eq(["manifest"])
    }

    fn find(&self, method: &MethodName) -> Option<&Handler> {
        if let Some(handler) = self.inner.methods.get(method) {
            return Some(handler);
        }
        // A plain string is one part; names are kept as lists.
        let list = MethodName::from_parts(method.parts().map(Box::from).collect());
        self.inner.methods.get(&list)
    }
}

fn bodies<T: Serialize>(items: impl Stream<Item = Result<T, RemoteError>> + Send + 'static) -> Items {
    items
        .and_then(|item| future::ready(Body::from_value(&item).map_err(RemoteError::from)))
        .boxed()
}

impl Service for Router {
    fn call(&self, cx: Context) -> Answer {
        match self.find(cx.method()) {
            Some(handler) => handler.call(cx),
            None if self.answers_manifest(cx.method()) => {
                Answer::Ready(Body::from_value(&self.manifest()).map_err(RemoteError::from))
            }
            None => Answer::Ready(Err(no_such_method(CallType::Async, cx.method()))),
        }
    }

    fn source(&self, cx: Context) -> Result<Items, RemoteError> {
        match self.find(cx.method()) {
            Some(handler) => handler.source(cx),
            None => Err(no_such_method(CallType::Source, cx.method())),
        }
    }

    fn sink(&self, cx: Context, items: Incoming) -> Result<Consumption, RemoteError> {
        match self.find(cx.method()) {
            Some(handler) => handler.sink(cx, items),
            None => Err(no_such_method(CallType::Sink, cx.method())),
        }
    }

    fn duplex(&self, cx: Context, items: Incoming) -> Result<Items, RemoteError> {
        match self.find(cx.method()) {
            Some(handler) => handler.duplex(cx, items),
            None => Err(no_such_method(CallType::Duplex, cx.method())),
        }
    }
}

impl From<Router> for Arc<dyn Service> {
    fn from(router: Router) -> Self {
        Arc::new(router)
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Router").field(&self.inner.manifest).finish()
    }
}
