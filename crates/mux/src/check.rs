//! Fuzz and property-test bodies: functions of bytes that assert laws. Not part of the public interface.
#![allow(
    missing_docs,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

use std::collections::{HashMap, HashSet};

use arbitrary::{Result, Unstructured};
use bytes::{Bytes, BytesMut};

use crate::packet::{self, GOODBYE, HEADER_LEN};
use crate::{
    Body, BodyKind, CallId, CallType, Connection, Error, Event, Frame, Limits, MethodName, Packet, RemoteError,
    ReplyTo, Request, StreamId,
};

const MAX_BODY: u32 = 1 << 16;

/// The codec accounts for every byte, does not care how bytes are chunked, and packets survive a round trip.
pub fn packet_codec(data: &[u8]) {
    let mut whole = BytesMut::from(data);
    let mut frames = Vec::new();
    let error = loop {
        let before = whole.len();
        match packet::decode(&mut whole, MAX_BODY) {
            Ok(Some(frame)) => {
                let consumed = before - whole.len();
                match &frame {
                    Frame::Goodbye => assert_eq!(consumed, HEADER_LEN),
                    Frame::Packet(packet) => assert_survives(packet),
                }
                frames.push(frame);
            }
            Ok(None) => {
                assert_eq!(before, whole.len(), "a frame that is not whole stays where it is");
                break None;
            }
            Err(error) => break Some(error),
        }
    };

    let mut chunked = BytesMut::new();
    let mut expected = frames.into_iter();
    let mut failed = None;
    'feed: for chunk in data.chunks(1 + data.len() % 7) {
        chunked.extend_from_slice(chunk);
        loop {
            match packet::decode(&mut chunked, MAX_BODY) {
                Ok(Some(frame)) => assert_eq!(Some(frame), expected.next()),
                Ok(None) => break,
                Err(error) => {
                    failed = Some(error);
                    break 'feed;
                }
            }
        }
    }
    assert_eq!(expected.next(), None);
    assert_eq!(failed, error);
}

fn assert_survives(packet: &Packet) {
    assert!(packet.body.len() > 0, "an empty body is the goodbye");
    let mut wire = BytesMut::new();
    packet::encode(packet, &mut wire).unwrap();
    assert_eq!(wire.len(), HEADER_LEN + packet.body.len());
    assert_eq!(
        packet::decode(&mut wire, u32::MAX).unwrap(),
        Some(Frame::Packet(packet.clone()))
    );
    assert!(wire.is_empty());
}

/// Whatever a body holds, reading it as a request, an error or a value is an answer; what is read prints the same again.
pub fn bodies(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let mut bodies = vec![Body::buffer(data.to_vec()), Body::string(text.clone())];
    bodies.extend(Body::json(text));
    for body in bodies {
        for parsed in [Request::parse(&body), Request::parse_stream(&body)] {
            match parsed {
                Ok(request) => {
                    let printed = request.to_body();
                    assert!(Body::json(printed.clone().into_bytes()).is_ok(), "a request is JSON");
                    let again = match request.kind.is_stream() {
                        true => Request::parse_stream(&printed),
                        false => Request::parse(&printed),
                    };
                    assert_eq!(again.unwrap(), request);
                    let _ = crate::args_from_json::<(Option<String>, serde_json::Value)>(&request.args);
                }
                Err(refusal) => assert!(refusal.to_body().len() < 16 * 1024, "a refusal is short"),
            }
        }
        let error = RemoteError::from_body(&body);
        assert_eq!(RemoteError::from_body(&error.to_body()), error);
        let echo = RemoteError::echo(&body);
        assert_eq!(RemoteError::echo(&echo), echo, "an echo is its own echo");
        if let Ok(value) = body.to_value::<serde_json::Value>() {
            let printed = Body::from_value(&value).unwrap();
            assert!(printed.len() > 0);
        }
    }
}

/// One machine fed with anything, while its application does anything: it never panics, sends only whole frames with
/// bodies, sends nothing after its goodbye, and stays failed once it has failed.
pub fn hostile_peer(data: &[u8]) {
    let _ = hostile(&mut Unstructured::new(data));
}

