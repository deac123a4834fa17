//! What the owner of a closed topic signs: who is in, and who is not any more.

use super::{Topic, text};
use crate::{Error, Time, TopicId};
use handfast_keys::{KeyPair, PublicKey, Signature};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, time::Duration};

/// The longest that a certificate is good for. So a revocation can be forgotten after this time, and the list of
/// revocations does not grow for ever.
pub const MAX_LIFETIME: Duration = Duration::from_secs(366 * 86_400);

/// What certificates are signed with. Messages are JSON, which begins otherwise, so no signature of one is that of another.
const CERTIFICATE: &[u8] = b"handfast-gossip/certificate/1\0";
/// What revocations are signed with.
const REVOCATION: &[u8] = b"handfast-gossip/revocation/1\0";

/// The words with which the texts begin.
const MEMBER: &str = "gossip-member";
const REVOKED: &str = "gossip-revoked";

/// The owner of a closed topic says: this key is in, from one moment to another.
///
/// Its text is one word, `gossip-member:…`, of 206 characters. It is no secret, and worth nothing without the member's
/// secret key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Certificate {
    topic: TopicId,
    member: PublicKey,
    pub(super) short: Short,
}

/// A certificate without what its reader knows already, the topic and the member: 80 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short {
    /// Milliseconds since the Unix epoch.
    pub(super) issued: u64,
    /// Milliseconds since the Unix epoch; good until then.
    pub(super) expires: u64,
    signature: Signature,
}

impl Short {
    /// How long it is, in bytes.
    pub(super) const LEN: usize = 8 + 8 + 64;

    /// As it travels: two numbers, big-endian, and the signature.
    pub(super) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let (issued, rest) = bytes.split_at_mut(8);
        let (expires, signature) = rest.split_at_mut(8);
        issued.copy_from_slice(&self.issued.to_be_bytes());
        expires.copy_from_slice(&self.expires.to_be_bytes());
        signature.copy_from_slice(self.signature.as_bytes());
        bytes
    }

    /// Reads what travelled; says nothing about whether it is true.
    pub(super) fn from_bytes(bytes: &[u8; Self::LEN]) -> Option<Self> {
        let (issued, rest) = bytes.split_first_chunk()?;
        let (expires, signature) = rest.split_first_chunk()?;
        Some(Self {
            issued: u64::from_be_bytes(*issued),
            expires: u64::from_be_bytes(*expires),
            signature: Signature::from_bytes(*signature.first_chunk()?),
        })
    }

    /// Whether the owner has signed this about this member of this topic, for no longer than is allowed.
    pub(super) fn is_signed(&self, owner: &PublicKey, topic: &TopicId, member: &[u8; 32]) -> bool {
        let limit = u64::try_from(MAX_LIFETIME.as_millis()).unwrap_or(u64::MAX);
        self.expires.saturating_sub(self.issued) <= limit
            && owner.verify(&self.signed_bytes(topic, member), &self.signature)
    }

    fn signed_bytes(&self, topic: &TopicId, member: &[u8; 32]) -> Vec<u8> {
        let (issued, expires) = (self.issued.to_be_bytes(), self.expires.to_be_bytes());
        [CERTIFICATE, topic.as_bytes(), member, &issued, &expires].concat()
    }
}

impl Certificate {
    /// Certifies `member` for so long from `now` on.
    ///
    /// # Errors
    /// [`Error::Caller`] if `owner` is not the topic's owner, or `lifetime` is more than [`MAX_LIFETIME`]; [`Error::Keys`] if
    /// this machine cannot sign.
    pub fn issue(
        owner: &KeyPair,
        topic: &Topic,
        member: PublicKey,
        lifetime: Duration,
        now: Time,
    ) -> Result<Self, Error> {
        if topic.owner() != Some(owner.public()) {
            return Err(Error::Caller("only the owner of a closed topic certifies its members"));
        }
        if lifetime > MAX_LIFETIME {
            return Err(Error::Caller("a certificate is good for 366 days at most"));
        }
        let mut short = Short {
            issued: now.as_millis(),
            expires: (now + lifetime).as_millis(),
            signature: Signature::from_bytes([0; 64]),
        };
        short.signature = owner.sign(&short.signed_bytes(&topic.id(), member.as_bytes()))?;
        Ok(Self {
            topic: topic.id(),
            member,
            short,
        })
    }

    /// Whom it is about.
    #[must_use]
    pub const fn member(&self) -> &PublicKey {
        &self.member
    }

    /// Which topic it is for.
    #[must_use]
    pub const fn topic(&self) -> TopicId {
        self.topic
    }

    /// When it was issued, in milliseconds since the Unix epoch.
    #[must_use]
    pub const fn issued(&self) -> u64 {
        self.short.issued
    }

    /// Until when it is good, in milliseconds since the Unix epoch.
    #[must_use]
    pub const fn expires(&self) -> u64 {
        self.short.expires
    }

