//! The middle of the line: an edition is made of what is in the store.

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};

use super::Extras;
use crate::config::Config;
use crate::model::{Block, Cadence, Edition, LeftOut, Memory, Place, TopicId, Window};
use crate::rank;
use crate::schedule::{self, Due};
use crate::store::Store;

/// Composes the edition of `cadence` for `slot`, with what it leaves out.
pub(super) async fn compose(
    config: &Config,
    store: &Store,
    cadence: &Cadence,
    slot: DateTime<Utc>,
    window: Window,
    now: DateTime<Utc>,
    extras: &mut Extras,
) -> anyhow::Result<(Edition, Vec<LeftOut>)> {
    let items = store.list_items(&config.news_feeds(), window).await?;
    let remembered = Window {
        since: window.since - config.memory,
        until: window.until,
    };
    let newsletter = &config.newsletter.id;
    let memory = Memory {
        mailed: store
            .list_mailed(newsletter, &cadence.id, remembered)
            .await?,
        votes: store.list_votes(window.since).await?,
        vocabulary: store.load_vocabulary().await?,
    };
    let (topics, options) = (config.topics.clone(), config.rank.clone());
    // Work for a thread of its own, so that an interrupt is heard meanwhile.
    let composing = tokio::task::spawn_blocking(move || {
        rank::compose(items, &memory, &topics, window, &options)
    });
    let composition = composing.await.context("ranking the items")?;
    let mut edition = Edition {
        sections: composition.sections,
        ..empty_edition(config, cadence, slot, window, now)
    };
    extras.add_to(&mut edition, config).await?;
    edition.blocks = blocks(config, store, &edition, now).await?;
    Ok((edition, composition.left_out))
}

/// What would go out at `now`: the due edition of `cadence`, or the one that would be if it ticked now.
pub(in crate::cli) async fn upcoming(
    config: &Config,
    store: &Store,
    cadence: &Cadence,
    now: DateTime<Utc>,
    extras: &mut Extras,
) -> anyhow::Result<(Edition, Vec<LeftOut>)> {
    let timezone = config.newsletter.timezone;
    let history = store
        .history(&config.newsletter.id, &cadence.id, now)
        .await?;
    let (slot, window) = match schedule::due(cadence, timezone, history, now) {
        Due::Edition { slot, window } => (slot, window),
        Due::TooLate { .. } | Due::NotYet { .. } => {
            (now, schedule::window(cadence, timezone, history, now, now))
        }
    };
    compose(config, store, cadence, slot, window, now, extras).await
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
        sections: Vec::new(),
        blocks: Vec::new(),
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
            block.items = store.list_newest(feed, window, *items).await?;
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
