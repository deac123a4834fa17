//! Our side: peers, what they do with the other's streams, and what they ask of it. `services.js` does the same.

use super::super::super::cases::{bytes_summary, pattern};
use anyhow::{Context as _, Result, bail};
use futures_util::future::{join_all, try_join};
use handfast_keys::KeyPair;
use handfast_snap2p::tokio::{Incoming, Session, Stream};
use handfast_snap2p::{Error, ErrorCode, Network, Peer, Principal, Visibility, WalletKey};
use serde_json::{Value, json};
use std::io;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};

const MANY: usize = 32 << 20;

/// The wallet whose address has 39 characters, as happens to one in 240.
pub(super) const SHORT: u8 = 0;
#[rustfmt::skip]
const SHORT_KEY: [u8; 32] = [
    0xf9, 0x7c, 0x48, 0x7d, 0x33, 0x21, 0x9b, 0x78, 0x77, 0x62, 0xe6, 0x54, 0x21, 0x51, 0xaf, 0x59,
    0xe1, 0x10, 0x4b, 0x05, 0xb7, 0x33, 0xc1, 0xb2, 0xbe, 0xb6, 0x0b, 0x16, 0x5f, 0x74, 0x64, 0x70,
];

/// Who a peer is, and how it behaves; either side understands it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Role {
    /// The wallet's key and the node's, 32 times the same byte each; [`SHORT`] is another key.
    pub(super) wallet: u8,
    pub(super) network: Network,
    pub(super) visibility: Visibility,
    /// The wallets of those that it wants; everybody's if there is none.
    pub(super) allow: Option<&'static [u8]>,
    /// What only the stand-in can be told, in JSON.
    pub(super) special: &'static str,
}

impl Role {
    pub(super) const fn new(wallet: u8) -> Self {
        Self {
            wallet,
            network: Network::Mainnet,
            visibility: Visibility::Public,
            allow: None,
            special: "{}",
        }
    }

    /// The key of a wallet.
    pub(super) fn secret(wallet: u8) -> [u8; 32] {
        if wallet == SHORT { SHORT_KEY } else { [wallet; 32] }
    }

    pub(super) fn principal_of(&self, wallet: u8) -> Result<Principal> {
        let key = WalletKey::from_bytes(&Self::secret(wallet))?;
        Ok(Principal(key.address(self.network)))
    }

    pub(super) fn principal(&self) -> Result<Principal> {
        self.principal_of(self.wallet)
    }

    pub(super) fn allowed(&self) -> Result<Option<Vec<Principal>>> {
        let principals = |list: &[u8]| list.iter().map(|wallet| self.principal_of(*wallet)).collect();
        self.allow.map(principals).transpose()
    }

    /// As one of our peers.
    pub(super) async fn ours(&self) -> Result<Peer> {
        let node = KeyPair::from_seed(&[self.wallet ^ 0xff; 32])?;
        let mut builder = Peer::builder((WalletKey::from_bytes(&Self::secret(self.wallet))?, self.network))
            .visibility(self.visibility)
            .node_keys(node);
        if let Some(allowed) = self.allowed()? {
            builder = builder.allow(allowed);
        }
        Ok(builder.start().await?)
    }
}

/// What came of a handshake, in the form in which it is judged.
pub(super) fn met(result: &Result<Session, Error>) -> Value {
    match result {
        Ok(session) => json!({ "peer": session.principal().to_string() }),
        Err(error) => failed(error),
    }
}

pub(super) fn failed(error: &Error) -> Value {
    match error {
        Error::Refused { code, .. } => json!({ "code": code.number() }),
        Error::NotAllowed(_) => json!({ "refused": "not allowed" }),
        Error::WrongPeer { .. } => json!({ "refused": "somebody else" }),
        Error::Attestation(fault) => {
            let fault = format!("{fault:?}");
            json!({ "attestation": fault.split([' ', '(']).next() })
        }
        Error::Invite(_) => json!({ "refused": "the token" }),
        Error::Protocol(_) => json!({ "failed": error.to_string() }),
        Error::Truncated(_) | Error::Closed(_) => json!({ "closed": true }),
        Error::Io { error, .. } if is_cut(error) => json!({ "closed": true }),
        other => json!({ "error": other.to_string() }),
    }
}

/// Whether the other side just went away; which of these it is depends on what was on its way.
fn is_cut(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
    )
}

/// Serves the streams of one session until it ends.
pub(super) async fn serve(session: Session, mut incoming: Incoming) {
    while let Some(stream) = incoming.next().await {
        let session = session.clone();
        tokio::spawn(async move {
            // A stream that breaks shows at the other end, which is judged.
            let _ = service(session, stream).await;
        });
    }
}

