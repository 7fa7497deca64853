//! The publisher's own words, written in Markdown, as HTML and as text.
//!
//! What mails can show comes through: paragraphs, emphasis, links, lists. Everything else becomes the text that
//! it has: a heading a strong line, an image its description, HTML the characters it is made of.

use std::fmt::Write as _;

use html_escape::{encode_double_quoted_attribute, encode_text};
use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd};
use serde::Serialize;

/// A text of the publisher's; both forms are empty when there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Passage {
    /// Paragraphs and lists with the classes of the templates; safe.
    pub(super) html: String,
    /// Paragraphs separated by empty lines, each link followed by its address.
    pub(super) text: String,
}

/// Reads Markdown.
pub(super) fn passage(markdown: &str) -> Passage {
    let mut writer = Writer::default();
    for event in Parser::new_ext(markdown, Options::empty()) {
        writer.event(event);
    }
    Passage {
        html: writer.html.trim().to_owned(),
        text: writer.text.trim().to_owned(),
    }
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

#[derive(Default)]
struct Writer {
    html: String,
    text: String,
    /// The addresses of the links that are open, empty for those that may not stand.
    links: Vec<String>,
    /// For each open list the number of its next entry, when it has numbers.
    lists: Vec<Option<u64>>,
    /// Where the text of the innermost link began.
    link_start: usize,
}

impl Writer {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
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
                self.text.push('\n');
            }
            Event::Rule | Event::TaskListMarker(_) => {}
        }
    }

    fn write(&mut self, text: &str) {
        self.html.push_str(&encode_text(text));
        self.text.push_str(text);
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            // The paragraphs of a list's entries stand in their entries.
            Tag::Paragraph if self.lists.is_empty() => self.html.push_str("<p class=\"text\">"),
            Tag::Heading { .. } => self.html.push_str("<p class=\"text\"><strong>"),
            Tag::CodeBlock(_) | Tag::HtmlBlock => self.html.push_str("<p class=\"text\">"),
            Tag::Emphasis => self.html.push_str("<em>"),
            Tag::Strong => self.html.push_str("<strong>"),
            Tag::List(first) => {
                self.html.push_str(match first {
                    Some(_) => "<ol class=\"list\">",
                    None => "<ul class=\"list\">",
                });
                self.lists.push(first);
            }
            Tag::Item => {
                self.html.push_str("<li>");
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ => "- ".to_owned(),
                };
                self.new_line();
                self.text.push_str(&mark);
            }
            Tag::Link {
                link_type,
                dest_url,
                ..
            } => {
                let url = match link_type {
                    LinkType::Email => format!("mailto:{dest_url}"),
                    _ => dest_url.trim().to_owned(),
                };
                let url = if may_link(&url) { url } else { String::new() };
                if !url.is_empty() {
                    let url = encode_double_quoted_attribute(&url);
                    let _ = write!(self.html, "<a class=\"link\" href=\"{url}\">");
                }
                self.links.push(url);
                self.link_start = self.text.len();
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph if self.lists.is_empty() => self.close_block("</p>"),
            TagEnd::Heading(_) => self.close_block("</strong></p>"),
            TagEnd::CodeBlock | TagEnd::HtmlBlock => self.close_block("</p>"),
            TagEnd::Emphasis => self.html.push_str("</em>"),
            TagEnd::Strong => self.html.push_str("</strong>"),
            TagEnd::List(ordered) => {
                self.lists.pop();
                self.html.push_str(if ordered { "</ol>" } else { "</ul>" });
                if self.lists.is_empty() {
                    self.text.push_str("\n\n");
                }
            }
            TagEnd::Item => self.html.push_str("</li>"),
            TagEnd::Link => {
                let url = self.links.pop().unwrap_or_default();
                if url.is_empty() {
                    return;
                }
                self.html.push_str("</a>");
                // A link that shows its address needs no other.
                let shown = url.strip_prefix("mailto:").unwrap_or(&url);
                if self.text[self.link_start..] != *shown {
                    let _ = write!(self.text, " ({shown})");
                }
            }
            _ => {}
        }
    }

    fn close_block(&mut self, tag: &str) {
        self.html.push_str(tag);
        let end = self.text.trim_end().len();
        self.text.truncate(end);
        self.text.push_str("\n\n");
    }

    fn new_line(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(markdown: &str, html: &str, text: &str) {
        let passage = passage(markdown);
        assert_eq!((passage.html.as_str(), passage.text.as_str()), (html, text));
    }

    #[test]
    fn what_mails_can_show_comes_through() {
        check(
            "Hallo *Welt*, **heute**\nneu:\n\n- [Seite](https://example.org/?a=1&b=2)\n- zwei\n\nBis bald  \nIhre Redaktion",
            "<p class=\"text\">Hallo <em>Welt</em>, <strong>heute</strong> neu:</p><ul class=\"list\">\
             <li><a class=\"link\" href=\"https://example.org/?a=1&amp;b=2\">Seite</a></li><li>zwei</li></ul>\
             <p class=\"text\">Bis bald<br>Ihre Redaktion</p>",
            "Hallo Welt, heute neu:\n\n- Seite (https://example.org/?a=1&b=2)\n- zwei\n\nBis bald\nIhre Redaktion",
        );
        check(
            "# Titel\n\n3. drei\n4. vier",
            "<p class=\"text\"><strong>Titel</strong></p><ol class=\"list\"><li>drei</li><li>vier</li></ol>",
            "Titel\n\n3. drei\n4. vier",
        );
        check(
            "<https://example.org/> <anna@example.org>",
            "<p class=\"text\"><a class=\"link\" href=\"https://example.org/\">https://example.org/</a> \
             <a class=\"link\" href=\"mailto:anna@example.org\">anna@example.org</a></p>",
            "https://example.org/ anna@example.org",
        );
        check("", "", "");
    }

    #[test]
    fn nothing_that_acts_comes_through() {
        check(
            "[x](javascript:alert(1)) ![Bild](https://example.org/p.gif) <b onclick=x>y</b>",
            "<p class=\"text\">x Bild &lt;b onclick=x&gt;y&lt;/b&gt;</p>",
            "x Bild <b onclick=x>y</b>",
        );
        check(
            "[x](<https://example.org/\" onclick=\"y>)",
            "<p class=\"text\"><a class=\"link\" href=\"https://example.org/&quot; onclick=&quot;y\">x</a></p>",
            "x (https://example.org/\" onclick=\"y)",
        );
    }

    proptest! {
        #[test]
        fn escaped_text_shows_just_its_characters(text in "[-a-z0-9<>&*_#+`.)(!\\[\\]|~=\\\\]([-a-z0-9 <>&*_#+`.)(!\\[\\]|~=\\\\]{0,30}[a-z])?") {
            let shown = passage(&escaped(&text)).text;
            prop_assert_eq!(shown, text);
        }

        #[test]
        fn any_text_gives_tags_of_ours_only(markdown in "[<>a-z\"'()\\[\\]*_#`!:/ \n-]{0,80}") {
            let html = passage(&markdown).html;
            for tag in html.split('<').skip(1) {
                let name = tag.trim_start_matches('/').split([' ', '>']).next().unwrap_or_default();
                prop_assert!(["p", "a", "em", "strong", "ul", "ol", "li", "br"].contains(&name), "{}", html);
            }
        }
    }
}
