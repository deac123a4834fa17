//! Laws of the record layer, asserted over arbitrary input. Fuzz targets and property tests call these functions;
//! they panic when a law is broken.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use crate::crypto::{Dryoc, Fake, SecretBox};
use crate::{Cut, Error, HEADER_LEN, Header, MAX_RECORD, Opened, Opener, Sealer, TAG_LEN};
use arbitrary::{Result, Unstructured};
use bytes::BytesMut;
use handfast_keys::StreamKey;

/// How a stream was found to end.
type End = std::result::Result<(), Error>;

/// Arbitrary bytes in arbitrary chunks, with a cipher whose tags anybody can make, so that they get past the header.
///
/// Law: whatever the chunks, the opener finds exactly what a plain reading of the whole finds.
pub fn open_arbitrary(data: &[u8]) {
    // Chunk sizes come first, so that the rest of the input is the stream as it stands.
    let Some((&[strict, ref chunks @ ..], input)) = data.split_first_chunk::<9>() else {
        return;
    };
    let strict = strict & 1 == 1;
    let mut opener = Opener::<Fake>::with_cipher(key([0; 24]));
    if strict {
        opener = opener.strict();
    }
    let (records, end) = drive(opener, input, sizes(chunks));
    assert_eq!((records, end), read_plainly(input, strict));
}

/// Arbitrary writes, sealed, cut into arbitrary chunks and opened.
///
/// Law: the plaintext comes back whole, cut as the writes say, and ends cleanly.
pub fn round_trip(data: &[u8]) {
    let _ = try_round_trip(&mut Unstructured::new(data));
}

/// A sealed stream that is cut off somewhere or has one byte changed.
///
/// Law: what is delivered is a prefix of what was written, and the end is clean only for the untouched stream.
pub fn truncation(data: &[u8]) {
    let _ = try_truncation(&mut Unstructured::new(data));
}

fn try_round_trip(u: &mut Unstructured<'_>) -> Result<()> {
    if u.arbitrary()? {
        round_trip_with::<Dryoc>(u)
    } else {
        round_trip_with::<Fake>(u)
    }
}

fn round_trip_with<C: SecretBox>(u: &mut Unstructured<'_>) -> Result<()> {
    let nonce = u.arbitrary()?;
    let chunks: [u8; 4] = u.arbitrary()?;
    let writes = writes(u)?;
    let wire = seal::<C>(nonce, &writes);
    let opener = Opener::<C>::with_cipher(key(nonce)).strict();
    let (records, end) = drive(opener, &wire, sizes(&chunks));
    assert_eq!(end, Ok(()));
    let wanted: Vec<&[u8]> = writes.iter().flat_map(|write| write.chunks(MAX_RECORD)).collect();
    assert_eq!(records, wanted);
    Ok(())
}

fn try_truncation(u: &mut Unstructured<'_>) -> Result<()> {
    let nonce = u.arbitrary()?;
    let change: u8 = u.arbitrary()?;
    let place: u16 = u.arbitrary()?;
    let writes = writes(u)?;
    let mut wire = seal::<Dryoc>(nonce, &writes);
    let place = usize::from(place) % wire.len();
    if change == 0 {
        wire.truncate(place)
    } else {
        wire[place] ^= change
    }

    let opener = Opener::<Dryoc>::with_cipher(key(nonce)).strict();
    let (records, end) = drive(opener, &wire, std::iter::repeat(1500));
    match end {
        Err(Error::Truncated { .. }) => assert_eq!(change, 0),
        Err(Error::ForgedHeader | Error::ForgedBody) => assert_ne!(change, 0),
        other => panic!("a broken stream ended with {other:?}"),
    }
    assert!(writes.concat().starts_with(&records.concat()));
    Ok(())
}

