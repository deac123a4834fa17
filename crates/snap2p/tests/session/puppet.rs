//! A peer that says what the test wants: it speaks Noise honestly, for else nobody would listen, and nothing more.

use crate::support::{ALICE, BOB, Clock, answerer, dialler};
use bytes::{BufMut, BytesMut};
use handfast_keys::{KeyPair, x25519};
use handfast_snap2p::{
    Error, Message, Visibility,
    frame::{Decoder, put_len},
    limits::{FRAME_MAX, TAG_LEN},
    message::{AuthOk, Hello},
    noise::{Established, Initiator, Responder, Suite},
    session::{Answer, Config, Dial, Handshake, Local, Session},
};

pub(crate) struct Puppet {
    noise: Established,
    decoder: Decoder,
    /// What it has said and nobody has taken.
    pub(crate) said: BytesMut,
    /// What it was told and has not read.
    pub(crate) heard: BytesMut,
}

/// One frame in clear.
pub(crate) fn plain_frame(bytes: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    put_len(bytes.len(), &mut out);
    out.put_slice(bytes);
    out
}

fn next_frame(bytes: &mut BytesMut) -> BytesMut {
    Decoder::new(FRAME_MAX).next(bytes).unwrap().expect("a whole frame")
}

fn ephemeral() -> x25519::SecretKey {
    x25519::SecretKey::from_bytes(&[77; 32]).unwrap()
}

impl Puppet {
    fn new(noise: Established) -> Self {
        Self {
            noise,
            decoder: Decoder::new(FRAME_MAX),
            said: BytesMut::new(),
            heard: BytesMut::new(),
        }
    }

    /// Dials `handshake`, which awaits its HELLO then.
    pub(crate) fn dials(handshake: &mut Handshake, node: &KeyPair, clock: Clock) -> Self {
        let (message1, awaits) = Initiator::new(node, ephemeral(), Suite::Snap2p).message1().unwrap();
        let mut heard = BytesMut::new();
        handshake.handle_input(&mut plain_frame(&message1), clock.0).unwrap();
        handshake.poll_transmit(&mut heard);
        let (message3, noise) = awaits.handle(&next_frame(&mut heard)).unwrap();
        handshake.handle_input(&mut plain_frame(&message3), clock.0).unwrap();
        Self::new(noise)
    }

    /// Answers `handshake`, whose HELLO it has heard then.
    pub(crate) fn answers(handshake: &mut Handshake, node: &KeyPair, clock: Clock) -> Self {
        let mut heard = BytesMut::new();
        handshake.poll_transmit(&mut heard);
        let message1 = next_frame(&mut heard);
        let (message2, awaits) = Responder::new(node, ephemeral(), Suite::Snap2p)
            .handle(&message1)
            .unwrap();
        handshake.handle_input(&mut plain_frame(&message2), clock.0).unwrap();
        handshake.poll_transmit(&mut heard);
        let mut puppet = Self::new(awaits.handle(&next_frame(&mut heard)).unwrap());
        puppet.heard = heard;
        puppet
    }

    pub(crate) fn say(&mut self, message: &Message) -> &mut Self {
        self.noise.sealer.seal_message(message, &mut self.said).unwrap();
        self
    }

    /// Says bytes that need be no message, well sealed.
    pub(crate) fn say_bytes(&mut self, plain: &[u8]) -> &mut Self {
        put_len(plain.len() + TAG_LEN, &mut self.said);
        let from = self.said.len();
        self.said.put_slice(plain);
        self.noise.sealer.seal_in_place(&mut self.said, from).unwrap();
        self
    }

    /// Gives what it said to a handshake, and hears what that answers.
    pub(crate) fn tell_handshake(&mut self, handshake: &mut Handshake, clock: Clock) -> Result<(), Error> {
        let result = handshake.handle_input(&mut self.said, clock.0);
        handshake.poll_transmit(&mut self.heard);
        result
    }

    /// Gives what it said to a session, and hears what that answers.
    pub(crate) fn tell_session(&mut self, session: &mut Session, clock: Clock) -> Result<(), Error> {
        let result = session.handle_input(&mut self.said, clock.0);
        session.poll_transmit(&mut self.heard, usize::MAX);
        result
    }

    /// What it was told since.
    pub(crate) fn hears(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(frame) = self.decoder.next(&mut self.heard).unwrap() {
            let plain = self.noise.opener.open(frame).unwrap();
            messages.push(Message::decode(plain.freeze()).unwrap());
        }
        messages
    }
}

pub(crate) fn hello(local: &Local, clock: Clock) -> Message {
    Message::Hello(Hello {
        capabilities: Vec::new(),
        nonce: [3; 32],
        node_key: *local.node.public().as_bytes(),
        time: clock.0.unix,
        visibility: Visibility::Public,
    })
}

pub(crate) fn auth(local: &Local) -> Message {
    Message::Auth(local.attestation.clone())
}

pub(crate) fn auth_ok(local: &Local, session_id: [u8; 32]) -> Message {
    Message::AuthOk(AuthOk {
        principal: local.principal.to_string(),
        session_id,
    })
}

/// A session of Bob's with a puppet that has Alice's keys and wallet.
pub(crate) fn session_answered(config: Config) -> (Session, Puppet, Clock) {
    let clock = Clock::new();
    let local = crate::support::local(ALICE);
    let mut bob = answerer(Answer::default(), clock);
    let mut puppet = Puppet::dials(&mut bob, &local.node, clock);
    puppet.say(&hello(&local, clock)).say(&auth(&local));
    puppet.tell_handshake(&mut bob, clock).unwrap();
    bob.poll_question().unwrap();
    bob.decide(true).unwrap();
    puppet.tell_handshake(&mut bob, clock).unwrap();
    let Some(Message::AuthOk(ok)) = puppet.hears().pop() else {
        panic!("AUTH_OK is the last")
    };
    puppet.say(&auth_ok(&local, ok.session_id));
    puppet.tell_handshake(&mut bob, clock).unwrap();
    (bob.into_session(config, clock.0).unwrap(), puppet, clock)
}

/// A session of Alice's with a puppet that has Bob's keys and wallet.
pub(crate) fn session_dialled(config: Config) -> (Session, Puppet, Clock) {
    let clock = Clock::new();
    let local = crate::support::local(BOB);
    let mut alice = dialler(Dial::default(), clock);
    let mut puppet = Puppet::answers(&mut alice, &local.node, clock);
    puppet
        .say(&hello(&local, clock))
        .say(&auth(&local))
        .say(&auth_ok(&local, [8; 32]));
    puppet.tell_handshake(&mut alice, clock).unwrap();
    puppet.hears();
    (alice.into_session(config, clock.0).unwrap(), puppet, clock)
}
