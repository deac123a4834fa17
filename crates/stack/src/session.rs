//! One connection, from the moment it is secured until it has ended.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};

use handfast_multiserver::{Auth, Connection, Direction};
use handfast_mux::{
    CallType, MethodName, Verdict,
    tokio::{Config, Driver, Observer, Service, connection_with},
};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    Error, Event, Peer, Rights,
    meter::{Gauge, Metered},
    node::Inner,
    peer::{About, Basis, Doubt, End},
    stats::Stats,
};

/// How long the end that was dialled leaves a duplicate connection to the end that dialled it, which closes it when its calls
/// are answered. One that does not know the rule, as JavaScript's, is cut then, once the other connection has been proved to
/// live, for which it has as long again.
const DUPLICATE_GRACE: Duration = Duration::from_secs(5);
/// How long the goodbye of an aborted connection may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a connection was made of. Dropped when it has ended, however that came about.
struct Session {
    node: Arc<Inner>,
    peer: Peer,
    running: Arc<Running>,
    /// Why it has ended; `None` for a goodbye.
    reason: Option<Arc<str>>,
}

/// Starts to serve and call over a connection. The peer is in the node's table when this returns.
///
/// # Errors
/// [`Error::Closed`] if the node is closing: the connection is dropped.
pub(crate) fn begin(node: &Arc<Inner>, connection: Connection) -> Result<Peer, Error> {
    // Invariant: whoever finds the node not closing while it holds this is waited for when the node closes.
    let _waited_for = node.sessions.token();
    if node.closing.is_cancelled() {
        return Err(Error::Closed);
    }
    let api: Arc<dyn Service> = node.registry()?;
    let Connection {
        socket,
        address,
        peer: key,
        auth,
        direction,
        seeded,
        transport,
        ..
    } = connection;
    let (rights, basis) = rights(node, auth, direction);
    let gauge = Gauge::new();
    let about = Arc::new(About {
        number: node.peers.number(),
        key,
        address,
        direction,
        seeded,
        transport: transport.into(),
        rights: rights.clone(),
        basis,
        since: SystemTime::now(),
        start: Instant::now(),
        gauge: gauge.clone(),
        end: OnceLock::new(),
        retire: CancellationToken::new(),
        doubt: Doubt::default(),
    });
    let running = Arc::new(Running::new(node.stats.clone()));
    let mut config = Config::default();
    config.peer = key;
    config.permissions = Some(rights);
    config.extension = Some(about.clone());
    config.observer = Some(running.clone());
    config.close_timeout = node.global.close_deadline();
    let (rpc, driver) = connection_with(Metered::new(socket, gauge), api, config);
    let peer = Peer::new(about, rpc);
    let losers = node.peers.insert(node.keys.public(), &peer);
    node.stats.connected(direction);
    let session = Session {
        node: node.clone(),
        peer: peer.clone(),
        running,
        reason: Some("it was cut off".into()),
    };
    let span = tracing::info_span!("conn", peer = key.map(tracing::field::display), %direction, number = peer.about().number());
    // Before it runs, or its end could be told first.
    node.herald.tell(Event::Connected(peer.clone()));
    node.sessions.spawn(session.run(driver).instrument(span));
    for loser in losers {
        loser.give_way();
    }
    Ok(peer)
}

/// What a peer may call here, and why. Whoever was dialled has the rights of everybody, be it who it may.
fn rights(node: &Inner, auth: Auth, direction: Direction) -> (Rights, Basis) {
    let anonymous = || (node.anonymous(), Basis::Anonymous);
    match (direction, auth) {
        (Direction::Outgoing, _) | (_, Auth::Anonymous) => anonymous(),
        (_, Auth::Owner) => (Rights::all(), Basis::Owner),
        (_, Auth::Granted(granted)) => match granted.downcast::<Rights>() {
            Ok(rights) => ((*rights).clone(), Basis::Auth),
            // A transform of the application's own that grants something else.
            Err(_) => anonymous(),
        },
    }
}

