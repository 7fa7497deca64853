//! How well items belong to topics.
//!
//! Two questions are kept apart. Whether an item *can* belong is answered by its keywords alone: people must be able to
//! tell from the configuration. How well it belongs takes the day's best matches into account (pseudo relevance feedback,
//! Rocchio 1971; the weights are those of the Kullback–Leibler divergence, Carpineto et al. 2001): an item that has a
//! keyword but shares nothing with the others of the topic mentions it in passing.

use std::collections::HashSet;

use super::copies;
use super::keyword::{self, Hit};
use super::rows::Rows;
use super::terms::{Batch, TermId, sum_neighbours};
use crate::model::{FeedKey, Item, Keyword, Topic};

/// Less evidence than this is none: one keyword inside a longer word of the lead is too little, one in the lead is enough.
const LEAST_EVIDENCE: f32 = 0.25;

/// The feed says that the item belongs.
const ASSIGNED: f32 = 0.5;

/// What a topic without keywords takes, takes it for want of a better one.
const CATCH_ALL: f64 = 0.01;

/// BM25 (Robertson and Zaragoza 2009), with little weight on length: items are short.
const K: f32 = 1.2;
const B: f32 = 0.5;

/// A keyword that most items have tells little about them, but never less than this.
const LEAST_WEIGHT: f32 = 0.4;

/// What a direct match weighs against the likeness with the best matches.
const DIRECT: f32 = 0.25;

/// Feedback comes from this many best matches, at least `FEW`, and from no more than half of all items: what all have tells
/// none apart.
const BEST: usize = 40;
const FEW: usize = 5;

/// A match as good as one keyword in a lead, at least.
const GOOD_MATCH: f32 = 0.06;

/// It takes this many terms.
const FEEDBACK_TERMS: usize = 300;

const ROUNDS: usize = 2;

/// Likeness beyond this adds nothing.
const MOST_LIKE: f32 = 2.0;

/// What a topic says about an item.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Relevance {
    /// How well the item matches, from 0 to 1.
    pub(super) value: f64,
    /// Whether there is enough evidence in its keywords or feeds.
    pub(super) belongs: bool,
    /// Whether one of its feeds is of the topic, whatever its words are.
    pub(super) assigned: bool,
    /// Which of the topic's excluded words it has.
    pub(super) excluded: Option<usize>,
    /// Which of the topic's required words it lacks.
    pub(super) lacking: Option<usize>,
}

/// Calls `each` with each topic's place and what it says about each item, in the order of the items.
pub(super) fn relevance(
    batch: &mut Batch,
    items: &[&Item],
    topics: &[Topic],
    mut each: impl FnMut(usize, &[Relevance]),
) {
    let keywords: Vec<&Keyword> = topics
        .iter()
        .flat_map(|topic| topic.keywords.iter().chain(&topic.exclude))
        .collect();
    let hits = keyword::find(batch, items, &keywords);
    let index = Index::of(batch);
    let mut rest = hits.as_slice();
    let mut relevance = Vec::new();
    for (place, topic) in topics.iter().enumerate() {
        let (of_keywords, others) = rest.split_at(topic.keywords.len());
        let (of_excluded, others) = others.split_at(topic.exclude.len());
        rest = others;
        relevance.clear();
        relevance.resize(items.len(), Relevance::default());
        rate(
            &index,
            items,
            topic,
            of_keywords,
            of_excluded,
            &mut relevance,
        );
        each(place, &relevance);
    }
}

fn rate(
    index: &Index,
    items: &[&Item],
    topic: &Topic,
    hits: &[Vec<Hit>],
    excluded: &[Vec<Hit>],
    relevance: &mut [Relevance],
) {
    let feeds: HashSet<&FeedKey> = topic.feeds.iter().collect();
    let assigned: Vec<bool> = items
        .iter()
        .map(|item| item.feeds.iter().any(|feed| feeds.contains(feed)))
        .collect();
    for (relevance, assigned) in relevance.iter_mut().zip(&assigned) {
        relevance.assigned = *assigned;
    }
    if topic.keywords.is_empty() {
        for (relevance, assigned) in relevance.iter_mut().zip(&assigned) {
            relevance.belongs = topic.feeds.is_empty() || *assigned;
            relevance.value = CATCH_ALL;
        }
    } else {
        let mut doubt: Vec<f32> = assigned
            .iter()
            .map(|assigned| if *assigned { 1.0 - ASSIGNED } else { 1.0 })
            .collect();
        let mut direct: Vec<f32> = assigned
            .iter()
            .map(|assigned| if *assigned { 1.0 } else { 0.0 })
            .collect();
        for hits in hits {
            let weight = index.keyword_weight(hits.len());
            for hit in hits {
                doubt[hit.item] *= 1.0 - hit.worth;
                direct[hit.item] += weight * index.saturated(hit.times, hit.item);
            }
        }
        let likeness = index.feedback(&direct);
        for (place, relevance) in relevance.iter_mut().enumerate() {
            let evidence = 1.0 - doubt[place];
            let like = likeness
                .as_ref()
                .map_or(evidence, |likeness| likeness[place].min(MOST_LIKE));
            let score = DIRECT * direct[place] + like;
            relevance.belongs = evidence >= LEAST_EVIDENCE;
            relevance.value = f64::from(1.0 - (-1.5 * score).exp());
        }
    }
    for (which, (keyword, hits)) in topic.keywords.iter().zip(hits).enumerate() {
        if keyword.required {
            let mut has = vec![false; items.len()];
            hits.iter().for_each(|hit| has[hit.item] = true);
            for (relevance, _) in relevance.iter_mut().zip(&has).filter(|(_, has)| !**has) {
                relevance.lacking.get_or_insert(which);
            }
        }
    }
    for (which, hits) in excluded.iter().enumerate() {
        for hit in hits.iter().filter(|hit| hit.whole) {
            relevance[hit.item].excluded.get_or_insert(which);
        }
    }
}

