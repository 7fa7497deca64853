//! Lines of the text part.

use textwrap::{Options, WordSeparator, WordSplitter};
use unicode_segmentation::UnicodeSegmentation as _;

/// Columns of the text part.
const COLUMNS: usize = 72;

/// `text` in lines of at most 72 columns; its first line begins with `first`, all others with `rest`. A word that
/// is longer, as addresses are, stands on a line of its own.
pub(super) fn wrapped(text: &str, first: &str, rest: &str) -> String {
    // Chinese and Japanese put no spaces between words; everywhere else a line is broken at spaces only.
    let has_ideographs = text.chars().any(|c| matches!(c, '\u{2e80}'..='\u{ffef}'));
    let separator = if has_ideographs {
        WordSeparator::UnicodeBreakProperties
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

/// What fits beside the margins of the narrowest phone, as a headline.
const LONGEST_WORD: usize = 26;

/// Where a longer word may be broken: after so many letters.
const PART: usize = 13;

/// `text` with places at which a word may be broken that is wider than a phone: few mail programs know a style for that.
/// What is broken there has a hyphen, unless it is no word. For HTML only.
pub(super) fn breakable(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    for (place, word) in text.split(' ').enumerate() {
        if place > 0 {
            whole.push(' ');
        }
        // Between the signs of eastern scripts a line may end anyway, and Arabic letters hang together.
        let is_western = |c| matches!(c, '\0'..'\u{590}' | '\u{1e00}'..'\u{2100}');
        let is_long = word.chars().nth(LONGEST_WORD).is_some() && word.chars().all(is_western);
        if !is_long {
            whole.push_str(word);
            continue;
        }
        let letters = word.trim_matches(|c: char| !c.is_alphabetic());
        let soft = if letters.chars().all(char::is_alphabetic) {
            '\u{ad}'
        } else {
            '\u{200b}'
        };
        for (place, grapheme) in word.graphemes(true).enumerate() {
            if place > 0 && place % PART == 0 {
                whole.push(soft);
            }
            whole.push_str(grapheme);
        }
    }
    whole
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
        let text = wrapped(&format!("Mehr (siehe {url}) dort"), "", "  ");
        assert!(text.lines().any(|line| line.contains(&url)), "{text}");
    }

    #[test]
    fn only_what_is_wider_than_a_phone_is_broken() {
        for (text, broken) in [
            (
                "Sicherheitslückenmanagement ist da",
                "Sicherheitslü\u{ad}ckenmanagemen\u{ad}t ist da",
            ),
            (
                "„Sicherheitslückenmanagement…“",
                "„Sicherheitsl\u{ad}ückenmanageme\u{ad}nt…“",
            ),
            ("Bundesverfassungsgericht", "Bundesverfassungsgericht"),
            (
                "abc/def/ghi/jkl/mno/pqr/stu/vwx",
                "abc/def/ghi/j\u{200b}kl/mno/pqr/st\u{200b}u/vwx",
            ),
            (
                "人工知能の新しいモデルが発表された価格は無料で誰でも使える",
                "人工知能の新しいモデルが発表された価格は無料で誰でも使える",
            ),
        ] {
            assert_eq!(breakable(text), broken);
        }
        let long = "x\u{301}".repeat(30);
        assert!(
            breakable(&long)
                .split('\u{ad}')
                .all(|part| part.starts_with('x'))
        );
    }

    #[test]
    fn paragraphs_stay_apart() {
        assert_eq!(wrapped("eins\n\nzwei", "> ", "  "), "> eins\n\n  zwei");
        assert_eq!(wrapped("", "", ""), "");
    }
}
