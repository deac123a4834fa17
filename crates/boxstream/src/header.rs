//! What stands in the first box of a record.

use crate::crypto::Tag;
use crate::{MAX_RECORD, TAG_LEN};

/// The plaintext of a record's header: how long the body is, and the tag that authenticates it.
///
/// ```text
///   0          2                                 18
///   +----------+---------------------------------+
///   | body_len |            body_tag             |    18 bytes, 34 once sealed
///   +----------+---------------------------------+
///     u16, big-endian
/// ```
///
/// Eighteen zero bytes are no record but the goodbye.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes in the body, 1 to [`MAX_RECORD`] in what this crate writes.
    pub body_len: u16,
    /// The secretbox tag of the body, which travels without it.
    pub body_tag: [u8; TAG_LEN],
}

impl Header {
    /// Bytes of a header before it is sealed.
    pub const LEN: usize = 2 + TAG_LEN;

    /// The header that ends a direction.
    pub const GOODBYE: Self = Self {
        body_len: 0,
        body_tag: [0; TAG_LEN],
    };

    /// The header of a `body_len` bytes long body. `None` if a record may not be as long as that.
    pub(crate) fn new(body_len: usize, body_tag: Tag) -> Option<Self> {
        let body_len = u16::try_from(body_len)
            .ok()
            .filter(|len| usize::from(*len) <= MAX_RECORD)?;
        Some(Self { body_len, body_tag })
    }

    /// Reads a header from its plaintext. Every 18 bytes are a header; whether its length is allowed is the
    /// opener's question.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let [high, low, body_tag @ ..] = *bytes;
        Self {
            body_len: u16::from_be_bytes([high, low]),
            body_tag,
        }
    }

    /// The plaintext of this header.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let [high, low, body_tag @ ..] = &mut bytes;
        [*high, *low] = self.body_len.to_be_bytes();
        *body_tag = self.body_tag;
        bytes
    }

    /// Whether this is the goodbye.
    #[must_use]
    pub fn is_goodbye(&self) -> bool {
        *self == Self::GOODBYE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_big_endian_and_comes_first() {
        let header = Header::new(0x0102, [9; 16]).unwrap();
        let bytes = header.to_bytes();
        assert_eq!(bytes[..2], [1, 2]);
        assert_eq!(bytes[2..], [9; 16]);
        assert_eq!(Header::from_bytes(&bytes), header);
    }

    #[test]
    fn only_eighteen_zeros_are_the_goodbye() {
        assert!(Header::from_bytes(&[0; 18]).is_goodbye());
        for i in 0..18 {
            let mut bytes = [0; 18];
            bytes[i] = 1;
            assert!(!Header::from_bytes(&bytes).is_goodbye());
        }
    }

    #[test]
    fn a_body_longer_than_a_record_has_no_header() {
        assert!(Header::new(MAX_RECORD, [0; 16]).is_some());
        assert!(Header::new(MAX_RECORD + 1, [0; 16]).is_none());
        assert!(Header::new(0x1_0000, [0; 16]).is_none());
    }
}
