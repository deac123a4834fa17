//! The side that answers.

use super::{Established, MESSAGE1_LEN, MESSAGE2_LEN, MESSAGE3_LEN, Suite, schedule::Schedule};
use crate::{Error, Fault};
use handfast_keys::{KeyPair, x25519};
use std::fmt;

/// A responder that awaits the first message.
pub struct Responder {
    keys: KeyPair,
    ephemeral: x25519::SecretKey,
    suite: Suite,
}

impl Responder {
    /// A responder with its node key and a fresh ephemeral key, which must serve no other handshake.
    #[must_use]
    pub fn new(keys: &KeyPair, ephemeral: x25519::SecretKey, suite: Suite) -> Self {
        Self {
            keys: keys.clone(),
            ephemeral,
            suite,
        }
    }

    /// Takes the first message; the second, and what awaits the third.
    ///
    /// # Errors
    /// [`Fault::Noise`] as an [`Error::Protocol`], if the message is not of [`MESSAGE1_LEN`] bytes or is a key of low order;
    /// [`Error::Keys`] if the cryptographic library cannot work at all, never with [`Suite::Snap2p`].
    pub fn handle(self, message1: &[u8]) -> Result<([u8; MESSAGE2_LEN], AwaitMessage3), Error> {
        let message1: [u8; MESSAGE1_LEN] = message1.try_into().map_err(|_| Fault::Noise)?;
        let Self { keys, ephemeral, suite } = self;
        match suite {
            Suite::Snap2p => {
                let mut schedule = Schedule::new();
                let message2 = answer(&mut schedule, &keys, &ephemeral, &message1)?;
                Ok((message2, AwaitMessage3(Inner::Snap2p { schedule, ephemeral })))
            }
            #[cfg(feature = "standard-noise")]
            Suite::Standard => {
                let mut noise = super::standard::Handshake::responder(keys, ephemeral)?;
                noise.read(&message1)?;
                Ok((noise.write()?, AwaitMessage3(Inner::Standard(noise))))
            }
        }
    }
}

/// A responder that awaits the third message.
pub struct AwaitMessage3(Inner);

enum Inner {
    Snap2p {
        schedule: Schedule,
        ephemeral: x25519::SecretKey,
    },
    #[cfg(feature = "standard-noise")]
    Standard(super::standard::Handshake),
}

impl AwaitMessage3 {
    /// Takes the third message; the ciphers.
    ///
    /// # Errors
    /// [`Fault::Noise`] as an [`Error::Protocol`], if the message is not of [`MESSAGE3_LEN`] bytes, was tampered with, or has
    /// a key of low order.
    pub fn handle(self, message3: &[u8]) -> Result<Established, Error> {
        let message3: [u8; MESSAGE3_LEN] = message3.try_into().map_err(|_| Fault::Noise)?;
        match self.0 {
            Inner::Snap2p { schedule, ephemeral } => Ok(finish(schedule, &ephemeral, message3)?),
            #[cfg(feature = "standard-noise")]
            Inner::Standard(mut noise) => {
                noise.read(&message3)?;
                Ok(noise.establish(false)?)
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

fn answer(
    schedule: &mut Schedule,
    keys: &KeyPair,
    ephemeral: &x25519::SecretKey,
    message1: &[u8; MESSAGE1_LEN],
) -> Result<[u8; MESSAGE2_LEN], Fault> {
    // e, and the empty payload
    schedule.mix_hash(message1);
    schedule.mix_hash(&[]);
    let their_ephemeral = x25519::PublicKey::from_bytes(*message1);

    // e, ee
    let mut message2 = [0; MESSAGE2_LEN];
    let (our_ephemeral, rest) = message2.split_first_chunk_mut::<32>().ok_or(Fault::Noise)?;
    *our_ephemeral = *ephemeral.public().as_bytes();
    schedule.mix_hash(our_ephemeral);
    schedule.mix_key(ephemeral, &their_ephemeral)?;
    // s, es
    let (our_static, payload) = rest.split_first_chunk_mut().ok_or(Fault::Noise)?;
    *our_static = schedule.seal_key(keys.agreement().public())?;
    schedule.mix_key(keys.agreement(), &their_ephemeral)?;
    schedule.encrypt_and_hash(payload)?;
    Ok(message2)
}

fn finish(
    mut schedule: Schedule,
    ephemeral: &x25519::SecretKey,
    mut message3: [u8; MESSAGE3_LEN],
) -> Result<Established, Fault> {
    // s, se
    let (their_static, payload) = message3.split_first_chunk_mut().ok_or(Fault::Noise)?;
    let their_static = schedule.open_key(their_static)?;
    schedule.mix_key(ephemeral, &their_static)?;
    schedule.decrypt_and_hash(payload)?;
    let hash = schedule.hash();
    Ok(schedule.split().establish(false, Suite::Snap2p, their_static, hash))
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder")
            .field("suite", &self.suite)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AwaitMessage3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwaitMessage3").finish_non_exhaustive()
    }
}
