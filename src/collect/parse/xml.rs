//! A tree from XML that never fails.
//!
//! Feeds are written by templates that nobody validates: a bare `&` or `<`, a tag that is never closed, a body that
//! ends in the middle. A strict reader loses the whole feed over one of them. This one gives every text the
//! meaning that its writer must have had, and is linear: names and texts are slices of the source, attributes
//! are read when somebody asks for them, and what is nested deeper than any feed needs is text.

use std::borrow::Cow;

/// Elements deeper than this are not told apart from the text around them.
const MAX_DEPTH: usize = 200;

/// How many elements are read. A feed of 1,000 articles in XHTML has a fifth of them.
const MAX_ELEMENTS: usize = 500_000;

/// How many prefixes may be declared at a time; every element looks its own up among them.
const MAX_PREFIXES: usize = 200;

/// The vocabularies that feeds are written in. What has none of its own, in any of the dozen namespaces that
/// were ever given to RSS and Atom, is [`Core`](Self::Core).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::collect) enum Vocabulary {
    /// RSS of any version, and Atom.
    Core,
    Content,
    Dc,
    DcTerms,
    Feedburner,
    Itunes,
    Media,
    Rdf,
    Slash,
    Threading,
    Wfw,
    Xhtml,
    Other,
}

impl Vocabulary {
    /// By the address of a namespace; case and a slash at the end are often told wrong.
    fn of_namespace(address: &str) -> Option<Self> {
        let address = address.trim().to_ascii_lowercase();
        let address = address
            .trim_start_matches("https://")
            .trim_start_matches("http://")
            .trim_end_matches(['/', '#']);
        Some(match address {
            "www.w3.org/2005/atom"
            | "purl.org/atom/ns"
            | "purl.org/pie"
            | "purl.org/echo"
            | "purl.org/rss/1.0"
            | "purl.org/net/rss1.1"
            | "purl.org/rss/1.0/modules/rss091"
            | "my.netscape.com/rdf/simple/0.9"
            | "my.netscape.com/publish/formats/rss-0.91.dtd"
            | "channel.netscape.com/rdf/simple/0.9"
            | "blogs.law.harvard.edu/tech/rss"
            | "cyber.law.harvard.edu/rss"
            | "example.com/newformat"
            | "example.com/necho"
            | "uri/of/echo/namespace" => Self::Core,
            "purl.org/rss/1.0/modules/content" => Self::Content,
            "purl.org/dc/elements/1.1" | "purl.org/dc/elements/1.0" => Self::Dc,
            "purl.org/dc/terms" => Self::DcTerms,
            "rssnamespace.org/feedburner/ext/1.0" => Self::Feedburner,
            "search.yahoo.com/mrss" | "www.rssboard.org/media-rss" => Self::Media,
            "www.w3.org/1999/02/22-rdf-syntax-ns" => Self::Rdf,
            "purl.org/rss/1.0/modules/slash" => Self::Slash,
            "purl.org/syndication/thread/1.0" => Self::Threading,
            "wellformedweb.org/commentapi" => Self::Wfw,
            "www.w3.org/1999/xhtml" => Self::Xhtml,
            address if address.contains("backend.userland.com/rss") => Self::Core,
            address if address.ends_with("dtds/podcast-1.0.dtd") => Self::Itunes,
            _ => return None,
        })
    }

    /// By the prefix that everybody uses, for feeds that forget to declare it.
    fn of_prefix(prefix: &str) -> Self {
        match prefix.to_ascii_lowercase().as_str() {
            "" | "atom" | "atom10" | "a10" | "rss" | "rss10" | "rss091" => Self::Core,
            "content" => Self::Content,
            "dc" => Self::Dc,
            "dcterms" => Self::DcTerms,
            "feedburner" => Self::Feedburner,
            "itunes" => Self::Itunes,
            "media" => Self::Media,
            "rdf" => Self::Rdf,
            "slash" => Self::Slash,
            "thr" => Self::Threading,
            "wfw" => Self::Wfw,
            "xhtml" => Self::Xhtml,
            _ => Self::Other,
        }
    }
}

/// A document.
#[derive(Debug)]
pub(in crate::collect) struct Tree<'a> {
    source: &'a str,
    nodes: Vec<Node<'a>>,
}

