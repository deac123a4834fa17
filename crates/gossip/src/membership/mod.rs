//! Who is a neighbour of whom: HyParView, made shallow.
//!
//! Each node keeps a handful of links (the active view), thirty peers in reserve (the passive view), and a memory of former
//! ones beyond. A link is mutual: both sides have it, or neither.
//!
//! ```text
//!   newcomers        contact            far away            A ─── B          A     B
//!     Join ────────────>│                                                    │     │
//!     Join ────────────>│ holds 25 ms                       C ─── D   ──>    C     D
//!     <──── Welcome: each other ───>│
//!     Neighbour ──> one another        <── Shuffle walk ──   A asks C to swap: each gives up one,
//!     <── Accept, or Refuse + peers    ── ShuffleReply ──>   and those two are told of each other
//! ```
//!
//! # What differs from the paper, and why
//! The paper (Leitão, Pereira, Rodrigues: *HyParView*, DSN 2007) lets a contact take each newcomer as a neighbour at the
//! cost of an older one. A crowd that comes at the same instant is so chained one behind the other, and a shuffle every
//! minute mends that slowly. The published sizes and walks stand; the rest is made so that the links are those of a random
//! graph within a second, and stay so:
//!
//! - **Welcome.** A contact answers the joins of some 25 ms together, and names to each newcomer others of the crowd,
//!   earlier newcomers, and some of its own views. Newcomers ask each other; the contact's links remain.
//! - **Half at once.** Whoever misses links asks for half of them and leaves the rest to those who ask meanwhile.
//! - **Links are split, not cut.** A request of high priority costs the asked node a neighbour, who is told who has come in
//!   its place and asks for a link there.
//! - **Swaps.** Two nodes far apart exchange a neighbour each. That keeps all degrees, makes any graph random, and joins
//!   halves of a network that have lost sight of each other. Swaps and shuffles begin ten times a second and slow down to
//!   one a minute.
//! - **Links that carry messages are kept.** Neither swaps nor strangers take them, so the broadcast tree stays.
//! - **Silence is noticed.** A machine that lost power closes no connection, so a link idle for a second is tried. How long its
//!   answer may take follows from the round trips that were measured, as TCP's patience does: a neighbour in the same town is
//!   replaced after a third of a second more and given up after two thirds, one behind an onion service after many seconds.
//!   When one neighbour falls silent, or what others announce does not come, all that are silent are tried at once.
//! - **Strangers are bounded.** They never take the older half of the links and one link every two seconds at most; one peer
//!   fills a third of the passive view at most; answers to questions that were not asked change nothing. Each bound is a
//!   constant that says which attack it stops.

mod config;
mod frame;
mod join;
mod keepalive;
mod link;
mod roundtrip;
mod shuffle;
mod views;

pub use config::Config;
pub use frame::{Frame, Want};

use crate::{Contact, PeerId, Rules, Time};
use bytes::Bytes;
use join::Joining;
use link::{Allowance, Request};
use rand::{SeedableRng, rngs::ChaCha8Rng};
use shuffle::Mixing;
use std::collections::VecDeque;
use views::Views;

/// The machine that finds neighbours for one node in one topic and keeps them.
///
/// After each call, drain [`Membership::poll`]; then [`Membership::poll_timeout`] says when to call
/// [`Membership::handle_timeout`].
#[derive(Debug)]
pub struct Membership<P> {
    me: Contact<P>,
    pass: Bytes,
    config: Config,
    random: ChaCha8Rng,
    views: Views<P>,
    requests: Vec<Request<P>>,
    /// Requests in a row that were refused or not answered.
    refusals: u32,
    /// When to look for neighbours again.
    fill_at: Option<Time>,
    /// How many links strangers may still take.
    evictions: Allowance,
    joining: Joining<P>,
    mixing: Mixing<P>,
    /// Where those are to whom something was sent though they are in no view.
    recent: VecDeque<Contact<P>>,
    present: bool,
    output: VecDeque<Output<P>>,
}

/// What the machine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<P> {
    /// Send a frame. If there is no connection, make one: [`Membership::address`] says where to.
    Send {
        /// To whom.
        to: P,
        /// What.
        frame: Frame<P>,
    },
    /// This peer is a neighbour now.
    Up(P),
    /// This peer is a neighbour no more.
    Down(P),
    /// The connection to this peer is not needed any more.
    Disconnect(P),
}

/// How many addresses of peers outside of the views are kept for answers to them.
const RECENT_MAX: usize = 16;

impl<P: PeerId> Membership<P> {
    /// A node that knows nobody. `me` says where others reach it.
    #[must_use]
    pub fn new(me: Contact<P>, config: Config, seed: [u8; 32], now: Time) -> Self {
        Self {
            views: Views::new(me.peer, &config),
            me,
            pass: Bytes::new(),
            random: ChaCha8Rng::from_seed(seed),
            requests: Vec::new(),
            refusals: 0,
            fill_at: None,
            evictions: Allowance::new(config.active, now),
            joining: Joining::new(&config),
            mixing: Mixing::new(&config),
            recent: VecDeque::new(),
            present: true,
            output: VecDeque::new(),
            config,
        }
    }

