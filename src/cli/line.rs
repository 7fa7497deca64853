//! The straight line of the program, and the only place that chains its stages.

use std::collections::{BTreeSet, HashSet};

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{mpsc, watch};

use super::report::{CadenceReport, CollectReport, Decision, RunReport};
use super::terminal::bar;
use crate::collect::{FetchOptions, Outcome, Visit};
use crate::config::{Config, secret};
use crate::deliver::{self, Delivered, Job, Mailer, MailerOptions};
use crate::model::{Block, Cadence, Edition, Item, LeftOut, Memory, Place, Story, TopicId, Window};
use crate::render::Images;
use crate::schedule::{self, Due};
use crate::store::{EditionState, Published, Saved, Store};
use crate::{collect, rank, render};

/// The real time. Only the command line asks for it; all else is told.
pub(super) fn wall() -> DateTime<Utc> {
    Utc::now()
}

/// One pass: collect → rank → publish → deliver, whatever is due at `now`.
pub(super) async fn pass(
    config: &Config,
    store: &Store,
    mailer: &Mailer,
    now: DateTime<Utc>,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<RunReport> {
    let mut report = RunReport::new(now);
    store.sync_configured(&config.subscribers, wall()).await?;

    let collecting = collect_into(config, store, &config.collect, now, stop.clone());
    let Some(collected) = collecting.await? else {
        report.stopped = true;
        return Ok(report);
    };
    let blind = collected.is_blind();
    report.collect = Some(collected);

    for cadence in &config.cadences {
        let history = store
            .history(&config.newsletter.id, &cadence.id, now)
            .await?;
        let decision = match schedule::due(cadence, config.newsletter.timezone, history, now) {
            Due::NotYet { next } => Decision::NotDue { next },
            Due::TooLate { slot } => {
                let edition = empty_edition(
                    config,
                    cadence,
                    slot,
                    Window {
                        since: slot,
                        until: slot,
                    },
                    now,
                );
                store
                    .publish(&edition, EditionState::Skipped, wall())
                    .await?;
                Decision::Skipped { slot }
            }
            Due::Edition { slot, window } => {
                let composing = compose(config, store, cadence, slot, window, now);
                let (edition, _) = tokio::select! {
                    composed = composing => composed?,
                    _ = stop.wait_for(|stop| *stop) => {
                        report.stopped = true;
                        return Ok(report);
                    }
                };
                publish(store, &edition, blind).await?
            }
        };
        report.cadences.push(CadenceReport {
            cadence: cadence.id.clone(),
            decision,
        });
    }
    let published = |report: &CadenceReport| matches!(report.decision, Decision::Published { .. });
    if report.cadences.iter().any(published) {
        report.stranded = stranded(config, store).await?;
    }
    report.delivery = send_due(config, store, mailer, stop).await?;
    report.stopped |= report
        .delivery
        .as_ref()
        .is_some_and(|delivered| delivered.stopped);
    if !report.stopped {
        learn_vocabulary(config, store, now).await?;
    }
    Ok(report)
}

/// How many confirmed subscribers no edition of this configuration reaches.
pub(super) async fn stranded(config: &Config, store: &Store) -> anyhow::Result<u64> {
    let (cadences, topics) = (config.cadence_ids(), config.topic_ids());
    Ok(store.count_stranded(&cadences, &topics).await?)
}

/// How many items are stored at a time: few enough to hold in memory, and of all but the largest newsletters all, so that
/// what several feeds carry does not depend on which of them answers first.
const BATCH: usize = 5_000;

/// Fetches all feeds and stores what they gave; `None` when told to stop.
pub(super) async fn collect_into(
    config: &Config,
    store: &Store,
    options: &FetchOptions,
    now: DateTime<Utc>,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<Option<CollectReport>> {
    let states = store.list_fetch_states().await?;
    let mut report = CollectReport::new(config.feeds.len());
    let bar = bar("Fetching", config.feeds.len() as u64);
    let mut visits = collect::collect(&config.feeds, states.clone(), options, now, wall())?;
    // While one batch is stored, the next one is gathered.
    let (full, mut batches) = mpsc::channel(1);
    let gathering = async {
        let (mut batch, mut size) = (Vec::new(), 0);
        while let Some(visit) = visits.recv().await {
            bar.inc(1);
            let feed = &config.feeds[visit.place];
            report.note(feed, states.get(&feed.key), &visit, now);
            size += visit.items().len();
            batch.push(visit);
            if size >= BATCH {
                size = 0;
                // A store that fails takes no more.
                if full.send(std::mem::take(&mut batch)).await.is_err() {
                    break;
                }
            }
        }
        let _ = full.send(batch).await;
        drop(full);
    };
    let storing = async move {
        let (mut new, mut known) = (0, 0);
        while let Some(batch) = batches.recv().await {
            let saved = save(config, store, batch, now).await?;
            new += saved.new;
            known += saved.known;
        }
        anyhow::Ok((new, known))
    };
    let (new, known) = tokio::select! {
        ((), stored) = async { tokio::join!(gathering, storing) } => stored?,
        _ = stop.wait_for(|stop| *stop) => return Ok(None),
    };
    (report.new_items, report.known_items) = (new, known);
    prune(config, store, now).await?;
    bar.finish_and_clear();
    report.in_order(&config.feeds);
    Ok(Some(report))
}

/// Prunes old items, but none that an edition may still want or that only a pretended time makes old.
async fn prune(config: &Config, store: &Store, now: DateTime<Utc>) -> anyhow::Result<()> {
    let now = now.min(wall());
    let mut before = now - config.keep;
    for cadence in &config.cadences {
        let history = store
            .history(&config.newsletter.id, &cadence.id, now)
            .await?;
        before = history
            .covered_until
            .map_or(before, |covered| before.min(covered - config.memory));
    }
    store.prune_items(before).await?;
    Ok(())
}

/// Stores a batch, the feeds in the order of the configuration: the first one to carry an item gives it its outlet.
async fn save(
    config: &Config,
    store: &Store,
    mut visits: Vec<Visit>,
    now: DateTime<Utc>,
) -> anyhow::Result<Saved> {
    visits.sort_by_key(|visit| visit.place);
    let mut items = Vec::new();
    let mut states = Vec::with_capacity(visits.len());
    for visit in visits {
        states.push((config.feeds[visit.place].key.clone(), visit.state));
        if let Outcome::Items(found) = visit.outcome {
            items.extend(found);
        }
    }
    Ok(store.save_collected(&items, &states, now).await?)
}

/// Composes the edition of `cadence` for `slot`, with what it leaves out.
pub(super) async fn compose(
    config: &Config,
    store: &Store,
    cadence: &Cadence,
    slot: DateTime<Utc>,
    window: Window,
    now: DateTime<Utc>,
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
    add_articles(config, &mut edition).await?;
    add_pictures(config, &mut edition).await?;
    edition.blocks = blocks(config, store, &edition, now).await?;
    Ok((edition, composition.left_out))
}

/// What a picture may have that is loaded with a mail as it is; a proxy can make it smaller.
const PICTURE_BYTES: u64 = 1_000_000;

/// Gives the first story of each section its picture, where the publisher wants pictures and it is there.
async fn add_pictures(config: &Config, edition: &mut Edition) -> anyhow::Result<()> {
    let max_bytes = match config.theme.images {
        Images::None => return Ok(()),
        Images::Linked => PICTURE_BYTES,
        Images::Proxied(_) => config.collect.max_bytes,
    };
    let address = |story: &Story| story.lead.image.as_deref()?.parse::<url::Url>().ok();
    let firsts = || {
        let sections = edition.sections.iter();
        sections.filter_map(|section| section.stories.first())
    };
    let urls: BTreeSet<_> = firsts().filter_map(address).collect();
    if urls.is_empty() {
        return Ok(());
    }
    let urls = urls.into_iter().collect();
    let pictures = collect::find_pictures(urls, &config.collect, max_bytes, wall()).await?;
    for section in &mut edition.sections {
        if let Some(story) = section.stories.first_mut() {
            story.picture = address(story).and_then(|url| pictures.get(&url).cloned());
        }
    }
    Ok(())
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

/// How far back words are counted, and how much at a time: a day, as a word that many a day have is rare in an hour.
const COUNTED_BACK: TimeDelta = TimeDelta::days(14);
const COUNTED_AT_A_TIME: TimeDelta = TimeDelta::days(1);

/// Counts the words of the items of each day that is over since the last time, for the editions to come.
async fn learn_vocabulary(
    config: &Config,
    store: &Store,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    // A pretended time is not to keep words from being counted when it is over.
    let now = now.min(wall());
    let earliest = now - COUNTED_BACK;
    let counted = store.vocabulary_until().await?;
    let mut since = counted.map_or(earliest, |counted| counted.max(earliest));
    while since + COUNTED_AT_A_TIME <= now {
        let until = since + COUNTED_AT_A_TIME;
        let window = Window { since, until };
        let items = store.list_items(&config.news_feeds(), window).await?;
        let languages = config.rank.languages.clone();
        let counting = tokio::task::spawn_blocking(move || rank::vocabulary(&items, &languages));
        let counted = counting.await.context("counting words")?;
        store.extend_vocabulary(&counted, window).await?;
        since = until;
    }
    Ok(())
}

/// A summary shorter than this, in characters, says no more than its headline.
const SHORT: usize = 120;

/// Completes the leads of `edition` that come from feeds with headlines only by what their pages say.
async fn add_articles(config: &Config, edition: &mut Edition) -> anyhow::Result<()> {
    let wanted: HashSet<_> = config
        .feeds
        .iter()
        .filter(|feed| feed.article_pages)
        .map(|feed| &feed.key)
        .collect();
    let address = |item: &Item| {
        let is_wanted = item.summary.chars().count() < SHORT
            && item.feeds.iter().any(|feed| wanted.contains(feed));
        item.url
            .as_deref()
            .filter(|_| is_wanted)
            .and_then(|url| url.parse::<url::Url>().ok())
    };
    let leads = || {
        edition
            .sections
            .iter()
            .flat_map(|section| &section.stories)
            .map(|story| &story.lead)
    };
    let urls: BTreeSet<_> = leads().filter_map(address).collect();
    if urls.is_empty() {
        return Ok(());
    }
    let articles =
        collect::fetch_articles(urls.into_iter().collect(), &config.collect, wall()).await?;
    for story in edition
        .sections
        .iter_mut()
        .flat_map(|section| &mut section.stories)
    {
        if let Some(article) = address(&story.lead).and_then(|url| articles.get(&url)) {
            story
                .lead
                .complete(&article.text, article.image.as_deref(), article.date());
        }
    }
    Ok(())
}

fn empty_edition(
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

/// Stores the edition with its deliveries. `blind` says that no feed could be read: then an empty edition
/// is no quiet day but a broken line, and the next run decides.
async fn publish(store: &Store, edition: &Edition, blind: bool) -> anyhow::Result<Decision> {
    let quiet = edition.sections.is_empty();
    if quiet && blind {
        return Ok(Decision::Postponed { slot: edition.slot });
    }
    let state = if quiet {
        EditionState::Quiet
    } else {
        EditionState::Published
    };
    Ok(match store.publish(edition, state, wall()).await? {
        Published::Before => Decision::NotDue { next: None },
        Published::Now(_) if quiet => Decision::Quiet { slot: edition.slot },
        Published::Now(deliveries) => Decision::Published {
            edition: edition.id.clone(),
            stories: edition.story_count(),
            deliveries,
        },
    })
}

/// Sends what is due, of this edition or of an earlier one; `None` when nothing is.
async fn send_due(
    config: &Config,
    store: &Store,
    mailer: &Mailer,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<Option<Delivered>> {
    let due = store.count_due(wall()).await?;
    if due == 0 {
        return Ok(None);
    }
    let bar = bar("Sending", due);
    let job = Job {
        store,
        mailer,
        newsletter: &config.newsletter,
        retry_for: config.delivery.retry_for,
        render: |edition: &Edition, audience: &_| {
            render::digest(&config.newsletter, &config.theme, edition, audience)
        },
        wall,
        stop,
    };
    let delivered = deliver::deliver(&job, || bar.inc(1)).await;
    bar.finish_and_clear();
    delivered.map(Some)
}

/// The way out that the configuration names, with its password.
pub(super) fn mailer(config: &Config) -> anyhow::Result<Mailer> {
    let password = match &config.delivery.mailer {
        MailerOptions::Smtp(options) if options.user.is_some() => Some(
            secret("TIDINGS_SMTP_PASSWORD", options.password_file.as_deref())
                .context("the password for the mail server")?,
        ),
        _ => None,
    };
    Mailer::new(&config.delivery.mailer, password)
}

/// What would go out at `now`: the due edition of `cadence`, or the one that would be if it ticked now.
pub(super) async fn upcoming(
    config: &Config,
    store: &Store,
    cadence: &Cadence,
    now: DateTime<Utc>,
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
    compose(config, store, cadence, slot, window, now).await
}
