//! What went out, written once more: for the archive on the web, and as feeds.

use std::path::PathBuf;

use super::format::{Format, Forms};
use super::{Preview, create, write};
use crate::config::Config;
use crate::model::{Audience, Cadence, Edition, EditionId, Language};
use crate::store::Store;

/// How many editions a feed goes back: who asks it once a week misses nothing.
const FEED_EDITIONS: u32 = 10;

/// Which edition is meant.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    /// The latest of each cadence.
    Last,
    /// That one.
    One(EditionId),
}

impl Wanted {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "last" => Ok(Self::Last),
            // As it goes into the names of files.
            id if !id.is_empty()
                && id
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.') =>
            {
                Ok(Self::One(EditionId(id.to_owned())))
            }
            _ => {
                Err("the identity of an edition, as in the name of its page, or `last`".to_owned())
            }
        }
    }
}

impl Preview {
    /// Writes published editions in all formats that are wanted.
    pub(super) async fn write_published(
        &self,
        config: &Config,
        wanted: &Wanted,
        language: Language,
    ) -> anyhow::Result<u8> {
        let cadences = match config.cadences_named(self.which.cadence()) {
            Ok(cadences) => cadences,
            Err(what) => {
                tell!("{what}");
                return Ok(super::super::USAGE);
            }
        };
        let store = Store::open_to_read(&config.store, &config.newsletter.id).await?;
        create(&self.out)?;
        let audience = Audience::everything(language);
        let mut files = Vec::new();
        for cadence in cadences {
            let editions = published(config, &store, cadence, wanted).await?;
            if let [edition, earlier @ ..] = &editions[..] {
                let forms = Forms::new(config, edition, earlier, &audience)?;
                for &format in &self.format {
                    let file = self.out.join(name(edition, format));
                    write(&file, &forms.write(format)?)?;
                    files.push(file);
                }
            }
        }
        store.close().await?;
        if files.is_empty() {
            tell!("{}", wanted.is_missing());
            return Ok(super::super::FAILED);
        }
        if self.json {
            super::super::print_json(&files)?;
        } else {
            for file in &files {
                say!("{}", file.display());
            }
        }
        if self.open {
            super::terminal::open(&files[0])?;
        }
        Ok(super::super::DONE)
    }
}

impl Wanted {
    fn is_missing(&self) -> String {
        match self {
            Self::Last => "No edition has been published yet.".to_owned(),
            Self::One(id) => format!("There is no published edition {id}."),
        }
    }
}

/// The edition of `cadence` that is wanted and those before it; none when there is none.
async fn published(
    config: &Config,
    store: &Store,
    cadence: &Cadence,
    wanted: &Wanted,
) -> anyhow::Result<Vec<Edition>> {
    let until = match wanted {
        Wanted::Last => None,
        Wanted::One(id) => Some(id),
    };
    let newsletter = &config.newsletter.id;
    store
        .editions()
        .list_published(newsletter, &cadence.id, until, FEED_EDITIONS)
        .await
}

/// The name of a file. A page has the one that `browser_url` leads to; a feed keeps its name for ever.
fn name(edition: &Edition, format: Format) -> PathBuf {
    let extension = match format {
        Format::Page => "html",
        Format::Html => "mail.html",
        format => format.extension(),
    };
    let stem = if format.is_feed() {
        edition.cadence.as_str()
    } else {
        edition.id.as_str()
    };
    format!("{stem}.{extension}").into()
}
