//! One feed's bytes: from a file, or over HTTP with the manners of a feed reader.

use std::error::Error as _;
use std::time::Duration;

use anyhow::Context as _;
use futures::StreamExt as _;
use reqwest::header::{self, HeaderMap, HeaderValue};
use url::Url;

use crate::model::{Feed, FetchFailure, FetchState, Location};

/// How to fetch.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// Limit for the whole answer of one feed, from the first packet to the last byte.
    pub timeout: Duration,
    /// Limit for one body after decompression, in bytes.
    pub max_bytes: u64,
    /// How many feeds are fetched at a time.
    pub concurrency: usize,
    /// What we call ourselves.
    pub user_agent: String,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            max_bytes: 10_000_000,
            concurrency: 32,
            user_agent: concat!(
                "Tidings/",
                env!("CARGO_PKG_VERSION"),
                " (feed reader for a newsletter digest)"
            )
            .to_owned(),
        }
    }
}

/// What a fetch brought.
#[derive(Debug)]
pub(super) enum Fetched {
    /// The server says that nothing changed since the last full answer (304).
    NotModified,
    /// A full answer.
    Full {
        /// Its body, decompressed.
        bytes: Vec<u8>,
        /// The character set of its `Content-Type`.
        charset: Option<String>,
        /// Its `ETag`, for the next fetch.
        etag: Option<String>,
        /// Its `Last-Modified`, for the next fetch.
        last_modified: Option<String>,
    },
}

/// The HTTP client for all feeds.
///
/// # Errors
/// When the TLS set-up of the machine is unusable.
pub(super) fn client(options: &FetchOptions) -> anyhow::Result<reqwest::Client> {
    let mut tls = crate::tls::client_config(None)?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let accept = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, application/json;q=0.8, */*;q=0.5";
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(&options.user_agent)
        .default_headers(HeaderMap::from_iter([(
            header::ACCEPT,
            HeaderValue::from_static(accept),
        )]))
        .connect_timeout(options.timeout.min(Duration::from_secs(10)))
        .redirect(reqwest::redirect::Policy::limited(5))
        .build()
        .context("setting up the HTTP client")
}

/// Fetches `feed`, conditionally on what `state` remembers.
///
/// # Errors
/// What went wrong, typed for the report.
pub(super) async fn fetch(
    client: &reqwest::Client,
    feed: &Feed,
    state: Option<&FetchState>,
    options: &FetchOptions,
) -> Result<Fetched, FetchFailure> {
    let work = async {
        match &feed.location {
            Location::File(path) => read_file(path, options.max_bytes).await,
            Location::Web(url) => get(client, url, state, options.max_bytes).await,
        }
    };
    // One limit over everything: a server that sends a byte a second must not hold the edition back.
    tokio::time::timeout(options.timeout, work)
        .await
        .unwrap_or(Err(FetchFailure::Timeout(options.timeout.as_secs())))
}

async fn read_file(path: &std::path::Path, max_bytes: u64) -> Result<Fetched, FetchFailure> {
    let unreadable = |error: std::io::Error| FetchFailure::File(error.to_string());
    let metadata = tokio::fs::metadata(path).await.map_err(unreadable)?;
    if metadata.len() > max_bytes {
        return Err(FetchFailure::TooLarge(max_bytes));
    }
    let bytes = tokio::fs::read(path).await.map_err(unreadable)?;
    Ok(Fetched::Full {
        bytes,
        charset: None,
        etag: None,
        last_modified: None,
    })
}

async fn get(
    client: &reqwest::Client,
    url: &Url,
    state: Option<&FetchState>,
    max_bytes: u64,
) -> Result<Fetched, FetchFailure> {
    let conditional =
        state.is_some_and(|state| state.etag.is_some() || state.last_modified.is_some());
    let mut request = client.get(url.clone());
    if let Some(etag) = state.and_then(|state| state.etag.as_deref()) {
        request = request.header(header::IF_NONE_MATCH, etag);
    }
    if let Some(date) = state.and_then(|state| state.last_modified.as_deref()) {
        request = request.header(header::IF_MODIFIED_SINCE, date);
    }
    let response = request
        .send()
        .await
        .map_err(|error| unreachable_failure(&error))?;
    match response.status().as_u16() {
        // Only an answer to our condition; without one there is nothing that could be unchanged.
        304 if conditional => return Ok(Fetched::NotModified),
        200 => {}
        status => return Err(FetchFailure::Status(status)),
    }
    if response
        .content_length()
        .is_some_and(|length| length > max_bytes)
    {
        return Err(FetchFailure::TooLarge(max_bytes));
    }
    let text = |name| {
        response
            .headers()
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
            .map(str::to_owned)
    };
    let (etag, last_modified) = (text(header::ETAG), text(header::LAST_MODIFIED));
    let charset = text(header::CONTENT_TYPE).and_then(|value| super::parse::charset_of(&value));

    let mut bytes = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| unreachable_failure(&error))?;
        // Counted after decompression, so a small bomb is as large as what it unfolds to.
        if (bytes.len() + chunk.len()) as u64 > max_bytes {
            return Err(FetchFailure::TooLarge(max_bytes));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Fetched::Full {
        bytes,
        charset,
        etag,
        last_modified,
    })
}

fn unreachable_failure(error: &reqwest::Error) -> FetchFailure {
    // The innermost cause is the one that helps ("connection refused"); the outer ones repeat the URL.
    let mut cause = error.source();
    while let Some(inner) = cause.and_then(|error| error.source()) {
        cause = Some(inner);
    }
    let reason = match cause {
        Some(cause) => cause.to_string(),
        None if error.is_redirect() => "too many redirects".to_owned(),
        None => "the connection failed".to_owned(),
    };
    let reason = super::clean::plain_text(&reason);
    if ["certificate", "tls", "handshake"]
        .iter()
        .any(|word| reason.to_lowercase().contains(word))
    {
        FetchFailure::Tls(reason)
    } else {
        FetchFailure::Unreachable(reason)
    }
}
