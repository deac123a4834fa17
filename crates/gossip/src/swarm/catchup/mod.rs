//! Catch-up: neighbours compare what they have, and send what the other lacks.
//!
//! ```text
//!   has less                                   has more
//!      │ ◄───────────── Summary ────────────────  │     after changes, on new links; equal: nothing follows
//!      │ ─── Vector │ Sketch │ Reconcile ──────►  │     what I have, in the fewest bytes that can tell
//!      │ ◄───── Items, paced ───────────────────  │     what you lack
//!      │ ◄───── Vector (answer) │ Want ─────────  │     what I lack, if anything
//!      │ ────── Items ─────────────────────────►  │
//! ```
//!
//! Whatever is lost is made up for by the next Summary. Summaries repeat until both sides agree, ever more seldom; two
//! neighbours that agree are silent. Messages that came down the tree a moment ago are left to the tree.

mod queue;
mod reconcile;
pub(crate) mod runs;
mod serve;
mod short;
mod sketch;
mod vector;

pub use queue::ALL_COMPARISONS_MAX;

use super::{
    Output,
    config::Config,
    frame::{Fault, Frame, Reconcile, Sketch, Summary, Vector, WANT_MAX, Want},
    history::{History, State},
};
use crate::{MessageId, PeerId, Time};
use queue::Queue;
use rand::{RngExt, rngs::ChaCha8Rng};
use serve::{Bucket, Shelf};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// How many comparisons a neighbour may ask for at once, and how many more a second. Each goes through the whole history,
/// some milliseconds for 100,000 messages; more are not answered. What all neighbours together may ask for has a bound, too:
/// [`ALL_COMPARISONS_MAX`].
pub const COMPARISONS_MAX: u64 = 8;
/// See [`COMPARISONS_MAX`].
const COMPARISONS_RATE: u64 = 4;
/// How many messages that are known already a neighbour may send at once in Items frames, and how many more a second. Each
/// must be checked before it can be told what it is; more are not looked at.
pub const KNOWN_ITEMS_MAX: u64 = 8192;
/// See [`KNOWN_ITEMS_MAX`].
const KNOWN_ITEMS_RATE: u64 = 512;
/// How long nothing may come from the neighbour that was asked before another one is asked.
const SILENCE_MAX: Duration = Duration::from_secs(1);
/// How long one neighbour is listened to alone while others have more, too: time for a whole history at the usual rate. One
/// that brings a message now and then would keep the others from being asked.
const TURN_MAX: Duration = Duration::from_secs(15);
/// How soon after the last caught-up message the other neighbours hear of it.
const NEWS_DELAY: Duration = Duration::from_millis(100);
/// How many states of the own history are remembered, to recognise who is merely behind.
const TRAIL_MAX: usize = 16;
/// How often the span between two questions to one neighbour doubles at most while messages flow.
const FLOWING_STEPS: u32 = 2;
/// The most authors for whom a vector is tried.
const VECTOR_AUTHORS_MAX: usize = 1024;

/// What catch-up may see and use of the swarm.
pub(super) struct Context<'a, P> {
    pub(super) history: &'a History,
    pub(super) config: &'a Config,
    pub(super) rng: &'a mut ChaCha8Rng,
    pub(super) out: &'a mut VecDeque<Output<P>>,
    pub(super) now: Time,
}

impl<P> Context<'_, P> {
    fn send(&mut self, to: P, frame: Frame) {
        self.out.push_back(Output::send(to, frame));
    }

    fn summary(&self, fresh: bool) -> Summary {
        Summary {
            count: self.history.len() as u64,
            fingerprint: self.history.fingerprint(),
            authors: self.history.shelves().len() as u32,
            fresh,
            agreed: false,
        }
    }

    fn floor(&self) -> u64 {
        self.history.floor().as_millis()
    }
}

#[derive(Debug)]
pub(super) struct Catchup<P> {
    peers: BTreeMap<P, Peer>,
    /// When Summaries go out to those that are not known to agree, and the span after which they do so again.
    next: Option<Time>,
    interval: Duration,
    /// Whether the next Summaries tell of caught-up messages.
    fresh: bool,
    /// Since when there is news to tell. It is put off while more comes, but not for ever.
    news_since: Option<Time>,
    /// The neighbour that was asked, and until when it alone is listened to. Several would send the same.
    asked: Option<(P, Time)>,
    /// When its turn ends.
    turn_ends: Time,
    /// The last states of the own history.
    trail: VecDeque<State>,
    sorted: Option<reconcile::Sorted>,
    queue: Queue<P>,
}

