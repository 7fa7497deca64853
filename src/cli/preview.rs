//! `tidings preview`: what would go out now, as files; nothing changes.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use askama::Template;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use clap::Args;
use serde::Serialize;

use super::report::{CollectReport, count, moment};
use super::{line, terminal};
use crate::config::Config;
use crate::deliver::{Recipient, message};
use crate::model::{Address, Audience, Edition, Language, LeftOut};
use crate::render;
use crate::store::Store;

/// Arguments of `tidings preview`.
#[derive(Debug, Args)]
#[command(after_help = "\
For each cadence it writes NAME.html, NAME.txt and NAME.eml (the mail itself), and report.html, which says
why each story is in and why each other item is not.

  tidings preview --open
  tidings preview --at \"2026-11-20 07:00\" --language en")]
pub(super) struct Preview {
    /// Pretend that it is this time; without an offset, in the newsletter's time zone
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    at: Option<Moment>,

    /// Show it in the web browser
    #[arg(long)]
    open: bool,

    /// Only this cadence
    #[arg(long, value_name = "NAME")]
    cadence: Option<String>,

    /// Write it in this language instead of the newsletter's (de, en)
    #[arg(long, value_name = "TAG", value_parser = language)]
    language: Option<Language>,

    /// The folder to write to
    #[arg(long, value_name = "FOLDER", default_value = "out")]
    out: PathBuf,

    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
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

fn language(text: &str) -> Result<Language, String> {
    Language::from_tag(text).ok_or_else(|| {
        format!(
            "digests are written in: {}",
            Language::ALL.map(Language::tag).join(", ")
        )
    })
}

impl Preview {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<u8> {
        let at = self.at.map(|at| at.in_zone(config.newsletter.timezone));
        let now = super::now(config, at);
        let cadences = match config.cadences_named(self.cadence.as_deref()) {
            Ok(cadences) => cadences,
            Err(what) => {
                eprintln!("{what}");
                return Ok(super::USAGE);
            }
        };
        let store = Store::open_for_rehearsal(&config.store, &config.newsletter.id).await?;
        let Some(collected) = line::collect_into(
            config,
            &store,
            &config.collect,
            now,
            terminal::stop_signal(),
        )
        .await?
        else {
            return Ok(super::INTERRUPTED);
        };
        std::fs::create_dir_all(&self.out)
            .with_context(|| format!("creating the folder {}", self.out.display()))?;
        let audience = Audience::everything(self.language.unwrap_or(config.newsletter.language));
        let mut report = Report {
            now,
            collect: collected,
            editions: Vec::new(),
        };
        for cadence in cadences {
            let (edition, left_out) = line::upcoming(config, &store, cadence, now).await?;
            let files = self.write(config, &edition, &audience)?;
            report.editions.push(EditionReport {
                edition,
                left_out,
                files,
            });
        }
        drop(store);
        let why = self.out.join("report.html");
        std::fs::write(
            &why,
            ReportPage {
                report: &report,
                config,
            }
            .render()?,
        )
        .with_context(|| format!("writing {}", why.display()))?;

        if self.json {
            super::print_json(&report)?;
        } else {
            self.tell(config, &report, &why);
        }
        eprint!("{}", report.collect.trouble());
        if self.open {
            let shown = report
                .editions
                .iter()
                .find_map(|edition| edition.files.first())
                .unwrap_or(&why);
            let absolute = std::path::absolute(shown)?;
            open::that(&absolute).with_context(|| format!("opening {}", absolute.display()))?;
        }
        Ok(if report.collect.failures.is_empty() {
            super::DONE
        } else {
            super::PARTLY
        })
    }

    /// Writes the digest and the mail; nothing where there is no story. Returns the files.
    fn write(
        &self,
        config: &Config,
        edition: &Edition,
        audience: &Audience,
    ) -> anyhow::Result<Vec<PathBuf>> {
        let path = |extension: &str| self.out.join(format!("{}.{extension}", edition.cadence));
        let files: Vec<PathBuf> = ["html", "txt", "eml"].into_iter().map(path).collect();
        if edition.sections.is_empty() {
            // What lies there is of another day, and would be taken for today's.
            for file in &files {
                remove(file)?;
            }
            return Ok(Vec::new());
        }
        let digest = render::digest(&config.newsletter, edition, audience)?;
        let reader = Address::parse("reader@example.org")?;
        let recipient = Recipient {
            address: &reader,
            name: "",
            token: "preview",
            language: audience.language,
        };
        let mail = message(&config.newsletter, edition, &digest, &recipient)?;
        let unsubscribe =
            crate::model::unsubscribe_by_mail(&config.newsletter.unsubscribe, &reader);
        let (html, text) = digest.personal(&unsubscribe);
        for (file, bytes) in files
            .iter()
            .zip([html.as_bytes(), text.as_bytes(), &mail.bytes])
        {
            std::fs::write(file, bytes).with_context(|| format!("writing {}", file.display()))?;
        }
        Ok(files)
    }

    fn tell(&self, config: &Config, report: &Report, why: &Path) {
        println!("{}", report.collect.summary());
        for one in &report.editions {
            let name = &one.edition.cadence;
            let since = moment(one.edition.window.since, config.newsletter.timezone);
            if one.edition.sections.is_empty() {
                println!("{name}: no story since {since}, so nothing would go out.");
                continue;
            }
            let stories = count(one.edition.story_count() as u64, "story", "stories");
            println!("{name}: {stories} since {since}:");
            for file in &one.files {
                println!("  {}", file.display());
            }
        }
        println!("Why each item is in or out: {}", why.display());
    }
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// What a preview found. `Serialize` is the form of `--json`.
#[derive(Debug, Serialize)]
struct Report {
    now: DateTime<Utc>,
    collect: CollectReport,
    editions: Vec<EditionReport>,
}

#[derive(Debug, Serialize)]
struct EditionReport {
    edition: Edition,
    left_out: Vec<LeftOut>,
    files: Vec<PathBuf>,
}

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage<'a> {
    report: &'a Report,
    config: &'a Config,
}

impl ReportPage<'_> {
    fn moment(&self, at: &DateTime<Utc>) -> String {
        at.with_timezone(&self.config.newsletter.timezone)
            .format("%a %-d %b, %H:%M")
            .to_string()
    }

    fn percent(value: &f64) -> String {
        format!("{:.0}", value * 100.0)
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
