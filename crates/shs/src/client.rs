//! The client's side: it dials, and knows the server's key beforehand.

use crate::{
    Error, Outcome,
    schedule::{Challenge, Complete, Shared},
};
use handfast_keys::{KeyPair, NetworkIdentifier, PublicKey, x25519};

/// A client that has not begun.
///
/// ```text
/// Client ── hello ──> [64 bytes] + AwaitServerHello ── receive 64 ──> [112 bytes] + AwaitServerAccept ── receive 80 ──> Outcome
/// ```
#[derive(Debug)]
pub struct Client {
    network: NetworkIdentifier,
    identity: KeyPair,
    server: PublicKey,
}

impl Client {
    /// A client with this identity that means exactly this server, on this network.
    ///
    /// For an identity that is used once, make the pair with [`KeyPair::from_seed`] (an invite's seed) or
    /// [`KeyPair::generate`] (an anonymous client).
    #[must_use]
    pub fn new(network: &NetworkIdentifier, identity: &KeyPair, server: &PublicKey) -> Self {
        Self {
            network: *network,
            identity: identity.clone(),
            server: *server,
        }
    }

    /// Makes message 1, 64 bytes, from a fresh ephemeral key. Never use one key twice.
    pub fn hello(self, ephemeral: x25519::SecretKey) -> ([u8; 64], AwaitServerHello) {
        let own = Challenge::new(&self.network, *ephemeral.public());
        (
            own.to_bytes(),
            AwaitServerHello {
                client: self,
                ephemeral,
                own,
            },
        )
    }
}

/// A client that has said hello and awaits message 2.
#[must_use = "the handshake goes on with the server's hello"]
pub struct AwaitServerHello {
    client: Client,
    ephemeral: x25519::SecretKey,
    own: Challenge,
}

impl AwaitServerHello {
    /// Takes message 2 and makes message 3, 112 bytes.
    ///
    /// # Errors
    /// [`Error::OtherNetwork`], [`Error::ReflectedChallenge`], [`Error::LowOrderEphemeral`]: the peer's doing.
    /// [`Error::Keys`] if we cannot sign. After an error nothing may be sent; close the connection.
    pub fn receive(self, server_hello: [u8; 64]) -> Result<([u8; 112], AwaitServerAccept), Error> {
        let Self { client, ephemeral, own } = self;
        let theirs = Challenge::receive(&client.network, &server_hello, Some(&own))?;
        let ab = ephemeral.agree(&theirs.ephemeral).ok_or(Error::LowOrderEphemeral)?;
        // The server's long-term key is checked already, so this agreement cannot fail for its sake.
        let a_b = ephemeral.agree(client.server.to_x25519()).ok_or(Error::ServerProof)?;
        let shared = Shared::new(&client.network, ab, a_b);
        let (auth, proof) = shared.seal_client_auth(&client.identity, &client.server)?;
        let big_a_b = client
            .identity
            .agreement()
            .agree(&theirs.ephemeral)
            .ok_or(Error::LowOrderEphemeral)?;
        let complete = shared.complete(proof, &big_a_b);
        Ok((
            auth,
            AwaitServerAccept {
                server: client.server,
                complete,
                own,
                theirs,
            },
        ))
    }
}

/// A client that has shown who it is and awaits message 4.
#[must_use = "the handshake goes on with the server's accept"]
pub struct AwaitServerAccept {
    server: PublicKey,
    complete: Complete,
    own: Challenge,
    theirs: Challenge,
}

impl AwaitServerAccept {
    /// Takes message 4. Whatever bytes follow it belong to the streams.
    ///
    /// # Errors
    /// [`Error::ServerProof`] if the peer does not hold the key that was dialled. Close the connection then.
    pub fn receive(self, server_accept: [u8; 80]) -> Result<Outcome, Error> {
        let Self {
            server,
            complete,
            own,
            theirs,
        } = self;
        complete.open_server_accept(server_accept, &server)?;
        Ok(Outcome {
            peer: server,
            encrypt: complete.stream_key(&server, &theirs),
            decrypt: complete.stream_key(&complete.proof.client, &own),
        })
    }
}

crate::masked_debug!(AwaitServerHello, AwaitServerAccept);
