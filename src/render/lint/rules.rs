//! The rules. Each gives what breaks it.

use dom_query::{Document, NodeRef};

use super::super::HTML_BUDGET;
use super::super::budget::encoded_size;
use super::Rendered;
use super::seen::{has_link, lacking_lines, visible_text, whole};
use crate::model::Newsletter;

pub(super) fn size(html: &str) -> Vec<String> {
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
pub(super) fn missing(
    newsletter: &Newsletter,
    page: &Document,
    mail: &Rendered<'_>,
) -> Vec<String> {
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

/// What a parser of HTML has to mend. Names of attributes that only some programs know are no mistake.
pub(super) fn malformed(page: &Document) -> Vec<String> {
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

pub(super) fn wide(page: &Document) -> Vec<String> {
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

pub(super) fn acting(page: &Document) -> Vec<String> {
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
pub(super) fn styles(page: &Document) -> Vec<String> {
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

pub(super) fn pictures(page: &Document) -> Vec<String> {
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

pub(super) fn tables(page: &Document) -> Vec<String> {
    let silent = page.select("table:not([role=presentation])").length();
    (silent > 0)
        .then(|| {
            format!("{silent} of them have no role=\"presentation\", and are read aloud as tables")
        })
        .into_iter()
        .collect()
}

pub(super) fn headings(page: &Document) -> Vec<String> {
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

pub(super) fn languages(page: &Document) -> Vec<String> {
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

pub(super) fn lines(text: &str) -> Vec<String> {
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

pub(super) fn links(page: &Document) -> Vec<String> {
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

pub(super) fn insecure_links(page: &Document) -> Vec<String> {
    let links = page.select("a[href]");
    let urls = links.nodes().iter().map(|node| node.attr_or("href", ""));
    // What is on this machine is being tried, and goes nowhere.
    let is_here =
        |url: &str| url.starts_with("http://localhost") || url.starts_with("http://127.0.0.1");
    urls.filter(|url| !url.starts_with("https://") && !url.starts_with("mailto:") && !is_here(url))
        .map(|url| url.to_string())
        .collect()
}

pub(super) fn subject(subject: &str) -> Vec<String> {
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
