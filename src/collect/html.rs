//! HTML from outside becomes a safe fragment and its text here, once, for every field.
//!
//! It goes through html5ever's *tokenizer* only: that builds no tree, so it is linear in the input and cannot be
//! driven into the quadratic work or the stack overflow that deep nesting causes in tree-based sanitisers. The
//! fragment is written anew, tag by tag from a list of harmless ones, every text and value escaped: what a
//! browser makes of it does not depend on how the source was broken.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use url::Url;

use super::clean::plain_text;

/// How much of one text is read. A feed that ships whole books costs no more than this for each.
const MAX_SOURCE: usize = 500_000;

/// Longer addresses are none.
const MAX_ADDRESS: usize = 4_000;

/// How many elements may be open at a time; deeper ones are left out, their text is not.
const MAX_DEPTH: usize = 64;

/// A fragment of HTML from outside that only shows its safe side: its text, or its mark-up without scripts, styles, forms
/// and tracking pixels, with nothing that loads or runs but images, and links absolute where a base is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Html {
    source: Source,
    text: String,
    image: Option<String>,
}

/// What a fragment was made of. Items need its text only, so the mark-up is written when somebody asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Text(String),
    Html(String, Option<Arc<Url>>),
}

impl Default for Source {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Html {
    /// Cleans `source`. Relative addresses are resolved against `base`.
    pub fn clean(source: &str, base: Option<Arc<Url>>) -> Self {
        let source = &source[..source.floor_char_boundary(MAX_SOURCE)];
        if !source.contains(['<', '&']) {
            return Self::from_text(source);
        }
        let source = mend(source);
        let Writer { text, image, .. } = write(&source, base.as_deref(), Purpose::Text);
        Self {
            source: Source::Html(source.into_owned(), base),
            text: plain_text(&text),
            image,
        }
    }

    /// The fragment for a plain text.
    pub fn from_text(text: &str) -> Self {
        let text = text[..text.floor_char_boundary(MAX_SOURCE)].trim();
        Self {
            source: Source::Text(text.to_owned()),
            text: plain_text(text),
            image: None,
        }
    }

    /// The safe mark-up.
    pub fn markup(&self) -> String {
        match &self.source {
            Source::Text(text) => {
                let mut markup = String::with_capacity(text.len());
                escape(text, &mut markup);
                markup.trim().to_owned()
            }
            Source::Html(source, base) => {
                let mut writer = write(source, base.as_deref(), Purpose::Markup);
                writer.close_down_to(0);
                writer.markup.trim().to_owned()
            }
        }
    }

    /// Its text on one line: tags gone, references resolved, white space folded, control and
    /// bidirectional-override characters out.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text alone.
    pub fn into_text(self) -> String {
        self.text
    }

    /// The address of its first image.
    pub fn image(&self) -> Option<&str> {
        self.image.as_deref()
    }

    /// Whether `name`, in lower case, is an element of HTML that a text may have.
    pub(super) fn is_element(name: &str) -> bool {
        harmless(name).is_some()
            || matches!(
                name,
                "font" | "script" | "style" | "iframe" | "embed" | "object"
            )
    }

    /// Whether there is nothing to see.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.image.is_none()
    }
}

/// What is wanted of a source.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
enum Purpose {
    #[default]
    Text,
    Markup,
}

fn write<'a>(source: &'a str, base: Option<&Url>, purpose: Purpose) -> Writer<'a> {
    let mut writer = Writer {
        purpose,
        source,
        bases: base.map(|base| (0, base.clone())).into_iter().collect(),
        ..Writer::default()
    };
    match purpose {
        Purpose::Text => writer.text.reserve(source.len()),
        Purpose::Markup => writer.markup.reserve(source.len()),
    }
    let tokenizer = Tokenizer::new(Sink(RefCell::new(writer)), TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(source));
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.into_inner()
}

struct Sink<'a>(RefCell<Writer<'a>>);

