//! What mail programs, spam filters and readers hold against a mail, found before it goes out.
//!
//! The rules are those of `caniemail.com`, RFC 5322 and WCAG 2.2 that can be told from the mail itself.

mod contrast;

use dom_query::{Document, NodeRef};
use serde::Serialize;

use super::HTML_BUDGET;
use super::budget::encoded_size;
use crate::model::Newsletter;

/// A rule, and what breaks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The rule, as a sentence that holds when all is well.
    pub rule: &'static str,
    /// How much a mail that breaks it is to be minded.
    pub weight: Weight,
    /// What breaks it; nothing when all is well.
    pub problems: Vec<String>,
}

/// How much a broken rule matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// It is untidy.
    Untidy,
    /// Some readers see or hear less than they should.
    Grave,
    /// The mail must not go out.
    Fatal,
}

/// A mail as one reader gets it.
#[derive(Debug, Clone, Copy)]
pub struct Rendered<'a> {
    /// Its subject.
    pub subject: &'a str,
    /// Its HTML body.
    pub html: &'a str,
    /// Its text body.
    pub text: &'a str,
    /// The link that ends the subscription, when the mail must have one.
    pub unsubscribe: Option<&'a str>,
}

/// Checks `mail`, which `newsletter` would send. All rules are there, in the same order for every mail.
pub fn lint(newsletter: &Newsletter, mail: Rendered<'_>) -> Vec<Check> {
    let page = Document::from(mail.html);
    use Weight::{Fatal, Grave, Untidy};
    let rules = [
        (Fatal, "Gmail shows it whole.", size(mail.html)),
        (
            Fatal,
            "Imprint and way out are in both bodies.",
            missing(newsletter, &page, &mail),
        ),
        (
            Fatal,
            "It has no script, form or frame, which mail programs drop.",
            acting(&page),
        ),
        (Grave, "Its HTML is well-formed.", malformed(&page)),
        (Grave, "Its styles are known everywhere.", styles(&page)),
        (
            Grave,
            "Pictures have a size, a description and come by https.",
            pictures(&page),
        ),
        (Grave, "Nothing is wider than a phone.", wide(&page)),
        (Grave, "Tables say that they are layout.", tables(&page)),
        (
            Grave,
            "It has one title, and headings in order.",
            headings(&page),
        ),
        (Grave, "It says its language.", languages(&page)),
        (
            Grave,
            "Its letters can be read by day and by night.",
            contrast::unreadable(&page),
        ),
        (
            Grave,
            "Its text has short lines and no odd characters.",
            lines(mail.text),
        ),
        (Grave, "Links say where they lead.", links(&page)),
        (Untidy, "Links are https.", insecure_links(&page)),
        (
            Untidy,
            "Its subject is one line of a mailbox.",
            subject(mail.subject),
        ),
    ];
    let check = |(weight, rule, problems)| Check {
        rule,
        weight,
        problems,
    };
    rules.map(check).into()
}

/// `text` without the places at which its words may be broken.
fn whole(text: &str) -> String {
    text.replace(['\u{ad}', '\u{200b}'], "")
}

fn size(html: &str) -> Vec<String> {
    let size = encoded_size(html);
    let large = size > HTML_BUDGET;
    large
        .then(|| {
            format!(
                "its HTML has {size} bytes on the wire; from about 102,000 on the rest is hidden"
            )
        })
        .into_iter()
        .collect()
}

/// RFC 8058 and § 5 DDG.
fn missing(newsletter: &Newsletter, page: &Document, mail: &Rendered<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    for (body, shown) in [("HTML", &*visible_text(page)), ("text", mail.text)] {
        for line in lacking_lines(&newsletter.imprint, shown) {
            problems.push(format!("the {body} lacks “{line}” of the imprint"));
        }
    }
    if let Some(link) = mail.unsubscribe {
        if !has_link(page, link) {
            problems.push("the HTML has no link to unsubscribe that can be seen".to_owned());
        }
        if !mail.text.contains(link) {
            problems.push("the text has no link to unsubscribe".to_owned());
        }
    }
    problems
}

