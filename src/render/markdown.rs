//! The publisher's own words, written in Markdown, as HTML and as text.
//!
//! What mails can show comes through: paragraphs, emphasis, links, lists, quotations. Everything else becomes the text that
//! it has: a heading a strong line, an image its description, HTML the characters it is made of.

use std::fmt::Write as _;

use html_escape::{encode_double_quoted_attribute, encode_text};
use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd, TextMergeStream};
use serde::Serialize;

use super::text::{LONGEST_WORD, breakable, wrapped};

/// A text of the publisher's; both forms are empty when there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Passage {
    /// Paragraphs, lists and quotations with the classes of the templates; safe.
    pub(super) html: String,
    /// Paragraphs separated by empty lines, in lines of 72 columns, each link followed by its address.
    pub(super) text: String,
    /// As the publisher has written it.
    pub(super) markdown: String,
}

/// Reads Markdown whose words are in `language`.
pub(super) fn passage(markdown: &str, language: &str) -> Passage {
    let mut writer = Writer {
        language,
        ..Writer::default()
    };
    for event in TextMergeStream::new(Parser::new_ext(markdown, Options::empty())) {
        writer.event(event);
    }
    Passage {
        html: writer.html.trim().to_owned(),
        text: writer.text,
        markdown: markdown.trim().to_owned(),
    }
}

/// What a mail cannot show of a text in Markdown as somebody will have meant it, as sentences without their full stop.
pub fn markdown_problems(markdown: &str) -> Vec<String> {
    let problem = |event| match event {
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            ..
        }) if link_type != LinkType::Email && !may_link(&dest_url) => Some(format!(
            "the link to “{dest_url}” leads nowhere from a mail: write its whole address, https://…"
        )),
        Event::Start(Tag::Image { dest_url, .. }) => Some(format!(
            "the picture “{dest_url}” would not be shown, only its description"
        )),
        Event::Html(text) | Event::InlineHtml(text) => Some(format!(
            "“{}” would be shown as it stands: a mail has no HTML of its own",
            text.trim()
        )),
        _ => None,
    };
    Parser::new_ext(markdown, Options::empty())
        .filter_map(problem)
        .collect()
}

