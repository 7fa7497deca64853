//! Rank: items in, sections out. Pure and deterministic: the same items, memory, topics and window give the same sections,
//! in whatever order the items come.
//!
//! | file | says |
//! |-|-|
//! | `language`, `terms`, `rarity` | what language a text is in, its words as comparable terms, how rare they are at large |
//! | `keyword`, `topic` | where keywords stand; how well items belong to topics |
//! | `vocabulary`, `texts`, `rows` | what words are usual here; documents as vectors; their memory |
//! | `copies`, `story` | which items repeat another one; which report the same event |
//! | `update` | what is news in a story that readers know |
//! | `interest`, `score`, `pick` | what readers discuss; what a story weighs; which stories are shown |
//! | `similarity`, `follow` | how alike two texts are; “more like this” |
//!
//! [`compose`] here is the sentence that these make.

mod copies;
mod follow;
mod interest;
mod keyword;
mod language;
mod options;
mod pick;
mod rarity;
mod rows;
mod score;
mod similarity;
mod story;
mod terms;
mod texts;
mod topic;
mod update;
mod vocabulary;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

pub use follow::{Query, Searched};
pub use interest::Interest;
pub use language::Tongue;
pub use options::{Options, Policy, Weights};
pub use similarity::Similarity;
pub use terms::terms;
pub use vocabulary::vocabulary;

use crate::model::{
    Composition, Item, ItemKey, LeftOut, Mailed, Memory, Reason, Score, Section, Story, Topic,
    Update, Vocabulary, Window,
};
use score::{Scorer, usual_comments};
use terms::Batch;
use texts::Texts;
use topic::Relevance;
use update::Report;

/// Picks the stories of an edition.
///
/// A story stands in one section only: that of the topic which its best report matches best, the first of the configuration
/// where two match alike. What `memory` says was shown comes back only with real news.
pub fn compose(
    mut items: Vec<Item>,
    memory: &Memory,
    topics: &[Topic],
    window: Window,
    options: &Options,
) -> Composition {
    items.sort_by(|a, b| {
        let by_time = (a.published, &a.key).cmp(&(b.published, &b.key));
        by_time.then_with(|| (&a.title, &a.summary).cmp(&(&b.title, &b.summary)))
    });
    let mut seen = HashSet::new();
    items.retain(|item| seen.insert(item.key.clone()));
    let shown = last_shown(memory);
    let mut reasons: Vec<Option<Reason>> = items
        .iter()
        .map(|item| refused_at_once(item, &shown, options))
        .collect();
    for item in &mut items {
        item.mark = item
            .mark
            .filter(|mark| options.policy(*mark) != Policy::Keep);
    }

    let mut entrants = entrants(&items, &reasons, &shown);
    let all: Vec<&Item> = entrants.iter().map(|entrant| entrant.item).collect();
    let mut batch = Batch::read(all.iter().copied(), &options.languages);
    topic::relevance(&mut batch, &all, topics, |topic, relevance| {
        for (entrant, relevance) in entrants.iter_mut().zip(relevance) {
            entrant.consider(topic, topics, relevance, options.floor);
        }
    });
    let subjects = keyword::terms(&mut batch, topics);
    let texts = Texts::of(&batch, &memory.vocabulary, &subjects);

    let mut scorer = Scorer {
        options,
        window,
        interest: Interest::of(&memory.votes),
        usual_comments: usual_comments(
            memory
                .votes
                .iter()
                .map(|vote| vote.count)
                .chain(all.iter().filter_map(|item| item.comments)),
        ),
    };
    let mut drafts: Vec<Vec<Draft<'_>>> = topics.iter().map(|_| Vec::new()).collect();
    let mut groups = groups(&texts, &batch, &entrants);
    while let Some(mut group) = groups.pop() {
        let Some(best) = best_topic(&entrants, &group) else {
            continue;
        };
        // What the topic keeps out can be a story of another one.
        let kept_out = |place: &usize| entrants[*place].kept_out.contains(&best.topic);
        let others: Vec<usize> = group.extract_if(.., |place| kept_out(place)).collect();
        if !others.is_empty() {
            groups.push(others);
        }
        match draft(&batch, &entrants, &group, best, &mut scorer) {
            Drafted::Story(draft) => drafts[draft.topic].push(draft),
            Drafted::Known { at, story } => {
                for place in group {
                    if let Origin::New(index) = entrants[place].origin
                        && entrants[place].wanted.is_some()
                    {
                        let story = Some(story.to_owned());
                        reasons[index] = Some(Reason::Shown { at, story });
                    }
                }
            }
        }
    }
    let mailed: Vec<usize> = (0..entrants.len())
        .filter(|place| matches!(entrants[*place].origin, Origin::Mailed(_)))
        .collect();
    let picked = pick::pick(drafts, topics, &texts, &batch, &mailed, options);
    for draft in &picked.left_out {
        draft.give_reasons(topics, &mut reasons);
    }
    for entrant in &entrants {
        if let Origin::New(index) = entrant.origin {
            let reason = &mut reasons[index];
            if reason.is_none() && entrant.wanted.is_none() {
                *reason = Some(
                    entrant
                        .refusal
                        .clone()
                        .map_or(Reason::NoTopic, |(_, reason)| reason),
                );
            }
        }
    }
    let sections = sections(topics, picked.sections);
    let left_out = left_out(items, reasons, &sections);
    Composition { sections, left_out }
}

