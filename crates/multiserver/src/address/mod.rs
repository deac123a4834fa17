//! Addresses: `alternative;alternative`, each `transport:parts~transform:parts`.

mod base64;
mod endpoint;
mod escape;
mod layer;
mod legacy;
mod malformed;
mod number;
mod serde_impl;

pub use endpoint::Endpoint;
pub use layer::Layer;
pub use malformed::Malformed;

use crate::Error;
use handfast_keys::{PublicKey, SecretKey};
use std::{fmt, str::FromStr};
use zeroize::Zeroizing;

/// The longest text that is read as an address, in bytes, and the longest that an address that was read prints. Addresses
/// come from strangers, by beacons and messages; a real one has a few hundred bytes.
pub const MAX_ADDRESS_LEN: usize = 8 * 1024;

/// The most alternatives of one address. Each of them is dialled, so without a bound one message of a stranger would make
/// a node knock at thousands of doors of the stranger's choice.
pub const MAX_ALTERNATIVES: usize = 32;

/// The most transforms of one alternative: known stacks have one, and the bound keeps what a stranger sends small.
pub const MAX_TRANSFORMS: usize = 8;

/// How to reach a peer: one way or several, as multiserver writes them.
///
/// Reads everything that the JavaScript parsers read and a peer can be dialled by, the old forms `host:port:@KEY` and
/// `host:port:@KEY~SEED` included; prints the one canonical form, which they read too. An alternative that cannot be
/// understood does no harm as long as another one can: it is kept as [`Endpoint::Other`], or left out if it is not even
/// made of layers. What an invite has behind its seed, `#…`, is left out.
///
/// `Display` and serde leave **seeds** out, and `Debug` masks them; [`to_string_with_seed`](Self::to_string_with_seed) is
/// the way to print an invite.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    // Invariant: never empty.
    alternatives: Vec<Alternative>,
}

/// One way to reach a peer: `net:example.org:8008~shs:KEY`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Alternative {
    /// Where the peer is reached.
    pub endpoint: Endpoint,
    /// What is spoken there, innermost last. Everything known today has one.
    pub transforms: Vec<Layer>,
}

impl Address {
    /// An address from alternatives; `None` if there is none.
    pub fn join(alternatives: impl IntoIterator<Item = Alternative>) -> Option<Self> {
        let alternatives: Vec<_> = alternatives.into_iter().collect();
        (!alternatives.is_empty()).then_some(Self { alternatives })
    }

    /// The ways to reach the peer, at least one, in the order in which they are tried.
    #[must_use]
    pub fn alternatives(&self) -> &[Alternative] {
        &self.alternatives
    }

    /// The key of the first alternative that names one.
    #[must_use]
    pub fn key(&self) -> Option<PublicKey> {
        self.alternatives.iter().find_map(Alternative::shs_key)
    }

    /// The seed of the first alternative that carries one: a secret.
    #[must_use]
    pub fn seed(&self) -> Option<SecretKey> {
        self.alternatives.iter().find_map(Alternative::seed)
    }

    /// The same address without seeds.
    #[must_use]
    pub fn without_seed(&self) -> Self {
        Self {
            alternatives: self.alternatives.iter().map(Alternative::without_seed).collect(),
        }
    }

    /// The text with its seeds, for an invite that is given to somebody: a secret, erased when dropped. `Display` prints
    /// the same without them.
    #[must_use]
    pub fn to_string_with_seed(&self) -> Zeroizing<String> {
        secret_text(|out| self.write(true, out))
    }

    fn write(&self, with_seed: bool, out: &mut dyn fmt::Write) -> fmt::Result {
        for (number, alternative) in self.alternatives.iter().enumerate() {
            if number > 0 {
                out.write_char(';')?;
            }
            alternative.write(with_seed, out)?;
        }
        Ok(())
    }

    /// The address, unless its own text is too long to be read: escapes make texts longer.
    fn bounded(self) -> Result<Self, Malformed> {
        check_length(length(|out| self.write(true, out)))?;
        Ok(self)
    }

