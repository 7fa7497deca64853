//! The straight line of the program, and the only place that chains its stages.

mod composing;
mod extras;
mod reading;

use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::report::{CadenceReport, Decision, RunReport};
use super::terminal::bar;
use crate::config::{Config, secret, secret_in};
use crate::deliver::{self, Delivered, EncodedNews, Job, Mailer, MailerOptions, Sender, Signer};
use crate::model::{Audience, Edition, TokenKeys, Window};
use crate::render;
use crate::schedule::{self, Due};
use crate::store::{EditionState, Published, Store, Stranded};

use composing::{Span, compose, compose_at_once, empty_edition, history};
pub(super) use composing::{index_editions, upcoming};
pub(super) use extras::Extras;
use reading::learn_vocabulary;
pub(super) use reading::{collect_into, save};

/// Is called whenever the work has got on.
pub(super) type Progress<'p> = &'p (dyn Fn() + Sync);

/// Nobody waits for it.
pub(super) const UNWATCHED: Progress<'static> = &|| {};

/// The real time. Only the command line asks for it; all else is told.
pub(super) fn wall() -> DateTime<Utc> {
    Utc::now()
}

/// One pass: collect → rank → publish → deliver, whatever is due at `now`. Without `decides` somebody else is at the first three,
/// and only what was published is delivered.
pub(super) async fn pass(
    config: &Config,
    store: &Arc<Store>,
    way: &WayOut,
    now: DateTime<Utc>,
    decides: bool,
    stop: watch::Receiver<bool>,
    progress: Progress<'_>,
) -> anyhow::Result<RunReport> {
    let mut report = RunReport::new(now);
    if decides {
        decide(config, store, now, stop.clone(), progress, &mut report).await?;
        if report.stopped {
            return Ok(report);
        }
    }
    report.delivery = send_due(config, store, way, stop, progress).await?;
    report.stopped |= report
        .delivery
        .as_ref()
        .is_some_and(|delivered| delivered.stopped);
    if decides && !report.stopped {
        learn_vocabulary(config, store, now).await?;
    }
    Ok(report)
}

/// Collects, and decides about each cadence: what is due is composed and published with its deliveries.
async fn decide(
    config: &Config,
    store: &Store,
    now: DateTime<Utc>,
    mut stop: watch::Receiver<bool>,
    progress: Progress<'_>,
    report: &mut RunReport,
) -> anyhow::Result<()> {
    store
        .subscribers()
        .sync_configured(&config.subscribers, wall())
        .await?;

    let collecting = collect_into(config, store, &config.collect, now, stop.clone(), progress);
    let Some(collected) = collecting.await? else {
        report.stopped = true;
        return Ok(());
    };
    let blind = collected.is_blind();
    report.collect = Some(collected);

    let mut extras = Extras::default();
    for cadence in &config.cadences {
        let history = history(config, store, cadence, now).await?;
        let decision = match schedule::due(cadence, config.newsletter.timezone, history, now) {
            Due::NotYet { next } => Decision::NotDue { next },
            Due::TooLate { slot } => {
                let window = Window {
                    since: slot,
                    until: slot,
                };
                let edition = Edition {
                    covers: history.covered,
                    ..empty_edition(config, cadence, slot, window, now)
                };
                store
                    .editions()
                    .publish(&edition, EditionState::Skipped, wall())
                    .await?;
                Decision::Skipped { slot }
            }
            Due::Edition { slot, window } => {
                let composing = {
                    let span = Span {
                        window,
                        covered: history.covered,
                        until: config.now,
                    };
                    compose(config, store, cadence, slot, span, now, &mut extras)
                };
                let (edition, _) = tokio::select! {
                    composed = composing => composed?,
                    _ = stop.wait_for(|stop| *stop) => {
                        report.stopped = true;
                        return Ok(());
                    }
                };
                publish(store, &edition, blind).await?
            }
        };
        tracing::debug!(cadence = %cadence.id, ?decision, "decided");
        report.cadences.push(CadenceReport {
            cadence: cadence.id.clone(),
            decision,
        });
    }
    if let Some(edition) = compose_at_once(config, store, now).await? {
        report.cadences.push(CadenceReport {
            cadence: edition.cadence.clone(),
            decision: publish(store, &edition, blind).await?,
        });
    }
    // Before the mail goes out that leads there.
    index_editions(config, store).await?;
    let published = |report: &CadenceReport| matches!(report.decision, Decision::Published { .. });
    if report.cadences.iter().any(published) {
        report.stranded = stranded(config, store).await?;
    }
    Ok(())
}

