//! The beginning of a text, in whole sentences.

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

/// The places behind the sentences of `text`, in order.
fn sentence_ends(text: &str) -> impl Iterator<Item = usize> {
    let marks = text
        .char_indices()
        .filter(|(_, c)| matches!(c, '.' | '!' | '?' | '…'));
    marks.filter_map(|(at, mark)| {
        let after = at + mark.len_utf8();
        let closing: usize = text[after..]
            .chars()
            .take_while(|c| "\"”“»«’)]".contains(*c))
            .map(char::len_utf8)
            .sum();
        let end = after + closing;
        let rest = &text[end..];
        if rest.is_empty() {
            return Some(end);
        }
        let next = rest.strip_prefix(' ')?.chars().next()?;
        let word = text[..at]
            .rsplit([' ', '(', '-'])
            .next()
            .unwrap_or_default();
        let starts_sentence =
            next.is_uppercase() || next.is_numeric() || "„“\"»«‚'([".contains(next);
        let whole = mark != '.' || !is_abbreviation(word);
        (starts_sentence && whole).then_some(end)
    })
}

/// Whether a full stop after `word` belongs to the word: initials, ordinal numbers ("20. November"),
/// and the abbreviations that news texts use before a capital letter.
fn is_abbreviation(word: &str) -> bool {
    const KNOWN: &[&str] = &[
        "Abs", "Art", "Aug", "Bd", "Ca", "Co", "Corp", "Dez", "Dr", "Feb", "Fr", "Gen", "Hr",
        "Inc", "Jan", "Jr", "Ltd", "Mio", "Mr", "Mrd", "Mrs", "Ms", "No", "Nov", "Nr", "Okt",
        "Prof", "Sen", "Sep", "Sept", "Sr", "St", "Str", "Tel", "U.S", "Vol", "bzw", "ca", "etc",
        "evtl", "ggf", "inkl", "max", "min", "sog", "usw", "vgl", "vs", "z.B", "d.h", "u.a",
    ];
    word.chars().count() <= 1 || word.chars().all(|c| c.is_ascii_digit()) || KNOWN.contains(&word)
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