    fn parse(text: &str) -> Result<Self, Malformed> {
        check_length(text.len())?;
        let text = without_redirect(without_quotes(text));
        let mut texts = Vec::new();
        for text in escape::split(text, ';')
            .map(str::trim_ascii)
            .filter(|text| !text.is_empty())
        {
            if texts.len() == MAX_ALTERNATIVES {
                return Err(Malformed::too_much(format!(
                    "the address has more than {MAX_ALTERNATIVES} alternatives"
                )));
            }
            texts.push(text);
        }
        let read: Vec<_> = texts.iter().map(|text| Alternative::parse(text)).collect();
        if !read.iter().any(Result::is_ok) {
            return Err(read
                .into_iter()
                .find_map(Result::err)
                .unwrap_or_else(Malformed::nothing));
        }
        let kept = texts
            .iter()
            .zip(read)
            .filter_map(|(text, read)| read.ok().or_else(|| Alternative::parse_as_other(text)));
        let address = Self {
            alternatives: kept.collect(),
        };
        address.bounded()
    }
}

impl Alternative {
    /// Whether and which key the peer proves.
    #[must_use]
    pub fn shs_key(&self) -> Option<PublicKey> {
        self.transforms.iter().find_map(Layer::shs_key)
    }

    /// The seed of the identity to come with: a secret.
    #[must_use]
    pub fn seed(&self) -> Option<SecretKey> {
        self.transforms.iter().find_map(Layer::seed)
    }

    /// The first word: `net`, `ws`, `wss`, `unix`, `onion`, `tunnel` or another.
    #[must_use]
    pub fn transport(&self) -> &str {
        self.endpoint.transport()
    }

    /// The same way with one more transform.
    #[must_use]
    pub fn with_transform(mut self, layer: Layer) -> Self {
        self.transforms.push(layer);
        self
    }

    /// The same way without a seed.
    #[must_use]
    pub fn without_seed(&self) -> Self {
        Self {
            endpoint: match &self.endpoint {
                Endpoint::Other(layer) => Endpoint::Other(layer.without_seed()),
                known => known.clone(),
            },
            transforms: self.transforms.iter().map(Layer::without_seed).collect(),
        }
    }

    /// The text with its seed: a secret, erased when dropped. `Display` prints the same without it.
    #[must_use]
    pub fn to_string_with_seed(&self) -> Zeroizing<String> {
        secret_text(|out| self.write(true, out))
    }

    fn write(&self, with_seed: bool, out: &mut dyn fmt::Write) -> fmt::Result {
        match &self.endpoint {
            Endpoint::Other(layer) => layer.write(with_seed, out)?,
            endpoint => write!(out, "{endpoint}")?,
        }
        for layer in &self.transforms {
            out.write_char('~')?;
            layer.write(with_seed, out)?;
        }
        Ok(())
    }

    fn parse(text: &str) -> Result<Self, Malformed> {
        if let Some(legacy) = legacy::parse(text) {
            return legacy;
        }
        let (first, transforms) = layers(text)?;
        let transforms = transforms.into_iter().map(Layer::canonical);
        Ok(Self {
            endpoint: Endpoint::from_layer(first)?,
            transforms: transforms.collect::<Result<_, _>>()?,
        })
    }

    #[cfg(feature = "tokio")]
    /// Why an alternative that was kept although it could not be understood could not.
    pub(crate) fn problem(&self) -> Option<Malformed> {
        let Endpoint::Other(first) = &self.endpoint else {
            return None;
        };
        let transforms = || self.transforms.iter().cloned().map(Layer::canonical);
        Endpoint::from_layer(first.clone())
            .err()
            .or_else(|| transforms().find_map(Result::err))
    }

    /// Keeps an alternative that cannot be understood, if it is at least made of layers.
    fn parse_as_other(text: &str) -> Option<Self> {
        let (first, transforms) = layers(text).ok()?;
        Some(Self {
            endpoint: Endpoint::Other(first),
            transforms,
        })
    }
}

