//! The nonces of one direction: a 24-byte big-endian counter that starts where the handshake says.

use crate::Error;
use crate::crypto::Nonce;

/// Hands out each nonce once.
///
/// The counter runs over all 24 bytes and wraps from all ones to zero, as the JavaScript peers do; the first nonce
/// is as good as random, so a wrap is a matter of where the handshake happened to start and not of age.
///
/// Invariant: no nonce is handed out twice. The ring has 2^192 of them and `left` stops after 2^64 - 1.
pub(crate) struct Nonces {
    next: Nonce,
    left: u64,
}

impl Nonces {
    /// Starts at `first`.
    pub(crate) fn new(first: Nonce) -> Self {
        Self {
            next: first,
            left: u64::MAX,
        }
    }

    /// The next nonce; [`Error::Exhausted`] after 2^64 - 1 of them.
    #[inline]
    pub(crate) fn take(&mut self) -> Result<Nonce, Error> {
        self.left = self.left.checked_sub(1).ok_or(Error::Exhausted)?;
        let nonce = self.next;
        for byte in self.next.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
        Ok(nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_big_endian() {
        let mut first = [7; 24];
        first[22] = 0xfe;
        first[23] = 0xff;
        let mut nonces = Nonces::new(first);
        assert_eq!(nonces.take().unwrap(), first);
        let second = nonces.take().unwrap();
        assert_eq!(second[..22], [7; 22]);
        assert_eq!(second[22..], [0xff, 0]);
    }

    #[test]
    fn wraps_from_all_ones_to_zero() {
        let mut nonces = Nonces::new([0xff; 24]);
        assert_eq!(nonces.take().unwrap(), [0xff; 24]);
        assert_eq!(nonces.take().unwrap(), [0; 24]);
    }

    #[test]
    fn ends_before_a_nonce_could_repeat() {
        let mut nonces = Nonces { next: [0; 24], left: 1 };
        assert!(nonces.take().is_ok());
        assert_eq!(nonces.take(), Err(Error::Exhausted));
        assert_eq!(nonces.take(), Err(Error::Exhausted));
    }
}
