//! Listening: one task accepts, and each handshake has another.

use super::{Failed, Inner};
use crate::{
    Error, ErrorCode,
    access::{HalfOpen, RateLimiter},
    session::{Answer, Question},
    tokio::{handshake::answer_halves, link::now},
};
use std::{
    future::ready,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::yield_now,
    time::sleep,
};

/// How long to wait after a failed accept, and at most after many: the usual cause is that the process has no file left, and
/// asking again at once would only burn the processor.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Who may come in, before a byte is read.
#[derive(Debug)]
pub(super) struct Door {
    limiter: Mutex<RateLimiter>,
    half_open: Places,
    seats: Places,
}

impl Door {
    pub(super) fn new(limits: &super::Limits) -> Self {
        Self {
            limiter: Mutex::new(RateLimiter::by_prefix(limits.per_minute)),
            half_open: Places::new(limits.half_open, limits.half_open_per_prefix),
            seats: Places::new(limits.sessions, limits.sessions_per_prefix),
        }
    }
}

/// Places for connections, in all and by network. Loopback is exempt from the latter: Tor and local proxies bring everybody from
/// there.
#[derive(Debug)]
struct Places {
    all: HalfOpen,
    by_prefix: HalfOpen,
}

/// One of them, free again when this is dropped.
type Ticket = (crate::access::Ticket, Option<crate::access::Ticket>);

impl Places {
    fn new(all: usize, by_prefix: usize) -> Self {
        Self {
            all: HalfOpen::new(all, all),
            by_prefix: HalfOpen::new(usize::MAX, by_prefix),
        }
    }

    fn enter(&self, ip: IpAddr) -> Option<Ticket> {
        let all = self.all.enter(ip)?;
        if ip.to_canonical().is_loopback() {
            return Some((all, None));
        }
        Some((all, Some(self.by_prefix.enter(ip)?)))
    }
}

/// Accepts for as long as the peer lives. No error ends it, and no stranger delays it.
pub(super) async fn listen(listener: TcpListener, peer: Weak<Inner>) {
    let mut pause = FIRST_PAUSE;
    loop {
        match listener.accept().await {
            Ok((tcp, from)) => {
                pause = FIRST_PAUSE;
                let Some(peer) = peer.upgrade() else { return };
                peer.arrive(tcp, from);
            }
            // A client that left before it was let in says nothing about this machine.
            Err(error) if is_of_one_client(&error) => yield_now().await,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

impl Inner {
    /// Lets somebody in, or closes the connection without a word and before a byte of it is read.
    fn arrive(self: Arc<Self>, tcp: TcpStream, from: SocketAddr) {
        if self.is_closed() {
            return;
        }
        let admitted = {
            let mut limiter = self.door.limiter.lock().unwrap_or_else(PoisonError::into_inner);
            limiter.admit(from.ip(), now().instant)
        };
        if !admitted {
            return self.failed(
                from,
                Error::Refused {
                    code: ErrorCode::RateLimited,
                    reason: "too many connections from there in a minute".into(),
                },
            );
        }
        let Some(place) = self.door.half_open.enter(from.ip()) else {
            return self.failed(
                from,
                Error::Refused {
                    code: ErrorCode::ResourceExhausted,
                    reason: "too many handshakes at once".into(),
                },
            );
        };
        let mut closed = self.closed.subscribe();
        let handshake = async move {
            let welcomed = tokio::select! {
                welcomed = self.welcome(tcp, from) => welcomed,
                _ = closed.wait_for(|closed| *closed) => return,
            };
            drop(place);
            if let Err(error) = welcomed {
                self.failed(from, error);
            }
        };
        tokio::spawn(handshake);
    }

    async fn welcome(self: &Arc<Self>, tcp: TcpStream, from: SocketAddr) -> Result<(), Error> {
        let full = || Error::Refused {
            code: ErrorCode::ResourceExhausted,
            reason: "too many sessions".into(),
        };
        let seat = self.door.seats.enter(from.ip()).ok_or_else(full)?;
        let mut halves = super::sockets::halves(tcp).map_err(|error| Error::Io {
            what: format!("a connection from {from} ended before it began"),
            error,
        })?;
        halves.seat = Some(Box::new(seat));
        let now = now();
        let answer = Answer {
            stealth: self.is_stealth(),
            allow: self.allow.clone(),
        };
        let judge = |question| {
            ready(match question {
                Question::Token(token) => self.invites.check(&token, now.unix),
                _ => true,
            })
        };
        let local = self.attesting.local(now.unix)?;
        let config = &self.limits.session;
        let session = answer_halves(halves, &local, answer, judge, self.claims(), config).await?;
        self.established(&session);
        let (session, incoming) = session.with_incoming();
        self.arrivals.try_send((session, incoming)).map_err(|_| Error::Refused {
            code: ErrorCode::ResourceExhausted,
            reason: "too many sessions wait to be accepted".into(),
        })
    }

    fn failed(&self, from: SocketAddr, error: Error) {
        tracing::debug!(%from, %error, "a connection led to nothing");
        self.failures.report(Failed {
            from,
            error,
            unreported: 0,
        });
    }
}