async fn service(session: Session, mut stream: Stream) -> Result<()> {
    match stream.label() {
        "echo" => {
            let (mut reader, mut writer) = stream.into_split();
            copy(&mut reader, &mut writer).await?;
            writer.shutdown().await?;
        }
        "after" => {
            let heard = read(&mut stream).await?;
            answer(&mut stream, heard.len().to_string().as_bytes()).await?;
        }
        "first" => {
            answer(&mut stream, b"bye").await?;
            let heard = read(&mut stream).await?;
            let mut other = session.open_stream("heard").await?;
            answer(&mut other, heard.len().to_string().as_bytes()).await?;
            read(&mut other).await?;
        }
        "sum" => {
            let heard = read(&mut stream).await?;
            answer(&mut stream, bytes_summary(&heard).to_string().as_bytes()).await?;
        }
        "give" => answer(&mut stream, &pattern(MANY)).await?,
        "back" => {
            let mut other = session.open_stream("heard").await?;
            answer(&mut other, b"hello").await?;
            let heard = read(&mut other).await?;
            answer(&mut stream, &heard).await?;
        }
        "break" => stream.reset(ErrorCode::Internal),
        label => {
            let label = if label.is_empty() { "no label" } else { label }.to_owned();
            answer(&mut stream, label.as_bytes()).await?;
            read(&mut stream).await?;
        }
    }
    Ok(())
}

async fn read(stream: &mut Stream) -> io::Result<Vec<u8>> {
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await?;
    Ok(heard)
}

async fn answer(stream: &mut Stream, data: &[u8]) -> io::Result<()> {
    stream.write_all(data).await?;
    stream.shutdown().await
}

/// Writes and reads at once: the other side may answer as it goes.
async fn ask(session: &Session, label: &str, data: &[u8]) -> Result<Vec<u8>> {
    let (mut reader, mut writer) = session.open_stream(label).await?.into_split();
    let mut heard = Vec::new();
    let sending = async {
        writer.write_all(data).await?;
        writer.shutdown().await
    };
    try_join(sending, reader.read_to_end(&mut heard)).await?;
    Ok(heard)
}

async fn text(session: &Session, label: &str, data: &str) -> Result<Value> {
    let heard = ask(session, label, data.as_bytes()).await?;
    Ok(json!({ "answer": String::from_utf8_lossy(&heard) }))
}

/// The next stream of the other side, answered with its length.
async fn next(incoming: &mut Incoming) -> Result<String> {
    let mut stream = incoming.next().await.context("no stream came")?;
    let heard = read(&mut stream).await?;
    answer(&mut stream, heard.len().to_string().as_bytes()).await?;
    Ok(String::from_utf8_lossy(&heard).into_owned())
}

/// Plays one case.
pub(super) async fn play(name: &str, session: &Session, incoming: &mut Incoming) -> Result<Value> {
    match name {
        "an echo" => text(session, "echo", "ping over a stream").await,
        "an echo of nothing" => text(session, "echo", "").await,
        "an echo of 300 KiB" => Ok(bytes_summary(&ask(session, "echo", &pattern(300 << 10)).await?)),
        "an echo of 8 MiB" => Ok(bytes_summary(&ask(session, "echo", &pattern(8 << 20)).await?)),
        "a label in other scripts" => text(session, "naïve ☕", "").await,
        "no label" => text(session, "", "").await,
        "an answer behind the end of the question" => text(session, "after", "question").await,
        "an answer that ends before the question" => {
            let mut stream = session.open_stream("first").await?;
            let first = read(&mut stream).await?;
            answer(&mut stream, b"still here").await?;
            Ok(json!({ "answer": String::from_utf8_lossy(&first), "heard": next(incoming).await? }))
        }
        "a stream that the other side opens" => {
            let mut stream = session.open_stream("back").await?;
            stream.shutdown().await?;
            let heard = next(incoming).await?;
            let answer = read(&mut stream).await?;
            Ok(json!({ "answer": String::from_utf8_lossy(&answer), "heard": heard }))
        }
        "32 MiB to the other side" => {
            let heard = ask(session, "sum", &pattern(MANY)).await?;
            Ok(json!({ "answer": String::from_utf8_lossy(&heard) }))
        }
        "32 MiB from the other side" => Ok(bytes_summary(&ask(session, "give", &[]).await?)),
        "100 streams at once" => many(session, 100).await,
        "300 streams at once, of which 200 wait" => many(session, 300).await,
        "a stream that is broken off" => {
            let mut stream = session.open_stream("break").await?;
            let Err(error) = read(&mut stream).await else {
                bail!("it ended as if nothing had happened");
            };
            match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(Error::Stream(code)) => Ok(json!({ "code": code.number() })),
                _ => bail!("{error:?}"),
            }
        }
        "the other side says PING" => {
            // It answers as soon as it has had an answer of ours, so it must have asked.
            text(session, "ponged", "").await.map(|_| json!({ "pings": 1 }))
        }
        "PING is answered" => {
            // Ours go every 30 s, the first one at once.
            text(session, "pinged", "").await.map(|_| json!({ "pongs": 3 }))
        }
        other => bail!("there is no case {other:?}"),
    }
}

async fn many(session: &Session, count: usize) -> Result<Value> {
    let asking = (0..count).map(|number| async move {
        let question = format!("stream {number}");
        ask(session, "echo", question.as_bytes())
            .await
            .is_ok_and(|answer| answer == question.as_bytes())
    });
    let right = join_all(asking).await.into_iter().filter(|right| *right).count();
    Ok(json!({ "right": right }))
}
