//! From the first byte to a session: KNOCK, Noise, HELLO, AUTH, AUTH_OK.

mod answering;
mod channel;
mod dialling;

use super::{Answer, Config, Dial, Local, PeerInfo, Role, Secrets, Session};
use crate::{
    Error, Fault, Message, Now, Principal,
    frame::{self, Decoder},
    limits::{
        CAPABILITIES_MAX, CAPABILITY_LEN_MAX, HANDSHAKE_FRAME_MAX, HANDSHAKE_TIMEOUT, TAG_LEN, TOKEN_MAX, TOKEN_MIN,
    },
    noise,
};
use answering::Answering;
use bytes::{Bytes, BytesMut};
pub(super) use channel::refused;
use channel::{Channel, Greeted};
use dialling::Dialling;
use std::{fmt, mem, time::Instant};

/// What a handshake asks whoever drives it. While a question is open the handshake takes no input.
#[derive(Clone, PartialEq, Eq)]
pub enum Question {
    /// A stealth node was shown this invite token, 16 to 32 bytes: is it good? Asked before any costly cryptography.
    Token(Bytes),
    /// Whoever dialled has proved to be this principal and is on the allowlist: shall it come in? Asked of every responder,
    /// never of an initiator, which says beforehand whom it expects.
    Principal(Principal),
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(_) => f.write_str("Token(..)"),
            Self::Principal(principal) => f.debug_tuple("Principal").field(principal).finish(),
        }
    }
}

/// One end of the establishment of a session: a value that eats bytes and time and hands back bytes.
///
/// ```text
///  initiator                                        responder
///     |  [KNOCK token]  ------------------------------> |  Question::Token       only with an invite
///     |  <------------------------- [KNOCK_RESPONSE]    |
///     |  Noise 1 (32)   ------------------------------> |
///     |  <------------------------------- Noise 2 (96)  |
///     |  Noise 3 (64), HELLO  ------------------------> |                        encrypted from HELLO on
///     |  <-------------------------------------- HELLO  |
///     |  AUTH  ---------------------------------------> |  Question::Principal
///     |  <------------------------------ AUTH, AUTH_OK  |
///     |  AUTH_OK  ------------------------------------> |                        now silent until the first PING
/// ```
///
/// # How to drive it
/// After each call that changes something, and once at the beginning: [`poll_transmit`](Self::poll_transmit) and write all of
/// it; then [`poll_question`](Self::poll_question), and if there is one, [`decide`](Self::decide); then
/// [`is_established`](Self::is_established); then wait for bytes until [`poll_timeout`](Self::poll_timeout). Bytes are
/// appended to one buffer that is lent to [`handle_input`](Self::handle_input); what lies behind the handshake's last frame
/// stays in that buffer, belongs to the session, and must be lent to [`Session::handle_input`] at once.
///
/// After an error the handshake is over, and [`poll_transmit`](Self::poll_transmit) still hands out the AUTH_FAIL that tells
/// the peer why, if it should know: write it, then close with a FIN and not an RST, which would destroy it on its way.
///
/// # Bounds
/// Before the peer is proved a frame has at most [`limits::HANDSHAKE_FRAME_MAX`](crate::limits::HANDSHAKE_FRAME_MAX) bytes,
/// Noise messages have exactly 32, 96 and 64, a frame that announces another length is refused at once, and all of it takes at most
/// [`limits::HANDSHAKE_TIMEOUT`](crate::limits::HANDSHAKE_TIMEOUT).
pub struct Handshake {
    state: State,
    question: Option<Question>,
    decoder: Decoder,
    out: BytesMut,
    since: Instant,
    deadline: Instant,
}

#[derive(Debug)]
enum State {
    Dialling(Box<Dialling>, dialling::State),
    Answering(Box<Answering>, answering::State),
    Established(Box<Proved>),
    /// Failed. There is no way back.
    Over,
}

/// What a handshake comes to.
#[derive(Debug)]
struct Proved {
    noise: noise::Established,
    peer: PeerInfo,
}

/// What a frame leads to.
#[derive(Debug)]
enum Step<S> {
    Await(S),
    Ask(Question, S),
    Established(Box<Proved>),
}

impl<S> Step<S> {
    fn established(role: Role, channel: Channel, greeted: Greeted, principal: Principal, session_id: [u8; 32]) -> Self {
        let noise = channel.into_noise();
        let peer = PeerInfo {
            principal,
            node_key: greeted.node_key,
            visibility: greeted.hello.visibility,
            capabilities: greeted.hello.capabilities,
            session_id,
            handshake_hash: noise.handshake_hash,
            role,
        };
        Self::Established(Box::new(Proved { noise, peer }))
    }
}

