//! When a feed may be asked again: what it wishes, and what its failures teach.
//!
//! All of it goes by the real time, also in a run that pretends another one.

use std::time::Duration;

use chrono::{DateTime, Datelike as _, TimeDelta, Timelike as _, Utc};
use reqwest::header::{self, HeaderMap};

use super::parse::parse_date;
use crate::model::{FeedKey, FetchFailure, FetchState, Pace};

/// A wish for fewer fetches is heeded up to this long: a daily digest must see each feed every day.
const LONGEST_WISH: TimeDelta = TimeDelta::hours(12);

/// A request to be left alone is heeded up to this long.
const LONGEST_PAUSE: TimeDelta = TimeDelta::days(7);

/// A feed that is gone for good may have been called so by mistake.
pub(super) const GONE_REST: TimeDelta = TimeDelta::days(30);

/// The rest after the second failure in a row; it doubles with each further one.
const FIRST_REST: TimeDelta = TimeDelta::minutes(15);

/// A feed that has been dead for months is still tried this often.
const LONGEST_REST: TimeDelta = TimeDelta::days(7);

/// The earliest next fetch that a good answer asks for: the longest of `Cache-Control: max-age`, else `Expires`
/// (RFC 9111), and the feed's own `ttl`, then moved out of `skipHours` and `skipDays`.
pub(super) fn after_success(
    wall: DateTime<Utc>,
    headers: &HeaderMap,
    pace: Pace,
) -> Option<DateTime<Utc>> {
    let fresh = max_age(headers).or_else(|| expires(headers, wall));
    let interval = pace
        .minutes
        .map(|minutes| TimeDelta::minutes(minutes.into()));
    let wish = fresh.max(interval).unwrap_or_default().min(LONGEST_WISH);
    // A run that comes a little early, as timers do, is on time.
    let wish = wish - wish / 20;
    let mut at = wall + wish;
    for _ in 0..24 {
        let hour = 1 << at.hour();
        let day = 1 << at.weekday().num_days_from_monday();
        let is_skipped = pace.skip_hours & hour != 0 || pace.skip_days & day != 0;
        if !is_skipped || at - wall > LONGEST_WISH {
            break;
        }
        at = (at + TimeDelta::hours(1)).with_minute(0).unwrap_or(at);
    }
    (at > wall).then_some(at)
}

/// The earliest next fetch after the `failures`-th failure in a row. The first one is forgiven at once. Feeds that failed
/// together do not come back together: each has its own jitter.
pub(super) fn after_failure(
    wall: DateTime<Utc>,
    failures: u32,
    feed: &FeedKey,
) -> Option<DateTime<Utc>> {
    let doublings = failures.checked_sub(2)?.min(20);
    let rest = FIRST_REST
        .checked_mul(1 << doublings)
        .unwrap_or(LONGEST_REST)
        .min(LONGEST_REST);
    Some(wall + rest + jitter(rest, feed))
}

/// Until when the server wants to be left alone: `Retry-After` (RFC 9110 section 10.2.3) in seconds or as a date, else
/// what as many failures cost.
pub(super) fn pause(
    wall: DateTime<Utc>,
    headers: &HeaderMap,
    failures: u32,
    feed: &FeedKey,
) -> DateTime<Utc> {
    let text = headers
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let wanted = text.and_then(|text| match text.trim().parse::<u32>() {
        Ok(seconds) => Some(wall + TimeDelta::seconds(seconds.into())),
        Err(_) => parse_date(text),
    });
    let until = wanted
        .or_else(|| after_failure(wall, failures.max(2) + 1, feed))
        .unwrap_or(wall);
    until.clamp(wall, wall + LONGEST_PAUSE)
}

/// Until when a feed in that state is left alone; `None` when it may be asked now. A rest that is longer than any that we give was given
/// while the clock was ahead.
pub fn rests_until(state: &FetchState, wall: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let longest = match &state.failure {
        None => LONGEST_WISH + TimeDelta::hours(1),
        Some(FetchFailure::Gone) => GONE_REST,
        Some(FetchFailure::RateLimited { .. }) => LONGEST_PAUSE,
        Some(_) => LONGEST_REST + LONGEST_REST / 5,
    };
    let until = state.rests_until?;
    (wall < until && until <= wall + longest).then_some(until)
}

