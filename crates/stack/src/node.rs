//! A running node, and the handle by which its plugins and its owner use it.

use std::{
    collections::BTreeMap,
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use futures_util::future::BoxFuture;
use handfast_keys::{KeyPair, NetworkIdentifier, PublicKey};
use handfast_multiserver::{
    Address, Connection, Direction, Endpoint, Listening, Multiserver, Outgoing, Scope, Transform, Transport,
};
use handfast_mux::{
    Manifest, MethodName, RemoteError, args_to_json,
    tokio::{Consumption, Incoming, Items},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::runtime::Handle as Runtime;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Client, Error, Events, Global, Peer, Permissions, Rights, Snapshot, auth, events::Herald, peers::Peers,
    registry::Registry, session, stats::Stats,
};

/// What the tasks of a node share.
pub(crate) struct Inner {
    pub(crate) network: NetworkIdentifier,
    pub(crate) keys: KeyPair,
    pub(crate) global: Global,
    pub(crate) outgoing: BTreeMap<String, Vec<Outgoing>>,
    /// What everybody may call, and where each rule comes from.
    pub(crate) permissions: (Rights, Permissions),
    /// Where the node listens, once it does.
    pub(crate) listening: OnceLock<Listening>,
    pub(crate) peers: Peers,
    pub(crate) herald: Herald,
    pub(crate) stats: Arc<Stats>,
    /// Connections.
    pub(crate) sessions: TaskTracker,
    /// What plugins run.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the node begins to close.
    pub(crate) closing: CancellationToken,
    /// Cancelled when what is still open must go.
    pub(crate) aborting: CancellationToken,
    /// Cancelled when nothing of the node is left.
    pub(crate) gone: CancellationToken,
    pub(crate) reason: Mutex<Option<Arc<str>>>,
    /// Taken away when the node has closed: what plugins gave holds handles to the node, which would keep itself alive.
    pub(crate) given: Mutex<Option<Given>>,
    /// Where its tasks run.
    pub(crate) runtime: Runtime,
}

/// What plugins have given to a node.
pub(crate) struct Given {
    /// Their methods.
    pub(crate) registry: Arc<Registry>,
    /// Transports and transforms; plugins add theirs while they start.
    pub(crate) multiserver: Multiserver,
    /// What they still do when all connections have ended.
    pub(crate) at_close: Vec<BoxFuture<'static, ()>>,
}

impl Inner {
    /// Invariant: nothing of a plugin is dropped under this lock, because it may use the node meanwhile.
    pub(crate) fn given(&self) -> MutexGuard<'_, Option<Given>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn registry(&self) -> Result<Arc<Registry>, Error> {
        let given = self.given();
        given.as_ref().map(|given| given.registry.clone()).ok_or(Error::Closed)
    }

    /// What everybody may call.
    pub(crate) fn anonymous(&self) -> Rights {
        self.permissions.0.clone()
    }

    pub(crate) fn abort_reason(&self) -> String {
        let reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        reason.as_deref().unwrap_or("the node closes").to_owned()
    }

    pub(crate) fn multiserver(&self) -> Result<Multiserver, Error> {
        let given = self.given();
        given
            .as_ref()
            .map(|given| given.multiserver.clone())
            .ok_or(Error::Closed)
    }

    pub(crate) fn abort(&self) {
        self.closing.cancel();
        self.aborting.cancel();
    }
}

/// The use of a node: what its plugins get and what its owner has. Cheap to clone; it does not keep the node running.
#[derive(Clone)]
pub struct NodeHandle {
    pub(crate) inner: Arc<Inner>,
}

impl NodeHandle {
    pub(crate) fn registry(&self) -> Result<Arc<Registry>, Error> {
        self.inner.registry()
    }

    /// The node's public key.
    pub fn id(&self) -> &PublicKey {
        self.inner.keys.public()
    }

    /// The network that the node is in (the original's `appKey`, `caps.shs`).
    pub fn network(&self) -> &NetworkIdentifier {
        &self.inner.network
    }

    /// The configuration that all plugins share.
    pub fn global(&self) -> &Global {
        &self.inner.global
    }

    /// The node's methods with their kinds, in the order of its plugins.
    pub fn manifest(&self) -> Manifest {
        self.inner
            .registry()
            .map_or_else(|_| Manifest::new(), |all| all.manifest())
    }

    /// The address at which peers in this scope reach the node, or `None` if it does not listen there (the original's
    /// `getAddress`).
    pub fn address(&self, scope: Scope) -> Option<Address> {
        self.inner.listening.get()?.addresses(scope)
    }

    /// Where the node listens, with the ports that it really has.
    pub fn listening(&self) -> Vec<Address> {
        self.inner.listening.get().map_or_else(Vec::new, Listening::bound)
    }