#[derive(Debug)]
struct Peer {
    /// The state that it told last: if that is ours, we agree.
    heard: Option<[u8; 16]>,
    /// The state that it was told last, and when.
    told: Option<([u8; 16], Time)>,
    /// Its last Summary, if it has more than we, and when to act on it; until it is cleared up.
    doubt: Option<(Summary, Time)>,
    /// How often it was asked in vain, and before when it is not asked again.
    fruitless: u32,
    not_before: Time,
    /// Our state when it was asked last.
    asked: Option<[u8; 16]>,
    /// When it was asked last. Of several that have more, the one that was asked longest ago is next.
    asked_at: Time,
    comparisons: Bucket,
    known_items: Bucket,
    shelf: Shelf,
}

impl<P> Default for Catchup<P> {
    fn default() -> Self {
        Self {
            peers: BTreeMap::new(),
            next: None,
            interval: Duration::ZERO,
            fresh: false,
            news_since: None,
            asked: None,
            turn_ends: Time::default(),
            trail: VecDeque::new(),
            sorted: None,
            queue: Queue::default(),
        }
    }
}

impl<P: PeerId> Catchup<P> {
    pub(super) fn up(&mut self, peer: P, cx: &mut Context<'_, P>) {
        let summary = cx.summary(true);
        // Who has nothing has nothing to say: it is told by the other side.
        let speaks = summary.count > 0;
        let state = Peer {
            heard: None,
            told: speaks.then_some((summary.fingerprint, cx.now)),
            doubt: None,
            fruitless: 0,
            not_before: cx.now,
            asked: None,
            asked_at: Time::default(),
            comparisons: Bucket::new(COMPARISONS_MAX, cx.now),
            known_items: Bucket::new(KNOWN_ITEMS_MAX, cx.now),
            shelf: Shelf::new(cx.config, cx.now),
        };
        self.peers.insert(peer, state);
        if speaks {
            cx.send(peer, Frame::Summary(summary));
            self.schedule(cx.config.summary_min, false, cx);
        }
    }

    pub(super) fn down(&mut self, peer: &P) {
        self.peers.remove(peer);
        self.queue.forget(peer);
        self.asked.take_if(|(asked, _)| asked == peer);
    }

    /// The history has one message more, which the tree brought or which was published here.
    pub(super) fn grown(&mut self, cx: &mut Context<'_, P>) {
        self.remember(cx.history.state());
        self.schedule(cx.config.summary_min, false, cx);
    }

    /// The history has one message more, which `from` sent to make up for it.
    pub(super) fn learned(&mut self, from: &P, cx: &mut Context<'_, P>) {
        self.remember(cx.history.state());
        if let Some(peer) = self.peers.get_mut(from) {
            peer.fruitless = 0;
            peer.not_before = cx.now;
            peer.known_items.refund(1, KNOWN_ITEMS_MAX);
        }
        if let Some((asked, until)) = &mut self.asked
            && asked == from
        {
            *until = (cx.now + SILENCE_MAX).min(self.turn_ends);
        }
        self.schedule(NEWS_DELAY, true, cx);
    }

    fn remember(&mut self, state: State) {
        if self.trail.len() >= TRAIL_MAX {
            self.trail.pop_front();
        }
        self.trail.push_back(state);
    }

    fn schedule(&mut self, delay: Duration, fresh: bool, cx: &mut Context<'_, P>) {
        self.interval = cx.config.summary_min;
        if self.peers.is_empty() {
            return;
        }
        // Caught-up messages come in bursts; their news waits until the burst is over.
        let restart =
            fresh && self.fresh && cx.now.since(*self.news_since.get_or_insert(cx.now)) < cx.config.summary_min;
        self.fresh |= fresh;
        let at = cx.now + delay + delay.mul_f64(cx.rng.random_range(0.0..0.5));
        if restart || self.next.is_none_or(|next| at < next) {
            self.next = Some(at);
        }
    }

    /// Whether so many caught-up messages of `from` are worth a check.
    pub(super) fn may_bring(&mut self, from: &P, count: usize, now: Time) -> bool {
        self.peers.get_mut(from).is_some_and(|peer| {
            peer.known_items
                .take(count as u64, KNOWN_ITEMS_RATE, KNOWN_ITEMS_MAX, now)
        })
    }

    /// Bytes for `peer` beyond what the tree pushes: whether they may go out now.
    pub(super) fn may_serve(&mut self, peer: &P, bytes: usize, cx: &Context<'_, P>) -> bool {
        self.peers
            .get_mut(peer)
            .is_some_and(|peer| peer.shelf.take(bytes, cx.config, cx.now))
    }

