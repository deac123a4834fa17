//! The rules of a topic: those of its messages, and who may be there.

use super::{
    certificate::{Certificate, Short},
    members::Members,
};
use crate::{Author, Error, Item, NodeId, Refused, Rules, Time, Topic};
use bytes::{BufMut, Bytes, BytesMut};
use handfast_keys::PublicKey;

/// A message of somebody who needs no certificate.
const PLAIN: u8 = 0;
/// A message behind its author's certificate.
const CERTIFIED: u8 = 1;

/// The rules of one topic: those beneath say what a message is, these who may be a neighbour and who may speak.
///
/// A message travels as one byte, the author's certificate (80 bytes) where the topic asks for one, and what the rules
/// beneath understand.
#[derive(Debug)]
pub struct TopicRules<R> {
    beneath: R,
    members: Members,
    pass: Option<Short>,
}

impl<R> TopicRules<R> {
    /// The rules of a topic, of which `members` tells, for a node with this key. In a closed topic the certificate is what the
    /// node shows.
    ///
    /// # Errors
    /// [`Error::Certificate`] if the topic is closed, and the certificate is missing, somebody else's, or not good now.
    pub fn new(
        beneath: R,
        members: Members,
        me: &PublicKey,
        certificate: Option<&Certificate>,
        now: Time,
    ) -> Result<Self, Error> {
        let pass = match certificate {
            _ if members.is_above(me.as_bytes()) => None,
            None => {
                return Err(Error::Certificate(
                    "the topic is closed: its owner has to certify this node's key",
                ));
            }
            Some(certificate) if certificate.member() != me => {
                return Err(Error::Certificate("it certifies another key than this node's"));
            }
            Some(certificate) => {
                certificate.verify(members.topic(), now)?;
                Some(certificate.short)
            }
        };
        Ok(Self { beneath, members, pass })
    }

    /// Who is in the topic, shared with these rules.
    #[must_use]
    pub const fn members(&self) -> &Members {
        &self.members
    }

    /// The topic.
    #[must_use]
    pub const fn topic(&self) -> &Topic {
        self.members.topic()
    }

    /// What is put around own messages.
    #[must_use]
    pub const fn envelope(&self) -> Envelope {
        Envelope(self.pass)
    }

    /// An own message as it travels.
    #[must_use]
    pub fn wrap(&self, message: &[u8]) -> Bytes {
        self.envelope().wrap(message)
    }

    /// What the rules beneath understand, of a message as it travels; nothing of what is none.
    #[must_use]
    pub fn unwrap(body: &Bytes) -> Bytes {
        Parts::of(body).map_or_else(Bytes::new, |parts| parts.message)
    }

    fn judge(&self, certificate: Option<&Short>, item: &Item) -> Result<(), Refused> {
        // A relay could take away the proof of a number as well as a certificate, and no honest one does.
        let number = item.sequence.proven().ok_or(Refused::Forged)?;
        let author = item.author.as_bytes();
        match certificate {
            None if self.members.is_above(author) => Ok(()),
            Some(certificate) if !self.members.is_above(author) => {
                if !self.members.is_certified(author, certificate) {
                    return Err(Refused::Forged);
                }
                // Whether a message stands depends on when it says that it was written and not on when it is read, so that
                // all nodes come to the same answer, those too that join later.
                match self.members.may_speak(author, certificate, number >> 10) {
                    true => Ok(()),
                    false => Err(Refused::Unwelcome),
                }
            }
            _ => Err(Refused::Forged),
        }
    }
}

impl<R: Rules<NodeId>> Rules<NodeId> for TopicRules<R> {
    fn read(&mut self, bodies: &[Bytes], now: Time) -> Vec<Result<Item, Refused>> {
        let parts: Vec<Option<Parts>> = bodies.iter().map(Parts::of).collect();
        let messages: Vec<Bytes> = parts.iter().flatten().map(|parts| parts.message.clone()).collect();
        let mut read = self.beneath.read(&messages, now).into_iter();
        let judged = parts.into_iter().map(|parts| {
            let certificate = parts.ok_or(Refused::Forged)?.certificate;
            let item = read.next().unwrap_or(Err(Refused::Forged))?;
            self.judge(certificate.as_ref(), &item)?;
            let body = seal(certificate.as_ref(), &item.body);
            Ok(Item { body, ..item })
        });
        judged.collect()
    }

    fn accepts(&mut self, item: &Item, now: Time) -> Result<(), Refused> {
        self.beneath.accepts(item, now)
    }

    fn pass(&self) -> Bytes {
        self.pass
            .map_or_else(Bytes::new, |pass| Bytes::copy_from_slice(&pass.to_bytes()))
    }

    fn admits(&mut self, peer: &NodeId, pass: &[u8], now: Time) -> bool {
        let key = peer.as_bytes();
        if self.members.is_above(key) {
            return true;
        }
        let shown = pass.try_into().ok().and_then(Short::from_bytes);
        // Whose key it is, the connection has proved.
        shown.is_some_and(|shown| self.members.is_certified(key, &shown))
            && self.members.stays_until(key, now).is_some()
    }
}

/// What a node puts around its own messages in a topic.
#[derive(Clone, Copy, Debug)]
pub struct Envelope(Option<Short>);

impl Envelope {
    /// An own message as it travels.
    #[must_use]
    pub fn wrap(&self, message: &[u8]) -> Bytes {
        seal(self.0.as_ref(), message)
    }
}

/// A message as it travels, taken apart.
struct Parts {
    certificate: Option<Short>,
    message: Bytes,
}

impl Parts {
    fn of(body: &Bytes) -> Option<Self> {
        let (&kind, rest) = body.split_first()?;
        match kind {
            PLAIN => Some(Self {
                certificate: None,
                message: body.slice_ref(rest),
            }),
            CERTIFIED => {
                let (certificate, message) = rest.split_first_chunk()?;
                Some(Self {
                    certificate: Some(Short::from_bytes(certificate)?),
                    message: body.slice_ref(message),
                })
            }
            _ => None,
        }
    }
}

fn seal(certificate: Option<&Short>, message: &[u8]) -> Bytes {
    let mut body = BytesMut::with_capacity(1 + Short::LEN + message.len());
    match certificate {
        None => body.put_u8(PLAIN),
        Some(certificate) => {
            body.put_u8(CERTIFIED);
            body.put_slice(&certificate.to_bytes());
        }
    }
    body.put_slice(message);
    body.freeze()
}

/// The node whose connections prove the key with which an author signs.
impl From<Author> for NodeId {
    fn from(author: Author) -> Self {
        Self::from_bytes(*author.as_bytes())
    }
}
