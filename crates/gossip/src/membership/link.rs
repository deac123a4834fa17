//! Asking for links, granting them, giving them up.

use crate::{
    Contact, PeerId, Time,
    membership::{
        Frame, Membership, Output, Want,
        config::Config,
        views::{Link, pick},
    },
};
use std::time::Duration;

/// A peer that was asked to be a neighbour and has not answered.
#[derive(Clone, Debug)]
pub(crate) struct Request<P> {
    pub(crate) contact: Contact<P>,
    want: Want<P>,
    /// Until then nobody else is asked instead.
    patience: Time,
    late: bool,
    expires: Time,
}

impl<P> Request<P> {
    pub(crate) const fn due(&self) -> Time {
        if self.late { self.expires } else { self.patience }
    }
}

/// How often something may happen: some times at once, and again one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    max: u32,
    left: u32,
    since: Time,
}

/// A stranger that asks with high priority, or for a swap, costs a node one of its links. This is the time after which it
/// may cost another one. Somebody with many identities needs minutes to take the links that can be taken at all, and while
/// he does, mixing gives the node others.
const EVICTION_INTERVAL: Duration = Duration::from_secs(2);

/// The requests that are open at once. Each may cost a dial, so a flood of peers to ask does not become a flood of dials.
const REQUESTS_MAX: usize = 16;

/// With so many neighbours silent at once, half of the network may be, and half of those who are asked will not answer either.
const MANY_SUSPECTS: usize = 2;

/// How many peers a refusal names.
const REFUSE_PEERS: usize = 3;

/// How long a peer that refused, or was given up, is left alone.
const REFUSAL_REST: Duration = Duration::from_secs(3);

impl Allowance {
    pub(crate) fn new(max: usize, now: Time) -> Self {
        let max = u32::try_from(max).unwrap_or(u32::MAX);
        Self {
            max,
            left: max,
            since: now,
        }
    }

    fn take(&mut self, now: Time, interval: Duration) -> bool {
        while self.left < self.max && now.since(self.since) >= interval {
            self.left += 1;
            self.since += interval;
        }
        if self.left == self.max {
            self.since = now;
        }
        self.left = match self.left.checked_sub(1) {
            Some(left) => left,
            None => return false,
        };
        true
    }
}

impl<P: PeerId> Membership<P> {
    /// Asks for links while neighbours are missing.
    ///
    /// Only half of what is missing is asked for at once; the other half is for those who ask meanwhile, so that a crowd in
    /// which everybody asks everybody does not refuse itself. Where many have vanished, half of those who are asked have, too.
    pub(crate) fn refill(&mut self, now: Time) {
        self.fill_at = None;
        if !self.present {
            return;
        }
        let missing = self.views.missing();
        if missing == 0 {
            return;
        }
        let suspects = self.views.active.iter().filter(|link| link.suspect).count();
        let wanted = if suspects >= MANY_SUSPECTS {
            missing
        } else {
            (missing / 2 + self.refusals as usize / 2).clamp(1, missing)
        };
        loop {
            let open = self.requests.iter().filter(|request| !request.late).count();
            if open >= wanted || self.requests.len() >= REQUESTS_MAX {
                return;
            }
            let requests = &self.requests;
            let asked = |peer: &P| requests.iter().any(|request| request.contact.peer == *peer);
            let Some(candidate) = self.views.candidate(now, asked, &mut self.random) else {
                self.fill_later(now);
                return;
            };
            self.ask(candidate, self.priority(missing), now);
        }
    }

    /// Whoever is alone must not be refused; whoever misses two links and finds everybody full asks to be put into the
    /// middle of a link, which costs nobody anything.
    fn priority(&self, missing: usize) -> Want<P> {
        /// Refusals after which a node thinks that everybody is full.
        const FULL: u32 = 2;
        if self.views.active.is_empty() || (missing >= 2 && self.refusals >= FULL) {
            Want::High
        } else {
            Want::Low
        }
    }

    fn fill_later(&mut self, now: Time) {
        if let Some(rested) = self.views.next_rested() {
            let soon = now + self.config.request_timeout;
            self.fill_at = Some(rested.max(soon));
        } else if self.joining.retry.is_none() {
            // Nobody is left to ask but the contacts that were given. An attempt that is due is not put off.
            self.joining.retry_after(now, &mut self.random);
        }
    }

