//! “More like this”: a standing query made from a story.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::language::Tongue;
use super::rows::Rows;
use super::terms::Batch;
use crate::model::Item;

/// How many terms of a story take part, the heaviest.
const TERMS: usize = 40;

/// The saturation of repeated terms and the share of the text's length, as in BM25 (Robertson and Zaragoza 2009). Items are short,
/// so their length says little.
const K: f32 = 1.2;
const B: f32 = 0.3;

/// What is looked for: terms, each with how rare it is and in what share of the story's reports it occurs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Query(BTreeMap<String, f32>);

impl Query {
    /// A query for what `reports` are about: the reports of one story, or a single item.
    pub fn like<'a>(reports: impl ExactSizeIterator<Item = &'a Item>, expected: &[Tongue]) -> Self {
        let count = reports.len() as f32;
        let Batch { documents, lexicon } = Batch::read(reports, expected);
        let mut weights: HashMap<&str, f32> = HashMap::new();
        for document in &documents {
            for (term, weight) in document.weights(&lexicon) {
                *weights.entry(lexicon.term(term)).or_default() += weight / count;
            }
        }
        let mut heaviest: Vec<(&str, f32)> = weights.into_iter().collect();
        heaviest.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
        heaviest.truncate(TERMS);
        Self(
            heaviest
                .into_iter()
                .map(|(term, weight)| (term.to_owned(), weight))
                .collect(),
        )
    }
}

/// Items that queries search.
pub struct Searched {
    batch: Batch,
    /// For each term, the documents that have it, each with how often.
    postings: Rows<u32>,
    lengths: Vec<f32>,
    average: f32,
}

impl Searched {
    /// Reads `items`. `expected` are the languages of those whose feeds do not tell.
    pub fn of<'a>(items: impl Iterator<Item = &'a Item>, expected: &[Tongue]) -> Self {
        let batch = Batch::read(items, expected);
        let mut occurrences = Rows::with_capacity(batch.documents.len());
        for document in &batch.documents {
            occurrences.push(document.occurrences(&batch.lexicon).into_iter());
        }
        let postings = occurrences.by_term(batch.lexicon.term_count());
        let lengths: Vec<f32> = occurrences
            .iter()
            .map(|terms| terms.iter().map(|(_, count)| count).sum())
            .collect();
        let average = lengths.iter().sum::<f32>() / (lengths.len() as f32).max(1.0);
        Self {
            batch,
            postings,
            lengths,
            average: average.max(1.0),
        }
    }

    /// How well each item answers `query`: 0 for not at all, without an upper bound.
    pub fn scores(&self, query: &Query) -> Vec<f32> {
        let mut scores = vec![0.0; self.lengths.len()];
        let count = self.lengths.len() as f32;
        for (term, weight) in &query.0 {
            let Some(id) = self.batch.lexicon.find_term(term) else {
                continue;
            };
            let postings = self.postings.row(id.index());
            let holders = postings.len() as f32;
            let rarity = (1.0 + (count - holders + 0.5) / (holders + 0.5)).ln();
            for (place, times) in postings {
                let length = 1.0 - B + B * self.lengths[*place as usize] / self.average;
                scores[*place as usize] +=
                    weight * rarity * times * (K + 1.0) / (times + K * length);
            }
        }
        scores
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rank::fixtures::item;

    #[test]
    fn a_query_made_from_a_story_finds_what_it_is_about() {
        let story = [
            item("Nordlicht stellt Sprachmodell Polaris vor", "de"),
            item("Polaris: Nordlichts neues Sprachmodell", "de"),
        ];
        let query = Query::like(story.iter(), &[]);
        let later = [
            item("Wie man Pilze sammelt", "de"),
            item("Polaris von Nordlicht im Test", "de"),
            item("Ein anderes Sprachmodell", "de"),
            item("", "de"),
        ];
        let scores = Searched::of(later.iter(), &[]).scores(&query);
        assert!(scores[1] > scores[2] && scores[2] > 0.0, "{scores:?}");
        assert_eq!((scores[0], scores[3]), (0.0, 0.0));
        let stored = serde_json::to_string(&query).unwrap();
        assert_eq!(serde_json::from_str::<Query>(&stored).unwrap(), query);
    }
}
