//! Texts of the configuration as values, with the reason when they are none.

use std::path::{Path, PathBuf};

use url::Url;

use crate::model::{Address, Language, Location, SecretPart, SecretText, clean_name, is_unwanted};

/// A text with something in it, trimmed.
pub(super) fn not_empty(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        Err("must not be empty".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// Refuses what nobody sees: it would break a mail or a feed, or stand for something in one.
pub(super) fn visible(text: &str) -> Result<(), String> {
    let is_unseen = |c: &char| is_unwanted(*c) || (c.is_control() && !"\n\r\t".contains(*c));
    match text.chars().find(is_unseen) {
        Some(c) => Err(format!(
            "has a character that nobody sees (U+{:04X})",
            c as u32
        )),
        None => Ok(()),
    }
}

pub(super) fn short_name(text: &str) -> Result<String, String> {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() || text.len() > 40 || !text.chars().all(valid) {
        return Err(format!("“{text}” is not a short name"));
    }
    Ok(text.to_owned())
}

pub(super) fn language(text: &str) -> Result<Language, String> {
    Language::from_tag(text)
        .ok_or_else(|| format!("“{text}” is not a language that digests are written in"))
}

pub(super) fn address(text: &str) -> Result<Address, String> {
    Address::parse(text)
        .map_err(|error| format!("“{}” is not an address: {error}", clean_name(text)))
}

/// `Name <address>` or a bare address.
pub(super) fn mailbox(text: &str) -> Result<(String, Address), String> {
    match text
        .trim()
        .strip_suffix('>')
        .and_then(|text| text.rsplit_once('<'))
    {
        Some((name, inner)) => Ok((clean_name(name.trim().trim_matches('"')), address(inner)?)),
        None => Ok((String::new(), address(text)?)),
    }
}

pub(super) fn web_url(text: &str) -> Result<Url, String> {
    let url =
        Url::parse(text.trim()).map_err(|error| format!("“{text}” is not an address ({error})"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(format!("“{text}” is not a web address"));
    }
    Ok(url)
}

/// A web address with places, such as `{edition}`, which are still there when it is written as addresses are.
pub(super) fn url_pattern(text: &str, places: &[&str]) -> Result<(Url, String), String> {
    let token = |place: usize| format!("tidings-place-{place}");
    let numbered = || places.iter().enumerate();
    let filled = numbered().fold(text.to_owned(), |text, (number, place)| {
        text.replace(place, &token(number))
    });
    let url = web_url(&filled)?;
    let pattern = numbered().fold(url.to_string(), |text, (number, place)| {
        text.replace(&token(number), place)
    });
    Ok((url, pattern))
}

/// A text with `${NAME}` for the value of an environment variable and `${file:PATH}` for the first line of a file.
pub(super) fn secret_text(text: &str, folder: &Path) -> Result<SecretText, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, behind) = after.split_once('}').ok_or("has a “${” without its “}”")?;
        if !before.is_empty() {
            parts.push(SecretPart::Plain(before.to_owned()));
        }
        parts.push(match name.strip_prefix("file:") {
            Some(path) => SecretPart::File(folder.join(path)),
            None => SecretPart::Variable(name.to_owned()),
        });
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(SecretPart::Plain(rest.to_owned()));
    }
    Ok(SecretText(parts))
}

pub(super) fn location(text: &str, folder: &Path) -> Result<Location, String> {
    let scheme = text
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    if matches!(scheme.as_deref(), Some("http" | "https")) {
        let url = web_url(text)?;
        // A password in an address ends up in logs and reports.
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has a login in it".to_owned());
        }
        return Ok(Location::Web(url));
    }
    if let Some(path) = text.strip_prefix("file://") {
        return Ok(Location::File(PathBuf::from(path)));
    }
    if text.contains("://") {
        return Err(format!("“{text}” is neither a web address nor a file"));
    }
    Ok(Location::File(folder.join(text)))
}
