//! Signed documents: CBOR maps with short text keys, strict in what they know and tolerant of what they do not.

pub(crate) use crate::cbor::Wrong;
use crate::cbor::{more, skip};
use minicbor::{Decoder, Encoder};
use std::convert::Infallible;

/// The longest signed document that is read, bytes: honest ones have some 324. It bounds what a skipped field can cost.
pub(crate) const DOCUMENT_MAX: usize = 4 << 10;

/// Gives each key with the decoder in front of its value to `field`, which says whether it read the value; what it did not
/// read is skipped.
///
/// Takes any order of keys, maps of indefinite length and integers that are longer than they need be, as the reference
/// does. Nothing may follow the map.
pub(crate) fn read<'b>(
    bytes: &'b [u8],
    mut field: impl FnMut(&'b str, &mut Decoder<'b>) -> Result<bool, Wrong>,
) -> Result<(), Wrong> {
    if bytes.len() > DOCUMENT_MAX {
        return Err("it is too long");
    }
    let mut decoder = Decoder::new(bytes);
    let mut left = decoder.map().map_err(|_| "it is no CBOR map")?;
    while more(&mut decoder, &mut left)? {
        let key = decoder.str().map_err(|_| "a key is no text")?;
        if !field(key, &mut decoder)? {
            skip(&mut decoder)?;
        }
    }
    match decoder.position() == bytes.len() {
        true => Ok(()),
        false => Err("something follows it"),
    }
}

/// Puts a value where none may be yet. `Ok(true)`: it was read.
pub(crate) fn once<T>(
    slot: &mut Option<T>,
    value: Result<T, minicbor::decode::Error>,
    wrong: Wrong,
) -> Result<bool, Wrong> {
    let value = value.map_err(|_| wrong)?;
    match slot.replace(value) {
        None => Ok(true),
        Some(_) => Err("a field comes twice"),
    }
}

/// Writes a document. Writing to a vector cannot fail, so nothing is reported.
pub(crate) fn write(
    capacity: usize,
    fields: impl FnOnce(&mut Encoder<Vec<u8>>) -> Result<(), minicbor::encode::Error<Infallible>>,
) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::with_capacity(capacity));
    let _ = fields(&mut encoder);
    encoder.into_writer()
}
