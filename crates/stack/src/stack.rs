//! The app factory: what a node is made of.

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock},
};

use handfast_keys::{KeyPair, NetworkIdentifier};
use handfast_multiserver::{Multiserver, Noauth, Server, Shs, Transform, Transport};
use tokio::runtime::Handle as Runtime;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Config, Error, Event, Global, Node, NodeHandle, Permissions, Plugin, Rights,
    auth::AskNode,
    camel_case,
    core_api::Core,
    ending::{Remains, supervise},
    events::Herald,
    hook::Hooks,
    node::{Given, Inner},
    order::{Placed, in_order},
    peers::Peers,
    registry::Registry,
    session,
    stats::Stats,
};

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
    #[cfg(feature = "snap2p")]
    wallet: Option<(handfast_snap2p::WalletKey, handfast_snap2p::Network)>,
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
            #[cfg(feature = "snap2p")]
            wallet: None,
            hooks: Hooks::default(),
        }
    }

    /// The identity of the nodes that are started.
    #[must_use]
    pub fn identity(mut self, keys: KeyPair) -> Self {
        self.identity = Some(keys);
        self
    }

    /// Gives the nodes that are started the transform `snap2p`, beside `shs` and `noauth`: sessions by which this wallet vouches
    /// for the node's key. Addresses are `net:HOST:PORT~snap2p:stacks:SP…`; `auth` is asked as over `shs`, with the key of the
    /// node that comes.
    ///
    /// Where it is spoken, the configuration says: `"transform": "snap2p"`, in `incoming` and in `outgoing`.
    #[cfg(feature = "snap2p")]
    #[must_use]
    pub fn wallet(mut self, key: handfast_snap2p::WalletKey, network: handfast_snap2p::Network) -> Self {
        self.wallet = Some((key, network));
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

    /// Starts a node: its plugins in the order of their needs, then its listeners. Has to run in a tokio runtime.
    ///
    /// Dropping the future gives up; what plugins have begun is ended then, as by [`NodeHandle::abort`].
    ///
    /// # Errors
    /// What is wrong with the plugins or the configuration, before any plugin is started; what a plugin fails with; what
    /// cannot be listened on; [`Error::Closed`] if a plugin closes the node while it starts. What plugins have begun has
    /// ended when this returns an error.
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
        let permissions = self.all_permissions(&plugins)?;
        let inner = self.inner(keys, config.global.clone(), permissions);
        let node = Node::new(NodeHandle { inner: inner.clone() });
        tokio::spawn(supervise(Remains(inner)));
        let started = tokio::select! {
            started = self.bring_up(&node, &plugins, &config) => started,
            () = node.closing() => Err(Error::Closed),
        };
        if let Err(error) = started {
            // What plugins have begun has ended when the caller hears of the error: it may try again, or end the process.
            node.abort("the node could not start").await;
            return Err(error);
        }
        Ok(node)
    }

    /// Starts the plugins and listens.
    async fn bring_up(&self, node: &Node, plugins: &[Placed], config: &Config) -> Result<(), Error> {
        self.start_plugins(node, plugins, config).await?;
        #[cfg(feature = "prometheus")]
        if let Some(on) = config.global.prometheus {
            let bound = crate::prometheus::serve(node, on).await?;
            tracing::info!(%bound, "counters for Prometheus");
        }
        let inner = &node.inner;
        let incoming = config.global.connections().incoming;
        // The last thing that may fail, because what listens ends a moment after it is dropped.
        let server = inner.multiserver()?.listen(&incoming).await.map_err(Error::Listen)?;
        let _ = inner.listening.set(server.listening());
        tracing::info!(id = %node.id(), "started");
        inner.herald.tell(Event::Listening {
            addresses: node.listening(),
        });
        inner.sessions.spawn(accept(inner.clone(), server));
        Ok(())
    }

    /// The permissions of all plugins put together, and what everybody may call by them.
    fn all_permissions(&self, plugins: &[Placed]) -> Result<(Rights, Permissions), Error> {
        let of_plugin = |(_, plugin): &Placed| plugin.permissions().of_plugin(&camel_case(plugin.name()));
        let all = plugins
            .iter()
            .map(of_plugin)
            .fold(self.permissions.clone(), Permissions::merge);
        Ok((all.anonymous_rights()?, all))
    }

    fn inner(&self, keys: KeyPair, global: Global, permissions: (Rights, Permissions)) -> Arc<Inner> {
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
            #[cfg(feature = "snap2p")]
            let multiserver = match &self.wallet {
                None => multiserver,
                Some((wallet, network)) => multiserver.transform(
                    handfast_multiserver::Snap2p::new(wallet.clone(), *network, keys.clone())
                        .authenticate(Arc::new(AskNode(node.clone()))),
                ),
            };
            Inner {
                network: self.network,
                keys,
                outgoing: global.connections().outgoing,
                global,
                permissions,
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
                given: Mutex::new(Some(Given {
                    registry: Arc::new(Registry::new()),
                    multiserver,
                    at_close: Vec::new(),
                })),
                runtime: Runtime::current(),
            }
        })
    }

    /// Starts the plugins one after the other, and puts their methods and hooks together.
    async fn start_plugins(&self, node: &Node, plugins: &[Placed], config: &Config) -> Result<(), Error> {
        let registry = node.inner.registry()?;
        for (place, plugin) in plugins {
            let name = camel_case(plugin.name());
            tracing::debug!(plugin = %name, version = plugin.version(), "starting");
            let methods = plugin.init(node.handle(), &config.of_plugin(&**plugin)).await;
            registry.add(*place, &name, methods.map_err(|error| error.of_plugin(plugin.name()))?)?;
        }
        registry.add_hooks(&self.hooks)?;
        registry.complete()
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
            // It fails when the node closes, which ends this loop, too.
            Some(Ok(connection)) => drop(session::begin(&node, connection)),
            Some(Err(failed)) => {
                node.stats.turned_away(1 + failed.unreported);
                // No more than `debug`: strangers choose how often this happens.
                tracing::debug!(from = %failed.from, reason = %failed.error, "turned away");
                node.herald.tell(Event::Refused {
                    from: failed.from.to_string().into(),
                    reason: failed.error.to_string().into(),
                });
            }
        }
    }
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
