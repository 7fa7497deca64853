//! Collect: feeds in, items out. A bad feed is data, never the end of the run.
//!
//! `fetch` brings the bytes; `parse` makes items of them, with the help of `decode` (character sets), `clean`
//! (plain text), `identity` and `moments` (dates).

mod clean;
mod decode;
mod fetch;
mod identity;
mod moments;
mod parse;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use futures::StreamExt as _;

pub use clean::html_text;
pub use fetch::FetchOptions;
use fetch::Fetched;
pub use moments::Moments;
pub use parse::{Parsed, parse};

use crate::model::{Feed, FeedFailure, FeedKey, FetchFailure, FetchState, Item};

/// What a pass over the feeds brought.
#[derive(Debug, Default)]
pub struct Collected {
    /// All items, in the order of the configuration and of each feed.
    pub items: Vec<Item>,
    /// The new state of each feed that was asked.
    pub states: Vec<(FeedKey, FetchState)>,
    /// The feeds that gave nothing.
    pub failures: Vec<FeedFailure>,
    /// How many feeds said that nothing changed.
    pub not_modified: usize,
    /// How many items each readable feed carried.
    pub counts: Vec<(FeedKey, usize)>,
}

/// Fetches all `feeds` at once, within the limits of `options`.
///
/// `now` is the time that the run goes by, `wall` the real one (see [`Moments`]); `progress` is called once per feed.
///
/// # Errors
/// Only when no HTTP client can be set up on this machine.
pub async fn collect(
    feeds: &[Feed],
    states: &HashMap<FeedKey, FetchState>,
    options: &FetchOptions,
    now: DateTime<Utc>,
    wall: DateTime<Utc>,
    progress: impl Fn(),
) -> anyhow::Result<Collected> {
    let client = fetch::client(options)?;
    let mut results: Vec<_> = futures::stream::iter(feeds.iter().enumerate())
        .map(|(place, feed)| {
            let (client, state) = (&client, states.get(&feed.key));
            let progress = &progress;
            async move {
                let result = fetch_one(client, feed, state, options, now, wall).await;
                match &result {
                    Ok(Answer::NotModified) => tracing::info!(feed = feed.label(), "not modified"),
                    Ok(Answer::Parsed { parsed, .. }) => {
                        tracing::info!(feed = feed.label(), items = parsed.items.len(), "read");
                    }
                    // The report names it; here it is only told in order.
                    Err(failure) => tracing::info!(feed = feed.label(), %failure, "failed"),
                }
                progress();
                (place, feed, result)
            }
        })
        // Unordered: in order, one slow feed would keep the ones behind it from starting.
        .buffer_unordered(options.concurrency.max(1))
        .collect()
        .await;
    results.sort_by_key(|(place, ..)| *place);

    let mut collected = Collected::default();
    for (_, feed, result) in results {
        let before = states.get(&feed.key).cloned().unwrap_or_default();
        let state = match result {
            Ok(Answer::NotModified) => {
                collected.not_modified += 1;
                FetchState {
                    fetched_at: Some(now),
                    succeeded_at: Some(now),
                    failures: 0,
                    error: None,
                    ..before
                }
            }
            Ok(Answer::Parsed {
                parsed,
                etag,
                last_modified,
            }) => {
                collected
                    .counts
                    .push((feed.key.clone(), parsed.items.len()));
                collected.items.extend(parsed.items);
                FetchState {
                    title: parsed.title,
                    etag,
                    last_modified,
                    fetched_at: Some(now),
                    succeeded_at: Some(now),
                    failures: 0,
                    error: None,
                }
            }
            Err(failure) => {
                let state = FetchState {
                    fetched_at: Some(now),
                    failures: before.failures + 1,
                    error: Some(failure.to_string()),
                    ..before
                };
                collected.failures.push(FeedFailure {
                    feed: feed.key.clone(),
                    name: feed.label().to_owned(),
                    failure,
                });
                state
            }
        };
        collected.states.push((feed.key.clone(), state));
    }
    Ok(collected)
}

enum Answer {
    NotModified,
    Parsed {
        parsed: Parsed,
        etag: Option<String>,
        last_modified: Option<String>,
    },
}

async fn fetch_one(
    client: &reqwest::Client,
    feed: &Feed,
    state: Option<&FetchState>,
    options: &FetchOptions,
    now: DateTime<Utc>,
    wall: DateTime<Utc>,
) -> Result<Answer, FetchFailure> {
    let fetched = fetch::fetch(client, feed, state, options).await?;
    let Fetched::Full {
        bytes,
        charset,
        etag,
        last_modified,
    } = fetched
    else {
        return Ok(Answer::NotModified);
    };
    // Parsing is work for a thread of its own: it would hold up the other feeds, and feed-rs has panicked
    // on strange input before, which must cost this feed and no other.
    let owned = feed.clone();
    let moments = Moments {
        now,
        wall,
        last_read: state.and_then(|state| state.succeeded_at),
    };
    let parsed =
        tokio::task::spawn_blocking(move || parse(&bytes, charset.as_deref(), &owned, moments))
            .await;
    match parsed {
        Ok(Ok(parsed)) => Ok(Answer::Parsed {
            parsed,
            etag,
            last_modified,
        }),
        Ok(Err(reason)) => Err(FetchFailure::NotAFeed(reason)),
        Err(_) => Err(FetchFailure::NotAFeed(
            "the parser gave up on it".to_owned(),
        )),
    }
}
