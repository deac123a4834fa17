//! What can be dialled.

use crate::{Error, Locator, Principal, access::Invite};
use bytes::Bytes;
use std::{fmt, net::SocketAddr, str::FromStr};

/// What can be dialled.
///
/// As text: `HOST:PORT` and the other forms of a [`Locator`], `stacks:SP…`, `stacks:SP…@HOST:PORT`, or `snap2p-invite:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Whoever is at this place, if the allowlist takes them.
    Place(Locator),
    /// This principal, wherever it is.
    Principal(Principal),
    /// This principal, at this place.
    PrincipalAt(Principal, Locator),
    /// Who signed this invite, where it says, knocking with its token.
    Invite(Box<Invite>),
}

/// What else there is to say when dialling.
#[derive(Clone, Default)]
pub struct DialOptions {
    /// Who must be there. A target that names a principal demands that one anyway.
    pub expect: Option<Principal>,
    /// An invite token, 16 to 32 bytes, to knock with. Only for nodes that are known to be stealth: others take the knock for a
    /// broken handshake.
    pub token: Option<Bytes>,
}

impl fmt::Debug for DialOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DialOptions")
            .field("expect", &self.expect)
            .field("token", &self.token.as_ref().map(|_| ".."))
            .finish()
    }
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.starts_with("snap2p-invite:") {
            return Ok(Self::Invite(Box::new(text.parse()?)));
        }
        if !text.starts_with("stacks:") {
            return text.parse().map(Self::Place);
        }
        match text.split_once('@') {
            Some((principal, place)) => Ok(Self::PrincipalAt(principal.parse()?, place.parse()?)),
            None => text.parse().map(Self::Principal),
        }
    }
}

impl TryFrom<&str> for Target {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self, Error> {
        text.parse()
    }
}

impl TryFrom<String> for Target {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl TryFrom<&String> for Target {
    type Error = Error;

    fn try_from(text: &String) -> Result<Self, Error> {
        text.parse()
    }
}

impl TryFrom<SocketAddr> for Target {
    type Error = Error;

    fn try_from(address: SocketAddr) -> Result<Self, Error> {
        address.try_into().map(Self::Place)
    }
}

impl From<Locator> for Target {
    fn from(place: Locator) -> Self {
        Self::Place(place)
    }
}

impl From<Principal> for Target {
    fn from(principal: Principal) -> Self {
        Self::Principal(principal)
    }
}

impl From<Invite> for Target {
    fn from(invite: Invite) -> Self {
        Self::Invite(Box::new(invite))
    }
}