    pub(crate) fn ask(&mut self, contact: Contact<P>, want: Want<P>, now: Time) {
        let to = contact.peer;
        self.send(
            to,
            Frame::Neighbour {
                address: self.me.address.clone(),
                pass: self.pass.clone(),
                want: want.clone(),
            },
        );
        self.requests.push(Request {
            contact,
            want,
            patience: now + self.config.request_timeout,
            late: false,
            expires: now + self.config.request_lifetime,
        });
    }

    pub(crate) fn take_request(&mut self, peer: &P) -> Option<Request<P>> {
        let place = self.requests.iter().position(|request| request.contact.peer == *peer)?;
        Some(self.requests.swap_remove(place))
    }

    pub(crate) fn expire_requests(&mut self, now: Time) {
        let mut silent = Vec::new();
        let mut late = 0;
        self.requests.retain_mut(|request| {
            if !request.late && request.patience <= now {
                request.late = true;
                late += 1;
            }
            if request.expires <= now {
                silent.push(request.contact.peer);
            }
            request.expires > now
        });
        let expired = !silent.is_empty();
        for peer in silent {
            self.views.failed(&peer, now);
        }
        if late > 0 || expired {
            self.refusals = self.refusals.saturating_add(late);
            self.refill(now);
        }
    }

    pub(crate) fn on_neighbour(&mut self, from: Contact<P>, want: Want<P>, now: Time) {
        let peer = from.peer;
        if self.views.is_linked(&peer) {
            // Our first answer got lost.
            self.accept(peer, None);
            return;
        }
        self.take_request(&peer);
        if matches!(&want, Want::Swap(other) if !sound(other)) {
            self.refuse(from, now);
            return;
        }
        let gave_up = if self.make_room(now) {
            None
        } else {
            match self.victim(&peer, &want, now) {
                Some(victim) => {
                    let instead = match &want {
                        Want::Swap(other) => other.clone(),
                        _ => from.clone(),
                    };
                    self.give_up(&victim, Some(instead), now)
                }
                None => {
                    self.refuse(from, now);
                    return;
                }
            }
        };
        self.link(from, now);
        self.accept(peer, gave_up);
    }

    fn accept(&mut self, peer: P, gave_up: Option<Contact<P>>) {
        let frame = Frame::Accept {
            address: self.me.address.clone(),
            pass: self.pass.clone(),
            gave_up,
        };
        self.send(peer, frame);
    }

    fn refuse(&mut self, from: Contact<P>, now: Time) {
        let mut peers = Vec::new();
        self.views
            .sample_passive(REFUSE_PEERS, &from.peer, &mut self.random, &mut peers);
        self.send(from.peer, Frame::Refuse { peers });
        self.views.met(from, now + REFUSAL_REST, &mut self.random);
    }

    /// Which link a request that cannot be refused takes.
    ///
    /// The older half of the links is never taken by strangers: they would otherwise surround a node. Nor is a link that
    /// carries messages: whoever asks finds others that do not.
    fn victim(&mut self, from: &P, want: &Want<P>, now: Time) -> Option<P> {
        let other = match want {
            Want::Low => return None,
            Want::High => None,
            Want::Swap(other) => Some(other.peer),
        };
        let mut ages: Vec<Time> = self.views.active.iter().map(|link| link.since).collect();
        ages.sort_unstable();
        let kept = ages.get((self.config.active / 2).saturating_sub(1)).copied()?;
        let free = |link: &Link<P>| link.since > kept && link.contact.peer != *from && Some(link.contact.peer) != other;
        let place = pick(
            self.views.active.iter().map(|link| free(link) && !link.carries),
            &mut self.random,
        )?;
        let victim = self.views.active.get(place).map(|link| link.contact.peer)?;
        self.evictions.take(now, EVICTION_INTERVAL).then_some(victim)
    }

    /// Whether there is room for a link, if need be in place of one that seems dead.
    fn make_room(&mut self, now: Time) -> bool {
        if self.views.has_room() {
            return true;
        }
        let Some(suspect) = self.views.active.iter().find(|link| link.suspect) else {
            return false;
        };
        let peer = suspect.contact.peer;
        self.give_up(&peer, None, now);
        self.views.failed(&peer, now);
        true
    }

    fn link(&mut self, contact: Contact<P>, now: Time) {
        let peer = contact.peer;
        self.views.add_link(contact, now);
        self.refusals = 0;
        self.output.push_back(Output::Up(peer));
        if self.views.missing() > 0 {
            self.refill(now);
        }
    }

