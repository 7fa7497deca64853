//! Lines of the text part, and words that are too long for a phone.

use hypher::Lang;
use textwrap::core::Word;
use textwrap::{Options, WordSeparator, WordSplitter};
use unicode_segmentation::UnicodeSegmentation as _;

/// Columns of the text part.
const COLUMNS: usize = 72;

/// `text` in lines of at most 72 columns; its first line begins with `first`, all others with `rest`. A word that
/// is longer, as addresses are, stands on a line of its own.
pub(super) fn wrapped(text: &str, first: &str, rest: &str) -> String {
    let separator = if text.chars().any(is_ideograph) {
        WordSeparator::Custom(between_ideographs)
    } else {
        WordSeparator::AsciiSpace
    };
    let options = Options::new(COLUMNS)
        .word_separator(separator)
        .word_splitter(WordSplitter::NoHyphenation)
        .break_words(false)
        .subsequent_indent(rest);
    let mut lines = String::with_capacity(text.len() + 16);
    for (place, line) in text.split('\n').enumerate() {
        if place > 0 {
            lines.push('\n');
        }
        let options = options
            .clone()
            .initial_indent(if place == 0 { first } else { rest });
        lines.push_str(textwrap::fill(line, options).trim_end());
    }
    lines
}

/// Whether `c` is of Chinese or Japanese, which put no spaces between words; everywhere else a line is broken at spaces.
fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// The parts of `line` after which it may be broken: at its spaces and between its ideographs, but not in an address.
fn between_ideographs(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    let words = line.split_inclusive(' ').flat_map(|word| {
        let start = word.find("http://").or_else(|| word.find("https://"));
        let (before, rest) = word.split_at(start.unwrap_or(word.len()));
        let end = rest.find(|c: char| !c.is_ascii_graphic());
        let (address, after) = rest.split_at(end.unwrap_or(rest.len()));
        // Its space belongs to it.
        let (address, after) = if after.trim_end_matches(' ').is_empty() {
            (rest, "")
        } else {
            (address, after)
        };
        let broken = |text| WordSeparator::UnicodeBreakProperties.find_words(text);
        let address = Some(address).filter(|address| !address.is_empty());
        broken(before)
            .chain(address.map(Word::from))
            .chain(broken(after))
    });
    Box::new(words)
}

/// What fits beside the margins of the narrowest phone, as a headline.
pub(super) const LONGEST_WORD: usize = 26;

/// Where a longer word may be broken: after so many letters at the latest.
const PART: usize = 13;

/// A place at which a word may be broken with a hyphen, and one without.
const SOFT_HYPHEN: char = '\u{ad}';
const SPACE_OF_NO_WIDTH: char = '\u{200b}';

/// `text`, which is in `language` (a BCP 47 tag), with places at which a word may be broken that has more than `longest`
/// letters: few mail programs know a style for that. For HTML only.
///
/// Words are broken where their language does, with a hyphen; what is no word, or of a language whose rules are not known,
/// without one.
pub(super) fn breakable(text: &str, language: &str, longest: usize) -> String {
    let rules = language.get(..2).and_then(|tag| {
        let tag: [u8; 2] = tag.as_bytes().try_into().ok()?;
        Lang::from_iso(tag)
    });
    let mut whole = String::with_capacity(text.len());
    for word in text.split_inclusive(char::is_whitespace) {
        // Between the signs of eastern scripts a line may end anyway, and Arabic letters hang together.
        let is_western = |c| matches!(c, '\0'..'\u{590}' | '\u{1e00}'..'\u{2100}');
        let is_long = word.trim_end().chars().nth(longest).is_some();
        if !is_long || !word.chars().all(is_western) {
            whole.push_str(word);
            continue;
        }
        for part in word.split_inclusive('-') {
            let letters = part.trim_matches(|c: char| !c.is_alphabetic());
            let is_word = !letters.is_empty() && letters.chars().all(char::is_alphabetic);
            match rules.filter(|_| is_word && part.chars().nth(longest).is_some()) {
                Some(rules) => {
                    let (before, after) = part.split_once(letters).unwrap_or((part, ""));
                    whole.push_str(before);
                    hyphenate(&mut whole, letters, rules);
                    whole.push_str(after);
                }
                None => push_parts(&mut whole, part, longest),
            }
        }
    }
    whole
}

/// Adds `word` with a hyphen to be after as many syllables as make a part.
fn hyphenate(whole: &mut String, word: &str, rules: Lang) {
    let mut length = 0;
    for syllable in hypher::hyphenate(word, rules) {
        let letters = syllable.chars().count();
        if length > 0 && length + letters > PART {
            whole.push(SOFT_HYPHEN);
            length = 0;
        }
        // What no syllable is so long of has no rules, either.
        push_parts(whole, syllable, LONGEST_WORD);
        length += letters;
    }
}

