//! Listening: one task accepts, and each handshake has another.

use super::{Failed, Inner, doorstep::Doorstep, places::Places};
use crate::{
    Error, ErrorCode,
    access::RateLimiter,
    session::{Answer, Question},
    tokio::{handshake::answer_halves, link::now},
};
use std::{
    future::ready,
    io,
    net::SocketAddr,
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
    doorstep: Arc<Doorstep>,
    seats: Places,
}

impl Door {
    pub(super) fn new(limits: &super::Limits) -> Self {
        Self {
            limiter: Mutex::new(RateLimiter::by_prefix(limits.per_minute)),
            doorstep: Doorstep::new(limits.half_open, limits.half_open_per_prefix),
            seats: Places::new(limits.sessions, limits.sessions_per_prefix),
        }
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
                // Most likely there is no file left; whoever has stood outside longest gives one back.
                if let Some(peer) = peer.upgrade() {
                    peer.door.doorstep.make_room();
                }
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
        let refused = |reason: &str| Error::Refused {
            code: ErrorCode::ResourceExhausted,
            reason: reason.into(),
        };
        let Some(mut step) = self.door.doorstep.arrive(from.ip()) else {
            return self.failed(from, refused("too many handshakes from there at once"));
        };
        let mut closed = self.closed.subscribe();
        tokio::spawn(async move {
            let welcomed = tokio::select! {
                welcomed = self.welcome(tcp, from) => welcomed,
                () = step.must_go() => Err(refused("too many handshakes at once, and this was the oldest")),
                _ = closed.wait_for(|closed| *closed) => return,
            };
            drop(step);
            if let Err(error) = welcomed {
                self.failed(from, error);
            }
        });
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
        // Spent once the session stands: a handshake that fails gives the token's use back.
        let mut invite = None;
        let judge = |question| {
            ready(match question {
                Question::Token(token) => {
                    invite = self.invites.reserve(&token, now.unix);
                    invite.is_some()
                }
                _ => true,
            })
        };
        let local = self.attesting.local(now.unix)?;
        let config = &self.limits.session;
        let session = answer_halves(halves, &local, answer, judge, self.claims(), config).await?;
        if let Some(invite) = invite {
            invite.spend();
        }
        self.established(&session);
        if self.is_closed() {
            // Whoever closes the peer has looked for sessions already, maybe before this one was there to be found.
            return Ok(());
        }
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
