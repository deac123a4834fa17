//! What neighbours of a swarm say to each other, and how it looks on the wire.
//!
//! A frame is a MessagePack array: its kind, then its fields. Kinds and trailing fields that are not known are skipped, so
//! that later versions may add some.

use crate::MessageId;
use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IgnoredAny, SeqAccess, Visitor},
    ser::SerializeTuple,
};
use std::{fmt, io};

/// The longest frame in bytes: what a receiver must hold before it can judge it.
pub const FRAME_MAX: usize = 1 << 20;
/// The longest message in bytes that fits a frame with its name.
pub const BODY_MAX: usize = 1_000_000;
/// The most announcements in one frame. A peer that floods announcements fills its share of the missing table at most, see
/// [`MISSING_PER_PEER`](super::MISSING_PER_PEER).
pub const ANNOUNCE_MAX: usize = 1024;
/// The most names in one Graft: each may cost a payload in answer.
pub const GRAFT_MAX: usize = 256;
/// The most messages in one Items frame.
pub const ITEMS_MAX: usize = 1024;
/// The most shortened names in one Want frame.
pub const WANT_MAX: usize = 16_384;

/// One thing that a neighbour says.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// A message on its way down the tree.
    Gossip {
        /// Its name. The receiver checks it against the body.
        id: MessageId,
        /// Over how many links it has come when it arrives: 1 from the node that published it.
        hops: u16,
        /// The message.
        body: Bytes,
    },
    /// Messages that the sender has, each with the hops that it would arrive with. At most [`ANNOUNCE_MAX`].
    IHave(Vec<(MessageId, u16)>),
    /// Push to me from now on, and send me these. At most [`GRAFT_MAX`]; none is fine.
    Graft(Vec<MessageId>),
    /// Do not push to me, announce.
    Prune,
    /// What I have, in a few bytes.
    Summary(Summary),
    /// What I have, author by author.
    Vector(Vector),
    /// What I have, as a sketch that shows differences only.
    Sketch(Sketch),
    /// A step of range-based set reconciliation.
    Reconcile(Reconcile),
    /// Send me these.
    Want(Want),
    /// Messages that were asked for, at most [`ITEMS_MAX`].
    Items(Vec<Bytes>),
    /// A kind of a later version. It is skipped.
    Unknown(u8),
}

/// How many messages somebody has and the fingerprint of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// How many.
    pub count: u64,
    /// Of the sum of all names, see [`History`](super::History).
    #[serde(with = "serde_bytes")]
    pub fingerprint: [u8; 16],
    /// From how many authors.
    pub authors: u32,
    /// Whether to compare at once rather than after what is on its way had time to arrive: a new link, or news by catch-up.
    pub fresh: bool,
    /// Whether the sender knows that the receiver has the same. Then nothing is to be said.
    pub agreed: bool,
}

/// What somebody has, author by author, see `catchup/vector.rs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vector {
    /// Shortens the names of the authors.
    pub salt: u64,
    /// Nothing older than this is wanted, in milliseconds since the Unix epoch.
    pub floor: u64,
    /// Whether this answers a vector: then it has only authors that differ, and is not answered.
    pub answer: bool,
    /// The entries, packed.
    pub entries: Bytes,
}

/// What somebody has, as the cells of an invertible lookup table, see `catchup/sketch.rs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sketch {
    /// Shortens the names.
    pub salt: u64,
    /// Nothing older than this is wanted, in milliseconds since the Unix epoch.
    pub floor: u64,
    /// The cells, packed.
    pub cells: Bytes,
}

/// A step of range-based set reconciliation, see `catchup/reconcile.rs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconcile {
    /// Nothing older than this is wanted, in milliseconds since the Unix epoch.
    pub floor: u64,
    /// Whether this comes from the side that did not begin.
    pub answer: bool,
    /// The step, in negentropy's own format.
    pub message: Bytes,
}

/// Names of messages, shortened to 8 bytes each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// Shortens the names.
    pub salt: u64,
    /// The shortened names, 8 bytes each. At most [`WANT_MAX`].
    pub names: Bytes,
}

/// Why a peer is to be dropped: an honest one never does this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It sent bytes that are no frame.
    #[error("the peer sent bytes that are no frame; it speaks another protocol or is broken")]
    Malformed,
    /// It sent a frame beyond its limits.
    #[error("the peer sent a frame beyond the limits of the protocol")]
    Oversized,
    /// It passed on a message that is not signed by whom it says.
    #[error("the peer passed on a forged message")]
    Forged,
    /// It sent a message under the name of another one.
    #[error("the peer sent a message under a name that is not its own")]
    WrongName,
}

impl Frame {
    /// Whether this carries messages rather than words about them.
    #[must_use]
    pub const fn is_payload(&self) -> bool {
        matches!(self, Self::Gossip { .. } | Self::Items(_))
    }

