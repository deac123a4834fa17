//! One layer of an address: a name and its parts, such as `shs:KEY`.

use super::{base64, escape, malformed::Malformed};
use crate::Error;
use handfast_keys::{PublicKey, SecretKey};
use std::{
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// One layer of an address: `name:part:part`.
///
/// The parts of a layer whose name begins with `shs`, from the second on, are **secret**: there an invite carries the
/// seed of the identity to come with. They are erased from memory when the layer is dropped, compared in constant time,
/// never shown by `Debug` or `Display`, and not among [`parts`](Self::parts). [`seed`](Self::seed) gives them out, and so
/// does [`Address::to_string_with_seed`](crate::Address::to_string_with_seed).
#[derive(Clone)]
pub struct Layer {
    name: String,
    parts: Vec<String>,
    secrets: Vec<Zeroizing<String>>,
    /// The key of `shs:KEY`, if it has been checked: that takes as long as half a signature check, and dialling asks often.
    key: Option<PublicKey>,
}

impl Layer {
    /// A layer with any parts. Those that may be secret are told apart by the name, see above.
    ///
    /// # Errors
    /// [`Error::Address`] for a name that is not a letter from `a` to `z` followed by at least one more such letter,
    /// digit or hyphen (capitals are made small), and for control characters: none of these could be read again.
    pub fn new(name: &str, parts: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, Error> {
        let parts = parts.into_iter().map(|part| Zeroizing::new(part.into())).collect();
        Ok(Self::from_parts(name, parts)?)
    }

    /// The layer `shs:KEY`.
    #[must_use]
    pub fn shs(key: &PublicKey) -> Self {
        Self {
            name: "shs".to_owned(),
            parts: vec![key.to_base64()],
            secrets: Vec::new(),
            key: Some(*key),
        }
    }

    /// The layer `shs:KEY:SEED`: whoever dials it comes with the identity of the seed.
    #[must_use]
    pub fn shs_with_seed(key: &PublicKey, seed: &SecretKey) -> Self {
        let mut layer = Self::shs(key);
        layer.secrets.push(base64::encode(seed.expose_seed()));
        layer
    }

    /// The layer `snap2p:PRINCIPAL`, as in `snap2p:stacks:SP…`: a SNaP2P session with this principal, whatever its node key.
    #[cfg(feature = "snap2p")]
    #[must_use]
    pub fn snap2p(principal: &handfast_snap2p::Principal) -> Self {
        Self {
            name: "snap2p".to_owned(),
            // A principal is a scheme and an address with a colon between them, as parts have it.
            parts: vec!["stacks".to_owned(), principal.address().to_string()],
            secrets: Vec::new(),
            key: None,
        }
    }

    /// The principal of a layer `snap2p:PRINCIPAL`.
    ///
    /// # Errors
    /// [`Error::Address`] for other layers, and [`Error::Snap2p`] for what is no principal.
    #[cfg(feature = "snap2p")]
    pub fn require_principal(&self) -> Result<handfast_snap2p::Principal, Error> {
        if self.name != "snap2p" {
            return Err(Malformed::key(format!("{} holds no principal", self.name)).into());
        }
        Ok(self.parts.join(":").parse()?)
    }

    /// The layer `noauth`.
    #[must_use]
    pub fn noauth() -> Self {
        Self {
            name: "noauth".to_owned(),
            parts: Vec::new(),
            secrets: Vec::new(),
            key: None,
        }
    }

    pub(super) fn from_parts(name: &str, mut parts: Vec<Zeroizing<String>>) -> Result<Self, Malformed> {
        let name = checked_name(name)?;
        if parts.iter().any(|part| part.chars().any(char::is_control)) {
            return Err(Malformed::text(format!("a part of {name} holds a control character")));
        }
        let mut secrets = Vec::new();
        if name.starts_with("shs") {
            // Base64 holds no spaces, and at the end of an address they would not be read again.
            for part in &mut parts {
                *part = Zeroizing::new(part.trim_ascii().to_owned());
            }
            secrets = parts.split_off(parts.len().min(1));
        }
        Ok(Self {
            name,
            parts: parts.iter().map(|part| String::clone(part)).collect(),
            secrets,
            key: None,
        })
    }

    /// What kind of layer it is, in small letters: `net`, `shs`, …
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The parts, without those that are secret.
    #[must_use]
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// The key of a layer `shs:KEY…`; `None` for other layers and for what is no usable key.
    #[must_use]
    pub fn shs_key(&self) -> Option<PublicKey> {
        self.read_key().ok()
    }

    /// The seed of a layer `shs:KEY:SEED`: a secret.
    #[must_use]
    pub fn seed(&self) -> Option<SecretKey> {
        if self.name != "shs" {
            return None;
        }
        let seed = base64::decode(self.secrets.first()?).ok()?;
        Some(SecretKey::from_seed(*seed))
    }

    /// The same layer without its secret parts.
    #[must_use]
    pub fn without_seed(&self) -> Self {
        Self {
            name: self.name.clone(),
            parts: self.parts.clone(),
            secrets: Vec::new(),
            key: self.key,
        }
    }

    /// The key of a layer `shs:KEY…`.
    ///
    /// # Errors
    /// [`Error::Address`] for other layers, and for what is no usable key.
    pub fn require_shs_key(&self) -> Result<PublicKey, Error> {
        Ok(self.read_key()?)
    }

    fn read_key(&self) -> Result<PublicKey, Malformed> {
        if let Some(key) = self.key {
            return Ok(key);
        }
        if self.name != "shs" {
            return Err(Malformed::key(format!("{} holds no key", self.name)));
        }
        let text = self.parts.first().map_or("", String::as_str);
        if text.is_empty() {
            return Err(Malformed::key("the key behind shs: is missing".to_owned()));
        }
        let bytes = base64::decode(text).map_err(|length| {
            // The text is not quoted: it could be a seed in the wrong place.
            Malformed::key(format!("the key behind shs: has {length} bytes instead of 32"))
        })?;
        PublicKey::from_bytes(&bytes)
            .map_err(|fault| Malformed::key(format!("no peer can have the key behind shs:, {fault}")))
    }

    /// The one form of a layer that says the same: `shs` in canonical base64, all others unchanged.
    pub(super) fn canonical(self) -> Result<Self, Malformed> {
        if self.name != "shs" {
            return Ok(self);
        }
        let mut layer = Self::shs(&self.read_key()?);
        if let Some(seed) = self.secrets.first() {
            // As in the original, what follows the seed has no meaning.
            let bytes = base64::decode(seed).map_err(|length| {
                Malformed::key(format!("the seed behind the key has {length} bytes instead of 32"))
            })?;
            layer.secrets.push(base64::encode(&bytes));
        }
        Ok(layer)
    }

    pub(super) fn has_secrets(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// Appends the text, with escapes; secret parts only `with_seed`.
    pub(super) fn write(&self, with_seed: bool, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(&self.name)?;
        for part in &self.parts {
            out.write_char(':')?;
            escape::write(part, escape::IN_PART, out)?;
        }
        for secret in self.secrets.iter().filter(|_| with_seed) {
            out.write_char(':')?;
            escape::write(secret, escape::IN_PART, out)?;
        }
        Ok(())
    }
}

/// Makes capitals small, and checks the result.
fn checked_name(name: &str) -> Result<String, Malformed> {
    let lower = name.to_ascii_lowercase();
    if is_name(&lower) {
        Ok(lower)
    } else {
        Err(Malformed::name(name))
    }
}

/// Whether this is a name as the package multiserver-address defines them.
pub(super) fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_ascii_lowercase())
        && text.len() >= 2
        && characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

impl PartialEq for Layer {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.parts == other.parts
            && self.secrets.len() == other.secrets.len()
            && self
                .secrets
                .iter()
                .zip(&other.secrets)
                .all(|(a, b)| a.as_bytes().ct_eq(b.as_bytes()).into())
    }
}

impl Eq for Layer {}

impl Hash for Layer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Secrets stay out; equal layers hash alike all the same.
        self.name.hash(state);
        self.parts.hash(state);
    }
}

/// Prints the layer without its secret parts.
impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(false, f)
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}{}", if self.has_secrets() { ":(seed)" } else { "" })
    }
}

impl FromStr for Layer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(Self::parse(text)?)
    }
}

impl Layer {
    /// Reads one layer: what stands between two `~`.
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        let mut words = escape::split(text, ':').map(escape::unescape);
        let name = words.next().unwrap_or_default();
        Self::from_parts(&name, words.collect())
    }
}
