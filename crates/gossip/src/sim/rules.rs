//! Messages of simulated authors: no signatures, but forgeries are found out.

use crate::{Author, Item, MessageId, Refused, Rules, Sequence, Time, sim::settings::mix};
use bytes::{BufMut, Bytes, BytesMut};

/// The rules of simulated nodes. A body tells its author and number; one that was changed on the way is forged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimRules;

/// The least length of a body: author, number, whether that is proven, and a checksum in place of a signature.
const HEAD: usize = 4 + 8 + 1 + 8;

impl SimRules {
    /// A message of `len` bytes, or of what it needs at least.
    #[must_use]
    pub fn item(author: u32, sequence: Sequence, len: usize) -> Item {
        let proven = u8::from(sequence.proven().is_some());
        let mut body = BytesMut::with_capacity(len.max(HEAD));
        body.put_u32_le(author);
        body.put_u64_le(sequence.number());
        body.put_u8(proven);
        body.put_u64_le(checksum(author, sequence.number(), proven));
        body.resize(len.max(HEAD), 0);
        Item {
            id: id(author, sequence.number()),
            author: name(author),
            sequence,
            body: body.freeze(),
        }
    }

    /// Who a simulated author is.
    #[must_use]
    pub fn author(author: u32) -> Author {
        name(author)
    }

    fn check(body: &Bytes) -> Option<Item> {
        let (author, rest) = body.split_first_chunk::<4>()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (&[proven], rest) = rest.split_first_chunk::<1>()?;
        let (sum, _) = rest.split_first_chunk::<8>()?;
        let (author, number) = (u32::from_le_bytes(*author), u64::from_le_bytes(*number));
        (u64::from_le_bytes(*sum) == checksum(author, number, proven)).then(|| Item {
            id: id(author, number),
            author: name(author),
            sequence: if proven == 0 {
                Sequence::Claimed(number)
            } else {
                Sequence::Proven(number)
            },
            body: body.clone(),
        })
    }
}

impl<P> Rules<P> for SimRules {
    fn read(&mut self, bodies: &[Bytes], _now: Time) -> Vec<Result<Item, Refused>> {
        bodies
            .iter()
            .map(|body| Self::check(body).ok_or(Refused::Forged))
            .collect()
    }
}

fn checksum(author: u32, number: u64, proven: u8) -> u64 {
    mix(mix(number ^ u64::from(proven)) ^ u64::from(author))
}

fn name(author: u32) -> Author {
    Author::from_bytes(spread(mix(u64::from(author) + 1)))
}

fn id(author: u32, number: u64) -> MessageId {
    MessageId::from_bytes(spread(mix(number) ^ mix(u64::from(author) + 1)))
}

/// Thirty-two bytes that look like a digest.
fn spread(mut seed: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    for chunk in bytes.chunks_exact_mut(8) {
        seed = mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15));
        chunk.copy_from_slice(&seed.to_le_bytes());
    }
    bytes
}
