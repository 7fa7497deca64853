//! The sections about the newsletter, its topics and its subscribers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::read::Table;
use super::values::{address, language, mailbox, not_empty, short_name, url_pattern, web_url};
use crate::model::{
    Cadence, CadenceId, Edition, Keyword, Language, NewSubscriber, Newsletter, Preferences, Topic,
    TopicId, Topics, clean_name,
};

pub(super) fn newsletter(mut table: Table<'_, '_>) -> Option<Newsletter> {
    if !table.exists() {
        table.missing(
            "title",
            "Begin the file with [newsletter] and give it a title, a sender and an imprint.",
        );
        return None;
    }
    let id = table.parsed("id", "Use small letters, digits and hyphens.", short_name);
    let title = table.required(
        "title",
        "title = \"…\" is the name at the head of every mail.",
        not_empty,
    );
    let tagline = table
        .parsed("tagline", "", |text| Ok(text.trim().to_owned()))
        .unwrap_or_default();
    let known = Language::known();
    let language = table.required(
        "language",
        &format!("Digests can be written in: {known}."),
        language,
    );
    let zone = "Use a name of the IANA list, such as \"Europe/Berlin\".";
    let timezone = table.required("timezone", zone, |text| {
        text.parse()
            .map_err(|_| format!("“{text}” is not a time zone"))
    });
    let sender = "Write it as name and address: from = \"Tidings <digest@example.org>\".";
    let from = table.required("from", sender, mailbox);
    let reply_to = table.parsed(
        "reply_to",
        "Answers must reach somebody: an address that is read.",
        address,
    );
    let unsubscribe = table.parsed(
        "unsubscribe",
        "An address that is read; requests to leave go there.",
        address,
    );
    let imprint =
        "The law wants it in full in every mail: name, postal address, contact (§ 5 DDG).";
    let imprint = table.required("imprint", imprint, not_empty);
    let whole = "Write the whole address: \"https://…\".";
    let url = table.parsed("url", whole, web_url);
    let pattern = "An address with {edition} in it: \"https://example.org/news/{edition}.html\".";
    let browser_url = table.parsed("browser_url", pattern, |text| {
        if !text.contains(Newsletter::EDITION) {
            return Err(format!("“{text}” is the same for every edition"));
        }
        url_pattern(text, &[Newsletter::EDITION]).map(|(_, pattern)| pattern)
    });
    let preferences_url = table.parsed("preferences_url", whole, |text| {
        url_pattern(text, &[Newsletter::TOKEN]).map(|(_, pattern)| pattern)
    });
    let pattern = "An address with {token} in it, where a POST ends a subscription: \"https://example.org/u/{token}\".";
    let unsubscribe_url = table.parsed("unsubscribe_url", pattern, |text| {
        if !text.contains(Newsletter::TOKEN) {
            return Err(format!("“{text}” is the same for every subscriber"));
        }
        url_pattern(text, &[Newsletter::TOKEN]).map(|(_, pattern)| pattern)
    });
    table.done();

    let (from_name, from) = from?;
    let title = title?;
    Some(Newsletter {
        id: id.unwrap_or_else(|| "newsletter".to_owned()),
        from_name: if from_name.is_empty() {
            clean_name(&title)
        } else {
            from_name
        },
        title,
        tagline,
        language: language?,
        timezone: timezone?,
        reply_to: reply_to.unwrap_or_else(|| from.clone()),
        unsubscribe: unsubscribe.unwrap_or_else(|| from.clone()),
        from,
        imprint: imprint?
            .lines()
            .map(|line| line.trim().to_owned())
            .filter(|line| !line.is_empty())
            .collect(),
        url,
        browser_url,
        preferences_url,
        unsubscribe_url,
        follow_url: None,
        story_url: None,
        pages_url: None,
        archive_url: None,
    })
}

pub(super) fn cadence((name, mut table): (String, Table<'_, '_>)) -> Option<Cadence> {
    let hint = "Five fields: minute, hour, day, month, weekday; \"0 7 * * *\" is daily at seven.";
    let cron = table.required("cron", hint, |text| {
        if text.split_whitespace().count() != 5 {
            return Err(format!("“{text}” has not five fields"));
        }
        text.parse::<croner::Cron>()
            .map_err(|error| format!("“{text}” is not a schedule ({error})"))
    });
    let max_lateness = table
        .duration("max_lateness")
        .unwrap_or(Duration::from_secs(6 * 3600));
    if let Err(what) = short_name(&name) {
        table.missing(
            "name",
            &format!("{what}: use small letters, digits and hyphens."),
        );
        return None;
    }
    if name == Edition::FOLLOWED {
        let what = "is what editions are called that have news of followed stories only";
        table.missing(
            "name",
            &format!("“{name}” {what}: give the cadence another name."),
        );
        return None;
    }
    table.done();
    Some(Cadence {
        id: CadenceId(name),
        cron: cron?,
        max_lateness,
    })
}

