//! Sets of numbers as runs: what a dense set costs does not depend on its size.
//!
//! A run is a varint of the gap to the run before it, doubled, plus one if the run is longer than one number; then follows a
//! varint of its length less two. The gap counts the absent numbers between two runs less one, since there is at least one;
//! for the first run it counts from 0. So every set has exactly one form. Varints are LEB128.

/// Writes a number, seven bits a byte, low ones first.
pub(crate) fn write_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads a number in its shortest form.
pub(crate) fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 || byte == 0 && shift > 0 {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// A set of numbers below 2^63, as runs of consecutive ones in rising order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Runs(Vec<(u64, u64)>);

/// Numbers from this on do not fit the doubled gap. Authors that count from the clock reach it in 285 million years; who
/// claims such a number has its messages compared by name.
const NUMBER_END: u64 = 1 << 62;

impl Runs {
    /// The set of these numbers, which come in rising order; repetitions count once. `None` if one is 2^62 or more.
    pub(crate) fn collect(numbers: impl Iterator<Item = u64>) -> Option<Self> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for number in numbers {
            if number >= NUMBER_END {
                return None;
            }
            match runs.last_mut() {
                Some((_, last)) if *last + 1 >= number => *last = number.max(*last),
                _ => runs.push((number, number)),
            }
        }
        Some(Self(runs))
    }

    /// Whether the set has this number.
    pub(crate) fn contains(&self, number: u64) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= number);
        after
            .checked_sub(1)
            .and_then(|at| self.0.get(at))
            .is_some_and(|(_, last)| number <= *last)
    }

    /// How many numbers the set has.
    pub(crate) fn len(&self) -> u64 {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        write_varint(out, self.0.len() as u64);
        let mut next = 0;
        for (first, last) in &self.0 {
            let long = u64::from(last > first);
            write_varint(out, (first - next) << 1 | long);
            if long == 1 {
                write_varint(out, last - first - 1);
            }
            // The next run begins two numbers on at the earliest.
            next = last + 2;
        }
    }

    /// Reads a set in its only form.
    pub(crate) fn read(bytes: &mut &[u8]) -> Option<Self> {
        let count = read_varint(bytes)?;
        // Each run takes a byte at least, so what the count claims is checked before room is made for it.
        let count = usize::try_from(count).ok().filter(|count| *count <= bytes.len())?;
        let mut runs = Vec::with_capacity(count);
        let mut next = 0u64;
        for _ in 0..count {
            let head = read_varint(bytes)?;
            let first = next.checked_add(head >> 1)?;
            let more = if head & 1 == 1 {
                read_varint(bytes)?.checked_add(1)?
            } else {
                0
            };
            let last = first.checked_add(more).filter(|last| *last < NUMBER_END)?;
            runs.push((first, last));
            next = last + 2;
        }
        Some(Self(runs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_session_of_an_author_costs_a_dozen_bytes() {
        let start = 1_800_000_000_000u64 << 10;
        let runs = Runs::collect(start..start + 100_000).unwrap();
        let mut bytes = Vec::new();
        runs.write(&mut bytes);
        assert!(bytes.len() <= 12, "{} bytes", bytes.len());
    }

    #[test]
    fn what_overflows_is_refused() {
        for (first, more) in [(u64::MAX, 0), ((NUMBER_END - 1) << 1 | 1, 0), (1, u64::MAX)] {
            let mut bytes = vec![1];
            write_varint(&mut bytes, first);
            write_varint(&mut bytes, more);
            assert_eq!(Runs::read(&mut bytes.as_slice()), None);
        }
    }

    proptest! {
        #[test]
        fn a_set_comes_back_as_it_was(numbers: BTreeSet<u16>, offset in 0..NUMBER_END - (1 << 16)) {
            let numbers: BTreeSet<u64> = numbers.into_iter().map(|number| offset + u64::from(number)).collect();
            let runs = Runs::collect(numbers.iter().copied()).unwrap();
            let mut bytes = Vec::new();
            runs.write(&mut bytes);
            let mut rest = bytes.as_slice();
            let read = Runs::read(&mut rest).unwrap();
            prop_assert!(rest.is_empty());
            prop_assert_eq!(&read, &runs);
            prop_assert_eq!(read.len(), numbers.len() as u64);
            for number in &numbers {
                prop_assert!(read.contains(*number));
                prop_assert_eq!(read.contains(number + 1), numbers.contains(&(number + 1)));
            }
        }

        #[test]
        fn whatever_is_read_has_one_form(bytes: Vec<u8>) {
            let mut rest = bytes.as_slice();
            if let Some(runs) = Runs::read(&mut rest) {
                let mut again = Vec::new();
                runs.write(&mut again);
                prop_assert_eq!(&bytes[..bytes.len() - rest.len()], again.as_slice());
            }
        }
    }
}
