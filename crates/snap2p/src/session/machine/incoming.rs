//! Frames in: what each message does.

use super::{EVENTS_MAX, Event, Session, streams::Opening};
use crate::{
    Error, ErrorCode, Fault, Message, Now, StreamId,
    message::{Failure, Ping},
    session::handshake::refused,
};
use bytes::{Bytes, BytesMut};

/// A frame that is longer than this leaves the receive buffer so large that what follows moves to one of its own: else a small
/// piece of data behind it would keep all of it alive.
const LARGE_FRAME: usize = 256 << 10;

impl Session {
    /// Takes whole frames from the front of `input`, opening each in place, until none is left or the session wants no more.
    ///
    /// # Errors
    /// What the peer did; the session is then over.
    pub fn handle_input(&mut self, input: &mut BytesMut, now: Now) -> Result<(), Error> {
        self.check_open()?;
        self.now = now.instant;
        if input.len() > self.seen {
            // A part of a frame is a sign of life, too: 16 MiB may take longer than a PONG.
            self.keepalive.heard();
        }
        let taken = self.take_frames(input, now);
        self.seen = input.len();
        if self.streams.full() > 0 && self.full_since.is_none() {
            self.full_since = Some(now.instant);
        }
        taken.inspect_err(|_| self.end(ErrorCode::ConnectionClosed))
    }

    /// How many bytes the frame that has begun in `input` lacks, after [`handle_input`](Self::handle_input); 0 if that is not
    /// known. A reader that stops there, or a few bytes behind it, has no frame to move. It is what the peer announced: reserve no
    /// more for it than has arrived.
    #[must_use]
    pub fn missing(&self, input: &BytesMut) -> usize {
        self.decoder.missing(input)
    }

    /// How much memory is held by what has arrived and was not read, bytes: the frames of which something is. Whoever shares memory
    /// among sessions counts this, and the input that is lent to [`handle_input`](Self::handle_input).
    #[must_use]
    pub const fn held(&self) -> usize {
        self.streams.held()
    }

    /// Whether the session takes input. `false` while the application leaves too much unread, while too many events wait,
    /// or while the peer does not take our answers: then do not read the socket.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        self.over.is_none() && self.takes_more() && self.sending.takes_replies() && self.sending.takes_own()
    }

    /// Whether the application keeps up.
    pub(super) fn takes_more(&self) -> bool {
        self.events.len() < EVENTS_MAX
            && self.streams.unread() < self.config.receive_hard
            && (self.streams.full() == 0 || self.out_of_patience)
    }

    fn take_frames(&mut self, input: &mut BytesMut, now: Now) -> Result<(), Error> {
        while self.wants_input() {
            let Some(frame) = self.decoder.next(input)? else {
                return Ok(());
            };
            let len = frame.len();
            let plain = self.opener.open(frame)?.freeze();
            if len > LARGE_FRAME && input.len() < len {
                *input = BytesMut::from(&**input);
            }
            self.first_frame();
            match Message::decode(plain) {
                Ok(message) => self.handle_message(message, len, now)?,
                Err(Fault::UnknownType(_)) => self.answer_unknown(),
                Err(fault) => return Err(fault.into()),
            }
        }
        Ok(())
    }

    fn first_frame(&mut self) {
        if !self.live {
            self.live = true;
            self.held = None;
            self.events.push_back(Event::Live);
        }
    }

    fn handle_message(&mut self, message: Message, frame_len: usize, now: Now) -> Result<(), Error> {
        match message {
            Message::StreamData { id, data, fin } => self.handle_data(id, data, fin, frame_len)?,
            Message::OpenStream { id, label } => match self.streams.open_peers(id)? {
                Opening::Opened => self.events.push_back(Event::Opened { id, label }),
                Opening::Refused(code) => self.refuse_unopened(id, code),
            },
            Message::CloseStream { id, code } => self.handle_close(id, code),
            Message::Ping(Ping { seq, .. }) => self.sending.reply(Message::Pong(Ping { seq, time: now.unix })),
            Message::Pong(Ping { seq, .. }) => self.keepalive.answered(seq, now),
            Message::Error(failure) => self.handle_error(failure),
            Message::AuthFail(failure) => return Err(refused(failure)),
            // The reference takes no notice of these either.
            Message::Hello(_)
            | Message::Auth(_)
            | Message::AuthOk(_)
            | Message::Knock(_)
            | Message::KnockResponse { .. } => {}
        }
        Ok(())
    }

    fn handle_data(&mut self, id: StreamId, data: Bytes, fin: bool, frame_len: usize) -> Result<(), Fault> {
        let Ok(stream) = self.streams.get_mut(id) else {
            // What is late for a stream that has ended needs no answer, unlike what never was one.
            if !self.streams.was_used(id) {
                self.refuse_unopened(id, ErrorCode::StreamNotFound);
            }
            return Ok(());
        };
        if stream.closed.is_some() {
            return Ok(());
        }
        if stream.ended_by_peer {
            return Err(Fault::Unexpected("data behind the end of a stream"));
        }
        stream.ended_by_peer = fin;
        if (fin || !data.is_empty()) && !stream.told_readable {
            stream.told_readable = true;
            self.events.push_back(Event::Readable(id));
        }
        if !data.is_empty() {
            self.streams.receive(id, data, frame_len);
        }
        self.close_if_complete(id);
        Ok(())
    }

    fn refuse_unopened(&mut self, id: StreamId, code: ErrorCode) {
        let code = Some(code);
        self.sending.reply(Message::CloseStream { id, code });
    }

    /// Once both ends have said everything, each says CLOSE_STREAM.
    pub(super) fn close_if_complete(&mut self, id: StreamId) {
        if self.streams.is_complete(id) && self.streams.close(id, None) {
            self.sending.forget(id);
            self.sending.say(Message::CloseStream { id, code: None });
            self.events.push_back(Event::Closed { id, code: None });
            self.tell_can_open();
        }
    }

    fn handle_close(&mut self, id: StreamId, code: Option<ErrorCode>) {
        // Both ends having said everything, this end has ended the stream before: so here something is missing.
        let code = Some(code.unwrap_or(ErrorCode::StreamClosed));
        if self.streams.close(id, code) {
            self.sending.forget(id);
            self.events.push_back(Event::Closed { id, code });
            self.tell_can_open();
        }
    }

    fn handle_error(&mut self, failure: Failure) {
        if !self.events.iter().any(|event| matches!(event, Event::PeerError(_))) {
            self.events.push_back(Event::PeerError(failure));
        }
    }

    /// §3.0 of the specification: unknown messages are answered with a clean error. Once, for an answer to each could go on for
    /// ever between two ends that know different messages.
    fn answer_unknown(&mut self) {
        if !self.told_unknown {
            self.told_unknown = true;
            self.sending.reply(Message::Error(Failure {
                code: ErrorCode::VersionUnsupported,
                reason: String::new(),
            }));
        }
    }
}
