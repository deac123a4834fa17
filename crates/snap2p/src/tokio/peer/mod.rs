//! Who we are on the network: one identity that listens and dials.

mod attesting;
mod builder;
mod dialing;
mod doorstep;
mod failures;
mod identity;
mod listener;
mod naming;
mod places;
mod roster;
mod services;
mod sockets;
mod target;

pub use builder::{Builder, Limits};
pub use failures::Failed;
pub use identity::Identity;
pub use target::{DialOptions, Target};

use self::{
    attesting::Attesting, failures::Failures, listener::Door, naming::Naming, roster::Roster, services::Services,
};
use super::{Incoming, Session, link::now, session::Claims};
use crate::{
    Error, ErrorCode, Locator, Principal, Visibility,
    access::{Allow, Invites},
    alias::{self, AliasCard},
    px1::{self, Policy},
};
use futures_core::Stream;
use handfast_keys::PublicKey;
use std::{
    fmt, io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};
use tokio::{
    net::{ToSocketAddrs, lookup_host},
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
};

/// An identity that listens and dials. Cheap to clone; all clones are the same peer.
///
/// Once the last clone is dropped it no longer listens; sessions go on for as long as somebody holds them.
#[derive(Clone)]
pub struct Peer {
    owner: Arc<Owner>,
}

/// What all clones of a peer hold: once nobody does, it is closed to newcomers, however many handshakes are under way.
struct Owner(Arc<Inner>);

impl Drop for Owner {
    fn drop(&mut self) {
        drop(self.0.stop_listening());
    }
}

/// What a peer is made of, shared with its tasks: those hold it for as long as a handshake or an exchange takes.
struct Inner {
    attesting: Attesting,
    node_key: PublicKey,
    visibility: Visibility,
    allow: Allow,
    limits: Limits,
    policy: Policy,
    known: Vec<Locator>,
    advertise: Vec<Locator>,
    invites: Invites,
    door: Door,
    naming: Option<Naming>,
    aliases: Mutex<alias::Book>,
    /// Somebody has shown a card.
    news: Notify,
    services: Services,
    claims: Claims,
    places: Mutex<px1::Cache>,
    roster: Roster,
    arrivals: mpsc::Sender<(Session, Incoming)>,
    arrived: tokio::sync::Mutex<mpsc::Receiver<(Session, Incoming)>>,
    failures: Failures,
    listeners: Mutex<Vec<Listening>>,
    closed: watch::Sender<bool>,
}

/// A listener's address and its task.
struct Listening {
    at: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Inner {
    fn places(&self) -> MutexGuard<'_, px1::Cache> {
        // Nothing in there panics half-way, so a poisoned table is a whole one.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn aliases(&self) -> MutexGuard<'_, alias::Book> {
        self.aliases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<Listening>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing new begins from here on. The listeners end as they are dropped.
    fn stop_listening(&self) -> Vec<Listening> {
        self.closed.send_replace(true);
        std::mem::take(&mut *self.listeners())
    }

    fn listening(&self) -> Vec<SocketAddr> {
        self.listeners().iter().map(|listening| listening.at).collect()
    }

    fn claims(&self) -> Option<Claims> {
        Some(self.claims.clone())
    }

    fn is_stealth(&self) -> bool {
        self.visibility == Visibility::Stealth
    }

    fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// A session stands: it is remembered, and the peer told what it may know.
    fn established(self: &Arc<Self>, session: &Session) {
        self.roster.add(session);
        self.greet(session);
    }
}

impl Peer {
    /// Prepares a peer with this identity: a wallet, one of its accounts, or a key and its network.
    pub fn builder<I>(identity: I) -> Builder
    where
        I: TryInto<Identity>,
        Error: From<I::Error>,
    {
        Builder::new(identity.try_into().map_err(Error::from))
    }

    fn inner(&self) -> &Arc<Inner> {
        &self.owner.0
    }

    /// Who we are.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        self.inner().attesting.identity().principal()
    }

    /// The key of this node, which our principal attests. Applications rarely need it: it may change with each start.
    #[must_use]
    pub fn node_public_key(&self) -> &PublicKey {
        &self.inner().node_key
    }

    /// How much the node shows of itself.
    #[must_use]
    pub fn visibility(&self) -> Visibility {
        self.inner().visibility
    }

    /// Listens at an address, such as `0.0.0.0:9000`; port 0 lets the system choose. Returns what was bound. May be called for
    /// several addresses.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be bound, [`Error::Closed`] after [`close`](Self::close).
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it does not listen.
    pub async fn listen(&self, at: impl ToSocketAddrs) -> Result<SocketAddr, Error> {
        let failed = |error| Error::Io {
            what: "cannot listen there".into(),
            error,
        };
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in lookup_host(at).await.map_err(failed)? {
            let bound = sockets::bind(address).and_then(|listener| Ok((listener.local_addr()?, listener)));
            match bound {
                Ok((at, listener)) => {
                    {
                        // Under the lock, so that whoever closes meanwhile finds this listener or is seen here.
                        let mut listeners = self.inner().listeners();
                        if self.inner().is_closed() {
                            return Err(Error::Closed(ErrorCode::ConnectionClosed));
                        }
                        let task = tokio::spawn(listener::listen(listener, Arc::downgrade(self.inner())));
                        listeners.push(Listening { at, task });
                    }
                    self.inner().announce();
                    return Ok(at);
                }
                Err(error) => last = error,
            }
        }
        Err(failed(last))
    }

    /// Where it listens.
    #[must_use]
    pub fn listening(&self) -> Vec<SocketAddr> {
        self.inner().listening()
    }

