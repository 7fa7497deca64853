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
//! | `entrant`, `draft` | the items that take part; what comes of a group of them |
//! | `interest`, `score`, `pick` | what readers discuss; what a story weighs; which stories are shown |
//! | `similarity`, `follow` | how alike two texts are; “more like this” |
//!
//! [`compose`] here is the sentence that these make.

mod copies;
mod draft;
mod entrant;
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

pub use follow::{Query, Searched, news};
pub use interest::Interest;
pub use language::Tongue;
pub use options::{Options, Policy, Weights};
pub use similarity::Similarity;
pub use terms::{index_terms, plain_terms, search_terms, terms};
pub use vocabulary::vocabulary;

use crate::model::{
    Composition, Item, ItemKey, LeftOut, Memory, Reason, Section, Story, Topic, Vocabulary, Window,
};
use draft::{Draft, Drafted, best_topic, draft};
use entrant::{Entrant, Origin, caution, entrants, last_shown, refused_at_once, same_outlet};
use score::{Scorer, usual_comments};
use terms::Batch;
use texts::Texts;

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

/// The entrants that report the same event.
fn groups(texts: &Texts, batch: &Batch, entrants: &[Entrant<'_>]) -> Vec<Vec<usize>> {
    let places: Vec<usize> = (0..entrants.len())
        .filter(|place| entrants[*place].may_join())
        .collect();
    fold_and_cluster(texts, batch, &places, |a, b| {
        caution(&entrants[a], &entrants[b])
    })
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
