//! Noticing that a neighbour is gone though its connection says nothing.

use crate::{
    PeerId, Time,
    membership::{Config, Frame, Membership, Output, Want, views::Link},
};
use std::time::Duration;

/// How often a silent neighbour is asked before it is suspected, and again before it is given up. With a fifth of all frames
/// lost, one question and its answer get lost in 36 of 100 cases; four of them in 2, eight in less than one in a thousand.
const PINGS: u32 = 4;

/// After so many questions without an answer the other neighbours are asked, too: what took one may have taken more. Two are
/// often lost by chance, and then the others answer.
const DOUBTS: u32 = PINGS / 2;

/// How many times the wait for one answer it takes until a neighbour is suspected: the first two of [`PINGS`] questions have
/// been waited for in full by then, and all of them when it is given up.
const WAITS: u32 = 2;

impl<P> Link<P> {
    /// How long this neighbour may leave questions unanswered before it is suspected, and again before it is given up.
    fn patience(&self, config: &Config) -> Duration {
        self.trips.wait().map_or(config.suspect, |wait| wait * WAITS)
    }

    /// What a question carries and its answer brings back: when it was asked, in milliseconds since the link began.
    fn stamp(&self, now: Time) -> u32 {
        // Of 49 days the answer may take one minute, so the lower bits tell enough.
        now.since(self.since).as_millis() as u32
    }
}

impl<P: PeerId> Membership<P> {
    /// Looks after the links whose time has come.
    pub(crate) fn keep_alive(&mut self, now: Time) {
        let (me, idle) = (self.me.peer, self.config.idle);
        let mut asked = Vec::new();
        let mut dead = Vec::new();
        let (mut doubted, mut suspected) = (false, false);
        for link in &mut self.views.active {
            if link.check > now {
                continue;
            }
            // One side asks, and the answer tells both; the other side asks only if that question does not come.
            let idle = if me < link.contact.peer { idle } else { idle + idle / 8 };
            let silent = link.pings > 0 || now.since(link.heard) >= idle;
            if !silent && !link.ask && !link.trips.are_stale(now) {
                link.check = link.heard + idle;
                continue;
            }
            if link.pings >= 2 * PINGS {
                dead.push(link.contact.peer);
                continue;
            }
            doubted |= link.pings == DOUBTS;
            if link.pings == PINGS {
                link.suspect = true;
                suspected = true;
            }
            link.ask = false;
            link.pings += 1;
            link.check = now + link.patience(&self.config) / PINGS;
            asked.push((link.contact.peer, link.stamp(now)));
        }
        for (peer, stamp) in asked {
            self.send(peer, Frame::Ping { stamp });
        }
        for peer in &dead {
            self.drop_link(peer);
            self.output.push_back(Output::Down(*peer));
            self.output.push_back(Output::Disconnect(*peer));
        }
        if doubted {
            self.doubt(now);
        }
        if suspected || !dead.is_empty() {
            self.mixing.hurry(now, &self.config);
            self.refusals = 0;
            self.refill(now);
        }
    }

    /// Something that should have come has not: all neighbours that have been silent for a moment are asked at once, rather
    /// than each when it has been idle for long.
    pub fn doubt(&mut self, now: Time) {
        for link in &mut self.views.active {
            if link.pings == 0 && now.since(link.heard) >= link.patience(&self.config) / PINGS {
                link.ask = true;
                link.check = now;
            }
        }
    }

    pub(crate) fn on_ping(&mut self, from: P, stamp: u32, now: Time) {
        if self.views.is_linked(&from) {
            self.send(from, Frame::Pong { stamp });
        } else if self.requests.iter().any(|request| request.contact.peer == from) {
            // Its answer to our request comes, or another request follows.
        } else if let Some(known) = self.views.known(&from).filter(|_| self.views.has_room()) {
            // It thinks that we are neighbours; our part in that got lost.
            let contact = known.contact.clone();
            self.ask(contact, Want::Low, now);
        } else {
            self.turn_away(from, true);
        }
    }

    pub(crate) fn on_pong(&mut self, from: P, stamp: u32, now: Time) {
        if let Some(link) = self.views.link_mut(&from) {
            let took = link.stamp(now).wrapping_sub(stamp);
            link.trips.observe(Duration::from_millis(took.into()), now);
        }
    }
}
