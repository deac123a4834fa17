//! Which numbers are believed, when it comes to peers of the original's kind.
//!
//! The original takes a message only if its number is above all that it took from that author, and nobody signs the number:
//! one line with an absurd number mutes its author there for good. So a number that cannot be right is not passed on to such
//! peers. Among peers of our kind numbers never decide whether a message is taken.

use crate::{Author, Item, MessageId, Sequence, limits::Recent};

/// How far above the highest known number of an author a number may be that the author does not prove. The original counts by
/// one, so this is how many messages may have passed us by; and it is how long a lie may mute an author.
const LEAP_MAX: u64 = 4096;
/// The highest number that is believed of an author never heard of: ten a second for a day.
const FIRST_MAX: u64 = 1 << 20;
/// How many authors are remembered, twice. Keys are free: whoever fills this makes us forget what was known of silent authors.
const AUTHORS_HALF: usize = 1 << 15;
/// How many messages are remembered that wait for a better number, twice.
const WITHHELD_HALF: usize = 1 << 12;

/// What is known of the numbers of authors.
#[derive(Debug)]
pub(super) struct Numbers {
    authors: Recent<Author, Known>,
    withheld: Recent<MessageId, ()>,
}

#[derive(Debug)]
struct Known {
    highest: u64,
    /// Whether this author proves its numbers. Then a number without proof is somebody else's.
    proves: bool,
}

impl Numbers {
    pub(super) fn new() -> Self {
        Self {
            authors: Recent::new(AUTHORS_HALF),
            withheld: Recent::new(WITHHELD_HALF),
        }
    }

    /// Whether the message may go to peers of the original's kind under its number. If not, it is remembered: a copy with a
    /// number that is believed may come yet.
    pub(super) fn believes(&mut self, item: &Item) -> bool {
        let believed = super::message::has_number(&item.body) && self.plausible(item.author, item.sequence);
        if !believed {
            self.withheld.insert(item.id, ());
        }
        believed
    }

    /// The number of a message that is published here is believed, whatever it is.
    pub(super) fn trust(&mut self, item: &Item) {
        let highest = item.sequence.number();
        let proves = item.sequence.proven().is_some();
        let known = self
            .authors
            .get_or_insert_with(item.author, || Known { highest, proves });
        known.highest = known.highest.max(highest);
    }

    /// Whether this message waits for a better number.
    pub(super) fn withholds(&mut self, id: &MessageId) -> bool {
        self.withheld.get(id).is_some()
    }

    /// The message went out after all.
    pub(super) fn released(&mut self, id: &MessageId) {
        self.withheld.remove(id);
    }

    fn plausible(&mut self, author: Author, sequence: Sequence) -> bool {
        let number = sequence.number();
        let proven = sequence.proven().is_some();
        match self.authors.get(&author) {
            None if !proven && number > FIRST_MAX => return false,
            None => self.authors.insert(
                author,
                Known {
                    highest: number,
                    proves: proven,
                },
            ),
            Some(known) if !proven && (known.proves || number > known.highest.saturating_add(LEAP_MAX)) => {
                return false;
            }
            Some(known) => {
                known.highest = known.highest.max(number);
                known.proves |= proven;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHOR: Author = Author::from_bytes([1; 32]);

    #[test]
    fn what_an_author_of_the_original_counts_is_believed_and_leaps_are_not() {
        let mut numbers = Numbers::new();
        for number in [7, 0, 8, 500, 4000] {
            assert!(numbers.plausible(AUTHOR, Sequence::Claimed(number)));
        }
        for absurd in [(1 << 53) - 1, 4000 + LEAP_MAX + 1] {
            assert!(!numbers.plausible(AUTHOR, Sequence::Claimed(absurd)));
        }
        assert!(numbers.plausible(AUTHOR, Sequence::Claimed(4001)));
        let stranger = Author::from_bytes([2; 32]);
        assert!(!numbers.plausible(stranger, Sequence::Claimed(FIRST_MAX + 1)));
        assert!(numbers.plausible(stranger, Sequence::Claimed(FIRST_MAX)));
    }

    #[test]
    fn who_proves_numbers_is_believed_whatever_they_are_and_nobody_in_its_place() {
        let mut numbers = Numbers::new();
        let clock = 1_800_000_000_000 * 1024;
        assert!(numbers.plausible(AUTHOR, Sequence::Proven(clock)));
        assert!(!numbers.plausible(AUTHOR, Sequence::Claimed(clock + 1)));
        assert!(numbers.plausible(AUTHOR, Sequence::Proven(clock + 1)));
    }
}
