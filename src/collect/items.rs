//! What a feed says becomes items: the fields that readers see, as plain text, with an identity and a date.

use std::collections::{BTreeSet, HashMap, HashSet};

use url::Url;

use super::Moments;
use super::clean::shorten;
use super::html::Html;
use super::identity::{Relay, SharedUrl, canonical_url, headline_key, item_key, published_address};
use super::marks;
use super::parse::{Document, Entry};
use crate::model::{Feed, FeedKey, Item, Mark};

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
    let links: Vec<Option<Link>> = document
        .entries
        .iter()
        .map(|entry| {
            let url = entry.original_url.as_deref().or(entry.url.as_deref())?;
            let url = canonical_url(url, site.as_ref())?;
            let relay = Relay::of(&url);
            let url = published_address(&url).unwrap_or(url);
            Some(Link { url, relay })
        })
        .collect();
    let context = Context {
        feed: &feed.key,
        source: &source,
        language: language.as_deref(),
        mark: feed.mark,
        moments,
    };
    let site = document
        .url
        .as_deref()
        .and_then(|url| canonical_url(url, None));
    let shared = shared_urls(&links, &document.entries, site.as_deref());
    let mut seen = HashSet::new();
    document
        .entries
        .into_iter()
        .zip(links)
        .filter_map(|(entry, link)| {
            let shared = if link.as_ref().is_some_and(|link| shared.contains(&link.url)) {
                SharedUrl::Yes
            } else {
                SharedUrl::No
            };
            item(entry, link, shared, &context)
        })
        .filter(|item| seen.insert(item.key.clone()))
        .collect()
}

/// Addresses that entries point to without being one article: a front page or that of the whole feed, the same page for
/// three or more, or for two with ids and titles of their own. Two entries with one article's address are else
/// one item that was edited in between.
fn shared_urls(links: &[Option<Link>], entries: &[Entry], site: Option<&str>) -> HashSet<String> {
    let mut groups: HashMap<&str, Vec<&Entry>> = HashMap::new();
    for (link, entry) in links.iter().zip(entries) {
        if let Some(link) = link {
            groups.entry(&link.url).or_default().push(entry);
        }
    }
    let is_front_page =
        |url: &str| Url::parse(url).is_ok_and(|url| url.path() == "/" && url.query().is_none());
    let are_different = |entries: &[&Entry]| match entries {
        [one, two] => {
            let title = |entry: &Entry| entry.title.as_ref().map(|title| title.text().to_owned());
            one.id.is_some() && two.id.is_some() && one.id != two.id && title(one) != title(two)
        }
        entries => entries.len() > 2,
    };
    let shared = groups.into_iter().filter(|(url, entries)| {
        // That of the feed is shared even by a single entry: the next one will have it too.
        is_front_page(url) || site == Some(url) || are_different(entries)
    });
    shared.map(|(url, _)| url.to_owned()).collect()
}

/// Where an entry leads.
struct Link {
    url: String,
    /// The service that leads there.
    relay: Option<Relay>,
}

/// What all entries of a feed have in common.
struct Context<'a> {
    feed: &'a FeedKey,
    source: &'a str,
    language: Option<&'a str>,
    mark: Option<Mark>,
    moments: Moments,
}

