//! `tidings send`: one pass over everything that is due, or one test copy.

use std::sync::Arc;

use anyhow::Context as _;
use chrono::TimeDelta;
use clap::Args;
use tokio::sync::watch;

use super::line::{self, Extras, WayOut};
use super::lock::{self, Asked, Lock};
use super::report::RunReport;
use super::terminal;
use crate::config::Config;
use crate::deliver::{EncodedDigest, Recipient};
use crate::model::{Address, Language, Outcome};
use crate::render;
use crate::store::Store;

/// How long a send may keep the others waiting without getting on before that is a failure.
const STUCK: TimeDelta = TimeDelta::hours(1);

/// Arguments of `tidings send`.
#[derive(Debug, Args)]
#[command(after_help = "\
Safe to run as often as you like: an edition is sent once per subscriber, a run that was cut off is taken up
by the next one, and two runs at once do not disturb each other.

  */15 * * * *  tidings send --config /etc/tidings/config.toml")]
pub(super) struct Send {
    /// Send one test copy of what would go out now to this address, and record nothing
    #[arg(long, value_name = "ADDRESS", value_parser = |text: &str| Address::parse(text))]
    to: Option<Address>,

    /// With --to: the cadence to show; without it, the first that has stories
    #[arg(long, value_name = "NAME", requires = "to")]
    cadence: Option<String>,

    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

impl Send {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<u8> {
        if let Some(address) = &self.to {
            return test_copy(config, address, self.cadence.as_deref()).await;
        }
        let Some((report, way)) = pass(config, terminal::stop_signal()).await? else {
            return Ok(super::DONE);
        };
        let timezone = config.newsletter.timezone;
        if self.json {
            super::print_json(&report)?;
        } else if terminal::is_watched() {
            say_part!("{}", report.summary(timezone));
            if report
                .delivery
                .as_ref()
                .is_some_and(|delivered| delivered.sent > 0)
            {
                say!("The mail went to {}.", way.mailer.describe());
            }
        }
        Ok(report.exit_code())
    }
}

/// One pass over everything that is due, and what it has to say to the operator; `None` when somebody else is at it.
///
/// # Errors
/// When it could not do its work, or somebody else has been at it for too long.
pub(super) async fn pass(
    config: &Config,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<Option<(RunReport, WayOut)>> {
    let lock = match config
        .store
        .file()
        .map(|file| lock::ask(file, line::wall()))
    {
        None => None,
        Some(asked) => match asked? {
            Asked::Ours(lock) => Some(lock),
            Asked::Theirs { holder, idle } => {
                leave(config, &holder, idle)?;
                return Ok(None);
            }
        },
    };
    super::with_store(config, async |store| {
        on(config, store, lock.as_ref(), stop).await
    })
    .await
}

async fn on(
    config: &Config,
    store: &Arc<Store>,
    lock: Option<&Lock>,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<Option<(RunReport, WayOut)>> {
    // On another machine somebody may be at it; what was decided can be sent by any number.
    let decides = store.ask_to_decide().await?;
    let way = WayOut::new(config, store).await?;
    let now = super::now(config, None);
    let progress = || {
        if let Some(lock) = lock {
            lock.progress(line::wall());
        }
    };
    let report = line::pass(config, store, &way, now, decides, stop, &progress).await?;
    tracing::info!("{}", report.line());
    tell_part!("{}", report.trouble(config.newsletter.timezone));
    if let Some(address) = &config.delivery.report_to
        && report.is_eventful()
    {
        send_report(config, &way, &report, address).await;
    }
    Ok(Some((report, way)))
}

/// Says who is at work on the store, where that is worth a word: under cron it is the normal end of a run that meets a long one,
/// unless that one is stuck.
fn leave(config: &Config, holder: &str, idle: TimeDelta) -> anyhow::Result<()> {
    anyhow::ensure!(
        idle < STUCK,
        "{holder} holds the lock of {} and has not got on with its work for {} minutes. Nothing was sent; find out what it waits for, \
         and end it",
        config.store,
        idle.num_minutes()
    );
    let told = format!(
        "Another tidings send is at work on {} ({holder}). Nothing was done; it takes care of what is due.",
        config.store
    );
    if terminal::is_watched() {
        tell!("{told}");
    }
    Ok(())
}

/// Mails what the run did. That this fails is told, but is no failure of the run.
pub(super) async fn send_report(
    config: &Config,
    way: &WayOut,
    report: &RunReport,
    address: &Address,
) {
    let sending = async {
        let letter = report.letter(&config.newsletter, &config.theme)?;
        let recipient = Recipient {
            address,
            name: "",
            token: &format!("report-{}", line::wall().timestamp_millis()),
            language: Language::En,
            known: None,
        };
        let mail = way.sender.letter(&letter, &recipient, line::wall())?;
        way.mailer.send_one(&mail).await
    };
    match sending.await {
        Ok(Outcome::Accepted) => {}
        Ok(Outcome::Deferred(refusal) | Outcome::Rejected(refusal)) => {
            tell!("The report to the operator was not taken: {refusal}");
        }
        Ok(Outcome::Unknown(what)) => {
            tell!("Nobody knows whether the report to the operator was taken: {what}");
        }
        Err(error) => tell!("The report to the operator could not be sent: {error:#}"),
    }
}

/// Sends one copy and leaves no trace: the whole line runs on a snapshot of the store.
async fn test_copy(
    config: &Config,
    address: &Address,
    cadence: Option<&str>,
) -> anyhow::Result<u8> {
    let cadences = match config.cadences_named(cadence) {
        Ok(cadences) => cadences,
        Err(what) => {
            tell!("{what}");
            return Ok(super::USAGE);
        }
    };
    let now = super::now(config, None);
    let store = Store::snapshot(&config.store, &config.newsletter.id).await?;
    let way = WayOut::new(config, &store).await?;
    if line::collect_into(
        config,
        &store,
        &config.collect,
        now,
        terminal::stop_signal(),
        line::UNWATCHED,
    )
    .await?
    .is_none()
    {
        return Ok(super::INTERRUPTED);
    }
    let mut extras = Extras::default();
    for cadence in cadences {
        let (edition, _) = line::upcoming(config, &store, cadence, now, &mut extras).await?;
        if edition.sections.is_empty() {
            continue;
        }
        let audience = config.default_audience();
        let digest = render::digest(&config.newsletter, &config.theme, &edition, &audience)?;
        // A Message-ID of its own each time: mailboxes drop a second mail with a known one.
        let token = format!("test-{}", line::wall().timestamp_millis());
        let recipient = Recipient {
            address,
            name: "",
            token: &token,
            language: audience.language,
            known: Some(Recipient::NOBODY),
        };
        let digest = EncodedDigest::new(&digest);
        let mail = way
            .sender
            .message(&edition, &digest, &recipient, Vec::new())?;
        let outcome = way
            .mailer
            .send_one(&mail)
            .await
            .context("sending the test copy")?;
        return Ok(match outcome {
            Outcome::Accepted => {
                if terminal::is_watched() {
                    say!(
                        "A test copy of the {} edition went to {}.",
                        edition.cadence,
                        way.mailer.describe()
                    );
                }
                super::DONE
            }
            Outcome::Deferred(refusal) | Outcome::Rejected(refusal) => {
                tell!("The test copy was not taken: {refusal}");
                super::FAILED
            }
            Outcome::Unknown(what) => {
                tell!("Nobody knows whether the test copy was taken: {what}");
                super::FAILED
            }
        });
    }
    tell!("There is no story that would go out now, so there is nothing to send.");
    Ok(super::FAILED)
}
