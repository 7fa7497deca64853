//! Whether a file has changed that a preview is made of.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::config::Config;
use crate::model::Location;

/// The files that a preview is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watched {
    config: PathBuf,
    /// The folder of the publisher's own templates.
    templates: Option<PathBuf>,
    feeds: Vec<PathBuf>,
}

/// How the files were found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    templates: Vec<Stamp>,
    others: Vec<Stamp>,
}

/// A file's name, time and length; the latter are absent when it is not there.
type Stamp = (PathBuf, Option<(SystemTime, u64)>);

/// What has to be done again, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// The mails look different.
    Look,
    /// They say something else.
    Content,
    /// The feeds on the web may say something else than is known of them.
    Web,
}

impl Watched {
    /// The files that `config`, which stands at `path`, is made of and names.
    pub(super) fn of(path: &Path, config: &Config) -> Self {
        let files = config.feeds.iter().filter_map(|feed| match &feed.location {
            Location::File(path) => Some(path.clone()),
            Location::Web(_) => None,
        });
        Self {
            config: path.to_owned(),
            templates: config.templates.clone(),
            feeds: files.collect(),
        }
    }

    /// How the files are now.
    pub(super) fn look(&self) -> Snapshot {
        let mut templates: Vec<PathBuf> = Vec::new();
        if let Some(Ok(entries)) = self.templates.as_ref().map(std::fs::read_dir) {
            templates.extend(entries.flatten().map(|entry| entry.path()));
        }
        templates.sort();
        let others = std::iter::once(&self.config).chain(&self.feeds);
        Snapshot {
            templates: templates.iter().map(|path| stamp(path)).collect(),
            others: others.map(|path| stamp(path)).collect(),
        }
    }
}

impl Snapshot {
    /// What has changed since `before`.
    pub(super) fn change_since(&self, before: &Self) -> Option<Change> {
        if self.others != before.others {
            Some(Change::Content)
        } else if self.templates != before.templates {
            Some(Change::Look)
        } else {
            None
        }
    }
}

fn stamp(path: &Path) -> Stamp {
    let found = std::fs::metadata(path).ok();
    let stamp = found.and_then(|found| Some((found.modified().ok()?, found.len())));
    (path.to_owned(), stamp)
}