    /// The address in the form `host:port:@key.ed25519`, for software from before multiserver; `None` if the node does not
    /// listen on TCP in this scope.
    pub fn legacy_address(&self, scope: Scope) -> Option<String> {
        let address = self.address(scope)?;
        address.alternatives().iter().find_map(|way| match &way.endpoint {
            Endpoint::Net { host, port } => Some(format!("{host}:{port}:{}", way.shs_key()?)),
            _ => None,
        })
    }

    /// Dials a peer, whose methods can be called when this returns. Each alternative of the address is tried in turn.
    ///
    /// If this node has dialled the peer already and the connection lives, that one is returned, unless either address has a
    /// seed, with which it is somebody else. If the peer has dialled this node at the same instant, one of the two
    /// connections is closed, the same one at both ends, and the other one returned.
    ///
    /// Dropping the future gives up.
    ///
    /// # Errors
    /// [`Error::Connect`] with the failure of each alternative, [`Error::Closed`] if the node is closing.
    pub async fn connect<A>(&self, address: A) -> Result<Peer, Error>
    where
        A: TryInto<Address>,
        Error: From<A::Error>,
    {
        let address = address.try_into()?;
        let keys = address
            .alternatives()
            .iter()
            .filter_map(|way| way.shs_key().filter(|_| way.seed().is_none()));
        for key in keys {
            let live = self.inner.peers.of(&key);
            let dialled = |peer: &Peer| peer.direction() == Direction::Outgoing && !peer.about().seeded;
            if let Some(peer) = live.into_iter().rfind(dialled) {
                return Ok(peer);
            }
        }
        let connection = self.dial(&address, None).await?;
        let peer = session::begin(&self.inner, connection)?;
        if peer.is_live() {
            return Ok(peer);
        }
        // The peer dialled at the same instant, and its connection is the one that both keep.
        let others = peer.id().map_or_else(Vec::new, |key| self.inner.peers.of(key));
        Ok(others.into_iter().rfind(|other| !other.about().seeded).unwrap_or(peer))
    }

    /// Dials, as this node or through a transform that makes it somebody else.
    pub(crate) async fn dial(
        &self,
        address: &Address,
        somebody: Option<Arc<dyn Transform>>,
    ) -> Result<Connection, Error> {
        let node = &self.inner;
        let multiserver = node.multiserver()?;
        let dial = async {
            match somebody {
                Some(transform) => multiserver.dial_as(transform, address, &node.outgoing).await,
                None => multiserver.dial(address, &node.outgoing).await,
            }
        };
        let dialled = tokio::select! {
            dialled = dial => dialled,
            () = node.closing.cancelled() => return Err(Error::Closed),
        };
        dialled.map_err(|error| {
            node.stats.dial_failed();
            Error::Connect(error)
        })
    }

    /// A client that dials as somebody else and serves nothing: for invites, whose seed is an identity, and for tools.
    pub fn create_client(&self, identity: KeyPair) -> Client {
        Client::new(self.clone(), identity)
    }

    /// The live connections, oldest first.
    pub fn peers(&self) -> Vec<Peer> {
        self.inner.peers.all()
    }

    /// A live connection to this peer, the newest if there are several.
    pub fn peer(&self, key: &PublicKey) -> Option<Peer> {
        self.inner.peers.of(key).pop()
    }

    /// Events from now on.
    pub fn events(&self) -> Events {
        self.inner.herald.listen()
    }

    /// What the method `auth`, with all hooks, says about a peer: rights of its own, or `None` for those of everybody.
    ///
    /// # Errors
    /// [`Error::Refused`] if the peer may not come in.
    pub async fn auth(&self, key: &PublicKey) -> Result<Option<Rights>, Error> {
        auth::ask(&self.inner, key).await.map_err(Error::Refused)
    }

    /// What everybody may call.
    pub fn anonymous(&self) -> Rights {
        self.inner.anonymous()
    }

    /// The permissions of all plugins, with where each rule comes from.
    pub fn permissions(&self) -> Permissions {
        self.inner.permissions.1.clone()
    }

    /// Counters since the node started.
    pub fn stats(&self) -> Snapshot {
        self.inner.stats.snapshot(self.inner.peers.moved())
    }

    /// Calls one of the node's own methods that has one answer, with all rights; hooks see it like any other call.
    ///
    /// # Errors
    /// What the method answers, or that there is none; that the answer is not an `R`.
    pub async fn call<R: DeserializeOwned>(&self, method: &str, args: impl Serialize) -> Result<R, RemoteError> {
        // The arguments must not live across the wait: they need not be `Send`.
        let prepared = self.prepare(method, &args);
        drop(args);
        let (registry, method, args) = prepared?;
        let answer = registry.call_local(method, args).await?;
        answer.to_value().map_err(RemoteError::from)
    }

    /// Opens one of the node's own sources; its items are bodies.
    ///
    /// # Errors
    /// What the method answers, or that there is none.
    pub fn source(&self, method: &str, args: impl Serialize) -> Result<Items, RemoteError> {
        let (registry, method, args) = self.prepare(method, &args)?;
        registry.source_local(method, args)
    }

