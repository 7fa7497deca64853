//! The page of an article, for feeds that carry headlines only.
//!
//! Pages are fetched for the stories that were picked and no others, one at a time from each host, and only where
//! its `robots.txt` lets us.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use dom_smoothie::{Config, Readability};
use futures::StreamExt as _;
use html5ever::LocalName;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use url::Url;

use super::clean::plain_text;
use super::fetch::{Answer, Fetcher};
use super::html::safe_address;
use super::parse::{decode, parse_date};
use super::robots::Robots;

/// Larger pages are left alone: extractors are slower than linear.
const MAX_BYTES: usize = 4_000_000;

/// Elements nested deeper than this are an attack: trees that deep abort the program, and no extractor can be caught at it.
const MAX_DEPTH: usize = 400;

/// How many elements a page may have.
const MAX_ELEMENTS: usize = 100_000;

/// How long the pages of one edition may take together.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many hosts are asked at a time.
const HOSTS: usize = 8;

/// What the page of an article says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Article {
    /// The headline.
    pub title: String,
    /// The text, a line for each paragraph.
    pub text: String,
    /// The address of its picture.
    pub image: Option<String>,
    /// When it was published, as the page writes it.
    pub published: Option<String>,
}

impl Article {
    /// When it was published.
    pub fn date(&self) -> Option<DateTime<Utc>> {
        parse_date(self.published.as_deref()?)
    }
}

/// Finds the article in a page.
///
/// # Errors
/// Why there is none to be had, as a phrase for a log.
pub fn extract(page: &str, url: &Url) -> Result<Article, String> {
    if page.len() > MAX_BYTES {
        return Err(format!("the page is larger than {MAX_BYTES} bytes"));
    }
    check_shape(page)?;
    let config = Config {
        max_elements_to_parse: MAX_ELEMENTS,
        ..Config::default()
    };
    let reader = Readability::new(page, Some(url.as_str()), Some(config));
    let article = reader
        .and_then(|mut reader| reader.parse())
        .map_err(|error| error.to_string())?;
    Ok(Article {
        title: plain_text(&article.title),
        text: text(&article.content),
        image: article
            .image
            .and_then(|image| safe_address(&image, Some(url)))
            .filter(|image| image.starts_with("http")),
        published: article.published_time.map(|date| plain_text(&date)),
    })
}

/// The text of an article, a line for each block, without what is no part of it: captions, lists of other articles
/// (blocks that are links, as in Kohlschütter et al. 2010), and the labels before and behind.
fn text(content: &str) -> String {
    let blocks: Vec<Block> = tokenize(content, Blocks::default()).0.into_inner().finished;
    let mut lines: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    for block in blocks {
        let line = plain_text(&block.text);
        let links = plain_text(&block.linked).len();
        let is_other = links * 10 >= line.len() * 8 && !ends_a_sentence(&line);
        // Captions stand there twice, for the small picture and the large one.
        let is_repeated = line.len() >= 40 && !seen.insert(line.clone());
        if line.is_empty() || is_other || is_repeated || is_credit(&line) {
            continue;
        }
        lines.push(line);
    }
    without_labels(&lines).join("\n")
}

/// Before the first and behind the last sentence, most often there are only labels: sections, dates, names, buttons. What
/// is more than a small part of the article is part of it.
fn without_labels(lines: &[String]) -> &[String] {
    let is_sentence = |line: &String| ends_a_sentence(line) || line.len() >= 120;
    let (Some(first), Some(last)) = (
        lines.iter().position(is_sentence),
        lines.iter().rposition(is_sentence),
    ) else {
        return lines;
    };
    let length = |lines: &[String]| lines.iter().map(String::len).sum::<usize>();
    let (head, body, tail) = (&lines[..first], &lines[first..=last], &lines[last + 1..]);
    let whole = length(lines);
    match (length(head) * 10 <= whole, length(tail) * 10 <= whole) {
        (true, true) => body,
        (true, false) => &lines[first..],
        (false, true) => &lines[..=last],
        (false, false) => lines,
    }
}