    /// The length on the wire in bytes, without what a transport adds.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        let mut count = Count(0);
        // Counting cannot fail, and no field of a frame refuses to be serialised.
        let _ = rmp_serde::encode::write(&mut count, self);
        count.0
    }

    /// The frame as it travels. At most [`FRAME_MAX`] bytes if its messages are at most [`BODY_MAX`] long.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        rmp_serde::to_vec(self).unwrap_or_default().into()
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// [`Fault::Oversized`] beyond [`FRAME_MAX`] or a limit of its kind, [`Fault::Malformed`] if it is no frame.
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.len() > FRAME_MAX {
            return Err(Fault::Oversized);
        }
        let frame: Self = rmp_serde::from_slice(bytes).map_err(|_| Fault::Malformed)?;
        frame.check()?;
        Ok(frame)
    }

    /// Whether the frame is within the limits of its kind, wherever it comes from.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let fits = match self {
            Self::Gossip { body, .. } => body.len() <= BODY_MAX,
            Self::IHave(names) => names.len() <= ANNOUNCE_MAX,
            Self::Graft(names) => names.len() <= GRAFT_MAX,
            Self::Want(want) => want.names.len() <= WANT_MAX * 8 && want.names.len().is_multiple_of(8),
            Self::Items(bodies) => {
                bodies.len() <= ITEMS_MAX && bodies.iter().map(Bytes::len).sum::<usize>() <= FRAME_MAX
            }
            Self::Vector(vector) => vector.entries.len() <= FRAME_MAX,
            Self::Sketch(sketch) => sketch.cells.len() <= FRAME_MAX,
            Self::Reconcile(step) => step.message.len() <= FRAME_MAX,
            Self::Prune | Self::Summary(_) | Self::Unknown(_) => true,
        };
        if fits { Ok(()) } else { Err(Fault::Oversized) }
    }
}

impl fmt::Debug for Frame {
    /// Kinds and sizes: messages may be private, and long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gossip { id, hops, body } => write!(f, "Gossip({id:?}, {hops} hops, {} bytes)", body.len()),
            Self::IHave(names) => f.debug_tuple("IHave").field(names).finish(),
            Self::Graft(names) => f.debug_tuple("Graft").field(names).finish(),
            Self::Prune => f.write_str("Prune"),
            Self::Summary(summary) => summary.fmt(f),
            Self::Vector(vector) => write!(f, "Vector(answer: {}, {} bytes)", vector.answer, vector.entries.len()),
            Self::Sketch(sketch) => write!(f, "Sketch({} bytes)", sketch.cells.len()),
            Self::Reconcile(step) => write!(f, "Reconcile(answer: {}, {} bytes)", step.answer, step.message.len()),
            Self::Want(want) => write!(f, "Want({} names)", want.names.len() / 8),
            Self::Items(bodies) => write!(f, "Items({} messages)", bodies.len()),
            Self::Unknown(kind) => write!(f, "Unknown({kind})"),
        }
    }
}

/// Counts what is written and keeps nothing.
struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Names one after another, 32 bytes each.
struct Names(Bytes);

impl Names {
    fn pack<'a>(names: impl ExactSizeIterator<Item = &'a MessageId>) -> Self {
        let mut bytes = Vec::with_capacity(names.len() * 32);
        for name in names {
            bytes.extend_from_slice(name.as_bytes());
        }
        Self(bytes.into())
    }

    fn unpack(&self) -> Option<Vec<MessageId>> {
        let (names, rest) = self.0.as_chunks::<32>();
        rest.is_empty()
            .then(|| names.iter().copied().map(MessageId::from_bytes).collect())
    }
}

impl Serialize for Frame {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        macro_rules! array {
            ($len:expr; $($field:expr),+) => {{
                let mut array = serializer.serialize_tuple($len)?;
                $(array.serialize_element($field)?;)+
                array.end()
            }};
        }
        match self {
            Self::Gossip { id, hops, body } => array!(4; &0u8, id, hops, body),
            Self::IHave(names) => {
                let hops: Vec<u16> = names.iter().map(|(_, hops)| *hops).collect();
                array!(3; &1u8, &Names::pack(names.iter().map(|(name, _)| name)).0, &hops)
            }
            Self::Graft(names) => array!(2; &2u8, &Names::pack(names.iter()).0),
            Self::Prune => array!(1; &3u8),
            Self::Summary(summary) => array!(2; &4u8, summary),
            Self::Vector(vector) => array!(2; &5u8, vector),
            Self::Sketch(sketch) => array!(2; &6u8, sketch),
            Self::Reconcile(step) => array!(2; &7u8, step),
            Self::Want(want) => array!(2; &8u8, want),
            Self::Items(bodies) => array!(2; &9u8, bodies),
            Self::Unknown(kind) => array!(1; kind),
        }
    }
}

impl<'de> Deserialize<'de> for Frame {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FrameVisitor)
    }
}

struct FrameVisitor;

impl<'de> Visitor<'de> for FrameVisitor {
    type Value = Frame;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of a kind and its fields")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Frame, A::Error> {
        let kind: u8 = field(&mut seq)?;
        let frame = match kind {
            0 => Frame::Gossip {
                id: field(&mut seq)?,
                hops: field(&mut seq)?,
                body: field(&mut seq)?,
            },
            1 => {
                let names = names(&mut seq)?;
                let hops: Vec<u16> = field(&mut seq)?;
                if hops.len() != names.len() {
                    return Err(A::Error::custom("as many hops as names"));
                }
                Frame::IHave(names.into_iter().zip(hops).collect())
            }
            2 => Frame::Graft(names(&mut seq)?),
            3 => Frame::Prune,
            4 => Frame::Summary(field(&mut seq)?),
            5 => Frame::Vector(field(&mut seq)?),
            6 => Frame::Sketch(field(&mut seq)?),
            7 => Frame::Reconcile(field(&mut seq)?),
            8 => Frame::Want(field(&mut seq)?),
            9 => Frame::Items(field(&mut seq)?),
            kind => Frame::Unknown(kind),
        };
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(frame)
    }
}

fn field<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(seq: &mut A) -> Result<T, A::Error> {
    seq.next_element()?
        .ok_or_else(|| A::Error::custom("a field is missing"))
}

fn names<'de, A: SeqAccess<'de>>(seq: &mut A) -> Result<Vec<MessageId>, A::Error> {
    Names(field(seq)?)
        .unpack()
        .ok_or_else(|| A::Error::custom("names are 32 bytes each"))
}