    /// Feeds one of the node's own sinks.
    ///
    /// # Errors
    /// What the method answers, or that there is none.
    pub fn sink(&self, method: &str, args: impl Serialize, items: Incoming) -> Result<Consumption, RemoteError> {
        let (registry, method, args) = self.prepare(method, &args)?;
        registry.sink_local(method, args, items)
    }

    /// Opens one of the node's own duplexes.
    ///
    /// # Errors
    /// What the method answers, or that there is none.
    pub fn duplex(&self, method: &str, args: impl Serialize, items: Incoming) -> Result<Items, RemoteError> {
        let (registry, method, args) = self.prepare(method, &args)?;
        registry.duplex_local(method, args, items)
    }

    fn prepare(
        &self,
        method: &str,
        args: &impl Serialize,
    ) -> Result<(Arc<Registry>, MethodName, bytes::Bytes), RemoteError> {
        let registry = self
            .inner
            .registry()
            .map_err(|error| RemoteError::new(error.to_string()))?;
        Ok((registry, method.parse()?, args_to_json(args)?))
    }

    /// Runs a task of a plugin, from whatever thread, in the runtime in which the node was started. It is dropped when the
    /// node has closed its connections, or earlier if it ends.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let gone = self.inner.aborting.clone();
        let task = async move {
            tokio::select! {
                () = task => {}
                () = gone.cancelled() => {}
            }
        };
        self.inner.tasks.spawn_on(task, &self.inner.runtime);
    }

    /// Has something done when the node closes, after its connections and tasks have ended and before [`close`](Self::close)
    /// returns: what must reach the disk. What was registered last is done first. It has five seconds, all of it together. In
    /// a node that has closed, nothing is done any more.
    pub fn at_close(&self, last: impl Future<Output = ()> + Send + 'static) {
        let mut given = self.inner.given();
        if let Some(given) = &mut *given {
            given.at_close.push(Box::pin(last));
        }
    }

    /// Adds a transport, which the configuration's `connections` then name. For plugins while they start: later, it serves
    /// only to dial.
    pub fn transport(&self, transport: impl Transport) {
        self.extend(|multiserver| multiserver.transport(transport));
    }

    /// Adds a transform, as [`transport`](Self::transport) does a transport.
    pub fn transform(&self, transform: impl Transform) {
        self.extend(|multiserver| multiserver.transform(transform));
    }

    fn extend(&self, extend: impl FnOnce(Multiserver) -> Multiserver) {
        let mut given = self.inner.given();
        let replaced = given.as_mut().map(|given| {
            let extended = extend(given.multiserver.clone());
            std::mem::replace(&mut given.multiserver, extended)
        });
        // What had the same name is dropped when the lock is free again.
        drop(given);
        drop(replaced);
    }

    /// Resolves when the node begins to close.
    ///
    /// Cancel safe.
    pub async fn closing(&self) {
        self.inner.closing.cancelled().await;
    }

    /// Closes the node: stops listening, lets calls that run finish, says goodbye to all, within
    /// [`Global::close_deadline`]; what is open then is cut. Returns when nothing of the node is left.
    ///
    /// A method that waits for this is one of the calls that are let finish, so it is cut at the deadline; let a task of its
    /// own close the node.
    ///
    /// Cancel safe: the node goes on closing when this is dropped.
    pub async fn close(&self) {
        self.inner.closing.cancel();
        self.inner.gone.cancelled().await;
    }

    /// Closes the node at once: calls in flight fail at both ends.
    ///
    /// Cancel safe, as [`close`](Self::close).
    pub async fn abort(&self, reason: impl Into<Arc<str>>) {
        *self.inner.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.into());
        self.inner.abort();
        self.inner.gone.cancelled().await;
    }
}

impl fmt::Debug for NodeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeHandle")
            .field("id", self.id())
            .finish_non_exhaustive()
    }
}

/// A running node. Everything that can be done with it, its [`NodeHandle`] can; this keeps it running, and dropping the
/// last clone of it cuts all connections. [`close`](NodeHandle::close) it to let work finish.
#[derive(Clone, Debug)]
pub struct Node {
    handle: NodeHandle,
    _owner: Arc<Owner>,
}

#[derive(Debug)]
struct Owner(NodeHandle);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.inner.abort();
    }
}

impl Node {
    pub(crate) fn new(handle: NodeHandle) -> Self {
        let _owner = Arc::new(Owner(handle.clone()));
        Self { handle, _owner }
    }

    /// The handle, for tasks that use the node without keeping it running.
    pub fn handle(&self) -> &NodeHandle {
        &self.handle
    }
}

impl Deref for Node {
    type Target = NodeHandle;

    fn deref(&self) -> &NodeHandle {
        &self.handle
    }
}
