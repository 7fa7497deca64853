//! Editions as a feed, for readers who prefer one to mail: Atom (RFC 4287) and JSON Feed (version 1.1).
//!
//! A feed is of one newsletter and cadence. Its identity is always the same, and so is that of each entry, so that who asks
//! for it again is shown only what is new.

use anyhow::Context as _;
use askama::Template;
use chrono::SecondsFormat;
use html_escape::{encode_double_quoted_attribute, encode_text};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::Theme;
use super::locale::{Words, words};
use super::story::{Medium, StoryView};
use super::view::{DigestView, Mail};
use crate::model::{Audience, Edition, Newsletter};

/// The Atom feed of what `audience` asked for, an entry for each story. `editions` are of one cadence, the latest first; at
/// least one.
///
/// # Errors
/// When there is no edition.
pub fn atom<'a>(
    newsletter: &Newsletter,
    theme: &Theme,
    editions: impl Iterator<Item = &'a Edition>,
    audience: &Audience,
) -> anyhow::Result<String> {
    Feed::new(newsletter, theme, editions, audience)?.to_atom()
}

/// The same as a JSON Feed.
///
/// # Errors
/// When there is no edition.
pub fn json_feed<'a>(
    newsletter: &Newsletter,
    theme: &Theme,
    editions: impl Iterator<Item = &'a Edition>,
    audience: &Audience,
) -> anyhow::Result<String> {
    Feed::new(newsletter, theme, editions, audience)?.to_json()
}

/// What both kinds of feed say.
pub(crate) struct Feed<'a> {
    /// For ever the same.
    pub(crate) id: String,
    pub(crate) title: &'a str,
    pub(crate) tagline: &'a str,
    /// Where people read it; empty when nowhere.
    pub(crate) url: &'a str,
    /// Where it is itself; empty when nobody knows.
    pub(crate) own_url: &'a str,
    pub(crate) language: &'static str,
    /// RFC 3339.
    pub(crate) updated: String,
    pub(crate) entries: Vec<Entry>,
}

/// What both say of a story.
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) title: String,
    /// Empty when it has none.
    pub(crate) url: String,
    pub(crate) language: String,
    pub(crate) source: String,
    /// RFC 3339.
    pub(crate) published: String,
    pub(crate) topic: String,
    pub(crate) section: String,
    pub(crate) text: String,
    /// The same with links.
    pub(crate) html: String,
}

impl Feed<'_> {
    /// As Atom.
    pub(crate) fn to_atom(&self) -> anyhow::Result<String> {
        let page = Atom {
            feed: self,
            version: env!("CARGO_PKG_VERSION"),
        };
        page.render().context("writing a feed as Atom")
    }

    /// As a JSON Feed.
    pub(crate) fn to_json(&self) -> anyhow::Result<String> {
        let author = |name| JsonAuthor { name };
        let items = self.entries.iter().map(|entry| JsonItem {
            id: &entry.id,
            url: &entry.url,
            title: &entry.title,
            content_text: &entry.text,
            content_html: &entry.html,
            date_published: &entry.published,
            authors: [author(&entry.source)],
            tags: [&entry.section],
            language: &entry.language,
        });
        let feed = JsonFeed {
            version: "https://jsonfeed.org/version/1.1",
            title: self.title,
            description: self.tagline,
            home_page_url: self.url,
            feed_url: self.own_url,
            language: self.language,
            authors: [author(self.title)],
            items: items.collect(),
        };
        serde_json::to_string_pretty(&feed).context("writing a feed as JSON")
    }
}

