//! From the first byte to a session: KNOCK, Noise, HELLO, AUTH, AUTH_OK.

use super::{Answer, Config, Dial, Local, Secrets, Session};
use crate::{Error, Now, Principal};
use bytes::{Bytes, BytesMut};
use std::time::Instant;

/// What a handshake asks whoever drives it. While a question is open the handshake takes no input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// A stealth node was shown this invite token, 16 to 32 bytes: is it good? Asked before any costly cryptography.
    Token(Bytes),
    /// Whoever dialled has proved to be this principal and is on the allowlist: shall it come in? Asked of every responder,
    /// never of an initiator, which says beforehand whom it expects.
    Principal(Principal),
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
/// Noise messages have exactly 32, 96 and 64, and all of it takes at most
/// [`limits::HANDSHAKE_TIMEOUT`](crate::limits::HANDSHAKE_TIMEOUT).
#[derive(Debug)]
pub struct Handshake {
    _private: (),
}

impl Handshake {
    /// Begins as the initiator.
    ///
    /// # Errors
    /// [`Error::Misuse`] for a token that is not 16 to 32 bytes and for capabilities beyond the limits;
    /// [`Error::Keys`] if the cryptographic library cannot work.
    pub fn dial(local: &Local, dial: Dial, secrets: Secrets, now: Now) -> Result<Self, Error> {
        let _ = (local, dial, secrets, now);
        todo!("session")
    }

    /// Begins as the responder.
    ///
    /// # Errors
    /// As [`Handshake::dial`].
    pub fn answer(local: &Local, answer: Answer, secrets: Secrets, now: Now) -> Result<Self, Error> {
        let _ = (local, answer, secrets, now);
        todo!("session")
    }

    /// Takes whole frames from the front of `input` until a question is open, the session is established, or no whole frame
    /// is left.
    ///
    /// # Errors
    /// What the peer did, after which the handshake is over: see [`Handshake`] on what is still to be written.
    pub fn handle_input(&mut self, input: &mut BytesMut, now: Now) -> Result<(), Error> {
        let _ = (input, now);
        todo!("session")
    }

    /// Appends what must be written, all of it; at most a few hundred bytes.
    pub fn poll_transmit(&mut self, out: &mut BytesMut) {
        let _ = out;
        todo!("session")
    }

    /// What must be answered before it goes on. Tells the same question once.
    pub fn poll_question(&mut self) -> Option<Question> {
        todo!("session")
    }

    /// Answers the open question; without one it does nothing. Afterwards lend the input again: there may be more in it.
    ///
    /// # Errors
    /// With `false`: [`Error::Refused`] for a token, [`Error::NotAllowed`] for a principal. The handshake is then over, and
    /// its last word is ready.
    pub fn decide(&mut self, yes: bool) -> Result<(), Error> {
        let _ = yes;
        todo!("session")
    }

    /// When [`handle_timeout`](Self::handle_timeout) must be called if nothing happens before. `None` once it is over or
    /// established.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        todo!("session")
    }

    /// Moves the deadline, which is [`limits::HANDSHAKE_TIMEOUT`](crate::limits::HANDSHAKE_TIMEOUT) after the beginning.
    pub fn set_deadline(&mut self, deadline: Instant) {
        let _ = deadline;
        todo!("session")
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with what was awaited, once the deadline has passed. Before that it does nothing.
    pub fn handle_timeout(&mut self, now: Now) -> Result<(), Error> {
        let _ = now;
        todo!("session")
    }

    /// What is awaited of the peer, in words: for [`Error::Truncated`] when it closes the connection.
    #[must_use]
    pub fn awaits(&self) -> &'static str {
        todo!("session")
    }

    /// Whether the peer is proved and has taken our proof. What [`poll_transmit`](Self::poll_transmit) has must still be
    /// written.
    #[must_use]
    pub fn is_established(&self) -> bool {
        todo!("session")
    }

    /// The session.
    ///
    /// # Errors
    /// [`Error::Misuse`] before it is established, or while there is something to transmit: an initiator's AUTH_OK must
    /// have left before anything of the session does.
    pub fn into_session(self, config: Config, now: Now) -> Result<Session, Error> {
        let _ = (config, now);
        todo!("session")
    }
}
