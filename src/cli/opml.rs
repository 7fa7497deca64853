//! `tidings feeds import` and `export`: lists of other feed readers.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::report::count;
use crate::collect::{Outline, read_opml, write_opml};
use crate::config::{self, Config, ConfigError};
use crate::model::Location;

/// Arguments of `tidings feeds import`.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// The OPML file; `-` for standard input
    file: PathBuf,
    /// Only print what would be added
    #[arg(long)]
    dry_run: bool,
}

/// Arguments of `tidings feeds export`.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// Where to write it; standard output without it
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Import {
    pub(super) fn run(self, config: &Config, path: &Path) -> anyhow::Result<u8> {
        let name = self.file.display();
        let mut bytes = Vec::new();
        if self.file.as_os_str() == "-" {
            std::io::stdin().read_to_end(&mut bytes)?;
        } else {
            bytes = std::fs::read(&self.file).with_context(|| format!("reading {name}"))?;
        }
        let outlines = read_opml(&bytes).map_err(|what| anyhow::anyhow!("{name}: {what}"))?;
        let (refused, outlines): (Vec<_>, Vec<_>) = outlines.into_iter().partition(|outline| {
            !outline.url.username().is_empty() || outline.url.password().is_some()
        });
        for outline in &refused {
            let title = outline.title.as_deref().unwrap_or("one without a title");
            tell!(
                "Left out {title} on {}: its address has a login in it. Add it by hand, with `user` and `password`.",
                outline.url.authority()
            );
        }
        let known = |outline: &Outline| {
            config
                .feeds
                .iter()
                .any(|feed| matches!(&feed.location, Location::Web(url) if *url == outline.url))
        };
        let (known, new): (Vec<_>, Vec<_>) = outlines.into_iter().partition(known);
        let addition = addition(config, &new);
        if self.dry_run {
            say_part!("{addition}");
        } else if !new.is_empty() {
            append(path, &addition)?;
        }
        tell!(
            "{} {}{}.",
            if self.dry_run { "Would add" } else { "Added" },
            count(new.len() as u64, "feed", "feeds"),
            if known.is_empty() {
                String::new()
            } else {
                format!("; {} there already", known.len())
            }
        );
        Ok(super::DONE)
    }
}

/// The sections that bring `outlines` into the configuration: a topic for each folder that is none yet, and the feeds.
fn addition(config: &Config, outlines: &[Outline]) -> String {
    let mut text = String::new();
    let mut topics: Vec<(String, String)> = config
        .topics
        .iter()
        .map(|topic| (topic.title.clone(), topic.id.to_string()))
        .collect();
    for folder in outlines.iter().flat_map(|outline| &outline.folders) {
        if topics
            .iter()
            .any(|(title, id)| title.eq_ignore_ascii_case(folder) || id == folder)
        {
            continue;
        }
        let id = new_id(folder, &topics);
        let _ = write!(
            text,
            "\n[[topic]]\nid = \"{id}\"\ntitle = {}\n",
            quoted(folder)
        );
        topics.push((folder.clone(), id));
    }
    for outline in outlines {
        let _ = write!(text, "\n[[feed]]\nurl = {}\n", quoted(outline.url.as_str()));
        if let Some(title) = outline
            .title
            .as_ref()
            .filter(|title| **title != outline.url.as_str())
        {
            let _ = writeln!(text, "name = {}", quoted(title));
        }
        let ids = outline.folders.iter().filter_map(|folder| {
            let topic = topics
                .iter()
                .find(|(title, id)| title.eq_ignore_ascii_case(folder) || id == folder);
            topic.map(|(_, id)| format!("\"{id}\""))
        });
        let ids: Vec<String> = ids.collect();
        if !ids.is_empty() {
            let _ = writeln!(text, "topics = [{}]", ids.join(", "));
        }
    }
    text
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A short name for a topic that no other one has.
fn new_id(title: &str, topics: &[(String, String)]) -> String {
    let mut id = String::new();
    for c in title.to_lowercase().chars() {
        match c {
            'ä' => id.push_str("ae"),
            'ö' => id.push_str("oe"),
            'ü' => id.push_str("ue"),
            'ß' => id.push_str("ss"),
            c if c.is_ascii_alphanumeric() => id.push(c),
            _ if !id.is_empty() && !id.ends_with('-') => id.push('-'),
            _ => {}
        }
    }
    id.truncate(30);
    let id = match id.trim_matches('-') {
        "" => "topic",
        id => id,
    };
    let taken = |name: &str| topics.iter().any(|(_, id)| id == name);
    let numbered = (2..).map(|number| format!("{id}-{number}"));
    std::iter::once(id.to_owned())
        .chain(numbered)
        .find(|id| !taken(id))
        .unwrap_or_default()
}

/// Adds to the configuration file, all or nothing, and only what leaves it valid.
fn append(path: &Path, addition: &str) -> anyhow::Result<()> {
    let path = path
        .canonicalize()
        .with_context(|| format!("finding {}", path.display()))?;
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let text = format!("{}\n{addition}", text.trim_end());
    config::parse(&text, path.parent().unwrap_or(Path::new(""))).map_err(|problems| {
        ConfigError {
            path: path.clone(),
            problems,
        }
    })?;
    let new = path.with_extension("toml.new");
    let mut file =
        std::fs::File::create(&new).with_context(|| format!("writing {}", new.display()))?;
    file.set_permissions(std::fs::metadata(&path)?.permissions())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, &path).with_context(|| format!("replacing {}", path.display()))
}

impl Export {
    pub(super) fn run(self, config: &Config) -> anyhow::Result<u8> {
        let title = |id: &str| {
            config
                .topics
                .iter()
                .find(|topic| topic.id.as_str() == id)
                .map(|topic| topic.title.clone())
        };
        let outlines: Vec<Outline> = config
            .feeds
            .iter()
            .filter_map(|feed| match &feed.location {
                Location::Web(url) => Some(Outline {
                    title: feed.name.clone(),
                    url: url.clone(),
                    folders: feed
                        .topics
                        .iter()
                        .filter_map(|id| title(id.as_str()))
                        .collect(),
                }),
                Location::File(_) => None,
            })
            .collect();
        let text = write_opml(&config.newsletter.title, &outlines);
        match self.output {
            Some(path) => std::fs::write(&path, text)
                .with_context(|| format!("writing {}", path.display()))?,
            None => say_part!("{text}"),
        }
        let files = config.feeds.len() - outlines.len();
        if files > 0 {
            tell!(
                "{} on this machine left out.",
                count(files as u64, "feed is a file", "feeds are files")
            );
        }
        Ok(super::DONE)
    }
}
