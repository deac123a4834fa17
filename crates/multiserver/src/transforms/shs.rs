//! `shs`: a Secret Handshake, and a Box Stream behind it.

use crate::{Auth, BoxSocket, Endpoint, Error, Established, Layer, Transform};
use async_trait::async_trait;
use handfast_boxstream::tokio::BoxStream;
use handfast_keys::{KeyPair, NetworkIdentifier, PublicKey, StreamKey};
use handfast_shs::{self as shs, tokio::Identity};
use std::{fmt, sync::Arc, time::Duration};

/// Mutual authentication by key and an encrypted stream: `shs:KEY`.
///
/// Clients come with the identity of the node, or with that of the seed in the address. A client learns the key of the
/// server from the address and nothing else; the server learns the key of the client, and asks its [`Authenticate`] about
/// it before the client hears back.
#[derive(Clone)]
pub struct Shs {
    network: NetworkIdentifier,
    keys: KeyPair,
    deadline: Duration,
    strict: bool,
    authenticate: Option<Arc<dyn Authenticate>>,
}

impl Shs {
    /// Speaks for `keys` on `network`, and lets in everybody who shakes hands.
    #[must_use]
    pub fn new(network: NetworkIdentifier, keys: KeyPair) -> Self {
        Self {
            network,
            keys,
            deadline: shs::tokio::DEADLINE,
            strict: false,
            authenticate: None,
        }
    }

    /// How long a handshake may take. Default: 15 s. [`Limits::handshake_timeout`](crate::Limits::handshake_timeout)
    /// bounds it as well, together with what the transport does first.
    #[must_use]
    pub fn handshake_timeout(mut self, allowed: Duration) -> Self {
        self.deadline = allowed;
        self
    }

    /// Takes a stream that ends without a goodbye for one that was cut, whatever its last bytes are. By default a stream
    /// may also end behind the goodbye of muxrpc, as JavaScript peers end theirs; so use this where something else travels.
    #[must_use]
    pub const fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    fn stream(&self, socket: BoxSocket, encrypt: StreamKey, decrypt: StreamKey) -> BoxSocket {
        let stream = BoxStream::new(socket, encrypt, decrypt);
        Box::new(if self.strict { stream.strict() } else { stream })
    }

    /// Asks before letting a client in.
    #[must_use]
    pub fn authenticate(mut self, judge: Arc<dyn Authenticate>) -> Self {
        self.authenticate = Some(judge);
        self
    }

    /// Whom it speaks for.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        self.keys.public()
    }
}

impl fmt::Debug for Shs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shs")
            .field("network", &self.network)
            .field("public", self.keys.public())
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Transform for Shs {
    fn name(&self) -> &str {
        "shs"
    }

    fn layer(&self) -> Layer {
        Layer::shs(self.keys.public())
    }

    async fn connect(&self, mut socket: BoxSocket, to: &Layer, _over: &Endpoint) -> Result<Established, Error> {
        let server = to.require_shs_key()?;
        let seed = to.seed();
        let identity = match &seed {
            Some(seed) => Identity::Seed(seed.expose_seed()),
            None => Identity::KeyPair(&self.keys),
        };
        let outcome = shs::tokio::connect_within(self.deadline, &mut socket, &self.network, identity, &server).await?;
        Ok(Established {
            socket: self.stream(socket, outcome.encrypt, outcome.decrypt),
            peer: Some(outcome.peer),
            layer: Layer::shs(&outcome.peer),
            auth: Auth::Anonymous,
        })
    }

    async fn accept(&self, mut socket: BoxSocket, _from: &Endpoint) -> Result<Established, Error> {
        let judge = self.authenticate.as_deref();
        let accepted = shs::tokio::accept_within(
            self.deadline,
            &mut socket,
            &self.network,
            &self.keys,
            |peer| async move {
                match judge {
                    None => Ok(Some(Auth::Anonymous)),
                    Some(judge) => match judge.authenticate(&peer).await {
                        Ok(auth) => Ok(Some(auth)),
                        Err(Refusal(reason)) => Err(shs::tokio::Refusal::because(reason)),
                    },
                }
            },
        )
        .await?;
        Ok(Established {
            socket: self.stream(socket, accepted.encrypt, accepted.decrypt),
            peer: Some(accepted.peer),
            layer: Layer::shs(&accepted.peer),
            auth: accepted.auth,
        })
    }
}

/// Decides who may come in.
#[async_trait]
pub trait Authenticate: Send + Sync {
    /// What a client may do whose key is proved, or why it is turned away. The client is told nothing: its connection
    /// closes. The time this takes counts towards the handshake.
    async fn authenticate(&self, peer: &PublicKey) -> Result<Auth, Refusal>;
}

/// Why a client is turned away. It stays on this side, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

impl Refusal {
    /// A refusal for this reason.
    pub fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
