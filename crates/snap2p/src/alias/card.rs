//! A name that a principal signs for itself.

use crate::{
    Error, Principal, UnixTime, WalletKey,
    identity::{fields, fields::Wrong, is_signed_by, sha256},
    limits::CLOCK_SKEW,
    shown::{is_invisible, steers_a_terminal},
};
use std::{ops::RangeInclusive, time::Duration};
use unicode_normalization::UnicodeNormalization;

/// What these signatures are good for, and nothing else.
const DOMAIN: &str = "snap2p-aliascard-v1";
/// The only version there is.
const VERSION: u64 = 1;
/// The longest alias, bytes in normal form: peers choose them, and every list shows them.
pub const ALIAS_MAX: usize = 64;
/// The longest display name, bytes.
pub const DISPLAY_NAME_MAX: usize = 256;
/// How long nonces may be, bytes: as those of attestations.
const NONCE_LEN: RangeInclusive<usize> = 16..=32;
/// How long a card is good, unless its principal says otherwise (§6).
pub const VALIDITY: Duration = Duration::from_secs(7 * 24 * 3600);

/// A principal's signed word how it wants to be called, for a while.
///
/// The CBOR is a map like that of a [`NodeKeyAttestation`](crate::NodeKeyAttestation), with the keys `alias`, `domain`, `exp`,
/// `name`, `nonce`, `p`, `sig`, `ts` and `v`, in this order; the signature is over SHA-256 of the same map without `sig`,
/// built anew from the fields. At most some 600 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasCard {
    /// Who is called so.
    pub principal: Principal,
    /// What to look for: in [`normal`] form, 1 to [`ALIAS_MAX`] bytes.
    pub alias: String,
    /// What to show, as its principal spells it: 1 to [`DISPLAY_NAME_MAX`] bytes, without control characters.
    pub display_name: String,
    /// Since when. Of two cards of a principal, the one that was issued later is good.
    pub issued_at: UnixTime,
    /// Until when.
    pub expires_at: UnixTime,
    /// 16 to 32 random bytes.
    pub nonce: Vec<u8>,
    /// R, S and the recovery id.
    pub signature: [u8; 65],
}

impl AliasCard {
    /// Signs one; the alias is brought into [`normal`] form. `validity` is [`VALIDITY`] if nothing speaks for another one.
    ///
    /// # Errors
    /// [`Error::Alias`] for a name that is empty, too long or not to be shown, and [`Error::Misuse`] if `principal` is not
    /// that of `key`.
    pub fn issue(
        key: &WalletKey,
        principal: Principal,
        alias: &str,
        display_name: &str,
        nonce: [u8; 32],
        issued_at: UnixTime,
        validity: Duration,
    ) -> Result<Self, Error> {
        let mut card = Self {
            principal,
            alias: normal(alias),
            display_name: display_name.trim().into(),
            issued_at,
            expires_at: issued_at.plus(validity),
            nonce: nonce.to_vec(),
            signature: [0; 65],
        };
        card.check_form().map_err(Error::Alias)?;
        card.signature = key.sign(&card.digest());
        match card.is_signed() {
            true => Ok(card),
            false => Err(Error::Misuse("an alias is signed by the principal that is called so")),
        }
    }

