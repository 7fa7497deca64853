//! `tidings editions`: what went out, to how many, and what is still on its way.

use std::io::IsTerminal as _;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::line;
use super::report::{count, moment};
use super::terminal::bar;
use crate::config::Config;
use crate::model::{DeliveryCounts, DeliveryId, DeliveryState, EditionId};
use crate::store::{EditionState, EditionSummary, Store};

/// How many deliveries are read at a time.
const PAGE: u32 = 1000;

/// Arguments of `tidings editions`.
#[derive(Debug, Subcommand)]
pub(super) enum Editions {
    /// List the latest editions, with where their deliveries stand
    List(List),
    /// Say where the deliveries of an edition stand, and who they are for
    Show(Show),
    /// Make deliveries due again: cancelled ones, and others that you name
    Resume(Resume),
    /// Cancel what was not sent yet of an edition
    Cancel(Cancel),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// How many
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    limit: u32,

    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// Its identity, as `editions list` prints it, or `last`
    edition: String,

    /// List the deliveries in this state, with their addresses
    #[arg(long, value_name = "STATE")]
    deliveries: Option<Shown>,

    /// Stay until all has ended, with a progress bar
    #[arg(long)]
    watch: bool,

    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The next `tidings send` sends them. Whoever has left meanwhile, or must not be mailed, gets nothing.")]
pub(super) struct Resume {
    /// Its identity, as `editions list` prints it, or `last`
    edition: String,

    /// Those, too, of which nobody knows whether they went out: some will come twice
    #[arg(long)]
    unknown: bool,

    /// Those, too, that have failed for good
    #[arg(long)]
    failed: bool,
}

#[derive(Debug, Args)]
pub(super) struct Cancel {
    /// Its identity, as `editions list` prints it, or `last`
    edition: String,
}

/// A state that can be listed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shown {
    /// Waiting for the first try
    Pending,
    /// Waiting for another try
    Deferred,
    /// Taken by a mail server
    Sent,
    /// Given up
    Failed,
    /// Nobody knows whether they went out
    Unknown,
    /// Not sent, as nobody wanted them any more
    Cancelled,
}

impl From<Shown> for DeliveryState {
    fn from(shown: Shown) -> Self {
        match shown {
            Shown::Pending => Self::Pending,
            Shown::Deferred => Self::Deferred,
            Shown::Sent => Self::Sent,
            Shown::Failed => Self::Failed,
            Shown::Unknown => Self::Unknown,
            Shown::Cancelled => Self::Cancelled,
        }
    }
}

impl Editions {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<u8> {
        // Who only looks writes nothing, and makes no store.
        if matches!(self, Self::List(_) | Self::Show(_)) {
            return super::reading_store(config, async |store| self.on(config, store).await).await;
        }
        super::with_store(config, async |store| self.on(config, store).await).await
    }

    async fn on(self, config: &Config, store: &Store) -> anyhow::Result<u8> {
        match self {
            Self::List(list) => list.run(config, store).await,
            Self::Show(show) => {
                let Some(edition) = find(config, store, &show.edition).await? else {
                    return Ok(super::FAILED);
                };
                show.run(config, store, edition).await
            }
            Self::Resume(resume) => {
                let Some(edition) = find(config, store, &resume.edition).await? else {
                    return Ok(super::FAILED);
                };
                let mut states = vec![DeliveryState::Cancelled, DeliveryState::Deferred];
                states.extend(resume.unknown.then_some(DeliveryState::Unknown));
                states.extend(resume.failed.then_some(DeliveryState::Failed));
                let resumed = store
                    .ledger()
                    .resume_edition(&edition.id, &states, line::wall())
                    .await?;
                say!(
                    "{} due now; the next `tidings send` takes care of them.",
                    count(resumed, "delivery is", "deliveries are")
                );
                Ok(super::DONE)
            }
            Self::Cancel(cancel) => {
                let Some(edition) = find(config, store, &cancel.edition).await? else {
                    return Ok(super::FAILED);
                };
                let cancelled = store
                    .ledger()
                    .cancel_edition(&edition.id, line::wall())
                    .await?;
                say!(
                    "{} cancelled. `tidings editions resume {}` takes that back.",
                    count(cancelled, "delivery is", "deliveries are"),
                    edition.id
                );
                Ok(super::DONE)
            }
        }
    }
}

/// The edition that somebody names.
async fn find(
    config: &Config,
    store: &Store,
    name: &str,
) -> anyhow::Result<Option<EditionSummary>> {
    let mut editions = store
        .editions()
        .list_editions(&config.newsletter.id, u32::MAX)
        .await?
        .into_iter();
    let found = if name == "last" {
        editions.find(|edition| edition.state == EditionState::Published)
    } else {
        editions.find(|edition| edition.id.as_str() == name)
    };
    if found.is_none() {
        tell!("There is no edition “{name}”. `tidings editions list` names those that there are.");
    }
    Ok(found)
}

