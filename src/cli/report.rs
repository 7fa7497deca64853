//! What a run did, for people and for scripts.

use std::collections::HashMap;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use crate::collect::{Outcome, Visit};
use crate::deliver::Delivered;
use crate::model::{
    CadenceId, EditionId, Feed, FeedFailure, FeedKey, FetchState, Letter, Newsletter,
};
use crate::render::Theme;
use crate::render::letter::{self, FactList};
use crate::store::Stranded;

/// What one pass did. `Serialize` is the form of `--json`.
#[derive(Debug, Serialize)]
pub(super) struct RunReport {
    /// The time that the run went by.
    pub now: DateTime<Utc>,
    /// What the feeds gave; absent when the run was stopped before.
    pub collect: Option<CollectReport>,
    /// What was decided for each cadence.
    pub cadences: Vec<CadenceReport>,
    /// What became of the deliveries that were due; absent when none was.
    pub delivery: Option<Delivered>,
    /// What subscribers have chosen that the newsletter does not have.
    pub stranded: Vec<Stranded>,
    /// The run was told to stop.
    pub stopped: bool,
}

/// What the feeds gave.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct CollectReport {
    pub feeds: usize,
    pub not_modified: usize,
    /// Not asked, as they want to be left alone for a while or have failed too often.
    pub resting: usize,
    pub new_items: usize,
    pub known_items: usize,
    #[serde(skip)]
    pub items_by_feed: HashMap<FeedKey, usize>,
    /// What a strict reader has against each feed; only when checking.
    #[serde(skip)]
    pub flaws: HashMap<FeedKey, String>,
    pub failures: Vec<FeedFailure>,
    /// Those that have just moved for good.
    pub moved: Vec<MovedFeed>,
    /// Those that have had nothing new for a month, as of this run.
    pub quiet: Vec<FeedKey>,
    /// How many feeds with news were heard of: read, unchanged, or resting in good health.
    #[serde(skip)]
    heard: usize,
    /// How many feeds have failed that had not the time before.
    #[serde(skip)]
    newly_failed: usize,
}

/// A feed that is read at another address than the configured one.
#[derive(Debug, Clone, Serialize)]
pub(super) struct MovedFeed {
    pub feed: FeedKey,
    pub to: String,
}

/// What was decided for a cadence.
#[derive(Debug, Serialize)]
pub(super) struct CadenceReport {
    pub cadence: CadenceId,
    #[serde(flatten)]
    pub decision: Decision,
}

/// What was decided about a slot.
#[derive(Debug, Serialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub(super) enum Decision {
    Published {
        edition: EditionId,
        stories: usize,
        deliveries: u64,
    },
    Quiet {
        slot: DateTime<Utc>,
    },
    Postponed {
        slot: DateTime<Utc>,
    },
    Skipped {
        slot: DateTime<Utc>,
    },
    NotDue {
        next: Option<DateTime<Utc>>,
    },
}

impl RunReport {
    pub(super) fn new(now: DateTime<Utc>) -> Self {
        Self {
            now,
            collect: None,
            cadences: Vec::new(),
            delivery: None,
            stranded: Vec::new(),
            stopped: false,
        }
    }

    /// The exit code that this run deserves.
    pub(super) fn exit_code(&self) -> u8 {
        if self.stopped {
            return super::INTERRUPTED;
        }
        if self
            .delivery
            .as_ref()
            .is_some_and(|delivered| delivered.unreachable.is_some())
        {
            return super::FAILED;
        }
        let feeds = self
            .collect
            .as_ref()
            .is_some_and(|collect| !collect.failures.is_empty());
        let deliveries = self.delivery.as_ref().is_some_and(|d| {
            d.deferred + d.failed + d.unknown + d.postponed + d.doubtful > 0
                || !d.stood_in_for.is_empty()
        });
        let editions = self.cadences.iter().any(CadenceReport::is_trouble);
        if feeds || deliveries || editions || !self.stranded.is_empty() {
            super::PARTLY
        } else {
            super::DONE
        }
    }