    /// What this node shows to be let in: [`Rules::pass`].
    pub fn set_pass(&mut self, pass: Bytes) {
        self.pass = pass;
    }

    /// Joins through these contacts; they are remembered for when the node finds itself alone.
    pub fn join(&mut self, contacts: Vec<Contact<P>>, now: Time) {
        self.present = true;
        self.give(contacts);
        self.begin(now);
        self.mixing.start(now, &self.config);
    }

    /// Contacts that were found some other way: candidates for links.
    pub fn discovered(&mut self, contacts: Vec<Contact<P>>, now: Time) {
        for contact in &contacts {
            self.views.heard_of(contact.clone(), self.me.peer, &mut self.random);
        }
        self.give(contacts);
        self.mixing.hurry(now, &self.config);
        self.refill(now);
    }

    /// Says good-bye to all neighbours.
    pub fn leave(&mut self, now: Time) {
        let _ = now;
        self.present = false;
        self.requests.clear();
        for link in std::mem::take(&mut self.views.active) {
            let peer = link.contact.peer;
            self.output.push_back(Output::Down(peer));
            self.send(
                peer,
                Frame::Disconnect {
                    alive: false,
                    instead: None,
                },
            );
        }
    }

    /// A frame arrived. `from` is who the connection proves it to be.
    pub fn handle(&mut self, from: P, frame: Frame<P>, rules: &mut dyn Rules<P>, now: Time) {
        if from == self.me.peer {
            return;
        }
        self.heard(&from, now);
        if !self.present {
            // Whoever still thinks of this node as a neighbour is told, and nobody else.
            if matches!(frame, Frame::Ping { .. } | Frame::Neighbour { .. } | Frame::Join { .. }) {
                self.turn_away(from, false);
            }
            return;
        }
        match frame {
            Frame::Join { address, pass } => {
                if let Some(newcomer) = self.admitted(from, address, &pass, rules, now) {
                    self.on_join(newcomer, now);
                }
            }
            Frame::Welcome { peers } => self.on_welcome(from, peers, now),
            Frame::ForwardJoin { peer, ttl } => self.on_forward_join(from, peer, ttl, now),
            Frame::Neighbour { address, pass, want } => {
                if let Some(peer) = self.admitted(from, address, &pass, rules, now) {
                    self.on_neighbour(peer, want, now);
                }
            }
            Frame::Accept { address, pass, gave_up } => {
                if let Some(peer) = self.admitted(from, address, &pass, rules, now) {
                    self.on_accept(peer, gave_up, now);
                }
            }
            Frame::Refuse { peers } => self.on_refuse(from, peers, now),
            Frame::Disconnect { alive, instead } => self.on_disconnect(from, alive, instead, now),
            Frame::Shuffle {
                origin,
                nonce,
                ttl,
                peers,
            } => self.on_shuffle(from, origin, nonce, ttl, peers, now),
            Frame::ShuffleReply { nonce, peers } => self.on_shuffle_reply(from, nonce, peers, now),
            Frame::Ping { stamp } => self.on_ping(from, stamp, now),
            Frame::Pong { stamp } => self.on_pong(from, stamp, now),
            Frame::Unknown(_) => {}
        }
    }

    /// The connection to a peer broke, or could not be made.
    pub fn disconnected(&mut self, peer: &P, now: Time) {
        let asked = self.take_request(peer).is_some();
        if let Some(link) = self.views.remove_link(peer) {
            self.output.push_back(Output::Down(*peer));
            self.views.met(link.contact, now, &mut self.random);
            self.mixing.hurry(now, &self.config);
            self.refusals = 0;
        } else if asked {
            self.refusals = self.refusals.saturating_add(1);
        }
        self.views.failed(peer, now);
        self.joining.reservoir.retain(|contact| contact.peer != *peer);
        if self.present {
            self.refill(now);
        }
    }

    /// Something arrived from a peer, whatever it was.
    pub fn heard(&mut self, peer: &P, now: Time) {
        if let Some(link) = self.views.link_mut(peer) {
            link.heard = now;
            link.pings = 0;
            link.suspect = false;
        }
    }

    /// Says over which links messages come or go. Such links are given up last.
    pub fn carried_by(&mut self, carries: impl Fn(&P) -> bool) {
        for link in &mut self.views.active {
            link.carries = carries(&link.contact.peer);
        }
    }

    /// What the machine wants done next.
    pub fn poll(&mut self) -> Option<Output<P>> {
        self.output.pop_front()
    }

