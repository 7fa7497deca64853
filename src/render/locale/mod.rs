//! Every fixed word of a mail, one file per language.
//!
//! A language is a table of words and patterns; the rules that fill the patterns are here, once for all. A new
//! language is a new value of [`Words`]: the compiler says what is missing, and the tests what is empty or
//! lacks a part that the others have.

mod de;
mod en;
mod es;
mod fr;
mod it;
mod nl;
pub(crate) mod pages;

use chrono::{Datelike as _, NaiveDate, NaiveDateTime, Timelike as _};
use serde::Serialize;

use crate::model::Language;
use pages::PageWords;

/// What a language must have a word for. In patterns, `{name}` is where something goes.
#[derive(Debug, Serialize)]
pub(crate) struct Words {
    /// Those that templates may use as they are.
    pub labels: Labels,
    /// Monday first.
    weekdays: [&'static str; 7],
    months: [&'static str; 12],
    /// The first day of the month where it is no plain number (“1er”), else “1”.
    first: &'static str,
    /// A date with `{weekday}`, `{day}`, `{month}` and `{year}`.
    date: &'static str,
    /// A day without its year, for a story that is older than yesterday.
    day: &'static str,
    /// A day with its year.
    day_of_year: &'static str,
    /// The day before the edition's.
    yesterday: &'static str,
    /// A time of day with `{hour}`, `{minute}`.
    time: &'static str,
    /// Whether the hour has two digits before ten.
    padded_hour: bool,
    /// What stands between a day and a time, two facts in a row, or two names of a list.
    comma: &'static str,
    /// What groups the thousands of a number.
    thousands: &'static str,
    /// From which number on thousands are grouped: Spanish writes 4321 without.
    grouped_from: u64,
    /// Whether none is one, grammatically: French “0 article”.
    zero_is_one: bool,
    /// The marks around a quoted text.
    quotes: [&'static str; 2],
    /// One story and several.
    stories: [&'static str; 2],
    /// One source and several.
    sources: [&'static str; 2],
    /// `{stories}` from `{sources}`.
    counts: &'static str,
    /// How long reading takes, with `{count}` minutes: one and several.
    reading_time: [&'static str; 2],
    /// The link to the stories of a section that a mail has no room for, with `{count}`: one and several.
    more_online: [&'static str; 2],
    /// The same as a sentence, where there is nothing to link to.
    more: [&'static str; 2],
    /// After a list of outlets, with how many more (always several) report a story: “and `{count}` others”.
    and_more: &'static str,
    /// How much a story is discussed: one comment and several.
    comments: [&'static str; 2],
    /// Why the reader gets a mail, with the quoted `{title}`.
    reason: &'static str,
    /// What mails to one person say.
    pub letters: Letters,
    /// What the pages for readers say.
    pub pages: PageWords,
}

/// What mails to one person say. In subjects, `{title}` is the newsletter's, in sentences the quoted one.
#[derive(Debug, Serialize)]
pub(crate) struct Letters {
    /// Asks for a click, to prove consent.
    pub confirmation: LetterWords,
    /// What the click does.
    pub confirm: &'static str,
    /// Until when the link is good, with `{date}`, and what happens without the click.
    pub expiry: &'static str,
    /// After that click.
    pub welcome: LetterWords,
    /// When the next edition comes, with `{date}`.
    pub next: &'static str,
    /// How to leave.
    pub leaving: &'static str,
    /// After somebody has left.
    pub goodbye: LetterWords,
    /// To somebody who did not mean it.
    pub mistake: &'static str,
    /// What brings them back.
    pub back: &'static str,
}

/// How one kind of letter begins.
#[derive(Debug, Serialize)]
pub(crate) struct LetterWords {
    pub subject: &'static str,
    pub heading: &'static str,
    /// With the quoted `{title}`.
    pub text: &'static str,
}

/// Words that stand alone.
#[derive(Debug, Serialize)]
pub(crate) struct Labels {
    /// Before what a label announces; in French with a space.
    pub colon: &'static str,
    /// Before the headline of a story that readers know and that has news.
    pub update: &'static str,
    /// That it costs money to read something.
    pub paid: &'static str,
    /// That somebody paid for something to be there; in Germany, § 6 DDG wants it said.
    pub sponsored: &'static str,
    /// Before the other outlets that report a story.
    pub also: &'static str,
    /// The link to where a story is discussed, when nobody has counted the comments.
    pub discussion: &'static str,
    /// The heading of the list of sections.
    pub contents: &'static str,
    /// The heading of the list of links in the text part.
    pub links: &'static str,
    /// Instead of sections when there is none.
    pub nothing: &'static str,
    /// The link to the edition on the web.
    pub browser: &'static str,
    /// The link to a subscriber's choices.
    pub preferences: &'static str,
    /// The link that ends a subscription.
    pub unsubscribe: &'static str,
    /// The heading over who is responsible.
    pub imprint: &'static str,
}

/// The words of `language`.
pub(crate) fn words(language: Language) -> &'static Words {
    match language {
        Language::De => &de::WORDS,
        Language::En => &en::WORDS,
        Language::Es => &es::WORDS,
        Language::Fr => &fr::WORDS,
        Language::It => &it::WORDS,
        Language::Nl => &nl::WORDS,
    }
}

impl Words {
    /// The name of a day of the week.
    pub(crate) fn weekday(&self, day: chrono::Weekday) -> &'static str {
        self.weekdays[day.num_days_from_monday() as usize]
    }

    /// “Friday, 20 November 2026”, as in a sentence.
    pub(crate) fn date(&self, date: NaiveDate) -> String {
        let weekday = self.weekday(date.weekday());
        self.fill_date(self.date, date)
            .replace("{weekday}", weekday)
    }

    /// The same as it stands alone: with a capital in all languages.
    pub(crate) fn dateline(&self, date: NaiveDate) -> String {
        let date = self.date(date);
        let mut letters = date.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        first.chain(letters.as_str().chars()).collect()
    }

    fn fill_date(&self, pattern: &str, date: NaiveDate) -> String {
        let day = match date.day() {
            1 => self.first.to_owned(),
            day => day.to_string(),
        };
        pattern
            .replace("{day}", &day)
            .replace("{month}", self.months[date.month0() as usize])
            .replace("{year}", &date.year().to_string())
    }

    /// A moment, as somebody would say it on the day `today`; in full where nobody knows on which day it will be read.
    pub(crate) fn moment(&self, at: NaiveDateTime, today: Option<NaiveDate>) -> String {
        let (date, time) = (at.date(), self.time(at.hour(), at.minute()));
        let day = match today {
            Some(today) if date == today => return time,
            Some(today) if Some(date) == today.pred_opt() => self.yesterday.to_owned(),
            Some(today) if date.year() == today.year() => self.fill_date(self.day, date),
            _ => self.fill_date(self.day_of_year, date),
        };
        format!("{day}{}{time}", self.comma)
    }

    pub(crate) fn time(&self, hour: u32, minute: u32) -> String {
        let hour = if self.padded_hour {
            format!("{hour:02}")
        } else {
            hour.to_string()
        };
        self.time
            .replace("{hour}", &hour)
            .replace("{minute}", &format!("{minute:02}"))
    }

    /// A number with its thousands grouped.
    pub(super) fn number(&self, number: u64) -> String {
        let digits = number.to_string();
        if number < self.grouped_from {
            return digits;
        }
        let mut grouped = String::with_capacity(digits.len() * 2);
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                grouped.push_str(self.thousands);
            }
            grouped.push(digit);
        }
        grouped
    }

    /// The form for that number.
    fn form(&self, number: usize, [one, many]: [&'static str; 2]) -> &'static str {
        if number == 1 || (number == 0 && self.zero_is_one) {
            one
        } else {
            many
        }
    }

    /// A number and its noun.
    fn count(&self, number: usize, nouns: [&'static str; 2]) -> String {
        let noun = self.form(number, nouns);
        format!("{} {noun}", self.number(number as u64))
    }

    /// A pattern with its `{count}`.
    fn fill_count(&self, pattern: &str, number: usize) -> String {
        pattern.replace("{count}", &self.number(number as u64))
    }

    /// “12 stories from 7 sources”.
    pub(super) fn counts(&self, stories: usize, sources: usize) -> String {
        self.counts
            .replace("{stories}", &self.count(stories, self.stories))
            .replace("{sources}", &self.count(sources, self.sources))
    }

    /// “4-minute read”.
    pub(super) fn reading_time(&self, minutes: usize) -> String {
        self.fill_count(self.form(minutes, self.reading_time), minutes)
    }

    /// That a section has `stories` more; `online` where they can be read there.
    pub(super) fn more(&self, stories: usize, online: bool) -> String {
        let forms = if online { self.more_online } else { self.more };
        self.fill_count(self.form(stories, forms), stories)
    }

    /// “and 3 others”, after a list of outlets.
    pub(super) fn and_more(&self, outlets: usize) -> String {
        self.fill_count(self.and_more, outlets)
    }

    /// “128 comments”; the word for a discussion when nobody has counted.
    pub(super) fn comments(&self, comments: Option<u32>) -> String {
        match comments {
            Some(comments) if comments > 0 => self.count(comments as usize, self.comments),
            _ => self.labels.discussion.to_owned(),
        }
    }

    /// Why the reader gets a mail of the newsletter `title`.
    pub(super) fn reason(&self, title: &str) -> String {
        self.about(self.reason, title)
    }

    /// A sentence about the newsletter `title`.
    pub(crate) fn about(&self, pattern: &str, title: &str) -> String {
        pattern.replace("{title}", &self.quoted(title))
    }

    /// A text in quotation marks.
    pub(crate) fn quoted(&self, text: &str) -> String {
        let [open, close] = self.quotes;
        format!("{open}{text}{close}")
    }

    /// Several texts in a row: “a, b”.
    pub(super) fn list(&self, texts: &[&str]) -> String {
        texts.join(self.comma)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// What all languages say, in the order of [`Language::ALL`]: German, English, French, Spanish, Italian, Dutch.
    fn all<T>(value: impl Fn(&Words) -> T) -> Vec<T> {
        Language::ALL
            .into_iter()
            .map(|language| value(words(language)))
            .collect()
    }

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    #[test]
    fn dates_are_written_as_the_language_writes_them() {
        assert_eq!(
            all(|words| words.dateline(day(2026, 11, 1))),
            [
                "Sonntag, 1. November 2026",
                "Sunday, 1 November 2026",
                "Dimanche 1er novembre 2026",
                "Domingo, 1 de noviembre de 2026",
                "Domenica 1º novembre 2026",
                "Zondag 1 november 2026",
            ]
        );
        assert_eq!(
            all(|words| words.date(day(2027, 3, 13))),
            [
                "Samstag, 13. März 2027",
                "Saturday, 13 March 2027",
                "samedi 13 mars 2027",
                "sábado, 13 de marzo de 2027",
                "sabato 13 marzo 2027",
                "zaterdag 13 maart 2027",
            ]
        );
    }

    #[test]
    fn a_moment_is_told_as_on_the_day_of_the_edition() {
        let today = day(2026, 1, 2);
        let at = |date: NaiveDate, hour, minute| date.and_hms_opt(hour, minute, 0).unwrap();
        assert_eq!(
            all(|words| words.moment(at(today, 6, 5), Some(today))),
            [
                "6:05 Uhr",
                "06:05",
                "6\u{a0}h\u{a0}05",
                "6:05",
                "6:05",
                "06:05"
            ]
        );
        assert_eq!(
            all(|words| words.moment(at(day(2025, 12, 24), 0, 0), Some(today))),
            [
                "24. Dezember 2025, 0:00 Uhr",
                "24 December 2025, 00:00",
                "24 décembre 2025, 0\u{a0}h\u{a0}00",
                "24 de diciembre de 2025, 0:00",
                "24 dicembre 2025, 0:00",
                "24 december 2025, 00:00"
            ]
        );
        let german = words(Language::De);
        let yesterday = at(day(2026, 1, 1), 18, 30);
        for (today, told) in [
            (Some(today), "gestern, 18:30 Uhr"),
            (Some(day(2026, 5, 1)), "1. Januar, 18:30 Uhr"),
            (None, "1. Januar 2026, 18:30 Uhr"),
        ] {
            assert_eq!(german.moment(yesterday, today), told);
        }
    }

    #[test]
    fn one_is_singular_and_so_is_none_in_french() {
        assert_eq!(
            all(|words| words.counts(1, 1)),
            [
                "1 Meldung aus 1 Quelle",
                "1 story from 1 source",
                "1 article, 1 source",
                "1 noticia de 1 fuente",
                "1 notizia da 1 fonte",
                "1 bericht uit 1 bron",
            ]
        );
        assert_eq!(
            all(|words| words.counts(2, 3)),
            [
                "2 Meldungen aus 3 Quellen",
                "2 stories from 3 sources",
                "2 articles, 3 sources",
                "2 noticias de 3 fuentes",
                "2 notizie da 3 fonti",
                "2 berichten uit 3 bronnen",
            ]
        );
        assert_eq!(words(Language::Fr).counts(0, 0), "0 article, 0 source");
        assert_eq!(
            words(Language::De).counts(0, 0),
            "0 Meldungen aus 0 Quellen"
        );
        assert_eq!(words(Language::De).reading_time(1), "1 Minute Lesezeit");
        assert_eq!(words(Language::De).comments(None), "Diskussion");
    }

    #[test]
    fn thousands_are_grouped_as_the_language_groups_them() {
        assert_eq!(
            all(|words| words.number(4_321)),
            ["4.321", "4,321", "4\u{202f}321", "4321", "4.321", "4.321"]
        );
        assert_eq!(
            all(|words| words.number(1_234_567)),
            [
                "1.234.567",
                "1,234,567",
                "1\u{202f}234\u{202f}567",
                "1.234.567",
                "1.234.567",
                "1.234.567"
            ]
        );
        assert_eq!(words(Language::De).number(999), "999");
    }

    /// The texts of a value, each with its path.
    fn texts(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
        match value {
            Value::String(text) => found.push((path.to_owned(), text.clone())),
            Value::Array(values) => {
                for (place, value) in values.iter().enumerate() {
                    texts(value, &format!("{path}[{place}]"), found);
                }
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    texts(value, &format!("{path}.{name}"), found);
                }
            }
            _ => {}
        }
    }

    /// The places of a pattern, in alphabetical order.
    fn places(pattern: &str) -> Vec<&str> {
        let mut places: Vec<&str> = pattern
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
            .collect();
        places.sort_unstable();
        places
    }

    #[test]
    fn no_language_lacks_a_word_or_a_part_of_a_pattern() {
        let of = |language| {
            let mut found = Vec::new();
            let value = serde_json::to_value(words(language)).unwrap();
            texts(&value, "", &mut found);
            found
        };
        let english = of(Language::En);
        assert!(english.len() > 50, "{}", english.len());
        for language in Language::ALL {
            let own = of(language);
            let mut same = Vec::new();
            for ((path, text), (_, model)) in own.iter().zip(&english) {
                assert!(!text.is_empty(), "{language}{path} is empty");
                assert_eq!(places(text), places(model), "{language}{path}: {text}");
                if text == model && text.chars().filter(|c| c.is_alphabetic()).count() > 3 {
                    same.push(path.as_str());
                }
            }
            // Some words are the same in two languages; a file that was copied has all of them.
            assert!(
                language == Language::En || same.len() < 10,
                "{language} says in English: {same:?}"
            );
        }
    }

    #[test]
    fn quotation_marks_are_those_of_the_language() {
        assert_eq!(
            all(|words| words.quoted("x")),
            ["„x“", "“x”", "«\u{a0}x\u{a0}»", "«x»", "«x»", "‘x’"]
        );
    }
}