    /// All that went well, for somebody who watches.
    pub(super) fn summary(&self, timezone: Tz) -> String {
        let mut text = String::new();
        if let Some(collect) = &self.collect {
            let _ = writeln!(text, "{}", collect.summary());
        }
        for cadence in self.cadences.iter().filter(|cadence| !cadence.is_trouble()) {
            let _ = writeln!(text, "{}", cadence.sentence(timezone));
        }
        match &self.delivery {
            Some(delivered) => {
                let _ = writeln!(
                    text,
                    "Sent {} of {}.",
                    delivered.sent,
                    count(delivered.total(), "delivery", "deliveries")
                );
            }
            None if self.stopped => {}
            None => text.push_str("Nothing was due to be sent.\n"),
        }
        text
    }

    /// All of it in one line, for a log.
    pub(super) fn line(&self) -> String {
        let mut parts = Vec::new();
        if let Some(collect) = &self.collect {
            parts.push(collect.line());
        }
        for report in &self.cadences {
            let cadence = &report.cadence;
            match &report.decision {
                Decision::Published {
                    stories,
                    deliveries,
                    ..
                } => parts.push(format!(
                    "{cadence} published ({}, {})",
                    count(*stories as u64, "story", "stories"),
                    count(*deliveries, "delivery", "deliveries")
                )),
                Decision::Quiet { .. } => parts.push(format!("{cadence} quiet")),
                Decision::Postponed { .. } => parts.push(format!("{cadence} waits")),
                Decision::Skipped { .. } => parts.push(format!("{cadence} skipped")),
                Decision::NotDue { .. } => {}
            }
        }
        match &self.delivery {
            None => parts.push("nothing to send".to_owned()),
            Some(delivered) => {
                for (number, what) in [
                    (delivered.sent, "sent"),
                    (delivered.deferred, "deferred"),
                    (delivered.postponed, "postponed"),
                    (delivered.failed, "failed"),
                    (delivered.unknown, "unknown"),
                    (delivered.doubtful, "doubtful"),
                ] {
                    if number > 0 || what == "sent" {
                        parts.push(format!("{number} {what}"));
                    }
                }
            }
        }
        if self.stopped {
            parts.push("stopped".to_owned());
        }
        parts.join(", ")
    }

    /// What somebody must know who does not watch: everything that is not well.
    pub(super) fn trouble(&self, timezone: Tz) -> String {
        let mut text = String::new();
        for cadence in self.cadences.iter().filter(|cadence| cadence.is_trouble()) {
            let _ = writeln!(text, "{}", cadence.sentence(timezone));
        }
        if let Some(collect) = &self.collect {
            text.push_str(&collect.trouble());
        }
        if let Some(delivered) = &self.delivery {
            for (number, one, many, what) in [
                (
                    delivered.deferred,
                    "delivery was",
                    "deliveries were",
                    "not taken yet; a later run tries again",
                ),
                (
                    delivered.failed,
                    "delivery has",
                    "deliveries have",
                    "failed for good",
                ),
                (
                    delivered.unknown,
                    "delivery is",
                    "deliveries are",
                    "unanswered: the connection or the program ended after the message was sent, so it is not sent again",
                ),
                (
                    delivered.postponed,
                    "delivery",
                    "deliveries",
                    "waited for a domain that is left alone for a while; a later run sends them",
                ),
                (
                    delivered.dead,
                    "address does",
                    "addresses do",
                    "not exist, and will not be mailed again",
                ),
            ] {
                if number > 0 {
                    let _ = writeln!(text, "{} {what}.", count(number, one, many));
                }
            }
            if delivered.sender_fault > 0 {
                let _ = writeln!(
                    text,
                    "{} refused because of the sender. Look at what the servers say, and at `tidings check`; the readers \
                     get their mail when it is mended.",
                    count(delivered.sender_fault, "delivery was", "deliveries were")
                );
            }
            if delivered.doubtful > 0 {
                let _ = writeln!(text, "{}", doubt(delivered.doubtful, &delivered.doubted));
            }
            for why in &delivered.stood_in_for {
                let _ = writeln!(
                    text,
                    "A way out could not be used, and another stood in for it: {why}."
                );
            }
            for (domain, said) in &delivered.resting {
                let _ = writeln!(text, "{domain} is left alone for a while: {said}");
            }
            for (answer, times) in &delivered.answers {
                let _ = writeln!(text, "  {times} × {answer}");
            }
            if let Some(reason) = &delivered.unreachable {
                let _ = writeln!(
                    text,
                    "Not all mail could be handed over: {reason}. The next run goes on."
                );
            }
        }
        for stranded in &self.stranded {
            let _ = writeln!(text, "{}.", sentence_about(stranded));
        }
        if self.stopped {
            text.push_str("Stopped as asked. The next run goes on where this one ended.\n");
        }
        text
    }
}

