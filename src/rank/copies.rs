//! Which items repeat the text of another one: the same article twice in a feed, or one that several outlets took
//! from an agency.

use std::collections::{HashMap, HashSet};

use super::terms::{Document, WordId};

/// A lead of so many words is not the same by accident. Shorter ones are compared with their titles.
const TELLING_WORDS: usize = 20;

/// From which share of common runs of words on one text is a copy of another. An outlet changes the place name at the
/// beginning and cuts the end.
const SAME: f64 = 0.75;

/// The length of such a run.
const RUN: usize = 3;

/// Of so many earlier reports of a story, each is compared with a new one.
const COMPARED: usize = 50;

/// For each of the documents that `places` names the first one of the same text, itself when there is none.
pub(super) fn fold(documents: &[Document], places: &[usize]) -> Vec<usize> {
    let mut firsts: HashMap<(&[WordId], &[WordId]), usize> = HashMap::new();
    let first = |place: &usize| {
        let Document { title, lead, .. } = &documents[*place];
        let telling = lead.len() >= TELLING_WORDS;
        let text: (&[WordId], &[WordId]) = (if telling { &[] } else { title }, lead);
        // A text without words is like no other.
        if text.0.is_empty() && text.1.is_empty() {
            return *place;
        }
        *firsts.entry(text).or_insert(*place)
    };
    places.iter().map(first).collect()
}

/// Which of the reports of one story, earliest first, are copies of an earlier one, and of which.
pub(super) fn within(documents: &[&Document]) -> Vec<Option<usize>> {
    let mut runs: HashMap<usize, HashSet<&[WordId]>> = HashMap::new();
    let mut originals: Vec<usize> = Vec::new();
    let mut copies = Vec::with_capacity(documents.len());
    for (place, document) in documents.iter().enumerate() {
        let of = originals
            .iter()
            .rev()
            .take(COMPARED)
            .copied()
            .find(|&original| {
                let earlier = documents[original];
                if document.lead.len() < TELLING_WORDS || earlier.lead.len() < TELLING_WORDS {
                    return document.title == earlier.title && document.lead == earlier.lead;
                }
                for place in [place, original] {
                    let read = || documents[place].lead.windows(RUN).collect();
                    runs.entry(place).or_insert_with(read);
                }
                let (one, other) = (&runs[&place], &runs[&original]);
                let common = one.intersection(other).count() as f64;
                common >= SAME * one.len().min(other.len()) as f64
            });
        copies.push(of);
        if of.is_none() {
            originals.push(place);
        }
    }
    copies
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Item;
    use crate::rank::fixtures::item;
    use crate::rank::terms::Batch;

    fn batch(texts: &[(&str, &str)]) -> Batch {
        let items: Vec<Item> = texts
            .iter()
            .map(|(title, summary)| Item {
                summary: (*summary).into(),
                ..item(title, "de")
            })
            .collect();
        Batch::read(items.iter(), &[])
    }

    const WIRE: &str = "Der Anbieter Nordlicht hat am Freitag in Hamburg sein neues Sprachmodell vorgestellt, das auf Rechnern mit acht \
                        Gigabyte Speicher läuft und in zwölf Sprachen schreibt.";

    #[test]
    fn the_same_text_folds_under_any_headline() {
        let batch = batch(&[
            ("Eins", WIRE),
            ("Zwei", WIRE),
            ("Drei", "kurz"),
            ("Drei", "kurz"),
            ("Vier", "kurz"),
            ("", ""),
        ]);
        assert_eq!(
            fold(&batch.documents, &[0, 1, 2, 3, 4, 5]),
            [0, 0, 2, 2, 4, 5]
        );
    }

    #[test]
    fn a_text_with_another_beginning_and_end_is_a_copy_and_one_in_other_words_is_none() {
        let edited = format!("Hamburg (ag) – {WIRE} Die Redaktion hat nachgefragt.");
        let own = "Am Freitag war es so weit: In Hamburg zeigte Nordlicht, was sein Sprachmodell kann. Es schreibt in zwölf Sprachen, \
                   und acht Gigabyte Speicher reichen ihm dafür aus.";
        let batch = batch(&[("Eins", WIRE), ("Zwei", &edited), ("Drei", own)]);
        let documents: Vec<&Document> = batch.documents.iter().collect();
        assert_eq!(within(&documents), [None, Some(0), None]);
    }
}
