//! Topics: what they are called, who owns them, and who is let in.
//!
//! An open topic is for whoever knows its name. A closed one has an owner, and whoever wants to be in it shows a
//! [`Certificate`] that the owner signed; a [`Revocation`] takes it back.
//!
//! ```
//! use handfast_gossip::{Certificate, Time, Topic};
//! use handfast_keys::KeyPair;
//! use std::time::Duration;
//!
//! let (owner, member) = (KeyPair::generate()?, KeyPair::generate()?);
//! let topic = Topic::closed(*owner.public(), "committee");
//! let now = Time::from_micros(1_700_000_000_000_000);
//! let month = Duration::from_secs(30 * 86_400);
//! let certificate = Certificate::issue(&owner, &topic, *member.public(), month, now)?;
//!
//! let received: Certificate = certificate.to_string().parse()?;       // by mail, or from a file
//! assert!(received.verify(&topic, now).is_ok());
//! assert!(received.verify(&topic, now + month + month).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod certificate;
#[cfg(feature = "_check")]
pub(crate) mod check;
mod members;
mod rules;
mod text;

pub use certificate::{Certificate, MAX_LIFETIME, Revocation};
pub use members::{MAX_CERTIFICATES, MAX_REVOCATIONS, Members};
pub use rules::{Envelope, TopicRules};

use crate::TopicId;
use handfast_keys::PublicKey;
use ring::digest;
use std::fmt;

/// What a topic's name is hashed with, so that no hash of anything else is the name of a topic.
const DOMAIN: &[u8] = b"handfast-gossip/topic/1\0";

/// A topic: its name, and who says who is in it.
///
/// Only the [`id`](Self::id) travels: a hash. Whoever guesses the name of an open topic is in; whoever knows the owner and
/// the name of a closed one still needs a certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct Topic {
    id: TopicId,
    name: String,
    owner: Option<PublicKey>,
}

impl Topic {
    /// The topic of this name that everybody may be in.
    pub fn open(name: impl Into<String>) -> Self {
        Self::new(None, name.into())
    }

    /// The topic of this name of this owner, in which is whom the owner certifies.
    pub fn closed(owner: PublicKey, name: impl Into<String>) -> Self {
        Self::new(Some(owner), name.into())
    }

    fn new(owner: Option<PublicKey>, name: String) -> Self {
        // The kind comes first and the key has one length, so no two topics hash the same bytes.
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(DOMAIN);
        match &owner {
            None => hash.update(&[0]),
            Some(owner) => {
                hash.update(&[1]);
                hash.update(owner.as_bytes());
            }
        }
        hash.update(name.as_bytes());
        let mut id = [0; 32];
        id.copy_from_slice(hash.finish().as_ref());
        Self {
            id: TopicId::from_bytes(id),
            name,
            owner,
        }
    }

    /// The topic's name on the wire.
    #[must_use]
    pub const fn id(&self) -> TopicId {
        self.id
    }

    /// The topic's name for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who says who is in it; `None` for an open topic.
    #[must_use]
    pub const fn owner(&self) -> Option<&PublicKey> {
        self.owner.as_ref()
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("owner", &self.owner)
            .finish()
    }
}
