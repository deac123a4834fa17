//! Given links: who is linked with whom.

use super::{scenario::Shape, settings::Random};
use std::collections::BTreeSet;

impl Shape {
    /// The neighbours of each node, in order.
    pub(super) fn neighbours(self, nodes: u32, random: &mut Random) -> Vec<Vec<u32>> {
        let mut linked: Vec<BTreeSet<u32>> = vec![BTreeSet::new(); nodes as usize];
        let mut link = |a: u32, b: u32| {
            let fresh = a != b && linked.get_mut(a as usize).is_some_and(|of| of.insert(b));
            if let (true, Some(of)) = (fresh, linked.get_mut(b as usize)) {
                of.insert(a);
            }
            fresh
        };
        match self {
            Self::Line => (1..nodes).for_each(|node| _ = link(node - 1, node)),
            Self::Star => (1..nodes).for_each(|node| _ = link(0, node)),
            Self::Ring => (0..nodes).for_each(|node| _ = link(node, (node + 1) % nodes)),
            Self::Mesh => (0..nodes).for_each(|a| (0..a).for_each(|b| _ = link(a, b))),
            Self::Random(degree) => {
                // Each node is linked with one before it, so that all are connected; the rest is chance.
                let mut links = 0;
                for node in 1..nodes {
                    links += u64::from(link(random.below(node), node));
                }
                let all = u64::from(nodes) * u64::from(nodes - 1) / 2;
                let wanted = (u64::from(nodes) * u64::from(degree) / 2).min(all);
                while links < wanted {
                    links += u64::from(link(random.below(nodes), random.below(nodes)));
                }
            }
        }
        linked.into_iter().map(|of| of.into_iter().collect()).collect()
    }
}
