//! The key schedule: what is hashed, signed and boxed under which key.
//!
//! Names follow the Secret Handshake paper: K is the network identifier, a and b the ephemeral keys, A and B the
//! long-term keys of client and server, and `ab` the X25519 secret of a and b.

use crate::Error;
use dryoc::classic::crypto_secretbox::{crypto_secretbox_easy_inplace, crypto_secretbox_open_easy_inplace};
use handfast_keys::{KeyPair, NetworkIdentifier, PublicKey, Signature, StreamKey, x25519};
use ring::{digest, hmac};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

type Secret = Zeroizing<[u8; 32]>;

/// Each secretbox of the handshake has a key of its own, so the nonce may be constant.
const NONCE: [u8; 24] = [0; 24];

/// A challenge: `hmac(K, ephemeral) ‖ ephemeral`, 64 bytes.
///
/// The code is HMAC-SHA-512 cut to 32 bytes, libsodium's `crypto_auth`. Its first 24 bytes later serve as the first
/// nonce of the stream that flows towards the challenger.
pub(crate) struct Challenge {
    code: [u8; 32],
    pub(crate) ephemeral: x25519::PublicKey,
}

impl Challenge {
    pub(crate) fn new(network: &NetworkIdentifier, ephemeral: x25519::PublicKey) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA512, network.as_bytes());
        let tag = hmac::sign(&key, ephemeral.as_bytes());
        Self {
            code: part(tag.as_ref(), 0),
            ephemeral,
        }
    }

    /// Reads the peer's challenge.
    pub(crate) fn receive(network: &NetworkIdentifier, bytes: &[u8; 64], own: Option<&Self>) -> Result<Self, Error> {
        let (code, ephemeral): ([u8; 32], [u8; 32]) = (part(bytes, 0), part(bytes, 32));
        let expected = Self::new(network, x25519::PublicKey::from_bytes(ephemeral));
        if !bool::from(expected.code.ct_eq(&code)) {
            return Err(Error::OtherNetwork);
        }
        // A reflected challenge would give both directions one key and one nonce. No honest peer draws our key.
        if own.is_some_and(|own| own.ephemeral == expected.ephemeral) {
            return Err(Error::ReflectedChallenge);
        }
        Ok(expected)
    }

    pub(crate) fn to_bytes(&self) -> [u8; 64] {
        concat(&[&self.code, self.ephemeral.as_bytes()])
    }

    fn nonce(&self) -> [u8; 24] {
        part(&self.code, 0)
    }
}

/// What both sides know after the challenges: K, ab, and with the server's long-term key aB.
pub(crate) struct Shared {
    network: NetworkIdentifier,
    ab: Secret,
    a_b: Secret,
    hash_ab: [u8; 32],
}

impl Shared {
    pub(crate) fn new(network: &NetworkIdentifier, ab: Secret, a_b: Secret) -> Self {
        let hash_ab = sha256(&[&*ab]);
        Self {
            network: *network,
            ab,
            a_b,
            hash_ab,
        }
    }

    /// What the client signs: `K ‖ B ‖ sha256(ab)`.
    fn client_text(&self, server: &PublicKey) -> [u8; 96] {
        concat(&[self.network.as_bytes(), server.as_bytes(), &self.hash_ab])
    }

    /// Message 3: `box[sha256(K ‖ ab ‖ aB)](sign[A](K ‖ B ‖ sha256(ab)) ‖ A)`, 112 bytes.
    pub(crate) fn seal_client_auth(
        &self,
        client: &KeyPair,
        server: &PublicKey,
    ) -> Result<([u8; 112], ClientProof), Error> {
        let proof = ClientProof {
            signature: client.sign(&self.client_text(server))?,
            client: *client.public(),
        };
        let mut sealed = concat(&[proof.signature.as_bytes(), proof.client.as_bytes()]);
        seal(&mut sealed, &self.client_auth_key())?;
        Ok((sealed, proof))
    }

