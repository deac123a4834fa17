//! secure-gossip's programming interface, over any byte stream.
//!
//! A [`Gossip`] shares one [`Links`] machine among the futures that
//! [`create_peer_stream`](Gossip::create_peer_stream) returns, one per stream, and one small task that keeps the time.

pub(crate) mod clock;
mod messages;
mod shared;
mod stream;

pub use messages::{Info, Messages};

use crate::{
    Error, MessageId,
    secure::{self, Links},
    swarm::Order,
};
use handfast_keys::KeyPair;
use serde::Serialize;
use shared::{Phase, Shared};
use std::{sync::Arc, time::Duration};
use tokio::io::{AsyncRead, AsyncWrite};

/// How long [`Gossip::stop`] waits for peers to take what they were sent.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Among how many threads the usual options divide large batches of signatures: more would gain little on batches of some
/// hundred.
const THREADS_MAX: usize = 4;

/// What a [`Gossip`] is made from. [`Options::new`] gives the usual.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who signs what is published.
    pub keys: KeyPair,
    /// How often peers of the original's kind are given what is new; `None`: only by [`Gossip::gossip`]. 100 ms unless told
    /// otherwise. Peers of our own kind are given it at once.
    pub interval: Option<Duration>,
    /// In which order messages are delivered: as they arrive, or each author's in the order of their numbers.
    pub order: Order,
    /// Messages that wait at most for one reader of [`Gossip::messages`]. When there are more, the oldest is dropped and
    /// counted, so that a slow reader neither stops the network nor fills the memory. 4096 unless told otherwise.
    pub queue_messages: usize,
    /// Bytes of messages that wait at most for one reader. 16 MiB unless told otherwise.
    pub queue_bytes: usize,
    /// All other numbers. Its `interval` and `swarm.order` do not count, those above do.
    pub links: secure::Config,
}

impl Options {
    /// The usual options.
    #[must_use]
    pub fn new(keys: KeyPair) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let links = secure::Config {
            threads: cores.min(THREADS_MAX),
            ..secure::Config::default()
        };
        Self {
            keys,
            interval: links.interval,
            order: links.swarm.order,
            queue_messages: 4096,
            queue_bytes: 16 << 20,
            links,
        }
    }
}

/// A node that gossips over the streams that it is given.
///
/// Cloning is cheap, and all clones are one node. It stops when the last clone is dropped: streams are closed and what waited
/// for them is lost. [`stop`](Gossip::stop) lets it go out first.
#[derive(Clone, Debug)]
pub struct Gossip(Arc<Handle>);

#[derive(Debug)]
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.enter(Phase::Stopped);
    }
}

impl Gossip {
    /// A node without peers. Needs a tokio runtime with time, on which it spawns one task.
    ///
    /// # Errors
    /// [`Error::Caller`] if the options cannot be or there is no runtime, [`Error::Keys`] if the system has no randomness.
    pub fn new(options: Options) -> Result<Self, Error> {
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|_| Error::Caller("Gossip::new must be called where a tokio runtime is running"))?;
        let Options {
            keys,
            interval,
            order,
            queue_messages,
            queue_bytes,
            mut links,
        } = options;
        if queue_messages == 0 || queue_bytes < secure::LINE_MAX {
            return Err(Error::Caller(
                "queue_messages must be at least 1 and queue_bytes at least 65,536, the longest message",
            ));
        }
        links.interval = interval;
        links.swarm.order = order;
        let mut seed = [0; 32];
        handfast_keys::random(&mut seed)?;
        let clock = clock::Clock::start();
        let links = Links::new(keys, links, seed, clock.now())?;
        let shared = Arc::new(Shared::new(links, clock, queue_messages, queue_bytes));
        runtime.spawn(shared::keep_time(Arc::clone(&shared)));
        Ok(Self(Arc::new(Handle(shared))))
    }

    /// Gossips over a stream, whose other end hands its own to a node of this kind or to secure-gossip. The stream counts from
    /// now on; the future, which is best spawned, moves the bytes.
    ///
    /// It ends when the peer ends its side and has been sent what waited, or when the node stops. Dropping it closes the
    /// stream at once. What comes over any stream is read no faster than it is checked, and, where a peer of the original's
    /// kind is a bit slow to take it, than that peer takes it.
    ///
    /// # Errors
    /// The future fails with [`Error::Io`] if the stream does, [`Error::Peer`] if the peer breaks the rules or reads nothing,
    /// [`Error::Caller`] if there are too many streams, [`Error::Stopped`] if the node was stopped before.
    pub fn create_peer_stream<S>(&self, stream: S) -> impl Future<Output = Result<(), Error>> + Send + use<S>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let link = stream::Wire::open(&self.0.0);
        async move { link?.run(stream).await }
    }

    /// Signs an object and publishes it. It goes to peers of our kind at once and to those of the original's kind with the
    /// next round; whoever comes later gets it from the history. It is not among this node's own
    /// [`messages`](Gossip::messages).
    ///
    /// # Errors
    /// [`Error::NotAnObject`] for anything but an object, [`Error::Reserved`] if it has a member `signature`,
    /// [`Error::TooLong`] beyond 64 KiB, [`Error::Json`] if it is no JSON, [`Error::Stopped`] after
    /// [`stop`](Gossip::stop), [`Error::Keys`] if the cryptographic library fails.
    pub fn publish(&self, message: impl Serialize) -> Result<MessageId, Error> {
        let message = handfast_json::to_value(&message)?;
        self.0.0.running()?;
        self.0.0.turn(|links, now| links.publish(&message, now))
    }

    /// Makes a round by hand: peers of the original's kind are given what is new.
    pub fn gossip(&self) {
        self.0.0.turn(|links, now| links.round(now));
    }

    /// The messages of others from now on, each once. Every call gives a stream of its own that gets all of them.
    #[must_use]
    pub fn messages(&self) -> Messages {
        self.0.0.subscribe()
    }

    /// How many streams there are.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.0.0.turn(|links, _| links.len())
    }

    /// Stops: makes a last round, lets the peers take what waits for them for at most five seconds, and closes all streams.
    /// Readers of [`messages`](Gossip::messages) get what they have not read, then the end.
    ///
    /// Cancel safety: dropped early, it goes on stopping without anybody waiting for it.
    pub async fn stop(&self) {
        let shared = &self.0.0;
        shared.turn(|links, now| links.round(now));
        shared.enter(Phase::Draining);
        // Whether all were done in time or not makes no difference to what follows.
        let _ = tokio::time::timeout(STOP_PATIENCE, shared.until_no_streams()).await;
        shared.enter(Phase::Stopped);
    }
}
