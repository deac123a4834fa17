//! The server's side: it is dialled, and learns who the client is from message 3.

use crate::{
    Error, Outcome,
    schedule::{Challenge, Complete, Shared},
};
use handfast_keys::{KeyPair, NetworkIdentifier, PublicKey, x25519};

/// A server that awaits message 1.
///
/// ```text
/// Server ── receive 64 ──> [64 bytes] + AwaitClientAuth ── receive 112 ──> Authenticated ── accept ──> [80 bytes] + Outcome
///                                                                                └─ drop: the client is turned away
/// ```
#[derive(Debug)]
pub struct Server {
    network: NetworkIdentifier,
    identity: KeyPair,
}

impl Server {
    /// A server with this identity on this network.
    #[must_use]
    pub fn new(network: &NetworkIdentifier, identity: &KeyPair) -> Self {
        Self {
            network: *network,
            identity: identity.clone(),
        }
    }

    /// Takes message 1 and makes message 2, 64 bytes, from a fresh ephemeral key. Never use one key twice.
    ///
    /// # Errors
    /// [`Error::OtherNetwork`], [`Error::ReflectedChallenge`], [`Error::LowOrderEphemeral`]: the peer's doing. After
    /// an error nothing may be sent, so that a stranger cannot tell this server from a closed door; close the
    /// connection.
    pub fn receive(
        self,
        client_hello: [u8; 64],
        ephemeral: x25519::SecretKey,
    ) -> Result<([u8; 64], AwaitClientAuth), Error> {
        let Self { network, identity } = self;
        let own = Challenge::new(&network, *ephemeral.public());
        let theirs = Challenge::receive(&network, &client_hello, Some(&own))?;
        let ab = ephemeral.agree(&theirs.ephemeral).ok_or(Error::LowOrderEphemeral)?;
        let a_b = identity
            .agreement()
            .agree(&theirs.ephemeral)
            .ok_or(Error::LowOrderEphemeral)?;
        let shared = Shared::new(&network, ab, a_b);
        Ok((
            own.to_bytes(),
            AwaitClientAuth {
                identity,
                ephemeral,
                shared,
                own,
                theirs,
            },
        ))
    }
}

/// A server that has answered the hello and awaits message 3.
#[must_use = "the handshake goes on with the client's auth"]
pub struct AwaitClientAuth {
    identity: KeyPair,
    ephemeral: x25519::SecretKey,
    shared: Shared,
    own: Challenge,
    theirs: Challenge,
}

impl AwaitClientAuth {
    /// Takes message 3. Now it is proven who the client is; whether it may come in is for the caller to say.
    ///
    /// # Errors
    /// [`Error::OtherServerKey`], [`Error::ClientKey`], [`Error::ClientSignature`]: the peer's doing. Close the
    /// connection then.
    pub fn receive(self, client_auth: [u8; 112]) -> Result<Authenticated, Error> {
        let Self {
            identity,
            ephemeral,
            shared,
            own,
            theirs,
        } = self;
        let proof = shared.open_client_auth(client_auth, identity.public())?;
        // The client's long-term key has passed its check, so this agreement cannot fail for its sake.
        let big_a_b = ephemeral
            .agree(proof.client.to_x25519())
            .ok_or(Error::ClientSignature)?;
        let complete = shared.complete(proof, &big_a_b);
        Ok(Authenticated {
            identity,
            complete,
            own,
            theirs,
        })
    }
}

/// A server that knows its client and has not let it in yet.
#[must_use = "accept the client, or drop this and close the connection"]
pub struct Authenticated {
    identity: KeyPair,
    complete: Complete,
    own: Challenge,
    theirs: Challenge,
}

impl Authenticated {
    /// Who the client is: it holds the secret half of this key.
    #[must_use]
    pub fn peer(&self) -> &PublicKey {
        &self.complete.proof.client
    }

    /// Lets the client in with message 4, 80 bytes. To turn it away, drop this instead and close the connection:
    /// the protocol knows no other way.
    ///
    /// # Errors
    /// [`Error::Keys`] if we cannot sign.
    pub fn accept(self) -> Result<([u8; 80], Outcome), Error> {
        let Self {
            identity,
            complete,
            own,
            theirs,
        } = self;
        let accept = complete.seal_server_accept(&identity)?;
        let peer = complete.proof.client;
        let outcome = Outcome {
            peer,
            encrypt: complete.stream_key(&peer, &theirs),
            decrypt: complete.stream_key(identity.public(), &own),
        };
        Ok((accept, outcome))
    }
}

crate::masked_debug!(AwaitClientAuth, Authenticated);
