//! A node without connections: its methods, which it can call itself.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use handfast_mux::tokio::{Consumption, Incoming, Items};
use handfast_mux::{Manifest, MethodName, RemoteError, args_to_json};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::registry::Registry;
use crate::{Error, Permissions, Rights};

/// The use of a node: what its plugins get and what its owner has. Cheap to clone.
#[derive(Clone)]
pub struct NodeHandle {
    pub(crate) registry: Arc<Registry>,
}

impl NodeHandle {
    pub(crate) fn registry(&self) -> Result<Arc<Registry>, Error> {
        Ok(self.registry.clone())
    }

    /// The node's methods with their kinds, in the order of its plugins.
    pub fn manifest(&self) -> Manifest {
        self.registry.manifest()
    }

    /// Calls one of the node's own methods that has one answer, with all rights; hooks see it like any other call.
    ///
    /// # Errors
    /// What the method answers, or that there is none; that the answer is not an `R`.
    pub async fn call<R: DeserializeOwned>(&self, method: &str, args: impl Serialize) -> Result<R, RemoteError> {
        let prepared = prepare(method, &args);
        drop(args);
        let (method, args) = prepared?;
        Ok(self.registry.call_local(method, args).await?.to_value()?)
    }

    /// Opens one of the node's own sources; its items are bodies.
    ///
    /// # Errors
    /// What the method answers, or that there is none.
    pub fn source(&self, method: &str, args: impl Serialize) -> Result<Items, RemoteError> {
        let (method, args) = prepare(method, &args)?;
        self.registry.source_local(method, args)
    }

    /// Feeds one of the node's own sinks.
    ///
    /// # Errors
    /// What the method answers, or that there is none.
    pub fn sink(&self, method: &str, args: impl Serialize, items: Incoming) -> Result<Consumption, RemoteError> {
        let (method, args) = prepare(method, &args)?;
        self.registry.sink_local(method, args, items)
    }

    /// Opens one of the node's own duplexes.
    ///
    /// # Errors
    /// What the method answers, or that there is none.
    pub fn duplex(&self, method: &str, args: impl Serialize, items: Incoming) -> Result<Items, RemoteError> {
        let (method, args) = prepare(method, &args)?;
        self.registry.duplex_local(method, args, items)
    }
}

fn prepare(method: &str, args: &impl Serialize) -> Result<(MethodName, Bytes), RemoteError> {
    Ok((method.parse()?, args_to_json(args)?))
}

impl fmt::Debug for NodeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeHandle").field("methods", &self.registry).finish()
    }
}

/// A running node.
#[derive(Clone, Debug)]
pub struct Node {
    pub(crate) handle: NodeHandle,
    pub(crate) permissions: Permissions,
    pub(crate) anonymous: Rights,
}

impl Node {
    /// What everybody may call.
    pub fn anonymous(&self) -> Rights {
        self.anonymous.clone()
    }

    /// The permissions of all plugins, with where each rule comes from.
    pub fn permissions(&self) -> Permissions {
        self.permissions.clone()
    }
}

impl Deref for Node {
    type Target = NodeHandle;

    fn deref(&self) -> &NodeHandle {
        &self.handle
    }
}
