//! Every fixed word of a mail, one file per language.

mod de;
mod en;

use chrono::NaiveDate;

use crate::model::Language;

/// What a language must have a word for. A new language is a new value of this type: the compiler says what
/// is missing.
pub(super) struct Words {
    /// “20 November 2026”, with its weekday.
    pub date: fn(NaiveDate) -> String,
    /// A day without its year, for a story that is older than yesterday.
    pub day: fn(NaiveDate) -> String,
    /// A time of day from hour and minute.
    pub time: fn(u32, u32) -> String,
    /// The day before the edition's.
    pub yesterday: &'static str,
    /// “12 stories from 7 sources”.
    pub counts: fn(usize, usize) -> String,
    /// How long reading takes, in minutes.
    pub reading_time: fn(u32) -> String,
    /// That it costs money to read something.
    pub paid: &'static str,
    /// That somebody paid for something to be there; in Germany, § 6 DDG wants it said.
    pub sponsored: &'static str,
    /// Before the headline of a story that readers know and that has news.
    pub update: &'static str,
    /// Before the other outlets that report a story.
    pub also: &'static str,
    /// The heading of the list of sections.
    pub contents: &'static str,
    /// Why the reader gets this mail; with the newsletter's title.
    pub reason: fn(&str) -> String,
    /// The link that ends it.
    pub unsubscribe: &'static str,
    /// The heading over who is responsible.
    pub imprint: &'static str,
}

/// The words of `language`.
pub(super) fn words(language: Language) -> &'static Words {
    match language {
        Language::De => &de::WORDS,
        Language::En => &en::WORDS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both<T>(value: impl Fn(&Words) -> T) -> [T; 2] {
        [value(words(Language::De)), value(words(Language::En))]
    }

    #[test]
    fn dates_are_written_as_the_language_writes_them() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 1).unwrap();
        assert_eq!(
            both(|w| (w.date)(day)),
            ["Sonntag, 1. November 2026", "Sunday, 1 November 2026"]
        );
        assert_eq!(both(|w| (w.day)(day)), ["1. November", "1 November"]);
        assert_eq!(both(|w| (w.time)(6, 5)), ["6:05 Uhr", "06:05"]);
        let march = NaiveDate::from_ymd_opt(2027, 3, 13).unwrap();
        assert_eq!(
            both(|w| (w.date)(march)),
            ["Samstag, 13. März 2027", "Saturday, 13 March 2027"]
        );
    }

    #[test]
    fn one_is_singular() {
        assert_eq!(
            both(|w| (w.counts)(1, 1)),
            ["1 Meldung aus 1 Quelle", "1 story from 1 source"]
        );
        assert_eq!(
            both(|w| (w.counts)(2, 3)),
            ["2 Meldungen aus 3 Quellen", "2 stories from 3 sources"]
        );
        assert_eq!(
            both(|w| (w.reading_time)(1)),
            ["1 Minute Lesezeit", "1 minute read"]
        );
        assert_eq!(
            both(|w| (w.reading_time)(4)),
            ["4 Minuten Lesezeit", "4 minute read"]
        );
    }
}
