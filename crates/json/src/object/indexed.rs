//! The members whose names are array indexes, in ascending order.

use super::Member;
use std::collections::{BTreeMap, btree_map};
use std::{mem, slice, vec};

/// Up to this many members are a sorted list. A tree of one member takes ten times the room, and texts of objects with one
/// member are what somebody would send who wants to fill the memory; a list of many would take long to insert into.
const LISTED: usize = 16;

#[derive(Debug)]
pub(super) enum Indexed {
    Few(Vec<(u32, Member)>),
    Many(BTreeMap<u32, Member>),
}

impl Default for Indexed {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Indexed {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(list) => list.len(),
            Self::Many(tree) => tree.len(),
        }
    }

    pub(super) fn get(&self, index: u32) -> Option<&Member> {
        match self {
            Self::Few(list) => list.iter().find(|(known, _)| *known == index).map(|(_, member)| member),
            Self::Many(tree) => tree.get(&index),
        }
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Member> {
        match self {
            Self::Few(list) => {
                let found = list.iter_mut().find(|(known, _)| *known == index);
                found.map(|(_, member)| member)
            }
            Self::Many(tree) => tree.get_mut(&index),
        }
    }

    /// Adds a member that is not there yet.
    pub(super) fn insert(&mut self, index: u32, member: Member) {
        match self {
            Self::Few(list) if list.len() < LISTED => {
                let place = list.partition_point(|(known, _)| *known < index);
                list.reserve_exact(1);
                list.insert(place, (index, member));
            }
            Self::Few(list) => {
                let mut tree: BTreeMap<u32, Member> = mem::take(list).into_iter().collect();
                tree.insert(index, member);
                *self = Self::Many(tree);
            }
            Self::Many(tree) => drop(tree.insert(index, member)),
        }
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<Member> {
        match self {
            Self::Few(list) => {
                let place = list.iter().position(|(known, _)| *known == index)?;
                Some(list.remove(place).1)
            }
            Self::Many(tree) => tree.remove(&index),
        }
    }

    pub(super) fn iter(&self) -> Iter<'_> {
        match self {
            Self::Few(list) => Iter::Few(list.iter()),
            Self::Many(tree) => Iter::Many(tree.values()),
        }
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        let (list, tree) = match self {
            Self::Few(list) => (Some(list), None),
            Self::Many(tree) => (None, Some(tree)),
        };
        let listed = list.into_iter().flatten().map(|(_, member)| member);
        listed.chain(tree.into_iter().flat_map(BTreeMap::values_mut))
    }
}

#[derive(Debug, Clone)]
pub(super) enum Iter<'a> {
    Few(slice::Iter<'a, (u32, Member)>),
    Many(btree_map::Values<'a, u32, Member>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a Member;

    fn next(&mut self) -> Option<&'a Member> {
        match self {
            Self::Few(list) => list.next().map(|(_, member)| member),
            Self::Many(tree) => tree.next(),
        }
    }
}

impl IntoIterator for Indexed {
    type Item = Member;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        match self {
            Self::Few(list) => IntoIter::Few(list.into_iter()),
            Self::Many(tree) => IntoIter::Many(tree.into_values()),
        }
    }
}

#[derive(Debug)]
pub(super) enum IntoIter {
    Few(vec::IntoIter<(u32, Member)>),
    Many(btree_map::IntoValues<u32, Member>),
}

impl Iterator for IntoIter {
    type Item = Member;

    fn next(&mut self) -> Option<Member> {
        match self {
            Self::Few(list) => list.next().map(|(_, member)| member),
            Self::Many(tree) => tree.next(),
        }
    }
}
