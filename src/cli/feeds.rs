//! `tidings feeds`: what is configured, how each feed is, and where others are.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::report::{CollectReport, count};
use super::{discover, line, opml, terminal};
use crate::collect::{self, FetchOptions};
use crate::config::Config;
use crate::model::{Feed, FetchFailure, FetchState, Location};
use crate::store::Store;

/// Subcommands of `tidings feeds`.
#[derive(Debug, Subcommand)]
pub(super) enum Feeds {
    /// List the feeds of the configuration and how their last fetch went
    List(Output),
    /// Fetch every feed now and say how it is; nothing is stored
    Check(Output),
    /// Find the feeds of a web page
    Discover(discover::Discover),
    /// Add the feeds of an OPML file to the configuration, its folders as topics
    Import(opml::Import),
    /// Write the feeds as OPML, topics as folders
    Export(opml::Export),
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
    /// In a word.
    state: &'static str,
    /// In a sentence.
    verdict: String,
    /// How many items the fetch carried; only after a check.
    items: Option<usize>,
    items_a_day: Option<f64>,
    newest_item: Option<DateTime<Utc>>,
    last_success: Option<DateTime<Utc>>,
    /// It is not asked before.
    next_fetch: Option<DateTime<Utc>>,
    moved_to: Option<String>,
    failures: u32,
    failure: Option<FetchFailure>,
}

impl Feeds {
    pub(super) async fn run(self, config: &Config, path: &std::path::Path) -> anyhow::Result<u8> {
        match self {
            Self::List(output) => list(config, &output, None).await,
            Self::Check(output) => check(config, &output).await,
            Self::Discover(discover) => discover.run(&config.collect).await,
            Self::Import(import) => import.run(config, path),
            Self::Export(export) => export.run(config),
        }
    }
}

async fn check(config: &Config, output: &Output) -> anyhow::Result<u8> {
    let store = Store::snapshot(&config.store, &config.newsletter.id).await?;
    let options = FetchOptions {
        checking: true,
        ..config.collect.clone()
    };
    let now = super::now(config, None);
    let stop = terminal::stop_signal();
    let collecting = line::collect_into(config, &store, &options, now, stop, line::UNWATCHED);
    let Some(collected) = collecting.await? else {
        return Ok(super::INTERRUPTED);
    };
    list(config, output, Some((store, collected))).await
}

async fn list(
    config: &Config,
    output: &Output,
    checked: Option<(Store, CollectReport)>,
) -> anyhow::Result<u8> {
    let (store, collected) = match checked {
        Some((store, collected)) => (store, Some(collected)),
        None => {
            let store = Store::open_to_read(&config.store, &config.newsletter.id).await?;
            (store, None)
        }
    };
    let now = super::now(config, None);
    let states = store.items().list_fetch_states().await?;
    let rows: Vec<Row> = config
        .feeds
        .iter()
        .map(|feed| {
            let state = states.get(&feed.key).cloned().unwrap_or_default();
            row(feed, state, collected.as_ref(), now)
        })
        .collect();
    store.close().await?;
    if output.json {
        super::print_json(&rows)?;
    } else {
        for row in &rows {
            print(row, config.newsletter.timezone)?;
        }
        if let Some(collected) = &collected {
            say!("\n{}", collected.summary());
        }
    }
    let failed = collected.is_some_and(|collected| !collected.failures.is_empty());
    Ok(if failed { super::PARTLY } else { super::DONE })
}

fn row(
    feed: &Feed,
    state: FetchState,
    collected: Option<&CollectReport>,
    now: DateTime<Utc>,
) -> Row {
    let flaw = collected.and_then(|collected| collected.flaws.get(&feed.key));
    let items = collected.and_then(|collected| collected.items_by_feed.get(&feed.key).copied());
    let (word, verdict) = verdict(&state, flaw, items, now);
    let title = feed.name.clone().or_else(|| state.title.clone());
    Row {
        name: title.unwrap_or_else(|| feed.key.to_string()),
        url: match &feed.location {
            Location::File(path) => path.display().to_string(),
            Location::Web(_) => feed.key.to_string(),
        },
        state: word,
        verdict,
        items,
        items_a_day: state.items_a_day,
        newest_item: state.newest_at,
        last_success: state.succeeded_at,
        next_fetch: collect::rests_until(&state, line::wall()),
        moved_to: state.moved_to.map(String::from),
        failures: state.failures,
        failure: state.failure,
    }
}

/// How a feed is, in a word and in a sentence.
fn verdict(
    state: &FetchState,
    flaw: Option<&String>,
    items: Option<usize>,
    now: DateTime<Utc>,
) -> (&'static str, String) {
    match &state.failure {
        Some(failure @ FetchFailure::RateLimited { .. }) => {
            return ("waiting", format!("It {failure}."));
        }
        Some(failure @ FetchFailure::Gone) => return ("gone", format!("It {failure}.")),
        Some(failure) => {
            let times = match state.failures {
                0 | 1 => String::new(),
                times => format!(" ({times} times in a row)"),
            };
            return ("failing", format!("It {failure}{times}."));
        }
        None => {}
    }
    if state.succeeded_at.is_none() {
        return ("never fetched", "It was never asked.".to_owned());
    }
    if let Some(url) = &state.moved_to {
        return (
            "moved",
            format!("It is now at {url}, and is read there; put that into the configuration."),
        );
    }
    if let Some(flaw) = flaw {
        let sentence = format!(
            "We read it, but it is not well-formed, and stricter readers lose it ({flaw}); its owner may want to know."
        );
        return ("well", sentence);
    }
    match state.newest_at {
        _ if items == Some(0) => ("quiet", "It can be read, but has no items.".to_owned()),
        Some(newest) if state.is_quiet(now) => (
            "quiet",
            format!(
                "It has had nothing new since {}.",
                newest.format("%-d %B %Y")
            ),
        ),
        _ => ("well", "All is well.".to_owned()),
    }
}

fn print(row: &Row, timezone: chrono_tz::Tz) -> std::io::Result<()> {
    let short = |at: DateTime<Utc>| {
        at.with_timezone(&timezone)
            .format("%-d %b %Y %H:%M")
            .to_string()
    };
    say!("{}  [{}]", row.name, row.state);
    if row.name != row.url {
        say!("    {}", row.url);
    }
    let mut facts = Vec::new();
    if let Some(items) = row.items {
        facts.push(count(items as u64, "item", "items"));
    }
    if let Some(rate) = row.items_a_day {
        facts.push(if rate >= 9.95 {
            format!("{rate:.0} a day")
        } else {
            format!("{rate:.1} a day")
        });
    }
    if let Some(newest) = row.newest_item {
        facts.push(format!("newest {}", short(newest)));
    }
    if let Some(last) = row.last_success {
        facts.push(format!("last read {}", short(last)));
    }
    if let Some(next) = row.next_fetch {
        facts.push(format!("not asked before {}", short(next)));
    }
    if !facts.is_empty() {
        say!("    {}", facts.join(" · "));
    }
    if row.verdict != "All is well." {
        say!("    {}", row.verdict);
    }
    Ok(())
}
