//! The methods that every node has, as in the original: `auth`, `address`, `manifest` and `multiserver`; and `stats`.

use async_trait::async_trait;
use handfast_multiserver::{Address, Alternative, Endpoint, Layer, Scope};
use handfast_mux::{RemoteError, tokio::Router};
use serde_json::{Value, json};

use crate::{Error, NodeHandle, Permissions, Plugin, PluginConfig, Rights};

/// The core of a node, as the first of its plugins.
#[derive(Debug)]
pub(crate) struct Core;

#[async_trait]
impl Plugin for Core {
    fn permissions(&self) -> Permissions {
        Permissions::anonymous(["manifest"])
    }

    async fn init(&self, node: &NodeHandle, _config: &PluginConfig) -> Result<Router, Error> {
        let (of_manifest, of_address, of_multiserver, of_stats) =
            (node.clone(), node.clone(), node.clone(), node.clone());
        Ok(Router::new()
            // Decides nothing by itself; permission systems hook it.
            .call("auth", |_cx, _key: Value| async { Ok(None::<Rights>) })
            .sync("address", move |_cx, scope| address(&of_address, scope))
            .sync("manifest", move |_cx, ()| Ok(of_manifest.manifest()))
            .sync("multiserver.parse", |_cx, text: String| parse(&text))
            .sync("multiserver.address", move |_cx, scope| address(&of_multiserver, scope))
            .sync("stats", move |_cx, ()| Ok(of_stats.stats())))
    }
}

/// The address in a scope, `device` if none is given.
fn address(node: &NodeHandle, scope: Option<Scope>) -> Result<Option<String>, RemoteError> {
    let address = node.address(scope.unwrap_or(Scope::Device));
    Ok(address.map(|address| address.to_string()))
}

/// The parts of an address, as the plugins of the original's multiserver describe them: one list for each alternative.
fn parse(text: &str) -> Result<Value, RemoteError> {
    let address: Address = text
        .parse()
        .map_err(|error: handfast_multiserver::Error| RemoteError::new(error.to_string()))?;
    let layers = |way: &Alternative| -> Value {
        let transforms = way.transforms.iter().map(|layer| transform(layer, way));
        std::iter::once(endpoint(&way.endpoint)).chain(transforms).collect()
    };
    Ok(address.alternatives().iter().map(layers).collect())
}

fn endpoint(endpoint: &Endpoint) -> Value {
    match endpoint {
        Endpoint::Net { host, port } => json!({ "name": "net", "host": host, "port": port }),
        Endpoint::Onion { host, port } => json!({ "name": "onion", "host": host, "port": port }),
        Endpoint::Unix { path } => json!({ "name": "", "path": path }),
        other => json!({ "name": other.transport(), "address": other.to_string() }),
    }
}

fn transform(layer: &Layer, way: &Alternative) -> Value {
    // As JSON prints a Buffer. The seed stays out: it is a secret, and the answer may travel.
    match way.shs_key().filter(|_| layer.name() == "shs") {
        Some(key) => json!({ "key": { "type": "Buffer", "data": key.as_bytes() } }),
        None => json!({}),
    }
}
