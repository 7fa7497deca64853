//! A configured place that items come from, and what fetching it left behind.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Mark, TopicId};

super::text_id! {
    /// The identity of a feed: its address as the configuration gives it.
    FeedKey
}

/// A configured place we fetch from.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The identity of the feed.
    pub key: FeedKey,
    /// Where its bytes are.
    pub location: Location,
    /// The name that readers see; the feed's own title when absent.
    pub name: Option<String>,
    /// The language of its items, as a BCP 47 tag; told from the feed and the text when absent.
    pub language: Option<String>,
    /// Topics that every item of this feed belongs to, whatever its words are.
    pub topics: Vec<TopicId>,
    /// The user name and password that the feed wants (HTTP Basic, RFC 7617).
    pub login: Option<(String, SecretText)>,
    /// Headers to send along, by name.
    pub headers: Vec<(String, SecretText)>,
    /// Whether the pages of its picked stories are read, as it gives headlines only.
    pub article_pages: bool,
    /// What all its items have that say nothing else.
    pub mark: Option<Mark>,
    /// Whether its items are news. Those of a block's feed are not: no topic takes them.
    pub is_news: bool,
}

/// A text from the configuration that may have secrets in it, each named by where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretText(pub Vec<SecretPart>);

/// A part of a [`SecretText`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPart {
    /// No secret.
    Plain(String),
    /// The value of this environment variable.
    Variable(String),
    /// The first line of this file.
    File(PathBuf),
}

impl Feed {
    /// Whether anybody may be told of it: there is no login, and nothing secret in what is sent along.
    pub fn is_open(&self) -> bool {
        self.login.is_none() && self.headers.is_empty()
    }

    /// The feed at an address of which nothing else is known.
    pub fn at(url: Url) -> Self {
        Self::new(FeedKey(url.to_string()), Location::Web(url))
    }

    /// The feed at a place of which nothing else is known.
    pub fn new(key: FeedKey, location: Location) -> Self {
        Self {
            key,
            location,
            name: None,
            language: None,
            topics: Vec::new(),
            login: None,
            headers: Vec::new(),
            article_pages: false,
            mark: None,
            is_news: true,
        }
    }

    /// The name to use in messages: the configured one, else the address.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(self.key.as_str())
    }
}

/// Where a feed's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file on this machine.
    File(PathBuf),
    /// An `http` or `https` address.
    Web(Url),
}

/// How often a feed asks to be read at most (RSS 2.0 `ttl`, `skipHours`, `skipDays`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// The shortest time between two fetches, in minutes.
    pub minutes: Option<u32>,
    /// The hours of the day (UTC) in which nothing new comes, one bit each.
    pub skip_hours: u32,
    /// The days of the week in which nothing new comes, one bit each from Monday on.
    pub skip_days: u8,
}

/// What the last fetches of a feed left behind, so that the next one can be polite.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FetchState {
    /// The title that the feed gave itself.
    pub title: Option<String>,
    /// `ETag` of the last full answer, exactly as received (RFC 9110 8.8.3).
    pub etag: Option<String>,
    /// `Last-Modified` of the last full answer, exactly as received.
    pub last_modified: Option<String>,
    /// When it was last asked.
    pub fetched_at: Option<DateTime<Utc>>,
    /// When it last gave a readable feed or said that nothing changed.
    pub succeeded_at: Option<DateTime<Utc>>,
    /// Before this moment (of the real time), it is not asked again.
    pub rests_until: Option<DateTime<Utc>>,
    /// How often it wishes to be read.
    pub pace: Pace,
    /// Where it has moved for good (301, 308), or where the page that stands at its address says that it is.
    pub moved_to: Option<Url>,
    /// When its newest item was published.
    pub newest_at: Option<DateTime<Utc>>,
    /// How many items a day it has, by those that it showed last.
    pub items_a_day: Option<f64>,
    /// How many times in a row it has failed.
    pub failures: u32,
    /// What went wrong last time; `None` after a success.
    pub failure: Option<FetchFailure>,
}