impl RunReport {
    /// Whether the operator wants to know of it who has asked for reports: something was decided or sent. An edition that
    /// waits for its feeds is worth a report when they begin to fail, not at every run from then on.
    pub(super) fn is_eventful(&self) -> bool {
        let newly_failed = self
            .collect
            .as_ref()
            .is_some_and(|collect| collect.newly_failed > 0);
        let decided = |report: &CadenceReport| match report.decision {
            Decision::NotDue { .. } => false,
            Decision::Postponed { .. } => newly_failed,
            _ => true,
        };
        self.cadences.iter().any(decided)
            || self
                .delivery
                .as_ref()
                .is_some_and(|delivered| delivered.total() > 0 || delivered.unreachable.is_some())
    }

    /// The mail that tells the operator.
    pub(super) fn letter(&self, newsletter: &Newsletter, theme: &Theme) -> anyhow::Result<Letter> {
        let lines = |text: &str| -> Vec<String> { text.lines().map(str::to_owned).collect() };
        let trouble = lines(&self.trouble(newsletter.timezone));
        // What a server answered belongs to the line before.
        let things = trouble.iter().filter(|line| !line.starts_with(' '));
        let heading = match things.count() {
            0 => "All went well".to_owned(),
            some => format!("{} to look at", count(some as u64, "thing", "things")),
        };
        let lists = [
            ("To look at", trouble),
            ("What was done", lines(&self.summary(newsletter.timezone))),
        ];
        let lists = lists
            .into_iter()
            .filter(|(_, facts)| !facts.is_empty())
            .map(|(title, facts)| FactList {
                title: title.to_owned(),
                facts,
            });
        letter::report(newsletter, theme, &heading, lists.collect())
    }
}

impl CollectReport {
    pub(super) fn new(feeds: usize) -> Self {
        Self {
            feeds,
            ..Self::default()
        }
    }

    /// Takes note of how a feed was found at `now`, which was known as `before`.
    pub(super) fn note(
        &mut self,
        feed: &Feed,
        before: Option<&FetchState>,
        visit: &Visit,
        now: DateTime<Utc>,
    ) {
        match &visit.outcome {
            Outcome::Items(items) => {
                self.items_by_feed.insert(feed.key.clone(), items.len());
            }
            Outcome::NotModified => self.not_modified += 1,
            Outcome::Resting => self.resting += 1,
            Outcome::Failed(failure) => {
                self.failures.push(FeedFailure {
                    feed: feed.key.clone(),
                    name: feed.label().to_owned(),
                    failure: failure.clone(),
                });
                let failed_before = before.is_some_and(|before| before.failures > 0);
                self.newly_failed += usize::from(!failed_before);
            }
        }
        let is_ill = match visit.outcome {
            Outcome::Failed(_) => true,
            Outcome::Resting => visit.state.failures > 0,
            Outcome::Items(_) | Outcome::NotModified => false,
        };
        self.heard += usize::from(feed.is_news && !is_ill);
        if let Some(flaw) = &visit.flaw {
            self.flaws.insert(feed.key.clone(), flaw.clone());
        }
        if let Some(to) = &visit.state.moved_to
            && before.and_then(|before| before.moved_to.as_ref()) != Some(to)
        {
            self.moved.push(MovedFeed {
                feed: feed.key.clone(),
                to: to.to_string(),
            });
        }
        let was_quiet =
            before.is_some_and(|before| before.fetched_at.is_some_and(|at| before.is_quiet(at)));
        if visit.state.is_quiet(now) && !was_quiet {
            self.quiet.push(feed.key.clone());
        }
    }

    /// Brings the failures into the order of the configuration.
    pub(super) fn in_order(&mut self, feeds: &[Feed]) {
        let places: HashMap<&FeedKey, usize> = feeds
            .iter()
            .enumerate()
            .map(|(place, feed)| (&feed.key, place))
            .collect();
        self.failures
            .sort_by_key(|failure| places.get(&failure.feed).copied());
        self.moved
            .sort_by_key(|moved| places.get(&moved.feed).copied());
        self.quiet.sort_by_key(|key| places.get(key).copied());
    }

    /// Whether no feed with news said anything: then a quiet day is no news.
    pub(super) fn is_blind(&self) -> bool {
        self.heard == 0
    }