    /// The moment of [`Membership::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Time) {
        let due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        if due(self.joining.hold) {
            self.welcome(now);
        }
        if !self.present {
            return;
        }
        self.keep_alive(now);
        self.expire_requests(now);
        if due(self.fill_at) {
            self.refill(now);
        }
        if due(self.joining.retry) {
            self.retry_join(now);
        }
        if due(self.joining.greeting) {
            self.greet(now);
        }
        self.mix(now);
        // One link's silence makes others due at this very moment.
        self.keep_alive(now);
    }

    /// When to call [`Membership::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        if !self.present {
            return self.joining.hold;
        }
        let links = self.views.active.iter().map(|link| link.check);
        let requests = self.requests.iter().map(Request::due);
        let mixing = [self.mixing.shuffles.next, self.mixing.swaps.next];
        let others = [
            self.joining.hold,
            self.fill_at,
            self.joining.retry,
            self.joining.greeting,
        ];
        links
            .chain(requests)
            .chain(others.into_iter().chain(mixing).flatten())
            .min()
    }

    /// Whether the connection to a peer is needed: it is a neighbour, or was asked to be one.
    #[must_use]
    pub fn needs(&self, peer: &P) -> bool {
        self.views.is_linked(peer) || self.requests.iter().any(|request| request.contact.peer == *peer)
    }

    /// A peer did what no honest one does: it is forgotten. Whoever drives the machine hands in nothing more from it.
    pub fn expel(&mut self, peer: &P, now: Time) {
        self.take_request(peer);
        if self.drop_link(peer).is_some() {
            self.output.push_back(Output::Down(*peer));
        }
        self.views.forget(peer);
        self.joining.forget(peer);
        self.refill(now);
    }

    /// The neighbours.
    pub fn active(&self) -> impl Iterator<Item = &P> {
        self.views.active.iter().map(|link| &link.contact.peer)
    }

    /// The peers in reserve.
    pub fn passive(&self) -> impl Iterator<Item = &P> {
        self.views.passive.iter().map(|known| &known.contact.peer)
    }

    /// Where a peer is, if this node has it from somewhere.
    #[must_use]
    pub fn address(&self, peer: &P) -> Option<&Bytes> {
        let linked = self.views.link(peer).map(|link| &link.contact);
        linked
            .or_else(|| {
                let asked = self.requests.iter().map(|request| &request.contact);
                let known = self.views.known(peer).map(|known| &known.contact);
                asked
                    .chain(known)
                    .chain(&self.recent)
                    .chain(&self.joining.given)
                    .chain(&self.joining.newcomers)
                    .find(|contact| contact.peer == *peer)
            })
            .map(|contact| &contact.address)
    }

    /// The peer behind a connection, if it may be a neighbour and says a sound address.
    fn admitted(
        &mut self,
        peer: P,
        address: Bytes,
        pass: &[u8],
        rules: &mut dyn Rules<P>,
        now: Time,
    ) -> Option<Contact<P>> {
        if address.len() <= Contact::<P>::ADDRESS_MAX && pass.len() <= PASS_MAX && rules.admits(&peer, pass, now) {
            return Some(Contact { peer, address });
        }
        self.take_request(&peer);
        if self.drop_link(&peer).is_some() {
            self.output.push_back(Output::Down(peer));
            self.refill(now);
        }
        self.views.forget(&peer);
        self.turn_away(peer, false);
        None
    }

    /// Tells a peer that this node is no neighbour of it.
    fn turn_away(&mut self, peer: P, alive: bool) {
        self.send(peer, Frame::Disconnect { alive, instead: None });
    }

    fn send(&mut self, to: P, frame: Frame<P>) {
        self.output.push_back(Output::Send { to, frame });
    }

    /// The connection to a peer is of no use, unless the peer is a neighbour or may become one.
    fn release(&mut self, peer: P) {
        if !self.needs(&peer) {
            self.output.push_back(Output::Disconnect(peer));
        }
    }

    /// Remembers where to send an answer.
    fn note_address(&mut self, contact: Contact<P>) {
        if self.recent.len() >= RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(contact);
    }
}

/// The longest pass, in bytes: see [`Rules::pass`].
const PASS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    struct Anybody;

    impl Rules<u32> for Anybody {
        fn read(&mut self, _: &[Bytes], _: Time) -> Vec<Result<crate::Item, crate::Refused>> {
            Vec::new()
        }
    }

    #[test]
    fn the_addresses_of_so_many_strangers_are_kept_for_the_answers_to_them() {
        let mut now = Time::from_micros(1_000_000);
        let mut node = Membership::new(Contact::new(0u32), Config::default(), [7; 32], now);
        let ask = Frame::Neighbour {
            address: Bytes::new(),
            pass: Bytes::new(),
            want: Want::High,
        };
        node.handle(1, ask, &mut Anybody, now);
        while node.poll().is_some() {}
        for stranger in 100..1000 {
            now += std::time::Duration::from_millis(20);
            node.heard(&1, now);
            let origin = Contact {
                peer: stranger,
                address: Bytes::from(stranger.to_string()),
            };
            let shuffle = Frame::Shuffle {
                origin: origin.clone(),
                nonce: 1,
                ttl: 0,
                peers: Vec::new(),
            };
            node.handle(1, shuffle, &mut Anybody, now);
            assert!(node.recent.len() <= RECENT_MAX);
            let answered = std::iter::from_fn(|| node.poll()).any(
                |output| matches!(output, Output::Send { to, frame: Frame::ShuffleReply { .. } } if to == stranger),
            );
            assert!(answered, "each is answered");
            assert_eq!(node.address(&stranger), Some(&origin.address), "where it says");
        }
        assert_eq!(node.recent.len(), RECENT_MAX);
    }
}
