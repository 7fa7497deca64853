//! What feeds gave, held while a preview is served: a changed template is no reason to ask forty servers again.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::cli::line::{self, Extras};
use crate::cli::report::CollectReport;
use crate::collect::{self, Outcome, Visit};
use crate::config::Config;
use crate::model::{Feed, FeedKey, FetchFailure, FetchState, Item, Location};
use crate::store::Store;

/// What is known of each feed that was asked, and of the pages that its stories lead to.
#[derive(Debug, Default)]
pub(super) struct Held {
    feeds: HashMap<FeedKey, Gathered>,
    pub(super) extras: Extras,
}

#[derive(Debug, Default)]
struct Gathered {
    items: Vec<Item>,
    state: FetchState,
    failure: Option<FetchFailure>,
}

impl Held {
    /// Asks the files, the feeds that were not asked yet, and with `ask_web` all others, and puts what they gave now or
    /// before into `store`, which forgets it.
    pub(super) async fn read(
        &mut self,
        config: &Config,
        store: &Store,
        now: DateTime<Utc>,
        ask_web: bool,
    ) -> anyhow::Result<CollectReport> {
        if ask_web {
            self.extras = Extras::default();
        }
        let stored = store.items().list_fetch_states().await?;
        let is_file = |feed: &Feed| matches!(feed.location, Location::File(_));
        let asked: Arc<[Feed]> = config
            .feeds
            .iter()
            .filter(|feed| ask_web || is_file(feed) || !self.feeds.contains_key(&feed.key))
            .cloned()
            .collect();
        // A file is read as if for the first time, so that its news are what they are in any other preview.
        let mut states = stored.clone();
        for feed in asked.iter().filter(|feed| !is_file(feed)) {
            if let Some(held) = self.feeds.get(&feed.key) {
                states.insert(feed.key.clone(), held.state.clone());
            }
        }
        let mut visits = collect::collect(&asked, states, &config.collect, now, line::wall())?;
        while let Some(visit) = visits.recv().await {
            let held = self
                .feeds
                .entry(asked[visit.place].key.clone())
                .or_default();
            held.state = visit.state;
            match visit.outcome {
                Outcome::Items(items) => (held.items, held.failure) = (items, None),
                Outcome::NotModified | Outcome::Resting => held.failure = None,
                Outcome::Failed(failure) => held.failure = Some(failure),
            }
        }
        let mut report = CollectReport::new(config.feeds.len());
        let mut known = Vec::with_capacity(config.feeds.len());
        for (place, feed) in config.feeds.iter().enumerate() {
            let Some(held) = self.feeds.get(&feed.key) else {
                continue;
            };
            let visit = held.visit(place);
            report.note(feed, stored.get(&feed.key), &visit, now);
            // What cannot be read now may have been read before.
            known.push(Visit {
                outcome: Outcome::Items(held.items.clone()),
                ..visit
            });
        }
        let saved = line::save(config, store, known, now).await?;
        (report.new_items, report.known_items) = (saved.new, saved.known);
        report.in_order(&config.feeds);
        Ok(report)
    }
}

impl Gathered {
    fn visit(&self, place: usize) -> Visit {
        Visit {
            place,
            outcome: match &self.failure {
                Some(failure) => Outcome::Failed(failure.clone()),
                None => Outcome::Items(self.items.clone()),
            },
            state: self.state.clone(),
            flaw: None,
        }
    }
}
