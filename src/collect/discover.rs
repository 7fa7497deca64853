//! Which feeds a page has.

use std::cell::RefCell;

use chrono::{DateTime, Utc};
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
    states::RawKind,
};
use reqwest::header;
use url::Url;

use super::fetch::{Answer, Fetcher};
use super::{FetchOptions, parse};
use crate::model::FetchFailure;

/// How many feeds of one page are named.
const MAX_FEEDS: usize = 20;

/// The feeds that a page names.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Discovered {
    /// Those that it declares (`<link rel="alternate">`), the feeds of comments left out.
    pub(super) declared: Vec<Url>,
    /// Links in its text that look like feeds.
    pub(super) linked: Vec<Url>,
}

/// Reads the feeds out of a page at `base`.
pub(super) fn discover(page: &str, base: &Url) -> Discovered {
    let sink = Sink(RefCell::new(State {
        base: base.clone(),
        found: Discovered::default(),
    }));
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(page));
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.into_inner().found
}

struct Sink(RefCell<State>);

struct State {
    base: Url,
    found: Discovered,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        if let Token::TagToken(tag) = token
            && tag.kind == TagKind::StartTag
        {
            match &*tag.name {
                "script" if !tag.self_closing => {
                    return TokenSinkResult::RawData(RawKind::ScriptData);
                }
                "style" => return TokenSinkResult::RawData(RawKind::Rawtext),
                _ => self.0.borrow_mut().tag(&tag),
            }
        }
        TokenSinkResult::Continue
    }
}

impl State {
    fn tag(&mut self, tag: &Tag) {
        let attribute = |name: &str| {
            let found = tag
                .attrs
                .iter()
                .find(|attribute| &*attribute.name.local == name);
            found.map(|attribute| attribute.value.trim().to_owned())
        };
        let Some(url) = attribute("href").and_then(|href| self.base.join(&href).ok()) else {
            return;
        };
        if !matches!(url.scheme(), "http" | "https") {
            return;
        }
        let says = |name: &str, words: &[&str]| {
            let value = attribute(name).unwrap_or_default().to_ascii_lowercase();
            words.iter().any(|word| value.contains(word))
        };
        let list = match &*tag.name {
            "base" => {
                self.base = url;
                return;
            }
            "link"
                if says("rel", &["alternate"]) && says("type", &["rss", "atom", "feed+json"]) =>
            {
                let comments = ["comment", "kommentar"];
                if says("title", &comments) || says("href", &comments) {
                    return;
                }
                &mut self.found.declared
            }
            "a" if looks_like_a_feed(&url) => &mut self.found.linked,
            _ => return,
        };
        if list.len() < MAX_FEEDS && !list.contains(&url) {
            list.push(url);
        }
    }
}

fn looks_like_a_feed(url: &Url) -> bool {
    let path = url.path().to_ascii_lowercase();
    let last = path
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let stem = last.split('.').next().unwrap_or_default();
    matches!(stem, "feed" | "feeds" | "rss" | "rss2" | "atom" | "rdf")
        || [".rss", ".atom", ".rdf", "feed.xml", "feed.json"]
            .iter()
            .any(|end| last.ends_with(end))
}

/// Where feeds often are, for a site that names none.
fn usual_places(page: &Url) -> Vec<Url> {
    [
        "/feed",
        "/rss.xml",
        "/feed.xml",
        "/atom.xml",
        "/index.xml",
        "/rss",
    ]
    .iter()
    .filter_map(|path| page.join(path).ok())
    .collect()
}

/// A feed that was found at a page, and read.
#[derive(Debug, Clone)]
pub struct FoundFeed {
    /// Where it is.
    pub url: Url,
    /// What it calls itself.
    pub title: Option<String>,
    /// How many items it has.
    pub items: usize,
    /// When the newest of them was published.
    pub newest: Option<DateTime<Utc>>,
}

/// The feeds of the page at `url`: those that it declares, else those that it links to or that are at the usual places.
/// Each was read.
///
/// # Errors
/// When no HTTP client can be set up on this machine; inside, when the page cannot be had.
pub async fn find_feeds(
    url: &Url,
    options: &FetchOptions,
    wall: DateTime<Utc>,
) -> anyhow::Result<Result<Vec<FoundFeed>, FetchFailure>> {
    let fetcher = Fetcher::new(options)?;
    let page = match fetcher.fetch_page(url, wall).await {
        Ok(page) => page,
        Err(failure) => return Ok(Err(failure)),
    };
    if let Some(feed) = found_feed(&page) {
        return Ok(Ok(vec![feed]));
    }
    let base = page.url.as_ref().unwrap_or(url);
    let named = discover(&String::from_utf8_lossy(&page.bytes), base);
    let mut lists = vec![named.declared, named.linked, usual_places(base)];
    lists.reverse();
    let mut found: Vec<FoundFeed> = Vec::new();
    // The second best only when there is nothing better.
    while found.is_empty()
        && let Some(candidates) = lists.pop()
    {
        for candidate in candidates {
            let feed = fetcher
                .fetch_page(&candidate, wall)
                .await
                .ok()
                .and_then(|answer| found_feed(&answer));
            found.extend(feed.filter(|feed| found.iter().all(|known| known.url != feed.url)));
        }
    }
    Ok(Ok(found))
}

fn found_feed(answer: &Answer) -> Option<FoundFeed> {
    let charset = answer
        .header(header::CONTENT_TYPE)
        .and_then(|value| parse::charset_of(&value));
    let document = parse::parse(&answer.bytes, charset.as_deref(), answer.url.as_ref()).ok()?;
    Some(FoundFeed {
        url: answer.url.clone()?,
        title: document
            .title
            .as_ref()
            .map(|title| title.text().to_owned())
            .filter(|title| !title.is_empty()),
        items: document.entries.len(),
        newest: document
            .entries
            .iter()
            .filter_map(|entry| entry.published.or(entry.updated))
            .max(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(page: &str) -> (Vec<String>, Vec<String>) {
        let base = Url::parse("https://example.org/blog/").unwrap();
        let found = discover(page, &base);
        let texts = |urls: Vec<Url>| urls.into_iter().map(String::from).collect();
        (texts(found.declared), texts(found.linked))
    }

    #[test]
    fn declared_feeds_are_found_but_not_those_of_comments() {
        let (declared, _) = found(
            "<head><script>'<link rel=alternate type=application/rss+xml href=/no>'</script>\
             <link rel='alternate' type='application/rss+xml' title='Bote' href='feed/'>\
             <link rel='alternate' type='application/rss+xml' title='Bote » Kommentar-Feed' href='/comments/feed/'>\
             <LINK REL=alternate TYPE=application/atom+xml HREF=//cdn.example.org/atom>\
             <link rel='alternate' hreflang='en' href='/en/'><link rel=stylesheet href=x.css>",
        );
        assert_eq!(
            declared,
            [
                "https://example.org/blog/feed/",
                "https://cdn.example.org/atom"
            ]
        );
    }

    #[test]
    fn links_that_look_like_feeds_are_second_best() {
        let (declared, linked) = found(
            "<base href='https://example.net/'><a href='rss'>RSS</a><a href='/news.rss'>x</a><a href='/feedback'>y</a><a href='javascript:rss'>z</a>",
        );
        assert!(declared.is_empty());
        assert_eq!(
            linked,
            ["https://example.net/rss", "https://example.net/news.rss"]
        );
    }
}
