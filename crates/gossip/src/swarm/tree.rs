//! The tree: to which neighbours payloads are pushed, and to which they are only announced.
//!
//! A payload that comes a second time shows a circle, and the link it came over is pruned on both sides; what is left after
//! one message has flooded the swarm is a tree, made of the fastest paths from its publisher. A link to a swarm that has
//! such a tree joins it as a spare one.
//!
//! All that speak share one tree, so one of them must shape it: if the floods of two pruned links at the same time, each what
//! the other needs, no tree would be left. The root is the author with the least key of late; everybody hears of the same
//! ones, so everybody comes to the same choice without a word.

use super::{
    Output,
    config::Config,
    frame::{ANNOUNCE_MAX, Frame},
    missing::{Announcer, Found},
};
use crate::{Author, MessageId, PeerId, Time, names::NameMap};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    time::Duration,
};

/// How many announcements wait for one neighbour. A congested one may stay so for long; what it misses comes by catch-up.
const WAITING_MAX: usize = 4096;
/// For how many messages it is remembered who brought them. A duplicate is worth a prune only while its message is young.
const RECENT_MAX: usize = 1024;
/// After how long a silence of the tree's root another author takes its place.
const ROOT_SILENCE: Duration = Duration::from_secs(20);
/// How many duplicates in a row are suffered from a neighbour if they are not of the root's messages.
const SUFFERED_MAX: u8 = 8;

#[derive(Debug)]
pub(super) struct Tree<P> {
    neighbours: BTreeMap<P, Neighbour>,
    /// The author whose messages shape the tree, and when the last of them came.
    root: Option<(Author, Time)>,
    /// The neighbour that brought the root's last message, or was asked to bring the next.
    parent: Option<P>,
    /// Whether the last payload came over a link that is gone, or the parent's link went while no other was spare: the next
    /// neighbour that pushes is the parent, though its payload comes second.
    orphaned: bool,
    /// Whether a message has flooded these links: from then on there is a tree, and a new link is spare.
    grown: bool,
    /// How many messages in a row came only because they were asked for.
    starved: u8,
    /// When announcements go out.
    due: Option<Time>,
    recent: NameMap<MessageId, Came<P>>,
    recent_order: VecDeque<MessageId>,
}

#[derive(Debug, Default)]
struct Neighbour {
    eager: bool,
    congested: bool,
    /// Announcements that wait to travel together.
    waiting: VecDeque<(MessageId, u16)>,
    /// How many of the root's messages in a row it announced well before they came.
    faster: u8,
    /// How many duplicates in a row it has sent.
    suffered: u8,
}

/// How a message came.
#[derive(Debug)]
struct Came<P> {
    author: Author,
    /// The neighbour that pushed it; `None` if it was published here.
    from: Option<P>,
    /// If it came because it was asked for: when it was announced first, and who was asked.
    asked: Option<(Time, Vec<P>)>,
}

impl<P> Default for Tree<P> {
    fn default() -> Self {
        Self {
            neighbours: BTreeMap::new(),
            root: None,
            parent: None,
            orphaned: false,
            grown: false,
            starved: 0,
            due: None,
            recent: NameMap::default(),
            recent_order: VecDeque::new(),
        }
    }
}

type Outputs<P> = VecDeque<Output<P>>;

impl<P: PeerId> Tree<P> {
    pub(super) fn contains(&self, peer: &P) -> bool {
        self.neighbours.contains_key(peer)
    }

    pub(super) fn eager(&self) -> impl Iterator<Item = P> {
        self.neighbours
            .iter()
            .filter(|(_, neighbour)| neighbour.eager)
            .map(|(peer, _)| *peer)
    }

    pub(super) fn is_eager(&self, peer: &P) -> bool {
        self.neighbours.get(peer).is_some_and(|neighbour| neighbour.eager)
    }

    pub(super) const fn is_grown(&self) -> bool {
        self.grown
    }

    pub(super) fn is_congested(&self, peer: &P) -> bool {
        self.neighbours.get(peer).is_some_and(|neighbour| neighbour.congested)
    }

