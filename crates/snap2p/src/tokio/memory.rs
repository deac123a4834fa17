//! Memory that sessions share.

use crate::limits::SHARED_MEMORY;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

/// How much several sessions together may hold of what their peers send, beyond
/// [`limits::SESSION_MEMORY`](crate::limits::SESSION_MEMORY) each: large frames of which a part has come, and what the application
/// has not read.
///
/// The protocol allows frames of 16 MiB, which must be whole before they can be opened, and has no flow control. One session cannot
/// do much harm with that, a thousand can. A session that needs more than there is stops reading until others have given some
/// back, and is ended with [`Error::Overloaded`](crate::Error::Overloaded) after
/// [`limits::MEMORY_PATIENCE`](crate::limits::MEMORY_PATIENCE); one that needs no more than its own share never waits. What holds a
/// frame for longer than [`limits::LARGE_FRAME_TIMEOUT`](crate::limits::LARGE_FRAME_TIMEOUT) is ended as well.
///
/// Clones are the same memory. With less than 17 MiB the longest frames never come through.
#[derive(Clone)]
pub struct Memory(Arc<Pool>);

struct Pool {
    size: usize,
    state: Mutex<State>,
}

struct State {
    free: usize,
    next: u64,
    /// Those who wait for room.
    waiting: BTreeMap<u64, Waker>,
}

impl Memory {
    /// So many bytes, shared by whoever has a clone.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self(Arc::new(Pool {
            size,
            state: Mutex::new(State {
                free: size,
                next: 0,
                waiting: BTreeMap::new(),
            }),
        }))
    }

    /// How many bytes it has, taken or not.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.size
    }

    /// How many bytes of it are taken now.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.0.size - self.lock().free
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way, so a poisoned sum is a right one.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What one session takes of it: nothing yet.
    pub(super) fn lease(&self) -> Lease {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        drop(state);
        Lease {
            memory: self.clone(),
            number,
            taken: 0,
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(SHARED_MEMORY)
    }
}

impl PartialEq for Memory {
    /// Whether both are of one size: two configurations are alike if they bound alike.
    fn eq(&self, other: &Self) -> bool {
        self.size() == other.size()
    }
}

impl Eq for Memory {}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("size", &self.size())
            .field("taken", &self.taken())
            .finish_non_exhaustive()
    }
}

/// What one session has taken, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    memory: Memory,
    number: u64,
    taken: usize,
}

impl Lease {
    pub(super) const fn taken(&self) -> usize {
        self.taken
    }

    /// Takes as much as makes `size` in all; `false` if there is not so much, and `waker` is woken when some is given back.
    pub(super) fn grow_to(&mut self, size: usize, waker: &Waker) -> bool {
        let Some(more) = size.checked_sub(self.taken).filter(|more| *more > 0) else {
            return true;
        };
        let mut state = self.memory.lock();
        match state.free.checked_sub(more) {
            Some(free) => {
                state.free = free;
                self.taken = size;
                true
            }
            None => {
                state.waiting.insert(self.number, waker.clone());
                false
            }
        }
    }

    /// Gives back all but `size`; those who wait for it are added to `wakes`.
    pub(super) fn shrink_to(&mut self, size: usize, wakes: &mut Vec<Waker>) {
        if size >= self.taken {
            return;
        }
        let mut state = self.memory.lock();
        state.free += self.taken - size;
        self.taken = size;
        // There are no more of them than sessions, and each asks anew.
        wakes.extend(std::mem::take(&mut state.waiting).into_values());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut wakes = Vec::new();
        self.shrink_to(0, &mut wakes);
        self.memory.lock().waiting.remove(&self.number);
        wakes.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
    };

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn no_more_is_taken_than_there_is_and_who_waits_is_woken() {
        let memory = Memory::new(100);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let (mut one, mut other) = (memory.lease(), memory.lease());
        assert!(one.grow_to(60, &waker) && one.grow_to(60, &waker) && one.grow_to(10, &waker));
        assert!(!other.grow_to(41, &waker));
        assert_eq!((memory.taken(), other.taken()), (60, 0), "nothing by halves");
        let mut wakes = Vec::new();
        one.shrink_to(70, &mut wakes);
        assert!(wakes.is_empty());
        one.shrink_to(50, &mut wakes);
        assert_eq!(wakes.len(), 1);
        assert!(other.grow_to(41, &waker));
        assert!(!one.grow_to(60, &waker));
        drop(other);
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(one.grow_to(100, &waker));
        drop(one);
        assert_eq!(memory.taken(), 0);
        assert!(memory.lock().waiting.is_empty());
    }
}
