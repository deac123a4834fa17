//! Range-based set reconciliation, for differences too many for a sketch.
//!
//! [Negentropy] orders all messages by time and halves ranges until the differing ones are small. Its cost follows the number
//! of differing ranges, so it is at its best when what is missing lies together.
//!
//! [Negentropy]: https://github.com/hoytech/negentropy

use crate::{MessageId, Time, swarm::history::History};
use negentropy::{Id, Negentropy, NegentropyStorageVector};
use std::time::Duration;

/// The longest step in bytes that is sent: a step is answered within one turn, and longer ones would hold up others.
const STEP_MAX: u64 = 60_000;
/// For how long a sorted copy of the names may serve although the history has changed. Sorting costs some 30 ms for 100,000
/// messages; a peer must not make that happen for each of its frames.
const SORTED_FOR: Duration = Duration::from_secs(10);
/// After this much idleness the copy is given up: 40 bytes a message.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// The names of a history in the order of time.
#[derive(Debug)]
pub(super) struct Sorted {
    storage: NegentropyStorageVector,
    fingerprint: [u8; 16],
    made: Time,
    used: Time,
}

/// What a step showed.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// What only this side has.
    pub(super) have: Vec<MessageId>,
    /// What only the other side has.
    pub(super) need: Vec<MessageId>,
    /// What to say next; nothing if all is known.
    pub(super) next: Option<Vec<u8>>,
}

impl Sorted {
    fn new(history: &History, now: Time) -> Result<Self, negentropy::Error> {
        let mut storage = NegentropyStorageVector::with_capacity(history.len());
        for item in history.iter() {
            storage.insert(item.sequence.number() >> 10, Id::from_byte_array(*item.id.as_bytes()))?;
        }
        storage.seal()?;
        Ok(Self {
            storage,
            fingerprint: history.fingerprint(),
            made: now,
            used: now,
        })
    }

    /// When to give up a copy that nobody uses.
    pub(super) fn expires(&self) -> Time {
        self.used + KEPT_FOR
    }
}

/// The sorted copy, made anew if it is out of date and old enough for that.
fn sorted<'a>(
    cache: &'a mut Option<Sorted>,
    history: &History,
    now: Time,
) -> Result<&'a mut Sorted, negentropy::Error> {
    cache.take_if(|sorted| sorted.fingerprint != history.fingerprint() && now.since(sorted.made) > SORTED_FOR);
    let sorted = match cache {
        Some(sorted) => sorted,
        None => cache.insert(Sorted::new(history, now)?),
    };
    sorted.used = now;
    Ok(sorted)
}

/// The first step.
pub(super) fn begin(cache: &mut Option<Sorted>, history: &History, now: Time) -> Result<Vec<u8>, negentropy::Error> {
    Negentropy::borrowed(&sorted(cache, history, now)?.storage, STEP_MAX)?.initiate()
}

/// The answer of the side that did not begin.
pub(super) fn answer(
    cache: &mut Option<Sorted>,
    history: &History,
    step: &[u8],
    now: Time,
) -> Result<Vec<u8>, negentropy::Error> {
    Negentropy::borrowed(&sorted(cache, history, now)?.storage, STEP_MAX)?.reconcile(step)
}

/// What the side that began makes of an answer.
pub(super) fn go_on(
    cache: &mut Option<Sorted>,
    history: &History,
    step: &[u8],
    now: Time,
) -> Result<Step, negentropy::Error> {
    let mut machine = Negentropy::borrowed(&sorted(cache, history, now)?.storage, STEP_MAX)?;
    machine.set_initiator();
    let (mut have, mut need) = (Vec::new(), Vec::new());
    let next = machine.reconcile_with_ids(step, &mut have, &mut need)?;
    let names = |ids: Vec<Id>| ids.into_iter().map(|id| MessageId::from_bytes(id.to_bytes())).collect();
    Ok(Step {
        have: names(have),
        need: names(need),
        next,
    })
}
