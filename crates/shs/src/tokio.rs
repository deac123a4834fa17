//! The handshake over any tokio byte stream.
//!
//! [`connect`] and [`accept`] read exactly the bytes of the handshake and not one more, so whatever the peer sends
//! right behind its last message is still in the stream when they return.

use crate::{Client, Error, Message, Outcome, Server};
use handfast_keys::{KeyPair, NetworkIdentifier, PublicKey, StreamKey, x25519};
use std::{fmt, future::Future, io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

/// How long a handshake may take, authorisation included, unless told otherwise: four messages over a bad mobile
/// link need a few seconds, and a peer that says nothing holds its place no longer than this.
pub const DEADLINE: Duration = Duration::from_secs(15);

/// As whom a client connects.
#[derive(Debug, Clone, Copy)]
pub enum Identity<'a> {
    /// As itself.
    KeyPair(&'a KeyPair),
    /// As the identity of a 32-byte seed, which an invite carries (`~shs:KEY:SEED`).
    Seed(&'a [u8; 32]),
    /// As nobody in particular: a fresh identity, used once.
    Anonymous,
}

impl Identity<'_> {
    fn key_pair(self) -> Result<KeyPair, handfast_keys::Error> {
        match self {
            Self::KeyPair(pair) => Ok(pair.clone()),
            Self::Seed(seed) => KeyPair::from_seed(seed),
            Self::Anonymous => KeyPair::generate(),
        }
    }
}

impl<'a> From<&'a KeyPair> for Identity<'a> {
    fn from(pair: &'a KeyPair) -> Self {
        Self::KeyPair(pair)
    }
}

impl<'a> From<&'a [u8; 32]> for Identity<'a> {
    fn from(seed: &'a [u8; 32]) -> Self {
        Self::Seed(seed)
    }
}

/// Why [`accept`]'s `authorize` could not decide, or decided against. It stays on this side; the client sees a closed
/// connection. Made by `?` from any error, or with [`Refusal::because`].
pub struct Refusal(String);

impl Refusal {
    /// A refusal for this reason, which ends up in [`Error::Refused`].
    pub fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl<E: std::error::Error> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refusal({})", self.0)
    }
}

/// A client that was let in: an [`Outcome`] and what `authorize` said about it.
#[derive(Debug)]
pub struct Accepted<T> {
    /// Who the client is: it holds the secret half of this key.
    pub peer: PublicKey,
    /// What `authorize` returned for it. The original calls this `stream.auth`.
    pub auth: T,
    /// Key and first nonce for what we send.
    pub encrypt: StreamKey,
    /// Key and first nonce for what we receive.
    pub decrypt: StreamKey,
}

/// Shakes hands as the client, within [`DEADLINE`].
///
/// On success the stream stands right behind message 4. After an error, drop the stream: a closed connection is all
/// that the peer may learn.
///
/// # Errors
/// Any [`Error`] but those of the server's side. [`Error::Closed`] names the likely cause.
///
/// # Cancel safety
/// None: dropped half-way, the handshake is lost, and so is the connection.
pub async fn connect<'a, S>(
    stream: &mut S,
    network: &NetworkIdentifier,
    identity: impl Into<Identity<'a>>,
    server: &PublicKey,
) -> Result<Outcome, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    connect_within(DEADLINE, stream, network, identity, server).await
}

/// [`connect`] with another deadline.
///
/// # Errors
/// As [`connect`].
///
/// # Cancel safety
/// None, as [`connect`].
pub async fn connect_within<'a, S>(
    deadline: Duration,
    stream: &mut S,
    network: &NetworkIdentifier,
    identity: impl Into<Identity<'a>>,
    server: &PublicKey,
) -> Result<Outcome, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let identity = identity.into().key_pair()?;
    within(deadline, async {
        let (hello, client) = Client::new(network, &identity, server).hello(x25519::SecretKey::generate()?);
        send(stream, &hello).await?;
        let (auth, client) = client.receive(read(stream, Message::ServerHello).await?)?;
        send(stream, &auth).await?;
        client.receive(read(stream, Message::ServerAccept).await?)
    })
    .await
}

/// Shakes hands as the server, within [`DEADLINE`], and asks `authorize` about the client once its key is proven.
///
/// `authorize` returns `Ok(Some(auth))` to let the client in, `Ok(None)` or an error to turn it away. Its time counts
/// towards the deadline. On success the stream stands right behind message 3. After an error, drop the stream.
///
/// # Errors
/// Any [`Error`] but those of the client's side.
///
/// # Cancel safety
/// None: dropped half-way, the handshake is lost, and so is the connection.
pub async fn accept<S, T, F, A>(
    stream: &mut S,
    network: &NetworkIdentifier,
    identity: &KeyPair,
    authorize: F,
) -> Result<Accepted<T>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: FnOnce(PublicKey) -> A,
    A: Future<Output = Result<Option<T>, Refusal>>,
{
    accept_within(DEADLINE, stream, network, identity, authorize).await
}

/// [`accept`] with another deadline.
///
/// # Errors
/// As [`accept`].
///
/// # Cancel safety
/// None, as [`accept`].
pub async fn accept_within<S, T, F, A>(
    deadline: Duration,
    stream: &mut S,
    network: &NetworkIdentifier,
    identity: &KeyPair,
    authorize: F,
) -> Result<Accepted<T>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: FnOnce(PublicKey) -> A,
    A: Future<Output = Result<Option<T>, Refusal>>,
{
    within(deadline, async {
        // The ephemeral key is drawn only once somebody has said something.
        let hello = read(stream, Message::ClientHello).await?;
        let (hello, server) = Server::new(network, identity).receive(hello, x25519::SecretKey::generate()?)?;
        send(stream, &hello).await?;
        let authenticated = server.receive(read(stream, Message::ClientAuth).await?)?;
        let peer = *authenticated.peer();
        let auth = match authorize(peer).await {
            Ok(Some(auth)) => auth,
            Ok(None) => return Err(Error::Refused(format!("{peer} is not authorised"))),
            Err(Refusal(reason)) => return Err(Error::Refused(reason)),
        };
        let (accept, outcome) = authenticated.accept()?;
        send(stream, &accept).await?;
        let Outcome { peer, encrypt, decrypt } = outcome;
        Ok(Accepted {
            peer,
            auth,
            encrypt,
            decrypt,
        })
    })
    .await
}

async fn within<T>(deadline: Duration, handshake: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let result = timeout(deadline, handshake)
        .await
        .unwrap_or(Err(Error::Deadline { allowed: deadline }));
    if let Err(error) = &result {
        tracing::debug!(%error, "handshake failed");
    }
    result
}

/// Reads exactly one message.
async fn read<S: AsyncRead + Unpin, const N: usize>(stream: &mut S, awaited: Message) -> Result<[u8; N], Error> {
    let mut message = [0; N];
    match stream.read_exact(&mut message).await {
        Ok(_) => Ok(message),
        Err(error) => Err(closed_or_failed(error, awaited)),
    }
}

fn closed_or_failed(error: io::Error, awaited: Message) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            Error::Closed { awaited }
        }
        _ => Error::Io(error),
    }
}

/// Writes one message with one call, so that it leaves in one segment.
async fn send<S: AsyncWrite + Unpin>(stream: &mut S, message: &[u8]) -> Result<(), Error> {
    stream.write_all(message).await?;
    stream.flush().await?;
    Ok(())
}
