//! The first steps of the line: feeds into the store, and what follows from that for later.

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{mpsc, watch};

use super::{Progress, wall};
use crate::cli::report::CollectReport;
use crate::cli::terminal::bar;
use crate::collect::{FetchOptions, Outcome, Visit};
use crate::config::Config;
use crate::model::Window;
use crate::store::{Saved, Store};
use crate::{collect, rank};

/// How many items are stored at a time: few enough to hold in memory, and of all but the largest newsletters all, so that
/// what several feeds carry does not depend on which of them answers first.
const BATCH: usize = 5_000;

/// Fetches all feeds and stores what they gave; `None` when told to stop.
pub(in crate::cli) async fn collect_into(
    config: &Config,
    store: &Store,
    options: &FetchOptions,
    now: DateTime<Utc>,
    mut stop: watch::Receiver<bool>,
    progress: Progress<'_>,
) -> anyhow::Result<Option<CollectReport>> {
    let states = store.items().list_fetch_states().await?;
    let mut report = CollectReport::new(config.feeds.len());
    let bar = bar("Fetching", config.feeds.len() as u64);
    let mut visits = collect::collect(&config.feeds, states.clone(), options, now, wall())?;
    // While one batch is stored, the next one is gathered.
    let (full, mut batches) = mpsc::channel(1);
    let gathering = async {
        let (mut batch, mut size) = (Vec::new(), 0);
        while let Some(visit) = visits.recv().await {
            bar.inc(1);
            progress();
            let feed = &config.feeds[visit.place];
            report.note(feed, states.get(&feed.key), &visit, now);
            size += visit.items().len();
            batch.push(visit);
            if size >= BATCH {
                size = 0;
                // A store that fails takes no more.
                if full.send(std::mem::take(&mut batch)).await.is_err() {
                    break;
                }
            }
        }
        let _ = full.send(batch).await;
        drop(full);
    };
    let storing = async move {
        let (mut new, mut known) = (0, 0);
        while let Some(batch) = batches.recv().await {
            let saved = save(config, store, batch, now).await?;
            new += saved.new;
            known += saved.known;
        }
        anyhow::Ok((new, known))
    };
    let (new, known) = tokio::select! {
        ((), stored) = async { tokio::join!(gathering, storing) } => stored?,
        _ = stop.wait_for(|stop| *stop) => return Ok(None),
    };
    (report.new_items, report.known_items) = (new, known);
    // After one run with a clock that is ahead, nothing is to be older than it is.
    let before = states.values().filter_map(|state| state.fetched_at).max();
    prune(config, store, before.map_or(now, |before| before.min(now))).await?;
    bar.finish_and_clear();
    report.in_order(&config.feeds);
    Ok(Some(report))
}

/// Prunes old items, but none that an edition may still want or that only a pretended time makes old.
async fn prune(config: &Config, store: &Store, now: DateTime<Utc>) -> anyhow::Result<()> {
    let now = now.min(wall());
    let mut before = now - config.keep;
    let mut covered = i64::MAX;
    for cadence in &config.cadences {
        let history = store
            .editions()
            .history(&config.newsletter.id, &cadence.id, now, wall())
            .await?;
        before = history
            .covered_until
            .map_or(before, |until| before.min(until - config.memory));
        covered = covered.min(history.covered.unwrap_or(i64::MAX));
    }
    store.items().prune_items(before, covered).await?;
    Ok(())
}

/// Stores a batch, the feeds in the order of the configuration: the first one to carry an item gives it its outlet.
pub(in crate::cli) async fn save(
    config: &Config,
    store: &Store,
    mut visits: Vec<Visit>,
    now: DateTime<Utc>,
) -> anyhow::Result<Saved> {
    visits.sort_by_key(|visit| visit.place);
    let mut items = Vec::new();
    let mut states = Vec::with_capacity(visits.len());
    for visit in visits {
        states.push((config.feeds[visit.place].key.clone(), visit.state));
        if let Outcome::Items(found) = visit.outcome {
            items.extend(found);
        }
    }
    Ok(store.items().save_collected(&items, &states, now).await?)
}

/// How far back words are counted, and how much at a time: a day, as a word that many a day have is rare in an hour.
const COUNTED_BACK: TimeDelta = TimeDelta::days(14);
const COUNTED_AT_A_TIME: TimeDelta = TimeDelta::days(1);

/// Counts the words of the items of each day that is over since the last time, for the editions to come.
pub(super) async fn learn_vocabulary(
    config: &Config,
    store: &Store,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    // A pretended time is not to keep words from being counted when it is over.
    let now = now.min(wall());
    let earliest = now - COUNTED_BACK;
    let mut counted = store.items().vocabulary_until().await?;
    if counted.is_some_and(|counted| counted > now) {
        // By a clock that was ahead.
        store.items().restart_vocabulary(now).await?;
        counted = Some(now);
    }
    let mut since = counted.map_or(earliest, |counted| counted.max(earliest));
    while since + COUNTED_AT_A_TIME <= now {
        let until = since + COUNTED_AT_A_TIME;
        let window = Window { since, until };
        let items = store
            .items()
            .list_items(&config.news_feeds(), window)
            .await?;
        let languages = config.rank.languages.clone();
        let counting = tokio::task::spawn_blocking(move || rank::vocabulary(&items, &languages));
        let counted = counting.await.context("counting words")?;
        store.items().extend_vocabulary(&counted, window).await?;
        since = until;
    }
    Ok(())
}
