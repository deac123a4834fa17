//! CBOR maps and lists in whatever form another writer gives them, read within bounds.

use minicbor::{Decoder, data::Type};

/// What is wrong with some CBOR.
pub(crate) type Wrong = &'static str;

/// How deep lists and maps may stand in one another in a field that is not known. It bounds the memory for skipping one.
const NESTING_MAX: usize = 16;

const TRUNCATED: Wrong = "it ends too early";
const NO_CBOR: Wrong = "it is no CBOR";

/// Whether a list or map has another item: counts `left` down, or looks for the end of one whose length is not told.
pub(crate) fn more(input: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, Wrong> {
    match left {
        Some(0) => Ok(false),
        Some(left) => {
            *left -= 1;
            Ok(true)
        }
        None if input.datatype().map_err(|_| TRUNCATED)? == Type::Break => {
            input.set_position(input.position() + 1);
            Ok(false)
        }
        None => Ok(true),
    }
}

/// Skips one value of any kind, without recursion and without allocating.
///
/// Byte strings and texts in pieces are refused, as the reference refuses them.
pub(crate) fn skip(input: &mut Decoder<'_>) -> Result<(), Wrong> {
    // The lists and maps that are open, each with how many values are left in it.
    let mut open: [Option<u64>; NESTING_MAX] = [None; NESTING_MAX];
    let mut depth = 0usize;
    loop {
        let count = match input.datatype().map_err(|_| TRUNCATED)? {
            Type::Array | Type::ArrayIndef => Some(input.array().map_err(|_| TRUNCATED)?),
            Type::Map | Type::MapIndef => match input.map().map_err(|_| TRUNCATED)? {
                // A map that tells more values than could be counted is longer than any message.
                Some(pairs) => Some(Some(pairs.checked_mul(2).ok_or(TRUNCATED)?)),
                None => Some(None),
            },
            Type::Tag => {
                input.tag().map_err(|_| TRUNCATED)?;
                // A tag belongs to the value behind it.
                continue;
            }
            simple => {
                skip_simple(input, simple)?;
                None
            }
        };
        if let Some(count) = count {
            *open.get_mut(depth).ok_or("lists stand too deep in one another")? = count;
            depth += 1;
        }
        // Ends what is complete, until something has more to come.
        loop {
            let Some(left) = depth.checked_sub(1).and_then(|top| open.get_mut(top)) else {
                return Ok(());
            };
            if more(input, left)? {
                break;
            }
            depth -= 1;
        }
    }
}

/// Skips a value that holds no others.
fn skip_simple(input: &mut Decoder<'_>, kind: Type) -> Result<(), Wrong> {
    /// The bytes of a half-precision number with its first.
    const HALF: usize = 3;
    match kind {
        Type::Bytes => input.bytes().map(drop),
        Type::String => input.str().map(drop),
        Type::Bool => input.bool().map(drop),
        Type::Null => input.null(),
        Type::Undefined => input.undefined(),
        Type::Simple => input.simple().map(drop),
        Type::F32 => input.f32().map(drop),
        Type::F64 => input.f64().map(drop),
        Type::F16 if input.input().len() - input.position() >= HALF => {
            input.set_position(input.position() + HALF);
            Ok(())
        }
        Type::F16 => return Err(TRUNCATED),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => {
            input.int().map(drop)
        }
        _ => return Err(NO_CBOR),
    }
    .map_err(|_| NO_CBOR)
}
