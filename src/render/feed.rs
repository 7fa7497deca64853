//! An edition as a feed, for readers who prefer one to mail: Atom (RFC 4287) and JSON Feed (version 1.1).

use anyhow::Context as _;
use askama::Template;
use chrono::SecondsFormat;
use serde::Serialize;

use super::Theme;
use super::story::{Medium, StoryView};
use super::view::{DigestView, Mail};
use crate::model::{Audience, Edition, Newsletter};

/// The Atom feed of what `audience` asked for, an entry for each story.
///
/// # Errors
/// None that a test does not rule out.
pub fn atom(
    newsletter: &Newsletter,
    theme: &Theme,
    edition: &Edition,
    audience: &Audience,
) -> anyhow::Result<String> {
    let digest = DigestView::new(newsletter, theme, edition, audience, Medium::Web);
    let page = Atom {
        id: tag(newsletter, edition, edition.id.as_str()),
        updated: edition
            .created_at
            .to_rfc3339_opts(SecondsFormat::Secs, true),
        version: env!("CARGO_PKG_VERSION"),
        mail: &Mail::of_edition(newsletter, theme, &edition.id, audience.language, &digest),
        digest: &digest,
        newsletter,
        edition,
    };
    page.render().context("writing the edition as Atom")
}

#[derive(Template)]
#[template(path = "edition.xml")]
struct Atom<'a> {
    id: String,
    updated: String,
    version: &'a str,
    mail: &'a Mail<'a>,
    digest: &'a DigestView<'a>,
    newsletter: &'a Newsletter,
    edition: &'a Edition,
}

impl Atom<'_> {
    fn entry_id(&self, story: &StoryView<'_>) -> String {
        tag(self.newsletter, self.edition, story.key)
    }

    fn content<'s>(&self, story: &'s StoryView<'_>) -> &'s str {
        content(story)
    }
}

/// The JSON Feed of what `audience` asked for, an item for each story.
///
/// # Errors
/// None that a test does not rule out.
pub fn json_feed(
    newsletter: &Newsletter,
    theme: &Theme,
    edition: &Edition,
    audience: &Audience,
) -> anyhow::Result<String> {
    let digest = DigestView::new(newsletter, theme, edition, audience, Medium::Web);
    let mail = Mail::of_edition(newsletter, theme, &edition.id, audience.language, &digest);
    let items = digest.sections.iter().flat_map(|section| {
        section.stories.iter().map(|story| JsonItem {
            id: tag(newsletter, edition, story.key),
            url: story.url,
            title: &story.headline,
            content_text: content(story),
            date_published: &story.datetime,
            authors: [Author {
                name: &story.source,
            }],
            tags: [section.title],
            language: story.language,
        })
    });
    let feed = JsonFeed {
        version: "https://jsonfeed.org/version/1.1",
        title: &mail.title,
        description: mail.tagline,
        home_page_url: if mail.browser.is_empty() {
            mail.url
        } else {
            &mail.browser
        },
        language: mail.language,
        authors: [Author {
            name: mail.newsletter,
        }],
        items: items.collect(),
    };
    serde_json::to_string_pretty(&feed).context("writing the edition as a JSON feed")
}

#[derive(Serialize)]
struct JsonFeed<'a> {
    version: &'a str,
    title: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    home_page_url: &'a str,
    language: &'a str,
    authors: [Author<'a>; 1],
    items: Vec<JsonItem<'a>>,
}

#[derive(Serialize)]
struct JsonItem<'a> {
    id: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    url: &'a str,
    title: &'a str,
    content_text: &'a str,
    date_published: &'a str,
    authors: [Author<'a>; 1],
    tags: [&'a str; 1],
    language: &'a str,
}

#[derive(Serialize)]
struct Author<'a> {
    name: &'a str,
}

/// What a feed says of a story; never nothing.
fn content<'s>(story: &'s StoryView<'_>) -> &'s str {
    if story.excerpt.is_empty() {
        &story.title
    } else {
        &story.excerpt
    }
}

/// An identity for ever (RFC 4151): of a name that the newsletter gives at the time of the edition, when its domain was
/// the sender's.
fn tag(newsletter: &Newsletter, edition: &Edition, name: &str) -> String {
    let domain = newsletter.from.domain();
    let day = edition.slot.format("%Y-%m-%d");
    format!("tag:{domain},{day}:{}/{name}", newsletter.id)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::*;
    use super::super::specimen;
    use super::*;
    use crate::model::Language;

    #[test]
    fn a_strict_reader_reads_both_feeds() {
        let edition = specimen::edition("bote", now());
        let (theme, everything) = (Theme::default(), Audience::everything(Language::De));
        let stories: Vec<_> = edition
            .sections
            .iter()
            .flat_map(|section| &section.stories)
            .collect();
        for (feed, name) in [
            (
                atom(&newsletter(), &theme, &edition, &everything).unwrap(),
                "atom",
            ),
            (
                json_feed(&newsletter(), &theme, &edition, &everything).unwrap(),
                "json",
            ),
        ] {
            let read = feed_rs::parser::parse(feed.as_bytes()).unwrap();
            assert_eq!(
                read.title.unwrap().content,
                "Bote & Söhne – Freitag, 20. November 2026"
            );
            assert_eq!(read.entries.len(), stories.len());
            for (entry, story) in read.entries.iter().zip(&stories) {
                assert!(entry.id.starts_with("tag:example.org,2026-11-20:bote/"));
                let title = &entry.title.as_ref().unwrap().content;
                assert!(title.ends_with(&story.lead.title), "{title}");
                assert_eq!(entry.published, Some(story.lead.published), "{name}");
                let link = entry.links.first().map(|link| link.href.as_str());
                assert_eq!(link, story.lead.url.as_deref());
                assert_eq!(
                    entry.authors[0].name.as_deref(),
                    Some(story.lead.source.as_str())
                );
            }
        }
    }

    #[test]
    fn a_hostile_item_is_text_in_a_feed() {
        let hostile = item(
            "</name>",
            "]]></title><x>",
            "</content><script>alert(1)</script>",
        );
        let edition = edition(vec![("\"KI\"", vec![story(hostile, vec![])])]);
        let everything = Audience::everything(Language::De);
        let feed = atom(&newsletter(), &Theme::default(), &edition, &everything).unwrap();
        let read = feed_rs::parser::parse(feed.as_bytes()).unwrap();
        assert_eq!(
            read.entries[0].title.as_ref().unwrap().content,
            "]]></title><x>"
        );
        assert!(!feed.contains("<script") && !feed.contains("<x>"), "{feed}");
    }
}
