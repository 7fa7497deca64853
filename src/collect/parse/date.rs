//! Dates as feeds write them: RFC 822 and RFC 3339, and everything that templates made of these.
//!
//! A wrong date is worse than none, as it puts an article into another edition: what cannot be read without a
//! guess about its meaning is no date.

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, TimeZone as _, Utc};

/// Longer texts are none.
const MAX_LENGTH: usize = 100;

/// Local time in Korea, where the dates with Korean words come from.
const KOREA: i64 = 9 * 3_600;

/// Reads a date. `None` for what is none.
pub fn parse_date(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_LENGTH {
        return None;
    }
    timestamp(text)
        .or_else(|| numeric(text))
        .or_else(|| worded(text))
        // What lies before or behind is a zero or a number that is no year.
        .filter(|date| (1..=9_999).contains(&date.year()))
}

/// Seconds or milliseconds since 1970: no other number is that long.
fn timestamp(text: &str) -> Option<DateTime<Utc>> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match text.len() {
        10 => DateTime::from_timestamp(text.parse().ok()?, 0),
        13 => DateTime::from_timestamp_millis(text.parse().ok()?),
        _ => None,
    }
}

/// `2026-11-20T05:00:00+01:00` and its kin (RFC 3339, ISO 8601, W3C-DTF): the date in numbers, `T` or space
/// before the time, a zone as an offset or by name.
fn numeric(text: &str) -> Option<DateTime<Utc>> {
    if let Some((date, rest)) = korean(text) {
        return instant(date, rest, KOREA);
    }
    if let Some((date, rest)) = month_in_the_middle(text) {
        return instant(date, rest, 0);
    }
    let is_date = |c: char| c.is_ascii_digit() || matches!(c, '-' | '/' | '.');
    let length = text.find(|c| !is_date(c)).unwrap_or(text.len());
    let (date, rest) = text.split_at(length);
    instant(calendar(date)?, rest, 0)
}

/// `Fri, 20 Nov 2026 05:00:00 +0100` and its kin (RFC 822, asctime): the month has a name, in any of the languages
/// that feeds are written in; the weekday says nothing new.
fn worded(text: &str) -> Option<DateTime<Utc>> {
    let is_gap = |c: char| c.is_whitespace() || c == ',';
    let text = text.replace(['−', '–'], "-");
    let mut rest = text.trim_start_matches(is_gap);
    if !rest.starts_with(|c: char| c.is_ascii_digit()) {
        let end = rest.find(is_gap)?;
        let behind = rest[end..].trim_start_matches(is_gap);
        // In some languages a weekday begins like a month: `mar., 3 nov.`
        let mut next = behind.split(is_gap).filter(|word| !word.is_empty());
        let is_day = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
        let is_weekday = month(&rest[..end]).is_none()
            || (next.next().is_some_and(is_day)
                && next.next().is_some_and(|word| month(word).is_some()));
        if is_weekday {
            rest = behind;
        }
    }
    let mut words: Vec<&str> = rest.split(is_gap).filter(|word| !word.is_empty()).collect();
    let first = *words.first()?;
    if first.contains('/') {
        return numeric(rest);
    }
    // `20-Nov-2026`
    if first.contains('-') {
        words.splice(..1, first.split('-'));
    }
    let &[one, two, ref after @ ..] = words.as_slice() else {
        return None;
    };
    let (day, month) = match month(one) {
        Some(month) => (two, month),
        None => (one, month(two)?),
    };
    let day = day.trim_end_matches(|c: char| c == '.' || c.is_ascii_alphabetic());
    let day = number(day, 1..=2)?;
    // The year stands before the time, or behind it (asctime).
    let (year, time) = match *after {
        [year, ref time @ ..] if !year.contains(':') => (year, time),
        [ref time @ .., year] => (year, time),
        [] => return None,
    };
    let year = match year.len() {
        2 => match number(year, 2..=2)? {
            short @ 90.. => 1900 + short,
            short => 2000 + short,
        },
        _ => number(year, 4..=4)?,
    };
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    instant(date, &time.join(" "), 0)
}

