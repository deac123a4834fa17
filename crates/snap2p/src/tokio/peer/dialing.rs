//! Dialling: places are tried one after the other, and principals are looked for.

use super::{DialOptions, Inner, Target, services, sockets};
use crate::{
    Error, Locator, Principal, Visibility,
    px1::{self, Source},
    session::Dial,
    tokio::{Session, handshake::dial_halves, link::now},
};
use bytes::Bytes;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpStream, lookup_host},
    task::JoinSet,
    time::timeout,
};

/// How long one address may take to answer; as the reference's default.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one place of several may take, addresses and handshake together: a place that only accepts connections must not use
/// up the time of the others. The reference's default for connecting, and half as long again.
const PLACE_TIMEOUT: Duration = Duration::from_secs(15);
/// How many addresses of one name are tried. Stops a name server from keeping us busy for minutes.
const ADDRESSES_MAX: usize = 8;
/// How many peers are asked at once where somebody is.
const ASKED_MAX: usize = 8;

/// Whom to find at a place, and what to show there.
#[derive(Clone, Default)]
struct Wanted {
    expect: Option<Principal>,
    token: Option<Bytes>,
}

impl Inner {
    pub(super) async fn dial(self: &Arc<Self>, target: Target, options: DialOptions) -> Result<Session, Error> {
        if self.is_closed() {
            return Err(Error::Closed(crate::ErrorCode::ConnectionClosed));
        }
        let limit = self.limits.dial;
        match timeout(limit, self.dial_anywhere(target, options)).await {
            Ok(dialled) => dialled,
            Err(_) => Err(Error::TimedOut {
                what: "an answer from any of the places that were tried",
                seconds: limit.as_secs(),
            }),
        }
    }

    async fn dial_anywhere(self: &Arc<Self>, target: Target, options: DialOptions) -> Result<Session, Error> {
        let mut wanted = Wanted {
            expect: options.expect,
            token: options.token,
        };
        match target {
            Target::Place(place) => self.dial_place(&place, &wanted).await,
            Target::PrincipalAt(principal, place) => {
                wanted.demand(principal)?;
                self.dial_place(&place, &wanted).await
            }
            Target::Principal(principal) => {
                wanted.demand(principal)?;
                self.dial_principal(principal, wanted).await
            }
            Target::Invite(invite) => {
                invite.verify(now().unix)?;
                wanted.demand(invite.principal)?;
                wanted.token = wanted.token.or_else(|| invite.token.clone());
                let mut last = None;
                for place in invite.locators.iter().filter_map(|text| text.parse().ok()) {
                    match self.dial_one_of_several(&place, &wanted).await {
                        Ok(session) => return Ok(session),
                        Err(error) => last = Some(error),
                    }
                }
                match last {
                    Some(error) => Err(error),
                    None => self.dial_principal(invite.principal, wanted).await,
                }
            }
        }
    }

