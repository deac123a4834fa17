//! SSB references: feeds, messages, blobs and cloaked messages.
//!
//! Each is 32 bytes with two texts, the sigil form (`@….ed25519`) and the URI form (`ssb:feed/classic/…`). Reading
//! is strict: canonical base64 only, nothing before or after. The URI forms read are those that ssb-uri2 makes or
//! recognises: `ssb:type/format/data`, `ssb:type:format:data` and `ssb://type/format/data`, with base64 in the
//! URL-safe alphabet, padded.

use crate::{
    PublicKey, base64,
    error::{Error, KeyFault},
    text_serde,
};
use std::{fmt, str::FromStr};

/// How one kind of reference is written.
struct Form {
    sigil: char,
    suffix: &'static str,
    uri_type: &'static str,
    /// The format to print, then those to read as well.
    uri_formats: &'static [&'static str],
    expected: &'static str,
}

impl Form {
    fn print(&self, bytes: &[u8; 32]) -> String {
        format!("{}{}{}", self.sigil, base64::encode(bytes), self.suffix)
    }

    fn print_uri(&self, bytes: &[u8; 32]) -> String {
        let data = base64::encode(bytes).replace('+', "-").replace('/', "_");
        let format = self.uri_formats.first().copied().unwrap_or_default();
        format!("ssb:{}/{format}/{data}", self.uri_type)
    }

    fn parse(&self, text: &str) -> Result<[u8; 32], Error> {
        let bytes = match text.strip_prefix("ssb:") {
            Some(rest) => self.parse_uri(rest),
            None => self.parse_sigil(text),
        };
        bytes.map_err(|why| Error::Malformed {
            expected: self.expected,
            why,
        })
    }

    fn parse_sigil(&self, text: &str) -> Result<[u8; 32], &'static str> {
        let rest = text
            .strip_prefix(self.sigil)
            .ok_or("it begins with another character")?;
        let data = rest.strip_suffix(self.suffix).ok_or("it ends otherwise")?;
        base64::decode(data).ok_or("between sigil and ending, 32 bytes in canonical base64 are wanted")
    }

    fn parse_uri(&self, rest: &str) -> Result<[u8; 32], &'static str> {
        let (rest, separator) = match rest.strip_prefix("//") {
            Some(rest) => (rest, '/'),
            None => (rest, if rest.contains('/') { '/' } else { ':' }),
        };
        let mut parts = rest.split(separator);
        if parts.next() != Some(self.uri_type) {
            return Err("the ssb: URI is of another type");
        }
        if !parts.next().is_some_and(|format| self.uri_formats.contains(&format)) {
            return Err("the ssb: URI is of a format that is not known here");
        }
        let data = parts.next().unwrap_or_default();
        if parts.next().is_some() || data.contains(['+', '/']) {
            return Err("the ssb: URI's data is not in the URL-safe alphabet");
        }
        base64::decode(&data.replace('-', "+").replace('_', "/"))
            .ok_or("the ssb: URI's data is not 32 bytes in canonical, URL-safe, padded base64")
    }
}

macro_rules! reference {
    ($(#[$doc:meta])* $name:ident, $form:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            const FORM: Form = $form;

            /// The reference with these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The `ssb:` URI.
            #[must_use]
            pub fn to_uri(&self) -> String {
                Self::FORM.print_uri(&self.0)
            }
        }

        /// Prints the sigil form.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&Self::FORM.print(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        /// Reads the sigil form and the URI forms.
        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Self::FORM.parse(text).map(Self)
            }
        }

        text_serde!($name);
    };
}

reference!(
    /// A feed, named by its author's public key: `@….ed25519`.
    ///
    /// The bytes are as they stand in messages and may be no usable key; [`FeedId::public_key`] checks them.
    FeedId,
    Form {
        sigil: '@',
        suffix: ".ed25519",
        uri_type: "feed",
        uri_formats: &["classic", "ed25519"],
        expected: "feed reference (@….ed25519)",
    }
);

reference!(
    /// A message, named by the SHA-256 of its signed text: `%….sha256`.
    MessageId,
    Form {
        sigil: '%',
        suffix: ".sha256",
        uri_type: "message",
        uri_formats: &["classic", "sha256"],
        expected: "message reference (%….sha256)",
    }
);

reference!(
    /// A blob, named by the SHA-256 of its bytes: `&….sha256`.
    BlobId,
    Form {
        sigil: '&',
        suffix: ".sha256",
        uri_type: "blob",
        uri_formats: &["classic", "sha256"],
        expected: "blob reference (&….sha256)",
    }
);

reference!(
    /// A cloaked message, which names a private group without naming its first message: `%….cloaked`.
    CloakedId,
    Form {
        sigil: '%',
        suffix: ".cloaked",
        uri_type: "message",
        uri_formats: &["cloaked"],
        expected: "cloaked message reference (%….cloaked)",
    }
);

impl FeedId {
    /// The author's key, if a handshake with it can be safe.
    ///
    /// # Errors
    /// As [`PublicKey::from_bytes`].
    pub fn public_key(&self) -> Result<PublicKey, KeyFault> {
        PublicKey::from_bytes(&self.0)
    }
}

impl From<PublicKey> for FeedId {
    fn from(key: PublicKey) -> Self {
        Self(*key.as_bytes())
    }
}
