//! Documents as vectors: what tells a report from others, in numbers that do not depend on the batch much.
//!
//! The weight of a term is how rare it is in its language at large, and less the more of the items have it: in a
//! newsletter about language models, “model” tells nothing apart. (The usual inverse document frequency would make the
//! same two reports alike on one day and unlike on the next, and on a small day it is noise.)

use std::collections::HashSet;

use super::rows::{Rows, normalise};
use super::terms::{Batch, TermId};
use crate::model::Vocabulary;

/// So many items must be seen before the share of them that has a term means much.
const FEW: f32 = 50.0;

/// Documents as vectors of length 1.
pub(super) struct Texts {
    /// The terms of each document, in the order of their ids.
    pub(super) vectors: Rows<TermId>,
    /// How many documents of the batch have each term.
    frequencies: Vec<u32>,
    /// What it says that two documents share a term: the negative logarithm of the share of documents that have it.
    evidence: Vec<f32>,
    /// How rare each term is at large, from 0 to 1.
    rarity: Vec<f32>,
    /// How many documents the evidence is from.
    pub(super) documents: f32,
    /// Whether enough items were seen before to know what is usual.
    pub(super) experienced: bool,
}

/// What a term tells that a topic looks for: as little as if every second item had it.
const SUBJECT_EVIDENCE: f32 = std::f32::consts::LN_2;
const SUBJECT_WEIGHT: f32 = 0.3;

/// So many items of earlier days tell what is usual.
const EXPERIENCE: u64 = 1_000;

impl Texts {
    /// `subjects` are the terms that the topics look for: that two items of a topic have them is no news.
    pub(super) fn of(batch: &Batch, vocabulary: &Vocabulary, subjects: &HashSet<TermId>) -> Self {
        let mut vectors = Rows::with_capacity(batch.documents.len());
        for document in &batch.documents {
            vectors.push(document.weights(&batch.lexicon).into_iter());
        }
        let frequencies = vectors.counts(batch.lexicon.term_count());
        let documents = vectors.len() as f32 + vocabulary.documents as f32;
        let mut evidence = Vec::with_capacity(frequencies.len());
        let mut unusual = Vec::with_capacity(frequencies.len());
        for ((id, term), now) in batch.lexicon.terms().zip(&frequencies) {
            let before = vocabulary.terms.get(term).copied().unwrap_or_default();
            let count = *now as f32 + before as f32;
            let mut tells = ((documents + FEW) / count.max(1.0)).ln();
            let mut weight = 1.0 - ((count - 1.0).max(0.0) / (documents + FEW)).sqrt();
            if subjects.contains(&id) {
                (tells, weight) = (tells.min(SUBJECT_EVIDENCE), weight.min(SUBJECT_WEIGHT));
            }
            evidence.push(tells);
            unusual.push(weight);
        }
        let mut rarity = vec![0.0_f32; batch.lexicon.term_count()];
        for (_, word) in batch.lexicon.words() {
            for term in &word.terms {
                rarity[term.index()] = rarity[term.index()].max(word.rarity);
            }
        }
        for place in 0..vectors.len() {
            let vector = vectors.row_mut(place);
            for (term, weight) in vector.iter_mut() {
                *weight *= unusual[term.index()];
            }
            normalise(vector);
        }
        Self {
            vectors,
            frequencies,
            evidence,
            rarity,
            documents: documents + FEW,
            experienced: vocabulary.documents >= EXPERIENCE,
        }
    }

    pub(super) fn frequency(&self, term: TermId) -> u32 {
        self.frequencies[term.index()]
    }

    pub(super) fn rarity(&self, term: TermId) -> f32 {
        self.rarity[term.index()]
    }

    pub(super) fn evidence(&self, term: TermId) -> f32 {
        self.evidence[term.index()]
    }

    /// The terms that two documents share, each with both weights.
    pub(super) fn shared(&self, a: usize, b: usize) -> impl Iterator<Item = (TermId, f32, f32)> {
        let (mut a, mut b) = (
            self.vectors.row(a).iter().peekable(),
            self.vectors.row(b).iter().peekable(),
        );
        std::iter::from_fn(move || {
            loop {
                let (one, other) = (a.peek()?, b.peek()?);
                match one.0.cmp(&other.0) {
                    std::cmp::Ordering::Less => drop(a.next()),
                    std::cmp::Ordering::Greater => drop(b.next()),
                    std::cmp::Ordering::Equal => {
                        let shared = (one.0, one.1, other.1);
                        a.next();
                        b.next();
                        return Some(shared);
                    }
                }
            }
        })
    }

    /// How alike two documents are, from 0 to 1.
    pub(super) fn cosine(&self, a: usize, b: usize) -> f32 {
        self.shared(a, b).map(|(_, one, other)| one * other).sum()
    }
}
