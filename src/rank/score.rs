//! The score of a story: a weighted mean of named parts.

use chrono::{DateTime, Utc};

use super::interest::Interest;
use super::options::{Options, Weights};
use crate::model::{Item, Score, Window};

/// The number of outlets at which a story counts as reported everywhere.
const EVERYWHERE: f64 = 6.0;

/// Scores stories. One for all of a run: what readers discuss is learned once.
pub(super) struct Scorer<'a> {
    pub(super) options: &'a Options,
    pub(super) window: Window,
    pub(super) interest: Interest,
    /// The usual number of comments under an item that has any.
    pub(super) usual_comments: f64,
}

impl Scorer<'_> {
    /// Scores a story that `reports` tell, of so many outlets in their own words, and whose best report matches its topic by
    /// `relevance`. How new it is to the readers is not known yet: as new as can be.
    pub(super) fn score(&mut self, reports: &[&Item], outlets: usize, relevance: f64) -> Score {
        // Without a date a report cannot claim to be recent.
        let dated = reports.iter().filter(|item| item.dated);
        let newest = dated
            .map(|item| item.published)
            .max()
            .unwrap_or(self.window.since);
        let source = reports
            .iter()
            .map(|item| self.source(item))
            .fold(0.0, f64::max);
        let mut score = Score {
            relevance,
            coverage: coverage(outlets),
            recency: place_in(self.window, newest),
            source,
            discussion: self.discussion(reports),
            novelty: 1.0,
            total: 0.0,
        };
        score.total = total(&score, &self.options.weights);
        score
    }

    /// What the outlet of an item weighs: one half for one like all others.
    fn source(&mut self, item: &Item) -> f64 {
        let weight = |feed| self.options.feed_weights.get(feed).copied().unwrap_or(1.0);
        let configured = item
            .feeds
            .iter()
            .map(weight)
            .reduce(f64::max)
            .unwrap_or(1.0);
        let learned = self
            .interest
            .share(&item.title, &item.source, item.language.as_deref());
        // Odds multiply: an outlet of weight 2 that readers discuss as usual stands at two thirds.
        let odds = configured * learned / (1.0 - learned).max(f64::EPSILON);
        odds / (1.0 + odds)
    }

    /// How much a story is discussed: one half at the usual number of comments, 0 where nobody counts.
    fn discussion(&self, reports: &[&Item]) -> f64 {
        let comments = reports.iter().filter_map(|item| item.comments).max();
        let comments = f64::from(comments.unwrap_or_default());
        comments / (comments + self.usual_comments.max(1.0))
    }
}

/// The weighted mean of the parts.
pub(super) fn total(score: &Score, weights: &Weights) -> f64 {
    let parts = [
        score.relevance,
        score.coverage,
        score.recency,
        score.source,
        score.discussion,
        score.novelty,
    ];
    let weights = weights.list();
    let all: f64 = weights.iter().sum();
    let sum: f64 = parts
        .iter()
        .zip(weights)
        .map(|(part, weight)| part * weight)
        .sum();
    if all > 0.0 { sum / all } else { 0.0 }
}

/// Logarithmic: a second outlet says far more about a story's weight than a sixth one.
fn coverage(outlets: usize) -> f64 {
    let outlets = f64::from(u32::try_from(outlets.max(1)).unwrap_or(u32::MAX));
    (outlets.ln() / EVERYWHERE.ln()).min(1.0)
}

/// Where `moment` lies in `window`: 0 at its start or before, 1 at its end or after.
fn place_in(window: Window, moment: DateTime<Utc>) -> f64 {
    let length = (window.until - window.since).num_seconds();
    if length <= 0 {
        return 1.0;
    }
    let place = (moment - window.since).num_seconds() as f64 / length as f64;
    place.clamp(0.0, 1.0)
}

/// The usual number of comments under the items that have any: the median.
pub(super) fn usual_comments(counts: impl Iterator<Item = u32>) -> f64 {
    let mut counts: Vec<u32> = counts.filter(|count| *count > 0).collect();
    counts.sort_unstable();
    counts
        .get(counts.len() / 2)
        .map_or(1.0, |median| f64::from(*median))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_the_mean_of_its_parts_by_their_weights() {
        let weights = Weights {
            relevance: 3.0,
            coverage: 1.0,
            recency: 0.0,
            source: 0.0,
            discussion: 0.0,
            novelty: 0.0,
        };
        let score = Score {
            relevance: 1.0,
            coverage: 0.2,
            recency: 1.0,
            ..Score::default()
        };
        assert!((total(&score, &weights) - 0.8).abs() < 1e-9);
        let none = Weights {
            relevance: 0.0,
            coverage: 0.0,
            ..weights
        };
        assert_eq!(total(&score, &none), 0.0);
    }

    #[test]
    fn the_second_outlet_counts_most() {
        assert_eq!(coverage(1), 0.0);
        assert!(coverage(2) > coverage(6) - coverage(4));
        assert_eq!(coverage(100), 1.0);
    }

    #[test]
    fn comments_are_measured_by_what_is_usual() {
        assert_eq!(usual_comments([0, 5, 100, 7].into_iter()), 7.0);
        assert_eq!(usual_comments([].into_iter()), 1.0);
    }
}