/// `date` at the time that `rest` tells, in its zone or else `offset` seconds east of Greenwich.
fn instant(date: NaiveDate, rest: &str, offset: i64) -> Option<DateTime<Utc>> {
    let is_gap = |c: char| c.is_whitespace() || matches!(c, 'T' | 't' | ',');
    let mut rest = rest.trim_start_matches(is_gap);
    for joint in ["- ", "– ", "| ", "um ", "at ", "à ", "a las "] {
        rest = rest.strip_prefix(joint).unwrap_or(rest);
    }
    if rest.is_empty() {
        return Some(date.and_hms_opt(0, 0, 0)?.and_utc());
    }
    let (rest, meridiem, offset) = match (rest.strip_prefix("오전"), rest.strip_prefix("오후"))
    {
        (Some(rest), _) => (rest.trim_start(), Some(Meridiem::Am), KOREA),
        (_, Some(rest)) => (rest.trim_start(), Some(Meridiem::Pm), KOREA),
        _ => (rest, None, offset),
    };
    let length = rest
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.' | ',')))
        .unwrap_or(rest.len());
    let (clock, rest) = rest.split_at(length);
    let mut fields = clock.split(':');
    let hour = fields.next().and_then(|hour| number(hour, 1..=2))?;
    let minute = fields
        .next()
        .map_or(Some(0), |minute| number(minute, 1..=2))?;
    let second = fields.next().map_or(Some(0), |second| {
        let whole = second.split(['.', ',']).next().unwrap_or_default();
        number(whole, 1..=2)
    })?;
    if fields.next().is_some() {
        return None;
    }
    let rest = rest.trim_start();
    let letters = rest
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(rest.len());
    let (meridiem, rest) = match rest[..letters].to_ascii_lowercase().as_str() {
        "am" => (Some(Meridiem::Am), &rest[2..]),
        "pm" => (Some(Meridiem::Pm), &rest[2..]),
        _ => (meridiem, rest),
    };
    let hour = match (meridiem, hour) {
        (Some(Meridiem::Am), 12) => 0,
        (Some(Meridiem::Pm), 1..=11) => hour + 12,
        _ => hour,
    };
    let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
    // Midnight is written as the end of a day too, and a leap second is the last one of its minute.
    let (hour, days) = if (hour, minute, second) == (24, 0, 0) {
        (0, 1)
    } else {
        (hour, 0)
    };
    let second = if second == 60 { 59 } else { second };
    let naive = date.and_hms_opt(hour, minute, second)?;
    // `Europe/Berlin`: the offset is that of the day.
    let area = rest
        .split([' ', ')'])
        .next()
        .filter(|name| name.contains('/') && !name.starts_with("Etc/"));
    if let Some(area) = area.and_then(|name| name.parse::<chrono_tz::Tz>().ok()) {
        return Some(area.from_local_datetime(&naive).earliest()?.to_utc());
    }
    let offset = zone(rest)?.unwrap_or(offset);
    naive
        .and_utc()
        .checked_add_signed(TimeDelta::days(days) - TimeDelta::seconds(offset))
}

#[derive(Debug, Clone, Copy)]
enum Meridiem {
    Am,
    Pm,
}

