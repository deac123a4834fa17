//! Invites that a principal signs: `snap2p-invite:…`.

use crate::{Error, Principal, UnixTime, WalletKey};
use bytes::Bytes;
use std::{fmt, str::FromStr};

/// An invite as a text to hand over: who invites, where to dial, and the token to knock with, signed by who invites.
///
/// The text is `snap2p-invite:` and base64url, without padding, of a CBOR map. It holds the token: whoever reads it can use it,
/// until it is used up or expires. Printing it with `{}` gives the text; `{:?}` hides the token.
#[derive(Clone, PartialEq, Eq)]
pub struct Invite {
    /// Who invites, and will answer.
    pub principal: Principal,
    /// Where: at most 8 of at most 256 bytes, such as `HOST:PORT`.
    pub locators: Vec<String>,
    /// What to knock with, 16 to 32 bytes; `None` if the node asks for none.
    pub token: Option<Bytes>,
    /// Since when it is good.
    pub issued: UnixTime,
    /// Until when.
    pub expires: UnixTime,
    /// R, S and the recovery id.
    signature: [u8; 65],
}

impl Invite {
    /// Signs one.
    ///
    /// # Errors
    /// [`Error::Misuse`] if `principal` is not `wallet`'s, for more or longer locators than fit, and for a token that is not 16
    /// to 32 bytes.
    pub fn issue(
        wallet: &WalletKey,
        principal: Principal,
        locators: Vec<String>,
        token: Option<Bytes>,
        issued: UnixTime,
        expires: UnixTime,
    ) -> Result<Self, Error> {
        let _ = (wallet, principal, locators, token, issued, expires);
        todo!("session")
    }

    /// Checks times and signature.
    ///
    /// # Errors
    /// [`Error::Invite`] with what is wrong.
    pub fn verify(&self, now: UnixTime) -> Result<(), Error> {
        let _ = now;
        todo!("session")
    }
}

impl fmt::Display for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = f;
        todo!("session")
    }
}

impl fmt::Debug for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invite")
            .field("principal", &self.principal)
            .field("locators", &self.locators)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl FromStr for Invite {
    type Err = Error;

    /// Reads the text. The signature is not checked: see [`Invite::verify`].
    ///
    /// # Errors
    /// [`Error::Invite`] with what is wrong.
    fn from_str(text: &str) -> Result<Self, Error> {
        let _ = (text, [0u8; 65]);
        todo!("session")
    }
}
