//! What subscribers choose for themselves: one type from the form to the database.
//!
//! Each preference has a name and a text ([`Preference`], [`Preferences::get`], [`Preferences::set`]). Forms, JSON, CSV and commands
//! speak in these, so a value means the same wherever it comes from, and an unknown one is an error there and never a silent default.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{
    DateTime, Datelike as _, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Utc, Weekday,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{CadenceId, Language, TopicId};

/// What subscribers choose for themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferences {
    /// How often.
    pub cadence: CadenceId,
    /// In which language; the newsletter's without one.
    pub language: Option<Language>,
    /// About what.
    pub topics: Topics,
    /// How much of it, and how it looks.
    pub reading: Reading,
    /// On which days mail may come.
    pub days: Weekdays,
    /// From which hour of their day on mail may come, from 0 to 23; at once without one.
    pub hour: Option<u8>,
    /// Where their days begin; the newsletter's time zone without it.
    pub timezone: Option<chrono_tz::Tz>,
    /// Until when they get nothing.
    pub paused_until: Option<DateTime<Utc>>,
}

/// What somebody wants to read about.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topics {
    /// Everything, also what the newsletter will have later.
    #[default]
    All,
    /// Only these; at least one ([`Topics::only`]).
    Only(BTreeSet<TopicId>),
}

/// What [`Topics::All`] is written as.
pub const ALL_TOPICS: &str = "*";

impl Topics {
    /// Only these; nothing when there is none.
    pub fn only(topics: BTreeSet<TopicId>) -> Option<Self> {
        (!topics.is_empty()).then_some(Self::Only(topics))
    }

    /// From how the store has it, where no topic stands for all.
    pub fn from_stored(topics: BTreeSet<TopicId>) -> Self {
        Self::only(topics).unwrap_or_default()
    }

    /// Those that were picked one by one; none where it is all.
    pub fn picked(&self) -> impl Iterator<Item = &TopicId> {
        match self {
            Self::All => None,
            Self::Only(topics) => Some(topics),
        }
        .into_iter()
        .flatten()
    }

    /// Whether `topic` is among them.
    pub fn contains(&self, topic: &TopicId) -> bool {
        match self {
            Self::All => true,
            Self::Only(topics) => topics.contains(topic),
        }
    }
}

/// How an edition is read: what two subscribers' digests differ by beyond language and topics.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Reading {
    /// How much of each topic. The store has a column for it.
    #[serde(skip)]
    pub length: Length,
    /// Without pictures.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_pictures: bool,
    /// Stories with one of these words are left out.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub mute_words: BTreeSet<String>,
    /// Reports of these sources are left out.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub mute_sources: BTreeSet<String>,
    /// At most so many stories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<u16>,
    /// No mail with fewer stories than these; their news go with the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least: Option<u16>,
}

impl Reading {
    /// Whether it says anything beside the length.
    pub fn is_plain(&self) -> bool {
        let plain = Self {
            length: self.length,
            ..Self::default()
        };
        *self == plain
    }
}

/// How much of an edition somebody wants.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// All of it.
    #[default]
    Full,
    /// The first stories of each section.
    Short,
    /// All stories, each without its excerpt.
    Headlines,
}

impl Length {
    /// All lengths.
    pub const ALL: [Self; 3] = [Self::Full, Self::Short, Self::Headlines];

    /// How many stories of a section a short edition has.
    pub const SHORT: usize = 3;

    /// The word that the store and forms use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Short => "short",
            Self::Headlines => "headlines",
        }
    }

    /// The length of a [`word`](Self::word).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|length| length.word() == word)
    }
}

/// Days of the week; at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weekdays(u8);

impl Default for Weekdays {
    fn default() -> Self {
        Self::ALL
    }
}

impl Weekdays {
    /// Every day.
    pub const ALL: Self = Self(0b111_1111);

    /// The days of a week, as [`word`](Self::word) names them.
    pub const WEEK: [Weekday; 7] = [
        Weekday::Mon,
        Weekday::Tue,
        Weekday::Wed,
        Weekday::Thu,
        Weekday::Fri,
        Weekday::Sat,
        Weekday::Sun,
    ];

    /// These days; nothing when there is none.
    pub fn of(days: impl IntoIterator<Item = Weekday>) -> Option<Self> {
        let bits = days
            .into_iter()
            .fold(0, |bits, day| bits | 1 << day.num_days_from_monday());
        (bits != 0).then_some(Self(bits))
    }

