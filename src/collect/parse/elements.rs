//! RSS of every version and none, RDF, Atom and CDF: elements become a [`Document`].

use std::sync::Arc;

use base64::Engine as _;
use url::Url;

use super::date::parse_date;
use super::document::{Document, Entry, Person};
use super::xml::{Element, Tree, Vocabulary as V};
use crate::collect::html::{Html, safe_address};
use crate::model::Pace;

/// Longer base addresses are none; every address of the feed would be as long.
const MAX_BASE: usize = 2_000;

/// Reads the feed that `tree` holds; `None` when it holds none.
pub(super) fn document(
    tree: &Tree<'_>,
    base: Option<&Url>,
    max_entries: usize,
) -> Option<Document> {
    let root = tree
        .elements()
        .find(|element| !matches!(element.name(), (V::Other, _)))?;
    let channel = tree
        .elements()
        .find(|element| matches!(element.name(), (V::Core, "channel" | "feed")));
    let mut entries = tree
        .elements()
        .filter(|element| matches!(element.name(), (V::Core, "item" | "entry")))
        .peekable();
    let is_feed = channel.is_some()
        || entries.peek().is_some()
        || matches!(root.name(), (V::Core, "rss") | (V::Rdf, "rdf"));
    // Some servers wrap a feed into a page.
    let is_page =
        matches!(root.name(), (_, "html")) && (channel.is_none() || entries.peek().is_none());
    if !is_feed || is_page {
        return None;
    }
    let is_atom = match channel.map(Element::name) {
        Some((_, name)) => name == "feed",
        None => entries
            .peek()
            .is_some_and(|entry| entry.name().1 == "entry"),
    };
    let context = Context {
        base: base.cloned().map(Arc::new),
        is_atom,
        is_rebased: tree.mentions("xml:base"),
    };
    let entries = entries
        .take(max_entries)
        .map(|entry| context.entry(entry))
        .collect();
    let mut document = channel
        .map(|channel| context.channel(channel))
        .unwrap_or_default();
    document.language = document
        .language
        .or_else(|| language_above(channel.unwrap_or(root)));
    // RSS 1.0 puts the picture beside the channel.
    if document.image.is_none() {
        document.image = tree
            .elements()
            .find(|element| {
                element.name() == (V::Core, "image")
                    && element
                        .parent()
                        .is_some_and(|parent| parent.name().0 == V::Rdf)
            })
            .and_then(|image| context.image(image));
    }
    document.entries = entries;
    Some(document)
}

struct Context {
    base: Option<Arc<Url>>,
    /// Atom says what its texts are; RSS has to be guessed.
    is_atom: bool,
    /// Whether any element changes the base address.
    is_rebased: bool,
}

/// What a text is.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Plain,
    Html,
    Xhtml,
}

impl Context {
    fn channel(&self, channel: Element<'_>) -> Document {
        let mut document = Document {
            // CDF (Microsoft, 1997) puts facts into attributes.
            url: self.attribute_address(channel, "href"),
            updated: attribute_date(channel, "lastmod"),
            id: attribute_text(channel, "rdf:about"),
            ..Document::default()
        };
        let mut main_title = false;
        for element in channel.children() {
            match element.name() {
                (V::Core, "title") => {
                    if let Some(title) = self.html(element, Kind::Plain) {
                        (document.title, main_title) = (Some(title), true);
                    }
                }
                (V::Dc | V::Media | V::Itunes, "title") if !main_title => {
                    document.title = self.html(element, Kind::Plain).or(document.title);
                }
                (V::Core, "link") => {
                    if let Some(url) = self.link(element) {
                        document.url = Some(url);
                    }
                }
                (V::Core, "id" | "guid") => document.id = text(element).or(document.id),
                (V::Core, "description" | "abstract" | "subtitle" | "tagline")
                | (V::Dc, "description")
                | (V::Itunes, "subtitle") => {
                    let is_plain = matches!(element.name().1, "abstract" | "subtitle" | "tagline");
                    let default = if is_plain { Kind::Plain } else { Kind::Html };
                    let html = self.html(element, default);
                    if element.name().0 == V::Core || document.description.is_none() {
                        document.description = html.or(document.description);
                    }
                }
                (V::Core | V::Itunes, "summary") | (V::Core, "info") => {
                    document.description = document
                        .description
                        .or_else(|| self.html(element, Kind::Plain));
                }
                (V::Core | V::Dc, "language") => {
                    document.language = text(element).or(document.language);
                }
                (V::Core, "updated" | "modified" | "lastbuilddate")
                | (V::Dc, "date")
                | (V::DcTerms, "modified") => {
                    document.updated = date(element).or(document.updated);
                }
                (V::Core, "published" | "issued" | "pubdate") | (V::DcTerms, "issued") => {
                    document.published = date(element).or(document.published);
                }
                (V::Core, "author" | "managingeditor")
                | (V::Dc, "creator" | "author")
                | (V::Itunes, "author") => {
                    document.author = person(element).or(document.author);
                }
                (V::Core, "image") | (V::Itunes, "image" | "link") => {
                    document.image = self.image(element).or(document.image);
                }
                (V::Core, "logo" | "icon") => {
                    document.image = document
                        .image
                        .or_else(|| text(element).and_then(|url| self.address(element, &url)));
                }
                (V::Core, "rights" | "copyright") | (V::Dc, "rights") => {
                    document.rights = self.html(element, Kind::Plain).or(document.rights);
                }
                (V::Core, "ttl") => {
                    let minutes = text(element)
                        .and_then(|minutes| minutes.parse().ok())
                        .filter(|minutes| *minutes > 0);
                    document.pace.minutes = minutes;
                }
                (V::Core, "skiphours" | "skipdays") => skips(element, &mut document.pace),
                _ => add_categories(element, &mut document.categories),
            }
        }
        document
    }

