//! A connection between two nodes that both only listen: bytes are passed on both ways and kept.

use anyhow::{Context as _, Result};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A running connection. Dropping it cuts it.
pub(super) struct Wire {
    /// The two nodes.
    pub(super) ends: (usize, usize),
    kept: Arc<Mutex<[Vec<u8>; 2]>>,
    ended: watch::Receiver<bool>,
    _passing: JoinSet<()>,
}

impl Wire {
    /// Dials both.
    pub(super) async fn between(ends: (usize, usize), addresses: (&str, &str)) -> Result<Self> {
        let (one, other) = tokio::try_join!(dial(addresses.0), dial(addresses.1))?;
        let kept = Arc::new(Mutex::default());
        let (end, ended) = watch::channel(false);
        let (from_one, to_one) = one.into_split();
        let (from_other, to_other) = other.into_split();
        let mut passing = JoinSet::new();
        passing.spawn(pass(from_one, to_other, 0, Arc::clone(&kept), end.clone()));
        passing.spawn(pass(from_other, to_one, 1, Arc::clone(&kept), end));
        Ok(Self {
            ends,
            kept,
            ended,
            _passing: passing,
        })
    }

    /// What each end has sent: first the bytes of the first.
    pub(super) fn sent(&self) -> [Vec<u8>; 2] {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether one of the ends hung up.
    pub(super) fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }
}

async fn dial(address: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await;
    let stream = stream.with_context(|| format!("nobody answers at {address}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: usize,
    kept: Arc<Mutex<[Vec<u8>; 2]>>,
    ended: watch::Sender<bool>,
) {
    let mut buffer = vec![0; 1 << 16];
    // An end that hangs up, however it does it, is told to the other.
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let Some(piece) = buffer.get(..length) else { break };
        if let Some(kept) = kept.lock().unwrap_or_else(PoisonError::into_inner).get_mut(direction) {
            kept.extend_from_slice(piece);
        }
        if to.write_all(piece).await.is_err() {
            break;
        }
    }
    ended.send_replace(true);
}
