//! What is known of where principals are.

use super::{HEARSAY_LOCATORS_MAX, HEARSAY_MAX, LOCATORS_MAX, PRINCIPALS_MAX, TTL};
use crate::{Locator, Principal};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// How a place came to be known, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A peer said so of another principal, asked or unasked.
    Hearsay {
        /// Who said it.
        teller: Principal,
    },
    /// The principal itself said so.
    Itself,
    /// It was dialled there, and proved who it is.
    Proved {
        /// Whether the principal shows itself: places of those who do not are never told to others.
        public: bool,
    },
}

impl Source {
    const fn rank(&self) -> u8 {
        match self {
            Self::Hearsay { .. } => 0,
            Self::Itself => 1,
            Self::Proved { public: false } => 2,
            Self::Proved { public: true } => 3,
        }
    }
}

/// Principals and the places where they may be dialled, each for a while.
///
/// All that is in here but what was proved is the word of others, so every part is bounded: [`LOCATORS_MAX`] places of a
/// principal, [`PRINCIPALS_MAX`] principals, [`HEARSAY_MAX`] principals on the word of any one teller, [`TTL`] for each
/// place. When it is full, hearsay goes first, then what ends first; nothing that was proved gives way to hearsay.
#[derive(Debug, Default)]
pub struct Cache {
    known: HashMap<Principal, Vec<Hint>>,
}

#[derive(Debug, Clone)]
struct Hint {
    locator: Locator,
    source: Source,
    until: Instant,
}

impl Hint {
    fn teller(&self) -> Option<Principal> {
        match self.source {
            Source::Hearsay { teller } => Some(teller),
            _ => None,
        }
    }

    /// What is given up last: the better source, then the longer life. Hearsay is hearsay, whoever the teller: names are
    /// free, so whoever had the greatest would win.
    const fn worth(&self) -> (u8, Instant) {
        (self.source.rank(), self.until)
    }
}

impl Cache {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many principals are in it, including those whose places have all expired and were not looked at since.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Takes in where a principal is said to be. `ttl` is cut to [`TTL`].
    ///
    /// What a source says replaces what the same source said of this principal before, so a teller that names no place, or a
    /// `ttl` of zero, takes it back. A better source for a place is kept. Proved places are added one by one, and not replaced.
    pub fn learn(
        &mut self,
        principal: Principal,
        locators: impl IntoIterator<Item = Locator>,
        source: Source,
        ttl: Duration,
        now: Instant,
    ) {
        let proved = matches!(source, Source::Proved { .. });
        let most = match source {
            Source::Hearsay { .. } => HEARSAY_LOCATORS_MAX,
            _ => LOCATORS_MAX,
        };
        let hints = self.known.entry(principal).or_default();
        hints.retain(|hint| hint.until > now && (proved || hint.source != source));
        let until = now.checked_add(ttl.min(TTL)).unwrap_or(now);
        if until > now {
            for locator in locators.into_iter().take(most) {
                let hint = Hint { locator, source, until };
                match hints.iter_mut().find(|other| other.locator == hint.locator) {
                    Some(other) if other.source.rank() <= hint.source.rank() => *other = hint,
                    Some(_) => {}
                    None => hints.push(hint),
                }
            }
        }
        hints.sort_by_key(|hint| std::cmp::Reverse(hint.worth()));
        hints.truncate(LOCATORS_MAX);
        if hints.is_empty() {
            self.known.remove(&principal);
            return;
        }
        if let Source::Hearsay { teller } = source {
            self.bound_hearsay(teller, &principal, now);
        }
        self.bound_principals(now);
    }

    /// The places of a principal, the likeliest first.
    #[must_use]
    pub fn places(&self, principal: &Principal, now: Instant) -> Vec<Locator> {
        let hints = self.known.get(principal).into_iter().flatten();
        hints
            .filter(|hint| hint.until > now)
            .map(|hint| hint.locator.clone())
            .collect()
    }

    /// Those of the [`places`](Self::places) that the principal itself named, or was found at: where nobody else could have put
    /// a trap.
    #[must_use]
    pub fn first_hand(&self, principal: &Principal, now: Instant) -> Vec<Locator> {
        let hints = self.known.get(principal).into_iter().flatten();
        hints
            .filter(|hint| hint.until > now && hint.teller().is_none())
            .map(|hint| hint.locator.clone())
            .collect()
    }

