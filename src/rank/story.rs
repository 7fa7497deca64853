//! Which items report the same event.
//!
//! The two most similar stories become one, as long as their reports are similar *on average*. Average
//! rather than best similarity is what keeps a chain "A is like B, B is like C" from merging unrelated events; a false
//! merge claims corroboration that does not exist, so the thresholds are on the careful side.
//!
//! Reports in different languages are compared by the words that both languages use, which are names,
//! numbers and the words of the trade. There are few of them, so more must be shared.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use super::terms::Document;
use crate::model::Language;

/// What makes two reports one story.
struct Rule {
    /// The average cosine similarity from which on two stories are one.
    join: f64,
    /// How many telling words two reports must share, whatever their cosine says: two short headlines can
    /// be alike through a single rare word.
    shared: usize,
}

const SAME_LANGUAGE: Rule = Rule {
    join: 0.13,
    shared: 2,
};
const ACROSS_LANGUAGES: Rule = Rule {
    join: 0.30,
    shared: 3,
};

/// How many of a document's words, the rarest, lead to others that it is compared with.
const LEADING_WORDS: usize = 12;

/// How many other documents, the latest, each of these words leads to.
const HOLDERS: usize = 40;

/// Groups `documents` (earliest first) into stories; each is a list of indices, in order.
pub(super) fn cluster(documents: &[&Document]) -> Vec<Vec<usize>> {
    let mut stories = Agglomeration::of(documents);
    stories.merge();
    stories.members.into_iter().flatten().collect()
}

/// Average-link agglomeration over the pairs that have anything in common: the two most similar stories
/// become one, until none are similar enough.
struct Agglomeration {
    /// The documents of each story, in order; `None` when it has gone into another.
    members: Vec<Option<Vec<usize>>>,
    /// For each story and each other one, the sum of the similarities of their documents, in units of
    /// the rule's threshold, so that both kinds of similarity can be averaged.
    sums: Vec<BTreeMap<usize, f64>>,
}

impl Agglomeration {
    fn of(documents: &[&Document]) -> Self {
        let frequencies = Frequencies::of(documents);
        let vectors: Vec<Vectors<'_>> = documents
            .iter()
            .map(|document| frequencies.vectors(document))
            .collect();
        let mut sums = vec![BTreeMap::new(); documents.len()];
        // Only documents that share a rare word are ever compared, and each with the last few of them: what
        // a thousand items have in common tells none of them apart, and all pairs would be a million.
        let mut holders: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, vector) in vectors.iter().enumerate() {
            let telling = frequencies.rarest(vector);
            let recent = telling.iter().flat_map(|word| {
                let holders = holders.get(word).map_or(&[][..], Vec::as_slice);
                holders.iter().rev().take(HOLDERS).copied()
            });
            let candidates: BTreeSet<usize> = recent.collect();
            for other in candidates {
                let (rule, a, b) = if documents[index].language == documents[other].language {
                    (SAME_LANGUAGE, &vector.all, &vectors[other].all)
                } else {
                    (ACROSS_LANGUAGES, &vector.neutral, &vectors[other].neutral)
                };
                let (cosine, shared) = compare(a, b);
                if shared >= rule.shared {
                    sums[index].insert(other, cosine / rule.join);
                    sums[other].insert(index, cosine / rule.join);
                }
            }
            for word in telling {
                holders.entry(word).or_default().push(index);
            }
        }
        Self {
            members: (0..documents.len())
                .map(|index| Some(vec![index]))
                .collect(),
            sums,
        }
    }

    fn size(&self, story: usize) -> usize {
        self.members[story].as_ref().map_or(0, Vec::len)
    }

    /// The pair of two stories as it stands now; `None` when they are not similar enough to be merged.
    fn pair(&self, a: usize, b: usize) -> Option<Pair> {
        let sum = self.sums[a].get(&b)?;
        let average = sum / (self.size(a) * self.size(b)) as f64;
        (average >= 1.0).then_some(Pair {
            average,
            stories: Reverse((a.min(b), a.max(b))),
            sizes: self.size(a) + self.size(b),
        })
    }

    fn merge(&mut self) {
        let all = self
            .sums
            .iter()
            .enumerate()
            .flat_map(|(a, others)| others.range(a..).map(move |(b, _)| (a, *b)));
        let mut heap: BinaryHeap<Pair> = all.filter_map(|(a, b)| self.pair(a, b)).collect();
        while let Some(best) = heap.pop() {
            let Reverse((a, b)) = best.stories;
            // A story that has grown since has other averages; its new pairs are in the heap as well.
            if self.size(a) == 0 || self.size(b) == 0 || self.size(a) + self.size(b) != best.sizes {
                continue;
            }
            let joined = self.members[b].take().unwrap_or_default();
            let members = self.members[a].get_or_insert_default();
            members.extend(joined);
            members.sort_unstable();
            self.sums[a].remove(&b);
            for (other, sum) in std::mem::take(&mut self.sums[b]) {
                self.sums[other].remove(&b);
                if other != a {
                    *self.sums[a].entry(other).or_default() += sum;
                    *self.sums[other].entry(a).or_default() += sum;
                }
            }
            heap.extend(self.sums[a].keys().filter_map(|other| self.pair(a, *other)));
        }
    }
}

