//! Feed bytes become items: the only place that knows feed-rs.

use std::collections::{BTreeSet, HashMap, HashSet};

use feed_rs::model::{Entry, Link};
use url::Url;

use super::Moments;
use super::clean::{html_text, plain_text, shorten};
use super::decode::decode;
use super::identity::{SharedUrl, canonical_url, item_key};
use crate::model::{Feed, FeedKey, Item, Location};

/// How much of an entry's mark-up is read. A feed that ships whole books costs no more than this per entry.
const MAX_BODY: usize = 200_000;

/// How many entries of one feed are read; the biggest real ones have a few hundred.
const MAX_ITEMS: usize = 1_000;

/// What a feed's bytes said.
#[derive(Debug)]
pub struct Parsed {
    /// The feed's own title.
    pub title: Option<String>,
    /// Its items, in its order.
    pub items: Vec<Item>,
}

/// Parses `bytes` as RSS, Atom or JSON Feed.
///
/// See [`Moments`] for how items are dated. Of a feed with more than 1,000 items, the first 1,000 count.
///
/// # Errors
/// The parser's reason, as a phrase for the report.
pub fn parse(
    bytes: &[u8],
    charset: Option<&str>,
    feed: &Feed,
    moments: Moments,
) -> Result<Parsed, String> {
    let base = match &feed.location {
        Location::Web(url) => Some(url.clone()),
        Location::File(_) => None,
    };
    let text = decode(bytes, charset);
    let parser = feed_rs::parser::Builder::new()
        .base_uri(base.as_ref())
        // A missing id stays missing: an invented one changes with the title or with every fetch.
        .id_generator(|_, _, _| String::new())
        .build();
    let parsed = parser.parse(text.as_bytes()).map_err(|error| {
        let start = text.get(..200).unwrap_or(&text).to_ascii_lowercase();
        if start.starts_with("<!doctype html") || start.starts_with("<html") {
            "it is an HTML page; look there for the address of its feed".to_owned()
        } else {
            plain_text(&error.to_string())
        }
    })?;
    let title = parsed
        .title
        .map(|title| html_text(&title.content))
        .filter(|title| !title.is_empty());
    let source = feed
        .name
        .clone()
        .or_else(|| title.clone())
        .unwrap_or_else(|| feed.label().to_owned());
    let language = feed
        .language
        .as_deref()
        .or(parsed.language.as_deref())
        .map(primary_subtag);

    let site = parsed
        .links
        .iter()
        .find_map(|link| Url::parse(&link.href).ok())
        .or(base);
    let links: Vec<Option<String>> = parsed
        .entries
        .iter()
        .map(|entry| entry_url(entry, site.as_ref()))
        .collect();
    let context = Context {
        feed: &feed.key,
        source: &source,
        language: language.as_deref(),
        moments,
    };
    let shared = shared_urls(&links);
    let mut seen = HashSet::new();
    let items = parsed
        .entries
        .into_iter()
        .zip(links)
        .take(MAX_ITEMS)
        .filter_map(|(entry, url)| {
            let shared = if url.as_ref().is_some_and(|url| shared.contains(url)) {
                SharedUrl::Yes
            } else {
                SharedUrl::No
            };
            item(entry, url, shared, &context)
        })
        .filter(|item| seen.insert(item.key.clone()))
        .collect();
    Ok(Parsed { title, items })
}

/// Addresses that several entries point to without being one article: a front page, or the same page
/// for three or more. Two entries with one article's address are one item that was edited in between.
fn shared_urls(links: &[Option<String>]) -> HashSet<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for url in links.iter().flatten() {
        *counts.entry(url).or_default() += 1;
    }
    let front_page =
        |url: &str| Url::parse(url).is_ok_and(|url| url.path() == "/" && url.query().is_none());
    let shared = counts
        .into_iter()
        .filter(|(url, count)| *count >= 3 || (*count == 2 && front_page(url)));
    shared.map(|(url, _)| url.to_owned()).collect()
}

/// What all entries of a feed have in common.
struct Context<'a> {
    feed: &'a FeedKey,
    source: &'a str,
    language: Option<&'a str>,
    moments: Moments,
}

