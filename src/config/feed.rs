//! The sections about what is collected, and how.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use chrono::TimeDelta;

use super::content::known;
use super::read::Table;
use super::values::{location, not_empty, secret_text};
use crate::collect::{FetchOptions, Source};
use crate::model::{Feed, FeedKey, Location, Mark, SecretPart, SecretText, TopicId, clean_name};

/// What the feeds of a configuration have in common while they are read.
pub(super) struct Context<'c> {
    /// What paths are relative to.
    pub(super) folder: &'c Path,
    /// The topics that there are.
    pub(super) topic_ids: &'c [&'c str],
    /// The newsletter's language, in which news are searched.
    pub(super) language: &'c str,
    /// The feeds read so far, each with its place.
    pub(super) seen: BTreeMap<String, String>,
    /// What the items of each feed weigh, where that is configured.
    pub(super) weights: HashMap<FeedKey, f64>,
}

pub(super) fn feed(mut table: Table<'_, '_>, context: &mut Context<'_>) -> Option<Feed> {
    let name = table
        .text("name", "The name that readers see.")
        .map(|name| clean_name(&name));
    let tag = "A language tag, such as \"de\" or \"en\".";
    let language = table.parsed("language", tag, |text| {
        let valid = (2..=3).contains(&text.split('-').next().unwrap_or_default().len());
        if valid {
            Ok(text.to_owned())
        } else {
            Err(format!("“{text}” is not a language tag"))
        }
    });
    let topics = known(&mut table, context.topic_ids);
    let login = login(&mut table, context.folder);
    let headers = headers(&mut table, context.folder);
    let article_pages = table.flag("article_pages").unwrap_or(false);
    let one_of = "One of: \"paid\", \"sponsored\".";
    let mark = table.parsed("mark", one_of, |text| {
        Mark::from_stored(text).ok_or_else(|| format!("there is no mark “{text}”"))
    });
    let weight = table.real("weight", 0.0..=10.0);
    let place = place(&mut table, language.as_deref(), context);
    table.done();
    let (key, location) = place?;
    let key = FeedKey(key);
    if let Some(weight) = weight {
        context.weights.insert(key.clone(), weight);
    }
    Some(Feed {
        name,
        language,
        topics: topics.into_iter().map(TopicId).collect(),
        login,
        headers,
        article_pages,
        mark,
        ..Feed::new(key, location)
    })
}

/// Where the feed is: `url`, or one of the sources that people know by name.
fn place(
    table: &mut Table<'_, '_>,
    language: Option<&str>,
    context: &mut Context<'_>,
) -> Option<(String, Location)> {
    let code = "A country of two letters, such as \"DE\".";
    let country = table.parsed("country", code, |text| {
        let valid = text.len() == 2 && text.chars().all(|c| c.is_ascii_alphabetic());
        if valid {
            Ok(text.to_owned())
        } else {
            Err(format!("“{text}” is not a country"))
        }
    });
    let mut places = Vec::new();
    if let Some(found) = table.get("url") {
        let hint = "The address of a feed, \"https://…\", or the path of a file. A login goes into `user` and `password`.";
        let place = table.parsed("url", hint, |text| {
            let location = location(&not_empty(text)?, context.folder)?;
            Ok((text.trim().to_owned(), location))
        });
        places.push((found, place));
    }
    for (key, source) in Source::ALL {
        let Some(found) = table.get(key) else {
            continue;
        };
        let language = language.unwrap_or(context.language);
        let place = table.parsed(key, source.hint(), |text| {
            let url = source.feed_url(&not_empty(text)?, language, country.as_deref())?;
            Ok((url.to_string(), Location::Web(url)))
        });
        places.push((found, place));
    }
    if let [_, (second, _), ..] = places.as_slice() {
        table.wrong(
            second,
            "names a second place",
            "Give each its own [[feed]].",
        );
        return None;
    }
    let Some((found, place)) = places.pop() else {
        let sources = Source::ALL.map(|(key, _)| key).join(", ");
        table.missing(
            "url",
            &format!("Name an address or a file, or one of: {sources}."),
        );
        return None;
    };
    let (key, location) = place?;
    if let Some(first) = context.seen.insert(key.clone(), found.key.clone()) {
        let hint = format!("{first} is the same; delete one.");
        table.wrong(&found, "names a feed that is there already", hint);
    }
    Some((key, location))
}

