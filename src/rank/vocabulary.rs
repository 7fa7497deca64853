//! In how many items words occur.

use super::language::Tongue;
use super::terms::Batch;
use crate::model::{Item, Vocabulary};

/// A term that one item of a batch has is of no use for the next one, and most terms are such.
const WORTH_KEEPING: u64 = 2;

/// Counts the terms of `items`. `expected` are the languages of those whose feeds do not tell.
pub fn vocabulary(items: &[Item], expected: &[Tongue]) -> Vocabulary {
    let batch = Batch::read(items.iter(), expected);
    let mut counts = vec![0_u64; batch.lexicon.term_count()];
    for document in &batch.documents {
        for (term, _) in document.weights(&batch.lexicon) {
            counts[term.index()] += 1;
        }
    }
    let terms = batch.lexicon.terms().zip(counts);
    Vocabulary {
        documents: items.len() as u64,
        terms: terms
            .filter(|(_, count)| *count >= WORTH_KEEPING)
            .map(|((_, term), count)| (term.to_owned(), count))
            .collect(),
    }
}