/// How well each of `items` matches each of `topics`, from 0 to 1, as [`compose`] sees it before it asks for evidence.
pub fn relevance(items: &[Item], topics: &[Topic], languages: &[Tongue]) -> Vec<Vec<f64>> {
    let all: Vec<&Item> = items.iter().collect();
    let mut batch = Batch::read(items.iter(), languages);
    let mut values = Vec::with_capacity(topics.len());
    topic::relevance(&mut batch, &all, topics, |_, relevance| {
        values.push(relevance.iter().map(|relevance| relevance.value).collect());
    });
    values
}

/// Which of `items` report the same event, as [`compose`] sees it before it knows what topics look for: lists of places, each in
/// the order of time.
pub fn stories(items: &[Item], vocabulary: &Vocabulary, languages: &[Tongue]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|a, b| {
        (items[*a].published, &items[*a].key).cmp(&(items[*b].published, &items[*b].key))
    });
    let batch = Batch::read(order.iter().map(|place| &items[*place]), languages);
    let texts = Texts::of(&batch, vocabulary, &HashSet::new());
    let places: Vec<usize> = (0..items.len()).collect();
    let mut stories = fold_and_cluster(&texts, &batch, &places, |a, b| {
        same_outlet(&items[order[a]], &items[order[b]])
    });
    stories
        .iter_mut()
        .flatten()
        .for_each(|place| *place = order[*place]);
    stories
}

/// An item that takes part in the search for stories.
struct Entrant<'a> {
    item: &'a Item,
    origin: Origin,
    wanted: Option<Wanted>,
    /// The topics that exclude it, or whose required words it lacks.
    kept_out: Vec<usize>,
    /// Why the topic that it matches best does not want it, and how well it matches.
    refusal: Option<(f64, Reason)>,
}

/// Where an entrant comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Of this window; its place among the items.
    New(usize),
    /// Readers have seen it, in the edition that ended then.
    Mailed(DateTime<Utc>),
}

/// A topic's interest in an item.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    /// The place of the topic in the configuration.
    topic: usize,
    relevance: f64,
}

