//! The configuration: its shape, and all that can be wrong with it said at once.
//!
//! `config.toml` at the top of the repository is the reference: it works as shipped and documents every
//! key. A test holds the two together.

mod block;
mod content;
mod delivery;
mod feed;
mod problem;
mod rank;
mod read;
mod secret;
mod serve;
mod templates;
mod theme;
mod values;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use toml::de::DeTable;

pub use delivery::postgres_url;
pub use problem::{ConfigError, Problem};
use read::{Problems, Table};
pub use secret::{Secret, secret, secret_in};

use crate::collect::FetchOptions;
use crate::deliver::DeliveryOptions;
use crate::model::{
    Audience, BlockPlan, Cadence, Feed, FeedKey, Language, NewSubscriber, Newsletter, Offer, Topic,
};
use crate::rank::Options;
use crate::render::{Theme, encoded_size};
use crate::store::StoreUrl;
use crate::web::ServeOptions;
pub use delivery::Migrations;

/// What the publisher's own words may have in a mail, in bytes as they go over the wire: less than half of it.
const OWN_WORDS: usize = 40_000;

/// The whole configuration, valid.
#[derive(Debug, Clone)]
pub struct Config {
    /// A pretended time, so that sample feeds never grow old.
    pub now: Option<DateTime<Utc>>,
    /// The publication.
    pub newsletter: Newsletter,
    /// Its schedules, in the order of the file; at least one.
    pub cadences: Vec<Cadence>,
    /// Its topics, in the order of the file; at least one.
    pub topics: Vec<Topic>,
    /// Its feeds.
    pub feeds: std::sync::Arc<[Feed]>,
    /// Subscribers that the operator answers for.
    pub subscribers: Vec<NewSubscriber>,
    /// How to fetch.
    pub collect: FetchOptions,
    /// How long items are kept after they were news.
    pub keep: TimeDelta,
    /// How to rank.
    pub rank: Options,
    /// How long what was shown is remembered: reports of it are old news.
    pub memory: TimeDelta,
    /// How mails look.
    pub theme: Theme,
    /// The folder of the publisher's own templates, which [`Config::with_templates`] reads.
    pub templates: Option<PathBuf>,
    /// What the publisher puts between the sections.
    pub blocks: Vec<BlockPlan>,
    /// Where the store is.
    pub store: StoreUrl,
    /// When it is brought up to date.
    pub migrations: Migrations,
    /// How mail goes out.
    pub delivery: DeliveryOptions,
    /// The pages for readers, if there are any.
    pub serve: Option<ServeOptions>,
}

impl Config {
    /// The keys of all feeds whose items are news.
    pub fn news_feeds(&self) -> HashSet<FeedKey> {
        let news = self.feeds.iter().filter(|feed| feed.is_news);
        news.map(|feed| feed.key.clone()).collect()
    }

    /// The names of the cadences, in the order of the file.
    pub fn cadence_ids(&self) -> Vec<&str> {
        self.cadences
            .iter()
            .map(|cadence| cadence.id.as_str())
            .collect()
    }

    /// The names of the topics, in the order of the file.
    pub fn topic_ids(&self) -> Vec<&str> {
        self.topics.iter().map(|topic| topic.id.as_str()).collect()
    }

    /// The cadence called `name`, or all of them without one.
    ///
    /// # Errors
    /// When there is none of that name, with those that there are.
    pub fn cadences_named(&self, name: Option<&str>) -> Result<Vec<&Cadence>, String> {
        let wanted = |cadence: &&Cadence| name.is_none_or(|name| cadence.id.as_str() == name);
        let found: Vec<&Cadence> = self.cadences.iter().filter(wanted).collect();
        if found.is_empty() {
            let (name, known) = (name.unwrap_or_default(), self.cadence_ids().join(", "));
            return Err(format!(
                "There is no cadence “{name}”. The configuration has: {known}."
            ));
        }
        Ok(found)
    }

    /// What subscribers can choose from; `now` is the moment after which a pause may end.
    pub fn offer(&self, now: DateTime<Utc>) -> Offer {
        let languages = match &self.serve {
            Some(serve) => serve.languages.clone(),
            None => Language::ALL.to_vec(),
        };
        Offer {
            cadences: self
                .cadences
                .iter()
                .map(|cadence| cadence.id.clone())
                .collect(),
            topics: self.topics.iter().map(|topic| topic.id.clone()).collect(),
            languages,
            timezone: self.newsletter.timezone,
            now,
        }
    }

    /// Everybody who has not narrowed the topics, in the newsletter's language.
    pub fn default_audience(&self) -> Audience {
        Audience::everything(self.newsletter.language)
    }
}

/// Reads the configuration in `path`. Relative paths in it are relative to its folder.
///
/// # Errors
/// All problems at once. A file that cannot be read is a problem without a line.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let failed = |problems| ConfigError {
        path: path.to_owned(),
        problems,
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        let hint =
            "Run `tidings init` to write one, or name another with --config FILE.".to_owned();
        failed(vec![Problem {
            key: "file".into(),
            what: format!("cannot be read: {error}"),
            hint,
            ..Problem::default()
        }])
    })?;
    parse(&text, path.parent().unwrap_or(Path::new(""))).map_err(failed)
}

