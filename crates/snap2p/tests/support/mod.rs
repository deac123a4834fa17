//! What the tests of the tokio adapter share.
#![allow(dead_code)]

use bytes::BytesMut;
use handfast_keys::KeyPair;
use handfast_snap2p::{
    Error, Network, Now, Peer, Principal, Visibility, WalletKey,
    session::{Answer, Dial, Handshake, Local, Secrets, Session as Machine},
    tokio::{Builder, Incoming, Limits, Session},
};
use std::{future::Future, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Longer than anything here takes: a test that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for what must come.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it never came")
}

pub(crate) fn identity() -> (WalletKey, Network) {
    (WalletKey::generate().unwrap(), Network::Mainnet)
}

/// A peer that strangers may dial as often as they like.
pub(crate) fn builder() -> Builder {
    builder_of(identity())
}

pub(crate) fn builder_of(identity: (WalletKey, Network)) -> Builder {
    Peer::builder(identity)
        .visibility(Visibility::Public)
        .limits(Limits::of(Visibility::Public))
}

pub(crate) async fn peer() -> Peer {
    builder().start().await.unwrap()
}

/// A peer that listens on loopback, and where.
pub(crate) async fn listening(builder: Builder) -> (Peer, String) {
    let peer = builder.start().await.unwrap();
    let at = peer.listen("127.0.0.1:0").await.unwrap();
    (peer, at.to_string())
}

/// A session between two peers, both ends of it.
pub(crate) async fn connected(dialer: &Peer, listener: &Peer) -> (Session, Session, Incoming) {
    let at = listener.listening()[0].to_string();
    let (session, accepted) = soon(async { tokio::join!(dialer.dial(at), listener.accept()) }).await;
    let (other, incoming) = accepted.expect("nobody came");
    (session.unwrap(), other, incoming)
}

/// What a handshake says of somebody new.
pub(crate) fn local() -> Local {
    let (key, network) = identity();
    let principal = Principal(key.address(network));
    Local::attested(&key, principal, KeyPair::generate().unwrap(), Now::get()).unwrap()
}

/// A peer that the test plays itself: a machine, and a socket that is read and written by hand.
pub(crate) struct Raw {
    pub(crate) machine: Machine,
    pub(crate) input: BytesMut,
    pub(crate) tcp: TcpStream,
}

impl Raw {
    pub(crate) async fn dial(at: &str, local: &Local) -> Result<Self, Error> {
        let tcp = TcpStream::connect(at).await.unwrap();
        let handshake = Handshake::dial(local, Dial::default(), Secrets::random()?, Now::get())?;
        Self::establish(tcp, handshake, b"").await
    }

    pub(crate) async fn answer(tcp: TcpStream, local: &Local) -> Result<Self, Error> {
        let handshake = Handshake::answer(local, Answer::default(), Secrets::random()?, Now::get())?;
        Self::establish(tcp, handshake, b"").await
    }

    /// Shakes hands; `behind` is sent in one packet with the last thing that the handshake says.
    pub(crate) async fn establish(mut tcp: TcpStream, mut handshake: Handshake, behind: &[u8]) -> Result<Self, Error> {
        let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
        loop {
            handshake.poll_transmit(&mut output);
            if handshake.is_established() {
                output.extend_from_slice(behind);
            }
            // Whether it is heard, the peer decides.
            let _ = tcp.write_all(&output.split()).await;
            if handshake.poll_question().is_some() {
                handshake.decide(true)?;
                handshake.handle_input(&mut input, Now::get())?;
                continue;
            }
            if handshake.is_established() {
                break;
            }
            match soon(tcp.read_buf(&mut input)).await {
                Ok(0) => return Err(Error::Truncated(handshake.awaits())),
                Ok(_) => {}
                Err(error) => {
                    let what = handshake.awaits().into();
                    return Err(Error::Io { what, error });
                }
            }
            handshake.handle_input(&mut input, Now::get())?;
        }
        let machine = handshake.into_session(config(), Now::get())?;
        Ok(Self { machine, input, tcp })
    }

    /// Writes what the machine has to say.
    pub(crate) async fn send(&mut self) {
        let mut output = BytesMut::new();
        self.machine.handle_timeout(Now::get()).unwrap();
        self.machine.poll_transmit(&mut output, usize::MAX);
        self.tcp.write_all(&output).await.unwrap();
    }
}

/// Nothing is held back.
pub(crate) fn config() -> handfast_snap2p::session::Config {
    handfast_snap2p::session::Config {
        first_frame_wait: Duration::ZERO,
        ..Default::default()
    }
}

/// Whether the other side has closed, waiting for it if need be; what it still says is thrown away.
pub(crate) async fn is_closed(tcp: &mut TcpStream) -> bool {
    let mut room = [0; 4096];
    loop {
        match soon(tcp.read(&mut room)).await {
            Ok(0) | Err(_) => return true,
            Ok(_) => {}
        }
    }
}
