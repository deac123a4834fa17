//! What a plugin is.

use async_trait::async_trait;
use handfast_mux::tokio::Router;
use serde_json::Value;

use crate::{Error, NodeHandle, Permissions, PluginConfig};

/// A plugin: methods under its name, who may call them, and what it needs.
///
/// One plugin may serve many nodes, which the same app factory starts: [`init`](Self::init) is called for each.
///
/// ```
/// use handfast_mux::tokio::Router;
/// use handfast_stack::{Error, NodeHandle, Permissions, Plugin, PluginConfig, async_trait};
///
/// struct Bluetooth;
///
/// #[async_trait]
/// impl Plugin for Bluetooth {
///     fn name(&self) -> &str {
///         "bluetooth"
///     }
///
///     fn needs(&self) -> &[&str] {
///         &["conn"]
///     }
///
///     fn permissions(&self) -> Permissions {
///         Permissions::anonymous(["localPeers"])
///     }
///
///     async fn init(&self, _node: &NodeHandle, config: &PluginConfig) -> Result<Router, Error> {
///         let adapter: String = config.section()?;
///         Ok(Router::new().call("localPeers", move |_cx, ()| {
///             let found = scan(&adapter);
///             async move { Ok(found) }
///         }))
///     }
/// }
/// # fn scan(_: &str) -> Vec<String> { Vec::new() }
/// ```
#[async_trait]
pub trait Plugin: Send + Sync + 'static {
    /// The name, under which its methods, permissions and configuration stand once it is
    /// [camel-cased](crate::camel_case). A plugin without a name adds its methods at the root and has no section of the
    /// configuration.
    fn name(&self) -> &str {
        ""
    }

    /// The version, for people.
    fn version(&self) -> &str {
        ""
    }

    /// The names of plugins that must be there, and start before this one.
    fn needs(&self) -> &[&str] {
        &[]
    }

    /// Who may call what. Paths are relative to the plugin: `localPeers`, not `bluetooth.localPeers`.
    fn permissions(&self) -> Permissions {
        Permissions::default()
    }

    /// The plugin's section of the configuration with every default. It lies beneath what the owner writes, and `handfast
    /// config` writes it out.
    fn default_config(&self) -> Value {
        Value::Null
    }

    /// Starts the plugin for a node, and says which methods it has.
    ///
    /// What the plugin keeps for this node belongs into the methods that it returns, and what it runs into
    /// [`NodeHandle::spawn`]; what must be done at the end, into [`NodeHandle::at_close`].
    ///
    /// The plugins that it [`needs`](Self::needs) have started, so their methods can be called and hooked. Any other method
    /// can be hooked as well: only when all plugins have started, it must be there.
    ///
    /// # Errors
    /// [`Error::plugin`] with whatever keeps the plugin from starting. The node does not start then.
    async fn init(&self, node: &NodeHandle, config: &PluginConfig) -> Result<Router, Error>;
}

/// A plugin that is only its methods, when they need nothing from the node.
///
/// ```
/// use handfast_mux::tokio::Router;
/// use handfast_stack::{Permissions, plugin};
///
/// let methods = Router::new().sync("hello", |_cx, name: String| Ok(format!("Kia ora, {name}!")));
/// let greeter = plugin("greeter", methods).permissions(Permissions::anonymous(["hello"]));
/// ```
pub fn plugin(name: impl Into<String>, methods: Router) -> Methods {
    Methods {
        name: name.into(),
        version: String::new(),
        needs: &[],
        permissions: Permissions::default(),
        methods,
    }
}

/// What [`plugin`] makes.
#[derive(Clone, Debug)]
pub struct Methods {
    name: String,
    version: String,
    needs: &'static [&'static str],
    permissions: Permissions,
    methods: Router,
}

impl Methods {
    /// [`Plugin::version`].
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// [`Plugin::needs`].
    #[must_use]
    pub fn needs(mut self, plugins: &'static [&'static str]) -> Self {
        self.needs = plugins;
        self
    }

    /// [`Plugin::permissions`].
    #[must_use]
    pub fn permissions(mut self, permissions: Permissions) -> Self {
        self.permissions = permissions;
        self
    }
}

#[async_trait]
impl Plugin for Methods {
    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn needs(&self) -> &[&str] {
        self.needs
    }

    fn permissions(&self) -> Permissions {
        self.permissions.clone()
    }

    async fn init(&self, _node: &NodeHandle, _config: &PluginConfig) -> Result<Router, Error> {
        Ok(self.methods.clone())
    }
}
