//! Handshakes and sessions: whatever a peer sends and an application does, in whatever pieces.

use crate::{
    ErrorCode, Message, Network, Now, Principal, StreamId, UnixTime, Visibility, WalletKey,
    frame::{self, Decoder},
    limits::{DATA_MAX, FRAME_MAX, HANDSHAKE_FRAME_MAX, TAG_LEN},
    message::{AuthOk, Failure, Ping},
    noise::{Established, Initiator, Opener, Responder, Sealer, Suite},
    session::{Answer, Config, Dial, Event, Handshake, Local, PeerInfo, Question, Read, Role, Secrets, Session},
};
use arbitrary::{Result, Unstructured};
use bytes::{BufMut, Bytes, BytesMut};
use handfast_keys::{KeyPair, x25519};
use std::{
    collections::{HashMap, HashSet},
    sync::OnceLock,
    time::{Duration, Instant},
};

fn clock() -> Now {
    Now {
        instant: Instant::now(),
        unix: UnixTime(1_767_225_600),
    }
}

/// Small limits, so that a short input reaches them.
fn small() -> Config {
    Config {
        streams_max: 4,
        frame_max: FRAME_MAX,
        send_stream: 1000,
        send_total: 2000,
        receive_soft: 1000,
        receive_hard: 3000,
        ..Config::default()
    }
}

/// The ciphers of both ends, without the cost of attestations.
fn ciphers() -> (Established, Established) {
    let node = |seed| KeyPair::from_seed(&[seed; 32]).unwrap();
    let ephemeral = |seed| x25519::SecretKey::from_bytes(&[seed; 32]).unwrap();
    let (message1, initiator) = Initiator::new(&node(1), ephemeral(3), Suite::Snap2p)
        .message1()
        .unwrap();
    let (message2, responder) = Responder::new(&node(2), ephemeral(4), Suite::Snap2p)
        .handle(&message1)
        .unwrap();
    let (message3, initiator) = initiator.handle(&message2).unwrap();
    (initiator, responder.handle(&message3).unwrap())
}

fn peer_info(role: Role) -> PeerInfo {
    PeerInfo {
        principal: Principal(crate::Address::new(22, [1; 20]).unwrap()),
        node_key: *KeyPair::from_seed(&[9; 32]).unwrap().public(),
        visibility: Visibility::Public,
        capabilities: Vec::new(),
        session_id: [0; 32],
        handshake_hash: [0; 32],
        role,
    }
}

/// One machine, a peer that holds the right keys and says anything, and an application that does anything: the machine keeps
/// its bounds, says nothing that the peer cannot read, and is over once it says so.
pub fn session(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let _ = hostile(&mut u);
}

struct Hostile {
    machine: Session,
    sealer: Sealer,
    opener: Opener,
    decoder: Decoder,
    input: BytesMut,
    output: BytesMut,
    now: Now,
    /// Set once a method has said that the session is over.
    over: bool,
}

fn hostile(u: &mut Unstructured<'_>) -> Result<()> {
    let role = if u.arbitrary()? {
        Role::Initiator
    } else {
        Role::Responder
    };
    let (initiator, responder) = ciphers();
    let (ours, theirs) = match role {
        Role::Initiator => (initiator, responder),
        Role::Responder => (responder, initiator),
    };
    let now = clock();
    let mut hostile = Hostile {
        machine: Session::of(ours, peer_info(role), small(), now),
        sealer: theirs.sealer,
        opener: theirs.opener,
        decoder: Decoder::new(FRAME_MAX),
        input: BytesMut::new(),
        output: BytesMut::new(),
        now,
        over: false,
    };
    while !u.is_empty() {
        hostile.step(u)?;
        hostile.machine.audit(DATA_MAX);
    }
    hostile.read_output();
    Ok(())
}