/// Two stories that could become one. The most similar comes first; among equals, the earliest.
#[derive(Debug, PartialEq)]
struct Pair {
    average: f64,
    stories: Reverse<(usize, usize)>,
    sizes: usize,
}

impl Eq for Pair {}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.average
            .total_cmp(&other.average)
            .then(self.stories.cmp(&other.stories))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

type Vector<'a> = BTreeMap<&'a str, f64>;

/// A document as vectors of length 1.
struct Vectors<'a> {
    /// Of all its telling words.
    all: Vector<'a>,
    /// Of those that documents in another language have too.
    neutral: Vector<'a>,
}

/// The cosine of two vectors of length 1, and how many words they share.
fn compare(a: &Vector<'_>, b: &Vector<'_>) -> (f64, usize) {
    let (small, large) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let products = small
        .iter()
        .filter_map(|(word, weight)| large.get(word).map(|other| weight * other));
    products.fold((0.0, 0), |(sum, count), product| (sum + product, count + 1))
}

/// In how many documents each word occurs, and in which languages.
struct Frequencies<'a> {
    count: f64,
    words: HashMap<&'a str, (usize, BTreeSet<Option<Language>>)>,
}

impl<'a> Frequencies<'a> {
    fn of(documents: &[&'a Document]) -> Self {
        let mut words: HashMap<&str, (usize, BTreeSet<_>)> = HashMap::new();
        for document in documents {
            for word in document.weights().into_keys() {
                let (count, languages) = words.entry(word).or_default();
                *count += 1;
                languages.insert(document.language);
            }
        }
        Self {
            count: documents.len() as f64,
            words,
        }
    }

    /// The rarest words of a document; among equally rare ones, in the order of the alphabet.
    fn rarest(&self, vectors: &Vectors<'a>) -> Vec<&'a str> {
        let mut words: Vec<&str> = vectors.all.keys().copied().collect();
        words.sort_by_key(|word| self.words[word].0);
        // A word that nobody else has leads nowhere.
        words.retain(|word| self.words[word].0 > 1);
        words.truncate(LEADING_WORDS);
        words
    }

    /// The weight of each word, times how rare it is here.
    fn vectors(&self, document: &'a Document) -> Vectors<'a> {
        let mut all = document.weights();
        for (word, weight) in &mut all {
            // Smoothed, so that in a batch of two a shared word still counts.
            *weight *= ((self.count + 2.0) / (self.words[word].0 as f64 + 0.5)).ln();
        }
        let neutral = all
            .iter()
            .filter(|(word, _)| self.words[*word].1.len() > 1)
            .map(|(word, weight)| (*word, *weight));
        Vectors {
            neutral: unit(neutral.collect()),
            all: unit(all),
        }
    }
}

fn unit(mut vector: Vector<'_>) -> Vector<'_> {
    let norm = vector
        .values()
        .map(|weight| weight * weight)
        .sum::<f64>()
        .sqrt();
    if norm > 0.0 {
        vector.values_mut().for_each(|weight| *weight /= norm);
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rank::fixtures::item;

    fn stories(titles: &[&str]) -> Vec<Vec<usize>> {
        let documents: Vec<Document> = titles
            .iter()
            .map(|title| Document::new(&item(title, "de")))
            .collect();
        cluster(&documents.iter().collect::<Vec<_>>())
    }

    #[test]
    fn reports_of_one_event_fold_and_others_stay_apart() {
        assert_eq!(
            stories(&[
                "Nordlicht stellt Sprachmodell Polaris vor",
                "Bundestag beschließt Gesetz zu Rechenzentren",
                "Polaris: Nordlicht veröffentlicht neues Sprachmodell",
                "Rechenzentren: Bundestag stimmt für neues Gesetz",
                "Wie man Pilze sammelt",
            ]),
            [vec![0, 2], vec![1, 3], vec![4]]
        );
    }

    #[test]
    fn names_and_numbers_carry_a_story_across_languages() {
        let report = |title: &str, summary: &str, language: &str| crate::model::Item {
            summary: summary.into(),
            ..item(title, language)
        };
        let items = [
            report(
                "Lücke in Kestrel-Routern",
                "Betroffen ist die Fernwartung (CVE-2026-41873).",
                "de",
            ),
            report(
                "Kestrel fixes router flaw",
                "The remote service has a hole, CVE-2026-41873.",
                "en",
            ),
            report("Neuer Router von Kestrel", "Er kostet 89 Euro.", "de"),
            report("Parliament votes on budget", "The vote was close.", "en"),
        ];
        let documents: Vec<Document> = items.iter().map(Document::new).collect();
        assert_eq!(
            cluster(&documents.iter().collect::<Vec<_>>()),
            [vec![0, 1], vec![2], vec![3]]
        );
    }

    #[test]
    fn one_shared_word_is_no_story() {
        assert_eq!(
            stories(&["Polaris startet", "Polaris sinkt", "Etwas anderes"]).len(),
            3
        );
    }

    #[test]
    fn a_text_without_words_is_a_story_of_its_own() {
        assert_eq!(stories(&["", "…", "🎉"]).len(), 3);
    }
}
