//! What nodes tell each other about nodes.
//!
//! A frame is a MessagePack array: its kind, then its fields. Kinds and trailing fields that are not known are skipped, so
//! that later versions may add some.

use crate::Contact;
use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IgnoredAny, SeqAccess, Visitor},
    ser::SerializeTuple,
};
use std::{fmt, marker::PhantomData};

/// A frame of the membership protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<P> {
    /// A newcomer asks a contact for peers.
    Join {
        /// Where the newcomer is.
        address: Bytes,
        /// What lets it in.
        pass: Bytes,
    },
    /// The contact's answer: peers that are worth asking, newcomers among them.
    Welcome {
        /// The peers.
        peers: Vec<Contact<P>>,
    },
    /// A newcomer is carried along a random walk, to be known far from its contact.
    ForwardJoin {
        /// The newcomer.
        peer: Contact<P>,
        /// How many hops are left.
        ttl: u8,
    },
    /// A peer asks to be a neighbour.
    Neighbour {
        /// Where it is.
        address: Bytes,
        /// What lets it in.
        pass: Bytes,
        /// How it asks.
        want: Want<P>,
    },
    /// The peer that was asked has made the asking one its neighbour.
    Accept {
        /// Where it is.
        address: Bytes,
        /// What lets it in.
        pass: Bytes,
        /// The neighbour that it gave up for a [`Want::Swap`].
        gave_up: Option<Contact<P>>,
    },
    /// The peer that was asked has no room, but knows others.
    Refuse {
        /// The others.
        peers: Vec<Contact<P>>,
    },
    /// The sender is no neighbour, or no longer one.
    Disconnect {
        /// Whether it stays in the topic.
        alive: bool,
        /// Who has just lost a link as well and waits to be asked.
        instead: Option<Contact<P>>,
    },
    /// Peers on a random walk, to be exchanged for others at its end.
    Shuffle {
        /// Who began it and gets the answer.
        origin: Contact<P>,
        /// Tells the answer from an unasked one.
        nonce: u32,
        /// How many hops are left.
        ttl: u8,
        /// The peers.
        peers: Vec<Contact<P>>,
    },
    /// The answer to a shuffle.
    ShuffleReply {
        /// The shuffle's.
        nonce: u32,
        /// Peers of the node where the walk ended.
        peers: Vec<Contact<P>>,
    },
    /// Are we neighbours?
    Ping {
        /// What the answer brings back, so that the asking side learns how long it took.
        stamp: u32,
    },
    /// We are.
    Pong {
        /// The question's.
        stamp: u32,
    },
    /// A kind of a later version; it is not answered.
    Unknown(u8),
}

/// How a peer asks to be a neighbour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want<P> {
    /// If there is room.
    Low,
    /// Even if a link has to be given up for it: the asking one has room for the other end of that link.
    High,
    /// In exchange: each side gives up a neighbour, and those two become neighbours. This names the one of the asking side.
    Swap(Contact<P>),
}

impl<P> Frame<P> {
    /// The names of all kinds, for reports.
    pub const KINDS: &'static [&'static str] = &[
        "join",
        "welcome",
        "forward join",
        "neighbour",
        "accept",
        "refuse",
        "disconnect",
        "shuffle",
        "shuffle reply",
        "ping",
        "pong",
        "unknown",
    ];

    /// Which of [`Frame::KINDS`] this is.
    #[must_use]
    pub const fn kind(&self) -> usize {
        match self {
            Self::Join { .. } => 0,
            Self::Welcome { .. } => 1,
            Self::ForwardJoin { .. } => 2,
            Self::Neighbour { .. } => 3,
            Self::Accept { .. } => 4,
            Self::Refuse { .. } => 5,
            Self::Disconnect { .. } => 6,
            Self::Shuffle { .. } => 7,
            Self::ShuffleReply { .. } => 8,
            Self::Ping { .. } => 9,
            Self::Pong { .. } => 10,
            Self::Unknown(_) => 11,
        }
    }

    /// How many bytes it takes, with names of 32 bytes: close enough to count traffic without encoding.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        /// A name and its prefix.
        const NAME: usize = 34;
        /// The array's prefix and the kind.
        const FRAME: usize = 2;
        let bytes = |bytes: &Bytes| 2 + bytes.len();
        let contact = |contact: &Contact<P>| 1 + NAME + bytes(&contact.address);
        let contacts = |peers: &[Contact<P>]| 1 + peers.iter().map(contact).sum::<usize>();
        let option = |peer: &Option<Contact<P>>| peer.as_ref().map_or(1, contact);
        FRAME
            + match self {
                Self::Join { address, pass } => bytes(address) + bytes(pass),
                Self::Welcome { peers } | Self::Refuse { peers } => contacts(peers),
                Self::ForwardJoin { peer, .. } => contact(peer) + 1,
                Self::Neighbour { address, pass, want } => {
                    let exchanged = if let Want::Swap(peer) = want {
                        1 + contact(peer)
                    } else {
                        0
                    };
                    bytes(address) + bytes(pass) + 2 + exchanged
                }
                Self::Accept { address, pass, gave_up } => bytes(address) + bytes(pass) + option(gave_up),
                Self::Disconnect { instead, .. } => 1 + option(instead),
                Self::Shuffle { origin, peers, .. } => contact(origin) + 6 + contacts(peers),
                Self::ShuffleReply { peers, .. } => 5 + contacts(peers),
                Self::Ping { .. } | Self::Pong { .. } => 5,
                Self::Unknown(_) => 0,
            }
    }
}