impl Entrant<'_> {
    /// Takes note of what a topic says about it.
    fn consider(&mut self, place: usize, topics: &[Topic], relevance: &Relevance, floor: f64) {
        if matches!(self.origin, Origin::Mailed(_)) {
            return;
        }
        if relevance.excluded.is_some() || relevance.lacking.is_some() && relevance.belongs {
            self.kept_out.push(place);
        }
        if !relevance.belongs {
            return;
        }
        let topic = &topics[place];
        let title = || topic.title.clone();
        let value = relevance.value;
        let refusal = if let Some(which) = relevance.excluded {
            let word = topic.exclude[which].written.clone();
            Reason::Excluded {
                topic: title(),
                word,
            }
        } else if let Some(which) = relevance.lacking {
            let word = topic.keywords[which].written.clone();
            Reason::Lacks {
                topic: title(),
                word,
            }
        } else if value < floor && !relevance.assigned && !topic.keywords.is_empty() {
            let percent = (value * 100.0).round() as u32;
            Reason::BelowFloor {
                topic: title(),
                percent,
            }
        } else {
            if self.wanted.is_none_or(|wanted| value > wanted.relevance) {
                self.wanted = Some(Wanted {
                    topic: place,
                    relevance: value,
                });
            }
            return;
        };
        if self.refusal.as_ref().is_none_or(|(best, _)| value > *best) {
            self.refusal = Some((value, refusal));
        }
    }

    /// Whether it may stand beside the reports of a story: everything but what a topic keeps out and none wants.
    fn may_join(&self) -> bool {
        self.wanted.is_some() || self.kept_out.is_empty()
    }
}

/// The items that readers have seen, each as shown last.
fn last_shown(memory: &Memory) -> HashMap<&ItemKey, &Mailed> {
    let mut shown: HashMap<&ItemKey, &Mailed> = HashMap::new();
    for mailed in &memory.mailed {
        let latest = shown.entry(&mailed.item.key).or_insert(mailed);
        if mailed.at > latest.at {
            *latest = mailed;
        }
    }
    shown
}

/// Why an item takes no part, whatever its words are.
fn refused_at_once(
    item: &Item,
    shown: &HashMap<&ItemKey, &Mailed>,
    options: &Options,
) -> Option<Reason> {
    if let Some(mark) = item
        .mark
        .filter(|mark| options.policy(*mark) == Policy::Drop)
    {
        return Some(Reason::Marked { mark });
    }
    let mailed = shown.get(&item.key)?;
    Some(Reason::Shown {
        at: mailed.at,
        story: None,
    })
}

/// The items that nothing is against yet and those that readers have seen, earliest first.
fn entrants<'a>(
    items: &'a [Item],
    reasons: &[Option<Reason>],
    shown: &HashMap<&ItemKey, &'a Mailed>,
) -> Vec<Entrant<'a>> {
    let known = shown
        .values()
        .map(|mailed| (&mailed.item, Origin::Mailed(mailed.at)));
    let new = items
        .iter()
        .enumerate()
        .filter(|(index, _)| reasons[*index].is_none());
    let new = new.map(|(index, item)| (item, Origin::New(index)));
    let mut entrants: Vec<Entrant<'a>> = known
        .chain(new)
        .map(|(item, origin)| Entrant {
            item,
            origin,
            wanted: None,
            kept_out: Vec::new(),
            refusal: None,
        })
        .collect();
    entrants.sort_by(|a, b| (a.item.published, &a.item.key).cmp(&(b.item.published, &b.item.key)));
    entrants
}

/// The entrants that report the same event.
fn groups(texts: &Texts, batch: &Batch, entrants: &[Entrant<'_>]) -> Vec<Vec<usize>> {
    let places: Vec<usize> = (0..entrants.len())
        .filter(|place| entrants[*place].may_join())
        .collect();
    fold_and_cluster(texts, batch, &places, |a, b| {
        caution(&entrants[a], &entrants[b])
    })
}

/// How many times more alike than others two items must be to be one story.
fn caution(a: &Entrant<'_>, b: &Entrant<'_>) -> f32 {
    /// What is taken for known is lost to the readers, which is worse than telling it twice.
    const KNOWN: f32 = 2.0;
    let is_new = |entrant: &Entrant<'_>| matches!(entrant.origin, Origin::New(_));
    let known = if is_new(a) == is_new(b) { 1.0 } else { KNOWN };
    same_outlet(a.item, b.item) * known
}

/// Two texts of one outlet are seldom about one event.
fn same_outlet(a: &Item, b: &Item) -> f32 {
    const SAME_OUTLET: f32 = 4.0;
    let same = !a.source.is_empty() && a.source == b.source;
    if same { SAME_OUTLET } else { 1.0 }
}

/// Copies fold first: a thousand of them are one report, and cost as much.
fn fold_and_cluster(
    texts: &Texts,
    batch: &Batch,
    places: &[usize],
    caution: impl Fn(usize, usize) -> f32,
) -> Vec<Vec<usize>> {
    let firsts = copies::fold(&batch.documents, places);
    let mut copies: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut distinct = Vec::new();
    for (&place, first) in places.iter().zip(firsts) {
        if first == place {
            distinct.push(place);
        } else {
            copies.entry(first).or_default().push(place);
        }
    }
    let mut stories = story::cluster(texts, batch, &distinct, caution);
    for story in &mut stories {
        let more: Vec<usize> = story
            .iter()
            .filter_map(|place| copies.remove(place))
            .flatten()
            .collect();
        story.extend(more);
        story.sort_unstable();
    }
    stories
}

/// A story before it is known whether it will be shown.
struct Draft<'a> {
    /// The place of its topic in the configuration.
    topic: usize,
    /// The lead among all entrants.
    lead: usize,
    /// Its reports, earliest first.
    reports: Vec<Draftee<'a>>,
    update: Option<Update>,
    score: Score,
}

