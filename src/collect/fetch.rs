//! One feed's bytes: from a file, or over HTTP with the manners of a feed reader.

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use chrono::{DateTime, Utc};
use reqwest::Response;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::guard::{Blocked, Guard, Unresolved};
use super::pace;
use crate::model::{Feed, FetchFailure, FetchState, Location, SecretPart, SecretText};

/// How often an address may lead on to another.
const MAX_REDIRECTS: usize = 8;

/// How to fetch.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// Limit for the whole answer of one feed, from the first packet to the last byte.
    pub timeout: Duration,
    /// Limit for one body after decompression, in bytes.
    pub max_bytes: u64,
    /// How many feeds are fetched at a time.
    pub concurrency: usize,
    /// How many feeds of one host are fetched at a time.
    pub per_host: usize,
    /// What we call ourselves.
    pub user_agent: String,
    /// Whether feeds may be on this machine and in its network.
    pub allow_private: bool,
    /// Somebody looks after the feeds: those are asked too that would rather be left alone for a while or are gone (never those
    /// that told us to wait), and a strict reader has its say (see [`Visit::flaw`](super::Visit::flaw)).
    pub checking: bool,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            max_bytes: 10_000_000,
            concurrency: 32,
            per_host: 2,
            user_agent: concat!(
                "Tidings/",
                env!("CARGO_PKG_VERSION"),
                " (feed reader for a newsletter digest)"
            )
            .to_owned(),
            allow_private: false,
            checking: false,
        }
    }
}

/// What a fetch brought.
#[derive(Debug)]
pub(super) enum Fetched {
    /// The server says that nothing changed since the last full answer (304).
    NotModified {
        /// The headers of the answer.
        headers: HeaderMap,
    },
    /// A full answer.
    Full(Answer),
}

/// A full answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// Its body, decompressed.
    pub(super) bytes: Vec<u8>,
    /// Its headers; none for a file.
    pub(super) headers: HeaderMap,
    /// The address that it came from; none for a file.
    pub(super) url: Option<Url>,
    /// Where the feed has moved for good.
    pub(super) moved_to: Option<Url>,
}

impl Answer {
    /// A header as text.
    pub(super) fn header(&self, name: HeaderName) -> Option<String> {
        let value = self.headers.get(name)?;
        // Kept as it came: what a server put into an entity tag, it gets back, whatever it is.
        Some(
            value
                .as_bytes()
                .iter()
                .map(|byte| char::from(*byte))
                .collect(),
        )
    }
}

/// A fetch that gave nothing.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) failure: FetchFailure,
    /// The address whose host is to blame; the other feeds of that host would fare no better.
    pub(super) host: Option<Url>,
}

impl From<FetchFailure> for Failed {
    fn from(failure: FetchFailure) -> Self {
        Self {
            failure,
            host: None,
        }
    }
}

impl Failed {
    fn of_host(failure: FetchFailure, url: &Url) -> Self {
        Self {
            failure,
            host: Some(url.clone()),
        }
    }
}

/// Fetches feeds.
#[derive(Debug, Clone)]
pub(super) struct Fetcher {
    client: reqwest::Client,
    guard: Guard,
    timeout: Duration,
    max_bytes: u64,
}

