//! When an item was published, and when it became news for us.

use chrono::{DateTime, TimeDelta, Utc};

/// How far in the future a date may be and still be a slip of a clock or a time zone.
const FUTURE_TOLERANCE: TimeDelta = TimeDelta::hours(24);

/// How long before the last good fetch an item may be dated that was not there then: publishers date an
/// article when they begin it, and time zones are told wrong.
const BACKDATED: TimeDelta = TimeDelta::hours(36);

/// The age that an item without a date is given when its feed is read for the first time: the middle of a
/// day's window. It may be years old.
const UNKNOWN_AGE: TimeDelta = TimeDelta::hours(12);

/// The times by which the items of a fetch are dated.
#[derive(Debug, Clone, Copy)]
pub struct Moments {
    /// The time that the run goes by; may be pretended.
    pub now: DateTime<Utc>,
    /// The real time.
    pub wall: DateTime<Utc>,
    /// When the feed was last read; `None` for the first time.
    pub last_read: Option<DateTime<Utc>>,
    /// The date of the newest item that it had by then.
    pub newest: Option<DateTime<Utc>>,
}

impl Moments {
    fn just_before_now(self) -> DateTime<Utc> {
        self.now - TimeDelta::seconds(1)
    }

    /// The date of an item: the feed's, but what we can already see is not published in the future. A date
    /// that is more than a day ahead is meant: an announcement, which waits.
    pub(super) fn published(self, date: Option<DateTime<Utc>>) -> DateTime<Utc> {
        match (date, self.last_read) {
            (Some(date), _) if date > self.wall && date <= self.wall + FUTURE_TOLERANCE => {
                self.just_before_now()
            }
            (Some(date), _) => date,
            (None, Some(_)) => self.just_before_now(),
            (None, None) => self.now - UNKNOWN_AGE,
        }
    }

    /// When an item that was not there before became news. In a feed that we know, that is now, however long
    /// the feed was down; only what is much older than the last fetch, and than what was there then, is an archive that came to light. In
    /// a new feed, it is the day of its publication.
    pub(super) fn arrived(self, published: DateTime<Utc>) -> DateTime<Utc> {
        let is_news = self.last_read.is_some_and(|last| {
            published >= last - BACKDATED || self.newest.is_some_and(|newest| published > newest)
        });
        match is_news && published < self.now {
            true => self.just_before_now(),
            false => published,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// When the tests take place.
    pub(in crate::collect) fn now() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2026-11-20T06:05:00Z")
            .unwrap()
            .to_utc()
    }

    /// The first time that a feed is read.
    pub(in crate::collect) fn first() -> Moments {
        Moments {
            now: now(),
            wall: now(),
            last_read: None,
            newest: None,
        }
    }

    #[test]
    fn seen_from_a_pretended_time_the_future_stays_the_future() {
        let pretended = Moments {
            now: now() - TimeDelta::days(1),
            ..first()
        };
        assert_eq!(
            pretended.published(Some(now() - TimeDelta::hours(1))),
            now() - TimeDelta::hours(1)
        );
    }

    #[test]
    fn an_item_arrives_when_its_feed_first_shows_it() {
        let days = |days| now() - TimeDelta::days(days);
        let again = Moments {
            last_read: Some(days(5)),
            ..first()
        };
        let just_before_now = now() - TimeDelta::seconds(1);
        assert_eq!(
            first().arrived(days(3)),
            days(3),
            "a new feed brings its past along"
        );
        assert_eq!(
            again.arrived(days(3)),
            just_before_now,
            "the feed was down for five days"
        );
        assert_eq!(
            again.arrived(days(6)),
            just_before_now,
            "it is dated a little back"
        );
        assert_eq!(
            again.arrived(days(30)),
            days(30),
            "an archive that came to light"
        );
        let after_the_newest = Moments {
            newest: Some(days(31)),
            ..again
        };
        assert_eq!(
            after_the_newest.arrived(days(30)),
            just_before_now,
            "the clock was ahead when the feed was last read"
        );
        let tomorrow = now() + TimeDelta::days(2);
        assert_eq!(again.arrived(tomorrow), tomorrow);
    }
}