#[derive(Default)]
struct Writer<'a> {
    purpose: Purpose,
    source: &'a str,
    /// How many end tags are left of the elements that hide what is in them.
    ends: HashMap<&'static str, usize>,
    markup: String,
    text: String,
    image: Option<String>,
    /// The harmless elements that are open.
    open: Vec<&'static str>,
    /// How many elements are open that were too deep.
    unseen: usize,
    /// Base addresses, each with the depth from which it counts.
    bases: Vec<(usize, Url)>,
    /// The element whose content nobody should read, while we are inside of it.
    hidden: Option<&'static str>,
}

impl TokenSink for Sink<'_> {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut writer = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(characters) if writer.hidden.is_none() => match writer.purpose {
                Purpose::Text => writer.text.push_str(&characters),
                Purpose::Markup => escape(&characters, &mut writer.markup),
            },
            Token::TagToken(tag) => return writer.tag(&tag),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Writer<'_> {
    fn tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        // `xhtml:p` and `h:p` are `p`.
        let name = tag.name.rsplit(':').next().unwrap_or_default();
        if tag.kind == TagKind::EndTag && self.hidden == Some(name) {
            self.hidden = None;
        }
        if self.hidden.is_some() {
            return TokenSinkResult::Continue;
        }
        if self.purpose == Purpose::Text && !is_inline(name) {
            self.text.push(' ');
        }
        match tag.kind {
            TagKind::StartTag => self.start(name, tag),
            TagKind::EndTag => {
                self.end(name);
                TokenSinkResult::Continue
            }
        }
    }

    fn start(&mut self, name: &str, tag: &Tag) -> TokenSinkResult<()> {
        if let Some((name, raw)) = hiding(name) {
            if !tag.self_closing && self.closes(name) {
                self.hidden = Some(name);
                if let Some(kind) = raw {
                    return TokenSinkResult::RawData(kind);
                }
            }
            return TokenSinkResult::Continue;
        }
        let Some(name) = harmless(name) else {
            return TokenSinkResult::Continue;
        };
        if name == "img" {
            self.image(tag);
            return TokenSinkResult::Continue;
        }
        if self.purpose == Purpose::Text {
            return TokenSinkResult::Continue;
        }
        if matches!(name, "br" | "hr" | "wbr" | "col") {
            self.markup.push('<');
            self.markup.push_str(name);
            self.markup.push_str(" />");
            return TokenSinkResult::Continue;
        }
        // One of these ends the one before it.
        if matches!(name, "p" | "li" | "dt" | "dd" | "td" | "th" | "tr")
            && self.open.last() == Some(&name)
        {
            self.end(name);
        }
        if self.open.len() >= MAX_DEPTH {
            self.unseen += usize::from(!tag.self_closing);
            return TokenSinkResult::Continue;
        }
        if let Some(base) = attribute(tag, "xml:base").filter(|base| base.len() <= 2_000)
            && let Some(base) = self.resolve(base).and_then(|base| Url::parse(&base).ok())
        {
            self.bases.push((self.open.len() + 1, base));
        }
        self.markup.push('<');
        self.markup.push_str(name);
        if name == "a"
            && let Some(address) = attribute(tag, "href").and_then(|address| self.resolve(address))
        {
            self.write_attribute("href", &address);
        }
        for key in ["title", "colspan", "rowspan", "dir", "lang"] {
            if let Some(value) = attribute(tag, key) {
                self.write_attribute(key, value);
            }
        }
        self.markup.push('>');
        self.open.push(name);
        if tag.self_closing {
            self.end(name);
        }
        TokenSinkResult::Continue
    }

    fn end(&mut self, name: &str) {
        if self.unseen > 0 && harmless(name).is_some() {
            self.unseen -= 1;
            return;
        }
        let Some(place) = self.open.iter().rposition(|open| *open == name) else {
            return;
        };
        self.close_down_to(place);
    }

    fn close_down_to(&mut self, place: usize) {
        while self.open.len() > place {
            if let Some(open) = self.open.pop() {
                self.markup.push_str("</");
                self.markup.push_str(open);
                self.markup.push('>');
            }
        }
        let depth = self.open.len();
        while self.bases.last().is_some_and(|(from, _)| *from > depth) {
            self.bases.pop();
        }
    }

    fn image(&mut self, tag: &Tag) {
        if self.purpose == Purpose::Text && self.image.is_some() {
            return;
        }
        let Some(source) = attribute(tag, "src").and_then(|source| self.resolve(source)) else {
            return;
        };
        // A picture comes from the web or from nowhere.
        let is_from_elsewhere =
            Url::parse(&source).is_ok_and(|url| !matches!(url.scheme(), "http" | "https"));
        if is_from_elsewhere || is_tracking_pixel(tag, &source) {
            return;
        }
        if self.purpose == Purpose::Text {
            self.image = Some(source).filter(|source| source.starts_with("http"));
            return;
        }
        self.markup.push_str("<img");
        self.write_attribute("src", &source);
        for key in ["alt", "title", "width", "height"] {
            if let Some(value) = attribute(tag, key) {
                self.write_attribute(key, value);
            }
        }
        self.markup.push_str(" />");
    }

    fn write_attribute(&mut self, key: &str, value: &str) {
        self.markup.push(' ');
        self.markup.push_str(key);
        self.markup.push_str("=\"");
        escape(value, &mut self.markup);
        self.markup.push('"');
    }

    fn resolve(&self, address: &str) -> Option<String> {
        safe_address(address, self.bases.last().map(|(_, base)| base))
    }

    /// Whether an end tag is left for this start tag: without one, everything behind it would be hidden.
    fn closes(&mut self, name: &'static str) -> bool {
        let source = self.source;
        let left = self.ends.entry(name).or_insert_with(|| {
            let lower = source.to_ascii_lowercase();
            let ends = lower.match_indices("</").filter(|(at, _)| {
                let rest = lower[at + 2..].strip_prefix(name);
                rest.is_some_and(|rest| rest.starts_with(['>', '/', ' ', '\n', '\t']))
            });
            ends.count()
        });
        let closes = *left > 0;
        *left = left.saturating_sub(1);
        closes
    }
}

