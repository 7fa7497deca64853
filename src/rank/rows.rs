//! Lists of terms in one piece of memory: of a hundred thousand items, millions of small lists would cost more than what is in them.

use super::terms::TermId;

/// For each item its terms, each with a number; or for each term its items.
pub(super) struct Rows<K> {
    entries: Vec<(K, f32)>,
    ends: Vec<usize>,
}

impl<K> Rows<K> {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            entries: Vec::new(),
            ends: Vec::with_capacity(rows),
        }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, row: impl Iterator<Item = (K, f32)>) {
        self.entries.extend(row);
        self.ends.push(self.entries.len());
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn start(&self, row: usize) -> usize {
        row.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    pub(super) fn row(&self, row: usize) -> &[(K, f32)] {
        &self.entries[self.start(row)..self.ends[row]]
    }

    pub(super) fn row_mut(&mut self, row: usize) -> &mut [(K, f32)] {
        let start = self.start(row);
        &mut self.entries[start..self.ends[row]]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[(K, f32)]> {
        (0..self.len()).map(|row| self.row(row))
    }
}

/// Makes the length of a vector 1; one without entries stays as it is.
pub(super) fn normalise<K>(vector: &mut [(K, f32)]) {
    let norm = vector
        .iter()
        .map(|(_, weight)| weight * weight)
        .sum::<f32>()
        .sqrt();
    if norm > 0.0 {
        vector.iter_mut().for_each(|(_, weight)| *weight /= norm);
    }
}

impl Rows<TermId> {
    /// How many rows have each of so many terms.
    pub(super) fn counts(&self, terms: usize) -> Vec<u32> {
        let mut counts = vec![0; terms];
        for (term, _) in &self.entries {
            counts[term.index()] += 1;
        }
        counts
    }

    /// For each of so many terms the rows that have it, in order.
    pub(super) fn by_term(&self, terms: usize) -> Rows<u32> {
        let mut places: Vec<usize> = Vec::with_capacity(terms);
        let mut next = 0;
        for count in self.counts(terms) {
            places.push(next);
            next += count as usize;
        }
        let mut entries = vec![(0, 0.0); next];
        for (row, entry) in (0_u32..).zip(self.iter()) {
            for (term, number) in entry {
                let place = &mut places[term.index()];
                entries[*place] = (row, *number);
                *place += 1;
            }
        }
        // Each place has moved to the end of its row.
        Rows {
            entries,
            ends: places,
        }
    }
}
