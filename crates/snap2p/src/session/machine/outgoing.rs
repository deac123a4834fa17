//! Frames out: who may write how much, and what leaves first.

use super::{
    Event, Session,
    streams::{Waiting, Writing},
};
use crate::{Error, ErrorCode, Message, StreamId, message, noise::Sealer};
use bytes::BytesMut;

impl Session {
    /// Queues the beginning of `data` to be sent, as much as there is room for, and tells how much that is. 0 means that there
    /// is none: [`Event::Writable`] follows.
    ///
    /// # Errors
    /// [`Error::Stream`] if the stream takes no more: it was finished or reset, by either end.
    pub fn write(&mut self, id: StreamId, data: &[u8]) -> Result<usize, Error> {
        self.check_open()?;
        let stream = self.streams.get(id)?;
        stream.check_writable()?;
        let room = self.config.send_stream.saturating_sub(stream.queue.len());
        let room_in_all = self.config.send_total.saturating_sub(self.streams.unsent());
        let taken = data.get(..room.min(room_in_all)).unwrap_or(data);
        if !taken.is_empty() {
            self.streams.enqueue(id, taken);
            self.sending.line_up(id);
        } else if !data.is_empty() {
            self.wait(id, Waiting::ForQueue);
        }
        Ok(taken.len())
    }

    /// Seals the beginning of `data` straight into `out`, behind everything that waits, while `out` has less than `limit`
    /// bytes: one copy, no queue. Tells how much of `data` that was; 0 means that there is no room, or that nothing may leave
    /// yet: [`Event::Writable`] follows once [`poll_transmit`](Self::poll_transmit) finds room.
    ///
    /// `out` is what `poll_transmit` appends to, too.
    ///
    /// # Errors
    /// As [`Session::write`].
    pub fn write_into(&mut self, id: StreamId, data: &[u8], out: &mut BytesMut, limit: usize) -> Result<usize, Error> {
        self.check_open()?;
        self.streams.get(id)?.check_writable()?;
        self.poll_transmit(out, limit);
        if self.held.is_some() || self.sending.has_data() || out.len() >= limit {
            if !data.is_empty() {
                self.wait(id, Waiting::ForOutput);
            }
            return Ok(0);
        }
        let mut written = 0;
        for piece in data.chunks(self.data_max) {
            if out.len() >= limit {
                break;
            }
            if let Err(error) = seal_data(&mut self.sealer, id, piece, out) {
                self.end(ErrorCode::Internal);
                return Err(error);
            }
            written += piece.len();
        }
        Ok(written)
    }

    fn wait(&mut self, id: StreamId, waiting: Waiting) {
        if let Ok(stream) = self.streams.get_mut(id) {
            stream.waiting = waiting;
            self.sending.wait(id);
        }
    }

