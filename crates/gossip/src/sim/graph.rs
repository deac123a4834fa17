//! How far a message has to go: fastest paths over the links of a network.

use crate::sim::{Latency, NodeId, settings::Random};
use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

/// Who is linked to whom.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    links: Vec<Vec<NodeId>>,
}

/// What a flood from one node finds: each node hears it first over the fastest path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// How many nodes it reaches, the first one included.
    pub reached: usize,
    /// The most hops on a fastest path.
    pub hops: u32,
    /// When the last node hears it.
    pub time: Duration,
}

impl Graph {
    /// The graph in which node `i` is linked to those of `views[i]` that say the same of it.
    #[must_use]
    pub fn new(views: &[Vec<NodeId>]) -> Self {
        let mutual = |a: NodeId, b: NodeId| views.get(b as usize).is_some_and(|view| view.contains(&a));
        let links = views
            .iter()
            .zip(0..)
            .map(|(view, a)| view.iter().copied().filter(|&b| mutual(a, b)).collect())
            .collect();
        Self { links }
    }

    /// A random graph in which each node has `degree` links, but for a few that have one or two less.
    #[must_use]
    pub fn random(nodes: u32, degree: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut ends: Vec<NodeId> = (0..nodes).flat_map(|node| std::iter::repeat_n(node, degree)).collect();
        for last in (1..ends.len()).rev() {
            ends.swap(last, (random.next() % (last as u64 + 1)) as usize);
        }
        let mut links = vec![Vec::with_capacity(degree); nodes as usize];
        for pair in ends.chunks_exact(2) {
            let &[a, b] = pair else { continue };
            if a != b
                && let Some(of_a) = links.get_mut(a as usize)
                && !of_a.contains(&b)
            {
                of_a.push(b);
                if let Some(of_b) = links.get_mut(b as usize) {
                    of_b.push(a);
                }
            }
        }
        Self { links }
    }

    /// Whom a node is linked to.
    #[must_use]
    pub fn links(&self, node: NodeId) -> &[NodeId] {
        self.links.get(node as usize).map_or(&[], Vec::as_slice)
    }

    /// How many nodes there are.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.links.len()
    }

    /// The mean number of links of a node.
    #[must_use]
    pub fn degree(&self) -> f64 {
        self.links.iter().map(Vec::len).sum::<usize>() as f64 / self.links.len().max(1) as f64
    }

    /// A flood from `start`.
    #[must_use]
    pub fn flood(&self, start: NodeId, latency: Latency, seed: u64) -> Depth {
        let mut best = vec![Duration::MAX; self.links.len()];
        let mut heap = BinaryHeap::from([Reverse((Duration::ZERO, 0_u32, start))]);
        let mut depth = Depth::default();
        while let Some(Reverse((time, hops, node))) = heap.pop() {
            match best.get_mut(node as usize) {
                Some(known) if time < *known => *known = time,
                _ => continue,
            }
            depth.reached += 1;
            depth.hops = depth.hops.max(hops);
            depth.time = time;
            for &next in self.links(node) {
                let arrives = time + latency.between(seed, node, next);
                if best.get(next as usize).is_some_and(|known| arrives < *known) {
                    heap.push(Reverse((arrives, hops + 1, next)));
                }
            }
        }
        depth
    }
}
