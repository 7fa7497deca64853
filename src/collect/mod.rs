//! Collect: feeds in, items out. A bad feed is data, never the end of the run.
//!
//! `fetch` brings the bytes, as far as `guard` lets it and when `pace` says so; `parse` reads what the feed says, in one
//! form for all formats; `items` makes items of that, with the help of `identity` and `moments` (dates). No text
//! leaves `html` and `clean` with anything in it that acts.
//!
//! Beside that line stand `source` (places that people know by name), `discover` (the feeds of a page), `opml` (lists of other
//! readers), `article` with `robots` (the pages of picked stories) and `picture` (their pictures).

mod article;
mod clean;
mod discover;
mod fetch;
mod guard;
mod html;
mod identity;
mod items;
mod marks;
mod moments;
mod opml;
mod pace;
pub mod parse;
mod picture;
mod robots;
mod source;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

pub use article::{Article, extract, fetch_articles};
use chrono::{DateTime, Utc};
use discover::discover;
pub use discover::{FoundFeed, find_feeds};
pub use fetch::FetchOptions;
use fetch::{Answer, Failed, Fetched, Fetcher};
use futures::FutureExt as _;
pub use html::Html;
pub use items::items;
pub use moments::Moments;
pub use opml::{Outline, read_opml, write_opml};
pub use pace::rests_until;
pub use picture::find_pictures;
use reqwest::header;
pub use source::Source;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use url::Url;

use crate::model::{Feed, FeedKey, FetchFailure, FetchState, Item, Location};

/// How one feed was found in a pass.
#[derive(Debug)]
pub struct Visit {
    /// Its place in the list.
    pub place: usize,
    /// What it gave.
    pub outcome: Outcome,
    /// Its new state.
    pub state: FetchState,
    /// Why a strict reader would not read it, though we did; only looked for when checking.
    pub flaw: Option<String>,
}

impl Visit {
    /// The items that it gave.
    pub fn items(&self) -> &[Item] {
        match &self.outcome {
            Outcome::Items(items) => items,
            _ => &[],
        }
    }
}

/// What a feed gave.
#[derive(Debug)]
pub enum Outcome {
    /// Its items, in its order.
    Items(Vec<Item>),
    /// Nothing changed since it was last read.
    NotModified,
    /// It was not asked: it wants to be left alone for a while, or failed too often to be asked each time.
    Resting,
    /// It gave nothing.
    Failed(FetchFailure),
}

/// Fetches `feeds`, within the limits of `options`; they come out as they are ready. The pass ends early when the receiver
/// is dropped.
///
/// `now` is the time that the run goes by, `wall` the real one (see [`Moments`]).
///
/// # Errors
/// Only when no HTTP client can be set up on this machine.
pub fn collect(
    feeds: &Arc<[Feed]>,
    states: HashMap<FeedKey, FetchState>,
    options: &FetchOptions,
    now: DateTime<Utc>,
    wall: DateTime<Utc>,
) -> anyhow::Result<mpsc::Receiver<Visit>> {
    let pass = Arc::new(Pass {
        fetcher: Fetcher::new(options)?,
        checking: options.checking,
        slots: Semaphore::new(options.concurrency.max(1)),
        parsers: Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)),
        now,
        wall,
    });
    let mut hosts: HashMap<String, Arc<Host>> = HashMap::new();
    let mut states = states;
    // As many as are fetched at a time may wait to be taken: who stores them sets the pace.
    let (found, visits) = mpsc::channel(options.concurrency.max(1));
    let mut visiting = JoinSet::new();
    for (place, feed) in feeds.iter().enumerate() {
        let state = states.remove(&feed.key).unwrap_or_default();
        let (host, permits) = match &feed.location {
            Location::Web(url) => (
                state
                    .moved_to
                    .as_ref()
                    .unwrap_or(url)
                    .authority()
                    .to_owned(),
                options.per_host,
            ),
            Location::File(_) => (String::new(), options.concurrency),
        };
        let host = hosts
            .entry(host)
            .or_insert_with_key(|host| Arc::new(Host::new(host.clone(), permits)));
        // What a feed was told last time holds for its neighbours.
        if let Some(failure @ FetchFailure::RateLimited { .. }) = &state.failure
            && pace::rests_until(&state, wall).is_some()
        {
            host.health().trouble = Some(failure.clone());
        }
        let (pass, host, feeds, found) = (pass.clone(), host.clone(), feeds.clone(), found.clone());
        visiting.spawn(async move {
            let feed = &feeds[place];
            // First a turn at the host, then a slot: who waits for a host keeps no other feed from its turn.
            let (_turn, _slot) = (host.turns.acquire().await, pass.slots.acquire().await);
            let mut flaw = None;
            let before = state.clone();
            let visiting = pass.visit(feed, state, &host, &mut flaw);
            let (outcome, state) = without_panic(visiting, before).await;
            tell(feed, &outcome);
            // Nobody hears it when the run was stopped.
            let _ = found
                .send(Visit {
                    place,
                    outcome,
                    state,
                    flaw,
                })
                .await;
        });
    }
    tokio::spawn(async move {
        tokio::select! {
            () = found.closed() => visiting.abort_all(),
            () = async { while visiting.join_next().await.is_some() {} } => {}
        }
    });
    Ok(visits)
}

