//! Texts of the configuration as values, with the reason when they are none.

use std::path::{Path, PathBuf};

use url::Url;

use crate::model::{Address, Language, Location, clean_name};

/// A text with something in it, trimmed.
pub(super) fn not_empty(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        Err("must not be empty".to_owned())
    } else {
        Ok(text.to_owned())
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

/// The address as it was written, but for a password in it: the key stands in reports.
pub(super) fn feed_key(text: &str, location: &Location) -> String {
    match location {
        Location::Web(url) if !url.username().is_empty() || url.password().is_some() => {
            let mut url = url.clone();
            // Neither can fail for a web address.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.into()
        }
        _ => text.to_owned(),
    }
}

pub(super) fn location(text: &str, folder: &Path) -> Result<Location, String> {
    if text.starts_with("http://") || text.starts_with("https://") {
        return web_url(text).map(Location::Web);
    }
    if let Some(path) = text.strip_prefix("file://") {
        return Ok(Location::File(PathBuf::from(path)));
    }
    if text.contains("://") {
        return Err(format!("“{text}” is neither a web address nor a file"));
    }
    Ok(Location::File(folder.join(text)))
}
