//! The app factory: what a node is made of.

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use handfast_keys::{KeyPair, NetworkIdentifier};
use handfast_multiserver::{Multiserver, Noauth, Server, Shs, Transform, Transport};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Config, Error, Event, Global, Node, NodeHandle, Permissions, Plugin,
    auth::AskNode,
    camel_case,
    core_api::Core,
    events::Herald,
    hook::Hooks,
    node::Inner,
    order::{Placed, in_order},
    peers::Peers,
    registry::Registry,
    session,
    stats::Stats,
};

/// What is left when a node has closed gets this long to notice, before it is left to itself.
const LEFTOVERS: Duration = Duration::from_secs(5);

/// An app factory: a network, plugins, hooks and default configuration, from which nodes are started. The original's
/// `SecretStack({appKey}).use(plugin)`.
///
/// ```
/// # use handfast_stack::Stack;
/// # use handfast_keys::{KeyPair, NetworkIdentifier};
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let stack = Stack::new(NetworkIdentifier::generate()?).identity(KeyPair::generate()?);
/// let node = stack.start(Default::default()).await?;
/// node.close().await;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Stack {
    network: NetworkIdentifier,
    identity: Option<KeyPair>,
    plugins: Vec<Arc<dyn Plugin>>,
    permissions: Permissions,
    defaults: Config,
    multiserver: Multiserver,
    pub(crate) hooks: Hooks,
}

impl Stack {
    /// A node without plugins, in this network: whoever does not know its identifier cannot connect.
    pub fn new(network: NetworkIdentifier) -> Self {
        Self {
            network,
            identity: None,
            plugins: vec![Arc::new(Core)],
            permissions: Permissions::default(),
            defaults: Config::default(),
            multiserver: Multiserver::standard(),
            hooks: Hooks::default(),
        }
    }

    /// The identity of the nodes that are started.
    #[must_use]
    pub fn identity(mut self, keys: KeyPair) -> Self {
        self.identity = Some(keys);
        self
    }

    /// Uses a plugin (the original's `use`).
    #[must_use]
    pub fn plugin(self, plugin: impl Plugin) -> Self {
        self.shared_plugin(Arc::new(plugin))
    }

    /// [`plugin`](Self::plugin) for one that is chosen at run time.
    #[must_use]
    pub fn shared_plugin(mut self, plugin: Arc<dyn Plugin>) -> Self {
        self.plugins.push(plugin);
        self
    }

    /// Permissions besides those of the plugins; paths are full, such as `blobs.get`.
    #[must_use]
    pub fn permissions(mut self, permissions: Permissions) -> Self {
        self.permissions = self.permissions.merge(permissions);
        self
    }

    /// Default configuration, over which that of [`start`](Self::start) is laid.
    #[must_use]
    pub fn config(mut self, defaults: Config) -> Self {
        self.defaults = defaults;
        self
    }

