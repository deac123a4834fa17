//! What peers do for each other on streams of their own: PX-1 and aliases.

use super::Inner;
use crate::{
    Error, ErrorCode, Fault, Locator, Principal,
    alias::AliasCard,
    frame::{self, Decoder},
    px1::{self, Message, Push, Request, Response, Source},
    tokio::{Session, Stream, link::now, session::Claims},
};
use bytes::BytesMut;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};

/// The label of streams that carry an alias card, and the capability of taking them. Whoever opens one sends its card in a frame
/// and half-closes.
pub(super) const ALIASES: &str = "aliases";
/// The longest card, bytes; an honest one has some 600.
const CARD_MAX: usize = 4 << 10;
/// How long a peer may take for one exchange: asking, answering, telling.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(5);
/// How many exchanges that others begin run at once. Each costs some kilobytes for as long as the peer keeps us waiting.
const EXCHANGES_MAX: usize = 64;
/// How many of those whom the builder knows are told where we are.
const KNOWN_MAX: usize = 8;
/// How many of one principal run at once, and how many it may begin in a minute. Stops one peer from taking all the room, and from
/// keeping us busy with what it says of others.
const EXCHANGES_EACH: usize = 8;
const EXCHANGES_PER_MINUTE: usize = 120;
const MINUTE: Duration = Duration::from_secs(60);
/// How many messages one stream may carry.
const MESSAGES_MAX: usize = 16;

/// Counts the exchanges that others begin.
#[derive(Debug, Default)]
pub(super) struct Services(Mutex<HashMap<Principal, Usage>>);

/// What one principal has made of us.
#[derive(Debug)]
struct Usage {
    running: usize,
    /// How many it has begun in the minute that began then.
    begun: usize,
    since: Instant,
}

impl Services {
    fn lock(&self) -> MutexGuard<'_, HashMap<Principal, Usage>> {
        // Nothing in here panics half-way, so a poisoned table is a whole one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody may begin an exchange now; if so, it must be [`end`](Self::end)ed.
    fn begin(&self, who: Principal, now: Instant) -> Result<(), ErrorCode> {
        let mut usages = self.lock();
        // Invariant: those who have begun nothing for a minute and run nothing are forgotten, so only principals that have
        // proved themselves within a minute are remembered.
        usages.retain(|_, usage| usage.running > 0 || now.saturating_duration_since(usage.since) < MINUTE);
        if usages.values().map(|usage| usage.running).sum::<usize>() >= EXCHANGES_MAX {
            return Err(ErrorCode::ResourceExhausted);
        }
        let usage = usages.entry(who).or_insert(Usage {
            running: 0,
            begun: 0,
            since: now,
        });
        if now.saturating_duration_since(usage.since) >= MINUTE {
            (usage.begun, usage.since) = (0, now);
        }
        if usage.running >= EXCHANGES_EACH || usage.begun >= EXCHANGES_PER_MINUTE {
            return Err(ErrorCode::RateLimited);
        }
        usage.running += 1;
        usage.begun += 1;
        Ok(())
    }

    fn end(&self, who: &Principal) {
        if let Some(usage) = self.lock().get_mut(who) {
            usage.running = usage.running.saturating_sub(1);
        }
    }
}

/// Whether a peer says that it answers.
pub(super) fn may_be_asked(session: &Session) -> bool {
    announces(session, px1::LABEL)
}

fn announces(session: &Session, capability: &str) -> bool {
    session.peer_info().capabilities.iter().any(|other| other == capability)
}

/// Whether whoever is at the other end may say that somebody is at this place.
fn may_name(session: &Session, place: &Locator) -> bool {
    px1::may_name(place, session.remote_addr().map(|address| address.ip()))
}

/// The streams that are not for the application.
pub(super) fn claims(peer: Weak<Inner>, px1: bool) -> Claims {
    let labels: &'static [&'static str] = if px1 { &[ALIASES, px1::LABEL] } else { &[ALIASES] };
    Claims {
        labels,
        on_claimed: Arc::new(move |session, stream| {
            if let Some(peer) = peer.upgrade() {
                peer.serve(session, stream);
            }
        }),
    }
}

/// Keeps what others know of us fresh, for as long as the peer lives: they forget it after [`px1::TTL`].
pub(super) fn keep_up(peer: &Arc<Inner>) {
    let mut closed = peer.closed.subscribe();
    let peer = Arc::downgrade(peer);
    let upkeep = async move {
        loop {
            sleep(px1::TTL / 2).await;
            let Some(peer) = peer.upgrade() else { return };
            peer.places().expire(now().instant);
            peer.roster.all().iter().for_each(|session| peer.greet(session));
        }
    };
    tokio::spawn(async move {
        tokio::select! {
            // It also ends once the peer is dropped.
            _ = closed.wait_for(|closed| *closed) => {}
            () = upkeep => {}
        }
    });
}