/// Feeds `input` in chunks of these sizes and returns the records and the end, asserting the opener's manners.
fn drive<C: SecretBox>(
    mut opener: Opener<C>,
    input: &[u8],
    mut chunks: impl Iterator<Item = usize>,
) -> (Vec<Vec<u8>>, End) {
    let mut records = Vec::new();
    let mut buf = BytesMut::new();
    let mut rest = input;
    let mut missing = 0;
    loop {
        let held = buf.len();
        match opener.open(&mut buf) {
            Ok(Opened::Record(record)) => {
                assert_eq!(
                    held - buf.len(),
                    HEADER_LEN + record.len(),
                    "a record takes its own bytes"
                );
                missing = 0;
                records.push(record.to_vec());
            }
            Ok(Opened::NeedMore(more)) => {
                assert_eq!(buf.len(), held, "waiting takes nothing");
                assert!((1..=MAX_RECORD).contains(&more));
                assert!(
                    missing == 0 || missing == more,
                    "what is missing does not depend on the chunks"
                );
                let chunk = chunks.next().unwrap_or(1).clamp(1, rest.len().max(1)).min(rest.len());
                if chunk == 0 {
                    let end = opener.end(&buf);
                    assert_eq!(opener.end(&buf), end);
                    match end {
                        Ok(()) => assert_eq!(opener.open(&mut buf), Ok(Opened::Goodbye)),
                        Err(error) => assert_eq!(opener.open(&mut buf), Err(error)),
                    }
                    return (records, end);
                }
                let (now, later) = rest.split_at(chunk);
                buf.extend_from_slice(now);
                rest = later;
                missing = more.saturating_sub(chunk);
            }
            Ok(Opened::Goodbye) => {
                assert!(buf.is_empty());
                buf.extend_from_slice(rest);
                assert_eq!(opener.open(&mut buf), Ok(Opened::Goodbye));
                assert_eq!(opener.end(&buf), Ok(()));
                return (records, Ok(()));
            }
            Err(error) => {
                buf.extend_from_slice(rest);
                assert_eq!(opener.open(&mut buf), Err(error), "an opener fails for good");
                assert_eq!(opener.end(&[]), Err(error));
                return (records, Err(error));
            }
        }
    }
}

/// What `input` means under [`Fake`], read at once.
fn read_plainly(mut input: &[u8], strict: bool) -> (Vec<Vec<u8>>, End) {
    let mut records: Vec<Vec<u8>> = Vec::new();
    let end = loop {
        if input.is_empty() {
            let muxrpc = records.last().is_some_and(|last| last == &[0; 9]);
            break if muxrpc && !strict {
                Ok(())
            } else {
                Err(Error::Truncated {
                    cut: Cut::BetweenRecords,
                })
            };
        }
        if input.len() < HEADER_LEN {
            break Err(Error::Truncated { cut: Cut::InsideRecord });
        }
        let (sealed, after) = input.split_at(HEADER_LEN);
        if sealed[0] == 0xff {
            break Err(Error::ForgedHeader);
        }
        let header = Header::from_bytes(sealed[TAG_LEN..].try_into().unwrap());
        let len = usize::from(header.body_len);
        if header.is_goodbye() {
            break Ok(());
        }
        if len > MAX_RECORD {
            break Err(Error::RecordTooLong { len: header.body_len });
        }
        if after.len() < len {
            break Err(Error::Truncated { cut: Cut::InsideRecord });
        }
        if header.body_tag[0] == 0xff {
            break Err(Error::ForgedBody);
        }
        let (body, after) = after.split_at(len);
        records.push(body.to_vec());
        input = after;
    };
    (records, end)
}

fn seal<C: SecretBox>(nonce: [u8; 24], writes: &[Vec<u8>]) -> Vec<u8> {
    let mut sealer = Sealer::<C>::with_cipher(key(nonce));
    let mut wire = BytesMut::new();
    for write in writes {
        let before = wire.len();
        sealer.seal(write, &mut wire).unwrap();
        assert_eq!(wire.len() - before, Sealer::sealed_len(write.len()));
    }
    sealer.goodbye(&mut wire).unwrap();
    let whole = wire.len();
    assert_eq!(sealer.seal(b"more", &mut wire), Err(Error::AfterGoodbye));
    assert_eq!(sealer.goodbye(&mut wire), Err(Error::AfterGoodbye));
    assert_eq!(wire.len(), whole);
    wire.to_vec()
}

/// Up to eight writes: a fill byte and a length say enough, and leave the fuzzer few bytes to find.
fn writes(u: &mut Unstructured<'_>) -> Result<Vec<Vec<u8>>> {
    let count = u.int_in_range(0..=8)?;
    (0..count)
        .map(|_| {
            let fill: u8 = u.arbitrary()?;
            let len = if u.arbitrary()? {
                u.int_in_range(0..=40)?
            } else {
                u.int_in_range(4000..=9000)?
            };
            Ok((0..len).map(|i: usize| fill.wrapping_add((i % 251) as u8)).collect())
        })
        .collect()
}

/// Chunk sizes from 0 (taken as 1) to 65025, again and again.
fn sizes(chunks: &[u8]) -> impl Iterator<Item = usize> {
    chunks.iter().cycle().map(|n| usize::from(*n) * usize::from(*n))
}

fn key(nonce: [u8; 24]) -> StreamKey {
    StreamKey { key: [7; 32], nonce }
}
