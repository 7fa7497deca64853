//! `tidings check`: everything that can be wrong before a mail goes out.

use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::line;
use super::report::{count, moment};
use crate::config::Config;
use crate::model::{Language, Location};
use crate::render::template_problems;
use crate::schedule;
use crate::store::Store;

/// Arguments of `tidings check`.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    well: bool,
    says: String,
}

/// Whether every kind of mail can be made, and would reach its readers as it is meant.
fn mails(config: &Config) -> Vec<Finding> {
    let finding = |well, says| Finding {
        what: "mails",
        well,
        says,
    };
    let problems = template_problems(&config.newsletter, &config.theme);
    if problems.is_empty() {
        let says = format!(
            "digest, letters and page can be made in {}",
            Language::known()
        );
        return vec![finding(true, says)];
    }
    let problems = problems.iter();
    problems
        .map(|problem| finding(false, problem.to_string()))
        .collect()
}

impl Check {
    pub(super) async fn run(self, config: &Config, path: &Path) -> anyhow::Result<u8> {
        let mut findings = vec![Finding {
            what: "configuration",
            well: true,
            says: format!(
                "{}: {}, {}, {}",
                path.display(),
                count(config.feeds.len() as u64, "feed", "feeds"),
                count(config.topics.len() as u64, "topic", "topics"),
                count(config.cadences.len() as u64, "cadence", "cadences")
            ),
        }];
        let now = super::now(config, None);
        if let Some(pretended) = config.now {
            let says = format!(
                "pretended to be {}: delete `now` to go by the real one",
                moment(pretended, config.newsletter.timezone)
            );
            // With feeds from the network the pretended time hides everything that is newer.
            let well = config
                .feeds
                .iter()
                .all(|feed| matches!(feed.location, Location::File(_)));
            findings.push(Finding {
                what: "time",
                well,
                says,
            });
        }
        for cadence in &config.cadences {
            let next = schedule::next_slot(cadence, config.newsletter.timezone, now);
            let says = match next {
                Some(next) => format!(
                    "{}: next on {}",
                    cadence.id,
                    moment(next, config.newsletter.timezone)
                ),
                None => format!("{}: its schedule never comes round again", cadence.id),
            };
            findings.push(Finding {
                what: "schedule",
                well: next.is_some(),
                says,
            });
        }
        findings.extend(mails(config));
        findings.extend(
            match Store::open_for_rehearsal(&config.store, &config.newsletter.id).await {
                Ok(store) => stored(config, &store).await?,
                Err(error) => vec![Finding {
                    what: "store",
                    well: false,
                    says: format!("{error:#}"),
                }],
            },
        );
        let way_out = match line::mailer(config) {
            Ok(mailer) => match mailer.probe().await {
                Ok(()) => (true, format!("{} is ready", mailer.describe())),
                Err(error) => (false, format!("{error:#}")),
            },
            Err(error) => (false, format!("{error:#}")),
        };
        findings.push(Finding {
            what: "mailer",
            well: way_out.0,
            says: way_out.1,
        });

        if self.json {
            super::print_json(&findings)?;
        } else {
            for finding in &findings {
                println!(
                    "{} {:13} {}",
                    if finding.well { "✓" } else { "✗" },
                    finding.what,
                    finding.says
                );
            }
        }
        Ok(if findings.iter().all(|finding| finding.well) {
            super::DONE
        } else {
            super::FAILED
        })
    }
}

/// What the store says: deliveries, and subscribers that get nothing.
async fn stored(config: &Config, store: &Store) -> anyhow::Result<Vec<Finding>> {
    let counts = store.count_deliveries().await?;
    let mut says = format!("{}: {} sent", config.store, counts.sent);
    for (number, what) in [
        (counts.pending + counts.deferred, "waiting"),
        (counts.failed, "failed"),
        (counts.unknown, "unanswered and not sent again"),
    ] {
        if number > 0 {
            says.push_str(&format!(", {number} {what}"));
        }
    }
    let mut findings = vec![Finding {
        what: "store",
        well: true,
        says,
    }];
    let unsubscribed = store
        .sync_configured(&config.subscribers, line::wall())
        .await?;
    let left = unsubscribed.len() as u64;
    if left > 0 {
        findings.push(Finding {
            what: "subscribers",
            well: true,
            says: format!(
                "{} in the configuration but unsubscribed; `tidings subscribers add --confirmed ADDRESS` brings them back",
                count(left, "is", "are")
            ),
        });
    }
    let stranded = line::stranded(config, store).await?;
    if stranded > 0 {
        findings.push(Finding {
            what: "subscribers",
            well: false,
            says: format!(
                "{} for a cadence or for topics that the configuration does not have, and get nothing",
                count(stranded, "waits", "wait")
            ),
        });
    }
    Ok(findings)
}