impl Handshake {
    /// Begins as the initiator.
    ///
    /// # Errors
    /// [`Error::Misuse`] for a token that is not 16 to 32 bytes, and for capabilities or an attestation that do not fit;
    /// [`Error::Keys`] if the cryptographic library cannot work.
    pub fn dial(local: &Local, dial: Dial, secrets: Secrets, now: Now) -> Result<Self, Error> {
        check_local(local, &secrets, now)?;
        if let Some(token) = &dial.token
            && !(TOKEN_MIN..=TOKEN_MAX).contains(&token.len())
        {
            return Err(Error::Misuse("an invite token has 16 to 32 bytes"));
        }
        let dialling = Box::new(Dialling {
            local: local.clone(),
            dial,
            secrets,
        });
        let mut out = BytesMut::new();
        let state = dialling.begin(&mut out)?;
        Ok(Self::new(State::Dialling(dialling, state), out, now))
    }

    /// Begins as the responder.
    ///
    /// # Errors
    /// As [`Handshake::dial`].
    pub fn answer(local: &Local, answer: Answer, secrets: Secrets, now: Now) -> Result<Self, Error> {
        check_local(local, &secrets, now)?;
        let answering = Box::new(Answering {
            local: local.clone(),
            answer,
            secrets,
        });
        let state = answering.begin();
        Ok(Self::new(State::Answering(answering, state), BytesMut::new(), now))
    }

    fn new(state: State, out: BytesMut, now: Now) -> Self {
        Self {
            state,
            question: None,
            decoder: Decoder::new(HANDSHAKE_FRAME_MAX),
            out,
            since: now.instant,
            deadline: now.instant + HANDSHAKE_TIMEOUT,
        }
    }

    /// Takes whole frames from the front of `input` until a question is open, the session is established, or no whole frame
    /// is left.
    ///
    /// # Errors
    /// What the peer did, after which the handshake is over: see [`Handshake`] on what is still to be written.
    pub fn handle_input(&mut self, input: &mut BytesMut, now: Now) -> Result<(), Error> {
        while self.takes_frames() {
            let frame = match self.decoder.next(input) {
                Ok(Some(frame)) => frame,
                Ok(None) => return self.check_announced(),
                Err(fault) => {
                    self.state = State::Over;
                    return Err(fault.into());
                }
            };
            // A state that fails is gone.
            self.state = match mem::replace(&mut self.state, State::Over) {
                State::Dialling(ours, state) => match ours.handle(state, frame, now, &mut self.out)? {
                    Step::Await(state) => State::Dialling(ours, state),
                    Step::Ask(question, state) => {
                        self.question = Some(question);
                        State::Dialling(ours, state)
                    }
                    Step::Established(proved) => State::Established(proved),
                },
                State::Answering(ours, state) => match ours.handle(state, frame, now, &mut self.out)? {
                    Step::Await(state) => State::Answering(ours, state),
                    Step::Ask(question, state) => {
                        self.question = Some(question);
                        State::Answering(ours, state)
                    }
                    Step::Established(proved) => State::Established(proved),
                },
                state => state,
            };
        }
        match self.state {
            State::Over => Err(OVER),
            _ => Ok(()),
        }
    }

    /// Refuses a frame that cannot be what is awaited as soon as its length is known: nobody waits for the rest of it.
    fn check_announced(&mut self) -> Result<(), Error> {
        let Some(len) = self.decoder.announced().and_then(|len| usize::try_from(len).ok()) else {
            return Ok(());
        };
        let fits = match &self.state {
            State::Dialling(_, state) => state.takes(len),
            State::Answering(_, state) => state.takes(len),
            State::Established(_) | State::Over => true,
        };
        if fits {
            return Ok(());
        }
        self.state = State::Over;
        Err(Fault::Unexpected("a frame that is too long or too short for what is awaited").into())
    }

    const fn takes_frames(&self) -> bool {
        match &self.state {
            State::Dialling(..) => true,
            State::Answering(_, state) => !matches!(
                state,
                answering::State::TokenDecision | answering::State::PrincipalDecision(..)
            ),
            State::Established(_) | State::Over => false,
        }
    }