impl Fetcher {
    /// Sets up the HTTP client.
    ///
    /// # Errors
    /// When the TLS set-up of the machine is unusable.
    pub(super) fn new(options: &FetchOptions) -> anyhow::Result<Self> {
        let mut tls = crate::tls::client_config(None, None)?;
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let accept = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, application/json;q=0.8, */*;q=0.5";
        let guard = Guard::new(options.allow_private);
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(std::sync::Arc::new(guard.clone()))
            .user_agent(&options.user_agent)
            .default_headers(HeaderMap::from_iter([(
                header::ACCEPT,
                HeaderValue::from_static(accept),
            )]))
            .connect_timeout(options.timeout.min(Duration::from_secs(10)))
            // Followed by hand: each hop has to pass the guard, and we must know which of them are for good.
            .redirect(reqwest::redirect::Policy::none())
            // A proxy would resolve the names that the guard has to see.
            .no_proxy()
            .build()
            .context("setting up the HTTP client")?;
        Ok(Self {
            client,
            guard,
            timeout: options.timeout,
            max_bytes: options.max_bytes,
        })
    }

    /// Fetches `feed`, conditionally on what `state` remembers.
    ///
    /// # Errors
    /// What went wrong, typed for the report.
    pub(super) async fn fetch(
        &self,
        feed: &Feed,
        state: &FetchState,
        wall: DateTime<Utc>,
    ) -> Result<Fetched, Failed> {
        let work = async {
            match &feed.location {
                Location::File(path) => Ok(self.read_file(path).await?),
                Location::Web(url) => {
                    let url = state.moved_to.as_ref().unwrap_or(url);
                    self.get(url, feed, state, wall).await
                }
            }
        };
        // One limit over everything: a server that sends a byte a second must not hold the edition back.
        tokio::time::timeout(self.timeout, work)
            .await
            .unwrap_or_else(|_| {
                let failure = FetchFailure::Timeout(self.timeout.as_secs());
                let asked = match &feed.location {
                    Location::Web(url) => {
                        Some(state.moved_to.clone().unwrap_or_else(|| url.clone()))
                    }
                    Location::File(_) => None,
                };
                Err(Failed {
                    failure,
                    host: asked,
                })
            })
    }

    /// Fetches the page or feed at `url`, without conditions or credentials.
    ///
    /// # Errors
    /// What went wrong.
    pub(super) async fn fetch_page(
        &self,
        url: &Url,
        wall: DateTime<Utc>,
    ) -> Result<Answer, FetchFailure> {
        let feed = Feed::at(url.clone());
        match self
            .fetch(&feed, &FetchState::default(), wall)
            .await
            .map_err(|failed| failed.failure)?
        {
            Fetched::Full(answer) => Ok(answer),
            // Nothing that would make it conditional was sent.
            Fetched::NotModified { .. } => Err(FetchFailure::Status(304)),
        }
    }

    async fn read_file(&self, path: &Path) -> Result<Fetched, FetchFailure> {
        let unreadable = |error: std::io::Error| FetchFailure::File(error.to_string());
        let metadata = tokio::fs::metadata(path).await.map_err(unreadable)?;
        if metadata.len() > self.max_bytes {
            return Err(FetchFailure::TooLarge(self.max_bytes));
        }
        Ok(Fetched::Full(Answer {
            bytes: tokio::fs::read(path).await.map_err(unreadable)?,
            headers: HeaderMap::new(),
            url: None,
            moved_to: None,
        }))
    }

    async fn get(
        &self,
        start: &Url,
        feed: &Feed,
        state: &FetchState,
        wall: DateTime<Utc>,
    ) -> Result<Fetched, Failed> {
        let conditions = conditions(state);
        let credentials = credentials(feed)?;
        // Credentials are for the host that the operator named, and no other.
        let trusts =
            |url: &Url| matches!(&feed.location, Location::Web(named) if is_same_site(named, url));
        let (mut url, mut moved_to, mut for_good) = (start.clone(), None, true);
        for _ in 0..=MAX_REDIRECTS {
            self.guard
                .check(&url)
                .map_err(|Blocked(what)| FetchFailure::Blocked(what))?;
            let mut request = self.client.get(url.clone()).headers(conditions.clone());
            if trusts(&url) {
                request = request.headers(credentials.clone());
            }
            let response = request
                .send()
                .await
                .map_err(|error| Failed::of_host(failure(&error, &url), &url))?;
            let status = response.status().as_u16();
            match status {
                // Only an answer to our condition; without one there is nothing that could be unchanged.
                304 if !conditions.is_empty() => {
                    return Ok(Fetched::NotModified {
                        headers: response.headers().clone(),
                    });
                }
                200 | 203 => return Ok(self.body(response, url, moved_to).await?),
                301 | 302 | 303 | 307 | 308 => {
                    url = next_hop(&response, &url)?;
                    for_good &= matches!(status, 301 | 308);
                    if for_good {
                        moved_to = Some(url.clone());
                    }
                }
                // Only who was never led away in between can say so for the feed.
                410 if for_good => return Err(FetchFailure::Gone.into()),
                429 => {
                    let failure = rate_limited(&response, feed, state, wall);
                    return Err(Failed::of_host(failure, &url));
                }
                503 if response.headers().contains_key(header::RETRY_AFTER) => {
                    let failure = rate_limited(&response, feed, state, wall);
                    return Err(Failed::of_host(failure, &url));
                }
                401 | 403 if feed.login.is_some() && !trusts(&url) => {
                    let what = format!(
                        "{url}, where its login is not sent; put that address into the configuration"
                    );
                    return Err(FetchFailure::Redirect(format!("it redirects to {what}")).into());
                }
                _ => return Err(FetchFailure::Status(status).into()),
            }
        }
        Err(FetchFailure::Redirect(format!("more than {MAX_REDIRECTS} redirects")).into())
    }

    async fn body(
        &self,
        mut response: Response,
        url: Url,
        moved_to: Option<Url>,
    ) -> Result<Fetched, FetchFailure> {
        let too_large = || FetchFailure::TooLarge(self.max_bytes);
        if response
            .content_length()
            .is_some_and(|length| length > self.max_bytes)
        {
            return Err(too_large());
        }
        let headers = std::mem::take(response.headers_mut());
        let mut bytes = Vec::new();
        let broken = |error: reqwest::Error| FetchFailure::Broken(innermost(&error));
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            // Counted after decompression, so a small bomb is as large as what it unfolds to.
            if (bytes.len() + chunk.len()) as u64 > self.max_bytes {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Fetched::Full(Answer {
            bytes,
            headers,
            url: Some(url),
            moved_to,
        }))
    }
}

/// What makes the request a conditional one, exactly as the server gave it.
fn conditions(state: &FetchState) -> HeaderMap {
    let header = |text: &Option<String>| {
        let bytes: Option<Vec<u8>> = text
            .as_ref()?
            .chars()
            .map(|c| u8::try_from(u32::from(c)).ok())
            .collect();
        HeaderValue::from_bytes(&bytes?).ok()
    };
    let etag = header(&state.etag).map(|value| (header::IF_NONE_MATCH, value));
    let date = header(&state.last_modified).map(|value| (header::IF_MODIFIED_SINCE, value));
    etag.into_iter().chain(date).collect()
}

/// The headers that let us in, read where the configuration says that they are.
fn credentials(feed: &Feed) -> Result<HeaderMap, FetchFailure> {
    let wrong = |what: String| FetchFailure::Secret(what);
    let mut headers = HeaderMap::new();
    if let Some((user, password)) = &feed.login {
        let login = format!("{user}:{}", reveal(password)?);
        let encoded = base64::engine::general_purpose::STANDARD.encode(login);
        let mut value = HeaderValue::from_str(&format!("Basic {encoded}"))
            .map_err(|_| wrong("its password has characters that no header can have".to_owned()))?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    for (name, text) in &feed.headers {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| wrong(format!("“{name}” is not the name of a header")))?;
        let mut value = HeaderValue::from_str(&reveal(text)?).map_err(|_| {
            wrong(format!(
                "its header {name} has characters that no header can have"
            ))
        })?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}

fn reveal(text: &SecretText) -> Result<String, FetchFailure> {
    let mut whole = String::new();
    for part in &text.0 {
        match part {
            SecretPart::Plain(plain) => whole.push_str(plain),
            SecretPart::Variable(name) => {
                let value = std::env::var(name).map_err(|_| {
                    FetchFailure::Secret(format!("the environment variable {name} is not set"))
                })?;
                whole.push_str(&value);
            }
            SecretPart::File(path) => {
                let value = std::fs::read_to_string(path).map_err(|error| {
                    FetchFailure::Secret(format!("reading {}: {error}", path.display()))
                })?;
                whole.push_str(value.lines().next().unwrap_or_default());
            }
        }
    }
    Ok(whole)
}

/// Whether a login for `named` may go to `url`: the same origin, or the same host, but encrypted.
fn is_same_site(named: &Url, url: &Url) -> bool {
    let is_upgrade = named.scheme() == "http"
        && url.scheme() == "https"
        && (named.port(), url.port()) == (None, None)
        && named.host() == url.host();
    named.origin() == url.origin() || is_upgrade
}

fn next_hop(response: &Response, from: &Url) -> Result<Url, FetchFailure> {
    let astray = |what: &str| FetchFailure::Redirect(what.to_owned());
    let target = response
        .headers()
        .get(header::LOCATION)
        .ok_or_else(|| astray("it redirects, but does not say where to"))?;
    let target = String::from_utf8_lossy(target.as_bytes());
    let mut url = from
        .join(target.trim())
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
        .ok_or_else(|| astray("it redirects to what is no web address"))?;
    // A user name from outside would make the client send a login.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Ok(url)
}

fn rate_limited(
    response: &Response,
    feed: &Feed,
    state: &FetchState,
    wall: DateTime<Utc>,
) -> FetchFailure {
    FetchFailure::RateLimited {
        status: response.status().as_u16(),
        until: pace::pause(wall, response.headers(), state.failures + 1, &feed.key),
    }
}

/// The cause at the bottom: the others only repeat the address.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    super::clean::plain_text(&cause.to_string())
}

/// Why a request failed, by the innermost cause: the outer ones only repeat the address.
fn failure(error: &reqwest::Error, url: &Url) -> FetchFailure {
    let host = || super::clean::plain_text(url.host_str().unwrap_or_default());
    let mut cause = error.source();
    let mut innermost = None;
    while let Some(error) = cause {
        if let Some(Blocked(what)) = error.downcast_ref() {
            return FetchFailure::Blocked(what.clone());
        }
        if let Some(Unresolved(host)) = error.downcast_ref() {
            return FetchFailure::Dns(host.clone());
        }
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return FetchFailure::Tls(super::clean::plain_text(&error.to_string()));
        }
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            if error.kind() == std::io::ErrorKind::ConnectionRefused {
                return FetchFailure::Refused(host());
            }
            if let Some(error) = error
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<rustls::Error>())
            {
                return FetchFailure::Tls(super::clean::plain_text(&error.to_string()));
            }
        }
        innermost = Some(error);
        cause = error.source();
    }
    let reason = match innermost {
        Some(cause) if !error.is_timeout() => cause.to_string(),
        _ if error.is_timeout() => "the connection did not come about in time".to_owned(),
        _ => "the connection failed".to_owned(),
    };
    FetchFailure::Unreachable(super::clean::plain_text(&reason))
}
