//! The recorded conversation of two reference peers, each side played by ours in turn, byte for byte.

use crate::support::{ALL, Clock};
use bytes::BytesMut;
use handfast_keys::KeyPair;
use handfast_snap2p::{
    Message, Visibility,
    frame::put_len,
    noise::Suite,
    session::{Answer, Config, Dial, Event, Handshake, Local, Question, Read, Role, Secrets, Session},
};
use serde_json::Value;
use testkit::{unhex, unhex_array};

const VECTORS: &str = include_str!("../vectors/snap2p.json");

/// What one side needs to say the same again.
struct Side {
    name: &'static str,
    role: Role,
    local: Local,
    secrets: Secrets,
}

fn message(frame: &Value) -> Option<Message> {
    let plain = frame["plaintext"].as_str()?;
    Some(Message::decode(unhex(plain).into()).unwrap())
}

fn side(session: &Value, name: &'static str, role: Role) -> Side {
    let said: Vec<_> = frames(session)
        .iter()
        .filter(|frame| frame["from"] == name)
        .filter_map(message)
        .collect();
    let hello = said.iter().find_map(|message| match message {
        Message::Hello(hello) => Some(hello.clone()),
        _ => None,
    });
    let attestation = said.iter().find_map(|message| match message {
        Message::Auth(attestation) => Some(attestation.clone()),
        _ => None,
    });
    let ours = &session[name];
    Side {
        name,
        role,
        local: Local {
            principal: ours["principal"].as_str().unwrap().parse().unwrap(),
            node: KeyPair::from_seed(&unhex_array(ours["node_seed"].as_str().unwrap())).unwrap(),
            attestation: attestation.unwrap(),
            visibility: Visibility::Public,
            capabilities: Vec::new(),
            suite: Suite::Snap2p,
        },
        secrets: Secrets {
            ephemeral: unhex_array(ours["ephemeral_private"].as_str().unwrap()),
            nonce: hello.unwrap().nonce,
            session_id: unhex_array(session["session_id"].as_str().unwrap()),
        },
    }
}

fn frames(session: &Value) -> &Vec<Value> {
    session["frames"].as_array().unwrap()
}

/// Plays one side against the recording of the other; everything that it sends.
///
/// `step` bytes arrive at a time: 1 is the worst that TCP does, and `usize::MAX` puts several frames into one read.
fn play(session: &Value, side: &Side, step: usize) -> BytesMut {
    let clock = Clock::new();
    let mut handshake = match side.role {
        Role::Initiator => Handshake::dial(&side.local, Dial::default(), side.secrets.clone(), clock.0),
        Role::Responder => Handshake::answer(&side.local, Answer::default(), side.secrets.clone(), clock.0),
    }
    .unwrap();
    let mut arriving = BytesMut::new();
    for frame in frames(session).iter().filter(|frame| frame["from"] != side.name) {
        let frame = unhex(frame["frame"].as_str().unwrap());
        put_len(frame.len(), &mut arriving);
        arriving.extend_from_slice(&frame);
    }

    let (mut input, mut said) = (BytesMut::new(), BytesMut::new());
    loop {
        handshake.poll_transmit(&mut said);
        if handshake.is_established() {
            break;
        }
        if let Some(question) = handshake.poll_question() {
            assert!(matches!(question, Question::Principal(_)));
            handshake.decide(true).unwrap();
            continue;
        }
        input.unsplit(arriving.split_to(step.min(arriving.len())));
        handshake.handle_input(&mut input, clock.0).unwrap();
    }
    let mut session = handshake.into_session(Config::default(), clock.0).unwrap();
    let mut echo = Echo::default();
    loop {
        session.handle_input(&mut input, clock.0).unwrap();
        echo.act(&mut session, side.role);
        session.poll_transmit(&mut said, ALL);
        if arriving.is_empty() && input.is_empty() && !session.has_output() {
            return said;
        }
        input.unsplit(arriving.split_to(step.min(arriving.len())));
    }
}

/// The applications of the recording: one sends a text and half-closes once it has it back, the other echoes.
#[derive(Default)]
struct Echo {
    live: bool,
}

impl Echo {
    fn act(&mut self, session: &mut Session, role: Role) {
        while let Some(event) = session.poll_event() {
            match (event, role) {
                (Event::Live, Role::Initiator) => {
                    assert!(!std::mem::replace(&mut self.live, true));
                    let id = session.open_stream("echo").unwrap();
                    assert_eq!(session.write(id, b"ping over a stream").unwrap(), 18);
                }
                (Event::Opened { label, .. }, Role::Responder) => assert_eq!(label, "echo"),
                (Event::Readable(id), Role::Initiator) => {
                    while let Read::Data(data) = session.read(id, ALL).unwrap() {
                        assert_eq!(data, "ping over a stream");
                        session.finish(id).unwrap();
                    }
                }
                (Event::Readable(id), Role::Responder) => loop {
                    match session.read(id, ALL).unwrap() {
                        Read::Data(data) => assert_eq!(session.write(id, &data).unwrap(), data.len()),
                        Read::End => break session.finish(id).unwrap(),
                        _ => break,
                    }
                },
                (Event::Closed { code, .. }, _) => assert_eq!(code, None),
                (Event::Live, Role::Responder) => {}
                (event, _) => panic!("{event:?}"),
            }
        }
    }
}

#[test]
fn either_side_of_the_recorded_conversation_says_the_same_bytes() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let sessions = vectors["sessions"].as_array().unwrap();
    assert!(!sessions.is_empty());
    for session in sessions {
        for side in [
            side(session, "initiator", Role::Initiator),
            side(session, "responder", Role::Responder),
        ] {
            let mut recorded = BytesMut::new();
            for frame in frames(session).iter().filter(|frame| frame["from"] == side.name) {
                let frame = unhex(frame["frame"].as_str().unwrap());
                put_len(frame.len(), &mut recorded);
                recorded.extend_from_slice(&frame);
            }
            // In one piece the answers to what came together leave in another order, which is as good; the recording has
            // one frame in each read.
            for step in [1, 7] {
                assert_eq!(play(session, &side, step), recorded, "{} in steps of {step}", side.name);
            }
        }
    }
}
