//! What nodes tell each other about nodes.

use crate::Contact;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A frame of the membership protocol. On the wire its name is one letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame<P> {
    /// A newcomer asks a contact for peers.
    #[serde(rename = "J")]
    Join {
        /// Where the newcomer is.
        address: Bytes,
        /// What lets it in.
        pass: Bytes,
    },
    /// The contact's answer: peers that are worth asking, newcomers among them.
    #[serde(rename = "W")]
    Welcome {
        /// The peers.
        peers: Vec<Contact<P>>,
    },
    /// A newcomer is carried along a random walk, to be known far from its contact.
    #[serde(rename = "F")]
    ForwardJoin {
        /// The newcomer.
        peer: Contact<P>,
        /// How many hops are left.
        ttl: u8,
    },
    /// A peer asks to be a neighbour.
    #[serde(rename = "N")]
    Neighbour {
        /// Where it is.
        address: Bytes,
        /// What lets it in.
        pass: Bytes,
        /// How it asks.
        want: Want<P>,
    },
    /// The peer that was asked has made the asking one its neighbour.
    #[serde(rename = "A")]
    Accept {
        /// Where it is.
        address: Bytes,
        /// What lets it in.
        pass: Bytes,
        /// The neighbour that it gave up for a [`Want::Swap`].
        gave_up: Option<Contact<P>>,
    },
    /// The peer that was asked has no room, but knows others.
    #[serde(rename = "R")]
    Refuse {
        /// The others.
        peers: Vec<Contact<P>>,
    },
    /// The sender is no neighbour, or no longer one.
    #[serde(rename = "D")]
    Disconnect {
        /// Whether it stays in the topic.
        alive: bool,
        /// Who has just lost a link as well and waits to be asked.
        instead: Option<Contact<P>>,
    },
    /// Peers on a random walk, to be exchanged for others at its end.
    #[serde(rename = "S")]
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
    #[serde(rename = "s")]
    ShuffleReply {
        /// The shuffle's.
        nonce: u32,
        /// Peers of the node where the walk ended.
        peers: Vec<Contact<P>>,
    },
    /// Are we neighbours?
    #[serde(rename = "P")]
    Ping,
    /// We are.
    #[serde(rename = "p")]
    Pong,
}

/// How a peer asks to be a neighbour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Want<P> {
    /// If there is room.
    #[serde(rename = "L")]
    Low,
    /// Even if a link has to be given up for it: the asking one has room for the other end of that link.
    #[serde(rename = "H")]
    High,
    /// In exchange: each side gives up a neighbour, and those two become neighbours. This names the one of the asking side.
    #[serde(rename = "S")]
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
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    /// How many bytes it takes, with names of 32 bytes: close enough to count traffic without encoding.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        /// A name and its prefix.
        const NAME: usize = 34;
        /// The frame's own name, and the prefix of its fields.
        const FRAME: usize = 4;
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
                Self::Ping | Self::Pong => 0,
            }
    }
}
