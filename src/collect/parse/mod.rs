//! Feed bytes become a [`Document`]: every format, every character set, however broken.
//!
//! `decode` makes text of the bytes, `xml` a tree of the text, `elements` and `json` a document of that; `date` reads
//! dates. What comes out is safe to show and complete as far as the feed is.

mod date;
mod decode;
mod document;
mod elements;
mod json;
pub(super) mod xml;

pub use date::parse_date;
pub use decode::charset_of;
pub(super) use decode::decode;
pub use document::{Document, Entry, Person};
use url::Url;

/// How many entries of one feed are read; the biggest real ones have a few hundred.
const MAX_ENTRIES: usize = 1_000;

/// Why bytes are not a feed, as a phrase for the report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAFeed {
    /// It is a page for people.
    #[error("it is an HTML page")]
    Page,
    /// It is something else.
    #[error("{0}")]
    Other(String),
}

/// Reads `bytes` as RSS, RDF, Atom, CDF or JSON Feed. Of more than 1,000 entries, the first 1,000 count.
///
/// `charset` is that of the HTTP `Content-Type`; relative addresses are resolved against `base`.
///
/// # Errors
/// When there is no feed in it.
pub fn parse(
    bytes: &[u8],
    charset: Option<&str>,
    base: Option<&Url>,
) -> Result<Document, NotAFeed> {
    let text = decode(bytes, charset);
    let text =
        text.trim_start_matches(|c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}');
    if text.starts_with('{') {
        return json::document(text, base, MAX_ENTRIES).map_err(NotAFeed::Other);
    }
    let tree = xml::Tree::read(text);
    elements::document(&tree, base, MAX_ENTRIES).ok_or_else(|| {
        if text.is_empty() {
            return NotAFeed::Other("it is empty".to_owned());
        }
        let start = text[..text.floor_char_boundary(1_000)].to_ascii_lowercase();
        if start.contains("<!doctype html") || start.contains("<html") || start.contains("<head") {
            NotAFeed::Page
        } else {
            NotAFeed::Other("it has no element of RSS or Atom in it".to_owned())
        }
    })
}

/// What keeps a strict reader (feed-rs) from reading `bytes`. Other programs may be as strict, so the owner of a feed may
/// want to know.
pub fn flaw(bytes: &[u8], charset: Option<&str>) -> Option<String> {
    let text = decode(bytes, charset);
    // It takes the declaration's word for the encoding, which was true of the bytes.
    let text = match text.trim_start_matches('\u{feff}').split_once("?>") {
        Some((declaration, rest)) if declaration.starts_with("<?xml") => rest,
        _ => &text,
    };
    let error = feed_rs::parser::parse(text.as_bytes()).err()?;
    Some(super::clean::plain_text(&error.to_string()))
}