    /// From the number that the store has: Monday is 1, Tuesday 2, Wednesday 4.
    pub fn from_bits(bits: i64) -> Option<Self> {
        let bits = u8::try_from(bits).ok()?;
        (1..=Self::ALL.0).contains(&bits).then_some(Self(bits))
    }

    /// The number that the store has.
    pub fn bits(self) -> i64 {
        i64::from(self.0)
    }

    /// Whether `day` is one of them.
    pub fn contains(self, day: Weekday) -> bool {
        self.0 & (1 << day.num_days_from_monday()) != 0
    }

    /// `mon`, `tue` and so on.
    pub fn word(day: Weekday) -> &'static str {
        ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][day.num_days_from_monday() as usize]
    }
}

/// An hour of the day, somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LocalHour {
    /// From 0 to 23.
    pub hour: u8,
    /// Where.
    pub timezone: chrono_tz::Tz,
}

/// One of the things that subscribers choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Preference {
    /// How often: a cadence of the newsletter.
    Cadence,
    /// `de`, `en` and so on; empty for the newsletter's.
    Language,
    /// Topics of the newsletter, separated by spaces or commas, or `*` for all.
    Topics,
    /// `full`, `short` or `headlines`.
    Length,
    /// `yes` or `no`.
    Pictures,
    /// Words, separated by commas.
    MuteWords,
    /// Sources, separated by commas.
    MuteSources,
    /// A number; empty for as many as there are.
    MostStories,
    /// A number; empty for any.
    LeastStories,
    /// A time zone of the IANA database, such as `Europe/Berlin`; empty for the newsletter's.
    Timezone,
    /// `mon tue wed thu fri sat sun`, or some of them.
    Days,
    /// From 0 to 23; empty for at once.
    Hour,
    /// A day (`2026-12-31`) or a moment (RFC 3339); empty for no pause.
    PausedUntil,
}

impl Preference {
    /// All of them, each before those that depend on it.
    pub const ALL: [Self; 13] = [
        Self::Cadence,
        Self::Language,
        Self::Topics,
        Self::Length,
        Self::Pictures,
        Self::MuteWords,
        Self::MuteSources,
        Self::MostStories,
        Self::LeastStories,
        Self::Timezone,
        Self::Days,
        Self::Hour,
        Self::PausedUntil,
    ];

    /// Its name in forms, in JSON and as a column of a CSV file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cadence => "cadence",
            Self::Language => "language",
            Self::Topics => "topics",
            Self::Length => "length",
            Self::Pictures => "pictures",
            Self::MuteWords => "mute_words",
            Self::MuteSources => "mute_sources",
            Self::MostStories => "most_stories",
            Self::LeastStories => "least_stories",
            Self::Timezone => "timezone",
            Self::Days => "days",
            Self::Hour => "hour",
            Self::PausedUntil => "paused_until",
        }
    }
}

/// What there is to choose from.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The cadences of the newsletter, the usual one first.
    pub cadences: Vec<CadenceId>,
    /// Its topics.
    pub topics: Vec<TopicId>,
    /// The languages that it is written in.
    pub languages: Vec<Language>,
    /// Where its days begin.
    pub timezone: chrono_tz::Tz,
    /// What time it is: a pause ends later.
    pub now: DateTime<Utc>,
}

/// Why a text is no value of a preference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct WrongPreference {
    /// Which one.
    pub preference: Preference,
    /// What was given.
    pub text: String,
    /// What is expected.
    pub expected: String,
}

impl fmt::Display for WrongPreference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, expected) = (&self.text, &self.expected);
        match self.preference {
            Preference::Cadence => write!(f, "there is no cadence “{text}”; one of: {expected}"),
            Preference::Topics if text.is_empty() => {
                write!(
                    f,
                    "no topic is named; {ALL_TOPICS} for all, or some of: {expected}"
                )
            }
            Preference::Topics => write!(f, "there is no topic “{text}”; one of: {expected}"),
            Preference::Language => write!(
                f,
                "“{text}” is not a language that digests are written in; one of: {expected}"
            ),
            other => write!(f, "“{text}” is no value for {}; {expected}", other.name()),
        }
    }
}