/// Those of `lines` that `shown` does not have as they stand, but for where their own lines end.
pub(super) fn lacking_lines<'l>(lines: &'l [String], shown: &str) -> Vec<&'l str> {
    let run_on = |text: &str| whole(text).split_whitespace().collect::<String>();
    let shown = run_on(shown);
    let lines = lines.iter().map(String::as_str);
    lines
        .filter(|line| !shown.contains(&run_on(line)))
        .collect()
}

/// Whether somebody sees a link to `url`.
pub(super) fn has_link(page: &Document, url: &str) -> bool {
    page.select("a[href]").nodes().iter().any(|node| {
        let is_shown = || {
            let picture = node.descendants_it().any(|inner| inner.has_name("img"));
            picture || !whole(&node.text()).trim().is_empty()
        };
        *node.attr_or("href", "") == *url && !is_hidden(node) && is_shown()
    })
}

/// What somebody sees of a page.
pub(super) fn visible_text(page: &Document) -> String {
    let mut text = String::new();
    for node in page.select("body").nodes() {
        for inner in node.descendants_it().filter(NodeRef::is_text) {
            if !inner.parent().is_some_and(|parent| is_hidden(&parent)) {
                text.push_str(&inner.text());
            }
        }
    }
    text
}

/// Whether nobody sees what is in `node`: it or what it is in is left out, too small, or has no colour.
fn is_hidden(node: &NodeRef<'_>) -> bool {
    let hides = |node: &NodeRef<'_>| {
        let style = node
            .attr_or("style", "")
            .replace(' ', "")
            .to_ascii_lowercase();
        let hiding = |declaration: &str| {
            [
                "display:none",
                "visibility:hidden",
                "opacity:0",
                "mso-hide:all",
            ]
            .contains(&declaration)
                || ["font-size:0", "font-size:1px", "font-size:2px"].contains(&declaration)
        };
        let is_unseen = ["style", "script", "title", "template"]
            .iter()
            .any(|name| node.has_name(name));
        is_unseen || node.has_attr("hidden") || style.split(';').any(hiding)
    };
    hides(node) || node.ancestors_it(None).any(|above| hides(&above))
}

/// What a parser of HTML has to mend. Names of attributes that only some programs know are no mistake.
fn malformed(page: &Document) -> Vec<String> {
    let mut problems: Vec<String> = page
        .errors
        .borrow()
        .iter()
        .map(ToString::to_string)
        .collect();
    problems.sort();
    problems.dedup();
    problems
}

/// The widest that the narrowest phone shows beside the margins, in pixels and in letters.
const PHONE: (u32, usize) = (280, 36);

fn wide(page: &Document) -> Vec<String> {
    let mut problems = Vec::new();
    for node in page.select("img[width]").nodes() {
        let width = node.attr_or("width", "");
        if width.parse::<u32>().is_ok_and(|width| width > PHONE.0) {
            problems.push(format!("{} has {width} pixels", node.attr_or("src", "")));
        }
    }
    let ends = |c: char| c.is_whitespace() || "-/\u{ad}\u{200b}".contains(c);
    for word in visible_text(page).split(ends) {
        let is_western = word.chars().all(|c| c < '\u{590}');
        if is_western && word.chars().count() > PHONE.1 {
            problems.push(format!("“{word}” has no place where it may be broken"));
        }
    }
    problems
}

fn acting(page: &Document) -> Vec<String> {
    const DROPPED: &str = "script, form, input, button, select, textarea, link, iframe, object, embed, applet, \
                           video, audio, canvas, svg, base, meta[http-equiv]";
    let mut problems: Vec<String> = page
        .select(DROPPED)
        .nodes()
        .iter()
        .filter_map(|node| Some(format!("there is a <{}>", node.node_name()?)))
        .collect();
    for node in page.select("*").nodes() {
        for attribute in node.attrs() {
            let name = &*attribute.name.local;
            let value = attribute.value.trim().to_ascii_lowercase();
            let runs = ["javascript:", "data:", "vbscript:"]
                .iter()
                .any(|scheme| value.starts_with(scheme));
            if name.starts_with("on") || runs {
                problems.push(format!("{name}=\"{}\" acts", attribute.value));
            }
        }
    }
    problems
}

