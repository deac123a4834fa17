//! The app factory: what a node is made of.

use std::fmt;
use std::sync::Arc;

use handfast_keys::{KeyPair, NetworkIdentifier};

use crate::hook::Hooks;
use crate::order::in_order;
use crate::registry::Registry;
use crate::{Config, Error, Node, NodeHandle, Permissions, Plugin, camel_case};

/// An app factory: plugins, hooks and default configuration, from which nodes are started.
#[derive(Clone)]
pub struct Stack {
    plugins: Vec<Arc<dyn Plugin>>,
    permissions: Permissions,
    defaults: Config,
    pub(crate) hooks: Hooks,
}

impl Stack {
    /// A node without plugins, in this network.
    pub fn new(_network: NetworkIdentifier) -> Self {
        Self {
            plugins: Vec::new(),
            permissions: Permissions::default(),
            defaults: Config::default(),
            hooks: Hooks::default(),
        }
    }

    /// The identity of the nodes that are started.
    #[must_use]
    pub fn identity(self, _keys: KeyPair) -> Self {
        self
    }

    /// Uses a plugin.
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

    /// Starts a node.
    ///
    /// # Errors
    /// What is wrong with the plugins or the configuration; what a plugin fails with.
    pub async fn start(&self, config: Config) -> Result<Node, Error> {
        let config = self.defaults.clone().merge(config);
        let handle = NodeHandle {
            registry: Arc::new(Registry::new()),
        };
        let mut permissions = self.permissions.clone();
        for (place, plugin) in in_order(&self.plugins)? {
            let name = camel_case(plugin.name());
            let started = plugin.init(&handle, &config.of_plugin(&*plugin)).await;
            let methods = started.map_err(|error| error.of_plugin(plugin.name()))?;
            handle.registry.add(place, &name, methods)?;
            permissions = permissions.merge(plugin.permissions().of_plugin(&name));
        }
        handle.registry.add_hooks(&self.hooks)?;
        handle.registry.complete()?;
        Ok(Node {
            handle,
            anonymous: permissions.anonymous_rights()?,
            permissions,
        })
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plugins: Vec<&str> = self.plugins.iter().map(|plugin| plugin.name()).collect();
        f.debug_struct("Stack")
            .field("plugins", &plugins)
            .finish_non_exhaustive()
    }
}
