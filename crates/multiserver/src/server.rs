//! Listening: every place in a task of its own, every handshake in another.

use crate::{
    Address, Alternative, Arrival, Connection, Direction, Endpoint, Error, Layer, Limits, Listener, Scope, Transform,
    cap::{Cap, Seated},
    doorstep::Doorstep,
    group::Group,
};
use std::{
    fmt, io,
    net::IpAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::mpsc,
    task::{JoinSet, yield_now},
    time::{MissedTickBehavior, interval, sleep, timeout},
};

/// How many connections and failures wait to be fetched by [`Server::accept`]. Connections beyond that wait in their
/// tasks, failures are counted and forgotten: a node that is slow under attack keeps no record of the attack.
const INBOX: usize = 64;
/// How long to wait after a failed accept, and at most after many: the usual cause is that the process has no file left,
/// and asking again at once would only burn the processor.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How often the addresses of the machine are looked up anew.
const REFRESH: Duration = Duration::from_secs(15);

/// A place to listen on with what is spoken there.
pub(crate) struct Suite {
    pub(crate) transport: String,
    pub(crate) transform: Arc<dyn Transform>,
    pub(crate) listener: Box<dyn Listener>,
}

/// Everything that a node listens on. Dropping it stops listening; connections that were fetched stay.
pub struct Server {
    listening: Listening,
    inbox: mpsc::Receiver<Result<Connection, Failed>>,
    // Keeps the inbox open while there is nothing that listens. None once closed.
    open: Option<Arc<Doors>>,
    tasks: JoinSet<()>,
}

impl Server {
    pub(crate) fn start(suites: Vec<Suite>, limits: &Limits) -> Self {
        let (sender, inbox) = mpsc::channel(INBOX);
        let doors = Arc::new(Doors {
            doorstep: Doorstep::new(limits.max_half_open, limits.max_half_open_per_ip),
            cap: Cap::new(limits),
            deadline: limits.handshake_timeout,
            sender,
            unreported: AtomicU64::new(0),
        });
        let mut tasks = JoinSet::new();
        let mut places = Vec::new();
        for suite in suites {
            let place = Arc::new(Place::new(&suite));
            places.push(Arc::clone(&place));
            tasks.spawn(listen(suite, place, Arc::clone(&doors)));
        }
        Self {
            listening: Listening(places.into()),
            inbox,
            open: Some(doors),
            tasks,
        }
    }

    /// The address to give to others in this scope; `None` if nothing listens for it, or the machine has no such address.
    /// What the system's interfaces contribute is looked up anew every 15 seconds.
    #[must_use]
    pub fn addresses(&self, scope: Scope) -> Option<Address> {
        self.listening.addresses(scope)
    }

    /// What was really bound, with ports that the system chose.
    #[must_use]
    pub fn bound(&self) -> Vec<Address> {
        self.listening.bound()
    }

    /// The same addresses, for others than the task that accepts.
    #[must_use]
    pub fn listening(&self) -> Listening {
        self.listening.clone()
    }

    /// The next connection that shook hands, or the next that failed; `None` once the server is closed.
    ///
    /// # Cancel safety
    /// Safe: a connection is either returned or still there.
    pub async fn accept(&mut self) -> Option<Result<Connection, Failed>> {
        self.open.as_ref()?;
        self.inbox.recv().await
    }

    /// Stops listening and gives up handshakes that are not finished; when it returns, ports and socket files are free.
    /// Connections that were fetched stay, others are closed.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it still stops listening.
    pub async fn close(&mut self) {
        self.open = None;
        self.inbox.close();
        self.tasks.shutdown().await;
        while self.inbox.try_recv().is_ok() {}
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("bound", &self.bound())
            .finish_non_exhaustive()
    }
}

/// Where a [`Server`] listens: for whoever needs the addresses while another task accepts. Cheap to clone.
#[derive(Clone)]
pub struct Listening(Arc<[Arc<Place>]>);

impl Listening {
    /// As [`Server::addresses`].
    #[must_use]
    pub fn addresses(&self, scope: Scope) -> Option<Address> {
        Address::join(self.0.iter().flat_map(|place| place.alternatives(scope)))
    }

    /// As [`Server::bound`].
    #[must_use]
    pub fn bound(&self) -> Vec<Address> {
        let alternatives = self.0.iter().flat_map(|place| place.bound.iter().cloned());
        alternatives.map(Address::from).collect()
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listening").field(&self.bound()).finish()
    }
}

/// What is known of one listener outside of the task that owns it.
struct Place {
    layer: Layer,
    bound: Vec<Alternative>,
    /// What others dial, for each scope.
    endpoints: RwLock<Vec<(Scope, Endpoint)>>,
}

impl Place {
    fn new(suite: &Suite) -> Self {
        let layer = suite.transform.layer();
        let bound = suite.listener.bound().into_iter();
        let place = Self {
            bound: bound.map(|endpoint| alternative(endpoint, &layer)).collect(),
            layer,
            endpoints: RwLock::default(),
        };
        place.refresh(suite.listener.as_ref());
        place
    }

    fn refresh(&self, listener: &dyn Listener) {
        let now = Scope::ALL.into_iter().flat_map(|scope| {
            listener
                .endpoints(scope)
                .into_iter()
                .map(move |endpoint| (scope, endpoint))
        });
        let now = now.collect();
        *self.endpoints.write().unwrap_or_else(PoisonError::into_inner) = now;
    }