    fn entry(&self, entry: Element<'_>) -> Entry {
        let mut read = Entry {
            id: attribute_text(entry, "rdf:about"),
            updated: attribute_date(entry, "lastmod"),
            ..Entry::default()
        };
        let cdf_link = self.attribute_address(entry, "href");
        let mut links = Links::default();
        let mut media = Media::default();
        let mut titles = Ranked::default();
        let mut summaries = Ranked::default();
        let mut language = None;
        self.fields(entry, &mut |element| {
            match element.name() {
                (V::Core, "title") => titles.offer(0, || self.html(element, Kind::Plain)),
                (V::Dc | V::Itunes, "title") => titles.offer(1, || self.html(element, Kind::Plain)),
                (V::Media, "title") => titles.offer(2, || self.html(element, Kind::Plain)),
                (V::Core, "link") => self.entry_link(element, &mut links, &mut read),
                (V::Feedburner, "origlink") => {
                    read.original_url = text(element).and_then(|url| self.address(element, &url));
                }
                (V::Core, "guid" | "id") => {
                    let permalink = element
                        .attribute("ispermalink")
                        .is_none_or(|value| value.trim().eq_ignore_ascii_case("true"));
                    if let Some(id) = text(element) {
                        if permalink && element.name().1 == "guid" && looks_like_address(&id) {
                            links.permalink = self.address(element, &id);
                        }
                        read.id = Some(id);
                    }
                }
                (V::Core, "description") => {
                    // A second description is the whole text.
                    if summaries.best == Some(0) {
                        read.content = read
                            .content
                            .take()
                            .or_else(|| self.html(element, Kind::Html));
                    }
                    summaries.offer(0, || self.html(element, Kind::Html));
                }
                (V::Core, "abstract" | "summary" | "subtitle" | "tagline") => {
                    if summaries.best == Some(0) && element.name().1 == "summary" {
                        read.content = read
                            .content
                            .take()
                            .or_else(|| self.html(element, Kind::Plain));
                    }
                    summaries.offer(0, || self.html(element, Kind::Plain));
                }
                (V::Dc, "description") => summaries.offer(1, || self.html(element, Kind::Html)),
                (V::Itunes, "summary") => summaries.offer(2, || self.html(element, Kind::Plain)),
                (V::Itunes, "subtitle") => summaries.offer(3, || self.html(element, Kind::Plain)),
                (V::Media, "description") => summaries.offer(4, || self.html(element, Kind::Html)),
                (V::Content, "encoded") | (V::Core, "fullitem") => {
                    read.content = self.html(element, Kind::Html).or(read.content.take());
                    language = language.take().or_else(|| language_above(element));
                }
                (V::Core, "content") => {
                    let is_text = element
                        .attribute("type")
                        .is_none_or(|kind| is_text_type(&kind));
                    if element.attribute("src").is_none() && is_text {
                        read.content = read
                            .content
                            .take()
                            .or_else(|| self.html(element, Kind::Plain));
                        language = language.take().or_else(|| language_above(element));
                    }
                }
                (V::Core | V::Xhtml, "body") => {
                    read.content = self.html(element, Kind::Xhtml).or(read.content.take());
                    language = language.take().or_else(|| language_above(element));
                }
                (V::Core, "published" | "issued" | "pubdate") | (V::DcTerms, "issued") => {
                    read.published = date(element).or(read.published);
                }
                (V::Core, "updated" | "modified" | "lastbuilddate")
                | (V::Dc, "date")
                | (V::DcTerms, "modified") => {
                    read.updated = date(element).or(read.updated);
                }
                (V::Core, "created") | (V::DcTerms, "created") => {
                    read.updated = read.updated.or_else(|| date(element));
                }
                (V::Core, "author" | "managingeditor")
                | (V::Dc, "creator" | "author")
                | (V::Itunes, "author") => {
                    read.author = person(element).or(read.author.take());
                }
                (V::Core, "comments") => {
                    read.comments_url = text(element).and_then(|url| self.address(element, &url));
                }
                (V::Slash, "comments") | (V::Threading, "total") => {
                    read.comments_count = text(element).and_then(|count| count.parse().ok());
                }
                (V::Wfw, "commentrss") => {
                    read.comments_feed = text(element).and_then(|url| self.address(element, &url));
                }
                (V::Core | V::Dc, "language") => language = text(element).or(language.take()),
                (V::Core, "rights" | "copyright") | (V::Dc, "rights") => {
                    read.rights = self.html(element, Kind::Plain).or(read.rights.take());
                }
                (V::Core, "source") => self.source(element, &mut read),
                // Bing News has words of its own.
                (V::Other, "source") => read.source = read.source.take().or_else(|| text(element)),
                (
                    V::Other | V::DcTerms | V::Core,
                    "accessrights" | "access" | "paywall" | "premium",
                ) => {
                    read.access = text(element);
                }
                (V::Core, "enclosure") => self.enclosure(element, &mut read, &mut media),
                (V::Media, "thumbnail") => {
                    media.thumbnail = media.thumbnail.take().or_else(|| self.image(element));
                }
                (V::Media, "content") if is_image(element) => {
                    media.image = media.image.take().or_else(|| self.image(element));
                }
                (V::Itunes, "image" | "link") => {
                    media.itunes = self.image(element).or(media.itunes.take());
                }
                (V::Core | V::Other, "image") => {
                    media.core = self.image(element).or(media.core.take());
                }
                _ => add_categories(element, &mut read.categories),
            }
        });
        read.title = titles.value;
        read.summary = summaries.value;
        read.url = links.best().or(cdf_link);
        read.image = media.best();
        read.language = language.or_else(|| own_language(entry));
        read
    }

