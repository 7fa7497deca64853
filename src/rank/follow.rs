//! “More like this”: a standing query made from a story.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::language::Tongue;
use super::rows::Rows;
use super::terms::Batch;
use crate::model::{Item, Mark, Score, Story, Vocabulary};

/// How many terms of a story take part, the heaviest.
const TERMS: usize = 40;

/// The saturation of repeated terms and the share of the text's length, as in BM25 (Robertson and Zaragoza 2009). Items are short,
/// so their length says little.
const K: f32 = 1.2;
const B: f32 = 0.3;

/// From which share of its query on an item is news of a story. On the 215 queries of the UCI news aggregator (headlines, stories of
/// two days) 85 % of what is found is of the same story, and 57 % of those are found; of pairs of articles of SemEval 2022 task 8, 65 % of the similar ones are,
/// and 9 % of the others.
const NEWS_FROM: f32 = 0.2;

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

impl Query {
    /// Its `most` heaviest terms.
    pub fn heaviest(&self, most: usize) -> Vec<&str> {
        let mut terms: Vec<(&String, &f32)> = self.0.iter().collect();
        terms.sort_by(|a, b| b.1.total_cmp(a.1).then(a.0.cmp(b.0)));
        let heaviest = terms.into_iter().take(most);
        heaviest.map(|(term, _)| term.as_str()).collect()
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
        for (term, weight) in &query.0 {
            let Some(id) = self.batch.lexicon.find_term(term) else {
                continue;
            };
            let postings = self.postings.row(id.index());
            let rarity = self.rarity(postings.len());
            for (place, times) in postings {
                let length = 1.0 - B + B * self.lengths[*place as usize] / self.average;
                scores[*place as usize] +=
                    weight * rarity * times * (K + 1.0) / (times + K * length);
            }
        }
        scores
    }

    /// What share of `query` each item answers: about 1 for one that has all of its terms, each once.
    pub fn shares(&self, query: &Query) -> Vec<f32> {
        let holders = |term: &String| match self.batch.lexicon.find_term(term) {
            Some(id) => self.postings.row(id.index()).len(),
            None => 0,
        };
        let whole: f32 = query
            .0
            .iter()
            .map(|(term, weight)| weight * self.rarity(holders(term)))
            .sum();
        let mut shares = self.scores(query);
        for share in &mut shares {
            *share /= whole.max(f32::MIN_POSITIVE);
        }
        shares
    }

    /// How rare a term is that so many items have.
    fn rarity(&self, holders: usize) -> f32 {
        let (count, holders) = (self.lengths.len() as f32, holders as f32);
        (1.0 + (count - holders + 0.5) / (holders + 0.5)).ln()
    }
}

/// News of what each of `queries` looks for, among `items`: the reports of one event folded, the best first.
pub fn news(
    items: &[Item],
    queries: &[Query],
    vocabulary: &Vocabulary,
    languages: &[Tongue],
) -> Vec<Vec<Story>> {
    if queries.is_empty() || items.is_empty() {
        return vec![Vec::new(); queries.len()];
    }
    let searched = Searched::of(items.iter(), languages);
    let events = super::stories(items, vocabulary, languages);
    let of_query = |query: &Query| {
        let shares = searched.shares(query);
        let counts =
            |place: usize| shares[place] >= NEWS_FROM && items[place].mark != Some(Mark::Sponsored);
        let mut found: Vec<(f32, Story)> = events
            .iter()
            .filter_map(|event| {
                let reports: Vec<usize> = event.iter().copied().filter(|at| counts(*at)).collect();
                let lead = *reports.iter().max_by_key(|at| {
                    (
                        items[**at].showing(),
                        Reverse(items[**at].published),
                        Reverse(&items[**at].key),
                    )
                })?;
                let share = reports.iter().map(|at| shares[*at]).fold(0.0, f32::max);
                let others = reports.iter().filter(|at| **at != lead);
                let story = Story {
                    lead: items[lead].clone(),
                    others: others.map(|at| items[*at].clone()).collect(),
                    copies: BTreeMap::new(),
                    update: None,
                    picture: None,
                    score: Score {
                        relevance: f64::from(share.min(1.0)),
                        total: f64::from(share.min(1.0)),
                        ..Score::default()
                    },
                };
                Some((share, story))
            })
            .collect();
        found.sort_by(|(a, one), (b, other)| {
            b.total_cmp(a)
                .then_with(|| one.lead.key.cmp(&other.lead.key))
        });
        found.into_iter().map(|(_, story)| story).collect()
    };
    queries.iter().map(of_query).collect()
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

    fn later_hour() -> chrono::DateTime<chrono::Utc> {
        item("", "de").published + chrono::TimeDelta::hours(1)
    }

    #[test]
    fn news_of_a_story_are_told_once_and_others_not_at_all() {
        let story = [item("Nordlicht stellt Sprachmodell Polaris vor", "de")];
        let query = Query::like(story.iter(), &[]);
        let elsewhere = Item {
            source: "Kurier".into(),
            published: later_hour(),
            ..item(
                "Test: Nordlichts Sprachmodell Polaris überzeugt im Alltag",
                "de",
            )
        };
        let paid = Item {
            mark: Some(Mark::Sponsored),
            ..item(
                "Polaris von Nordlicht: das Sprachmodell, jetzt zum Vorzugspreis",
                "de",
            )
        };
        let later = [
            item(
                "Wie man Pilze sammelt und was man dabei beachten soll",
                "de",
            ),
            item("Sprachmodell Polaris von Nordlicht im Test", "de"),
            elsewhere,
            paid,
            item(
                "Ein anderes Unternehmen zeigt ein ganz anderes Sprachmodell",
                "de",
            ),
        ];
        let found = news(
            &later,
            std::slice::from_ref(&query),
            &Vocabulary::default(),
            &[],
        );
        let titles: Vec<&str> = found[0]
            .iter()
            .map(|story| story.lead.title.as_str())
            .collect();
        assert_eq!(
            titles,
            ["Sprachmodell Polaris von Nordlicht im Test"],
            "{found:?}"
        );
        assert_eq!(found[0][0].others.len(), 1);
        assert!(news(&[], &[query], &Vocabulary::default(), &[])[0].is_empty());
    }
}
