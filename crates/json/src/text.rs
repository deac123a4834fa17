//! Texts as JavaScript has them: Unicode, and lone surrogates kept.

use std::borrow::Cow;
use std::{cmp, fmt, hash};

/// An owned text of JavaScript: a sequence of UTF-16 units that need not pair up.
///
/// It is held as WTF-8, that is UTF-8 in which a lone surrogate is encoded like any other code point, in three bytes. Texts
/// without lone surrogates, which are nearly all, are an ordinary [`String`] inside.
///
/// ```
/// use handfast_json::{Text, Value};
/// let value = handfast_json::parse(r#""half of \ud83d""#).unwrap();
/// let Value::String(text) = &value else { unreachable!() };
/// assert_eq!(text.as_str(), None);
/// assert_eq!(text.to_string_lossy(), "half of \u{fffd}");
/// assert_eq!(text.utf16_len(), 9);
/// assert_eq!(value.to_compact(), r#""half of \ud83d""#);
/// ```
#[derive(Clone)]
pub struct Text(Repr);

/// Invariant: `Wtf8` holds at least one lone surrogate, and never a high one directly before a low one; so equal texts
/// have equal bytes and the same variant.
#[derive(Clone)]
enum Repr {
    Utf8(String),
    Wtf8(Box<[u8]>),
}

impl Text {
    /// The empty text.
    pub const fn new() -> Self {
        Self(Repr::Utf8(String::new()))
    }

    /// The text, if it holds no lone surrogate.
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Repr::Utf8(text) => Some(text),
            Repr::Wtf8(_) => None,
        }
    }

    /// The text with U+FFFD for each lone surrogate, as `TextEncoder` and Node's `Buffer` write it.
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        match &self.0 {
            Repr::Utf8(text) => Cow::Borrowed(text),
            Repr::Wtf8(bytes) => {
                let mut text = String::with_capacity(bytes.len());
                for piece in pieces(bytes) {
                    match piece {
                        Piece::Str(piece) => text.push_str(piece),
                        Piece::Surrogate(_) => text.push('\u{fffd}'),
                    }
                }
                Cow::Owned(text)
            }
        }
    }

    /// The text, or itself back if it holds a lone surrogate.
    ///
    /// # Errors
    /// The text itself, if it holds a lone surrogate.
    pub fn into_string(self) -> Result<String, Self> {
        match self.0 {
            Repr::Utf8(text) => Ok(text),
            wtf8 @ Repr::Wtf8(_) => Err(Self(wtf8)),
        }
    }

    /// The bytes: UTF-8, in which lone surrogates take three bytes each.
    pub fn as_wtf8(&self) -> &[u8] {
        match &self.0 {
            Repr::Utf8(text) => text.as_bytes(),
            Repr::Wtf8(bytes) => bytes,
        }
    }

    /// A text of bytes as [`as_wtf8`](Self::as_wtf8) gives them; `None` if they are none such.
    pub fn from_wtf8(bytes: &[u8]) -> Option<Self> {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Some(text.into());
        }
        let mut end = 0;
        let mut after_high = false;
        for piece in pieces(bytes) {
            let high = matches!(piece, Piece::Surrogate(0xd800..=0xdbff));
            if after_high && matches!(piece, Piece::Surrogate(0xdc00..)) {
                return None;
            }
            after_high = high;
            end += match piece {
                Piece::Str(piece) => piece.len(),
                Piece::Surrogate(_) => 3,
            };
        }
        (end == bytes.len()).then(|| Self(Repr::Wtf8(bytes.into())))
    }

    /// The text of these UTF-16 units, whether or not they pair up.
    pub fn from_utf16(units: impl IntoIterator<Item = u16>) -> Self {
        let mut builder = Builder::default();
        for unit in char::decode_utf16(units) {
            match unit {
                Ok(character) => builder.push(character),
                Err(lone) => builder.push_unit(lone.unpaired_surrogate()),
            }
        }
        builder.finish()
    }

    /// The UTF-16 units.
    pub fn utf16(&self) -> impl Iterator<Item = u16> + '_ {
        pieces(self.as_wtf8()).flat_map(|piece| {
            let (text, lone) = match piece {
                Piece::Str(text) => (text, None),
                Piece::Surrogate(unit) => ("", Some(unit)),
            };
            text.encode_utf16().chain(lone)
        })
    }

    /// How many UTF-16 units there are: the `length` of the text in JavaScript.
    pub fn utf16_len(&self) -> usize {
        // Two units where UTF-8 needs four bytes, none for the bytes that continue a character, one for all others.
        let units = |byte: &u8| match byte {
            0x80..=0xbf => 0,
            0xf0.. => 2,
            _ => 1,
        };
        self.as_wtf8().iter().map(units).sum()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.as_wtf8().is_empty()
    }

    /// The text cut into what is Unicode and what is not.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        pieces(self.as_wtf8())
    }
}