    /// Calls `found` for each field of an entry: its children, and those of the groups of Media RSS.
    fn fields<'t>(&self, parent: Element<'t>, found: &mut impl FnMut(Element<'t>)) {
        for child in parent.children() {
            match child.name() {
                (V::Media, "group" | "content") if child.has_elements() => {
                    found(child);
                    self.fields(child, found);
                }
                _ => found(child),
            }
        }
    }

    fn entry_link(&self, element: Element<'_>, links: &mut Links, read: &mut Entry) {
        let relation = element.attribute("rel").map_or_else(
            || "alternate".to_owned(),
            |rel| rel.trim().to_ascii_lowercase(),
        );
        let Some(url) = self.link_address(element) else {
            return;
        };
        match relation.rsplit('/').next().unwrap_or_default() {
            "alternate" => {
                let kind = element.attribute("type");
                if kind.as_deref().is_none_or(is_page_type) {
                    links.page = Some(url);
                } else {
                    links.other = links.other.take().or(Some(url));
                }
            }
            "enclosure" => read.enclosures.push(url),
            "replies" => {
                let is_feed = element
                    .attribute("type")
                    .is_some_and(|kind| kind.contains("atom") || kind.contains("rss"));
                if is_feed {
                    read.comments_feed = Some(url);
                } else {
                    read.comments_url = read.comments_url.take().or(Some(url));
                }
                let count = element.attribute("count");
                read.comments_count = count
                    .and_then(|count| count.trim().parse().ok())
                    .or(read.comments_count);
            }
            _ => {}
        }
    }

