//! `tidings check`: everything that can be wrong before a mail goes out.

mod dns;

use std::net::SocketAddr;
use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::line;
use super::report::{count, doubt, moment, sentence_about};
use crate::config::Config;
use crate::deliver::{DnsRecord, MailerOptions, Signer};
use crate::model::{Language, Location};
use crate::render::template_problems;
use crate::schedule;
use crate::store::Store;

/// Arguments of `tidings check`.
#[derive(Debug, Args)]
#[command(after_help = "\
With a mail server or a sendmail program it looks at what the DNS says about the sender as well, and prints the records
that should be there.")]
pub(super) struct Check {
    /// Leave the DNS alone, and only print the records that belong there
    #[arg(long, conflicts_with = "dns")]
    offline: bool,

    /// Ask the name server at this address instead of those of the machine
    #[arg(long, value_name = "ADDRESS:PORT")]
    dns: Option<SocketAddr>,

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
    /// What belongs into the DNS.
    record: Option<Published>,
}

/// A record of the DNS.
#[derive(Debug, Serialize)]
struct Published {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    value: String,
}

impl Finding {
    fn new(what: &'static str, well: bool, says: String) -> Self {
        Self {
            what,
            well,
            says,
            record: None,
        }
    }

    fn good(what: &'static str, says: String) -> Self {
        Self::new(what, true, says)
    }

    fn bad(what: &'static str, says: String) -> Self {
        Self::new(what, false, says)
    }

    /// With the TXT record that belongs into the DNS.
    fn with(self, record: DnsRecord) -> Self {
        self.with_kind(record, "TXT")
    }

    fn with_kind(self, record: DnsRecord, kind: &'static str) -> Self {
        let record = Some(Published {
            name: record.name,
            kind,
            value: record.value,
        });
        Self { record, ..self }
    }
}

impl Published {
    /// As a line of a zone file. A text of more than 255 characters is written in pieces (RFC 7208 3.3).
    fn line(&self) -> String {
        if self.kind != "TXT" {
            return format!("{}. IN {} {}", self.name, self.kind, self.value);
        }
        let pieces: Vec<String> = self
            .value
            .as_bytes()
            .chunks(255)
            .map(|piece| format!("\"{}\"", String::from_utf8_lossy(piece)))
            .collect();
        format!("{}. IN TXT {}", self.name, pieces.join(" "))
    }
}

/// Whether every kind of mail can be made, and would reach its readers as it is meant.
fn mails(config: &Config) -> Vec<Finding> {
    let finding = |well, says| Finding::new("mails", well, says);
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

/// Where readers find their pages. Only an address of HTTPS gives mail programs a button to unsubscribe (RFC 8058 3.1).
fn pages(config: &Config) -> Option<Finding> {
    let serve = config.serve.as_ref()?;
    let (url, listen) = (&serve.url, serve.listen);
    let is_here = matches!(url.host_str(), Some("localhost" | "127.0.0.1"));
    if url.scheme() == "https" {
        return Some(Finding::good(
            "pages",
            format!("tidings serve has them on {listen}, for {url}"),
        ));
    }
    let says = format!(
        "{url} is not for readers: with https it is, and mail programs have a button to unsubscribe"
    );
    // To try it on this machine is all right.
    Some(Finding::new("pages", is_here, says))
}

impl Check {
    pub(super) async fn run(self, config: &Config, path: &Path) -> anyhow::Result<u8> {
        let mut findings = vec![Finding::good(
            "configuration",
            format!(
                "{}: {}, {}, {}",
                path.display(),
                count(config.feeds.len() as u64, "feed", "feeds"),
                count(config.topics.len() as u64, "topic", "topics"),
                count(config.cadences.len() as u64, "cadence", "cadences")
            ),
        )];
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
            findings.push(Finding::new("time", well, says));
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
            findings.push(Finding::new("schedule", next.is_some(), says));
        }
        findings.extend(mails(config));
        findings.extend(pages(config));
        let stored = super::reading_store(config, async |store| stored(config, store).await);
        findings.extend(match stored.await {
            Ok(findings) => findings,
            Err(error) => vec![Finding::bad("store", crate::store::describe(&error))],
        });
        let way_out = match line::mailer(config) {
            Ok(mailer) => match mailer.probe().await {
                Ok(()) => (true, format!("{} is ready", mailer.describe())),
                Err(error) => (false, format!("{error:#}")),
            },
            Err(error) => (false, format!("{error:#}")),
        };
        findings.push(Finding::new("mailer", way_out.0, way_out.1));
        findings.extend(self.sender(config).await);

        if self.json {
            super::print_json(&findings)?;
        } else {
            for finding in &findings {
                say!(
                    "{} {:13} {}",
                    if finding.well { "✓" } else { "✗" },
                    finding.what,
                    finding.says
                );
                if let Some(record) = &finding.record {
                    say!("    {}", record.line());
                }
            }
        }
        Ok(if findings.iter().all(|finding| finding.well) {
            super::DONE
        } else {
            super::FAILED
        })
    }
}

impl Check {
    /// What receivers find out about the sender.
    async fn sender(&self, config: &Config) -> Vec<Finding> {
        let keys = match Signer::new(&config.delivery.dkim) {
            Ok(signer) => signer.records(),
            Err(error) => return vec![Finding::bad("dkim", format!("{error:#}"))],
        };
        // A Maildir is read by nobody who asks.
        let is_local = matches!(config.delivery.mailer, MailerOptions::Maildir(_));
        if !self.offline && (!is_local || self.dns.is_some()) {
            return dns::look(config, &keys, self.dns).await;
        }
        let key =
            |key: DnsRecord| Finding::good("dkim", "belongs into the DNS:".to_owned()).with(key);
        let mut findings: Vec<Finding> = keys.into_iter().map(key).collect();
        if self.offline {
            findings.extend(dns::records(config));
        }
        findings
    }
}

/// What the store says: deliveries, and subscribers that get nothing.
async fn stored(config: &Config, store: &Store) -> anyhow::Result<Vec<Finding>> {
    let counts = store.ledger().count_deliveries().await?;
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
    let mut findings = vec![Finding::good("store", says)];
    let damages = store.damages().await?;
    findings.extend(damages.into_iter().map(|says| Finding::bad("store", says)));
    let unsubscribed = store
        .subscribers()
        .list_unsubscribed(&config.subscribers)
        .await?;
    let left = unsubscribed.len() as u64;
    if left > 0 {
        findings.push(Finding::good("subscribers", format!(
                "{} in the configuration but unsubscribed; `tidings subscribers add --confirmed ADDRESS` brings them back",
                count(left, "is", "are")
            )));
    }
    let (held, editions) = store.ledger().list_held().await?;
    if held > 0 {
        findings.push(Finding::bad("bounces", doubt(held, &editions)));
    }
    let week = line::wall() - chrono::TimeDelta::days(7);
    if let Some((number, said)) = store.ledger().sender_faults(week).await? {
        findings.push(Finding::bad(
            "bounces",
            format!(
                "{} back in the last seven days because the sender is refused, the latest with: {said}",
                count(number, "mail came", "mails came")
            ),
        ));
    }
    let stranded = line::stranded(config, store).await?;
    let stranded = stranded.iter().map(sentence_about);
    findings.extend(stranded.map(|says| Finding::bad("subscribers", says)));
    Ok(findings)
}
