//! Which facts identify an item.
//!
//! Feeds edit titles, reorder entries, decorate links with tracking parameters, put headlines into guids
//! or give every entry the same guid. The address of the article is what stays, so it comes first; the
//! guid stands in where there is no address, and only what shares its address with a neighbour (a feed
//! that links everything to its front page) needs the guid or title beside it.

use chrono::{DateTime, Utc};
use unicode_normalization::UnicodeNormalization as _;
use url::Url;

use crate::model::{FeedKey, ItemKey};

/// Query parameters that say how a reader came, not what they read.
const TRACKING: &[&str] = &[
    "fbclid",
    "gclid",
    "dclid",
    "gbraid",
    "wbraid",
    "msclkid",
    "yclid",
    "twclid",
    "igshid",
    "mc_cid",
    "mc_eid",
    "wt_mc",
    "wt.mc",
    "wt_zmc",
    "_hsenc",
    "_hsmi",
    "mkt_tok",
    "oly_anon_id",
    "oly_enc_id",
    "vero_id",
    "xtor",
    "cmpid",
    "at_medium",
    "at_campaign",
    "ocid",
    "ncid",
    "guccounter",
    "ref_src",
    "rss",
];

/// The identity of an entry of `feed`.
///
/// `shared_url` says that another entry of the same fetch has the same canonical address.
pub(super) fn item_key(
    feed: &FeedKey,
    url: Option<&str>,
    shared_url: SharedUrl,
    guid: Option<&str>,
    title: &str,
) -> ItemKey {
    let guid = guid.map(str::trim).filter(|guid| !guid.is_empty());
    match (url, guid) {
        (Some(url), _) if shared_url == SharedUrl::No => ItemKey::of(&format!("url\n{url}")),
        (Some(url), Some(guid)) if guid != url => {
            ItemKey::of(&format!("url+guid\n{url}\n{guid}\n{title}"))
        }
        (Some(url), _) => ItemKey::of(&format!("url+title\n{url}\n{title}")),
        (None, Some(guid)) => ItemKey::of(&format!("guid\n{feed}\n{guid}")),
        (None, None) => ItemKey::of(&format!("title\n{feed}\n{title}")),
    }
}

/// Whether an entry has its address for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SharedUrl {
    /// It does.
    No,
    /// Another entry of the feed has the same one.
    Yes,
}

/// The canonical form of a link: absolute, `http` or `https`, without tracking parameters, credentials
/// and fragments that only name a place on the page. `None` for anything else.
///
/// `www.` and the path stay as they are: both can lead to different pages.
pub(super) fn canonical_url(link: &str, base: Option<&Url>) -> Option<String> {
    let link = link.trim();
    let mut url = match Url::parse(link) {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) if !link.is_empty() => {
            base?.join(link).ok()?
        }
        Err(_) => return None,
    };
    if !matches!(url.scheme(), "http" | "https")
        || url.host_str().is_none()
        || url.as_str().len() > 2_000
    {
        return None;
    }
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let is_route = url
        .fragment()
        .is_some_and(|fragment| fragment.starts_with(['!', '/']));
    if !is_route {
        url.set_fragment(None);
    }
    if let Some(query) = url.query() {
        let kept: Vec<&str> = query
            .split('&')
            .filter(|pair| !pair.is_empty() && !is_tracking(pair))
            .collect();
        let kept = kept.join("&");
        url.set_query(if kept.is_empty() { None } else { Some(&kept) });
    }
    Some(url.into())
}

/// A service that finds the items of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relay {
    /// Google News, whose links lead through itself.
    Google,
    /// Bing News, whose links name the publisher's address.
    Bing,
}

impl Relay {
    /// The service that a canonical link leads through.
    pub(super) fn of(url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        match url.host_str()? {
            "news.google.com" => Some(Self::Google),
            "www.bing.com" | "bing.com" if url.path().starts_with("/news/") => Some(Self::Bing),
            _ => None,
        }
    }
}

/// The publisher's address in a canonical link that leads through Bing News.
pub(super) fn published_address(url: &str) -> Option<String> {
    if Relay::of(url) != Some(Relay::Bing) {
        return None;
    }
    let url = Url::parse(url).ok()?;
    let (_, target) = url.query_pairs().find(|(name, _)| name == "url")?;
    canonical_url(&target, None)
}