impl<'a> Feed<'a> {
    fn new<'e>(
        newsletter: &'a Newsletter,
        theme: &Theme,
        editions: impl Iterator<Item = &'e Edition>,
        audience: &Audience,
    ) -> anyhow::Result<Self> {
        let mut editions = editions.peekable();
        let latest = *editions.peek().context("a feed has at least one edition")?;
        let words = words(audience.language);
        let mail = Mail::new(newsletter, audience.language);
        let mut entries = Vec::new();
        for edition in editions {
            let edition = &*edition.seen_by(audience);
            let digest = DigestView::new(newsletter, theme, edition, audience, Medium::Web);
            for section in &digest.sections {
                let stories = section.stories.iter();
                entries.extend(stories.map(|story| Entry {
                    id: entry_id(newsletter, edition, story.key),
                    title: story.headline.clone(),
                    url: story.url.to_owned(),
                    language: story.language.to_owned(),
                    source: story.source.to_string(),
                    published: story.datetime.clone(),
                    topic: section.topic.to_owned(),
                    section: section.title.to_owned(),
                    text: text(story).to_owned(),
                    html: html(story, words),
                }));
            }
        }
        Ok(Self {
            id: feed_id(newsletter, latest.cadence.as_str()),
            own_url: "",
            title: mail.newsletter,
            tagline: mail.tagline,
            url: mail.url,
            language: mail.language,
            updated: latest.created_at.to_rfc3339_opts(SecondsFormat::Secs, true),
            entries,
        })
    }
}

#[derive(Template)]
#[template(path = "edition.xml")]
struct Atom<'a> {
    feed: &'a Feed<'a>,
    version: &'a str,
}

#[derive(Serialize)]
struct JsonFeed<'a> {
    version: &'a str,
    title: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    home_page_url: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    feed_url: &'a str,
    language: &'a str,
    authors: [JsonAuthor<'a>; 1],
    items: Vec<JsonItem<'a>>,
}

#[derive(Serialize)]
struct JsonItem<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    url: &'a str,
    title: &'a str,
    content_text: &'a str,
    content_html: &'a str,
    date_published: &'a str,
    authors: [JsonAuthor<'a>; 1],
    tags: [&'a str; 1],
    language: &'a str,
}

#[derive(Serialize)]
struct JsonAuthor<'a> {
    name: &'a str,
}

/// What a feed says of a story; never nothing.
fn text<'s>(story: &'s StoryView<'_>) -> &'s str {
    if story.excerpt.is_empty() {
        &story.title
    } else {
        &story.excerpt
    }
}

fn html(story: &StoryView<'_>, words: &Words) -> String {
    let link = |text: &str, url: &str| match url {
        "" => encode_text(text).into_owned(),
        url => format!(
            "<a href=\"{}\">{}</a>",
            encode_double_quoted_attribute(url),
            encode_text(text)
        ),
    };
    let mut more = Vec::new();
    if !story.others.is_empty() {
        let others = story.others.iter();
        let named: Vec<String> = others.map(|other| link(&other.source, other.url)).collect();
        let named: Vec<&str> = named.iter().map(String::as_str).collect();
        let also = format!(
            "{} {} {}",
            words.labels.also,
            words.list(&named),
            story.and_more
        );
        more.push(also.trim_end().to_owned());
    }
    if !story.discussion.is_empty() {
        more.push(link(&story.discussion, story.discussion_url));
    }
    let mut html = format!("<p>{}</p>", encode_text(text(story)));
    if !more.is_empty() {
        html.push_str(&format!("<p>{}</p>", more.join(" · ")));
    }
    html
}

/// The identity of a feed for ever: a UUID of our own making (RFC 9562 5.8) from the name of the newsletter and its own, such
/// as a cadence.
pub(crate) fn feed_id(newsletter: &Newsletter, own: &str) -> String {
    let domain = newsletter.from.domain();
    let name = format!("{domain} {} {own}", newsletter.id);
    let mut bytes: [u8; 16] = Sha256::digest(name)[..16].try_into().unwrap_or_default();
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let groups = [&hex[..4], &hex[4..6], &hex[6..8], &hex[8..10], &hex[10..]];
    format!("urn:uuid:{}", groups.map(<[String]>::concat).join("-"))
}

/// The identity of a story in an edition for ever (RFC 4151): a name given at the time of the edition, when the domain was
/// the sender's.
fn entry_id(newsletter: &Newsletter, edition: &Edition, story: &str) -> String {
    let domain = newsletter.from.domain();
    let day = edition.slot.format("%Y-%m-%d");
    format!("tag:{domain},{day}:{}/{story}", edition.id)
}

#[cfg(test)]
mod tests {
    use std::iter::once;

    use chrono::TimeDelta;

    use super::super::fixtures::*;
    use super::super::specimen;
    use super::*;
    use crate::model::{CadenceId, Item, Language};

