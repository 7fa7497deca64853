//! A configured place that items come from, and what fetching it left behind.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use super::TopicId;

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
}

impl Feed {
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

/// What the last fetches of a feed left behind, so that the next one can be polite.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// How many times in a row it has failed.
    pub failures: i64,
    /// What went wrong last time; `None` after a success.
    pub error: Option<String>,
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
    /// No connection: unknown host, refused, reset.
    #[error("could not be reached ({0}); check the address, the next run tries again")]
    Unreachable(String),
    /// The TLS handshake failed.
    #[error("has no valid TLS certificate or speaks no TLS that we do ({0})")]
    Tls(String),
    /// The whole answer did not arrive in time; the limit in seconds.
    #[error("did not answer in full within {0} s; the next run tries again (`collect.timeout`)")]
    Timeout(u64),
    /// Another status than 200 or 304.
    #[error("answered {0}{hint}", hint = status_hint(*.0))]
    Status(u16),
    /// The body is larger than the limit, in bytes.
    #[error("is larger than {0} bytes (`collect.max_bytes`)")]
    TooLarge(u64),
    /// Not a feed that can be read.
    #[error("is not a feed that can be read: {0}")]
    NotAFeed(String),
    /// The file cannot be read.
    #[error("cannot be read as a file: {0}")]
    File(String),
}

fn status_hint(status: u16) -> &'static str {
    match status {
        401 | 403 => " (it does not let us in)",
        404 => " (not found; has the feed moved?)",
        410 => " (gone for good; remove it from the configuration)",
        429 => " (we ask too often; run less often)",
        500..=599 => " (trouble at their end; the next run tries again)",
        _ => "",
    }
}
