//! Signed messages, as the machines ask about them.

use super::message::Reader;
use crate::{
    Author, Item, PeerId, Rate, Refused, Rules, Time,
    limits::{Bucket, Recent},
};
use bytes::Bytes;
use std::marker::PhantomData;

/// For how many authors it is remembered what they sent lately, twice. Keys are free: beyond this, those who were silent for
/// the longest time start with a full burst again.
const BUCKETS_HALF: usize = 1 << 13;

/// [`Rules`] under which whoever signs may speak, and nobody too much.
#[derive(Debug)]
pub struct SignedRules<P> {
    reader: Reader,
    rate: Rate,
    buckets: Recent<Author, Bucket>,
    peers: PhantomData<fn(P)>,
}

impl<P> SignedRules<P> {
    /// Rules that take `rate` messages from one author. What is beyond is [`Refused::TooMany`]; only sound messages count,
    /// so nobody can use up what belongs to another.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self {
            reader: Reader::default(),
            rate,
            buckets: Recent::new(BUCKETS_HALF),
            peers: PhantomData,
        }
    }

    /// Divides large batches of signatures among so many threads. One unless told otherwise.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.reader.threads = threads;
        self
    }

    pub(super) const fn reader(&mut self) -> &mut Reader {
        &mut self.reader
    }

    /// Takes one message from what its author may send.
    pub(super) fn count(&mut self, author: Author, now: Time) -> Result<(), Refused> {
        let rate = self.rate;
        let bucket = self.buckets.get_or_insert_with(author, || Bucket::full(rate, now));
        if bucket.take(rate, now) {
            Ok(())
        } else {
            Err(Refused::TooMany)
        }
    }
}

impl<P: PeerId> Rules<P> for SignedRules<P> {
    fn read(&mut self, bodies: &[Bytes], _: Time) -> Vec<Result<Item, Refused>> {
        self.reader.read(bodies)
    }

    fn accepts(&mut self, item: &Item, now: Time) -> Result<(), Refused> {
        self.count(item.author, now)
    }
}
