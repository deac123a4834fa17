//! What a scene is made of.

use super::node::Maker;

/// One scene: a network, and what happens in it.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) rounds: Rounds,
    pub(super) casts: Casts,
    pub(super) steps: &'static [Step],
}

/// Who is linked to whom at the beginning.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    Line(usize),
    /// The first is in the middle.
    Star(usize),
    Ring(usize),
    /// Everybody with everybody.
    Mesh(usize),
    /// So many nodes, and these links.
    Links(usize, &'static [(usize, usize)]),
}

/// When nodes send what they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounds {
    /// Every so many milliseconds.
    Every(i32),
    ByHand,
}

/// Which nodes are ours. The original alone always plays first, as the control, save where it is known to fail.
#[derive(Debug, Clone, Copy)]
pub(super) enum Casts {
    /// Every cast there is.
    All,
    /// These, with a letter for each node: `o` is ours and `t` is theirs.
    These(&'static [&'static str]),
}

/// What happens next. Before the network changes, everybody must have heard what they must.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// A node publishes so many messages at once.
    Say(usize, usize),
    /// All running nodes publish so many messages at once.
    AllSay(usize),
    /// A node publishes a message of every kind that JSON can be.
    SayTexts(usize),
    /// A node publishes so many messages with a text of so many bytes.
    SayLong(usize, usize, usize),
    /// Everybody has heard what they must.
    Hear,
    Link(usize, usize),
    Cut(usize, usize),
    /// The process of a node is killed.
    Stop(usize),
    /// It is started again, with the same key and without links.
    Start(usize),
    /// A round by hand.
    Round(usize),
    /// A peer that behaves in a certain way connects to a node, and does its worst so many times.
    Hostile(&'static str, usize, usize),
    /// The memory of a node is at most so many MiB.
    Memory(usize, usize),
}

impl Shape {
    pub(super) fn nodes(self) -> usize {
        match self {
            Self::Line(nodes) | Self::Star(nodes) | Self::Ring(nodes) | Self::Mesh(nodes) | Self::Links(nodes, _) => {
                nodes
            }
        }
    }

    pub(super) fn links(self) -> Vec<(usize, usize)> {
        match self {
            Self::Line(nodes) => (1..nodes).map(|node| (node - 1, node)).collect(),
            Self::Star(nodes) => (1..nodes).map(|node| (0, node)).collect(),
            Self::Ring(nodes) => (0..nodes).map(|node| (node, (node + 1) % nodes)).collect(),
            Self::Mesh(nodes) => (0..nodes)
                .flat_map(|one| (one + 1..nodes).map(move |other| (one, other)))
                .collect(),
            Self::Links(_, links) => links.to_vec(),
        }
    }

    /// Whether there is only one way from each node to each other.
    pub(super) fn is_tree(self) -> bool {
        self.links().len() < self.nodes()
    }
}

impl Scene {
    /// The casts, the original alone first.
    pub(super) fn casts(&self) -> Vec<Vec<Maker>> {
        let nodes = self.shape.nodes();
        let maker = |ours| if ours { Maker::Ours } else { Maker::Theirs };
        match self.casts {
            Casts::All => (0..1_usize << nodes)
                .map(|cast| (0..nodes).map(|node| maker(cast >> node & 1 == 1)).collect())
                .collect(),
            Casts::These(casts) => casts
                .iter()
                .map(|cast| cast.chars().map(|letter| maker(letter == 'o')).collect())
                .collect(),
        }
    }

    /// Whether all links stand from the beginning to the end.
    pub(super) fn is_still(&self) -> bool {
        !self
            .steps
            .iter()
            .any(|step| matches!(step, Step::Link(..) | Step::Cut(..) | Step::Stop(_) | Step::Start(_)))
    }

    /// Whether nobody misbehaves.
    pub(super) fn is_honest(&self) -> bool {
        !self.steps.iter().any(|step| matches!(step, Step::Hostile(..)))
    }
}
