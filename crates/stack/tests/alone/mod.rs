//! Nodes for tests: they serve nobody but themselves.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::indexing_slicing)]

use async_trait::async_trait;
use futures_util::{TryStreamExt, stream};
use handfast_keys::{KeyPair, NetworkIdentifier};
use handfast_mux::tokio::{Incoming, Items, Router};
use handfast_mux::{Body, RemoteError};
use handfast_stack::{Config, Error, Node, NodeHandle, Permissions, Plugin, PluginConfig, Stack};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub fn stack() -> Stack {
    Stack::new(NetworkIdentifier::MAIN).identity(KeyPair::from_seed(&[1; 32]).unwrap())
}

pub fn config(mut value: Value) -> Config {
    let global = value
        .as_object_mut()
        .unwrap()
        .entry("global")
        .or_insert_with(|| json!({}));
    global["connections"] = json!({ "incoming": {}, "outgoing": {} });
    Config::from_value(value).unwrap()
}

pub async fn start(stack: Stack) -> Node {
    stack.start(config(json!({}))).await.unwrap()
}

pub async fn failure(stack: Stack) -> Error {
    stack.start(config(json!({}))).await.unwrap_err()
}

/// The methods of a node, without those that every node has.
pub fn methods(node: &NodeHandle) -> Vec<String> {
    let core = [
        "auth",
        "address",
        "manifest",
        "multiserver.parse",
        "multiserver.address",
        "stats",
    ];
    let methods = node.manifest().methods().into_iter();
    let methods = methods.map(|(name, kind)| (name.to_string(), kind));
    let own = methods.filter(|(name, _)| !core.contains(&name.as_str()));
    own.map(|(name, kind)| format!("{name}: {kind}")).collect()
}

/// A plugin made of parts; `init` may do what it likes.
pub struct Parts<F> {
    pub name: &'static str,
    pub needs: &'static [&'static str],
    pub permissions: Permissions,
    pub defaults: Value,
    pub methods: Router,
    pub init: F,
}

#[async_trait]
impl<F> Plugin for Parts<F>
where
    F: Fn(&NodeHandle, &PluginConfig) -> Result<(), Error> + Send + Sync + 'static,
{
    fn name(&self) -> &str {
        self.name
    }

    fn needs(&self) -> &[&str] {
        self.needs
    }

    fn permissions(&self) -> Permissions {
        self.permissions.clone()
    }

    fn default_config(&self) -> Value {
        self.defaults.clone()
    }

    async fn init(&self, node: &NodeHandle, config: &PluginConfig) -> Result<Router, Error> {
        (self.init)(node, config)?;
        Ok(self.methods.clone())
    }
}

/// A plugin that does something when it starts, and has no methods.
pub fn starting<F>(name: &'static str, init: F) -> Parts<F>
where
    F: Fn(&NodeHandle, &PluginConfig) -> Result<(), Error> + Send + Sync + 'static,
{
    Parts {
        name,
        needs: &[],
        permissions: Permissions::default(),
        defaults: Value::Null,
        methods: Router::new(),
        init,
    }
}

pub fn items<T: Serialize>(values: impl IntoIterator<Item = T>) -> Incoming {
    let bodies: Vec<_> = values
        .into_iter()
        .map(|value| Ok(Body::from_value(&value).unwrap()))
        .collect();
    Incoming::from_stream(stream::iter(bodies))
}

pub async fn collect<T: DeserializeOwned>(items: Items) -> Result<Vec<T>, RemoteError> {
    items
        .and_then(|body| std::future::ready(body.to_value().map_err(RemoteError::from)))
        .try_collect()
        .await
}
