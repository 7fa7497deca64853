//! `tidings explain`: why each story would be in the digest, and why each other item would not.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use chrono_tz::Tz;
use clap::Args;

use super::rehearsal::{Rehearsal, Rehearsed, Which, groups, parts, percent, reason, role};
use super::report::{count, moment};
use super::terminal;
use crate::config::Config;
use crate::model::{Item, LeftOut, Reason, Story};

/// Arguments of `tidings explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
It reads the feeds and ranks what they have, as a preview does, and changes nothing.

  tidings explain                    the stories with their scores, and what nearly was one
  tidings explain Polaris Nordlicht  only items with these words in their headline or outlet
  tidings explain --html why.html    the same as a page, with all items")]
pub(super) struct Explain {
    /// Only items that have all these words in their headline or outlet
    #[arg(value_name = "WORD", conflicts_with_all = ["json", "html"])]
    words: Vec<String>,

    #[command(flatten)]
    which: Which,

    /// List the items that match no topic as well; the page and JSON always have them
    #[arg(long, conflicts_with_all = ["json", "html"])]
    all: bool,

    /// Write a page to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Show the page in the web browser
    #[arg(long, requires = "html")]
    open: bool,

    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<u8> {
        let rehearsal = match self.which.rehearse(config).await? {
            Ok(rehearsal) => rehearsal,
            Err(code) => return Ok(code),
        };
        if let Some(file) = &self.html {
            std::fs::write(file, rehearsal.page(config)?)
                .with_context(|| format!("writing {}", file.display()))?;
        }
        if self.json {
            super::print_json(&rehearsal)?;
        } else if let Some(file) = &self.html {
            say!("Why each item is in or out: {}", file.display());
        } else {
            say_part!("{}", self.text(config, &rehearsal));
        }
        tell_part!("{}", rehearsal.collect.trouble());
        if let Some(file) = self.html.as_deref().filter(|_| self.open) {
            terminal::open(file)?;
        }
        Ok(rehearsal.exit_code())
    }

    fn text(&self, config: &Config, rehearsal: &Rehearsal) -> String {
        let timezone = config.newsletter.timezone;
        let mut text = format!("{}\n", rehearsal.collect.summary());
        for one in &rehearsal.editions {
            let edition = &one.edition;
            let stories = count(edition.story_count() as u64, "story", "stories");
            let since = moment(edition.window.since, timezone);
            let _ = writeln!(text, "\n{}: {stories} since {since}", edition.cadence);
            self.shown(&mut text, one, timezone);
            self.left_out(&mut text, &one.left_out, timezone);
            let told = one
                .edition
                .sections
                .iter()
                .flat_map(|section| &section.stories);
            let mut items = told
                .flat_map(Story::items)
                .chain(one.left_out.iter().map(|left| &left.item));
            if !self.words.is_empty() && !items.any(|item| self.wants(item)) {
                let _ = writeln!(text, "  No item has “{}”.", self.words.join(" "));
            }
        }
        text
    }

    fn wants(&self, item: &Item) -> bool {
        let place = format!("{} {}", item.title, item.source).to_lowercase();
        self.words
            .iter()
            .all(|word| place.contains(&word.to_lowercase()))
    }

    fn shown(&self, text: &mut String, one: &Rehearsed, timezone: Tz) {
        for section in &one.edition.sections {
            let wanted = |story: &&Story| story.items().any(|item| self.wants(item));
            let stories: Vec<&Story> = section.stories.iter().filter(wanted).collect();
            if !stories.is_empty() {
                let _ = writeln!(text, "\n  {}", section.title);
            }
            for story in stories {
                let update = if story.update.is_some() {
                    "Update: "
                } else {
                    ""
                };
                let total = percent(story.score.total);
                let _ = writeln!(text, "  {total:>3}  {update}{}", story.lead.title);
                let parts =
                    parts(&story.score).map(|(name, value)| format!("{name} {}", percent(value)));
                let _ = writeln!(text, "       {}", parts.join(" · "));
                let outlets = story.sources();
                if outlets > 1 {
                    let first = &story.earliest().source;
                    let _ = writeln!(text, "       {outlets} outlets report it, {first} first");
                }
                for item in story.items() {
                    let role = role(story, item)
                        .map(|role| format!(" ({role})"))
                        .unwrap_or_default();
                    let _ = writeln!(
                        text,
                        "       {} {}{role}",
                        clock(item, timezone),
                        item.source
                    );
                }
            }
        }
    }

    fn left_out(&self, text: &mut String, left_out: &[LeftOut], timezone: Tz) {
        let brief = !self.all && self.words.is_empty();
        for (kind, items) in groups(left_out) {
            let items: Vec<&LeftOut> = items
                .into_iter()
                .filter(|left| self.wants(&left.item))
                .collect();
            if items.is_empty() {
                continue;
            }
            let _ = writeln!(text, "\n  {kind}");
            if brief && items.iter().all(|left| left.reason == Reason::NoTopic) {
                let items = count(items.len() as u64, "item matches", "items match");
                let _ = writeln!(text, "       {items} no topic; --all lists them.");
                continue;
            }
            for left in items {
                let clock = clock(&left.item, timezone);
                let _ = writeln!(
                    text,
                    "       {clock} {}: {}",
                    left.item.source, left.item.title
                );
                let _ = writeln!(text, "                 {}", reason(left, timezone));
            }
        }
    }
}

fn clock(item: &Item, timezone: Tz) -> String {
    item.published
        .with_timezone(&timezone)
        .format("%a %H:%M")
        .to_string()
}