/// The elements whose content is not for people, each with how its content is to be tokenised.
fn hiding(name: &str) -> Option<(&'static str, Option<RawKind>)> {
    Some(match name {
        "script" => ("script", Some(RawKind::ScriptData)),
        "style" => ("style", Some(RawKind::Rawtext)),
        "iframe" => ("iframe", Some(RawKind::Rawtext)),
        "noembed" => ("noembed", Some(RawKind::Rawtext)),
        "noframes" => ("noframes", Some(RawKind::Rawtext)),
        "xmp" => ("xmp", Some(RawKind::Rawtext)),
        "textarea" => ("textarea", Some(RawKind::Rcdata)),
        "title" => ("title", Some(RawKind::Rcdata)),
        "applet" => ("applet", None),
        "object" => ("object", None),
        "svg" => ("svg", None),
        "math" => ("math", None),
        "noscript" => ("noscript", None),
        "select" => ("select", None),
        _ => return None,
    })
}

/// Longer tags are left out: the work on one is more than linear in its attributes, and nobody writes them by hand.
const MAX_TAG: usize = 50_000;

/// Takes apart what only looks like mark-up, so that it hides nothing: comments and declarations without an end, and a `<`
/// before what is no element of HTML (`x<y`, `Vec<T>`).
fn mend(source: &str) -> Cow<'_, str> {
    let (last_comment_end, last_tag_end) = (source.rfind("-->"), source.rfind('>'));
    let mut mended = String::new();
    let (mut from, mut tag_end) = (0, 0);
    for (at, _) in source.match_indices('<') {
        if at < from {
            continue;
        }
        let rest = &source[at + 1..];
        let is_before = |end: Option<usize>| end.is_some_and(|end| at < end);
        let (put, skipped) = if rest.starts_with("!--") {
            // Without its end, one is hidden up to the next tag end, as browsers once did.
            if is_before(last_comment_end) {
                continue;
            }
            ("<!", 4)
        } else if let Some(declaration) = rest.strip_prefix('!') {
            let is_one = declaration.starts_with(|c: char| c.is_ascii_alphabetic() || c == '[');
            if is_one && is_before(last_tag_end) {
                continue;
            }
            ("&lt;!", 2)
        } else if is_no_tag(rest) {
            ("&lt;", 1)
        } else {
            // The search only goes forward: each end is found once.
            if tag_end <= at {
                let end = source[at..].find('>');
                tag_end = end.map_or(source.len(), |length| at + length + 1);
            }
            if tag_end - at <= MAX_TAG {
                continue;
            }
            ("", tag_end - at)
        };
        mended.push_str(&source[from..at]);
        mended.push_str(put);
        from = at + skipped;
    }
    if from == 0 {
        return Cow::Borrowed(source);
    }
    mended.push_str(&source[from..]);
    Cow::Owned(mended)
}

