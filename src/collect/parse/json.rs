//! JSON Feed 1.0 and 1.1 (jsonfeed.org), read leniently: numbers for texts, nulls, missing fields.

use std::sync::Arc;

use serde_json::Value;
use url::Url;

use super::date::parse_date;
use super::document::{Document, Entry, Person};
use crate::collect::html::{Html, safe_address};

/// Reads the feed in `text`; `None` when it holds none, or the reason why it cannot be read.
pub(super) fn document(
    text: &str,
    base: Option<&Url>,
    max_entries: usize,
) -> Result<Document, String> {
    let feed: Value = serde_json::from_str(text)
        .or_else(|error| serde_json::from_str(&mend(text)).map_err(|_| error))
        .map_err(|error| format!("its JSON is broken: {error}"))?;
    let entries = feed.get("items").and_then(Value::as_array);
    let version = string(&feed, "version").unwrap_or_default();
    let Some(entries) =
        entries.filter(|_| version.contains("jsonfeed") || feed.get("title").is_some())
    else {
        return Err("it is JSON, but no JSON Feed".to_owned());
    };
    let address =
        |value: &Value, key: &str| string(value, key).and_then(|url| safe_address(&url, base));
    Ok(Document {
        title: plain(&feed, "title"),
        url: address(&feed, "home_page_url"),
        id: string(&feed, "feed_url"),
        description: plain(&feed, "description"),
        language: string(&feed, "language"),
        author: author(&feed),
        image: address(&feed, "icon").or_else(|| address(&feed, "favicon")),
        entries: entries
            .iter()
            .take(max_entries)
            .map(|entry| read_entry(entry, base))
            .collect(),
        ..Document::default()
    })
}

/// Takes out what programs put into strings and JSON forbids: line ends and other control characters, and halves of
/// characters that were cut in two.
fn mend(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '\\' || c.is_control()) {
        mended.push_str(&rest[..at]);
        rest = &rest[at..];
        let unit = |text: &str| u32::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok();
        let length = match (unit(rest), rest.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                mended.push('\u{fffd}');
                rest = &rest[6..];
                continue;
            }
            (Some(_), _) => 6,
            (None, _) if rest.starts_with('\\') => {
                1 + rest[1..].chars().next().map_or(0, char::len_utf8)
            }
            (None, _) => {
                mended.push(' ');
                rest = &rest[rest.chars().next().map_or(1, char::len_utf8)..];
                continue;
            }
        };
        mended.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    mended.push_str(rest);
    mended
}

fn read_entry(entry: &Value, base: Option<&Url>) -> Entry {
    let address = |key: &str| string(entry, key).and_then(|url| safe_address(&url, base));
    let content =
        string(entry, "content_html").map(|html| Html::clean(&html, base.cloned().map(Arc::new)));
    let enclosures = list(entry, "attachments")
        .filter_map(|attachment| string(attachment, "url"))
        .filter_map(|url| safe_address(&url, base));
    Entry {
        title: plain(entry, "title"),
        url: address("url").or_else(|| address("external_url")),
        id: string(entry, "id"),
        published: string(entry, "date_published").and_then(|date| parse_date(&date)),
        updated: string(entry, "date_modified").and_then(|date| parse_date(&date)),
        summary: plain(entry, "summary"),
        content: content.or_else(|| plain(entry, "content_text")),
        author: author(entry),
        image: address("image").or_else(|| address("banner_image")),
        language: string(entry, "language"),
        categories: list(entry, "tags")
            .filter_map(as_text)
            .map(|tag| Html::from_text(&tag).into_text())
            .collect(),
        enclosures: enclosures.collect(),
        ..Entry::default()
    }
}

/// The people of version 1.1, or the one of 1.0.
fn author(value: &Value) -> Option<Person> {
    let one = list(value, "authors")
        .next()
        .or_else(|| value.get("author"))?;
    let name = string(one, "name").or_else(|| as_text(one))?;
    Person::from_text(&Html::from_text(&name).into_text())
}

fn plain(value: &Value, key: &str) -> Option<Html> {
    let html = Html::from_text(&string(value, key)?);
    (!html.is_empty()).then_some(html)
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn string(value: &Value, key: &str) -> Option<String> {
    as_text(value.get(key)?)
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_that_was_cut_badly_does_not_cost_the_feed() {
        let text = "{\"items\":[{\"id\":\"1\",\"title\":\"bad \\ud83d emoji\\n\ttab \\ud83d\\ude00 \\\\ \\\"x\\\"\"}],\"title\":\"t\"}";
        let feed = document(text, None, 10).unwrap();
        let title = feed.entries[0].title.as_ref().unwrap();
        assert_eq!(title.text(), "bad emoji tab 😀 \\ \"x\"");
    }
}
