//! Feed bytes become items: the only place that knows feed-rs.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use feed_rs::model::{Entry, Link};
use url::Url;

use super::clean::{html_text, plain_text, shorten};
use super::identity::{SharedUrl, canonical_url, item_key};
use crate::model::{Feed, FeedKey, Item, Location};

/// How much of an entry's mark-up is read. A feed that ships whole books costs no more than this per entry.
const MAX_BODY: usize = 200_000;

/// How many entries of one feed are read; the biggest real ones have a few hundred.
const MAX_ITEMS: usize = 1_000;

/// How far in the future a date may be and still be a slip of a clock or a time zone.
const FUTURE_TOLERANCE: TimeDelta = TimeDelta::hours(24);

/// How long before the last good fetch an item may be dated that was not there then: publishers date an
/// article when they begin it, and time zones are told wrong.
const BACKDATED: TimeDelta = TimeDelta::hours(36);

/// The age that an item without a date is given when its feed is read for the first time: the middle of a
/// day's window. It may be years old.
const UNKNOWN_AGE: TimeDelta = TimeDelta::hours(12);

/// The times by which the items of a fetch are dated.
#[derive(Debug, Clone, Copy)]
pub struct Moments {
    /// The time that the run goes by; may be pretended.
    pub now: DateTime<Utc>,
    /// The real time.
    pub wall: DateTime<Utc>,
    /// When the feed was last read; `None` for the first time.
    pub last_read: Option<DateTime<Utc>>,
}

impl Moments {
    fn just_before_now(self) -> DateTime<Utc> {
        self.now - TimeDelta::seconds(1)
    }

    /// The date of an item: the feed's, but what we can already see is not published in the future. A date
    /// that is more than a day ahead is meant: an announcement, which waits.
    fn published(self, date: Option<DateTime<Utc>>) -> DateTime<Utc> {
        match (date, self.last_read) {
            (Some(date), _) if date > self.wall && date <= self.wall + FUTURE_TOLERANCE => {
                self.just_before_now()
            }
            (Some(date), _) => date,
            (None, Some(_)) => self.just_before_now(),
            (None, None) => self.now - UNKNOWN_AGE,
        }
    }

    /// When an item that was not there before became news. In a feed that we know, that is now, however long
    /// the feed was down; only what is much older than the last fetch is an archive that came to light. In
    /// a new feed, it is the day of its publication.
    fn arrived(self, published: DateTime<Utc>) -> DateTime<Utc> {
        match self.last_read {
            Some(last) if published >= last - BACKDATED && published < self.now => {
                self.just_before_now()
            }
            _ => published,
        }
    }
}

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

/// Decodes to UTF-8: byte-order mark, then the HTTP header's charset, then the XML declaration's, then
/// UTF-8 where it is valid, else windows-1252, which the rest of the web uses. feed-rs panics on UTF-16
/// and trusts the declaration, so the declaration is taken away after it has had its say.
fn decode(bytes: &[u8], charset: Option<&str>) -> String {
    let declared = charset
        .and_then(|label| encoding_rs::Encoding::for_label(label.as_bytes()))
        .or_else(|| declared_encoding(bytes));
    let text = match (encoding_rs::Encoding::for_bom(bytes), declared) {
        (None, None) => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => encoding_rs::WINDOWS_1252.decode(bytes).0.into_owned(),
        },
        (None, Some(encoding))
            if encoding == encoding_rs::UTF_8 && std::str::from_utf8(bytes).is_err() =>
        {
            encoding_rs::WINDOWS_1252.decode(bytes).0.into_owned()
        }
        (_, declared) => declared
            .unwrap_or(encoding_rs::UTF_8)
            .decode(bytes)
            .0
            .into_owned(),
    };
    without_declarations(text.trim_start())
}

/// Takes away every XML declaration, also one that stands where none may: feed-rs believes it, and panics.
fn without_declarations(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<?xml ") {
        kept.push_str(before);
        rest = after.split_once("?>").map_or("", |(_, rest)| rest);
    }
    kept.push_str(rest);
    kept.trim_start().to_owned()
}

fn declared_encoding(bytes: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    let head = String::from_utf8_lossy(bytes.get(..200.min(bytes.len()))?).into_owned();
    let declaration = head
        .trim_start()
        .strip_prefix("<?xml")?
        .split_once("?>")?
        .0
        .to_owned();
    let value = declaration
        .split_once("encoding")?
        .1
        .trim_start()
        .strip_prefix('=')?
        .trim_start()
        .to_owned();
    let label = value
        .strip_prefix(['"', '\''])?
        .split(['"', '\''])
        .next()?
        .to_owned();
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes())?;
    // A declaration that can be read byte by byte is not UTF-16, whatever it says.
    let is_utf16 = encoding == encoding_rs::UTF_16LE || encoding == encoding_rs::UTF_16BE;
    Some(if is_utf16 {
        encoding_rs::UTF_8
    } else {
        encoding
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
    use super::*;

    fn feed() -> Feed {
        Feed {
            key: FeedKey("https://example.org/feed.xml".into()),
            location: Location::Web(Url::parse("https://example.org/feed.xml").unwrap()),
            name: None,
            language: None,
            topics: Vec::new(),
        }
    }

    fn now() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2026-11-20T06:05:00Z")
            .unwrap()
            .to_utc()
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

    fn first() -> Moments {
        Moments {
            now: now(),
            wall: now(),
            last_read: None,
        }
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
        assert_eq!(at(""), (now() - UNKNOWN_AGE, false));
    }

    #[test]
    fn seen_from_a_pretended_time_the_future_stays_the_future() {
        let pretended = Moments {
            now: now() - TimeDelta::days(1),
            ..first()
        };
        assert_eq!(
            pretended.published(Some(now() - TimeDelta::hours(1))),
            now() - TimeDelta::hours(1)
        );
    }

    #[test]
    fn an_item_arrives_when_its_feed_first_shows_it() {
        let days = |days| now() - TimeDelta::days(days);
        let again = Moments {
            last_read: Some(days(5)),
            ..first()
        };
        let just_before_now = now() - TimeDelta::seconds(1);
        assert_eq!(
            first().arrived(days(3)),
            days(3),
            "a new feed brings its past along"
        );
        assert_eq!(
            again.arrived(days(3)),
            just_before_now,
            "the feed was down for five days"
        );
        assert_eq!(
            again.arrived(days(6)),
            just_before_now,
            "it is dated a little back"
        );
        assert_eq!(
            again.arrived(days(30)),
            days(30),
            "an archive that came to light"
        );
        let tomorrow = now() + TimeDelta::days(2);
        assert_eq!(again.arrived(tomorrow), tomorrow);
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
