//! `tidings inbound`: what mail servers and readers write back.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::line;
use super::report::count;
use super::terminal;
use crate::config::Config;
use crate::deliver::{Inbound as Meaning, Named, Ours, read_inbound};
use crate::model::{Bounce, TokenKeys};
use crate::store::{Reported, Store};

/// A mail that is longer than this holds more than a report: what comes after is not read.
const LONGEST: u64 = 10_000_000;

/// What a mail server takes for “try again later” (EX_TEMPFAIL of sysexits.h).
pub(super) const TRY_AGAIN: u8 = 75;

/// Arguments of `tidings inbound`.
#[derive(Debug, Args)]
#[command(after_help = "\
Reads one mail from standard input, as a mail server hands it over, or all new ones of a Maildir, whose files it then
moves to cur. It understands reports of mail that could not be delivered, complaints, and requests to leave; what it does
not understand it leaves alone.

Postfix, master.cf:   tidings unix - n n - - pipe user=tidings argv=tidings inbound --recipient ${original_recipient}
OpenSMTPD:            action bounces mda \"tidings inbound --recipient %{rcpt}\" user tidings")]
pub(super) struct Inbound {
    /// The address that the mail came in for
    #[arg(long, value_name = "ADDRESS", conflicts_with = "maildir")]
    recipient: Option<String>,

    /// Read the new mails of this Maildir instead
    #[arg(long, value_name = "FOLDER")]
    maildir: Option<PathBuf>,

    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

/// What was done.
#[derive(Debug, Default, serde::Serialize)]
struct Done {
    hard: u64,
    soft: u64,
    complaints: u64,
    sender_faults: u64,
    unsubscribed: u64,
    ignored: u64,
    /// Reports about mails that the store does not know.
    unknown: u64,
    /// Reports of dead addresses that are not believed, as too many say so of one edition.
    doubted: u64,
    /// Files that could not be read, and stay where they are.
    unreadable: u64,
}

impl Inbound {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<u8> {
        let done = self.read(config).await?;
        if self.json {
            super::print_json(&done)?;
        } else if terminal::is_watched() {
            say_part!("{}", done.summary());
        }
        if done.sender_faults > 0 {
            tell!(
                "{} refused because of the sender; look at `tidings check`.",
                count(done.sender_faults, "mail was", "mails were")
            );
        }
        if done.doubted > 0 {
            tell!(
                "{} not believed: so many of one edition cannot be dead. Nobody is suppressed because of them; look at what the reports \
                 say, and at `tidings check`.",
                count(
                    done.doubted,
                    "report of a dead address is",
                    "reports of dead addresses are"
                )
            );
        }
        Ok(match done.unreadable + done.doubted {
            0 => super::DONE,
            _ => super::PARTLY,
        })
    }

    /// Whether a mail server waits for what becomes of the mail.
    pub(super) fn is_handed_over(&self) -> bool {
        self.maildir.is_none()
    }

    async fn read(&self, config: &Config) -> anyhow::Result<Done> {
        super::with_store(config, async |store| self.read_into(config, store).await).await
    }

    async fn read_into(&self, config: &Config, store: &Store) -> anyhow::Result<Done> {
        let tokens = store.token_keys().await?;
        let mut done = Done::default();
        let Some(maildir) = &self.maildir else {
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .take(LONGEST)
                .read_to_end(&mut bytes)
                .context("reading the mail")?;
            take(
                config,
                store,
                &tokens,
                &bytes,
                self.recipient.as_deref(),
                &mut done,
            )
            .await?;
            return Ok(done);
        };
        for file in new_mails(maildir)? {
            let mut bytes = Vec::new();
            let read = std::fs::File::open(&file)
                .and_then(|mail| mail.take(LONGEST).read_to_end(&mut bytes));
            if let Err(error) = read {
                // The others can be.
                tell!(
                    "{} cannot be read ({error}); it stays where it is.",
                    file.display()
                );
                done.unreadable += 1;
                continue;
            }
            take(config, store, &tokens, &bytes, None, &mut done).await?;
            // Only now: what is read twice is recorded once.
            let name = file.file_name().context("a file without a name")?;
            let seen = format!("{}:2,S", name.to_string_lossy());
            std::fs::rename(&file, maildir.join("cur").join(seen))
                .with_context(|| format!("moving {} to cur", file.display()))?;
        }
        Ok(done)
    }
}

/// The mails under `new`, in the order of their names, which is that of their coming.
fn new_mails(maildir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let folder = maildir.join("new");
    let entries = std::fs::read_dir(&folder)
        .with_context(|| format!("reading the Maildir {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Takes one mail in.
async fn take(
    config: &Config,
    store: &Store,
    tokens: &TokenKeys,
    bytes: &[u8],
    recipient: Option<&str>,
    done: &mut Done,
) -> anyhow::Result<()> {
    let ours = Ours {
        tokens,
        domain: config.newsletter.from.domain(),
    };
    match read_inbound(bytes, recipient, &ours) {
        Meaning::Ignored(why) => {
            tracing::info!(why, "a mail was left alone");
            done.ignored += 1;
        }
        Meaning::Unsubscribe(subscriber) => {
            // With a way back, for whoever did not mean it.
            let goodbye = config.serve.is_some().then_some(config.newsletter.language);
            let subscribers = store.subscribers();
            let has_left = subscribers
                .unsubscribe_by_mail(subscriber, goodbye, line::wall())
                .await?;
            match has_left {
                true => done.unsubscribed += 1,
                // Nobody, or somebody who has left already: asking twice is fine.
                false => done.ignored += 1,
            }
        }
        Meaning::Bounced {
            mail,
            bounce,
            detail,
        } => {
            let delivery = match mail {
                Named::Token(delivery) => Some(delivery),
                Named::MessageId(edition, subscriber) => {
                    store.ledger().find_delivery(&edition, &subscriber).await?
                }
            };
            let policy = config.delivery.suppress;
            let reported = match delivery {
                Some(delivery) => {
                    store
                        .ledger()
                        .record_bounce(delivery, bounce, Some(&detail), policy, line::wall())
                        .await?
                }
                None => Reported::Unknown,
            };
            match bounce {
                _ if reported == Reported::Unknown => done.unknown += 1,
                _ if reported == Reported::Doubted => done.doubted += 1,
                Bounce::Hard => done.hard += 1,
                Bounce::Soft => done.soft += 1,
                Bounce::Complaint => done.complaints += 1,
                Bounce::SenderFault => done.sender_faults += 1,
            }
        }
    }
    Ok(())
}

impl Done {
    fn summary(&self) -> String {
        let counts = [
            (
                self.hard,
                "address does not exist",
                "addresses do not exist",
            ),
            (
                self.soft,
                "mailbox could not take its mail",
                "mailboxes could not take their mail",
            ),
            (self.complaints, "complaint", "complaints"),
            (
                self.sender_faults,
                "refusal of the sender",
                "refusals of the sender",
            ),
            (
                self.unsubscribed,
                "subscriber has left",
                "subscribers have left",
            ),
            (
                self.doubted,
                "report of a dead address is not believed: too many say so of one edition",
                "reports of dead addresses are not believed: too many say so of one edition",
            ),
            (
                self.unknown,
                "report about an unknown mail",
                "reports about unknown mails",
            ),
            (
                self.ignored,
                "other mail was left alone",
                "other mails were left alone",
            ),
        ];
        let mut text = String::new();
        for (number, one, many) in counts {
            if number > 0 {
                text.push_str(&count(number, one, many));
                text.push_str(".\n");
            }
        }
        if text.is_empty() {
            text.push_str("There was no new mail.\n");
        }
        text
    }
}