    /// Appends what must be written, all of it; at most a few hundred bytes.
    pub fn poll_transmit(&mut self, out: &mut BytesMut) {
        out.unsplit(mem::take(&mut self.out));
    }

    /// What must be answered before it goes on. Tells the same question once.
    pub fn poll_question(&mut self) -> Option<Question> {
        self.question.take()
    }

    /// Answers the open question; without one it does nothing. Afterwards lend the input again: there may be more in it.
    ///
    /// # Errors
    /// With `false`: [`Error::Invite`] for a token, [`Error::NotAllowed`] for a principal. The handshake is then over, and
    /// its last word is ready.
    pub fn decide(&mut self, yes: bool) -> Result<(), Error> {
        self.question = None;
        self.state = match mem::replace(&mut self.state, State::Over) {
            State::Answering(ours, state) => {
                let state = ours.decide(state, yes, &mut self.out)?;
                State::Answering(ours, state)
            }
            state => state,
        };
        Ok(())
    }

    /// When [`handle_timeout`](Self::handle_timeout) must be called if nothing happens before. `None` once it is over or
    /// established.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Dialling(..) | State::Answering(..) => Some(self.deadline),
            State::Established(_) | State::Over => None,
        }
    }

    /// Moves the deadline, which is [`limits::HANDSHAKE_TIMEOUT`](crate::limits::HANDSHAKE_TIMEOUT) after the beginning.
    pub const fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with what was awaited, once the deadline has passed. Before that it does nothing.
    pub fn handle_timeout(&mut self, now: Now) -> Result<(), Error> {
        match self.poll_timeout() {
            Some(deadline) if deadline <= now.instant => {
                let what = self.awaits();
                self.state = State::Over;
                Err(Error::TimedOut {
                    what,
                    seconds: now.instant.saturating_duration_since(self.since).as_secs(),
                })
            }
            _ => Ok(()),
        }
    }

    /// What is awaited of the peer, in words: for [`Error::Truncated`] when it closes the connection.
    #[must_use]
    pub const fn awaits(&self) -> &'static str {
        match &self.state {
            State::Dialling(_, state) => state.awaits(),
            State::Answering(_, state) => state.awaits(),
            State::Established(_) | State::Over => "nothing",
        }
    }

    /// Whether the peer is proved and has taken our proof. What [`poll_transmit`](Self::poll_transmit) has must still be
    /// written.
    #[must_use]
    pub const fn is_established(&self) -> bool {
        matches!(self.state, State::Established(_))
    }

    /// The session.
    ///
    /// # Errors
    /// [`Error::Misuse`] before it is established, or while there is something to transmit: an initiator's AUTH_OK must
    /// have left before anything of the session does.
    pub fn into_session(self, config: Config, now: Now) -> Result<Session, Error> {
        if !self.out.is_empty() {
            return Err(Error::Misuse(
                "the handshake has something to transmit before the session may",
            ));
        }
        match self.state {
            State::Established(proved) => Ok(Session::new(proved.noise, proved.peer, self.decoder, config, now)),
            _ => Err(Error::Misuse("the handshake is not established")),
        }
    }
}

impl fmt::Debug for Handshake {
    /// What waits to be sent may hold an invite's token, so it is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("awaits", &self.awaits())
            .finish_non_exhaustive()
    }
}

const OVER: Error = Error::Closed(crate::ErrorCode::HandshakeFailed);

/// Whether what we say fits into the frames that a careful peer takes.
fn check_local(local: &Local, secrets: &Secrets, now: Now) -> Result<(), Error> {
    let fits = |message: &Message| message.encoded_len() + TAG_LEN <= HANDSHAKE_FRAME_MAX;
    let too_long = |text: &String| text.len() > CAPABILITY_LEN_MAX;
    if local.capabilities.len() > CAPABILITIES_MAX
        || local.capabilities.iter().any(too_long)
        || !fits(&channel::hello(local, secrets, now))
    {
        return Err(Error::Misuse("more capabilities than fit into HELLO"));
    }
    if !fits(&Message::Auth(local.attestation.clone())) {
        return Err(Error::Misuse("an attestation longer than AUTH takes"));
    }
    Ok(())
}

/// Appends a frame in clear.
fn put_frame(frame: &[u8], out: &mut BytesMut) {
    frame::put_len(frame.len(), out);
    out.extend_from_slice(frame);
}

/// Appends a message in clear.
fn put_plain(message: &Message, out: &mut BytesMut) {
    frame::put_len(message.encoded_len(), out);
    message.encode(out);
}