    pub(crate) fn drop_link(&mut self, peer: &P) -> Option<Contact<P>> {
        self.views.remove_link(peer).map(|link| link.contact)
    }

    /// Ends a link and tells the other end who else has just lost one.
    pub(crate) fn give_up(&mut self, peer: &P, instead: Option<Contact<P>>, now: Time) -> Option<Contact<P>> {
        let contact = self.drop_link(peer)?;
        self.output.push_back(Output::Down(*peer));
        self.send(*peer, Frame::Disconnect { alive: true, instead });
        self.views.met(contact.clone(), now + REFUSAL_REST, &mut self.random);
        self.note_address(contact.clone());
        Some(contact)
    }

    pub(crate) fn on_accept(&mut self, from: Contact<P>, gave_up: Option<Contact<P>>, now: Time) {
        let peer = from.peer;
        if self.views.is_linked(&peer) {
            return;
        }
        let request = self.take_request(&peer);
        if let Some(Request {
            want: Want::Swap(other),
            ..
        }) = &request
            && !self.views.has_room()
            && self.views.link(&other.peer).is_some_and(|link| !link.carries)
        {
            self.give_up(&other.peer, gave_up.filter(sound), now);
        }
        if self.make_room(now) {
            self.link(from, now);
        } else {
            self.turn_away(peer, true);
        }
    }

    pub(crate) fn on_refuse(&mut self, from: P, peers: Vec<Contact<P>>, now: Time) {
        let Some(request) = self.take_request(&from) else {
            return;
        };
        self.views.rest(&from, now + REFUSAL_REST);
        for peer in peers.into_iter().take(REFUSE_PEERS) {
            self.views.heard_of(peer, from, &mut self.random);
        }
        self.release(from);
        if !matches!(request.want, Want::Swap(_)) {
            self.refusals = self.refusals.saturating_add(1);
            self.after_refusal(now);
        }
    }

    /// Nearly everybody is full once a network is built, so whoever misses one link only does not knock at all doors.
    fn after_refusal(&mut self, now: Time) {
        /// The first pause; doubles with each refusal.
        const PAUSE: Duration = Duration::from_millis(50);
        if self.views.missing() > 1 {
            self.refill(now);
        } else {
            let pause = PAUSE * (1 << self.refusals.min(16));
            self.fill_at = Some(now + pause.min(self.config.shuffle_interval));
        }
    }

    pub(crate) fn on_disconnect(&mut self, from: P, alive: bool, instead: Option<Contact<P>>, now: Time) {
        self.take_request(&from);
        let Some(contact) = self.drop_link(&from) else {
            if alive {
                self.views.rest(&from, now + REFUSAL_REST);
            } else {
                self.views.forget(&from);
            }
            self.output.push_back(Output::Disconnect(from));
            self.refill(now);
            return;
        };
        self.output.push_back(Output::Down(from));
        self.output.push_back(Output::Disconnect(from));
        if alive {
            self.views.met(contact, now + REFUSAL_REST, &mut self.random);
        }
        let open = |other: &Contact<P>| {
            sound(other) && other.peer != self.me.peer && !self.needs(&other.peer) && self.requests.len() < REQUESTS_MAX
        };
        if let Some(other) = instead.filter(open) {
            self.ask(other, Want::Low, now);
        } else if !alive {
            self.mixing.hurry(now, &self.config);
        }
        self.refill(now);
    }

    /// Asks a random peer far away to exchange a neighbour for one of ours.
    ///
    /// This is what makes the graph random, and what joins two halves of a network that have lost sight of each other.
    pub(crate) fn swap(&mut self, now: Time) {
        if self.views.missing() > 0 || self.requests.len() >= REQUESTS_MAX {
            return;
        }
        let given = pick(
            self.views.active.iter().map(|link| !link.carries && !link.suspect),
            &mut self.random,
        );
        let Some(given) = given.and_then(|place| self.views.active.get(place)) else {
            return;
        };
        let given = given.contact.clone();
        let requests = &self.requests;
        let asked = |peer: &P| requests.iter().any(|request| request.contact.peer == *peer);
        if let Some(far) = self.views.candidate(now, asked, &mut self.random) {
            self.ask(far, Want::Swap(given), now);
        }
    }
}

/// Whether a contact that somebody names may be used.
pub(crate) fn sound<P>(contact: &Contact<P>) -> bool {
    contact.address.len() <= Contact::<P>::ADDRESS_MAX
}

const _: () = assert!(REFUSE_PEERS <= Config::PEERS_MAX);
