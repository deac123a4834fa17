//! Messages of simulated nodes: what stands for a signature is a checksum that nobody here forges by accident.

use super::settings::mix;
use crate::{Author, Item, MessageId, Refused, Rules, Sequence, Time};
use bytes::{BufMut, Bytes, BytesMut};

/// The fields in front of the padding.
const HEAD: usize = 1 + 4 + 8 + 8 + 8;

/// A message of `size` bytes, if it is long enough for its head. `unique` tells it from all others of its author.
pub(super) fn write(author: u32, unique: u64, sequence: Sequence, size: usize) -> Item {
    let mut body = BytesMut::with_capacity(size.max(HEAD));
    body.put_u8(u8::from(sequence.proven().is_some()));
    body.put_u32(author);
    body.put_u64(unique);
    body.put_u64(sequence.number());
    body.put_u64(checksum(author, unique, sequence));
    body.resize(size.max(HEAD), 0);
    Item {
        id: id(author, unique),
        author: name(author),
        sequence,
        body: body.freeze(),
    }
}

/// Reads a message and checks what its author signed: everything, or all but the number.
pub(super) fn read(body: &Bytes) -> Result<Item, Refused> {
    let (proven, author, unique, number, sum) = fields(body).ok_or(Refused::Forged)?;
    let sequence = match proven {
        true => Sequence::Proven(number),
        false => Sequence::Claimed(number),
    };
    if sum != checksum(author, unique, sequence) {
        return Err(Refused::Forged);
    }
    Ok(Item {
        id: id(author, unique),
        author: name(author),
        sequence,
        body: body.clone(),
    })
}

/// The same message with another number, as a relay may claim it.
pub(super) fn renumber(body: &Bytes, number: u64) -> Bytes {
    let mut changed = BytesMut::from(body.as_ref());
    if let Some(field) = changed.get_mut(13..21) {
        field.copy_from_slice(&number.to_be_bytes());
    }
    changed.freeze()
}

fn fields(body: &[u8]) -> Option<(bool, u32, u64, u64, u64)> {
    let (kind, rest) = body.split_first()?;
    let (author, rest) = rest.split_first_chunk()?;
    let (unique, rest) = rest.split_first_chunk()?;
    let (number, rest) = rest.split_first_chunk()?;
    let (sum, _) = rest.split_first_chunk()?;
    Some((
        *kind == 1,
        u32::from_be_bytes(*author),
        u64::from_be_bytes(*unique),
        u64::from_be_bytes(*number),
        u64::from_be_bytes(*sum),
    ))
}

fn checksum(author: u32, unique: u64, sequence: Sequence) -> u64 {
    let signed = sequence.proven().unwrap_or_default();
    mix(mix(mix(u64::from(author) + 1) ^ unique) ^ signed)
}

/// Names of messages are spread evenly, as hashes are.
fn id(author: u32, unique: u64) -> MessageId {
    MessageId::from_bytes(spread(mix(u64::from(author) << 20) ^ unique))
}

fn name(author: u32) -> Author {
    Author::from_bytes(spread(mix(u64::from(author))))
}

fn spread(seed: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut word = seed;
    for chunk in bytes.chunks_exact_mut(8) {
        word = mix(word.wrapping_add(0x9e37_79b9_7f4a_7c15));
        chunk.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

/// The rules of simulated nodes: whatever is sound is taken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Plain;

impl<P> Rules<P> for Plain {
    fn read(&mut self, bodies: &[Bytes], _now: Time) -> Vec<Result<Item, Refused>> {
        bodies.iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written_and_what_was_signed_cannot_be_changed() {
        for sequence in [Sequence::Proven(7), Sequence::Claimed(7)] {
            let item = write(5, 9, sequence, 200);
            assert_eq!(item.body.len(), 200);
            assert_eq!(read(&item.body), Ok(item.clone()));
            let changed = read(&renumber(&item.body, 1 << 53));
            match sequence {
                Sequence::Proven(_) => assert_eq!(changed, Err(Refused::Forged)),
                Sequence::Claimed(_) => {
                    let changed = changed.unwrap();
                    assert_eq!((changed.id, changed.sequence), (item.id, Sequence::Claimed(1 << 53)));
                }
            }
        }
        assert_eq!(read(&Bytes::from_static(&[1; 28])), Err(Refused::Forged));
        assert_eq!(read(&Bytes::from_static(&[1; 99])), Err(Refused::Forged));
    }
}