impl Inner {
    /// Runs an exchange that a peer began.
    fn serve(self: Arc<Self>, session: Session, mut stream: Stream) {
        let who = *session.principal();
        if let Err(code) = self.services.begin(who, now().instant) {
            return stream.reset(code);
        }
        tokio::spawn(async move {
            let exchange = async {
                match stream.label() {
                    ALIASES => self.hear_alias(&session, &mut stream).await,
                    _ => self.serve_px1(&session, &mut stream).await,
                }
            };
            match timeout(EXCHANGE_TIMEOUT, exchange).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::debug!(peer = %session.principal(), %error, "a request that is none");
                    stream.reset(ErrorCode::InvalidMessage);
                }
                Err(_) => stream.reset(ErrorCode::Timeout),
            }
            self.services.end(&who);
        });
    }

    async fn serve_px1(&self, session: &Session, stream: &mut Stream) -> Result<(), Error> {
        let asker = session.principal();
        let listed = !self.allow.is_everybody() && self.allow.allows(asker);
        if !self.policy.serves(listed) {
            return Err(Error::Stream(ErrorCode::StreamRefused));
        }
        let mut frames = Frames::new(px1::MESSAGE_MAX);
        for _ in 0..MESSAGES_MAX {
            let Some(bytes) = frames.next(stream).await? else { break };
            match Message::decode(&bytes)? {
                Message::Request(request) => {
                    let locators = self.answer(session, &request);
                    send(stream, &Message::Response(Response { locators })).await?;
                }
                Message::Push(push) => self.hear(session, push),
                Message::Response(_) => return Err(Fault::Unexpected("an answer that nobody asked for").into()),
            }
        }
        stream.shutdown().await.map_err(io_error)
    }

    fn answer(&self, session: &Session, request: &Request) -> Vec<Locator> {
        let most = request.max_results.unwrap_or(u64::MAX);
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(px1::LOCATORS_MAX);
        if request.principal == self.attesting.identity().principal {
            let mut places = if self.policy.tells_of_itself() {
                self.own_places(session)
            } else {
                Vec::new()
            };
            places.truncate(most);
            return places;
        }
        self.places().answer(&request.principal, most, now().instant)
    }

    fn hear(&self, session: &Session, mut push: Push) {
        let teller = session.principal();
        push.locators.retain(|place| may_name(session, place));
        let source = if push.principal == *teller {
            Source::Itself
        } else {
            Source::Hearsay { teller: *teller }
        };
        if push.principal != self.attesting.identity().principal {
            self.places()
                .learn(push.principal, push.locators, source, push.ttl, now().instant);
        }
    }

    /// Takes the peer's card. A peer can only speak for itself.
    async fn hear_alias(&self, session: &Session, stream: &mut Stream) -> Result<(), Error> {
        let card = Frames::new(CARD_MAX).next(stream).await?;
        let card = AliasCard::decode(&card.ok_or(Error::Truncated("an alias"))?)?;
        if card.principal != *session.principal() {
            return Err(Error::Alias("it is somebody else's"));
        }
        self.aliases().insert(card, now().unix)?;
        self.news.notify_waiters();
        stream.shutdown().await.map_err(io_error)
    }

    /// Where the peer at the other end of a session can dial us.
    fn own_places(&self, session: &Session) -> Vec<Locator> {
        if !self.advertise.is_empty() {
            return self.advertise.clone();
        }
        let mut places = Vec::new();
        for bound in self.listening() {
            let ip = match session.local_addr() {
                Some(local) if bound.ip().is_unspecified() => local.ip(),
                _ => bound.ip(),
            };
            let ip = ip.to_canonical();
            // Loopback is a place for whoever is on this machine.
            let is_near = || {
                session
                    .remote_addr()
                    .is_some_and(|at| at.ip().to_canonical().is_loopback())
            };
            if !ip.is_unspecified()
                && (!ip.is_loopback() || is_near())
                && let Ok(place) = Locator::new(&ip.to_string(), bound.port())
                && !places.contains(&place)
            {
                places.push(place);
            }
        }
        places.truncate(px1::LOCATORS_MAX);
        places
    }

    /// Asks a peer where a principal is. Nothing, if it does not know, or does not answer.
    pub(super) async fn ask(&self, session: &Session, principal: Principal) -> Vec<Locator> {
        let exchange = async {
            let mut stream = session.open_stream(px1::LABEL).await?;
            let request = Message::Request(Request {
                principal,
                max_results: Some(px1::LOCATORS_MAX as u64),
            });
            send(&mut stream, &request).await?;
            stream.shutdown().await.map_err(io_error)?;
            let answer = Frames::new(px1::MESSAGE_MAX).next(&mut stream).await?;
            match Message::decode(&answer.ok_or(Error::Truncated("an answer"))?)? {
                Message::Response(response) => Ok(response.locators),
                _ => Err(Error::from(Fault::Unexpected("no answer to what was asked"))),
            }
        };
        let locators = match timeout(EXCHANGE_TIMEOUT, exchange).await {
            Ok(Ok(mut locators)) => {
                locators.retain(|place| may_name(session, place));
                locators
            }
            Ok(Err(error)) => {
                tracing::debug!(peer = %session.principal(), %error, "it does not answer");
                Vec::new()
            }
            Err(_) => Vec::new(),
        };
        let teller = *session.principal();
        let source = if teller == principal {
            Source::Itself
        } else {
            Source::Hearsay { teller }
        };
        if !locators.is_empty() {
            self.places()
                .learn(principal, locators.iter().cloned(), source, px1::TTL, now().instant);
        }
        locators
    }

    /// Tells everybody who is connected, and those whom the builder knows, where we listen now; if that is to be told.
    pub(super) fn announce(self: &Arc<Self>) {
        if !self.policy.tells_of_itself() {
            return;
        }
        self.roster.all().iter().for_each(|session| self.greet(session));
        for place in self.known.iter().take(KNOWN_MAX) {
            let (peer, place) = (Arc::clone(self), place.clone());
            tokio::spawn(async move { peer.greet_at(&place).await });
        }
    }

    /// Tells a peer what it may know of us, now that it is proved.
    pub(super) fn greet(self: &Arc<Self>, session: &Session) {
        let push = (self.policy.tells_of_itself() && announces(session, px1::LABEL))
            .then(|| self.own_places(session))
            .filter(|places| !places.is_empty())
            .map(|locators| {
                let push = Message::Push(Push {
                    principal: self.attesting.identity().principal,
                    locators,
                    ttl: px1::TTL,
                });
                (px1::LABEL, push.encode())
            });
        let card = self
            .naming
            .as_ref()
            .filter(|_| announces(session, ALIASES))
            .and_then(|naming| naming.card(now().unix).ok())
            .map(|card| (ALIASES, card));
        let words: Vec<_> = card.into_iter().chain(push).collect();
        if words.is_empty() {
            return;
        }
        let session = session.clone();
        tokio::spawn(async move {
            for (label, word) in words {
                match timeout(EXCHANGE_TIMEOUT, tell(&session, label, &word)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!(label, %error, "the peer does not want to know"),
                    Err(_) => tracing::debug!(label, "the peer does not listen"),
                }
            }
        });
    }
}

