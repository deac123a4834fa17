//! Noticing that a neighbour is gone though its connection says nothing.

use crate::{
    PeerId, Time,
    membership::{Frame, Membership, Output, Want},
};

/// How often a silent neighbour is asked before it is suspected, and again before it is given up. With a fifth of all frames
/// lost, one question and its answer get lost in 36 of 100 cases; four of them in 2, eight in less than one in a thousand.
const PINGS: u32 = 4;

impl<P: PeerId> Membership<P> {
    /// Looks after the links whose time has come.
    pub(crate) fn keep_alive(&mut self, now: Time) {
        let (me, idle) = (self.me.peer, self.config.idle);
        let pause = self.config.suspect / PINGS;
        let mut silent = Vec::new();
        let mut dead = Vec::new();
        let mut suspected = false;
        for link in &mut self.views.active {
            if link.check > now {
                continue;
            }
            // One side asks, and the answer tells both; the other side asks only if that question does not come.
            let idle = if me < link.contact.peer { idle } else { idle + idle / 8 };
            if now.since(link.heard) < idle {
                link.check = link.heard + idle;
                continue;
            }
            if link.pings >= 2 * PINGS {
                dead.push(link.contact.peer);
                continue;
            }
            if link.pings == PINGS {
                link.suspect = true;
                suspected = true;
            }
            link.pings += 1;
            link.check = now + pause;
            silent.push(link.contact.peer);
        }
        for peer in silent {
            self.send(peer, Frame::Ping);
        }
        for peer in &dead {
            self.drop_link(peer);
            self.output.push_back(Output::Down(*peer));
            self.output.push_back(Output::Disconnect(*peer));
        }
        if suspected || !dead.is_empty() {
            self.mixing.hurry(now, &self.config);
            self.refusals = 0;
            self.refill(now);
        }
    }

    pub(crate) fn on_ping(&mut self, from: P, now: Time) {
        if self.views.is_linked(&from) {
            self.send(from, Frame::Pong);
        } else if self.views.has_room() {
            // It thinks that we are neighbours; our part in that got lost.
            if let Some(known) = self.views.known(&from) {
                let contact = known.contact.clone();
                if self.requests.iter().all(|request| request.contact.peer != from) {
                    self.ask(contact, Want::Low, now);
                }
            } else {
                self.turn_away(from, true);
            }
        } else {
            self.turn_away(from, true);
        }
    }
}