    fn link(&self, element: Element<'_>) -> Option<String> {
        let is_alternate = element
            .attribute("rel")
            .is_none_or(|rel| rel.trim().eq_ignore_ascii_case("alternate"));
        let is_page = element
            .attribute("type")
            .as_deref()
            .is_none_or(is_page_type);
        if is_alternate && is_page {
            self.link_address(element)
        } else {
            None
        }
    }

    fn link_address(&self, element: Element<'_>) -> Option<String> {
        let href = ["href", "url", "uri"]
            .iter()
            .find_map(|name| element.attribute(name));
        let address = match href {
            Some(href) => href,
            None if element.is_closed() => element.text(),
            None => return None,
        };
        self.address(element, &address)
    }

    fn source(&self, element: Element<'_>, read: &mut Entry) {
        if element.has_elements() {
            let title = element
                .children()
                .find(|child| child.name() == (V::Core, "title"));
            read.source = title
                .and_then(|title| self.html(title, Kind::Plain))
                .map(Html::into_text);
            let link = element
                .children()
                .filter(|child| child.name() == (V::Core, "link"));
            read.source_url = link.filter_map(|link| self.link(link)).next();
            if read.author.is_none() {
                read.author = element
                    .children()
                    .find(|child| child.name() == (V::Core, "author"))
                    .and_then(person);
            }
        } else {
            read.source = self.html(element, Kind::Plain).map(Html::into_text);
            read.source_url = element
                .attribute("url")
                .and_then(|url| self.address(element, &url));
        }
    }

    fn enclosure(&self, element: Element<'_>, read: &mut Entry, media: &mut Media) {
        let Some(url) = element
            .attribute("url")
            .or_else(|| element.attribute("href"))
        else {
            return;
        };
        let Some(url) = self.address(element, &url) else {
            return;
        };
        if is_image(element) {
            media.enclosure = media.enclosure.take().or_else(|| Some(url.clone()));
        }
        read.enclosures.push(url);
    }

    /// The address of a picture: an attribute, a child, or the text.
    fn image(&self, element: Element<'_>) -> Option<String> {
        let attribute = ["url", "href", "rdf:resource"]
            .iter()
            .find_map(|name| element.attribute(name));
        let child = || {
            let child = element
                .children()
                .find(|child| matches!(child.name(), (V::Core, "url" | "href")));
            child.map(Element::text)
        };
        let own = || (!element.has_elements()).then(|| element.text());
        let address = attribute
            .filter(|address| !address.trim().is_empty())
            .or_else(child)
            .or_else(own)?;
        self.address(element, &address)
    }

    fn attribute_address(&self, element: Element<'_>, name: &str) -> Option<String> {
        self.address(element, &element.attribute(name)?)
    }

    fn address(&self, element: Element<'_>, address: &str) -> Option<String> {
        safe_address(address, self.base_of(element).as_deref())
    }

    /// The base address at `element`: that of the document, changed by `xml:base` on the way down.
    fn base_of(&self, element: Element<'_>) -> Option<Arc<Url>> {
        let mut bases = Vec::new();
        let mut at = Some(element).filter(|_| self.is_rebased);
        while let Some(element) = at {
            if let Some(base) = element.attribute("xml:base")
                && base.len() <= MAX_BASE
            {
                bases.push(base);
            }
            at = element.parent();
        }
        let mut base = self.base.clone();
        for text in bases.into_iter().rev() {
            let joined = match &base {
                Some(base) => base.join(text.trim()).ok(),
                None => Url::parse(text.trim()).ok(),
            };
            let is_web = |url: &Url| matches!(url.scheme(), "http" | "https" | "ftp" | "file");
            base = joined.filter(is_web).map(Arc::new).or(base);
        }
        base
    }

