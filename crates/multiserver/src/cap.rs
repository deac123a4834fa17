//! Connections that stand: how many there may be, and who goes when there are too many.

use crate::{BoxSocket, Error, Limits, group::Group};
use futures_util::task::AtomicWaker;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The places for connections that came in.
///
/// When all are taken, they are shared fairly: the newcomer's group is compared with the one that holds the most, and if
/// that holds more than the newcomer's would, its connection that has been idle longest goes. So whoever holds many
/// connections cannot keep others out, and whoever holds few cannot be pushed out. The owner always gets in: somebody has
/// to be able to ask a besieged node what is going on.
#[derive(Debug)]
pub(crate) struct Cap {
    limit: usize,
    per_group: usize,
    /// What activity is measured from.
    start: Instant,
    seats: Mutex<Seats>,
}

#[derive(Debug, Default)]
struct Seats {
    next: u64,
    total: usize,
    groups: HashMap<Group, BTreeMap<u64, Arc<Seat>>>,
    // Invariant: holds the size and the key of each entry of `groups`, and no other; none is empty.
    sizes: BTreeSet<(usize, Group)>,
}

/// What the table and the socket know of each other.
#[derive(Debug)]
struct Seat {
    /// Nanoseconds from the start of the table to the last byte.
    active: AtomicU64,
    /// Whether the socket must go.
    gone: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Seats {
    fn size(&self, group: &Group) -> usize {
        self.groups.get(group).map_or(0, BTreeMap::len)
    }

    /// Changes the members of a group, and keeps the books.
    fn change(&mut self, group: &Group, change: impl FnOnce(&mut BTreeMap<u64, Arc<Seat>>)) {
        let members = self.groups.entry(group.clone()).or_default();
        let before = members.len();
        change(members);
        let after = members.len();
        if after == 0 {
            self.groups.remove(group);
        }
        if before == after {
            return;
        }
        self.total = self.total + after - before;
        self.sizes.remove(&(before, group.clone()));
        if after > 0 {
            self.sizes.insert((after, group.clone()));
        }
    }

    /// Takes the place from the connection of this group that has been idle longest, and returns it to be sent away.
    fn shed(&mut self, group: &Group) -> Option<Arc<Seat>> {
        let mut idle = None;
        self.change(group, |members| {
            let idlest = members
                .iter()
                .min_by_key(|(_, seat)| seat.active.load(Ordering::Relaxed))
                .map(|(number, _)| *number);
            idle = idlest.and_then(|number| members.remove(&number));
        });
        idle
    }
}

impl Seat {
    fn send_away(&self) {
        self.gone.store(true, Ordering::Release);
        self.reader.wake();
        self.writer.wake();
    }
}

impl Cap {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            limit: limits.max_connections,
            per_group: limits.max_connections_per_ip,
            start: Instant::now(),
            seats: Mutex::default(),
        })
    }

    /// How many places there are.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        // Nothing in here panics half-way, so a poisoned table is a whole one.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a newcomer of this group may not come in whatever it proves, which saves the work of a handshake.
    pub(crate) fn check(&self, group: &Group) -> Result<(), Error> {
        self.check_group(&self.lock(), group)
    }

    fn check_group(&self, seats: &Seats, group: &Group) -> Result<(), Error> {
        if group.is_limited() && seats.size(group) >= self.per_group {
            return Err(Error::TooManyFrom {
                from: group.to_string(),
                limit: self.per_group,
            });
        }
        Ok(())
    }

    /// Takes a place, from somebody else if there is none left.
    pub(crate) fn admit(self: &Arc<Self>, group: &Group, owner: bool) -> Result<Place, Error> {
        let mut seats = self.lock();
        self.check_group(&seats, group)?;
        let mut idle = None;
        if seats.total >= self.limit {
            let largest = seats.sizes.last().cloned();
            match largest {
                Some((size, largest)) if owner || size > seats.size(group) + 1 => {
                    tracing::debug!(group = %largest, "closing its longest idle connection to make room for others");
                    idle = seats.shed(&largest);
                }
                None if owner => {}
                _ => return Err(Error::Full { limit: self.limit }),
            }
        }
        let number = seats.next;
        seats.next += 1;
        let seat = Arc::new(Seat {
            active: AtomicU64::new(self.now()),
            gone: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
        });
        seats.change(group, |members| {
            members.insert(number, Arc::clone(&seat));
        });
        // Whoever is woken may want the lock.
        drop(seats);
        if let Some(idle) = idle {
            idle.send_away();
        }
        Ok(Place {
            cap: Arc::clone(self),
            group: group.clone(),
            number,
            seat,
        })
    }

    /// Nanoseconds since the table was made.
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A place that is taken, free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    cap: Arc<Cap>,
    group: Group,
    number: u64,
    seat: Arc<Seat>,
}

impl Place {
    fn touch(&self) {
        self.seat.active.store(self.cap.now(), Ordering::Relaxed);
    }

    fn is_gone(&self) -> bool {
        self.seat.gone.load(Ordering::Acquire)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.cap.lock().change(&self.group, |members| {
            members.remove(&self.number);
        });
    }
}

/// A socket that holds a place: it notes activity, and fails once it must go.
pub(crate) struct Seated {
    // None once it had to go, so that the file is free at once.
    socket: Option<BoxSocket>,
    place: Place,
}

impl Seated {
    pub(crate) fn new(socket: BoxSocket, place: Place) -> Self {
        Self {
            socket: Some(socket),
            place,
        }
    }

    /// Resolves when the socket must go: for whoever holds it and does not poll it.
    pub(crate) async fn must_go(&mut self) {
        std::future::poll_fn(|cx| {
            self.place.seat.reader.register(cx.waker());
            if self.place.is_gone() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Polls the socket unless it must go, and has `waker` woken when it must.
    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        waker: fn(&Seat) -> &AtomicWaker,
        poll: impl FnOnce(Pin<&mut BoxSocket>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.place.is_gone() {
            self.socket = None;
        }
        let Some(socket) = &mut self.socket else {
            return Poll::Ready(Err(made_room()));
        };
        let polled = poll(Pin::new(socket), cx);
        match &polled {
            Poll::Ready(_) => self.place.touch(),
            Poll::Pending => {
                waker(&self.place.seat).register(cx.waker());
                // It may have been sent away just before the waker stood.
                if self.place.is_gone() {
                    self.socket = None;
                    return Poll::Ready(Err(made_room()));
                }
            }
        }
        polled
    }
}

fn made_room() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "the node closed this connection, idle the longest of many, to make room for others",
    )
}

impl fmt::Debug for Seated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seated")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl AsyncRead for Seated {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |seat| &seat.reader, |socket, cx| socket.poll_read(cx, buf))
    }
}

impl AsyncWrite for Seated {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll(cx, |seat| &seat.writer, |socket, cx| socket.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll(
            cx,
            |seat| &seat.writer,
            |socket, cx| socket.poll_write_vectored(cx, bufs),
        )
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.as_ref().is_some_and(|socket| socket.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |seat| &seat.writer, |socket, cx| socket.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |seat| &seat.writer, |socket, cx| socket.poll_shutdown(cx))
    }
}