/// Says one thing on a stream of its own, and waits until the peer has heard it: then it closes its side.
async fn tell(session: &Session, label: &str, word: &[u8]) -> Result<(), Error> {
    let mut stream = session.open_stream(label).await?;
    send_frame(&mut stream, word).await?;
    stream.shutdown().await.map_err(io_error)?;
    Frames::new(px1::MESSAGE_MAX).next(&mut stream).await.map(drop)
}

async fn send(stream: &mut Stream, message: &Message) -> Result<(), Error> {
    send_frame(stream, &message.encode()).await
}

async fn send_frame(stream: &mut Stream, bytes: &[u8]) -> Result<(), Error> {
    let mut out = BytesMut::with_capacity(frame::len_len(bytes.len()) + bytes.len());
    frame::put_len(bytes.len(), &mut out);
    out.extend_from_slice(bytes);
    stream.write_all(&out).await.map_err(io_error)
}

/// Reads frames off a stream.
struct Frames {
    decoder: Decoder,
    input: BytesMut,
}

impl Frames {
    fn new(max: usize) -> Self {
        Self {
            decoder: Decoder::new(max),
            input: BytesMut::new(),
        }
    }

    /// The next frame; `None` at the end of the stream.
    async fn next(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<BytesMut>, Error> {
        loop {
            if let Some(frame) = self.decoder.next(&mut self.input)? {
                return Ok(Some(frame));
            }
            if stream.read_buf(&mut self.input).await.map_err(io_error)? == 0 {
                return Ok(None);
            }
        }
    }
}

fn io_error(error: std::io::Error) -> Error {
    Error::Io {
        what: "the exchange ended early".into(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Address;

    fn somebody(number: u8) -> Principal {
        Principal(Address::new(22, [number; 20]).unwrap())
    }

    #[test]
    fn one_principal_has_its_share_of_exchanges() {
        let (services, start) = (Services::default(), Instant::now());
        for _ in 0..EXCHANGES_EACH {
            services.begin(somebody(1), start).unwrap();
        }
        assert_eq!(services.begin(somebody(1), start), Err(ErrorCode::RateLimited));
        services.begin(somebody(2), start).unwrap();
        services.end(&somebody(1));
        services.begin(somebody(1), start).unwrap();
    }

    #[test]
    fn all_together_have_theirs() {
        let (services, start) = (Services::default(), Instant::now());
        for number in 0..EXCHANGES_MAX {
            services.begin(somebody(u8::try_from(number).unwrap()), start).unwrap();
        }
        assert_eq!(services.begin(somebody(200), start), Err(ErrorCode::ResourceExhausted));
    }

    #[test]
    fn a_minute_makes_good() {
        let (services, start) = (Services::default(), Instant::now());
        for _ in 0..EXCHANGES_PER_MINUTE {
            services.begin(somebody(1), start).unwrap();
            services.end(&somebody(1));
        }
        assert_eq!(services.begin(somebody(1), start), Err(ErrorCode::RateLimited));
        services.begin(somebody(1), start + MINUTE).unwrap();
        services.end(&somebody(1));
        services.begin(somebody(2), start + 2 * MINUTE).unwrap();
        assert_eq!(services.lock().len(), 1, "who is gone is forgotten");
    }
}
