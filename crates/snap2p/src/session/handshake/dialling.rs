//! The initiator's states: each is consumed by the frame that it awaits.

use super::{
    Step,
    channel::{self, Channel, Greeted, Wanted},
    put_plain,
};
use crate::{
    Error, ErrorCode, Fault, Message, Now, Principal,
    limits::REASON_MAX,
    message::Failure,
    noise,
    session::{Dial, Local, Role, Secrets},
};
use bytes::BytesMut;
use handfast_keys::x25519;

/// The longest frame in clear that is taken besides Noise: an AUTH_FAIL with the longest reason.
const CLEAR_FRAME_MAX: usize = REASON_MAX + 32;

/// What an initiator needs from beginning to end.
#[derive(Debug)]
pub(super) struct Dialling {
    pub(super) local: Local,
    pub(super) dial: Dial,
    pub(super) secrets: Secrets,
}

#[derive(Debug)]
pub(super) enum State {
    KnockResponse,
    Message2(noise::AwaitMessage2),
    Hello(Channel),
    Auth(Channel, Greeted),
    AuthOk(Channel, Greeted, Principal),
}

impl State {
    pub(super) const fn awaits(&self) -> &'static str {
        match self {
            Self::KnockResponse => "the answer to the invite",
            Self::Message2(_) => "the second Noise message",
            Self::Hello(_) => "HELLO",
            Self::Auth(..) => "AUTH",
            Self::AuthOk(..) => "AUTH_OK",
        }
    }

    /// Whether a frame of this length can be what is awaited.
    pub(super) fn takes(&self, len: usize) -> bool {
        match self {
            // An AUTH_FAIL in clear may stand there.
            Self::KnockResponse | Self::Message2(_) => len <= CLEAR_FRAME_MAX,
            _ => true,
        }
    }
}

impl Dialling {
    /// Says the first word: KNOCK for who has a token, Noise for who has none.
    pub(super) fn begin(&self, out: &mut BytesMut) -> Result<State, Error> {
        match &self.dial.token {
            Some(token) => {
                put_plain(&Message::Knock(token.clone()), out);
                Ok(State::KnockResponse)
            }
            None => self.message1(out),
        }
    }

    fn message1(&self, out: &mut BytesMut) -> Result<State, Error> {
        let ephemeral = x25519::SecretKey::from_bytes(&self.secrets.ephemeral)?;
        let initiator = noise::Initiator::new(&self.local.node, ephemeral, self.local.suite);
        let (message1, state) = initiator.message1()?;
        super::put_frame(&message1, out);
        Ok(State::Message2(state))
    }

    pub(super) fn handle(
        &self,
        state: State,
        frame: BytesMut,
        now: Now,
        out: &mut BytesMut,
    ) -> Result<Step<State>, Error> {
        Ok(Step::Await(match state {
            State::KnockResponse => {
                judge_knock_response(frame)?;
                self.message1(out)?
            }
            State::Message2(noise) => {
                // A node that wants an invite may say so in clear.
                if frame.len() != noise::MESSAGE2_LEN
                    && let Ok(Message::AuthFail(failure)) = Message::decode(frame.clone().freeze())
                {
                    return Err(channel::refused(failure));
                }
                let (message3, established) = noise.handle(&frame)?;
                super::put_frame(&message3, out);
                let mut channel = Channel::new(established);
                channel.send(&channel::hello(&self.local, &self.secrets, now), out)?;
                State::Hello(channel)
            }
            State::Hello(mut channel) => {
                let greeted = channel.open_hello(frame, now, out)?;
                channel.send(&Message::Auth(self.local.attestation.clone()), out)?;
                State::Auth(channel, greeted)
            }
            State::Auth(mut channel, greeted) => {
                let wanted = Wanted {
                    us: &self.local.principal,
                    expect: self.dial.expect.as_ref(),
                    allow: &self.dial.allow,
                };
                let principal = channel.open_auth(frame, &greeted, wanted, now, out)?;
                State::AuthOk(channel, greeted, principal)
            }
            State::AuthOk(mut channel, greeted, principal) => {
                let session_id = channel
                    .open_auth_ok(frame, &principal)
                    .map_err(|error| channel.last_word(error, out))?;
                channel.send_auth_ok(&self.local, session_id, out)?;
                return Ok(Step::established(
                    Role::Initiator,
                    channel,
                    greeted,
                    principal,
                    session_id,
                ));
            }
        }))
    }
}

fn judge_knock_response(frame: BytesMut) -> Result<(), Error> {
    let len = frame.len();
    match Message::decode(frame.freeze()) {
        Ok(Message::KnockResponse { accepted: true }) => Ok(()),
        Ok(Message::KnockResponse { accepted: false }) => Err(channel::refused(Failure {
            code: ErrorCode::InvalidToken,
            reason: String::new(),
        })),
        Ok(Message::AuthFail(failure)) => Err(channel::refused(failure)),
        Err(_) if len == noise::MESSAGE2_LEN => Err(Fault::Unexpected(
            "the node answers an invite as if it were Noise: it asks for none, dial it without",
        )
        .into()),
        Ok(_) => Err(Fault::Unexpected("another message where the answer to an invite belongs").into()),
        Err(fault) => Err(fault.into()),
    }
}
