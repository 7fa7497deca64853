//! German.

use chrono::{Datelike as _, NaiveDate};

use super::Words;

pub(super) const WORDS: Words = Words {
    date,
    day,
    time: |hour, minute| format!("{hour}:{minute:02} Uhr"),
    yesterday: "gestern",
    counts: |stories, sources| {
        let stories = if stories == 1 {
            "1 Meldung".to_owned()
        } else {
            format!("{stories} Meldungen")
        };
        let sources = if sources == 1 {
            "1 Quelle".to_owned()
        } else {
            format!("{sources} Quellen")
        };
        format!("{stories} aus {sources}")
    },
    reading_time: |minutes| {
        if minutes == 1 {
            "1 Minute Lesezeit".to_owned()
        } else {
            format!("{minutes} Minuten Lesezeit")
        }
    },
    paid: "kostenpflichtig",
    sponsored: "Anzeige",
    update: "Update",
    also: "Auch bei",
    contents: "In dieser Ausgabe",
    reason: |title| format!("Sie erhalten diese E-Mail, weil Sie „{title}“ abonniert haben."),
    unsubscribe: "Abmelden",
    imprint: "Impressum",
};

const WEEKDAYS: [&str; 7] = [
    "Montag",
    "Dienstag",
    "Mittwoch",
    "Donnerstag",
    "Freitag",
    "Samstag",
    "Sonntag",
];
const MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

fn date(date: NaiveDate) -> String {
    let weekday = WEEKDAYS[date.weekday().num_days_from_monday() as usize];
    format!("{weekday}, {} {}", day(date), date.year())
}

fn day(date: NaiveDate) -> String {
    format!("{}. {}", date.day(), MONTHS[date.month0() as usize])
}
