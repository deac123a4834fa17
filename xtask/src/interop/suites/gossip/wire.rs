//! A connection between two nodes that both only listen: bytes are passed on both ways and kept.

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A running connection. Dropping it cuts it.
pub(super) struct Wire {
    /// The two nodes.
    pub(super) ends: (usize, usize),
    passed: [watch::Receiver<Passed>; 2],
    _passing: JoinSet<()>,
}

/// What passed in one direction.
#[derive(Debug, Default)]
struct Passed {
    bytes: Vec<u8>,
    ended: bool,
}

impl Wire {
    /// Dials both.
    pub(super) async fn between(ends: (usize, usize), addresses: (&str, &str)) -> Result<Self> {
        let (one, other) = tokio::try_join!(dial(addresses.0), dial(addresses.1))?;
        let (from_one, to_one) = one.into_split();
        let (from_other, to_other) = other.into_split();
        let mut passing = JoinSet::new();
        let passed = [(from_one, to_other), (from_other, to_one)].map(|(from, to)| {
            let (keep, passed) = watch::channel(Passed::default());
            passing.spawn(pass(from, to, keep));
            passed
        });
        Ok(Self {
            ends,
            passed,
            _passing: passing,
        })
    }

    /// What each end has sent: first the bytes of the first.
    pub(super) fn sent(&self) -> [Vec<u8>; 2] {
        self.passed.each_ref().map(|passed| passed.borrow().bytes.clone())
    }

    /// Waits until what one end has sent is enough.
    pub(super) async fn until_sent(&self, end: usize, enough: impl Fn(&[u8]) -> bool) -> Result<()> {
        let mut passed = self.passed.get(end).context("there are two ends")?.clone();
        let passed = passed.wait_for(|passed| enough(&passed.bytes) || passed.ended).await?;
        ensure!(!passed.ended, "a node hung up at once");
        Ok(())
    }

    /// Whether one of the ends hung up.
    pub(super) fn has_ended(&self) -> bool {
        self.passed.iter().any(|passed| passed.borrow().ended)
    }
}

async fn dial(address: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await;
    let stream = stream.with_context(|| format!("nobody answers at {address}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, keep: watch::Sender<Passed>) {
    let mut buffer = vec![0; 1 << 16];
    // An end that hangs up, however it does it, is told to the other.
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let Some(piece) = buffer.get(..length) else { break };
        keep.send_modify(|passed| passed.bytes.extend_from_slice(piece));
        if to.write_all(piece).await.is_err() {
            break;
        }
    }
    keep.send_modify(|passed| passed.ended = true);
}