fn ends_a_sentence(line: &str) -> bool {
    let end = line.trim_end_matches(['"', '\'', '”', '“', '’', '»', '«', ')', ']']);
    // One word with a full stop is an abbreviation; some scripts have no spaces.
    end.ends_with(['。', '！', '？'])
        || (end.ends_with(['.', '!', '?', '…', ':']) && line.contains(' '))
}

/// Whose picture it is.
fn is_credit(line: &str) -> bool {
    const WORDS: &[&str] = &[
        "image ",
        "image:",
        "image credit",
        "images:",
        "photo:",
        "photo by",
        "photograph:",
        "credit:",
        "picture:",
        "foto:",
        "fotos:",
        "bild:",
        "bilder:",
        "quelle:",
        "©",
        "(c)",
    ];
    let start = line.trim_start_matches(['(', '[']).to_lowercase();
    line.len() < 100 && WORDS.iter().any(|word| start.starts_with(word))
}

/// A piece of text with nothing but inline elements in it.
#[derive(Debug, Default)]
struct Block {
    text: String,
    /// The part of the text that is links.
    linked: String,
}

/// Takes an article apart into its blocks.
#[derive(Debug, Default)]
struct Blocks(RefCell<BlockState>);

#[derive(Debug, Default)]
struct BlockState {
    finished: Vec<Block>,
    current: Block,
    links: usize,
    /// The element that is left out, and how often it is open inside of itself.
    skipped: Option<(LocalName, usize)>,
}

impl TokenSink for Blocks {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut state = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(text) if state.skipped.is_none() => {
                state.current.text.push_str(&text);
                if state.links > 0 {
                    state.current.linked.push_str(&text);
                }
            }
            Token::TagToken(tag) => state.tag(&tag),
            Token::EOFToken => state.finish(),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl BlockState {
    fn tag(&mut self, tag: &Tag) {
        let is_start = tag.kind == TagKind::StartTag;
        if let Some((name, open)) = &mut self.skipped {
            if *name == tag.name {
                *open = if is_start { *open + 1 } else { *open - 1 };
            }
            if *open == 0 {
                self.skipped = None;
            }
            return;
        }
        match &*tag.name {
            "figcaption" | "aside" | "nav" | "footer" | "form" | "button" | "script" | "style"
            | "svg" | "noscript"
                if is_start && !tag.self_closing =>
            {
                self.finish();
                self.skipped = Some((tag.name.clone(), 1));
            }
            "a" if is_start => self.links += 1,
            "a" => self.links = self.links.saturating_sub(1),
            // A row is one line.
            "td" | "th" => self.current.text.push(' '),
            name if name == "img" || super::html::is_inline(name) => {}
            _ => self.finish(),
        }
    }

    fn finish(&mut self) {
        let block = std::mem::take(&mut self.current);
        if !block.text.trim().is_empty() {
            self.finished.push(block);
        }
    }
}

fn tokenize<S: TokenSink>(html: &str, sink: S) -> S {
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(html));
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink
}

/// Refuses a page of which no tree should be built: too deep, too large, or small and yet the seed of a large one, as browsers
/// open formatting elements that were never closed again in each block (HTML 13.2.4.3).
fn check_shape(page: &str) -> Result<(), String> {
    if has_huge_tag(page) {
        return Err("the page has a tag with thousands of attributes".to_owned());
    }
    let shape = tokenize(page, Shape::default()).0.into_inner();
    if shape.deepest > MAX_DEPTH {
        return Err(format!(
            "the page is nested deeper than {MAX_DEPTH} elements"
        ));
    }
    if shape.elements > MAX_ELEMENTS {
        return Err(format!("the page has more than {MAX_ELEMENTS} elements"));
    }
    Ok(())
}