/// The item of an entry; `None` for one that says nothing.
fn item(
    entry: Entry,
    link: Option<Link>,
    shared: SharedUrl,
    context: &Context<'_>,
) -> Option<Item> {
    let first_image = [&entry.content, &entry.summary]
        .into_iter()
        .flatten()
        .find_map(|html| html.image().map(str::to_owned));
    let image = entry
        .image
        .clone()
        .or(first_image)
        .filter(|url| url.starts_with("http"));
    let mark = marks::mark(&entry).or(context.mark);
    let text = |html: Option<Html>| html.map(Html::into_text).unwrap_or_default();
    let (teaser, body) = (text(entry.summary), text(entry.content));
    let mut title = text(entry.title);
    if mark.is_some() {
        title = marks::unlabelled(&title).to_owned();
    }
    if title.is_empty() {
        title = headline_of(if teaser.is_empty() { &body } else { &teaser });
    }
    if title.is_empty() {
        title = headline_of(&link.as_ref().map(address_of).unwrap_or_default());
    }
    if title.is_empty() {
        return None;
    }
    let (url, relay) = link.map_or((None, None), |link| (Some(link.url), link.relay));
    let outlet = entry
        .source
        .as_deref()
        .map(str::trim)
        .filter(|outlet| !outlet.is_empty());
    let source = match (relay, outlet) {
        (Some(_), Some(outlet)) => {
            title = without_outlet(title, outlet);
            outlet
        }
        _ => context.source,
    };
    let date = entry.published.or(entry.updated);
    let published = context.moments.published(date);
    // Cleaned texts have one space between two words.
    let spaces = |text: &str| text.bytes().filter(|byte| *byte == b' ').count();
    let words = 1 + spaces(&teaser).max(spaces(&body));
    // The publisher's teaser is written to be shown; the body serves where there is none worth showing.
    let summary = if teaser.chars().count() >= 60 || body.is_empty() {
        teaser
    } else {
        body
    };
    Some(Item {
        key: match relay {
            // Its addresses and ids change from fetch to fetch.
            Some(Relay::Google) => headline_key(&title, source, published),
            _ => item_key(
                context.feed,
                url.as_deref(),
                shared,
                entry.id.as_deref(),
                &title,
            ),
        },
        feeds: BTreeSet::from([context.feed.clone()]),
        source: shorten(source.to_owned(), 100),
        title: shorten(title, 300),
        url,
        summary: shorten(summary, Item::SUMMARY_CHARS),
        words: u32::try_from(words).unwrap_or(u32::MAX),
        author: entry
            .author
            .and_then(|person| person.name)
            .map(|name| shorten(name, 100)),
        categories: entry
            .categories
            .into_iter()
            .take(Item::CATEGORIES)
            .map(|category| shorten(category, 100))
            .collect(),
        language: entry
            .language
            .as_deref()
            .map(primary_subtag)
            .or_else(|| context.language.map(str::to_owned)),
        published,
        dated: date.is_some(),
        image,
        comments_url: entry.comments_url.and_then(|url| canonical_url(&url, None)),
        comments: entry.comments_count,
        mark,
        relayed: relay.is_some(),
        arrived: context.moments.arrived(published),
    })
}