fn max_age(headers: &HeaderMap) -> Option<TimeDelta> {
    let directives = headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut seconds = None;
    for directive in directives.flat_map(|value| value.split(',')) {
        let directive = directive.trim().to_ascii_lowercase();
        if matches!(directive.as_str(), "no-cache" | "no-store") {
            return Some(TimeDelta::zero());
        }
        if let Some(age) = directive.strip_prefix("max-age=") {
            seconds = age.trim_matches('"').parse::<u32>().ok();
        }
    }
    Some(TimeDelta::seconds(seconds?.into()))
}

fn expires(headers: &HeaderMap, wall: DateTime<Utc>) -> Option<TimeDelta> {
    let date = |name| parse_date(headers.get(name)?.to_str().ok()?);
    let from = date(header::DATE).unwrap_or(wall);
    Some((date(header::EXPIRES)? - from).max(TimeDelta::zero()))
}

/// Up to a fifth of `rest`, always the same for a feed.
fn jitter(rest: TimeDelta, feed: &FeedKey) -> TimeDelta {
    // FNV-1a: any even spread does.
    let hash = feed.as_str().bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let rest = rest.to_std().unwrap_or(Duration::ZERO);
    TimeDelta::from_std(rest / 5 * (hash % 1_000) / 1_000).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall() -> DateTime<Utc> {
        // A Friday.
        parse_date("2026-11-20T06:30:00Z").unwrap()
    }

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    fn minutes(lines: &[(&'static str, &'static str)], pace: Pace) -> i64 {
        after_success(wall(), &headers(lines), pace).map_or(0, |at| (at - wall()).num_minutes())
    }

    #[test]
    fn the_longest_wish_counts_but_no_longer_than_half_a_day() {
        let ttl = |minutes| Pace {
            minutes: Some(minutes),
            ..Pace::default()
        };
        assert_eq!(minutes(&[], Pace::default()), 0);
        assert_eq!(
            minutes(
                &[("cache-control", "public, max-age=3600")],
                Pace::default()
            ),
            57
        );
        assert_eq!(
            minutes(&[("cache-control", "public, max-age=3600")], ttl(120)),
            114
        );
        assert_eq!(
            minutes(
                &[("cache-control", "no-cache, max-age=3600")],
                Pace::default()
            ),
            0
        );
        let dates = [
            ("date", "Fri, 20 Nov 2026 06:00:00 GMT"),
            ("expires", "Fri, 20 Nov 2026 08:00:00 GMT"),
        ];
        assert_eq!(minutes(&dates, Pace::default()), 114);
        assert_eq!(minutes(&[("expires", "0")], Pace::default()), 0);
        assert_eq!(
            minutes(&[("cache-control", "max-age=31536000")], ttl(1)),
            684
        );
    }

    #[test]
    fn skipped_hours_and_days_are_kept() {
        let pace = Pace {
            skip_hours: 0b1100_0000,
            ..Pace::default()
        };
        assert_eq!(
            after_success(wall(), &HeaderMap::new(), pace),
            parse_date("2026-11-20T08:00:00Z")
        );
        let always = Pace {
            skip_hours: u32::MAX,
            ..Pace::default()
        };
        assert!(
            minutes(&[], always) <= 13 * 60,
            "a feed that never wants to be read is read"
        );
    }

    #[test]
    fn failures_cost_ever_more_but_never_all() {
        let rest = |failures, feed: &str| {
            after_failure(wall(), failures, &FeedKey(feed.into())).map(|at| at - wall())
        };
        assert_eq!(rest(1, "a"), None);
        let mut last = TimeDelta::zero();
        for failures in 2..11 {
            let now = rest(failures, "a").unwrap();
            assert!(now > last, "{failures}");
            last = now;
        }
        assert!(rest(500, "a").unwrap() <= LONGEST_REST + LONGEST_REST / 5);
        assert_ne!(rest(4, "a"), rest(4, "b"), "feeds come back one by one");
    }

    #[test]
    fn a_server_may_say_how_long_to_wait() {
        let until = |value| {
            pause(
                wall(),
                &headers(&[("retry-after", value)]),
                1,
                &FeedKey("a".into()),
            )
        };
        assert_eq!(until("120"), wall() + TimeDelta::minutes(2));
        assert_eq!(
            until("Fri, 20 Nov 2026 09:00:00 GMT"),
            wall() + TimeDelta::minutes(150)
        );
        assert_eq!(until("Fri, 20 Nov 2020 09:00:00 GMT"), wall());
        assert_eq!(until("4000000000"), wall() + LONGEST_PAUSE);
        assert!(until("soon") >= wall() + FIRST_REST);
    }
}