impl Hostile {
    fn step(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let id = StreamId(u.int_in_range(0..=12)?);
        match u.int_in_range(0..=14)? {
            0..=4 => self.peer_says(u, id)?,
            5 => {
                let result = self.machine.open_stream("label");
                assert!(!self.over || result.is_err());
            }
            6 => {
                let result = self.machine.write(id, &[7; 700]);
                assert!(!self.over || result.is_err());
            }
            7 => {
                let limit = u.int_in_range(0..=3000)?;
                let before = self.output.len();
                let result = self.machine.write_into(id, &[7; 700], &mut self.output, limit);
                assert!(self.output.len() <= before.max(limit + DATA_MAX + 64));
                assert!(!self.over || result.is_err());
            }
            8 => drop(self.machine.finish(id)),
            9 => {
                let max = u.int_in_range(0..=2000)?;
                if let Ok(Read::Data(data)) = self.machine.read(id, max) {
                    assert!(!data.is_empty() && data.len() <= max);
                }
                self.take_input();
            }
            10 => match u.int_in_range(0..=3)? {
                0 => self.machine.reset(id, ErrorCode::from_number(u.int_in_range(0..=30)?)),
                1 => self.machine.refuse(id),
                2 => self.machine.release(id),
                _ => drop(self.machine.is_flushed(id)),
            },
            11 => {
                for _ in 0..u.int_in_range(1..=20)? {
                    drop(self.machine.poll_event());
                }
                self.take_input();
            }
            12 => {
                let span = Duration::from_millis(u.int_in_range(0..=12_000)?);
                self.now.instant += span;
                self.now.unix = self.now.unix.plus(span);
                let result = self.machine.handle_timeout(self.now);
                self.note(result.is_err());
            }
            13 => {
                let limit = u.int_in_range(0..=3000)?;
                self.machine.poll_transmit(&mut self.output, limit);
                self.read_output();
            }
            _ => {
                if u.ratio(1, 8)? {
                    self.machine.close();
                    self.note(true);
                }
            }
        }
        Ok(())
    }

    fn peer_says(&mut self, u: &mut Unstructured<'_>, id: StreamId) -> Result<()> {
        let ping = Ping {
            seq: u.arbitrary()?,
            time: UnixTime(7),
        };
        let failure = || Failure {
            code: ErrorCode::Internal,
            reason: "because".into(),
        };
        let message = match u.int_in_range(0..=13)? {
            0..=2 => Message::OpenStream {
                id,
                label: "their label".into(),
            },
            3..=6 => Message::StreamData {
                id,
                data: Bytes::from(vec![9; u.int_in_range(0..=1500)?]),
                fin: u.ratio(1, 4)?,
            },
            7 => Message::CloseStream {
                id,
                code: u
                    .arbitrary::<Option<u8>>()?
                    .map(|code| ErrorCode::from_number(code.into())),
            },
            8 => Message::Ping(ping),
            9 => Message::Pong(ping),
            10 => Message::Error(failure()),
            11 => Message::AuthOk(AuthOk {
                principal: "anything".into(),
                session_id: [0; 32],
            }),
            12 => {
                // {"t": a type that is not known}
                self.seal(&[0xa1, 0x61, b't', 0x18, u.int_in_range(0x40..=0xfe)?]);
                return Ok(());
            }
            _ => {
                let len = u.int_in_range(0..=16)?;
                let bytes = u.bytes(len)?.to_vec();
                match u.arbitrary()? {
                    true => self.seal(&bytes),
                    // Not even sealed.
                    false => {
                        self.input.put_slice(&bytes);
                        self.take_input();
                    }
                }
                return Ok(());
            }
        };
        let mut plain = BytesMut::new();
        message.encode(&mut plain);
        self.seal(&plain);
        Ok(())
    }

    fn seal(&mut self, plain: &[u8]) {
        // A peer whose frames are not read cannot put in more than the buffer holds.
        if self.input.len() < 10_000 {
            frame::put_len(plain.len() + TAG_LEN, &mut self.input);
            let from = self.input.len();
            self.input.put_slice(plain);
            self.sealer.seal_in_place(&mut self.input, from).unwrap();
        }
        self.take_input();
    }