/// Whether a tag has so many attributes that looking for a second one of the same name takes seconds.
fn has_huge_tag(page: &str) -> bool {
    const MAX_GAPS: usize = 5_000;
    let mut end = 0;
    page.match_indices('<').any(|(at, _)| {
        // The search only goes forward: each tag is looked through once.
        if at < end {
            return false;
        }
        end = page[at..]
            .find('>')
            .map_or(page.len(), |length| at + length + 1);
        let gaps = page[at..end]
            .bytes()
            .filter(|byte| byte.is_ascii_whitespace() || *byte == b'=');
        page[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic()) && gaps.count() > MAX_GAPS
    })
}

#[derive(Debug, Default)]
struct Shape(RefCell<ShapeState>);

#[derive(Debug, Default)]
struct ShapeState {
    open: Vec<LocalName>,
    deepest: usize,
    /// How many formatting elements are open.
    formatting: usize,
    /// How many elements the tree will have, those that are opened again included.
    elements: usize,
}

impl TokenSink for Shape {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        const VOID: &[&str] = &[
            "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param",
            "source", "track", "wbr",
        ];
        const FORMATTING: &[&str] = &[
            "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong",
            "tt", "u",
        ];
        let mut state = self.0.borrow_mut();
        let Token::TagToken(tag) = token else {
            return TokenSinkResult::Continue;
        };
        let is_start = tag.kind == TagKind::StartTag;
        state.elements += usize::from(is_start);
        if FORMATTING.contains(&&*tag.name) {
            state.formatting = if is_start {
                state.formatting + 1
            } else {
                state.formatting.saturating_sub(1)
            };
        } else if is_start {
            state.elements += state.formatting;
        }
        if tag.self_closing || VOID.contains(&&*tag.name) {
            return TokenSinkResult::Continue;
        }
        if is_start {
            // Enough is known: deeper than that, the page is refused.
            if state.open.len() <= MAX_DEPTH {
                state.open.push(tag.name.clone());
            }
            state.deepest = state.deepest.max(state.open.len());
        } else if let Some(place) = state.open.iter().rposition(|open| *open == tag.name) {
            state.open.truncate(place);
        }
        match &*tag.name {
            "script" if is_start => TokenSinkResult::RawData(RawKind::ScriptData),
            "style" if is_start => TokenSinkResult::RawData(RawKind::Rawtext),
            _ => TokenSinkResult::Continue,
        }
    }
}

/// Fetches the pages at `urls` and gives the articles that could be had.
///
/// # Errors
/// Only when no HTTP client can be set up on this machine.
pub async fn fetch_articles(
    urls: Vec<Url>,
    options: &super::FetchOptions,
    wall: DateTime<Utc>,
) -> anyhow::Result<HashMap<Url, Article>> {
    let fetcher = Fetcher::new(options)?;
    let mut hosts: HashMap<String, Vec<Url>> = HashMap::new();
    for url in urls {
        hosts
            .entry(url.origin().ascii_serialization())
            .or_default()
            .push(url);
    }
    let mut found = HashMap::new();
    let host = |urls: Vec<Url>| {
        let fetcher = &fetcher;
        async move {
            let mut articles = Vec::new();
            let Some(first) = urls.first() else {
                return articles;
            };
            let robots = Robots::fetch(fetcher, first, wall).await;
            for url in urls {
                if !robots.allow(&url) {
                    tracing::info!(%url, "robots.txt keeps us from the page");
                    continue;
                }
                match fetch_article(fetcher, &url, wall).await {
                    Ok(article) => articles.push((url, article)),
                    Err(reason) => tracing::info!(%url, reason, "no article"),
                }
            }
            articles
        }
    };
    let mut pages = futures::stream::iter(hosts.into_values())
        .map(host)
        .buffer_unordered(HOSTS);
    let reading = async {
        while let Some(articles) = pages.next().await {
            found.extend(articles);
        }
    };
    // The digest goes out with what has come by then.
    let _ = tokio::time::timeout(PATIENCE, reading).await;
    drop(pages);
    Ok(found)
}