/// The identity of what has no address of its own: what is said, by whom, on which day.
pub(super) fn headline_key(title: &str, outlet: &str, published: DateTime<Utc>) -> ItemKey {
    let words = |text: &str| {
        let letters = text.nfkc().flat_map(char::to_lowercase);
        let spaced: String = letters
            .map(|c| if c.is_alphanumeric() { c } else { ' ' })
            .collect();
        spaced.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let day = published.format("%Y-%m-%d");
    ItemKey::of(&format!(
        "headline\n{}\n{}\n{day}",
        words(title),
        words(outlet)
    ))
}

fn is_tracking(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or(pair).to_ascii_lowercase();
    name.starts_with("utm_") || name.starts_with("pk_") || TRACKING.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn feed() -> FeedKey {
        FeedKey("https://example.org/feed".into())
    }

    #[test]
    fn links_are_made_canonical() {
        let base = Url::parse("https://example.org/news/feed.xml").unwrap();
        for (link, canonical) in [
            (
                "https://example.org/a?utm_source=rss&id=7&utm_medium=x",
                Some("https://example.org/a?id=7"),
            ),
            (
                "https://example.org/a?wt_mc=rss.red",
                Some("https://example.org/a"),
            ),
            (
                "https://example.org:443/a#comments",
                Some("https://example.org/a"),
            ),
            ("https://example.org/#!/a", Some("https://example.org/#!/a")),
            (
                "https://user:secret@example.org/a",
                Some("https://example.org/a"),
            ),
            (
                "HTTPS://www.Example.org/A/",
                Some("https://www.example.org/A/"),
            ),
            ("/b", Some("https://example.org/b")),
            ("c.html", Some("https://example.org/news/c.html")),
            ("javascript:alert(1)", None),
            ("data:text/html,x", None),
            ("mailto:a@example.org", None),
            ("", None),
        ] {
            assert_eq!(
                canonical_url(link, Some(&base)).as_deref(),
                canonical,
                "{link}"
            );
        }
    }

    #[test]
    fn an_edited_title_and_a_changed_guid_leave_the_identity_alone() {
        let key = |guid, title| {
            item_key(
                &feed(),
                Some("https://example.org/a"),
                SharedUrl::No,
                guid,
                title,
            )
        };
        assert_eq!(key(Some("1"), "Old title"), key(Some("2"), "New title"));
    }

    #[test]
    fn entries_that_share_one_address_are_told_apart() {
        let key = |guid, title| {
            item_key(
                &feed(),
                Some("https://example.org/"),
                SharedUrl::Yes,
                guid,
                title,
            )
        };
        assert_ne!(key(Some("1"), "a"), key(Some("2"), "a"));
        assert_ne!(key(None, "a"), key(None, "b"));
        assert_ne!(
            key(Some("same for all"), "a"),
            key(Some("same for all"), "b")
        );
    }

    #[test]
    fn a_guid_belongs_to_its_feed() {
        let other = FeedKey("https://example.net/feed".into());
        assert_ne!(
            item_key(&feed(), None, SharedUrl::No, Some("1"), "a"),
            item_key(&other, None, SharedUrl::No, Some("1"), "a")
        );
    }

    proptest! {
        #[test]
        fn canonical_links_stay_as_they_are(link in "https?://[a-z]{1,8}\\.(org|de)/[a-z0-9/_-]{0,20}(\\?[a-z=&_]{0,20})?(#[a-z!/]{0,6})?") {
            let once = canonical_url(&link, None).unwrap();
            prop_assert_eq!(canonical_url(&once, None), Some(once));
        }

        #[test]
        fn tracking_parameters_never_change_an_identity(path in "[a-z]{1,10}", value in "[a-zA-Z0-9._-]{0,12}", which in 0..TRACKING.len()) {
            let plain = canonical_url(&format!("https://example.org/{path}"), None);
            let tracked = canonical_url(&format!("https://example.org/{path}?{}={value}&utm_x={value}", TRACKING[which]), None);
            prop_assert_eq!(plain, tracked);
        }
    }
}
