//! `tidings preview`: what would go out now, as files; nothing changes.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::rehearsal::{Rehearsal, Which};
use super::report::{count, moment};
use super::terminal;
use crate::config::Config;
use crate::deliver::{Recipient, message};
use crate::model::{Address, Audience, Edition, Language, PersonalLinks, unsubscribe_by_mail};
use crate::render;

/// Arguments of `tidings preview`.
#[derive(Debug, Args)]
#[command(after_help = "\
For each cadence it writes NAME.html, NAME.txt and NAME.eml (the mail itself), and report.html, which says
why each story is in and why each other item is not.

  tidings preview --open
  tidings preview --at \"2026-11-20 07:00\" --language en")]
pub(super) struct Preview {
    #[command(flatten)]
    which: Which,

    /// Show it in the web browser
    #[arg(long)]
    open: bool,

    /// Write it in this language instead of the newsletter's (de, en, fr, es, it, nl)
    #[arg(long, value_name = "TAG", value_parser = language)]
    language: Option<Language>,

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
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<u8> {
        let mut rehearsal = match self.which.rehearse(config).await? {
            Ok(rehearsal) => rehearsal,
            Err(code) => return Ok(code),
        };
        std::fs::create_dir_all(&self.out)
            .with_context(|| format!("creating the folder {}", self.out.display()))?;
        let audience = Audience::everything(self.language.unwrap_or(config.newsletter.language));
        for one in &mut rehearsal.editions {
            one.files = self.write(config, &one.edition, &audience)?;
        }
        let why = self.out.join("report.html");
        std::fs::write(&why, rehearsal.page(config)?)
            .with_context(|| format!("writing {}", why.display()))?;

        if self.json {
            super::print_json(&rehearsal)?;
        } else {
            self.tell(config, &rehearsal, &why);
        }
        eprint!("{}", rehearsal.collect.trouble());
        if self.open {
            let mut files = rehearsal.editions.iter().flat_map(|one| &one.files);
            let shown = files.next().unwrap_or(&why);
            terminal::open(shown)?;
        }
        Ok(rehearsal.exit_code())
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
        let digest = render::digest(&config.newsletter, &config.theme, edition, audience)?;
        let reader = Address::parse("reader@example.org")?;
        let recipient = Recipient {
            address: &reader,
            name: "",
            token: "preview",
            language: audience.language,
        };
        let mail = message(&config.newsletter, edition, &digest, &recipient)?;
        let links = PersonalLinks {
            unsubscribe: unsubscribe_by_mail(&config.newsletter.unsubscribe, &reader),
        };
        let (html, text) = (digest.html.fill(&links), digest.text.fill(&links));
        for (file, bytes) in files
            .iter()
            .zip([html.as_bytes(), text.as_bytes(), &mail.bytes])
        {
            std::fs::write(file, bytes).with_context(|| format!("writing {}", file.display()))?;
        }
        Ok(files)
    }

    fn tell(&self, config: &Config, rehearsal: &Rehearsal, why: &Path) {
        println!("{}", rehearsal.collect.summary());
        for one in &rehearsal.editions {
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
