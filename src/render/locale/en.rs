//! English.

use chrono::NaiveDate;

use super::Words;

pub(super) const WORDS: Words = Words {
    date: |date: NaiveDate| date.format("%A, %-d %B %Y").to_string(),
    day: |date: NaiveDate| date.format("%-d %B").to_string(),
    time: |hour, minute| format!("{hour:02}:{minute:02}"),
    yesterday: "yesterday",
    counts: |stories, sources| {
        let stories = if stories == 1 {
            "1 story".to_owned()
        } else {
            format!("{stories} stories")
        };
        let sources = if sources == 1 {
            "1 source".to_owned()
        } else {
            format!("{sources} sources")
        };
        format!("{stories} from {sources}")
    },
    reading_time: |minutes| format!("{minutes} minute read"),
    paid: "paid",
    sponsored: "sponsored",
    update: "Update",
    also: "Also reported by",
    contents: "In this edition",
    reason: |title| format!("You get this e-mail because you subscribed to “{title}”."),
    unsubscribe: "Unsubscribe",
    imprint: "Imprint",
};