fn tell(feed: &Feed, outcome: &Outcome) {
    let feed = feed.label();
    match outcome {
        Outcome::Items(items) => tracing::debug!(feed, items = items.len(), "read"),
        Outcome::NotModified => tracing::debug!(feed, "not modified"),
        Outcome::Resting => tracing::debug!(feed, "not asked yet"),
        // The report names it; here it is only told in order.
        Outcome::Failed(failure) => tracing::debug!(feed, %failure, "failed"),
    }
}

/// What a visit gives; a panic in it is a mistake of ours, but costs this feed and no other.
async fn without_panic(
    visiting: impl Future<Output = (Outcome, FetchState)>,
    before: FetchState,
) -> (Outcome, FetchState) {
    let visited = AssertUnwindSafe(visiting).catch_unwind().await;
    visited.unwrap_or_else(|_| {
        let failure =
            FetchFailure::NotAFeed("Tidings made a mistake with it: report it".to_owned());
        let state = FetchState {
            failures: before.failures.saturating_add(1),
            failure: Some(failure.clone()),
            ..before
        };
        (Outcome::Failed(failure), state)
    })
}

/// After so many feeds that did not answer in time, a host is left alone for the rest of the pass.
const MAX_TIMEOUTS: usize = 2;

/// What all feeds of a host share: turns, and what is known of its health.
struct Host {
    authority: String,
    turns: Semaphore,
    health: Mutex<Health>,
}

#[derive(Default)]
struct Health {
    trouble: Option<FetchFailure>,
    timeouts: usize,
}

impl Host {
    fn new(authority: String, permits: usize) -> Self {
        Self {
            authority,
            turns: Semaphore::new(permits.max(1)),
            health: Mutex::default(),
        }
    }

    fn health(&self) -> std::sync::MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self) -> Option<FetchFailure> {
        self.health().trouble.clone()
    }

    /// Notes a failure that the other feeds of the host would meet too.
    fn note(&self, failed: &Failed) {
        use FetchFailure as F;
        if failed
            .host
            .as_ref()
            .is_none_or(|url| url.authority() != self.authority)
        {
            return;
        }
        let mut health = self.health();
        match &failed.failure {
            F::Dns(_) | F::Refused(_) | F::Unreachable(_) | F::Tls(_) | F::RateLimited { .. } => {
                health.trouble = Some(failed.failure.clone());
            }
            F::Timeout(_) => {
                health.timeouts += 1;
                if health.timeouts >= MAX_TIMEOUTS {
                    health.trouble = Some(failed.failure.clone());
                }
            }
            _ => {}
        }
    }
}

/// What a pass over the feeds works with.
struct Pass {
    fetcher: Fetcher,
    checking: bool,
    slots: Semaphore,
    /// As many feeds are parsed at a time as there are processors; more would only need more memory.
    parsers: Semaphore,
    now: DateTime<Utc>,
    wall: DateTime<Utc>,
}

