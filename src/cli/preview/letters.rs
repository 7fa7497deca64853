//! Examples of the mails that go to one person.

use chrono::{DateTime, TimeDelta, Utc};
use clap::ValueEnum;

use super::format::{example_sender, personal_links, reader};
use crate::cli::report::{CadenceReport, CollectReport, Decision, RunReport};
use crate::config::Config;
use crate::deliver::{Delivered, Mail, Recipient};
use crate::model::{Edition, FeedFailure, FetchFailure, Language, Letter};
use crate::render::letter;
use crate::render::lint::{Check, Rendered, lint};
use crate::schedule;

/// A kind of mail to one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LetterKind {
    /// Asks somebody to confirm that they want the newsletter
    Confirmation,
    /// Greets somebody who has confirmed
    Welcome,
    /// Says that somebody has left
    Goodbye,
    /// Tells the operator what a run did
    Report,
}

/// Stands for the personal links of examples.
const LINK: &str = "https://example.org/link-of-this-reader";

impl LetterKind {
    /// All kinds.
    pub(super) const ALL: [Self; 4] = [
        Self::Confirmation,
        Self::Welcome,
        Self::Goodbye,
        Self::Report,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation",
            Self::Welcome => "welcome",
            Self::Goodbye => "goodbye",
            Self::Report => "report",
        }
    }

    /// Such a letter, as somebody who reads `language` would get it now.
    pub(super) fn example(self, config: &Config, language: Language) -> anyhow::Result<Letter> {
        let (newsletter, theme) = (&config.newsletter, &config.theme);
        let now = crate::cli::now(config, None);
        match self {
            Self::Confirmation => {
                letter::confirmation(newsletter, theme, language, LINK, now + TimeDelta::days(2))
            }
            Self::Welcome => {
                let cadence = config.cadences.first();
                let next = cadence
                    .and_then(|cadence| schedule::next_slot(cadence, newsletter.timezone, now));
                let links = personal_links(config)?;
                letter::welcome(newsletter, theme, language, next, &links.unsubscribe)
            }
            Self::Goodbye => letter::goodbye(newsletter, theme, language, Some(LINK)),
            Self::Report => example_run(config, now).letter(newsletter, theme),
        }
    }
}

/// A run at `now` that sent an edition and could not read a feed.
fn example_run(config: &Config, now: DateTime<Utc>) -> RunReport {
    let mut collect = CollectReport::new(config.feeds.len());
    let failed = config.feeds.first().map(|feed| FeedFailure {
        feed: feed.key.clone(),
        name: feed.label().to_owned(),
        failure: FetchFailure::Status(503),
    });
    collect.failures.extend(failed);
    collect.new_items = 42;
    let cadences = config.cadences.iter().take(1).map(|cadence| CadenceReport {
        cadence: cadence.id.clone(),
        decision: Decision::Published {
            edition: Edition::id_of(&config.newsletter.id, &cadence.id, now),
            stories: 12,
            deliveries: 345,
        },
    });
    RunReport {
        collect: Some(collect),
        cadences: cadences.collect(),
        delivery: Some(Delivered {
            sent: 345,
            ..Delivered::default()
        }),
        ..RunReport::new(now)
    }
}

/// What mail programs or readers would hold against an example.
pub(super) fn checks(
    config: &Config,
    kind: LetterKind,
    letter: &Letter,
) -> anyhow::Result<Vec<Check>> {
    let links = personal_links(config)?;
    let mail = Rendered {
        subject: &letter.subject,
        html: &letter.html,
        text: &letter.text,
        unsubscribe: (kind == LetterKind::Welcome).then_some(&*links.unsubscribe),
    };
    Ok(lint(&config.newsletter, mail))
}

/// The mail that brings an example.
pub(super) fn mail(
    config: &Config,
    kind: LetterKind,
    letter: &Letter,
    language: Language,
) -> anyhow::Result<Mail> {
    let reader = reader()?;
    // The program speaks English to operators.
    let language = match kind {
        LetterKind::Report => Language::En,
        _ => language,
    };
    let recipient = Recipient {
        address: &reader,
        name: "",
        token: kind.name(),
        language,
        known: None,
    };
    let now = crate::cli::now(config, None);
    example_sender(config)?.letter(letter, &recipient, now)
}
