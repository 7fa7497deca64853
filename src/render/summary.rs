//! What an item says, in two of its own sentences.
//!
//! News texts tell the most important first, so the summary begins with the first sentence that says something; the other
//! one is chosen by how much they have in common with the rest (TextRank, Mihalcea and Tarau 2004), how early they stand, and
//! how much of the headline they explain.

use std::borrow::Cow;
use std::collections::BTreeSet;

use unicode_segmentation::UnicodeSegmentation as _;

use super::boilerplate::is_boilerplate;
use crate::model::sentence_ends;

/// How many sentences a summary has at most.
const SENTENCES: usize = 2;

/// A first sentence may be as many times longer than the summary should be, so that it is whole.
const LONG: f64 = 1.6;

/// How many sentences of a text take part; an item keeps no more text than that.
const CONSIDERED: usize = 40;

/// About `max` characters of what `text` says under the headline `title`, in whole sentences; empty when it says nothing
/// else. Only a text that has no whole sentence is cut.
pub(super) fn summary(title: &str, text: &str, max: usize) -> String {
    let text = without_dateline(text.trim());
    let sentences = sentences(text);
    let telling: Vec<Sentence<'_>> = sentences
        .into_iter()
        .filter(|text| !is_boilerplate(text))
        .take(CONSIDERED)
        .map(Sentence::new)
        .collect();
    let headline = words(title);
    let limit = (max as f64 * LONG) as usize;
    let starts = |sentence: &Sentence<'_>| sentence.length <= limit && !sentence.repeats(&headline);
    let Some(first) = telling.iter().position(starts) else {
        // No whole sentence: what the feed gave, as it is.
        let rest = telling
            .first()
            .filter(|sentence| !sentence.repeats(&headline));
        return rest.map_or_else(String::new, |sentence| cut(sentence.text, max).into_owned());
    };
    let ranks = text_rank(&telling);
    let mut chosen = BTreeSet::from([first]);
    let mut length = telling[first].length;
    while chosen.len() < SENTENCES {
        let worth = |place: usize| {
            let sentence = &telling[place];
            let early = 1.0 / (1.0 + 0.3 * (place - first) as f64);
            let explains = 0.5 * share(&headline, &sentence.words);
            // “He said so” without the sentence before it leaves the reader alone.
            let hangs = sentence.hangs && !chosen.contains(&(place - 1));
            if hangs {
                0.0
            } else {
                ranks[place] + early + explains
            }
        };
        let fits = |place: &usize| {
            let sentence = &telling[*place];
            !chosen.contains(place)
                && sentence.whole
                && length + 1 + sentence.length <= max
                && !chosen
                    .iter()
                    .any(|other| sentence.repeats(&telling[*other].words))
        };
        let candidates = (first + 1..telling.len())
            .filter(fits)
            .filter(|place| worth(*place) > 0.0);
        let best = candidates.reduce(|best, place| {
            if worth(place) > worth(best) {
                place
            } else {
                best
            }
        });
        let Some(best) = best else { break };
        length += 1 + telling[best].length;
        chosen.insert(best);
    }
    let texts: Vec<&str> = chosen
        .into_iter()
        .map(|place| telling[place].text)
        .collect();
    texts.join(" ")
}

/// At most `max` characters of `text`, cut between words, with an ellipsis where something is missing. What looks
/// like one character is never cut in two, whatever it is made of.
pub(super) fn cut(text: &str, max: usize) -> Cow<'_, str> {
    let text = text.trim();
    let Some((limit, _)) = text.char_indices().nth(max) else {
        return Cow::Borrowed(text);
    };
    let end = text
        .grapheme_indices(true)
        .map(|(start, _)| start)
        .take_while(|start| *start <= limit)
        .last()
        .unwrap_or_default();
    let short = &text[..end];
    let between_words = short
        .rfind(' ')
        .filter(|space| *space > end / 2)
        .map_or(short, |space| &short[..space]);
    Cow::Owned(format!(
        "{}…",
        between_words.trim_end_matches([' ', ',', ';', ':', '.', '–', '-', '…'])
    ))
}

/// A sentence and what is known of it.
struct Sentence<'t> {
    text: &'t str,
    words: BTreeSet<String>,
    /// In characters.
    length: usize,
    /// Whether it ends as a sentence does; the last one of a text may be cut off.
    whole: bool,
    /// Whether it begins with a word that points to the one before.
    hangs: bool,
}

impl<'t> Sentence<'t> {
    fn new(text: &'t str) -> Self {
        let first = text
            .trim_start_matches(['„', '“', '"', '»', '«'])
            .split(|c: char| !c.is_alphanumeric())
            .next();
        Self {
            text,
            words: words(text),
            length: text.chars().count(),
            whole: sentence_ends(text).last() == Some(text.len()) && !text.ends_with('…'),
            hangs: HANGING.contains(&first.unwrap_or_default()),
        }
    }

