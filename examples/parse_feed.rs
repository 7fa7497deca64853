//! Reads a feed from standard input and prints what Tidings understood, as JSON.
//!
//! The last argument is the address that relative links count from (may be empty); the environment variable
//! `FEED_CONTENT_TYPE` gives the HTTP header, where one matters.
//!
//!     curl -s https://example.org/feed.xml | cargo run --example parse_feed -- https://example.org/feed.xml

use std::io::{Read as _, Write as _};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use tidings::collect::Html;
use tidings::collect::parse::{Document, Entry, Person, charset_of, parse};
use url::Url;

fn main() -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    let base = std::env::args()
        .next_back()
        .and_then(|url| Url::parse(&url).ok());
    let charset = std::env::var("FEED_CONTENT_TYPE")
        .ok()
        .and_then(|value| charset_of(&value));
    let read = match parse(&bytes, charset.as_deref(), base.as_ref()) {
        Ok(document) => feed(&document),
        Err(error) => json!({ "feed": {}, "items": [], "error": error.to_string() }),
    };
    writeln!(std::io::stdout(), "{read}")?;
    Ok(())
}

fn feed(document: &Document) -> Value {
    json!({
        "feed": {
            "title": markup(document.title.as_ref()),
            "url": document.url,
            "id": document.id,
            "description": markup(document.description.as_ref()),
            "lang": document.language,
            "updated": date(document.updated),
            "published": date(document.published),
            "author": document.author.as_ref().map(Person::to_string),
            "image": document.image,
            "rights": markup(document.rights.as_ref()),
            "categories": document.categories,
        },
        "items": document.entries.iter().map(item).collect::<Vec<_>>(),
        "error": null,
    })
}

fn item(entry: &Entry) -> Value {
    json!({
        "title": markup(entry.title.as_ref()),
        "url": entry.url,
        "id": entry.id,
        "published": date(entry.published),
        "updated": date(entry.updated),
        "summary": markup(entry.summary.as_ref().or(entry.content.as_ref())),
        "content": markup(entry.content.as_ref()),
        "author": entry.author.as_ref().map(Person::to_string),
        "comments_url": entry.comments_url,
        "comments_count": entry.comments_count,
        "comments_feed": entry.comments_feed,
        "image": entry.image.as_deref(),
        "lang": entry.language,
        "rights": markup(entry.rights.as_ref()),
        "categories": entry.categories,
        "enclosures": entry.enclosures,
    })
}

fn markup(html: Option<&Html>) -> Option<String> {
    html.map(Html::markup)
}

fn date(date: Option<DateTime<Utc>>) -> Option<String> {
    date.map(|date| date.to_rfc3339_opts(SecondsFormat::Secs, true))
}