    /// Tries all places where somebody may be, the likeliest first, and asks others when these lead nowhere.
    async fn dial_principal(self: &Arc<Self>, principal: Principal, wanted: Wanted) -> Result<Session, Error> {
        // A token is shown in clear before anybody is proved, so whoever could name a place could have it.
        let mut search = match &wanted.token {
            Some(_) => Search::first_hand(principal),
            None => Search::new(principal),
        };
        let mut last = None;
        while let Some(place) = search.next(self).await {
            match self.dial_one_of_several(&place, &wanted).await {
                Ok(session) => return Ok(session),
                Err(error) => {
                    tracing::debug!(%principal, %place, %error, "it is not there");
                    if matches!(error, Error::WrongPeer { .. }) {
                        self.places().was_wrong(&principal, &place);
                    }
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or_else(|| Error::NotFound(Box::new(principal))))
    }

    /// Where a principal may be, the likeliest first.
    pub(super) async fn resolve(self: &Arc<Self>, principal: &Principal) -> Vec<Locator> {
        let mut search = Search::new(*principal);
        let mut found = Vec::new();
        found.extend(timeout(self.limits.dial, search.next(self)).await.ok().flatten());
        // What came with the same answer is there at once.
        found.extend(search.places.drain(..).rev());
        found.truncate(px1::LOCATORS_MAX);
        found
    }

    async fn dial_one_of_several(self: &Arc<Self>, place: &Locator, wanted: &Wanted) -> Result<Session, Error> {
        let late = |_| Error::TimedOut {
            what: "an answer",
            seconds: PLACE_TIMEOUT.as_secs(),
        };
        timeout(PLACE_TIMEOUT, self.dial_place(place, wanted))
            .await
            .map_err(late)?
    }

    async fn dial_place(self: &Arc<Self>, place: &Locator, wanted: &Wanted) -> Result<Session, Error> {
        let tcp = connect(place).await.map_err(|error| Error::Io {
            what: format!("cannot reach {place}"),
            error,
        })?;
        let halves = sockets::halves(tcp).map_err(|error| Error::Io {
            what: format!("the connection to {place} ended before it began"),
            error,
        })?;
        let now = now();
        let local = self.attesting.local(now.unix)?;
        let dial = Dial {
            expect: wanted.expect,
            token: wanted.token.clone(),
            allow: self.allow.clone(),
        };
        let session = dial_halves(halves, &local, dial, self.claims(), &self.limits.session).await?;
        let public = session.peer_info().visibility == Visibility::Public;
        let proved = Source::Proved { public };
        self.places()
            .learn(*session.principal(), [place.clone()], proved, px1::TTL, now.instant);
        if self.is_closed() {
            return Err(Error::Closed(crate::ErrorCode::ConnectionClosed));
        }
        self.established(&session);
        Ok(session)
    }
}

impl Wanted {
    fn demand(&mut self, principal: Principal) -> Result<(), Error> {
        match self.expect.replace(principal) {
            Some(other) if other != principal => Err(Error::Misuse(
                "the target names another principal than the options expect; name one of them",
            )),
            _ => Ok(()),
        }
    }
}

/// The first address of a host that answers.
async fn connect(place: &Locator) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let addresses: Vec<SocketAddr> = lookup_host((place.host(), place.port()))
        .await?
        .take(ADDRESSES_MAX)
        .collect();
    for address in addresses {
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// The search for a principal: what is known, then what connected peers tell, then what those tell that are known for it.
/// Each place comes out once.
struct Search {
    principal: Principal,
    stage: Stage,
    /// The next places, the likeliest last.
    places: Vec<Locator>,
    /// All that have come out.
    seen: Vec<Locator>,
    answers: JoinSet<Vec<Locator>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// What the principal itself has told or shown, and nothing else.
    FirstHand,
    Known,
    Connected,
    Bootstrap,
    Over,
}

impl Search {
    fn new(principal: Principal) -> Self {
        Self::from(principal, Stage::Known)
    }

    /// A search that takes nobody's word but the principal's own.
    fn first_hand(principal: Principal) -> Self {
        Self::from(principal, Stage::FirstHand)
    }

    fn from(principal: Principal, stage: Stage) -> Self {
        Self {
            principal,
            stage,
            places: Vec::new(),
            seen: Vec::new(),
            answers: JoinSet::new(),
        }
    }

    async fn next(&mut self, peer: &Arc<Inner>) -> Option<Locator> {
        loop {
            if let Some(place) = self.places.pop() {
                return Some(place);
            }
            if let Some(answer) = self.answers.join_next().await {
                self.take(answer.unwrap_or_default());
                continue;
            }
            self.stage = match self.stage {
                Stage::FirstHand => {
                    let places = peer.places().first_hand(&self.principal, now().instant);
                    self.take(places);
                    Stage::Over
                }
                Stage::Known => {
                    let places = peer.places().places(&self.principal, now().instant);
                    self.take(places);
                    Stage::Connected
                }
                Stage::Connected => {
                    for session in peer
                        .roster
                        .all()
                        .into_iter()
                        .filter(services::may_be_asked)
                        .take(ASKED_MAX)
                    {
                        let (peer, principal) = (Arc::clone(peer), self.principal);
                        self.answers.spawn(async move { peer.ask(&session, principal).await });
                    }
                    Stage::Bootstrap
                }
                Stage::Bootstrap => {
                    for place in peer.known.iter().take(ASKED_MAX) {
                        let (peer, place, principal) = (Arc::clone(peer), place.clone(), self.principal);
                        self.answers.spawn(async move { peer.ask_at(&place, principal).await });
                    }
                    Stage::Over
                }
                Stage::Over => return None,
            };
        }
    }

    fn take(&mut self, places: Vec<Locator>) {
        for place in places.into_iter().take(px1::LOCATORS_MAX).rev() {
            if !self.seen.contains(&place) {
                self.seen.push(place.clone());
                self.places.push(place);
            }
        }
    }
}

impl Inner {
    /// Dials one of those that the builder knows, which tells it where we are.
    pub(super) async fn greet_at(self: &Arc<Self>, place: &Locator) {
        let wanted = Wanted::default();
        if let Err(error) = self.dial_place(place, &wanted).await {
            tracing::debug!(%place, %error, "cannot tell where we are");
        }
    }

    /// Asks one of those that the builder knows, over a session that lives no longer than the question.
    async fn ask_at(self: &Arc<Self>, place: &Locator, principal: Principal) -> Vec<Locator> {
        let wanted = Wanted::default();
        // Boxed, since dialling a principal contains this.
        match Box::pin(self.dial_place(place, &wanted)).await {
            Ok(session) => self.ask(&session, principal).await,
            Err(error) => {
                tracing::debug!(%place, %error, "cannot ask there");
                Vec::new()
            }
        }
    }
}
