//! The score of a story: a weighted sum of named parts.

use chrono::{DateTime, Utc};

use crate::model::{Score, Window};

const RELEVANCE: f64 = 0.45;
const COVERAGE: f64 = 0.35;
const RECENCY: f64 = 0.20;

/// The number of outlets at which a story counts as reported everywhere.
const EVERYWHERE: f64 = 6.0;

/// Scores a story of `sources` outlets. `relevance` and `recency` are between 0 and 1.
pub(super) fn score(relevance: f64, sources: usize, recency: f64) -> Score {
    // Logarithmic: a second outlet says far more about a story's weight than a sixth one.
    let sources = f64::from(u32::try_from(sources.max(1)).unwrap_or(u32::MAX));
    let coverage = (sources.ln() / EVERYWHERE.ln()).min(1.0);
    let total = RELEVANCE * relevance + COVERAGE * coverage + RECENCY * recency;
    Score {
        relevance,
        coverage,
        recency,
        total,
    }
}

/// Where `moment` lies in `window`: 0 at its start or before, 1 at its end or after.
pub(super) fn place_in(window: Window, moment: DateTime<Utc>) -> f64 {
    let length = (window.until - window.since).num_seconds();
    if length <= 0 {
        return 1.0;
    }
    let place = (moment - window.since).num_seconds() as f64 / length as f64;
    place.clamp(0.0, 1.0)
}
