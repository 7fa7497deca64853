//! `tidings preview`: what would go out now, as files or on a page; nothing changes.

mod follow;
mod format;
mod held;
mod letters;
mod published;
mod serve;
mod watch;
mod web;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::rehearsal::{Rehearsal, Which};
use super::report::{count, moment};
use super::terminal;
use crate::config::Config;
use crate::model::{Audience, Edition, Language, Picture};
use crate::render::Images;
use crate::render::lint::{Check, Weight};
use format::{Format, Forms};
use letters::LetterKind;
use published::Wanted;

/// Arguments of `tidings preview`.
#[derive(Debug, Args)]
#[command(after_help = "\
For each cadence it writes NAME.html, NAME.txt and NAME.eml (the mail itself), and report.html, which says
why each story is in and why each other item is not.

  tidings preview --open
  tidings preview --serve --open                                  beside your editor
  tidings preview --at \"2026-11-20 07:00\" --language en
  tidings preview --edition last --format page,atom --out public  what went out last, for the web
  tidings preview --letter welcome                                a mail that is no digest")]
pub(super) struct Preview {
    #[command(flatten)]
    which: Which,

    /// Show it in the web browser
    #[arg(long)]
    open: bool,

    /// Show it on a page of this machine that follows what you change: phone, desktop, dark, plain text, checks
    #[arg(long, conflicts_with_all = ["json", "letter", "format", "language", "out"])]
    serve: bool,

    /// With --serve: the port; without it, any that is free
    #[arg(long, value_name = "PORT", requires = "serve")]
    port: Option<u16>,

    /// Write it in this language instead of the newsletter's (de, en, fr, es, it, nl)
    #[arg(long, value_name = "TAG", value_parser = language)]
    language: Option<Language>,

    /// What to write for each edition, separated by commas
    #[arg(long, value_name = "FORMAT", value_enum, value_delimiter = ',',
          default_values_t = [Format::Html, Format::Text, Format::Eml])]
    format: Vec<Format>,

    /// Write this mail to one person instead of the editions
    #[arg(long, value_name = "LETTER", value_enum,
          conflicts_with_all = ["json", "format", "cadence", "at"])]
    letter: Option<LetterKind>,

    /// Write what was published instead: an edition by its identity, or `last`, the latest of each cadence
    #[arg(long, value_name = "EDITION", value_parser = Wanted::parse, conflicts_with_all = ["serve", "letter", "at"])]
    edition: Option<Wanted>,

    /// The folder to write to
    #[arg(long, value_name = "FOLDER", default_value = "out")]
    out: PathBuf,

    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

fn language(text: &str) -> Result<Language, String> {
    Language::from_tag(text).ok_or_else(|| format!("digests are written in: {}", Language::known()))
}

impl Preview {
    pub(super) async fn run(self, config: Config, path: &Path) -> anyhow::Result<u8> {
        if self.serve {
            return serve::serve(path, config, self.which, self.port, self.open).await;
        }
        let config = &config;
        let language = self.language.unwrap_or(config.newsletter.language);
        if let Some(letter) = self.letter {
            return self.write_letter(config, letter, language);
        }
        if let Some(wanted) = &self.edition {
            return self.write_published(config, wanted, language).await;
        }
        let mut rehearsal = match self.which.rehearse(config).await? {
            Ok(rehearsal) => rehearsal,
            Err(code) => return Ok(code),
        };
        create(&self.out)?;
        let audience = Audience::everything(language);
        for one in &mut rehearsal.editions {
            (one.files, one.flaws) = self.write(config, &one.edition, &audience)?;
        }
        let why = self.out.join("report.html");
        write(&why, rehearsal.page(config)?.as_bytes())?;

        if self.json {
            super::print_json(&rehearsal)?;
        } else {
            self.tell(config, &rehearsal, &why)?;
        }
        for one in &rehearsal.editions {
            tell_flaws(one.edition.cadence.as_str(), &one.flaws);
        }
        tell_part!("{}", rehearsal.collect.trouble());
        if self.open {
            let mut files = rehearsal.editions.iter().flat_map(|one| &one.files);
            let shown = files.next().unwrap_or(&why);
            terminal::open(shown)?;
        }
        Ok(rehearsal.exit_code())
    }

