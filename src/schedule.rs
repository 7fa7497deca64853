//! Which editions are due, in the newsletter's time zone.
//!
//! A cadence ticks at the moments of its cron expression; each tick is a *slot*, and a slot has at most
//! one edition. Daylight-saving changes follow Vixie cron, which croner implements: a fixed time inside
//! the gap ticks right after it, a fixed time inside the overlap ticks once.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::model::{Cadence, LocalHour, Window};

/// What the store remembers of a cadence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct History {
    /// The last slot that was decided: sent, without stories, or skipped.
    pub last_slot: Option<DateTime<Utc>>,
    /// Where the last edition that was not skipped ended.
    pub covered_until: Option<DateTime<Utc>>,
    /// The last item that an edition has covered (see [`crate::model::Coverage`]).
    pub covered: Option<i64>,
}

/// What a cadence wants at a given moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// An edition is due.
    Edition {
        /// The tick that made it due.
        slot: DateTime<Utc>,
        /// What it covers.
        window: Window,
    },
    /// An edition was due, but so long ago that it must not go out any more.
    TooLate {
        /// The tick that nobody answered in time.
        slot: DateTime<Utc>,
    },
    /// Nothing is due before `next`; `None` when the schedule never ticks again.
    NotYet {
        /// The next tick.
        next: Option<DateTime<Utc>>,
    },
}

/// What `cadence` wants at `now`.
///
/// Only the latest tick counts: a machine that slept over five of them sends one edition, which covers
/// all the news since the last one. Without a history, nothing can have been missed: a tick longer ago
/// than `max_lateness` is then simply before our time.
pub fn due(cadence: &Cadence, timezone: Tz, history: History, now: DateTime<Utc>) -> Due {
    let not_yet = || Due::NotYet {
        next: next_slot(cadence, timezone, now),
    };
    let Some(slot) = previous_slot(cadence, timezone, now, Inclusive::Yes) else {
        return not_yet();
    };
    if history.last_slot.is_some_and(|last| last >= slot) {
        return not_yet();
    }
    if (now - slot)
        .to_std()
        .is_ok_and(|late| late > cadence.max_lateness)
    {
        return if history.last_slot.is_some() {
            Due::TooLate { slot }
        } else {
            not_yet()
        };
    }
    Due::Edition {
        slot,
        window: window(cadence, timezone, history, slot, now),
    }
}