    /// The text construct of an element (RFC 4287 section 3.1, and how RSS does without one).
    fn html(&self, element: Element<'_>, default: Kind) -> Option<Html> {
        // Half a text is none: it would change with the next fetch.
        if !element.is_closed() {
            return None;
        }
        let base = self.base_of(element);
        let declared = element
            .attribute("type")
            .map(|kind| kind.trim().to_ascii_lowercase());
        let kind = match declared.as_deref() {
            Some("text" | "plain" | "text/plain") => Kind::Plain,
            Some("html" | "text/html") => Kind::Html,
            Some("xhtml" | "application/xhtml+xml") => Kind::Xhtml,
            Some(kind) if kind.ends_with("xml") => Kind::Xhtml,
            _ => default,
        };
        let html = if element.attribute("mode").as_deref() == Some("base64") {
            let text: String = element.text().split_whitespace().collect();
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(text)
                .ok()?;
            Html::clean(&String::from_utf8_lossy(&bytes), base)
        } else if element.has_elements() {
            // It said that it was escaped, but it is not.
            Html::clean(&element.markup(), base)
        } else {
            let text = element.text();
            match kind {
                Kind::Plain if self.is_atom || !looks_like_html(&text) => Html::from_text(&text),
                Kind::Xhtml => Html::clean(&element.markup(), base),
                Kind::Plain | Kind::Html => Html::clean(&text, base),
            }
        };
        Some(html)
    }
}

/// A value of which several elements may be the source, some better than others.
#[derive(Default)]
struct Ranked {
    best: Option<u8>,
    value: Option<Html>,
}

impl Ranked {
    /// Offers a value of the `rank`; the lowest rank stays, of equals the first.
    fn offer(&mut self, rank: u8, value: impl FnOnce() -> Option<Html>) {
        if self.best.is_none_or(|best| rank < best)
            && let Some(value) = value()
        {
            // Nothing is better than an empty one, but it may stand for want of another.
            self.best = Some(if value.is_empty() { u8::MAX } else { rank });
            self.value = Some(value);
        }
    }
}

/// The addresses that an entry may be found at.
#[derive(Default)]
struct Links {
    page: Option<String>,
    permalink: Option<String>,
    other: Option<String>,
}

impl Links {
    fn best(self) -> Option<String> {
        self.page.or(self.permalink).or(self.other)
    }
}

/// The pictures of an entry.
#[derive(Default)]
struct Media {
    thumbnail: Option<String>,
    image: Option<String>,
    itunes: Option<String>,
    core: Option<String>,
    enclosure: Option<String>,
}

impl Media {
    fn best(self) -> Option<String> {
        self.thumbnail
            .or(self.itunes)
            .or(self.core)
            .or(self.image)
            .or(self.enclosure)
    }
}

fn trimmed(text: impl AsRef<str>) -> String {
    text.as_ref().trim().to_owned()
}

/// The whole text of an element; half of one is none, as it would change with the next fetch.
fn text(element: Element<'_>) -> Option<String> {
    let text = element.is_closed().then(|| element.text())?;
    Some(trimmed(text)).filter(|text| !text.is_empty())
}

fn attribute_text(element: Element<'_>, name: &str) -> Option<String> {
    element
        .attribute(name)
        .map(trimmed)
        .filter(|text| !text.is_empty())
}

fn attribute_date(element: Element<'_>, name: &str) -> Option<chrono::DateTime<chrono::Utc>> {
    parse_date(&element.attribute(name)?)
}

fn date(element: Element<'_>) -> Option<chrono::DateTime<chrono::Utc>> {
    parse_date(&text(element)?)
}

fn person(element: Element<'_>) -> Option<Person> {
    if !element.has_elements() {
        let text = Html::clean(&text(element)?, None).into_text();
        return Person::from_text(&text);
    }
    let field = |names: &[&str]| {
        let child = element
            .children()
            .find(|child| names.contains(&child.name().1))?;
        Some(Html::clean(&text(child)?, None).into_text())
    };
    let person = Person {
        name: field(&["name"]),
        email: field(&["email"]),
    };
    (person.name.is_some() || person.email.is_some()).then_some(person)
}

fn add_categories(element: Element<'_>, categories: &mut Vec<String>) {
    let mut add = |term: &str| {
        let term = Html::clean(term, None).into_text();
        if !term.is_empty() && !categories.contains(&term) && categories.len() < 50 {
            categories.push(term);
        }
    };
    match element.name() {
        (V::Core | V::Media | V::Itunes, "category") | (V::Dc, "subject") => {
            let attribute = ["term", "label", "text"]
                .iter()
                .find_map(|name| element.attribute(name));
            if let Some(term) = attribute.filter(|term| !term.is_empty()) {
                add(&term);
            } else if let Some(term) = text(element) {
                add(&term);
            }
            for child in element.children() {
                add_categories(child, categories);
            }
        }
        (V::Core | V::Media | V::Itunes, "keywords" | "tags") => {
            for term in text(element).unwrap_or_default().split(',') {
                add(term);
            }
        }
        _ => {}
    }
}