/// How many words or sources somebody can mute, and how long each may be, in characters.
const MOST_MUTED: usize = 50;
const MUTED_CHARS: usize = 60;

/// What stands between the entries of a list that people write.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ';', '|', ' ', '\t', '\n', '\r'])
        .filter(|entry| !entry.is_empty())
}

impl Preferences {
    /// What holds for who has said nothing: all topics, all of them, as soon as they are out.
    pub fn usual(cadence: CadenceId) -> Self {
        Self {
            cadence,
            language: None,
            topics: Topics::All,
            reading: Reading::default(),
            days: Weekdays::ALL,
            hour: None,
            timezone: None,
            paused_until: None,
        }
    }

    /// The value of `preference`, as [`set`](Self::set) takes it.
    pub fn get(&self, preference: Preference) -> String {
        let joined = |list: &BTreeSet<String>| {
            let list: Vec<&str> = list.iter().map(String::as_str).collect();
            list.join(", ")
        };
        let number = |number: Option<u16>| number.map_or_else(String::new, |n| n.to_string());
        match preference {
            Preference::Cadence => self.cadence.to_string(),
            Preference::Language => self.language.map(Language::tag).unwrap_or("").to_owned(),
            Preference::Topics => match &self.topics {
                Topics::All => ALL_TOPICS.to_owned(),
                Topics::Only(topics) => {
                    let topics: Vec<&str> = topics.iter().map(TopicId::as_str).collect();
                    topics.join(" ")
                }
            },
            Preference::Length => self.reading.length.word().to_owned(),
            Preference::Pictures => match self.reading.no_pictures {
                true => "no",
                false => "yes",
            }
            .to_owned(),
            Preference::MuteWords => joined(&self.reading.mute_words),
            Preference::MuteSources => joined(&self.reading.mute_sources),
            Preference::MostStories => number(self.reading.most),
            Preference::LeastStories => number(self.reading.least),
            Preference::Timezone => self.timezone.map_or("", chrono_tz::Tz::name).to_owned(),
            Preference::Days => {
                let days = Weekdays::WEEK
                    .into_iter()
                    .filter(|day| self.days.contains(*day));
                days.map(Weekdays::word).collect::<Vec<_>>().join(" ")
            }
            Preference::Hour => self.hour.map_or_else(String::new, |hour| hour.to_string()),
            Preference::PausedUntil => self.paused_until.map_or_else(String::new, |until| {
                until.to_rfc3339_opts(SecondsFormat::Secs, true)
            }),
        }
    }