    fn take_input(&mut self) {
        let before = self.input.len();
        let wanted = self.machine.wants_input();
        let result = self.machine.handle_input(&mut self.input, self.now);
        assert!(wanted || self.input.len() == before, "it took what it did not want");
        self.note(result.is_err());
    }

    fn note(&mut self, over: bool) {
        assert!(over || !self.over, "it was over and came to life again");
        self.over |= over;
    }

    /// The peer reads what was said.
    fn read_output(&mut self) {
        while let Some(frame) = self.decoder.next(&mut self.output).unwrap() {
            let plain = self.opener.open(frame).expect("each frame in its place");
            Message::decode(plain.freeze()).expect("each a message");
        }
        assert!(self.output.is_empty(), "nothing but whole frames");
    }
}

/// Two machines, their applications, and a wire that delivers in any pieces: what is read is what was written, all of it where
/// both ends finish, and in the end nothing is held.
pub fn session_pair(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let (initiator, responder) = ciphers();
    let now = clock();
    let mut pair = Pair {
        ends: [
            End::new(Session::of(initiator, peer_info(Role::Initiator), small(), now)),
            End::new(Session::of(responder, peer_info(Role::Responder), small(), now)),
        ],
        now,
    };
    let _ = pair.run(&mut u);
    pair.finish();
}

struct End {
    machine: Session,
    /// On its way to this end.
    arriving: BytesMut,
    /// Arrived.
    input: BytesMut,
    streams: HashSet<StreamId>,
    written: HashMap<StreamId, Vec<u8>>,
    read: HashMap<StreamId, Vec<u8>>,
    finished: HashSet<StreamId>,
    ended: HashSet<StreamId>,
    broken: HashSet<StreamId>,
}

impl End {
    fn new(machine: Session) -> Self {
        Self {
            machine,
            arriving: BytesMut::new(),
            input: BytesMut::new(),
            streams: HashSet::new(),
            written: HashMap::new(),
            read: HashMap::new(),
            finished: HashSet::new(),
            ended: HashSet::new(),
            broken: HashSet::new(),
        }
    }

    fn events(&mut self) {
        while let Some(event) = self.machine.poll_event() {
            if let Event::Opened { id, .. } = event {
                assert!(self.streams.insert(id), "a number is used once");
            }
        }
    }

    fn write(&mut self, id: StreamId, len: usize, straight: Option<(&mut BytesMut, usize)>) {
        let written = self.written.entry(id).or_default();
        // Bytes that tell their place.
        let bytes: Vec<u8> = (written.len()..written.len() + len)
            .map(|at| (at % 251) as u8)
            .collect();
        let taken = match straight {
            Some((out, limit)) => self.machine.write_into(id, &bytes, out, limit),
            None => self.machine.write(id, &bytes),
        };
        if let Ok(taken) = taken {
            assert!(!self.finished.contains(&id) || taken == 0);
            written.extend(&bytes[..taken]);
        }
    }

    fn read(&mut self, id: StreamId, max: usize) -> bool {
        match self.machine.read(id, max) {
            Ok(Read::Data(data)) => {
                assert!(!self.ended.contains(&id), "nothing comes behind the end");
                self.read.entry(id).or_default().extend(&data);
                return true;
            }
            Ok(Read::End) => drop(self.ended.insert(id)),
            Ok(Read::Reset(_)) => drop(self.broken.insert(id)),
            Ok(Read::Nothing) | Err(_) => {}
        }
        false
    }
}

struct Pair {
    ends: [End; 2],
    now: Now,
}

