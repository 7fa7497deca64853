//! What readers discuss: learned from the comments under earlier items.
//!
//! An additive model of the outlet and the words of the headline, learned online, item by item: the outlet's mean,
//! drawn towards the mean of all, and a weight for each word with steps that get smaller the more often it was seen
//! (AdaGrad, Duchi et al. 2011).

use std::collections::HashMap;

use super::language::Tongue;
use super::terms::Lexicon;
use crate::model::Vote;

/// So many items of an outlet weigh as much as the mean of all outlets.
const DOUBT: f64 = 2.5;

/// So many items must be known before what was learned counts half.
const FEW: f64 = 100.0;

/// How far one item moves the weight of a word that is new.
const STEP: f64 = 0.15;

/// How many words of a headline take part.
const WORDS: usize = 30;

/// The model.
#[derive(Default)]
pub struct Interest {
    lexicon: Lexicon,
    outlets: HashMap<String, Mean>,
    all: Mean,
    /// The mean of the squares, for how far apart items are.
    squares: f64,
    /// The weight of each feature and the sum of its squared steps.
    weights: HashMap<Feature, (f64, f64)>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Mean {
    count: f64,
    sum: f64,
}

/// What a headline has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Feature {
    Word(usize),
    /// Two words that follow one another.
    Pair(usize, usize),
    /// Its length, in steps of three words.
    Length(usize),
    Question,
    Colon,
    Parentheses,
    Brackets,
    Number,
    Year,
}

impl Interest {
    /// Learns from `votes`, earliest first.
    pub fn of<'a>(votes: impl IntoIterator<Item = &'a Vote>) -> Self {
        let mut interest = Self::default();
        for vote in votes {
            interest.learn(vote);
        }
        interest
    }

    /// Whether there was anything to learn from.
    pub fn is_empty(&self) -> bool {
        self.all.count == 0.0
    }

    /// Learns from one item.
    pub fn learn(&mut self, vote: &Vote) {
        // Numbers of comments differ by the thousand; a fourth root keeps one of them from drowning all others.
        let wanted = 1.5 * f64::from(vote.count).powf(0.25);
        let features = self.features(&vote.title, vote.language.as_deref());
        let error = wanted - self.sum(&features, &vote.source);
        let step = error / (features.len() as f64).sqrt();
        for feature in features {
            let (weight, squares) = self.weights.entry(feature).or_default();
            *squares += step * step;
            *weight += STEP * step / (1.0 + *squares).sqrt();
        }
        let outlet = self.outlets.entry(vote.source.clone()).or_default();
        for mean in [outlet, &mut self.all] {
            mean.count += 1.0;
            mean.sum += wanted;
        }
        self.squares += wanted * wanted;
    }

    /// How much an item will be discussed; more for more, without a unit.
    pub fn expected(&mut self, title: &str, source: &str, language: Option<&str>) -> f64 {
        let features = self.features(title, language);
        self.sum(&features, source)
    }

    /// The same from 0 to 1: one half for an item like most.
    pub(super) fn share(&mut self, title: &str, source: &str, language: Option<&str>) -> f64 {
        if self.is_empty() {
            return 0.5;
        }
        let mean = self.all.sum / self.all.count;
        let deviation = (self.squares / self.all.count - mean * mean)
            .max(0.01)
            .sqrt();
        let above = (self.expected(title, source, language) - mean) / deviation;
        // A day of comments says little yet.
        let above = above * self.all.count / (self.all.count + FEW);
        1.0 / (1.0 + (-2.0 * above).exp())
    }

    fn sum(&self, features: &[Feature], source: &str) -> f64 {
        let mean = if self.all.count > 0.0 {
            self.all.sum / self.all.count
        } else {
            0.0
        };
        let outlet = self.outlets.get(source).copied().unwrap_or_default();
        let above = (outlet.sum - outlet.count * mean) / (outlet.count + DOUBT);
        let words: f64 = features
            .iter()
            .filter_map(|feature| self.weights.get(feature))
            .map(|(weight, _)| weight)
            .sum();
        mean + above + words
    }

    fn features(&mut self, title: &str, language: Option<&str>) -> Vec<Feature> {
        let words = self
            .lexicon
            .read(title, language.and_then(Tongue::from_tag), WORDS);
        let terms: Vec<usize> = words
            .iter()
            .filter_map(|id| self.lexicon.word(*id).terms.first())
            .map(|term| term.index())
            .collect();
        let mut features: Vec<Feature> = terms
            .windows(2)
            .map(|pair| Feature::Pair(pair[0], pair[1]))
            .collect();
        let mut distinct = terms;
        distinct.sort_unstable();
        distinct.dedup();
        features.extend(distinct.into_iter().map(Feature::Word));
        features.push(Feature::Length((words.len() / 3).min(5)));
        let is_year = |word: &str| {
            word.len() == 4
                && (word.starts_with("19") || word.starts_with("20"))
                && word.bytes().all(|byte| byte.is_ascii_digit())
        };
        let year = words
            .iter()
            .any(|id| is_year(&self.lexicon.word(*id).folded));
        let marks = [
            (title.contains('?'), Feature::Question),
            (title.contains(':'), Feature::Colon),
            (title.contains('('), Feature::Parentheses),
            (title.contains('['), Feature::Brackets),
            (
                title.contains(|c: char| c.is_ascii_digit()),
                Feature::Number,
            ),
            (year, Feature::Year),
        ];
        features.extend(
            marks
                .into_iter()
                .filter(|(has, _)| *has)
                .map(|(_, feature)| feature),
        );
        features
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(source: &str, title: &str, count: u32) -> Vote {
        Vote {
            source: source.into(),
            title: title.into(),
            language: Some("en".into()),
            count,
        }
    }

    #[test]
    fn outlets_and_words_that_were_discussed_are_expected_to_be_again() {
        let votes: Vec<Vote> = (0..30)
            .flat_map(|_| {
                [
                    vote("Loud", "A new release", 200),
                    vote("Quiet", "A new release", 2),
                    vote("Other", "Polaris breaks", 300),
                    vote("Other", "Gardens bloom", 1),
                ]
            })
            .collect();
        let mut interest = Interest::of(&votes);
        let mut share = |title, source| interest.share(title, source, Some("en"));
        assert!(share("Something", "Loud") > 0.55 && share("Something", "Quiet") < 0.45);
        assert!(share("Polaris again", "Unknown") > share("Gardens again", "Unknown") + 0.05);
    }

    #[test]
    fn without_votes_all_items_are_alike() {
        let mut interest = Interest::default();
        assert!(interest.is_empty());
        assert_eq!(interest.share("Title", "Source", None), 0.5);
    }
}