    /// Whether it says next to nothing that `other` does not say.
    fn repeats(&self, other: &BTreeSet<String>) -> bool {
        share(&self.words, other) > 0.8
    }
}

/// Words at the beginning of a sentence that point to the one before.
const HANGING: &[&str] = &[
    "Aber",
    "Allerdings",
    "Also",
    "And",
    "Außerdem",
    "But",
    "Da",
    "Dabei",
    "Dadurch",
    "Dafür",
    "Damit",
    "Danach",
    "Daneben",
    "Dann",
    "Darauf",
    "Daraufhin",
    "Darin",
    "Darum",
    "Das",
    "Dazu",
    "Demnach",
    "Denn",
    "Dennoch",
    "Deshalb",
    "Dies",
    "Diese",
    "Dieser",
    "Dieses",
    "Doch",
    "Ebenso",
    "Er",
    "Es",
    "Furthermore",
    "Hence",
    "Her",
    "Hier",
    "Hierfür",
    "His",
    "However",
    "He",
    "Ihr",
    "Ihre",
    "It",
    "Its",
    "Jedoch",
    "Meanwhile",
    "Moreover",
    "Nevertheless",
    "Or",
    "She",
    "Sie",
    "So",
    "Sein",
    "Seine",
    "Still",
    "That",
    "Their",
    "Then",
    "Therefore",
    "These",
    "They",
    "This",
    "Those",
    "Thus",
    "Trotzdem",
    "Und",
    "Yet",
    "Zudem",
];

/// The words of a text that say something: the beginnings of the longer ones, so that forms of one word are one.
fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    let telling = words.filter(|word| {
        word.chars().count() > 3
            || word.chars().any(|c| c.is_ascii_digit())
            || word.chars().all(char::is_uppercase)
    });
    telling
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().take(6).flat_map(char::to_lowercase).collect())
        .collect()
}

/// What share of `words` is among `others`.
fn share(words: &BTreeSet<String>, others: &BTreeSet<String>) -> f64 {
    if words.is_empty() {
        return 0.0;
    }
    words.intersection(others).count() as f64 / words.len() as f64
}

