//! What somebody sees of a mail who reads it.

use dom_query::{Document, NodeRef};

/// `text` without the places at which its words may be broken.
pub(super) fn whole(text: &str) -> String {
    text.replace(['\u{ad}', '\u{200b}'], "")
}

/// Those of `lines` that `shown` does not have as they stand, but for where their own lines end.
pub(in crate::render) fn lacking_lines<'l>(lines: &'l [String], shown: &str) -> Vec<&'l str> {
    let run_on = |text: &str| whole(text).split_whitespace().collect::<String>();
    let shown = run_on(shown);
    let lines = lines.iter().map(String::as_str);
    lines
        .filter(|line| !shown.contains(&run_on(line)))
        .collect()
}

/// Whether somebody sees a link to `url`.
pub(in crate::render) fn has_link(page: &Document, url: &str) -> bool {
    page.select("a[href]").nodes().iter().any(|node| {
        let is_shown = || {
            let picture = node.descendants_it().any(|inner| inner.has_name("img"));
            picture || !whole(&node.text()).trim().is_empty()
        };
        *node.attr_or("href", "") == *url && !is_hidden(node) && is_shown()
    })
}

/// What somebody sees of a page.
pub(in crate::render) fn visible_text(page: &Document) -> String {
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