/// Whether what follows a `<` begins with a word that is no element of HTML, of today or of old.
fn is_no_tag(rest: &str) -> bool {
    const OTHERS: &[&str] = &[
        "animate",
        "applet",
        "area",
        "audio",
        "base",
        "basefont",
        "bgsound",
        "blink",
        "body",
        "button",
        "canvas",
        "circle",
        "command",
        "data",
        "datagrid",
        "datalist",
        "defs",
        "dialog",
        "dir",
        "ellipse",
        "embed",
        "event",
        "fieldset",
        "font",
        "form",
        "frame",
        "frameset",
        "g",
        "head",
        "hgroup",
        "html",
        "iframe",
        "image",
        "input",
        "isindex",
        "keygen",
        "label",
        "layer",
        "legend",
        "line",
        "link",
        "listing",
        "map",
        "marquee",
        "math",
        "menu",
        "menuitem",
        "meta",
        "meter",
        "multicol",
        "nav",
        "nextid",
        "nobr",
        "noembed",
        "noframes",
        "noscript",
        "object",
        "optgroup",
        "option",
        "output",
        "param",
        "path",
        "picture",
        "plaintext",
        "polygon",
        "portal",
        "progress",
        "rect",
        "script",
        "search",
        "select",
        "slot",
        "sound",
        "source",
        "spacer",
        "style",
        "svg",
        "switch",
        "template",
        "text",
        "textarea",
        "title",
        "track",
        "tspan",
        "use",
        "video",
        "xml",
        "xmp",
        "xss",
    ];
    let name = rest.strip_prefix('/').unwrap_or(rest);
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'_');
    let length = name
        .bytes()
        .position(|byte| !is_part(byte))
        .unwrap_or(name.len());
    // No element has a longer name; those with a hyphen or a prefix are somebody's own.
    let Some(name) = name
        .get(..length.min(40))
        .filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
    else {
        return false;
    };
    // Nearly all of them are.
    if harmless(name).is_some() {
        return false;
    }
    let name = name.to_ascii_lowercase();
    !name.contains(['-', ':'])
        && harmless(&name).is_none()
        && OTHERS.binary_search(&name.as_str()).is_err()
}

fn attribute<'t>(tag: &'t Tag, name: &str) -> Option<&'t str> {
    tag.attrs
        .iter()
        .find(|attribute| &*attribute.name.local == name)
        .map(|attribute| &*attribute.value)
}

fn escape(text: &str, markup: &mut String) {
    let is_special = |byte: &u8| matches!(byte, b'&' | b'<' | b'>' | b'"' | 0..=8 | 11..=31 | 127);
    let mut from = 0;
    while let Some(length) = text.as_bytes()[from..].iter().position(is_special) {
        let at = from + length;
        markup.push_str(&text[from..at]);
        markup.push_str(match text.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            // Control characters mean nothing, but for the line ends and tabs that `pre` has.
            _ => "",
        });
        from = at + 1;
    }
    markup.push_str(&text[from..]);
}