fn skips(element: Element<'_>, pace: &mut Pace) {
    const DAYS: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    for child in element.children() {
        let value = text(child).unwrap_or_default().to_ascii_lowercase();
        match child.name().1 {
            "hour" => {
                if let Ok(hour) = value.parse::<u32>() {
                    pace.skip_hours |= 1 << (hour % 24);
                }
            }
            "day" => {
                if let Some(day) = DAYS.iter().position(|day| *day == value) {
                    pace.skip_days |= 1 << day;
                }
            }
            _ => {}
        }
    }
}

/// The language that `xml:lang` gives an element or what it is in.
fn language_above(element: Element<'_>) -> Option<String> {
    let chain = std::iter::successors(Some(element), |element| element.parent());
    chain.map(own_language).find_map(std::convert::identity)
}

fn own_language(element: Element<'_>) -> Option<String> {
    element
        .attribute("xml:lang")
        .or_else(|| element.attribute("lang"))
        .map(|tag| tag.trim().replace('_', "-"))
        .filter(|language| !language.is_empty())
}

fn is_page_type(kind: impl AsRef<str>) -> bool {
    let kind = kind.as_ref().trim().to_ascii_lowercase();
    kind.is_empty() || kind.starts_with("text/") || kind.contains("html")
}

fn is_text_type(kind: &str) -> bool {
    let kind = kind.trim().to_ascii_lowercase();
    !kind.contains('/') || kind.starts_with("text/") || kind.ends_with("xml")
}

/// Whether a file is a picture: it says so, or says nothing and is called like one.
fn is_image(element: Element<'_>) -> bool {
    let says = |name: &str, what: &str| {
        element
            .attribute(name)
            .is_some_and(|value| value.starts_with(what))
    };
    let is_called_so = || {
        let url = element
            .attribute("url")
            .unwrap_or_default()
            .to_ascii_lowercase();
        let path = url.split(['?', '#']).next().unwrap_or_default();
        [".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif"]
            .iter()
            .any(|end| path.ends_with(end))
    };
    let says_nothing = element.attribute("type").is_none() && element.attribute("medium").is_none();
    says("type", "image/") || says("medium", "image") || (says_nothing && is_called_so())
}

fn looks_like_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        || text.starts_with('/')
}