    /// Dials `HOST:PORT`, `[IPV6]:PORT`, `stacks:SP…`, `stacks:SP…@HOST:PORT` or an invite, and proves who is there: if the
    /// target names a principal, that one, and in each case one that the allowlist takes.
    ///
    /// A principal is looked for in what is known, then with the peers that are connected, then with those that the
    /// [builder](Builder::known) knows; all of its places are tried.
    ///
    /// Streams that the other side opens on it come out of [`Session::incoming`].
    ///
    /// # Errors
    /// As [`tokio::dial`](super::dial); [`Error::TimedOut`] after [`Limits::dial`]; [`Error::Io`] of the last place if none can be reached; [`Error::NotFound`] if nobody
    /// knows where the principal is; what is wrong with the target's text or the invite.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it leaves nothing open.
    pub async fn dial<T>(&self, target: T) -> Result<Session, Error>
    where
        T: TryInto<Target>,
        Error: From<T::Error>,
    {
        self.dial_with(target, DialOptions::default()).await
    }

    /// [`dial`](Self::dial) with more to say: who must be there, and an invite's token.
    ///
    /// # Errors
    /// As [`dial`](Self::dial).
    pub async fn dial_with<T>(&self, target: T, options: DialOptions) -> Result<Session, Error>
    where
        T: TryInto<Target>,
        Error: From<T::Error>,
    {
        self.inner().dial(target.try_into()?, options).await
    }

    /// The next session that somebody dialled, with the streams that they open; `None` once the peer is closed. Each session is
    /// given out once; at most [`Limits::waiting`] wait.
    ///
    /// # Cancel safety
    /// Safe: a session is either returned or still there.
    pub async fn accept(&self) -> Option<(Session, Incoming)> {
        let mut closed = self.inner().closed.subscribe();
        let next = async { self.inner().arrived.lock().await.recv().await };
        tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => None,
            next = next => next,
        }
    }

    /// [`accept`](Self::accept) as a stream.
    #[must_use]
    pub fn connections(&self) -> Sessions {
        Sessions {
            peer: self.clone(),
            next: None,
        }
    }

    /// The next connection that came in and led to nothing, for a log; `None` once the peer is closed. When nobody asks, the
    /// newest are forgotten and counted.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn failed(&self) -> Option<Failed> {
        let mut closed = self.inner().closed.subscribe();
        tokio::select! {
            biased;
            failed = self.inner().failures.next() => failed,
            _ = closed.wait_for(|closed| *closed) => None,
        }
    }

    /// The tokens that open a stealth node: create them here, and hand them out.
    #[must_use]
    pub fn invites(&self) -> &Invites {
        &self.inner().invites
    }

    /// What everybody wants to be called who has shown it: the cards that are good now, in no order. Peers show each other their
    /// cards once both are proved.
    #[must_use]
    pub fn aliases(&self) -> Vec<AliasCard> {
        self.inner().aliases().iter(now().unix).cloned().collect()
    }

    /// What a principal wants to be called, if it has shown a card that is still good.
    #[must_use]
    pub fn alias_of(&self, principal: &Principal) -> Option<AliasCard> {
        self.inner().aliases().current(principal, now().unix).cloned()
    }

    /// Everybody who wants to be called so, in any spelling. Aliases are not unique: with more than one, ask which is meant.
    #[must_use]
    pub fn called(&self, alias: &str) -> Vec<AliasCard> {
        let aliases = self.inner().aliases();
        aliases.find(alias, now().unix).into_iter().cloned().collect()
    }

    /// Waits until a principal has shown what it wants to be called. For ever, if it does not.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn wait_for_alias(&self, principal: &Principal) -> AliasCard {
        loop {
            let news = self.inner().news.notified();
            let mut news = pin!(news);
            // From here on no news is missed.
            news.as_mut().enable();
            if let Some(card) = self.alias_of(principal) {
                return card;
            }
            news.await;
        }
    }

    /// Where a principal may be dialled, the likeliest first; empty if nobody knows. Looks in what is known, asks the peers
    /// that are connected if that is nothing, and then those that the [builder](Builder::known) knows.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn resolve(&self, principal: &Principal) -> Vec<Locator> {
        self.inner().resolve(principal).await
    }

    /// The sessions that are open, in no order.
    #[must_use]
    pub fn sessions(&self) -> Vec<Session> {
        self.inner().roster.all()
    }

    /// Stops listening, closes all sessions, and waits until both are done.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it no longer listens, and sessions close once nobody holds them.
    pub async fn close(&self) {
        for mut listening in self.inner().stop_listening() {
            listening.task.abort();
            // Once the task is gone, so is its socket.
            let _ = (&mut listening.task).await;
        }
        let sessions = self.sessions();
        let closing: Vec<_> = sessions
            .iter()
            .cloned()
            .map(|session| tokio::spawn(async move { session.close().await }))
            .collect();
        for one in closing {
            let _ = one.await;
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("principal", self.principal())
            .field("visibility", &self.inner().visibility)
            .field("listening", &self.listening())
            .finish_non_exhaustive()
    }
}

/// Sessions that others dialled, as a [`Stream`]; see [`Peer::connections`]. Dropping it loses none.
pub struct Sessions {
    peer: Peer,
    next: Option<Next>,
}

type Next = Pin<Box<dyn Future<Output = Option<(Session, Incoming)>> + Send>>;

impl Stream for Sessions {
    type Item = (Session, Incoming);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let next = this.next.get_or_insert_with(|| {
            let peer = this.peer.clone();
            Box::pin(async move { peer.accept().await })
        });
        let item = ready!(next.as_mut().poll(cx));
        this.next = None;
        Poll::Ready(item)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