#[derive(Debug)]
struct Node<'a> {
    vocabulary: Vocabulary,
    /// The name without prefix, in lower case.
    local: Cow<'a, str>,
    qualified: &'a str,
    /// What stands behind the name in the start tag.
    attributes: &'a str,
    parent: u32,
    first_child: u32,
    last_child: u32,
    next: u32,
    /// Where the content begins and ends in the source.
    inner: (u32, u32),
    closed: bool,
}

/// No node: the document itself is never anybody's child.
const NONE: u32 = 0;

/// One element of a [`Tree`].
#[derive(Debug, Clone, Copy)]
pub(in crate::collect) struct Element<'t> {
    tree: &'t Tree<'t>,
    id: u32,
}

impl<'a> Tree<'a> {
    /// Reads `source`, whatever it is.
    pub(in crate::collect) fn read(source: &'a str) -> Self {
        Reader::new(source).read()
    }

    /// Whether `word` stands anywhere in the source.
    pub(in crate::collect) fn mentions(&self, word: &str) -> bool {
        self.source.contains(word)
    }

    /// The elements of the document in the order in which they begin.
    pub(in crate::collect) fn elements(&self) -> impl Iterator<Item = Element<'_>> {
        let ids = 1..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        ids.map(|id| Element { tree: self, id })
    }
}

impl<'t> Element<'t> {
    fn node(self) -> &'t Node<'t> {
        &self.tree.nodes[self.id as usize]
    }

    /// The name: what it belongs to, and the rest in lower case.
    pub(in crate::collect) fn name(self) -> (Vocabulary, &'t str) {
        (self.node().vocabulary, &self.node().local)
    }

    pub(in crate::collect) fn parent(self) -> Option<Self> {
        let id = self.node().parent;
        (id != NONE).then_some(Self { id, ..self })
    }

    pub(in crate::collect) fn children(self) -> impl Iterator<Item = Self> {
        let at = move |id| (id != NONE).then_some(Self { id, ..self });
        std::iter::successors(at(self.node().first_child), move |child| {
            at(child.node().next)
        })
    }

    pub(in crate::collect) fn has_elements(self) -> bool {
        self.node().first_child != NONE
    }

    /// Whether the end of the element was seen. What was cut off is not to be trusted.
    pub(in crate::collect) fn is_closed(self) -> bool {
        self.node().closed
    }

    /// The value of the attribute `name`, with or without a prefix, in any case.
    pub(in crate::collect) fn attribute(self, name: &str) -> Option<Cow<'t, str>> {
        attributes(self.node().attributes)
            .find(|(key, _)| {
                key.eq_ignore_ascii_case(name)
                    || (!name.contains(':')
                        && !key.starts_with("xml")
                        && key
                            .rsplit_once(':')
                            .is_some_and(|(_, local)| local.eq_ignore_ascii_case(name)))
            })
            .map(|(_, value)| unescape(value))
    }

    /// The source of the content.
    pub(in crate::collect) fn inner(self) -> &'t str {
        let (start, end) = self.node().inner;
        &self.tree.source[start as usize..end as usize]
    }

    /// The text of the content: sections joined, references resolved once, elements left as they are written.
    pub(in crate::collect) fn text(self) -> Cow<'t, str> {
        let inner = self.inner();
        if !inner.contains('<') {
            return meant(unescape(inner));
        }
        let mut text = String::with_capacity(inner.len());
        each_section(inner, |section| match section {
            Section::Plain(plain) => text.push_str(&unescape(plain)),
            Section::Verbatim(verbatim) => text.push_str(verbatim),
        });
        meant(Cow::Owned(text))
    }

    /// The content as the mark-up that it is: its elements and references as written, its sections escaped.
    pub(in crate::collect) fn markup(self) -> Cow<'t, str> {
        let inner = self.inner();
        if !inner.contains("<!") {
            return meant(Cow::Borrowed(inner));
        }
        let mut markup = String::with_capacity(inner.len());
        each_section(inner, |section| match section {
            Section::Plain(plain) => markup.push_str(plain),
            Section::Verbatim(verbatim) => {
                html_escape::encode_text_to_string(verbatim, &mut markup);
            }
        });
        meant(Cow::Owned(markup))
    }
}