/// An address that may stand in a link: absolute where `base` is known, of a scheme that runs nothing.
pub(super) fn safe_address(address: &str, base: Option<&Url>) -> Option<String> {
    const SCHEMES: &[&str] = &[
        "http", "https", "mailto", "ftp", "sftp", "tel", "sms", "xmpp", "irc", "ircs", "news",
        "nntp", "magnet", "matrix", "geo", "callto", "gopher", "gemini", "urn", "tag", "webcal",
        "acct", "sip", "sips", "aim", "git", "svn", "rsync", "rtsp", "rtspu", "ssh", "telnet",
        "ed2k", "hdl", "imap", "mms", "prospero", "shttp", "snews", "wais",
    ];
    // Browsers ignore these inside of a scheme.
    let address: String = address
        .trim_matches(|c: char| c.is_whitespace() || c.is_control())
        .chars()
        .filter(|c| !matches!(c, '\t' | '\n' | '\r' | '\0'))
        .collect();
    if address.is_empty() || address.len() > MAX_ADDRESS {
        return None;
    }
    match Url::parse(&address) {
        Ok(url) if SCHEMES.contains(&url.scheme()) => Some(address),
        Ok(_) => None,
        Err(url::ParseError::RelativeUrlWithoutBase) => match base {
            Some(base) => base
                .join(&address)
                .ok()
                .map(String::from)
                .filter(|url| url.len() <= MAX_ADDRESS),
            None => Some(address),
        },
        // A scheme that we do not know how to read is none that we let through.
        Err(_) => {
            let scheme = address
                .split([':', '/', '?', '#'])
                .next()
                .unwrap_or_default();
            (SCHEMES.contains(&scheme.to_ascii_lowercase().as_str())).then_some(address)
        }
    }
}

/// Images that nobody sees and that only tell who reads.
fn is_tracking_pixel(tag: &Tag, source: &str) -> bool {
    const COUNTERS: &[&str] = &[
        "feedburner.com/~r/",
        "feedburner.com/~ff/",
        "feedsportal.com/",
        "pixel.wp.com/",
        "stats.wordpress.com/",
        "doubleclick.net/",
        "vgwort.de/",
        "google-analytics.com/",
        "statcounter.com/",
        "scorecardresearch.com/",
    ];
    let is_dot = |key| {
        attribute(tag, key)
            .is_some_and(|value| matches!(value.trim().trim_end_matches("px"), "0" | "1"))
    };
    (is_dot("width") && is_dot("height")) || COUNTERS.iter().any(|counter| source.contains(counter))
}

/// The harmless elements: structure and emphasis, images, links and tables.
fn harmless(name: &str) -> Option<&'static str> {
    const HARMLESS: &[&str] = &[
        "a",
        "abbr",
        "acronym",
        "address",
        "article",
        "aside",
        "b",
        "bdi",
        "bdo",
        "big",
        "blockquote",
        "br",
        "caption",
        "center",
        "cite",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "details",
        "dfn",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "footer",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "i",
        "img",
        "ins",
        "kbd",
        "li",
        "main",
        "mark",
        "ol",
        "p",
        "pre",
        "q",
        "rp",
        "rt",
        "ruby",
        "s",
        "samp",
        "section",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "time",
        "tr",
        "tt",
        "u",
        "ul",
        "var",
        "wbr",
    ];
    HARMLESS.binary_search(&name).ok().map(|at| HARMLESS[at])
}