    /// A new link. Payloads flow over it at once only where there is no tree yet.
    pub(super) fn up(&mut self, peer: P, out: &mut Outputs<P>) {
        if self.contains(&peer) {
            return;
        }
        let rooted = self.grown && self.neighbours.values().any(|neighbour| neighbour.eager);
        self.neighbours.insert(
            peer,
            Neighbour {
                eager: !rooted,
                ..Neighbour::default()
            },
        );
        if !rooted && self.parent.is_none() {
            self.adopt(peer, out);
        }
    }

    /// A link is gone. If payloads came over it, a spare one takes its place before anything is missed.
    pub(super) fn down(&mut self, peer: &P, out: &mut Outputs<P>) {
        if self.neighbours.remove(peer).is_none() {
            return;
        }
        let orphaned = self.parent == Some(*peer);
        if orphaned {
            self.parent = None;
        }
        let cut_off = !self.neighbours.values().any(|neighbour| neighbour.eager);
        if !orphaned && !cut_off {
            return;
        }
        let spare = self
            .neighbours
            .iter()
            .filter(|(_, neighbour)| !neighbour.eager)
            .max_by_key(|(_, neighbour)| neighbour.faster)
            .map(|(peer, _)| *peer);
        match spare {
            Some(spare) => self.adopt(spare, out),
            None => self.orphaned = orphaned,
        }
    }

    /// Asks `peer` to push to us from now on.
    fn adopt(&mut self, peer: P, out: &mut Outputs<P>) {
        if let Some(neighbour) = self.neighbours.get_mut(&peer) {
            neighbour.eager = true;
            neighbour.faster = 0;
            self.parent = Some(peer);
            self.orphaned = false;
            out.push_back(Output::send(peer, Frame::Graft(Vec::new())));
        }
    }

    /// `peer` wants payloads, or is about to be asked for one.
    pub(super) fn set_eager(&mut self, peer: &P) {
        if let Some(neighbour) = self.neighbours.get_mut(peer) {
            neighbour.eager = true;
        }
    }

    /// `peer` does not want payloads.
    pub(super) fn set_lazy(&mut self, peer: &P) {
        if let Some(neighbour) = self.neighbours.get_mut(peer) {
            neighbour.eager = false;
            neighbour.faster = 0;
            if self.parent == Some(*peer) {
                self.parent = None;
            }
        }
    }

    /// Whether the socket of `peer` takes payloads. While it does not, they are announced to it.
    pub(super) fn congested(&mut self, peer: &P, congested: bool, now: Time) {
        if let Some(neighbour) = self.neighbours.get_mut(peer) {
            neighbour.congested = congested;
            if !congested && !neighbour.waiting.is_empty() {
                self.due.get_or_insert(now);
            }
        }
    }

    /// Sends a message that arrived after `hops` links, or was published here, to everybody but those that have it.
    pub(super) fn spread(
        &mut self,
        (id, hops, body): (MessageId, u16, &Bytes),
        from: Option<P>,
        have: &[Announcer<P>],
        config: &Config,
        now: Time,
        out: &mut Outputs<P>,
    ) {
        let hops = hops.saturating_add(1);
        self.grown |= !self.neighbours.is_empty();
        for (peer, neighbour) in &mut self.neighbours {
            if from == Some(*peer) {
                continue;
            }
            let knows = have.iter().any(|announcer| announcer.peer == *peer);
            if neighbour.eager && !neighbour.congested {
                if !knows {
                    let body = body.clone();
                    out.push_back(Output::send(*peer, Frame::Gossip { id, hops, body }));
                }
            } else if !knows {
                if neighbour.waiting.len() >= WAITING_MAX {
                    neighbour.waiting.pop_front();
                }
                neighbour.waiting.push_back((id, hops));
                self.due.get_or_insert(now + config.announce_delay);
            }
        }
    }

    /// `peer` announced these, so they need not be announced to it.
    pub(super) fn has(&mut self, peer: &P, names: &[(MessageId, u16)]) {
        if let Some(neighbour) = self.neighbours.get_mut(peer)
            && !neighbour.waiting.is_empty()
        {
            let names: HashSet<&MessageId> = names.iter().map(|(name, _)| name).collect();
            neighbour.waiting.retain(|(name, _)| !names.contains(name));
        }
    }