    /// The CBOR, as peers show it to each other.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.write(true)
    }

    fn write(&self, signed: bool) -> Vec<u8> {
        let principal = self.principal.to_string();
        fields::write(ALIAS_MAX + DISPLAY_NAME_MAX + 288, |to| {
            to.map(8 + u64::from(signed))?;
            to.str("alias")?.str(&self.alias)?;
            to.str("domain")?.str(DOMAIN)?;
            to.str("exp")?.u64(self.expires_at.0)?;
            to.str("name")?.str(&self.display_name)?;
            to.str("nonce")?.bytes(&self.nonce)?;
            to.str("p")?.str(&principal)?;
            if signed {
                to.str("sig")?.bytes(&self.signature)?;
            }
            to.str("ts")?.u64(self.issued_at.0)?;
            to.str("v")?.u64(VERSION)?;
            Ok(())
        })
    }

    /// Reads the CBOR, of at most 4 KiB; keys in any order, and unknown ones are skipped. Nothing is proved before
    /// [`verify`](Self::verify).
    ///
    /// # Errors
    /// [`Error::Alias`] with what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Self::read(bytes).map_err(Error::Alias)
    }

    fn read(bytes: &[u8]) -> Result<Self, Wrong> {
        let (mut alias, mut domain, mut exp, mut name) = (None, None, None, None);
        let (mut nonce, mut p, mut sig, mut ts, mut v) = (None, None, None, None, None);
        fields::read(bytes, |key, from| match key {
            "alias" => fields::once(&mut alias, from.str(), "`alias` is no text"),
            "domain" => fields::once(&mut domain, from.str(), "`domain` is no text"),
            "exp" => fields::once(&mut exp, from.u64(), "`exp` is no time"),
            "name" => fields::once(&mut name, from.str(), "`name` is no text"),
            "nonce" => fields::once(&mut nonce, from.bytes(), "`nonce` is no byte string"),
            "p" => fields::once(&mut p, from.str(), "`p` is no text"),
            "sig" => fields::once(&mut sig, from.bytes(), "`sig` is no byte string"),
            "ts" => fields::once(&mut ts, from.u64(), "`ts` is no time"),
            "v" => fields::once(&mut v, from.u64(), "`v` is no number"),
            _ => Ok(false),
        })?;
        if v.ok_or("`v` is missing")? != VERSION {
            return Err("it is of another version");
        }
        if domain.ok_or("`domain` is missing")? != DOMAIN {
            return Err("it was signed for something else: `domain` is another");
        }
        let card = Self {
            principal: p
                .ok_or("`p` is missing")?
                .parse()
                .map_err(|_| "`p` is no Stacks principal")?,
            alias: alias.ok_or("`alias` is missing")?.into(),
            display_name: name.ok_or("`name` is missing")?.into(),
            issued_at: UnixTime(ts.ok_or("`ts` is missing")?),
            expires_at: UnixTime(exp.ok_or("`exp` is missing")?),
            nonce: nonce.ok_or("`nonce` is missing")?.into(),
            signature: sig
                .ok_or("`sig` is missing")?
                .try_into()
                .map_err(|_| "`sig` has not 65 bytes")?,
        };
        card.check_form()?;
        Ok(card)
    }

    /// Checks form, times and signature. The clock of whoever signed it may be [`CLOCK_SKEW`] ahead; a card whose time is
    /// over is refused to the second, so that it is never shown as current.
    ///
    /// # Errors
    /// [`Error::Alias`] with what is wrong.
    pub fn verify(&self, now: UnixTime) -> Result<(), Error> {
        self.check_form().map_err(Error::Alias)?;
        if self.issued_at > now.plus(CLOCK_SKEW) {
            return Err(Error::Alias("it begins in the future; check the clocks"));
        }
        if !self.is_current(now) {
            return Err(Error::Alias("it has expired"));
        }
        match self.is_signed() {
            true => Ok(()),
            false => Err(Error::Alias("it is not signed by the principal that it names")),
        }
    }

    /// Whether its time is not over.
    #[must_use]
    pub fn is_current(&self, now: UnixTime) -> bool {
        now < self.expires_at
    }

    fn check_form(&self) -> Result<(), Wrong> {
        if !(1..=ALIAS_MAX).contains(&self.alias.len()) {
            return Err("its alias has not 1 to 64 bytes");
        }
        if normal(&self.alias) != self.alias {
            return Err("its alias is not in normal form: NFKC, lower case, trimmed");
        }
        if !(1..=DISPLAY_NAME_MAX).contains(&self.display_name.len()) {
            return Err("its display name has not 1 to 256 bytes");
        }
        if self
            .alias
            .chars()
            .chain(self.display_name.chars())
            .any(steers_a_terminal)
            || self.alias.chars().any(is_invisible)
            || self.display_name.chars().all(|c| is_invisible(c) || c.is_whitespace())
        {
            return Err("its names have characters that cannot be shown");
        }
        if self.expires_at <= self.issued_at {
            return Err("it ends before it begins");
        }
        match NONCE_LEN.contains(&self.nonce.len()) {
            true => Ok(()),
            false => Err("`nonce` has not 16 to 32 bytes"),
        }
    }

    fn is_signed(&self) -> bool {
        is_signed_by(&self.principal, &self.digest(), &self.signature)
    }

    fn digest(&self) -> [u8; 32] {
        sha256(&self.write(false))
    }
}

/// The normal form of an alias: NFKC, lower case, no space at its ends.
///
/// Some letters fall apart in lower case, so it is NFKC again afterwards.
#[must_use]
pub fn normal(alias: &str) -> String {
    let lower = alias.nfkc().collect::<String>().to_lowercase();
    lower.nfkc().collect::<String>().trim().into()
}
