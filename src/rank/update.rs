//! When there is news in what readers know already.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::language::Tongue;
use super::terms::{Batch, Document, TermId, terms};
use crate::model::{Item, Update, sentence_ends};

/// News is what so many outlets say now that nobody said before: one alone may just tell it in other words.
const OUTLETS: usize = 2;

/// So many terms must be new and common to them, one of them in a headline, and as rare together as this.
const TERMS: usize = 2;
const RARITY: f32 = 1.6;

/// A report of a story that readers know.
pub(super) struct Report<'a> {
    pub(super) item: &'a Item,
    pub(super) document: &'a Document,
}

/// What is new in the reports `now`, after readers have seen the story as told in `before` on the edition that ended at
/// `shown`; `None` when nothing is. A copy is no report.
pub(super) fn update(
    batch: &Batch,
    before: &[&Document],
    now: &[Report<'_>],
    shown: DateTime<Utc>,
) -> Option<Update> {
    let known: BTreeSet<TermId> = before
        .iter()
        .flat_map(|document| document.weights(&batch.lexicon))
        .map(|(term, _)| term)
        .collect();
    let mut outlets: BTreeMap<TermId, BTreeSet<&str>> = BTreeMap::new();
    let mut rarity: BTreeMap<TermId, f32> = BTreeMap::new();
    let mut headlines: BTreeSet<TermId> = BTreeSet::new();
    for report in now {
        for (words, is_title) in [
            (&report.document.title, true),
            (&report.document.lead, false),
        ] {
            for id in words {
                let word = batch.lexicon.word(*id);
                for term in word.terms.iter().filter(|term| !known.contains(term)) {
                    outlets
                        .entry(*term)
                        .or_default()
                        .insert(&report.item.source);
                    rarity.insert(*term, word.rarity);
                    if is_title {
                        headlines.insert(*term);
                    }
                }
            }
        }
    }
    let mut news: BTreeMap<TermId, f32> = BTreeMap::new();
    for (term, outlets) in &outlets {
        // Words that any text has are no news.
        if outlets.len() >= OUTLETS && rarity[term] >= 0.4 {
            news.insert(*term, rarity[term]);
        }
    }
    let enough = news.len() >= TERMS
        && news.values().sum::<f32>() >= RARITY
        && news.keys().any(|term| headlines.contains(term));
    enough.then(|| Update {
        shown,
        news: telling_sentence(batch, now, &news),
    })
}

/// The sentence with the most news for its length; empty when no text has any.
fn telling_sentence(batch: &Batch, reports: &[Report<'_>], news: &BTreeMap<TermId, f32>) -> String {
    let news: BTreeMap<&str, f32> = news
        .iter()
        .map(|(term, rarity)| (batch.lexicon.term(*term), *rarity))
        .collect();
    let (mut most, mut best) = (0.0, "");
    for report in reports {
        let tag = report.document.tongue.map_or("", Tongue::tag);
        let text = report.item.summary.as_str();
        let mut start = 0;
        for end in sentence_ends(text) {
            let sentence = text[start..end].trim();
            start = end;
            let words = terms(sentence, tag);
            let distinct: BTreeSet<&str> = words.iter().map(String::as_str).collect();
            let told: f32 = distinct.iter().filter_map(|term| news.get(term)).sum();
            let worth = told / (words.len() as f32 + 10.0);
            if worth > most {
                (most, best) = (worth, sentence);
            }
        }
    }
    best.to_owned()
}
