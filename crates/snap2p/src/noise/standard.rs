//! Noise as it is specified, by the `snow` crate on ring.
//!
//! Only the handshake is snow's: frames are sealed by the same ciphers as with the reference's schedule, with the limit of
//! the Noise specification on their length. X25519 is that of [`handfast_keys`], which refuses keys of low order.

use super::{Established, Suite, cipher::Keys};
use crate::{Error, Fault};
use handfast_keys::{KeyPair, x25519};
use snow::{
    Builder, HandshakeState,
    params::{CipherChoice, DHChoice, HashChoice},
    resolvers::{CryptoResolver, RingResolver},
    types::{Cipher, Dh, Hash, Random},
};
use std::sync::Arc;
use zeroize::Zeroizing;

const PROTOCOL: &str = "Noise_XX_25519_ChaChaPoly_SHA256";

/// A handshake of either side, which knows itself whose turn it is.
pub(super) struct Handshake(Box<HandshakeState>);

impl Handshake {
    pub(super) fn initiator(keys: KeyPair, ephemeral: x25519::SecretKey) -> Result<Self, Error> {
        builder(keys, ephemeral)?
            .build_initiator()
            .map(Self::boxed)
            .map_err(library)
    }

    pub(super) fn responder(keys: KeyPair, ephemeral: x25519::SecretKey) -> Result<Self, Error> {
        builder(keys, ephemeral)?
            .build_responder()
            .map(Self::boxed)
            .map_err(library)
    }

    fn boxed(state: HandshakeState) -> Self {
        Self(Box::new(state))
    }

    /// The next message of ours, with an empty payload: exactly `N` bytes.
    pub(super) fn write<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        // Snow wants room for a tag also where there is none.
        let mut message = [0; 128];
        let len = self.0.write_message(&[], &mut message).map_err(|_| Fault::Noise)?;
        let message = message.get(..len).ok_or(Fault::Noise)?;
        message.try_into().map_err(|_| Fault::Noise)
    }

    /// Takes the next message of theirs.
    pub(super) fn read(&mut self, message: &[u8]) -> Result<(), Fault> {
        let len = self.0.read_message(message, &mut []).map_err(|_| Fault::Noise)?;
        if len == 0 { Ok(()) } else { Err(Fault::Noise) }
    }

    /// The ciphers, after the third message.
    pub(super) fn establish(mut self, initiator: bool) -> Result<Established, Fault> {
        if !self.0.is_handshake_finished() {
            return Err(Fault::Noise);
        }
        let remote_static = self.0.get_remote_static().and_then(|key| key.try_into().ok());
        let remote_static = x25519::PublicKey::from_bytes(remote_static.ok_or(Fault::Noise)?);
        let hash = self.0.get_handshake_hash().try_into().map_err(|_| Fault::Noise)?;
        let (initiators, responders) = self.0.dangerously_get_raw_split();
        let keys = Keys {
            initiator: Zeroizing::new(initiators),
            responder: Zeroizing::new(responders),
        };
        Ok(keys.establish(initiator, Suite::Standard, remote_static, hash))
    }
}

fn builder(keys: KeyPair, ephemeral: x25519::SecretKey) -> Result<Builder<'static>, Error> {
    let params = PROTOCOL.parse().map_err(library)?;
    let key = Key {
        keys,
        ephemeral: Arc::new(ephemeral),
        is_ephemeral: false,
    };
    // What is passed for the static key is only the sign to use it: the bytes stay where they are.
    Builder::with_resolver(params, Box::new(Resolver(key)))
        .local_private_key(&[0; 32])
        .map_err(library)
}

/// Snow fails for no other reason than what it was built without.
fn library(_: snow::Error) -> Error {
    Error::Keys(handfast_keys::Error::Library)
}

/// Hands snow the keys of this handshake, and ring for the rest.
struct Resolver(Key);

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        RingResolver.resolve_rng()
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        matches!(choice, DHChoice::Curve25519).then(|| Box::new(self.0.clone()) as Box<dyn Dh>)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        RingResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        RingResolver.resolve_cipher(choice)
    }
}

/// The static or the ephemeral key, as snow asks for it.
#[derive(Clone)]
struct Key {
    keys: KeyPair,
    ephemeral: Arc<x25519::SecretKey>,
    is_ephemeral: bool,
}

impl Key {
    fn secret(&self) -> &x25519::SecretKey {
        if self.is_ephemeral {
            &self.ephemeral
        } else {
            self.keys.agreement()
        }
    }
}

impl Dh for Key {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    /// Snow sets the static key and never another.
    fn set(&mut self, _: &[u8]) {
        self.is_ephemeral = false;
    }

    /// Snow makes an ephemeral key: it is the one that the caller gave.
    fn generate(&mut self, _: &mut dyn Random) -> Result<(), snow::Error> {
        self.is_ephemeral = true;
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        self.secret().public().as_bytes()
    }

    /// Snow reads this only to generate key pairs.
    fn privkey(&self) -> &[u8] {
        &[]
    }

    fn dh(&self, theirs: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        let theirs = theirs.first_chunk().ok_or(snow::Error::Dh)?;
        let shared = self.secret().agree(&x25519::PublicKey::from_bytes(*theirs));
        let shared = shared.ok_or(snow::Error::Dh)?;
        out.first_chunk_mut().map(|out| *out = *shared).ok_or(snow::Error::Dh)
    }
}