    /// Sets `preference` to what `text` says. What was chosen before stays valid when the newsletter has it no more.
    ///
    /// # Errors
    /// When it is no value for it, or not on offer; nothing changes then.
    pub fn set(
        &mut self,
        preference: Preference,
        text: &str,
        offer: &Offer,
    ) -> Result<(), WrongPreference> {
        let text = text.trim();
        let wrong = |text: &str, expected: String| WrongPreference {
            preference,
            text: text.chars().filter(|c| !c.is_control()).take(100).collect(),
            expected,
        };
        match preference {
            Preference::Cadence => {
                let is_known = offer.cadences.iter().any(|known| known.as_str() == text)
                    || self.cadence.as_str() == text;
                if !is_known {
                    return Err(wrong(text, list(&offer.cadences)));
                }
                self.cadence = CadenceId(text.to_owned());
            }
            Preference::Language => {
                self.language = match text {
                    "" => None,
                    tag => {
                        let known = Language::from_tag(tag).filter(|language| {
                            offer.languages.contains(language) || self.language == Some(*language)
                        });
                        let tags = || offer.languages.iter().map(|language| language.tag());
                        let tags = || tags().collect::<Vec<_>>().join(", ");
                        Some(known.ok_or_else(|| wrong(tag, tags()))?)
                    }
                };
            }
            Preference::Topics => self.topics = self.topics_of(text, offer)?,
            Preference::Length => {
                let known = || "one of: full, short, headlines".to_owned();
                self.reading.length =
                    Length::from_word(text).ok_or_else(|| wrong(text, known()))?;
            }
            Preference::Pictures => {
                self.reading.no_pictures = match text.to_lowercase().as_str() {
                    "yes" | "true" | "1" | "on" => false,
                    "no" | "false" | "0" | "off" => true,
                    _ => return Err(wrong(text, "yes or no".to_owned())),
                };
            }
            Preference::MuteWords => {
                self.reading.mute_words = muted(text).map_err(|(text, why)| wrong(text, why))?;
            }
            Preference::MuteSources => {
                self.reading.mute_sources = muted(text).map_err(|(text, why)| wrong(text, why))?;
            }
            Preference::MostStories | Preference::LeastStories => {
                let number = match text {
                    "" => None,
                    text => {
                        let number = text
                            .parse()
                            .ok()
                            .filter(|number| (1..=999).contains(number));
                        let expected = || "a number from 1 to 999, or nothing".to_owned();
                        Some(number.ok_or_else(|| wrong(text, expected()))?)
                    }
                };
                let reading = &mut self.reading;
                match preference {
                    Preference::MostStories => reading.most = number,
                    _ => reading.least = number,
                }
                // Otherwise no mail could ever come.
                if let (Some(most), Some(least)) = (reading.most, reading.least) {
                    reading.least = Some(least.min(most));
                }
            }
            Preference::Timezone => {
                self.timezone = match text {
                    "" => None,
                    text => Some(timezone(text).ok_or_else(|| {
                        wrong(text, "a time zone such as Europe/Berlin".to_owned())
                    })?),
                };
            }
            Preference::Days => {
                let day = |word: &str| {
                    let found = Weekdays::WEEK
                        .into_iter()
                        .find(|day| word.to_ascii_lowercase().starts_with(Weekdays::word(*day)));
                    found.ok_or_else(|| {
                        wrong(
                            word,
                            "some of: mon, tue, wed, thu, fri, sat, sun".to_owned(),
                        )
                    })
                };
                let days = entries(text).map(day).collect::<Result<Vec<_>, _>>()?;
                let none = || {
                    wrong(
                        text,
                        "at least one of: mon, tue, wed, thu, fri, sat, sun".to_owned(),
                    )
                };
                self.days = Weekdays::of(days).ok_or_else(none)?;
            }
            Preference::Hour => {
                self.hour = match text {
                    "" => None,
                    text => {
                        let hour = text.parse().ok().filter(|hour| *hour < 24);
                        let expected = || "an hour from 0 to 23, or nothing".to_owned();
                        Some(hour.ok_or_else(|| wrong(text, expected()))?)
                    }
                };
            }
            Preference::PausedUntil => {
                self.paused_until = match text {
                    "" => None,
                    text => {
                        let zone = self.timezone.unwrap_or(offer.timezone);
                        let expected =
                            || "a day to come, such as 2026-12-31, or nothing".to_owned();
                        pause(text, zone, offer.now).ok_or_else(|| wrong(text, expected()))?
                    }
                };
            }
        }
        // An hour and a day are those of a place.
        if self.timezone.is_none() && (self.hour.is_some() || self.days != Weekdays::ALL) {
            self.timezone = Some(offer.timezone);
        }
        Ok(())
    }

    fn topics_of(&self, text: &str, offer: &Offer) -> Result<Topics, WrongPreference> {
        let wrong = |text: &str| WrongPreference {
            preference: Preference::Topics,
            text: text.chars().take(100).collect(),
            expected: list(&offer.topics),
        };
        let is_on_offer = |name: &str| offer.topics.iter().any(|known| known.as_str() == name);
        let mut topics = BTreeSet::new();
        for name in entries(text) {
            let is_all =
                name == ALL_TOPICS || (name.eq_ignore_ascii_case("all") && !is_on_offer(name));
            if is_all {
                return Ok(Topics::All);
            }
            let topic = TopicId(name.to_owned());
            let was_picked = self.topics.picked().any(|picked| *picked == topic);
            if !is_on_offer(name) && !was_picked {
                return Err(wrong(name));
            }
            topics.insert(topic);
        }
        Topics::only(topics).ok_or_else(|| wrong(""))
    }