/// Styles that GMX, Gmail, Outlook for Windows or Yahoo do not know, by what caniemail.com says, and without which a layout
/// falls apart.
fn styles(page: &Document) -> Vec<String> {
    let mut problems = Vec::new();
    for node in page.select("[style]").nodes() {
        let style = node.attr_or("style", "");
        // Outlook, which would not understand the colour of what nobody is to see, leaves that out.
        if style.contains("mso-hide:all") {
            continue;
        }
        for declaration in style.split(';') {
            let (name, value) = declaration.split_once(':').unwrap_or((declaration, ""));
            let (name, value) = (name.trim(), value.trim());
            let is_unknown = match name {
                "position" | "float" | "background-image" | "opacity" | "overflow" | "gap"
                | "transform" => true,
                "display" => value.contains("flex") || value.contains("grid"),
                _ if name.starts_with("margin") => {
                    value.contains("auto") || value.split(' ').any(|side| side.starts_with('-'))
                }
                _ => ["var(", "calc(", "rgb", "hsl", "url("]
                    .iter()
                    .any(|call| value.contains(call)),
            };
            if is_unknown {
                problems.push(format!("some do not know “{name}: {value}”"));
            }
        }
    }
    let sheets = page.select("style");
    let bytes: usize = sheets.iter().map(|sheet| sheet.text().len()).sum();
    if bytes > 16_000 {
        problems.push(format!(
            "its style sheets have {bytes} bytes; Gmail reads 16,000"
        ));
    }
    problems.sort();
    problems.dedup();
    problems
}

fn pictures(page: &Document) -> Vec<String> {
    let mut problems = Vec::new();
    for node in page.select("img").nodes() {
        let source = node.attr_or("src", "");
        for attribute in ["alt", "width", "height"] {
            if !node.has_attr(attribute) {
                problems.push(format!("{source} has no {attribute}"));
            }
        }
        if !source.starts_with("https://") {
            problems.push(format!("{source} does not come by https"));
        }
    }
    problems
}

fn tables(page: &Document) -> Vec<String> {
    let silent = page.select("table:not([role=presentation])").length();
    (silent > 0)
        .then(|| {
            format!("{silent} of them have no role=\"presentation\", and are read aloud as tables")
        })
        .into_iter()
        .collect()
}

fn headings(page: &Document) -> Vec<String> {
    let mut problems = Vec::new();
    let titles = page.select("h1").length();
    if titles != 1 {
        problems.push(format!("there are {titles} <h1>"));
    }
    let mut above = 0;
    for node in page.select("h1, h2, h3, h4, h5, h6").nodes() {
        let name = node.node_name().unwrap_or_default();
        let level = name.bytes().last().map_or(0, |digit| digit - b'0');
        if level > above + 1 {
            problems.push(format!("<{name}> “{}” skips a level", node.text().trim()));
        }
        above = level;
    }
    problems
}

fn languages(page: &Document) -> Vec<String> {
    let mut problems = Vec::new();
    if !page.select("html[lang]").exists() {
        problems.push("<html> has no lang".to_owned());
    }
    // Web mailers take <html> off.
    if !page.select("body > table[lang], body > div[lang]").exists() {
        problems.push("what is in <body> has no lang".to_owned());
    }
    problems
}

fn lines(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let width = textwrap::core::display_width(line);
        // An address stays whole, however long it is.
        if width > 78 && !line.contains("://") && !line.contains("mailto:") {
            problems.push(format!("line {} has {width} columns", place + 1));
        }
        if line
            .chars()
            .any(|c| c.is_control() || crate::model::is_unwanted(c))
        {
            problems.push(format!(
                "line {} has characters that cannot be seen",
                place + 1
            ));
        }
    }
    problems
}

fn links(page: &Document) -> Vec<String> {
    let mut problems = Vec::new();
    for node in page.select("a").nodes() {
        let (url, text) = (node.attr_or("href", ""), whole(&node.text()));
        let text = text.trim();
        if url.is_empty() {
            problems.push(format!("“{text}” is a link to nowhere"));
        }
        let described =
            |node: NodeRef<'_>| node.has_name("img") && !node.attr_or("alt", "").is_empty();
        if text.is_empty() && !node.descendants_it().any(described) {
            problems.push(format!("the link to {url} has no text"));
        }
        // Who shows one address and leads to another is taken for a thief.
        let shown = text
            .strip_prefix("https://")
            .or(text.strip_prefix("http://"));
        if let Some(shown) = shown
            && !url.contains(shown.trim_end_matches('/'))
        {
            problems.push(format!("“{text}” leads to {url}"));
        }
    }
    problems
}