    /// All of it in one line, for a log.
    pub(super) fn line(&self) -> String {
        format!(
            "{} read ({} failed), {}",
            count(self.feeds as u64, "feed", "feeds"),
            self.failures.len(),
            count(self.new_items as u64, "new item", "new items")
        )
    }

    pub(super) fn summary(&self) -> String {
        let mut asides = String::new();
        for (number, what) in [
            (self.not_modified, "unchanged"),
            (self.resting, "not asked yet"),
        ] {
            if number > 0 {
                let _ = write!(asides, ", {number} {what}");
            }
        }
        format!(
            "Read {} of {}{asides}: {}, {} known.",
            self.feeds - self.failures.len() - self.resting,
            count(self.feeds as u64, "feed", "feeds"),
            count(self.new_items as u64, "new item", "new items"),
            self.known_items
        )
    }

    /// What somebody must know who does not watch, a line for each feed; empty when all is well.
    pub(super) fn trouble(&self) -> String {
        let mut text = String::new();
        for failure in &self.failures {
            let address = if failure.name == failure.feed.as_str() {
                String::new()
            } else {
                format!(" ({})", failure.feed)
            };
            let _ = writeln!(
                text,
                "The feed {}{address} {}.",
                failure.name, failure.failure
            );
        }
        for moved in &self.moved {
            let _ = writeln!(
                text,
                "The feed {} is now at {}, and is read there; put that into the configuration.",
                moved.feed, moved.to
            );
        }
        for feed in &self.quiet {
            let _ = writeln!(text, "The feed {feed} has had nothing new for a month.");
        }
        text
    }
}

impl CadenceReport {
    /// Whether somebody who does not watch must know.
    fn is_trouble(&self) -> bool {
        matches!(
            self.decision,
            Decision::Postponed { .. } | Decision::Skipped { .. }
        )
    }

    fn sentence(&self, timezone: Tz) -> String {
        let name = &self.cadence;
        match &self.decision {
            Decision::Published {
                stories,
                deliveries,
                ..
            } => format!(
                "The {name} edition has {} and goes to {}.",
                count(*stories as u64, "story", "stories"),
                count(*deliveries, "subscriber", "subscribers")
            ),
            Decision::Quiet { slot } => {
                format!(
                    "The {name} edition of {} has no story, so no mail goes out.",
                    moment(*slot, timezone)
                )
            }
            Decision::Postponed { slot } => format!(
                "The {name} edition of {} waits: no feed could be read. The next run tries again.",
                moment(*slot, timezone)
            ),
            Decision::Skipped { slot } => format!(
                "The {name} edition of {} was skipped: it is later than its max_lateness. Its news go into the next one.",
                moment(*slot, timezone)
            ),
            Decision::NotDue { next: Some(next) } => {
                format!(
                    "No {name} edition is due; the next one goes out on {}.",
                    moment(*next, timezone)
                )
            }
            Decision::NotDue { next: None } => format!("No {name} edition is due."),
        }
    }
}

/// A moment as the newsletter's readers would say it.
pub(super) fn moment(at: DateTime<Utc>, timezone: Tz) -> String {
    at.with_timezone(&timezone)
        .format("%A, %-d %B %Y at %H:%M")
        .to_string()
}

/// That hard bounces are not believed, and how the deliveries of these editions go on.
pub(super) fn doubt(addresses: u64, editions: &[EditionId]) -> String {
    let command = |edition| format!("tidings editions resume {edition}");
    let commands: Vec<String> = editions.iter().map(command).collect();
    format!(
        "{} refused as if they did not exist, too many to be believed: nobody is suppressed, and their deliveries wait. \
         Look at what the servers say, and at `tidings check`. Once this is fixed: {}",
        count(addresses, "address was", "addresses were"),
        commands.join(" && ")
    )
}

/// That subscribers have chosen what there is not.
pub(super) fn sentence_about(stranded: &Stranded) -> String {
    let what = match (&stranded.cadence, &stranded.topic) {
        (Some(cadence), _) => format!("the cadence “{cadence}”"),
        (None, Some(topic)) => format!("the topic “{topic}”"),
        (None, None) => String::new(),
    };
    format!(
        "{} chosen {what}, which the configuration does not have, and get nothing of it",
        count(stranded.subscribers, "subscriber has", "subscribers have")
    )
}

/// “1 feed”, “2 feeds”.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