/// A headline without the outlet's name behind it.
fn without_outlet(title: String, outlet: &str) -> String {
    let bare = title.strip_suffix(outlet).map(str::trim_end);
    let bare = bare
        .and_then(|bare| bare.strip_suffix(['-', '–', '|']))
        .map(str::trim_end);
    match bare {
        Some(bare) if !bare.is_empty() => bare.to_owned(),
        _ => title,
    }
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

/// What an entry is called that is nothing but a link: its address as people write it.
fn address_of(link: &Link) -> String {
    let bare = link.url.split_once("://").map_or("", |(_, bare)| bare);
    bare.trim_start_matches("www.")
        .trim_end_matches('/')
        .to_owned()
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
        Feed::at(Url::parse("https://example.org/feed.xml").unwrap())
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
            "<item><description>Nur Text.</description></item><item><link>https://www.example.org/ki/museum/</link></item>\
             <item><author>niemand</author></item>",
        ));
        assert_eq!(
            items
                .iter()
                .map(|item| item.title.as_str())
                .collect::<Vec<_>>(),
            ["Nur Text.", "example.org/ki/museum"]
        );
    }

    #[test]
    fn an_item_that_stands_in_the_feed_twice_is_there_once() {
        let twice = "<item><title>Alt</title><link>/a</link></item><item><title>Neu</title><link>/a</link></item>";
        assert_eq!(parsed(rss(twice)).len(), 1);
        let front_page = "<item><title>A</title><link>/</link></item><item><title>B</title><link>/</link></item>";
        assert_eq!(parsed(rss(front_page)).len(), 2);
    }

    #[test]
    fn paid_and_sponsored_items_are_marked() {
        let mark = |fields: &str| {
            parsed(rss(&format!("<item>{fields}</item>")))
                .remove(0)
                .mark
        };
        assert_eq!(mark("<title>heise+ | KI im Test</title>"), Some(Mark::Paid));
        assert_eq!(mark("<title>(S+) KI im Test</title>"), Some(Mark::Paid));
        assert_eq!(
            mark("<title>KI</title><category>Premium</category>"),
            Some(Mark::Paid)
        );
        assert_eq!(
            mark("<title>KI</title><dcterms:accessRights>paid</dcterms:accessRights>"),
            Some(Mark::Paid)
        );
        assert_eq!(
            mark("<title>Anzeige: KI kaufen</title>"),
            Some(Mark::Sponsored)
        );
        assert_eq!(
            mark("<title>Anzeige gegen KI-Firma: Prozess beginnt</title>"),
            None
        );
        assert_eq!(mark("<title>Premium</title>"), None);
        assert_eq!(mark("<title>KI im Test | heise+</title>"), Some(Mark::Paid));
        assert_eq!(mark("<title>SZ Plus: KI im Test</title>"), Some(Mark::Paid));
        assert_eq!(
            mark("<title>Better AI [Sponsored]</title>"),
            Some(Mark::Sponsored)
        );
        assert_eq!(
            mark("<title>ANZEIGE – KI-Seminar</title>"),
            Some(Mark::Sponsored)
        );
        assert_eq!(
            mark("<title>KI im Krankenhaus - SPIEGEL+</title>"),
            Some(Mark::Paid)
        );
        assert_eq!(mark("<title>Was ZEIT+ kostet</title>"), None);
        assert_eq!(mark("<title>Abo: Netflix wird teurer</title>"), None);
        assert_eq!(mark("<title>Werbung: EU verbietet Tricks</title>"), None);
    }

    #[test]
    fn what_a_mark_says_the_title_need_not() {
        let title = |title: &str| {
            let mut items = parsed(rss(&format!("<item><title>{title}</title></item>")));
            items.remove(0).title
        };
        for (given, shown) in [
            ("heise+ | KI im Test", "KI im Test"),
            ("(S+) KI im Test", "KI im Test"),
            ("Anzeige: KI kaufen", "KI kaufen"),
            ("ANZEIGE – KI-Seminar", "KI-Seminar"),
            ("KI im Krankenhaus - SPIEGEL+", "KI im Krankenhaus"),
            ("Better AI [Sponsored]", "Better AI"),
            ("Abo: Netflix wird teurer", "Abo: Netflix wird teurer"),
            (
                "Anzeige gegen KI-Firma: Prozess",
                "Anzeige gegen KI-Firma: Prozess",
            ),
            ("Anzeige:", "Anzeige:"),
        ] {
            assert_eq!(title(given), shown);
        }
    }

    #[test]
    fn an_item_of_bing_news_is_that_of_its_publisher() {
        let link = "http://www.bing.com/news/apiclick.aspx?ref=FexRss&amp;aid=&amp;tid=1&amp;url=https%3a%2f%2fbote.example%2fki%3futm_source%3dx&amp;c=2";
        let item = parsed(rss(&format!(
            "<item><title>KI</title><link>{link}</link><News:Source>Der Bote</News:Source></item>"
        )))
        .remove(0);
        assert_eq!(item.url.as_deref(), Some("https://bote.example/ki"));
        assert_eq!((item.source.as_str(), item.relayed), ("Der Bote", true));
        let own = parsed(rss(
            "<item><title>Anders</title><link>https://bote.example/ki</link></item>",
        ))
        .remove(0);
        assert_eq!(item.key, own.key);
    }
}