enum Section<'a> {
    Plain(&'a str),
    Verbatim(&'a str),
}

/// Takes a content apart: comments and processing instructions are left out.
fn each_section<'a>(inner: &'a str, mut found: impl FnMut(Section<'a>)) {
    let (mut begin, mut at) = (0, 0);
    let mut ends = Ends::default();
    while let Some(found_at) = inner[at..].find('<') {
        let open = at + found_at;
        let Some((body, end)) = ends.hidden(inner, open) else {
            at = open + 1;
            continue;
        };
        found(Section::Plain(&inner[begin..open]));
        if let Some(body) = body {
            found(Section::Verbatim(body));
        }
        (begin, at) = (end, end);
    }
    found(Section::Plain(&inner[begin..]));
}

/// Which kinds of section are known to have no end in what follows, so that nobody looks for it twice.
#[derive(Default)]
struct Ends {
    no_comment: bool,
    no_cdata: bool,
    no_instruction: bool,
    no_tag_end: bool,
    no_list_end: bool,
}

impl Ends {
    /// The section at `open` that holds no elements: the text of a CDATA section, nothing for a comment, an
    /// instruction or a declaration, and where it ends. A section without an end is not one.
    fn hidden<'a>(&mut self, source: &'a str, open: usize) -> Option<(Option<&'a str>, usize)> {
        let rest = &source[open..];
        let until = |missing: &mut bool, skip: usize, end: &str| {
            if *missing {
                return None;
            }
            let found = rest.get(skip..).and_then(|body| body.find(end));
            *missing = found.is_none();
            found.map(|length| (skip + length, open + skip + length + end.len()))
        };
        if rest.starts_with("<![CDATA[") {
            let found = until(&mut self.no_cdata, 9, "]]>");
            // Without an end, only the opening is taken away: the content then is mark-up.
            return Some(found.map_or((None, open + 9), |(stop, end)| (Some(&rest[9..stop]), end)));
        }
        if rest.starts_with("<!--") {
            let found = until(&mut self.no_comment, 4, "-->");
            return Some(found.map_or((None, open + 4), |(_, end)| (None, end)));
        }
        if rest.starts_with("<?") {
            let found = until(&mut self.no_instruction, 2, "?>");
            return found.map(|(_, end)| (None, end));
        }
        if rest.starts_with("]]>") || !rest.starts_with("<!") {
            return None;
        }
        // A declaration; a document type may have a list of others in brackets.
        let head = &rest[..rest[2..].find(['<', '>']).map_or(rest.len(), |at| at + 2)];
        let end = if head.contains('[') {
            until(&mut self.no_list_end, 2, "]>")
        } else {
            until(&mut self.no_tag_end, 2, ">")
        };
        let (_, end) = end?;
        Some((None, end))
    }
}

struct Reader<'a> {
    source: &'a str,
    nodes: Vec<Node<'a>>,
    /// The elements that are open, the document first.
    open: Vec<u32>,
    /// How many elements are open that have no node.
    unseen: usize,
    /// Declared prefixes: the element that declares it, the prefix, what it stands for.
    prefixes: Vec<(u32, &'a str, Vocabulary)>,
}

impl<'a> Reader<'a> {
    fn new(source: &'a str) -> Self {
        // Positions are 32 bits: no body is anywhere near that, but this must hold for any caller.
        let end = source.floor_char_boundary(u32::MAX as usize - 1);
        let source = &source[..end];
        let document = Node {
            vocabulary: Vocabulary::Other,
            local: Cow::Borrowed(""),
            qualified: "",
            attributes: "",
            parent: NONE,
            first_child: NONE,
            last_child: NONE,
            next: NONE,
            inner: (0, position(end)),
            closed: true,
        };
        Self {
            source,
            nodes: vec![document],
            open: vec![0],
            unseen: 0,
            prefixes: Vec::new(),
        }
    }