    /// Both feeds of `editions`, as a strict reader reads them.
    fn read(editions: &[Edition]) -> [feed_rs::model::Feed; 2] {
        let (theme, everything) = (Theme::default(), Audience::everything(Language::De));
        let feeds = [
            atom(&newsletter(), &theme, editions.iter(), &everything),
            json_feed(&newsletter(), &theme, editions.iter(), &everything),
        ];
        feeds.map(|feed| feed_rs::parser::parse(feed.unwrap().as_bytes()).unwrap())
    }

    #[test]
    fn a_strict_reader_reads_both_feeds() {
        let edition = specimen::edition("bote", now());
        let stories: Vec<_> = edition
            .sections
            .iter()
            .flat_map(|section| &section.stories)
            .collect();
        for read in read(std::slice::from_ref(&edition)) {
            assert_eq!(read.title.unwrap().content, "Bote & Söhne");
            assert_eq!(read.entries.len(), stories.len());
            for (entry, story) in read.entries.iter().zip(&stories) {
                let id = format!("tag:example.org,2026-11-20:{}/", edition.id);
                assert!(entry.id.starts_with(&id), "{}", entry.id);
                let title = &entry.title.as_ref().unwrap().content;
                assert!(title.ends_with(&story.lead.title), "{title}");
                assert_eq!(entry.published, Some(story.lead.published));
                let link = entry.links.first().map(|link| link.href.as_str());
                assert_eq!(link, story.lead.url.as_deref());
                assert_eq!(
                    entry.authors[0].name.as_deref(),
                    Some(story.lead.source.as_str())
                );
            }
            let html = read.entries[0].content.as_ref().unwrap().body.as_ref();
            for part in [
                "so much is known",
                "Auch bei <a href=\"https://post.example/?a=1&amp;b=2\">Post</a>",
                "1.234 Kommentare</a>",
            ] {
                assert!(html.unwrap().contains(part), "{part}: {html:?}");
            }
        }
    }

    #[test]
    fn a_feed_goes_on_from_edition_to_edition() {
        let today = specimen::edition("bote", now());
        let tomorrow = specimen::edition("bote", now() + TimeDelta::days(1));
        let [first, _] = read(std::slice::from_ref(&today));
        let [second, json] = read(&[tomorrow.clone(), today.clone()]);
        assert_eq!((&first.id, first.title), (&second.id, second.title));
        assert!(
            first.id.starts_with("urn:uuid:") && first.id.len() == 45,
            "{}",
            first.id
        );
        assert_eq!(second.entries.len(), 2 * first.entries.len());
        assert_eq!(json.entries.len(), second.entries.len());
        // What was there is still there under its name, and what is new has another one.
        let known =
            |entry: &feed_rs::model::Entry| first.entries.iter().any(|old| old.id == entry.id);
        assert_eq!(
            second.entries.iter().filter(|entry| known(entry)).count(),
            first.entries.len()
        );
        let weekly = Edition {
            cadence: CadenceId("weekly".into()),
            ..today
        };
        assert_ne!(
            feed_id(&newsletter(), weekly.cadence.as_str()),
            feed_id(&newsletter(), tomorrow.cadence.as_str())
        );
    }

    #[test]
    fn a_hostile_item_is_text_in_a_feed() {
        let hostile = Item {
            url: Some("https://x.example/\"><script>".into()),
            ..item(
                "</name>",
                "]]></title><x>",
                "</content><script>alert(1)</script>",
            )
        };
        let edition = edition(vec![("\"KI\"", vec![story(hostile, vec![])])]);
        let everything = Audience::everything(Language::De);
        let feed = atom(
            &newsletter(),
            &Theme::default(),
            once(&edition),
            &everything,
        )
        .unwrap();
        assert!(!feed.contains("<script") && !feed.contains("<x>"), "{feed}");
        for read in read(&[edition]) {
            assert_eq!(
                read.entries[0].title.as_ref().unwrap().content,
                "]]></title><x>"
            );
            let html = read.entries[0]
                .content
                .as_ref()
                .unwrap()
                .body
                .as_ref()
                .unwrap();
            assert!(!html.contains("<script"), "{html}");
        }
    }
}