impl Session {
    async fn run<S>(mut self, driver: Driver<S>)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        tracing::info!(address = %self.peer.address(), "connected");
        let ended = tokio::select! {
            ended = driver => ended,
            () = self.end_when_told() => Ok(()),
        };
        self.reason = match (self.peer.about().end.get(), ended) {
            (Some(end), _) => Some(Arc::from(end.to_string())),
            (None, Err(error)) => Some(Arc::from(error.to_string())),
            (None, Ok(())) => None,
        };
    }

    /// Waits for a reason to end the connection and ends it. The driver runs beside this, and is dropped when this resolves.
    async fn end_when_told(&self) {
        let (peer, about) = (&self.peer, self.peer.about());
        let inactivity = self.node.global.timers.inactivity();
        let exempt = about.key() == Some(self.node.keys.public());
        tokio::select! {
            () = about.retire.cancelled() => self.close().await,
            () = self.superseded() => self.close().await,
            () = self.node.closing.cancelled() => self.close().await,
            () = self.node.aborting.cancelled() => {}
            () = about.gauge.idle_for(inactivity), if !exempt && !inactivity.is_zero() => {
                let _ = about.end.set(End::Inactive(inactivity));
            }
        }
        peer.abort(match about.end.get() {
            Some(end) => end.to_string(),
            None => self.node.abort_reason(),
        });
        tokio::time::sleep(LAST_WORDS).await;
    }

    /// Resolves when this end gives the connection up for another one to the same peer, although the peer does not.
    ///
    /// A peer that does not close a duplicate in time does not know the rule, or has lost the other connection without this
    /// end having heard of it. The duplicate would be all that is left then, so the other one has to answer first.
    async fn superseded(&self) {
        let doubt = &self.peer.about().doubt;
        loop {
            doubt.begun().await;
            tokio::time::sleep(DUPLICATE_GRACE).await;
            if let Some(kept) = self.node.peers.kept_instead_of(&self.peer)
                && is_heard(&kept).await
            {
                return self.peer.retire(End::Duplicate);
            }
            doubt.end();
        }
    }

    /// Lets calls of both ends finish and says goodbye, within the node's deadline.
    async fn close(&self) {
        let graceful = async {
            self.running.none().await;
            // How it ended does not matter any more.
            let _ = self.peer.close().await;
        };
        tokio::select! {
            _ = tokio::time::timeout(self.node.global.close_deadline(), graceful) => {}
            () = self.node.aborting.cancelled() => {}
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let (node, peer) = (&self.node, &self.peer);
        tracing::info!(reason = self.reason.as_deref().unwrap_or("goodbye"), "disconnected");
        node.peers.remove(peer);
        node.stats.disconnected();
        match peer.about().end.get() {
            Some(End::Duplicate) => node.stats.duplicate(),
            Some(End::Inactive(_)) => node.stats.went_idle(),
            _ => {}
        }
        node.herald.tell(Event::Disconnected {
            peer: peer.clone(),
            reason: self.reason.take(),
        });
    }
}

/// Whether a peer answers, be it with an error: every peer has something to say to the question that clients begin with.
async fn is_heard(peer: &Peer) -> bool {
    let asked = peer.call_raw(&MethodName::plain("manifest"), "[]");
    let answer = tokio::time::timeout(DUPLICATE_GRACE, asked).await;
    matches!(answer, Ok(Ok(_) | Err(handfast_mux::Error::Remote(_))))
}

/// Calls of the peer that are being answered.
#[derive(Debug)]
struct Running {
    stats: Arc<Stats>,
    calls: AtomicUsize,
    none: Notify,
}

impl Running {
    fn new(stats: Arc<Stats>) -> Self {
        Self {
            stats,
            calls: AtomicUsize::new(0),
            none: Notify::new(),
        }
    }

    /// Resolves when no call with one answer is running. One task may wait at a time.
    async fn none(&self) {
        while self.calls.load(SeqCst) != 0 {
            self.none.notified().await;
        }
    }
}

impl Observer for Running {
    fn request(&self, kind: CallType, method: &MethodName) {
        if !kind.is_stream() {
            self.calls.fetch_add(1, SeqCst);
        }
        self.stats.request(kind, method);
    }

    fn refused(&self, method: &MethodName, verdict: &Verdict<'_>) {
        self.stats.refused(method, verdict);
    }

    fn answered(&self, kind: CallType, ok: bool) {
        if !kind.is_stream() && self.calls.fetch_sub(1, SeqCst) == 1 {
            // Most calls are over before the next one begins, so this is often: leaving word takes no lock, as waking all does.
            self.none.notify_one();
        }
        self.stats.answered(kind, ok);
    }
}
