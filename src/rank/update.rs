//! When there is news in what readers know already.

use std::collections::{BTreeMap, BTreeSet};

use super::language::Tongue;
use super::terms::{Batch, Document, TermId, terms};
use crate::model::{Item, sentence_ends};

/// News is what so many outlets say now that nobody said before: one alone may just tell it in other words.
const OUTLETS: usize = 2;

/// So many terms must be new and common to them, one of them in a headline, and as rare together as this.
const TERMS: usize = 2;
const RARITY: f32 = 1.6;

/// Words that any text has are no news.
const TELLING: f32 = 0.45;

/// One of them must be a name or as rare as one: others are what rewording brings.
const NAME: f32 = 0.75;

/// A report of a story that readers know.
pub(super) struct Report<'a> {
    pub(super) item: &'a Item,
    pub(super) document: &'a Document,
}

/// The terms that are new in a story, each with how rare it is.
pub(super) struct News(BTreeMap<TermId, f32>);

/// What is new in the reports `now`, after readers have seen the story as told in `before`; `None` when nothing is. A copy is
/// no report, and neither is one in a language that nobody told it in before: all its words would be new.
pub(super) fn news(batch: &Batch, before: &[&Document], now: &[Report<'_>]) -> Option<News> {
    let known: BTreeSet<TermId> = before
        .iter()
        .flat_map(|document| document.weights(&batch.lexicon))
        .map(|(term, _)| term)
        .collect();
    let mut outlets: BTreeMap<TermId, (BTreeSet<&str>, f32)> = BTreeMap::new();
    let mut headlines: BTreeSet<TermId> = BTreeSet::new();
    for Report { item, document } in now {
        let told_before = before.iter().any(|before| before.tongue == document.tongue);
        if document.tongue.is_none() || !told_before {
            continue;
        }
        for (words, is_title) in [(&document.title, true), (&document.lead, false)] {
            for id in words {
                let word = batch.lexicon.word(*id);
                for term in word.terms.iter().filter(|term| !known.contains(term)) {
                    let (outlets, rarity) = outlets.entry(*term).or_default();
                    outlets.insert(&item.source);
                    *rarity = word.rarity;
                    if is_title {
                        headlines.insert(*term);
                    }
                }
            }
        }
    }
    let new = outlets
        .into_iter()
        .filter(|(_, (outlets, rarity))| outlets.len() >= OUTLETS && *rarity >= TELLING);
    let news: BTreeMap<TermId, f32> = new.map(|(term, (_, rarity))| (term, rarity)).collect();
    let enough = news.len() >= TERMS
        && news.values().sum::<f32>() >= RARITY
        && news.values().any(|rarity| *rarity >= NAME)
        && news.keys().any(|term| headlines.contains(term));
    enough.then_some(News(news))
}

impl News {
    /// Whether the headline of a report tells some of it.
    pub(super) fn is_in_headline(&self, batch: &Batch, document: &Document) -> bool {
        let mut terms = document
            .title
            .iter()
            .flat_map(|id| &batch.lexicon.word(*id).terms);
        terms.any(|term| self.0.contains_key(term))
    }

    /// The sentence of a report with the most news for its length; empty when none has any.
    pub(super) fn sentence(&self, batch: &Batch, report: &Report<'_>) -> String {
        let news: BTreeMap<&str, f32> = self
            .0
            .iter()
            .map(|(term, rarity)| (batch.lexicon.term(*term), *rarity))
            .collect();
        let tag = report.document.tongue.map_or("", Tongue::tag);
        let text = report.item.summary.as_str();
        let (mut most, mut best, mut start) = (0.0, "", 0);
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
        best.to_owned()
    }
}
