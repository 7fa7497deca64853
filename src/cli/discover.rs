//! `tidings feeds discover`: which feeds a page has.

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use url::Url;

use super::line;
use crate::collect::{self, FetchOptions};

/// Arguments of `tidings feeds discover`.
#[derive(Debug, Args)]
pub(super) struct Discover {
    /// The address of a page, such as `https://example.org`
    url: String,
    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

/// A feed that was found and read. `Serialize` is the form of `--json`.
#[derive(Debug, Serialize)]
struct Found {
    url: String,
    title: Option<String>,
    items: usize,
    newest_item: Option<DateTime<Utc>>,
}

impl Discover {
    pub(super) async fn run(self, options: &FetchOptions) -> anyhow::Result<u8> {
        let text = if self.url.contains("://") {
            self.url.clone()
        } else {
            format!("https://{}", self.url)
        };
        let url = Url::parse(&text)
            .map_err(|error| anyhow::anyhow!("“{}” is not an address: {error}", self.url))?;
        let mut url = url;
        anyhow::ensure!(
            matches!(url.scheme(), "http" | "https"),
            "“{}” is no web address; write it as https://…",
            self.url
        );
        // It would stand in what is printed.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let found = match collect::find_feeds(&url, options, line::wall()).await? {
            Ok(found) => found,
            Err(failure) => anyhow::bail!("{url} {failure}."),
        };
        let found: Vec<Found> = found
            .into_iter()
            .map(|found| Found {
                url: found.url.into(),
                title: found.title,
                items: found.items,
                newest_item: found.newest,
            })
            .collect();
        if self.json {
            super::print_json(&found)?;
        } else {
            for feed in &found {
                let title = feed.title.as_deref().unwrap_or("without a title");
                let newest = feed.newest_item.map_or_else(String::new, |at| {
                    format!(", newest of {}", at.format("%-d %B %Y"))
                });
                say!(
                    "# {title}: {}{newest}",
                    super::report::count(feed.items as u64, "item", "items")
                );
                say!("[[feed]]\nurl = {}\n", toml::Value::from(feed.url.as_str()));
            }
        }
        if found.is_empty() {
            tell!("{url} names no feed, and none is at the usual places.");
            return Ok(super::FAILED);
        }
        Ok(super::DONE)
    }
}