    /// Says that this end has written everything to the stream (FIN), behind what waits. Twice is as once.
    ///
    /// # Errors
    /// [`Error::Stream`] if the stream was reset, by either end.
    pub fn finish(&mut self, id: StreamId) -> Result<(), Error> {
        self.check_open()?;
        let stream = self.streams.get_mut(id)?;
        match (stream.closed, stream.writing) {
            (Some(Some(code)), _) => Err(Error::Stream(code)),
            (None, Writing::Open) => {
                stream.writing = Writing::Finishing;
                self.sending.line_up(id);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether everything written to the stream, and its FIN if it was finished, has been handed out for transmission. `true`
    /// for streams that have ended.
    #[must_use]
    pub fn is_flushed(&self, id: StreamId) -> bool {
        self.streams.get(id).is_ok_and(|stream| {
            stream.closed.is_some() || (stream.queue.is_empty() && stream.writing != Writing::Finishing)
        }) || self.streams.get(id).is_err()
    }

    /// Seals what waits into `out`, as long as that has less than `limit` bytes: PINGs, answers, opened and closed streams
    /// first, in this order, then one frame of each stream in turn. The last frame may pass `limit` by
    /// [`limits::DATA_MAX`](crate::limits::DATA_MAX) and some bytes.
    ///
    /// Nothing comes of it once the session is over, or while an initiator holds everything back.
    pub fn poll_transmit(&mut self, out: &mut BytesMut, limit: usize) {
        if self.over.is_some() || self.held.is_some() {
            return;
        }
        if self.transmit(out, limit).is_err() {
            // Sealing fails after 2^64 frames, and for nothing that a caller can cause.
            self.end(ErrorCode::Internal);
            return;
        }
        self.tell_can_open();
        self.wake_writers(out.len() < limit);
    }

    fn transmit(&mut self, out: &mut BytesMut, limit: usize) -> Result<(), Error> {
        while out.len() < limit {
            if let Some(message) = self.sending.next_message() {
                self.sealer.seal_message(&message, out)?;
                if let Message::Ping(ping) = message {
                    self.keepalive.left(ping.seq, self.now);
                }
            } else if let Some(id) = self.sending.next_stream() {
                self.transmit_stream(id, out)?;
            } else {
                break;
            }
        }
        Ok(())
    }

    /// Sends one frame of a stream, and its FIN if that was all.
    fn transmit_stream(&mut self, id: StreamId, out: &mut BytesMut) -> Result<(), Error> {
        let Ok(stream) = self.streams.get_mut(id) else {
            return Ok(());
        };
        let len = stream.queue.len().min(self.data_max);
        if let Some(piece) = stream.queue.get(..len).filter(|piece| !piece.is_empty()) {
            seal_data(&mut self.sealer, id, piece, out)?;
        }
        let finishes = len == stream.queue.len() && stream.writing == Writing::Finishing;
        if finishes {
            seal_fin(&mut self.sealer, id, out)?;
            stream.writing = Writing::Finished;
        }
        let more = len < stream.queue.len();
        self.streams.dequeue(id, len);
        if more {
            self.sending.line_up(id);
        }
        if finishes {
            self.close_if_complete(id);
            if self.streams.is_released(id) {
                // Nobody reads what the peer would still say.
                self.reset(id, ErrorCode::StreamClosed);
            }
        }
        Ok(())
    }

    fn wake_writers(&mut self, room_in_output: bool) {
        let (streams, events, config) = (&self.streams, &mut self.events, &self.config);
        // Half a queue at a time, so that a writer is not woken for each frame.
        let room_in_all = streams.unsent() <= config.send_total / 2;
        let room_in_output = room_in_output && !self.sending.has_data();
        let mut told = Vec::new();
        self.sending.wake(
            |id| {
                streams.get(id).is_ok_and(|stream| match stream.waiting {
                    Waiting::ForQueue => room_in_all && stream.queue.len() <= config.send_stream / 2,
                    Waiting::ForOutput => room_in_output,
                    Waiting::No => true,
                })
            },
            |id| {
                events.push_back(Event::Writable(id));
                told.push(id);
            },
        );
        for id in told {
            if let Ok(stream) = self.streams.get_mut(id) {
                stream.waiting = Waiting::No;
            }
        }
    }

    /// Whether anything still has to leave, now or once the peer's first frame has come: whoever closes waits for that.
    #[must_use]
    pub fn has_unsent(&self) -> bool {
        self.over.is_none() && (self.sending.has_messages() || self.sending.has_data())
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) has more to give now.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.over.is_none() && self.held.is_none() && (self.sending.has_messages() || self.sending.has_data())
    }
}

fn seal_data(sealer: &mut Sealer, id: StreamId, data: &[u8], out: &mut BytesMut) -> Result<(), Error> {
    let len = message::stream_data_len(id, data.len(), false);
    sealer.seal_frame(out, len, |out| message::put_stream_data(id, data, false, out))
}

/// FIN goes in a frame of its own, as the reference sends it.
fn seal_fin(sealer: &mut Sealer, id: StreamId, out: &mut BytesMut) -> Result<(), Error> {
    let len = message::stream_data_len(id, 0, true);
    sealer.seal_frame(out, len, |out| message::put_stream_data(id, &[], true, out))
}