impl Pair {
    fn run(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        while !u.is_empty() {
            let turn = u.int_in_range(0..=1usize)?;
            let id = StreamId(u.int_in_range(0..=7)?);
            let [one, other] = &mut self.ends;
            let (end, other) = if turn == 0 { (one, other) } else { (other, one) };
            match u.int_in_range(0..=12)? {
                0 => {
                    if let Ok(id) = end.machine.open_stream("") {
                        end.streams.insert(id);
                    }
                }
                1 | 2 => end.write(id, u.int_in_range(0..=900)?, None),
                3 => {
                    let len = u.int_in_range(0..=900)?;
                    let limit = u.int_in_range(0..=5000)?;
                    end.write(id, len, Some((&mut other.arriving, limit)));
                }
                4 | 5 => drop(end.read(id, u.int_in_range(0..=900)?)),
                6 => {
                    if end.machine.finish(id).is_ok() {
                        end.finished.insert(id);
                    }
                }
                7 => {
                    let limit = u.int_in_range(0..=5000)?;
                    end.machine.poll_transmit(&mut other.arriving, limit);
                }
                8..=10 => {
                    let len = u.int_in_range(0..=2000)?.min(end.arriving.len());
                    end.input.unsplit(end.arriving.split_to(len));
                    end.machine.handle_input(&mut end.input, self.now).unwrap();
                    end.events();
                }
                11 => {
                    if u.ratio(1, 6)? && end.streams.contains(&id) {
                        match u.arbitrary()? {
                            true => end.machine.reset(id, ErrorCode::StreamRefused),
                            false => end.machine.release(id),
                        }
                        end.broken.insert(id);
                        other.broken.insert(id);
                    }
                }
                _ => {
                    let span = Duration::from_millis(u.int_in_range(0..=500)?);
                    self.settle();
                    self.now.instant += span;
                    for end in &mut self.ends {
                        end.machine.handle_timeout(self.now).unwrap();
                    }
                    self.settle();
                }
            }
            self.ends.iter().for_each(|end| end.machine.audit(DATA_MAX));
        }
        Ok(())
    }

    /// Moves bytes, and reads all, until nothing moves.
    fn settle(&mut self) {
        loop {
            let mut moved = false;
            for turn in 0..2 {
                let mut said = BytesMut::new();
                let end = &mut self.ends[turn];
                end.machine.poll_transmit(&mut said, usize::MAX);
                end.events();
                let other = &mut self.ends[1 - turn];
                other.arriving.unsplit(said);
                moved |= !other.arriving.is_empty();
                other.input.unsplit(other.arriving.split());
                loop {
                    let before = other.input.len();
                    other.machine.handle_input(&mut other.input, self.now).unwrap();
                    other.events();
                    let mut more = other.input.len() < before;
                    for id in other.streams.clone() {
                        while other.read(id, 1000) {
                            more = true;
                        }
                    }
                    moved |= more;
                    if !more {
                        break;
                    }
                }
            }
            if !moved && !self.ends.iter().any(|end| end.machine.has_output()) {
                return;
            }
        }
    }

    fn finish(&mut self) {
        self.now.instant += Duration::from_secs(1);
        for end in &mut self.ends {
            end.machine.handle_timeout(self.now).unwrap();
        }
        self.settle();
        for end in &mut self.ends {
            for id in end.streams.clone() {
                if end.machine.finish(id).is_ok() {
                    end.finished.insert(id);
                }
            }
        }
        self.settle();
        let [one, other] = &self.ends;
        let all: HashSet<_> = one.streams.union(&other.streams).copied().collect();
        for (writer, reader) in [(one, other), (other, one)] {
            for id in &all {
                let none = Vec::new();
                let written = writer.written.get(id).unwrap_or(&none);
                let read = reader.read.get(id).unwrap_or(&none);
                assert!(written.starts_with(read), "what is read was written, in its order");
                if !reader.broken.contains(id) && !writer.broken.contains(id) {
                    assert_eq!(read.len(), written.len(), "all of it arrives");
                    assert!(reader.ended.contains(id), "and then the end");
                }
            }
        }
        for end in &mut self.ends {
            end.machine.audit(DATA_MAX);
            end.machine.audit_idle();
            assert!(end.input.is_empty() && end.arriving.is_empty());
        }
    }
}

