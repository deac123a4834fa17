//! What both ends do once Noise has made keys: say HELLO and AUTH, and judge the other's.

use super::super::{Local, Secrets};
use crate::{
    AttestationFault, Error, ErrorCode, Fault, Message, NodeKeyAttestation, Now, Principal,
    access::Allow,
    limits::CLOCK_SKEW,
    message::{AuthOk, Failure, Hello},
    noise,
    shown::steers_a_terminal,
};
use bytes::BytesMut;
use handfast_keys::PublicKey;

/// The encrypted frames between two ends that do not know each other yet.
#[derive(Debug)]
pub(super) struct Channel(noise::Established);

/// A HELLO whose node key is the one that Noise has proved.
#[derive(Debug)]
pub(super) struct Greeted {
    pub(super) node_key: PublicKey,
    pub(super) hello: Hello,
}

impl Channel {
    pub(super) const fn new(noise: noise::Established) -> Self {
        Self(noise)
    }

    pub(super) fn into_noise(self) -> noise::Established {
        self.0
    }

    pub(super) fn send(&mut self, message: &Message, out: &mut BytesMut) -> Result<(), Error> {
        self.0.sealer.seal_message(message, out)
    }

    pub(super) fn send_auth_ok(
        &mut self,
        local: &Local,
        session_id: [u8; 32],
        out: &mut BytesMut,
    ) -> Result<(), Error> {
        let principal = local.principal.to_string();
        self.send(&Message::AuthOk(AuthOk { principal, session_id }), out)
    }

    /// Opens a frame. AUTH_FAIL may stand in the place of any message: it is the peer's refusal.
    pub(super) fn open(&mut self, frame: BytesMut) -> Result<Message, Error> {
        let plain = self.0.opener.open(frame)?;
        match Message::decode(plain.freeze())? {
            Message::AuthFail(failure) => Err(refused(failure)),
            message => Ok(message),
        }
    }

    /// Opens the frame in which HELLO belongs.
    pub(super) fn open_hello(&mut self, frame: BytesMut, now: Now, out: &mut BytesMut) -> Result<Greeted, Error> {
        let Message::Hello(hello) = self.open(frame)? else {
            return Err(Fault::Unexpected("another message where HELLO belongs").into());
        };
        self.judge_hello(hello, now).map_err(|error| self.last_word(error, out))
    }

    fn judge_hello(&self, hello: Hello, now: Now) -> Result<Greeted, Error> {
        let seconds = hello.time.0.abs_diff(now.unix.0);
        if seconds > CLOCK_SKEW.as_secs() {
            return Err(Fault::Clock { seconds }.into());
        }
        let node_key = PublicKey::from_bytes(&hello.node_key)
            .map_err(|_| Fault::Malformed("the node key is no proper Ed25519 key"))?;
        if *node_key.to_x25519() != self.0.remote_static {
            return Err(AttestationFault::OtherNode.into());
        }
        Ok(Greeted { node_key, hello })
    }

    /// Opens the frame in which AUTH belongs; who the peer is, if it has proved it and is wanted.
    pub(super) fn open_auth(
        &mut self,
        frame: BytesMut,
        greeted: &Greeted,
        wanted: Wanted<'_>,
        now: Now,
        out: &mut BytesMut,
    ) -> Result<Principal, Error> {
        let Message::Auth(attestation) = self.open(frame)? else {
            return Err(Fault::Unexpected("another message where AUTH belongs").into());
        };
        judge_auth(&attestation, greeted, wanted, now).map_err(|error| self.last_word(error, out))
    }

    /// Opens the frame in which AUTH_OK belongs; the session's name in it.
    pub(super) fn open_auth_ok(&mut self, frame: BytesMut, peer: &Principal) -> Result<[u8; 32], Error> {
        let Message::AuthOk(AuthOk { principal, session_id }) = self.open(frame)? else {
            return Err(Fault::Unexpected("another message where AUTH_OK belongs").into());
        };
        if !principal.parse().is_ok_and(|named: Principal| named == *peer) {
            return Err(AttestationFault::OtherPrincipal.into());
        }
        Ok(session_id)
    }

    /// Tells the peer why the handshake ends here, if that is for it to know. The words are fixed: they never say whom a
    /// signature leads to, nor who is on a list.
    pub(super) fn last_word(&mut self, error: Error, out: &mut BytesMut) -> Error {
        let (code, reason) = match &error {
            Error::Protocol(Fault::Clock { .. }) => {
                (ErrorCode::AuthFailed, "our clocks are more than five minutes apart")
            }
            Error::Attestation(AttestationFault::Expired { .. }) => {
                (ErrorCode::AttestationExpired, "the attestation has expired")
            }
            Error::Attestation(AttestationFault::OtherNetwork) => (
                ErrorCode::AttestationInvalid,
                "one wallet is of the mainnet and the other of a testnet",
            ),
            Error::Attestation(_) => (ErrorCode::AttestationInvalid, ""),
            Error::NotAllowed(_) | Error::WrongPeer { .. } => (ErrorCode::NotAllowed, ""),
            _ => return error,
        };
        let failure = Failure {
            code,
            reason: reason.into(),
        };
        // What cannot be sealed is not said: the handshake fails for a better reason already.
        let _ = self.send(&Message::AuthFail(failure), out);
        error
    }
}

/// Whom this end wants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) us: &'a Principal,
    pub(super) expect: Option<&'a Principal>,
    pub(super) allow: &'a Allow,
}

fn judge_auth(attestation: &[u8], greeted: &Greeted, wanted: Wanted<'_>, now: Now) -> Result<Principal, Error> {
    let attestation = NodeKeyAttestation::decode(attestation)?;
    // The signature costs the most to check, so it comes last.
    if attestation.node_key != greeted.hello.node_key {
        return Err(AttestationFault::OtherNode.into());
    }
    let principal = attestation.principal;
    if principal.network() != wanted.us.network() {
        return Err(AttestationFault::OtherNetwork.into());
    }
    attestation.verify(now.unix)?;
    if let Some(expect) = wanted.expect
        && *expect != principal
    {
        return Err(Error::WrongPeer {
            expected: Box::new(*expect),
            found: Box::new(principal),
        });
    }
    if !wanted.allow.allows(&principal) {
        return Err(Error::NotAllowed(Box::new(principal)));
    }
    Ok(principal)
}

/// Our HELLO.
pub(super) fn hello(local: &Local, secrets: &Secrets, now: Now) -> Message {
    Message::Hello(Hello {
        capabilities: local.capabilities.clone(),
        nonce: secrets.nonce,
        node_key: *local.node.public().as_bytes(),
        time: now.unix,
        visibility: local.visibility,
    })
}

/// The peer's refusal, as an error whose text does no harm to a terminal.
pub(in crate::session) fn refused(failure: Failure) -> Error {
    let harmless = |letter| if steers_a_terminal(letter) { ' ' } else { letter };
    Error::Refused {
        code: failure.code,
        reason: failure.reason.chars().map(harmless).collect(),
    }
}
