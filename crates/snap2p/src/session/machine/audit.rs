//! What must hold of a session at any time, for the laws in `check`.

use super::{Config, EVENTS_MAX, Now, PeerInfo, Session};
use crate::{frame::Decoder, limits::HANDSHAKE_FRAME_MAX, noise::Established};

impl Session {
    /// A session whose handshake somebody else has made, and whose frames are so short that writes take several.
    pub(crate) fn of(noise: Established, peer: PeerInfo, config: Config, now: Now) -> Self {
        Self {
            data_max: 300,
            ..Self::new(noise, peer, Decoder::new(HANDSHAKE_FRAME_MAX), config, now)
        }
    }

    /// Asserts the invariants and the bounds. No frame that was taken had more than `frame_max` bytes.
    pub(crate) fn audit(&self, frame_max: usize) {
        self.streams.audit();
        self.sending.audit(self.streams.len());
        assert!(self.streams.unread() <= self.config.receive_hard + frame_max);
        assert!(self.streams.unsent() <= self.config.send_total);
        // What one frame, or the end of all streams, adds to a full line.
        assert!(self.events.len() <= EVENTS_MAX + 4 + 2 * self.config.streams_max);
        assert!(!(self.streams.full() == 0 && self.out_of_patience));
        if self.over.is_some() {
            assert!(!self.has_output() && !self.wants_input() && self.poll_timeout().is_none());
        }
    }

    /// Asserts that nothing is held besides the machine itself, which is what an idle session costs.
    pub(crate) fn audit_idle(&self) {
        assert_eq!(self.streams.len(), 0);
        assert_eq!(
            self.streams.capacity() + self.sending.capacity() + self.events.capacity(),
            0
        );
        assert!(size_of::<Self>() <= 1536, "{} bytes", size_of::<Self>());
    }
}