/// What confirmed subscribers have chosen that this configuration does not have.
pub(super) async fn stranded(config: &Config, store: &Store) -> anyhow::Result<Vec<Stranded>> {
    let (cadences, topics) = (config.cadence_ids(), config.topic_ids());
    Ok(store
        .subscribers()
        .list_stranded(&cadences, &topics, &config.subscribers)
        .await?)
}

/// Stores the edition with its deliveries. `blind` says that no feed could be read: then an empty edition
/// is no quiet day but a broken line, and the next run decides.
async fn publish(store: &Store, edition: &Edition, blind: bool) -> anyhow::Result<Decision> {
    let id = store.editions().free_id(&edition.id, edition.slot).await?;
    let edition = &Edition {
        id,
        ..edition.clone()
    };
    let quiet = edition.sections.is_empty() && edition.followed.is_empty();
    if quiet && blind {
        return Ok(Decision::Postponed { slot: edition.slot });
    }
    let state = if quiet {
        EditionState::Quiet
    } else {
        EditionState::Published
    };
    Ok(
        match store.editions().publish(edition, state, wall()).await? {
            Published::Before => Decision::NotDue { next: None },
            Published::Now(_) if quiet => Decision::Quiet { slot: edition.slot },
            Published::Now(deliveries) => Decision::Published {
                edition: edition.id.clone(),
                stories: edition.story_count(),
                deliveries,
            },
        },
    )
}

/// How mail goes out, and what all mail has in common.
pub(super) struct WayOut {
    pub mailer: Arc<Mailer>,
    pub sender: Arc<Sender>,
}

impl WayOut {
    /// The one that the configuration names, with its passwords and keys.
    pub(super) async fn new(config: &Config, store: &Store) -> anyhow::Result<Self> {
        Ok(Self {
            mailer: Arc::new(mailer(config)?),
            sender: Arc::new(sender(config, store.token_keys().await?)?),
        })
    }
}

/// Sends what is due, of this edition or of an earlier one; `None` when nothing is.
pub(super) async fn send_due(
    config: &Config,
    store: &Arc<Store>,
    way: &WayOut,
    stop: watch::Receiver<bool>,
    progress: Progress<'_>,
) -> anyhow::Result<Option<Delivered>> {
    let due = store.ledger().count_due(wall()).await? + store.ledger().count_leased().await?;
    if due == 0 {
        return Ok(None);
    }
    let bar = bar("Sending", due);
    let (newsletter, theme) = (way.sender.newsletter.clone(), config.theme.clone());
    let job = Job {
        store: store.clone(),
        mailer: way.mailer.clone(),
        sender: way.sender.clone(),
        domains: config.delivery.domains.clone(),
        retry_for: config.delivery.retry_for,
        unknown: way.mailer.unknown(config.delivery.unknown),
        suppress: config.delivery.suppress,
        alone: store.is_embedded(),
        render: move |edition: &Edition, audience: &Audience| {
            let digest = render::digest(&newsletter, &theme, edition, audience)?;
            let news = render::followed(&newsletter, &theme, edition, audience)?;
            let encoded =
                |news: render::News| (news.story, EncodedNews::new(&news.html, &news.text));
            Ok((digest, news.into_iter().map(encoded).collect()))
        },
        wall,
        stop,
    };
    let delivered = deliver::deliver(job, |ended| {
        bar.inc(ended);
        progress();
    });
    let delivered = delivered.await;
    bar.finish_and_clear();
    delivered.map(Some)
}

/// The way out that the configuration names, with its passwords.
pub(super) fn mailer(config: &Config) -> anyhow::Result<Mailer> {
    let is_one =
        !matches!(&config.delivery.mailer, MailerOptions::Smtp(relays) if relays.len() > 1);
    Mailer::new(&config.delivery.mailer, |relay| {
        let password = match &relay.password_file {
            // Of several servers each gets its own, and not that of the environment, which is for one.
            Some(file) if !is_one => secret_in(file),
            file => secret("TIDINGS_SMTP_PASSWORD", file.as_deref()),
        };
        password.with_context(|| format!("the password for the mail server {}", relay.host))
    })
}

/// Who sends.
pub(super) fn sender(config: &Config, tokens: TokenKeys) -> anyhow::Result<Sender> {
    Ok(Sender {
        newsletter: config.newsletter.clone().with_key(&tokens),
        signer: Signer::new(&config.delivery.dkim)?,
        returns: config.delivery.returns.clone(),
        tokens,
    })
}