async fn fetch_article(
    fetcher: &Fetcher,
    url: &Url,
    wall: DateTime<Utc>,
) -> Result<Article, String> {
    let page = fetcher
        .fetch_page(url, wall)
        .await
        .map_err(|failure| failure.to_string())?;
    let at = page.url.clone().unwrap_or_else(|| url.clone());
    // It led to another site, which has a say of its own.
    if at.origin() != url.origin() && !Robots::fetch(fetcher, &at, wall).await.allow(&at) {
        return Err(format!(
            "the robots.txt of {} keeps us from it",
            at.authority()
        ));
    }
    let extracting = tokio::task::spawn_blocking(move || extract(&text_of(&page), &at));
    match tokio::time::timeout(Duration::from_secs(10), extracting).await {
        Ok(Ok(article)) => article,
        Ok(Err(_)) => Err("the extractor gave up on it".to_owned()),
        Err(_) => Err("it took too long to find the article".to_owned()),
    }
}

/// The text of a page, by the character set of the header, else that of its `meta` element.
fn text_of(page: &Answer) -> String {
    let of_header = page
        .header(reqwest::header::CONTENT_TYPE)
        .and_then(|value| super::parse::charset_of(&value));
    let head =
        String::from_utf8_lossy(&page.bytes[..page.bytes.len().min(2_000)]).to_ascii_lowercase();
    let of_meta = || {
        let (_, rest) = head.split_once("charset=")?;
        let is_label = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let rest = rest.trim_start_matches(['"', '\'']);
        Some(rest[..rest.find(|c| !is_label(c)).unwrap_or(rest.len())].to_owned())
    };
    decode(&page.bytes, of_header.or_else(of_meta).as_deref()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(path: &str) -> Url {
        Url::parse("https://example.org")
            .unwrap()
            .join(path)
            .unwrap()
    }

    #[test]
    fn an_article_is_told_from_what_surrounds_it() {
        let paragraph = "<p>Die Forscher haben gezeigt, dass das Modell auf einem kleinen Rechner läuft, und dass es weniger Strom braucht.</p>";
        let page = format!(
            "<html><head><title>KI auf kleinen Rechnern</title><meta property='og:image' content='/bild.jpg'>\
             <meta property='article:published_time' content='2026-11-20T05:00:00+01:00'></head><body><nav><a href=/>Start</a></nav>\
             <article><h1>KI auf kleinen Rechnern</h1>{}</article><footer>Impressum</footer></body></html>",
            paragraph.repeat(6)
        );
        let article = extract(&page, &url("/a")).unwrap();
        assert_eq!(article.title, "KI auf kleinen Rechnern");
        assert!(
            article.text.starts_with("Die Forscher") && !article.text.contains("Impressum"),
            "{}",
            article.text
        );
        assert_eq!(
            article.image.as_deref(),
            Some("https://example.org/bild.jpg")
        );
        assert_eq!(article.date(), parse_date("2026-11-20T04:00:00Z"));
    }

    #[test]
    fn a_page_that_would_abort_an_extractor_is_refused() {
        let deep = "<div>".repeat(100_000);
        assert!(extract(&deep, &url("/")).unwrap_err().contains("nested"));
        let attributes: String = (0..6_000).map(|number| format!(" a{number}=1")).collect();
        assert!(
            extract(&format!("<body><p{attributes}>x"), &url("/"))
                .unwrap_err()
                .contains("attributes")
        );
        let fonts: String = (0..300)
            .map(|number| format!("<font size={number}>"))
            .collect();
        let seed = format!("<body><p>{fonts}</p>{}", "<p>x</p>".repeat(20_000));
        assert!(extract(&seed, &url("/")).unwrap_err().contains("elements"));
        assert!(extract(&" ".repeat(MAX_BYTES + 1), &url("/")).is_err());
        assert!(extract("", &url("/")).is_err());
    }
}
