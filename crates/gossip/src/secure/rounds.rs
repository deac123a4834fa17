//! What waits for the next round on links of the original's kind.

use super::LinkId;
use crate::{
    Item, MessageId,
    names::{NameEntry, NameMap},
};

/// Messages that wait at most: a round that is full goes out early, or, where rounds are made by hand, loses its oldest.
pub(super) const ROUND_MESSAGES_MAX: usize = 1024;
/// Bytes that wait at most.
pub(super) const ROUND_BYTES_MAX: usize = 1 << 20;
/// For how many links it is remembered that they have a message already, beside the one that brought it; one that is forgotten gets it back.
const HOLDERS_MAX: usize = 8;

/// A message that waits, and the links it need not go to.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) item: Item,
    /// The link that brought it.
    from: Option<LinkId>,
    /// The links that showed later that they have it, which are few.
    others: Vec<LinkId>,
}

impl Waiting {
    /// Whether this link has the message already, as far as is known.
    pub(super) fn is_held_by(&self, link: LinkId) -> bool {
        self.from == Some(link) || self.others.contains(&link)
    }
}

/// The messages since the last round, in the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    waiting: Vec<Waiting>,
    places: NameMap<MessageId, usize>,
    bytes: usize,
}

impl Rounds {
    /// Puts a message on the list. `holder` brought it.
    pub(super) fn add(&mut self, item: Item, holder: Option<LinkId>) {
        let NameEntry::Vacant(place) = self.places.entry(item.id) else {
            return;
        };
        place.insert(self.waiting.len());
        self.bytes += item.body.len();
        self.waiting.push(Waiting {
            item,
            from: holder,
            others: Vec::new(),
        });
    }

    /// A link showed that it has a message: it does not get it again.
    pub(super) fn holds(&mut self, id: &MessageId, link: LinkId) {
        let waiting = self.places.get(id).and_then(|&place| self.waiting.get_mut(place));
        if let Some(waiting) = waiting
            && waiting.others.len() < HOLDERS_MAX
            && !waiting.is_held_by(link)
        {
            waiting.others.push(link);
        }
    }

    pub(super) const fn is_full(&self) -> bool {
        self.waiting.len() >= ROUND_MESSAGES_MAX || self.bytes >= ROUND_BYTES_MAX
    }

    /// Drops the oldest half, where nobody makes rounds.
    pub(super) fn halve(&mut self) {
        let rest = self.waiting.split_off(self.waiting.len() / 2);
        *self = Self::default();
        for Waiting { item, from, others } in rest {
            let id = item.id;
            self.add(item, from);
            others.into_iter().for_each(|other| self.holds(&id, other));
        }
    }

    /// Ends the round. The messages come in the order of their arrival, except that the places of each author's are taken by
    /// its messages in the order of their numbers: the original drops what comes late.
    pub(super) fn take(&mut self) -> Vec<Waiting> {
        let Self { mut waiting, .. } = std::mem::take(self);
        let mut places: NameMap<_, Vec<usize>> = NameMap::default();
        for (place, message) in waiting.iter().enumerate() {
            places.entry(message.item.author).or_default().push(place);
        }
        let mut order: Vec<usize> = (0..waiting.len()).collect();
        let number = |place: &usize| waiting.get(*place).map(|message| message.item.sequence.number());
        for places in places.values() {
            if places.is_sorted_by_key(number) {
                continue;
            }
            let mut sorted = places.clone();
            sorted.sort_by_key(number);
            for (place, from) in places.iter().zip(sorted) {
                if let Some(slot) = order.get_mut(*place) {
                    *slot = from;
                }
            }
        }
        let mut slots: Vec<Option<Waiting>> = waiting.drain(..).map(Some).collect();
        order
            .into_iter()
            .filter_map(|from| slots.get_mut(from)?.take())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Author, Sequence};
    use bytes::Bytes;

    fn item(author: u8, number: u64) -> Item {
        Item {
            id: MessageId::from_bytes(std::array::from_fn(|i| if i == 0 { author } else { number as u8 })),
            author: Author::from_bytes([author; 32]),
            sequence: Sequence::Claimed(number),
            body: Bytes::from_static(b"body"),
        }
    }

    #[test]
    fn authors_keep_their_places_and_each_authors_messages_are_in_order() {
        let mut rounds = Rounds::default();
        for (author, number) in [(1, 2), (2, 0), (1, 0), (3, 5), (1, 1), (2, 1)] {
            rounds.add(item(author, number), None);
        }
        let order: Vec<_> = rounds
            .take()
            .into_iter()
            .map(|waiting| (waiting.item.author.as_bytes()[0], waiting.item.sequence.number()))
            .collect();
        assert_eq!(order, [(1, 0), (2, 0), (1, 1), (3, 5), (1, 2), (2, 1)]);
        assert!(rounds.take().is_empty());
    }

    #[test]
    fn whoever_brought_a_message_or_has_it_already_is_remembered() {
        let mut rounds = Rounds::default();
        rounds.add(item(1, 0), Some(LinkId(7)));
        rounds.holds(&item(1, 0).id, LinkId(8));
        rounds.holds(&item(1, 1).id, LinkId(9));
        let taken = rounds.take();
        let holds = |link| taken.first().unwrap().is_held_by(LinkId(link));
        assert_eq!([7, 8, 9].map(holds), [true, true, false]);
    }
}
