//! Two ends on a virtual clock, and what stands for one of them.

use bytes::BytesMut;
use handfast_keys::KeyPair;
use handfast_snap2p::{
    Error, Network, Now, Principal, UnixTime, WalletKey,
    access::Allow,
    session::{Answer, Config, Dial, Handshake, Local, Question, Secrets, Session},
};
use std::time::{Duration, Instant};

/// What the clocks of the recordings say.
pub(crate) const UNIX: UnixTime = UnixTime(1_767_225_600);

/// A clock that only the test moves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(pub(crate) Now);

impl Clock {
    pub(crate) fn new() -> Self {
        Self(Now {
            instant: Instant::now(),
            unix: UNIX,
        })
    }

    pub(crate) fn advance(&mut self, span: Duration) {
        self.0.instant += span;
        self.0.unix = self.0.unix.plus(span);
    }
}

pub(crate) fn wallet(seed: u8) -> WalletKey {
    WalletKey::from_bytes(&[seed; 32]).unwrap()
}

pub(crate) fn principal(seed: u8) -> Principal {
    Principal(wallet(seed).address(Network::Mainnet))
}

/// A node of the wallet and the node key that `seed` tells.
pub(crate) fn local(seed: u8) -> Local {
    let node = KeyPair::from_seed(&[seed; 32]).unwrap();
    Local::attested(&wallet(seed), principal(seed), node, Clock::new().0).unwrap()
}

pub(crate) fn secrets(seed: u8) -> Secrets {
    Secrets {
        ephemeral: [seed; 32],
        nonce: [seed ^ 0x55; 32],
        session_id: [seed ^ 0xaa; 32],
    }
}

/// The seeds of who dials and who answers.
pub(crate) const ALICE: u8 = 1;
pub(crate) const BOB: u8 = 2;

pub(crate) fn dialler(dial: Dial, clock: Clock) -> Handshake {
    Handshake::dial(&local(ALICE), dial, secrets(ALICE), clock.0).unwrap()
}

pub(crate) fn answerer(answer: Answer, clock: Clock) -> Handshake {
    Handshake::answer(&local(BOB), answer, secrets(BOB), clock.0).unwrap()
}

/// Lets two handshakes talk until neither has anything to say, answering questions by `judge`. How each ended.
pub(crate) fn converse(
    one: &mut Handshake,
    other: &mut Handshake,
    mut judge: impl FnMut(Question) -> bool,
    clock: Clock,
) -> (Result<(), Error>, Result<(), Error>) {
    let mut ends = [(one, BytesMut::new(), Ok(())), (other, BytesMut::new(), Ok(()))];
    loop {
        let mut quiet = true;
        for turn in 0..2 {
            let mut said = BytesMut::new();
            ends[turn].0.poll_transmit(&mut said);
            let (end, input, result) = &mut ends[1 - turn];
            quiet &= said.is_empty();
            input.extend_from_slice(&said);
            if result.is_ok() {
                *result = end.handle_input(input, clock.0);
            }
            while let (Some(question), true) = (end.poll_question(), result.is_ok()) {
                *result = end
                    .decide(judge(question))
                    .and_then(|()| end.handle_input(input, clock.0));
                quiet = false;
            }
        }
        if quiet {
            let [(_, _, one), (_, _, other)] = ends;
            return (one, other);
        }
    }
}

/// Two ends of a session, and what is on its way between them.
pub(crate) struct Pair {
    pub(crate) clock: Clock,
    pub(crate) alice: Session,
    pub(crate) bob: Session,
    pub(crate) to_alice: BytesMut,
    pub(crate) to_bob: BytesMut,
}

/// More than anything waits.
pub(crate) const ALL: usize = usize::MAX;

impl Pair {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        let clock = Clock::new();
        let (mut alice, mut bob) = (dialler(Dial::default(), clock), answerer(Answer::default(), clock));
        let (dialled, answered) = converse(&mut alice, &mut bob, |_| true, clock);
        dialled.unwrap();
        answered.unwrap();
        Self {
            clock,
            alice: alice.into_session(config.clone(), clock.0).unwrap(),
            bob: bob.into_session(config, clock.0).unwrap(),
            to_alice: BytesMut::new(),
            to_bob: BytesMut::new(),
        }
    }

    /// Moves bytes until both are quiet.
    pub(crate) fn settle(&mut self) {
        loop {
            self.alice.poll_transmit(&mut self.to_bob, ALL);
            self.bob.poll_transmit(&mut self.to_alice, ALL);
            let before = (self.to_alice.len(), self.to_bob.len());
            self.alice.handle_input(&mut self.to_alice, self.clock.0).unwrap();
            self.bob.handle_input(&mut self.to_bob, self.clock.0).unwrap();
            let quiet = before == (self.to_alice.len(), self.to_bob.len());
            if quiet && !self.alice.has_output() && !self.bob.has_output() {
                return;
            }
        }
    }
}

pub(crate) fn allow(seeds: &[u8]) -> Allow {
    seeds.iter().map(|seed| principal(*seed)).collect()
}