    pub(crate) fn open_client_auth(&self, mut sealed: [u8; 112], server: &PublicKey) -> Result<ClientProof, Error> {
        open(&mut sealed, &self.client_auth_key()).map_err(|()| Error::OtherServerKey)?;
        let signature = Signature::from_bytes(part(&sealed, 0));
        let client = PublicKey::from_bytes(&part(&sealed, 64)).map_err(Error::ClientKey)?;
        if !client.verify(&self.client_text(server), &signature) {
            return Err(Error::ClientSignature);
        }
        Ok(ClientProof { signature, client })
    }

    fn client_auth_key(&self) -> Secret {
        Zeroizing::new(sha256(&[self.network.as_bytes(), &*self.ab, &*self.a_b]))
    }

    /// Adds Ab, the last of the three secrets.
    pub(crate) fn complete(self, proof: ClientProof, big_a_b: &Secret) -> Complete {
        let key = Zeroizing::new(sha256(&[self.network.as_bytes(), &*self.ab, &*self.a_b, &**big_a_b]));
        Complete {
            network: self.network,
            hash_ab: self.hash_ab,
            key,
            proof,
        }
    }
}

/// The client's signature and key, which the server signs in turn.
pub(crate) struct ClientProof {
    signature: Signature,
    pub(crate) client: PublicKey,
}

/// Everything is agreed; only message 4 is missing. `key` is `sha256(K ‖ ab ‖ aB ‖ Ab)`.
pub(crate) struct Complete {
    network: NetworkIdentifier,
    hash_ab: [u8; 32],
    key: Secret,
    pub(crate) proof: ClientProof,
}

impl Complete {
    /// What the server signs: `K ‖ signature of the client ‖ A ‖ sha256(ab)`.
    fn server_text(&self) -> [u8; 160] {
        let ClientProof { signature, client } = &self.proof;
        concat(&[
            self.network.as_bytes(),
            signature.as_bytes(),
            client.as_bytes(),
            &self.hash_ab,
        ])
    }

    /// Message 4: `box[sha256(K ‖ ab ‖ aB ‖ Ab)](sign[B](…))`, 80 bytes.
    pub(crate) fn seal_server_accept(&self, server: &KeyPair) -> Result<[u8; 80], Error> {
        let mut sealed = concat(&[server.sign(&self.server_text())?.as_bytes()]);
        seal(&mut sealed, &self.key)?;
        Ok(sealed)
    }

    pub(crate) fn open_server_accept(&self, mut sealed: [u8; 80], server: &PublicKey) -> Result<(), Error> {
        open(&mut sealed, &self.key).map_err(|()| Error::ServerProof)?;
        let signature = Signature::from_bytes(part(&sealed, 0));
        if server.verify(&self.server_text(), &signature) {
            Ok(())
        } else {
            Err(Error::ServerProof)
        }
    }

    /// The key of the stream towards `receiver`, whose challenge gives the nonce: `sha256(sha256(key) ‖ receiver)`.
    pub(crate) fn stream_key(&self, receiver: &PublicKey, challenge: &Challenge) -> StreamKey {
        let hashed = Zeroizing::new(sha256(&[&*self.key]));
        StreamKey {
            key: sha256(&[&*hashed, receiver.as_bytes()]),
            nonce: challenge.nonce(),
        }
    }
}

fn sha256(parts: &[&[u8; 32]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    parts.iter().for_each(|part| context.update(*part));
    part(context.finish().as_ref(), 0)
}

/// Seals in place; the last 16 bytes of `text` are room for the tag, which ends up in front.
fn seal(text: &mut [u8], key: &Secret) -> Result<(), Error> {
    crypto_secretbox_easy_inplace(text, &NONCE, key).map_err(|_| handfast_keys::Error::Library.into())
}

/// Opens in place; the plaintext ends up in front.
fn open(sealed: &mut [u8], key: &Secret) -> Result<(), ()> {
    crypto_secretbox_open_easy_inplace(sealed, &NONCE, key).map_err(|_| ())
}

/// The parts one after another; what is missing at the end stays zero.
fn concat<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes
        .iter_mut()
        .zip(parts.iter().copied().flatten())
        .for_each(|(to, from)| *to = *from);
    bytes
}

/// The `N` bytes that begin at `start`.
fn part<const N: usize>(bytes: &[u8], start: usize) -> [u8; N] {
    std::array::from_fn(|i| bytes.get(start + i).copied().unwrap_or(0))
}
