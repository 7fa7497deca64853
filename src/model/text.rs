//! Which characters a text from outside may have, and where its sentences end.

/// Whether a character has no business in a line of text: invisible, changing the order of what is around
/// it, private, or none at all. These are the zero-width space, bidirectional marks, overrides and isolates,
/// the byte-order mark, the soft hyphen, the replacement character, the private-use areas and the
/// non-characters. The joiners U+200C and U+200D may stay: emoji and several scripts need them.
///
/// Control characters are not meant here; they stand for white space (`char::is_control`).
pub fn is_unwanted(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffd}' | '\u{fdd0}'..='\u{fdef}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..)
        || (c as u32) & 0xfffe == 0xfffe
}

/// The places behind the sentences of `text`, in order.
pub fn sentence_ends(text: &str) -> impl Iterator<Item = usize> {
    let marks = text
        .char_indices()
        .filter(|(_, c)| matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？'));
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
        // Chinese and Japanese put no space behind.
        if matches!(mark, '。' | '！' | '？') {
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
    use super::*;

    #[test]
    fn a_sentence_ends_where_another_one_begins() {
        for (text, first) in [
            ("Erster Satz. Zweiter Satz. Dritter.", "Erster Satz."),
            (
                "Am 20. November tagt Dr. Maier. Danach nicht.",
                "Am 20. November tagt Dr. Maier.",
            ),
            (
                "Das gilt z. B. Hunden. Und Katzen.",
                "Das gilt z. B. Hunden.",
            ),
            ("He said “no.” Then he left.", "He said “no.”"),
            ("Wirklich? Ja! Und mehr Text hier", "Wirklich?"),
            (
                "Version 2.5 ist da. Sie kostet nichts.",
                "Version 2.5 ist da.",
            ),
            ("新しい。古い。", "新しい。"),
        ] {
            let end = sentence_ends(text).next().unwrap();
            assert_eq!(&text[..end], first);
        }
        assert_eq!(sentence_ends("Kurz").next(), None);
        assert_eq!(sentence_ends("").next(), None);
    }
}
