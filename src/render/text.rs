//! Lines of the text part.

use textwrap::{Options, WordSeparator, WordSplitter};

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
    fn paragraphs_stay_apart() {
        assert_eq!(wrapped("eins\n\nzwei", "> ", "  "), "> eins\n\n  zwei");
        assert_eq!(wrapped("", "", ""), "");
    }
}