    fn read(mut self) -> Tree<'a> {
        let mut ends = Ends::default();
        let mut at = 0;
        while let Some(found) = self.source[at..].find('<') {
            let open = at + found;
            at = if let Some((_, end)) = ends.hidden(self.source, open) {
                end
            } else if let Some(tag) = Tag::read(self.source, open) {
                if tag.is_end {
                    self.end(tag.name, open);
                } else {
                    self.start(&tag);
                }
                tag.end
            } else {
                open + 1
            };
        }
        let end = self.source.len();
        while self.open.len() > 1 {
            self.close_last(end, false);
        }
        Tree {
            source: self.source,
            nodes: self.nodes,
        }
    }

    fn start(&mut self, tag: &Tag<'a>) {
        // Nobody nests items; a second one says that the end of the first is missing.
        if is_one_of(tag.name, &["item", "entry"]) {
            self.end(tag.name, tag.open);
        }
        if self.open.len() > MAX_DEPTH || self.nodes.len() >= MAX_ELEMENTS {
            self.unseen += usize::from(!tag.is_empty);
            return;
        }
        let id = position(self.nodes.len());
        if tag.attributes.contains("xmlns") {
            for (key, value) in attributes(tag.attributes) {
                let prefix = match key.strip_prefix("xmlns") {
                    Some("") => "",
                    Some(rest) if rest.starts_with(':') => &rest[1..],
                    _ => continue,
                };
                // An unknown namespace without a prefix is somebody's own idea of RSS.
                let vocabulary = Vocabulary::of_namespace(value)
                    .unwrap_or_else(|| Vocabulary::of_prefix(prefix));
                if self.prefixes.len() < MAX_PREFIXES {
                    self.prefixes.push((id, prefix, vocabulary));
                }
            }
        }
        let (prefix, local) = tag.name.split_once(':').unwrap_or(("", tag.name));
        let declared = self
            .prefixes
            .iter()
            .rev()
            .find(|(_, name, _)| *name == prefix);
        let vocabulary =
            declared.map_or_else(|| Vocabulary::of_prefix(prefix), |(.., known)| *known);
        let local = if local.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(local.to_ascii_lowercase())
        } else {
            Cow::Borrowed(local)
        };
        let parent = *self.open.last().unwrap_or(&0);
        let previous = self.nodes[parent as usize].last_child;
        if previous == NONE {
            self.nodes[parent as usize].first_child = id;
        } else {
            self.nodes[previous as usize].next = id;
        }
        self.nodes[parent as usize].last_child = id;
        self.nodes.push(Node {
            vocabulary,
            local,
            qualified: tag.name,
            attributes: tag.attributes,
            parent,
            first_child: NONE,
            last_child: NONE,
            next: NONE,
            inner: (position(tag.end), position(tag.end)),
            closed: false,
        });
        self.open.push(id);
        if tag.is_empty {
            self.close_last(tag.end, true);
        }
    }

    /// An end tag closes the innermost element of its name, and what was left open inside. Without such an
    /// element, it means nothing.
    fn end(&mut self, name: &str, at: usize) {
        let matching = self.open.iter().rposition(|id| {
            self.nodes[*id as usize]
                .qualified
                .eq_ignore_ascii_case(name)
        });
        let Some(matching) = matching.filter(|place| *place > 0) else {
            self.unseen = self.unseen.saturating_sub(1);
            return;
        };
        if self.unseen > 0 && matching + 1 == self.open.len() {
            // Most likely the end of one that has no node and the same name.
            if !is_one_of(name, &["item", "entry", "channel", "feed"]) {
                self.unseen -= 1;
                return;
            }
        }
        self.unseen = 0;
        while self.open.len() > matching {
            // Inside of a closed element, an unclosed one ends in good order: the template forgot its end tag.
            self.close_last(at, true);
        }
    }

    fn close_last(&mut self, at: usize, closed: bool) {
        if let Some(id) = self.open.pop() {
            let node = &mut self.nodes[id as usize];
            node.inner.1 = position(at).max(node.inner.0);
            node.closed = closed;
            while self.prefixes.last().is_some_and(|(owner, ..)| *owner == id) {
                self.prefixes.pop();
            }
        }
    }
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    let local = name.rsplit(':').next().unwrap_or(name);
    names.iter().any(|one| local.eq_ignore_ascii_case(one))
}

fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