/// The offset of a zone in seconds; nothing for one that is not told or not known, which is most often UTC. `None`
/// for an offset that is none.
fn zone(text: &str) -> Option<Option<i64>> {
    let name = text.split([' ', ')']).next().unwrap_or_default();
    let name = name
        .strip_prefix("Etc/")
        .unwrap_or(name)
        .to_ascii_lowercase();
    let behind = ["gmt", "utc"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix));
    let name = behind.filter(|rest| !rest.is_empty()).unwrap_or(&name);
    if let Some(sign) = name
        .bytes()
        .next()
        .filter(|byte| matches!(byte, b'+' | b'-'))
    {
        let digits = name[1..].replace(':', "");
        let (hours, minutes) = match digits.len() {
            1 | 2 => (digits.as_str(), "0"),
            3 => digits.split_at_checked(1)?,
            _ => digits.split_at_checked(2)?,
        };
        let seconds = i64::from(number(hours, 1..=2)? * 3_600 + number(minutes, 1..=2)? * 60);
        return Some(Some(if sign == b'-' { -seconds } else { seconds }));
    }
    let hours = match name {
        "ut" | "gmt" | "utc" | "z" | "wet" => 0.0,
        "adt" => -3.0,
        "ast" | "at" | "edt" => -4.0,
        "est" | "et" | "cdt" => -5.0,
        "cst" | "ct" | "mdt" => -6.0,
        "mst" | "mt" | "pdt" => -7.0,
        "pst" | "pt" | "akdt" => -8.0,
        "akst" => -9.0,
        "hst" => -10.0,
        "nst" => -3.5,
        "a" => -1.0,
        "n" | "met" | "cet" | "mez" | "bst" | "west" => 1.0,
        "m" => -12.0,
        "y" => 12.0,
        "mest" | "cest" | "mesz" | "eet" => 2.0,
        "eest" | "msk" => 3.0,
        "ist" => 5.5,
        "hkt" | "sgt" | "awst" => 8.0,
        "jst" | "kst" => 9.0,
        "aest" => 10.0,
        "aedt" => 11.0,
        "nzst" => 12.0,
        "nzdt" => 13.0,
        _ => return Some(None),
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "half hours are whole seconds"
    )]
    Some(Some((hours * 3_600.0) as i64))
}

/// A calendar date in numbers (ISO 8601, with its abbreviations for this century).
fn calendar(text: &str) -> Option<NaiveDate> {
    let ymd = |year, month, day| NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day);
    let yo = |year, day| NaiveDate::from_yo_opt(i32::try_from(year).ok()?, day);
    if let Some(rest) = text.strip_prefix('-') {
        // `-0312` and `-03-12` are a year and a month.
        let (year, month) = rest.split_once('-').or_else(|| rest.split_at_checked(2))?;
        return ymd(2000 + number(year, 2..=2)?, number(month, 2..=2)?, 1);
    }
    let fields: Vec<&str> = text.split(['-', '/', '.']).collect();
    let lengths: Vec<usize> = fields.iter().map(|field| field.len()).collect();
    let at = |place: usize| number(fields[place], 1..=8);
    match *lengths {
        [4, 1..=2, 1..=2] => ymd(at(0)?, at(1)?, at(2)?),
        // Where people write dots, the day comes first.
        [1..=2, 1..=2, 4] if text.contains('.') => ymd(at(2)?, at(1)?, at(0)?),
        [2, 2, 2] if text.contains('-') => ymd(2000 + at(0)?, at(1)?, at(2)?),
        [4, 3] => yo(at(0)?, at(1)?),
        [2, 3] => yo(2000 + at(0)?, at(1)?),
        [4, 1..=2] if !text.contains('.') => ymd(at(0)?, at(1)?, 1),
        [8] => ymd(at(0)? / 10_000, at(0)? / 100 % 100, at(0)? % 100),
        [7] => yo(at(0)? / 1_000, at(0)? % 1_000),
        [6] => ymd(2000 + at(0)? / 10_000, at(0)? / 100 % 100, at(0)? % 100),
        [5] => yo(2000 + at(0)? / 1_000, at(0)? % 1_000),
        [4] => ymd(at(0)?, 1, 1),
        _ => None,
    }
}

