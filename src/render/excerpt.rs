//! The beginning of a text, in whole sentences.

use crate::model::sentence_ends;

/// About the first `max` characters of `text`: as many whole sentences as fit. Where not even the first one
/// fits, it is cut between words and ends in an ellipsis.
pub(super) fn excerpt(text: &str, max: usize) -> String {
    let text = text.trim();
    let mut end = 0;
    for candidate in sentence_ends(text) {
        if text[..candidate].chars().count() > max {
            break;
        }
        end = candidate;
    }
    match end {
        0 => cut(text, max),
        _ => text[..end].to_owned(),
    }
}

/// At most `max` characters of `text`, cut between words, with an ellipsis where something is missing.
pub(super) fn cut(text: &str, max: usize) -> String {
    let text = text.trim();
    let Some((end, _)) = text.char_indices().nth(max) else {
        return text.to_owned();
    };
    let short = &text[..end];
    let between_words = short
        .rfind(' ')
        .filter(|space| *space > end / 2)
        .map_or(short, |space| &short[..space]);
    format!(
        "{}…",
        between_words.trim_end_matches([' ', ',', ';', ':', '.', '–', '-', '…'])
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_excerpt_ends_where_a_sentence_ends() {
        for (text, max, excerpt_) in [
            (
                "Erster Satz. Zweiter Satz. Dritter.",
                28,
                "Erster Satz. Zweiter Satz.",
            ),
            (
                "Am 20. November tagt Dr. Maier. Danach nicht.",
                40,
                "Am 20. November tagt Dr. Maier.",
            ),
            (
                "Das gilt z. B. Hunden. Und Katzen.",
                25,
                "Das gilt z. B. Hunden.",
            ),
            ("He said “no.” Then he left.", 15, "He said “no.”"),
            ("Wirklich? Ja! Und mehr Text hier", 14, "Wirklich? Ja!"),
            (
                "Version 2.5 ist da. Sie kostet nichts.",
                20,
                "Version 2.5 ist da.",
            ),
            ("Kurz", 20, "Kurz"),
            ("", 20, ""),
        ] {
            assert_eq!(excerpt(text, max), excerpt_, "{text}");
        }
    }

    #[test]
    fn a_sentence_that_is_too_long_is_cut_between_words() {
        assert_eq!(
            excerpt("Ein sehr langer Satz, der nicht passt", 22),
            "Ein sehr langer Satz…"
        );
    }

    proptest! {
        #[test]
        fn an_excerpt_is_never_too_long(text in "\\PC{0,200}", max in 5usize..80) {
            prop_assert!(excerpt(&text, max).chars().count() <= max + 1);
        }
    }
}