struct Tag<'a> {
    open: usize,
    name: &'a str,
    attributes: &'a str,
    is_end: bool,
    is_empty: bool,
    /// Where the tag ends.
    end: usize,
}

impl<'a> Tag<'a> {
    /// The tag at `open`, if that is one: a name and its attributes up to `>`, with no other `<` on the way.
    fn read(source: &'a str, open: usize) -> Option<Self> {
        let bytes = source.as_bytes();
        let is_end = bytes.get(open + 1) == Some(&b'/');
        let start = open + 1 + usize::from(is_end);
        let first = *bytes.get(start)?;
        if !(first.is_ascii_alphabetic() || first == b'_' || first >= 0x80) {
            return None;
        }
        let name = name_at(source, start);
        let begin = start + name.len();
        let mut at = begin;
        loop {
            match *bytes.get(at)? {
                b'>' => break,
                b'<' => return None,
                b'=' => at = value_at(source, at + 1).1,
                _ => at += 1,
            }
        }
        let attributes = &source[begin..at];
        let without_slash = attributes.strip_suffix('/');
        Some(Self {
            open,
            name,
            attributes: without_slash.unwrap_or(attributes),
            is_end,
            is_empty: without_slash.is_some(),
            end: at + 1,
        })
    }
}

fn name_at(source: &str, start: usize) -> &str {
    let rest = &source[start..];
    let end = rest.bytes().position(|byte| {
        byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/' | b'=' | b'<' | b'"' | b'\'')
    });
    &rest[..end.unwrap_or(rest.len())]
}

/// The value behind a `=` at `start`, and where it ends. A quote that is not closed before the next tag was
/// never meant as one.
fn value_at(source: &str, start: usize) -> (&str, usize) {
    let rest = &source[start..];
    let blank = rest.len() - rest.trim_start().len();
    let value = &rest[blank..];
    if let Some(quote) = value
        .bytes()
        .next()
        .filter(|byte| matches!(byte, b'"' | b'\''))
    {
        let closing = value
            .bytes()
            .skip(1)
            .position(|byte| byte == quote || byte == b'<');
        if let Some(length) = closing
            && value.as_bytes()[1 + length] == quote
        {
            return (&value[1..=length], start + blank + length + 2);
        }
    }
    let end = value
        .bytes()
        .position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'<'))
        .unwrap_or(value.len());
    // The slash of an empty element is no part of an unquoted value, but that of an address is.
    let slash = value[..end].ends_with('/') && value[end..].starts_with('>');
    let end = end - usize::from(slash);
    (value[..end].trim_matches(['"', '\'']), start + blank + end)
}

/// The attributes in `source`, values as written.
fn attributes(source: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = source.get(at..)?;
            let start = at
                + rest.bytes().position(|byte| {
                    !byte.is_ascii_whitespace() && !matches!(byte, b'/' | b'"' | b'\'')
                })?;
            let name = name_at(source, start);
            if name.is_empty() {
                at = start + 1;
                continue;
            }
            at = start + name.len();
            let rest = &source[at..];
            let blank = rest.len() - rest.trim_start().len();
            if !rest[blank..].starts_with('=') {
                return Some((name, ""));
            }
            let (value, end) = value_at(source, at + blank + 1);
            at = end;
            return Some((name, value));
        }
    })
}

/// Takes back what a wrong character set did before the feed was written: bytes of windows-1252 taken for control
/// characters, and UTF-8 taken for ISO 8859-1 and encoded once more.
fn meant(text: Cow<'_, str>) -> Cow<'_, str> {
    // Both leave a character between U+0080 and U+00BF: a control character, or one behind another of the same page.
    // Few texts have one, and most are through here.
    let bytes = text.as_bytes();
    let is_suspect = |at: usize| {
        bytes[at] == 0xc2 && (bytes[at + 1] <= 0x9f || (at >= 2 && bytes[at - 2] == 0xc3))
    };
    if !(0..bytes.len()).any(is_suspect) {
        return text;
    }
    let bytes: Option<Vec<u8>> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).ok())
        .collect();
    if let Some(once) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
        return Cow::Owned(once);
    }
    let is_moved = |c: char| matches!(u32::from(c), 0x80..=0x9f);
    if !text.contains(is_moved) {
        return text;
    }
    let replace = |c: char| {
        if is_moved(c) {
            windows_1252(u32::from(c)).unwrap_or(c)
        } else {
            c
        }
    };
    Cow::Owned(text.chars().map(replace).collect())
}