/// Whether a text that should be plain is HTML all the same, as RSS titles often are: it has an end tag or a
/// reference, and nothing in angle brackets that HTML does not know. In doubt it is not, as that loses no text.
fn looks_like_html(text: &str) -> bool {
    if !text.contains(['<', '&']) {
        return false;
    }
    let mut says_so = false;
    for (at, _) in text.match_indices('<') {
        let rest = &text[at + 1..];
        let is_end = rest.starts_with('/');
        let rest = &rest[usize::from(is_end)..];
        let name = &rest[..rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len())];
        if name.is_empty() {
            continue;
        }
        if !Html::is_element(&name.to_ascii_lowercase()) {
            return false;
        }
        says_so |= is_end || matches!(name, "br" | "img" | "hr" | "BR" | "IMG" | "HR");
    }
    says_so || super::xml::unescape(text) != text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::parse::parse;

    fn read(source: &str) -> Document {
        let base = Url::parse("https://example.org/feeds/all.xml").unwrap();
        parse(source.as_bytes(), None, Some(&base)).unwrap()
    }

    fn entry(fields: &str) -> Entry {
        let mut document = read(&format!(
            "<rss><channel><item>{fields}</item></channel></rss>"
        ));
        document.entries.remove(0)
    }

    fn titles(source: &str) -> Vec<String> {
        let entries = read(source).entries;
        entries
            .into_iter()
            .map(|entry| entry.title.map(Html::into_text).unwrap_or_default())
            .collect()
    }

    #[test]
    fn every_version_of_rss_and_atom_is_read() {
        let item = "<item><title>A</title><link>/a</link></item>";
        for source in [
            format!("<rss><channel><title>F</title>{item}</channel></rss>"),
            format!("<RSS version='2'><Channel><Title>F</Title>{item}</Channel></RSS>"),
            format!("<rss version='0.94' xmlns='http://backend.userland.com/rss2'><channel>{item}</channel></rss>"),
            format!("<rdf:RDF xmlns='http://purl.org/rss/1.0/'><channel><title>F</title></channel>{item}</rdf:RDF>"),
            format!("<rdf:RDF xmlns='http://channel.netscape.com/rdf/simple/0.9/'>{item}</rdf:RDF>"),
            "<feed xmlns='http://www.w3.org/2005/Atom'><entry><title>A</title><link href='../a'/></entry></feed>".to_owned(),
            "<feed version='0.3' xmlns='http://purl.org/atom/ns#'><entry><title mode='base64'>QQ==</title><link href='/a'/></entry></feed>".to_owned(),
            "<a:feed xmlns:a='http://www.w3.org/2005/Atom'><a:entry><a:title>A</a:title><a:link href='/a'/></a:entry></a:feed>".to_owned(),
            "<entry xmlns='http://www.w3.org/2005/Atom'><title>A</title><link href='/a'/></entry>".to_owned(),
            format!("<!DOCTYPE html><html><body><rss><channel>{item}</channel></rss></body></html>"),
            format!("junk <?xml version='1.0'?><rss><channel>{item}</channel></rss> more junk"),
            "{\"version\":\"https://jsonfeed.org/version/1\",\"items\":[{\"id\":1,\"title\":\"A\",\"url\":\"/a\",\"summary\":null}]}".to_owned(),
        ] {
            let document = read(&source);
            assert_eq!(titles(&source), ["A"], "{source}");
            assert_eq!(document.entries[0].url.as_deref(), Some("https://example.org/a"), "{source}");
        }
    }

    #[test]
    fn a_broken_feed_keeps_what_was_whole() {
        for source in [
            "<rss><channel><item><title>A & B</title></item><item><title>C</title></item></channel></rss>",
            "<rss><channel><item><title>A & B</title></item><item><title>C</title><link>https://exam",
            "<rss><channel><item><title>A & B</title><br><description>x</item><item><title>C</title></rss>",
            "<rss><channel><item><title>A &amp; B<item><title>C</title></item></channel></rss>",
            "<rss><channel><cloud domain='x><item><title>A & B</title></item><item><title>C</title></item></channel></rss>",
        ] {
            assert_eq!(titles(source), ["A & B", "C"], "{source}");
        }
        let cut = read("<rss><channel><item><title>Half a tit");
        assert!(cut.entries[0].title.is_none());
    }

    #[test]
    fn what_is_no_feed_is_said_to_be_none() {
        let error = |source: &str| {
            parse(source.as_bytes(), None, None)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            error("<!doctype html><html><title>x</title></html>"),
            "it is an HTML page"
        );
        assert_eq!(error("  "), "it is empty");
        assert_eq!(error("hello"), "it has no element of RSS or Atom in it");
        assert_eq!(error("{\"a\":1}"), "it is JSON, but no JSON Feed");
        assert!(error("{\"a\":").contains("broken"));
    }

    #[test]
    fn texts_say_or_show_whether_they_are_html() {
        let markup = |html: Option<Html>| html.unwrap().markup();
        let title = |text: &str| markup(entry(&format!("<title>{text}</title>")).title);
        assert_eq!(title("AT&amp;amp;T"), "AT&amp;T");
        assert_eq!(title("a &lt;b&gt;bold&lt;/b&gt; one"), "a <b>bold</b> one");
        assert_eq!(title("the &lt;div&gt; element"), "the &lt;div&gt; element");
        assert_eq!(title("f&lt;T&gt;(x)&lt;/T&gt;"), "f&lt;T&gt;(x)&lt;/T&gt;");
        let atom = |attributes: &str, text: &str| {
            let source = format!(
                "<feed xmlns='http://www.w3.org/2005/Atom'><entry><summary {attributes}>{text}</summary></entry></feed>"
            );
            markup(read(&source).entries.remove(0).summary)
        };
        assert_eq!(atom("", "&lt;b&gt;x&lt;/b&gt;"), "&lt;b&gt;x&lt;/b&gt;");
        assert_eq!(atom("type='html'", "&lt;b&gt;x&lt;/b&gt;"), "<b>x</b>");
        assert_eq!(
            atom(
                "type='xhtml'",
                "<div xmlns='http://www.w3.org/1999/xhtml'><p onclick='x'>1 &lt; 2</p></div>"
            ),
            "<div><p>1 &lt; 2</p></div>"
        );
        assert_eq!(
            atom("type='html'", "<p>not escaped</p>"),
            "<p>not escaped</p>"
        );
        assert_eq!(
            atom(
                "xml:base='/b/' type='html'",
                "&lt;a href='c'&gt;x&lt;/a&gt;"
            ),
            "<a href=\"https://example.org/b/c\">x</a>"
        );
    }

    #[test]
    fn the_best_of_several_texts_is_taken() {
        let read = entry(
            "<media:title>M</media:title><title>T</title><dc:title>D</dc:title>            <description>Teaser</description><content:encoded>&lt;p&gt;All of it&lt;/p&gt;</content:encoded>",
        );
        assert_eq!(read.title.unwrap().text(), "T");
        assert_eq!(read.summary.unwrap().text(), "Teaser");
        assert_eq!(read.content.unwrap().text(), "All of it");
        let read = entry(
            "<media:group><media:title>M</media:title><media:description>Only this</media:description></media:group>",
        );
        assert_eq!(
            (read.title.unwrap().text(), read.summary.unwrap().text()),
            ("M", "Only this")
        );
    }

    #[test]
    fn addresses_of_an_entry_are_told_apart() {
        let url = |fields: &str| entry(fields).url;
        assert_eq!(
            url("<guid>https://example.org/p</guid>").as_deref(),
            Some("https://example.org/p")
        );
        assert_eq!(
            url("<guid isPermaLink='false'>https://example.org/p</guid>"),
            None
        );
        assert_eq!(url("<guid>tag:example.org,2026:1</guid>"), None);
        assert_eq!(url("<link>javascript:alert(1)</link>"), None);
        assert_eq!(url("<link rel='self' href='/s'/><link rel='alternate' type='application/json' href='/j'/><link href='/a'/>").as_deref(), Some("https://example.org/a"));
        let read = entry(
            "<link>https://r.example/1</link><feedburner:origLink>https://example.org/1</feedburner:origLink>",
        );
        assert_eq!(
            (read.url.as_deref(), read.original_url.as_deref()),
            (Some("https://r.example/1"), Some("https://example.org/1"))
        );
    }

    #[test]
    fn the_other_facts_of_an_entry_are_read() {
        let read = entry(
            "<pubDate>Fri, 20 Nov 2026 05:00:00 +0100</pubDate><dc:date>no date</dc:date><itunes:author>Anna</itunes:author>             <slash:comments>12</slash:comments><comments>/a#c</comments><wfw:commentRss>/a/feed</wfw:commentRss>             <category>KI</category><dc:subject>Recht</dc:subject><category>KI</category><dc:language>de_AT</dc:language>             <enclosure url='/e.jpg' type='image/jpeg'/><media:content url='/m.jpg' medium='image'/>             <source url='https://example.net/feed'>Der Bote</source>",
        );
        assert_eq!(
            read.published.unwrap().to_rfc3339(),
            "2026-11-20T04:00:00+00:00"
        );
        assert_eq!(read.updated, None);
        assert_eq!(read.author.unwrap().name.as_deref(), Some("Anna"));
        assert_eq!(read.comments_count, Some(12));
        assert_eq!(
            read.comments_url.as_deref(),
            Some("https://example.org/a#c")
        );
        assert_eq!(
            read.comments_feed.as_deref(),
            Some("https://example.org/a/feed")
        );
        assert_eq!(read.categories, ["KI", "Recht"]);
        assert_eq!(read.image.as_deref(), Some("https://example.org/m.jpg"));
        assert_eq!(read.enclosures, ["https://example.org/e.jpg"]);
        assert_eq!(read.source.as_deref(), Some("Der Bote"));
    }

    #[test]
    fn a_feed_says_how_often_it_wants_to_be_read() {
        let pace = read("<rss><channel><ttl>90</ttl><skipHours><hour>0</hour><hour>3</hour></skipHours><skipDays><day>Sunday</day></skipDays></channel></rss>").pace;
        assert_eq!(pace.minutes, Some(90));
        assert_eq!((pace.skip_hours, pace.skip_days), (0b1001, 0b100_0000));
    }

    #[test]
    fn the_language_of_an_entry_is_its_own_or_that_of_its_text() {
        let source = "<feed xml:lang='en' xmlns='http://www.w3.org/2005/Atom'><entry xml:lang='de_AT'><title>x</title></entry><entry><title>y</title></entry></feed>";
        let document = read(source);
        assert_eq!(document.language.as_deref(), Some("en"));
        assert_eq!(document.entries[0].language.as_deref(), Some("de-AT"));
        assert_eq!(document.entries[1].language, None);
    }
}