impl<P: Serialize> Serialize for Frame<P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        macro_rules! array {
            ($len:expr; $($field:expr),+) => {{
                let mut array = serializer.serialize_tuple($len)?;
                $(array.serialize_element($field)?;)+
                array.end()
            }};
        }
        match self {
            Self::Join { address, pass } => array!(3; &0_u8, address, pass),
            Self::Welcome { peers } => array!(2; &1_u8, peers),
            Self::ForwardJoin { peer, ttl } => array!(3; &2_u8, peer, ttl),
            Self::Neighbour { address, pass, want } => {
                let (urgency, exchanged) = match want {
                    Want::Low => (0_u8, None),
                    Want::High => (1, None),
                    Want::Swap(peer) => (2, Some(peer)),
                };
                array!(5; &3_u8, address, pass, &urgency, &exchanged)
            }
            Self::Accept { address, pass, gave_up } => array!(4; &4_u8, address, pass, gave_up),
            Self::Refuse { peers } => array!(2; &5_u8, peers),
            Self::Disconnect { alive, instead } => array!(3; &6_u8, alive, instead),
            Self::Shuffle {
                origin,
                nonce,
                ttl,
                peers,
            } => array!(5; &7_u8, origin, nonce, ttl, peers),
            Self::ShuffleReply { nonce, peers } => array!(3; &8_u8, nonce, peers),
            Self::Ping { stamp } => array!(2; &9_u8, stamp),
            Self::Pong { stamp } => array!(2; &10_u8, stamp),
            Self::Unknown(kind) => array!(1; kind),
        }
    }
}

impl<'de, P: Deserialize<'de>> Deserialize<'de> for Frame<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FrameVisitor(PhantomData))
    }
}

struct FrameVisitor<P>(PhantomData<P>);

impl<'de, P: Deserialize<'de>> Visitor<'de> for FrameVisitor<P> {
    type Value = Frame<P>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of a kind and its fields")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Frame<P>, A::Error> {
        let kind: u8 = field(&mut seq)?;
        let frame = match kind {
            0 => Frame::Join {
                address: field(&mut seq)?,
                pass: field(&mut seq)?,
            },
            1 => Frame::Welcome {
                peers: field(&mut seq)?,
            },
            2 => Frame::ForwardJoin {
                peer: field(&mut seq)?,
                ttl: field(&mut seq)?,
            },
            3 => Frame::Neighbour {
                address: field(&mut seq)?,
                pass: field(&mut seq)?,
                want: match (field(&mut seq)?, field(&mut seq)?) {
                    (1_u8, _) => Want::High,
                    (2, Some(peer)) => Want::Swap(peer),
                    _ => Want::Low,
                },
            },
            4 => Frame::Accept {
                address: field(&mut seq)?,
                pass: field(&mut seq)?,
                gave_up: field(&mut seq)?,
            },
            5 => Frame::Refuse {
                peers: field(&mut seq)?,
            },
            6 => Frame::Disconnect {
                alive: field(&mut seq)?,
                instead: field(&mut seq)?,
            },
            7 => Frame::Shuffle {
                origin: field(&mut seq)?,
                nonce: field(&mut seq)?,
                ttl: field(&mut seq)?,
                peers: field(&mut seq)?,
            },
            8 => Frame::ShuffleReply {
                nonce: field(&mut seq)?,
                peers: field(&mut seq)?,
            },
            9 => Frame::Ping {
                stamp: field(&mut seq)?,
            },
            10 => Frame::Pong {
                stamp: field(&mut seq)?,
            },
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