/// The item of an entry; `None` for one that says nothing.
fn item(
    entry: Entry,
    url: Option<String>,
    shared: SharedUrl,
    context: &Context<'_>,
) -> Option<Item> {
    let teaser = entry
        .summary
        .map(|text| body_text(&text.content))
        .unwrap_or_default();
    let body = entry
        .content
        .and_then(|content| content.body)
        .map(|body| body_text(&body))
        .unwrap_or_default();
    let title = entry
        .title
        .map(|title| html_text(&title.content))
        .unwrap_or_default();
    let title = if title.is_empty() {
        headline_of(if teaser.is_empty() { &body } else { &teaser })
    } else {
        title
    };
    if title.is_empty() {
        return None;
    }
    let date = entry.published.or(entry.updated);
    let published = context.moments.published(date);
    let words = teaser.split(' ').count().max(body.split(' ').count());
    // The publisher's teaser is written to be shown; the body serves where there is none worth showing.
    let summary = if teaser.chars().count() >= 60 || body.is_empty() {
        teaser
    } else {
        body
    };
    Some(Item {
        key: item_key(
            context.feed,
            url.as_deref(),
            shared,
            Some(entry.id.as_str()),
            &title,
        ),
        feeds: BTreeSet::from([context.feed.clone()]),
        source: context.source.to_owned(),
        title: shorten(title, 300),
        url,
        summary: shorten(summary, Item::SUMMARY_CHARS),
        words: u32::try_from(words).unwrap_or(u32::MAX),
        author: entry
            .authors
            .first()
            .and_then(|person| person.name.as_deref())
            .map(|name| shorten(html_text(name), 100))
            .filter(|name| !name.is_empty()),
        language: entry
            .language
            .as_deref()
            .map(primary_subtag)
            .or_else(|| context.language.map(str::to_owned)),
        published,
        dated: date.is_some(),
        arrived: context.moments.arrived(published),
    })
}

/// The article's address among an entry's links.
fn entry_url(entry: &Entry, site: Option<&Url>) -> Option<String> {
    let rank = |link: &&Link| match link.rel.as_deref() {
        None | Some("alternate") => 0,
        Some("self" | "edit" | "replies" | "enclosure" | "hub" | "next" | "license") => 2,
        Some(_) => 1,
    };
    let link = entry
        .links
        .iter()
        .filter(|link| rank(link) < 2)
        .min_by_key(rank);
    let permalink = || entry.id.starts_with("http").then_some(entry.id.as_str());
    link.map(|link| link.href.as_str())
        .or_else(permalink)
        .and_then(|href| canonical_url(href, site))
}

fn body_text(html: &str) -> String {
    let end = (0..=MAX_BODY.min(html.len()))
        .rev()
        .find(|end| html.is_char_boundary(*end))
        .unwrap_or(0);
    html_text(&html[..end])
}

/// A headline for an entry without a title (notes, toots): the start of its text.
fn headline_of(text: &str) -> String {
    let short = shorten(text.to_owned(), 80);
    if short.len() < text.len() {
        format!("{short}…")
    } else {
        short
    }
}