/// How central each sentence is, 1 on average: the stationary distribution of a walk from sentence to sentence along what they
/// share.
fn text_rank(sentences: &[Sentence<'_>]) -> Vec<f64> {
    const DAMPING: f64 = 0.85;
    const STEPS: usize = 20;
    let count = sentences.len();
    let likeness = |a: &Sentence<'_>, b: &Sentence<'_>| {
        let common = a.words.intersection(&b.words).count() as f64;
        let lengths = (a.words.len() as f64 + 1.0).ln() + (b.words.len() as f64 + 1.0).ln();
        if lengths > 0.0 { common / lengths } else { 0.0 }
    };
    let mut edges = vec![vec![0.0; count]; count];
    for a in 0..count {
        for b in 0..a {
            let alike = likeness(&sentences[a], &sentences[b]);
            (edges[a][b], edges[b][a]) = (alike, alike);
        }
    }
    let sums: Vec<f64> = edges.iter().map(|row| row.iter().sum()).collect();
    let mut ranks = vec![1.0; count];
    for _ in 0..STEPS {
        let walked = |to: usize| {
            let from = (0..count).filter(|from| sums[*from] > 0.0);
            from.map(|from| ranks[from] * edges[from][to] / sums[from])
                .sum::<f64>()
        };
        ranks = (0..count)
            .map(|to| 1.0 - DAMPING + DAMPING * walked(to))
            .collect();
    }
    ranks
}

/// The sentences of a text; the last one may be cut off.
fn sentences(text: &str) -> Vec<&str> {
    let mut start = 0;
    let mut sentences: Vec<&str> = Vec::new();
    for end in sentence_ends(text).chain([text.len()]) {
        let sentence = text[start..end].trim();
        if !sentence.is_empty() {
            sentences.push(sentence);
        }
        start = end;
    }
    sentences
}

/// Takes off where an agency's report comes from: “BERLIN (dpa) – ”, “DES MOINES, Iowa (AP) - ”, “Dresden/Wien (APA) —”.
fn without_dateline(text: &str) -> &str {
    const LONGEST: usize = 60;
    let end = text
        .char_indices()
        .nth(LONGEST)
        .map_or(text.len(), |(end, _)| end);
    let dash = [" – ", " - ", " — ", " -- "]
        .into_iter()
        .filter_map(|dash| text[..end].find(dash).map(|at| (at, dash.len())))
        .min();
    let Some((at, length)) = dash else {
        return text;
    };
    let place = &text[..at];
    let agency = place.ends_with(')')
        && place
            .rsplit_once('(')
            .is_some_and(|(_, agency)| agency.len() < 20);
    let letters = || place.chars().filter(|c| c.is_alphabetic());
    let capitals = letters().count() > 1 && letters().all(char::is_uppercase);
    if agency || capitals {
        &text[at + length..]
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_summary_is_whole_sentences_of_the_text() {
        let text = "Nordlicht hat am Freitag das Sprachmodell Polaris vorgestellt. Es läuft auf einem Laptop. Die Firma sitzt in Hamburg und hat \
                    neunzig Beschäftigte. Polaris schreibt in zwölf Sprachen und kostet nichts. Der Quelltext des Sprachmodells ist offen, das gefä";
        let short = summary("Nordlicht zeigt Polaris", text, 100);
        assert!(
            short.starts_with("Nordlicht hat am Freitag das Sprachmodell Polaris vorgestellt. "),
            "{short}"
        );
        assert!(short.ends_with("Es läuft auf einem Laptop."), "{short}");
        let longer = summary("Nordlicht zeigt Polaris", text, 250);
        assert!(
            longer.starts_with("Nordlicht hat am Freitag") && longer.ends_with("kostet nichts."),
            "{longer}"
        );
        assert_eq!(longer.matches(". ").count(), 1, "{longer}");
    }

    #[test]
    fn boilerplate_datelines_and_what_the_headline_said_stay_out() {
        for (title, text, wanted) in [
            (
                "KI im Bundestag",
                "BERLIN (dpa) – Der Bundestag berät über KI. Der Beitrag KI im Bundestag erschien zuerst auf Bote.",
                "Der Bundestag berät über KI.",
            ),
            (
                "Rain floods town",
                "DES MOINES, Iowa (AP) - Heavy rain flooded the town. The post Rain floods town appeared first on Post.",
                "Heavy rain flooded the town.",
            ),
            (
                "Polaris ist da",
                "Polaris ist da. Das Modell kostet nichts.",
                "Das Modell kostet nichts.",
            ),
            (
                "Neue Modelle",
                "Foto: Agentur. Wir suchen Redakteure (m/w/d) in Hamburg. Drei Modelle sind erschienen.",
                "Drei Modelle sind erschienen.",
            ),
            ("Titel", "Weiterlesen", ""),
            ("Titel", "", ""),
            (
                "Google – ein Jahr danach",
                "Google – vor einem Jahr noch Zweiter – führt jetzt.",
                "Google – vor einem Jahr noch Zweiter – führt jetzt.",
            ),
        ] {
            assert_eq!(summary(title, text, 280), wanted, "{text}");
        }
    }

    #[test]
    fn only_a_text_without_a_whole_sentence_is_cut() {
        assert_eq!(
            summary("Titel", "ein Stück Text ohne Punkt", 280),
            "ein Stück Text ohne Punkt"
        );
        let endless = format!("{}und Schluss.", "Wort und noch ein anderes ".repeat(40));
        let short = summary("Titel", &endless, 100);
        assert!(
            short.ends_with('…') && short.chars().count() <= 101,
            "{short}"
        );
        let second = format!("{endless} Ein kurzer Satz.");
        assert_eq!(summary("Titel", &second, 100), "Ein kurzer Satz.");
        assert_eq!(
            summary(
                "題",
                "日本で新しい人工知能が発表された。価格は無料である。",
                100
            ),
            "日本で新しい人工知能が発表された。 価格は無料である。"
        );
    }

    #[test]
    fn what_looks_like_one_character_is_never_cut_in_two() {
        let family = "👩‍👩‍👧‍👦";
        for max in 1..40 {
            let text = format!("{}{}", "x".repeat(max - 1), family.repeat(3));
            let short = cut(&text, max);
            let rest = short.trim_start_matches('x').trim_end_matches('…');
            assert!(
                rest.is_empty() || rest.replace(family, "").is_empty(),
                "{max}: {short}"
            );
        }
        assert_eq!(cut("🇩🇪🇩🇪🇩🇪", 3), "🇩🇪…");
    }

    proptest! {
        #[test]
        fn any_text_has_a_summary_of_bounded_length(title in "\\PC{0,40}", text in "(\\PC{0,30}[.!?…] ?){0,12}\\PC{0,60}", max in 5usize..200) {
            let short = summary(&title, &text, max);
            prop_assert!(short.chars().count() <= (max as f64 * LONG) as usize + 1, "{}", short);
        }
    }
}
