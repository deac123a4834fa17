//! Dialling as somebody else.

use std::{fmt, sync::Arc};

use handfast_keys::{KeyPair, PublicKey};
use handfast_multiserver::{Address, Shs};
use handfast_mux::tokio::{Config, Peer, Router, connection_with};

use crate::{Error, NodeHandle};

/// A client with an identity of its own and no methods: it calls, and nothing can be called on it. Made by
/// [`NodeHandle::create_client`]; an invite's seed becomes an identity with [`KeyPair::from_seed`].
///
/// Its connections are not among the node's peers, and end with the node at the latest.
#[derive(Clone)]
pub struct Client {
    node: NodeHandle,
    identity: KeyPair,
}

impl Client {
    pub(crate) fn new(node: NodeHandle, identity: KeyPair) -> Self {
        Self { node, identity }
    }

    /// As whom it dials.
    pub fn id(&self) -> &PublicKey {
        self.identity.public()
    }

    /// Dials. Dropping the future gives up.
    ///
    /// # Errors
    /// As [`NodeHandle::connect`].
    pub async fn connect<A>(&self, address: A) -> Result<Peer, Error>
    where
        A: TryInto<Address>,
        Error: From<A::Error>,
    {
        let shs = Shs::new(*self.node.network(), self.identity.clone())
            .handshake_timeout(self.node.global().handshake_timeout());
        let connection = self.node.dial(&address.try_into()?, Some(Arc::new(shs))).await?;
        let mut config = Config::default();
        config.peer = connection.peer;
        let (peer, driver) = connection_with(connection.socket, Router::new().without_manifest(), config);
        self.node.spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "a client's connection ended");
            }
        });
        Ok(peer)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("id", self.id()).finish_non_exhaustive()
    }
}