impl FetchState {
    /// After this long without a new item, a feed counts as quiet.
    pub const QUIET_AFTER: TimeDelta = TimeDelta::days(30);

    /// Whether it has had nothing new for long, seen at `now`.
    pub fn is_quiet(&self, now: DateTime<Utc>) -> bool {
        self.newest_at
            .is_some_and(|newest| now - newest >= Self::QUIET_AFTER)
    }

    /// Whether it said that it will never come back (410).
    pub fn is_gone(&self) -> bool {
        self.failure == Some(FetchFailure::Gone)
    }
}

/// A feed that gave nothing in this run. It is data in the report, never the end of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedFailure {
    /// Which feed.
    pub feed: FeedKey,
    /// Its name for people.
    pub name: String,
    /// What went wrong.
    pub failure: FetchFailure,
}

/// Why a fetch gave no items. `Display` says what happened and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", content = "detail", rename_all = "snake_case")]
pub enum FetchFailure {
    /// The name of the host leads nowhere.
    #[error(
        "could not be reached: there is no host “{0}”; check the address, or the name server of this machine"
    )]
    Dns(String),
    /// The host does not take the connection.
    #[error(
        "could not be reached: “{0}” refused the connection; check the address, a later run tries again"
    )]
    Refused(String),
    /// No connection for another reason: reset, no route.
    #[error("could not be reached ({0}); a later run tries again")]
    Unreachable(String),
    /// The address leads into a private network, where feeds have no business.
    #[error(
        "was not asked: {0} is an address of a private network; if that is meant, set `collect.allow_private = true`"
    )]
    Blocked(String),
    /// The answer broke off, or cannot be decompressed.
    #[error("sent an answer that is broken ({0}); a later run tries again")]
    Broken(String),
    /// The TLS handshake failed.
    #[error("has no valid TLS certificate or speaks no TLS that we do ({0})")]
    Tls(String),
    /// The whole answer did not arrive in time; the limit in seconds.
    #[error("did not answer in full within {0} s; a later run tries again (`collect.timeout`)")]
    Timeout(u64),
    /// It leads from address to address without an end, or to one that is none.
    #[error("leads astray: {0}")]
    Redirect(String),
    /// It asked us to come back later (429, 503), which we will.
    #[error("answered {status} and wants to be left alone until {until}; that is kept", until = until.format("%-d %B %Y, %H:%M UTC"))]
    RateLimited {
        /// The status.
        status: u16,
        /// When it may be asked again.
        until: DateTime<Utc>,
    },
    /// It said that it will never come back (410).
    #[error(
        "is gone for good (410) and is asked once a month at most; take it out of the configuration"
    )]
    Gone,
    /// Another status than 200 or 304.
    #[error("answered {0}{hint}", hint = status_hint(*.0))]
    Status(u16),
    /// The body is larger than the limit, in bytes.
    #[error("is larger than {0} bytes (`collect.max_bytes`)")]
    TooLarge(u64),
    /// It is a page for people; the feeds that it names.
    #[error("is not a feed but an HTML page{hint}", hint = page_hint(.0))]
    Page(Vec<String>),
    /// Not a feed that can be read.
    #[error("is not a feed that can be read: {0}")]
    NotAFeed(String),
    /// The file cannot be read.
    #[error("cannot be read as a file: {0}")]
    File(String),
    /// The login or a header of the feed is not to be had.
    #[error("could not be asked: {0}")]
    Secret(String),
}

fn status_hint(status: u16) -> &'static str {
    match status {
        401 | 403 => " (it does not let us in; does it want `user` and `password`?)",
        404 => " (not found; has the feed moved? `tidings feeds discover` looks for it)",
        500..=599 => " (trouble at their end; a later run tries again)",
        _ => "",
    }
}

fn page_hint(feeds: &[String]) -> String {
    match feeds {
        [] => ", and it names no feed".to_owned(),
        [one] => format!("; its feed is {one}"),
        several => format!("; its feeds are {}", several.join(" and ")),
    }
}
