//! Comparisons that wait for their turn, where more are asked for than one node makes.

use super::serve::Bucket;
use crate::{PeerId, Time, swarm::frame::Frame};
use std::collections::BTreeMap;

/// How many comparisons all neighbours together may ask for at once, and how many more a second: a third of a core with
/// 100,000 messages. Eight neighbours that each ask for all that one may never come near it; a thousand could otherwise keep
/// a node from doing anything else.
pub const ALL_COMPARISONS_MAX: u64 = 128;
/// See [`ALL_COMPARISONS_MAX`].
const ALL_COMPARISONS_RATE: u64 = 64;
/// Bytes of questions that wait. Beyond that, the longest is dropped: an honest question is short, and whoever asks long ones
/// to fill this drives out itself.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// Questions that wait, one of each neighbour, and who is next.
///
/// The neighbour that was answered longest ago goes first, so each has the same share, however many ask however often; and one
/// that was never answered, such as one that has just come, goes before all who were.
#[derive(Debug)]
pub(super) struct Queue<P> {
    bucket: Bucket,
    turns: BTreeMap<P, Turn>,
    /// How many neighbours wait, and bytes of what they ask.
    waiting: usize,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Turn {
    /// When it was answered last.
    answered: Time,
    question: Option<Question>,
}

#[derive(Debug)]
struct Question {
    asked: Time,
    frame: Frame,
    bytes: usize,
}

impl<P> Default for Queue<P> {
    fn default() -> Self {
        Self {
            bucket: Bucket::new(ALL_COMPARISONS_MAX, Time::default()),
            turns: BTreeMap::new(),
            waiting: 0,
            bytes: 0,
        }
    }
}

impl<P: PeerId> Queue<P> {
    /// A neighbour's question: returned if it may be answered now, else it waits. A later question of the same neighbour
    /// takes the place of the earlier one, which it has given up.
    pub(super) fn admit(&mut self, from: P, frame: Frame, now: Time) -> Option<Frame> {
        // Invariant: whoever waits is answered before whoever asks now.
        if self.waiting == 0 && self.take(now) {
            self.turns.entry(from).or_default().answered = now;
            return Some(frame);
        }
        self.drop_question(&from);
        let bytes = frame.wire_len();
        let question = Question {
            asked: now,
            frame,
            bytes,
        };
        self.turns.entry(from).or_default().question = Some(question);
        self.waiting += 1;
        self.bytes += bytes;
        while self.bytes > WAITING_BYTES_MAX {
            let longest = self
                .turns
                .iter()
                .max_by_key(|(_, turn)| turn.bytes())
                .map(|(peer, _)| *peer);
            let Some(longest) = longest else { break };
            self.drop_question(&longest);
        }
        None
    }

    /// The next question that may be answered now.
    pub(super) fn next(&mut self, now: Time) -> Option<(P, Frame)> {
        if self.waiting == 0 || !self.take(now) {
            return None;
        }
        let waiting = self.turns.iter().filter_map(|(peer, turn)| {
            let asked = turn.question.as_ref()?.asked;
            Some((turn.answered, asked, *peer))
        });
        let (.., next) = waiting.min()?;
        let question = self.drop_question(&next)?;
        self.turns.entry(next).or_default().answered = now;
        Some((next, question.frame))
    }

    /// When the next question may be answered, if one waits.
    pub(super) fn due(&self) -> Option<Time> {
        (self.waiting > 0).then(|| self.bucket.when(1, ALL_COMPARISONS_RATE))
    }

    /// A neighbour is gone.
    pub(super) fn forget(&mut self, peer: &P) {
        self.drop_question(peer);
        self.turns.remove(peer);
    }

    fn take(&mut self, now: Time) -> bool {
        self.bucket.take(1, ALL_COMPARISONS_RATE, ALL_COMPARISONS_MAX, now)
    }

    fn drop_question(&mut self, peer: &P) -> Option<Question> {
        let question = self.turns.get_mut(peer)?.question.take()?;
        self.waiting -= 1;
        self.bytes -= question.bytes;
        Some(question)
    }
}

impl Turn {
    fn bytes(&self) -> usize {
        self.question.as_ref().map_or(0, |question| question.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::frame::Want;
    use std::time::Duration;

    const NOW: Time = Time::from_micros(1_000_000_000);

    fn question(bytes: usize) -> Frame {
        Frame::Want(Want {
            salt: 0,
            names: vec![0; bytes].into(),
        })
    }

    /// A queue whose tokens are used up by peer 0.
    fn busy() -> Queue<u32> {
        let mut queue = Queue::default();
        for _ in 0..ALL_COMPARISONS_MAX {
            assert!(queue.admit(0, question(8), NOW).is_some());
        }
        assert!(queue.admit(0, question(8), NOW).is_none());
        queue
    }

    #[test]
    fn each_neighbour_has_its_turn_however_often_others_ask() {
        let mut queue = busy();
        for peer in 1..=100 {
            assert!(queue.admit(peer, question(8), NOW).is_none());
        }
        let mut now = NOW;
        let mut answered = BTreeMap::<u32, usize>::new();
        for _ in 0..1000 {
            now = queue.due().unwrap().max(now);
            let (peer, _) = queue.next(now).unwrap();
            assert!(queue.next(now).is_none(), "one at a time");
            *answered.entry(peer).or_default() += 1;
            // The hostile ones ask again and again, at once.
            for peer in 1..=100 {
                queue.admit(peer, question(8), now);
            }
            // One that comes late asks once.
            if answered.values().sum::<usize>() == 500 {
                queue.admit(1000, question(8), now);
                let (next, _) = queue.next(queue.due().unwrap()).unwrap();
                assert_eq!(next, 1000);
            }
        }
        let (least, most) = (answered.values().min().unwrap(), answered.values().max().unwrap());
        assert!(
            most - least <= 1 + usize::from(answered.contains_key(&0)) * 9,
            "{answered:?}"
        );
        assert!((1..=100).all(|peer| answered[&peer] >= 9), "{answered:?}");
        assert!(now.since(NOW) >= Duration::from_millis(1000 * 1000 / 65));
    }

    #[test]
    fn long_questions_drive_out_each_other_and_no_short_one() {
        let mut queue = busy();
        queue.admit(1, question(1000), NOW);
        for peer in 2..1000 {
            queue.admit(peer, question(1 << 17), NOW);
            assert!(queue.bytes <= WAITING_BYTES_MAX);
        }
        let (next, _) = queue.next(queue.due().unwrap()).unwrap();
        assert_eq!(next, 1, "it asked first of those never answered");
        let counted: usize = queue.turns.values().map(Turn::bytes).sum();
        assert_eq!(queue.bytes, counted);
        for peer in 0..1000 {
            queue.forget(&peer);
        }
        assert_eq!((queue.bytes, queue.waiting, queue.turns.len()), (0, 0, 0));
        assert_eq!(queue.due(), None);
    }
}
