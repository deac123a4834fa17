//! The responder's states: each is consumed by the frame that it awaits, or by the answer to the question that it asks.

use super::{
    Question, Step,
    channel::{self, Channel, Greeted, Wanted},
    put_plain,
};
use crate::{
    Error, ErrorCode, Fault, Message, Now, Principal,
    limits::KNOCK_FRAME_MAX,
    message::Failure,
    noise,
    session::{Answer, Local, Role, Secrets},
};
use bytes::BytesMut;
use handfast_keys::x25519;

/// The shortest KNOCK, with a token of 16 bytes.
const KNOCK_FRAME_MIN: usize = 25;

/// What a responder needs from beginning to end.
#[derive(Debug)]
pub(super) struct Answering {
    pub(super) local: Local,
    pub(super) answer: Answer,
    pub(super) secrets: Secrets,
}

#[derive(Debug)]
pub(super) enum State {
    /// A stealth node's beginning.
    Knock,
    /// Is the token good?
    TokenDecision,
    /// Everybody else's beginning; `knocked` if a KNOCK has come, after which only Noise may.
    Message1 {
        knocked: bool,
    },
    Message3(noise::AwaitMessage3),
    Hello(Channel),
    Auth(Channel, Greeted),
    /// Is the principal wanted?
    PrincipalDecision(Channel, Greeted, Principal),
    AuthOk(Channel, Greeted, Principal),
}

impl State {
    pub(super) const fn awaits(&self) -> &'static str {
        match self {
            Self::Knock => "an invite",
            Self::TokenDecision | Self::PrincipalDecision(..) => "our own decision",
            Self::Message1 { .. } => "the first Noise message",
            Self::Message3(_) => "the third Noise message",
            Self::Hello(_) => "HELLO",
            Self::Auth(..) => "AUTH",
            Self::AuthOk(..) => "AUTH_OK",
        }
    }

    /// Whether a frame of this length can be what is awaited.
    pub(super) fn takes(&self, len: usize) -> bool {
        let knock = KNOCK_FRAME_MIN..=KNOCK_FRAME_MAX;
        match self {
            Self::Knock => len <= KNOCK_FRAME_MAX,
            Self::Message1 { knocked: false } => len == noise::MESSAGE1_LEN || knock.contains(&len),
            Self::Message1 { knocked: true } => len == noise::MESSAGE1_LEN,
            Self::Message3(_) => len == noise::MESSAGE3_LEN,
            _ => true,
        }
    }
}

impl Answering {
    pub(super) const fn begin(&self) -> State {
        match self.answer.stealth {
            true => State::Knock,
            false => State::Message1 { knocked: false },
        }
    }

    pub(super) fn handle(
        &self,
        state: State,
        frame: BytesMut,
        now: Now,
        out: &mut BytesMut,
    ) -> Result<Step<State>, Error> {
        Ok(Step::Await(match state {
            State::Knock => {
                let token = judge_knock(frame, out)?;
                return Ok(Step::Ask(Question::Token(token), State::TokenDecision));
            }
            // With a token of 23 bytes it is as long as a Noise message, which begins like this once in 2^72 times.
            State::Message1 { knocked: false }
                if matches!(Message::decode(frame.clone().freeze()), Ok(Message::Knock(_))) =>
            {
                // Invites stay good when a node ceases to be stealth.
                put_plain(&Message::KnockResponse { accepted: true }, out);
                State::Message1 { knocked: true }
            }
            State::Message1 { .. } => {
                // Only now is there a key worth a multiplication.
                if frame.len() != noise::MESSAGE1_LEN {
                    return Err(Fault::Noise.into());
                }
                let ephemeral = x25519::SecretKey::from_bytes(&self.secrets.ephemeral)?;
                let responder = noise::Responder::new(&self.local.node, ephemeral, self.local.suite);
                let (message2, state) = responder.handle(&frame)?;
                super::put_frame(&message2, out);
                State::Message3(state)
            }
            State::Message3(noise) => State::Hello(Channel::new(noise.handle(&frame)?)),
            State::Hello(mut channel) => {
                let greeted = channel.open_hello(frame, now, out)?;
                channel.send(&channel::hello(&self.local, &self.secrets, now), out)?;
                State::Auth(channel, greeted)
            }
            State::Auth(mut channel, greeted) => {
                let wanted = Wanted {
                    us: &self.local.principal,
                    expect: None,
                    allow: &self.answer.allow,
                };
                let principal = channel.open_auth(frame, &greeted, wanted, now, out)?;
                return Ok(Step::Ask(
                    Question::Principal(principal),
                    State::PrincipalDecision(channel, greeted, principal),
                ));
            }
            State::AuthOk(mut channel, greeted, principal) => {
                let session_id = channel.open_auth_ok(frame, &principal)?;
                if session_id != self.secrets.session_id {
                    return Err(Fault::Unexpected("AUTH_OK for another session").into());
                }
                return Ok(Step::established(
                    Role::Responder,
                    channel,
                    greeted,
                    principal,
                    session_id,
                ));
            }
            State::TokenDecision | State::PrincipalDecision(..) => {
                // Invariant: no input is taken while a question is open.
                return Err(Fault::Unexpected("a frame before its turn").into());
            }
        }))
    }

    pub(super) fn decide(&self, state: State, yes: bool, out: &mut BytesMut) -> Result<State, Error> {
        match state {
            State::TokenDecision if yes => {
                put_plain(&Message::KnockResponse { accepted: true }, out);
                Ok(State::Message1 { knocked: true })
            }
            State::TokenDecision => {
                let code = ErrorCode::InvalidToken;
                put_plain(&refusal(code), out);
                Err(Error::Invite("it is unknown, used up or expired"))
            }
            State::PrincipalDecision(mut channel, greeted, principal) if yes => {
                channel.send(&Message::Auth(self.local.attestation.clone()), out)?;
                channel.send_auth_ok(&self.local, self.secrets.session_id, out)?;
                Ok(State::AuthOk(channel, greeted, principal))
            }
            State::PrincipalDecision(mut channel, _, principal) => {
                Err(channel.last_word(Error::NotAllowed(Box::new(principal)), out))
            }
            state => Ok(state),
        }
    }
}

/// The token of a KNOCK. Whoever sends something else that this protocol knows is told to knock; whoever sends anything else,
/// Noise included, is told nothing.
fn judge_knock(frame: BytesMut, out: &mut BytesMut) -> Result<bytes::Bytes, Error> {
    match Message::decode(frame.freeze()) {
        Ok(Message::Knock(token)) => Ok(token),
        Ok(_) => {
            put_plain(&refusal(ErrorCode::InviteRequired), out);
            Err(Fault::Unexpected("another message where an invite belongs").into())
        }
        Err(_) => Err(Fault::Unexpected("something else where an invite belongs").into()),
    }
}

fn refusal(code: ErrorCode) -> Message {
    Message::AuthFail(Failure {
        code,
        reason: code.to_string(),
    })
}