impl Pass {
    async fn visit(
        &self,
        feed: &Feed,
        before: FetchState,
        host: &Host,
        flaw: &mut Option<String>,
    ) -> (Outcome, FetchState) {
        let told_to_wait = matches!(before.failure, Some(FetchFailure::RateLimited { .. }));
        if pace::rests_until(&before, self.wall).is_some() && (told_to_wait || !self.checking) {
            // Not asked, but not passed over in silence.
            let outcome = if before.is_gone() {
                Outcome::Failed(FetchFailure::Gone)
            } else {
                Outcome::Resting
            };
            return (outcome, before);
        }
        // The trouble of its host is not its own: it is neither counted nor remembered.
        match host.trouble() {
            Some(FetchFailure::RateLimited { .. }) => return (Outcome::Resting, before),
            Some(failure) => return (Outcome::Failed(failure), before),
            None => {}
        }
        let read = self.read(feed, &before).await;
        if let Err(failed) = &read
            && before.moved_to.is_some()
            && is_lasting(&failed.failure, before.failures)
        {
            // It is no longer where it moved to: the configured address may know more.
            let original = FetchState {
                moved_to: None,
                etag: None,
                last_modified: None,
                ..before.clone()
            };
            if let Ok(found @ Read::Feed(..)) = self.read(feed, &original).await {
                return self.visited(feed, original, host, Ok(found), flaw);
            }
        }
        self.visited(feed, before, host, read, flaw)
    }

    fn visited(
        &self,
        feed: &Feed,
        before: FetchState,
        host: &Host,
        read: Result<Read, Failed>,
        flaw: &mut Option<String>,
    ) -> (Outcome, FetchState) {
        match read {
            Ok(Read::NotModified(headers)) => {
                let state = FetchState {
                    rests_until: pace::after_success(self.wall, &headers, before.pace),
                    ..self.succeeded(before)
                };
                (Outcome::NotModified, state)
            }
            Ok(Read::Feed(parsed, answer)) => {
                *flaw = parsed.flaw;
                let (newest, items_a_day) = habit(&parsed.items, self.now);
                let state = FetchState {
                    title: parsed.title,
                    etag: answer.header(header::ETAG),
                    last_modified: answer.header(header::LAST_MODIFIED),
                    rests_until: pace::after_success(self.wall, &answer.headers, parsed.pace)
                        .filter(|_| answer.url.is_some()),
                    pace: parsed.pace,
                    moved_to: answer.moved_to.or(before.moved_to.clone()),
                    newest_at: newest.or(before.newest_at),
                    items_a_day,
                    ..self.succeeded(before)
                };
                (Outcome::Items(parsed.items), state)
            }
            Err(failed) => {
                host.note(&failed);
                self.failed(feed, before, failed.failure)
            }
        }
    }

    fn succeeded(&self, before: FetchState) -> FetchState {
        FetchState {
            fetched_at: Some(self.now),
            succeeded_at: Some(self.now),
            failures: 0,
            failure: None,
            ..before
        }
    }

    fn failed(
        &self,
        feed: &Feed,
        before: FetchState,
        failure: FetchFailure,
    ) -> (Outcome, FetchState) {
        let failures = before.failures.saturating_add(1);
        let rests_until = match &failure {
            FetchFailure::RateLimited { until, .. } => Some(*until),
            FetchFailure::Gone => Some(self.wall + pace::GONE_REST),
            // The operator mends these, and wants to see it.
            FetchFailure::File(_) | FetchFailure::Secret(_) | FetchFailure::Blocked(_) => None,
            _ if matches!(feed.location, Location::File(_)) => None,
            _ => pace::after_failure(self.wall, failures, &feed.key),
        };
        let state = FetchState {
            fetched_at: Some(self.now),
            rests_until,
            failures,
            failure: Some(failure.clone()),
            ..before
        };
        (Outcome::Failed(failure), state)
    }

    /// Reads a feed, or the one feed that the page at its address declares.
    async fn read(&self, feed: &Feed, state: &FetchState) -> Result<Read, Failed> {
        let page_url = match self.read_at(feed, state).await? {
            Ok(read) => return Ok(read),
            Err(Page { url, feeds }) => match (url, feeds.as_slice()) {
                // A feed that was one before is not swapped for what a page of the moment names.
                (Some(_), [one]) if state.succeeded_at.is_none() => one.clone(),
                (_, feeds) => {
                    return Err(
                        FetchFailure::Page(feeds.iter().map(Url::to_string).collect()).into(),
                    );
                }
            },
        };
        // What was remembered of the page does not hold for the feed.
        let there = FetchState {
            etag: None,
            last_modified: None,
            moved_to: Some(page_url.clone()),
            ..state.clone()
        };
        match self.read_at(feed, &there).await? {
            Ok(Read::Feed(parsed, answer)) => {
                let moved_to = answer.moved_to.clone().or(Some(page_url));
                Ok(Read::Feed(
                    parsed,
                    Box::new(Answer {
                        moved_to,
                        ..*answer
                    }),
                ))
            }
            Ok(other) => Ok(other),
            Err(_) => Err(FetchFailure::Page(vec![page_url.into()]).into()),
        }
    }