/// `text` as Markdown that shows just these characters.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    for (place, c) in text.char_indices() {
        let next = text[place + c.len_utf8()..].chars().next();
        let acts = match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '~' | '|' => true,
            // `&amp;` and `&#38;`, but not “A & B”.
            '&' => next.is_some_and(|next| next == '#' || next.is_alphanumeric()),
            // A list or a heading: `- `, `+ `, `# `, `1. `, `1) `.
            '-' | '+' | '#' | '=' => place == 0,
            '.' | ')' => digits > 0 && place == digits && next.is_none_or(char::is_whitespace),
            _ => false,
        };
        if acts {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Whether a link may stand in a mail: to a page or a mailbox.
fn may_link(url: &str) -> bool {
    ["https://", "http://", "mailto:"].iter().any(|scheme| {
        url.get(..scheme.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    })
}

/// Writes both forms of a passage at once.
#[derive(Default)]
struct Writer<'l> {
    language: &'l str,
    html: String,
    text: String,
    /// The text of the block that is open.
    block: String,
    /// What stands between the block that is open and the one before.
    gap: &'static str,
    /// What the lines of the open entries and quotations begin with.
    margin: String,
    /// What the first line of the open block begins with instead: the mark of an entry.
    first: Option<String>,
    /// For each open list the number of its next entry, when it has numbers.
    lists: Vec<Option<u64>>,
    /// The addresses of the links that are open, empty for those that may not stand.
    links: Vec<String>,
    /// Where the text of the innermost link began.
    link_start: usize,
}

impl Writer<'_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.links.is_empty() => self.write_and_link(&text),
            Event::Text(text)
            | Event::Code(text)
            | Event::Html(text)
            | Event::InlineHtml(text)
            | Event::InlineMath(text)
            | Event::DisplayMath(text)
            | Event::FootnoteReference(text) => self.write(&text),
            Event::SoftBreak => self.write(" "),
            Event::HardBreak => {
                self.html.push_str("<br>");
                self.block.push('\n');
            }
            Event::Rule => {
                self.open("<p class=\"passage\">");
                self.write("* * *");
                self.close("</p>");
            }
            Event::TaskListMarker(_) => {}
        }
    }

    /// Writes `text`; the addresses in it become links.
    fn write_and_link(&mut self, text: &str) {
        let mut rest = text;
        while let Some(start) = rest.find("https://") {
            let (before, after) = rest.split_at(start);
            self.write(before);
            let end = after.find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"'));
            // What ends a sentence is not part of the address.
            let address = after[..end.unwrap_or(after.len())]
                .trim_end_matches(|c: char| !c.is_alphanumeric() && c != '/');
            self.start_link(address.to_owned());
            self.write(address);
            self.end_link();
            rest = &after[address.len()..];
        }
        self.write(rest);
    }

    fn write(&mut self, text: &str) {
        let shown = breakable(text, self.language, LONGEST_WORD);
        self.html.push_str(&encode_text(&shown));
        self.block.push_str(text);
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::CodeBlock(_) | Tag::HtmlBlock => {
                self.open("<p class=\"passage\">");
            }
            Tag::Heading { .. } => self.open("<p class=\"passage\"><strong>"),
            Tag::BlockQuote(_) => {
                self.flush();
                self.html.push_str("<blockquote class=\"quote\">");
                self.margin.push_str("> ");
            }
            Tag::Emphasis => self.html.push_str("<em>"),
            Tag::Strong => self.html.push_str("<strong>"),
            Tag::List(first) => {
                // A list in an entry stands right below its words.
                self.flush();
                self.gap = if self.lists.is_empty() { "\n\n" } else { "\n" };
                self.html.push_str(match first {
                    Some(_) => "<ol class=\"list\">",
                    None => "<ul class=\"list\">",
                });
                self.lists.push(first);
            }
            Tag::Item => self.start_entry(),
            Tag::Link {
                link_type,
                dest_url,
                ..
            } => {
                let url = match link_type {
                    LinkType::Email => format!("mailto:{dest_url}"),
                    _ => dest_url.trim().to_owned(),
                };
                self.start_link(if may_link(&url) { url } else { String::new() });
            }
            _ => {}
        }
    }

    /// Begins a link to `url`; when that is empty, its words are no link.
    fn start_link(&mut self, url: String) {
        if !url.is_empty() {
            let url = encode_double_quoted_attribute(&url);
            let _ = write!(self.html, "<a class=\"link\" href=\"{url}\">");
        }
        self.links.push(url);
        self.link_start = self.block.len();
    }

    fn start_entry(&mut self) {
        let mark = match self.lists.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                format!("{}. ", *number - 1)
            }
            _ => "- ".to_owned(),
        };
        self.html.push_str("<li>");
        self.first = Some(format!("{}{mark}", self.margin));
        self.margin.push_str(&" ".repeat(mark.len()));
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::CodeBlock | TagEnd::HtmlBlock => self.close("</p>"),
            TagEnd::Heading(_) => self.close("</strong></p>"),
            TagEnd::BlockQuote(_) => {
                self.html.push_str("</blockquote>");
                self.margin.truncate(self.margin.len() - 2);
            }
            TagEnd::Emphasis => self.html.push_str("</em>"),
            TagEnd::Strong => self.html.push_str("</strong>"),
            TagEnd::List(ordered) => {
                self.lists.pop();
                self.html.push_str(if ordered { "</ol>" } else { "</ul>" });
                if self.lists.is_empty() {
                    self.gap = "\n\n";
                }
            }
            TagEnd::Item => {
                self.flush();
                self.html.push_str("</li>");
                self.gap = "\n";
                let mark = match self.lists.last() {
                    Some(Some(next)) => format!("{}. ", next - 1).len(),
                    _ => 2,
                };
                self.margin.truncate(self.margin.len() - mark);
            }
            TagEnd::Link => self.end_link(),
            _ => {}
        }
    }

    fn end_link(&mut self) {
        let url = self.links.pop().unwrap_or_default();
        if url.is_empty() {
            return;
        }
        // A link without a text shows where it leads.
        let shown = url.strip_prefix("mailto:").unwrap_or(&url);
        if self.block[self.link_start..].trim().is_empty() {
            self.write(shown);
        }
        self.html.push_str("</a>");
        if self.block[self.link_start..] != *shown {
            let _ = write!(self.block, " ({shown})");
        }
    }

    /// Begins a block that has a line of its own.
    fn open(&mut self, tag: &str) {
        self.flush();
        // What begins an entry stands in its line.
        if self.first.is_none() {
            self.gap = "\n\n";
        }
        self.html.push_str(tag);
    }

    fn close(&mut self, tag: &str) {
        self.html.push_str(tag);
        self.flush();
        self.gap = "\n\n";
    }

    /// Adds the block that is open to the text.
    fn flush(&mut self) {
        let block = std::mem::take(&mut self.block);
        if block.trim().is_empty() {
            return;
        }
        if !self.text.is_empty() {
            self.text.push_str(self.gap);
        }
        let first = self.first.take().unwrap_or_else(|| self.margin.clone());
        self.text
            .push_str(&wrapped(block.trim(), &first, &self.margin));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(markdown: &str, html: &str, text: &str) {
        let passage = passage(markdown, "de");
        assert_eq!((passage.html.as_str(), passage.text.as_str()), (html, text));
    }

    #[test]
    fn what_mails_can_show_comes_through() {
        check(
            "Hallo *Welt*, **heute**\nneu:\n\n- [Seite](https://example.org/?a=1&b=2)\n- zwei\n\nBis bald  \nIhre Redaktion",
            "<p class=\"passage\">Hallo <em>Welt</em>, <strong>heute</strong> neu:</p><ul class=\"list\">\
             <li><a class=\"link\" href=\"https://example.org/?a=1&amp;b=2\">Seite</a></li><li>zwei</li></ul>\
             <p class=\"passage\">Bis bald<br>Ihre Redaktion</p>",
            "Hallo Welt, heute neu:\n\n- Seite (https://example.org/?a=1&b=2)\n- zwei\n\nBis bald\nIhre Redaktion",
        );
        check(
            "# Titel\n\n3. drei\n4. vier",
            "<p class=\"passage\"><strong>Titel</strong></p><ol class=\"list\"><li>drei</li><li>vier</li></ol>",
            "Titel\n\n3. drei\n4. vier",
        );
        check(
            "<https://example.org/> <anna@example.org>",
            "<p class=\"passage\"><a class=\"link\" href=\"https://example.org/\">https://example.org/</a> \
             <a class=\"link\" href=\"mailto:anna@example.org\">anna@example.org</a></p>",
            "https://example.org/ anna@example.org",
        );
        check(
            "Siehe https://example.org/a_b?c=1&d=2. Gut",
            "<p class=\"passage\">Siehe <a class=\"link\" href=\"https://example.org/a_b?c=1&amp;d=2\">\
             https://exa\u{200b}mple.org/a_\u{200b}b?c=1&amp;d=2</a>. Gut</p>",
            "Siehe https://example.org/a_b?c=1&d=2. Gut",
        );
        check("", "", "");
    }

    #[test]
    fn entries_keep_their_paragraphs_and_their_depth() {
        let long = "ein Satz mit vielen Wörtern ".repeat(4);
        let wrapped = "- ein Satz mit vielen Wörtern ein Satz mit vielen Wörtern ein Satz mit\n  \
                       vielen Wörtern ein Satz mit vielen Wörtern";
        assert_eq!(passage(&format!("- {long}"), "de").text, wrapped);
        check(
            "- eins\n\n  zweiter Absatz\n\n- zwei",
            "<ul class=\"list\"><li><p class=\"passage\">eins</p><p class=\"passage\">zweiter Absatz</p></li>\
             <li><p class=\"passage\">zwei</p></li></ul>",
            "- eins\n\n  zweiter Absatz\n- zwei",
        );
        check(
            "Vorher\n\n1. eins\n   - innen\n   - noch\n2. zwei\n\nNachher",
            "<p class=\"passage\">Vorher</p><ol class=\"list\"><li>eins<ul class=\"list\"><li>innen</li><li>noch</li></ul></li>\
             <li>zwei</li></ol><p class=\"passage\">Nachher</p>",
            "Vorher\n\n1. eins\n   - innen\n   - noch\n2. zwei\n\nNachher",
        );
        check(
            "> Zitat\n> weiter\n\n---\n\nText",
            "<blockquote class=\"quote\"><p class=\"passage\">Zitat weiter</p></blockquote>\
             <p class=\"passage\">* * *</p><p class=\"passage\">Text</p>",
            "> Zitat weiter\n\n* * *\n\nText",
        );
    }

    #[test]
    fn what_a_mail_cannot_show_is_told() {
        assert_eq!(
            markdown_problems("Gut: [a](https://example.org/) <b@example.org> *c*"),
            [""; 0]
        );
        let told = markdown_problems("[a](/b) ![c](https://example.org/d.png) e<br>f");
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(
            told[0].starts_with("the link to “/b” leads nowhere"),
            "{told:?}"
        );
    }

    #[test]
    fn nothing_that_acts_comes_through() {
        check(
            "[x](javascript:alert(1)) ![Bild](https://example.org/p.gif) <b onclick=x>y</b>",
            "<p class=\"passage\">x Bild &lt;b onclick=x&gt;y&lt;/b&gt;</p>",
            "x Bild <b onclick=x>y</b>",
        );
        check(
            "[x](<https://example.org/\" onclick=\"y>)",
            "<p class=\"passage\"><a class=\"link\" href=\"https://example.org/&quot; onclick=&quot;y\">x</a></p>",
            "x (https://example.org/\" onclick=\"y)",
        );
        check(
            "[![](p.png)](https://example.org/)",
            "<p class=\"passage\"><a class=\"link\" href=\"https://example.org/\">https://example.org/</a></p>",
            "https://example.org/",
        );
    }

    proptest! {
        #[test]
        fn escaped_text_shows_just_its_characters(text in "[-a-z0-9<>&*_#+`.)(!\\[\\]|~=\\\\]([-a-z0-9 <>&*_#+`.)(!\\[\\]|~=\\\\]{0,30}[a-z])?") {
            let shown = passage(&escaped(&text), "de").text;
            prop_assert_eq!(shown, text);
        }

        #[test]
        fn any_text_gives_tags_of_ours_only(markdown in "[<>a-z\"'()\\[\\]*_#`!:/ \n-]{0,80}") {
            let html = passage(&markdown, "de").html;
            for tag in html.split('<').skip(1) {
                let name = tag.trim_start_matches('/').split([' ', '>']).next().unwrap_or_default();
                prop_assert!(["p", "a", "em", "strong", "ul", "ol", "li", "br", "blockquote"].contains(&name), "{}", html);
            }
        }
    }
}