fn local(seed: u8) -> Local {
    static LOCALS: OnceLock<[Local; 2]> = OnceLock::new();
    let locals = LOCALS.get_or_init(|| {
        [1, 2].map(|seed| {
            let wallet = WalletKey::from_bytes(&[seed; 32]).unwrap();
            let principal = Principal(wallet.address(Network::Mainnet));
            let node = KeyPair::from_seed(&[seed; 32]).unwrap();
            Local::attested(&wallet, principal, node, clock()).unwrap()
        })
    });
    locals[usize::from(seed) - 1].clone()
}

fn secrets(seed: u8) -> Secrets {
    Secrets {
        ephemeral: [seed; 32],
        nonce: [seed; 32],
        session_id: [seed; 32],
    }
}

/// Two ends in their handshake, and somebody between them who cuts, changes, drops and invents bytes: they come to a session
/// only if nothing was changed, whatever else happens they end, and neither says more than its part.
pub fn handshake(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let _ = between(&mut u);
}

fn between(u: &mut Unstructured<'_>) -> Result<()> {
    let now = clock();
    let dial = Dial {
        token: u.arbitrary::<bool>()?.then(|| Bytes::from_static(&[5; 16])),
        ..Dial::default()
    };
    let answer = Answer {
        stealth: u.arbitrary()?,
        ..Answer::default()
    };
    let might_work = dial.token.is_some() || !answer.stealth;
    let mut ends = [
        Handshake::dial(&local(1), dial, secrets(1), now).unwrap(),
        Handshake::answer(&local(2), answer, secrets(2), now).unwrap(),
    ];
    let mut inputs = [BytesMut::new(), BytesMut::new()];
    let mut failed = [false, false];
    let mut said = [0, 0];
    let mut changed = false;
    for _ in 0..64 {
        let mut quiet = true;
        for turn in 0..2 {
            let mut words = BytesMut::new();
            ends[turn].poll_transmit(&mut words);
            quiet &= words.is_empty();
            said[turn] += words.len();
            if !words.is_empty() && u.ratio(1, 8)? {
                changed = true;
                let at = u.int_in_range(0..=words.len() - 1)?;
                match u.int_in_range(0..=2)? {
                    0 => words[at] ^= 1 << u.int_in_range(0..=7u8)?,
                    1 => words.truncate(at),
                    _ => words.extend_from_slice(u.bytes(u.len().min(40))?),
                }
            }
            let other = 1 - turn;
            inputs[other].unsplit(words);
            if failed[other] {
                continue;
            }
            let mut result = ends[other].handle_input(&mut inputs[other], now);
            while let (Ok(()), Some(question)) = (&result, ends[other].poll_question()) {
                quiet = false;
                let yes = match question {
                    Question::Token(token) => token.as_ref() == [5; 16],
                    Question::Principal(principal) => principal == local(1).principal,
                };
                result = ends[other]
                    .decide(yes)
                    .and_then(|()| ends[other].handle_input(&mut inputs[other], now));
            }
            failed[other] = result.is_err();
            assert!(!(failed[other] && ends[other].is_established()));
        }
        if quiet {
            break;
        }
    }
    assert!(said.iter().all(|said| *said < HANDSHAKE_FRAME_MAX));
    let established = ends.iter().filter(|end| end.is_established()).count();
    if !changed {
        assert_eq!(established, if might_work { 2 } else { 0 });
    }
    if established == 2 {
        // What was changed came behind the handshake, or was a KNOCK whose bytes nobody signs.
        let peers: Vec<_> = ends
            .into_iter()
            .map(|end| end.into_session(Config::default(), now).unwrap().peer().clone())
            .collect();
        assert_eq!(peers[0].handshake_hash, peers[1].handshake_hash);
        assert_eq!(peers[0].session_id, peers[1].session_id);
        assert_eq!(peers[0].principal, local(2).principal);
        assert_eq!(peers[1].principal, local(1).principal);
    } else {
        let mut late = now;
        late.instant += crate::limits::HANDSHAKE_TIMEOUT;
        for end in &mut ends {
            assert_eq!(end.poll_timeout().is_some(), end.handle_timeout(late).is_err());
            assert!(end.poll_timeout().is_none(), "it ends");
        }
    }
    Ok(())
}