/// Reads a topic, and adds its name to `ids`.
pub(super) fn topic(mut table: Table<'_, '_>, ids: &mut Vec<String>) -> Option<Topic> {
    let found = table.get("id");
    let id = table.required(
        "id",
        "A short name that never changes, such as id = \"ki\".",
        short_name,
    );
    if let (Some(id), Some(found)) = (&id, &found) {
        if ids.contains(id) {
            table.wrong(
                found,
                format!("“{id}” is the name of another topic"),
                "Give each topic a name of its own.",
            );
        }
        ids.push(id.clone());
    }
    if let (Some("top" | "end"), Some(found)) = (id.as_deref(), &found) {
        let what = "is a place where blocks stand, not a topic";
        table.wrong(found, what, "Give the topic another short name.");
    }
    let title = table.required("title", "The heading in the digest.", not_empty);
    let keywords = keywords(&mut table, "keywords");
    let exclude = keywords_that_exclude(&mut table);
    let stories = table.number("stories", 1..101).unwrap_or(8);
    table.done();
    Some(Topic {
        id: TopicId(id?),
        title: title?,
        keywords,
        exclude,
        stories: usize::try_from(stories).unwrap_or(8),
        feeds: Vec::new(),
    })
}

const KEYWORD: &str = "A word or phrase, such as \"KI\", \"\\\"Open Source\\\"\" for these very words, \"+KI\" for one that must be there, or \"title:KI\".";

/// The keywords under `key`; those that are none become problems.
fn keywords(table: &mut Table<'_, '_>, key: &'static str) -> Vec<Keyword> {
    let mut keywords = Vec::new();
    for (text, span) in table.texts(key) {
        match Keyword::parse(&text) {
            Ok(keyword) => keywords.push(keyword),
            Err(what) => table.wrong_at(span, key, what, KEYWORD),
        }
    }
    keywords
}

fn keywords_that_exclude(table: &mut Table<'_, '_>) -> Vec<Keyword> {
    let mut keywords = keywords(table, "exclude");
    // What keeps an item out cannot also be required.
    keywords
        .iter_mut()
        .for_each(|keyword| keyword.required = false);
    keywords
}

pub(super) fn subscriber(
    mut table: Table<'_, '_>,
    topic_ids: &[&str],
    cadence_ids: &[&str],
    seen: &mut BTreeMap<String, String>,
) -> Option<NewSubscriber> {
    let found = table.get("address");
    let address = table.required(
        "address",
        "Where the mail goes: address = \"anna@example.org\".",
        address,
    );
    let name = table
        .parsed("name", "", |text| Ok(clean_name(text)))
        .unwrap_or_default();
    let one_of = format!("One of: {}.", cadence_ids.join(", "));
    let cadence = table.parsed("cadence", &one_of, |text| {
        if cadence_ids.contains(&text) {
            Ok(text.to_owned())
        } else {
            Err(format!("there is no cadence “{text}”"))
        }
    });
    let language = table.parsed("language", "", language);
    let topics = known(&mut table, topic_ids);
    if let (Some(address), Some(found)) = (&address, &found)
        && let Some(first) = seen.insert(address.key(), found.key.clone())
    {
        table.wrong(
            found,
            "names a subscriber that is there already",
            format!("{first} is the same; delete one."),
        );
    }
    table.done();
    Some(NewSubscriber {
        address: address?,
        name,
        preferences: Preferences {
            language,
            // Without the key, everything.
            topics: Topics::from_stored(topics.into_iter().map(TopicId).collect()),
            ..Preferences::usual(CadenceId(
                cadence.or_else(|| cadence_ids.first().map(|id| (*id).to_owned()))?,
            ))
        },
    })
}

/// The texts under `topics` that are among `ids`; the others become problems.
pub(super) fn known(table: &mut Table<'_, '_>, ids: &[&str]) -> BTreeSet<String> {
    let texts = table.texts("topics");
    let (known, unknown): (Vec<_>, Vec<_>) = texts
        .into_iter()
        .partition(|(text, _)| ids.contains(&text.as_str()));
    for (text, span) in unknown {
        let hint = format!("One of: {}.", ids.join(", "));
        table.wrong_at(span, "topics", format!("there is no topic “{text}”"), hint);
    }
    known.into_iter().map(|(text, _)| text).collect()
}