    /// What others may be told of the places of a principal, the likeliest first: what it says itself, and where it was
    /// found if it shows itself. Hearsay is not passed on, or a place that is gone would be told for ever.
    #[must_use]
    pub fn answer(&self, principal: &Principal, most: usize, now: Instant) -> Vec<Locator> {
        let hints = self.known.get(principal).into_iter().flatten();
        let may_be_told = |hint: &&Hint| matches!(hint.source, Source::Itself | Source::Proved { public: true });
        hints
            .filter(|hint| hint.until > now)
            .filter(may_be_told)
            .take(most.min(LOCATORS_MAX))
            .map(|hint| hint.locator.clone())
            .collect()
    }

    /// Forgets a place where the principal was not.
    pub fn was_wrong(&mut self, principal: &Principal, locator: &Locator) {
        if let Some(hints) = self.known.get_mut(principal) {
            hints.retain(|hint| hint.locator != *locator);
            if hints.is_empty() {
                self.known.remove(principal);
            }
        }
    }

    /// Drops what has expired. Nothing that has is ever returned; this gives the memory back.
    pub fn expire(&mut self, now: Instant) {
        self.known.retain(|_, hints| {
            hints.retain(|hint| hint.until > now);
            !hints.is_empty()
        });
    }

    /// Keeps a teller within its share: of what it told, other than of `newest`, what ends first goes.
    fn bound_hearsay(&mut self, teller: Principal, newest: &Principal, now: Instant) {
        let told = |hints: &[Hint]| {
            hints
                .iter()
                .filter(|hint| hint.teller() == Some(teller))
                .map(|hint| hint.until)
                .max()
        };
        let of_teller = self
            .known
            .iter()
            .filter_map(|(principal, hints)| Some((told(hints)?, *principal)));
        if of_teller.clone().count() <= HEARSAY_MAX {
            return;
        }
        let mut of_teller: Vec<_> = of_teller.collect();
        of_teller.sort_unstable();
        let others = of_teller.iter().filter(|(_, principal)| principal != newest);
        for (_, principal) in others.take(of_teller.len() - HEARSAY_MAX) {
            if let Some(hints) = self.known.get_mut(principal) {
                hints.retain(|hint| hint.teller() != Some(teller) && hint.until > now);
                if hints.is_empty() {
                    self.known.remove(principal);
                }
            }
        }
    }

