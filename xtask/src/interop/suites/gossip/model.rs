//! Who must have heard what: the original as it is, ours as it should be.
//!
//! The scenes of the original alone must come out exactly as this says, so that what is asked of networks that mix both is
//! what the original does, and no less.

use super::node::Maker;
use std::collections::{BTreeSet, HashMap, VecDeque};

/// A network between the steps of a scene, when nothing is on its way any more.
#[derive(Debug)]
pub(super) struct Model {
    nodes: Vec<State>,
    links: BTreeSet<(usize, usize)>,
    /// Whether messages only go out when a round is called.
    by_hand: bool,
    /// Every message: its author and its number.
    said: Vec<Message>,
}

#[derive(Debug, Clone, Copy)]
struct Message {
    by: usize,
    number: u64,
}

#[derive(Debug)]
struct State {
    maker: Maker,
    running: bool,
    /// How often it was started.
    lives: u64,
    /// The number of its next message.
    next: u64,
    /// The highest number heard of each author: what the original goes by.
    highest: HashMap<usize, u64>,
    /// What it has heard in this life.
    heard: BTreeSet<usize>,
    /// What it has said in this life, and can send to others of our kind.
    own: BTreeSet<usize>,
    /// What goes out with the next round.
    store: Vec<usize>,
}

impl Model {
    pub(super) fn new(makers: &[Maker], by_hand: bool) -> Self {
        let state = |&maker| State {
            maker,
            running: false,
            lives: 0,
            next: 0,
            highest: HashMap::new(),
            heard: BTreeSet::new(),
            own: BTreeSet::new(),
            store: Vec::new(),
        };
        Self {
            nodes: makers.iter().map(state).collect(),
            links: BTreeSet::new(),
            by_hand,
            said: Vec::new(),
        }
    }

    /// A node starts, with an empty memory.
    pub(super) fn start(&mut self, node: usize) {
        if let Some(state) = self.nodes.get_mut(node) {
            state.lives += 1;
            state.running = true;
            // The original counts from nothing in each life; ours from the time of day.
            state.next = match state.maker {
                Maker::Theirs => 0,
                Maker::Ours => state.lives << 40,
            };
            state.highest.clear();
            state.heard.clear();
            state.own.clear();
            state.store.clear();
        }
    }

    /// A node ends, and its connections with it.
    pub(super) fn stop(&mut self, node: usize) {
        if let Some(state) = self.nodes.get_mut(node) {
            state.running = false;
        }
        self.links.retain(|&(one, other)| one != node && other != node);
    }

    /// A node publishes; the number of the message comes back.
    pub(super) fn say(&mut self, node: usize) -> usize {
        let message = self.said.len();
        let Some(state) = self.nodes.get_mut(node) else {
            return message;
        };
        self.said.push(Message {
            by: node,
            number: state.next,
        });
        state.next += 1;
        state.own.insert(message);
        if self.by_hand {
            state.store.push(message);
        } else {
            self.spread(message, node);
        }
        message
    }

    /// A round by hand.
    pub(super) fn round(&mut self, node: usize) {
        let Some(state) = self.nodes.get_mut(node) else { return };
        for message in std::mem::take(&mut state.store) {
            for other in self.neighbours(node) {
                if self.offer(message, other)
                    && let Some(other) = self.nodes.get_mut(other)
                {
                    other.store.push(message);
                }
            }
        }
    }

    /// A connection. Ours bring the other up to date; the original has nothing to give.
    pub(super) fn link(&mut self, one: usize, other: usize) {
        self.links.insert((one, other));
        for (from, to) in [(one, other), (other, one)] {
            let Some(state) = self.nodes.get(from).filter(|state| state.maker == Maker::Ours) else {
                continue;
            };
            let mut history: Vec<usize> = state.heard.union(&state.own).copied().collect();
            history.sort_by_key(|&message| self.said.get(message).map(|message| (message.by, message.number)));
            for message in history {
                if self.offer(message, to) {
                    self.spread(message, to);
                }
            }
        }
    }

    /// A connection ends.
    pub(super) fn cut(&mut self, one: usize, other: usize) {
        self.links.remove(&(one, other));
        self.links.remove(&(other, one));
    }

    /// The messages that a node must have heard in this life.
    pub(super) fn heard(&self, node: usize) -> impl Iterator<Item = usize> {
        self.nodes
            .get(node)
            .into_iter()
            .flat_map(|state| state.heard.iter().copied())
    }

    fn neighbours(&self, node: usize) -> Vec<usize> {
        let other = |&(one, other): &(usize, usize)| match node {
            _ if node == one => Some(other),
            _ if node == other => Some(one),
            _ => None,
        };
        self.links.iter().filter_map(other).collect()
    }

    fn spread(&mut self, message: usize, from: usize) {
        let mut queue = VecDeque::from([from]);
        while let Some(node) = queue.pop_front() {
            for other in self.neighbours(node) {
                if self.offer(message, other) {
                    queue.push_back(other);
                }
            }
        }
    }

    /// Whether the node takes the message.
    fn offer(&mut self, message: usize, to: usize) -> bool {
        let (Some(&Message { by, number }), Some(state)) = (self.said.get(message), self.nodes.get_mut(to)) else {
            return false;
        };
        if by == to || !state.running || state.heard.contains(&message) {
            return false;
        }
        if state.maker == Maker::Theirs && state.highest.get(&by).is_some_and(|highest| *highest >= number) {
            return false;
        }
        state.highest.insert(by, number);
        state.heard.insert(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Maker::{Ours, Theirs};

    fn line(makers: &[Maker]) -> Model {
        let mut model = Model::new(makers, false);
        for node in 0..makers.len() {
            model.start(node);
        }
        for node in 1..makers.len() {
            model.link(node - 1, node);
        }
        model
    }

    fn heard(model: &Model, node: usize) -> Vec<usize> {
        model.heard(node).collect()
    }

    #[test]
    fn what_is_said_is_heard_at_the_end_of_the_line_and_not_by_its_author() {
        let mut model = line(&[Theirs, Ours, Theirs]);
        model.say(0);
        assert_eq!(heard(&model, 2), [0]);
        assert!(heard(&model, 0).is_empty());
    }

    #[test]
    fn who_comes_late_learns_from_ours_and_not_from_theirs() {
        for (keeper, learnt) in [(Ours, vec![0]), (Theirs, vec![])] {
            let mut model = Model::new(&[Theirs, keeper, Theirs], false);
            (0..3).for_each(|node| model.start(node));
            model.link(0, 1);
            model.say(0);
            model.link(1, 2);
            assert_eq!(heard(&model, 2), learnt);
        }
    }

    #[test]
    fn an_original_that_starts_anew_is_heard_by_ours_only() {
        let mut model = line(&[Theirs, Ours, Theirs]);
        model.say(0);
        model.say(0);
        model.stop(0);
        model.start(0);
        model.link(0, 1);
        model.say(0);
        assert_eq!(heard(&model, 1), [0, 1, 2]);
        assert_eq!(heard(&model, 2), [0, 1]);
    }

    #[test]
    fn by_hand_a_message_takes_a_step_a_round() {
        let mut model = Model::new(&[Theirs, Theirs, Theirs], true);
        (0..3).for_each(|node| model.start(node));
        model.link(0, 1);
        model.link(1, 2);
        model.say(0);
        assert!(heard(&model, 1).is_empty());
        model.round(0);
        assert_eq!((heard(&model, 1), heard(&model, 2)), (vec![0], vec![]));
        model.round(1);
        assert_eq!(heard(&model, 2), [0]);
    }
}
