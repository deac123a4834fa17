//! What travels over a duplex: in each buffer one byte that says what it is, and that.

use crate::{NodeId, Revocation, overlay::Frame};
use bytes::{BufMut, Bytes, BytesMut};

/// A frame of the overlay.
const FRAME: u8 = 0;
/// Revocations, one behind the other.
const REVOCATION: u8 = 1;

/// How many revocations travel together at most: each may cost a signature check, and others wait meanwhile.
pub(super) const REVOCATIONS: usize = 256;

/// What a peer has said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Frame(Frame<NodeId>),
    /// To be checked.
    Revoked(Vec<Revocation>),
    /// Nothing, or something that a newer version says.
    Nothing,
}

pub(super) fn frame(frame: &Frame<NodeId>) -> Bytes {
    tagged(FRAME, &frame.encode())
}

/// At most [`REVOCATIONS`] of them.
pub(super) fn revoked(some: &[Revocation]) -> Bytes {
    let bytes: Vec<u8> = some.iter().flat_map(Revocation::to_bytes).collect();
    tagged(REVOCATION, &bytes)
}

/// What a buffer says; `None` if no honest peer sends it.
pub(super) fn read(bytes: &[u8]) -> Option<Said> {
    match bytes.split_first() {
        Some((&FRAME, rest)) => Frame::decode(rest).ok().map(Said::Frame),
        Some((&REVOCATION, rest)) => {
            let (whole, rest) = rest.as_chunks();
            let honest = rest.is_empty() && (1..=REVOCATIONS).contains(&whole.len());
            honest.then(|| Said::Revoked(whole.iter().filter_map(Revocation::from_bytes).collect()))
        }
        None | Some(_) => Some(Said::Nothing),
    }
}

fn tagged(kind: u8, bytes: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(1 + bytes.len());
    frame.put_u8(kind);
    frame.put_slice(bytes);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Time, Topic, TopicId, membership, overlay::Body};
    use handfast_keys::KeyPair;

    #[test]
    fn what_is_said_is_read_and_nothing_else_is() {
        let ping = Frame {
            topic: TopicId::from_bytes([7; 32]),
            body: Body::Member(membership::Frame::Ping { stamp: 7 }),
        };
        assert_eq!(read(&frame(&ping)), Some(Said::Frame(ping)));
        let owner = KeyPair::from_seed(&[1; 32]).unwrap();
        let topic = Topic::closed(*owner.public(), "x");
        let one = Revocation::issue(&owner, &topic, owner.public(), Time::default()).unwrap();
        for count in [1, 2, REVOCATIONS] {
            let some = vec![one; count];
            assert_eq!(read(&revoked(&some)), Some(Said::Revoked(some)));
        }
        let good = revoked(&[one]);
        for bad in [
            &[FRAME][..],
            &[FRAME, 0xff],
            &[REVOCATION],
            &good[..136],
            &[&good[..], &[0]].concat(),
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!(read(&revoked(&vec![one; REVOCATIONS + 1])), None);
        assert_eq!(read(&[]), Some(Said::Nothing));
        assert_eq!(read(&[200, 1, 2]), Some(Said::Nothing), "a newer version may say more");
    }
}
