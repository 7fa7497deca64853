//! What picked stories get beside what their feeds say: the text of their page, and a picture.

use std::collections::{BTreeSet, HashMap, HashSet};

use url::Url;

use super::wall;
use crate::collect::{self, Article};
use crate::config::Config;
use crate::model::{Edition, FeedKey, Item, Picture, Story};
use crate::render::Images;

/// A summary shorter than this, in characters, says no more than its headline.
const SHORT: usize = 120;

/// What a picture may have that is loaded with a mail as it is; a proxy can make it smaller.
const PICTURE_BYTES: u64 = 1_000_000;

/// What was found at the addresses that were asked, `None` where nothing was. No address is asked twice, however many
/// editions a story is in.
#[derive(Debug, Default)]
pub(in crate::cli) struct Extras {
    articles: HashMap<Url, Option<Article>>,
    /// With how large they may be, in bytes.
    pictures: HashMap<(Url, u64), Option<Picture>>,
}

impl Extras {
    /// Completes the stories of `edition`, as far as the configuration wants it.
    pub(super) async fn add_to(
        &mut self,
        edition: &mut Edition,
        config: &Config,
    ) -> anyhow::Result<()> {
        self.add_articles(edition, config).await?;
        self.add_pictures(edition, config).await
    }

    /// Completes the leads that come from feeds with headlines only by what their pages say.
    async fn add_articles(&mut self, edition: &mut Edition, config: &Config) -> anyhow::Result<()> {
        let feeds = config.feeds.iter().filter(|feed| feed.article_pages);
        let feeds: HashSet<&FeedKey> = feeds.map(|feed| &feed.key).collect();
        let address = |item: &Item| {
            let is_wanted = item.summary.chars().count() < SHORT
                && item.feeds.iter().any(|feed| feeds.contains(feed));
            let url = item.url.as_deref().filter(|_| is_wanted)?;
            url.parse::<Url>().ok()
        };
        let sections = edition.sections.iter();
        let leads = sections.flat_map(|section| section.stories.iter().map(|story| &story.lead));
        let urls: BTreeSet<Url> = leads.filter_map(address).collect();
        let urls = urls.into_iter();
        let new: Vec<Url> = urls
            .filter(|url| !self.articles.contains_key(url))
            .collect();
        if !new.is_empty() {
            let mut found = collect::fetch_articles(new.clone(), &config.collect, wall()).await?;
            self.articles.extend(new.into_iter().map(|url| {
                let article = found.remove(&url);
                (url, article)
            }));
        }
        for section in &mut edition.sections {
            for story in &mut section.stories {
                let url = address(&story.lead);
                if let Some(Some(article)) = url.and_then(|url| self.articles.get(&url)) {
                    story
                        .lead
                        .complete(&article.text, article.image.as_deref(), article.date());
                }
            }
        }
        Ok(())
    }

    /// Gives the first story of each section its picture, where the publisher wants pictures and it is there.
    async fn add_pictures(&mut self, edition: &mut Edition, config: &Config) -> anyhow::Result<()> {
        let max_bytes = match config.theme.images {
            Images::None => return Ok(()),
            Images::Linked => PICTURE_BYTES,
            Images::Proxied(_) => config.collect.max_bytes,
        };
        let key = |story: &Story| {
            let url = story.lead.image.as_deref()?.parse::<Url>().ok()?;
            Some((url, max_bytes))
        };
        let sections = edition.sections.iter();
        let firsts = sections.filter_map(|section| section.stories.first());
        let keys: BTreeSet<(Url, u64)> = firsts.filter_map(key).collect();
        let keys = keys.into_iter();
        let new: Vec<Url> = keys
            .filter(|key| !self.pictures.contains_key(key))
            .map(|(url, _)| url)
            .collect();
        if !new.is_empty() {
            let options = &config.collect;
            let mut found = collect::find_pictures(new.clone(), options, max_bytes, wall()).await?;
            self.pictures.extend(new.into_iter().map(|url| {
                let picture = found.remove(&url);
                ((url, max_bytes), picture)
            }));
        }
        for section in &mut edition.sections {
            if let Some(story) = section.stories.first_mut() {
                story.picture = key(story).and_then(|key| self.pictures.get(&key)?.clone());
            }
        }
        Ok(())
    }
}
