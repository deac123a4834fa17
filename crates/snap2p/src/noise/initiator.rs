//! The side that dials.

use super::{Established, MESSAGE1_LEN, MESSAGE2_LEN, MESSAGE3_LEN, Suite, schedule::Schedule};
use crate::{Error, Fault};
use handfast_keys::{KeyPair, x25519};
use std::fmt;

/// An initiator that has said nothing.
pub struct Initiator {
    keys: KeyPair,
    ephemeral: x25519::SecretKey,
    suite: Suite,
}

impl Initiator {
    /// An initiator with its node key and a fresh ephemeral key, which must serve no other handshake.
    #[must_use]
    pub fn new(keys: &KeyPair, ephemeral: x25519::SecretKey, suite: Suite) -> Self {
        Self {
            keys: keys.clone(),
            ephemeral,
            suite,
        }
    }

    /// The first message, and what awaits the second.
    ///
    /// # Errors
    /// [`Error::Keys`] if the cryptographic library cannot work at all; never with [`Suite::Snap2p`].
    pub fn message1(self) -> Result<([u8; MESSAGE1_LEN], AwaitMessage2), Error> {
        let Self { keys, ephemeral, suite } = self;
        match suite {
            Suite::Snap2p => {
                let mut schedule = Schedule::new();
                let message = *ephemeral.public().as_bytes();
                schedule.mix_hash(&message);
                // The empty payload, without a key yet.
                schedule.mix_hash(&[]);
                Ok((
                    message,
                    AwaitMessage2(Inner::Snap2p {
                        schedule,
                        keys,
                        ephemeral,
                    }),
                ))
            }
            #[cfg(feature = "standard-noise")]
            Suite::Standard => {
                let mut noise = super::standard::Handshake::initiator(keys, ephemeral)?;
                Ok((noise.write()?, AwaitMessage2(Inner::Standard(noise))))
            }
        }
    }
}

/// An initiator that awaits the second message.
pub struct AwaitMessage2(Inner);

enum Inner {
    Snap2p {
        schedule: Schedule,
        keys: KeyPair,
        ephemeral: x25519::SecretKey,
    },
    #[cfg(feature = "standard-noise")]
    Standard(super::standard::Handshake),
}

impl AwaitMessage2 {
    /// Takes the second message; the third, and the ciphers.
    ///
    /// # Errors
    /// [`Fault::Noise`] as an [`Error::Protocol`], if the message is not of [`MESSAGE2_LEN`] bytes, was tampered with, or has
    /// a key of low order.
    pub fn handle(self, message2: &[u8]) -> Result<([u8; MESSAGE3_LEN], Established), Error> {
        let message2: [u8; MESSAGE2_LEN] = message2.try_into().map_err(|_| Fault::Noise)?;
        match self.0 {
            Inner::Snap2p {
                schedule,
                keys,
                ephemeral,
            } => Ok(snap2p(schedule, &keys, &ephemeral, message2)?),
            #[cfg(feature = "standard-noise")]
            Inner::Standard(mut noise) => {
                noise.read(&message2)?;
                let message3 = noise.write()?;
                Ok((message3, noise.establish(true)?))
            }
        }
    }

    #[cfg(test)]
    pub(super) fn schedule(&self) -> Option<&Schedule> {
        match &self.0 {
            Inner::Snap2p { schedule, .. } => Some(schedule),
            #[cfg(feature = "standard-noise")]
            Inner::Standard(_) => None,
        }
    }
}

fn snap2p(
    mut schedule: Schedule,
    keys: &KeyPair,
    ephemeral: &x25519::SecretKey,
    mut message2: [u8; MESSAGE2_LEN],
) -> Result<([u8; MESSAGE3_LEN], Established), Fault> {
    // e, ee
    let (their_ephemeral, rest) = message2.split_first_chunk_mut::<32>().ok_or(Fault::Noise)?;
    schedule.mix_hash(their_ephemeral);
    let their_ephemeral = x25519::PublicKey::from_bytes(*their_ephemeral);
    schedule.mix_key(ephemeral, &their_ephemeral)?;
    // s, es
    let (their_static, payload) = rest.split_first_chunk_mut().ok_or(Fault::Noise)?;
    let their_static = schedule.open_key(their_static)?;
    schedule.mix_key(ephemeral, &their_static)?;
    schedule.decrypt_and_hash(payload)?;

    // s, se
    let mut message3 = [0; MESSAGE3_LEN];
    let (our_static, payload) = message3.split_first_chunk_mut().ok_or(Fault::Noise)?;
    *our_static = schedule.seal_key(keys.agreement().public())?;
    schedule.mix_key(keys.agreement(), &their_ephemeral)?;
    schedule.encrypt_and_hash(payload)?;

    let hash = schedule.hash();
    Ok((
        message3,
        schedule.split().establish(true, Suite::Snap2p, their_static, hash),
    ))
}

impl fmt::Debug for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Initiator")
            .field("suite", &self.suite)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AwaitMessage2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwaitMessage2").finish_non_exhaustive()
    }
}
