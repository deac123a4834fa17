//! A peer that says whatever the test wants: handshakes and frames by hand.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use bytes::{BufMut, BytesMut};
use handfast_keys::{KeyPair, x25519};
use handfast_snap2p::{
    ErrorCode, Message, Network, NodeKeyAttestation, Now, Principal, StreamId, UnixTime, Visibility, WalletKey,
    frame::{self, Decoder},
    limits::FRAME_MAX,
    message::{AuthOk, Hello, Ping},
    noise::{self, Established, Suite},
    session::Local,
};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What says of itself an honest node of a new wallet.
pub(crate) fn local() -> Local {
    let (wallet, node) = (WalletKey::generate().unwrap(), KeyPair::generate().unwrap());
    let principal = Principal(wallet.address(Network::Mainnet));
    Local::attested(&wallet, principal, node, Now::get()).unwrap()
}

/// The far end of a session, frame by frame.
pub(crate) struct Raw<S> {
    pub(crate) io: S,
    pub(crate) principal: Principal,
    noise: Established,
    input: BytesMut,
    decoder: Decoder,
}

async fn read_frame(
    io: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
    decoder: &mut Decoder,
) -> Option<BytesMut> {
    loop {
        if let Some(frame) = decoder.next(input).unwrap() {
            return Some(frame);
        }
        if io.read_buf(input).await.ok()? == 0 {
            return None;
        }
    }
}

async fn write_frame(io: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) {
    let mut out = BytesMut::new();
    frame::put_len(bytes.len(), &mut out);
    out.put_slice(bytes);
    io.write_all(&out).await.unwrap();
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    /// Dials: the session stands, and nothing was said on it.
    pub(crate) async fn dial(mut io: S) -> Self {
        let (wallet, node) = (WalletKey::generate().unwrap(), KeyPair::generate().unwrap());
        let (mut input, mut decoder) = (BytesMut::new(), Decoder::new(FRAME_MAX));
        let ephemeral = x25519::SecretKey::generate().unwrap();
        let (message1, next) = noise::Initiator::new(&node, ephemeral, Suite::Snap2p)
            .message1()
            .unwrap();
        write_frame(&mut io, &message1).await;
        let message2 = read_frame(&mut io, &mut input, &mut decoder).await.unwrap();
        let (message3, noise) = next.handle(&message2).unwrap();
        write_frame(&mut io, &message3).await;
        let principal = Principal(wallet.address(Network::Mainnet));
        let mut raw = Self {
            io,
            principal,
            noise,
            input,
            decoder,
        };
        raw.say(&[hello(&node)]).await;
        assert!(matches!(raw.hear().await, Some(Message::Hello(_))));
        raw.say(&[auth(&wallet, principal, &node)]).await;
        assert!(matches!(raw.hear().await, Some(Message::Auth(_))));
        let Some(Message::AuthOk(theirs)) = raw.hear().await else {
            panic!("no AUTH_OK");
        };
        raw.say(&[auth_ok(principal, theirs.session_id)]).await;
        raw
    }

    /// Answers: the session stands, and nothing was said on it.
    pub(crate) async fn answer(mut io: S) -> Self {
        let (wallet, node) = (WalletKey::generate().unwrap(), KeyPair::generate().unwrap());
        let (mut input, mut decoder) = (BytesMut::new(), Decoder::new(FRAME_MAX));
        let message1 = read_frame(&mut io, &mut input, &mut decoder).await.unwrap();
        let ephemeral = x25519::SecretKey::generate().unwrap();
        let (message2, next) = noise::Responder::new(&node, ephemeral, Suite::Snap2p)
            .handle(&message1)
            .unwrap();
        write_frame(&mut io, &message2).await;
        let message3 = read_frame(&mut io, &mut input, &mut decoder).await.unwrap();
        let noise = next.handle(&message3).unwrap();
        let principal = Principal(wallet.address(Network::Mainnet));
        let mut raw = Self {
            io,
            principal,
            noise,
            input,
            decoder,
        };
        assert!(matches!(raw.hear().await, Some(Message::Hello(_))));
        raw.say(&[hello(&node)]).await;
        assert!(matches!(raw.hear().await, Some(Message::Auth(_))));
        raw.say(&[auth(&wallet, principal, &node), auth_ok(principal, [7; 32])])
            .await;
        assert!(matches!(raw.hear().await, Some(Message::AuthOk(_))));
        raw
    }

    /// Seals messages.
    pub(crate) fn seal(&mut self, messages: &[Message]) -> BytesMut {
        let mut out = BytesMut::new();
        for message in messages {
            self.noise.sealer.seal_message(message, &mut out).unwrap();
        }
        out
    }

    /// Sends messages in one write.
    pub(crate) async fn say(&mut self, messages: &[Message]) {
        let out = self.seal(messages);
        self.io.write_all(&out).await.unwrap();
    }

    /// The next message; `None` once the other end has closed.
    pub(crate) async fn hear(&mut self) -> Option<Message> {
        let frame = read_frame(&mut self.io, &mut self.input, &mut self.decoder).await?;
        let plain = self.noise.opener.open(frame).unwrap();
        Some(Message::decode(plain.freeze()).unwrap())
    }

    /// What comes before the answer to a PING that is sent now.
    pub(crate) async fn hear_until_pong(&mut self) -> Vec<Message> {
        const SEQ: u64 = 1 << 60;
        self.say(&[ping(SEQ)]).await;
        let mut heard = Vec::new();
        loop {
            match self.hear().await.expect("the session has ended") {
                Message::Pong(pong) if pong.seq == SEQ => return heard,
                message => heard.push(message),
            }
        }
    }
}

fn hello(node: &KeyPair) -> Message {
    Message::Hello(Hello {
        capabilities: vec!["px-1".into()],
        nonce: [7; 32],
        node_key: *node.public().as_bytes(),
        time: UnixTime::now(),
        visibility: Visibility::Public,
    })
}

fn auth(wallet: &WalletKey, principal: Principal, node: &KeyPair) -> Message {
    let day = Duration::from_secs(24 * 3600);
    let key = *node.public().as_bytes();
    let attestation = NodeKeyAttestation::issue(wallet, principal, key, [9; 32], UnixTime::now(), day);
    Message::Auth(attestation.encode().into())
}

fn auth_ok(principal: Principal, session_id: [u8; 32]) -> Message {
    Message::AuthOk(AuthOk {
        principal: principal.to_string(),
        session_id,
    })
}

pub(crate) fn ping(seq: u64) -> Message {
    Message::Ping(Ping {
        seq,
        time: UnixTime::now(),
    })
}

pub(crate) fn open(id: u64, label: &str) -> Message {
    Message::OpenStream {
        id: StreamId(id),
        label: label.into(),
    }
}

pub(crate) fn close(id: u64, code: Option<ErrorCode>) -> Message {
    Message::CloseStream { id: StreamId(id), code }
}

pub(crate) fn data(id: u64, data: &'static [u8], fin: bool) -> Message {
    Message::StreamData {
        id: StreamId(id),
        data: data.into(),
        fin,
    }
}