    fn bound_principals(&mut self, now: Instant) {
        if self.known.len() <= PRINCIPALS_MAX {
            return;
        }
        self.expire(now);
        while self.known.len() > PRINCIPALS_MAX {
            let worth = |hints: &[Hint]| hints.iter().map(|hint| hint.worth()).max();
            let least = self.known.iter().min_by_key(|(_, hints)| worth(hints));
            let Some(principal) = least.map(|(principal, _)| *principal) else {
                return;
            };
            self.known.remove(&principal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Address;

    const HOUR: Duration = Duration::from_secs(3600);

    fn somebody(number: u32) -> Principal {
        let mut hash = [0; 20];
        hash[..4].copy_from_slice(&number.to_be_bytes());
        Principal(Address::new(22, hash).unwrap())
    }

    fn place(port: u16) -> Locator {
        Locator::new("example.org", port).unwrap()
    }

    fn hearsay(teller: u32) -> Source {
        Source::Hearsay {
            teller: somebody(teller),
        }
    }

    #[test]
    fn what_has_expired_is_never_told() {
        let (mut cache, start) = (Cache::new(), Instant::now());
        cache.learn(somebody(1), [place(1)], Source::Itself, HOUR, start);
        assert_eq!(cache.places(&somebody(1), start), [place(1)]);
        assert_eq!(cache.places(&somebody(1), start + HOUR), []);
        assert_eq!(cache.answer(&somebody(1), 8, start + HOUR), []);
        cache.expire(start + HOUR);
        assert!(cache.is_empty());
    }

    #[test]
    fn nobody_is_believed_for_longer_than_a_day() {
        let (mut cache, start) = (Cache::new(), Instant::now());
        cache.learn(somebody(1), [place(1)], Source::Itself, Duration::MAX, start);
        assert_eq!(cache.places(&somebody(1), start + TTL), []);
    }

    #[test]
    fn the_better_source_comes_first_and_stays() {
        let (mut cache, start) = (Cache::new(), Instant::now());
        let who = somebody(1);
        cache.learn(who, [place(1)], hearsay(9), TTL, start);
        cache.learn(who, [place(2)], Source::Itself, HOUR, start);
        cache.learn(who, [place(3)], Source::Proved { public: false }, HOUR, start);
        assert_eq!(cache.places(&who, start), [place(3), place(2), place(1)]);
        cache.learn(who, [place(3)], hearsay(9), TTL, start);
        assert_eq!(
            cache.places(&who, start),
            [place(3), place(2)],
            "the teller has moved its word"
        );
        assert_eq!(cache.answer(&who, 8, start), [place(2)]);
    }

    #[test]
    fn a_new_word_replaces_the_old_and_none_takes_it_back() {
        let (mut cache, start) = (Cache::new(), Instant::now());
        let who = somebody(1);
        cache.learn(who, [place(1), place(2)], Source::Itself, HOUR, start);
        cache.learn(who, [place(3)], Source::Itself, HOUR, start);
        assert_eq!(cache.places(&who, start), [place(3)]);
        cache.learn(who, [place(3)], Source::Itself, Duration::ZERO, start);
        assert!(cache.is_empty());
    }

    #[test]
    fn only_what_is_meant_for_others_is_told_to_them() {
        let (mut cache, start) = (Cache::new(), Instant::now());
        let who = somebody(1);
        cache.learn(who, [place(1)], Source::Proved { public: false }, HOUR, start);
        cache.learn(who, [place(2)], hearsay(2), HOUR, start);
        assert_eq!(cache.answer(&who, 8, start), []);
        cache.learn(who, [place(1)], Source::Proved { public: true }, HOUR, start);
        cache.learn(who, [place(3)], Source::Itself, HOUR, start);
        assert_eq!(cache.answer(&who, 8, start), [place(1), place(3)]);
        assert_eq!(cache.answer(&who, 1, start), [place(1)]);
    }

    #[test]
    fn no_teller_fills_the_cache() {
        let (mut cache, start) = (Cache::new(), Instant::now());
        for number in 0..1000 {
            let ttl = HOUR + Duration::from_secs(number.into());
            cache.learn(somebody(number), [place(1)], hearsay(7), ttl, start);
        }
        assert_eq!(cache.len(), HEARSAY_MAX);
        assert_eq!(
            cache.places(&somebody(999), start),
            [place(1)],
            "the newest word is kept"
        );
        cache.learn(somebody(5000), [place(1)], hearsay(8), HOUR, start);
        assert_eq!(cache.len(), HEARSAY_MAX + 1, "another teller has a share of its own");
    }

    #[test]
    fn hearsay_pushes_nothing_out_that_was_proved() {
        let (mut cache, start) = (Cache::new(), Instant::now());
        cache.learn(
            somebody(0),
            [place(1)],
            Source::Proved { public: true },
            Duration::from_secs(60),
            start,
        );
        for number in 1..4500 {
            cache.learn(somebody(number), [place(1)], hearsay(10_000 + number / 100), TTL, start);
        }
        assert_eq!(cache.len(), PRINCIPALS_MAX);
        assert_eq!(cache.places(&somebody(0), start), [place(1)]);
    }

    #[test]
    fn one_principal_has_few_places() {
        let (mut cache, start) = (Cache::new(), Instant::now());
        cache.learn(somebody(1), (1..100).map(place), Source::Itself, HOUR, start);
        for teller in 2..100 {
            let port = u16::try_from(teller).unwrap() + 1000;
            cache.learn(somebody(1), [place(port)], hearsay(teller), TTL, start);
        }
        let places = cache.places(&somebody(1), start);
        assert_eq!(
            places,
            (1..=8).map(place).collect::<Vec<_>>(),
            "what it says itself is worth more"
        );
    }

    #[test]
    fn no_teller_pushes_out_what_others_say() {
        let (mut cache, start) = (Cache::new(), Instant::now());
        cache.learn(somebody(1), [place(1)], hearsay(2), TTL, start);
        cache.learn(somebody(1), (10..90).map(place), hearsay(u32::MAX), TTL, start);
        let places = cache.places(&somebody(1), start);
        assert_eq!(
            places,
            [place(1), place(10), place(11)],
            "whoever was first, for as long as both are as good"
        );
    }

    #[test]
    fn where_somebody_was_not_is_forgotten() {
        let (mut cache, start) = (Cache::new(), Instant::now());
        cache.learn(somebody(1), [place(1), place(2)], Source::Itself, HOUR, start);
        cache.was_wrong(&somebody(1), &place(1));
        assert_eq!(cache.places(&somebody(1), start), [place(2)]);
        cache.was_wrong(&somebody(1), &place(2));
        assert!(cache.is_empty());
    }
}
