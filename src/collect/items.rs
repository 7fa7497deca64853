//! What a feed says becomes items: the fields that readers see, as plain text, with an identity and a date.

use std::collections::{BTreeSet, HashMap, HashSet};

use url::Url;

use super::Moments;
use super::clean::shorten;
use super::html::Html;
use super::identity::{SharedUrl, canonical_url, item_key};
use super::parse::{Document, Entry};
use crate::model::{Feed, FeedKey, Item};

/// The items of `document`, as `feed` brought them. See [`Moments`] for how they are dated.
pub fn items(document: Document, feed: &Feed, moments: Moments) -> Vec<Item> {
    let title = document
        .title
        .as_ref()
        .map(Html::text)
        .filter(|title| !title.is_empty());
    let source = feed
        .name
        .as_deref()
        .or(title)
        .unwrap_or_else(|| feed.label())
        .to_owned();
    let language = feed
        .language
        .as_deref()
        .or(document.language.as_deref())
        .map(primary_subtag);
    // A feed in a file has no address to resolve links against but that of its site.
    let site = document.url.as_deref().and_then(|url| Url::parse(url).ok());
    let links: Vec<Option<String>> = document
        .entries
        .iter()
        .map(|entry| {
            let url = entry.original_url.as_deref().or(entry.url.as_deref())?;
            canonical_url(url, site.as_ref())
        })
        .collect();
    let context = Context {
        feed: &feed.key,
        source: &source,
        language: language.as_deref(),
        moments,
    };
    let shared = shared_urls(&links);
    let mut seen = HashSet::new();
    document
        .entries
        .into_iter()
        .zip(links)
        .filter_map(|(entry, url)| {
            let shared = if url.as_ref().is_some_and(|url| shared.contains(url)) {
                SharedUrl::Yes
            } else {
                SharedUrl::No
            };
            item(entry, url, shared, &context)
        })
        .filter(|item| seen.insert(item.key.clone()))
        .collect()
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
    let text = |html: Option<Html>| html.map(Html::into_text).unwrap_or_default();
    let (teaser, body) = (text(entry.summary), text(entry.content));
    let mut title = text(entry.title);
    if title.is_empty() {
        title = headline_of(if teaser.is_empty() { &body } else { &teaser });
    }
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
            entry.id.as_deref(),
            &title,
        ),
        feeds: BTreeSet::from([context.feed.clone()]),
        source: context.source.to_owned(),
        title: shorten(title, 300),
        url,
        summary: shorten(summary, Item::SUMMARY_CHARS),
        words: u32::try_from(words).unwrap_or(u32::MAX),
        author: entry
            .author
            .and_then(|person| person.name)
            .map(|name| shorten(name, 100)),
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
    use crate::collect::parse::parse;
    use crate::model::Location;

    fn feed() -> Feed {
        Feed {
            key: FeedKey("https://example.org/feed.xml".into()),
            location: Location::Web(Url::parse("https://example.org/feed.xml").unwrap()),
            name: None,
            language: None,
            topics: Vec::new(),
        }
    }

    fn parsed(text: impl AsRef<[u8]>) -> Vec<Item> {
        let feed = feed();
        let Location::Web(base) = &feed.location else {
            unreachable!("the feed of these tests is on the web")
        };
        let document = parse(text.as_ref(), None, Some(base)).unwrap();
        items(document, &feed, first())
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
        ))[0];
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
        let item = &parsed(atom)[0];
        assert_eq!(
            (item.title.as_str(), item.summary.as_str()),
            ("Eins & zwei", "Text")
        );
        assert_eq!(item.url.as_deref(), Some("https://example.org/1"));

        let json = r#"{"version":"https://jsonfeed.org/version/1.1","title":"J","language":"en","items":[
            {"id":"1","url":"https://example.org/j","title":"One","content_text":"Text","date_published":"2026-11-20T05:00:00Z"}]}"#;
        let item = &parsed(json)[0];
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
    fn what_can_be_seen_is_not_published_in_the_future() {
        let at = |date: &str| {
            let item = parsed(rss(&format!("<item><title>T</title>{date}</item>"))).remove(0);
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
    fn a_note_without_a_title_gets_one_and_an_empty_entry_is_no_item() {
        let items = parsed(rss(
            "<item><description>Nur Text.</description></item><item><link>/x</link></item>",
        ));
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
        assert_eq!(parsed(rss(twice)).len(), 1);
        let front_page = "<item><title>A</title><link>/</link></item><item><title>B</title><link>/</link></item>";
        assert_eq!(parsed(rss(front_page)).len(), 2);
    }
}