/// A report in a draft.
struct Draftee<'a> {
    place: usize,
    /// Its place among the items.
    index: usize,
    item: &'a Item,
    /// The report whose text it repeats.
    copy_of: Option<&'a Item>,
}

impl<'a> Draft<'a> {
    fn lead_item(&self) -> &'a Item {
        let lead = self.reports.iter().find(|report| report.place == self.lead);
        lead.expect("the lead is one of the reports").item
    }

    /// Says why none of its reports is shown.
    fn give_reasons(&self, topics: &[Topic], reasons: &mut [Option<Reason>]) {
        let lead = self.lead_item();
        for report in &self.reports {
            reasons[report.index] = Some(if report.place == self.lead {
                let topic = topics[self.topic].title.clone();
                Reason::OverQuota { topic }
            } else if let Some(of) = report.copy_of {
                let of = of.title.clone();
                Reason::Copy { of }
            } else {
                let lead = lead.title.clone();
                Reason::SameStory { lead }
            });
        }
    }

    fn into_story(self) -> Story {
        let lead = self.lead_item();
        let copies = self.reports.iter().filter_map(|report| {
            let original = report.copy_of?;
            Some((report.item.key.clone(), original.key.clone()))
        });
        let others = self
            .reports
            .iter()
            .filter(|report| report.place != self.lead);
        Story {
            lead: lead.clone(),
            others: others.map(|report| report.item.clone()).collect(),
            copies: copies.collect(),
            update: self.update,
            score: self.score,
        }
    }
}