fn hostile(u: &mut Unstructured<'_>) -> Result<()> {
    let limits = Limits {
        max_body: MAX_BODY,
        max_requests: 4,
        max_streams: 4,
        max_own_work: 8,
        max_half_ended: 4,
    };
    let mut machine = Connection::new(limits);
    let mut input = BytesMut::new();
    let mut sent = BytesMut::new();
    let mut calls = Vec::new();
    let mut streams: Vec<StreamId> = Vec::new();
    let mut replies: Vec<ReplyTo> = Vec::new();
    let mut failure: Option<Error> = None;
    while !u.is_empty() {
        match u.int_in_range(0..=11)? {
            0 => input.extend_from_slice(u.bytes(u.len().min(16))?),
            1..=4 => {
                let packet = arbitrary_packet(u)?;
                packet::encode(&packet, &mut input).unwrap();
            }
            5 => calls.extend(machine.request(method(), args()).ok()),
            6 => streams.extend(machine.open(method(), args(), arbitrary_kind(u)?).ok()),
            7 => match (calls.pop(), replies.pop()) {
                (Some(call), None) => machine.forget(call),
                (_, Some(reply)) => machine.reply(reply, Ok(&Body::json_true())),
                (None, None) => {}
            },
            8 => match pick(u, &streams)? {
                Some(stream) => drop(machine.send(stream, &Body::string("item"))),
                None => machine.close(),
            },
            9 => match pick(u, &streams)? {
                Some(stream) => machine.end(stream),
                None => machine.close(),
            },
            10 => match pick(u, &streams)? {
                Some(stream) => machine.abort(stream),
                None => machine.goodbye(),
            },
            _ => {
                if let Some(stream) = pick(u, &streams)? {
                    machine.end_with_error(stream, &RemoteError::new("e"));
                }
            }
        }
        loop {
            let was_over = machine.is_over();
            match machine.receive(&mut input) {
                Ok(Some(event)) => {
                    assert!(!was_over && failure.is_none(), "nothing is heard after the end");
                    match event {
                        Event::Request { reply, .. } => replies.push(reply),
                        Event::Opened { stream, .. } => streams.push(stream),
                        Event::Reply { call, .. } => calls.retain(|known| *known != call),
                        Event::Item { stream, .. } | Event::End { stream, .. } => {
                            assert!(streams.contains(&stream), "a stream that was opened");
                        }
                        Event::Goodbye | Event::Quiet => {}
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    failure = Some(error);
                    assert!(machine.is_over());
                    break;
                }
            }
        }
        sent.extend_from_slice(&machine.take_output());
        assert!(replies.len() <= 4, "no more requests than allowed are handed out");
    }
    let parted = machine.has_parted();
    let mut goodbyes = 0;
    while let Some(frame) = packet::decode(&mut sent, u32::MAX).unwrap() {
        assert_eq!(goodbyes, 0, "nothing follows the goodbye");
        goodbyes += usize::from(frame == Frame::Goodbye);
    }
    assert!(sent.is_empty(), "only whole frames are sent");
    assert_eq!(goodbyes == 1, parted);
    let _ = machine.finish(&input);
    assert!(machine.is_idle() || failure.is_some());
    Ok(())
}

fn method() -> MethodName {
    MethodName::plain("m")
}

fn args() -> Bytes {
    Bytes::from_static(b"[]")
}

fn pick<T: Copy>(u: &mut Unstructured<'_>, from: &[T]) -> Result<Option<T>> {
    if from.is_empty() {
        Ok(None)
    } else {
        u.choose(from).copied().map(Some)
    }
}

fn arbitrary_kind(u: &mut Unstructured<'_>) -> Result<CallType> {
    u.choose(&[CallType::Source, CallType::Sink, CallType::Duplex]).copied()
}

/// A packet that is likely to mean something to the machine.
fn arbitrary_packet(u: &mut Unstructured<'_>) -> Result<Packet> {
    let texts = [
        r#"{"name":["m"],"args":[]}"#,
        r#"{"name":["m"],"args":[],"type":"source"}"#,
        r#"{"name":["m"],"args":[],"type":"sink"}"#,
        r#"{"name":["m"],"args":[],"type":"duplex"}"#,
        r#"{"message":"e","name":"Error","stack":""}"#,
        "true",
        "false",
        "1",
    ];
    let body = match u.int_in_range(0..=9)? {
        index @ 0..=7 => Body::json(texts[index]).unwrap(),
        8 => Body::string("text"),
        _ => Body::buffer("bytes"),
    };
    let request = crate::RequestId(u.int_in_range(-5..=5)?);
    Ok(Packet {
        stream: u.arbitrary()?,
        end: u.arbitrary()?,
        request,
        body,
    })
}

/// Two machines, bytes between them cut anywhere, and two applications that do anything, in any order. Each call is
/// answered exactly once, each stream tells each side of its end at most once and of no item after that, and when both
/// have finished what they began, nothing is left open.
pub fn two_machines(data: &[u8]) {
    let mut pair = Pair::default();
    let _ = pair.act(&mut Unstructured::new(data));
    pair.settle();
}

struct End {
    machine: Connection,
    /// Bytes on their way here.
    inbox: BytesMut,
    /// Bytes that have arrived and were not worked on.
    input: BytesMut,
    calls: HashSet<CallId>,
    replies: Vec<ReplyTo>,
    streams: Vec<StreamId>,
    ended: HashMap<StreamId, usize>,
    said_goodbye: bool,
    heard_goodbye: bool,
}

impl Default for End {
    fn default() -> Self {
        Self {
            machine: Connection::new(Limits::default()),
            inbox: BytesMut::new(),
            input: BytesMut::new(),
            calls: HashSet::new(),
            replies: Vec::new(),
            streams: Vec::new(),
            ended: HashMap::new(),
            said_goodbye: false,
            heard_goodbye: false,
        }
    }
}

#[derive(Default)]
struct Pair([End; 2]);

impl Pair {
    fn act(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        while !u.is_empty() {
            let side = usize::from(u.arbitrary::<bool>()?);
            let end = &mut self.0[side];
            match u.int_in_range(0..=12)? {
                0 | 1 => {
                    let count = u.int_in_range(0..=end.inbox.len().min(64))?;
                    end.deliver(count);
                }
                2 => {
                    let count = end.inbox.len();
                    end.deliver(count);
                }
                3 | 4 => {
                    if let Ok(call) = end.machine.request(method(), args()) {
                        assert!(end.calls.insert(call), "numbers are not used twice");
                    }
                }
                5 | 6 => {
                    let kind = arbitrary_kind(u)?;
                    end.streams.extend(end.machine.open(method(), args(), kind).ok());
                }
                7 => {
                    if let Some(reply) = end.replies.pop() {
                        let error = RemoteError::new("no");
                        let body = Body::trusted(BodyKind::String, Bytes::from_static(b"yes"));
                        end.machine
                            .reply(reply, if u.arbitrary()? { Ok(&body) } else { Err(&error) });
                    }
                }
                8 | 9 => {
                    if let Some(stream) = pick(u, &end.streams)? {
                        let _ = end.machine.send(stream, &Body::string("item"));
                    }
                }
                10 => {
                    if let Some(stream) = pick(u, &end.streams)? {
                        match u.int_in_range(0..=2)? {
                            0 => end.machine.end(stream),
                            1 => end.machine.abort(stream),
                            _ => end.machine.end_with_error(stream, &RemoteError::new("e")),
                        }
                    }
                }
                11 => {
                    if let Some(&call) = end.calls.iter().next() {
                        end.machine.forget(call);
                        end.calls.remove(&call);
                    }
                }
                _ => match u.int_in_range(0..=7)? {
                    0 => end.machine.goodbye(),
                    1 => end.machine.close(),
                    _ => {}
                },
            }
            self.carry();
        }
        Ok(())
    }

    /// Moves what each machine sends to the other's inbox.
    fn carry(&mut self) {
        let [a, b] = &mut self.0;
        carry(a, b);
        carry(b, a);
    }

    fn deliver_all(&mut self) {
        while self.0.iter().any(|end| !end.inbox.is_empty()) {
            for end in &mut self.0 {
                let count = end.inbox.len();
                end.deliver(count);
            }
            self.carry();
        }
    }

    /// Finishes everything, and checks that nothing is left.
    fn settle(&mut self) {
        self.deliver_all();
        for end in &mut self.0 {
            for reply in std::mem::take(&mut end.replies) {
                end.machine.reply(reply, Ok(&Body::json_true()));
            }
            for &stream in &end.streams {
                end.machine.abort(stream);
            }
        }
        self.carry();
        self.deliver_all();
        let parted = self.0.iter().any(|end| end.said_goodbye);
        for end in &mut self.0 {
            assert!(end.machine.is_idle(), "everything that was begun has ended");
            assert_eq!(end.said_goodbye, parted, "a goodbye is answered");
            assert_eq!(end.heard_goodbye, parted);
            if !parted {
                assert!(end.calls.is_empty(), "every call is answered");
                for stream in &end.streams {
                    let told = end.ended.get(stream).copied().unwrap_or_default();
                    assert_eq!(told, 1, "every stream tells of its end once");
                }
            }
            assert!(end.machine.finish(&end.input).is_ok());
        }
    }
}

fn carry(from: &mut End, to: &mut End) {
    let output = from.machine.take_output();
    assert!(output.is_empty() || !from.said_goodbye, "nothing follows the goodbye");
    from.said_goodbye |= output.ends_with(&GOODBYE) && from.machine.has_parted();
    to.inbox.extend_from_slice(&output);
}

impl End {
    fn deliver(&mut self, count: usize) {
        self.input.extend_from_slice(&self.inbox.split_to(count));
        while let Some(event) = self
            .machine
            .receive(&mut self.input)
            .expect("the other machine speaks the protocol")
        {
            assert!(!self.heard_goodbye, "nothing is heard after the goodbye");
            match event {
                Event::Request { reply, .. } => self.replies.push(reply),
                Event::Reply { call, .. } => assert!(self.calls.remove(&call), "an answer to a call, and only one"),
                Event::Opened { stream, .. } => self.streams.push(stream),
                Event::Item { stream, .. } => {
                    assert!(self.streams.contains(&stream));
                    assert_eq!(self.ended.get(&stream), None, "no item follows the end");
                }
                Event::End { stream, .. } => *self.ended.entry(stream).or_default() += 1,
                Event::Goodbye => self.heard_goodbye = true,
                Event::Quiet => {}
            }
        }
    }
}
