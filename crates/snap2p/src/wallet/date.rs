//! Times as JavaScript writes them: `2026-11-21T19:28:21.522Z`.

use std::time::SystemTime;

/// Milliseconds since 1970 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Millis(pub(super) u64);

/// The last millisecond of the year 9999: what comes later has another form.
const LAST: u64 = 253_402_300_799_999;
const DAY: u64 = 86_400_000;

impl Millis {
    pub(super) fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self(since.map_or(0, |span| u64::try_from(span.as_millis()).unwrap_or(LAST).min(LAST)))
    }

    pub(super) const fn secs(self) -> u64 {
        self.0 / 1000
    }

    /// The text of 24 characters.
    pub(super) fn to_text(self) -> String {
        let time = self.0.min(LAST);
        let (year, month, day) = date_of(time / DAY);
        let of_day = time % DAY;
        format!(
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            of_day / 3_600_000,
            of_day / 60_000 % 60,
            of_day / 1000 % 60,
            of_day % 1000,
        )
    }

    /// The time of such a text, if it is from 1970 on and exactly of this form.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let days = days_until(year.checked_sub(1970)? + 1970, month, day)?;
        let of_day = number(11, 13)? * 3_600_000 + number(14, 16)? * 60_000 + number(17, 19)? * 1000 + number(20, 23)?;
        let time = Self(days * DAY + of_day);
        // Whatever is out of range or out of place comes out otherwise.
        (time.0 <= LAST && time.to_text() == text).then_some(time)
    }
}

/// Days from 1970 to a date of the Gregorian calendar; the year counts from March, so that the leap day is its last.
fn days_until(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.checked_sub(1)?;
    (year * 365 + year / 4 - year / 100 + year / 400 + of_year).checked_sub(719_468)
}

/// The reverse. An era is 400 years: 146,097 days.
fn date_of(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let of_era = days % 146_097;
    let of_era_year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * of_era_year + of_era_year / 4 - of_era_year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = of_era_year + days / 146_097 * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{DAY, LAST, Millis};

    #[test]
    fn every_day_has_its_text_and_comes_back() {
        // Four centuries and their leap days, and then a day of every month and weekday.
        for day in (0..150_000).chain((150_000..LAST / DAY).step_by(29)) {
            let time = Millis(day * DAY + day);
            assert_eq!(Millis::from_text(&time.to_text()), Some(time));
        }
    }

    #[test]
    fn texts_are_those_of_javascript() {
        for (time, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_289_301_522, "2026-11-21T19:28:21.522Z"),
            (LAST, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Millis(time).to_text(), text);
            assert_eq!(Millis::from_text(text), Some(Millis(time)));
        }
        for text in [
            "",
            "now",
            "1969-12-31T23:59:59.999Z",
            "2026-02-30T00:00:00.000Z",
            "2026-13-01T00:00:00.000Z",
            "2026-11-21T24:00:00.000Z",
            "2026-11-21 19:28:21.522Z",
            "+026-11-21T19:28:21.522Z",
            "2026-00-21T19:28:21.522Z",
        ] {
            assert_eq!(Millis::from_text(text), None, "{text}");
        }
    }
}
