//! The seam between the engine and what runs on it.

use crate::Time;

/// The name of a simulated node: they are numbered from 0.
pub type NodeId = u32;

/// What the engine has to know of a frame: frames are moved, never encoded.
pub trait Wire {
    /// The names of all kinds of frame, for reports.
    const KINDS: &'static [&'static str];

    /// Which of [`Wire::KINDS`] this is.
    fn kind(&self) -> usize;

    /// How many bytes the frame takes when it is encoded.
    fn wire_len(&self) -> usize;

    /// Whether a whole message travels in it.
    fn is_payload(&self) -> bool;
}

/// A simulated node. The engine hands in what arrived, then drains [`Actor::poll`], then asks when to wake it.
pub trait Actor {
    /// What nodes send to each other.
    type Frame: Wire;
    /// What nodes tell the observer.
    type Event;

    /// Something arrived.
    fn handle(&mut self, input: Input<Self::Frame>, now: Time);

    /// The moment that [`Actor::poll_timeout`] named has come.
    fn handle_timeout(&mut self, now: Time);

    /// What the node wants done next; called until there is nothing.
    fn poll(&mut self, now: Time) -> Option<Output<Self::Frame, Self::Event>>;

    /// When to call [`Actor::handle_timeout`].
    fn poll_timeout(&self) -> Option<Time>;
}

/// What arrives at a node.
#[derive(Clone, Debug)]
pub enum Input<F> {
    /// A frame.
    Frame {
        /// Who sent it: a connection's other end cannot lie about that.
        from: NodeId,
        /// What it sent.
        frame: F,
    },
    /// The connection to a peer broke, or could not be made.
    Disconnected {
        /// Which peer.
        peer: NodeId,
    },
}

/// What a node wants done.
#[derive(Clone, Debug)]
pub enum Output<F, E> {
    /// Send a frame, over a new connection if there is none.
    Send {
        /// Who gets it.
        to: NodeId,
        /// What is sent.
        frame: F,
    },
    /// Close the connection to a peer.
    Disconnect {
        /// Which peer.
        peer: NodeId,
    },
    /// Tell the observer.
    Event(E),
}

impl<A: Actor + ?Sized> Actor for Box<A> {
    type Frame = A::Frame;
    type Event = A::Event;

    fn handle(&mut self, input: Input<Self::Frame>, now: Time) {
        (**self).handle(input, now);
    }

    fn handle_timeout(&mut self, now: Time) {
        (**self).handle_timeout(now);
    }

    fn poll(&mut self, now: Time) -> Option<Output<Self::Frame, Self::Event>> {
        (**self).poll(now)
    }

    fn poll_timeout(&self) -> Option<Time> {
        (**self).poll_timeout()
    }
}