/// Elements that do not break a word: `H<sub>2</sub>O` is one.
pub(super) fn is_inline(name: &str) -> bool {
    matches!(
        name,
        "a" | "abbr"
            | "acronym"
            | "b"
            | "bdi"
            | "bdo"
            | "big"
            | "cite"
            | "code"
            | "del"
            | "dfn"
            | "em"
            | "font"
            | "i"
            | "ins"
            | "kbd"
            | "mark"
            | "q"
            | "s"
            | "samp"
            | "small"
            | "span"
            | "strike"
            | "strong"
            | "sub"
            | "sup"
            | "tt"
            | "u"
            | "var"
            | "wbr"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::is_unwanted;

    fn text(html: &str) -> String {
        Html::clean(html, None).into_text()
    }

    fn markup(html: &str) -> String {
        let base = Url::parse("https://example.org/a/").unwrap();
        Html::clean(html, Some(Arc::new(base))).markup()
    }

    #[test]
    fn mark_up_becomes_text() {
        for (html, plain) in [
            ("<p>One</p><p>Two &amp; three</p>", "One Two & three"),
            ("H<sub>2</sub>O<br>and&nbsp;more", "H2O and more"),
            ("a<script>alert('<b>x</b>')</script>b", "a b"),
            ("a<style>p{color:red}</style>b<!-- c -->d", "a bd"),
            ("<iframe src=x>fallback</iframe>z", "z"),
            ("a<iframe src=x>b", "a b"),
            (
                "Kündigung &Uuml;ber &#8222;KI&#8220;",
                "Kündigung Über „KI“",
            ),
            ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
            ("<img src=x onerror=alert(1)>Text", "Text"),
            ("cut off <a href=\"htt", "cut off"),
            ("Vec<T> und x<y, n<k > 3", "Vec<T> und x<y, n<k > 3"),
            (
                "<html><head><meta charset=utf-8><body><header>H</header><p>text</p>",
                "H text",
            ),
            (
                "a<iframe src=x></iframe>b <p>more</p><iframe src=y><p>tail</p>",
                "a b more tail",
            ),
        ] {
            assert_eq!(text(html), plain, "{html}");
        }
    }

    #[test]
    fn only_harmless_mark_up_is_left() {
        for (html, safe) in [
            ("<p onclick=x style='a:b'>a<p>b", "<p>a</p><p>b</p>"),
            (
                "<a href='b?c=1&d' onclick=x>t</a>",
                "<a href=\"https://example.org/a/b?c=1&amp;d\">t</a>",
            ),
            ("<a href='java\tscript:alert(1)'>t</a>", "<a>t</a>"),
            ("<a href='&#106;avascript:alert(1)'>t</a>", "<a>t</a>"),
            ("<a href='data:text/html,x'>t</a>", "<a>t</a>"),
            (
                "<img src='i.png' alt='\"><script>'>",
                "<img src=\"https://example.org/a/i.png\" alt=\"&quot;&gt;&lt;script&gt;\" />",
            ),
            ("a<img src=//t.example/p width=1 height=1>b", "ab"),
            ("<xhtml:b>x</xhtml:b><o:p>y</o:p>", "<b>x</b><p>y</p>"),
            ("<b>x</i></b></b>", "<b>x</b>"),
            ("<svg><script>x</script></svg>y", "y"),
            ("&lt;script&gt;", "&lt;script&gt;"),
            (
                "<div xml:base='/z/'><a href=q>1</a></div><a href=q>2</a>",
                "<div><a href=\"https://example.org/z/q\">1</a></div><a href=\"https://example.org/a/q\">2</a>",
            ),
        ] {
            assert_eq!(markup(html), safe, "{html}");
        }
    }

    #[test]
    fn a_hundred_thousand_nested_elements_are_linear_work() {
        let deep = "<div>".repeat(90_000) + "core" + &"</div>".repeat(5);
        assert_eq!(text(&deep), "core");
    }

    proptest! {
        #[test]
        fn cleaning_never_leaves_a_control_character(html in "\\PC*|(<[a-z/!]{0,5}|&[#a-z0-9;]{0,6}|[\\x00-\\x20]|[a-z]){0,40}") {
            let text = text(&html);
            prop_assert!(!text.chars().any(|c| c.is_control() || is_unwanted(c)));
            prop_assert_eq!(plain_text(&text), text);
        }

        #[test]
        fn what_was_cleaned_stays_as_it_is(html in "(<|>|/|a|b|p|script|style|img| href=| src=|javascript:|http://e.org/|'|\"|&|;|amp|x){0,40}") {
            let once = Html::clean(&html, None);
            let twice = Html::clean(&once.markup(), None);
            prop_assert_eq!(once.markup(), twice.markup());
        }
    }
}
