//! How similar two texts are, in the same language or not.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::language::Tongue;
use super::rows::normalise;
use super::terms::{Batch, Document, LEAD, Lexicon, WordId};
use crate::model::Item;

/// Groups of four and five letters see through endings, compounds and, for names and loan words, languages.
const GROUP_CHARS: [usize; 2] = [4, 5];

/// Texts in different languages share only names, numbers and loan words, so less means as much.
const ACROSS_LANGUAGES: f64 = 1.2;

/// How similar items are to one another.
pub struct Similarity {
    texts: Vec<Text>,
}

/// A text as the numbers of its groups of letters, in order, each with its weight.
struct Text {
    tongue: Option<Tongue>,
    groups: Vec<(u32, f32)>,
}

impl Similarity {
    /// Compares `items`. `expected` are the languages of those whose feeds do not tell.
    pub fn of<'a>(items: impl Iterator<Item = &'a Item>, expected: &[Tongue]) -> Self {
        let Batch { documents, lexicon } = Batch::read(items, expected);
        Self::among(documents.iter(), &lexicon)
    }

    pub(super) fn among<'d>(
        documents: impl Iterator<Item = &'d Document>,
        lexicon: &Lexicon,
    ) -> Self {
        let mut places = Numbers::default();
        let mut groups_of: HashMap<WordId, Vec<u32>> = HashMap::new();
        let mut frequencies: Vec<u32> = Vec::new();
        let mut texts: Vec<Text> = Vec::new();
        for document in documents {
            let mut counts: HashMap<u32, f32, RandomState> = HashMap::default();
            for (words, weight) in [(&document.title, 1.0), (&document.lead, LEAD)] {
                for id in words {
                    let groups = groups_of
                        .entry(*id)
                        .or_insert_with(|| groups(&lexicon.word(*id).folded, &mut places));
                    for group in groups {
                        *counts.entry(*group).or_default() += weight;
                    }
                }
            }
            frequencies.resize(places.len(), 0);
            let mut vector: Vec<(u32, f32)> = counts.into_iter().collect();
            vector.sort_unstable_by_key(|(group, _)| *group);
            for (group, _) in &vector {
                frequencies[*group as usize] += 1;
            }
            texts.push(Text {
                tongue: document.tongue,
                groups: vector,
            });
        }
        let count = texts.len() as f32 + 1.0;
        for Text { groups: vector, .. } in &mut texts {
            for (group, weight) in vector.iter_mut() {
                *weight = weight.sqrt() * (count / frequencies[*group as usize] as f32).ln();
            }
            normalise(vector);
        }
        Self { texts }
    }

    /// How similar the items at two places are, from 0 for nothing in common to 1 for the same text.
    pub fn between(&self, a: usize, b: usize) -> f64 {
        let (one, other) = (&self.texts[a], &self.texts[b]);
        let mut rest = other.groups.iter().peekable();
        let mut cosine = 0.0;
        for (group, weight) in &one.groups {
            while rest.next_if(|(other, _)| other < group).is_some() {}
            if let Some((_, other)) = rest.next_if(|(other, _)| other == group) {
                cosine += f64::from(weight * other);
            }
        }
        // Human ratings grow slower than the cosine.
        let similarity = cosine.max(0.0).sqrt();
        if one.tongue == other.tongue {
            similarity.min(1.0)
        } else {
            (similarity * ACROSS_LANGUAGES).min(1.0)
        }
    }
}

/// The number of each group of letters.
type Numbers = HashMap<String, u32, RandomState>;

/// The groups of letters of `word`, which ends at both sides in a space; new ones get the next number.
fn groups(word: &str, places: &mut Numbers) -> Vec<u32> {
    let word = format!(" {word} ");
    let starts: Vec<usize> = word
        .char_indices()
        .map(|(at, _)| at)
        .chain([word.len()])
        .collect();
    let ends = GROUP_CHARS
        .into_iter()
        .flat_map(|size| starts.windows(size + 1));
    let groups = ends.map(|ends| &word[ends[0]..ends[ends.len() - 1]]);
    let mut numbers = Vec::with_capacity(starts.len() * GROUP_CHARS.len());
    for group in groups {
        let next = u32::try_from(places.len()).expect("fewer than four billion groups of letters");
        numbers.push(match places.get(group) {
            Some(number) => *number,
            None => *places.entry(group.to_owned()).or_insert(next),
        });
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rank::fixtures::item;

    #[test]
    fn the_same_event_is_more_similar_than_another_one_in_both_languages() {
        let items = [
            item("Nordlicht stellt Sprachmodell Polaris vor", "de"),
            item("Sprachmodelle: Nordlicht zeigt Polaris", "de"),
            item("Nordlicht presents language model Polaris", "en"),
            item("Bundestag beschließt Haushalt für 2027", "de"),
        ];
        let similarity = Similarity::of(items.iter(), &[]);
        let with_first = [1, 2, 3].map(|place| similarity.between(0, place));
        assert!(
            with_first[0] > with_first[1] && with_first[1] > 0.3 && with_first[2] < 0.2,
            "{with_first:?}"
        );
        assert!((similarity.between(0, 0) - 1.0).abs() < 1e-6);
        assert!((similarity.between(2, 0) - similarity.between(0, 2)).abs() < 1e-9);
    }

    #[test]
    fn a_text_without_letters_is_similar_to_nothing() {
        let items = [item("", "de"), item("🎉", "de")];
        assert_eq!(Similarity::of(items.iter(), &[]).between(0, 1), 0.0);
    }
}
