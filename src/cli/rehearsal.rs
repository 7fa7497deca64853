//! What would go out, and why: the line without its last steps, for `preview` and `explain`.

use std::path::PathBuf;

use askama::Template;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use clap::Args;
use serde::Serialize;

use super::line::{self, Extras};
use super::report::CollectReport;
use super::terminal;
use crate::config::Config;
use crate::model::{Edition, Item, LeftOut, Reason, Score, Story};
use crate::render::lint::Check;
use crate::store::Store;

/// Which editions to look at.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Pretend that it is this time; without an offset, in the newsletter's time zone
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    at: Option<Moment>,

    /// Only this cadence
    #[arg(long, value_name = "NAME")]
    cadence: Option<String>,
}

/// What would go out. `Serialize` is the form of `--json`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Rehearsal {
    pub(super) now: DateTime<Utc>,
    pub(super) collect: CollectReport,
    pub(super) editions: Vec<Rehearsed>,
}

/// An edition that would go out.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Rehearsed {
    pub(super) edition: Edition,
    pub(super) left_out: Vec<LeftOut>,
    /// What was written for it.
    pub(super) files: Vec<PathBuf>,
    /// What mail programs or readers would hold against its mail.
    pub(super) flaws: Vec<Check>,
}

impl Which {
    /// The cadence that was named.
    pub(super) fn cadence(&self) -> Option<&str> {
        self.cadence.as_deref()
    }

    /// The time that it goes by.
    pub(super) fn now(&self, config: &Config) -> DateTime<Utc> {
        let at = self.at.map(|at| at.in_zone(config.newsletter.timezone));
        super::now(config, at)
    }

    /// Composes the editions on a snapshot of the store. The exit code when there is nothing to be seen.
    pub(super) async fn rehearse(&self, config: &Config) -> anyhow::Result<Result<Rehearsal, u8>> {
        let now = self.now(config);
        if let Err(what) = config.cadences_named(self.cadence.as_deref()) {
            tell!("{what}");
            return Ok(Err(super::USAGE));
        }
        let store = Store::snapshot(&config.store, &config.newsletter.id).await?;
        let stop = terminal::stop_signal();
        let collecting =
            line::collect_into(config, &store, &config.collect, now, stop, line::UNWATCHED);
        let Some(collect) = collecting.await? else {
            return Ok(Err(super::INTERRUPTED));
        };
        self.compose(config, &store, now, collect, &mut Extras::default())
            .await
    }

    /// Composes the editions of what is in `store`, which `collect` tells of.
    pub(super) async fn compose(
        &self,
        config: &Config,
        store: &Store,
        now: DateTime<Utc>,
        collect: CollectReport,
        extras: &mut Extras,
    ) -> anyhow::Result<Result<Rehearsal, u8>> {
        let cadences = match config.cadences_named(self.cadence.as_deref()) {
            Ok(cadences) => cadences,
            Err(what) => {
                tell!("{what}");
                return Ok(Err(super::USAGE));
            }
        };
        let mut editions = Vec::new();
        for cadence in cadences {
            let (edition, left_out) = line::upcoming(config, store, cadence, now, extras).await?;
            editions.push(Rehearsed {
                edition,
                left_out,
                files: Vec::new(),
                flaws: Vec::new(),
            });
        }
        Ok(Ok(Rehearsal {
            now,
            collect,
            editions,
        }))
    }
}

impl Rehearsal {
    /// The exit code that it deserves.
    pub(super) fn exit_code(&self) -> u8 {
        if self.collect.failures.is_empty() {
            super::DONE
        } else {
            super::PARTLY
        }
    }

    /// The page that says why each story is in, and why each other item is not.
    pub(super) fn page(&self, config: &Config) -> anyhow::Result<String> {
        let page = Page {
            rehearsal: self,
            config,
        };
        Ok(page.render()?)
    }
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    rehearsal: &'a Rehearsal,
    config: &'a Config,
}

/// A part of a score on the page.
struct Part {
    name: &'static str,
    /// Of 100.
    value: u32,
    /// What it adds to the score, of 100.
    share: String,
}

impl Page<'_> {
    fn moment(&self, at: &DateTime<Utc>) -> String {
        at.with_timezone(&self.config.newsletter.timezone)
            .format("%a %-d %b, %H:%M")
            .to_string()
    }

    fn percent(value: &f64) -> u32 {
        percent(*value)
    }

    fn reason(&self, left: &LeftOut) -> String {
        reason(left, self.config.newsletter.timezone)
    }

    fn role(story: &Story, item: &Item) -> Option<String> {
        role(story, item)
    }

    fn parts(&self, score: &Score) -> Vec<Part> {
        let weights = self.config.rank.weights.list();
        let all: f64 = weights.iter().sum();
        let parts = parts(score).into_iter().zip(weights);
        parts
            .map(|((name, value), weight)| Part {
                name,
                value: percent(value),
                share: format!("{:.1}", 100.0 * value * weight / all.max(f64::EPSILON)),
            })
            .collect()
    }

    /// What is left out for each kind of reason, the most telling kinds first.
    fn groups<'l>(&self, left_out: &'l [LeftOut]) -> Vec<(&'static str, Vec<&'l LeftOut>)> {
        groups(left_out)
    }
}

