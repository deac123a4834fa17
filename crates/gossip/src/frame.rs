//! A frame between two nodes of an overlay, and how it travels.

use crate::{TopicId, membership, swarm};
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// What nodes send to each other: a frame of one of the two layers, in a topic.
///
/// On the wire it is a MessagePack array of the topic, the layer and the layer's frame. One transport message carries one
/// frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<P> {
    /// In which topic.
    pub topic: TopicId,
    /// What is said.
    pub body: Body<P>,
}

/// Which layer speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body<P> {
    /// Who is a neighbour of whom.
    Member(membership::Frame<P>),
    /// Messages, and words about messages.
    Swarm(swarm::Frame),
}

/// The layers' numbers on the wire.
const MEMBER: u8 = 0;
const SWARM: u8 = 1;

impl<P> Frame<P> {
    /// The longest frame, in bytes: 1 MiB. Beyond that, a frame is not looked at.
    pub const LEN_MAX: usize = 1 << 20;

    /// Whether a whole message travels in it.
    #[must_use]
    pub const fn is_payload(&self) -> bool {
        matches!(&self.body, Body::Swarm(frame) if frame.is_payload())
    }
}

impl<P: Serialize> Frame<P> {
    /// The frame as it travels.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let encoded = match &self.body {
            Body::Member(frame) => rmp_serde::to_vec(&(self.topic, MEMBER, frame)),
            Body::Swarm(frame) => rmp_serde::to_vec(&(self.topic, SWARM, frame)),
        };
        // Writing to memory does not fail, and no part of a frame refuses to be written.
        encoded.unwrap_or_default().into()
    }
}

impl<P: DeserializeOwned> Frame<P> {
    /// Reads a frame.
    ///
    /// # Errors
    /// A [`swarm::Fault`] says why the bytes are none; whoever sent them is to be dropped.
    pub fn decode(bytes: &[u8]) -> Result<Self, swarm::Fault> {
        if bytes.len() > Self::LEN_MAX {
            return Err(swarm::Fault::Oversized);
        }
        let mut reader = bytes;
        let wire: Wire<P> = rmp_serde::from_read(&mut reader).map_err(|_| swarm::Fault::Malformed)?;
        if !reader.is_empty() {
            return Err(swarm::Fault::Malformed);
        }
        let Wire(topic, body) = wire;
        Ok(Self { topic, body })
    }
}

struct Wire<P>(TopicId, Body<P>);

impl<'de, P: Deserialize<'de>> Deserialize<'de> for Wire<P> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<P>(std::marker::PhantomData<P>);

        impl<'de, P: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<P> {
            type Value = Wire<P>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an array of a topic, a layer and a frame")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Wire<P>, A::Error> {
                use serde::de::Error;
                let missing = || A::Error::custom("a field is missing");
                let topic = seq.next_element()?.ok_or_else(missing)?;
                let body = match seq.next_element::<u8>()?.ok_or_else(missing)? {
                    MEMBER => Body::Member(seq.next_element()?.ok_or_else(missing)?),
                    SWARM => Body::Swarm(seq.next_element()?.ok_or_else(missing)?),
                    _ => return Err(A::Error::custom("no such layer")),
                };
                while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                Ok(Wire(topic, body))
            }
        }

        deserializer.deserialize_seq(Visitor(std::marker::PhantomData))
    }
}