/// `2004-július-13T9:15`
fn month_in_the_middle(text: &str) -> Option<(NaiveDate, &str)> {
    let (year, rest) = text.split_once('-')?;
    let (name, rest) = rest.split_once('-')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (day, rest) = rest.split_at(digits);
    let (year, day) = (number(year, 4..=4)?, number(day, 1..=2)?);
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month(name)?, day)?;
    Some((date, rest))
}

/// `2004년 05월 28일`
fn korean(text: &str) -> Option<(NaiveDate, &str)> {
    let (year, rest) = text.split_once('년')?;
    let (month, rest) = rest.split_once('월')?;
    let (day, rest) = rest.split_once('일')?;
    let [year, month, day] = [
        number(year, 4..=4)?,
        number(month.trim(), 1..=2)?,
        number(day.trim(), 1..=2)?,
    ];
    Some((
        NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?,
        rest,
    ))
}

/// Digits and nothing else.
fn number(text: &str, length: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let is_number = length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// The month that a name begins like: English, German, French, Spanish, Italian, Portuguese, Dutch, Hungarian,
/// Greek and Russian.
fn month(name: &str) -> Option<u32> {
    const BEGINNINGS: [&[&str]; 12] = [
        &["jan", "jän", "jaen", "ene", "gen", "ιαν", "янв"],
        &["feb", "fév", "fev", "φεβ", "фев"],
        &[
            "mar", "mär", "maer", "mrz", "mrt", "maa", "már", "μάρ", "μαρ", "мар",
        ],
        &["apr", "avr", "abr", "ápr", "απρ", "апр"],
        &[
            "may", "mai", "mei", "mag", "máj", "μάι", "μαι", "μαϊ", "мая", "май",
        ],
        &["jun", "juin", "giu", "jún", "ιούν", "ιουν", "ιον", "июн"],
        &["jul", "juil", "lug", "júl", "ιούλ", "ιουλ", "ιολ", "июл"],
        &["aug", "aoû", "aou", "ago", "αύγ", "αυγ", "авг"],
        &["sep", "set", "sze", "σεπ", "сен"],
        &["oct", "okt", "ott", "out", "οκτ", "окт"],
        &["nov", "νοέ", "νοε", "ноя"],
        &["dec", "dez", "déc", "dic", "δεκ", "дек"],
    ];
    if !name.starts_with(char::is_alphabetic) {
        return None;
    }
    let name = name.to_lowercase();
    let place = BEGINNINGS.iter().position(|beginnings| {
        beginnings
            .iter()
            .any(|beginning| name.starts_with(beginning))
    })?;
    u32::try_from(place + 1).ok()
}

#[cfg(test)]
mod tests {
    use chrono::SecondsFormat;
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<String> {
        parse_date(text).map(|date| date.to_rfc3339_opts(SecondsFormat::Secs, true))
    }

    #[test]
    fn dates_of_all_templates_are_read() {
        for (text, instant) in [
            ("Fri, 20 Nov 2026 05:00:00 +0100", "2026-11-20T04:00:00Z"),
            ("Fri, 20 Nov 26 05:00 GMT", "2026-11-20T05:00:00Z"),
            ("Fr, 20. Nov. 2026 05:00:00 MEZ", "2026-11-20T04:00:00Z"),
            ("1. März 2026, 08:30 Uhr", "2026-03-01T08:30:00Z"),
            ("20 décembre 2026", "2026-12-20T00:00:00Z"),
            ("Dom, 1 mar 2026 10:00:00 -0300", "2026-03-01T13:00:00Z"),
            ("November 20th, 2026", "2026-11-20T00:00:00Z"),
            ("Fri, Nov 20 2026 02:02:33 PM", "2026-11-20T14:02:33Z"),
            ("20-Nov-2026 12:00:00 AM", "2026-11-20T00:00:00Z"),
            ("Fri Nov 20 05:00:00 2026", "2026-11-20T05:00:00Z"),
            ("Fri Nov 20 05:00:00 EST 2026", "2026-11-20T10:00:00Z"),
            ("Fri, 2026/11/20 05:00:00 PDT", "2026-11-20T12:00:00Z"),
            (
                "Fri, 20 Nov, 2026 05:00:00 GMT-01:30",
                "2026-11-20T06:30:00Z",
            ),
            ("mar., 03 nov. 2026 10:00:00 +0100", "2026-11-03T09:00:00Z"),
            ("Mar, 03 Mar 2026 10:00:00 GMT", "2026-03-03T10:00:00Z"),
            ("maandag 2 november 2026 10:00", "2026-11-02T10:00:00Z"),
            (
                "Freitag, 20. November 2026 um 14:30 Uhr",
                "2026-11-20T14:30:00Z",
            ),
            ("20.11.2026 - 14:30", "2026-11-20T14:30:00Z"),
            ("Fri, 20 Nov 2026 at 5:00 PM", "2026-11-20T17:00:00Z"),
            ("Fri, 20 Nov 2026 05:00:00 (CET)", "2026-11-20T04:00:00Z"),
            ("2026-11-20 05:00:00 Europe/Berlin", "2026-11-20T04:00:00Z"),
            ("Fri, 20 Nov 2026 05:00:00 −0500", "2026-11-20T10:00:00Z"),
            ("2026-11-20T05:00:00.250+05:30", "2026-11-19T23:30:00Z"),
            ("2026-11-20 05:00:00 -0800", "2026-11-20T13:00:00Z"),
            ("2026-11-20T05Z", "2026-11-20T05:00:00Z"),
            ("2026-11-20T24:00:00Z", "2026-11-21T00:00:00Z"),
            ("2026/11/20", "2026-11-20T00:00:00Z"),
            ("20.11.2026 08:30", "2026-11-20T08:30:00Z"),
            ("20261120", "2026-11-20T00:00:00Z"),
            ("2026-324", "2026-11-20T00:00:00Z"),
            ("-26-11", "2026-11-01T00:00:00Z"),
            ("2026", "2026-01-01T00:00:00Z"),
            ("1795150800", "2026-11-20T05:00:00Z"),
            ("2026-július-13T9:15-05:00", "2026-07-13T14:15:00Z"),
            ("2026년 11월 20일 05:00:00", "2026-11-19T20:00:00Z"),
            ("2026-11-20 오후 05:00:00", "2026-11-20T08:00:00Z"),
            ("Παρ, 20 Νοέ 2026 05:00:00 EET", "2026-11-20T03:00:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(instant), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "yesterday",
            "Fri, 31 Feb 2026 05:00:00 GMT",
            "Fri, x Nov 2026 05:00:00 GMT",
            "Fri, 20 Nov yy 05:00:00 GMT",
            "Fri, 20 Nov 2026 05:xx:00 GMT",
            "Fri, 20 Nov 2026 25:00:00 GMT",
            "Fri, 20 Nov 2026 1:2:3:4 GMT",
            "Fri, 20 Nov 2026 05:00:00 +00:xx",
            "20 Nov",
            "11/20/2026",
            "2026-11-20 05:00 +섘",
            "0000-00-01",
            "0000",
            "2026-13-01",
            "20",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_chrono_writes_is_read(seconds in -2_000_000_000_i64..4_000_000_000, offset in -14 * 60..14 * 60_i32) {
            let zone = chrono::FixedOffset::east_opt(offset * 60).unwrap();
            let instant = DateTime::from_timestamp(seconds, 0).unwrap();
            prop_assert_eq!(parse_date(&instant.with_timezone(&zone).to_rfc2822()), Some(instant));
            prop_assert_eq!(parse_date(&instant.with_timezone(&zone).to_rfc3339()), Some(instant));
        }

        #[test]
        fn any_text_is_borne(text in "\\PC{0,40}|([0-9:T+Z/ ,.-]|Nov|Fri|년|월|일|오후|-){0,20}") {
            let _ = parse_date(&text);
        }
    }
}