/// The parts of a score with their names, in the order of the configuration.
pub(super) fn parts(score: &Score) -> [(&'static str, f64); 6] {
    [
        ("relevance", score.relevance),
        ("coverage", score.coverage),
        ("recency", score.recency),
        ("source", score.source),
        ("discussion", score.discussion),
        ("novelty", score.novelty),
    ]
}

/// A number from 0 to 1 for people.
pub(super) fn percent(value: f64) -> u32 {
    (value * 100.0).round() as u32
}

/// The part that a report has in its story, where it is not just one more.
pub(super) fn role(story: &Story, item: &Item) -> Option<String> {
    if item.key == story.lead.key {
        return Some("shown".to_owned());
    }
    let original = story.copies.get(&item.key)?;
    let original = story.items().find(|item| item.key == *original);
    Some(original.map_or_else(
        || "copy of what was shown before".to_owned(),
        |original| format!("copy of {}", original.source),
    ))
}

/// Why an item is left out, with dates as the newsletter's readers count them.
pub(super) fn reason(left: &LeftOut, timezone: Tz) -> String {
    match &left.reason {
        Reason::Shown { at, .. } => {
            let day = at.with_timezone(&timezone).format("%-d %B");
            format!("{}, in the edition of {day}", left.reason)
        }
        reason => reason.to_string(),
    }
}

/// The kinds of reasons, the most telling first.
const KINDS: [&str; 6] = [
    "Nearly in",
    "Known to the readers",
    "Told by another item",
    "Kept out by the configuration",
    "Below the floor",
    "On no topic",
];

/// What is left out for each kind of reason; kinds without an item are absent.
pub(super) fn groups(left_out: &[LeftOut]) -> Vec<(&'static str, Vec<&LeftOut>)> {
    let kind = |left: &LeftOut| match left.reason {
        Reason::OverQuota { .. } => 0,
        Reason::Shown { .. } => 1,
        Reason::Copy { .. } | Reason::SameStory { .. } => 2,
        Reason::Excluded { .. } | Reason::Lacks { .. } | Reason::Marked { .. } => 3,
        Reason::BelowFloor { .. } => 4,
        Reason::NoTopic => 5,
    };
    let of_kind = |wanted| {
        left_out
            .iter()
            .filter(|left| kind(left) == wanted)
            .collect()
    };
    let groups = KINDS
        .into_iter()
        .enumerate()
        .map(|(place, name)| (name, of_kind(place)));
    groups
        .filter(|(_, items): &(_, Vec<_>)| !items.is_empty())
        .collect()
}

/// A time as somebody types it.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// With its offset from UTC.
    Exact(DateTime<Utc>),
    /// As a clock on the wall shows it.
    Local(NaiveDateTime),
}

impl Moment {
    fn parse(text: &str) -> Result<Self, String> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::Exact(time.to_utc()));
        }
        ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
            .map(Self::Local)
            .ok_or_else(|| {
                "write it as in \"2026-11-20 07:00\" or 2026-11-20T07:00:00+01:00".to_owned()
            })
    }

    /// The moment itself. A time that the clocks skip is moved out of the gap; one that they show twice is
    /// the first of the two.
    fn in_zone(self, timezone: Tz) -> DateTime<Utc> {
        match self {
            Self::Exact(time) => time,
            Self::Local(local) => {
                let after_gap = || (local + TimeDelta::hours(1)).and_local_timezone(timezone);
                let found = local.and_local_timezone(timezone).earliest();
                found
                    .or_else(|| after_gap().earliest())
                    .map_or_else(|| local.and_utc(), |time| time.to_utc())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_taken_as_people_write_it() {
        let berlin = |text: &str| {
            let moment =
                Moment::parse(text).map(|moment| moment.in_zone(chrono_tz::Europe::Berlin));
            moment.map(|moment| moment.to_rfc3339())
        };
        assert_eq!(
            berlin("2026-11-20 07:00").unwrap(),
            "2026-11-20T06:00:00+00:00"
        );
        assert_eq!(
            berlin("2026-11-20T07:00:00+02:00").unwrap(),
            "2026-11-20T05:00:00+00:00"
        );
        assert_eq!(
            berlin("2027-03-28 02:30").unwrap(),
            "2027-03-28T01:30:00+00:00",
            "in the gap"
        );
        assert_eq!(
            berlin("2026-10-25 02:30").unwrap(),
            "2026-10-25T00:30:00+00:00",
            "the first of two"
        );
        assert!(berlin("tomorrow").is_err());
    }
}