/// What comes of a group of entrants.
enum Drafted<'a> {
    /// A story.
    Story(Draft<'a>),
    /// Readers have seen it on that edition, in a report of that headline, and there is no news.
    Known { at: DateTime<Utc>, story: &'a str },
}

/// The topic that the best report of a group matches best.
fn best_topic(entrants: &[Entrant<'_>], group: &[usize]) -> Option<Wanted> {
    let wanted = group.iter().filter_map(|place| entrants[*place].wanted);
    wanted.reduce(|best, other| {
        let better = other.relevance > best.relevance
            || (other.relevance == best.relevance && other.topic < best.topic);
        if better { other } else { best }
    })
}

fn draft<'a>(
    batch: &Batch,
    entrants: &[Entrant<'a>],
    group: &[usize],
    best: Wanted,
    scorer: &mut Scorer<'_>,
) -> Drafted<'a> {
    // The publisher's own is never the copy of what an aggregator has of it.
    let mut order = group.to_vec();
    order.sort_by_key(|place| (entrants[*place].item.relayed, *place));
    let documents: Vec<_> = order.iter().map(|place| &batch.documents[*place]).collect();
    let originals = copies::within(&documents);
    let copies: HashMap<usize, usize> = order
        .iter()
        .zip(originals)
        .filter_map(|(place, original)| Some((*place, order[original?])))
        .collect();
    let mut reports = Vec::new();
    let mut known = Vec::new();
    let mut shown: Option<(DateTime<Utc>, &Item)> = None;
    for &place in group {
        let item = entrants[place].item;
        match entrants[place].origin {
            Origin::New(index) => reports.push(Draftee {
                place,
                index,
                item,
                copy_of: copies.get(&place).map(|original| entrants[*original].item),
            }),
            Origin::Mailed(at) => {
                known.push(&batch.documents[place]);
                let better = |(latest, shown): (DateTime<Utc>, &Item)| {
                    (at, item.showing()) > (latest, shown.showing())
                };
                if shown.is_none_or(better) {
                    shown = Some((at, item));
                }
            }
        }
    }
    let report = |draftee: &Draftee<'a>| Report {
        item: draftee.item,
        document: &batch.documents[draftee.place],
    };
    let tongue = scorer.options.languages.first().copied();
    let mut may_lead: Vec<&Draftee<'a>> = reports
        .iter()
        .filter(|report| entrants[report.place].wanted.is_some())
        .collect();
    let mut news = None;
    if let Some((at, item)) = shown {
        let originals = reports.iter().filter(|report| report.copy_of.is_none());
        let now: Vec<Report<'_>> = originals.map(report).collect();
        news = update::news(batch, &known, &now);
        let Some(news) = &news else {
            return Drafted::Known {
                at,
                story: &item.title,
            };
        };
        // “Update:” is to stand over a headline that tells it.
        let told: Vec<&Draftee<'a>> = may_lead
            .iter()
            .copied()
            .filter(|report| news.is_in_headline(batch, &batch.documents[report.place]))
            .collect();
        if !told.is_empty() {
            may_lead = told;
        }
    }
    let lead = lead(&may_lead, batch, tongue);
    let update = shown.zip(news).map(|((shown, _), news)| Update {
        shown,
        news: news.sentence(batch, &report(lead)),
    });
    let lead = lead.place;
    let items: Vec<&Item> = reports.iter().map(|report| report.item).collect();
    let outlets: HashSet<&str> = reports
        .iter()
        .filter(|report| report.copy_of.is_none())
        .map(|report| report.item.source.as_str())
        .collect();
    Drafted::Story(Draft {
        topic: best.topic,
        lead,
        update,
        score: scorer.score(&items, outlets.len(), best.relevance),
        reports,
    })
}

/// The report to show: one in its own words over a copy, one in the language of the newsletter over others, the publisher's own
/// over an aggregator's, free over paid, fuller over thinner; among equals the earliest.
fn lead<'r, 'a>(
    reports: &[&'r Draftee<'a>],
    batch: &Batch,
    tongue: Option<Tongue>,
) -> &'r Draftee<'a> {
    let worth = |report: &Draftee<'_>| {
        let readable = tongue.is_some() && batch.documents[report.place].tongue == tongue;
        (report.copy_of.is_none(), readable, report.item.showing())
    };
    let best = reports.iter().copied().reduce(|best, other| {
        if worth(other) > worth(best) {
            other
        } else {
            best
        }
    });
    best.expect("a topic wants one of the reports")
}

/// The sections that have a story.
fn sections(topics: &[Topic], picked: Vec<Vec<Draft<'_>>>) -> Vec<Section> {
    let filled = topics
        .iter()
        .zip(picked)
        .filter(|(_, drafts)| !drafts.is_empty());
    let section = |(topic, drafts): (&Topic, Vec<Draft<'_>>)| Section {
        topic: topic.id.clone(),
        title: topic.title.clone(),
        stories: drafts.into_iter().map(Draft::into_story).collect(),
    };
    filled.map(section).collect()
}

/// Every item that no section shows with its reason, newest first.
fn left_out(items: Vec<Item>, reasons: Vec<Option<Reason>>, sections: &[Section]) -> Vec<LeftOut> {
    let stories = sections.iter().flat_map(|section| &section.stories);
    let shown: HashSet<&ItemKey> = stories
        .flat_map(Story::items)
        .map(|item| &item.key)
        .collect();
    let rest = items
        .into_iter()
        .zip(reasons)
        .filter(|(item, _)| !shown.contains(&item.key));
    let left_out = rest.map(|(item, reason)| LeftOut {
        item,
        reason: reason.unwrap_or(Reason::NoTopic),
    });
    left_out.rev().collect()
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;