    /// Whether this lets its member into the topic now. Whether it was revoked, [`Members`](super::Members) knows.
    ///
    /// # Errors
    /// [`Error::Certificate`] that says why not.
    pub fn verify(&self, topic: &Topic, now: Time) -> Result<(), Error> {
        let Some(owner) = topic.owner() else {
            return Err(Error::Certificate("the topic is open, and asks for none"));
        };
        if self.topic != topic.id() {
            return Err(Error::Certificate("it is for another topic"));
        }
        if !self.short.is_signed(owner, &self.topic, self.member.as_bytes()) {
            return Err(Error::Certificate("the topic's owner has not signed it"));
        }
        if self.short.expires < now.as_millis() {
            return Err(Error::Certificate(
                "it has expired; ask the topic's owner for a new one",
            ));
        }
        Ok(())
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [
            &self.topic.as_bytes()[..],
            self.member.as_bytes(),
            &self.short.to_bytes(),
        ]
        .concat();
        f.write_str(&text::write(MEMBER, &bytes))
    }
}

impl FromStr for Certificate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        const WHY: Error = Error::Certificate("its text is gossip-member: and 192 characters of base64");
        let bytes: [u8; 64 + Short::LEN] = text::read(MEMBER, text).ok_or(WHY)?;
        let (topic, rest) = bytes.split_first_chunk().ok_or(WHY)?;
        let (member, short) = rest.split_first_chunk().ok_or(WHY)?;
        Ok(Self {
            topic: TopicId::from_bytes(*topic),
            member: PublicKey::from_bytes(member).map_err(|_| WHY)?,
            short: short.first_chunk().and_then(Short::from_bytes).ok_or(WHY)?,
        })
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("topic", &self.topic)
            .field("member", &self.member)
            .field("issued", &self.short.issued)
            .field("expires", &self.short.expires)
            .finish_non_exhaustive()
    }
}

/// The owner of a closed topic says: whatever I certified this key for until that moment, it is not in any more.
///
/// Messages that it dated before that moment stand, so that all nodes agree on them; later ones are refused, and it is
/// nobody's neighbour. A certificate that is issued later lets it in again, which an old revocation, sent once more, does not
/// change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    topic: TopicId,
    member: [u8; 32],
    /// Milliseconds since the Unix epoch.
    at: u64,
    signature: Signature,
}

impl Revocation {
    /// How long it is as it travels, in bytes.
    pub const LEN: usize = 32 + 32 + 8 + 64;

    /// Takes back every certificate that `member` was given for this topic until now.
    ///
    /// # Errors
    /// [`Error::Caller`] if `owner` is not the topic's owner; [`Error::Keys`] if this machine cannot sign.
    pub fn issue(owner: &KeyPair, topic: &Topic, member: &PublicKey, now: Time) -> Result<Self, Error> {
        if topic.owner() != Some(owner.public()) {
            return Err(Error::Caller("only the owner of a closed topic revokes its members"));
        }
        let mut revocation = Self {
            topic: topic.id(),
            member: *member.as_bytes(),
            at: now.as_millis(),
            signature: Signature::from_bytes([0; 64]),
        };
        revocation.signature = owner.sign(&revocation.signed_bytes())?;
        Ok(revocation)
    }

    /// Whom it is about: the bytes of a public key.
    #[must_use]
    pub const fn member(&self) -> &[u8; 32] {
        &self.member
    }

    /// Which topic it is for.
    #[must_use]
    pub const fn topic(&self) -> TopicId {
        self.topic
    }

    /// From when on its member is out, in milliseconds since the Unix epoch.
    #[must_use]
    pub const fn at(&self) -> u64 {
        self.at
    }

    /// Whether no certificate that it takes back can be good any more.
    #[must_use]
    pub fn is_spent(&self, now: Time) -> bool {
        Time::from_micros(self.at.saturating_mul(1000)) + MAX_LIFETIME < now
    }

    /// Whether the topic's owner says this.
    ///
    /// # Errors
    /// [`Error::Certificate`] that says why not.
    pub fn verify(&self, topic: &Topic) -> Result<(), Error> {
        if self.topic != topic.id() {
            return Err(Error::Certificate("the revocation is for another topic"));
        }
        match topic.owner() {
            Some(owner) if owner.verify(&self.signed_bytes(), &self.signature) => Ok(()),
            _ => Err(Error::Certificate("the topic's owner has not signed the revocation")),
        }
    }

    /// As it travels: topic, member, time (big-endian), signature.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let parts = [
            self.topic.as_bytes(),
            &self.member,
            &self.at.to_be_bytes()[..],
            self.signature.as_bytes(),
        ];
        for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }

    /// Reads what travelled; says nothing about whether it is true.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Option<Self> {
        let (topic, rest) = bytes.split_first_chunk()?;
        let (member, rest) = rest.split_first_chunk()?;
        let (at, signature) = rest.split_first_chunk()?;
        Some(Self {
            topic: TopicId::from_bytes(*topic),
            member: *member,
            at: u64::from_be_bytes(*at),
            signature: Signature::from_bytes(*signature.first_chunk()?),
        })
    }

    fn signed_bytes(&self) -> Vec<u8> {
        [REVOCATION, self.topic.as_bytes(), &self.member, &self.at.to_be_bytes()].concat()
    }
}

impl fmt::Display for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::write(REVOKED, &self.to_bytes()))
    }
}

impl FromStr for Revocation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text::read(REVOKED, text)
            .and_then(|bytes| Self::from_bytes(&bytes))
            .ok_or(Error::Certificate(
                "the text of a revocation is gossip-revoked: and 184 characters of base64",
            ))
    }
}

impl fmt::Debug for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocation")
            .field("topic", &self.topic)
            .field("member", &crate::NodeId::from_bytes(self.member))
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// Serialises a type as its text.
macro_rules! text_serde {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}
text_serde!(Certificate);
text_serde!(Revocation);