/// Reads a configuration whose relative paths are relative to `folder`.
///
/// # Errors
/// All problems at once, in the order of the lines.
pub fn parse(text: &str, folder: &Path) -> Result<Config, Vec<Problem>> {
    let problems = Problems::new(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        problems.add(
            error.span(),
            "",
            format!("not valid TOML: {}", error.message()),
            "",
        );
    }
    // What follows a syntax error can be misread, and would be reported as problems that are none.
    if !errors.is_empty() {
        return Err(problems.into_sorted());
    }
    let config = read_config(&problems, document.get_ref(), folder);
    let problems = problems.into_sorted();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

fn read_config(problems: &Problems<'_>, document: &DeTable<'_>, folder: &Path) -> Option<Config> {
    let mut root = Table::root(problems, document);
    let now = root.parsed(
        "now",
        "Write it as in \"2026-11-20T07:05:00+01:00\".",
        |text| {
            DateTime::parse_from_rfc3339(text)
                .map(|time| time.to_utc())
                .map_err(|_| format!("“{text}” is not a time"))
        },
    );
    let mut newsletter = content::newsletter(root.table("newsletter"));

    let cadences: Vec<Option<Cadence>> = root
        .tables("cadence")
        .into_iter()
        .map(content::cadence)
        .collect();
    if cadences.is_empty() {
        root.missing(
            "cadence",
            "Say when editions go out: [cadence.daily] with cron = \"0 7 * * *\".",
        );
    }
    let mut topic_ids: Vec<String> = Vec::new();
    let topics: Vec<Option<Topic>> = root
        .list("topic")
        .into_iter()
        .map(|table| content::topic(table, &mut topic_ids))
        .collect();
    if topics.is_empty() {
        root.missing(
            "topic",
            "Name at least one subject: [[topic]] with id, title and keywords.",
        );
    }
    // A topic that has a problem is still known by its name: one mistake is to be told once.
    let topic_ids: Vec<&str> = topic_ids.iter().map(String::as_str).collect();
    let cadence_ids: Vec<&str> = cadences
        .iter()
        .flatten()
        .map(|cadence| cadence.id.as_str())
        .collect();

    let mut context = feed::Context {
        folder,
        topic_ids: &topic_ids,
        language: newsletter
            .as_ref()
            .map_or("de", |newsletter| newsletter.language.tag()),
        seen: BTreeMap::new(),
        weights: HashMap::new(),
    };
    let feeds: Vec<Option<Feed>> = root
        .list("feed")
        .into_iter()
        .map(|table| feed::feed(table, &mut context))
        .collect();
    if feeds.is_empty() {
        root.missing(
            "feed",
            "Name at least one place to read: [[feed]] with url = \"https://…\".",
        );
    }
    let blocks: Vec<(BlockPlan, Option<Feed>)> = root
        .list("block")
        .into_iter()
        .filter_map(|table| block::block(table, &mut context))
        .collect();
    let mut people = BTreeMap::new();
    let subscribers: Vec<Option<NewSubscriber>> = root
        .list("subscriber")
        .into_iter()
        .map(|table| content::subscriber(table, &topic_ids, &cadence_ids, &mut people))
        .collect();

    let (collect, keep) = feed::collect_options(root.table("collect"));
    let (mut options, memory) = rank::rank_options(root.table("rank"), context.weights);
    let language = newsletter.as_ref().map(|newsletter| newsletter.language);
    let (theme, templates) = theme::theme(
        root.table("theme"),
        language.unwrap_or(Language::De),
        folder,
    );
    let store = delivery::store(root.table("store"), folder);
    let serve = serve::serve(root.table("serve"), language.unwrap_or(Language::De));
    if let (Some(newsletter), Some(serve)) = (&mut newsletter, &serve) {
        serve::link_pages(newsletter, serve);
    }
    let delivery = delivery::delivery(root.table("delivery"), folder, newsletter.as_ref());
    root.done();
    let texts = blocks.iter().map(|(plan, _)| plan.block.text.as_str());
    let size: usize = theme
        .own_words()
        .into_iter()
        .chain(texts)
        .map(encoded_size)
        .sum();
    if size > OWN_WORDS {
        let what = format!(
            "header, footer and blocks have {size} bytes on the wire; {OWN_WORDS} leave room for the news"
        );
        problems.add(
            None,
            "theme",
            what,
            "Gmail hides what is beyond 102,000 bytes of a mail, with the way out.",
        );
    }

    let mut feeds = all(feeds)?;
    let mut topics = all(topics)?;
    for topic in &mut topics {
        let assigned = feeds.iter().filter(|feed| feed.topics.contains(&topic.id));
        topic.feeds = assigned.map(|feed| feed.key.clone()).collect();
    }
    let newsletter = newsletter?;
    options.languages = rank::languages(newsletter.language, &feeds);
    let (blocks, block_feeds): (Vec<BlockPlan>, Vec<Option<Feed>>) = blocks.into_iter().unzip();
    for feed in block_feeds.into_iter().flatten() {
        // A feed that is news as well is read once, and its items go both ways.
        if feeds.iter().all(|known| known.key != feed.key) {
            feeds.push(feed);
        }
    }
    Some(Config {
        now,
        newsletter,
        cadences: all(cadences)?,
        topics,
        feeds: feeds.into(),
        subscribers: all(subscribers)?,
        collect,
        keep,
        rank: options,
        memory,
        theme,
        templates,
        blocks,
        store: store.clone()?.0,
        migrations: store?.1,
        delivery: delivery?,
        serve,
    })
}

/// All or nothing: a part that could not be read has left its problem behind.
fn all<T>(parts: Vec<Option<T>>) -> Option<Vec<T>> {
    parts.into_iter().collect()
}

#[cfg(test)]
mod tests;