    /// Writes an edition in all formats that are wanted; nothing where there is no story. Returns the files, and the rules
    /// that its mail breaks.
    fn write(
        &self,
        config: &Config,
        edition: &Edition,
        audience: &Audience,
    ) -> anyhow::Result<(Vec<PathBuf>, Vec<Check>)> {
        let file = |format: Format| {
            self.out
                .join(format!("{}.{}", edition.cadence, format.extension()))
        };
        if edition.sections.is_empty() {
            for &format in &self.format {
                // What lies there is of another day, and would be taken for today's.
                remove(&file(format))?;
            }
            return Ok((Vec::new(), Vec::new()));
        }
        let forms = Forms::new(config, edition, &[], audience)?;
        let mut files = Vec::new();
        for &format in &self.format {
            let file = file(format);
            write(&file, &forms.write(format)?)?;
            files.push(file);
        }
        let mut flaws = forms.checks();
        flaws.retain(|check| !check.problems.is_empty());
        Ok((files, flaws))
    }

    fn write_letter(
        &self,
        config: &Config,
        kind: LetterKind,
        language: Language,
    ) -> anyhow::Result<u8> {
        create(&self.out)?;
        let letter = kind.example(config, language)?;
        say!("{}", letter.subject);
        let mail = letters::mail(config, kind, &letter, language)?;
        let bodies = [letter.html.as_bytes(), letter.text.as_bytes(), &mail.bytes];
        for (extension, bytes) in ["html", "txt", "eml"].iter().zip(bodies) {
            let file = self.out.join(format!("letter-{}.{extension}", kind.name()));
            write(&file, bytes)?;
            say!("  {}", file.display());
        }
        tell_flaws(kind.name(), &letters::checks(config, kind, &letter)?);
        if self.open {
            terminal::open(&self.out.join(format!("letter-{}.html", kind.name())))?;
        }
        Ok(super::DONE)
    }

    fn tell(&self, config: &Config, rehearsal: &Rehearsal, why: &Path) -> std::io::Result<()> {
        say!("{}", rehearsal.collect.summary());
        for one in &rehearsal.editions {
            let name = &one.edition.cadence;
            let since = moment(one.edition.window.since, config.newsletter.timezone);
            if one.edition.sections.is_empty() {
                say!(
                    "{name}: no story since {since}, so nothing would go out. What went out last: --edition last."
                );
                continue;
            }
            let stories = count(one.edition.story_count() as u64, "story", "stories");
            say!("{name}: {stories} since {since}:");
            for file in &one.files {
                say!("  {}", file.display());
            }
            let (shown, lost) = pictures(config, &one.edition);
            if lost > 0 {
                say!(
                    "  {lost} of {} left out: not to be had, not by https, too small or large, or taller than wide (-v says why).",
                    count(shown + lost, "picture is", "pictures are")
                );
            }
        }
        say!("Why each item is in or out: {}", why.display());
        Ok(())
    }
}

/// How many of the pictures that feeds give are shown, and how many are not.
fn pictures(config: &Config, edition: &Edition) -> (u64, u64) {
    if config.theme.images == Images::None {
        return (0, 0);
    }
    let firsts = edition
        .sections
        .iter()
        .filter_map(|section| section.stories.first());
    let given = firsts.filter(|story| story.lead.image.is_some());
    let is_shown = |picture: &Picture| {
        config.theme.images != Images::Linked || picture.url.starts_with("https://")
    };
    let (shown, lost): (Vec<_>, Vec<_>) =
        given.partition(|story| story.picture.as_ref().is_some_and(is_shown));
    (shown.len() as u64, lost.len() as u64)
}

/// Says what mail programs or readers would hold against the mail `name`.
fn tell_flaws(name: &str, checks: &[Check]) {
    for flaw in checks.iter().filter(|flaw| flaw.weight > Weight::Untidy) {
        let Some((first, rest)) = flaw.problems.split_first() else {
            continue;
        };
        let more = if rest.is_empty() {
            String::new()
        } else {
            format!(", and {} more", rest.len())
        };
        tell!("{name}: “{}” does not hold: {first}{more}.", flaw.rule);
    }
}

fn create(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("creating the folder {}", folder.display()))
}

fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(file, bytes).with_context(|| format!("writing {}", file.display()))
}

fn remove(file: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", file.display()))
        }
        _ => Ok(()),
    }
}