fn insecure_links(page: &Document) -> Vec<String> {
    let links = page.select("a[href]");
    let urls = links.nodes().iter().map(|node| node.attr_or("href", ""));
    urls.filter(|url| !url.starts_with("https://") && !url.starts_with("mailto:"))
        .map(|url| url.to_string())
        .collect()
}

fn subject(subject: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let length = subject.chars().count();
    if length == 0 {
        problems.push("it is empty".to_owned());
    }
    if length > 78 {
        problems.push(format!("it has {length} characters"));
    }
    if subject.chars().any(char::is_control) {
        problems.push("it has control characters".to_owned());
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::*;
    use super::super::{Images, Layout, Theme, letter, specimen};
    use super::*;
    use crate::model::{Digest, Language, Letter};

    const UNSUBSCRIBE: &str = "mailto:x@example.org?subject=unsubscribe%20y@example.org";

    fn problems(mail: Rendered<'_>) -> Vec<String> {
        let checks = lint(&newsletter(), mail).into_iter();
        checks
            .filter(|check| !check.problems.is_empty())
            .map(|check| format!("{} {:?}", check.rule, check.problems))
            .collect()
    }

    fn assert_flawless(digest: &Digest, what: &str) {
        let (html, text) = bodies(digest);
        let mail = Rendered {
            subject: &digest.subject,
            html: &html,
            text: &text,
            unsubscribe: Some(UNSUBSCRIBE),
        };
        assert_eq!(problems(mail), [""; 0], "{what}");
    }

    #[test]
    fn no_digest_of_ours_breaks_a_rule() {
        let pictures = Theme {
            images: Images::Linked,
            ..Theme::default().with_texts(
                "[Hallo](https://example.org/)",
                "- eins\n- zwei",
                Language::De,
            )
        };
        let compact = Theme {
            layout: Layout::Compact,
            ..Theme::default()
        };
        for theme in [Theme::default(), pictures, compact] {
            for language in Language::ALL {
                for edition in [specimen::edition("bote", now()), sample(), edition(vec![])] {
                    let digest = render_with(&theme, &edition, language);
                    assert_flawless(&digest, &format!("{language} {:?}", theme.layout));
                }
            }
        }
    }

    #[test]
    fn no_letter_of_ours_breaks_a_rule() {
        let (newsletter, theme) = (newsletter(), Theme::default());
        let link = "https://example.org/u/1?a=1&b=2";
        for language in Language::ALL {
            let letters: [(anyhow::Result<Letter>, _); 4] = [
                (
                    letter::confirmation(&newsletter, &theme, language, link, now()),
                    None,
                ),
                (
                    letter::welcome(&newsletter, &theme, language, Some(now()), link),
                    Some(link),
                ),
                (
                    letter::goodbye(&newsletter, &theme, language, Some(link)),
                    None,
                ),
                (
                    letter::report(&newsletter, &theme, "All is well", Vec::new()),
                    None,
                ),
            ];
            for (letter, unsubscribe) in letters {
                let letter = letter.unwrap();
                let mail = Rendered {
                    subject: &letter.subject,
                    html: &letter.html,
                    text: &letter.text,
                    unsubscribe,
                };
                assert_eq!(problems(mail), [""; 0], "{language} {}", letter.subject);
            }
        }
    }

    /// A mail that breaks no rule but those that `body` breaks.
    fn around(body: &str) -> String {
        format!(
            "<!DOCTYPE html><html lang=\"de\"><head><title>x</title></head><body><table role=\"presentation\" lang=\"de\"><tr><td>\
             <h1>Bote</h1>{body}<p>Muster Verlag<br>Beispielweg 1, 12345 Musterstadt</p></td></tr></table></body></html>"
        )
    }

    const TEXT: &str = "Muster Verlag\nBeispielweg 1, 12345 Musterstadt\n";

    #[test]
    fn every_rule_finds_what_breaks_it() {
        let clean = |html: &str| {
            problems(Rendered {
                subject: "Betreff",
                html,
                text: TEXT,
                unsubscribe: None,
            })
        };
        assert_eq!(clean(&around("<p>Gut</p>")), [""; 0]);
        let style = "style=\"display:flex;margin:0 -4px\"";
        for (body, told) in [
            ("<script>x</script>", "there is a <script>"),
            ("<form action=\"/\"></form>", "there is a <form>"),
            ("<p onclick=\"x\">y</p>", "acts"),
            ("<a href=\"javascript:x\">y</a>", "acts"),
            (
                &format!("<p {style}>x</p>"),
                "some do not know “display: flex”",
            ),
            (
                &format!("<p {style}>x</p>"),
                "some do not know “margin: 0 -4px”",
            ),
            ("<img src=\"https://x.example/a.png\">", "has no alt"),
            (
                "<img src=\"http://x.example/a.png\" alt=\"\" width=\"1\" height=\"1\">",
                "does not come by https",
            ),
            (
                "<table><tr><td>x</td></tr></table>",
                "1 of them have no role",
            ),
            ("<h1>Noch einer</h1>", "there are 2 <h1>"),
            ("<h3>Zu tief</h3>", "<h3> “Zu tief” skips a level"),
            (
                "<p style=\"color:#aaaaaa\">blass</p>",
                "“blass” has a contrast of 2.3",
            ),
            ("<a href=\"\">x</a>", "is a link to nowhere"),
            ("<a href=\"https://x.example/\"></a>", "has no text"),
            (
                "<a href=\"https://x.example/\">https://bank.example</a>",
                "leads to https://x.example/",
            ),
            (
                "<a href=\"http://x.example/\">x</a>",
                "Links are https. [\"http://x.example/\"]",
            ),
            (
                "<img src=\"https://x.example/a.png\" alt=\"\" width=\"300\" height=\"1\">",
                "a.png has 300 pixels",
            ),
            (
                &"Rindfleischetikettierung".repeat(2),
                "has no place where it may be broken",
            ),
            (
                "<table role=\"presentation\"><p>x</p></table>",
                "well-formed",
            ),
        ] {
            let found = clean(&around(body));
            assert!(
                found.iter().any(|problem| problem.contains(told)),
                "{body}: {found:?}"
            );
        }
        assert!(clean("<p>nichts</p>").len() >= 3);
        assert!(
            clean(&around(&"<p>lang und länger</p>".repeat(5_000)))[0]
                .contains("bytes on the wire")
        );
    }

    #[test]
    fn text_and_subject_have_rules_too() {
        let html = around("");
        for (subject, text, told) in [
            ("", TEXT, "it is empty"),
            ("x", "nur das", "the text lacks “Muster Verlag”"),
            (
                "x",
                &format!("{TEXT}{}", "Wort ".repeat(30)),
                "line 3 has 149 columns",
            ),
            (
                "x",
                &format!("{TEXT}\u{202e}x"),
                "line 3 has characters that cannot be seen",
            ),
        ] {
            let mail = Rendered {
                subject,
                html: &html,
                text: text.trim_end(),
                unsubscribe: None,
            };
            let found = problems(mail);
            assert!(
                found.iter().any(|problem| problem.contains(told)),
                "{told}: {found:?}"
            );
        }
        let url = "https://example.org/u";
        for (way_out, is_seen) in [
            (format!("<a href=\"{url}\">Abmelden</a>"), true),
            (url.to_owned(), false),
            (format!("<a href=\"{url}\"></a>"), false),
            (format!("<!-- <a href=\"{url}\">x</a> -->"), false),
            (
                format!("<p style=\"display: none\"><a href=\"{url}\">x</a></p>"),
                false,
            ),
        ] {
            assert_eq!(
                has_link(&Document::from(around(&way_out)), url),
                is_seen,
                "{way_out}"
            );
        }
        let mail = Rendered {
            subject: "x",
            html: &html,
            text: TEXT,
            unsubscribe: Some(url),
        };
        assert!(problems(mail)[0].contains("the text has no link to unsubscribe"));
    }
}
