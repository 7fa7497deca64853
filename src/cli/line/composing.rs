//! The middle of the line: an edition is made of what is in the store.

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Extras, wall};
use crate::config::Config;
use crate::model::{
    Block, Cadence, CadenceId, Coverage, Edition, Followed, Item, LeftOut, Memory, Place, TopicId,
    Vocabulary, Window,
};
use crate::rank::{self, Query, Tongue};
use crate::schedule::{self, Due, History};
use crate::store::{FollowedStory, Indexed, Store};

/// Composes the edition of `cadence` for `slot`, with what it leaves out.
pub(super) async fn compose(
    config: &Config,
    store: &Store,
    cadence: &Cadence,
    slot: DateTime<Utc>,
    span: Span,
    now: DateTime<Utc>,
    extras: &mut Extras,
) -> anyhow::Result<(Edition, Vec<LeftOut>)> {
    let Span { window, until, .. } = span;
    let coverage = cover(store, span.covered, until, now).await?;
    let items = store
        .items()
        .list_news(&config.news_feeds(), window, coverage, until)
        .await?;
    let remembered = Window {
        since: window.since - config.memory,
        until: until.unwrap_or(DateTime::<Utc>::MAX_UTC),
    };
    let newsletter = &config.newsletter.id;
    let memory = Memory {
        mailed: store
            .items()
            .list_mailed(newsletter, &cadence.id, remembered)
            .await?,
        votes: store.items().list_votes(window.since).await?,
        vocabulary: store.items().load_vocabulary().await?,
    };
    let followed = store.items().list_followed(false).await?;
    let (topics, options) = (config.topics.clone(), config.rank.clone());
    // Work for a thread of its own, so that an interrupt is heard meanwhile.
    let composing = tokio::task::spawn_blocking(move || {
        let news = news_of(followed, &items, &memory.vocabulary, &options.languages);
        let composition = rank::compose(items, &memory, &topics, window, &options);
        (composition, news)
    });
    let (composition, followed) = composing.await.context("ranking the items")?;
    let mut edition = Edition {
        sections: composition.sections,
        followed,
        covers: Some(coverage.up_to),
        ..empty_edition(config, cadence, slot, window, now)
    };
    extras.add_to(&mut edition, config).await?;
    edition.blocks = blocks(config, store, &edition, now).await?;
    Ok((edition, composition.left_out))
}

/// What an edition is composed of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) window: Window,
    /// The last item that the edition before it has covered.
    pub(super) covered: Option<i64>,
    /// The time that is pretended, or looked back at: what came later does not exist then.
    pub(super) until: Option<DateTime<Utc>>,
}

