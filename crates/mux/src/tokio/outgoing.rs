//! Items that a caller sends to a sink or duplex.

use std::sync::Arc;
use std::task::Poll;

use serde::Serialize;

use super::link::{Link, Share, Ticket};
use crate::{Body, Error, RemoteError, StreamId};

/// The sending side of a sink or duplex that this end called.
///
/// [`end`](Self::end) or [`close`](Self::close) it: dropped before that, it ends the stream with an error, so that half a
/// transfer does not look like a whole one.
#[derive(Debug)]
pub struct Outgoing {
    link: Arc<Link>,
    id: StreamId,
    ticket: Ticket,
    ended: bool,
}

impl Outgoing {
    pub(super) fn new(link: Arc<Link>, id: StreamId) -> Self {
        Self {
            link,
            id,
            ticket: Ticket::default(),
            ended: false,
        }
    }

    /// Sends an item; waits while too much output is under way.
    ///
    /// Cancel safe: dropped before it resolves, the item is not sent.
    ///
    /// # Errors
    /// The error with which the peer ended the stream; [`Error::StreamEnded`] if it ended without one or this end has ended
    /// it; [`Error::Encode`] or [`Error::BodyTooLong`] for an item that cannot be sent, after which others can.
    pub async fn send<T: Serialize>(&mut self, item: T) -> Result<(), Error> {
        // The value must not live across the wait: it need not be `Send`.
        let body = Body::from_value(&item);
        drop(item);
        self.send_body(body?).await
    }

    /// [`send`](Self::send) of a raw body, and as cancel safe.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_body(&mut self, body: Body) -> Result<(), Error> {
        let (link, id, ticket) = (&self.link, self.id, &mut self.ticket);
        std::future::poll_fn(|cx| {
            link.with(|state| {
                match state.stream_end(id) {
                    Some(Err(error)) => return Poll::Ready(Err(error)),
                    Some(Ok(())) => return Poll::Ready(Err(Error::StreamEnded)),
                    None => {}
                }
                std::task::ready!(state.poll_room(Share::Own, link.config.output_buffer, ticket, cx));
                state.wake_driver();
                Poll::Ready(state.connection.send(id, &body))
            })
        })
        .await
    }

    /// Waits until the peer has ended its side, so that a writer that waits for its next item learns of a refusal at once.
    ///
    /// Cancel safe: dropping the future changes nothing.
    ///
    /// # Errors
    /// The error with which the peer ended the stream, or that of the connection.
    pub async fn ended(&mut self) -> Result<(), Error> {
        std::future::poll_fn(|cx| self.link.with(|state| state.poll_stream_end(self.id, cx))).await
    }

    /// Ends this side: the peer hears that there are no more items. Of a duplex, the items of the peer still come. Does not
    /// wait.
    pub fn end(&mut self) {
        self.ended = true;
        self.link.with(|state| {
            state.connection.end(self.id);
            state.wake_driver();
        });
    }

    /// Ends this side with an error, which the peer's handler sees.
    pub fn fail(mut self, error: &RemoteError) {
        self.ended = true;
        self.link.with(|state| {
            state.connection.end_with_error(self.id, error);
            state.wake_driver();
        });
    }

    /// [`end`](Self::end)s this side and waits until the peer has ended its own: for a peer of this crate that is when the
    /// handler has finished, for a JavaScript one when the end has arrived. Of a duplex, go on reading meanwhile.
    ///
    /// Cancel safe in that the end is said when the future is first polled and dropping it does not take that back; dropped
    /// before, it gives up like the stream itself.
    ///
    /// # Errors
    /// The error with which the peer ended the stream, or that of the connection.
    pub async fn close(mut self) -> Result<(), Error> {
        self.end();
        self.ended().await
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.link.with(|state| {
            if !self.ended {
                state
                    .connection
                    .end_with_error(self.id, &RemoteError::new("the writer of this stream gave up"));
            }
            state.release_stream(self.id);
            state.wake_driver();
        });
    }
}
