//! Collect: feeds in, items out. A bad feed is data, never the end of the run.
//!
//! `fetch` brings the bytes; `parse` reads what the feed says, in one form for all formats; `items` makes items of
//! that, with the help of `identity` and `moments` (dates). No text leaves `html` and `clean` with anything in
//! it that acts.

mod clean;
mod fetch;
mod html;
mod identity;
mod items;
mod moments;
pub mod parse;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use futures::StreamExt as _;

pub use fetch::FetchOptions;
use fetch::Fetched;
pub use html::Html;
pub use items::items;
pub use moments::Moments;

use crate::model::{Feed, FeedFailure, FeedKey, FetchFailure, FetchState, Item, Location};

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
    // Parsing is work for a thread of its own, it would hold up the other feeds.
    let owned = feed.clone();
    let moments = Moments {
        now,
        wall,
        last_read: state.and_then(|state| state.succeeded_at),
    };
    let parsed = tokio::task::spawn_blocking(move || {
        let base = match &owned.location {
            Location::Web(url) => Some(url),
            Location::File(_) => None,
        };
        let document = parse::parse(&bytes, charset.as_deref(), base)?;
        let title = document.title.as_ref().map(|title| title.text().to_owned());
        Ok(Parsed {
            title: title.filter(|title| !title.is_empty()),
            items: items(document, &owned, moments),
        })
    })
    .await;
    match parsed {
        Ok(Ok(parsed)) => Ok(Answer::Parsed {
            parsed,
            etag,
            last_modified,
        }),
        Ok(Err(reason)) => Err(FetchFailure::NotAFeed(parse::NotAFeed::to_string(&reason))),
        // A panic is a mistake of ours, but must cost this feed and no other.
        Err(_) => Err(FetchFailure::NotAFeed(
            "the parser gave up on it".to_owned(),
        )),
    }
}

/// What a feed's bytes said.
struct Parsed {
    title: Option<String>,
    items: Vec<Item>,
}
