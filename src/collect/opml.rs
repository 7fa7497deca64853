//! Lists of feeds as feed readers exchange them (OPML 2.0, opml.org).

use std::fmt::Write as _;

use html_escape::encode_double_quoted_attribute as quoted;
use url::Url;

use super::html::Html;
use super::parse::decode;
use super::parse::xml::{Element, Tree};

/// A feed in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// What it is called.
    pub title: Option<String>,
    /// Where it is.
    pub url: Url,
    /// The folders that it is in, the innermost of each place.
    pub folders: Vec<String>,
}

/// Reads a list. A feed that stands in several folders is there once.
///
/// # Errors
/// When there is no outline in it.
pub fn read_opml(bytes: &[u8]) -> Result<Vec<Outline>, String> {
    let text = decode(bytes, None);
    let tree = Tree::read(&text);
    let is = |element: &Element<'_>, name: &str| element.name().1 == name;
    if !tree
        .elements()
        .any(|element| is(&element, "opml") || is(&element, "outline"))
    {
        return Err("it has no outline in it; is it OPML?".to_owned());
    }
    let mut outlines: Vec<Outline> = Vec::new();
    for element in tree.elements().filter(|element| is(element, "outline")) {
        let Some(url) = element
            .attribute("xmlUrl")
            .and_then(|url| Url::parse(url.trim()).ok())
        else {
            continue;
        };
        if !matches!(url.scheme(), "http" | "https") {
            continue;
        }
        let folder = element
            .parent()
            .filter(|parent| is(parent, "outline"))
            .and_then(label);
        match outlines.iter_mut().find(|outline| outline.url == url) {
            Some(known) => known
                .folders
                .extend(folder.filter(|folder| !known.folders.contains(folder))),
            None => outlines.push(Outline {
                title: label(element),
                url,
                folders: folder.into_iter().collect(),
            }),
        }
    }
    Ok(outlines)
}

fn label(element: Element<'_>) -> Option<String> {
    let text = element
        .attribute("title")
        .or_else(|| element.attribute("text"))?;
    Some(Html::from_text(&text).into_text()).filter(|text| !text.is_empty())
}

/// Writes a list called `title`: feeds without a folder first, then each folder.
pub fn write_opml(title: &str, outlines: &[Outline]) -> String {
    let mut folders: Vec<&str> = Vec::new();
    for folder in outlines.iter().flat_map(|outline| &outline.folders) {
        if !folders.contains(&folder.as_str()) {
            folders.push(folder);
        }
    }
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<opml version=\"2.0\">\n  <head><title>{}</title></head>\n  <body>\n",
        html_escape::encode_text(title)
    );
    let feed = |text: &mut String, indent: &str, outline: &Outline| {
        let name = outline.title.as_deref().unwrap_or(outline.url.as_str());
        let _ = writeln!(
            text,
            "{indent}<outline type=\"rss\" text=\"{name}\" title=\"{name}\" xmlUrl=\"{}\"/>",
            quoted(outline.url.as_str()),
            name = quoted(name),
        );
    };
    for outline in outlines.iter().filter(|outline| outline.folders.is_empty()) {
        feed(&mut text, "    ", outline);
    }
    for folder in folders {
        let _ = writeln!(
            text,
            "    <outline text=\"{name}\" title=\"{name}\">",
            name = quoted(folder)
        );
        for outline in outlines
            .iter()
            .filter(|outline| outline.folders.iter().any(|name| name == folder))
        {
            feed(&mut text, "      ", outline);
        }
        text.push_str("    </outline>\n");
    }
    text.push_str("  </body>\n</opml>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(title: &str, url: &str, folders: &[&str]) -> Outline {
        Outline {
            title: Some(title.to_owned()),
            url: Url::parse(url).unwrap(),
            folders: folders.iter().map(|folder| (*folder).to_owned()).collect(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let outlines = [
            outline("Bote", "https://example.org/feed?a=1&b=2", &[]),
            outline(
                "\"Kurier\" & <Co>",
                "https://example.net/rss",
                &["KI", "Recht & Politik"],
            ),
        ];
        assert_eq!(
            read_opml(write_opml("Meine <Feeds>", &outlines).as_bytes()).unwrap(),
            outlines
        );
    }

    #[test]
    fn lists_of_other_programs_are_read() {
        let list = "<opml version='1.0'><body>\
            <outline text='Technik'><outline text='Tief'><outline text='Bote' type='rss' xmlUrl='https://example.org/feed' /></outline></outline>\
            <outline text='Bote' xmlURL='https://example.org/feed'/>\
            <outline text='kein Feed' type='link' url='https://example.org'/><outline xmlUrl='javascript:x'/>\
            <outline title='ohne Ende' xmlUrl='https://example.org/2'></body>";
        let read = read_opml(list.as_bytes()).unwrap();
        assert_eq!(
            read[0],
            outline("Bote", "https://example.org/feed", &["Tief"])
        );
        assert_eq!(read[1], outline("ohne Ende", "https://example.org/2", &[]));
        assert_eq!(read.len(), 2);
        assert!(read_opml(b"<html></html>").is_err());
    }
}