    /// Sends the announcements that are due.
    pub(super) fn announce(&mut self, now: Time, out: &mut Outputs<P>) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        self.due = None;
        for (peer, neighbour) in &mut self.neighbours {
            while !neighbour.congested && !neighbour.waiting.is_empty() {
                let take = neighbour.waiting.len().min(ANNOUNCE_MAX);
                let names = neighbour.waiting.drain(..take).collect();
                out.push_back(Output::send(*peer, Frame::IHave(names)));
            }
            if neighbour.waiting.is_empty() {
                // Ten thousand idle swarms in one process keep nothing for later.
                neighbour.waiting = VecDeque::new();
            }
        }
    }

    pub(super) const fn next_due(&self) -> Option<Time> {
        self.due
    }

    /// A message came for the first time: `from` a neighbour that pushed it, or from here. Returns how long it stayed behind
    /// its first announcement, if the tree brought it.
    pub(super) fn first(
        &mut self,
        (id, author): (MessageId, Author),
        from: Option<P>,
        found: &Found<P>,
        config: &Config,
        now: Time,
        out: &mut Outputs<P>,
    ) -> Option<Duration> {
        let asked = from.is_some_and(|from| found.asked().any(|asked| asked == from));
        let since = found.since().filter(|_| asked);
        let came = Came {
            author,
            from,
            asked: since.map(|since| (since, found.asked().collect())),
        };
        self.remember(id, came);
        if self
            .root
            .is_none_or(|(root, heard)| author <= root || now.since(heard) > ROOT_SILENCE)
        {
            self.root = Some((author, now));
        }
        self.orphaned = from.is_some_and(|from| !self.contains(&from));
        let from = from.filter(|from| self.contains(from))?;
        if asked {
            self.starved = self.starved.saturating_add(1);
            return None;
        }
        self.starved = 0;
        if let Some(neighbour) = self.neighbours.get_mut(&from) {
            neighbour.suffered = 0;
            if !std::mem::replace(&mut neighbour.eager, true) {
                // It pushed this before it heard that we had pruned it, and will not push the next one unless it is told.
                out.push_back(Output::send(from, Frame::Graft(Vec::new())));
            }
        }
        if self.shapes(&author) {
            self.parent = Some(from);
            self.optimise(found, config, now, out);
        }
        Some(found.since().map_or(Duration::ZERO, |since| now.since(since)))
    }

    /// Whether the tree is made of the paths of this author's messages.
    fn shapes(&self, author: &Author) -> bool {
        self.root.is_some_and(|(root, _)| root == *author)
    }

    /// Whoever announces message after message well before the parent brings it takes the parent's place: it is asked to
    /// push, the parent's next payload is a duplicate, and the prune that answers it ends the old link. Nothing is sent
    /// twice but that one payload.
    fn optimise(&mut self, found: &Found<P>, config: &Config, now: Time, out: &mut Outputs<P>) {
        let mut faster = None;
        for (peer, neighbour) in &mut self.neighbours {
            let lead = found
                .announcers
                .iter()
                .find(|announcer| announcer.peer == *peer)
                .map(|announcer| now.since(announcer.at));
            if neighbour.eager || lead.is_none_or(|lead| lead < config.faster_by) {
                neighbour.faster = 0;
            } else {
                neighbour.faster = neighbour.faster.saturating_add(1);
                if neighbour.faster >= config.faster_times {
                    faster = faster.max(lead.map(|lead| (lead, *peer)));
                }
            }
        }
        if let Some((_, peer)) = faster {
            self.adopt(peer, out);
        }
    }

    /// A payload came again. Returns how late it was after the first announcement if somebody was asked for it too early.
    ///
    /// The link of the second payload is one too many and is pruned. But if the first came only because it was asked for,
    /// the second is the tree's, merely later than was waited for, and the link to whoever was asked goes back to what it
    /// was. The tree is not rebuilt out of impatience, unless message after message must be asked for: then the second
    /// payload comes from somebody who had to ask as well.
    pub(super) fn duplicate(&mut self, id: &MessageId, from: P, now: Time, out: &mut Outputs<P>) -> Option<Duration> {
        let came = self.recent.get_mut(id)?;
        let author = came.author;
        if came.from == Some(from) {
            return None;
        }
        let neighbour = self.neighbours.get_mut(&from)?;
        // One that pushes although it was pruned is not the tree, and must not look like it.
        let once = self.starved <= 1 && neighbour.eager;
        let impatient = came.asked.take_if(|(_, asked)| once && !asked.contains(&from));
        if let (Some((since, _)), Some(asked)) = (impatient, came.from) {
            came.from = Some(from);
            self.prune(asked, out);
            return Some(now.since(since));
        }
        if self.orphaned {
            // It may have taken our payload for the second one just as well, and have pruned the link.
            self.adopt(from, out);
            return None;
        }
        neighbour.suffered = neighbour.suffered.saturating_add(1);
        if neighbour.suffered >= SUFFERED_MAX || !neighbour.eager || self.shapes(&author) {
            self.prune(from, out);
        }
        None
    }

    /// Tells a neighbour to announce rather than to push, and does the same.
    fn prune(&mut self, peer: P, out: &mut Outputs<P>) {
        if let Some(neighbour) = self.neighbours.get_mut(&peer) {
            neighbour.suffered = 0;
            self.set_lazy(&peer);
            out.push_back(Output::send(peer, Frame::Prune));
        }
    }

    fn remember(&mut self, id: MessageId, came: Came<P>) {
        if self.recent.insert(id, came).is_none() {
            self.recent_order.push_back(id);
        }
        while self.recent_order.len() > RECENT_MAX {
            let Some(id) = self.recent_order.pop_front() else { break };
            self.recent.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(1_000_000);

    fn name(number: u32) -> MessageId {
        let mut name = [0; 32];
        name[..4].copy_from_slice(&number.to_be_bytes());
        MessageId::from_bytes(name)
    }

    #[test]
    fn a_congested_neighbour_is_told_so_many_names_and_the_last_ones() {
        let (mut tree, mut out, config) = (Tree::default(), Outputs::new(), Config::default());
        tree.up(1u32, &mut out);
        tree.up(2, &mut out);
        tree.congested(&1, true, NOW);
        out.clear();
        let body = Bytes::from_static(b"hello");
        for number in 0..WAITING_MAX as u32 + 1000 {
            tree.spread((name(number), 0, &body), None, &[], &config, NOW, &mut out);
            assert!(tree.neighbours[&1].waiting.len() <= WAITING_MAX);
        }
        let pushed = out.drain(..).filter(|output| *output != Output::send(1, Frame::Prune));
        assert_eq!(pushed.count(), WAITING_MAX + 1000, "the other one misses nothing");
        tree.congested(&1, false, NOW);
        tree.announce(NOW + Duration::from_secs(1), &mut out);
        let told: Vec<_> = out
            .into_iter()
            .flat_map(|output| match output {
                Output::Send {
                    frame: Frame::IHave(names),
                    ..
                } => names,
                other => panic!("{other:?}"),
            })
            .map(|(name, _)| name)
            .collect();
        assert_eq!(told, (1000..WAITING_MAX as u32 + 1000).map(name).collect::<Vec<_>>());
        assert!(tree.neighbours[&1].waiting.is_empty());
    }

    #[test]
    fn so_many_messages_are_remembered_and_the_young_ones_still_shape_the_tree() {
        let (mut tree, mut out, config) = (Tree::default(), Outputs::new(), Config::default());
        tree.up(1u32, &mut out);
        tree.up(2, &mut out);
        let author = Author::from_bytes([1; 32]);
        for number in 0..3000 {
            tree.first(
                (name(number), author),
                Some(1),
                &Found::default(),
                &config,
                NOW,
                &mut out,
            );
            assert!(tree.recent.len() <= RECENT_MAX && tree.recent_order.len() <= RECENT_MAX);
        }
        out.clear();
        tree.duplicate(&name(0), 2, NOW, &mut out);
        assert!(out.is_empty(), "what is forgotten is worth no prune");
        tree.duplicate(&name(2999), 2, NOW, &mut out);
        assert_eq!(out, [Output::send(2, Frame::Prune)]);
        assert!(!tree.is_eager(&2) && tree.is_eager(&1));
    }
}