    async fn read_at(&self, feed: &Feed, state: &FetchState) -> Result<Result<Read, Page>, Failed> {
        let mut answer = match self.fetcher.fetch(feed, state, self.wall).await? {
            Fetched::NotModified { headers } => return Ok(Ok(Read::NotModified(headers))),
            Fetched::Full(answer) => answer,
        };
        let charset = answer
            .header(header::CONTENT_TYPE)
            .and_then(|value| parse::charset_of(&value));
        let moments = Moments {
            now: self.now,
            wall: self.wall,
            // A clock that was ahead then would make all that is new look old.
            last_read: state.succeeded_at.map(|at| at.min(self.now)),
            newest: state.newest_at,
        };
        let (bytes, url, feed) = (
            std::mem::take(&mut answer.bytes),
            answer.url.clone(),
            feed.clone(),
        );
        let checking = self.checking;
        let _turn = self.parsers.acquire().await;
        // Work for a thread of its own, it would hold up the other feeds.
        let parsing = tokio::task::spawn_blocking(move || {
            match parse::parse(&bytes, charset.as_deref(), url.as_ref()) {
                Ok(document) => {
                    let title = document.title.as_ref().map(|title| title.text().to_owned());
                    Ok(Ok(Parsed {
                        title: title.filter(|title| !title.is_empty()),
                        pace: document.pace,
                        flaw: if checking {
                            parse::flaw(&bytes, charset.as_deref())
                        } else {
                            None
                        },
                        items: items(document, &feed, moments),
                    }))
                }
                Err(parse::NotAFeed::Page) => {
                    let page = String::from_utf8_lossy(&bytes);
                    let feeds = url
                        .as_ref()
                        .map(|url| discover(&page, url).declared)
                        .unwrap_or_default();
                    Ok(Err(Page { url, feeds }))
                }
                Err(parse::NotAFeed::Other(reason)) => Err(FetchFailure::NotAFeed(reason)),
            }
        });
        match parsing.await {
            Ok(parsed) => Ok(parsed?.map(|parsed| Read::Feed(Box::new(parsed), Box::new(answer)))),
            // A panic is a mistake of ours, but must cost this feed and no other.
            Err(_) => Err(FetchFailure::NotAFeed("the parser gave up on it".to_owned()).into()),
        }
    }
}

/// Whether a failure is that of an address which will not come back by itself.
fn is_lasting(failure: &FetchFailure, failures_before: u32) -> bool {
    use FetchFailure as F;
    matches!(
        failure,
        F::Dns(_) | F::Gone | F::Status(400..=499) | F::Page(_) | F::NotAFeed(_) | F::Redirect(_)
    ) || failures_before >= 2
}

/// When the newest of `items` was published, as far as it is out at `now`, and how many a day there are.
fn habit(items: &[Item], now: DateTime<Utc>) -> (Option<DateTime<Utc>>, Option<f64>) {
    let dates = || {
        items
            .iter()
            .filter(|item| item.dated && item.published <= now)
            .map(|item| item.published)
    };
    let (Some(oldest), Some(newest)) = (dates().min(), dates().max()) else {
        return (None, None);
    };
    // A feed of one morning may be that of a day.
    let days = ((newest - oldest).as_seconds_f64() / 86_400.0).max(1.0);
    #[expect(clippy::cast_precision_loss, reason = "at most a thousand items")]
    let a_day = (dates().count() - 1) as f64 / days;
    (Some(newest), Some(a_day))
}

/// What reading a feed gave.
enum Read {
    NotModified(reqwest::header::HeaderMap),
    Feed(Box<Parsed>, Box<Answer>),
}

/// What a feed's bytes said.
struct Parsed {
    title: Option<String>,
    pace: crate::model::Pace,
    flaw: Option<String>,
    items: Vec<Item>,
}

/// A page where a feed should be.
struct Page {
    url: Option<Url>,
    feeds: Vec<Url>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_costs_one_feed_which_is_named() {
        let (outcome, state) =
            without_panic(async { panic!("a mistake") }, FetchState::default()).await;
        assert!(matches!(
            outcome,
            Outcome::Failed(FetchFailure::NotAFeed(_))
        ));
        assert_eq!(state.failures, 1);
    }
}