    /// All of them by name, as JSON: what is exported, and what stands in the proof of consent. Lists are lists, numbers are numbers, and
    /// what is not chosen is `null`; all topics are `["*"]`.
    pub fn to_json(&self) -> serde_json::Value {
        let value = |preference: Preference| match preference {
            Preference::Topics | Preference::Days => {
                let text = self.get(preference);
                text.split(' ').collect::<Vec<_>>().into()
            }
            Preference::MuteWords => json!(self.reading.mute_words),
            Preference::MuteSources => json!(self.reading.mute_sources),
            Preference::Pictures => (!self.reading.no_pictures).into(),
            Preference::MostStories => self.reading.most.into(),
            Preference::LeastStories => self.reading.least.into(),
            Preference::Hour => self.hour.into(),
            other => Some(self.get(other)).filter(|text| !text.is_empty()).into(),
        };
        let named = Preference::ALL.map(|one| (one.name().to_owned(), value(one)));
        serde_json::Value::Object(named.into_iter().collect())
    }
}

fn list(known: &[impl fmt::Display]) -> String {
    let known: Vec<String> = known.iter().map(ToString::to_string).collect();
    known.join(", ")
}

/// Words or sources that somebody mutes.
fn muted(text: &str) -> Result<BTreeSet<String>, (&str, String)> {
    let mut muted = BTreeSet::new();
    for entry in text.split([',', ';', '\n']) {
        let clean: String = entry
            .chars()
            .filter(|c| !super::is_unwanted(*c) && !c.is_control())
            .collect();
        let clean = clean.split_whitespace().collect::<Vec<_>>().join(" ");
        if clean.chars().count() > MUTED_CHARS {
            return Err((
                entry.trim(),
                format!("at most {MUTED_CHARS} characters each"),
            ));
        }
        if clean.chars().any(char::is_alphanumeric) {
            muted.insert(clean);
        }
    }
    match muted.len() > MOST_MUTED {
        true => Err((
            text,
            format!("at most {MOST_MUTED} of them, separated by commas"),
        )),
        false => Ok(muted),
    }
}

/// The time zone that people mean: by its name, or by that of its city.
fn timezone(text: &str) -> Option<chrono_tz::Tz> {
    let wanted = text.replace(' ', "_");
    let named = chrono_tz::TZ_VARIANTS.iter().find(|zone| {
        let name = zone.name();
        name.eq_ignore_ascii_case(&wanted)
            || name
                .rsplit('/')
                .next()
                .is_some_and(|city| name.contains('/') && city.eq_ignore_ascii_case(&wanted))
    });
    // What German calls Central European Time.
    let known = match wanted.to_ascii_uppercase().as_str() {
        "MEZ" | "MESZ" | "CEST" => Some(chrono_tz::Tz::CET),
        _ => None,
    };
    named.copied().or(known)
}

/// Until when a pause is: a day, as people write it, or a moment. A moment that has passed ends a pause; a day that has is a mistake.
#[expect(
    clippy::option_option,
    reason = "no pause is a value; a mistake is none"
)]
fn pause(text: &str, zone: chrono_tz::Tz, now: DateTime<Utc>) -> Option<Option<DateTime<Utc>>> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(Some(moment.to_utc()).filter(|until| *until > now));
    }
    let day = ["%Y-%m-%d", "%d.%m.%Y"]
        .into_iter()
        .find_map(|format| NaiveDate::parse_from_str(text, format).ok())?;
    let until = beginning(day, zone)?;
    // Nobody pauses for a hundred years.
    (until > now && day.year() < 2200).then_some(Some(until))
}