    fn alternatives(&self, scope: Scope) -> Vec<Alternative> {
        let endpoints = self.endpoints.read().unwrap_or_else(PoisonError::into_inner);
        let wanted = endpoints.iter().filter(|(other, _)| *other == scope);
        wanted
            .map(|(_, endpoint)| alternative(endpoint.clone(), &self.layer))
            .collect()
    }
}

fn alternative(endpoint: Endpoint, layer: &Layer) -> Alternative {
    Alternative {
        endpoint,
        transforms: vec![layer.clone()],
    }
}

/// A connection that came in and led to nothing: for counters and the log.
#[derive(Debug)]
#[non_exhaustive]
pub struct Failed {
    /// From where it came.
    pub from: Endpoint,
    /// The name of the transport, as configurations have it.
    pub transport: String,
    /// The address of the other end, if it has one.
    pub ip: Option<IpAddr>,
    /// What went wrong, or why it was not let in.
    pub error: Error,
    /// How many failures before this one are not reported, since nobody fetched them in time.
    pub unreported: u64,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.from, self.error)
    }
}

/// What all listeners of a server share.
struct Doors {
    doorstep: Arc<Doorstep>,
    cap: Arc<Cap>,
    deadline: Duration,
    sender: mpsc::Sender<Result<Connection, Failed>>,
    unreported: AtomicU64,
}

impl Doors {
    fn report(&self, from: Endpoint, ip: Option<IpAddr>, transport: &str, error: Error) {
        tracing::debug!(%from, %error, "a connection led to nothing");
        let failed = Failed {
            from,
            transport: transport.to_owned(),
            ip,
            error,
            unreported: self.unreported.swap(0, Ordering::Relaxed),
        };
        if let Err(error) = self.sender.try_send(Err(failed))
            && let Err(failed) = error.into_inner()
        {
            self.unreported.fetch_add(failed.unreported + 1, Ordering::Relaxed);
        }
    }
}

/// Accepts for as long as the server lives. No error ends it, and no stranger delays it.
async fn listen(suite: Suite, place: Arc<Place>, doors: Arc<Doors>) {
    let Suite {
        transport,
        transform,
        mut listener,
    } = suite;
    let transport: Arc<str> = transport.into();
    let mut handshakes = JoinSet::new();
    let mut pause = FIRST_PAUSE;
    let mut refresh = interval(REFRESH);
    refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(arrival) => {
                    pause = FIRST_PAUSE;
                    let group = Group::of(arrival.ip, &transport);
                    match doors.cap.check(&group) {
                        Err(error) => doors.report(arrival.from, arrival.ip, &transport, error),
                        Ok(()) => {
                            let step = doors.doorstep.arrive(&group);
                            let (transport, transform) = (Arc::clone(&transport), Arc::clone(&transform));
                            let doors = Arc::clone(&doors);
                            handshakes.spawn(welcome(arrival, group, step, transport, transform, doors));
                        }
                    }
                }
                // A client that left before it was let in says nothing about this machine.
                Err(error) if is_of_one_client(&error) => yield_now().await,
                Err(error) => {
                    tracing::warn!(%error, transport = %transport, "cannot accept a connection");
                    // Most likely there is no file left; whoever has stood outside longest gives one back.
                    doors.doorstep.make_room();
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            },
            _ = refresh.tick() => place.refresh(listener.as_ref()),
            Some(_) = handshakes.join_next() => {}
        }
    }
}

fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// Takes one connection from its arrival to whoever fetches it.
async fn welcome(
    arrival: Arrival,
    group: Group,
    mut step: crate::doorstep::Place,
    transport: Arc<str>,
    transform: Arc<dyn Transform>,
    doors: Arc<Doors>,
) {
    let Arrival { from, ip, socket } = arrival;
    let handshake = async { transform.accept(socket.await?, &from).await };
    let result = tokio::select! {
        result = timeout(doors.deadline, handshake) => result.unwrap_or(Err(Error::Timeout {
            what: "the handshake",
            allowed: doors.deadline,
        })),
        () = step.must_go() => Err(Error::HandshakeShed),
    };
    let admitted = result.and_then(|established| {
        let place = doors.cap.admit(&group, established.auth.is_owner())?;
        Ok((established, place))
    });
    drop(step);
    match admitted {
        Err(error) => doors.report(from, ip, &transport, error),
        Ok((established, place)) => {
            let mut seated = Seated::new(established.socket, place);
            let permit = tokio::select! {
                permit = doors.sender.reserve() => permit,
                // It holds a file, and nobody else would notice.
                () = seated.must_go() => {
                    let limit = doors.cap.limit();
                    return doors.report(from, ip, &transport, Error::Full { limit });
                }
            };
            // There is none when the server is closed, which closes the connection.
            let Ok(permit) = permit else { return };
            permit.send(Ok(Connection {
                socket: Box::new(seated),
                address: alternative(from, &established.layer),
                peer: established.peer,
                auth: established.auth,
                direction: Direction::Incoming,
                seeded: false,
                transport: transport.to_string(),
                transform: transform.name().to_owned(),
            }));
        }
    }
}