/// The layers of one alternative: the endpoint, and the transforms behind it.
fn layers(text: &str) -> Result<(Layer, Vec<Layer>), Malformed> {
    let mut texts = escape::split(text, '~');
    let first = Layer::parse(texts.next().unwrap_or_default())?;
    let transforms: Vec<_> = texts
        .take(MAX_TRANSFORMS + 1)
        .map(Layer::parse)
        .collect::<Result<_, _>>()?;
    if transforms.len() > MAX_TRANSFORMS {
        return Err(Malformed::too_much(format!(
            "an alternative has more than {MAX_TRANSFORMS} transforms"
        )));
    }
    Ok((first, transforms))
}

/// Invites are pasted with the quotation marks around them.
fn without_quotes(text: &str) -> &str {
    let text = text.trim_ascii();
    let quoted = |quote| text.strip_prefix(quote).and_then(|text: &str| text.strip_suffix(quote));
    quoted('"').or_else(|| quoted('\'')).unwrap_or(text).trim_ascii()
}

/// Invites end with `#` and a page to show afterwards. In base64 there is no `#`, so it ends the seed or the key.
fn without_redirect(text: &str) -> &str {
    for (place, _) in text.match_indices('#') {
        let Some((before, _)) = text.split_at_checked(place) else {
            continue;
        };
        let Some((front, layer)) = before.rsplit_once('~') else {
            continue;
        };
        let invite = layer.starts_with("shs:") || front.rsplit(':').next().is_some_and(|key| key.starts_with('@'));
        if invite && !layer.contains(';') {
            return before;
        }
    }
    text
}

/// Collects a text that may hold a secret in one allocation: growing would leave copies behind.
fn secret_text(write: impl Fn(&mut dyn fmt::Write) -> fmt::Result) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(length(&write)));
    // Writing into a text cannot fail.
    let _ = write(&mut *text);
    text
}

/// How many bytes are written.
fn length(write: impl Fn(&mut dyn fmt::Write) -> fmt::Result) -> usize {
    struct Length(usize);
    impl fmt::Write for Length {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.len();
            Ok(())
        }
    }
    let mut length = Length(0);
    let _ = write(&mut length);
    length.0
}

fn check_length(length: usize) -> Result<(), Malformed> {
    if length > MAX_ADDRESS_LEN {
        return Err(Malformed::too_much(format!(
            "the address has more than {MAX_ADDRESS_LEN} bytes"
        )));
    }
    Ok(())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(false, f)
    }
}

impl fmt::Display for Alternative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(false, f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.alternatives).finish()
    }
}

impl fmt::Debug for Alternative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.endpoint)?;
        self.transforms.iter().try_for_each(|layer| write!(f, "~{layer:?}"))
    }
}

impl From<Alternative> for Address {
    fn from(alternative: Alternative) -> Self {
        Self {
            alternatives: vec![alternative],
        }
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(Self::parse(text)?)
    }
}

impl TryFrom<&str> for Address {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self, Error> {
        text.parse()
    }
}

impl TryFrom<&String> for Address {
    type Error = Error;

    fn try_from(text: &String) -> Result<Self, Error> {
        text.parse()
    }
}

impl TryFrom<String> for Address {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<&Address> for Address {
    fn from(address: &Address) -> Self {
        address.clone()
    }
}

impl FromStr for Alternative {
    type Err = Error;

    /// Reads one alternative, strictly: what cannot be understood is an error.
    fn from_str(text: &str) -> Result<Self, Error> {
        check_length(text.len())?;
        if escape::split(text, ';').count() > 1 {
            return Err(Malformed::too_much("more than one alternative stands here".to_owned()).into());
        }
        let alternative = Self::parse(without_redirect(without_quotes(text)))?;
        check_length(length(|out| alternative.write(true, out)))?;
        Ok(alternative)
    }
}
