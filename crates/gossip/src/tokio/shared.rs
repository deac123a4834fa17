//! The machine that all streams of a node share.

use super::{
    clock::Clock,
    messages::{Messages, Queue},
};
use crate::{
    Error, Time,
    secure::{Fault, LinkId, Links, Output},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, watch};

/// Where a node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Running,
    /// What waits goes out; streams close when nothing waits.
    Draining,
    Stopped,
}

#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    clock: Clock,
    phase: watch::Sender<Phase>,
    streams: watch::Sender<usize>,
    /// Tells the keeper of the time that something is due earlier than it knows.
    earlier: Notify,
    queue_messages: usize,
    queue_bytes: usize,
}

#[derive(Debug)]
struct State {
    links: Links,
    bells: HashMap<LinkId, Arc<Bell>>,
    queues: Vec<Arc<Queue>>,
    /// Until when the keeper of the time sleeps.
    asleep_until: Option<Time>,
}

/// How the machine reaches the future of one stream.
#[derive(Debug, Default)]
pub(super) struct Bell {
    pub(super) ring: Notify,
    fault: Mutex<Option<Fault>>,
}

impl Bell {
    /// Why the stream must be closed, if it must.
    pub(super) fn fault(&self) -> Option<Fault> {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    pub(super) fn new(links: Links, clock: Clock, queue_messages: usize, queue_bytes: usize) -> Self {
        Self {
            state: Mutex::new(State {
                links,
                bells: HashMap::new(),
                queues: Vec::new(),
                asleep_until: None,
            }),
            clock,
            phase: watch::Sender::new(Phase::Running),
            streams: watch::Sender::new(0),
            earlier: Notify::new(),
            queue_messages,
            queue_bytes,
        }
    }

    /// Does something with the machine, then everything that follows from it.
    pub(super) fn turn<R>(&self, work: impl FnOnce(&mut Links, Time) -> R) -> R {
        let mut state = self.lock();
        let now = self.clock.now();
        let result = work(&mut state.links, now);
        state.settle(now);
        let due = state.links.poll_timeout();
        let earlier = due.is_some_and(|due| state.asleep_until.is_none_or(|until| due < until));
        if earlier {
            // Once is enough, until it wakes.
            state.asleep_until = due;
        }
        drop(state);
        if earlier {
            self.earlier.notify_one();
        }
        result
    }

    pub(super) fn open(&self) -> Result<(LinkId, Arc<Bell>), Error> {
        self.running()?;
        let bell = Arc::new(Bell::default());
        let link = {
            let mut state = self.lock();
            let link = state.links.open(self.clock.now())?;
            state.bells.insert(link, Arc::clone(&bell));
            link
        };
        self.streams.send_modify(|streams| *streams += 1);
        self.turn(|_, _| ());
        Ok((link, bell))
    }

    pub(super) fn close(&self, link: LinkId) {
        self.turn(|links, now| links.close(link, now));
        self.lock().bells.remove(&link);
        self.streams.send_modify(|streams| *streams -= 1);
    }

    pub(super) fn subscribe(&self) -> Messages {
        let queue = Arc::new(Queue::new(self.queue_messages, self.queue_bytes));
        // Under the lock, so that a node that stops at this moment either is seen to have stopped or ends this queue, too.
        let mut state = self.lock();
        if self.running().is_err() {
            queue.end();
        } else {
            state.queues.push(Arc::clone(&queue));
        }
        drop(state);
        Messages(queue)
    }

    pub(super) fn running(&self) -> Result<(), Error> {
        if *self.phase.borrow() == Phase::Running {
            Ok(())
        } else {
            Err(Error::Stopped)
        }
    }

    /// Goes on to a later phase.
    pub(super) fn enter(&self, next: Phase) {
        self.phase.send_if_modified(|phase| {
            let later = next > *phase;
            *phase = next.max(*phase);
            later
        });
        if next == Phase::Stopped {
            self.lock().queues.drain(..).for_each(|queue| queue.end());
        }
    }

    pub(super) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    pub(super) async fn until_no_streams(&self) {
        // The sender is ours, so this ends only when it comes true.
        let _ = self.streams.subscribe().wait_for(|streams| *streams == 0).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn settle(&mut self, now: Time) {
        while let Some(output) = self.links.poll(now) {
            match output {
                Output::Deliver(delivery) => self.queues.retain(|queue| queue.push(&delivery)),
                Output::Transmit(link) => {
                    if let Some(bell) = self.bells.get(&link) {
                        bell.ring.notify_one();
                    }
                }
                Output::Close { link, fault } => {
                    if let Some(bell) = self.bells.get(&link) {
                        tracing::debug!(?link, %fault, "a peer is dropped");
                        *bell.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
                        bell.ring.notify_one();
                    }
                }
            }
        }
    }
}

/// Calls the machine when something is due, until the node stops.
pub(super) async fn keep_time(shared: Arc<Shared>) {
    let mut phase = shared.phase();
    loop {
        shared.turn(|links, now| {
            if links.poll_timeout().is_some_and(|due| due <= now) {
                links.handle_timeout(now);
            }
        });
        let until = {
            let mut state = shared.lock();
            state.asleep_until = state.links.poll_timeout();
            state.asleep_until
        };
        let sleep = async {
            match until {
                Some(until) => tokio::time::sleep_until(shared.clock.instant(until)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep => {}
            () = shared.earlier.notified() => {}
            _ = phase.wait_for(|phase| *phase == Phase::Stopped) => return,
        }
    }
}