/// Which items an edition covers that is composed at `now`.
async fn cover(
    store: &Store,
    covered: Option<i64>,
    until: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> anyhow::Result<Coverage> {
    let last = store.items().number_news(now).await?;
    let up_to = match until {
        Some(until) => store.items().last_number_before(until).await?,
        None => last,
    };
    Ok(Coverage {
        after: covered,
        up_to,
    })
}

/// For how long news that somebody wants at once may have been there, at most.
const AT_ONCE: TimeDelta = TimeDelta::hours(6);

/// The edition of news since the last one like it, for those who want them at once; `None` when there are none.
pub(super) async fn compose_at_once(
    config: &Config,
    store: &Store,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<Edition>> {
    let followed = store.items().list_followed(true).await?;
    if followed.is_empty() {
        return Ok(None);
    }
    let cadence = Cadence {
        id: CadenceId(Edition::FOLLOWED.to_owned()),
        ..config.cadences[0].clone()
    };
    let history = store
        .editions()
        .history(&config.newsletter.id, &cadence.id, now, wall())
        .await?;
    let window = Window {
        since: now - AT_ONCE,
        until: now,
    };
    let coverage = cover(store, history.covered, config.now, now).await?;
    let mut items = store
        .items()
        .list_news(&config.news_feeds(), window, coverage, config.now)
        .await?;
    items.retain(|item| item.arrived >= window.since);
    let vocabulary = store.items().load_vocabulary().await?;
    let languages = config.rank.languages.clone();
    let looking =
        tokio::task::spawn_blocking(move || news_of(followed, &items, &vocabulary, &languages));
    let followed = looking.await.context("looking for news")?;
    Ok((!followed.is_empty()).then(|| Edition {
        followed,
        covers: Some(coverage.up_to),
        ..empty_edition(config, &cadence, now, window, now)
    }))
}

/// News of what is followed, among `items`: of each story those that came when somebody followed it.
fn news_of(
    followed: Vec<FollowedStory>,
    items: &[Item],
    vocabulary: &Vocabulary,
    languages: &[Tongue],
) -> Vec<Followed> {
    let mut readable = Vec::with_capacity(followed.len());
    let mut queries: Vec<Query> = Vec::with_capacity(followed.len());
    for story in followed {
        match serde_json::from_str(&story.query) {
            Ok(query) => {
                queries.push(query);
                readable.push(story);
            }
            // Those who follow it get no news of it; all others do.
            Err(error) => tracing::warn!(
                "What is followed as {} cannot be read, and is left out: {error}",
                story.key.as_str()
            ),
        }
    }
    let followed = readable;
    let news = rank::news(items, &queries, vocabulary, languages);
    let told = followed.into_iter().zip(news).map(|(story, mut news)| {
        // The story itself, as it was known by then, is no news.
        news.retain(|event| event.lead.key != story.key && event.lead.arrived >= story.since);
        Followed {
            story: story.key,
            title: story.title,
            news,
        }
    });
    told.filter(|followed| !followed.news.is_empty()).collect()
}

/// How many editions are put into the archive at a time.
const INDEXED: u32 = 20;

/// Puts published editions into the archive that are not there yet.
pub(in crate::cli) async fn index_editions(config: &Config, store: &Store) -> anyhow::Result<()> {
    loop {
        let editions = store.archive().list_unindexed(INDEXED).await?;
        if editions.is_empty() {
            return Ok(());
        }
        for edition in editions {
            let languages = config.rank.languages.clone();
            let reading = tokio::task::spawn_blocking(move || {
                let stories = indexed(&edition, &languages)?;
                anyhow::Ok((edition, stories))
            });
            let (edition, stories) = reading.await.context("reading the stories")??;
            store.archive().index_edition(&edition, &stories).await?;
        }
    }
}

/// The stories of `edition` as the archive finds them.
fn indexed(edition: &Edition, languages: &[Tongue]) -> anyhow::Result<Vec<Indexed>> {
    let mut indexed = Vec::new();
    for section in &edition.sections {
        for story in &section.stories {
            let lead = &story.lead;
            let reports: Vec<&Item> = story.items().collect();
            let mut terms = rank::index_terms(&lead.summary, lead.language.as_deref(), languages);
            for report in &reports {
                let tag = report.language.as_deref();
                terms.extend(rank::index_terms(&report.title, tag, languages));
                terms.extend(rank::index_terms(&report.source, None, languages));
            }
            terms.sort_unstable();
            terms.dedup();
            let query = Query::like(reports.into_iter(), languages);
            indexed.push(Indexed {
                key: lead.key.clone(),
                topic: section.topic.clone(),
                title: lead.title.clone(),
                url: lead.url.clone(),
                source: lead.source.clone(),
                summary: lead.summary.clone(),
                language: lead.language.clone(),
                published: lead.published,
                terms,
                query: serde_json::to_string(&query)?,
            });
        }
    }
    Ok(indexed)
}

/// A time that is further back than that is one that somebody looks back at, and not the beginning of this run.
const A_MOMENT_AGO: TimeDelta = TimeDelta::minutes(10);

/// What would go out at `now`: the due edition of `cadence`, or the one that would be if it ticked now.
pub(in crate::cli) async fn upcoming(
    config: &Config,
    store: &Store,
    cadence: &Cadence,
    now: DateTime<Utc>,
    extras: &mut Extras,
) -> anyhow::Result<(Edition, Vec<LeftOut>)> {
    let timezone = config.newsletter.timezone;
    let history = history(config, store, cadence, now).await?;
    let (slot, window) = match schedule::due(cadence, timezone, history, now) {
        Due::Edition { slot, window } => (slot, window),
        Due::TooLate { .. } | Due::NotYet { .. } => {
            (now, schedule::window(cadence, timezone, history, now, now))
        }
    };
    let span = Span {
        window,
        covered: history.covered,
        until: (now < wall() - A_MOMENT_AGO).then_some(now),
    };
    compose(config, store, cadence, slot, span, now, extras).await
}

/// What was decided about `cadence` by `now`. An edition that a clock that was ahead has put where another one is due makes way.
pub(super) async fn history(
    config: &Config,
    store: &Store,
    cadence: &Cadence,
    now: DateTime<Utc>,
) -> anyhow::Result<History> {
    let newsletter = &config.newsletter.id;
    let read = async || {
        let editions = store.editions();
        editions.history(newsletter, &cadence.id, now, wall()).await
    };
    let mut history = read().await?;
    if let Some(last) = history.last_slot {
        let editions = store.editions();
        let overtaken = editions.release_overtaken(newsletter, &cadence.id, last);
        if let Some(id) = overtaken.await? {
            tracing::warn!(
                "The clock was ahead when the edition {id} was made; the one that is due in its place goes out as usual."
            );
            history = read().await?;
        }
    }
    Ok(history)
}

pub(super) fn empty_edition(
    config: &Config,
    cadence: &Cadence,
    slot: DateTime<Utc>,
    window: Window,
    now: DateTime<Utc>,
) -> Edition {
    Edition {
        id: Edition::id_of(&config.newsletter.id, &cadence.id, slot),
        newsletter: config.newsletter.id.clone(),
        cadence: cadence.id.clone(),
        slot,
        window,
        created_at: now,
        covers: None,
        sections: Vec::new(),
        blocks: Vec::new(),
        followed: Vec::new(),
    }
}

/// How old an item may be that a block lists.
const LISTED: TimeDelta = TimeDelta::days(30);

/// What the publisher puts between the sections at `now`. A block that has nothing to say today is absent.
async fn blocks(
    config: &Config,
    store: &Store,
    edition: &Edition,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Block>> {
    let today = now.with_timezone(&config.newsletter.timezone).date_naive();
    let mut blocks = Vec::new();
    for plan in config.blocks.iter().filter(|plan| plan.is_shown(today)) {
        let mut block = plan.block.clone();
        if let Some((feed, items)) = &plan.feed {
            let window = Window {
                since: now - LISTED,
                until: now,
            };
            block.items = store.items().list_newest(feed, window, *items).await?;
        }
        if let Place::After(topic) = &block.place {
            block.place = nearest(config, edition, topic);
        }
        if !block.text.is_empty() || !block.items.is_empty() {
            blocks.push(block);
        }
    }
    Ok(blocks)
}

/// Below which section of `edition` a block stands that belongs to `topic`: below that of the topic, else below the last
/// one before it.
fn nearest(config: &Config, edition: &Edition, topic: &TopicId) -> Place {
    let topics = config.topics.iter().map(|topic| &topic.id);
    let up_to = topics.clone().take_while(|other| *other != topic).count() + 1;
    let has_section = |topic: &&TopicId| {
        let mut sections = edition.sections.iter();
        sections.any(|section| section.topic == **topic)
    };
    let last = topics.take(up_to).rfind(has_section);
    last.map_or(Place::Top, |topic| Place::After(topic.clone()))
}