/// A part of a text.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Piece<'a> {
    /// Never empty.
    Str(&'a str),
    /// One lone surrogate.
    Surrogate(u16),
}

/// Cuts WTF-8 into pieces; stops at bytes that are neither UTF-8 nor a surrogate.
fn pieces(mut bytes: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    std::iter::from_fn(move || {
        if let [0xed, second @ 0xa0..=0xbf, third @ 0x80..=0xbf, rest @ ..] = bytes {
            bytes = rest;
            let unit = 0xd000 | (u16::from(*second & 0x3f) << 6) | u16::from(*third & 0x3f);
            return Some(Piece::Surrogate(unit));
        }
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()?,
        };
        bytes = bytes.get(text.len()..)?;
        (!text.is_empty()).then_some(Piece::Str(text))
    })
}

/// Puts a text together from characters and UTF-16 units, joining surrogates that meet.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    /// What is Unicode so far, while all of it is.
    text: String,
    /// All that stood before `text`, once a lone surrogate was among it.
    wtf8: Vec<u8>,
    /// A high surrogate that waits for its other half.
    high: Option<u16>,
}

impl Builder {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes),
            ..Self::default()
        }
    }

    pub(crate) fn push(&mut self, character: char) {
        self.settle();
        self.text.push(character);
    }

    pub(crate) fn push_str(&mut self, text: &str) {
        if !text.is_empty() {
            self.settle();
            self.text.push_str(text);
        }
    }

    pub(crate) fn push_unit(&mut self, unit: u16) {
        if let (Some(high), 0xdc00..=0xdfff) = (self.high, unit) {
            self.high = None;
            let code = 0x10000 + ((u32::from(high) - 0xd800) << 10) + (u32::from(unit) - 0xdc00);
            self.text.extend(char::from_u32(code));
            return;
        }
        self.settle();
        match unit {
            0xd800..=0xdbff => self.high = Some(unit),
            0xdc00..=0xdfff => self.push_lone(unit),
            _ => self.text.extend(char::from_u32(u32::from(unit))),
        }
    }

    /// Nothing joins the high surrogate that waits.
    fn settle(&mut self) {
        if let Some(high) = self.high.take() {
            self.push_lone(high);
        }
    }

    fn push_lone(&mut self, unit: u16) {
        self.wtf8.extend_from_slice(self.text.as_bytes());
        self.text.clear();
        let [high, low] = unit.to_be_bytes();
        // 1110xxxx 10xxxxxx 10xxxxxx, as UTF-8 has it for the sixteen bits of other characters.
        let second = ((high & 0x0f) << 2) | (low >> 6);
        self.wtf8
            .extend_from_slice(&[0xe0 | (high >> 4), 0x80 | second, 0x80 | (low & 0x3f)]);
    }

    pub(crate) fn finish(mut self) -> Text {
        self.settle();
        if self.wtf8.is_empty() {
            return Text(Repr::Utf8(self.text));
        }
        self.wtf8.extend_from_slice(self.text.as_bytes());
        Text(Repr::Wtf8(self.wtf8.into_boxed_slice()))
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Repr::Utf8(text))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Repr::Utf8(text.to_owned()))
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<char> for Text {
    fn from(character: char) -> Self {
        Self(Repr::Utf8(character.into()))
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_wtf8() == other.as_wtf8()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_wtf8() == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl PartialEq<Text> for str {
    fn eq(&self, other: &Text) -> bool {
        *other == *self
    }
}

impl PartialEq<Text> for &str {
    fn eq(&self, other: &Text) -> bool {
        *other == **self
    }
}

/// By code points, as [`str`] is ordered. JavaScript's `<` goes by UTF-16 units, which differs beyond U+FFFF.
impl Ord for Text {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.as_wtf8().cmp(other.as_wtf8())
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl hash::Hash for Text {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.as_wtf8().hash(state);
    }
}

/// The text itself, with U+FFFD for each lone surrogate; its JSON is what [`Value`](crate::Value) shows.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_string_lossy())
    }
}

/// The text as JSON, in quotes.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut json = String::new();
        crate::escape::write(self, &mut json);
        f.write_str(&json)
    }
}