impl List {
    async fn run(self, config: &Config, store: &Store) -> anyhow::Result<u8> {
        let editions = store
            .editions()
            .list_editions(&config.newsletter.id, self.limit)
            .await?;
        if self.json {
            let mut list = Vec::new();
            for edition in &editions {
                let counts = store.ledger().count_deliveries_of(&edition.id).await?;
                list.push(as_json(edition, counts));
            }
            super::print_json(&list)?;
            return Ok(super::DONE);
        }
        if editions.is_empty() {
            say!("There is no edition yet. `tidings send` makes one when it is due.");
        }
        for edition in editions {
            let counts = store.ledger().count_deliveries_of(&edition.id).await?;
            say!(
                "{}  {}  {}",
                edition.id,
                moment(edition.slot, config.newsletter.timezone),
                in_words(edition.state, counts)
            );
        }
        Ok(super::DONE)
    }
}

impl Show {
    async fn run(
        self,
        config: &Config,
        store: &Store,
        edition: EditionSummary,
    ) -> anyhow::Result<u8> {
        if self.watch {
            watch(store, &edition.id).await?;
        }
        let counts = store.ledger().count_deliveries_of(&edition.id).await?;
        if self.json {
            let mut value = as_json(&edition, counts);
            if let Some(state) = self.deliveries {
                let mut list = Vec::new();
                each_delivery(store, &edition.id, state.into(), |delivery| {
                    list.push(json!({
                        "address": delivery.address, "attempts": delivery.attempts,
                        "at": delivery.at, "answer": delivery.answer,
                    }));
                    Ok(())
                })
                .await?;
                value["list"] = list.into();
            }
            super::print_json(&value)?;
            return Ok(super::DONE);
        }
        say!(
            "{}: the {} edition of {}",
            edition.id,
            edition.cadence,
            moment(edition.slot, config.newsletter.timezone)
        );
        say!("{}", in_words(edition.state, counts));
        match self.deliveries {
            Some(state) => {
                each_delivery(store, &edition.id, state.into(), |delivery| {
                    let answer = delivery.answer.unwrap_or_default();
                    say!("  {}  {answer}", delivery.address);
                    Ok(())
                })
                .await?;
            }
            None if counts.failed + counts.unknown > 0 => {
                say!("Who they are: --deliveries failed, --deliveries unknown");
            }
            None => {}
        }
        Ok(super::DONE)
    }
}

/// Calls `show` with each delivery of `edition` in that state, however many there are.
async fn each_delivery(
    store: &Store,
    edition: &EditionId,
    state: DeliveryState,
    mut show: impl FnMut(crate::store::DeliveryDetail) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    let mut after = DeliveryId(0);
    loop {
        let page = store
            .ledger()
            .list_deliveries(edition, state, after, PAGE)
            .await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = last.id;
        page.into_iter().try_for_each(&mut show)?;
    }
}

/// Waits until nothing of `edition` is on its way any more, or waits for hours.
async fn watch(store: &Store, edition: &EditionId) -> anyhow::Result<()> {
    let counts = store.ledger().count_deliveries_of(edition).await?;
    let bar = bar("Sending", counts.total());
    let mut stop = super::terminal::stop_signal();
    loop {
        let counts = store.ledger().count_deliveries_of(edition).await?;
        bar.set_position(counts.ended());
        if counts.pending == 0 || *stop.borrow() {
            break;
        }
        if !std::io::stderr().is_terminal() {
            tracing::info!(sent = counts.sent, waiting = counts.pending, "sending");
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            _ = stop.changed() => {}
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn in_words(state: EditionState, counts: DeliveryCounts) -> String {
    match state {
        EditionState::Quiet => return "no story, no mail".to_owned(),
        EditionState::Skipped => return "skipped, as it was too late".to_owned(),
        EditionState::Published => {}
    }
    let DeliveryCounts {
        sent,
        pending,
        deferred,
        failed,
        unknown,
        cancelled,
    } = counts;
    let mut words = format!("{sent} sent");
    for (number, what) in [
        (pending, "waiting"),
        (deferred, "to be tried again"),
        (failed, "failed"),
        (unknown, "unanswered"),
        (cancelled, "cancelled"),
    ] {
        if number > 0 {
            words.push_str(&format!(", {number} {what}"));
        }
    }
    words
}

fn as_json(edition: &EditionSummary, counts: DeliveryCounts) -> serde_json::Value {
    json!({
        "id": edition.id,
        "cadence": edition.cadence,
        "slot": edition.slot,
        "state": edition.state.word(),
        "deliveries": counts,
    })
}