fn login(table: &mut Table<'_, '_>, folder: &Path) -> Option<(String, SecretText)> {
    let user = table.text("user", "The name that the feed wants.");
    let hint = "Say where it is: password = \"${file:feed-password}\" or \"${FEED_PASSWORD}\".";
    let password = table.parsed("password", hint, |text| {
        let password = secret_text(text, folder)?;
        if password
            .0
            .iter()
            .any(|part| !matches!(part, SecretPart::Plain(_)))
        {
            Ok(password)
        } else {
            Err("must not stand here itself".to_owned())
        }
    });
    match (table.get("user"), table.get("password")) {
        (Some(found), None) => table.wrong(&found, "has no password", hint),
        (None, Some(found)) => table.wrong(&found, "has no name", "Add user = \"…\"."),
        _ => {}
    }
    Some((user?, password?))
}

fn headers(table: &mut Table<'_, '_>, folder: &Path) -> Vec<(String, SecretText)> {
    let hint = "As in headers = [\"X-Api-Key: ${MY_KEY}\"]: a variable in braces, or a file as in ${file:key.txt}.";
    let mut headers = Vec::new();
    for (text, span) in table.texts("headers") {
        let parsed = text
            .split_once(':')
            .filter(|(name, _)| {
                !name.is_empty()
                    && name
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            })
            .ok_or_else(|| format!("“{text}” is not a header"))
            .and_then(|(name, value)| Ok((name.to_owned(), secret_text(value.trim(), folder)?)));
        match parsed {
            Ok(header) => headers.push(header),
            Err(what) => table.wrong_at(span, "headers", what, hint),
        }
    }
    headers
}

/// Items are kept at least this long: the longest cadence and the memory of what was mailed live on them.
const SHORTEST_KEEP: TimeDelta = TimeDelta::days(30);

pub(super) fn collect_options(mut table: Table<'_, '_>) -> (FetchOptions, TimeDelta) {
    let default = FetchOptions::default();
    let contact = table.text(
        "contact",
        "A web page or address where a feed's owner can reach you.",
    );
    let mut count = |key, otherwise| {
        let number = table.number(key, 1..257);
        number
            .and_then(|number| usize::try_from(number).ok())
            .unwrap_or(otherwise)
    };
    let concurrency = count("concurrency", default.concurrency);
    let per_host = count("per_host", default.per_host);
    let options = FetchOptions {
        timeout: table.duration("timeout").unwrap_or(default.timeout),
        max_bytes: table
            .number("max_bytes", 1_000..1_000_000_001)
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or(default.max_bytes),
        concurrency,
        per_host,
        allow_private: table.flag("allow_private").unwrap_or(default.allow_private),
        user_agent: match contact {
            Some(contact) => format!(
                "Tidings/{} (+{})",
                env!("CARGO_PKG_VERSION"),
                clean_name(&contact)
            ),
            None => default.user_agent,
        },
        checking: default.checking,
    };
    let found = table.get("keep");
    let keep = table
        .duration("keep")
        .and_then(|keep| TimeDelta::from_std(keep).ok());
    if let (Some(found), Some(keep)) = (found, keep)
        && keep < SHORTEST_KEEP
    {
        table.wrong(
            &found,
            "is too short",
            "Items are kept for 30 days at least: keep = \"30d\".",
        );
    }
    table.done();
    (options, keep.unwrap_or(TimeDelta::days(90)))
}