    /// Sends these to `peer`, as fast as it may be served.
    pub(super) fn serve(&mut self, peer: &P, names: impl IntoIterator<Item = MessageId>, now: Time) {
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.shelf.add(names, now);
        }
    }

    pub(super) fn handle(&mut self, from: P, frame: Frame, cx: &mut Context<'_, P>) -> Result<(), Fault> {
        if let Frame::Summary(summary) = frame {
            self.summary(from, summary, cx);
            return Ok(());
        }
        let Some(peer) = self.peers.get_mut(&from) else {
            return Ok(());
        };
        if !peer.comparisons.take(1, COMPARISONS_RATE, COMPARISONS_MAX, cx.now) {
            return Ok(());
        }
        match self.queue.admit(from, frame, cx.now) {
            Some(frame) => self.compare(from, frame, cx),
            None => Ok(()),
        }
    }

    fn compare(&mut self, from: P, frame: Frame, cx: &mut Context<'_, P>) -> Result<(), Fault> {
        match frame {
            Frame::Vector(vector) => self.vector(from, &vector, cx),
            Frame::Sketch(sketch) => self.sketch(from, &sketch, cx),
            Frame::Reconcile(step) => self.step(from, &step, cx),
            Frame::Want(want) => {
                let (short, _) = want.names.as_chunks::<8>();
                let short: Vec<u64> = short.iter().copied().map(u64::from_le_bytes).collect();
                self.give(from, sketch::lengthen(cx.history, want.salt, &short), 0, false, cx);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn summary(&mut self, from: P, theirs: Summary, cx: &mut Context<'_, P>) {
        let mut ours = cx.summary(theirs.fresh);
        let Some(peer) = self.peers.get_mut(&from) else { return };
        peer.heard = Some(theirs.fingerprint);
        ours.agreed = theirs.fingerprint == ours.fingerprint;
        if ours.agreed {
            peer.doubt = None;
            peer.fruitless = 0;
            if theirs.agreed {
                return;
            }
        } else if (ours.count, ours.fingerprint) < (theirs.count, theirs.fingerprint) {
            let wait = if theirs.fresh { Duration::ZERO } else { cx.config.settle };
            // A later Summary does not put the question off: while messages flow, there is always a later one.
            let due = peer.doubt.map_or(cx.now + wait, |(_, due)| due.min(cx.now + wait));
            peer.doubt = Some((theirs, due));
            return self.ask(cx);
        }
        let told = peer.told.filter(|(state, _)| *state == ours.fingerprint);
        if told.is_some_and(|(_, at)| cx.now.since(at) < cx.config.summary_min / 2) {
            return;
        }
        // It learns that we agree, or that we have more.
        peer.told = Some((ours.fingerprint, cx.now));
        cx.send(from, Frame::Summary(ours));
    }

    /// Asks a neighbour that has more, if there is one and nobody is busy answering.
    fn ask(&mut self, cx: &mut Context<'_, P>) {
        self.asked.take_if(|(_, until)| *until <= cx.now);
        while self.asked.is_none() {
            let now = cx.now;
            let Some((from, peer)) = self
                .peers
                .iter_mut()
                .filter(|(_, peer)| peer.due().is_some_and(|due| due <= now))
                .min_by_key(|(_, peer)| peer.asked_at)
            else {
                return;
            };
            let Some((theirs, _)) = peer.doubt else { return };
            let ours = cx.history.fingerprint();
            let was_ours = |state: &State| state.fingerprint() == theirs.fingerprint;
            if theirs.fingerprint == ours || self.trail.iter().any(was_ours) {
                // What it had more has come meanwhile.
                peer.doubt = None;
                continue;
            }
            // As long as we change, an answer may have been in vain because the tree was as quick.
            let steps = match peer.asked.replace(ours) == Some(ours) {
                true => peer.fruitless.min(16),
                false => peer.fruitless.min(FLOWING_STEPS),
            };
            let backoff = cx.config.summary_min.saturating_mul(1 << steps);
            // A question or its answer may have been lost as well, so even many in vain are no reason to wait for long.
            peer.not_before = now + backoff.min(cx.config.summary_max / 4);
            peer.fruitless = peer.fruitless.saturating_add(1);
            peer.asked_at = now;
            self.turn_ends = now + TURN_MAX;
            let (from, tries) = (*from, peer.fruitless);
            self.asked = Some((from, now + SILENCE_MAX));
            self.describe(from, &theirs, tries, cx);
        }
    }

    /// Tells `to`, which has more, what we have: in the fewest bytes, and in another way when that was in vain.
    fn describe(&mut self, to: P, theirs: &Summary, tries: u32, cx: &mut Context<'_, P>) {
        let ours = cx.history.len() as u64;
        let differences = usize::try_from(theirs.count.saturating_sub(ours)).unwrap_or(usize::MAX);
        // What only we have does not show in the counts.
        let cells = sketch::cells_for(differences.saturating_add(differences / 8));
        let salt = cx.rng.random();
        if cx.history.is_proven() && cx.history.shelves().len() <= VECTOR_AUTHORS_MAX && tries <= 1 {
            let entries = vector::pack(cx.history, salt);
            if let Some(entries) = entries.filter(|entries| entries.len() <= sketch::bytes_for(cells)) {
                let vector = Vector {
                    salt,
                    floor: cx.floor(),
                    answer: false,
                    entries: entries.into(),
                };
                return cx.send(to, Frame::Vector(vector));
            }
        }
        if cells <= sketch::CELLS_MAX && !tries.is_multiple_of(4) {
            self.draw(to, cells, cx);
        } else {
            self.begin(to, cx);
        }
    }

    fn draw(&mut self, to: P, cells: usize, cx: &mut Context<'_, P>) {
        let salt = cx.rng.random();
        let sketch = Sketch {
            salt,
            floor: cx.floor(),
            cells: sketch::pack(cx.history, salt, cells).into(),
        };
        cx.send(to, Frame::Sketch(sketch));
    }

    fn begin(&mut self, to: P, cx: &mut Context<'_, P>) {
        // Nobody takes the turn of another by a sketch that nobody asked for.
        match &self.asked {
            Some((asked, until)) if *asked != to && *until > cx.now => return,
            Some((asked, _)) if *asked == to => {}
            _ => self.turn_ends = cx.now + TURN_MAX,
        }
        if let Ok(message) = reconcile::begin(&mut self.sorted, cx.history, cx.now) {
            self.asked = Some((to, (cx.now + SILENCE_MAX).min(self.turn_ends)));
            let step = Reconcile {
                floor: cx.floor(),
                answer: false,
                message: message.into(),
            };
            cx.send(to, Frame::Reconcile(step));
        }
    }

    fn vector(&mut self, from: P, theirs: &Vector, cx: &mut Context<'_, P>) -> Result<(), Fault> {
        let difference =
            vector::compare(cx.history, theirs.salt, &theirs.entries, !theirs.answer).ok_or(Fault::Malformed)?;
        // Who has nothing waits for no tree.
        let all = theirs.entries.is_empty();
        self.give(from, difference.lacks, theirs.floor, all, cx);
        if theirs.answer {
            return Ok(());
        }
        if !difference.answer.is_empty() {
            let answer = Vector {
                salt: theirs.salt,
                floor: cx.floor(),
                answer: true,
                entries: difference.answer.into(),
            };
            cx.send(from, Frame::Vector(answer));
        }
        if difference.unclear {
            self.draw(from, sketch::cells_for(0), cx);
        }
        Ok(())
    }

    fn sketch(&mut self, from: P, theirs: &Sketch, cx: &mut Context<'_, P>) -> Result<(), Fault> {
        sketch::cells_in(&theirs.cells).ok_or(Fault::Malformed)?;
        match sketch::compare(cx.history, theirs.salt, &theirs.cells) {
            Ok(difference) => {
                let lacks = sketch::lengthen(cx.history, theirs.salt, &difference.only_ours);
                self.give(from, lacks, theirs.floor, false, cx);
                self.want(from, theirs.salt, &difference.only_theirs, cx);
            }
            // Too many differences: the other way round, with more room.
            Err(cells) if cells <= sketch::CELLS_MAX => self.draw(from, cells, cx),
            Err(_) => self.begin(from, cx),
        }
        Ok(())
    }

    fn step(&mut self, from: P, theirs: &Reconcile, cx: &mut Context<'_, P>) -> Result<(), Fault> {
        if !theirs.answer {
            let message = reconcile::answer(&mut self.sorted, cx.history, &theirs.message, cx.now)
                .map_err(|_| Fault::Malformed)?;
            let step = Reconcile {
                floor: cx.floor(),
                answer: true,
                message: message.into(),
            };
            cx.send(from, Frame::Reconcile(step));
            return Ok(());
        }
        match &mut self.asked {
            Some((asked, until)) if *asked == from => *until = (cx.now + SILENCE_MAX).min(self.turn_ends),
            // An answer that nobody waits for.
            _ => return Ok(()),
        }
        let step =
            reconcile::go_on(&mut self.sorted, cx.history, &theirs.message, cx.now).map_err(|_| Fault::Malformed)?;
        self.give(from, step.have, theirs.floor, false, cx);
        let salt = cx.rng.random();
        let shortener = short::Shortener::new(salt);
        let need = step.need.iter().filter(|id| cx.history.get(id).is_none());
        let need: Vec<u64> = need.map(|id| shortener.name(id)).collect();
        self.want(from, salt, &need, cx);
        if let Some(message) = step.next {
            let step = Reconcile {
                floor: cx.floor(),
                answer: false,
                message: message.into(),
            };
            cx.send(from, Frame::Reconcile(step));
        }
        Ok(())
    }

    fn want(&mut self, from: P, salt: u64, short: &[u64], cx: &mut Context<'_, P>) {
        for short in short.chunks(WANT_MAX) {
            let names: Vec<u8> = short.iter().flat_map(|name| name.to_le_bytes()).collect();
            let names = names.into();
            cx.send(from, Frame::Want(Want { salt, names }));
        }
    }

    /// Sends what `to` lacks, but not what is older than it wants, nor what the tree may be bringing just now, unless `all`.
    ///
    /// What was made first goes first, whoever made it: who comes late reads a question before its answer.
    fn give(&mut self, to: P, names: Vec<MessageId>, floor: u64, all: bool, cx: &mut Context<'_, P>) {
        let wanted = names.into_iter().filter_map(|id| {
            let kept = cx.history.kept(&id)?;
            let made = kept.item.sequence.proven().map(|number| number >> 10);
            let wanted = (all || kept.settles <= cx.now) && made.is_none_or(|made| made >= floor);
            wanted.then_some((kept.born, kept.item.sequence.number(), id))
        });
        let mut wanted: Vec<_> = wanted.collect();
        wanted.sort_unstable();
        self.serve(&to, wanted.into_iter().map(|(.., id)| id), cx.now);
    }

    /// Does what is due, and tells who asked for a comparison in a way that no honest one does.
    pub(super) fn timeout(&mut self, congested: impl Fn(&P) -> bool, cx: &mut Context<'_, P>) -> Vec<(P, Fault)> {
        let mut faults = Vec::new();
        while let Some((from, frame)) = self.queue.next(cx.now) {
            if let Err(fault) = self.compare(from, frame, cx) {
                faults.push((from, fault));
            }
        }
        if self.next.is_some_and(|next| next <= cx.now) {
            self.tell(cx);
        }
        self.ask(cx);
        for (peer, state) in &mut self.peers {
            if !congested(peer) {
                state.shelf.serve(*peer, cx);
            }
        }
        self.sorted.take_if(|sorted| sorted.expires() <= cx.now);
        faults
    }

    /// Summaries to all that are not known to agree.
    fn tell(&mut self, cx: &mut Context<'_, P>) {
        let summary = cx.summary(std::mem::take(&mut self.fresh));
        self.news_since = None;
        let mut open = false;
        for (to, peer) in &mut self.peers {
            if peer.heard != Some(summary.fingerprint) {
                open = true;
                peer.told = Some((summary.fingerprint, cx.now));
                cx.out.push_back(Output::send(*to, Frame::Summary(summary)));
            }
        }
        self.next = open.then_some(cx.now + self.interval);
        self.interval = self.interval.saturating_mul(2).min(cx.config.summary_max);
    }

    /// `congested` neighbours are served when they are not any more.
    pub(super) fn next_due(&self, congested: impl Fn(&P) -> bool) -> Option<Time> {
        let until = self.asked.as_ref().map(|(_, until)| *until);
        let doubts = self
            .peers
            .values()
            .filter_map(Peer::due)
            .map(|due| due.max(until.unwrap_or_default()));
        let shelves = self
            .peers
            .iter()
            .filter(|(peer, _)| !congested(peer))
            .filter_map(|(_, state)| state.shelf.due());
        self.next
            .into_iter()
            .chain(doubts)
            .chain(shelves)
            .chain(self.sorted.as_ref().map(reconcile::Sorted::expires))
            .chain(self.queue.due())
            .min()
    }
}

impl Peer {
    /// When to ask it.
    fn due(&self) -> Option<Time> {
        self.doubt.as_ref().map(|(_, due)| (*due).max(self.not_before))
    }
}
