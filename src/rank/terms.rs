//! Text as comparable words: Unicode-normalised, lower case, stemmed in the item's language.

use std::collections::BTreeMap;

use frostem::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization as _;

use crate::model::{Item, Language};

/// How many words of a summary take part; beyond the lead, words say less about the event.
const LEAD_WORDS: usize = 80;

/// An item's text as words.
#[derive(Debug)]
pub(super) struct Document {
    /// The language that the words were stemmed in.
    pub language: Option<Language>,
    /// The words of the title, in order.
    pub title: Vec<Word>,
    /// The words of the summary's beginning, in order.
    pub lead: Vec<Word>,
}

/// A word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// Lower case, umlauts written out, as it stands in the text.
    pub folded: String,
    /// Its stem: what two forms of one word have in common.
    pub stem: String,
}

impl Document {
    /// Reads `item`. Its language is the feed's word, else what its text looks like.
    pub(super) fn new(item: &Item) -> Self {
        let language = match item.language.as_deref() {
            Some(tag) => Language::from_tag(tag),
            None => detect(&format!("{} {}", item.title, item.summary)),
        };
        let mut lead = words(&item.summary, language);
        lead.truncate(LEAD_WORDS);
        Self {
            language,
            title: words(&item.title, language),
            lead,
        }
    }

    /// The weight of each telling word: 1 in the title, less in the lead, nothing for words that any text has.
    pub(super) fn weights(&self) -> BTreeMap<&str, f64> {
        let mut weights: BTreeMap<&str, f64> = BTreeMap::new();
        for (words, weight) in [(&self.title, 1.0), (&self.lead, 0.6)] {
            for word in words.iter().filter(|word| !is_stop_word(&word.folded)) {
                let entry = weights.entry(word.stem.as_str()).or_default();
                *entry = entry.max(weight);
            }
        }
        weights
    }
}

/// The words of `text`: runs of letters and digits, in order.
pub(super) fn words(text: &str, language: Option<Language>) -> Vec<Word> {
    let stemmer = language.map(stemmer);
    let text: String = text.nfkc().collect::<String>().to_lowercase();
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| {
            let stem = stemmer.as_ref().map_or_else(
                || word.to_owned(),
                |stemmer| stemmer.stem(word).into_owned(),
            );
            Word {
                folded: fold(word),
                stem: fold(&stem),
            }
        })
        .collect()
}

/// Writes umlauts and ß out, so that `Kündigung` and `Kuendigung` are one word.
fn fold(word: &str) -> String {
    word.replace('ä', "ae")
        .replace('ö', "oe")
        .replace('ü', "ue")
        .replace('ß', "ss")
}

fn stemmer(language: Language) -> Stemmer {
    Stemmer::new(match language {
        Language::De => Algorithm::German,
        Language::En => Algorithm::English,
    })
}

fn detect(text: &str) -> Option<Language> {
    let allowed = vec![whatlang::Lang::Deu, whatlang::Lang::Eng];
    match whatlang::Detector::with_allowlist(allowed).detect_lang(text)? {
        whatlang::Lang::Deu => Some(Language::De),
        whatlang::Lang::Eng => Some(Language::En),
        _ => None,
    }
}

/// Words that say nothing about an event. German and English share one list: a word of one that is a
/// telling word of the other ("die", "not", "war") costs less than asking which text it stands in.
fn is_stop_word(word: &str) -> bool {
    word.chars().count() < 2 || STOP_WORDS.binary_search(&word).is_ok()
}

/// Sorted, folded.
const STOP_WORDS: &[&str] = &[
    "aber", "about", "after", "all", "alle", "allem", "allen", "aller", "alles", "als", "also",
    "am", "an", "and", "andere", "anderen", "any", "are", "as", "at", "auch", "auf", "aus", "be",
    "because", "been", "before", "bei", "beim", "being", "bereits", "bis", "bisher", "but", "by",
    "can", "could", "da", "damit", "dann", "darauf", "das", "dass", "dazu", "dem", "den", "denen",
    "der", "deren", "des", "dessen", "did", "die", "dies", "diese", "diesem", "diesen", "dieser",
    "dieses", "do", "doch", "does", "durch", "ein", "eine", "einem", "einen", "einer", "eines",
    "er", "erst", "es", "etwa", "etwas", "euch", "for", "from", "fuer", "ganz", "gegen", "get",
    "gibt", "haben", "had", "has", "hat", "hatte", "hatten", "have", "he", "her", "hier", "his",
    "how", "if", "ihm", "ihr", "ihre", "ihrem", "ihren", "ihrer", "im", "in", "ins", "into", "is",
    "ist", "it", "its", "jetzt", "just", "kann", "kein", "keine", "koennen", "mehr", "mit", "more",
    "most", "muss", "nach", "new", "nicht", "no", "noch", "not", "now", "nun", "nur", "ob", "oder",
    "of", "off", "ohne", "on", "one", "only", "or", "other", "our", "out", "over", "says", "schon",
    "sehr", "sein", "seine", "seinem", "seinen", "seiner", "seit", "she", "sich", "sie", "sind",
    "so", "soll", "sollen", "some", "sowie", "such", "than", "that", "the", "their", "them",
    "then", "there", "these", "they", "this", "those", "through", "to", "ueber", "um", "und",
    "uns", "unter", "up", "us", "viele", "vom", "von", "vor", "war", "waren", "warum", "was", "we",
    "weil", "welche", "wenn", "werden", "were", "what", "when", "where", "which", "while", "who",
    "why", "wie", "will", "wir", "wird", "with", "wo", "would", "wurde", "wurden", "you", "your",
    "zu", "zum", "zur", "zwei", "zwischen",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stop_words_are_sorted_so_that_they_are_found() {
        let mut sorted = STOP_WORDS.to_vec();
        sorted.sort_unstable();
        assert_eq!(STOP_WORDS, sorted);
    }

    #[test]
    fn umlauts_forms_and_spellings_fall_together() {
        let stem = |text: &str| words(text, Some(Language::De)).remove(0).stem;
        assert_eq!(stem("Kündigung"), stem("Kuendigungen"));
        assert_eq!(stem("Sprachmodell"), stem("Sprachmodelle"));
        assert_eq!(stem("Straße"), stem("Strasse"));
    }

    #[test]
    fn a_hyphen_separates_words() {
        let folded: Vec<String> = words("KI-Verordnung (EU)", Some(Language::De))
            .into_iter()
            .map(|w| w.folded)
            .collect();
        assert_eq!(folded, ["ki", "verordnung", "eu"]);
    }
}