/// Adds `text` in parts of equal length, when it is longer than `longest`.
fn push_parts(whole: &mut String, text: &str, longest: usize) {
    let graphemes = text.graphemes(true).count();
    if graphemes <= longest {
        whole.push_str(text);
        return;
    }
    let part = graphemes.div_ceil(graphemes.div_ceil(PART));
    for (place, grapheme) in text.graphemes(true).enumerate() {
        if place > 0 && place % part == 0 {
            whole.push(SPACE_OF_NO_WIDTH);
        }
        whole.push_str(grapheme);
    }
}

/// `text` with one end of line at its end, whatever a template has put there.
pub(super) fn ended(text: &str) -> String {
    let mut text = text.trim_end().to_owned();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_72_columns_whatever_is_in_them() {
        let cases = [
            ("Wort ".repeat(60), "1. "),
            ("人工知能の新しいモデルが発表された。".repeat(8), ""),
            ("👩‍👩‍👧 Familie ".repeat(30), "- "),
        ];
        for (text, first) in cases {
            let wrapped = wrapped(text.trim(), first, "   ");
            assert!(wrapped.lines().count() > 1, "{wrapped}");
            assert!(wrapped.starts_with(first));
            for line in wrapped.lines() {
                assert!(textwrap::core::display_width(line) <= COLUMNS, "{line}");
                assert_eq!(line, line.trim_end());
            }
        }
    }

    #[test]
    fn an_address_stays_whole() {
        let url = format!("https://example.org/{}", "a-long/path-".repeat(10));
        for text in [
            format!("Mehr (siehe {url}) dort"),
            format!("Danke ❤️ für alles: {url} und mehr"),
            format!("詳細はこちらをご覧ください{url}です。"),
            format!("한국어 문장 {url} 입니다"),
        ] {
            let text = wrapped(&text, "", "  ");
            assert!(text.lines().any(|line| line.contains(&url)), "{text}");
        }
    }

    #[test]
    fn what_is_wider_than_a_phone_is_broken_as_its_language_does() {
        let shown = |text: &str, language| {
            breakable(text, language, LONGEST_WORD).replace(SOFT_HYPHEN, "·")
        };
        for (language, text, broken) in [
            (
                "de",
                "Das Sicherheitslückenmanagementsystem ist da",
                "Das Sicherheitslü·ckenmanage·mentsystem ist da",
            ),
            (
                "de-AT",
                "„Grundstücksverkehrsgenehmigungszuständigkeit…“",
                "„Grundstücks·verkehrsgeneh·migungszustän·digkeit…“",
            ),
            (
                "nl",
                "arbeidsongeschiktheidsverzekering",
                "arbeidsonge·schiktheids·verzekering",
            ),
            ("de", "Bundesverfassungsgericht", "Bundesverfassungsgericht"),
            // A line may end after its hyphen anyway.
            (
                "de",
                "KI-Sicherheitslücken-Management-System",
                "KI-Sicherheitslücken-Management-System",
            ),
        ] {
            assert_eq!(shown(text, language), broken);
        }
        assert_eq!(
            breakable("Wirtschaftsnachrichten", "de", 16).replace(SOFT_HYPHEN, "·"),
            "Wirtschafts·nachrichten"
        );
    }

    #[test]
    fn what_has_no_rules_is_broken_into_equal_parts_without_a_hyphen() {
        let shown = |text: &str, language| {
            breakable(text, language, LONGEST_WORD).replace(SPACE_OF_NO_WIDTH, "|")
        };
        for (language, text, broken) in [
            (
                "de",
                "abc/def/ghi/jkl/mno/pqr/stu/vwx",
                "abc/def/ghi|/jkl/mno/pq|r/stu/vwx",
            ),
            (
                "pl",
                "dziewięćdziesięciokilkuletniego",
                "dziewięćdzi|esięciokilk|uletniego",
            ),
            (
                "ja",
                "人工知能の新しいモデルが発表された価格は無料で誰でも使える",
                "人工知能の新しいモデルが発表された価格は無料で誰でも使える",
            ),
        ] {
            assert_eq!(shown(text, language), broken);
        }
        let long = "x\u{301}".repeat(30);
        assert!(
            shown(&long, "de")
                .split('|')
                .all(|part| part.starts_with('x'))
        );
    }

    #[test]
    fn paragraphs_stay_apart() {
        assert_eq!(wrapped("eins\n\nzwei", "> ", "  "), "> eins\n\n  zwei");
        assert_eq!(wrapped("", "", ""), "");
    }
}