/// The window of an edition that is composed at `now` for `slot`: from the end of the previous edition,
/// or from the previous tick when there is none.
pub fn window(
    cadence: &Cadence,
    timezone: Tz,
    history: History,
    slot: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Window {
    let since = history
        .covered_until
        .or_else(|| previous_slot(cadence, timezone, slot, Inclusive::No))
        .unwrap_or(slot - chrono::TimeDelta::days(1));
    // What ended in the future was cut by a clock that was ahead.
    let since = match since < now {
        true => since,
        false => previous_slot(cadence, timezone, now, Inclusive::No).unwrap_or(now),
    };
    Window {
        since: since.min(now),
        until: now,
    }
}

/// The next tick after `now`.
pub fn next_slot(cadence: &Cadence, timezone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let local = now.with_timezone(&timezone);
    let next = cadence.cron.find_next_occurrence(&local, false).ok()?;
    Some(next.with_timezone(&Utc))
}

/// The first moment at or after `at` from which on mail may come that day: in that hour, or at once when it is over. Where clocks skip the
/// hour, it is the one after it.
pub fn from_hour(local: LocalHour, at: DateTime<Utc>) -> DateTime<Utc> {
    let here = at.with_timezone(&local.timezone);
    let start = here.date_naive().and_hms_opt(u32::from(local.hour), 0, 0);
    let begins = start.and_then(|start| {
        let skipped = start.checked_add_signed(TimeDelta::hours(1))?;
        let there = |moment: NaiveDateTime| moment.and_local_timezone(local.timezone).earliest();
        there(start).or_else(|| there(skipped))
    });
    begins.map_or(at, |begins| begins.to_utc().max(at))
}

#[derive(Clone, Copy)]
enum Inclusive {
    Yes,
    No,
}

fn previous_slot(
    cadence: &Cadence,
    timezone: Tz,
    at: DateTime<Utc>,
    inclusive: Inclusive,
) -> Option<DateTime<Utc>> {
    let local = at.with_timezone(&timezone);
    let slot = cadence
        .cron
        .find_previous_occurrence(&local, matches!(inclusive, Inclusive::Yes))
        .ok()?;
    Some(slot.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::CadenceId;

    fn daily(cron: &str) -> Cadence {
        Cadence {
            id: CadenceId("daily".into()),
            cron: cron.parse().unwrap(),
            max_lateness: Duration::from_secs(6 * 3600),
        }
    }

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    fn sent(slot: &str) -> History {
        History {
            last_slot: Some(at(slot)),
            covered_until: Some(at(slot)),
            ..History::default()
        }
    }

    const BERLIN: Tz = chrono_tz::Europe::Berlin;

    #[test]
    fn mail_waits_for_an_hour_of_the_same_day_and_not_for_one_that_is_over() {
        let berlin = |hour| LocalHour {
            hour,
            timezone: chrono_tz::Europe::Berlin,
        };
        let edition = at("2026-11-20T07:00:00+01:00");
        assert_eq!(from_hour(berlin(6), edition), edition);
        assert_eq!(from_hour(berlin(7), edition), edition);
        assert_eq!(
            from_hour(berlin(18), edition),
            at("2026-11-20T18:00:00+01:00")
        );
        let there = LocalHour {
            hour: 6,
            timezone: chrono_tz::America::New_York,
        };
        assert_eq!(from_hour(there, edition), at("2026-11-20T06:00:00-05:00"));
        // The night in which there is no half past two.
        let night = at("2027-03-28T00:30:00+01:00");
        assert_eq!(from_hour(berlin(2), night), at("2027-03-28T03:00:00+02:00"));
    }

    #[test]
    fn the_first_edition_covers_the_time_since_the_previous_tick() {
        let due = due(
            &daily("0 7 * * *"),
            BERLIN,
            History::default(),
            at("2026-11-20T07:05:00+01:00"),
        );
        let window = Window {
            since: at("2026-11-19T07:00:00+01:00"),
            until: at("2026-11-20T07:05:00+01:00"),
        };
        assert_eq!(
            due,
            Due::Edition {
                slot: at("2026-11-20T07:00:00+01:00"),
                window
            }
        );
    }

    #[test]
    fn a_window_begins_where_the_previous_edition_ended() {
        let history = History {
            last_slot: Some(at("2026-11-19T07:00:00+01:00")),
            covered_until: Some(at("2026-11-19T07:42:00+01:00")),
            ..History::default()
        };
        let Due::Edition { window, .. } = due(
            &daily("0 7 * * *"),
            BERLIN,
            history,
            at("2026-11-20T07:00:00+01:00"),
        ) else {
            panic!("an edition is due")
        };
        assert_eq!(window.since, at("2026-11-19T07:42:00+01:00"));
    }

    #[test]
    fn a_slot_that_is_decided_is_not_due_again() {
        assert_eq!(
            due(
                &daily("0 7 * * *"),
                BERLIN,
                sent("2026-11-20T07:00:00+01:00"),
                at("2026-11-20T07:05:00+01:00")
            ),
            Due::NotYet {
                next: Some(at("2026-11-21T07:00:00+01:00"))
            }
        );
    }

    #[test]
    fn five_missed_runs_are_caught_up_by_one_edition() {
        let Due::Edition { slot, window } = due(
            &daily("0 7 * * *"),
            BERLIN,
            sent("2026-11-14T07:00:00+01:00"),
            at("2026-11-20T12:59:00+01:00"),
        ) else {
            panic!("an edition is due")
        };
        assert_eq!(slot, at("2026-11-20T07:00:00+01:00"));
        assert_eq!(window.since, at("2026-11-14T07:00:00+01:00"));
    }

    #[test]
    fn beyond_max_lateness_an_edition_is_skipped() {
        assert_eq!(
            due(
                &daily("0 7 * * *"),
                BERLIN,
                sent("2026-11-19T07:00:00+01:00"),
                at("2026-11-20T13:01:00+01:00")
            ),
            Due::TooLate {
                slot: at("2026-11-20T07:00:00+01:00")
            }
        );
    }

    #[test]
    fn a_new_newsletter_has_missed_nothing() {
        assert_eq!(
            due(
                &daily("0 7 * * *"),
                BERLIN,
                History::default(),
                at("2026-11-20T15:00:00+01:00")
            ),
            Due::NotYet {
                next: Some(at("2026-11-21T07:00:00+01:00"))
            }
        );
    }

    #[test]
    fn seven_in_the_morning_stays_seven_across_both_clock_changes() {
        let cadence = daily("0 7 * * *");
        for (before, next) in [
            ("2026-10-24T07:00:00+02:00", "2026-10-25T07:00:00+01:00"),
            ("2027-03-27T07:00:00+01:00", "2027-03-28T07:00:00+02:00"),
        ] {
            assert_eq!(next_slot(&cadence, BERLIN, at(before)), Some(at(next)));
            assert_eq!(
                previous_slot(&cadence, BERLIN, at(next), Inclusive::No),
                Some(at(before))
            );
        }
    }

    #[test]
    fn a_time_inside_the_gap_ticks_right_after_it_and_once() {
        // 2027-03-28: 02:00 CET becomes 03:00 CEST, so 02:30 does not exist.
        let cadence = daily("30 2 * * *");
        let tick = next_slot(&cadence, BERLIN, at("2027-03-27T02:30:00+01:00")).unwrap();
        assert_eq!(tick, at("2027-03-28T03:00:00+02:00"));
        assert_eq!(
            next_slot(&cadence, BERLIN, tick),
            Some(at("2027-03-29T02:30:00+02:00"))
        );
        assert_eq!(
            due(
                &cadence,
                BERLIN,
                sent("2027-03-27T02:30:00+01:00"),
                at("2027-03-28T03:00:00+02:00")
            ),
            Due::Edition {
                slot: tick,
                window: Window {
                    since: at("2027-03-27T02:30:00+01:00"),
                    until: at("2027-03-28T03:00:00+02:00")
                }
            }
        );
    }

    #[test]
    fn a_time_inside_the_overlap_ticks_once() {
        // 2026-10-25: 03:00 CEST becomes 02:00 CET, so 02:30 happens twice.
        let cadence = daily("30 2 * * *");
        let first = next_slot(&cadence, BERLIN, at("2026-10-24T12:00:00+02:00")).unwrap();
        assert_eq!(first, at("2026-10-25T02:30:00+02:00"));
        let second_half_three = at("2026-10-25T02:30:00+01:00");
        let history = History {
            last_slot: Some(first),
            covered_until: Some(first),
            ..History::default()
        };
        assert_eq!(
            due(&cadence, BERLIN, history, second_half_three),
            Due::NotYet {
                next: Some(at("2026-10-26T02:30:00+01:00"))
            }
        );
    }
}