fn primary_subtag(tag: &str) -> String {
    tag.trim()
        .split(['-', '_'])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::collect::moments::tests::{first, now};

    fn feed() -> Feed {
        Feed {
            key: FeedKey("https://example.org/feed.xml".into()),
            location: Location::Web(Url::parse("https://example.org/feed.xml").unwrap()),
            name: None,
            language: None,
            topics: Vec::new(),
        }
    }

    fn parsed(text: impl AsRef<[u8]>) -> Parsed {
        parse(text.as_ref(), None, &feed(), first()).unwrap()
    }

    fn rss(items: &str) -> String {
        format!(
            "<rss version=\"2.0\"><channel><title>Bote</title><link>https://example.org/</link>{items}</channel></rss>"
        )
    }

    #[test]
    fn an_rss_item_becomes_plain_text_with_a_clean_link() {
        let item = &parsed(rss(
            "<item><title>KI &amp;amp; &lt;b&gt;Recht&lt;/b&gt;</title><link>/a?utm_source=rss</link><guid isPermaLink=\"false\">7</guid>\
             <pubDate>Fri, 20 Nov 2026 05:00:00 +0100</pubDate><description>&lt;p&gt;Ein Text.&lt;/p&gt;</description></item>",
        ))
        .items[0];
        assert_eq!(item.title, "KI & Recht");
        assert_eq!(item.url.as_deref(), Some("https://example.org/a"));
        assert_eq!(
            (item.summary.as_str(), item.source.as_str()),
            ("Ein Text.", "Bote")
        );
        assert_eq!(item.published.to_rfc3339(), "2026-11-20T04:00:00+00:00");
    }

    #[test]
    fn atom_and_json_feeds_are_read() {
        let atom = "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"de-AT\"><title>A</title><id>x</id><updated>2026-11-20T05:00:00Z</updated>\
            <entry><title type=\"html\">Eins &amp;amp; zwei</title><id>urn:1</id><link rel=\"self\" href=\"/self\"/><link href=\"/1\"/>\
            <updated>2026-11-20T05:00:00Z</updated><content type=\"html\">&lt;p&gt;Text&lt;/p&gt;</content></entry></feed>";
        let item = &parsed(atom).items[0];
        assert_eq!(
            (item.title.as_str(), item.summary.as_str()),
            ("Eins & zwei", "Text")
        );
        assert_eq!(item.url.as_deref(), Some("https://example.org/1"));

        let json = r#"{"version":"https://jsonfeed.org/version/1.1","title":"J","language":"en","items":[
            {"id":"1","url":"https://example.org/j","title":"One","content_text":"Text","date_published":"2026-11-20T05:00:00Z"}]}"#;
        let item = &parsed(json).items[0];
        assert_eq!(
            (
                item.title.as_str(),
                item.summary.as_str(),
                item.language.as_deref()
            ),
            ("One", "Text", Some("en"))
        );
    }

    #[test]
    fn the_character_set_is_found_in_header_declaration_or_bytes() {
        let latin = |declaration: &str| {
            let text = format!(
                "{declaration}{}",
                rss("<item><title>Kündigung für Müller</title></item>")
            );
            encoding_rs::WINDOWS_1252.encode(&text).0.into_owned()
        };
        assert_eq!(
            parsed(latin("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>")).items[0].title,
            "Kündigung für Müller"
        );
        assert_eq!(parsed(latin("")).items[0].title, "Kündigung für Müller");
        let header = parse(&latin(""), Some("iso-8859-15"), &feed(), first()).unwrap();
        assert_eq!(header.items[0].title, "Kündigung für Müller");
        let utf16: Vec<u8> = [0xfe, 0xff]
            .into_iter()
            .chain(
                rss("<item><title>Über</title></item>")
                    .encode_utf16()
                    .flat_map(u16::to_be_bytes),
            )
            .collect();
        assert_eq!(parsed(utf16).items[0].title, "Über");
    }

    #[test]
    fn what_can_be_seen_is_not_published_in_the_future() {
        let at = |date: &str| {
            let item = parsed(rss(&format!("<item><title>T</title>{date}</item>")))
                .items
                .remove(0);
            (item.published, item.dated)
        };
        let just_before_now = now() - TimeDelta::seconds(1);
        assert_eq!(
            at("<pubDate>Fri, 20 Nov 2026 12:00:00 GMT</pubDate>"),
            (just_before_now, true)
        );
        let next_year = DateTime::parse_from_rfc3339("2027-11-20T12:00:00Z")
            .unwrap()
            .to_utc();
        assert_eq!(
            at("<pubDate>Sat, 20 Nov 2027 12:00:00 GMT</pubDate>"),
            (next_year, true),
            "an announcement waits"
        );
        assert_eq!(at(""), (now() - TimeDelta::hours(12), false));
    }

    #[test]
    fn a_declaration_in_the_wrong_place_or_of_the_wrong_encoding_does_no_harm() {
        let late = format!(
            "  \n<?xml version=\"1.0\" encoding=\"utf-16\"?>{}",
            rss("<item><title>Über</title></item>")
        );
        assert_eq!(parsed(&late).items[0].title, "Über");
        let twice = late.replace(
            "<channel>",
            "<channel><?xml version=\"1.0\" encoding=\"utf-16\"?>",
        );
        assert_eq!(parsed(&twice).items[0].title, "Über");
    }

    #[test]
    fn a_note_without_a_title_gets_one_and_an_empty_entry_is_no_item() {
        let items = parsed(rss(
            "<item><description>Nur Text.</description></item><item><link>/x</link></item>",
        ))
        .items;
        assert_eq!(
            items
                .iter()
                .map(|item| item.title.as_str())
                .collect::<Vec<_>>(),
            ["Nur Text."]
        );
    }

    #[test]
    fn an_item_that_stands_in_the_feed_twice_is_there_once() {
        let twice = "<item><title>Alt</title><link>/a</link></item><item><title>Neu</title><link>/a</link></item>";
        assert_eq!(parsed(rss(twice)).items.len(), 1);
        let front_page = "<item><title>A</title><link>/</link></item><item><title>B</title><link>/</link></item>";
        assert_eq!(parsed(rss(front_page)).items.len(), 2);
    }

    #[test]
    fn a_page_is_told_from_a_broken_feed() {
        let error = |text: &str| parse(text.as_bytes(), None, &feed(), first()).unwrap_err();
        assert!(error("<!doctype html><html></html>").contains("HTML page"));
        assert!(!error("<rss version=\"2.0\"><channel>").contains("HTML page"));
    }
}