/// The terms of the items and the items of the terms.
struct Index {
    /// The terms of each item, each with how often it occurs.
    documents: Rows<TermId>,
    /// The items that have each term.
    postings: Rows<u32>,
    /// The length of each item as a share of the average.
    lengths: Vec<f32>,
    /// Whether each item repeats the text of an earlier one: a thousand of them are one match.
    copies: Vec<bool>,
}

impl Index {
    fn of(batch: &Batch) -> Self {
        let mut documents = Rows::with_capacity(batch.documents.len());
        for document in &batch.documents {
            documents.push(document.occurrences(&batch.lexicon).into_iter());
        }
        let mut lengths: Vec<f32> = documents
            .iter()
            .map(|document| document.iter().map(|(_, times)| times).sum())
            .collect();
        let average = (lengths.iter().sum::<f32>() / lengths.len().max(1) as f32).max(1.0);
        lengths.iter_mut().for_each(|length| *length /= average);
        let places: Vec<usize> = (0..batch.documents.len()).collect();
        let firsts = copies::fold(&batch.documents, &places);
        Self {
            copies: firsts
                .into_iter()
                .zip(places)
                .map(|(first, place)| first != place)
                .collect(),
            postings: documents.by_term(batch.lexicon.term_count()),
            documents,
            lengths,
        }
    }

    /// How much a keyword tells that so many items have: the inverse document frequency, about 1 for a rare one.
    fn keyword_weight(&self, holders: usize) -> f32 {
        let (count, holders) = (self.documents.len() as f32, holders as f32);
        let rarity = (1.0 + (count - holders + 0.5) / (holders + 0.5)).ln();
        (1.3 * rarity / (count + 1.0).ln()).clamp(LEAST_WEIGHT, 1.0)
    }

    fn saturated(&self, times: f32, item: usize) -> f32 {
        times * (K + 1.0) / (times + K * (1.0 - B + B * self.lengths[item]))
    }

    /// How much each item is like the best matches, 1 for one like these are among themselves. `None` when there are too few
    /// of them, or so many that they are like everything.
    fn feedback(&self, direct: &[f32]) -> Option<Vec<f32>> {
        let mut scores: Vec<f32> = direct.iter().map(|direct| DIRECT * direct).collect();
        let mut likeness = vec![0.0; scores.len()];
        for _ in 0..ROUNDS {
            let best = self.best_matches(&scores);
            if best.len() < FEW || best.len() * 2 > scores.len() {
                return None;
            }
            let profile = self.profile(&best);
            likeness.fill(0.0);
            for (term, weight) in profile {
                for (item, times) in self.postings.row(term.index()) {
                    likeness[*item as usize] += weight * self.saturated(*times, *item as usize);
                }
            }
            let total: f32 = best.iter().map(|(_, score)| score).sum();
            let typical: f32 = best
                .iter()
                .map(|(item, score)| score / total * likeness[*item])
                .sum();
            if typical <= 0.0 {
                return None;
            }
            for ((score, like), direct) in scores.iter_mut().zip(&mut likeness).zip(direct) {
                *like /= typical;
                *score = DIRECT * direct + like.min(MOST_LIKE);
            }
        }
        Some(likeness)
    }

    /// What the best matches have more often than all items do, heaviest first.
    fn profile(&self, best: &[(usize, f32)]) -> Vec<(TermId, f32)> {
        let total: f32 = best.iter().map(|(_, score)| score).sum();
        let mut shares: Vec<(TermId, f32)> = Vec::new();
        for (item, score) in best {
            shares.extend(
                self.documents
                    .row(*item)
                    .iter()
                    .map(|(term, _)| (*term, score / total)),
            );
        }
        shares.sort_by_key(|(term, _)| *term);
        sum_neighbours(&mut shares);
        let count = self.documents.len() as f32;
        let mut profile: Vec<(TermId, f32)> = shares
            .into_iter()
            .filter_map(|(term, share)| {
                let holders = self.postings.row(term.index()).len();
                let usual = holders as f32 / count;
                (holders > 1 && share > usual).then(|| (term, share * (share / usual).ln()))
            })
            .collect();
        profile.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        profile.truncate(FEEDBACK_TERMS);
        profile
    }

    /// The best matches and their scores, best first.
    fn best_matches(&self, scores: &[f32]) -> Vec<(usize, f32)> {
        let mut best: Vec<(usize, f32)> = scores
            .iter()
            .copied()
            .enumerate()
            .filter(|(item, _)| !self.copies[*item])
            .filter(|(_, score)| *score >= GOOD_MATCH)
            .collect();
        let order = |a: &(usize, f32), b: &(usize, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if best.len() > BEST {
            best.select_nth_unstable_by(BEST, order);
            best.truncate(BEST);
        }
        best.sort_unstable_by(order);
        best
    }
}