    /// Adds a transport, beside those of [`Multiserver::standard`].
    #[must_use]
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.multiserver = self.multiserver.transport(transport);
        self
    }

    /// Adds a transform, beside `shs` and `noauth`.
    #[must_use]
    pub fn transform(mut self, transform: impl Transform) -> Self {
        self.multiserver = self.multiserver.transform(transform);
        self
    }

    /// The configuration with every default written out: what [`start`](Self::start) would use.
    pub fn written_config(&self, own: Config) -> Config {
        self.defaults.clone().merge(own).written_out(&self.plugins)
    }

    /// Starts a node: its plugins in the order of their needs, then its listeners.
    ///
    /// Dropping the future gives up and leaves nothing behind.
    ///
    /// # Errors
    /// What is wrong with the plugins or the configuration, before any plugin is started; what a plugin fails with; what
    /// cannot be listened on.
    pub async fn start(&self, config: Config) -> Result<Node, Error> {
        let config = self.defaults.clone().merge(config);
        let keys = self.identity.clone().ok_or(Error::NoIdentity)?;
        let plugins = in_order(&self.plugins)?;
        for section in config.unused(&self.plugins) {
            tracing::warn!(
                section,
                "no plugin has this section of the configuration; is the name right?"
            );
        }
        #[cfg(not(feature = "prometheus"))]
        if config.global.prometheus.is_some() {
            return Err(Error::Config {
                plugin: "global".into(),
                why: "prometheus: this program was built without the feature `prometheus` of handfast-stack".into(),
            });
        }
        let inner = self.inner(keys, config.global.clone());
        // From here on an error drops the node, and the supervisor ends what plugins have begun.
        let node = Node::new(NodeHandle { inner: inner.clone() });
        tokio::spawn(supervise(inner.clone()));
        self.start_plugins(&node, &plugins, &config).await?;

        let multiserver = inner.multiserver();
        let server = multiserver
            .listen(&config.global.connections().incoming)
            .await
            .map_err(Error::Listen)?;
        let _ = inner.listening.set(server.listening());
        #[cfg(feature = "prometheus")]
        if let Some(on) = config.global.prometheus {
            let bound = crate::prometheus::serve(&node, on).await?;
            tracing::info!(%bound, "counters for Prometheus");
        }
        let addresses = node.listening();
        tracing::info!(id = %node.id(), "started");
        inner.herald.tell(Event::Listening { addresses });
        inner.sessions.spawn(accept(inner.clone(), server));
        Ok(node)
    }

    fn inner(&self, keys: KeyPair, global: Global) -> Arc<Inner> {
        Arc::new_cyclic(|node| {
            let shs = Shs::new(self.network, keys.clone())
                .handshake_timeout(global.handshake_timeout())
                .authenticate(Arc::new(AskNode(node.clone())));
            let multiserver = self
                .multiserver
                .clone()
                .limits(global.limits())
                .transform(shs)
                .transform(Noauth::new(*keys.public()));
            Inner {
                network: self.network,
                keys,
                outgoing: global.connections().outgoing,
                global,
                multiserver: RwLock::new(multiserver),
                permissions: OnceLock::new(),
                listening: OnceLock::new(),
                peers: Peers::default(),
                herald: Herald::new(),
                stats: Arc::new(Stats::new()),
                sessions: TaskTracker::new(),
                tasks: TaskTracker::new(),
                closing: CancellationToken::new(),
                aborting: CancellationToken::new(),
                gone: CancellationToken::new(),
                reason: Mutex::default(),
                at_close: Mutex::default(),
                registry: RwLock::new(Some(Arc::new(Registry::new()))),
            }
        })
    }

    /// Starts the plugins one after the other, and puts their methods, hooks and permissions together.
    async fn start_plugins(&self, node: &Node, plugins: &[Placed], config: &Config) -> Result<(), Error> {
        let registry = node.inner.registry()?;
        let mut permissions = self.permissions.clone();
        for (place, plugin) in plugins {
            let name = camel_case(plugin.name());
            tracing::debug!(plugin = %name, version = plugin.version(), "starting");
            let methods = plugin.init(node.handle(), &config.of_plugin(&**plugin)).await;
            registry.add(*place, &name, methods.map_err(|error| error.of_plugin(plugin.name()))?)?;
            permissions = permissions.merge(plugin.permissions().of_plugin(&name));
        }
        registry.add_hooks(&self.hooks)?;
        registry.complete()?;
        let _ = node
            .inner
            .permissions
            .set((permissions.anonymous_rights()?, permissions));
        Ok(())
    }
}

/// Takes connections until the node closes.
async fn accept(node: Arc<Inner>, mut server: Server) {
    loop {
        let accepted = tokio::select! {
            accepted = server.accept() => accepted,
            () = node.closing.cancelled() => None,
        };
        match accepted {
            None => return server.close().await,
            Some(Ok(connection)) => match node.registry() {
                Ok(registry) => drop(session::begin(&node, registry, connection)),
                Err(_) => return,
            },
            Some(Err(failed)) => {
                node.stats.turned_away();
                tracing::info!(from = %failed.from, reason = %failed.error, "turned away");
                node.herald.tell(Event::Refused {
                    from: failed.from.to_string().into(),
                    reason: failed.error.to_string().into(),
                });
            }
        }
    }
}

/// Waits until the node is told to close and sees to it that nothing of it is left.
async fn supervise(node: Arc<Inner>) {
    node.closing.cancelled().await;
    node.sessions.close();
    // Connections end by themselves within the deadline; plugins may still work for them until then.
    tokio::select! {
        () = node.sessions.wait() => {}
        () = node.aborting.cancelled() => {}
    }
    node.aborting.cancel();
    node.tasks.close();
    let rest = async {
        node.sessions.wait().await;
        let at_close = std::mem::take(&mut *node.at_close.lock().unwrap_or_else(PoisonError::into_inner));
        for last in at_close.into_iter().rev() {
            last.await;
        }
        node.tasks.wait().await;
    };
    if tokio::time::timeout(LEFTOVERS, rest).await.is_err() {
        tracing::warn!("something of the node did not end when it was told to, and is left to itself");
    }
    *node.registry.write().unwrap_or_else(PoisonError::into_inner) = None;
    node.herald.tell(Event::Closed);
    node.gone.cancel();
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plugins: Vec<&str> = self.plugins.iter().map(|plugin| plugin.name()).collect();
        f.debug_struct("Stack")
            .field("network", &self.network)
            .field("plugins", &plugins)
            .finish_non_exhaustive()
    }
}
