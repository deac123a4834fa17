//! What the two ends of a transfer say to each other: lines of JSON, and between them the file.
//!
//! ```text
//! sender   {"name":"holiday.tar","size":1048576,"sha256":"9f86…"}       the offer
//! receiver {"from":0}                                                   or {"refused":"why"}
//! sender   the file from there on, and the end of its half
//! receiver {"done":true}                                                or {"failed":"why"}; and the end of its half
//! ```

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The longest line, bytes: a name, some numbers, a reason. A peer that sends more of it wants to fill memory.
pub(crate) const LINE_MAX: usize = 4096;
/// How much of a reason is kept, characters.
const REASON_MAX: usize = 500;

/// The label of the streams on which files travel.
pub(crate) const LABEL: &str = "file";

/// SHA-256, in hex where it is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Checksum(pub(crate) [u8; 32]);

impl Checksum {
    /// What the hash says in the end.
    pub(crate) fn of(hash: ring::digest::Context) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hash.finish().as_ref());
        Self(bytes)
    }

    /// Its beginning, which tells files apart where nobody is out to deceive.
    pub(crate) fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

impl std::fmt::Display for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Checksum {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Checksum {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        let digits: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c.to_digit(16)?).ok()).collect();
        let digits = digits.filter(|digits| digits.len() == 64);
        let digits = digits.ok_or_else(|| serde::de::Error::custom("a checksum is 64 hex digits"))?;
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair.iter().fold(0, |byte, digit| byte * 16 + digit);
        }
        Ok(Self(bytes))
    }
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Offer {
    /// What the sender calls it, as it came: see [`harmless`](super::name::harmless).
    pub(crate) name: String,
    /// Its length, bytes.
    pub(crate) size: u64,
    pub(crate) sha256: Checksum,
}

/// Whether it is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    /// It is, and so many bytes of it are there already.
    From(u64),
    /// It is not.
    Refused(String),
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// Well, always `true`: all of it is there, and is what was sent.
    Done(bool),
    /// Not well.
    Failed(String),
}

/// Writes a message.
pub(crate) fn line(message: &impl Serialize) -> Vec<u8> {
    // None of the messages has anything that JSON cannot say.
    let mut line = serde_json::to_vec(message).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Reads a message.
pub(crate) fn read<T: DeserializeOwned>(line: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(line).map_err(|_| Fault::Message)
}

/// A reason as it may be kept: not endless.
pub(crate) fn reason(text: &str) -> String {
    text.chars().take(REASON_MAX).collect()
}

/// How the other side can break the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the other side does not speak as `handfast snap send` and `receive` do")]
    Message,
    #[error("the other side sends a line without end")]
    LongLine,
    #[error("the other side wants the file from byte {from} on, and it has {size}")]
    Beyond { from: u64, size: u64 },
    #[error("the other side sends more than the {size} bytes that it offered")]
    TooMuch { size: u64 },
    #[error("the transfer broke off after {got} of {size} bytes; send the same file again and it goes on from there")]
    Cut { got: u64, size: u64 },
    #[error("the other side ended without saying whether the file arrived; send it again to find out")]
    NoWord,
}