/// When a day begins there: where summer time skips its midnight, an hour later.
fn beginning(day: NaiveDate, timezone: chrono_tz::Tz) -> Option<DateTime<Utc>> {
    let midnight = day.and_time(NaiveTime::MIN);
    let later = || midnight.checked_add_signed(TimeDelta::hours(1));
    let begins = midnight.and_local_timezone(timezone).earliest();
    let begins = begins.or_else(|| later()?.and_local_timezone(timezone).earliest());
    Some(begins?.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn offer() -> Offer {
        let topic = |id: &str| TopicId(id.to_owned());
        Offer {
            cadences: vec![CadenceId("daily".into()), CadenceId("weekly".into())],
            topics: vec![topic("ki"), topic("security")],
            languages: vec![Language::De, Language::En],
            timezone: chrono_tz::Europe::Berlin,
            now: DateTime::from_timestamp(1_796_000_000, 0).unwrap(),
        }
    }

    fn usual() -> Preferences {
        Preferences::usual(CadenceId("daily".into()))
    }

    #[test]
    fn what_is_not_on_offer_is_an_answer_and_changes_nothing() {
        for (preference, text, said) in [
            (
                Preference::Topics,
                "ki sicherheit",
                "there is no topic “sicherheit”; one of: ki, security",
            ),
            (
                Preference::Topics,
                " ",
                "no topic is named; * for all, or some of: ki, security",
            ),
            (
                Preference::Cadence,
                "hourly",
                "there is no cadence “hourly”; one of: daily, weekly",
            ),
            (
                Preference::Language,
                "fr",
                "“fr” is not a language that digests are written in; one of: de, en",
            ),
            (
                Preference::Hour,
                "24",
                "“24” is no value for hour; an hour from 0 to 23, or nothing",
            ),
            (
                Preference::Days,
                "",
                "“” is no value for days; at least one of: mon, tue, wed, thu, fri, sat, sun",
            ),
            (
                Preference::Timezone,
                "Atlantis",
                "“Atlantis” is no value for timezone; a time zone such as Europe/Berlin",
            ),
            (
                Preference::PausedUntil,
                "2027-02-30",
                "“2027-02-30” is no value for paused_until; a day to come, such as 2026-12-31, or nothing",
            ),
            (
                Preference::PausedUntil,
                "2026-01-01",
                "“2026-01-01” is no value for paused_until; a day to come, such as 2026-12-31, or nothing",
            ),
            (
                Preference::MostStories,
                "0",
                "“0” is no value for most_stories; a number from 1 to 999, or nothing",
            ),
        ] {
            let mut preferences = usual();
            let wrong = preferences.set(preference, text, &offer()).unwrap_err();
            assert_eq!(wrong.to_string(), said);
            assert_eq!(preferences, usual());
        }
    }

    #[test]
    fn what_people_write_is_understood() {
        let mut preferences = usual();
        for (preference, text, kept) in [
            (Preference::Topics, "ki, security", "ki security"),
            (Preference::Topics, "all", "*"),
            (Preference::Timezone, "berlin", "Europe/Berlin"),
            (Preference::Timezone, "New York", "America/New_York"),
            (Preference::Timezone, "MEZ", "CET"),
            (Preference::Days, "Monday,fri", "mon fri"),
            (Preference::Timezone, "Europe/Berlin", "Europe/Berlin"),
            (
                Preference::PausedUntil,
                "31.12.2026",
                "2026-12-30T23:00:00Z",
            ),
            (
                Preference::MuteWords,
                " Trump ;Fußball,, ",
                "Fußball, Trump",
            ),
            (Preference::LeastStories, "9", "9"),
        ] {
            preferences.set(preference, text, &offer()).unwrap();
            assert_eq!(preferences.get(preference), kept, "{text}");
        }
        preferences
            .set(Preference::MostStories, "5", &offer())
            .unwrap();
        assert_eq!(preferences.get(Preference::LeastStories), "5");
    }

    #[test]
    fn a_choice_that_is_no_longer_on_offer_can_be_kept_and_not_be_made() {
        let mut preferences = Preferences {
            topics: Topics::Only(BTreeSet::from([TopicId("gone".into())])),
            cadence: CadenceId("gone".into()),
            ..usual()
        };
        preferences
            .set(Preference::Topics, "ki gone", &offer())
            .unwrap();
        preferences
            .set(Preference::Cadence, "gone", &offer())
            .unwrap();
        assert_eq!(preferences.get(Preference::Topics), "gone ki");
        assert!(usual().set(Preference::Topics, "gone", &offer()).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            topics in proptest::sample::subsequence(vec!["ki", "security"], 0..=2),
            days in 1..128i64, hour in proptest::option::of(0..24u8), most in proptest::option::of(1..999u16),
            words in proptest::collection::btree_set("[a-zß]{1,9}( [a-z]{1,9})?", 0..4), no_pictures: bool, length in 0..3usize,
        ) {
            let before = Preferences {
                topics: Topics::from_stored(topics.into_iter().map(|id| TopicId(id.to_owned())).collect()),
                days: Weekdays::from_bits(days).unwrap(),
                timezone: Some(chrono_tz::Asia::Tokyo),
                hour,
                reading: Reading { length: Length::ALL[length], no_pictures, mute_words: words, most, ..Reading::default() },
                ..usual()
            };
            let mut after = usual();
            for preference in Preference::ALL {
                after.set(preference, &before.get(preference), &offer()).unwrap();
            }
            prop_assert_eq!(after, before);
        }
    }
}