fn windows_1252(code: u32) -> Option<char> {
    let byte = [u8::try_from(code).ok()?];
    encoding_rs::WINDOWS_1252.decode(&byte).0.chars().next()
}

/// Resolves the references in a text: of XML, by number, and those of HTML, which feeds use without declaring
/// them. What is no reference stays as it is. Nothing else is ever expanded.
pub(in crate::collect) fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        resolved.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        // The longest name in HTML has 31 letters.
        let end = rest
            .bytes()
            .take(34)
            .position(|byte| !(byte.is_ascii_alphanumeric() || byte == b'#'))
            .unwrap_or(rest.len().min(34));
        let name = rest.get(..end).unwrap_or_default();
        let has_end = rest[name.len()..].starts_with(';');
        match reference(name).filter(|_| has_end || name.starts_with('#')) {
            Some(text) => {
                resolved.push_str(&text);
                rest = &rest[name.len() + usize::from(has_end)..];
            }
            None => resolved.push('&'),
        }
    }
    resolved.push_str(rest);
    Cow::Owned(resolved)
}

fn reference(name: &str) -> Option<Cow<'static, str>> {
    let Some(number) = name.strip_prefix('#') else {
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        // Nearly all references are one of these.
        let common = match name {
            "lt" => "<",
            "gt" => ">",
            "amp" => "&",
            "quot" => "\"",
            _ => "",
        };
        if !common.is_empty() {
            return Some(Cow::Borrowed(common));
        }
        let entities = &html_escape::NAMED_ENTITIES;
        let place = entities.binary_search_by_key(&name.as_bytes(), |(name, _)| name);
        return place.ok().map(|place| Cow::Borrowed(entities[place].1));
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    let character = match code {
        // What was meant are the characters of windows-1252 (HTML 13.2.5.80).
        0x80..=0x9f => windows_1252(code)?,
        _ => char::from_u32(code)?,
    };
    Some(Cow::Owned(character.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(source: &str) -> Vec<(String, String)> {
        Tree::read(source)
            .elements()
            .filter(|element| !element.has_elements())
            .map(|element| (element.name().1.to_owned(), element.text().into_owned()))
            .collect()
    }

    fn one(source: &str) -> String {
        texts(source).remove(0).1
    }

    #[test]
    fn text_is_read_as_its_writer_meant_it() {
        for (source, text) in [
            ("<t>a &amp; b</t>", "a & b"),
            ("<t>a & b &c; AT&T</t>", "a & b &c; AT&T"),
            ("<t>1 < 2 <3</t>", "1 < 2 <3"),
            ("<t>i<n now</t>", "i<n now"),
            ("<t>&nbsp;&uuml;&#8364;&#x20ac;&#128;</t>", "\u{a0}ü€€€"),
            ("<t>a<![CDATA[<b>&amp;</b>]]>z</t>", "a<b>&amp;</b>z"),
            ("<t>a<!-- no -->b<?php no ?>c</t>", "abc"),
            ("<t><![CDATA[never closed</t>", "never closed"),
            ("<t>don\u{92}t</t>", "don’t"),
            ("<t>FÃ³rmula</t>", "Fórmula"),
            ("<t>für 5 €</t>", "für 5 €"),
            ("<!DOCTYPE t [<!ENTITY x \"&y;&y;\">]><t>&x;</t>", "&x;"),
        ] {
            assert_eq!(one(source), text, "{source}");
        }
    }

    #[test]
    fn attributes_are_read_in_any_style() {
        let tree = Tree::read(
            "<l HREF='a?b=1&amp;c=\"2\"' rel=self type = \"x/y\" flag xml:lang=\"de\"/>",
        );
        let link = tree.elements().next().unwrap();
        assert_eq!(link.attribute("href").as_deref(), Some("a?b=1&c=\"2\""));
        assert_eq!(link.attribute("rel").as_deref(), Some("self"));
        assert_eq!(link.attribute("type").as_deref(), Some("x/y"));
        assert_eq!(link.attribute("flag").as_deref(), Some(""));
        assert_eq!(link.attribute("xml:lang").as_deref(), Some("de"));
        assert_eq!(link.attribute("lang"), None, "that of XML has its prefix");
        let tree = Tree::read("<l href=http://e.org/><m a=\"open><n b='2'/>");
        let values: Vec<_> = tree
            .elements()
            .map(|element| {
                (
                    element.name().1.to_owned(),
                    element.attribute("href"),
                    element.attribute("b"),
                )
            })
            .collect();
        assert_eq!(values[0].1.as_deref(), Some("http://e.org"));
        assert_eq!(values.last().unwrap().2.as_deref(), Some("2"));
    }

    #[test]
    fn what_is_not_closed_ends_with_its_parent() {
        assert_eq!(
            texts("<item><title>a</titel><link>b</link></item><item><title>c</title>"),
            [
                ("link".to_owned(), "b".to_owned()),
                ("title".to_owned(), "c".to_owned())
            ]
        );
        let tree = Tree::read("<item><title>whole</title><link>http://e.or");
        let closed: Vec<_> = tree
            .elements()
            .map(|e| (e.name().1.to_owned(), e.is_closed()))
            .collect();
        assert_eq!(
            closed,
            [
                ("item".to_owned(), false),
                ("title".to_owned(), true),
                ("link".to_owned(), false)
            ]
        );
        let tree = Tree::read("<item><title>a</title><item><title>b</title>");
        assert!(
            tree.elements()
                .filter(|e| e.name().1 == "item")
                .all(|e| e.parent().is_none())
        );
    }

    #[test]
    fn vocabularies_are_known_by_address_or_by_prefix() {
        for (source, vocabulary) in [
            ("<dc:date/>", Vocabulary::Dc),
            (
                "<x:date xmlns:x='http://purl.org/dc/elements/1.1/'/>",
                Vocabulary::Dc,
            ),
            (
                "<date xmlns='HTTPS://purl.org/DC/elements/1.1'/>",
                Vocabulary::Dc,
            ),
            (
                "<rss xmlns='http://backend.userland.com/rss2'/>",
                Vocabulary::Core,
            ),
            ("<rss xmlns='urn:my-own'/>", Vocabulary::Core),
            ("<x:rss xmlns:x='urn:my-own'/>", Vocabulary::Other),
        ] {
            let tree = Tree::read(source);
            assert_eq!(
                tree.elements().next().unwrap().name().0,
                vocabulary,
                "{source}"
            );
        }
        let tree = Tree::read("<a xmlns:p='http://purl.org/dc/terms/'><p:b/></a><p:c/>");
        let found: Vec<_> = tree.elements().map(|element| element.name().0).collect();
        assert_eq!(
            found,
            [Vocabulary::Core, Vocabulary::DcTerms, Vocabulary::Other]
        );
    }

    #[test]
    fn depth_and_breadth_have_a_bound() {
        let deep = "<a>".repeat(100_000) + "<item/>";
        assert!(Tree::read(&deep).nodes.len() <= MAX_DEPTH + 1);
        let deep = format!(
            "<item>{}{}<link>x</link></item>",
            "<a>".repeat(1_000),
            "</a>".repeat(1_000)
        );
        assert!(texts(&deep).contains(&("link".to_owned(), "x".to_owned())));
        let wide = "<a/>".repeat(MAX_ELEMENTS + 10);
        assert_eq!(Tree::read(&wide).nodes.len(), MAX_ELEMENTS);
    }

    proptest! {
        #[test]
        fn any_text_is_read(source in "(<|>|/|!|\\?|\\[|]|-|CDATA|\"|'|=|&|#|;|a|item|é| ){0,60}") {
            for element in Tree::read(&source).elements() {
                let _ = (element.text(), element.markup(), element.attribute("a"), element.inner());
            }
        }

        #[test]
        fn unescaping_keeps_what_it_does_not_know(text in "[a-z &;#]{0,30}") {
            prop_assert!(!unescape(&text).is_empty() || text.is_empty());
        }
    }
}
