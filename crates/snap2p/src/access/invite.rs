//! Invites that a principal signs: `snap2p-invite:…` (§4.2 of the specification).

use crate::{
    Error, Principal, UnixTime, WalletKey,
    identity::{
        fields::{self, DOCUMENT_MAX, Wrong},
        is_signed_by, sha256,
    },
    limits::{CLOCK_SKEW, TOKEN_MAX, TOKEN_MIN},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use std::{fmt, str::FromStr};

/// What the text begins with.
const SCHEME: &str = "snap2p-invite:";
/// What the signature is for, so that it is good for nothing else.
const DOMAIN: &str = "snap2p-invite-v1";
const VERSION: u64 = 1;
/// The most places to dial: whoever reads an invite tries them one after the other.
const LOCATORS_MAX: usize = 8;
/// The longest place, bytes: a name of 253 letters, the longest that there is, fits with its port.
const LOCATOR_LEN_MAX: usize = 280;

/// An invite as a text to hand over: who invites, where to dial, and the token to knock with, signed by who invites.
///
/// The text is `snap2p-invite:` and base64url, without padding, of a CBOR map
/// `{domain, exp, loc, p, sig, [tok], ts, v}`, signed without `sig` as attestations are. It holds the token: whoever reads it
/// can use it, until it is used up or expires. `{}` prints the text; `{:?}` hides the token.
#[derive(Clone, PartialEq, Eq)]
pub struct Invite {
    /// Who invites, and will answer.
    pub principal: Principal,
    /// Where: one to 8 texts of at most 280 bytes, such as `HOST:PORT`.
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
    /// [`Error::Invite`] if `principal` is not `wallet`'s, for no locators and for more or longer ones than fit, and for a
    /// token that is not 16 to 32 bytes.
    pub fn issue(
        wallet: &WalletKey,
        principal: Principal,
        locators: Vec<String>,
        token: Option<Bytes>,
        issued: UnixTime,
        expires: UnixTime,
    ) -> Result<Self, Error> {
        let mut invite = Self {
            principal,
            locators,
            token,
            issued,
            expires,
            signature: [0; 65],
        };
        invite.check_limits().map_err(Error::Invite)?;
        invite.signature = wallet.sign(&invite.digest());
        match invite.is_signed() {
            true => Ok(invite),
            false => Err(Error::Invite("the principal is not that of the wallet's key")),
        }
    }

    /// Checks times, give or take five minutes, and signature.
    ///
    /// # Errors
    /// [`Error::Invite`] with what is wrong.
    pub fn verify(&self, now: UnixTime) -> Result<(), Error> {
        let wrong = if self.issued > now.plus(CLOCK_SKEW) {
            "it begins in the future; check the clocks"
        } else if self.expires <= now.minus(CLOCK_SKEW) {
            "it has expired; ask for another"
        } else if !self.is_signed() {
            "it is not signed by the principal that it names"
        } else {
            return Ok(());
        };
        Err(Error::Invite(wrong))
    }

    fn check_limits(&self) -> Result<(), Wrong> {
        if self.locators.is_empty() {
            return Err("it tells no place to dial");
        }
        if self.locators.len() > LOCATORS_MAX || self.locators.iter().any(|text| text.len() > LOCATOR_LEN_MAX) {
            return Err("it tells more than 8 places to dial, or one of more than 280 bytes");
        }
        if let Some(token) = &self.token
            && !(TOKEN_MIN..=TOKEN_MAX).contains(&token.len())
        {
            return Err("its token has not 16 to 32 bytes");
        }
        Ok(())
    }

    fn is_signed(&self) -> bool {
        is_signed_by(&self.principal, &self.digest(), &self.signature)
    }

    fn digest(&self) -> [u8; 32] {
        sha256(&self.write(false))
    }

    fn write(&self, signed: bool) -> Vec<u8> {
        let fields = 6 + u64::from(signed) + u64::from(self.token.is_some());
        fields::write(256, |to| {
            to.map(fields)?.str("domain")?.str(DOMAIN)?;
            to.str("exp")?.u64(self.expires.0)?;
            to.str("loc")?.array(self.locators.len() as u64)?;
            for locator in &self.locators {
                to.str(locator)?;
            }
            to.str("p")?.str(&self.principal.to_string())?;
            if signed {
                to.str("sig")?.bytes(&self.signature)?;
            }
            if let Some(token) = &self.token {
                to.str("tok")?.bytes(token)?;
            }
            to.str("ts")?.u64(self.issued.0)?.str("v")?.u64(VERSION)?;
            Ok(())
        })
    }

    fn read(bytes: &[u8]) -> Result<Self, Wrong> {
        let (mut domain, mut exp, mut loc, mut p) = (None, None, None, None);
        let (mut sig, mut tok, mut ts, mut v) = (None, None, None, None);
        fields::read(bytes, |key, from| match key {
            "domain" => fields::once(&mut domain, from.str(), "`domain` is no text"),
            "exp" => fields::once(&mut exp, from.u64(), "`exp` is no time"),
            "loc" => {
                let texts = from
                    .array_iter::<String>()
                    .and_then(|texts| texts.take(LOCATORS_MAX + 1).collect::<Result<Vec<_>, _>>());
                fields::once(&mut loc, texts, "`loc` is no list of texts")
            }
            "p" => fields::once(&mut p, from.str(), "`p` is no text"),
            "sig" => fields::once(&mut sig, from.bytes(), "`sig` is no byte string"),
            "tok" => fields::once(&mut tok, from.bytes(), "`tok` is no byte string"),
            "ts" => fields::once(&mut ts, from.u64(), "`ts` is no time"),
            "v" => fields::once(&mut v, from.u64(), "`v` is no number"),
            _ => Ok(false),
        })?;
        if v != Some(VERSION) {
            return Err("it is of another version");
        }
        if domain != Some(DOMAIN) {
            return Err("it was signed for something else");
        }
        let invite = Self {
            principal: p
                .and_then(|text| text.parse().ok())
                .ok_or("it names no Stacks principal")?,
            locators: loc.ok_or("it tells no place to dial")?,
            token: tok.map(Bytes::copy_from_slice),
            issued: UnixTime(ts.ok_or("`ts` is missing")?),
            expires: UnixTime(exp.ok_or("`exp` is missing")?),
            signature: sig
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or("its signature has not 65 bytes")?,
        };
        invite.check_limits()?;
        Ok(invite)
    }
}

impl fmt::Display for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEME)?;
        f.write_str(&URL_SAFE_NO_PAD.encode(self.write(true)))
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
        let text = text
            .trim()
            .strip_prefix(SCHEME)
            .ok_or(Error::Invite("invites begin with snap2p-invite:"))?;
        if text.len() > DOCUMENT_MAX * 4 / 3 + 1 {
            return Err(Error::Invite("it is too long"));
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| Error::Invite("it was not copied whole, or is mistyped"))?;
        Self::read(&bytes).map_err(Error::Invite)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::{Network, access::INVITE_VALIDITY};
    use proptest::prelude::*;

    const NOW: UnixTime = UnixTime(1_767_225_600);

    fn key(seed: u8) -> (WalletKey, Principal) {
        let key = WalletKey::from_bytes(&[seed; 32]).unwrap();
        let principal = Principal(key.address(Network::Mainnet));
        (key, principal)
    }

    fn invite(locators: &[&str], token: Option<&[u8]>) -> Result<Invite, Error> {
        let (wallet, principal) = key(1);
        let locators = locators.iter().map(|text| (*text).to_owned()).collect();
        let token = token.map(Bytes::copy_from_slice);
        Invite::issue(&wallet, principal, locators, token, NOW, NOW.plus(INVITE_VALIDITY))
    }

    #[test]
    fn a_text_brings_it_all_across_and_only_who_signed_it_could_have() {
        for token in [None, Some(&[7; 32][..]), Some(&[7; 16])] {
            let invite = invite(&["node.example:9000", "[2001:db8::1]:9000"], token).unwrap();
            let read: Invite = format!(" {invite}\n").parse().unwrap();
            assert_eq!(read, invite);
            read.verify(NOW).unwrap();
            let mut forged = read.clone();
            forged.locators[0] = "evil.example:9000".into();
            assert!(forged.verify(NOW).is_err());
            let mut forged = read;
            forged.principal = key(2).1;
            assert!(forged.verify(NOW).is_err());
        }
    }

    #[test]
    fn it_is_good_from_issue_to_expiry_give_or_take_five_minutes() {
        let invite = invite(&["a:1"], None).unwrap();
        assert!(invite.verify(NOW.minus(CLOCK_SKEW)).is_ok());
        assert!(invite.verify(UnixTime(NOW.0 - 301)).is_err());
        assert!(invite.verify(UnixTime(invite.expires.0 + 299)).is_ok());
        assert!(invite.verify(invite.expires.plus(CLOCK_SKEW)).is_err());
    }

    #[test]
    fn what_does_not_fit_is_not_signed() {
        assert!(invite(&[], None).is_err());
        assert!(invite(&["a:1"; 9], None).is_err());
        assert!(invite(&[&"a".repeat(281)], None).is_err());
        assert!(invite(&["a:1"], Some(&[7; 15])).is_err());
        assert!(invite(&["a:1"], Some(&[7; 33])).is_err());
        let (wallet, other) = (key(1).0, key(2).1);
        assert!(Invite::issue(&wallet, other, vec!["a:1".into()], None, NOW, NOW).is_err());
        // The longest that can be issued can be read.
        let longest = invite(&[&*"a".repeat(280); 8], Some(&[7; 32])).unwrap();
        assert_eq!(longest.to_string().parse::<Invite>().unwrap(), longest);
    }

    #[test]
    fn debug_hides_the_token() {
        let text = format!("{:?}", invite(&["a:1"], Some(b"0123456789abcdef")).unwrap());
        assert!(!text.contains("token") && !text.contains("48, 49"), "{text}");
    }

    proptest! {
        #[test]
        fn a_changed_letter_is_an_error_or_an_invite_that_does_not_verify(at in 14usize..300, letter in "[A-Za-z0-9_-]") {
            let invite = invite(&["node.example:9000"], Some(&[7; 32])).unwrap();
            let mut text = invite.to_string();
            let at = at.min(text.len() - 1);
            text.replace_range(at..=at, &letter);
            if let Ok(read) = text.parse::<Invite>() && read != invite {
                prop_assert!(read.verify(NOW).is_err());
            }
        }
    }
}
