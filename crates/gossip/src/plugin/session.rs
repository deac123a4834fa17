//! One duplex between two nodes, over which frames travel both ways.

use super::{
    driver::Input,
    outbox::{Next, Outbox},
};
use crate::NodeId;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use handfast_mux::{
    Body, BodyKind, RemoteError,
    tokio::{Incoming, Outgoing, Source},
};
use std::{fmt::Display, sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};

/// How long the other end is listened to after this end has said its last: what it has sent before it knew.
const LINGER: Duration = Duration::from_secs(5);

/// How many KiB of frames of all peers together wait for the driver at most. Beyond that, sessions do not read, and their peers
/// wait.
pub(super) const ROOM: u32 = 32 * 1024;

/// The driver is gone: the node closes.
struct Over;

/// What the tasks of a session know of it.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Who is at the other end.
    pub(super) peer: NodeId,
    /// A number that no other session has.
    pub(super) number: u64,
    /// What it gets.
    pub(super) outbox: Outbox,
    /// Where to tell what it sends.
    pub(super) inbox: mpsc::Sender<Input>,
    /// Room for bytes that wait for the driver, in KiB; all sessions share it.
    pub(super) room: Arc<Semaphore>,
}

impl Session {
    /// Runs a session that this end has opened, until either end ends it.
    pub(super) async fn run_ours(self, mut out: Outgoing, items: Source) {
        let mut items = items;
        let write = async {
            while let Some(next) = self.outbox.next().await {
                if out.send_body(self.body(next).await).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            broken = self.read(&mut items) => self.over(broken).await,
            () = write => {
                out.end();
                let rest = timeout(LINGER, self.read(&mut items)).await;
                self.over(rest.unwrap_or(true)).await;
            }
        }
        out.end();
    }

    /// Reads a session that the peer has opened, until either end ends it. [`items`](Self::items) is its other half.
    pub(super) async fn run_theirs(self, mut items: Incoming) {
        tokio::select! {
            broken = self.read(&mut items) => self.over(broken).await,
            () = self.outbox.ended() => {
                let rest = timeout(LINGER, self.read(&mut items)).await;
                self.over(rest.unwrap_or(true)).await;
            }
        }
    }

    /// What a session that the peer has opened answers.
    pub(super) fn items(self) -> impl Stream<Item = Result<Body, RemoteError>> + Send + 'static {
        stream::unfold(self, |session| async move {
            let next = session.outbox.next().await?;
            Some((Ok(session.body(next).await), session))
        })
    }

    async fn body(&self, Next { frame, relieved }: Next) -> Body {
        if relieved {
            // If the driver is gone, the node closes.
            let _ = self.inbox.send(Input::Relieved { peer: self.peer }).await;
        }
        Body::buffer(frame)
    }

    /// Hands on what comes, until it ends. Tells whether it broke.
    async fn read<E: Display>(&self, items: &mut (impl Stream<Item = Result<Body, E>> + Unpin)) -> bool {
        while let Some(item) = items.next().await {
            let frame = match item {
                Ok(body) if body.kind() == BodyKind::Buffer => body.into_bytes(),
                Ok(_) => {
                    tracing::debug!(peer = ?self.peer, "sent something else than a frame");
                    return false;
                }
                Err(error) => {
                    tracing::debug!(peer = ?self.peer, %error, "the link broke");
                    return true;
                }
            };
            if self.tell(frame).await.is_err() {
                break;
            }
        }
        false
    }

    /// Hands a frame to the driver, when there is room for it.
    async fn tell(&self, frame: Bytes) -> Result<(), Over> {
        let (peer, number) = (self.peer, self.number);
        // No frame is longer than the room: muxrpc's bodies are not.
        let kib = u32::try_from(frame.len() / 1024 + 1).unwrap_or(u32::MAX).min(ROOM);
        let room = self.room.clone().acquire_many_owned(kib).await.map_err(|_| Over)?;
        let input = Input::Frame {
            peer,
            number,
            frame,
            room,
        };
        self.inbox.send(input).await.map_err(|_| Over)
    }

    async fn over(&self, broken: bool) {
        self.outbox.end();
        let (peer, number) = (self.peer, self.number);
        let _ = self.inbox.send(Input::Ended { peer, number, broken }).await;
    }
}
