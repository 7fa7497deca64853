//! `tidings feeds`: what is configured, and how each feed is.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{line, report, terminal};
use crate::config::Config;
use crate::model::{Feed, FetchState, Location};
use crate::store::Store;

/// Subcommands of `tidings feeds`.
#[derive(Debug, Subcommand)]
pub(super) enum Feeds {
    /// List the feeds of the configuration and how their last fetch went
    List(Output),
    /// Fetch every feed now and say how it is; nothing is stored
    Check(Output),
}

#[derive(Debug, Args)]
pub(super) struct Output {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// A feed as it is listed. `Serialize` is the form of `--json`.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    url: String,
    state: &'static str,
    /// How many items the fetch carried; only after a check.
    items: Option<usize>,
    last_success: Option<chrono::DateTime<chrono::Utc>>,
    failures: i64,
    error: Option<String>,
}

impl Feeds {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<u8> {
        let store = Store::open_for_rehearsal(&config.store, &config.newsletter.id).await?;
        let (output, collected) = match self {
            Self::List(output) => (output, None),
            Self::Check(output) => {
                let now = super::now(config, None);
                let Some(collected) =
                    line::collect_into(config, &store, now, terminal::stop_signal()).await?
                else {
                    return Ok(super::INTERRUPTED);
                };
                (output, Some(collected))
            }
        };
        let states = store.list_fetch_states().await?;
        let rows: Vec<Row> = config
            .feeds
            .iter()
            .map(|feed| {
                let items = collected
                    .as_ref()
                    .and_then(|collected| collected.items_by_feed.get(&feed.key).copied());
                row(feed, states.get(&feed.key), items)
            })
            .collect();
        drop(store);
        if output.json {
            super::print_json(&rows)?;
        } else {
            print_table(&rows);
            if let Some(collected) = &collected {
                println!("\n{}", collected.summary());
            }
        }
        let failed = collected.is_some_and(|collected| !collected.failures.is_empty());
        Ok(if failed { super::PARTLY } else { super::DONE })
    }
}

fn row(feed: &Feed, state: Option<&FetchState>, items: Option<usize>) -> Row {
    let state = state.cloned().unwrap_or_default();
    let title = feed.name.clone().or(state.title);
    Row {
        name: title.unwrap_or_else(|| feed.key.to_string()),
        url: match &feed.location {
            Location::File(path) => path.display().to_string(),
            Location::Web(_) => feed.key.to_string(),
        },
        state: match (&state.error, state.succeeded_at) {
            (Some(_), _) => "failing",
            (None, Some(_)) => "well",
            (None, None) => "never fetched",
        },
        items,
        last_success: state.succeeded_at,
        failures: state.failures,
        error: state.error,
    }
}

fn print_table(rows: &[Row]) {
    let width = rows
        .iter()
        .map(|row| row.name.chars().count())
        .max()
        .unwrap_or_default()
        .min(40);
    for row in rows {
        let name: String = row.name.chars().take(40).collect();
        let items = match row.items {
            Some(items) => format!("  {}", report::count(items as u64, "item", "items")),
            None => String::new(),
        };
        println!("{name:width$}  {:13}{items}  {}", row.state, row.url);
        if let Some(error) = &row.error {
            println!("{:width$}  It {error}.", "");
        }
    }
}
